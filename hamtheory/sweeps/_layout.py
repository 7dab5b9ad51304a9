"""The stored data set of a `SweepSpec`: what its lanes are called, and how they are computed."""

from typing import Any

import numpy as np

from .._result import NAMES
from ._blocks import File, Geometries
from ._declaration import FLAGS, blocks_at
from ._lanes import Places, check_file, groups, load, places
from ._quantity import Variable
from ._spec import SweepSpec


def layout(spec: SweepSpec) -> dict[str, Variable]:
    """Every variable, the labels of lanes first."""
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
    variables["status"] = Variable("how the lane ended", dims, "int8", attributes=FLAGS)
    variables |= spec.quantity.variables()
    if spec.keep_theta:
        variables["theta"] = Variable("where the lane ended", (*dims, "column"))
    return variables


def columns(spec: SweepSpec) -> int | None:
    """The d of θ where it is stored; reads all data that are not drawn, and so refuses what cannot be read."""
    lengths = set()
    for block in spec.problems:
        if isinstance(block, File):
            lengths.add(check_file(block))
        elif spec.keep_theta:
            first = sum(map(len, spec.problems[: spec.problems.index(block)]))
            lengths.add(block.d if hasattr(block, "d") else load(spec, np.array([first]))[first].d)
    if spec.keep_theta and len(lengths) > 1:
        found = ", ".join(map(str, sorted(lengths)))
        raise ValueError(f"keep_theta needs problems of one d; got d = {found}: make it one sweep for each")
    return lengths.pop() if spec.keep_theta else None


def computed(spec: SweepSpec, lanes: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of these lanes."""
    at = places(spec, lanes)
    loaded = load(spec, at.problem)
    arrays |= _labelled(spec, at)
    for name in ("n", "d"):
        arrays[name][:] = [getattr(loaded[p], name) for p in at.problem]
    for group in groups(spec, at, loaded):
        if group.batch is None:
            arrays["status"][group.lanes] = NAMES.index("nonfinite")
            continue
        found = spec.quantity.compute(group.batch)
        with np.errstate(over="ignore"):  # what the stored dtype has no number for is infinite in it
            for name in found.keys() & arrays.keys():
                arrays[name][group.lanes] = found[name]
    return arrays


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


def _labelled(spec: SweepSpec, at: Places) -> dict[str, np.ndarray]:
    source, place = blocks_at([len(block) for block in spec.problems], at.problem)
    seeds = _per_block(spec.problems, source, place, lambda block, index: block.seed_of(index), np.int64)
    family, member = blocks_at([spec.geometries_in(block) for block in spec.geometries], at.geometry)
    kind, drawn = blocks_at([len(block) for block in spec.starts], at.start)
    made = {
        "problem": at.problem.astype(np.int32),
        "source": source.astype(np.int32),
        "seed": seeds,
        "geometry": at.geometry.astype(np.int32),
        "family": family.astype(np.int32),
        "start": at.start.astype(np.int32),
        "start_scale": np.array([getattr(block, "scale", 0.0) for block in spec.starts])[kind],
        "start_seed": _per_block(spec.starts, kind, drawn, lambda block, index: block.seed_of(index), np.int64),
    }
    for name in _parameters(spec):
        made[name] = _per_block(spec.geometries, family, member, lambda b, i: _parameter(b, i, name), np.float64)  # noqa: B023
    return made


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
