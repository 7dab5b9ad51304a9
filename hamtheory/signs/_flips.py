"""Sign changes along a trajectory, as it was saved."""

from typing import Any

from jaxtyping import Bool

from .._array import Array, namespace
from .._flips import Flips
from .._types import Matrix


def flips(thetas: Matrix) -> Bool[Array, "gaps d"]:
    """Where the sign of an entry has changed from one saved time to the next.

    A zero has no sign of its own: the entry keeps the last one that it had. So +, 0, − is one flip, at the last step,
    +, 0, + none, and leaving a start at zero none.

    What happens between two saved times is not seen.

    Args:
        thetas: (times, d), such as those of a flow or a run.

    Returns:
        Of shape (times − 1, d), true where it flips; the sum over the first axis counts the flips of each entry.

    Raises:
        ValueError: For fewer than two times or another number of axes.

    References:
        [jacobs2026ham].

    ```python
    >>> import hamtheory as ht
    >>> ht.signs.flips([[-1.0, 0.0], [0.0, 0.5], [2.0, -1.0]]).tolist()
    [[False, False], [True, True]]

    ```
    """
    xp = namespace(thetas)
    thetas = xp.asarray(thetas)
    if thetas.ndim != 2 or thetas.shape[0] < 2:
        raise ValueError(f"thetas must have shape (times, d) with at least two times; got {thetas.shape}")
    signs = xp.sign(thetas)
    # Where a sign was last seen: the place of every one that is not 0, and before that, the first.
    places = xp.where(signs != 0, xp.arange(len(signs))[:, None], 0)
    latest = xp.maximum.accumulate(places, axis=0)
    kept = xp.take_along_axis(signs, latest, axis=0)
    return kept[1:] * kept[:-1] < 0


def totals(flips: Any) -> dict[str, int]:
    """The numbers of entries and of flips, over a pytree of `Flips`.

    Args:
        flips: One `Flips`, or a pytree of them, such as that of `count_flips`.

    Returns:
        A dictionary of `entries`; `gross`, all flips; `net`, entries with another sign than at first; `flipped_back`,
        those that have flipped and have their first sign again; `never`, those that never have. The last three make the
        first.

    Raises:
        TypeError: If there is no `Flips` in `flips`.

    ```python
    >>> import hamtheory as ht
    >>> flow = ht.solve_flow(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM(alpha=50.0), [0.1, -0.3])
    >>> ht.signs.totals(ht.signs.flip_events(flow))
    {'entries': 2, 'gross': 1, 'net': 1, 'flipped_back': 0, 'never': 1}

    ```
    """
    leaves = [flips] if isinstance(flips, Flips) else _found_in(flips)
    if not leaves:
        raise TypeError(f"flips must be a Flips or a pytree of them; got {type(flips).__name__}")
    parts = {
        "entries": lambda leaf: leaf.gross.size,
        "gross": lambda leaf: leaf.gross.sum(),
        "net": lambda leaf: leaf.net.sum(),
        "flipped_back": lambda leaf: leaf.flipped_back.sum(),
        "never": lambda leaf: leaf.never.sum(),
    }
    return {name: int(sum(int(part(leaf)) for leaf in leaves)) for name, part in parts.items()}


def _found_in(tree: Any) -> list[Flips]:
    import jax

    is_flips = lambda x: isinstance(x, Flips)  # noqa: E731
    return [leaf for leaf in jax.tree.leaves(tree, is_leaf=is_flips) if is_flips(leaf)]
