"""Figures: draw only. One module a figure, with `draw(dataset) -> Figure` and what its caption says."""

from experiments import NAMES as EXPERIMENTS

# In the order of the index page: one of each experiment, and those of what the benchmarks have measured.
NAMES = (*EXPERIMENTS, "claims", "training_cost", "work_precision", "scaling", "roofline")
_DATA = {"claims": "replication", "training_cost": "sparse_training"}


def dataset_of(name: str) -> str:
    """The experiment whose data a figure draws: the one with its name, if it isn't said otherwise."""
    return _DATA.get(name, name)
