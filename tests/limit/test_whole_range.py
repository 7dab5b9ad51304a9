"""Limits from L2 to L1, ln α and ln 1/γ from −30 to 10⁴: certificates, theorems, the ends, and what selects them.

`ell` is ln α for HAM and ln 1/γ for m⊙w, so that large is L1 for both.
"""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import hamtheory as ht

FAMILIES = [ht.HAM, ht.Hypentropy]
KINDS = ["gaussian", "uneven", "correlated", "signs"]
D = 40
GRID = np.concatenate([np.linspace(-30, 30, 13), [40, 60, 100, 200, 500, 1000, 2000, 5000, 7000, 9000, 1e4]])
TOL = 1e-10  # of the solver, for the residual and the relative gap


def at(family, ell):
    return family.at_log(jnp.asarray(ell if family is ht.HAM else -ell, float))


def logs(family, ells):
    return np.asarray(ells) if family is ht.HAM else -np.asarray(ells)


def instance(kind, n, seed=17):
    """k = n/2 spikes of random sizes: fewer than n, but too many for basis pursuit to find them in general."""
    rng = np.random.default_rng([seed, n, KINDS.index(kind)])
    X = rng.standard_normal((n, D))
    if kind == "uneven":
        X *= 10.0 ** rng.uniform(-1, 1, D)
    elif kind == "correlated":
        X = rng.standard_normal((n, 3)) @ rng.standard_normal((3, D)) + 0.3 * X
    elif kind == "signs":
        X = np.sign(X)
    spikes = np.zeros(D)
    k = max(1, n // 2)
    spikes[rng.choice(D, k, replace=False)] = rng.standard_normal(k)
    return ht.LinearRegression(X, X @ spikes)


def facet(n, size, margin, seed=0):
    """A problem with a known certificate `c = Xᵀν`: |c| is 1 on the first `size` columns, at most 1 − margin elsewhere.

    Every interpolator that lives on the first columns, with the signs of c, has the least L1 norm. One is returned.
    """
    rng = np.random.default_rng(seed)
    nu = rng.standard_normal(n)
    nu /= np.linalg.norm(nu)
    c = np.concatenate([rng.choice([-1.0, 1.0], size), (1 - 2 * margin) * rng.uniform(-1, 1, D - size)])
    c[-1] = 1 - margin
    X = rng.standard_normal((n, D))
    X += np.outer(nu, c - nu @ X)
    spikes = np.where(np.abs(c) == 1, c * rng.uniform(0.2, 2, D), 0)
    return ht.LinearRegression(X, X @ spikes), c, spikes


def off_face(theta, c):
    """`‖θ‖₁` minus the least: `Σ |θ| − cθ` of an interpolator, all of it off the face. Nothing cancels."""
    return float(np.sum((np.abs(theta) - c * theta)[np.abs(c) < 1 - 1e-9]))


def relative(theta, reference):
    return float(np.linalg.norm(np.asarray(theta) - np.asarray(reference)) / np.linalg.norm(reference))


def out_of_row_space(X, vector):
    """The part of a vector outside of row(X), relative to its size."""
    Q = np.linalg.svd(np.asarray(X), full_matrices=False)[2]
    return float(np.linalg.norm(vector - Q.T @ (Q @ vector)) / np.linalg.norm(vector))


@pytest.mark.parametrize(
    ("family", "n"), [*((ht.HAM, n) for n in (2, 8, 20, 36)), *((ht.Hypentropy, n) for n in (8, 20, 36))]
)
def test_cold_starts_over_the_whole_range(family, n):
    for kind in KINDS:
        problem = instance(kind, n)
        pursuit = ht.certify_basis_pursuit(problem)
        for ell in (-30.0, 0.0, 10.0, 100.0, 5000.0, 1e4):
            limit = ht.solve_limit(problem, at(family, ell))
            assert limit.residual <= TOL, (kind, ell)
            assert limit.stats["relative_gap"] <= TOL, (kind, ell)
            if ell == -30:  # g⁻¹ is constant up to α|θ| ~ 1e-13
                assert relative(limit.theta, ht.min_norm(problem)) <= 1e-10, kind
            if ell == 1e4:  # an entry off the face is of the size exp(−(1 − |c|) ln α), up to a factor e^O(1)
                excess = float(jnp.abs(limit.theta).sum()) / pursuit.norm - 1
                assert -1e-10 <= excess <= 1e-8 + 1e3 * np.exp(-pursuit.margin * ell), kind
                if pursuit.is_unique:
                    assert relative(limit.theta, pursuit.theta) <= 1e-8, kind


@pytest.mark.parametrize("family", FAMILIES)
def test_the_least_potential_is_monotone_and_so_is_it_times_the_parameter(family):
    # For every θ, R″ falls and αR″ rises in α (in γ), hence R and αR, hence their minima.
    log_potential = eqx.filter_jit(lambda geo, theta: jnp.log(jnp.sum(geo.potential(theta))) - geo.log_rescaling)
    for kind in KINDS:
        problem = instance(kind, 20)
        path = ht.limit_path(problem, family, logs(family, GRID))
        assert path.residual.max() <= TOL and path.relative_gap.max() <= TOL
        values = np.array([log_potential(at(family, ell), theta) for ell, theta in zip(GRID, path.thetas, strict=True)])
        falling, rising = (values, values + GRID) if family is ht.HAM else (values - GRID, values)
        # The logarithm of the factor, up to 1e4, is rounded: 1e-12.
        assert np.diff(falling).max() <= 1e-9, kind
        assert np.diff(rising).min() >= -1e-9, kind


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("start", ["zero", "random"])
def test_a_path_is_the_limits_in_the_order_of_its_grid(family, start):
    problem = instance("uneven", 20)
    theta0 = None if start == "zero" else np.random.default_rng(5).standard_normal(D)
    shuffled = np.random.default_rng(6).permutation(GRID)
    shuffled[3] = shuffled[11]  # a duplicate
    path = ht.limit_path(problem, family, logs(family, shuffled), theta0)
    assert (path.result == ht.Result.converged).all()
    np.testing.assert_array_equal(path.log_parameters, logs(family, shuffled))
    assert relative(path.thetas[3], path.thetas[11]) <= 1e-12  # the second starts where the first ends
    for ell, theta, dual, gap in zip(shuffled, path.thetas, path.duals, path.relative_gap, strict=True):
        limit = ht.solve_limit(problem, at(family, ell), theta0)
        assert gap <= TOL and relative(theta, limit.theta) <= 1e-8, ell
        assert relative(dual, limit.dual) <= np.sqrt(TOL), ell  # the gap is quadratic in the error of the dual point
    ordered = np.argsort(shuffled, kind="stable")
    again = ht.limit_path(problem, family, logs(family, shuffled[ordered]), theta0)
    np.testing.assert_array_equal(again.thetas, path.thetas[ordered])
    assert (path.stats["steps"] >= 0).all() and int(path.stats["steps"].sum()) == int(again.stats["steps"].sum())


def test_paths_of_many_instances_at_once():
    problems = [instance(kind, 20) for kind in KINDS]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
    paths = jax.vmap(lambda problem: ht.limit_path(problem, ht.HAM, GRID, throw=False))(stacked)
    assert paths.thetas.shape == (4, len(GRID), D)
    assert (paths.result == ht.Result.converged).all()
    for problem, thetas in zip(problems, paths.thetas, strict=True):
        alone = ht.limit_path(problem, ht.HAM, GRID).thetas
        for one, other in zip(thetas, alone, strict=True):
            assert relative(one, other) <= 1e-7


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("family", "grid", "error", "message"),
    [
        (ht.HAM, [], ValueError, "grid must hold at least one parameter"),
        (ht.HAM, [0.0, np.nan], ValueError, "grid must be finite; got nan at index 1"),
        (ht.HAM, [0.0, 2e5], ValueError, "log_alpha must be within ±100000.*got 200000"),
        (ht.Hypentropy, [-2e5], ValueError, "log_gamma must be within ±100000.*got -200000"),
        (ht.HAM, [[0.0]], ValueError, "grid must have 1 axis"),
        (ht.Euclidean, [0.0], TypeError, "family must be a class of geometries.*Euclidean"),
        (ht.HAM(1.0), [0.0], TypeError, "family must be a class of geometries"),
        ("HAM", [0.0], TypeError, "family must be a class of geometries"),
    ],
)
def test_bad_grids_and_families_are_refused(family, grid, error, message):
    with pytest.raises(error, match=message):
        ht.limit_path(instance("gaussian", 8), family, grid)


