"""The options that name a geometry."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

import hamtheory as ht

from ..geometry import AbstractGeometry

_WHICH = tyro.conf.create_mutex_group(required=False, title="geometry")
_PARAMETERS = {"gd": (), "ham": ("alpha", "log_alpha"), "mw": ("gamma", "log_gamma")}
_TEXT = {
    "gd": "gd: g^-1(theta) = 1",
    "ham": "ham: g^-1(theta) = 1 + alpha |theta|",
    "mw": "mw: g^-1(theta) = 2 sqrt(theta^2 + gamma^2)",
}


@dataclass(frozen=True)
class GeometryOptions:
    geometry: Annotated[Literal["gd", "ham", "mw"], _WHICH] = "ham"
    """Gradient descent, HAM (1 + alpha |theta|), or m*w (2 sqrt(theta^2 + gamma^2))."""
    inverse_metric: Annotated[str | None, _WHICH, tyro.conf.arg(metavar="FORMULA", help_behavior_hint="")] = None
    """Any other, by its formula: "1 + a*theta**2" """
    alpha: Annotated[float | None, tyro.conf.arg(metavar="A", help_behavior_hint="(default: 100)")] = None
    """Of ham."""
    log_alpha: Annotated[float | None, tyro.conf.arg(metavar="A", help_behavior_hint="")] = None
    """Its natural logarithm, instead."""
    gamma: Annotated[float | None, tyro.conf.arg(metavar="G", help_behavior_hint="(default: 0.001)")] = None
    """Of mw."""
    log_gamma: Annotated[float | None, tyro.conf.arg(metavar="G", help_behavior_hint="")] = None
    """Its natural logarithm, instead."""
    parameter: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(metavar="NAME=VALUE", help_behavior_hint="(repeatable)"),
    ] = ()
    """A parameter of the formula: a=3.0"""

    def build(self) -> tuple[AbstractGeometry, str]:
        """The geometry, and how to write it on one line."""
        values = {name: getattr(self, name) for name in ("alpha", "log_alpha", "gamma", "log_gamma")}
        values = {name: value for name, value in values.items() if value is not None}
        if self.inverse_metric is not None:
            if values:
                name = next(iter(values))
                raise ValueError(f"{_flag(name)} is no parameter of a formula; write --parameter {name}=VALUE")
            return _from_formula(self.inverse_metric, self.parameter)
        if self.parameter:
            raise ValueError("--parameter needs the --inverse-metric that it is a parameter of")
        own = _PARAMETERS[self.geometry]
        for name in values:
            if name not in own:
                fitting = next(kind for kind, names in _PARAMETERS.items() if name in names)
                raise ValueError(
                    f"{_flag(name)} is a parameter of --geometry {fitting}; the geometry is {self.geometry}, with "
                    f"{' or '.join(map(_flag, own)) or 'no parameter'}"
                )
        make, default = {
            "gd": (ht.Euclidean, {}),
            "ham": (ht.HAM, {"alpha": 100.0}),
            "mw": (ht.Hypentropy, {"gamma": 1e-3}),
        }[self.geometry]
        values = values or default
        shown = "".join(f", {name.replace('log_', 'ln ')} = {value:g}" for name, value in values.items())
        return make(**values), _TEXT[self.geometry] + shown


def _from_formula(formula: str, parameters: tuple[str, ...]) -> tuple[AbstractGeometry, str]:
    from .. import symbolic  # SymPy takes a second to import

    values = {}
    for text in parameters:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name.isidentifier():
            raise ValueError(f"--parameter must be NAME=VALUE, such as a=3.0; got {text!r}")
        if name in values:
            raise ValueError(f"--parameter {name} is given twice")
        try:
            values[name] = float(value)
        except ValueError:
            raise ValueError(f"--parameter {name} must be a number; got {value!r}") from None
    shown = "".join(f", {name} = {value:g}" for name, value in values.items())
    return symbolic.geometry(formula, **values), f"formula: g^-1(theta) = {formula}{shown}"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
