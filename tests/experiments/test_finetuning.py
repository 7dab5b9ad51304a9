"""F36: the exponents of fine-tuning have four regimes, and pretraining on the same support saves samples."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import finetuning
from figures import finetuning as figure_module

pytestmark = pytest.mark.slow  # limits of many scales and sizes

CONFIG = finetuning.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return finetuning.run(CONFIG)


def test_every_limit_converges(data):
    assert (data["status"] == 0).all() and (data["scratch_status"] == 0).all()


def test_a_limit_is_that_of_the_network_in_its_own_parameters():
    config = finetuning.Config(d=20, k=3, ns=(8,), scales=(0.1,), instances=1)
    X, truth, betas = finetuning.drawn(config, 0)
    beta, c = betas["half of it"], 0.1
    z = np.arcsinh(beta / c) / 2  # of pretraining from a = b = √(c/2)
    features = np.sqrt(c / 2) * np.exp(np.concatenate([z, -z]))
    flow = ht.product_flow(
        ht.LinearRegression(np.hstack([X, -X]), X @ truth), features, np.zeros(2 * config.d), rtol=1e-10
    )
    found = np.linalg.norm(flow.theta[:20] - flow.theta[20:] - truth) / np.linalg.norm(truth)
    error = finetuning.run(config)["error"].sel(overlap="half of it").item()
    assert error == pytest.approx(found, rel=1e-6)


@pytest.mark.claim("finetuning.own")
def test_ridge_or_nearly_l1(data):
    own = data["exponent"].sel(of="theta")
    size, beta = own["size"], own["pretrained_size"]
    assert (own.where(size <= 1e-2 * np.maximum(beta, 1)) > 1.99).sum() == (size <= 1e-2 * np.maximum(beta, 1)).sum()
    far = own.where(beta <= 1).dropna("pretrained_size").sel(size=slice(1e3, None))
    assert (far < 1.2).all() and (far > 1.05).all() and (far.diff("size") < 0).all()


@pytest.mark.claim("finetuning.pretrained")
def test_where_pretraining_counts(data):
    other = data["exponent"].sel(of="beta")
    size, beta = other["size"], other["pretrained_size"]
    assert (np.abs(other.where(beta <= 1e-2, 0)) < 1e-3).all()
    assert (np.abs(other.where((beta >= 1e2) & (size <= 1e-2 * beta), -1) + 1) < 0.02).all()


@pytest.mark.claim("finetuning.same")
def test_the_same_support_takes_few_samples(data):
    one = data.isel(scale=0)
    same = one["error"].sel(overlap="the same").median("instance")
    needed = one["samples"].where(same < 1e-2).min()
    anew = one["samples"].where(one["scratch"].median("instance") < 1e-2).min()
    assert 2 * needed < (anew if np.isfinite(anew) else one["samples"].max())


@pytest.mark.claim("finetuning.another")
def test_another_support_costs_samples(data):
    one = data.isel(scale=slice(0, 2))
    worse = one["error"].sel(overlap="another").mean("instance") > one["scratch"].mean("instance")
    assert worse.all()


@pytest.mark.claim("finetuning.lazy")
def test_with_a_large_scale_nothing_changes(data):
    one = data.isel(scale=-1)
    np.testing.assert_allclose(one["error"], np.broadcast_to(one["scratch"], one["error"].shape), rtol=2e-3)


@pytest.mark.claim("finetuning.theory")
def test_what_high_dimension_predicts():
    config = finetuning.Config(ns=(4, 32, 60), scales=(1e-2, 100.0), instances=16, map=(1.0, 2.0, 2), places=5)
    data, rows = finetuning.run(config), np.array(config.ns, float)
    found = {"scratch": (data["scratch"], finetuning.predicted_anew(config, rows))}
    for name, share in finetuning.OVERLAPS.items():
        found[name] = data["error"].sel(overlap=name), finetuning.predicted(config, rows, share)
    for errors, theory in found.values():
        np.testing.assert_allclose(errors.median("instance"), theory, rtol=0.2)


def test_without_pretraining_by_either_way():
    """β = 0 everywhere, and four kinds of coordinates that are two."""
    config, rows = finetuning.Config(k=8, scales=(1e2,)), np.array([10.0, 40.0])
    for share in finetuning.OVERLAPS.values():  # with a large c β does not count
        np.testing.assert_allclose(
            finetuning.predicted(config, rows, share), finetuning.predicted_anew(config, rows), rtol=1e-3
        )


def test_figure(data):
    figure = figure_module.draw(data)
    theory, *_ = figure.axes[4].get_lines()
    np.testing.assert_allclose(theory.get_ydata(), np.maximum(data["predicted_scratch"].isel(scale=0), 1e-4))
    marks = figure.axes[4].containers[0].lines[0]
    np.testing.assert_allclose(
        marks.get_ydata(), np.maximum(data["scratch"].isel(scale=0).median("instance"), 1e-4), rtol=1e-12
    )
