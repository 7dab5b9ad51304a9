"""What the machinery of sweeps asks of a spec: instances that can be labelled, computed and stored."""

import abc
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Variable:
    """A variable of the stored data set; its first dimension is always `instance`, that of the instances.

    Attributes:
        long_name: What it is.
        dims: The other dimensions, by name; "column" is that of θ.
        dtype: "float" is that of the sweep.
        units: "1" of pure numbers.
        attributes: Others that are stored with it.

    ```python
    >>> import hamtheory as ht
    >>> loss = ht.sweeps.Variable("loss at the times", dims=("t",))
    >>> loss.dtype, loss.units
    ('float', '1')

    ```
    """

    long_name: str
    dims: tuple[str, ...] = ()
    dtype: str = "float"
    units: str = "1"
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Declaration(abc.ABC):
    """What a sweep computes. A subclass is a frozen dataclass whose fields say all of it, with these two among them.

    `kind` is what tables call it.

    Attributes:
        dtype: "float64" or "float32", the precision of the whole computation.
        chunk: Instances that are computed, held in memory and stored together.
    """

    dtype: Any
    chunk: Any

    @property
    @abc.abstractmethod
    def instances(self) -> int:
        """The number of instances."""

    @property
    @abc.abstractmethod
    def what(self) -> str:
        """What is computed, in a word."""

    @property
    @abc.abstractmethod
    def axes(self) -> dict[str, int]:
        """What instances are counted by, the slowest first."""

    @abc.abstractmethod
    def as_table(self) -> dict[str, Any]:
        """The spec as JSON and TOML have it, from which the same one can be made again.

        Returns:
            A table.
        """

    @abc.abstractmethod
    def layout(self) -> dict[str, Variable]:
        """Every variable of the stored data set.

        Returns:
            By name: the labels of instances first, then `status`, and what comes out.
        """

    @abc.abstractmethod
    def lengths(self) -> dict[str, int]:
        """The lengths of the dimensions that variables have besides `instance`, without `column`.

        Returns:
            The lengths, by name.
        """

    @abc.abstractmethod
    def coordinates(self) -> dict[str, tuple[Variable, np.ndarray]]:
        """Labels of these dimensions.

        Returns:
            By their name: a variable, and its values, (length,).
        """

    @abc.abstractmethod
    def prepare(self) -> int | None:
        """Refuse, before any work, what can't be computed.

        Returns:
            The length of `column`, if a variable has it.

        Raises:
            ValueError: Naming the argument.
            TypeError: Naming the argument.
        """

    @abc.abstractmethod
    def compute(self, instances: np.ndarray, empty: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The arrays of these instances.

        Args:
            instances: The numbers of the instances.
            empty: The arrays, (instances, ...), full of missing values.

        Returns:
            Those of `empty`, filled in.
        """

    def identity(self) -> dict[str, Any]:
        """The table without what does not change the data.

        Returns:
            A table.
        """
        return self.as_table()

    @property
    def hash(self) -> str:
        """The SHA-256 of the identity."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return -(-self.instances // self.chunk)

    def bounds(self, chunk: int) -> tuple[int, int]:
        """Which instances a chunk has.

        Args:
            chunk: Its number.

        Returns:
            The first instance of the chunk, and the one after its last.
        """
        return chunk * self.chunk, min((chunk + 1) * self.chunk, self.instances)

    def labels(self) -> list[str]:
        """Which variables say what an instance is, rather than what came out.

        Returns:
            Their names.
        """
        names = list(self.layout())
        return names[: names.index("status")]

    def dtype_of(self, variable: Variable) -> np.dtype:
        """The stored dtype of a variable.

        Args:
            variable: One of the layout.

        Returns:
            A dtype of NumPy's.
        """
        return np.dtype(self.dtype if variable.dtype == "float" else variable.dtype)


def fill(dtype: np.dtype) -> Any:
    """What stands where nothing was computed."""
    return np.nan if dtype.kind == "f" else -1
