"""Sign changes along what was saved."""

import numpy as np
import pytest

import hamtheory as ht


def by_hand(thetas):
    """Entry by entry: the last sign that was not zero."""
    found = np.zeros((len(thetas) - 1, thetas.shape[1]), bool)
    for j in range(thetas.shape[1]):
        last = np.sign(thetas[0, j])
        for i, sign in enumerate(np.sign(thetas[1:, j])):
            found[i, j] = sign * last < 0
            last = sign or last
    return found


def test_against_a_loop():
    thetas = np.random.default_rng(0).integers(-1, 2, size=(40, 30)).astype(float)
    found = np.asarray(ht.signs.flips(thetas))
    np.testing.assert_array_equal(found, by_hand(thetas))
    assert found.any() and (thetas == 0).any()


def test_along_a_flow_and_a_run():
    problem = ht.sparse_regression(6, 10, 2, seed=1)
    theta0 = np.random.default_rng(3).standard_normal(10)
    flow = ht.solve_flow(problem, ht.HAM(5.0), theta0, ts=np.linspace(0.01, 1.0, 50))
    run = ht.run(problem, ht.HAMStep(5.0), theta0, learning_rate=1e-3, steps=1000)
    parity = np.sign(np.asarray(flow.theta)) != np.sign(np.asarray(flow.thetas[0]))
    np.testing.assert_array_equal(np.asarray(ht.signs.flips(flow.thetas)).sum(axis=0) % 2 == 1, parity)
    assert np.asarray(ht.signs.flips(run.thetas)).any()


def test_balanced_factors_never_flip():
    problem = ht.sparse_regression(6, 10, 2, seed=1)
    root = np.sqrt(np.linspace(0.5, 1.0, 10))
    signs = np.where(np.arange(10) % 2, 1.0, -1.0)
    flow = ht.product_flow(problem, root, signs * root, ts=np.geomspace(1e-3, 100.0, 200), throw=False)
    assert not np.asarray(ht.signs.flips(flow.thetas)).any()


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 3, 4)])
@pytest.mark.usefixtures("unchecked")
def test_bad_input(shape):
    with pytest.raises(ValueError, match="thetas must have shape"):
        ht.signs.flips(np.zeros(shape))
