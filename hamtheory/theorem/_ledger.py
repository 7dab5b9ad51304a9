"""The ledger: every entry, in the order in which one would read them."""

import importlib
from collections.abc import Sequence

from ._theorem import Theorem

# Modules of this package, each with one THEOREM.
MODULES = (
    "geometry_ham",
    "geometry_gd",
    "geometry_mw",
    "geometry_imbalance",
    "geometry_network",
    "geometry_fenchel",
    "geometry_bregman",
    "geometry_legendre",
    "geometry_contracting",
    "geometry_ham_l2",
    "geometry_ham_l1",
    "geometry_mw_l2",
    "geometry_mw_l1",
    "geometry_l2_path",
    "geometry_monotone_values",
    "geometry_norms",
    "geometry_sandwich",
    "flow_bregman_projection",
    "flow_dual_coordinates",
    "flow_duality_gap",
    "flow_gd_rate",
    "ham_convergence",
    "ham_comparison",
    "mw_rate",
    "flow_asymptotic_rate",
    "flow_exponential_l1",
    "ham_stationarity",
    "mw_lasso",
    "mw_closed_form",
    "mw_gamma",
    "mw_balanced",
    "pilot_time_dependent",
    "mirror2_time_dependent",
    "signs_passage",
    "ham_exponentiated",
    "ham_flow",
    "ham_hyp_star",
    "ham_natural_gradient",
    "ham_stability",
    "ham_ito_drift",
    "ham_neuron",
    "signin_neuron",
    "wu_exponentiated",
    "ghai_hypentropy",
    "woodworth_theorem_1",
    "woodworth_depth",
    "pesme_effective_gamma",
    "even_large_steps",
    "li_commuting",
    "li_not_commuting",
    "discrete_drift",
)


def ledger() -> dict[str, Theorem]:
    """All entries by their ids, in reading order.

    Errors: `ValueError` if two entries have the same id.
    Source: own; each entry has its `source`.

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
