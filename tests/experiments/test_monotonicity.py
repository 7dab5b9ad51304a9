"""E2: the optimal values are monotone along the path, the norms are not."""

import itertools

import numpy as np
import pytest
import xarray as xr

import hamtheory as ht
from experiments import monotonicity
from figures import monotonicity as figure_module

CONFIG = monotonicity.Config(shapes=((1, 20), (8, 20)), instances=3, points=(31, 7))
EXAMPLE = ht.LinearRegression(np.array(monotonicity.ROWS, float), np.array(monotonicity.TARGET, float))


@pytest.fixture(scope="module")
def data():
    return monotonicity.run(CONFIG)


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert max(data["residual"].max(), data["relative_gap"].max()) <= 1e-10
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


@pytest.mark.claim("geometry.monotone-values")
def test_optimal_values_are_monotone(data):
    """min R_α falls and α min R_α rises, to the solver's 1e-10, relative, on both sides of a difference."""
    assert data["violation"].max() <= 1e-9
    value = data["log_value"]
    assert (value.isel(sparsity=-1) < value.isel(sparsity=0) - 1).all()
    # Twice min R_α is the square of the least L2 norm at the L2 end, up to a share of α = e⁻³⁰.
    np.testing.assert_allclose(np.log(2) + value[:, 0], 2 * np.log(data["l2"][:, 0]), atol=1e-9)


@pytest.mark.claim("monotonicity.one-equation")
def test_with_one_equation_the_l1_norm_never_rises(data):
    assert (data["l1_rise"].where(data["n"] == 1, drop=True) <= CONFIG.tol).all()


def test_changes_are_those_of_the_norms(data):
    """Largest over all pairs, one later than the other."""
    for i in range(data.sizes["instance"]):
        l1, l2 = data["l1"].values[i], data["l2"].values[i]
        later = np.triu_indices(l1.size)
        assert data["l1_rise"][i] == pytest.approx(np.max(l1[later[1]] / l1[later[0]]) - 1, abs=1e-14)
        assert data["l2_fall"][i] == pytest.approx(1 - np.min(l2[later[1]] / l2[later[0]]), abs=1e-14)


@pytest.mark.claim("geometry.norms-not-monotone", "monotonicity.one-point", "monotonicity.rise")
def test_counterexample(data):
    """Its ends are one point, so that any change between them is a rise and a fall."""
    np.testing.assert_allclose(ht.min_norm(EXAMPLE), [0.2, 0, -0.4], atol=1e-14)
    np.testing.assert_allclose(ht.basis_pursuit(EXAMPLE), [0.2, 0, -0.4], atol=1e-9)
    assert float(data["example_rise"]) > 0.01
    assert data["example_l1"].max() > 0.6 * 1.01
    np.testing.assert_allclose(data["example_solver_l1"], data["example_l1"], rtol=1e-9)
    # From the least L2 norm nothing falls at first.
    assert (data["example_l2"] >= 5**-0.5 * (1 - 1e-15)).all() and (data["example_l1"] >= 0.6 * (1 - 1e-15)).all()


def rises(X, y):
    """By how much the L1 norm of HAM's limit rises, relative, for rows of two equations in three unknowns.

    The interpolators are a line, `p + tv`; on it v·R′(θ) rises with t, and is zero at the limit: bisection.
    """
    v = np.cross(X[:, 0], X[:, 1])
    p = np.einsum("bij,bj->bi", np.linalg.pinv(X), y)
    v = v / np.linalg.norm(v, axis=1, keepdims=True)
    largest, reach = np.zeros(len(X)), 1 + np.abs(p).max()
    least = np.full(len(X), np.inf)
    for log in np.linspace(-6, 14, 81):
        low, high = np.full(len(X), -10 * reach), np.full(len(X), 10 * reach)
        for _ in range(60):
            t = (low + high) / 2
            theta = p + t[:, None] * v
            slope = np.sum(np.sign(theta) * np.log1p(np.exp(log) * np.abs(theta)) * v, axis=1)
            low, high = np.where(slope < 0, t, low), np.where(slope < 0, high, t)
        norm = np.abs(p + ((low + high) / 2)[:, None] * v).sum(1)
        largest = np.maximum(largest, norm / least - 1)
        least = np.minimum(least, norm)
    return largest


