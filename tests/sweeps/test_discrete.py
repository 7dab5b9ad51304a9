"""Sweeps of discrete algorithms."""

import jax
import numpy as np
import pytest

import hamtheory as ht
from tests.slow import slow

SPARSE = {"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(3)}
GEOMETRIES = [{"family": "gd"}, {"family": "ham", "alpha": [1.0, 10.0]}, {"family": "mw", "gamma": [0.1]}]
RUN = {"name": "run", "steps": 200, "learning_rate": [0.004, 0.02], "batch_size": [0, 2], "draws": [3, 5], "checks": 4}
RULES = {
    "gd": lambda parameter: ht.GD(),
    "ham": lambda parameter: ht.HAMStep(parameter),
    "mw": lambda parameter: ht.ProductGD(gamma=parameter),
}
SHAPE = ("instance", "learning_rate", "batch_size", "draw")


def spec(quantity=None, **changes):
    table = {"problems": SPARSE, "geometries": GEOMETRIES, "chunk": 5, "keep_theta": True}
    return table | {"quantity": RUN | (quantity or {})} | changes


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    with ht.sweep(spec({"losses": True}), tmp_path_factory.mktemp("runs") / "store", progress=False) as dataset:
        return dataset.load()


def test_instances_are_the_runs_of_the_library(runs):
    assert runs.status.dims == SHAPE and runs.loss.dims == (*SHAPE, "check")
    assert (runs.status == ht.NAMES.index("reached_end")).all() and (runs.steps == 200).all()
    assert runs.check.values.tolist() == [0, 50, 100, 150, 200]
    for instance in (0, 2, 7, 11):
        row = runs.isel(instance=instance, learning_rate=1)
        family = row.family.attrs["flag_meanings"].split()[int(row.family)]
        problem, rule = ht.sparse_regression(4, 8, 2, seed=int(row.seed)), RULES[family](float(row.parameter))
        for size in (0, 2):
            one = ht.run(
                problem,
                rule,
                learning_rate=0.02,
                steps=200,
                batch_size=size or None,
                key=jax.random.key(5),
                save_every=50,
            )
            found = row.sel(batch_size=size, draw=5)
            np.testing.assert_allclose(found.theta, one.theta, rtol=1e-11, atol=1e-13)
            np.testing.assert_allclose(found.loss, one.loss, rtol=1e-9, atol=1e-28)
            np.testing.assert_allclose(found.l1_norm, np.abs(np.asarray(one.theta)).sum(), rtol=1e-11)


def test_what_is_not_random_is_the_same_in_all_draws(runs):
    assert (runs.theta.sel(batch_size=0, draw=3) == runs.theta.sel(batch_size=0, draw=5)).all()
    assert (runs.theta.sel(batch_size=2, draw=3) != runs.theta.sel(batch_size=2, draw=5)).any("column").all()


@pytest.mark.parametrize("chunk", [*slow(1), 12])
def test_the_chunk_does_not_matter(runs, tmp_path, chunk):
    with ht.sweep(spec({"losses": True}, chunk=chunk), tmp_path / "store", progress=False) as other:
        for name in ("theta", "loss", "status", "residual"):
            assert np.asarray(runs[name]).tobytes() == np.asarray(other[name]).tobytes(), name


def test_relative_rates(tmp_path):
    """In units of 2 / λ_max at the flow's limit: stable below 1, not above."""
    how = {"relative": True, "learning_rate": [0.5, 1.5], "batch_size": 0, "draws": 0, "steps": 20_000, "tol": 1e-9}
    with ht.sweep(spec(how, geometries=GEOMETRIES[:2]), tmp_path / "store", progress=False) as runs:
        assert (runs.status.sel(learning_rate=0.5) == 0).all()
        assert (runs.status.sel(learning_rate=1.5) > 0).all()
        for instance in (0, 4, 8):
            row = runs.isel(instance=instance, batch_size=0, draw=0)
            geo = ht.Euclidean() if np.isnan(row.parameter) else ht.HAM(float(row.parameter))
            problem = ht.sparse_regression(4, 8, 2, seed=int(row.seed))
            limit = np.asarray(ht.solve_limit(problem, geo).theta)
            X, metric = np.asarray(problem.X), np.asarray(geo.inverse_metric(limit))
            largest = 2 * 4 / np.linalg.eigvalsh((X * metric) @ X.T).max()
            np.testing.assert_allclose(row.rate, largest * np.array([0.5, 1.5]), rtol=1e-8)


def test_it_resumes(tmp_path):
    """An interrupted sweep goes on where it was."""

    class Interrupted(ht.sweeps.SerialExecutor):
        def run(self, spec, columns, chunks):
            for result, _ in zip(super().run(spec, columns, chunks), range(2), strict=False):
                yield result
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ht.sweep(spec(), tmp_path / "store", executor=Interrupted(), progress=False)
    assert (ht.sweeps.open_store(tmp_path / "store").status.isel(instance=slice(0, 10)) >= 0).all()
    with ht.sweep(spec(), tmp_path / "store", progress=False) as dataset:
        assert (dataset.status == ht.NAMES.index("reached_end")).all()


@pytest.mark.parametrize("rule", ["hyp", *slow("mirror"), "natural"])
def test_other_rules(tmp_path, rule):
    geometries, how = [{"family": "ham", "alpha": [10.0]}], {"rule": rule, "learning_rate": 0.02, "batch_size": 0}
    with ht.sweep(spec(how | {"draws": 0}, geometries=geometries), tmp_path / "store", progress=False) as runs:
        problem, geo = ht.sparse_regression(4, 8, 2, seed=1), ht.HAM(10.0)
        own = {
            "hyp": ht.HYP(10.0),
            "mirror": ht.algorithm.MirrorDescent(geo),
            "natural": ht.algorithm.NaturalGradient(geo),
        }
        one = ht.run(problem, own[rule], learning_rate=0.02, steps=200)
        np.testing.assert_allclose(runs.theta[1, 0, 0, 0], one.theta, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "quantity, error, words",
    [
        ({"learning_rate": [0.1, 0.0]}, ValueError, "learning_rate must be positive"),
        ({"batch_size": []}, ValueError, "batch_size must hold"),
        ({"batch_size": -1}, ValueError, "batch_size must be at least 0"),
        ({"rule": "adam"}, ValueError, "rule must be one of"),
        ({"rule": "hyp"}, ValueError, "rule 'hyp' is one of the families ham"),
        ({"rule": "mirror", "weight_decay": 0.1}, ValueError, "weight_decay must be 0"),
        ({"weight_decay": 0.1}, ValueError, "rule 'published' of 'gd': weight_decay must be 0"),
        ({"label_noise": -1.0}, ValueError, "label_noise must not be negative"),
        ({"relative": 1}, TypeError, "relative must be true or false"),
        ({"tol": 1e-20}, ValueError, "tol=1e-20 is below"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"momentum": 0.9}, ValueError, "has no 'momentum'"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input(quantity, error, words):
    with pytest.raises(error, match=words):
        ht.SweepSpec(**spec(quantity))
