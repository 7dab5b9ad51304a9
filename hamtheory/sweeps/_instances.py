"""From the numbers of instances to their labels, problems, geometries and starts, and to what comes out of them.

Nothing but a chunk is ever made.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._grid import blocks_at
from .._result import FLAGS, NAMES
from ..geometry import AbstractGeometry
from ..problem import BinaryClassification, LinearRegression, RowSpace
from ._batch import Batch
from ._declaration import Variable
from ._geometries import Geometries
from ._problems import Ensemble
from ._spec import SweepSpec

_WIDTH = 8  # problems that are decomposed side by side


class Loaded(NamedTuple):
    """The arrays of a problem. `problem` is None if they are not finite."""

    problem: LinearRegression | BinaryClassification | Ensemble | None
    truth: np.ndarray
    n: int
    d: int


class Places(NamedTuple):
    """Where instances are: in which block of an axis, and at which place in it, (instances,)."""

    block: np.ndarray
    place: np.ndarray


def layout(spec: SweepSpec) -> dict[str, Variable]:
    """Every variable, the labels of instances first."""
    words = lambda blocks: {  # noqa: E731
        "flag_values": list(range(len(blocks))),
        "flag_meanings": " ".join(block.label for block in blocks),
    }
    variables = {
        "problem": Variable("number of the problem", dtype="int32"),
        "source": Variable("block of problems", dtype="int32", attributes=words(spec.problems)),
        "seed": Variable("seed of the problem, -1 where nothing is random", dtype="int64"),
        "n": Variable("rows of X", dtype="int32"),
        "d": Variable("columns of X", dtype="int32"),
        "geometry": Variable("number of the geometry", dtype="int32"),
        "family": Variable("block of geometries", dtype="int32", attributes=words(spec.geometries)),
        **_parameters(spec),
        "start": Variable("number of the start", dtype="int32"),
        "start_scale": Variable("standard deviation of the start, 0 for zeros", dtype="float64"),
        "start_seed": Variable("seed of the start, -1 where nothing is random", dtype="int64"),
    }
    dims = spec.quantity.dims()
    variables["status"] = Variable("how the instance ended", dims, "int8", attributes=FLAGS)
    variables |= spec.quantity.variables()
    if spec.keep_theta:
        variables["theta"] = Variable("where the instance ended", (*dims, "column"))
    return variables


def columns(spec: SweepSpec) -> int | None:
    """The d of θ where it is stored; reads all data that are not drawn, and so refuses what cannot be read."""
    lengths = {(block.shape or block.arrays(0)[0].shape)[1] for block in spec.problems}
    if not spec.keep_theta:
        return None
    if len(lengths) > 1:
        found = ", ".join(map(str, sorted(lengths)))
        raise ValueError(f"keep_theta needs problems of one d; got d = {found}: make it one sweep for each")
    return lengths.pop()


def check_geometries(spec: SweepSpec) -> None:
    """Refuse parameters at which there is no geometry in the precision of the sweep."""
    with jax.enable_x64(spec.dtype == "float64"):
        for block in spec.geometries:
            _build(block, block.at(np.arange(len(block))), spec)


def numbers_of(spec: SweepSpec, instances: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers of the problems, the geometries and the starts of these instances, (instances,) each."""
    return dict(zip(spec.axes, np.unravel_index(instances, spec.sizes), strict=True))


