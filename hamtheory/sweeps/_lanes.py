"""From the numbers of lanes to their problems, geometries and starts. Nothing but a chunk is ever made."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..geometry import AbstractGeometry
from ..problem import LinearRegression, RowSpace, datasets
from ..problem._files import read_problem
from ..problem._synthetic import draw
from ._blocks import DataSet, Drawn, File, Geometries, Sparse, digest_of
from ._declaration import blocks_at
from ._quantity import LaneBatch
from ._spec import SweepSpec

_WIDTH = 8  # problems that are decomposed side by side


class Places(NamedTuple):
    """Where lanes are on the three axes: numbers of the problem, the geometry and the start, (lanes,)."""

    problem: np.ndarray
    geometry: np.ndarray
    start: np.ndarray


class Group(NamedTuple):
    """Lanes of a chunk that are computed side by side; not at all, without a `batch`, as their data are not finite."""

    lanes: np.ndarray
    batch: LaneBatch | None


class Loaded(NamedTuple):
    """The arrays of a problem. `problem` is None if they are not finite."""

    problem: LinearRegression | None
    truth: np.ndarray
    n: int
    d: int


def places(spec: SweepSpec, lanes: np.ndarray) -> Places:
    """Where these lanes are."""
    return Places(*np.unravel_index(lanes, spec.sizes))


def groups(spec: SweepSpec, at: Places, loaded: dict[int, Loaded]) -> Iterator[Group]:
    """The lanes in groups of one shape of problem and one kind of geometry."""
    sizes = [spec.geometries_in(block) for block in spec.geometries]
    block, place = blocks_at(sizes, at.geometry)
    keys = list(dict.fromkeys(spec.geometries[b].key for b in np.unique(block)))
    kind = np.array([keys.index(spec.geometries[b].key) for b in block])
    shapes = list(dict.fromkeys((loaded[p].n, loaded[p].d) for p in np.unique(at.problem)))
    shape = np.array([shapes.index((loaded[p].n, loaded[p].d)) for p in at.problem])
    starts, finite = _starts(spec, at, loaded)
    finite &= np.array([loaded[p].problem is not None for p in at.problem])
    if not np.all(finite):
        yield Group(np.flatnonzero(~finite), None)
    for s in range(len(shapes)):
        for k in range(len(keys)):
            lanes = np.flatnonzero((shape == s) & (kind == k) & finite)
            if not len(lanes):
                continue
            used, which = np.unique(at.problem[lanes], return_inverse=True)
            some = [starts[lane] for lane in lanes]
            zero = all(start is None for start in some)
            d, dtype = shapes[s][1], np.dtype(spec.dtype)
            theta0s = None if zero else np.stack([np.zeros(d, dtype) if x is None else x for x in some])
            alike = sum(size for size, b in zip(sizes, spec.geometries, strict=True) if b.key == keys[k])
            batch = LaneBatch(
                problems=[_there(loaded[p].problem) for p in used],
                which=which.astype(np.int32),
                geometry=_geometry(spec, block[lanes], place[lanes]),
                theta0s=theta0s,
                truths=np.stack([loaded[p].truth for p in used]),
                alike=alike * spec.sizes[2],
                on_host=spec.on_host,
            )
            yield Group(lanes, batch)


def load(spec: SweepSpec, index: np.ndarray) -> dict[int, Loaded]:
    """The problems with these numbers."""
    index = np.unique(index)
    block, place = blocks_at([len(b) for b in spec.problems], index)
    arrays = {}
    for number, b, p in zip(index.tolist(), block, place, strict=True):
        X, y, truth = _arrays(spec.problems[b], int(p))
        X, y = X.astype(spec.dtype), y.astype(spec.dtype)
        truth = np.full(X.shape[1], np.nan, spec.dtype) if truth is None else truth.astype(spec.dtype)
        arrays[number] = X, y, truth
    finite = {i: (X, y) for i, (X, y, _) in arrays.items() if _is_finite(X, y)}
    problems = {i: LinearRegression(X, y) for i, (X, y) in finite.items()} if spec.on_host else _decomposed(finite)
    return {i: Loaded(problems.get(i), truth, *X.shape) for i, (X, _, truth) in arrays.items()}


def _arrays(block: Any, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    if isinstance(block, Sparse):
        return draw(block.n, block.d, block.k, int(block.seed_of(np.array([place]))[0]), block.noise)
    if isinstance(block, DataSet):
        return _dataset(block.name)
    if isinstance(block, File):
        return _file(block)
    raise TypeError(f"there is no way to load a {type(block).__name__}")


@cache
def _dataset(name: str) -> tuple[np.ndarray, np.ndarray, None]:
    with jax.enable_x64(True):
        problem = datasets.load(name)
        return np.asarray(problem.X), np.asarray(problem.y), None


def check_file(block: File) -> int:
    """Read a file of the user's, or say what is wrong with it; returns its d."""
    return _file(block)[0].shape[1]


