"""Figures: draw only. One module a figure, with `draw(dataset) -> Figure` and what its caption says."""

# In the order of the index page. The module of the same name in experiments, or in its benchmarks, makes the data.
NAMES = (
    "inverse_metrics",
    "potentials",
    "plane",
    "interpolation",
    "recovery",
    "convergence",
    "coordinates",
    "full_range",
    "monotonicity",
    "matched_bias",
    "ridge_to_lasso",
    "samples",
    "orders",
    "stability",
    "discrete_bias",
    "noise",
    "effective_bias",
    "label_noise",
    "large_steps",
    "ablations",
    "scaling_law",
    "work_precision",
    "scaling",
)
