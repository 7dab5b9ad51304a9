"""Every public name says what it is, and shows an example that runs: pytest runs all of them."""

import importlib
import inspect

import pytest

pytest.importorskip("mkdocs_bibtex", reason="the extra `docs` is not installed: make docs")

from docs import hooks

# The only names without a docstring of their own: Python gives constants none. Texts of their rooms name them.
PLAIN = {"ht.symbolic.EUCLIDEAN", "ht.symbolic.HAM", "ht.symbolic.HYPENTROPY", "ht.flow.SOLVERS", "ht.train.METHODS",
         "ht.NAMES", "ht.sweeps.FLIPS", "ht.sweeps.MEASURED",
         "ht.problem.SUFFIXES", "ht.problem.TABLES", "ht.problem.TEXT"}  # fmt: skip

# Names without an example of their own: interfaces; what functions return, whose examples show it; executors, of which
# those of `sweep` show the first, and the others take a script or a cluster; and `register`, which is for good.
WITHOUT_EXAMPLE = {
    "ht.datasets.ClassSplit",
    "ht.datasets.Split", "ht.problem.RowSpace",
    "ht.problem.Separability", "ht.problem.Table",
    "ht.MarginResult", "ht.ClassificationFlow", "ht.geometry.AbstractExponentialGeometry",
    "ht.symbolic.Derivation", "ht.asymptotics.Prediction", "ht.asymptotics.Best",
    "ht.asymptotics.FlowPrediction",
    "ht.symbolic.SymbolicGeometry", "ht.symbolic.Limits", "ht.symbolic.NeuronInvariant", "ht.symbolic.FirstPassage",
    "ht.FlowResult", "ht.ProductFlowResult", "ht.SteepestFlowResult", "ht.StochasticFlowResult", "ht.BasisPursuit",
    "ht.ExactThreshold", "ht.algorithm.BaseState",
    "ht.LimitPath", "ht.RegularizationPath", "ht.LimitResult", "ht.RunResult",
    "ht.algorithm.ProductState", "ht.optim.HamState", "ht.signs.Flips", "ht.signs.CountedState", "ht.signs.FlipState",
    "ht.signs.FlipEvents", "ht.neuron.NeuronFlow", "ht.neuron.StudentFlow", "ht.sweeps.DaskExecutor",
    "ht.sweeps.Executor", "ht.sweeps.SerialExecutor", "ht.sweeps.Batch", "ht.sweeps.Ends", "ht.sweeps.Declaration",
    "ht.sweeps.Quantity", "ht.sweeps.flips_of", "ht.sweeps.measured_of",
    "ht.sweeps.register", "ht.sweeps.Damage", "ht.train.Images",
    "ht.train.AbstractMethod", "ht.train.Product",
    "ht.train.Thresholded", "ht.train.TrainResult", "ht.train.Interval", "ht.train.Paired", "ht.theorem.Step",
    "ht.theorem.Verdict", "ht.metrics.Certificate", "ht.reproduce.Reproduced", "ht.reproduce.Verdict",
}  # fmt: skip


def value_of(name):
    module, _, last = name.path.rpartition(".")
    return getattr(importlib.import_module(module), last)


NAMES = {name.written: value_of(name) for room in hooks.ROOMS for name in hooks.names(room)}
DOCS = {key: inspect.getdoc(value) or "" for key, value in NAMES.items() if key not in PLAIN}


def test_every_name_has_a_docstring():
    assert not [key for key, doc in DOCS.items() if not doc or doc.startswith(f"{key.rpartition('.')[2]}(")]


def test_every_function_and_class_that_users_call_has_an_example():
    assert not [key for key, doc in DOCS.items() if key not in WITHOUT_EXAMPLE and ">>>" not in doc]


def test_every_exemption_is_needed():
    assert set(NAMES) >= PLAIN and set(DOCS) >= WITHOUT_EXAMPLE
    assert not [key for key in WITHOUT_EXAMPLE if ">>>" in DOCS[key]]


def functions():
    yield from ((key, value) for key, value in NAMES.items() if inspect.isfunction(value))
    for key, value in NAMES.items():
        if inspect.isclass(value):
            yield from ((f"{key}.{n}", f) for n, f in vars(value).items() if n[0] != "_" and inspect.isfunction(f))


def test_a_function_says_what_it_takes_and_returns():
    for key, function in functions():
        doc, signature = inspect.getdoc(function) or "", inspect.signature(function)
        assert not [name for name in signature.parameters if name != "self" and f"{name}:" not in doc], key
        nothing = signature.return_annotation in (None, inspect.Signature.empty)
        assert nothing or "Returns:" in doc or "Yields:" in doc, key
