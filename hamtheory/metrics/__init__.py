"""What is measured of a parameter vector: residuals, certificates, norms. Defined here and nowhere else."""

from ._certificate import Certificate, certified, certified_rows, certify, nearest_coordinates
from ._classes import accuracy, margin
from ._measures import (
    asymptotic_rate,
    distance,
    entries_carrying,
    gradient_second_moments,
    invariant_drift,
    relative_distance_to_least_squares,
    relative_excess,
    relative_residual,
    relative_stationarity,
    stable_learning_rate,
)

__all__ = [
    "Certificate",
    "accuracy",
    "asymptotic_rate",
    "certified",
    "certified_rows",
    "certify",
    "distance",
    "entries_carrying",
    "gradient_second_moments",
    "invariant_drift",
    "margin",
    "nearest_coordinates",
    "relative_distance_to_least_squares",
    "relative_excess",
    "relative_residual",
    "relative_stationarity",
    "stable_learning_rate",
]
