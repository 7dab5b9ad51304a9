"""Sweeps of classifications: what they store is what one call at a time says, and they know what they are of."""

import numpy as np
import pytest
import toy  # noqa: F401  (a quantity of regressions)

import hamtheory as ht
from hamtheory.cli import main

DRAWN = {"kind": "sparse-classification", "n": 6, "d": 9, "k": 2, "seeds": range(3)}
MIXED = {"kind": "mixture", "n": 12, "d": 3, "separation": 0.1, "seeds": [5]}  # not separable
GEOMETRIES = [{"family": "ham", "alpha": [1.0, 100.0]}, {"family": "gd"}]


def swept(store, problems, quantity, **settings):
    spec = {"problems": problems, "geometries": GEOMETRIES, "quantity": quantity, **settings}
    with ht.sweep(spec, store, progress=False) as dataset:
        return dataset.load()


@pytest.mark.parametrize("engine", ["host", pytest.param("device", marks=pytest.mark.slow)])
def test_largest_margins(tmp_path, engine):
    found = swept(tmp_path, [DRAWN, MIXED], "margin", engine=engine, chunk=5)
    problems = [ht.sparse_classification(6, 9, 2, seed) for seed in range(3)] + [ht.gaussian_mixture(12, 3, 0.1, 5)]
    for i in range(12):
        geo = [ht.HAM(alpha=1.0), ht.HAM(alpha=100.0), ht.Euclidean()][i % 3]
        best = ht.solve_margin(problems[i // 3], geo)
        assert found.status[i] == best.result and found.margin[i] == pytest.approx(float(best.margin), rel=1e-8)
        assert found.support[i] == best.support_vectors.sum()
        assert float(found.l1_norm[i]) == pytest.approx(np.abs(best.theta).sum(), rel=1e-6)
    assert (found.status[9:] == ht.Result.infeasible).all()


def test_over_a_given_norm(tmp_path):
    found = swept(tmp_path, DRAWN, {"name": "margin", "rho": 1.5})
    best = [float(ht.solve_margin(ht.sparse_classification(6, 9, 2, seed), rho=1.5).margin) for seed in range(3)]
    np.testing.assert_allclose(found.margin, np.repeat(best, 3), rtol=1e-8)


def test_flows_and_their_resumption(tmp_path, contents):
    quantity = {"name": "classification-flow", "log_loss": [-1.0, -30.0]}
    how = {"starts": {"kind": "normal", "scale": 0.1}, "chunk": 4, "keep_theta": True}
    found = swept(tmp_path / "whole", DRAWN, quantity, **how)
    assert found.log_loss.to_numpy().tolist() == [-1.0, -30.0] and (found.status == ht.Result.reached_end).all()
    start = 0.1 * np.random.default_rng([0, 1]).standard_normal(9)
    for i in (0, 4, 8):
        geo = [ht.HAM(alpha=1.0), ht.HAM(alpha=100.0), ht.Euclidean()][i % 3]
        problem = ht.sparse_classification(6, 9, 2, i // 3)
        one = ht.solve_flow(problem, geo, start, log_loss=-30.0, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found.theta[i], one.theta, rtol=0, atol=1e-6 * np.abs(one.theta).max())
        assert found.log_t[i, 1] == pytest.approx(float(one.log_ts[-1]), abs=1e-4)
        share = ht.metrics.margin(problem, one.theta, float(one.horizon.rho)) / float(found.margin_bound[i, 1])
        assert found.margin_gap[i, 1] == pytest.approx(1 - float(share), abs=1e-6)
    swept(tmp_path / "half", DRAWN, quantity, **how)
    (tmp_path / "half" / "chunks" / "1.json").unlink()
    swept(tmp_path / "half", DRAWN, quantity, **how)
    assert contents(tmp_path / "half") == contents(tmp_path / "whole")


def test_a_file_of_classes_and_a_table_by_the_command_line(tmp_path, capsys):
    problem = ht.sparse_classification(6, 9, 2)
    np.savez(tmp_path / "mine.npz", X=problem.X, y=problem.z > 0)
    table = 'quantity = "margin"\nproblems = {kind = "file", path = "mine.npz", loss = "exponential"}\n'
    (tmp_path / "spec.toml").write_text(table + 'geometries = {family = "gd"}\n')
    assert main(["sweep", "run", str(tmp_path / "spec.toml"), "--store", str(tmp_path / "store"), "--quiet"]) == 0
    assert "1 converged" in capsys.readouterr().out
    with ht.sweeps.open_store(tmp_path / "store") as found:
        assert found.margin[0] == pytest.approx(float(ht.solve_margin(problem, ht.Euclidean()).margin), rel=1e-8)
    assert main(["sweep", "export", str(tmp_path / "store"), str(tmp_path / "table.csv")]) == 0
    assert "margin" in (tmp_path / "table.csv").read_text().splitlines()[0].split(",")


def test_a_file_whose_y_are_no_classes(tmp_path):
    np.savez(tmp_path / "mine.npz", X=np.ones((3, 2)), y=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"mine.npz, whose y are classes: z must be ±1, or 0 and 1"):
        swept(tmp_path / "store", {"kind": "file", "path": str(tmp_path / "mine.npz"), "loss": "logistic"}, "margin")


REGRESSION = {"kind": "sparse", "n": 4, "d": 8, "k": 2}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"quantity": "limit"}, "quantity 'limit' is none of classifications, such as 'sparse-classification-6-9-2'; "),
        ({"quantity": "toy"}, "there are 'margin', 'classification-flow'"),
        (
            {"problems": REGRESSION},
            "quantity 'margin' is none of regressions, such as 'sparse-4-8-2'; there are 'limit'",
        ),
        ({"problems": [DRAWN, REGRESSION]}, "quantity 'margin' is none of regressions"),
        ({"problems": DRAWN | {"loss": "hinge"}}, "loss must be one of 'logistic', 'exponential'; got 'hinge'"),
        ({"problems": DRAWN | {"flip": 2.0}}, "flip must be a probability"),
        ({"problems": MIXED | {"separation": -1.0}}, "separation must not be negative"),
        ({"problems": {"kind": "dataset", "name": "mnist", "loss": "logistic"}}, "loss is for classes, which 'mnist'"),
        ({"quantity": {"name": "margin", "rho": 0.5}}, "rho must be at least 1; got 0.5"),
        ({"geometries": {"family": "network", "depth": 3, "scale": 1.0}}, "rho must be given for the family 'network'"),
        ({"starts": {"kind": "normal", "scale": 1.0}}, "starts must be left out"),
        ({"quantity": {"name": "classification-flow", "log_loss": [-3.0, -1.0]}}, "log_loss must be falling"),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ht.SweepSpec(**({"problems": DRAWN, "geometries": GEOMETRIES, "quantity": "margin"} | change))


def test_real_classes_have_a_loss():
    assert ht.sweeps.DataSet("digits-3-8").loss == "logistic" and ht.sweeps.DataSet("mnist").loss is None
