"""Figures: draw only. One module a figure, with `draw(dataset) -> Figure` and what its caption says."""

from experiments import NAMES as EXPERIMENTS

# In the order of the index page: one of each experiment, and those of what the benchmarks have measured.
NAMES = (*EXPERIMENTS, "work_precision", "scaling")
