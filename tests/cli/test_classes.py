"""The command line on classes: `margin`, and `flow` down to a loss."""

import json
import shlex

import numpy as np
import pytest

import hamtheory as ht
from hamtheory.cli import main, parse
from hamtheory.cli._margin import Margin
from tests.cli.command import refused, run_json, table_rows

X = np.array([[2.0, 1.0], [1.0, 2.0], [-1.0, 0.0], [0.5, 3.0]])
Y = np.array([3.0, 3.0, 1.0, 3.0])
PROBLEM = ht.BinaryClassification(X, Y == 3)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "classes.npz"
    np.savez(path, X=X, y=Y)
    return str(path)


def test_help_has_examples_that_can_be_parsed(capsys):
    assert main(["margin", "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:" in text and all(name in text for name in ht.datasets.names("classification"))
    assert "--theta0" not in text and "--weight-decay" not in text
    lines = [line for line in Margin.description.splitlines() if line.startswith("  hamtheory margin")]
    assert len(lines) > 2
    for line in lines:
        assert isinstance(parse(shlex.split(line)[1:]), Margin)


@pytest.mark.parametrize(
    "words, rho", [(["--geometry", "gd"], 2.0), (["--alpha", "5"], 1.0), (["--rho", "inf"], np.inf)]
)
def test_a_margin_is_printed_and_written(capsys, data, tmp_path, words, rho):
    path = tmp_path / "margin.npz"
    summary = run_json(capsys, "margin", data, *words, "--out", str(path))
    best = ht.solve_margin(PROBLEM, rho=rho)
    assert summary["result"] == "converged" and summary["margin"] == pytest.approx(float(best.margin), rel=1e-8)
    assert summary["rho"] == (None if rho == np.inf else rho)  # infinity is no JSON
    assert (summary["n"], summary["d"], summary["positive"], summary["errors"]) == (4, 2, 3, 0)
    assert summary["largest_l1_l1_margin"] >= summary["l1_margin"] * (1 - 1e-8)
    assert summary["largest_l2_l2_margin"] >= summary["l2_margin"] * (1 - 1e-8)
    stored = np.load(path)
    np.testing.assert_allclose(PROBLEM.margins(stored["theta"]).min(), best.margin, rtol=1e-8)
    assert stored["dual"].sum() == pytest.approx(1) and stored["support_vectors"].sum() == summary["support_vectors"]


def test_the_table_of_a_margin(capsys, data):
    assert main(["margin", data, "--geometry", "gd"]) == 0
    rows = table_rows(capsys.readouterr().out)
    assert rows["samples"] == "n = 4, 3 of the class 1 and 1 of the other; d = 2"
    assert rows["margin"].endswith("over L_2") and rows["result"].startswith("converged")
    ours, best_l2, best_l1 = map(float, rows["margin over L2"].split())
    assert ours == best_l2 >= best_l1


def test_classes_of_a_csv_by_a_named_column(capsys, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,sick,b\n" + "\n".join(f"{a},{int(y)},{b}" for (a, b), y in zip(X, Y, strict=True)))
    summary = run_json(capsys, "margin", str(path), "--target", "sick", "--geometry", "gd", "--x32")
    assert summary["dtype"] == "float32"
    assert summary["margin"] == pytest.approx(float(ht.solve_margin(PROBLEM, rho=2.0).margin), rel=1e-4)


def test_classes_that_cannot_be_separated_come_with_a_proof(capsys, tmp_path):
    path, out = tmp_path / "data.npz", tmp_path / "margin.npz"
    np.savez(path, X=[[1.0, 2.0], [1.0, 2.0], [3.0, 1.0]], y=[0, 1, 1])
    assert main(["margin", str(path), "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert "error: not converged: infeasible: no theta separates the classes" in captured.err
    assert "cancel" in table_rows(captured.out)["proof"]
    np.testing.assert_allclose(np.load(out)["dual"], [0.5, 0.5, 0.0], atol=1e-12)
    summary = run_json(capsys, "flow", str(path), "--classes", "--geometry", "gd")
    assert summary["result"] == "infeasible" and summary["errors"] > 0


def test_a_flow_of_classes_goes_down_to_a_loss(capsys, data, tmp_path):
    path = tmp_path / "flow.npz"
    words = ["flow", data, "--classes", "--geometry", "gd", "--log-loss", "-400"]
    assert main([*words, "--out", str(path)]) == 0
    rows, stored = table_rows(capsys.readouterr().out), np.load(path)
    assert rows["ln loss"] == "-400" and "none is above" in rows["margin"] and rows["missing"].startswith("at most")
    assert stored["log_loss"][-1] == pytest.approx(-400) and stored["thetas"].shape == (len(stored["log_ts"]), 2)
    flow = ht.solve_flow(PROBLEM, ht.Euclidean(), log_loss=-400.0)
    np.testing.assert_allclose(stored["theta"], flow.theta, rtol=1e-9)
    summary = json.loads(str(stored["summary"]))
    best = float(ht.solve_margin(PROBLEM, ht.Euclidean()).margin)
    assert summary["margin"] <= best <= summary["margin_bound"] * (1 + 1e-12)
    assert (1 - summary["margin_gap"]) * best <= summary["margin"] * (1 + 1e-12)


def test_a_flow_of_classes_at_times_and_without_a_horizon(capsys, data):
    words = ["flow", data, "--classes", "--inverse-metric", "1 + theta**2", "--ts", "0,1,10"]
    assert main(words) == 0
    assert "no horizon" in table_rows(capsys.readouterr().out)["margin"]


def test_synthetic_classes_follow_the_seed_and_know_their_teacher(capsys):
    one, other = (run_json(capsys, "margin", "classes:6,9,2", "--seed", seed) for seed in "01")
    assert one["margin"] != other["margin"]
    problem = ht.sparse_classification(6, 9, 2, seed=1)
    theta = ht.solve_margin(problem, ht.HAM(alpha=1.0)).theta
    cosine = theta @ problem.theta_star / np.linalg.norm(theta) / 2**0.5
    assert other["cosine_to_theta_star"] == pytest.approx(cosine, rel=1e-7)
    mixture = run_json(capsys, "margin", "mixture:6,3,9.5", "--seed", "2", "--geometry", "gd")
    best = ht.solve_margin(ht.gaussian_mixture(6, 3, 9.5, seed=2), rho=2.0)
    assert mixture["margin"] == pytest.approx(float(best.margin), rel=1e-8)


def test_named_classes_need_no_flag(capsys):
    summary = run_json(capsys, "flow", "fermentation-high", "--geometry", "gd", "--log-loss", "-3")
    assert (summary["n"], summary["d"], summary["geometry"][:2]) == (16, 1019, "gd")
    assert summary["log_loss"] == pytest.approx(-3.0)


@pytest.mark.parametrize(
    "words, expected",
    [
        (["margin", "mnist"], "data 'mnist' have no classes; digits-3-8"),
        (["margin", "sparse:2,4,1"], "have no classes"),
        (["limit", "digits-3-8"], "data 'digits-3-8' have classes; ask for their margin"),
        (["limit", "classes:4,4,1"], "have classes"),
        (["margin", "nix"], "give one of digits-3-8, mnist-4-9, fermentation-high, classes:N,D,K, mixture:N,D,S"),
        (["margin", "classes:2,4"], "classes:N,D,K needs three integers"),
        (["margin", "mixture:2,4,x"], "mixture:N,D,S needs two integers and a number"),
        (["margin", "classes:1,4,1"], "n must be at least 2; got 1"),
        (["margin", "mixture:4,4,nan"], "separation must be finite"),
        (["margin", "classes:4,4,1", "--rho", "0.5"], "rho must be from 1 to infinity; got 0.5"),
        (["margin", "classes:4,4,1", "--rho", "nan"], "rho must be from 1 to infinity; got nan"),
        (["margin", "classes:4,4,1", "--rho", "2", "--alpha", "3"], "--rho takes the place of a geometry"),
        (["margin", "classes:4,4,1", "--tol", "0"], "tol must be positive"),
        (["margin", "classes:4,4,1", "--inverse-metric", "1 + theta**2"], "has no horizon"),
        (["flow", "fermentation", "--classes"], "have no classes"),
        (["flow", "sparse:2,4,1", "--log-loss", "-3"], "--log-loss is for classes"),
        (["flow", "classes:4,4,1", "--log-loss", "3"], "log_loss must be below"),
        (["flow", "classes:4,4,1", "--log-loss", "-3", "--ts", "0,1"], "log_loss and ts both say where to end"),
        (["flow", "classes:4,4,1", "--flips"], "--flips is for regressions"),
        (["flow", "classes:4,4,1", "--weight-decay", "1"], "weight_decay is for regressions"),
        (["flow", "classes:4,4,1", "--solver", "tsit5"], "solver is for regressions"),
    ],
)
def test_bad_words(capsys, unchecked, words, expected):
    assert expected in refused(capsys, *words)


@pytest.mark.parametrize(
    "y, expected",
    [
        ([0.0, 1.0, 2.0, 1.0], "y must have two values, one a class; got 0, 1, 2"),
        ([1.0, 1.0, 1.0, 1.0], "y must have two values, one a class; got 1"),
        ([0.0, 1.0, np.nan, 1.0], "z must be finite; got nan at index 2"),
        (["a", "b", "a", "b"], "z must hold real numbers"),
        ([0.0, 1.0], "z must have one entry a row of X, 4; got 2"),
    ],
)
def test_bad_classes_of_a_file(capsys, tmp_path, unchecked, y, expected):
    path = tmp_path / "data.npz"
    np.savez(path, X=X, y=np.array(y))
    for words in (["margin", str(path)], ["flow", str(path), "--classes"]):
        assert expected in refused(capsys, *words)
