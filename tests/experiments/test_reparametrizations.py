"""F40: what factors conserve, the exponents of their potentials, and two paths to one θ of those that are refused."""

import numpy as np
import pytest
import sympy

from experiments import reparametrizations
from figures import reparametrizations as figure_module

pytestmark = pytest.mark.slow  # level sets of many factors, by SymPy

DEGREES = {"m*w": 2, "u**2 - v**2": 2, "u*v*w": 3, "u**3*w": 4, "u**3 - v**3": 3, "u**2*v - v**3/3": 3}


@pytest.fixture(scope="module")
def data():
    return reparametrizations.run(reparametrizations.Config.smoke())


def test_every_metric_is_positive(data):
    assert (data["status"] == 0).all()


@pytest.mark.claim("reparametrizations.alone")
def test_single_outputs_are_mirror_flows_of_the_metric_along_their_gradient(data):
    """g⁻¹ by the table, and |∇G|² where θ is reached along dw/dτ = ∇G by SciPy."""
    import scipy.integrate

    alone = np.array(["," not in name for name in data["case"].values.tolist()])
    assert data["verdict"].values[alone].all() and alone.sum() == 8
    for row, (outputs, start, _) in enumerate(reparametrizations.CASES):
        if not start:
            continue
        names = sorted(sympy.sympify(outputs[0]).free_symbols, key=lambda s: outputs[0].index(str(s)))
        G = sympy.sympify(outputs[0])
        slope = sympy.lambdify(names, [sympy.diff(G, w) for w in names], "numpy")
        value = sympy.lambdify(names, G, "numpy")
        theta = float(data["theta"][4])
        reached = lambda _, w, value=value, theta=theta: value(*w) - theta  # noqa: E731
        reached.terminal = True
        drive = lambda _, w, slope=slope: np.array(slope(*w), float)  # noqa: E731
        found = scipy.integrate.solve_ivp(drive, (0, 1e3), start, events=reached, rtol=1e-11, atol=1e-13)
        metric = np.sum(np.square(slope(*found.y_events[0][0])))
        np.testing.assert_allclose(data["inverse_metric"][row, 4], metric, rtol=1e-7)


@pytest.mark.claim("reparametrizations.degree")
def test_the_exponents_are_two_over_the_degree(data):
    for name, degree in DEGREES.items():
        one = data.sel(case=name)
        np.testing.assert_allclose([one["at_zero"], one["at_infinity"]], 2 / degree, atol=1e-6)


@pytest.mark.claim("reparametrizations.bounded")
def test_the_mirror_map_is_bounded_from_degree_three_on(data):
    for name, degree in DEGREES.items():
        assert np.isfinite(data["bound"].sel(case=name)) == (degree > 2)
    # 1/(L(L − 2)a^(L−2)) of u³ − v³; ∫₀^∞ ds/(s² + 1) of uvw from (1, 1, 0), on which u² = v² = w² + 1
    np.testing.assert_allclose(data["bound"].sel(case="u**3 - v**3"), 1 / (3 * 0.6), rtol=1e-12)
    np.testing.assert_allclose(data["bound"].sel(case="u*v*w"), np.pi / 2, rtol=1e-12)


@pytest.mark.claim("reparametrizations.paths")
def test_two_orders_end_at_one_theta(data):
    refused = data["verdict"] == 0
    assert refused.sum() == 3
    assert (data["distance"].values[refused] < 1e-9).all() and (data["driven"].values[refused] > 0.1).all()
    ends = data["paths"].isel(step=-1)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-7)


@pytest.mark.claim("reparametrizations.velocity")
def test_whether_theta_has_one_velocity(data):
    speeds = data["speeds"]
    assert speeds.sel(case="g**2*u, g**2*v") < 1e-9 < 1e-2 < speeds.sel(case="x*y*z, x**2 - y**2")


def test_figure(data):
    figure = figure_module.draw(data)
    lines = figure.axes[1].get_lines()
    np.testing.assert_allclose(lines[0].get_ydata(), data["inverse_metric"][0])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "(c² + 9θ²)$^{2/3}$" in texts and "u²v − v³/3" in texts and texts.count("yes") == 9
