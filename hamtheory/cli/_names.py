"""What the list of commands says, without importing them."""

from dataclasses import dataclass
from typing import Any, ClassVar

DESCRIPTION = """Which interpolator of X theta = y does an optimizer pick, and why?

examples:
  hamtheory limit fermentation --geometry mw --gamma 1e-6
  hamtheory flow data.csv --alpha 1000 --out flow.zarr
  hamtheory margin digits-3-8 --geometry ham
  hamtheory sweep run smoke --store out/smoke
  hamtheory train --method acdc --sparsity 0.9 --ham
  hamtheory verify
  hamtheory reproduce woodworth-error
  hamtheory doctor
  hamtheory flow --help"""


@dataclass(frozen=True)
class Flow:
    where: ClassVar[str] = "._flow:Flow"
    description: ClassVar[str] = "Integrate a flow, until it has converged or through given times."


@dataclass(frozen=True)
class Limit:
    where: ClassVar[str] = "._limit:Limit"
    description: ClassVar[str] = "Find where a flow ends, without integrating it."


@dataclass(frozen=True)
class Margin:
    where: ClassVar[str] = "._margin:Margin"
    description: ClassVar[str] = "Find the direction in which two classes have the largest margin."


@dataclass(frozen=True)
class Sweep:
    where: ClassVar[str] = "._sweep:SWEEP"
    description: ClassVar[str] = """Compute grids of problems, geometries and starts, and lose nothing.

examples:
  hamtheory sweep run smoke --store out/smoke
  hamtheory sweep status out/smoke
  hamtheory sweep resume out/smoke
  hamtheory sweep run --help"""


@dataclass(frozen=True)
class Train:
    where: ClassVar[str] = "._train:Train"
    description: ClassVar[str] = "Train small networks on real digits, dense or sparse, with and without HAM."


@dataclass(frozen=True)
class Verify:
    where: ClassVar[str] = "._verify:Verify"
    description: ClassVar[str] = "Verify the ledger: prove its theorems again, and check them on random instances."


@dataclass(frozen=True)
class Reproduce:
    where: ClassVar[str] = "._reproduce:Reproduce"
    description: ClassVar[str] = "Reproduce the gallery: published figures of others, computed anew, with verdicts."


@dataclass(frozen=True)
class Doctor:
    where: ClassVar[str] = "._doctor:Doctor"
    description: ClassVar[str] = "Say what is installed, and whether it works: for bug reports."


COMMANDS: dict[str, Any] = {
    "flow": Flow,
    "limit": Limit,
    "margin": Margin,
    "sweep": Sweep,
    "train": Train,
    "verify": Verify,
    "reproduce": Reproduce,
    "doctor": Doctor,
}
