"""Ensembles of problems, none of which is drawn, and the quantity of them: what high dimension predicts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from .._array import mapped
from .._grid import grid, number
from .._validate import count
from ..asymptotics import predict
from ._batch import Batch
from ._block import settle
from ._declaration import Variable
from ._geometries import Geometries
from ._problems import KINDS, Arrays, Ensemble, Problems
from ._quantities import decay, decays_to_a_known_penalty, tolerance_of
from ._quantity import Quantity, register
from ._starts import Zeros

_FAR = 1e100  # of sizes and noise: their squares are numbers


@dataclass(frozen=True)
class Ensembles(Problems):
    """Gaussian X with n = δd rows, a share of the entries of θ* of one size and the others 0, noise √n σ, as d → ∞.

    All combinations of the four grids, δ counting fastest and `size` slowest. Nothing is drawn: it is for the quantity
    "prediction".

    Attributes:
        delta: δ = n/d: a number, a list or a grid.
        share: Of the entries that are not 0, in (0, 1].
        sigma: σ ≥ 0.
        size: Of these entries, positive.

    Raises:
        ValueError: For numbers out of range.
        TypeError: For what is no number.

    References:
        As of `ht.asymptotics.predict`.

    ```python
    >>> import hamtheory as ht
    >>> block = ht.sweeps.Ensembles(delta={"start": 0.1, "stop": 0.9, "count": 9}, share=[0.05, 0.1], sigma=0.1)
    >>> len(block), block.label
    (18, 'ensemble-9-2-1-1')

    ```
    """

    kind: ClassVar[str] = "ensemble"
    drawn: ClassVar[bool] = False
    delta: Any
    share: Any
    sigma: Any = 0.0
    size: Any = 1.0

    def __post_init__(self):
        settle(self, **{name: grid(getattr(self, name), name) for name in ("delta", "share", "sigma", "size")})
        ranges = {"delta": (0, np.inf), "share": (0, 1), "sigma": (-1, _FAR), "size": (1 / _FAR, _FAR)}
        for name, (low, high) in ranges.items():
            values = np.asarray(getattr(self, name))
            wrong = (values <= low) | (values > high) if name != "sigma" else (values < 0) | (values > high)
            if wrong.any():
                wanted = "at least 0" if name == "sigma" else f"above {low:g}"
                raise ValueError(f"{name} must be {wanted} and at most {high:g}; got {values[wrong][0]:g}")

    def __len__(self) -> int:
        return math.prod(self._lengths)

    @property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(len(getattr(self, name)) for name in ("size", "share", "sigma", "delta"))

    @property
    def label(self) -> str:
        size, share, sigma, delta = self._lengths
        return f"{self.kind}-{delta}-{share}-{sigma}-{size}"

    @property
    def shape(self) -> tuple[int, int]:
        return 0, 0

    def seed_of(self, index: np.ndarray) -> np.ndarray:
        return np.full(np.shape(index), -1, np.int64)

    def arrays(self, place: int) -> Arrays:
        raise ValueError(f"{self.label!r} is an ensemble, of which nothing is drawn")

    def ensemble(self, place: int) -> Ensemble:
        size, share, sigma, delta = np.unravel_index(place, self._lengths)
        at = lambda name, i: float(np.asarray(getattr(self, name))[i])  # noqa: E731
        return Ensemble(at("delta", delta), at("sigma", sigma), at("share", share), at("size", size))


KINDS[Ensembles.kind] = Ensembles


@register
@dataclass(frozen=True)
class Prediction(Quantity):
    """What high dimension predicts, `ht.asymptotics.predict`: of "ensemble", or of "sparse" by n/d, k/d and noise/√n.

    No problem is drawn. A seed makes no difference.

    Attributes:
        tol: As in `ht.asymptotics.predict`; left out: 1e-8, in float32 1e-5.
        max_steps: As in `ht.asymptotics.predict`.
        weight_decay: As in `ht.asymptotics.predict`.

    References:
        As of `ht.asymptotics.predict`.

    ```python
    >>> import hamtheory as ht
    >>> grid = {"start": 0.05, "stop": 0.95, "count": 100}
    >>> problems = {"kind": "ensemble", "delta": grid, "share": grid, "sigma": [0.0, 0.1]}
    >>> geometries = {"family": "ham", "log_alpha": {"start": -5.0, "stop": 30.0, "count": 50}}
    >>> ht.SweepSpec(problems, geometries, quantity="prediction").instances
    1000000

    ```
    """

    name: ClassVar[str] = "prediction"
    ensembles: ClassVar[bool] = True
    few: ClassVar[int] = 1 << 62  # there is but the host
    tol: float | None = None
    max_steps: int = 200
    weight_decay: float = 0.0

    def settled(self, dtype: str) -> "Prediction":
        tol = tolerance_of(self.tol, "tol", dtype, 1e-8, 1e-5, reach=64)
        return replace(self, tol=tol, max_steps=count(self.max_steps, "max_steps"), weight_decay=decay(self))

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:
        decays_to_a_known_penalty(self.weight_decay, geometries)
        if any(not isinstance(block, Zeros) for block in starts):
            raise ValueError("starts must be left out: predictions of sweeps are of limits from zero")

    def check_problems(self, problems: Sequence[Any]) -> None:
        for block in problems:
            one = block.ensemble(0)
            if one is None:
                raise ValueError(
                    f"problems must be of an ensemble, 'sparse' or 'ensemble', for a prediction; got {block.label!r}"
                )
            if one.share == 0:
                raise ValueError(f"k must be at least 1 for a prediction; got {block.label!r}")
            most = float(np.max(np.asarray(block.delta))) if isinstance(block, Ensembles) else one.delta
            if most >= 1 and not self.weight_decay:
                raise ValueError(
                    "delta = n/d must be below 1 without weight_decay: from 1 on the limit is that of least squares; "
                    f"got {most:g}, of {block.label!r}"
                )

    def variables(self) -> dict[str, Variable]:
        return {
            "delta": Variable("rows over columns", dtype="float64"),
            "share": Variable("share of the entries of theta_star that are not 0", dtype="float64"),
            "sigma": Variable("standard deviation of the noise over the root of the rows", dtype="float64"),
            "size": Variable("size of these entries", dtype="float64"),
            "mse": Variable("mean square error of a coordinate"),
            "tau": Variable("standard deviation of what the proximal map acts on"),
            "kappa": Variable("its strength"),
            "l1": Variable("mean absolute value of a coordinate"),
            "l2": Variable("root mean square of a coordinate"),
            "support": Variable("share of the coordinates above half the size"),
            "error": Variable("relative error of the prediction", dtype="float64"),
            "steps": Variable("steps of the solver", dtype="int32"),
        }

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        cells = np.array(instances.problems)[instances.which]  # (instances, 4)
        own = dict(zip(Ensemble._fields, cells.T, strict=True))
        found = {name: np.zeros(len(instances)) for name in self.variables().keys() - own.keys() | {"status"}}
        laws, of = np.unique(cells[:, 2:], axis=0, return_inverse=True)
        for i, (share, size) in enumerate(laws):
            some = np.flatnonzero(of.ravel() == i)
            ends = predict(
                mapped(lambda leaf: leaf[some] if np.ndim(leaf) else leaf, instances.geometry),  # noqa: B023
                delta=own["delta"][some],
                sigma=own["sigma"][some],
                prior=([0.0, size], [1 - share, share]),
                weight_decay=self.weight_decay,
                tol=number(self.tol, "tol"),
                max_steps=self.max_steps,
                throw=False,
            )
            norms = {"l1": ends.norms[0], "l2": ends.norms[1], "status": ends.result} | ends.stats
            for name, values in found.items():
                values[some] = norms[name] if name in norms else getattr(ends, name)
        return own | found | {"status": found["status"].astype(np.int8)}