@cache
def _file(block: File) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    found = digest_of(Path(block.path))
    if found != block.sha256:
        raise ValueError(
            f"{block.path} has changed: its SHA-256 is {found[:12]}..., the spec has {block.sha256[:12]}..."
        )
    return read_problem(block.path, block.target)


def _is_finite(*arrays: np.ndarray) -> bool:
    return all(bool(np.all(np.isfinite(array))) for array in arrays)


def _there(problem: LinearRegression | None) -> LinearRegression:
    assert problem is not None
    return problem


def _decomposed(arrays: dict[int, tuple[np.ndarray, np.ndarray]]) -> dict[int, LinearRegression]:
    """Regressions whose leaves are NumPy arrays, decomposed in blocks of one width: see `_engines`."""
    made = {}
    shapes = dict.fromkeys(X.shape for X, _ in arrays.values())
    for shape in shapes:
        numbers = [i for i, (X, _) in arrays.items() if X.shape == shape]
        width = _WIDTH if shape[0] * shape[1] < 1 << 20 else 1
        for first in range(0, len(numbers), width):
            some = numbers[first : first + width]
            filled = some + some[:1] * (width - len(some))
            X, y = (np.stack([arrays[i][part] for i in filled]) for part in (0, 1))
            spaces = jax.tree.map(np.asarray, _row_spaces(jnp.asarray(X), jnp.asarray(y)))
            for place, i in enumerate(some):
                space = jax.tree.map(lambda leaf: leaf[place], spaces)  # noqa: B023
                made[i] = eqx.tree_at(lambda p: (p.X, p.y, p.row_space), _template(), (*arrays[i], space))
    return made


@eqx.filter_jit
def _row_spaces(X, y):
    return jax.vmap(RowSpace)(X, y)


@cache
def _template() -> LinearRegression:
    return LinearRegression(np.ones((1, 1)), np.ones(1))


def _starts(spec: SweepSpec, at: Places, loaded: dict[int, Loaded]) -> tuple[list[np.ndarray | None], np.ndarray]:
    """The start of each lane, None for zeros, and whether it is finite."""
    block, place = blocks_at([len(b) for b in spec.starts], at.start)
    drawn: dict[tuple[int, int, int], np.ndarray] = {}
    starts: list[np.ndarray | None] = []
    for p, b, i in zip(at.problem.tolist(), block.tolist(), place.tolist(), strict=True):
        kind = spec.starts[b]
        if not isinstance(kind, Drawn):
            starts.append(None)
            continue
        if (p, b, i) not in drawn:
            # A stream of its own: that of the seed alone begins with the first row of a synthetic X.
            rng = np.random.default_rng([int(kind.seed_of(np.array([i]))[0]), 1])
            with np.errstate(over="ignore"):
                drawn[p, b, i] = (kind.scale * kind.direction(rng, loaded[p].truth)).astype(spec.dtype)
        starts.append(drawn[p, b, i])
    return starts, np.array([start is None or _is_finite(start) for start in starts])


def check_geometries(spec: SweepSpec) -> None:
    """Refuse parameters at which there is no geometry in the precision of the sweep."""
    with jax.enable_x64(spec.dtype == "float64"):
        for block in spec.geometries:
            build(block, block.at(np.arange(len(block))), spec.dtype, spec.on_host)


def build(block: Geometries, values: dict[str, np.ndarray], dtype: str, on_host: bool) -> AbstractGeometry:
    """The geometries of a block at these values of its parameters, as one pytree of NumPy's or JAX's arrays."""
    array_of = np.asarray if on_host else jnp.asarray
    with np.errstate(over="ignore"):  # an infinity is refused with its name
        return block.build({name: array_of(array.astype(dtype)) for name, array in values.items()})


def _geometry(spec: SweepSpec, block: np.ndarray, place: np.ndarray) -> AbstractGeometry:
    """The geometries of these lanes, of one kind, as one pytree with a leading axis of lanes."""
    values: dict[str, np.ndarray] = {}
    for b in np.unique(block):
        here, some = block == b, spec.geometries[b]
        if spec.quantity.curves:
            found = {f"log_{name}": array[None, :] for name, array in _logarithms(some).items()}
        else:
            found = some.at(place[here])
        for name, array in found.items():
            values.setdefault(name, np.empty((len(block), *array.shape[1:])))[here] = array
    return build(spec.geometries[block[0]], values, spec.dtype, spec.on_host)


def _logarithms(block: Geometries) -> dict[str, np.ndarray]:
    """The natural logarithms of the whole grid of a block."""
    values = block.at(np.arange(len(block))).items()
    return {name.removeprefix("log_"): array if name.startswith("log_") else np.log(array) for name, array in values}
