"""The command line: what it reads, prints and writes, and how it refuses."""

import json
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
from hamtheory.cli import _names, _parse, main
from hamtheory.cli._flow import Flow
from hamtheory.cli._geometry import GeometryOptions
from hamtheory.cli._limit import Limit
from hamtheory.problem._csv import read_csv

ROOT = Path(__file__).parents[2]
X = np.array([[1.0, 2.0, 0.5, -1.0], [0.0, 1.0, -1.0, 2.0]])
Y = np.array([1.0, -2.0])
DECAYING = ["--geometry", "gd", "--weight-decay", "0.1", "--max-steps", "60"]
TOL = 1e-8  # the default tolerance of flows; that of limits is smaller


@pytest.fixture
def data(tmp_path):
    """A small problem of the user's; every test that can takes this one, so that it is compiled once."""
    path = tmp_path / "data.npz"
    np.savez(path, X=X, y=Y)
    return str(path)


def table_rows(text):
    """The table as label -> text."""
    return {line[:20].strip(): line[21:] for line in text.splitlines() if line[:20].strip()}


def run_json(capsys, *words):
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *words):
    """The one line on the standard error with which bad input is refused."""
    assert main(list(words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    # On a busy machine, checking a formula may take the two seconds after which it says that it computes.
    lines = [line for line in captured.err.splitlines() if not line.startswith("computing ...")]
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


def residual(theta):
    return np.linalg.norm(X @ theta - Y) / np.linalg.norm(Y)


# ---- help


def test_module_runs_and_lists_the_commands():
    done = subprocess.run(
        [sys.executable, "-m", "hamtheory", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "examples:" in done.stdout
    assert all(name in done.stdout for name in ("flow", "limit"))


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
            assert words[0] == name and isinstance(_parse(words), kind)


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
    ],
)
def test_geometries(options, geo):
    assert eqx.tree_equal(GeometryOptions(**options).build()[0], geo)


# ---- what goes in


def test_named_data_come_with_the_meaning_of_their_columns(capsys, tmp_path):
    path = tmp_path / "limit.npz"
    summary = run_json(capsys, "limit", "fermentation-band", "--geometry", "gd", "--out", str(path))
    assert (summary["n"], summary["d"], summary["rank"]) == (21, 446, 20)
    stored = np.load(path)
    assert stored["columns"].min() >= 950 and stored["columns"].max() <= 1550  # wavenumbers
    assert summary["l2_norm"] == pytest.approx(summary["min_norm_l2_norm"], rel=1e-9)


def test_synthetic_data_follow_the_seed(capsys):
    first, again, other = (run_json(capsys, "limit", "sparse:2,4,1", "--seed", seed) for seed in "001")
    assert first["l1_norm"] == again["l1_norm"] != other["l1_norm"]
    problem = ht.sparse_regression(2, 4, 1, seed=1)
    theta = ht.solve_limit(problem, ht.HAM(alpha=100.0)).theta
    assert other["distance_to_theta_star"] == pytest.approx(float(np.linalg.norm(theta - problem.theta_star)), rel=1e-9)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv(tmp_path, header, mark):
    path = tmp_path / "data.csv"
    rows = [[*row, y] for row, y in zip(X, Y, strict=True)]
    lines = [mark.join(map(repr, map(float, row))) for row in rows]
    path.write_text("\n".join([mark.join("abcdy")] * header + lines) + "\n\n")
    features, target, columns = read_csv(str(path))
    np.testing.assert_array_equal(features, X)
    np.testing.assert_array_equal(target, Y)
    assert (columns is None) if not header else columns.tolist() == list("abcd")


def test_csv_target_and_labels_reach_the_file(capsys, tmp_path):
    source, path = tmp_path / "data.csv", tmp_path / "limit.zarr"
    rows = np.insert(X, 1, Y, axis=1)
    source.write_text("\n".join(["a,y,b,c,d", *(",".join(map(repr, map(float, row))) for row in rows)]))
    assert main(["limit", str(source), "--target", "y", "--out", str(path)]) == 0
    assert "[" in table_rows(capsys.readouterr().out)["largest entries"]
    with xr.open_zarr(path, consolidated=False) as dataset:
        assert dataset["columns"].to_numpy().tolist() == list("abcd")
        assert residual(dataset["theta"].to_numpy()) < TOL


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".txt"])
def test_start_from_a_file(capsys, data, tmp_path, suffix):
    path, out, theta0 = tmp_path / f"start{suffix}", tmp_path / "limit.npz", np.array([1.0, -1.0, 0.5, 2.0])
    if suffix == ".npz":
        np.savez(path, theta=theta0)
    elif suffix == ".npy":
        np.save(path, theta0)
    else:
        np.savetxt(path, theta0)
    assert main(["limit", data, "--geometry", "gd", "--theta0", str(path), "--out", str(out)]) == 0
    stored = np.load(out)
    np.testing.assert_array_equal(stored["theta0"], theta0)
    np.testing.assert_allclose(stored["theta"], theta0 + np.linalg.pinv(X) @ (Y - X @ theta0), rtol=0, atol=1e-9)


