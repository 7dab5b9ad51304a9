"""Benchmarks: what a solver costs, against its peers, in one run on one machine. `make bench` runs them all."""

# Tables.
NAMES = (
    "first_answer",
    "limits",
    "margin",
    "sparse_limit",
    "batches",
    "sweeps",
    "startup",
    "optim",
    "runs",
    "torch_overhead",
)
DATASETS = ("work_precision", "scaling", "roofline")  # data sets with a figure
