"""The ledger of theorems: what the papers state, with derivations, checks that can fail, and figures that show it."""

from ._ledger import ledger
from ._theorem import Step, Theorem, is_zero
from ._verify import Verdict, verify

__all__ = ["Step", "Theorem", "Verdict", "is_zero", "ledger", "verify"]
