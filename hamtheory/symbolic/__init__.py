"""From a SymPy inverse metric to everything that follows from it: as formulas, and as a geometry."""

from ._curve_geometry import CurveGeometry, SeparableGeometry
from ._derive import Derivation, derive
from ._geometry import SymbolicGeometry, geometry
from ._horizon import horizon
from ._ito import ito_drift
from ._limits import Limits
from ._neuron import NeuronInvariant, neuron_invariant
from ._passage import FirstPassage, first_passage
from ._reparametrization import Reparametrization, reparametrization
from ._two_paths import TwoPaths

EUCLIDEAN = "1"
HAM = "1 + alpha*Abs(theta)"
HYPENTROPY = "2*sqrt(theta**2 + gamma**2)"

__all__ = [
    "EUCLIDEAN",
    "HAM",
    "HYPENTROPY",
    "CurveGeometry",
    "Derivation",
    "FirstPassage",
    "Limits",
    "NeuronInvariant",
    "Reparametrization",
    "SeparableGeometry",
    "SymbolicGeometry",
    "TwoPaths",
    "derive",
    "first_passage",
    "geometry",
    "horizon",
    "ito_drift",
    "neuron_invariant",
    "reparametrization",
]
