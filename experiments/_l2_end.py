"""How HAM and m⊙w leave the L2 end: what a page quotes that takes a few limits, and no data set."""

from typing import Any

import numpy as np

import hamtheory as ht


def l2_end() -> dict[str, Any]:
    """How many times as far from the least L2 norm HAM's limit is as that of m⊙w with γ = 1/α, in the median."""
    alphas, times = (10.0, 1.0, 0.1), []
    for alpha in alphas:
        ratios = []
        for seed in range(10):
            problem = ht.sparse_regression(40, 100, 5, seed=seed)
            least = ht.min_norm(problem)
            limits = [
                ht.solve_limit(problem, geo, tol=1e-12).theta for geo in (ht.HAM(alpha), ht.Hypentropy(1 / alpha))
            ]
            ham, product = (np.linalg.norm(theta - least) for theta in limits)
            ratios.append(ham / product)
        times.append(np.median(ratios))
    return {"alphas": alphas, "times": times}
