"""The reference: every public name, by room, from its source and its docstring."""

import ast
import dataclasses
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from types import ModuleType
from typing import Any

from .markdown import Names, coloured, from_docstring, render

# In the order of the data: from a problem to what is stored.
ROOMS = {
    "problem": "Problems",
    "geometry": "Geometries",
    "symbolic": "Symbolic derivation",
    "flow": "Flows",
    "limit": "Limits",
    "algorithm": "Discrete algorithms",
    "optim": "Optimizers",
    "signs": "Signs",
    "neuron": "Neurons",
    "sweeps": "Sweeps",
    "train": "Training",
    "theorem": "Theorems",
    "metrics": "Metrics",
    "result": "Results",
}
WIDTH = 96


@dataclass(frozen=True)
class Name:
    """A public name: the object, what a user writes for it, and the room that lists it."""

    room: str
    written: str
    value: Any

    @property
    def address(self) -> str:
        return f"reference/{self.room}.html#{self.written}"

    @property
    def short(self) -> str:
        return self.written.removeprefix("ht.")


def _tree(module: ModuleType) -> ast.Module:
    """Of a package whose names are imported when they are asked for, that of its stub, which lists them."""
    stub = Path(inspect.getsourcefile(module) or "").with_suffix(".pyi")
    return ast.parse(stub.read_text(encoding="utf-8") if stub.is_file() else inspect.getsource(module))


