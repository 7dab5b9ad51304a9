"""F39: HAM around gradient descent, signs and Adam."""

import jax
import numpy as np
import pytest

import hamtheory as ht
from experiments import bases

from .scales import every_scale

pytestmark = pytest.mark.slow  # a compilation for every base

CONFIG = bases.Config.smoke()


@pytest.fixture(scope="module")
def small():
    return bases.run(CONFIG)


data = every_scale(bases, "bases", small="small")


def middle(data, name, **where):
    return data[name].sel(**where).median("noisy" if name.startswith("noisy") else "problem").values


def test_every_case_arrives(data):
    assert (data["status"] == ht.Result.converged).all() and (data["unit_status"] == ht.Result.converged).all()
    assert np.isin(data["noisy_status"], [ht.Result.reached_end]).all()
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


def test_a_run_among_many_is_a_run_of_the_rule(small):
    """The one of the smallest η that arrives, taken again by itself; a base that remembers among them."""
    one, least = bases.problems_of(CONFIG)[0], np.abs(ht.basis_pursuit(bases.problems_of(CONFIG)[0])).sum()
    for name in ("sign", "Adam"):
        for rate in np.geomspace(*CONFIG.rates):
            end = ht.run(
                one,
                ht.HAMStep(CONFIG.alphas[1], base=bases.BASES[name]),
                learning_rate=lambda step, rate=rate: rate * (1 - step / CONFIG.steps),
                steps=CONFIG.steps,
                save_every=CONFIG.steps,
                throw=False,
                progress=False,
            )
            if end.residual <= CONFIG.tol:
                break
        found = float(small["excess"].sel(base=name)[1, 0])
        assert np.abs(end.theta).sum() / least - 1 == pytest.approx(found, rel=1e-6, abs=1e-8)


def test_the_noise_of_every_entry_of_the_gradient_is_sigma():
    one = bases.problems_of(CONFIG)[0]
    noise = np.sqrt(CONFIG.n) * np.asarray(jax.random.normal(jax.random.key(0), (20_000, CONFIG.n)))
    np.testing.assert_allclose(np.std(noise @ one.X / CONFIG.n, axis=0), 1, rtol=0.03)


@pytest.mark.claim("bases.limit")
def test_gradient_descent_ends_at_the_limit_of_its_flow(data):
    gap = np.abs(data["excess"].sel(base="GD") - data["limit"])
    assert (gap <= 0.03 * (1 + data["limit"])).all()


@pytest.mark.claim("bases.sparsifies")
def test_every_base_is_taken_to_the_l1_end(data):
    for base in bases.BASES:
        assert np.all(np.diff(middle(data, "excess", base=base)) < 0)
    others = data["excess"].sel(base=["sign", "Adam"]).median("problem")
    assert (others > data["excess"].sel(base="GD").median("problem")).all()


@pytest.mark.claim("bases.behind")
@pytest.mark.parametrize("base", ["sign", "Adam"])
def test_how_much_more_alpha_the_others_need(data, base):
    """By interpolation of the logarithms; at smoke size α is too sparse for it."""
    if data["alpha"].size < 4:
        return
    ln_alpha, own = np.log(data["alpha"].values), np.log(middle(data, "excess", base=base))
    others = np.log(middle(data, "excess", base="GD"))
    reached = [
        np.interp(-value, -own, ln_alpha) - at for at, value in zip(ln_alpha, others, strict=True) if value > own[-1]
    ]
    assert len(reached) >= 3 and np.all(np.exp(reached) > 5)


@pytest.mark.claim("bases.collapse")
def test_the_unit_of_the_loss_is_part_of_alpha(data):
    units, alphas = data["unit"].values, data["alpha"].values
    gd = data["unit_excess"].sel(base="GD")
    np.testing.assert_allclose(gd, np.broadcast_to(gd[:1], gd.shape), rtol=1e-6, atol=1e-9)
    found = 0
    for i, c in enumerate(units):
        for j, alpha in enumerate(alphas):
            if np.isclose(CONFIG.alphas[-1] * c, alpha):
                found += 1
                one, other = data["unit_excess"][1:, i], data["excess"][1:, j]
                np.testing.assert_allclose(one.sel(base="sign"), other.sel(base="sign"), rtol=1e-6, atol=1e-9)
                assert np.median(np.abs(one - other).sel(base="Adam")) <= 0.02
    assert found >= 1
    assert np.all(np.diff(data["unit_excess"].median("problem").sel(base=["sign", "Adam"]).values, axis=1) < 0.01)


@pytest.mark.claim("bases.noise-limits")
def test_the_limits_are_those_at_the_alpha_that_noise_makes(data):
    config = next(c for c in (CONFIG, bases.Config.quick(), bases.Config()) if c.problems == data.sizes["problem"])
    one = bases.problems_of(config)[0]
    least = np.abs(ht.basis_pursuit(one)).sum()
    for name, factor in (("sign", np.sqrt(np.pi / 2)), ("Adam", 1.0)):
        for sigma in data["sigma"].values:
            limit = ht.solve_limit(one, ht.HAM(config.noisy_alpha * sigma * factor)).theta
            found = float(data["noisy_limit"].sel(noisy_base=name, sigma=sigma)[0])
            assert found == pytest.approx(np.abs(limit).sum() / least - 1, rel=1e-8, abs=1e-10)


@pytest.mark.claim("bases.noisy-adam")
def test_adam_with_noise_ends_near_hams_limit(data):
    assert np.all(middle(data, "noisy_distance", noisy_base="Adam") <= (0.4 if data["sigma"].size == 1 else 0.2))


@pytest.mark.claim("bases.noisy-sign")
def test_signs_leave_the_row_space_and_adam_does_not(data):
    if data["sigma"].size == 1:
        return
    over = {
        base: middle(data, "noisy_excess", noisy_base=base)[-1] / middle(data, "noisy_limit", noisy_base=base)[-1]
        for base in ("sign", "Adam")
    }
    assert over["sign"] > 1.7 and over["Adam"] < 1.5


@pytest.mark.claim("bases.flips")
def test_signs_flip_most(data):
    flips = {base: middle(data, "flips", base=base) for base in bases.BASES}
    assert np.all(flips["sign"] >= flips["GD"]) and np.mean(flips["Adam"] <= flips["GD"]) >= 0.8
