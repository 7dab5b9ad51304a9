"""The rules of the house, in its sources: who may import what."""

import ast
import functools
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {path.name for path in (ROOT / "hamtheory").iterdir() if (path / "__init__.py").exists()}


def room_of(module: str) -> str:
    """The room of a module: a package or a module of hamtheory, or the folder beside it."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == "hamtheory" and rest else top


@functools.cache
def imports():
    """Every import of something of hamtheory: the module that does, the module and the name that it imports."""
    return [found for found in _imports() if found[1].partition(".")[0] == "hamtheory"]


def _imports():
    for folder in ("hamtheory", "experiments", "figures", "docs"):
        for file in (ROOT / folder).rglob("*.py"):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            package = module if file.name == "__init__.py" else module.rpartition(".")[0]
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    up = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                    source = ".".join([*up, *([node.module] if node.module else [])])
                    yield from ((module, source, alias.name) for alias in node.names)
                elif isinstance(node, ast.Import):
                    yield from ((module, alias.name, "") for alias in node.names)


def test_the_imports_are_seen():
    assert ("hamtheory.limit._path", "hamtheory.problem", "RowSpace") in imports() and len(imports()) > 500
    assert {"geometry", "flow", "limit", "sweeps", "theorem"} <= ROOMS


def test_nobody_enters_a_private_room():
    """What another room has is what its `__init__` offers."""
    entered = [
        found
        for found in imports()
        if room_of(found[1]) in ROOMS
        and room_of(found[0]) != room_of(found[1])
        and any(part.startswith("_") for part in [*found[1].split(".")[2:], found[2]])
    ]
    assert entered == []


def test_rooms_do_not_import_in_circles():
    graph = defaultdict(set)
    for module, source, name in imports():
        here, there = room_of(module), room_of(source if source != "hamtheory" else f"hamtheory.{name}")
        if here != there and here in ROOMS and there in ROOMS:
            graph[here].add(there)
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"rooms import each other in a circle: {' <- '.join(error.args[1])}")
    assert order.index("geometry") < order.index("limit") < order.index("flow") < order.index("sweeps")
