"""What the figures of Even et al. share: errors against the step size, up to the largest that converges."""

import numpy as np

import hamtheory as ht

from ._descent import descended, errors

RULES = {"GD": None, "SGD": 1}


def problem(n: int, d: int, k: int, mean: float, seed: int) -> ht.LinearRegression:
    """Sparse regression whose data have this mean."""
    centred = ht.sparse_regression(n, d, k, seed=seed)
    X, truth = np.asarray(centred.X) + mean, np.asarray(centred.theta_star)
    return ht.LinearRegression(X, X @ truth, truth)


def sweep(config) -> dict[str, np.ndarray]:
    """Errors, residuals and gains of both rules at all steps, (rule, instance, step), and the errors of the flow."""
    shape = (len(RULES), config.instances, config.count)
    found = {name: np.full(shape, np.nan) for name in ("rate", "unit", "error", "residual", "gain_on", "gain_off")}
    flow, gamma = np.empty(config.instances), config.alpha**2
    for i in range(config.instances):
        one = problem(config.n, config.d, config.k, config.mean, config.seed + i)
        geo = ht.Hypentropy(gamma)
        limit = np.asarray(ht.solve_limit(one, geo).theta)
        flow[i] = errors(one, limit)
        sharpness = np.linalg.eigvalsh((one.X * geo.inverse_metric(limit)) @ one.X.T)[-1] / config.n
        for r, batch in enumerate(RULES.values()):
            # From small ones to beyond twice what is stable near the limit of the flow, of single samples n times less.
            rates = np.geomspace(0.02, 2.0, config.count) * 2 / sharpness / (1 if batch is None else config.single)
            runs = descended(one, gamma, rates, steps=config.steps, batch_size=batch, seed=config.seed + i)
            support = np.asarray(one.theta_star) != 0
            with np.errstate(all="ignore"):  # of runs that diverged; and where m = ±w to the last digit, at least this
                m, w = np.asarray(runs.states.m), np.asarray(runs.states.w)
                least = np.finfo(float).eps * (np.abs(m) + np.abs(w))
                apart, along = np.maximum(np.abs(m - w), least), np.maximum(np.abs(m + w), least)
                gain = np.log(2 * gamma) - np.log(apart) - np.log(along)
            found["rate"][r, i], found["unit"][r, i] = rates, 2 / sharpness
            found["residual"][r, i] = runs.residual
            found["error"][r, i] = errors(one, runs.theta)
            found["gain_on"][r, i] = np.abs(gain[:, support]).mean(axis=1)
            found["gain_off"][r, i] = np.abs(gain[:, ~support]).mean(axis=1)
    return found | {"flow": flow}


def at_largest(numbers, name: str, tol: float) -> np.ndarray:
    """The values at the largest step that converges, (rule, instance)."""
    ends = np.full(numbers[name].shape[:2], np.nan)
    for at in np.ndindex(ends.shape):
        reached = np.flatnonzero(numbers["residual"][at] <= tol)
        if reached.size:
            ends[at] = numbers[name][at][reached[-1]]
    return ends
