"""Experiments: compute only. One module an experiment, with a frozen `Config` and `run(config) -> xarray.Dataset`."""

# In the order of the figures that they feed.
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
    "ablations",
    "scaling_law",
    "large_steps",
    "effective_bias",
    "label_noise",
)
