"""Every public name says what it is: its shapes, its errors, its source, its members, and an example that runs."""

import ast
import builtins
import dataclasses
import importlib
import inspect
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("markdown_it", reason="the extra `docs` is not installed: make docs")
pytest.importorskip("latex2mathml", reason="the extra `docs` is not installed: make docs")

from docs import bibliography, markdown, reference, site

PACKAGE = site.ROOT / "hamtheory"
NAMES = {name.written: name for name in reference.names()}
CLASSES = {key: name.value for key, name in NAMES.items() if inspect.isclass(name.value)}
FUNCTIONS = {key: name.value for key, name in NAMES.items() if key not in CLASSES and reference.doc(name.value)}
CONSTANTS = {key: name.value for key, name in NAMES.items() if key not in CLASSES and key not in FUNCTIONS}
DESCRIBED = {**CLASSES, **FUNCTIONS}

# The only names without a docstring of their own: Python gives constants none. Texts of their rooms name them.
PLAIN = {"ht.symbolic.EUCLIDEAN", "ht.symbolic.HAM", "ht.symbolic.HYPENTROPY", "ht.flow.SOLVERS", "ht.train.METHODS",
         "ht.NAMES"}  # fmt: skip

# Names without an example of their own: interfaces; what functions return, whose examples show it; executors, of which
# those of `sweep` show the first, and the others take a script or a cluster; and `register`, which is for good.
WITHOUT_EXAMPLE = {
    "ht.datasets.Split", "ht.problem.RowSpace", "ht.geometry.AbstractExponentialGeometry",
    "ht.symbolic.Derivation",
    "ht.symbolic.SymbolicGeometry", "ht.symbolic.Limits", "ht.symbolic.NeuronInvariant", "ht.symbolic.FirstPassage",
    "ht.FlowResult", "ht.ProductFlowResult", "ht.StochasticFlowResult", "ht.BasisPursuit",
    "ht.LimitPath", "ht.RegularizationPath", "ht.LimitResult", "ht.RunResult",
    "ht.algorithm.ProductState", "ht.optim.HamState", "ht.signs.Flips", "ht.signs.CountedState", "ht.signs.FlipState",
    "ht.signs.FlipEvents", "ht.neuron.NeuronFlow", "ht.neuron.StudentFlow", "ht.sweeps.DaskExecutor",
    "ht.sweeps.Executor", "ht.sweeps.SerialExecutor", "ht.sweeps.Batch", "ht.sweeps.Ends", "ht.sweeps.Declaration",
    "ht.sweeps.Quantity", "ht.sweeps.register", "ht.sweeps.Damage", "ht.train.Images",
    "ht.train.AbstractMethod", "ht.train.Product",
    "ht.train.Thresholded", "ht.train.TrainResult", "ht.train.Interval", "ht.train.Paired", "ht.theorem.Step",
    "ht.theorem.Verdict", "ht.metrics.Certificate",
}  # fmt: skip

# Annotations that say no shape, unless they are in a jaxtyping annotation, `Float[Array, "n d"]`.
BARE = ("Array", "ArrayLike", "ndarray")
_DIM = (
    r"(?:\.\.\.|n|d|m|p|r|k|times|points|paths|instances|saves|seeds|epochs|layers|images|rows|columns|batch|classes|count|"
    r"length|events|problems)"
)
SHAPE = re.compile(
    rf"\({_DIM}(,( {_DIM})*)+\)|\(\.\.\.\)|\b(one|any|that|the|same|common) shape\b|\b[Ee]lementwise\b|\b[Ss]calars?\b"
)
ERROR = re.compile(r"`(\w+Error)`")
REFERRED = re.compile(r"as (of |for |in )?`[\w.]+`|as (of )?all methods")  # to the text of another name
OWN = re.compile(r"own\b|Student's t\b|the binomial variance\b")


def section(text, name):
    """What stands in a docstring in a section, `Errors: ...`, or None."""
    found = re.search(rf"^{name}:(?=\s)(.*?)(?=^\S|\n\s*\n|\Z)", text, re.M | re.S)
    return found and found[1].strip()


def lines(faults):
    return f"{len(faults)}:\n" + "\n".join(faults)


def is_error(name):
    return isinstance(getattr(builtins, name, None), type) and issubclass(getattr(builtins, name), Exception)


def doc(key):
    return reference.doc(DESCRIBED[key])


def hamtheory_bases(kind):
    return [part for part in kind.__mro__ if part.__module__.startswith("hamtheory")]