def test_a_path_reports_which_point_failed():
    problem = instance("uneven", 20)
    with pytest.raises(RuntimeError, match=r"max steps.*of 24 points failed; the first at"):
        ht.limit_path(problem, ht.HAM, GRID, max_steps=2)
    path = ht.limit_path(problem, ht.HAM, GRID, max_steps=2, throw=False)
    failed = np.asarray(path.result == ht.Result.max_steps)
    assert failed.any() and not failed[0]  # nearly Euclidean: one Newton step


def least_cost(problem, positive, negative):
    """`min Σ positive θ₊ + negative θ₋` over the interpolators, by HiGHS, and the least reduced cost that is not 0."""
    space, r = problem.row_space, int(problem.rank)
    Q, b = np.asarray(space.basis)[:r], np.asarray(space.target)[:r]
    cost, both = np.concatenate([positive, negative]), np.hstack([Q, -Q])
    solution = scipy.optimize.linprog(cost, A_eq=both, b_eq=b, bounds=(0, None), method="highs-ds")
    assert solution.success
    reduced = cost - solution.eqlin.marginals @ both
    return solution.fun, float(reduced[reduced > 1e-9].min())


def random_start(n, seed):
    rng = np.random.default_rng([n, seed])
    theta0 = rng.standard_normal(D)
    theta0[rng.choice(D, D // 3, replace=False)] = 0
    return theta0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [8, 20, 36])
def test_the_sparse_end_from_a_fixed_start(family, n):
    # αR′(θ₀) = sign(θ₀) (ln α + ln|θ₀| + o(1)), so α D_R(θ, θ₀)/ln α → Σ |θ| − sign(θ₀)θ, with sign(0) = 0.
    # If that can be 0, what it leaves is decided by the next order, Σ |θ| ln|θ/θ₀| − |θ|.
    ties = 0
    for kind in KINDS:
        problem = instance(kind, n)
        for seed in range(2):
            theta0 = random_start(n, seed)
            limit = ht.solve_limit(problem, at(family, 1e4), theta0)
            theta, signs = np.asarray(limit.theta), np.sign(theta0)
            least, margin = least_cost(problem, 1 - signs, 1 + signs)
            size = np.abs(theta).sum()
            excess = (size - signs @ theta - least) / size
            assert -1e-9 <= excess <= 1e-8 + 1e3 * np.exp(-1e4 * margin), (kind, seed)
            if least > 1e-9 * size:
                continue
            ties += 1
            moved = theta0 != 0
            assert np.abs(theta[~moved]).max() <= 1e-12 * size  # zeros would cost
            assert (theta[moved] * theta0[moved] > 0).all()  # so would the other sign
            entropy = signs[moved] * np.log(theta[moved] / theta0[moved])
            # A relative gap of 1e-10 bounds the error of this by its square root.
            assert out_of_row_space(np.asarray(problem.X)[:, moved], entropy) <= 1e-5, (kind, seed)
    assert ties == 8 if n == 8 else ties < 8


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("kind", "n"), [("uneven", 8), ("correlated", 8), ("uneven", 20), ("uneven", 36)])
def test_the_sparse_end_from_a_start_that_shrinks_with_it(family, kind, n):
    # θ₀ = e^(−a ln α) t: αR′(θ₀) = sign(t) ln(1 + α^(1 − a)|t|) ~ (1 − a) ln α sign(t). At ln α = 1000, a = ½.
    problem, t, a, ell = instance(kind, n), random_start(n, 1), 0.5, 1e3
    theta = np.asarray(ht.solve_limit(problem, at(family, ell), t * np.exp(-a * ell)).theta)
    pull = (1 - a) * np.sign(t)
    least, margin = least_cost(problem, 1 - pull, 1 + pull)
    excess = (np.abs(theta).sum() - pull @ theta - least) / np.abs(theta).sum()
    assert -1e-9 <= excess <= 1e-8 + 1e3 * np.exp(-ell * margin)
    # It is another point than from zero, and from a fixed start.
    assert abs(least - np.abs(ht.basis_pursuit(problem)).sum()) > 1e-3 * least


