"""`hamtheory sweep`: what it prints, and its exit codes."""

import json
import shlex

import pytest
import toy

import hamtheory as ht
from hamtheory.cli import main, parse
from hamtheory.cli._sweep import SWEEP

SPEC = """
chunk = 7
keep_theta = true
quantity = "toy"

[problems]
kind = "sparse"
n = 4
d = 8
k = 2
seeds = { start = 0, count = 10 }

[geometries]
family = "ham"
alpha = [1.0, 2.0, 3.0]
"""


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC)
    return str(tmp_path / "spec.toml")


@pytest.fixture
def store(tmp_path):
    ht.sweep(toy.spec(), tmp_path / "store", progress=False)
    return tmp_path / "store"


def rows(text):
    return {line[:12].strip(): line[12:] for line in text.splitlines()}


def test_run_and_run_again(capsys, spec, tmp_path):
    for _ in range(2):
        assert main(["sweep", "run", spec, "--store", str(tmp_path / "store")]) == 0
        captured = capsys.readouterr()
        found = rows(captured.out)
        assert found["sweep"] == "toy, 10 problems x 3 geometries x 1 starts, float64"
        assert found["instances"] == "30 of 30 (100.0%), 5 of 5 chunks" and found["outcomes"] == "30 converged"
        assert found["writer"].startswith("finished: process ")
        assert "30.0/30.0" in captured.err  # the bar


def test_run_of_a_table_is_that_of_python(spec):
    assert ht.SweepSpec.from_toml(spec).hash == ht.SweepSpec.from_table(toy.spec()).hash


def test_resume_repairs_what_verify_finds(capsys, store):
    words = [str(store)]
    assert main(["sweep", "verify", *words]) == 0
    assert capsys.readouterr().out == "5 of 5 chunks are there, as they were written\n"
    (store / "chunks" / "1.json").unlink()
    file = store / "data.zarr" / "largest" / "c.3"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert main(["sweep", "verify", *words]) == 1
    captured = capsys.readouterr()
    assert (
        "3 of 5 chunks" in captured.out
        and "damaged: chunk 3, instances 21 to 27 (data.zarr/largest/c.3)" in captured.out
    )
    assert "not computed: 1 chunks" in captured.out and "hamtheory sweep resume" in captured.err
    assert main(["sweep", "status", *words]) == 0
    assert rows(capsys.readouterr().out)["instances"].startswith("23 of 30")
    assert main(["sweep", "resume", "--quiet", *words]) == 0
    assert capsys.readouterr().err == ""
    assert main(["sweep", "verify", *words]) == 0


def test_status_as_json(capsys, store):
    assert main(["sweep", "status", str(store), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        found["done"] == found["instances"] == 30 and found["statuses"] == {"converged": 30} and found["warnings"] == []
    )


def test_export(capsys, store, tmp_path):
    assert main(["sweep", "export", str(store), str(tmp_path / "table.csv")]) == 0
    assert capsys.readouterr().out.startswith("30 instances -> ")
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 31


@pytest.mark.parametrize(
    "words, message",
    [
        (["run", "huge", "--store", "x"], "spec must be"),
        (["run", "none.toml", "--store", "x"], "there is no file 'none.toml'"),
        (["resume", "none"], "'none' is no store of a sweep"),
        (["status", "none"], "'none' is no store of a sweep"),
        (["verify", "none"], "'none' is no store of a sweep"),
        (["export", "none", "table.csv"], "'none' is no store of a sweep"),
        (["run", "smoke", "--store", "x", "--workers", "0"], "workers must be at least 1"),
        (["start"], "unknown command 'start'; there are: run, resume, status, verify, export"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input(capsys, monkeypatch, tmp_path, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and message in captured.err
    assert len(captured.err.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_other_spec(capsys, store, spec, tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC.replace("3.0]", "4.0]"))
    assert main(["sweep", "run", spec, "--store", str(store)]) == 2
    assert "geometries[0].parameters.alpha[2]: 3.0 -> 4.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, code, said",
    [(KeyboardInterrupt(), 1, "go on with: "), (OSError(28, "the disk is full"), 1, "the disk is full")],
)
def test_what_stops_a_sweep(capsys, store, monkeypatch, error, code, said):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr("hamtheory.sweeps.sweep", stop)
    assert main(["sweep", "resume", str(store)]) == code
    assert said in capsys.readouterr().err


def test_warnings_are_one_line(capsys, store):
    (store / "manifest.json").write_text("{}")
    assert main(["sweep", "resume", str(store)]) == 2
    assert "run the sweep again with its spec" in capsys.readouterr().err
    (store.parent / "spec.toml").write_text(SPEC)
    assert main(["sweep", "run", str(store.parent / "spec.toml"), "--store", str(store), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("warning: ") and captured.err.count("\n") == 1
    assert "made anew" in rows(captured.out)["warning"]


@pytest.mark.parametrize("command", [[], *([name] for name in SWEEP)])
def test_help_has_examples(capsys, command):
    assert main(["sweep", *command, "--help"]) == 0
    assert "examples:" in capsys.readouterr().out


def test_examples_in_the_help_can_be_parsed():
    for name, kind in SWEEP.items():
        lines = [line.split(maxsplit=1)[1] for line in kind.description.splitlines() if line.startswith("  hamtheory")]
        assert lines
        for line in lines:
            words = shlex.split(line)
            assert words[:2] == ["sweep", name] and isinstance(parse(words), kind)
