"""Every claim of a caption has its place in the ledger, and the ledger names the figures that make it."""

import ast
import itertools
from functools import cache
from pathlib import Path

import numpy as np
import optax
import pytest

import hamtheory as ht
from experiments import ablations, discrete_bias, plane
from figures import NAMES
from figures._claim import Claim, claims, measured

ROOT = Path(__file__).resolve().parents[2]
CLAIMS, THEOREMS = claims(), ht.theorem.ledger()
EACH = [(name, claim) for name, own in CLAIMS.items() for claim in own]


def caption(name):
    import importlib

    return importlib.import_module(f"figures.{name}").CAPTION


@cache
def functions(path):
    """The names of the tests in a file."""
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", NAMES)
def test_claims_are_pieces_of_the_caption_one_after_the_other(name):
    text, place = caption(name), 0
    assert CLAIMS[name]
    for claim in CLAIMS[name]:
        assert text.count(claim.says) == 1, claim.says
        assert text.index(claim.says) >= place, f"overlaps, or is not in order: {claim.says}"
        place = text.index(claim.says) + len(claim.says)


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_rests_on_theorems_or_has_an_id_of_its_own_and_tests(name):
    for claim in CLAIMS[name]:
        assert claim.theorems or claim.tests, claim.says
        assert bool(claim.theorems) != bool(claim.id), claim.says
        assert set(claim.theorems) <= set(THEOREMS) and len(set(claim.theorems)) == len(claim.theorems)
        assert claim.theorems or (claim.id.startswith(f"{name}.") and claim.id.count(".") == 1), claim.id


def test_ids_are_of_one_thing_alone():
    ids = [claim.id for _, claim in EACH if claim.id]
    assert len(set(ids)) == len(ids) and not set(ids) & set(THEOREMS)
    assert sorted(ids) == sorted(claim.id for own in measured(CLAIMS).values() for claim in own)


@pytest.mark.parametrize("key", THEOREMS)
def test_a_theorem_names_the_figures_that_claim_it(key):
    claimed = [name for name, own in CLAIMS.items() if any(key in claim.theorems for claim in own)]
    assert list(THEOREMS[key].figures) == claimed  # in the order of the index page


@pytest.mark.parametrize("name", NAMES)
def test_tests_that_claims_name_are_there(name):
    for claim in CLAIMS[name]:
        for test in claim.checks(name):
            path, _, function = test.partition("::")
            assert function.startswith("test_") and function in functions(ROOT / path), test


def test_where_tests_of_a_claim_are():
    claim = Claim("…", id="claims.one", tests=("test_one", "tests/figures/test_two.py::test_two"))
    expected = ("tests/experiments/test_sparse_training.py::test_one", "tests/figures/test_two.py::test_two")
    assert claim.checks("claims") == expected and claim.ids == ("claims.one",)
    assert Claim("…", ("a.b", "a.c")).ids == ("a.b", "a.c")


def test_a_claim_in_its_sentence():
    text = "First. (a) One, two of α and three. Last et al. (b) End."
    assert Claim("two of α").context(text) == ("(a) One, ", " and three.")
    assert Claim("First.").context(text) == ("", "") and Claim("End").context(text) == ("(b) ", ".")
    for name, claim in EACH:
        before, after = claim.context(caption(name))
        assert before + claim.says + after in caption(name) and not before[:1].isspace()


# What captions say and no test of an experiment does.


def test_in_the_plane_ham_crosses_an_axis_and_m_w_does_not():
    config = plane.Config(angles=9)
    lower_right = next(i for i, (x, y) in enumerate(config.starts) if x > 0 > y)
    start = np.array(config.starts[lower_right])
    problem = ht.LinearRegression([list(config.row)], [config.target])
    ends = {
        name: np.asarray(ht.solve_limit(problem, geometry, start).theta)
        for name, (geometry, _) in plane.geometries(config).items()
    }
    assert ends["m*w"][1] < 0 < ends["HAM"][1] < ends["GD"][1]
    for name in ("m*w", "HAM"):
        assert abs(ends[name][1]) < 0.1 * abs(ends[name][0]) and abs(ends[name][1]) < 0.2 * ends["GD"][1]


@pytest.mark.slow
def test_margins_of_real_data_and_of_more_spikes():
    """An excess of the L1 norm falls like α to the power of minus its margin."""
    few, many = (
        [ht.certify_basis_pursuit(ht.sparse_regression(40, 100, k, seed=seed)).margin for seed in range(10)]
        for k in (5, 12)
    )
    assert np.median(many) < np.median(few) / 2
    spectra = ht.certify_basis_pursuit(ht.datasets.load("fermentation")).margin
    assert 1e-3 < spectra < 1e-2 and spectra < min(few)
    assert ht.certify_basis_pursuit(ht.datasets.load("mnist")).margin < min(few)


