"""From the data argument to a regression or a classification: named data, synthetic ones, or the user's file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hamtheory as ht

from .._validate import count
from ..problem import SUFFIXES, TABLES, TEXT, problem_of, read_npz, read_table, suffix_of

_KNOWN = ", ".join((*ht.datasets.names(), "sparse:N,D,K"))
_FILES = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
_KNOWN_CLASSES = ", ".join((*ht.datasets.names("classification"), "classes:N,D,K", "mixture:N,D,S"))


@dataclass(frozen=True)
class Data:
    """A problem, and what is known of where it came from."""

    problem: Any
    name: str
    columns: np.ndarray | None = None  # what each entry of theta belongs to
    theta0: np.ndarray | None = None
    sha256: str | None = None  # of the user's file
    response: str | None = None  # what y is called there


def load_data(
    name: str,
    seed: int,
    target: str | None,
    dtype: type[np.floating] = np.float64,
    kind: str = "regression",
    decimal: str = ".",
) -> Data:
    """The data of that name: in `ht.datasets`, synthetic, or the path of a file.

    `kind`: "regression", "classification", or "either": what the name says, and of a file a regression.
    """
    suffix = suffix_of(name)
    if target is not None and suffix not in TABLES:
        raise ValueError(
            f"--target names a column of a .csv or another table, {', '.join(TABLES)}; the data are {name!r}"
        )
    if decimal != "." and suffix not in TEXT:
        raise ValueError(f"--decimal is for a .csv or another table of text, {', '.join(TEXT)}; the data are {name!r}")
    origin, _, sizes = name.partition(":")
    has_classes = name in ht.datasets.names("classification") or (bool(sizes) and origin in ("classes", "mixture"))
    if kind == "regression" and has_classes:
        raise ValueError(f"data {name!r} have classes; ask for their margin, or for a flow")
    if kind == "classification" and (name in ht.datasets.names() or name.startswith("sparse:")):
        raise ValueError(f"data {name!r} have no classes; {_KNOWN_CLASSES}, or a file whose y has two values do")
    if has_classes and sizes:
        make, kinds = (
            (ht.sparse_classification, (int,) * 3) if origin == "classes" else (ht.gaussian_mixture, (int, int, float))
        )
        return Data(_rounded(make(*_sizes(name, kinds), seed=count(seed, "seed", least=0)), dtype), name)
    if name.startswith("sparse:"):
        return Data(_rounded(ht.sparse_regression(*_sizes(name), seed=count(seed, "seed", least=0)), dtype), name)
    if has_classes or name in ht.datasets.names():
        parts = ht.datasets.split(name, holdout=0)
        return Data(_rounded(parts.train, dtype), name, columns=parts.columns)
    if suffix not in SUFFIXES:
        known = {"regression": _KNOWN, "classification": _KNOWN_CLASSES}.get(kind, f"{_KNOWN}, {_KNOWN_CLASSES}")
        what = "a file of unknown type" if Path(name).exists() else "unknown"
        raise ValueError(f"data {name!r} is {what}; give one of {known}, or the path of a {_FILES}")
    if not Path(name).is_file():
        raise FileNotFoundError(f"there is no file {name!r}")
    with open(name, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    table = read_table(name, target, decimal=decimal, classes=kind == "classification")
    problem = _rounded(problem_of(table, kind), dtype)
    return Data(problem, name, columns=table.names, theta0=table.theta0, sha256=digest, response=table.response)


def _rounded(problem: Any, dtype: type[np.floating]) -> Any:
    """The problem in the precision that was asked for."""
    if problem.dtype == dtype:
        return problem
    truth = None if problem.theta_star is None else problem.theta_star.astype(dtype)
    with np.errstate(over="ignore"):
        if isinstance(problem, ht.BinaryClassification):
            return ht.BinaryClassification(problem.X.astype(dtype), problem.z.astype(dtype), theta_star=truth)
        return ht.LinearRegression(problem.X.astype(dtype), problem.y.astype(dtype), truth)


def load_theta0(spec: str | None, data: Data, seed: int) -> tuple[np.ndarray, str]:
    """Where to start, and how to say so: `zeros`, `normal:SCALE` or a file; left out, what comes with the data."""
    d = data.problem.d
    if spec is None and data.theta0 is not None:
        return data.theta0, f"theta0 of {data.name}"
    if spec is None or spec == "zeros":
        return np.zeros(d), "zeros"
    if spec.startswith("normal:"):
        try:
            scale = float(spec.removeprefix("normal:"))
        except ValueError:
            raise ValueError(f"--theta0 normal:SCALE needs a number; got {spec!r}") from None
        # A stream of its own: that of the seed alone begins with the first row of a synthetic X.
        rng = np.random.default_rng([count(seed, "seed", least=0), 1])
        return scale * rng.standard_normal(d), f"{spec} (standard deviation), seed {seed}"
    if Path(spec).suffix.lower() not in (".npy", ".npz", ".csv", ".txt"):
        raise ValueError(f"--theta0 must be zeros, normal:SCALE or a .npy, .npz, .csv or .txt file; got {spec!r}")
    if not Path(spec).is_file():
        raise FileNotFoundError(f"--theta0: there is no file {spec!r}")
    return _read_vector(spec), spec


def _read_vector(path: str) -> np.ndarray:
    """`theta0`, or else `theta` (so that a result can be a start), of an .npz; all of a .npy or a column of text."""
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        found = read_npz(path, optional=("theta0", "thetas", "theta"))
        name = "theta0" if "theta0" in found and "thetas" not in found else "theta"
        return found[name] if name in found else read_npz(path, needed=(name,))[name]
    try:
        if suffix == ".npy":
            array = np.load(path)
            return array.astype(float) if array.dtype.kind in "fiub" else array
        return np.loadtxt(path, delimiter="," if suffix == ".csv" else None, ndmin=1)
    except ValueError as error:
        raise ValueError(f"--theta0: {path} is not a file of numbers: {error}") from None


_FORMS = {
    "sparse": "sparse:N,D,K needs three integers (rows, columns, spikes)",
    "classes": "classes:N,D,K needs three integers (samples, columns, spikes)",
    "mixture": "mixture:N,D,S needs two integers and a number (samples, columns, distance of the means)",
}


def _sizes(name: str, kinds: tuple[type, ...] = (int, int, int)) -> list[Any]:
    origin, _, sizes = name.partition(":")
    try:
        return [kind(size) for kind, size in zip(kinds, sizes.split(","), strict=True)]
    except ValueError:
        raise ValueError(f"{_FORMS[origin]}; got {name!r}") from None
