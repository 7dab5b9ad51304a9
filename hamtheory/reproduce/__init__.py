"""Figures of other people's papers, computed anew: their set-up, their claim, our numbers, and a verdict."""

from ._gallery import gallery
from ._reproduction import Comparison, Reproduction, Verdict, chosen, stated, unstated
from ._run import Reproduced, reproduce

__all__ = [
    "Comparison",
    "Reproduced",
    "Reproduction",
    "Verdict",
    "chosen",
    "gallery",
    "reproduce",
    "stated",
    "unstated",
]
