"""The declaration of a sweep."""

import importlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from .._grid import as_table, fields
from .._validate import count
from ._declaration import Declaration, Variable
from ._geometries import Geometries, geometries_of
from ._problems import problems_of
from ._quantity import QUANTITIES, quantity_of
from ._starts import WrongSigns, Zeros, starts_of

READY = ("smoke", "paper", "hundred-thousand", "million")
DTYPES = ("float64", "float32")
ENGINES = ("auto", "host", "device")
_KINDS = {"training": ("hamtheory.train", "TrainingSpec")}  # declarations of other rooms


@dataclass(frozen=True)
class SweepSpec(Declaration):
    """What a sweep computes: a quantity for every problem, every geometry and every start.

    An instance is one (problem, geometry, start), the starts counting fastest and the problems slowest.

    Attributes:
        problems: A list of blocks (`ht.sweeps.Sparse`, `SparseClassification`, `Mixture`, `Ensembles`, `DataSet`,
            `File`), all of regressions or all of classifications, or of tables with the same names,
            `{"kind": "sparse", "n": 40, "d": 100, "k": 5, "seeds": range(8)}`.
        geometries: A list of blocks (`ht.sweeps.Geometries`), or of tables with the same names,
            `{"family": "ham", "alpha": {"start": 0.01, "stop": 1e4, "count": 50, "scale": "log"}}`.
        starts: A list of blocks (`ht.sweeps.Zeros`, `Normal`, `WrongSigns`), or of tables with the same names.
        quantity: "limit", "path", "flow", "run" or "prediction", of classifications "margin" or "classification-flow",
            or one with its settings, `ht.sweeps.Limit(tol=1e-8)`. In a path the grid of a geometry is a dimension of
            one instance, not an instance each.
        dtype: "float64" or "float32", the precision of the whole computation.
        chunk: Instances that are computed, held in memory and stored together.
        keep_theta: Store θ itself, besides what is measured of it; all problems must then have the same d.
        engine: "device" is JAX, many at once; "host" NumPy and SciPy, one after the other, without compiling anything:
            limits, paths and flows, and those that runs need. "auto": the host if the sweep is small enough.

    Raises:
        ValueError: For bad arguments, naming the argument.
        TypeError: For bad arguments, naming the argument.
        FileNotFoundError: For a file that is not there, naming the argument.

    ```python
    >>> import hamtheory as ht
    >>> spec = ht.SweepSpec(
    ...     problems=[{"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(100)}],
    ...     geometries=[{"family": "ham", "alpha": [1.0, 100.0]}, {"family": "gd"}],
    ... )
    >>> spec.sizes, spec.instances
    ((100, 3, 1), 300)

    ```
    """

    problems: Any
    geometries: Any
    starts: Any = field(default_factory=lambda: (Zeros(),))
    quantity: Any = "limit"
    dtype: str = "float64"
    chunk: int = 1000
    keep_theta: bool = False
    engine: str = "auto"

    def __post_init__(self):
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}; got {self.dtype!r}")
        if not isinstance(self.keep_theta, bool):
            raise TypeError(f"keep_theta must be true or false; got {self.keep_theta!r}")
        made = {
            "problems": _blocks(self.problems, "problems", problems_of),
            "geometries": _blocks(self.geometries, "geometries", geometries_of),
            "starts": _blocks(self.starts, "starts", starts_of),
            "quantity": quantity_of(self.quantity).settled(self.dtype),
            "chunk": count(self.chunk, "chunk"),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)
        for block in self.problems:
            if (block.loss is not None) != self.quantity.classes:
                own = [name for name, kind in QUANTITIES.items() if kind.classes == (block.loss is not None)]
                of = "regressions" if block.loss is None else "classifications"
                raise ValueError(
                    f"quantity {self.quantity.name!r} is none of {of}, such as {block.label!r}; there are "
                    f"{', '.join(map(repr, own))}"
                )
        if any(isinstance(block, WrongSigns) for block in self.starts):
            for block in self.problems:
                if block.kind == "dataset":
                    raise ValueError(f"starts with wrong signs need a ground truth, which {block.label!r} has not")
        self.quantity.check_problems(self.problems)
        self.quantity.check(self.geometries, self.starts)
        if self.engine not in ENGINES:
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}; got {self.engine!r}")
        if self.engine == "host" and not self.quantity.few:
            raise ValueError(f"engine must be auto or device for {self.quantity.name}, of which the host knows nothing")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "SweepSpec":
        """The spec of a table, as TOML and JSON have it.

        Args:
            table: Names and values.

        Returns:
            The spec.

        Raises:
            ValueError: For names that are unknown or missing, and as of `SweepSpec`.
            TypeError: As of `SweepSpec`.
            FileNotFoundError: As of `SweepSpec`.
        """
        return cls(**fields(table, cls, "the spec"))

    @classmethod
    def from_toml(cls, path: str | Path) -> "SweepSpec":
        """The spec of a TOML file; paths of data in it are relative to that file.

        Args:
            path: Of the file.

        Returns:
            The spec.

        Raises:
            FileNotFoundError: If there is no such file, and as of `SweepSpec`.
            ValueError: If it is not TOML, and as of `SweepSpec`.
            TypeError: As of `SweepSpec`.
        """
        return cls.from_table(_toml(Path(path)))

    @classmethod
    def ready(cls, name: str) -> "SweepSpec":
        """A spec that comes with the package.

        Args:
            name: "smoke" (seconds), "paper" and "hundred-thousand" (half a minute), "million" (10⁶ limits).

        Returns:
            The spec.

        Raises:
            ValueError: For another name.

        ```python
        >>> import hamtheory as ht
        >>> ht.SweepSpec.ready("million").instances
        1000000

        ```
        """
        if name not in READY:
            raise ValueError(f"name must be one of {', '.join(READY)}; got {name!r}")
        text = (
            resources.files(__name__.rpartition(".")[0]).joinpath("ready", f"{name}.toml").read_text(encoding="utf-8")
        )
        return cls.from_table(tomllib.loads(text))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The numbers of problems, geometries and starts."""
        return (
            sum(map(len, self.problems)),
            sum(self.geometries_in(block) for block in self.geometries),
            sum(map(len, self.starts)),
        )

    @property
    def instances(self) -> int:
        """The number of instances."""
        problems, geometries, starts = self.sizes
        return problems * geometries * starts

    def geometries_in(self, block: Geometries) -> int:
        """How many instances a problem and a start have in a block of geometries.

        Args:
            block: The block.

        Returns:
            Their number.
        """
        return 1 if self.quantity.curves else len(block)

    @property
    def on_host(self) -> bool:
        """Whether the host computes: which engine does is settled by the spec, as its roundings are."""
        if self.engine != "auto":
            return self.engine == "host"
        answers = self.instances * (self.lengths()["point"] if self.quantity.curves else 1)
        # Each shape with each kind is compiled for itself; those of data are not known yet, and may be but one.
        shapes = {block.shape for block in self.problems}
        kinds = {block.key for block in self.geometries}
        return answers <= self.quantity.few * len(shapes) * len(kinds)

    def as_table(self) -> dict[str, Any]:
        """The spec as JSON and TOML have it: `SweepSpec.from_table` makes the same one again.

        Returns:
            A table.
        """
        return {
            "problems": [as_table(block) for block in self.problems],
            "geometries": [as_table(block) for block in self.geometries],
            "starts": [as_table(block) for block in self.starts],
            "quantity": {"name": self.quantity.name} | as_table(self.quantity),
            "dtype": self.dtype,
            "chunk": self.chunk,
            "keep_theta": self.keep_theta,
        } | ({} if self.engine == "auto" else {"engine": self.engine})

    def identity(self) -> dict[str, Any]:
        """The table without what does not change the data: where a file with a known hash lies.

        Returns:
            A table.
        """
        table = self.as_table()
        for block in table["problems"]:
            block.pop("path", None)
        return table

    @property
    def what(self) -> str:
        return self.quantity.name

    @property
    def axes(self) -> dict[str, int]:
        return dict(zip(("problem", "geometry", "start"), self.sizes, strict=True))

    def layout(self) -> dict[str, Variable]:
        return _instances().layout(self)

    def lengths(self) -> dict[str, int]:
        return self.quantity.sizes(self.geometries)

    def coordinates(self) -> dict[str, tuple[Variable, np.ndarray]]:
        return self.quantity.coordinates()

    def prepare(self) -> int | None:
        _instances().check_geometries(self)
        return _instances().columns(self)

    def compute(self, instances: np.ndarray, empty: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return _instances().computed(self, instances, empty)


def _instances() -> Any:
    """How instances are laid out and computed, which itself knows what a spec is."""
    from . import _instances

    return _instances


def spec_of(spec: Any) -> Declaration:
    """A spec from itself, a table, the path of a TOML file, or the name of a ready one.

    Args:
        spec: One of these; a table is one of trainings if its `kind` is "training".

    Returns:
        The spec.

    Raises:
        ValueError: For anything else, and as of `SweepSpec`.
        FileNotFoundError: If there is no such file, and as of `SweepSpec`.
        TypeError: As of `SweepSpec`.

    ```python
    >>> import hamtheory as ht
    >>> ht.sweeps.spec_of("smoke").instances
    96

    ```
    """
    if isinstance(spec, Declaration):
        return spec
    if isinstance(spec, Mapping):
        module, name = _KINDS.get(spec.get("kind", ""), (__name__, "SweepSpec"))
        return getattr(importlib.import_module(module), name).from_table(spec)
    if isinstance(spec, Path) or (isinstance(spec, str) and spec.endswith(".toml")):
        return spec_of(_toml(Path(spec)))
    if isinstance(spec, str) and spec in READY:
        return SweepSpec.ready(spec)
    raise ValueError(f"spec must be a SweepSpec, a table, a .toml file or one of {', '.join(READY)}; got {spec!r}")


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """What differs between two tables, one line each: `geometries[0].parameters.alpha.count: 50 -> 60`."""
    if isinstance(old, dict) and isinstance(new, dict):
        inner = [(key, f"{where}.{key}" if where else key) for key in dict.fromkeys([*old, *new])]
        return [line for key, name in inner for line in differences(old.get(key), new.get(key), name)]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and len(old) <= 64:
        return [
            line for i, pair in enumerate(zip(old, new, strict=True)) for line in differences(*pair, f"{where}[{i}]")
        ]
    return [] if old == new else [f"{where}: {_short(old)} -> {_short(new)}"]


def _toml(path: Path) -> dict[str, Any]:
    """The table of a TOML file, with the paths of data in it."""
    path = path.expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from None
    problems = table.get("problems", ())
    for block in [problems] if isinstance(problems, dict) else problems:
        if isinstance(block, dict) and isinstance(block.get("path"), str):
            block["path"] = str(path.parent / Path(block["path"]).expanduser())
    return table


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:70]} ... ({len(text)} characters)"


def _blocks(value: Any, name: str, make: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        value = [value]
    if len(value) == 0:
        raise ValueError(f"{name} must hold at least one block; got none")
    return tuple(make(block, f"{name}[{i}]") for i, block in enumerate(value))
