"""Sweeps: grids of problems, geometries and starts, in chunks, by an executor, into a store that loses nothing.

spec ──► lanes ──► chunks ──► executor ──► store ──► data set
"""

from ._blocks import DataSet, File, Geometries, Normal, Sparse, WrongSigns, Zeros
from ._discrete import Run
from ._duel import Duel
from ._executors import DaskExecutor, Executor, ProcessExecutor, SerialExecutor
from ._export import export
from ._grid import Grid, Seeds
from ._quantities import Flow, Limit, Path
from ._quantity import LaneBatch, Quantity, Variable, register
from ._report import report
from ._run import open_store, sweep
from ._spec import SweepSpec
from ._store import Damage, Store
from ._summary import summary
from ._training import Arm, TrainingSpec
