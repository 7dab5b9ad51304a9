"""What high dimension predicts: the limits of Gaussian data by two equations for two numbers, for any geometry.

And gradient descent's flow at any time.
"""

from ._gradient_flow import FlowPrediction, predict_gradient_flow
from ._predict import Prediction, predict
from ._search import Best, best_parameter, transition

__all__ = [
    "Best",
    "FlowPrediction",
    "Prediction",
    "best_parameter",
    "predict",
    "predict_gradient_flow",
    "transition",
]
