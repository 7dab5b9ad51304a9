"""An experiment is computed again if the code that it uses has changed, and not otherwise."""

import re
import shutil

import pytest

from experiments import LONG, NAMES, _sources

SOME = ("potentials", "inverse_metrics", "plane", "full_range", "recovery", "duel", "noise")


def rooms(name):
    """The rooms of hamtheory that an experiment uses."""
    files = (file.relative_to(_sources.ROOT).parts for file in _sources.closure(_experiment(name)))
    return {parts[1] for parts in files if parts[0] == "hamtheory"}


def _experiment(name):
    return _sources.ROOT / "experiments" / f"{name}.py"


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The sources in a folder of their own, and what changes some of them."""
    folder = tmp_path_factory.mktemp("sources")
    for package in ("hamtheory", "experiments"):
        shutil.copytree(_sources.ROOT / package, folder / package, ignore=shutil.ignore_patterns("out", "__pycache__"))

    def forget():
        for function in (_sources.used, _sources._offered, _sources._parsed):
            function.cache_clear()

    def changed(old, new, *files):
        """Those of SOME that a change of the files reaches; it is taken back."""
        texts = {folder / file: (folder / file).read_text("utf-8") for file in files}
        for path, text in texts.items():
            assert old in text
            path.write_text(text.replace(old, new, 1), "utf-8")
        forget()
        found = {name for name, mark in before.items() if _sources.digest(name, "") != mark}
        for path, text in texts.items():
            path.write_text(text, "utf-8")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sources, "ROOT", folder)
        patch.setattr(_sources, "_KEEPER", folder / "experiments" / "store.py")
        before = {name: _sources.digest(name, "") for name in SOME}
        yield changed
    forget()


def test_what_is_used_and_what_is_not():
    assert "geometry" in rooms("potentials") and not rooms("potentials") & {"limit", "flow", "cli", "sweeps", "theorem"}
    assert {"limit", "problem"} <= rooms("full_range") and not rooms("full_range") & {"flow", "sweeps", "train"}
    assert {"neuron", "algorithm"} <= rooms("neuron") and {"train", "sweeps"} <= rooms("training_flips")
    for name in (*NAMES, *LONG):
        assert "geometry" in rooms(name) or "train" in rooms(name)
        assert not rooms(name) & {"cli", "theorem"}


def test_what_an_experiment_imports_is_part_of_it():
    """What Python finds in a process of its own: all modules of hamtheory that an experiment reaches by a statement."""
    file = _experiment("duel")
    used = {path.stem for path in _sources.closure(file)}
    for module in re.findall(r"^from \.(\w+) import", file.read_text("utf-8"), flags=re.M):
        assert module in used
    assert {"_duel", "_matching", "_swept", "_batch"} <= used and "store" not in used


def test_docstrings_and_the_command_line_are_no_part(copied):
    files = ("hamtheory/cli/_limit.py", "hamtheory/limit/_solve.py", "experiments/store.py")
    assert copied('"""', '"""Changed. ', *files) == set()


def test_a_change_reaches_those_who_use_it(copied):
    changed = copied("\nimport", "\nCHANGED = 1\nimport", "hamtheory/limit/_host_newton.py")
    assert {"full_range", "recovery"} <= changed and not changed & {"potentials", "inverse_metrics"}


def test_a_change_of_geometry_reaches_all_and_one_of_an_experiment_only_itself(copied):
    assert copied("\nimport", "\nCHANGED = 1\nimport", "experiments/plane.py") == {"plane"}
    assert {"potentials", "plane", "duel", "noise"} <= copied(
        "\nimport", "\nX = 1\nimport", "hamtheory/geometry/_ham.py"
    )