# What can raise, by the source: a function that has a `raise`, or calls one of the package that can.


@cache
def module_of(path):
    """The functions, the classes and the imports from inside of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    imports = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            base = folder.joinpath(*(node.module or "").split(".")) if node.module else folder
            for alias in node.names:
                imports[alias.asname or alias.name] = (base, alias.name)
    return functions, classes, imports


def resolved(path, name):
    """The file and the definition of a function that a file calls by this name, if it is one of the package."""
    functions, _, imports = module_of(path)
    if name in functions:
        return path, functions[name]
    if name not in imports:
        return None
    base, original = imports[name]
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file() and file != path:
            return resolved(file, original)
    return None


def can_raise(path, node, kind=None, *, depth=20, seen=frozenset()):
    """Whether a definition has a `raise`, itself or in what it calls; `kind`: the class that it is a method of."""
    if (path, node) in seen:
        return False
    seen |= {(path, node)}
    for part in ast.walk(node):
        if isinstance(part, ast.Raise) and "NotImplementedError" not in ast.unparse(part):
            return True
        if not isinstance(part, ast.Call) or depth == 0:
            continue
        called, found = part.func, None
        if isinstance(called, ast.Name):
            found = resolved(path, called.id)
        elif isinstance(called, ast.Attribute) and ast.unparse(called.value) == "self" and kind is not None:
            own = [item for item in kind.body if isinstance(item, ast.FunctionDef) and item.name == called.attr]
            found = (path, own[0]) if own else None
        if found and can_raise(*found, kind if found[0] == path else None, depth=depth - 1, seen=seen):
            return True
    return False


def source_of(value):
    """The file and the definition of a public function or class."""
    unwrapped = value if inspect.isclass(value) else inspect.unwrap(value)
    path = Path(inspect.getsourcefile(unwrapped))
    functions, classes, _ = module_of(path)
    return path, (classes if inspect.isclass(value) else functions)[unwrapped.__name__]


def methods(kind):
    """The public methods and properties that a class defines itself: file, class, definition."""
    path, node = source_of(kind)
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            yield path, node, item


def construction_raises(kind):
    for part in hamtheory_bases(kind):
        path, node = source_of(part)
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name in ("__init__", "__post_init__"):
                if can_raise(path, item, node):
                    return True
                if item.name == "__init__":
                    return False
    return False


def bare_arrays(node):
    """The arguments, fields or results of a definition that are annotated as arrays without a shape."""
    annotated = []
    if isinstance(node, ast.FunctionDef):
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        annotated += [(arg.arg, arg.annotation) for arg in arguments]
        annotated.append(("return", node.returns))
    else:
        annotated += [
            (ast.unparse(item.target), item.annotation) for item in node.body if isinstance(item, ast.AnnAssign)
        ]
    found = []
    for name, annotation in annotated:
        if annotation is None:
            continue
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.parse(annotation.value, mode="eval").body
        text = ast.unparse(annotation)
        text = re.sub(r"\b(Float|Int|Bool|Real|UInt|Shaped|Key|PyTree)\[[^\[\]]*\]", "", text)
        if re.search(rf"\b({'|'.join(BARE)})\b", text):
            found.append(name)
    return found


def texts_of(kind):
    """The public methods and properties that a class defines itself, with their docstrings: file, class, definition."""
    for path, node, item in methods(kind):
        yield path, node, item, inspect.getdoc(getattr(kind, item.name)) or ""


def test_every_name_has_a_docstring():
    faults = [key for key in NAMES if key not in PLAIN and not reference.doc(NAMES[key].value).partition("\n\n")[0]]
    faults += [key for key in DESCRIBED if doc(key).startswith(f"{key.rpartition('.')[2]}(")]  # that of Python
    assert not faults, lines(faults)


def test_constants_are_named_in_a_text_of_their_room():
    faults = []
    for key in CONSTANTS:
        room, last = NAMES[key].room, key.rpartition(".")[2]
        texts = [doc(other) for other in DESCRIBED if NAMES[other].room == room]
        if room != "result":
            texts.append(importlib.import_module(f"hamtheory.{room}").__doc__ or "")
        if not any(re.search(rf"`(\w+\.)*{last}`", text) for text in texts):
            faults.append(key)
    assert not faults, lines(faults)


def test_arrays_have_shapes():
    faults = []
    for key, value in DESCRIBED.items():
        entries = [(key, source_of(value)[1], doc(key))]
        if key in CLASSES:
            entries += [(f"{key}.{item.name}", item, text) for _, _, item, text in texts_of(value)]
        faults += [
            f"{name}: {', '.join(bare)}" for name, node, text in entries
            if (bare := bare_arrays(node)) and not SHAPE.search(text)
        ]  # fmt: skip
    assert not faults, lines(faults)


def test_errors_are_listed():
    faults = []
    for key, value in DESCRIBED.items():
        raises = construction_raises(value) if key in CLASSES else can_raise(*source_of(value))
        errors = section(doc(key), "Errors")
        if raises and errors is None:
            faults.append(f"{key} can raise, and has no `Errors:`")
        if errors is not None and not (ERROR.search(errors) or REFERRED.match(errors)):
            faults.append(f"{key} names no error: {errors!r}")
        faults += [f"{key}: no error {name}" for name in ERROR.findall(errors or "") if not is_error(name)]
    assert not faults, lines(faults)


def test_errors_of_methods_are_listed():
    """Of those with a `raise` of their own, or in a function that they call, without what these call in turn."""
    faults = [
        f"{key}.{item.name}" for key, kind in CLASSES.items() for path, node, item, text in texts_of(kind)
        if can_raise(path, item, node, depth=1)
        and not (ERROR.search(text) or REFERRED.match(section(text, "Errors") or ""))
    ]  # fmt: skip
    assert not faults, lines(faults)


def test_every_name_has_a_source():
    known, faults = set(bibliography.read(site.ROOT / "references.bib")), []
    for key in DESCRIBED:
        text = section(doc(key), "Source")
        keys = set(re.findall(r"\[([a-z]+\d{4}[a-z]*)\]", text or ""))
        if not text or not keys <= known or not (keys or REFERRED.match(text) or OWN.match(text)):
            faults.append(f"{key}: {text!r}")
    assert not faults, lines(faults)


def test_members_are_described():
    faults = []
    for key, kind in CLASSES.items():
        faults += [f"{key}.{name} has no docstring" for name, _, text in reference.members(kind) if not text]
        fields = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
        fields += list(getattr(kind, "_fields", ()))
        public = [part for part in hamtheory_bases(kind) if part in CLASSES.values()]
        texts = "\n".join(inspect.getdoc(part) or "" for part in public)
        faults += [
            f"{key}: the field {name}" for name in fields
            if not name.startswith("_") and not re.search(rf"`{name}\b", texts)
        ]  # fmt: skip
    assert not faults, lines(faults)


def test_every_function_and_class_that_users_call_has_an_example():
    faults = [key for key in DESCRIBED if key not in WITHOUT_EXAMPLE and ">>>" not in doc(key)]
    assert not faults, lines(faults)


def test_sections_go_on_indented():
    """A line at the margin would be a paragraph of its own on the page."""
    begins = re.compile(rf"({'|'.join(markdown.SECTIONS)})(?: of [^:]*)?:(\s+\S)?")
    texts = {key: doc(key) for key in DESCRIBED}
    texts |= {f"{key}.{item.name}": text for key, kind in CLASSES.items() for _, _, item, text in texts_of(kind)}
    faults = []
    for key, text in texts.items():
        for line, after in pairwise(text.split("\n")):
            section = begins.match(line)
            if section and section[2] and re.match(r"[^\s`]|`[^`]", after) and not begins.match(after):
                faults.append(f"{key}: {after}")
    assert not faults, lines(faults)


def test_every_exemption_is_needed():
    assert set(CONSTANTS) == PLAIN
    assert set(DESCRIBED) >= WITHOUT_EXAMPLE
    assert not [key for key in WITHOUT_EXAMPLE if ">>>" in doc(key)]


def test_what_can_raise_is_found():
    path = PACKAGE / "problem" / "_synthetic.py"
    functions, _, _ = module_of(path)
    assert can_raise(path, functions["sparse_regression"])
    assert not can_raise(path, functions["draw"])
    path = PACKAGE / "limit" / "_solve.py"
    assert can_raise(path, module_of(path)[0]["min_norm"]), "by a check that it imports"


def test_arrays_without_a_shape_are_found():
    node = ast.parse(
        "def f(a: Float[Array, 'n d'] | None, b: np.ndarray, c: dict[str, Array], d: int) -> Array: 0"
    ).body[0]
    assert bare_arrays(node) == ["b", "c", "return"]