def test_the_metrics_are_most_alike_at_one_over_alpha():
    """The range of `(1 + |θ|)/2√(θ² + c²)`, with γ = c/α, is smallest for c = 1."""
    theta = np.concatenate([[0], np.geomspace(1e-8, 1e8, 20_001)])

    def spread(c):
        quotient = np.asarray(ht.HAM(1.0).inverse_metric(theta)) / np.asarray(ht.Hypentropy(c).inverse_metric(theta))
        return quotient.max() / quotient.min()

    assert spread(1.0) == pytest.approx(np.sqrt(2), rel=1e-6)
    assert all(spread(c) > 1.01 * np.sqrt(2) for c in (0.5, 0.9, 1.1, 2.0, 10.0))


def test_ham_makes_larger_steps_the_larger_its_alpha():
    """In every weight, and in the direction of the optimizer's step."""
    theta, gradient = (np.random.default_rng(seed).standard_normal(50) for seed in range(2))
    moves = [-0.01 * gradient]
    for alpha in (0.0, 0.1, 1.0, 10.0):
        optimizer = ht.optim.ham(optax.sgd(0.01), alpha=alpha, beta=0.0, learning_rate=0.01, where=True)
        update, _ = optimizer.update(gradient, optimizer.init(theta), theta)
        moves.append(np.asarray(update))
    np.testing.assert_allclose(moves[1], moves[0], rtol=1e-5)
    for one, more in itertools.pairwise(moves[1:]):
        assert (np.sign(more) == np.sign(one)).all() and (abs(more) > abs(one)).all()


def test_the_l1_end_at_a_finite_alpha():
    """What the limit at ln α = 30 has too much of the L1 norm: about exp(−30 m), with the margin m of F7."""
    for seed in range(5):
        problem = ht.sparse_regression(40, 100, 5, seed=seed)
        theta = np.asarray(ht.solve_limit(problem, ht.HAM(log_alpha=30.0)).theta)
        excess = np.abs(theta).sum() / np.abs(ht.basis_pursuit(problem)).sum() - 1
        rate = -np.log(excess) / 30
        assert 0 < excess < 1e-4 and rate == pytest.approx(ht.certify_basis_pursuit(problem).margin, rel=0.25)


@pytest.mark.slow
def test_the_hyperbolic_step_alone_is_first_or_last():
    """Nearest to the truth from the right signs, and farthest from wrong ones."""
    data = ablations.run(ablations.Config.smoke())
    error = data["error"].where(data["status"] == 0).median("instance")
    right, wrong = error.sel(wrong=0), error.sel(wrong=slice(1, None))
    for rule in ("GD", "HAM"):
        assert right.sel(rule="hyperbolic") < 0.5 * right.sel(rule=rule)
        assert (wrong.sel(rule="hyperbolic") > 2 * wrong.sel(rule=rule)).all()


@pytest.fixture(scope="module")
def steps():
    return discrete_bias.run(discrete_bias.Config.smoke())


@pytest.mark.slow
def test_the_discretisation_of_ham(steps):
    """HYP* and HYP change the excess by a few percent; HYP down with small steps, up with large ones."""
    alpha = steps["alpha"].values[1]  # of the panels
    change = steps["change"].sel(alpha=alpha, rule=["HYP*", "HYP"]).median("problem")
    assert 1e-3 < abs(change).max() < 0.05
    either = change.sel(rule="HYP")
    assert either[0] < 0 < either[-1]
    error = (steps["remainder"] / steps["distance_theory"]).sel(alpha=alpha, rule="HYP").median("problem")
    turn = int(np.argmax(either.values > 0))
    assert abs(int(error.argmax("rate")) - turn) <= 1


@pytest.mark.slow
def test_both_families_are_on_one_curve(steps):
    """Excess of the flows' limits against their condition number: of HAM, and of m⊙w between its own."""
    excess, condition = (np.log(steps[name].median("problem")) for name in ("flow_excess", "flow_condition"))
    own, other = ((condition.sel(family=x).values, excess.sel(family=x).values) for x in ("HAM", "m*w"))
    inside = (own[0] >= other[0].min()) & (own[0] <= other[0].max())
    assert inside.any()
    np.testing.assert_allclose(np.interp(own[0][inside], *other), own[1][inside], atol=0.1)
