"""Every entry of the ledger holds, and would not if it said something else."""

import inspect

import pytest

import hamtheory as ht
from hamtheory.cli import main
from hamtheory.theorem import Step, Theorem, is_zero, ledger, verify
from hamtheory.theorem._verify import caught

LEDGER = ledger()
SEEDS = range(2)


def test_the_first_entry_holds():
    [verdict] = verify(["geometry.ham"], seeds=1, mutations=True, progress=False)
    assert verdict.holds and verdict.proof == "proved" and verdict.caught == verdict.mutations == 1


@pytest.mark.slow
@pytest.mark.parametrize("id", LEDGER)
def test_an_entry_holds_and_its_mutations_are_caught(id):
    theorem = LEDGER[id]
    [verdict] = verify([id], seeds=len(SEEDS), mutations=True, progress=False)
    assert verdict.failed_step is None
    assert verdict.error <= theorem.tolerance < verdict.error_without
    assert verdict.escaped == ()


@pytest.mark.slow
@pytest.mark.parametrize("id", [id for id, theorem in LEDGER.items() if theorem.prove is not None])
def test_a_proof_fails_for_a_false_statement(id):
    theorem = LEDGER[id]
    assert any(not all(is_zero(step.zero) for step in theorem.steps(name)) for name in theorem.mutations)


@pytest.mark.parametrize("id", LEDGER)
def test_an_entry_says_what_it_is(id):
    theorem = LEDGER[id]
    assert theorem.id == id and theorem.title and theorem.statement and theorem.hypotheses and theorem.why
    for function in (theorem.check, theorem.violate, theorem.prove):
        if function is not None:
            names = [name for name in inspect.signature(function).parameters if name != "rng"]
            assert names == list(theorem.constants)
    key = theorem.source.partition(",")[0]
    with open("references.bib", encoding="utf-8") as file:
        assert key == "own" or f"{{{key}," in file.read()


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


def test_zero_is_found_by_rules_alone():
    import sympy as sp

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
        ({"published": "p", "correction": "c"}, "must hold 'as published'"),
    ],
)
def test_bad_entries(changes, message):
    with pytest.raises(ValueError, match=message):
        example(**changes)


def test_unknown_ids():
    with pytest.raises(ValueError, match="there is no 'nothing'; topics: geometry"):
        ht.theorem.verify(["nothing"])
