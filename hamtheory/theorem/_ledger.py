"""The ledger: every entry, in the order in which one would read them."""

import importlib
from collections.abc import Sequence

from ._theorem import Theorem

# Modules of this package, each with one THEOREM.
MODULES = ("geometry_ham",)


def ledger() -> dict[str, Theorem]:
    """All entries by their ids, in reading order.

    ```python
    >>> import hamtheory as ht
    >>> ht.theorem.ledger()["geometry.ham"].title
    "HAM's potential, from its inverse metric"

    ```
    """
    found: dict[str, Theorem] = {}
    for name in MODULES:
        theorem = importlib.import_module(f".{name}", __package__).THEOREM
        if theorem.id in found:
            raise ValueError(f"two entries of the ledger have the id {theorem.id}")
        found[theorem.id] = theorem
    return found


def chosen(ids: Sequence[str] | None) -> list[Theorem]:
    """The entries with these ids, or of these topics; all of them for None.

    Errors: `ValueError` for an id that there is not.
    """
    everything = ledger()
    if not ids:
        return list(everything.values())
    found: dict[str, Theorem] = {}
    for wanted in ids:
        some = {key: t for key, t in everything.items() if wanted in (key, t.topic)}
        if not some:
            known = ", ".join(dict.fromkeys(t.topic for t in everything.values()))
            raise ValueError(f"ids must be of the ledger: there is no {wanted!r}; topics: {known}")
        found |= some
    return list(found.values())
