"""What an experiment is made of: the modules that it uses, and those that they use, by their sources alone.

A name that a package offers leads to the module that defines it, so that `ht.solve_limit` is all of `limit` that it
needs, and nothing of `flow`. Comments and docstrings do not count. What is imported by a name in a string is not seen.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
_PACKAGES = ("hamtheory", "experiments")
_KEEPER = ROOT / "experiments" / "store.py"  # where data lie is no part of them


def digest(name: str, what: str) -> str:
    """A hash of `what`, and of the code of the experiment `name` with all that it uses."""
    found = hashlib.sha256(what.encode())
    for file in sorted(closure(ROOT / "experiments" / f"{name}.py")):
        found.update(f"{file.relative_to(ROOT)}\n{code(file)}\n".encode())
    return found.hexdigest()


def closure(file: Path) -> set[Path]:
    """The file, and those of the packages that it uses, and so on."""
    found, waiting = {file}, [file]
    while waiting:
        new = used(waiting.pop()) - found - {_KEEPER}
        found |= new
        waiting += new
    return found


def code(file: Path) -> str:
    """The code of a file, without comments and docstrings."""
    return _code(_parsed(file))


@cache
def _code(source: bytes) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@cache
def used(file: Path) -> frozenset[Path]:
    """The files of the packages that a file uses itself."""
    nodes, aliases, found = list(ast.walk(_tree(file))), {}, set()
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                path = alias.name.split(".")
                if path[0] in _PACKAGES:
                    aliases[alias.asname or path[0]] = tuple(path if alias.asname else path[:1])
        elif isinstance(node, ast.ImportFrom):
            package = (*file.relative_to(ROOT).parts[:-1],)
            base = (*(package[: len(package) - node.level + 1] if node.level else ()), *(node.module or "").split("."))
            base = tuple(part for part in base if part)
            for alias in node.names if base[:1] and base[0] in _PACKAGES else ():
                if _package(*base, alias.name):
                    aliases[alias.asname or alias.name] = (*base, alias.name)
                else:
                    found |= _files(*base, alias.name)
    chains = {node.value: node for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in aliases:
            path, outer = list(aliases[node.id]), node
            while outer in chains:
                outer = chains[outer]
                path.append(outer.attr)
            found |= _files(*path)
    return frozenset(found)


def _files(*path: str) -> set[Path]:
    """The files that a dotted name stands for: of a module, of what defines it, or of a whole package."""
    for length in range(1, len(path) + 1):
        folder = ROOT.joinpath(*path[:length])
        if folder.with_suffix(".py").is_file():
            return {folder.with_suffix(".py")}
        if not _package(*path[:length]):
            return set()
        if length == len(path):
            return set(folder.glob("*.py"))
        if not _package(*path[: length + 1]) and not (folder / f"{path[length]}.py").is_file():
            return _defined(folder, path[length])
    return set()


def _defined(package: Path, name: str) -> set[Path]:
    """The files that define what a package offers under a name."""
    path = _offered(package).get(name)
    return {package / "__init__.py"} if path is None else _files(*package.relative_to(ROOT).parts, *path)


@cache
def _offered(package: Path) -> dict[str, tuple[str, ...]]:
    """Where from, within it, a package has what it offers: by its stub, if it has one, or itself."""
    stub, found = package / "__init__.pyi", {}
    for node in _tree(stub if stub.is_file() else package / "__init__.py").body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for alias in node.names:
                for name in (alias.name, alias.asname):
                    found.setdefault(
                        name, (*(node.module or "").split("."), alias.name) if node.module else (alias.name,)
                    )
    return found


def _package(*path: str) -> bool:
    return (ROOT.joinpath(*path) / "__init__.py").is_file()


@cache
def _parsed(file: Path) -> bytes:
    return file.read_bytes()


def _tree(file: Path) -> ast.Module:
    return ast.parse(_parsed(file))
