"""Every claim of a caption has its place in the ledger, or a test that holds it."""

import itertools

import numpy as np
import optax
import pytest

import hamtheory as ht
from experiments import ablations, discrete_bias, plane
from figures import NAMES
from figures._claim import caption_of, checks, claims_of, figures_of

THEOREMS, TESTS = ht.theorem.ledger(), checks()


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_rests_on_theorems_or_is_measured_and_has_a_test(name):
    assert claims_of(name) and not {"{", "}"} & set(caption_of(name))
    for claim in claims_of(name):
        assert claim.says in caption_of(name) and claim.before + claim.says + claim.after in caption_of(name)
        assert not claim.before[:1].isspace()
        if claim.is_measured(name):
            [key] = claim.ids
            assert key.count(".") == 1 and key not in THEOREMS and TESTS.get(key), f"no test holds {key}"
        else:
            assert set(claim.ids) <= set(THEOREMS) and len(set(claim.ids)) == len(claim.ids)


def test_ids_are_of_one_thing_alone_and_tests_hold_nothing_else():
    measured = [claim.ids[0] for name in NAMES for claim in claims_of(name) if claim.is_measured(name)]
    assert len(set(measured)) == len(measured)
    assert set(TESTS) <= {*measured, *THEOREMS}, "a test holds what no caption says"
    assert len(measured) > 100 and all(
        test.partition("::")[2].startswith("test_") for own in TESTS.values() for test in own
    )


def test_a_claim_in_its_sentence(monkeypatch):
    from figures import plane as figure

    monkeypatch.setattr(
        figure, "CAPTION", "{First.}(a.b) (a) One, {two of α}(plane.two) and three. Last et al. (b) {End}(a.c, a.d)."
    )
    claims_of.cache_clear()
    first, second, last = claims_of("plane")
    assert (first.before, first.after, first.ids) == ("", "", ("a.b",))
    assert (second.before, second.after, second.is_measured("plane")) == ("(a) One, ", " and three.", True)
    assert (last.before, last.after, last.ids, last.is_measured("plane")) == ("(b) ", ".", ("a.c", "a.d"), False)
    assert caption_of("plane") == "First. (a) One, two of α and three. Last et al. (b) End." and figures_of("a.d") == [
        "plane"
    ]
    claims_of.cache_clear()


# What captions say and no test of an experiment does.


@pytest.mark.claim("plane.ham-changes-the-sign", "plane.mw-keeps-the-sign")
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


@pytest.mark.claim("full_range.margins", "interpolation.real-data")
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


@pytest.mark.claim("duel.most-alike")
def test_the_metrics_are_most_alike_at_one_over_alpha():
    """The range of `(1 + |θ|)/2√(θ² + c²)`, with γ = c/α, is smallest for c = 1."""
    theta = np.concatenate([[0], np.geomspace(1e-8, 1e8, 20_001)])

    def spread(c):
        quotient = np.asarray(ht.HAM(1.0).inverse_metric(theta)) / np.asarray(ht.Hypentropy(c).inverse_metric(theta))
        return quotient.max() / quotient.min()

    assert spread(1.0) == pytest.approx(np.sqrt(2), rel=1e-6)
    assert all(spread(c) > 1.01 * np.sqrt(2) for c in (0.5, 0.9, 1.1, 2.0, 10.0))


@pytest.mark.claim("alpha_beta.larger-steps")
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


@pytest.mark.claim("scaling.l1-end")
def test_the_l1_end_at_a_finite_alpha():
    """What the limit at ln α = 30 has too much of the L1 norm: about exp(−30 m), with the margin m of F7."""
    for seed in range(5):
        problem = ht.sparse_regression(40, 100, 5, seed=seed)
        theta = np.asarray(ht.solve_limit(problem, ht.HAM(log_alpha=30.0)).theta)
        excess = np.abs(theta).sum() / np.abs(ht.basis_pursuit(problem)).sum() - 1
        rate = -np.log(excess) / 30
        assert 0 < excess < 1e-4 and rate == pytest.approx(ht.certify_basis_pursuit(problem).margin, rel=0.25)


@pytest.mark.claim("ablations.hyperbolic-alone")
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


@pytest.mark.claim("discrete_bias.either", "discrete_bias.error-of-hyp", "discrete_bias.not-by-discretisation")
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


@pytest.mark.claim("discrete_bias.one-curve")
@pytest.mark.slow
def test_both_families_are_on_one_curve(steps):
    """Excess of the flows' limits against their condition number: of HAM, and of m⊙w between its own."""
    excess, condition = (np.log(steps[name].median("problem")) for name in ("flow_excess", "flow_condition"))
    own, other = ((condition.sel(family=x).values, excess.sel(family=x).values) for x in ("HAM", "m*w"))
    inside = (own[0] >= other[0].min()) & (own[0] <= other[0].max())
    assert inside.any()
    np.testing.assert_allclose(np.interp(own[0][inside], *other), own[1][inside], atol=0.1)
