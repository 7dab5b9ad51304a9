"""Problems from tables and files: what is read, what keeps its name, and what is refused with a reason."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import hamtheory as ht
from tests.cli.command import refused, table_rows

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
NAMES = tuple("abcdef")
X = RNG.standard_normal((4, 6))
Y = X @ np.arange(1.0, 7.0)
FRAME = pd.DataFrame(X, columns=list(NAMES)).assign(y=Y)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    FRAME.to_csv(folder / "a.csv", index=False)
    FRAME.to_csv(folder / "a.tsv", index=False, sep="\t")
    FRAME.to_csv(folder / "a.csv.gz", index=False)
    FRAME.to_parquet(folder / "a.parquet")
    np.save(folder / "records.npy", FRAME.to_records(index=False))
    np.save(folder / "a.npy", FRAME.to_numpy())
    np.savez(folder / "a.npz", X=X, y=Y)
    dataset = xr.Dataset({"X": (("row", "column"), X), "y": ("row", Y)}, coords={"column": list(NAMES)})
    dataset.to_netcdf(folder / "a.nc", engine="scipy")
    with zipfile.ZipFile(folder / "sheet.csv", "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    (folder / "utf16.csv").write_bytes("a,y\n1,2\n".encode("utf-16"))
    (folder / "latin.csv").write_bytes("ä,y\n1,2\n".encode("latin1"))
    return folder


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.parquet", "records.npy", "a.nc"])
def test_files_with_names(files, name):
    problem = ht.read_problem(str(files / name))
    np.testing.assert_array_equal(problem.X, X)
    np.testing.assert_array_equal(problem.y, Y)
    assert problem.names == NAMES


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_files_without_names(files, name):
    problem = ht.read_problem(str(files / name))
    np.testing.assert_array_equal(problem.X, X)
    np.testing.assert_array_equal(problem.y, Y)
    assert problem.names is None


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_another_column_is_y(files, name):
    problem = ht.read_problem(str(files / name), "b")
    np.testing.assert_array_equal(problem.y, X[:, 1])
    assert problem.names == (*"acdef", "y")
    with pytest.raises(ValueError, match=r"must be the name of one column of .*got 'z'"):
        ht.read_problem(str(files / name), "z")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_decimal_commas(tmp_path, mark):
    path = tmp_path / "german.csv"
    FRAME.to_csv(path, index=False, sep=mark, decimal=",")
    problem = ht.read_problem(str(path), decimal=",")
    np.testing.assert_array_equal(problem.X, X)
    with pytest.raises(ValueError, match=r"has a decimal comma; write .*decimal=','"):
        ht.read_problem(str(path))
    path.write_text("a;y\n1.5;2\n")
    with pytest.raises(ValueError, match="line 2, column 1"):
        ht.read_problem(str(path), decimal=",")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a, in m;b, in s;y\n1;2;3\n4;5;7\n", [[1, 2], [4, 5]]),
        ('"a;b",c,y\n1,2,3\n4,5,7\n', [[1, 2], [4, 5]]),  # a semicolon in the header alone
        ('x,"last; of all",y\n1,2,3\n', [[1, 2]]),
        ("1\t2\t3\n4\t5\t7\n", [[1, 2], [4, 5]]),
    ],
)
def test_the_mark_is_that_of_all_lines(tmp_path, text, expected):
    (tmp_path / "t.csv").write_text(text)
    assert ht.read_problem(str(tmp_path / "t.csv")).X.tolist() == expected


@pytest.mark.parametrize("words", [("yes", "no"), ("True", "FALSE"), ("positive", "negative"), ("1", "0"), ("7", "3")])
@pytest.mark.parametrize("header", [True, False])
def test_classes_in_words(tmp_path, words, header):
    path = tmp_path / "classes.csv"
    classes = [words[0], words[1], words[1], words[0]]
    FRAME.assign(y=classes).to_csv(path, index=False, header=header)
    problem = ht.read_problem(str(path), kind="classification")
    assert problem.z.tolist() == [1, -1, -1, 1]
    if words[0].isalpha():
        with pytest.raises(ValueError, match="classes have a margin" if header else "is not a number"):
            ht.read_problem(str(path))


def test_other_words_are_no_classes(tmp_path):
    FRAME.assign(y=["cat", "dog"] * 2).to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_csv(tmp_path / "u.csv", index=False)
    with pytest.raises(ValueError, match=r"got 'cat'; classes are two numbers, yes and no"):
        ht.read_problem(str(tmp_path / "t.csv"), kind="classification")
    with pytest.raises(ValueError, match="y must have two values, one a class"):
        ht.read_problem(str(tmp_path / "u.csv"), kind="classification")


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        ("a.parquet", "b.csv", "is a Parquet file; name it with .parquet"),
        ("a.csv.gz", "b.csv", "is compressed by gzip; name it with .gz"),
        ("a.csv", "b.csv.gz", "is not compressed by gzip, as its name says"),
        ("a.csv", "b.parquet", "is not a Parquet file, as its name says"),
        ("a.csv", "b.npy", "is not an array of NumPy's, as its name says"),
        ("a.csv", "b.npz", "is not an .npz file"),
        ("a.csv", "b.nc", "is not a NetCDF file that can be read here"),
        ("a.npy", "b.npz", "it holds one array; name it with .npy"),
        ("a.npz", "b.npy", "is an archive of arrays of NumPy's; name it with .npz"),
        ("a.nc", "b.csv", "is a NetCDF file; name it with .nc"),
        ("sheet.csv", "sheet.csv", "is an Excel file; save the sheet as CSV in UTF-8"),
        ("utf16.csv", "utf16.csv", "not a text file in UTF-8: it begins like one in UTF-16"),
        ("latin.csv", "latin.csv", "is not a text file in UTF-8"),
        ("a.csv", "b.xlsx", "path must end in .csv, .tsv"),
    ],
)
def test_files_of_another_kind_than_their_names_say(capsys, files, tmp_path, source, name, message):
    path = tmp_path / name
    shutil.copy(files / source, path)
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        ht.read_problem(str(path))
    refused(capsys, "limit", str(path))  # one line, no traceback


def test_a_damaged_file_is_an_error_of_its_own(files, tmp_path):
    for name in ("a.csv.gz", "a.parquet", "a.npy"):
        whole = (files / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=rf"{name} is (not a text file|a damaged|damaged)"):
            ht.read_problem(str(tmp_path / name))


def test_columns_that_are_no_numbers(tmp_path, unchecked):
    FRAME.assign(b=["x", "y", "z", "w"]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="column 'b' must hold real numbers"):
        ht.read_problem(str(tmp_path / "t.parquet"))
    with pytest.raises(ValueError, match="X must hold real numbers; got a table whose column 'b' holds others"):
        ht.LinearRegression(FRAME.assign(b="x"), Y)


def test_bad_arguments(files, unchecked):
    path = str(files / "a.npz")
    for options, message in (
        ({"kind": "both"}, "kind must be 'regression' or 'classification'"),
        ({"target": "y"}, "target names a column of a table"),
        ({"target": ""}, "target names a column of a table"),
        ({"decimal": ","}, "decimal is for tables of text"),
    ):
        with pytest.raises(ValueError, match=message):
            ht.read_problem(path, **options)
    with pytest.raises(ValueError, match=r"decimal must be '\.' or ','"):
        ht.read_problem(str(files / "a.csv"), decimal=";")
    with pytest.raises(TypeError, match="target must be text, the name of a column or its number, such as '3'; got 2"):
        ht.read_problem(str(files / "a.csv"), 2)
    for name in ("a.csv", "a.parquet"):
        with pytest.raises(ValueError, match=r"target must be the name .*; got 'bs': did you mean 'b'\? .* are: a, b"):
            ht.read_problem(str(files / name), "bs")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        ht.read_problem("nowhere.csv")
    with pytest.raises(ValueError, match="names must have one entry a column of X, 6; got 1"):
        ht.read_problem(path).named(("a",))


# ---- tables


def test_pandas_keeps_names(unchecked):
    features = FRAME[list(NAMES)]
    problem = ht.LinearRegression(features, FRAME.y)
    assert problem.names == NAMES
    np.testing.assert_array_equal(problem.X, X)
    assert ht.BinaryClassification(features, [1, 0, 1, 0]).names == NAMES
    assert ht.LinearRegression(pd.DataFrame(X), Y).names is None  # places are no names
    assert ht.LinearRegression(X, Y).names is None
    assert ht.LinearRegression(features.astype("Int64", errors="ignore").astype("Float64"), FRAME.y).names == NAMES


def test_a_missing_value_is_named_by_its_column(unchecked):
    features = FRAME[list(NAMES)].astype(float)
    features.iloc[2, 1] = np.nan
    with pytest.raises(ValueError, match="X must be finite; got nan at index 2, 1, in the column 'b'"):
        ht.LinearRegression(features, FRAME.y)
    with pytest.raises(ValueError, match=r"y must be finite; got nan at index 2$"):
        ht.LinearRegression(FRAME[list(NAMES)], features.b)


def test_rows_in_another_order_are_refused(unchecked):
    features, shuffled = FRAME[list(NAMES)], FRAME.y.iloc[[2, 0, 1, 3]]
    with pytest.raises(ValueError, match="y must have its rows in the order of those of X; at place 0 X has 0, y 2"):
        ht.LinearRegression(features, shuffled)
    with pytest.raises(ValueError, match="z must have its rows in the order of those of X"):
        ht.BinaryClassification(features, shuffled > 0)
    aligned = ht.LinearRegression(features.loc[shuffled.index], shuffled)
    np.testing.assert_array_equal(aligned.y, Y[[2, 0, 1, 3]])
    ht.LinearRegression(features.iloc[1:], FRAME.y.iloc[1:].reset_index(drop=True))  # without labels: by place
    with pytest.raises(ValueError, match="theta_star must have its entries in the order of X's columns; at place 0"):
        ht.LinearRegression(features, FRAME.y, pd.Series(1.0, index=list("bacdef")))


def test_polars(unchecked):
    pl = pytest.importorskip("polars")
    problem = ht.LinearRegression(pl.DataFrame(dict(zip(NAMES, X.T, strict=True))), pl.Series(Y))
    assert problem.names == NAMES
    np.testing.assert_array_equal(problem.X, X)
    with pytest.raises(ValueError, match="X must be finite; got nan at index 1, 0"):
        ht.LinearRegression(pl.DataFrame({"a": [1, None]}), [1.0, 2.0])
    with pytest.raises(ValueError, match="whose column 'b' holds others"):
        ht.LinearRegression(pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}), [1.0, 2.0])


class Foreign:
    """A table of another library: columns by name, and what is missing is None."""

    def __init__(self, columns):
        self.columns, self._of = list(columns), columns
        self.shape = (len(next(iter(columns.values()))), len(columns))

    def __getitem__(self, name):
        return Foreign.Column(self._of[name])

    def to_numpy(self):
        return np.array(list(self._of.values()), object).T

    class Column:
        def __init__(self, values):
            self.values = values

        def to_numpy(self):
            return np.array(self.values, object)


def test_a_table_of_whatever_library(unchecked):
    problem = ht.LinearRegression(Foreign({"a": [1, 2], "b": [True, False]}), [1.0, 2.0])
    assert problem.names == ("a", "b") and problem.X.tolist() == [[1, 1], [2, 0]]
    with pytest.raises(ValueError, match="X must be finite; got nan at index 0, 1"):
        ht.LinearRegression(Foreign({"a": [1, 2], "b": [None, 0.5]}), [1.0, 2.0])
    with pytest.raises(ValueError, match="whose column 'b' holds others"):
        ht.LinearRegression(Foreign({"a": [1, 2], "b": ["x", 0.5]}), [1.0, 2.0])


# ---- the command line


@pytest.mark.parametrize("name", ["a.tsv", "a.parquet", "a.nc"])
def test_names_are_printed(capsys, files, name):
    from hamtheory.cli import main

    assert main(["limit", str(files / name), "--geometry", "gd"]) == 0
    entries = table_rows(capsys.readouterr().out)["largest entries"]
    theta = ht.min_norm(ht.LinearRegression(X, Y))
    largest = int(np.argmax(np.abs(theta)))
    assert entries.split() == [f"{theta[largest]:.5g}", NAMES[largest]]


def test_options_that_do_not_fit(capsys, files):
    assert "--decimal is for a .csv" in refused(capsys, "limit", str(files / "a.npz"), "--decimal", ",")
    assert "--target names a column of a .csv" in refused(capsys, "limit", str(files / "a.npz"), "--target", "y")


def test_a_console_that_has_no_greek(files):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}
    path = files / "greek.csv"
    path.write_text("α,β,y\n1,2,3\n", encoding="utf-8")
    for words, code in ((["limit", str(path)], 0), (["limit", "α.csv"], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "hamtheory", *words], cwd=ROOT, env=environment, capture_output=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr
