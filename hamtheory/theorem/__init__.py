"""The ledger of theorems: what the papers state, with derivations, and checks that can fail."""

from ._ledger import ledger
from ._theorem import Step, Theorem, is_refuted, is_zero
from ._verify import Verdict, verdicts, verify

__all__ = ["Step", "Theorem", "Verdict", "is_refuted", "is_zero", "ledger", "verdicts", "verify"]
