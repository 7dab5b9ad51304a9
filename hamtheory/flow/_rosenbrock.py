"""The linearly implicit method Rodas5P: of order 5, L-stable, eight systems with one matrix a step, and no iteration.

`(I − γhJ) k_i = γh f(y + Σ a_ij k_j) + γ Σ c_ij k_j`, and then `y + Σ a_8j k_j + k_8`, of which k_8 is the error. J has
to be the exact Jacobian.

References:
    [steinebach2023construction].
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

GAMMA = 0.21193756319429014
ORDER = 5  # of what the error is in the step


def _table(*rows: tuple[float, ...]) -> np.ndarray:
    """A lower triangle."""
    return np.array([np.pad(row, (0, 8 - len(row))) for row in rows])


_LAST = (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946)
_STAGES = _table(
    (),
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    _LAST,
    (*_LAST, 1.0),
    (*_LAST, 1.0, 1.0),
)
_COUPLING = _table(
    (),
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
    (
        30.91273214028599,
        -3.1208243349937974,
        77.79954646070892,
        34.28646028294783,
        -19.097331116725623,
        -28.087943162872662,
    ),
    (
        37.80277123390563,
        -3.2571969029072276,
        112.26918849496327,
        66.9347231244047,
        -40.06618937091002,
        -54.66780262877968,
        -9.48861652309627,
    ),
)


def step(velocity: Callable[[Any], Any], solve: Callable[[Any], Any], h: Any, state: Any) -> tuple[Any, Any]:
    """The state after a step h of an autonomous equation, and its error; states are pytrees.

    Args:
        velocity: f.
        solve: `(I − GAMMA h J)⁻¹`, of the Jacobian at `state`.
        h: The step.
        state: y.

    Returns:
        y + ..., and the error.
    """
    # Unrolled, the stages would take eight times as long to compile.
    plus = lambda base, weights, ks: jax.tree.map(lambda x, k: x + jnp.tensordot(weights, k, 1), base, ks)  # noqa: E731

    def stage(i, ks):
        a, c = (jnp.asarray(table, h.dtype)[i] for table in (_STAGES, GAMMA * _COUPLING))
        forces = jax.tree.map(lambda f: GAMMA * h * f, velocity(plus(state, a, ks)))
        return jax.tree.map(lambda old, k: old.at[i].set(k), ks, solve(plus(forces, c, ks)))

    ks = jax.tree.map(lambda x: jnp.zeros((8, *x.shape), x.dtype), state)
    ks = jax.lax.fori_loop(0, 8, stage, ks)
    end = jnp.asarray(_STAGES[-1] + np.eye(8)[-1], h.dtype)
    return plus(state, end, ks), jax.tree.map(lambda k: k[-1], ks)
