"""Blocks as plain tables, as TOML and JSON have them, and back."""

from collections.abc import Mapping
from typing import Any

from ..geometry import AbstractGeometry
from ._blocks import DataSet, File, Geometries, Normal, Problems, Sparse, WrongSigns, Zeros
from ._grid import Grid, ListedSeeds, Seeds, fields

_PROBLEMS: dict[str, type] = {kind.kind: kind for kind in (Sparse, DataSet, File)}
_STARTS: dict[str, type] = {kind.kind: kind for kind in (Zeros, Normal, WrongSigns)}


def problems_of(table: Any, name: str) -> Problems:
    """A block of problems from a table with its `kind`."""
    return table if isinstance(table, Problems) else _of_kind(table, _PROBLEMS, name)


def starts_of(table: Any, name: str) -> Zeros | Normal | WrongSigns:
    """A block of starts: one of the words, or a table with its `kind`."""
    if isinstance(table, (Zeros, Normal, WrongSigns)):
        return table
    return _of_kind({"kind": table} if isinstance(table, str) else table, _STARTS, name)


def geometries_of(table: Any, name: str) -> Geometries:
    """A block of geometries, from a geometry or a table with its `family`; parameters may stand at the top level."""
    if isinstance(table, Geometries):
        return table
    if isinstance(table, AbstractGeometry):
        return Geometries.of(table)
    table = dict(_table(table, name))
    if "family" not in table:
        raise ValueError(f"{name} needs 'family'; got {', '.join(table) or 'nothing'}")
    family, inner = table.pop("family"), dict(_table(table.pop("parameters", {}), f"{name} parameters"))
    return Geometries(family, inner | table)


def as_table(block: Any) -> dict[str, Any]:
    """A block as JSON and TOML have it: what makes the same block again."""
    table = {"kind": block.kind} if hasattr(block, "kind") else {}
    for key, value in vars(block).items():
        if value is not None and value != {}:
            table[key] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, (Grid, Seeds)):
        return dict(vars(value))
    if isinstance(value, ListedSeeds):
        return list(value.listed)
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _of_kind(table: Any, kinds: dict[str, type], name: str) -> Any:
    table = dict(_table(table, name))
    kind = table.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"{name} needs a kind, one of {', '.join(map(repr, kinds))}; got {kind!r}")
    return kinds[kind](**fields(table, kinds[kind], name))


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a table of names and values; got {value!r}")
    return value
