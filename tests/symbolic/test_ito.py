"""The drift that noise gives to an algorithm, derived."""

import pytest
import sympy

from hamtheory.symbolic import EUCLIDEAN, HAM, HYPENTROPY, ito_drift

ALPHA, THETA, GAMMA = sympy.symbols("alpha theta gamma", positive=True)
CASES = {
    "gradient descent": (EUCLIDEAN, "theta - eta*g", 0),
    "hyp": (HAM, "(theta - eta*g)*exp(-eta*alpha*g)", ALPHA / (1 + ALPHA * THETA)),
    "natural": (HAM, None, -ALPHA),
    "mirror descent": (HAM, "((1 + alpha*theta)*exp(-eta*alpha*g) - 1)/alpha", 0),
    "the other order": (HAM, "theta*exp(-eta*alpha*g) - eta*g", -ALPHA / (1 + ALPHA * THETA)),
    "natural mw": (HYPENTROPY, None, -2 * THETA / sympy.sqrt(THETA**2 + GAMMA**2)),
    "exponentiated": ("2*abs(theta)", "theta*exp(-2*eta*g)", 0),
    "balanced factors": ("2*abs(theta)", "theta*(1 - eta*g)**2", -1),
}


@pytest.mark.parametrize("case", CASES)
def test_drift(case):
    metric, step, expected = CASES[case]
    assert sympy.simplify(ito_drift(metric, step) - expected) == 0


@pytest.mark.parametrize(
    "step, words",
    [("theta - 2*eta*g", "step must be theta - eta"), ("theta + 1", "step must be"), ("theta - eta*f(g)", "step")],
)
def test_steps_of_another_flow_are_refused(step, words):
    with pytest.raises(ValueError, match=words):
        ito_drift(HAM, step)
