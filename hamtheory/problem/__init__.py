"""Problems: linear regression and binary classification on given, synthetic and real data.

Files that are read end in one of `SUFFIXES`; `TABLES` are those with y in a column, and `TEXT` the tables of text.
"""

from . import datasets
from ._classification import BinaryClassification, Separability
from ._csv import read_csv
from ._files import (
    SUFFIXES,
    TABLES,
    TEXT,
    Table,
    problem_of,
    read_arrays,
    read_npz,
    read_problem,
    read_table,
    suffix_of,
)
from ._prepared import Prepared, prepare
from ._regression import LinearRegression
from ._row_space import RowSpace
from ._synthetic import draw_sparse, gaussian_mixture, sparse_classification, sparse_regression

__all__ = [
    "SUFFIXES",
    "TABLES",
    "TEXT",
    "BinaryClassification",
    "LinearRegression",
    "Prepared",
    "RowSpace",
    "Separability",
    "Table",
    "datasets",
    "draw_sparse",
    "gaussian_mixture",
    "prepare",
    "problem_of",
    "read_arrays",
    "read_csv",
    "read_npz",
    "read_problem",
    "read_table",
    "sparse_classification",
    "sparse_regression",
    "suffix_of",
]
