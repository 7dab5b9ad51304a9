"""Every entry of the ledger holds, and would not if it said something else."""

import inspect
import re

import pytest
import sympy as sp

import hamtheory as ht
from hamtheory.cli import main
from hamtheory.theorem import Step, Theorem, is_refuted, is_zero, ledger, verify
from hamtheory.theorem._verify import caught, refuted
from tests.slow import others_slow

LEDGER = ledger()
SEEDS = range(2)
# Of these `make test` looks at the statement alone: the rest takes long, of SymPy or of compiling.
LONG = {
    "ali.early-stopping", "base.cycle", "base.noise", "base.stability", "base.unit", "discrete.drift", "even.gain",
    "flow.exponential-rate", "flow.l1-end-from-start", "geometry.contracting", "geometry.mw-l1", "geometry.network",
    "ghai.hypentropy", "ham.comparison", "ham.crossings", "ham.decay-drift", "ham.decay-rate", "ham.exponentiated",
    "ham.hyp-star", "ham.ito-drift", "ham.neuron", "ham.transience", "margin.one-sample", "never.decay",
    "pesme.effective-gamma", "random.state-evolution", "woodworth.theorem-1", "woodworth.theorem-2", "wu.exponentiated",
}  # fmt: skip
PROVED = [id for id, theorem in LEDGER.items() if theorem.prove is not None]


def test_the_first_entry_holds():
    [verdict] = verify(["geometry.ham"], seeds=1, mutations=True, progress=False)
    assert verdict.holds and verdict.label == "proved"
    assert verdict.caught == verdict.refuted == verdict.mutations == 1


@pytest.mark.parametrize("id", [id for id in LEDGER if id not in LONG])
def test_an_entry_holds_on_an_instance(id):
    [verdict] = verify([id], seeds=1, progress=False)
    assert verdict.failed_step is None
    assert verdict.error <= verdict.tolerance < verdict.error_without


@pytest.mark.parametrize("id", sorted(LONG))
def test_a_long_statement_holds_on_an_instance(id):
    assert LEDGER[id].error(0) <= LEDGER[id].tolerance


@pytest.mark.slow
@pytest.mark.parametrize("id", LEDGER)
def test_an_entry_holds_and_its_mutations_are_caught(id):
    theorem = LEDGER[id]
    [verdict] = verify([id], seeds=len(SEEDS), mutations=True, progress=False)
    assert verdict.failed_step is None
    assert verdict.error <= theorem.tolerance < verdict.error_without
    assert verdict.escaped == ()


@pytest.mark.parametrize("id", others_slow(PROVED, *PROVED[::8]))
def test_numbers_refute_the_proof_of_a_false_statement_and_no_step_of_a_true_one(id):
    theorem = LEDGER[id]
    assert any(refuted(theorem, name) for name in theorem.mutations)
    assert [step.says for step in theorem.steps() if is_refuted(step.zero)] == []


def names_the_library(function, seen):
    """Whether a function of the ledger names `ht`, or calls one that does."""
    function = inspect.unwrap(function)
    codes = [function.__code__]
    for code in codes:
        codes += [part for part in code.co_consts if inspect.iscode(part)]
    values = [function.__globals__.get(name) for code in codes for name in code.co_names]
    inner = [f for f in values if inspect.isfunction(f) and f.__module__.startswith("hamtheory.theorem")]
    inner = [f for f in inner if f not in seen]
    return any(value is ht for value in values) or any(names_the_library(f, {*seen, *inner}) for f in inner)


# Of parametrisations that the library does not compute.
BEYOND_THE_LIBRARY = {"li.necessity"}


@pytest.mark.parametrize("id", sorted({*LEDGER} - BEYOND_THE_LIBRARY))
def test_a_check_calls_the_library(id):
    assert names_the_library(LEDGER[id].check, set())


@pytest.mark.parametrize("id", LEDGER)
def test_an_entry_says_what_it_is(id):
    theorem = LEDGER[id]
    assert theorem.id == id and theorem.title and theorem.statement and theorem.hypotheses and theorem.why
    for function in (theorem.check, theorem.violate, theorem.prove):
        if function is not None:
            names = [name for name in inspect.signature(function).parameters if name != "rng"]
            assert names == list(theorem.constants)
    with open("references.bib", encoding="utf-8") as file:
        keys = re.findall(r"^@\w+\{(\w+),", file.read(), re.MULTILINE)
    assert re.split("[,;]", theorem.source)[0] in ["own", *keys]
    assert set(re.findall(r"\b[a-z]+\d{4}[a-z0-9]+", theorem.source)) <= set(keys)


def example(**changes):
    how = {
        "id": "test.example",
        "title": "t",
        "source": "own",
        "statement": "s",
        "hypotheses": "h",
        "constants": {"two": 2.0},
        "check": lambda rng, two: abs(two - 2.0),
        "tolerance": 1e-12,
        "why": "w",
        "violate": lambda rng, two: 1.0,
        "violated": "v",
        "mutations": {"three": {"two": 3.0}},
    }
    return Theorem(**(how | changes))


