"""Signs of the coordinates: when a flow flips them."""

from ._flips import flips
from ._passage import first_passage_time

__all__ = ["first_passage_time", "flips"]
