"""Problems: linear regression and binary classification on given, synthetic and real data."""

from . import datasets
from ._classification import BinaryClassification, Separability
from ._csv import read_csv
from ._files import read_arrays, read_npz
from ._prepared import Prepared, prepare
from ._regression import LinearRegression
from ._row_space import RowSpace
from ._synthetic import draw_sparse, gaussian_mixture, sparse_classification, sparse_regression

__all__ = [
    "BinaryClassification",
    "LinearRegression",
    "Prepared",
    "RowSpace",
    "Separability",
    "datasets",
    "draw_sparse",
    "gaussian_mixture",
    "prepare",
    "read_arrays",
    "read_csv",
    "read_npz",
    "sparse_classification",
    "sparse_regression",
]