def test_labels():
    proof = {"prove": lambda two: []}
    entries = [example(), example(**proof), example(**proof, special="n = 2")]
    assert [e.label for e in entries] == ["checked numerically", "proved", "proved in a special case"]


def test_who_says_it():
    assert [example(source=source).as_published for source in ("own", "own; as x", "x, 1", "x, 1; the rate: own")] == [
        "own", "own", "yes", "in part",
    ]  # fmt: skip
    other = {"published": "p", "correction": "c", "mutations": {"as published": {"two": 1.0}}}
    assert example(**other).as_published == "false" and example(**other, is_erratum=True).as_published == "erratum"


def test_what_is_caught():
    assert caught(example(), "three", SEEDS)
    assert not caught(example(check=lambda rng, two: 0.0), "three", SEEDS)
    assert example(check=lambda rng, two: float("nan")).error(0) == float("inf")  # never passes unseen


@pytest.mark.parametrize("where", ["check", "violate", "prove"])
def test_an_entry_that_raises_fails_and_the_next_is_looked_at(monkeypatch, capsys, where):
    def raises(*_, **__):
        raise ZeroDivisionError("by nothing")

    entries = [example(id="test.raises", **{where: raises}), example(id="test.next")]
    monkeypatch.setattr("hamtheory.theorem._ledger.ledger", lambda: {entry.id: entry for entry in entries})
    first, second = verify(progress=False, mutations=True)
    assert not first.holds and first.failed_step == "raised ZeroDivisionError: by nothing" and first.caught == 0
    assert second.holds and second.caught == second.mutations
    assert main(["verify", "--quiet"]) == 1
    assert "error: test.raises: it raised ZeroDivisionError: by nothing" in capsys.readouterr().err


def test_what_does_not_simplify_is_not_refuted():
    x, t = sp.symbols("x t", positive=True)
    f = sp.Function("f")
    hidden = sp.atan(x) + sp.atan(1 / x) - sp.pi / 2  # 0 for every x > 0, which no rule sees
    assert not is_zero(hidden) and not is_refuted(hidden) and is_refuted(hidden + x / 100)
    assert not is_refuted(sp.Integral(t**t, t)) and not is_refuted(sp.oo * x)  # no numbers
    assert is_refuted(f(x).diff(x) - f(x)) and not is_refuted((f(x) ** 2).diff(x) - 2 * f(x) * f(x).diff(x))

    # a proof that fails for its false version because nothing simplifies is none
    undecided = example(prove=lambda two: [Step("so it is", hidden if two == 3 else sp.Integer(0))])
    assert not all(is_zero(step.zero) for step in undecided.steps("three")) and not refuted(undecided, "three")


def test_an_entry_whose_proof_no_number_refutes_does_not_hold(monkeypatch, capsys):
    entry = example(prove=lambda two: [])
    monkeypatch.setattr("hamtheory.theorem._ledger.ledger", lambda: {entry.id: entry})
    [verdict] = verify(progress=False, mutations=True)
    assert verdict.caught == verdict.mutations and verdict.refuted == 0 and not verdict.holds
    assert main(["verify", "--quiet", "--mutations"]) == 1
    assert "no number refutes" in capsys.readouterr().err


def test_the_command_says_how_each_is_known_and_counts_it(monkeypatch, capsys):
    proof = {"prove": lambda two: [Step("zero", sp.Integer(int(two) - 2))]}
    erratum = {"published": "p", "correction": "c", "mutations": {"as published": {"two": 1.0}}, "is_erratum": True}
    entries = [
        example(id="test.proved", **proof),
        example(id="test.special", **proof, special="n = 2"),
        example(id="test.checked", **erratum),
    ]
    monkeypatch.setattr("hamtheory.theorem._ledger.ledger", lambda: {entry.id: entry for entry in entries})
    assert main(["verify", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"test\.proved .*holds, proved\n", said)
    assert re.search(r"test\.special .*holds, proved in a special case: n = 2\n", said)
    assert re.search(r"test\.checked .*holds, checked numerically; the source has an erratum\n", said)
    assert "3 of 3 hold: 1 proved, 1 proved in a special case, 1 checked numerically; 1 correct an erratum, 0" in said


def test_zero_is_found_by_rules_alone():
    x = sp.symbols("x", positive=True)
    assert is_zero(sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1) and is_zero(sp.log(x**2) - 2 * sp.log(x))
    assert not is_zero(sp.Float(1e-30) * x) and not is_zero(x)
    assert Step("trivial", sp.Integer(0)).zero == 0


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"mutations": {}}, "mutations of test.example must hold one at least"),
        ({"mutations": {"m": {"three": 1.0}}}, "must change some of two"),
        ({"special": "n = 2"}, "special of test.example is the case that its proof is about"),
        ({"published": "p"}, "go together"),
        ({"is_erratum": True}, "is_erratum of test.example is about what was published"),
        ({"published": "p", "correction": "c"}, "must hold 'as published'"),
    ],
)
def test_bad_entries(changes, message):
    with pytest.raises(ValueError, match=message):
        example(**changes)


def test_unknown_ids():
    with pytest.raises(ValueError, match="there is no 'nothing'; topics: geometry"):
        ht.theorem.verify(["nothing"])
