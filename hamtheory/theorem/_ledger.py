"""The ledger: every entry, in the order in which one would read them."""

import importlib
from collections.abc import Sequence

from ._theorem import Theorem

# Modules of this package, by topic, each with one THEOREM.
MODULES = (
    "geometry.ham",
    "geometry.gd",
    "geometry.mw",
    "geometry.imbalance",
    "geometry.network",
    "geometry.fenchel",
    "geometry.bregman",
    "geometry.legendre",
    "geometry.contracting",
    "geometry.ham_l2",
    "geometry.ham_l1",
    "geometry.mw_l2",
    "geometry.mw_l1",
    "geometry.l2_path",
    "geometry.monotone_values",
    "geometry.homogeneity",
    "geometry.norms",
    "geometry.sandwich",
    "flow.bregman_projection",
    "flow.dual_coordinates",
    "flow.duality_gap",
    "flow.basic_solutions",
    "flow.gd_rate",
    "ham.convergence",
    "ham.comparison",
    "mw.rate",
    "flow.asymptotic_rate",
    "flow.exponential_l1",
    "flow.exponential_rate",
    "flow.l1_end_from_start",
    "ham.stationarity",
    "ham.decay_rate",
    "ham.moving_alpha",
    "ham.decay_drift",
    "mw.lasso",
    "mw.closed_form",
    "mw.gamma",
    "mw.grokking",
    "mw.balanced",
    "pilot.time_dependent",
    "mirror2.time_dependent",
    "signs.passage",
    "ham.exponentiated",
    "ham.flow",
    "ham.hyp_star",
    "ham.crossings",
    "ham.hyperbolic_step",
    "ham.natural_gradient",
    "ham.stability",
    "ham.ito_drift",
    "ham.transience",
    "ham.neuron",
    "signin.neuron",
    "wu.exponentiated",
    "ghai.hypentropy",
    "woodworth.theorem_1",
    "woodworth.theorem_2",
    "woodworth.depth",
    "pesme.effective_gamma",
    "base.half_steps",
    "base.unit",
    "base.invariants",
    "base.noise",
    "base.cycle",
    "base.stability",
    "even.large_steps",
    "even.gain",
    "li.commuting",
    "li.not_commuting",
    "li.necessity",
    "discrete.drift",
    "vaskevicius.early_stopping",
    "yin.exact",
    "yin.stability",
    "ali.early_stopping",
    "never.conservation",
    "never.metric",
    "never.exponent",
    "never.decay",
    "margin.horizon",
    "margin.gd",
    "margin.rate",
    "margin.one_sample",
    "margin.l1",
    "random.cover",
    "random.state_evolution",
)


def ledger() -> dict[str, Theorem]:
    """All entries by their ids, in reading order.

    Returns:
        The entries; each has its `source`.

    Raises:
        ValueError: If two entries have the same id.

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

    Args:
        ids: Of entries, or topics; None: all.

    Returns:
        The entries, in the order of `ids`.

    Raises:
        ValueError: For an id that there is not.
    """
    everything = ledger()
    if not ids:
        return list(everything.values())
    found: dict[str, Theorem] = {}
    for wanted in ids:
        some = {key: t for key, t in everything.items() if wanted in (key, t.topic)}
        if not some:
            known = ", ".join(dict.fromkeys(t.topic for t in everything.values()))
            near = [key for key in everything if key.endswith(f".{wanted}")]
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"ids must be of the ledger: there is no {wanted!r}{hint}; topics: {known}")
        found |= some
    return list(found.values())
