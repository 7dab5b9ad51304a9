"""Problems, shared by the experiments."""

import hamtheory as ht


def labelled_problems(n: int, d: int, k: int, count: int, seed: int) -> dict[str, ht.LinearRegression]:
    """`count` sparse regressions, of seeds `seed`, `seed + 1`, …, by their label."""
    return {f"synthetic {seed + i}": ht.sparse_regression(n, d, k, seed=seed + i) for i in range(count)}