def computed(spec: SweepSpec, instances: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of these instances."""
    number = numbers_of(spec, instances)
    sizes = {
        "problem": list(map(len, spec.problems)),
        "geometry": [spec.geometries_in(block) for block in spec.geometries],
        "start": list(map(len, spec.starts)),
    }
    at = {axis: Places(*blocks_at(sizes[axis], number[axis])) for axis in number}
    loaded = _load(spec, number["problem"], at["problem"])
    arrays |= number | _labelled(spec, at)
    for name in ("n", "d"):
        arrays[name][:] = [getattr(loaded[p], name) for p in number["problem"]]
    starts, finite = _starts(spec, number["problem"], at["start"], loaded)
    arrays["status"][~finite] = NAMES.index("nonfinite")
    for some, batch in _groups(spec, number["problem"], at["geometry"], loaded, starts, finite):
        found = spec.quantity.compute(batch)
        _complete(spec, found)
        with np.errstate(over="ignore"):  # what the stored dtype has no number for is infinite in it
            for name in found.keys() & arrays.keys():
                arrays[name][some] = _fitting(name, np.asarray(found[name]), arrays[name].dtype)
    return arrays


def _complete(spec: SweepSpec, found: dict[str, np.ndarray]) -> None:
    """Refuse what a quantity has computed if a name is missing in it, or is none that it has declared."""
    own = {"status", *spec.quantity.variables()}
    missing, unknown = sorted(own - found.keys()), sorted(found.keys() - own - {"theta"})
    if missing or unknown:
        what = f"there is no {', '.join(missing)}" if missing else f"unknown: {', '.join(unknown)}"
        name = f"compute of the quantity {spec.quantity.name!r}"
        raise ValueError(f"{name} must return {', '.join(sorted(own))}, and may return theta; {what}")
    if spec.keep_theta and "theta" not in found:
        raise ValueError(f"keep_theta: the quantity {spec.quantity.name!r} computes no theta; leave it out")


def _fitting(name: str, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values that their stored dtype can hold; or an error, where one would become another number."""
    least, most = (0, len(NAMES) - 1) if name == "status" else (-np.inf, np.inf)
    with np.errstate(invalid="ignore"):
        whole = dtype.kind == "f" or bool(np.all(values == values.astype(dtype)))
    if (
        values.dtype.kind not in "biuf"
        or not whole
        or not np.all((values >= least) & (values <= most) | (dtype.kind == "f"))
    ):
        raise ValueError(f"{name} must hold numbers of {dtype}{', codes of Result' * (name == 'status')}; got {values}")
    return values


def _groups(spec, problem, geometry, loaded, starts, finite) -> Iterator[tuple[np.ndarray, Batch]]:
    """The finite instances in groups of one shape of problem and one kind of geometry."""
    kinds, shapes = (
        [block.key for block in spec.geometries],
        [(loaded[p][2:], getattr(loaded[p].problem, "loss_name", "")) for p in problem],
    )
    keys = [(shapes[i], kinds[b]) if finite[i] else None for i, b in enumerate(geometry.block)]
    for key in dict.fromkeys(key for key in keys if key is not None):
        ((_, d), _), kind = key
        some = np.flatnonzero([other == key for other in keys])
        used, which = np.unique(problem[some], return_inverse=True)
        theta0s = None
        if any(starts[i] is not None for i in some):
            zero = np.zeros(d, spec.dtype)
            theta0s = np.stack([zero if starts[i] is None else starts[i] for i in some])
        alike = sum(spec.geometries_in(block) for block in spec.geometries if block.key == kind)
        yield (
            some,
            Batch(
                problems=[loaded[p].problem for p in used],
                which=which.astype(np.int32),
                geometry=_geometry(spec, geometry.block[some], geometry.place[some]),
                theta0s=theta0s,
                truths=np.stack([loaded[p].truth for p in used]),
                alike=alike * spec.sizes[2],
                on_host=spec.on_host,
            ),
        )


def _load(spec: SweepSpec, problem: np.ndarray, at: Places) -> dict[int, Loaded]:
    """The problems with these numbers; of ensembles what is known of them."""
    if spec.quantity.ensembles:
        places = zip(*np.unique(problem, return_index=True), strict=True)
        known = {int(i): (spec.problems[at.block[first]], int(at.place[first])) for i, first in places}
        return {i: Loaded(block.ensemble(place), np.empty(0), *block.shape) for i, (block, place) in known.items()}
    arrays = {}
    for number, first in zip(*np.unique(problem, return_index=True), strict=True):
        block = spec.problems[at.block[first]]
        X, y, truth = block.arrays(int(at.place[first]))
        with np.errstate(over="ignore"):
            X, y = X.astype(spec.dtype), y.astype(spec.dtype)
            truth = np.full(X.shape[1], np.nan, spec.dtype) if truth is None else truth.astype(spec.dtype)
        arrays[int(number)] = X, y, truth, block.loss
    finite = {i: parts for i, parts in arrays.items() if np.isfinite(parts[0]).all() and np.isfinite(parts[1]).all()}
    problems: Any
    if spec.quantity.classes:
        problems = {i: BinaryClassification(X, z, loss) for i, (X, z, _, loss) in finite.items()}
    elif spec.on_host:
        problems = {i: LinearRegression(X, y) for i, (X, y, *_) in finite.items()}
    else:
        problems = _decomposed({i: (X, y) for i, (X, y, *_) in finite.items()})
    return {i: Loaded(problems.get(i), truth, *X.shape) for i, (X, _, truth, _) in arrays.items()}


def _decomposed(arrays: dict[int, tuple[np.ndarray, np.ndarray]]) -> dict[int, LinearRegression]:
    """Regressions whose leaves are NumPy arrays, decomposed in blocks of one width: see `_batch`."""
    made = {}
    for shape in dict.fromkeys(X.shape for X, _ in arrays.values()):
        numbers = [i for i, (X, _) in arrays.items() if X.shape == shape]
        width = _WIDTH if shape[0] * shape[1] < 1 << 20 else 1
        for first in range(0, len(numbers), width):
            some = numbers[first : first + width]
            filled = some + some[:1] * (width - len(some))
            X, y = (np.stack([arrays[i][part] for i in filled]) for part in (0, 1))
            spaces = jax.tree.map(np.asarray, _row_spaces(jnp.asarray(X), jnp.asarray(y)))
            for place, i in enumerate(some):
                space = jax.tree.map(lambda leaf: leaf[place], spaces)  # noqa: B023
                made[i] = eqx.tree_at(lambda p: (p.X, p.y, p.row_space), _any_problem(), (*arrays[i], space))
    return made


@eqx.filter_jit
def _row_spaces(X, y):
    return jax.vmap(RowSpace)(X, y)


@cache
def _any_problem() -> LinearRegression:
    return LinearRegression(np.ones((1, 1)), np.ones(1))


def _starts(spec, problem, at: Places, loaded) -> tuple[list[np.ndarray | None], np.ndarray]:
    """The start of each instance, None for zeros, and whether it and the problem are finite."""

    @cache
    def start(p: int, block: int, place: int) -> np.ndarray | None:
        kind = spec.starts[block]
        # A stream of its own: that of the seed alone begins with the first row of a synthetic X.
        rng = np.random.default_rng([max(0, int(kind.seed_of(np.array([place]))[0])), 1])
        direction = kind.direction(rng, loaded[p].truth)
        with np.errstate(over="ignore"):
            return None if direction is None else (kind.scale * direction).astype(spec.dtype)

    starts = [start(*where) for where in zip(problem.tolist(), at.block.tolist(), at.place.tolist(), strict=True)]
    is_finite = lambda p, start: loaded[p].problem is not None and (start is None or np.isfinite(start).all())  # noqa: E731
    return starts, np.array([is_finite(p, start) for p, start in zip(problem, starts, strict=True)], bool)


def _build(block: Geometries, values: dict[str, np.ndarray], spec: SweepSpec) -> AbstractGeometry:
    """The geometries of a block at these values of its parameters, as one pytree of NumPy's or JAX's arrays."""
    array_of = np.asarray if spec.on_host else jnp.asarray
    with np.errstate(over="ignore"):  # an infinity is refused with its name
        return block.build({name: array_of(array.astype(spec.dtype)) for name, array in values.items()})


def _geometry(spec: SweepSpec, block: np.ndarray, place: np.ndarray) -> AbstractGeometry:
    """The geometries of these instances, of one kind, as one pytree with a leading axis of instances."""
    values: dict[str, np.ndarray] = {}
    for b in np.unique(block):
        here, some = block == b, spec.geometries[b]
        found = some.at(place[here])
        if spec.quantity.curves:  # the natural logarithms of the whole grid
            grid = some.at(np.arange(len(some))).items()
            logs = {name: array if name.startswith("log_") else np.log(array) for name, array in grid}
            found = {f"log_{name.removeprefix('log_')}": array[None, :] for name, array in logs.items()}
        for name, array in found.items():
            values.setdefault(name, np.empty((len(block), *array.shape[1:])))[here] = array
    return _build(spec.geometries[block[0]], values, spec)


def _parameters(spec: SweepSpec) -> dict[str, Variable]:
    if spec.quantity.curves:
        return {}
    own = {
        "parameter": Variable("alpha (ham), gamma (mw), scale (network); NaN elsewhere", dtype="float64"),
        "log_parameter": Variable("its natural logarithm", dtype="float64"),
    }
    others = {block.variable(name): name for block in spec.geometries for name in block.numbers}
    return own | {
        key: Variable(f"{name} of the geometry", dtype="float64") for key, name in others.items() if key not in own
    }


def _labelled(spec: SweepSpec, at: dict[str, Places]) -> dict[str, np.ndarray]:
    per_block = lambda blocks, places, function, dtype: _per_block(blocks, places.block, places.place, function, dtype)  # noqa: E731
    seed_of = lambda block, index: block.seed_of(index)  # noqa: E731
    return {
        "source": at["problem"].block,
        "seed": per_block(spec.problems, at["problem"], seed_of, np.int64),
        "family": at["geometry"].block,
        "start_scale": np.array([getattr(block, "scale", 0.0) for block in spec.starts])[at["start"].block],
        "start_seed": per_block(spec.starts, at["start"], seed_of, np.int64),
        **{
            name: per_block(spec.geometries, at["geometry"], lambda b, i: _parameter(b, i, name), np.float64)  # noqa: B023
            for name in _parameters(spec)
        },
    }


def _per_block(blocks, block, place, function, dtype) -> np.ndarray:
    values = np.empty(len(block), dtype)
    for b in np.unique(block):
        values[block == b] = function(blocks[b], place[block == b])
    return values


def _parameter(block: Geometries, index: np.ndarray, name: str) -> Any:
    values = {block.variable(own): array for own, array in block.at(index).items()}
    with np.errstate(over="ignore", under="ignore"):
        if name == "parameter" and "log_parameter" in values:
            return np.exp(values["log_parameter"])
        if name == "log_parameter" and "parameter" in values:
            return np.log(values["parameter"])
    return values.get(name, np.nan)
