"""One hidden neuron or layer, each of its layers with a geometry of its own: what it learns, and from which signs."""

from ._layers import Balanced as Balanced
from ._neuron import Neuron as Neuron, NeuronFlow as NeuronFlow
from ._teacher import (
    StudentFlow as StudentFlow,
    Teacher as Teacher,
    arc_cosine_kernel as arc_cosine_kernel,
    can_change_sign as can_change_sign,
)
