"""What high dimension predicts: the limits of Gaussian data by two equations for two numbers, for any geometry."""

from ._predict import Prediction, predict
from ._search import Best, best_parameter, transition

__all__ = ["Best", "Prediction", "best_parameter", "predict", "transition"]
