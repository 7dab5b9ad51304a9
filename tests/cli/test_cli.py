"""The command line: what it prints and writes, and what is kept of a failure."""

import json
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest
import xarray as xr

import hamtheory as ht
from hamtheory import symbolic
from hamtheory.cli import _names, main, parse
from hamtheory.cli._flow import Flow
from hamtheory.cli._geometry import GeometryOptions
from hamtheory.cli._limit import Limit
from tests.cli.command import DECAYING, TOL, X, Y, residual, run_json, table_rows

ROOT = Path(__file__).parents[2]


# ---- help


def test_module_runs_and_lists_the_commands():
    done = subprocess.run(
        [sys.executable, "-m", "hamtheory", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "examples:" in done.stdout
    assert all(name in done.stdout for name in _names.COMMANDS)


def test_a_reader_that_has_read_enough_is_no_error():
    """As of `| head`: the pipe is closed before anything is written."""
    words = [sys.executable, "-m", "hamtheory", "limit", "sparse:2,4,1"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        said = process.stderr.read()
    assert said.replace("computing ...\n", "") == "" and process.returncode == 141


def test_help_and_import_load_nothing_that_they_do_not_need():
    for what in ("import hamtheory", "from hamtheory.cli import main; main(['--help'])"):
        code = f"import sys; {what}; assert not {{'jax', 'numpy', 'sympy', 'scipy'}} & set(sys.modules)"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    code = "import sys, hamtheory as ht; ht.solve_flow, ht.solve_limit, ht.HAM, ht.LinearRegression"
    heavy = "{'sympy', 'scipy.optimize', 'xarray', 'zarr', 'matplotlib', 'pandas'}"
    subprocess.run([sys.executable, "-c", f"{code}; assert not {heavy} & set(sys.modules)"], cwd=ROOT, check=True)


@pytest.mark.parametrize("command", ["flow", "limit"])
def test_help_of_a_command_has_examples(capsys, command):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:" in text and f"hamtheory {command} " in text
    assert "--x32" in text and "--seed" in text
    assert all(name in text for name in ht.datasets.names())


def test_examples_in_the_help_can_be_parsed():
    for name, kind in {"flow": Flow, "limit": Limit}.items():
        assert name in _names.COMMANDS
        lines = [line.split(maxsplit=1)[1] for line in kind.description.splitlines() if line.startswith("  hamtheory")]
        assert lines
        for line in lines:
            words = shlex.split(line)
            assert words[0] == name and isinstance(parse(words), kind)


# ---- what comes out


def test_limit_prints_a_table(capsys, data):
    assert main(["limit", data, "--alpha", "10"]) == 0
    captured = capsys.readouterr()
    rows = table_rows(captured.out)
    assert rows["X theta = y"] == "n = 2, d = 4, rank 2; has solutions"
    assert rows["result"].startswith("converged")
    assert "alpha = 10" in rows["geometry"]
    limit = ht.solve_limit(ht.LinearRegression(X, Y), ht.HAM(alpha=10.0))
    ours, least_l2, least_l1 = map(float, rows["L1 norm"].split())
    assert ours == pytest.approx(float(abs(limit.theta).sum()), rel=1e-4)  # the table has five digits
    assert least_l1 <= ours <= least_l2


def test_summary_has_the_certificate_and_the_provenance(capsys, data):
    summary = run_json(capsys, "limit", data, "--geometry", "mw", "--gamma", "0.1", "--seed", "3")
    assert summary["result"] == "converged"
    assert max(summary["relative_residual"], abs(summary["relative_duality_gap"])) <= 1e-10
    assert summary["config"]["geometry"]["gamma"] == 0.1 and summary["config"]["seed"] == 3
    assert summary["versions"]["jax"] == jax.__version__
    assert len(summary["data_sha256"]) == 64
    assert summary["basis_pursuit_l1_norm"] <= summary["l1_norm"] * (1 + TOL)
    assert summary["min_norm_l2_norm"] <= summary["l2_norm"] * (1 + TOL)


def test_flow_and_limit_agree(capsys, data, tmp_path):
    for command in ("flow", "limit"):
        assert main([command, data, "--alpha", "10", "--out", str(tmp_path / f"{command}.npz")]) == 0
    flow, limit = (np.load(tmp_path / f"{command}.npz") for command in ("flow", "limit"))
    np.testing.assert_allclose(flow["theta"], limit["theta"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(flow["dual"], limit["dual"], rtol=0, atol=1e-6)


def test_flips_are_found_and_written(capsys, tmp_path):
    out, options = tmp_path / "flow.npz", ["--alpha", "10", "--theta0", "normal:0.5", "--seed", "3", "--flips"]
    assert main(["flow", "sparse:4,8,2", *options, "--out", str(out)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("sign flips"))
    written = np.load(out)
    path = np.asarray(ht.signs.flips(written["thetas"])).sum(axis=0)
    assert written["flips_gross"].sum() == int(re.search(r"\d+", line).group()) >= path.sum() > 0
    flipped = written["flips_gross"] > 0
    assert np.isfinite(written["flips_first"][flipped]).all() and np.isnan(written["flips_last"][~flipped]).all()


@pytest.mark.parametrize("suffix", [".npz", ".zarr", ".nc"])
def test_results_are_read_back(capsys, data, tmp_path, suffix):
    path = tmp_path / f"flow{suffix}"
    for _ in range(2):  # the second one replaces the first
        assert main(["flow", data, "--alpha", "10", "--out", str(path)]) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if suffix == ".npz":
            stored = dict(np.load(path))
            summary = json.loads(str(stored["summary"]))
        else:
            opened = xr.open_zarr(path, consolidated=False) if suffix == ".zarr" else xr.open_dataset(path)
            with opened as dataset:
                stored = {name: dataset[name].to_numpy() for name in dataset.variables}
                summary = json.loads(dataset.attrs["summary"])
    assert stored["ts"][0] == 0 and np.all(np.diff(stored["ts"]) > 0)
    assert stored["thetas"].shape == (len(stored["ts"]), 4)
    np.testing.assert_array_equal(stored["thetas"][0], stored["theta0"])
    np.testing.assert_array_equal(stored["thetas"][-1], stored["theta"])
    assert stored["theta"].dtype == np.float64
    assert residual(stored["theta"]) <= TOL and stored["loss"][-1] < stored["loss"][0]
    assert summary["n"] == 2 and summary["time"] == stored["ts"][-1] and summary["config"]["ts"] == "log"


def test_summary_alone_as_json(capsys, data, tmp_path):
    path = tmp_path / "limit.json"
    printed = run_json(capsys, "limit", data, "--out", str(path))
    assert json.loads(path.read_text()) == printed


def test_given_times_and_weight_decay_which_has_no_gap(capsys, data, tmp_path):
    path = tmp_path / "flow.npz"
    assert main(["flow", data, *DECAYING, "--ts", "0,0.5,1", "--out", str(path)]) == 0
    rows = table_rows(capsys.readouterr().out)
    assert "none with weight decay" in rows["duality gap"] and rows["result"].startswith("reached the end")
    stored = np.load(path)
    np.testing.assert_array_equal(stored["ts"], [0.0, 0.5, 1.0])
    assert json.loads(str(stored["summary"]))["duality_gap"] is None  # NaN is no JSON
    assert "dual" not in stored


def test_geometry_from_a_formula(monkeypatch):
    asked = []  # what the derivation is worth, its own tests say
    monkeypatch.setattr(
        symbolic, "geometry", lambda formula, **values: asked.append((formula, values)) or ht.Euclidean()
    )
    _, text = GeometryOptions(inverse_metric="a + b*theta**2", parameter=("a=2.0", "b = 3")).build()
    assert asked == [("a + b*theta**2", {"a": 2.0, "b": 3.0})]
    assert "a + b*theta**2" in text and "a = 2" in text and "b = 3" in text


@pytest.mark.parametrize(
    "options, geo",
    [
        ({"geometry": "gd"}, ht.Euclidean()),
        ({}, ht.HAM(alpha=100.0)),
        ({"log_alpha": 2.0}, ht.HAM(log_alpha=2.0)),
        ({"geometry": "mw"}, ht.Hypentropy(gamma=1e-3)),
        ({"geometry": "mw", "log_gamma": -1.0}, ht.Hypentropy(log_gamma=-1.0)),
        ({"geometry": "network", "scale": 0.5}, ht.DiagonalNetwork(depth=3, scale=0.5)),
        ({"geometry": "network", "depth": 4}, ht.DiagonalNetwork(depth=4, scale=0.01)),
    ],
)
def test_geometries(options, geo):
    assert eqx.tree_equal(GeometryOptions(**options).build()[0], geo)


# ---- failures keep what there is


def test_failure_is_reported_and_written(capsys, data, tmp_path):
    path = tmp_path / "flow.npz"
    assert main(["flow", data, *DECAYING, "--max-steps", "8", "--ts", "0,1,1e5", "--out", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].startswith("error: not converged: max steps")  # after any progress
    assert table_rows(captured.out)["result"].startswith("max steps")
    stored = np.load(path)
    summary = json.loads(str(stored["summary"]))
    assert summary["result"] == "max_steps" and summary["steps"] == 8
    assert 1 < stored["ts"][-1] == summary["time"] < 1e5
    assert np.all(np.isfinite(stored["thetas"])) and stored["loss"][-1] < stored["loss"][0]


def test_infeasible_limits_fail_and_flows_go_to_the_least_squares_set(capsys, tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=X[[0, 0]], y=[1.0, 3.0])  # the same row twice: the best fit is 2, off by 1 each
    assert main(["limit", str(path)]) == 1
    captured = capsys.readouterr()
    assert "infeasible" in captured.err and "no solution" in captured.out
    summary = run_json(capsys, "flow", str(path))
    assert summary["result"] == "infeasible" and summary["rank"] == 1
    assert summary["loss"] == pytest.approx(0.5, rel=1e-6)
    assert summary["distance"] == pytest.approx(2**0.5, rel=1e-9)


def test_a_geometry_with_a_dead_zone_has_limits_and_flows(tmp_path, capsys):
    where, out = ["sparse:20,50,3", "--geometry", "bregman", "--lam", "3"], tmp_path / "flow.npz"
    assert (
        main(["limit", *where]) == 0
        and "bregman: g^-1(theta) = delta where theta != 0, lam = 3" in capsys.readouterr().out
    )
    assert main(["flow", *where, "--flips", "--out", str(out)]) == 0
    theta = np.load(out)["theta"]
    want = ht.solve_limit(ht.sparse_regression(20, 50, 3), ht.LinearizedBregman(3.0)).theta
    np.testing.assert_allclose(theta, want, atol=1e-6)
    np.testing.assert_array_equal(theta != 0, want != 0)
