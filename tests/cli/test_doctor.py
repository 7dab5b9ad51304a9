"""What `hamtheory doctor` says of an installation, and of one that is broken."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hamtheory as ht
from hamtheory.cli import _doctor, main

ROOT = Path(__file__).parents[2]
BREAKS = {
    "raises": ("raise ImportError('jaxlib is too old')", "JAX cannot be used: ImportError: jaxlib is too old"),
    "crashes": ("import os; os.abort()", "JAX cannot be used: its process was ended by SIGABRT"),
    "hangs": ("import time; time.sleep(60)", "JAX has not answered within 1 s"),
}


@pytest.fixture
def broken_jax(tmp_path, monkeypatch):
    """To be called with what the process of JAX finds in place of JAX."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return (tmp_path / "jax.py").write_text


def doctor(capsys, code):
    """The report, and the lines of the standard error behind that which says what takes long."""
    assert main(["doctor", "--json"]) == code
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err.splitlines()[1:]


def test_an_installation_that_works(capsys, monkeypatch):
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    report, errors = doctor(capsys, 0)
    assert report["problems"] == errors == []
    assert report["hamtheory"] == ht.__version__ and report["settings"]["JAX_ENABLE_X64"] == "1"
    assert report["versions"]["numpy"] == np.__version__ and {"jaxlib", "scipy", "diffrax"} <= set(report["versions"])
    assert report["extras"]["test"] == [] and report["blas"][0]["num_threads"] >= 1
    assert report["jax"]["float64"] is True and report["jax"]["devices"]
    assert report["difference"] <= 1e-8 and report["host"]["residual"] <= 1e-10
    assert "SECRET_TOKEN" not in report["settings"] and str(Path.home()) not in report["folder"]


@pytest.mark.parametrize("how", BREAKS)
def test_jax_that_is_broken_is_reported_and_the_host_works(capsys, monkeypatch, broken_jax, how):
    code, reason = BREAKS[how]
    monkeypatch.setattr(_doctor, "_PATIENCE", 1.0 if how == "hangs" else 600.0)
    broken_jax(code)
    report, errors = doctor(capsys, 1)
    assert report["problems"] == [reason] and errors == [f"error: {reason}"]
    assert report["host"]["relative_gap"] <= 1e-10 and report["difference"] is None
    assert main(["doctor"]) == 1
    assert "host engine          a limit in " in capsys.readouterr().out


def test_engines_that_differ_are_reported(capsys, monkeypatch):
    right = ht.solve_limit(_doctor.question(), ht.HAM(alpha=_doctor.ALPHA)).theta
    answer = {"seconds": 0.0, "theta": (right * (1 + 1e-6)).tolist()}
    lines = f"{json.dumps({'devices': [], 'float64': False, 'compilation_cache': None})}\n{json.dumps(answer)}\n"
    monkeypatch.setattr(subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 0, lines, ""))
    report, errors = doctor(capsys, 1)
    assert report["difference"] == pytest.approx(1e-6) and errors == ["error: the engines differ by a relative 1e-06"]


def test_packages_that_are_old_or_missing_are_reported(monkeypatch):
    there = importlib.metadata.version

    def version(name):
        if name == "scipy":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.26.4" if name == "numpy" else there(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found, wrong = _doctor._packages({})
    assert found["versions"]["numpy"] == "1.26.4" and found["versions"]["scipy"] is None
    assert len(wrong) == 2 and wrong[0].startswith("numpy 1.26.4 is installed, numpy>=2") and "scipy is not" in wrong[1]


def test_an_extra_that_is_not_there(monkeypatch):
    needs = ["tqdm", 'numpy>=2; extra == "one"', 'nowhere; extra == "one"', 'winreg; sys_platform == "win32"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: needs)
    assert [found.name for found in _doctor._requirements()] == ["tqdm"]
    complaints = [_doctor._complaint(found) for found in _doctor._requirements("one")]
    assert complaints == ["", "nowhere is not installed"]


def test_a_checkout_that_is_not_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    found, wrong = _doctor._packages({})
    assert found["versions"] == {} and "PackageNotFoundError" in wrong[0]


def test_it_says_what_it_knows_before_anything_is_imported():
    code = "import sys; from hamtheory.cli import _doctor; _doctor._software({}), _doctor._packages({})"
    heavy = "{'jax', 'numpy', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{code}; assert not {heavy}"], cwd=ROOT, check=True)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"hamtheory {ht.__version__}\n"