def test_start_that_comes_with_the_data_and_one_that_replaces_it(capsys, tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=X.astype(np.float32), y=Y, theta0=np.ones(4), theta_star=np.zeros(4))
    assert run_json(capsys, "limit", str(path))["start"] == f"theta0 of {path}"
    summary = run_json(capsys, "limit", str(path), "--theta0", "zeros")
    assert summary["start"] == "zeros" and summary["dtype"] == "float64"


def test_random_start_follows_the_seed_and_is_no_row_of_X(capsys, tmp_path):
    path = tmp_path / "limit.npz"
    starts = []
    for seed in "001":
        assert main(["limit", "sparse:2,4,1", "--theta0", "normal:0.5", "--seed", seed, "--out", str(path)]) == 0
        starts.append(np.load(path)["theta0"])
    np.testing.assert_array_equal(starts[0], starts[1])
    assert np.all(starts[0] != starts[2])
    assert np.all(starts[0] != 0.5 * np.asarray(ht.sparse_regression(2, 4, 1, seed=0).X))


def test_float32_and_that_the_precision_is_put_back(tmp_path, data):
    code = (
        "import jax, sys; from hamtheory.cli import main\n"
        f"words = [{data!r}, '--geometry', 'gd', '--x32', '--out']\n"
        f"codes = [main(['flow', *words, {str(tmp_path / 'flow.npz')!r}, '--ts', 'steps'])]\n"
        f"codes += [main(['limit', *words, {str(tmp_path / 'limit.npz')!r}])]\n"
        "sys.exit(codes != [0, 0] or bool(jax.config.jax_enable_x64))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    flow, limit = (np.load(tmp_path / f"{command}.npz") for command in ("flow", "limit"))
    assert len(flow["ts"]) == json.loads(str(flow["summary"]))["accepted"] + 1
    for theta in (flow["theta"], limit["theta"]):
        assert theta.dtype == np.float32 and residual(theta) < 1e-4


# ---- failures keep what there is


def test_failure_is_reported_and_written(capsys, data, tmp_path):
    path = tmp_path / "flow.npz"
    assert main(["flow", data, *DECAYING, "--ts", "0,1,1e5", "--out", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1].startswith("error: not converged: max steps")  # after any progress
    assert table_rows(captured.out)["result"].startswith("max steps")
    stored = np.load(path)
    summary = json.loads(str(stored["summary"]))
    assert summary["result"] == "max_steps" and summary["steps"] == 60
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


# ---- bad input


@pytest.mark.parametrize(
    "words, expected",
    [
        (["fly"], "unknown command 'fly'; there are: flow, limit"),
        (["limit", "mnits"], "fermentation, fermentation-band, mnist, sparse:N,D,K"),
        (["limit", "nowhere.npz"], "there is no file 'nowhere.npz'"),
        (["limit", "nowhere.csv"], "there is no file 'nowhere.csv'"),
        (["limit", "sparse:40,100"], "three integers"),
        (["limit", "sparse:2,4,5"], "k must be at most d = 4"),
        (["limit", "sparse:2,4,1", "--seed", "-1"], "seed must be at least 0"),
        (["limit", "sparse:2,4,1", "--target", "y"], "--target names a column of a .csv"),
        (["limit", "sparse:2,4,1", "--out", "limit.mat"], ".npz, .zarr, .nc, .json"),
        (["limit", "sparse:2,4,1", "--out", "no/such/folder/limit.npz"], "no folder 'no/such/folder'"),
        (["limit", "sparse:2,4,1", "--gamma", "1"], "--gamma is a parameter of --geometry mw"),
        (["limit", "sparse:2,4,1", "--geometry", "gd", "--alpha", "1"], "the geometry is gd, with no parameter"),
        (["limit", "sparse:2,4,1", "--alpha", "1", "--log-alpha", "0"], "exactly one of alpha and log_alpha"),
        (["limit", "sparse:2,4,1", "--alpha", "-1"], "alpha must be positive"),
        (["limit", "sparse:2,4,1", "--alpha", "nan"], "alpha must be finite"),
        (["limit", "sparse:2,4,1", "--geometry", "mw", "--gamma", "0"], "product_flow"),
        (["limit", "sparse:2,4,1", "--parameter", "a=1"], "--parameter needs the --inverse-metric"),
        (["limit", "sparse:2,4,1", "--inverse-metric", "1+theta"], "even"),
        (["limit", "sparse:2,4,1", "--inverse-metric", "1+a*theta**2"], "a missing"),
        (["limit", "sparse:2,4,1", "--inverse-metric", "1+a*theta**2", "--parameter", "a:1"], "NAME=VALUE"),
        (["limit", "sparse:2,4,1", "--inverse-metric", "1+a*theta**2", "--parameter", "a=x"], "must be a number"),
        (["limit", "sparse:2,4,1", "--inverse-metric", "1", "--alpha", "2"], "--parameter alpha=VALUE"),
        (["limit", "sparse:2,4,1", "--theta0", "ones"], "zeros, normal:SCALE or a .npy"),
        (["limit", "sparse:2,4,1", "--theta0", "normal:x"], "needs a number"),
        (["limit", "sparse:2,4,1", "--theta0", "nowhere.npy"], "no file 'nowhere.npy'"),
        (["limit", "sparse:2,4,1", "--weight-decay", "0.1", "--inverse-metric", "1 + theta**2"], "solve_flow"),
        (["limit", "sparse:2,4,1", "--tol", "1e-30"], "below what float64 can reach"),
        (["flow", "sparse:2,4,1", "--ts", "0,one"], "increasing times such as"),
        (["flow", "sparse:2,4,1", "--ts", "2,1"], "ts must be increasing"),
        (["flow", "sparse:2,4,1", "--solver", "rk4"], "tsit5"),
        (["flow", "sparse:2,4,1", "--coordinates", "dual", "--weight-decay", "1"], "weight_decay=0"),
        (["flow", "sparse:2,4,1", "--weight-decay", "-1"], "must not be negative"),
    ],
)
def test_bad_words(capsys, unchecked, words, expected):
    assert expected in refused(capsys, *words)


@pytest.mark.parametrize(
    "words",
    [
        ["limit"],
        ["limit", "sparse:2,4,1", "--x32", "--x64"],
        ["limit", "sparse:2,4,1", "--geometry", "mw", "--inverse-metric", "1"],
        ["limit", "sparse:2,4,1", "--geometry", "adam"],
        ["limit", "sparse:2,4,1", "--aplha", "1"],
        [],
    ],
)
def test_bad_options(capsys, words):
    assert main(words) == 2
    assert capsys.readouterr().err != ""


@pytest.mark.parametrize(
    "arrays, expected",
    [
        ({"X": X}, "has no array y; its arrays are: X"),
        ({"A": X, "b": Y}, "has no array X and no array y; its arrays are: A, b"),
        ({"X": X, "y": Y[:1]}, "y must have one entry a row of X, 2; got 1"),
        ({"X": X[0], "y": Y}, "X must have 2 axes; got shape (4,)"),
        ({"X": X[:0], "y": Y[:0]}, "at least one row and one column"),
        ({"X": np.where(X == 0, np.nan, X), "y": Y}, "X must be finite; got nan at index 1, 0"),
        ({"X": X, "y": np.array(["a", "b"])}, "y must hold real numbers"),
        ({"X": X, "y": np.array([None, 1.0])}, "y must hold real numbers"),
        ({"X": X, "y": Y, "theta0": np.zeros(3)}, "theta0 must have shape (4,)"),
    ],
)
def test_bad_npz(capsys, tmp_path, unchecked, arrays, expected):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    assert expected in refused(capsys, "limit", str(path))


@pytest.mark.parametrize(
    "text, words, expected",
    [
        ("a,b,y\n1,2,3\n1,x,3\n", [], "line 3, column 2 (b): expected a finite number, got 'x'"),
        ("1,2,3\n1,,3\n", [], "line 2, column 2: expected a finite number, got ''"),
        ("1,2,3\n1,2,inf\n", [], "line 2, column 3: expected a finite number, got 'inf'"),
        ("1,2,3\n1,2\n", [], "line 2: expected 3 cells, got 2"),
        ("1,2o,3\n1,2,3\n", [], "line 1: '2o' (column 2) is not a number, but others in the first row are"),
        (",a,y\n0,1,2\n", [], "column 1 has no name in the header"),
        ("a,b,y\n1,2,3\n", ["--target", "z"], "got 'z', the columns are: a, b, y"),
        ("a,a,y\n1,2,3\n", ["--target", "a"], "must be the name of one column"),
        ("a,b,y\n", [], "a header and no rows"),
        ("1\n2\n", [], "at least two columns"),
        ("\n\n", [], "is empty"),
    ],
)
def test_bad_csv(capsys, tmp_path, text, words, expected):
    path = tmp_path / "data.csv"
    path.write_text(text)
    assert expected in refused(capsys, "limit", str(path), *words)


def test_files_that_are_something_else(capsys, tmp_path):
    for name in ("data.npz", "data.csv", "theta0.npy", "theta0.txt", "data.mat"):
        (tmp_path / name).write_bytes(b"\xff\xfe nothing of the kind \x00")
    assert "not an .npz file" in refused(capsys, "limit", str(tmp_path / "data.npz"))
    assert "not a text file in UTF-8" in refused(capsys, "limit", str(tmp_path / "data.csv"))
    assert "of unknown type" in refused(capsys, "limit", str(tmp_path / "data.mat"))
    for name in ("theta0.npy", "theta0.txt"):
        message = refused(capsys, "limit", "sparse:2,4,1", "--theta0", str(tmp_path / name))
        assert "is not a file of numbers" in message


def test_no_folder_is_replaced_by_a_store(capsys, tmp_path):
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.tex").write_text("irreplaceable")
    assert "no Zarr store" in refused(capsys, "limit", "sparse:2,4,1", "--out", str(tmp_path / "mine.zarr"))
    assert (tmp_path / "mine.zarr" / "thesis.tex").read_text() == "irreplaceable"
