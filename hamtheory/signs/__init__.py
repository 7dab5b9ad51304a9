"""Signs of the coordinates: when a flow flips them, how often, and whether they end up right."""

from .._flips import Flips
from ._count import CountedState, FlipCounter, FlipState, count_flips, totals
from ._events import FlipEvents, flip_events, flip_times
from ._flips import flips
from ._layers import Balanced
from ._neuron import Neuron, NeuronFlow
from ._passage import first_passage_time
from ._recovery import agreement, recovery_time
from ._teacher import StudentFlow, Teacher, arc_cosine_kernel, can_change_sign

__all__ = [
    "Balanced",
    "CountedState",
    "FlipCounter",
    "FlipEvents",
    "FlipState",
    "Flips",
    "Neuron",
    "NeuronFlow",
    "StudentFlow",
    "Teacher",
    "agreement",
    "arc_cosine_kernel",
    "can_change_sign",
    "count_flips",
    "first_passage_time",
    "flip_events",
    "flip_times",
    "flips",
    "recovery_time",
    "totals",
]
