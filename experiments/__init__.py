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
    "crossing",
    "passage",
    "flips_over_time",
    "duel",
    "neuron",
    "recovered_signs",
    "large_steps",
    "effective_bias",
    "label_noise",
    "training_flips",
    "alpha_beta",
    "prunability",
)
# Those that have a smaller version for `make figures`, `Config.quick()`; of the others that is all of them.
QUICK: tuple[str, ...] = ()
# Those that take hours: computed by name alone, and kept in the repository.
LONG = ("sparse_training",)
