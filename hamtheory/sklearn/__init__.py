"""Estimators for scikit-learn: the limits of flows as regressors, their largest margins as classifiers.

NumPy and SciPy do the work, in float64. scikit-learn itself looks at X and y, and says what is wrong with them; all
of them refuse sparse matrices.
"""

try:
    import sklearn as _sklearn
except ImportError as error:
    raise ImportError("hamtheory.sklearn needs scikit-learn: pip install 'hamtheory[sklearn]'") from error

from ._classifier import ImplicitBiasClassifier
from ._regressor import ImplicitBiasRegressor
from ._search import ImplicitBiasRegressorCV

__all__ = ["ImplicitBiasClassifier", "ImplicitBiasRegressor", "ImplicitBiasRegressorCV"]
