"""Where data lie, at every scale."""

import importlib

import pytest

from experiments import LONG, NAMES, QUICK, store
from experiments._run import scale_of


def test_a_quick_version_where_it_is_said_there_is():
    for name in (*NAMES, *LONG):
        module = importlib.import_module(f"experiments.{name}")
        assert hasattr(module.Config, "quick") is (name in QUICK), name
        if name in QUICK:
            assert store.config_of(module, "quick") != store.config_of(module, "full") == module.Config()
            assert len({store.path(name, scale) for scale in store.SCALES}) == 3
        elif name in NAMES:
            assert store.config_of(module, "quick") == store.config_of(module, "full")
            assert store.path(name) == store.path(name, "full") != store.path(name, "smoke")


def test_scales_of_the_command_line():
    assert scale_of(["--n", "3"]) == ("quick", ["--n", "3"])
    assert scale_of(["--smoke", "--fresh"]) == ("smoke", ["--fresh"])
    assert scale_of(["--full"]) == ("full", [])
    with pytest.raises(SystemExit, match="one of --smoke and --full"):
        scale_of(["--full", "--smoke"])


def test_what_is_not_there_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"python -m experiments plane --smoke$"):
        store.load("plane", "smoke")
