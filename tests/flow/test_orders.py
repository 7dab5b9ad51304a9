"""Every integrator on offer converges at its order, in every coordinate system."""

import numpy as np
import pytest

import hamtheory as ht
from hamtheory.flow import SOLVERS
from tests.slow import others_slow

PROBLEM = ht.sparse_regression(6, 10, 2, seed=1)
START = np.linspace(1.0, 2.0, 10)  # away from zero, where HAM's metric has a kink
END = [0.1]  # before any coordinate gets there
STEPS = {"euler": 512, "heun": 64, "tsit5": 16, "dopri8": 2, "kvaerno3": 64, "kvaerno5": 8, "rkc": 64}


# The leading error term of Tsit5 is so small that the next one still shows at steps far above rounding.
SLACK = (-0.3, 0.8)


def slope(solver, trajectory):
    """The order that is observed when the step is halved twice, from the differences to a tight reference.

    That one, of order 8 and 40 steps, is exact to rounding; it compiles together with the runs of its own solver.
    """
    exact = trajectory(solver="dopri8", dt=END[0] / 40, rtol=1e-12, atol=1e-12)
    counts = STEPS[solver] * np.array([1, 2, 4])
    errors = [
        float(np.abs(trajectory(solver=solver, dt=END[0] / c, rtol=1e-12, atol=1e-12) - exact).max()) for c in counts
    ]
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0]


@pytest.mark.parametrize("solver", others_slow(SOLVERS, "tsit5", "dopri8", "kvaerno3", "rkc"))
@pytest.mark.parametrize("coordinates", [pytest.param("primal", marks=pytest.mark.slow), "dual"])
@pytest.mark.parametrize("geo", [
    pytest.param(ht.HAM(5.0), id="ham"), pytest.param(ht.Hypentropy(0.5), id="hypentropy", marks=pytest.mark.slow)
])  # fmt: skip
def test_order_of_flow(solver, coordinates, geo):
    observed = slope(
        solver, lambda **how: ht.solve_flow(PROBLEM, geo, START, ts=END, coordinates=coordinates, **how).theta
    )
    assert SLACK[0] < observed - SOLVERS[solver].order(None) < SLACK[1]


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
def test_order_of_product_flow(solver):
    observed = slope(
        solver, lambda **how: ht.product_flow(PROBLEM, 1.5 * START, START / 2, ts=END, weight_decay=0.1, **how).theta
    )
    assert SLACK[0] < observed - SOLVERS[solver].order(None) < SLACK[1]