@pytest.mark.claim("monotonicity.smallest")
def test_no_counterexample_has_smaller_integers(data):
    """None of the 2 × 3 matrices, and y, of −1, 0 and 1 has a rise; with a 2 there is the one of the figure."""
    rows = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=3)))
    pairs = [(a, b) for a, b in itertools.combinations(rows, 2) if np.linalg.matrix_rank([a, b]) == 2]
    targets = [np.array(y) for y in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, -1.0))]  # up to the sign
    X, y = (np.array(part) for part in zip(*itertools.product(pairs, targets), strict=True))
    assert len(X) > 1000
    assert rises(X, y).max() < 1e-9
    example = rises(np.array([monotonicity.ROWS], float), np.array([monotonicity.TARGET], float))
    np.testing.assert_allclose(example, float(data["example_rise"]), rtol=0.03)  # of another grid


def test_exact_norms_at_the_ends_and_in_more_digits():
    logs = np.array([-60.0, 3.0, 12.0, 400.0])
    (l1, l2), (finer_l1, finer_l2) = (monotonicity.exact_norms(logs, digits) for digits in (30, 50))
    # 102 halvings of an interval of length 20/|z|, |z| = √30, leave 1e-30.
    for coarse, fine in zip(l1 + l2, finer_l1 + finer_l2, strict=True):
        assert abs(coarse - fine) <= 1e-28
    margin = ht.certify_basis_pursuit(EXAMPLE).margin
    for i, reach in ((0, np.exp(logs[0])), (3, np.exp(-margin * logs[3]))):
        assert abs(l1[i] - 0.6) <= reach + 1e-15 and abs(l2[i] - 5**-0.5) <= reach + 1e-15
    assert l1[1] > 0.601 and l2[1] > l2[0]


def test_random_problems_have_the_shape_and_kind_they_should():
    rng = np.random.default_rng(1)
    for kind in monotonicity.KINDS:
        sparse = monotonicity.random_problem(kind, 8, 20, False, rng)
        dense = monotonicity.random_problem(kind, 8, 20, True, rng)
        for problem in (sparse, dense):
            assert problem.X.shape == (8, 20) and np.linalg.matrix_rank(problem.X) == 8
        assert (np.abs(sparse.X) == 1).all() == (kind == "signs")


def test_shares_count_right():
    kinds = list(figure_module.KINDS)
    shapes = [(8, 20), (2, 3)]  # in the order of their appearance
    rows = [(n, d, kind, i) for n, d in shapes for kind in kinds for i in range(4)]
    # Of four each: for the first shape 0, 1, 2, 3 rise by the order of the kinds, for the second 4, 3, 2, 1.
    rising = {(shape, kind): j if shape == (8, 20) else 4 - j for shape in shapes for j, kind in enumerate(kinds)}
    rise = [2e-8 if i < rising[(n, d), kind] else 1e-9 for n, d, kind, i in rows]
    made = xr.Dataset(
        {"l1_rise": ("instance", rise)},
        {name: ("instance", [row[i] for row in rows]) for i, name in enumerate(("n", "d", "kind"))},
        {"tol": 1e-8},
    )
    np.testing.assert_array_equal(figure_module.shares(made, "l1_rise"), [[0, 0.25, 0.5, 0.75], [1, 0.75, 0.5, 0.25]])


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    left, middle, right = figure.axes
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    np.testing.assert_array_equal(left.lines[0].get_ydata(), data["example_l1"])
    np.testing.assert_array_equal(left.lines[1].get_ydata(), data["example_solver_l1"])
    drawn = [line.get_xdata() for line in middle.lines]
    expected = np.concatenate([figure_module.shares(data, change).T for change in ("l1_rise", "l2_fall")])
    np.testing.assert_array_equal(drawn, expected)
    assert [label.get_text() for label in middle.get_yticklabels()] == ["1 × 20", "8 × 20"]
    for line, change in zip(right.lines, ("l1_rise", "l2_fall"), strict=True):
        assert len(line.get_xdata()) == (data[change] > CONFIG.tol).sum()
        assert (np.diff(line.get_xdata()) <= 0).all()
    plt.close(figure)