def test_starts_that_shrink_and_paths_that_are_long():
    # Where θ₀ is kept fixed on the way, the second of these seeds never arrives at n = 36.
    for kind, n, seed in itertools.product(KINDS, (8, 20, 36), range(3)):
        theta0 = np.random.default_rng(seed).standard_normal(D) * np.exp(-500.0)
        for ell in (600.0, 1e3, 1e4):
            limit = ht.solve_limit(instance(kind, n), at(ht.HAM, ell), theta0)
            assert limit.residual <= TOL and limit.stats["steps"] <= 100, (kind, n, seed, ell)
    # Every point of a path is a limit from the same θ₀; the bend is in the way there.
    theta0 = np.random.default_rng(1).standard_normal(D) * np.exp(-500.0)
    problem = instance("gaussian", 36)
    path = ht.limit_path(problem, ht.HAM, [400.0, 1e3], theta0)
    assert relative(path.thetas[-1], ht.solve_limit(problem, at(ht.HAM, 1e3), theta0).theta) <= 1e-8


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_and_opposite_columns_share_equally(family):
    base = np.random.default_rng(0).standard_normal((8, 10))
    X = np.hstack([base, -base, base, -base])
    problem = ht.LinearRegression(X, X @ np.random.default_rng(1).standard_normal(D))
    for ell in (-30.0, 10.0, 1e4):
        copies = np.asarray(ht.solve_limit(problem, at(family, ell)).theta).reshape(4, 10)
        # η is the same for all: the copies differ by the rounding of s, up to 1e4 and a sum of 8 terms, alone.
        np.testing.assert_allclose(copies * np.array([1, -1, 1, -1])[:, None], copies[[0]].repeat(4, 0), rtol=1e-10)
    pursuit = ht.certify_basis_pursuit(problem)
    assert not pursuit.is_unique
    face = np.asarray(pursuit.face).reshape(4, 10)
    assert (face == face[0]).all() and face[0].sum() == 8
    np.testing.assert_allclose(np.abs(copies).sum(), pursuit.norm, rtol=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_of_many_minimisers_the_limit_has_the_largest_entropy(family):
    problem, c, spikes = facet(n=8, size=12, margin=0.3)
    pursuit = ht.certify_basis_pursuit(problem)
    face = np.abs(c) == 1
    assert not pursuit.is_unique
    np.testing.assert_array_equal(pursuit.face, face)
    np.testing.assert_allclose(pursuit.correlations, c, atol=1e-9)  # the certificate is unique: 12 columns span R⁸
    np.testing.assert_allclose(pursuit.margin, 0.3, atol=1e-9)
    np.testing.assert_allclose(pursuit.norm, np.abs(spikes).sum(), rtol=1e-9)
    theta = np.asarray(ht.solve_limit(problem, at(family, 1e4)).theta)
    np.testing.assert_allclose(np.abs(theta).sum(), pursuit.norm, rtol=1e-10)
    assert np.abs(theta[~face]).max() <= 1e-12 and (theta * c > 0)[face].all()
    X = np.asarray(problem.X)[:, face]
    weights, signed = np.abs(theta[face]), X * c[face]
    assert out_of_row_space(X, c[face] * np.log(weights)) <= 1e-8  # stationary: the gap is at the level of rounding
    negative_entropy = lambda w: float(np.sum(w * np.log(w)))  # noqa: E731
    other = scipy.optimize.minimize(
        negative_entropy,
        np.abs(spikes)[face],
        jac=lambda w: np.log(w) + 1,
        bounds=[(1e-9, None)] * 12,
        constraints={"type": "eq", "fun": lambda w: signed @ w - problem.y, "jac": lambda w: signed},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert np.linalg.norm(signed @ other.x - problem.y) <= 1e-9
    assert abs(negative_entropy(weights) - other.fun) <= 1e-8  # SLSQP's accuracy; of second order in that of w
    np.testing.assert_allclose(weights, other.x, atol=1e-5)
    assert negative_entropy(np.abs(spikes)[face]) > other.fun + 0.1


def test_sign_designs_are_ties_that_are_reported():
    # With 2 rows of ±1 all 40 columns are ±(1, 1) or ±(1, −1): equal up to sign, and everything is in the face.
    problem = ht.LinearRegression(instance("signs", 2).X, [1.5, 0.4])
    pursuit = ht.certify_basis_pursuit(problem)
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    assert not pursuit.is_unique and bool(pursuit.face.all()) and pursuit.margin == 1
    same = X[0] == X[1]
    shares = np.where(same, X[0] * (y[0] + y[1]) / 2 / same.sum(), X[0] * (y[0] - y[1]) / 2 / (~same).sum())
    np.testing.assert_allclose(ht.solve_limit(problem, at(ht.HAM, 1e4)).theta, shares, rtol=1e-9)


@pytest.mark.parametrize("n", [8, 20, 36])
def test_certificates_of_basis_pursuit_are_certificates(n):
    for kind in KINDS:
        problem = instance(kind, n)
        pursuit = ht.certify_basis_pursuit(problem)
        theta, c = np.asarray(pursuit.theta), np.asarray(pursuit.correlations)
        np.testing.assert_allclose(np.asarray(problem.X) @ theta, problem.y, atol=1e-9)
        np.testing.assert_allclose(np.asarray(problem.X).T @ np.asarray(pursuit.dual), c, atol=1e-9)
        np.testing.assert_allclose(np.abs(theta).sum(), pursuit.norm, rtol=1e-12)
        # HiGHS is exact to 1e-9 or so.
        assert np.abs(c).max() <= 1 + 1e-9 and abs(pursuit.gap) <= 1e-9
        support, face = theta != 0, np.asarray(pursuit.face)
        assert face[support].all()
        np.testing.assert_allclose(c[support], np.sign(theta[support]), atol=1e-9)
        np.testing.assert_allclose(1 - np.abs(c[~face]).max(), pursuit.margin, atol=1e-12)
        assert 0 < pursuit.margin <= 1
        assert pursuit.is_unique == (np.linalg.matrix_rank(np.asarray(problem.X)[:, face]) == face.sum())
        if kind in ("gaussian", "uneven"):
            assert pursuit.is_unique  # with probability 1


@pytest.mark.parametrize(
    "part",
    [
        1e-6,
        1e-8,
    ],
)
def test_a_small_entry_belongs_to_the_face(part):
    problem, c, spikes = facet(n=8, size=8, margin=0.3)
    small = np.where(np.arange(D) == 0, part * np.abs(spikes).sum() * c, spikes)
    problem = ht.LinearRegression(problem.X, np.asarray(problem.X) @ small)
    pursuit = ht.certify_basis_pursuit(problem)
    np.testing.assert_allclose(pursuit.theta, small, rtol=1e-6)
    np.testing.assert_array_equal(pursuit.face, np.abs(c) == 1)
    np.testing.assert_allclose(pursuit.margin, 0.3, rtol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("margin", [0.02, 0.1, 0.3, 0.45])
def test_the_excess_falls_at_the_rate_of_the_margin(family, margin):
    problem, c, spikes = facet(n=20, size=20, margin=margin)
    norm = float(np.abs(spikes).sum())
    pursuit = ht.certify_basis_pursuit(problem)
    assert pursuit.is_unique
    np.testing.assert_allclose(pursuit.margin, margin, rtol=1e-9)
    np.testing.assert_allclose(pursuit.norm, norm, rtol=1e-9)
    ells = np.array([20, 30]) / margin
    thetas = [np.asarray(ht.solve_limit(problem, at(family, ell)).theta) for ell in ells]
    excess = [off_face(theta, c) for theta in thetas]
    # One entry is nearest to the face; where it is e^−20, corrections to its logarithm are of that size.
    slope = -np.diff(np.log(excess))[0] / np.diff(ells)[0]
    np.testing.assert_allclose(slope, margin, rtol=1e-6)
    # And it is the excess of the norm, where that can be told from rounding.
    theta = np.asarray(ht.solve_limit(problem, at(family, 10 / margin)).theta)
    np.testing.assert_allclose(np.abs(theta).sum() - norm, off_face(theta, c), atol=1e-12 * norm)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rate_on_random_instances_whose_spikes_are_found(family):
    # Fewer spikes than rows: the certificate is not unique. In the limit it is the one with the largest margin, and a
    # number of entries come to it together. Below the tolerance, at margin · ln α ≥ 23, entries are not determined.
    for seed in (0, 1, 3):
        spiked = ht.sparse_regression(20, D, 2, seed=seed)
        problem = ht.LinearRegression(spiked.X, spiked.y)
        pursuit = ht.certify_basis_pursuit(problem)
        np.testing.assert_allclose(pursuit.theta, spiked.theta_star, atol=1e-12)
        ells = np.array([12, 18]) / pursuit.margin
        excess = [
            off_face(np.asarray(ht.solve_limit(problem, at(family, ell)).theta), np.asarray(pursuit.correlations))
            for ell in ells
        ]
        slope = -np.diff(np.log(excess))[0] / np.diff(ells)[0]
        np.testing.assert_allclose(slope, pursuit.margin, rtol=0.03)


def test_a_limit_whose_entries_are_near_the_floor():
    # 15 directions of the dual are determined by entries of the size e^(−0.19 ln α), from below √ε to below ε.
    rng = np.random.default_rng(10)
    X, spikes = rng.standard_normal((20, D)), np.zeros(D)
    spikes[rng.choice(D, 5, replace=False)] = rng.standard_normal(5)
    for ell in (80.0, 90.0, 95.0, 100.0, 110.0, 150.0):
        limit = ht.solve_limit(ht.LinearRegression(X, X @ spikes), at(ht.HAM, ell))
        assert limit.stats["steps"] <= 100


@pytest.mark.parametrize(("family", "rows"), [(ht.HAM, 1), (ht.Hypentropy, 20)])
def test_a_single_row(family, rows):
    # Here even the L1 norm falls along the path, and the end is the largest column (both of them, if two are equal).
    # Multiples of the row change nothing.
    x = np.random.default_rng(3).standard_normal(D)
    x[7] = -2 * np.abs(x).max()

    def path():
        X = np.outer(np.linspace(1, 2, rows), x)
        return ht.limit_path(ht.LinearRegression(X, 1.5 * np.linspace(1, 2, rows)), family, logs(family, GRID))

    thetas = np.asarray(path().thetas)
    norms = np.abs(thetas).sum(axis=1)
    assert np.diff(norms).max() <= TOL * norms[0]
    np.testing.assert_allclose(thetas[0], x * 1.5 / np.sum(x**2), rtol=1e-10)
    np.testing.assert_allclose(thetas[-1], np.where(np.arange(D) == 7, 1.5 / x[7], 0), atol=1e-14)
    x[30] = -x[7]
    np.testing.assert_allclose(path().thetas[-1][jnp.array([7, 30])], 0.75 / x[[7, 30]], rtol=1e-9)


def test_as_many_rows_as_columns_leave_no_choice():
    rng = np.random.default_rng(4)
    X, theta = rng.standard_normal((8, 8)), rng.standard_normal(8)
    for ell in (-30.0, 0.0, 10.0, 1e4):
        limit = ht.solve_limit(ht.LinearRegression(X, X @ theta), at(ht.HAM, ell))
        np.testing.assert_allclose(limit.theta, theta, rtol=1e-8)  # the residual's tolerance, times the condition of X


@pytest.mark.parametrize("family", FAMILIES)
def test_more_spikes_than_rows(family):
    rng = np.random.default_rng(8)
    X = rng.standard_normal((8, D))
    problem = ht.LinearRegression(X, X @ rng.standard_normal(D))
    pursuit = ht.certify_basis_pursuit(problem)
    limit = ht.solve_limit(problem, at(family, 1e4))
    assert int(jnp.sum(jnp.abs(limit.theta) > 1e-8)) == 8 == int(pursuit.face.sum())
    assert 1e4 * pursuit.margin > 30
    assert relative(limit.theta, pursuit.theta) <= 1e-8


@pytest.mark.slow
def test_ten_thousand_columns():
    rng = np.random.default_rng(9)
    X, spikes = rng.standard_normal((20, 10_000)), np.zeros(10_000)
    spikes[:3] = 1, -2, 3
    problem = ht.LinearRegression(X, X @ spikes)
    limit = ht.solve_limit(problem, at(ht.HAM, 1e4))
    assert limit.residual <= TOL and limit.stats["relative_gap"] <= TOL
    # Among so many columns, some are nearly in the face.
    pursuit = ht.certify_basis_pursuit(problem)
    excess = float(jnp.abs(limit.theta).sum()) / pursuit.norm - 1
    assert pursuit.is_unique and -1e-10 <= excess <= 1e-8 + 10 * np.exp(-1e4 * pursuit.margin)
