"""The command line: what it reads, and how it refuses bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import hamtheory as ht
from hamtheory.cli import main
from hamtheory.problem import read_csv
from tests.cli.command import TOL, X, Y, refused, residual, run_json, table_rows

ROOT = Path(__file__).parents[2]

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


def test_csv_target_and_labels_reach_the_file(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a long name would be wrapped
    source, path = Path("data.csv"), Path("limit.zarr")
    rows = np.insert(X, 1, Y, axis=1)
    source.write_text("\n".join(["a,y,b,c,d", *(",".join(map(repr, map(float, row))) for row in rows)]))
    assert main(["limit", str(source), "--target", "y", "--out", str(path)]) == 0
    rows = table_rows(capsys.readouterr().out)
    assert rows["data"] == f"{source}, y = y" and rows["largest entries"].split()[1] in list("abcd")
    with xr.open_zarr(path, consolidated=False) as dataset:
        assert dataset["columns"].to_numpy().tolist() == list("abcd")
        assert residual(dataset["theta"].to_numpy()) < TOL


def test_a_table_without_a_header_has_its_y_by_number(capsys, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("\n".join(",".join(map(repr, map(float, row))) for row in np.insert(X, 1, Y, axis=1)))
    features, target, columns = read_csv(str(path), "2")
    np.testing.assert_array_equal(features, X)
    np.testing.assert_array_equal(target, Y)
    assert columns is None
    summary = run_json(capsys, "limit", str(path), "--target", "2", "--geometry", "gd")
    theta = np.linalg.pinv(X) @ Y
    assert summary["target"] == "column 2"
    assert [entry["column"] for entry in summary["largest"]] == np.argsort(-np.abs(theta), kind="stable").tolist()
    assert main(["limit", str(path), "--geometry", "gd"]) in (0, 1)
    assert " ".join(capsys.readouterr().out.split()).startswith(f"data {path}, y = column 5 (the last column) X theta")


def test_words_for_classes_without_a_header_by_number(tmp_path):
    (tmp_path / "t.csv").write_text("1,yes,0.5\n2,no,3\n")
    features, target, columns = read_csv(str(tmp_path / "t.csv"), "2", classes=True)
    assert features.tolist() == [[1, 0.5], [2, 3]] and target.tolist() == [1, 0] and columns is None
    with pytest.raises(ValueError, match=r"got 'x', the columns are: 1, yes, 0.5"):
        read_csv(str(tmp_path / "t.csv"), "x", classes=True)


@pytest.mark.parametrize(
    ("header", "target", "values"),
    [("0,1,2,3", "1", [2.0, 1.0]), ("1990,1991,1992,1993", "1990", [1.0, 2.0]), ("7,8,3,9", "9", [3.0, 4.0])],
)
def test_a_header_of_numbers(tmp_path, header, target, values):
    (tmp_path / "t.csv").write_text(f"{header}\n1,2,0.5,3\n2,1,3,4\n")
    assert read_csv(str(tmp_path / "t.csv"), target)[1].tolist() == values


@pytest.mark.parametrize(
    ("target", "message"),
    [("3", "in the first row, and the number of a column, too"), ("6", "from 1 to 4"), ("0", "alone"), ("y", "alone")],
)
def test_a_number_that_may_be_a_name_is_not_guessed(tmp_path, target, message):
    (tmp_path / "t.csv").write_text("7,8,3,9\n1,2,0.5,3\n2,1,3,4\n")
    with pytest.raises(ValueError, match=message):
        read_csv(str(tmp_path / "t.csv"), target)


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


# ---- bad input


@pytest.mark.parametrize(
    "words, expected",
    [
        (["fly"], "unknown command 'fly'; there are: flow, limit, margin, sweep, train"),
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
        (["limit", "sparse:2,4,1", "--geometry", "nowhere:HAM"], "there is no geometry 'nowhere:HAM'"),
        (["limit", "sparse:2,4,1", "--geometry", "math:pi"], "no subclass of hamtheory.geometry.AbstractGeometry"),
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
        (["flow", "sparse:2,4,1", "--solver", "rk5"], "tsit5"),
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
        ("1,2,3\n1,,3\n", [], "line 2, column 2: expected a finite number, got ''; fill in what is missing, or leave"),
        ("a,b,y\n1,NA,3\n", [], "line 2, column 2 (b): expected a finite number, got 'NA'; fill in what is missing"),
        ("a,b,y\n1,oak,3\n", [], "got 'oak'; leave columns of text out, or code them as numbers"),
        ("a,b,y\n1,3m,3\n", [], "got '3m'"),
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


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,b,y\n1_000,2,3\n4,5,7\n", r"line 2, column 1 \(a\): expected a finite number, got '1_000'"),
        ("1990,1991,1992\n1,2,3\n2,1,4\n", "look like a header of years; .*name y's column with --target"),
        ("0,1,2\n1,2,3\n2,1,4\n", "look like a header of numbers; .*name y's column with --target"),
        ("1,5;2,5;3\n2,5;3,5;4\n", "'1,5'|decimal comma"),
        ("a;b;y\n1,5;2;3\n", r"line 2, column 1 \(a\): '1,5' has a decimal comma; write 1.5"),
        ("# made by X\n1,2,3\n4,5,6\n", "line 1 begins with '#': leave comments out"),
        ("\uff11,2,3\n4,5,6\n", "is not a number"),
    ],
)
def test_what_only_python_takes_for_a_number_or_a_table_is_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_csv(str(tmp_path / "t.csv"))


def test_semicolons_with_commas_in_the_header(tmp_path):
    (tmp_path / "t.csv").write_text("a, in m;b, in s;y\n1;2;3\n4;5;7\n")
    features, target, names = read_csv(str(tmp_path / "t.csv"))
    assert (
        features.tolist() == [[1, 2], [4, 5]] and target.tolist() == [3, 7] and names.tolist() == ["a, in m", "b, in s"]
    )
