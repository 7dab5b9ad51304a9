"""The gallery: every reproduction, found by its file."""

import importlib
import pkgutil

from . import papers
from ._reproduction import Reproduction


def gallery() -> dict[str, Reproduction]:
    """All reproductions by their names, in alphabetical order.

    Returns:
        The reproductions; each has its `source`.

    Raises:
        ValueError: For two of one name.

    ```python
    >>> import hamtheory as ht
    >>> ht.reproduce.gallery()["woodworth-depth"].place
    'Figure 3b; Theorem 3'

    ```
    """
    found: dict[str, Reproduction] = {}
    for module in pkgutil.iter_modules(papers.__path__):
        if module.name.startswith("_"):
            continue
        one = importlib.import_module(f"{papers.__name__}.{module.name}").REPRODUCTION
        if one.name in found:
            raise ValueError(f"two reproductions have the name {one.name}")
        found[one.name] = one
    return dict(sorted(found.items()))


def chosen_ones(names: tuple[str, ...]) -> list[Reproduction]:
    """The reproductions with these names, or of these sources; all of them for none.

    Raises:
        ValueError: For a name that there is not.
    """
    everything, found = gallery(), {}
    for wanted in names:
        some = {name: one for name, one in everything.items() if wanted in (name, one.source)}
        if not some:
            raise ValueError(
                f"names must be of the gallery: there is no {wanted!r}; there are: {', '.join(everything)}"
            )
        found |= some
    return list((found if names else everything).values())
