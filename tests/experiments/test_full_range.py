"""F7: the whole interpolation, and the rate at which it ends."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import __main__ as command_line, _paths, full_range
from figures import full_range as figure_module

from .scales import every_scale

CONFIG = full_range.Config(n=10, d=30, ks=(2,), instances=4, points=(46, 12), data=())


@pytest.fixture(scope="module")
def data():
    return full_range.run(CONFIG)


everywhere = every_scale(full_range, "full_range", small="data")


def excess(data, norm):
    return data[norm] / data[f"least_{norm}"] - 1


def test_every_case_is_certified(data):
    assert (data["status"] == 0).all()
    assert max(data["residual"].max(), data["relative_gap"].max()) <= 1e-10
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


def test_basis_pursuit_is_proved(data):
    """Primal and dual value agree to some roundings of sums over d entries."""
    assert abs(data["proof"]).max() <= 1e-12
    assert data["is_unique"].all() and (data["margin"] > 0).all() and (data["margin"] < 1).all()


@pytest.mark.claim("flow.exponential-l1", "geometry.l2-path", "woodworth.theorem-1")
def test_paths_go_from_one_end_to_the_other(data):
    """Up to the residual of 1e-10, no interpolator is below the least norms; the ends attain them."""
    assert excess(data, "l1").min() >= -1e-9 and excess(data, "l2").min() >= -1e-9
    first, last = data.isel(sparsity=0), data.isel(sparsity=-1)
    # There the metric deviates from a constant by e⁻³⁰; and exp(−margin · 10⁴) is nothing.
    assert excess(first, "l2").max() <= 1e-9
    assert abs(first["l1"] / data["dense_l1"] - 1).max() <= 1e-9
    assert (np.exp(-data["margin"] * CONFIG.highest) < 1e-12).all()
    assert excess(last, "l1").max() <= 1e-9
    # The ends are different points, so that none of this is trivial.
    assert (excess(first, "l1") > 0.1).all() and (excess(last, "l2") > 0.1).all()


@pytest.mark.claim("full_range.rate", "full_range.window", "interpolation.mw-power")
def test_the_norm_decays_at_the_margin(data):
    """Where the margin is wide. Faster entries have a share of the excess that is gone only at its end: hence 5 %."""
    # Below the solver's tolerance, 1e-10, an excess depends on where Newton's method stopped.
    assert CONFIG.window[0] >= 10 * 1e-10
    clear = data["margin"].values > 0.3
    assert clear.sum() >= 2
    rate = data["rate"].isel(problem=clear)
    assert abs(rate / data["margin"] - 1).max() <= 0.05
    # The same exponents for both families: their prefactors alone differ.
    np.testing.assert_allclose(rate.sel(family="HAM"), rate.sel(family="m*w"), rtol=0.03)


@pytest.mark.claim("flow.exponential-l1")
@pytest.mark.parametrize("family, shift", [("HAM", 0.0), ("m*w", np.log(2))])
def test_closed_form_with_one_equation(family, shift):
    """`θ₁ + cθ₂ = 1`: as R′(θ) is proportional to (1, c), `θ₂ → α^(c − 1)`, and the excess is (1 − c)θ₂; γ is 2/α."""
    X, y = np.zeros((CONFIG.n, CONFIG.d)), np.zeros(CONFIG.n)
    X[0, :2], y[0] = (1.0, 0.6), 1.0  # the rest are zeros, for the shape that is compiled already
    problem = ht.LinearRegression(X, y)
    assert ht.certify_basis_pursuit(problem).margin == pytest.approx(0.4, rel=1e-12)
    sparsity = _paths.whole_range(CONFIG.lowest, CONFIG.knee, CONFIG.highest, *CONFIG.points)
    inside = (sparsity >= 30) & (sparsity <= 50)
    found = (_paths.path_summary(problem, family, sparsity)[0] - 1)[inside]
    sparsity = sparsity[inside]
    # The next order is a relative θ₂ of the leading one, below e⁻¹²; the solver's is 1e-10 of the norm.
    np.testing.assert_allclose(found, 0.4 * np.exp(-0.4 * (sparsity + shift)), rtol=2 * np.exp(-12), atol=1e-10)
    assert full_range._rate(sparsity, found, (1e-9, 1e-5)) == pytest.approx(0.4, rel=0.01)


@pytest.mark.claim("full_range.rounding")
def test_at_the_end_there_is_rounding(everywhere):
    """The median of the random problems is there within 1e-14, where its law is far below."""
    chosen = everywhere.isel(problem=np.flatnonzero(everywhere["k"] == everywhere["k"][0]))
    law = np.exp(-float(chosen["margin"].median()) * everywhere["sparsity"].values)
    end = excess(chosen, "l1").median("problem").isel(sparsity=np.flatnonzero(law < 1e-20))
    assert end.size > 10 and abs(end).max() <= 1e-14


def test_rate_looks_at_the_window_alone():
    sparsity = np.arange(100.0)
    values = np.exp(-0.5 * sparsity)
    low, high = CONFIG.window
    values[values <= low] = 1e-15
    values[values >= high] = 1.0
    assert full_range._rate(sparsity, values, CONFIG.window) == pytest.approx(0.5, rel=1e-10)
    assert np.isnan(full_range._rate(sparsity, np.ones(100), CONFIG.window))


def test_position_is_continuous_and_increasing():
    grid = np.concatenate([np.linspace(-30, 60, 91), np.geomspace(60, 1e4, 50)[1:]])
    drawn = figure_module.position(grid)
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn[:91], grid[:91])
    below, above = figure_module.position(np.array([60 * (1 - 1e-12), 60 * (1 + 1e-12)]))
    assert abs(above - below) <= 1e-9


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    left, middle, right = figure.axes
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    for ax, norm in ((left, "l1"), (middle, "l2")):
        for line, family in zip(ax.lines[:2], ("m*w", "HAM"), strict=True):
            median = np.median(np.maximum(excess(data, norm).sel(family=family), figure_module.FLOOR), axis=0)
            np.testing.assert_allclose(line.get_ydata(), median, rtol=1e-12)
            np.testing.assert_array_equal(line.get_xdata(), figure_module.position(data["sparsity"].values))
    assert len(left.lines) == 3 and len(middle.lines) == 2
    theory = left.lines[2]
    knee = theory.get_xdata() <= 60  # where positions are ln α itself
    margin = float(data["margin"].median())
    np.testing.assert_allclose(theory.get_ydata()[knee], np.exp(-margin * theory.get_xdata()[knee]), rtol=1e-12)
    for line, family in zip(right.lines[:2], ("m*w", "HAM"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), data["margin"])
        np.testing.assert_array_equal(line.get_ydata(), data["rate"].sel(family=family))
    np.testing.assert_array_equal(right.lines[2].get_xdata(), right.lines[2].get_ydata())
    plt.close(figure)


@pytest.mark.parametrize("jobs", ["0", "-1", "two", ""])
def test_number_of_jobs_is_checked_before_any_work(jobs):
    with pytest.raises(SystemExit, match="--jobs must be a positive number"):
        command_line.main(["full_range", "potentials", "--smoke", f"--jobs={jobs}"])