def _offered(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module offers, in the order of its file: what it imports from inside, or defines, without underscore."""
    listed = getattr(module, "__all__", None)
    is_package = hasattr(module, "__path__")
    found: list[str] = []
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and is_package and node.level:
            found += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign) and is_package:
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
    for name in found:
        if not name.startswith("_") and (listed is None or name in listed):
            yield name, getattr(module, name)


@cache
def names() -> tuple[Name, ...]:
    """All public names, in data-flow order."""
    import hamtheory

    top = dir(hamtheory)
    found: list[Name] = []
    for room in ROOMS:
        if room == "result":
            continue
        module = importlib.import_module(f"hamtheory.{room}")
        for name, value in _offered(module):
            if isinstance(value, ModuleType):
                inner = f"ht.{name}" if name in top else f"ht.{room}.{name}"
                found += [Name(room, f"{inner}.{n}", v) for n, v in _offered(value)]
            else:
                at_top = name in top and getattr(hamtheory, name) is value
                found.append(Name(room, f"ht.{name}" if at_top else f"ht.{room}.{name}", value))
    found += [Name("result", f"ht.{name}", getattr(hamtheory, name)) for name in ("Result", "NAMES")]
    return tuple(found)


def addresses() -> dict[str, str]:
    """Where names are: as they are written, without `ht.`, and by their last part where only one ends in it."""
    found: dict[str, str] = {name.short: name.address for name in names()}
    last: dict[str, list[Name]] = {}
    for name in names():
        last.setdefault(name.short.rpartition(".")[2], []).append(name)
    for short, those in last.items():
        if len(those) == 1 and (len(short) > 5 or short[0].isupper()):  # `run`, `flow`, `ham` are words, too
            found.setdefault(short, those[0].address)
    return found


_DEFINITIONS: dict[int, ast.AST | None] = {}  # by the id of what lives as long as its module


def _definition(value: Any) -> ast.AST | None:
    """What the source says of a function or a class; None for anything else."""
    if id(value) not in _DEFINITIONS:
        try:
            source = textwrap.dedent(inspect.getsource(inspect.unwrap(value)))
            _DEFINITIONS[id(value)] = ast.parse(source).body[0]
        except (TypeError, OSError, SyntaxError):
            _DEFINITIONS[id(value)] = None
    return _DEFINITIONS[id(value)]


def _call(name: str, parts: list[str], returns: str = "") -> str:
    line = f"{name}({', '.join(parts)}){returns}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"


def _parameters(node: ast.FunctionDef, *, bound: bool) -> list[str]:
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    found = [_parameter(arg, default) for arg, default in zip(positional, defaults, strict=True)]
    if args.posonlyargs:
        found.insert(len(args.posonlyargs), "/")
    if args.vararg:
        found.append(f"*{_parameter(args.vararg, None)}")
    elif args.kwonlyargs:
        found.append("*")
    found += [_parameter(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    if args.kwarg:
        found.append(f"**{_parameter(args.kwarg, None)}")
    return found[1:] if bound else found


def _parameter(arg: ast.arg, default: ast.expr | None) -> str:
    typed = f"{arg.arg}: {_type(arg.annotation)}" if arg.annotation else arg.arg
    if default is None:
        return typed
    return f"{typed} = {ast.unparse(default)}" if arg.annotation else f"{typed}={ast.unparse(default)}"


def _type(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ast.unparse(node).replace("'", '"')


def _function(name: str, node: ast.FunctionDef, *, bound: bool = False) -> str:
    returns = f" -> {_type(node.returns)}" if node.returns else ""
    return _call(name, _parameters(node, bound=bound), returns)


def _class(name: str, kind: type, node: ast.ClassDef) -> str:
    """What a class is called with: its `__init__`, or its fields and those of the classes that it is made from."""
    found: dict[str, str] = {}
    for part in (cls for cls in kind.__mro__ if cls.__module__.startswith("hamtheory")):
        source = node if part is kind else _definition(part)
        if not isinstance(source, ast.ClassDef):
            continue
        for item in source.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                return _call(name, _parameters(item, bound=True))
        fields = {
            item.target.id: item
            for item in source.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        }
        found = {
            key: f"{key}: {_type(item.annotation)}" + (f" = {ast.unparse(item.value)}" if item.value else "")
            for key, item in fields.items()
            if "ClassVar" not in ast.unparse(item.annotation) and "init=False" not in ast.unparse(item)
        } | found
    if dataclasses.is_dataclass(kind):
        asked = [part.name for part in dataclasses.fields(kind) if part.init]
        found = {key: found[key] for key in asked if key in found}
    return _call(name, list(found.values())) if found else name


def signature(name: str, value: Any) -> str:
    """How it is written, as Python."""
    node = _definition(value)
    if isinstance(node, ast.FunctionDef):
        return _function(name, node)
    if isinstance(node, ast.ClassDef) and inspect.isclass(value):
        return f"class {_class(name, value, node)}"
    text = repr(value) if not isinstance(value, dict) else f"{{{', '.join(map(repr, value))}}}"
    return f"{name} = {text}" if len(text) < 400 else name


def doc(value: Any) -> str:
    """The docstring; of constants, none."""
    if not (inspect.isclass(value) or inspect.isroutine(inspect.unwrap(value)) or hasattr(value, "__wrapped__")):
        return ""
    return inspect.getdoc(value) or ""


def members(kind: type) -> list[tuple[str, str, str]]:
    """Public methods and properties that a class defines: name, signature, docstring (its own, or the one inherited).

    Those of a base class that is public itself are described there; a docstring that is Python's own is none.
    """
    public = {name.value for name in names() if inspect.isclass(name.value)}
    found: dict[str, tuple[str, str, str]] = {}
    for part in kind.__mro__:
        if not part.__module__.startswith("hamtheory") or (part is not kind and part in public):
            continue
        source = _definition(part)
        for item in source.body if isinstance(source, ast.ClassDef) else ():
            if not isinstance(item, ast.FunctionDef) or item.name.startswith("_") or item.name in found:
                continue
            member = inspect.getattr_static(kind, item.name)
            is_property = isinstance(member, property) or "property" in map(ast.unparse, item.decorator_list)
            static = isinstance(member, staticmethod)
            shown = (
                f"{item.name}: {_type(item.returns)}" if is_property and item.returns
                else item.name if is_property
                else _function(item.name, item, bound=not static)
            )  # fmt: skip
            found[item.name] = (item.name, shown, inspect.getdoc(getattr(kind, item.name, None)) or "")
    return list(found.values())


def bases(kind: type) -> list[Name]:
    """The public classes that a class is made from."""
    by_value = {id(name.value): name for name in names() if inspect.isclass(name.value)}
    return [by_value[id(part)] for part in kind.__mro__[1:] if id(part) in by_value]


def room_page(room: str, linked: Names) -> tuple[str, list[str]]:
    """The page of a room as HTML, and the `[keys]` in it that nothing is known of."""
    unknown: list[str] = []

    def text(markdown: str) -> str:
        found = render(from_docstring(markdown), linked)
        unknown.extend(found.unknown)
        return found.html

    those = [name for name in names() if name.room == room]
    module = sys.modules.get(f"hamtheory.{room}")
    intro = text(inspect.getdoc(module) or "") if module else "<p>How computations say what came out.</p>"
    submodules = _submodules(module) if module else []
    contents = "".join(
        f'<li><a href="#{name.written}"><code>{name.written}</code></a> {_line(name.value, linked)}</li>'
        for name in those
    )
    parts = [f"<h1>{ROOMS[room]}</h1>", intro, f'<ul class="names">{contents}</ul>']
    for name in those:
        parts.append(f'<section class="entry"><h2 id="{name.written}">{escape(name.written)}</h2>')
        parts.append(coloured(signature(name.written, name.value), "python"))
        parts.append(text(doc(name.value)))
        if inspect.isclass(name.value):
            inherited = bases(name.value)
            if inherited:
                links = ", ".join(f'<a href="../{b.address}"><code>{b.written}</code></a>' for b in inherited)
                parts.append(f'<p class="bases">A {links}: what is described there, it has too.</p>')
            rows = [_member(name, *member, text) for member in members(name.value)]
            parts.append(f'<dl class="members">{"".join(rows)}</dl>' if rows else "")
        parts.append("</section>")
    for module in submodules:
        title = f"About the module <code>{module.__name__}</code>"
        about = text(_shifted(module.__doc__ or ""))
        anchor = f"module-{module.__name__.rpartition('.')[2]}"
        parts.append(f'<section class="entry"><h2 id="{anchor}">{title}</h2>{about}</section>')
    return "\n".join(parts), unknown


def _submodules(module: ModuleType) -> list[ModuleType]:
    return [value for _, value in _offered(module) if isinstance(value, ModuleType)]


def _shifted(text: str) -> str:
    """The headings of a docstring below that of its entry."""
    lines = inspect.cleandoc(text).split("\n")
    found: list[str] = []
    for line in lines:
        if found and len(line) > 3 and set(line) <= {"-"}:
            found[-1] = f"### {found[-1]}"
        else:
            found.append(line)
    return "\n".join(found)


def _line(value: Any, linked: Names) -> str:
    first = doc(value).partition("\n\n")[0].replace("\n", " ")
    return render(first, linked, inline=True).html if first else ""


def _member(name: Name, member: str, shown: str, documented: str, text) -> str:
    anchor = f"{name.written}.{member}"
    return f'<dt id="{anchor}">{coloured(shown, "python")}</dt><dd>{text(documented)}</dd>'
