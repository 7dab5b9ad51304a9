"""Sweeps: grids of problems, geometries and starts, in chunks, by an executor, into a store that loses nothing.

spec ──► instances ──► chunks ──► executor ──► store ──► data set
"""

from .._grid import Grid
from ._batch import Batch, Ends
from ._classes import ClassificationFlows, Margin
from ._declaration import Declaration, Variable
from ._discrete import Run
from ._executors import DaskExecutor, Executor, SerialExecutor
from ._export import export, summary
from ._geometries import Geometries
from ._predictions import Ensembles, Prediction
from ._problems import DataSet, Ensemble, File, Mixture, Sparse, SparseClassification
from ._progress import report
from ._quantities import FLIPS, MEASURED, Flow, Limit, Path, flips_of, measured_of
from ._quantity import Quantity, register
from ._run import open_store, sweep
from ._spec import SweepSpec, spec_of
from ._starts import Normal, WrongSigns, Zeros
from ._store import Damage, Store

__all__ = [
    "FLIPS",
    "MEASURED",
    "Batch",
    "ClassificationFlows",
    "Damage",
    "DaskExecutor",
    "DataSet",
    "Declaration",
    "Ends",
    "Ensemble",
    "Ensembles",
    "Executor",
    "File",
    "Flow",
    "Geometries",
    "Grid",
    "Limit",
    "Margin",
    "Mixture",
    "Normal",
    "Path",
    "Prediction",
    "Quantity",
    "Run",
    "SerialExecutor",
    "Sparse",
    "SparseClassification",
    "Store",
    "SweepSpec",
    "Variable",
    "WrongSigns",
    "Zeros",
    "export",
    "flips_of",
    "measured_of",
    "open_store",
    "register",
    "report",
    "spec_of",
    "summary",
    "sweep",
]
