"""Problems: linear regression on given, synthetic and real data."""

from . import datasets
from ._regression import LinearRegression
from ._row_space import RowSpace
from ._synthetic import sparse_regression

__all__ = ["LinearRegression", "RowSpace", "datasets", "sparse_regression"]
