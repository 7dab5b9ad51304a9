"""The options that name a geometry: those of the classes that come with the package, made from their signatures."""

import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, dataclass_transform

import tyro

import hamtheory as ht

from ..geometry import AbstractGeometry, arguments_of, named

_WHICH = tyro.conf.create_mutex_group(required=False, title="geometry")
_CLASSES = {name: named(name) for name in ht.geometry.names() if name != "formula"}
_KIND = TypeVar("_KIND", bound=type)


def _parameters() -> dict[str, str]:
    """The parameters of all these classes, with the name of the class."""
    return {name: cls.name for cls in _CLASSES.values() for name in arguments_of(cls) or {}}


@dataclass_transform()
def _options(cls: _KIND) -> _KIND:
    """A dataclass with a field for each parameter besides its own."""
    for name, owner in _parameters().items():
        made, example = _CLASSES[owner], _CLASSES[owner].example
        kind = float if (arguments_of(made) or {})[name] else int
        default = f"(default: {example[name]:g})" if name in example else ""
        text = f"Of {owner}{': the natural logarithm, instead' if name.startswith('log_') else ''}."
        option = tyro.conf.arg(metavar="X" if kind is float else "N", help=text, help_behavior_hint=default)
        cls.__annotations__[name] = Annotated[kind | None, option]
        setattr(cls, name, None)
    return dataclass(frozen=True)(cls)


@_options
class GeometryOptions:
    geometry: Annotated[
        str,
        _WHICH,
        tyro.conf.arg(
            metavar="NAME",
            help="; ".join(f"{name} ({cls.formula})" for name, cls in _CLASSES.items())
            + "; or a class of your own, package.module:Class",
        ),
    ] = "ham"
    inverse_metric: Annotated[str | None, _WHICH, tyro.conf.arg(metavar="FORMULA", help_behavior_hint="")] = None
    """Any other, by its formula: "1 + a*theta**2" """
    parameter: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(metavar="NAME=VALUE", help_behavior_hint="(repeatable)"),
    ] = ()
    """A parameter of the formula, or of the class: a=3.0"""

    def build(self) -> tuple[AbstractGeometry, str]:
        """The geometry, and how to write it on one line."""
        values = {name: getattr(self, name) for name in _parameters() if getattr(self, name) is not None}
        if self.inverse_metric is not None:
            if values:
                name = next(iter(values))
                raise ValueError(f"{_flag(name)} is no parameter of a formula; write --parameter {name}=VALUE")
            from .. import symbolic  # SymPy takes a second to import

            given = _assigned(self.parameter, {})
            geo = symbolic.geometry(self.inverse_metric, **given)
            return geo, f"formula: g^-1(theta) = {self.inverse_metric}{_shown(given)}"
        if self.geometry in _CLASSES:
            cls = _CLASSES[self.geometry]
            if self.parameter:
                raise ValueError(
                    "--parameter needs the --inverse-metric or the class of your own that it is a parameter of"
                )
        else:
            if ":" in self.geometry and str(Path.cwd()) not in sys.path:
                sys.path.insert(0, str(Path.cwd()))  # as `python -m` has it
            cls = named(self.geometry)
        own = arguments_of(cls) or {}
        for name in values:
            if name not in own or self.geometry not in _CLASSES:
                fitting = f"is a parameter of --geometry {_parameters()[name]}" if name not in own else "is ambiguous"
                raise ValueError(
                    f"{_flag(name)} {fitting}; the geometry is {self.geometry}, with "
                    f"{self._ways(own) or 'no parameter'}"
                )
        if self.geometry not in _CLASSES:
            values = _assigned(self.parameter, own)
            try:
                inspect.signature(cls).bind(**values)
            except TypeError as error:
                raise ValueError(f"geometry {self.geometry}: {error}; it has {self._ways(own)}") from None
        has_number = any(own[name] for name in values)
        values = {name: value for name, value in cls.example.items() if not (has_number and own[name])} | values
        formula = f"g^-1(theta) = {cls.formula}" if cls.formula else f"of {self.geometry}"
        return cls(**values), f"{cls.name}: {formula}{_shown(values)}"

    def _ways(self, own: dict[str, bool]) -> str:
        """How to give the parameters."""
        if self.geometry in _CLASSES:
            return " or ".join(map(_flag, own))
        return " ".join(f"--parameter {name}=VALUE" for name in own)


def _assigned(texts: tuple[str, ...], own: dict[str, bool]) -> dict[str, Any]:
    """The values of texts NAME=VALUE: numbers, but for arguments of a class that are none."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name.isidentifier():
            raise ValueError(f"--parameter must be NAME=VALUE, such as a=3.0; got {text!r}")
        if name in values:
            raise ValueError(f"--parameter {name} is given twice")
        try:
            values[name] = float(value) if own.get(name, True) else int(value)
        except ValueError:
            if own.get(name, True):
                raise ValueError(f"--parameter {name} must be a number; got {value!r}") from None
            values[name] = value
    return values


def _shown(values: dict[str, Any]) -> str:
    return "".join(
        f", {name.replace('log_', 'ln ')} = {value if isinstance(value, str) else format(value, 'g')}"
        for name, value in values.items()
    )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
