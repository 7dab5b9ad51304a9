"""`hamtheory train`: what it prints and writes, seeds that fail, checkpoints, and how it refuses bad input."""

import dataclasses
import json
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import hamtheory.train as htt
from hamtheory.cli import _names, _train, main, parse
from hamtheory.train import _data
from tests.cli.command import refused, table_rows

ROOT = Path(__file__).parents[2]
SHORT = ["train", "--epochs", "2", "--seeds", "2", "--quiet"]
SPARSE = [*SHORT, "--method", "rigl", "--sparsity", "0.9", "--set", "every=5"]
TOTAL, KEPT = 17_024, 1_702  # 64 * 128 + 128 * 64 + 64 * 10, and a tenth of it, rounded


# ---- help


def test_help_has_examples_that_can_be_parsed(capsys):
    assert main(["train", "--help"]) == 0
    assert "examples:" in capsys.readouterr().out
    lines = [line.strip() for line in _train.Train.description.splitlines() if line.startswith("  hamtheory")]
    assert len(lines) >= 3 and "train" in _names.COMMANDS
    for line in lines:
        command = parse(shlex.split(line)[1:])
        assert isinstance(command, _train.Train)
        command._check()
        command._method()


def test_help_imports_nothing_heavy_and_names_all_methods():
    code = "import sys; from hamtheory.cli import main; main(['train', '--help'])"
    code += "; assert not {'jax', 'numpy', 'sklearn', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert _train.METHODS.split(", ") == list(htt.METHODS)


# ---- what comes out


def test_a_comparison_prints_a_table(capsys, tmp_path):
    path = tmp_path / "train.npz"
    assert main([*SPARSE, "--compare", "--out", str(path)]) == 0
    captured = capsys.readouterr()
    rows = table_rows(captured.out)
    lines = [line for line in captured.out.splitlines() if str(path) not in line]
    assert captured.err == "" and all(len(line) <= 101 for line in lines)
    assert f"{KEPT:,} of {TOTAL:,} weights kept" in rows["sparsity"] and "17,226 parameters" in rows["network"]
    assert "every=5" in rows["method"] and rows["written"] == str(path)
    assert "38 steps: 2 epochs" in rows["training"] and rows["seeds"] == "0 to 1"  # of 19 batches each
    assert "without HAM" in captured.out and "359 test images" in captured.out
    assert rows["HAM's difference"].count("points") == 1 and "paired by seed" in rows["HAM's difference"]

    stored = np.load(path)
    summary = json.loads(str(stored["summary"]))
    assert stored["ham"].tolist() == [False, True] and stored["seed"].tolist() == [0, 1]
    assert stored["loss"].shape == (2, 2, 2) and np.all(stored["loss"][:, 1] < stored["loss"][:, 0])
    accuracy = stored["final_test_accuracy"].astype(np.float64)
    for arm, values in zip(summary["arms"], accuracy, strict=True):
        mean, low, high = map(float, htt.interval(values))
        assert arm["test_accuracies"] == values.tolist() and arm["nonfinite"] == {}
        assert [arm["test_accuracy"], *arm["test_interval"]] == pytest.approx([mean, low, high], rel=1e-12)
        assert f"{100 * mean:.2f} ({100 * low:.2f} to {100 * high:.2f})" in rows["test accuracy, %"]
    found = htt.paired(accuracy[1], accuracy[0])
    assert summary["test_difference"] == {name: value.item() for name, value in found._asdict().items()}
    assert f"{100 * found.mean:+.2f} points" in rows["HAM's difference"]
    kept = sum(stored[name].sum(axis=(2, 3)) for name in stored if name.startswith("masks_"))
    np.testing.assert_array_equal(kept, KEPT)
    np.testing.assert_array_equal(stored["final_kept"], KEPT)
    for name in stored:
        if name.startswith("masks_"):
            assert not np.any(stored[name.replace("masks", "weights")][~stored[name]])
    gross, net = (stored[name][:, -1].mean(axis=1) / TOTAL for name in ("gross", "net"))
    assert [arm["flips_gross"] for arm in summary["arms"]] == pytest.approx(gross.tolist(), rel=1e-12)
    assert [arm["flips_net"] for arm in summary["arms"]] == pytest.approx(net.tolist(), rel=1e-12)


@pytest.mark.parametrize("suffix", [".zarr", ".nc", ".json"])
def test_results_are_read_back_and_are_those_of_the_library(capsys, tmp_path, suffix):
    path = tmp_path / f"train{suffix}"
    for _ in range(2):  # the second one replaces the first
        assert main([*SHORT, "--epochs", "1", "--seed", "4", "--out", str(path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out.split("\n}\n")[1] + "\n}")
    data = htt.images("digits")
    recipe, hyper = htt.Recipe(htt.steps_of(data, 1)), {"learning_rate": 0.1, "weight_decay": 2e-3}
    end = htt.train(data, "mlp", htt.Dense(), recipe, epochs=1, seeds=[4, 5], hyper=hyper)
    assert printed["arms"][0]["test_accuracies"] == end.final_test_accuracy.astype(np.float64).tolist()
    assert printed["seeds"] == [4, 5] and printed["config"]["seed"] == 4 and printed["arms"][0]["learning_rate"] == 0.1
    assert printed["parameters"] == TOTAL + 128 + 64 + 10 and printed["sparsity"] == 0
    if suffix == ".json":
        assert json.loads(path.read_text()) == printed
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xr.open_zarr(path, consolidated=False) if suffix == ".zarr" else xr.open_dataset(path)
        with opened as dataset:
            assert json.loads(dataset.attrs["summary"]) == printed
            assert dict(dataset["loss"].sizes) == {"arm": 1, "epoch": 1, "seed": 2}
            np.testing.assert_array_equal(dataset["final_test_accuracy"].sel(seed=5), end.final_test_accuracy[1:])
            np.testing.assert_array_equal(dataset["weights_layers_0_weight"][0], end.weights.layers[0].weight)
            assert dataset["masks_layers_0_weight"].to_numpy().astype(bool).all()


def test_one_seed_has_no_interval(capsys):
    assert main([*SHORT, "--epochs", "1", "--seeds", "1", "--ham"]) == 0
    text = capsys.readouterr().out
    rows = table_rows(text)
    assert "one seed alone has no interval" in text and "(" not in rows["test accuracy, %"] and rows["seeds"] == "0"
    assert "HAM, alpha 3, beta 0.001" in " ".join(text.split()) and "difference" not in text


# ---- networks that fail


def test_if_all_fail_this_is_reported_and_written(capsys, tmp_path):
    path = tmp_path / "train.json"
    assert main([*SHORT, "--learning-rate", "1e30", "--epochs", "1", "--out", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == "error: no network stayed finite; try a smaller --learning-rate"
    rows, summary = table_rows(captured.out), json.loads(path.read_text())
    assert rows["not finite"].startswith("2 of 2 seeds") and rows["test accuracy, %"] == "none"
    assert summary["arms"][0]["test_accuracy"] is None and set(summary["arms"][0]["nonfinite"]) == {"0", "1"}


def test_a_seed_that_fails_is_named_and_left_out(capsys, monkeypatch):
    real = htt.train

    def failing(*args, **kwargs):
        end = real(*args, **kwargs)
        if "alpha" in end.hyper:
            return dataclasses.replace(end, nonfinite_step=np.where(np.arange(3) == 1, 7, -1))
        return end

    monkeypatch.setattr(htt, "train", failing)
    assert main([*SHORT, "--seeds", "3", "--epochs", "1", "--compare", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    without, with_ham = summary["arms"]
    assert without["nonfinite"] == {} and with_ham["nonfinite"] == {"1": 7}
    assert with_ham["test_accuracies"][1] is None
    rest = [with_ham["test_accuracies"][i] for i in (0, 2)]
    assert with_ham["test_accuracy"] == pytest.approx(np.mean(rest), rel=1e-12)
    assert summary["test_difference"]["pairs"] == 2
    assert main([*SHORT, "--seeds", "3", "--epochs", "1", "--compare"]) == 0
    assert table_rows(capsys.readouterr().out)["not finite"] == "1 of 3 seeds with HAM, in no mean below: 1 at step 7"


def test_an_interrupted_training_goes_on(capsys, monkeypatch, tmp_path):
    words, real = [*SHORT, "--ham", "--epochs", "1", "--checkpoint", str(tmp_path / "new" / "folder")], htt.train

    def interrupted(*args, **kwargs):
        real(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(htt, "train", interrupted)
    assert main(words) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: interrupted; the same command goes on"
    assert (tmp_path / "new" / "folder" / "sgd-ham" / "train.eqx").is_file()
    monkeypatch.setattr(htt, "train", real)
    assert main(words) == 0
    capsys.readouterr()
    assert "error: checkpoint" in refused(capsys, *words, "--alpha", "2")


# ---- bad input


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--method", "lottery"], "method must be one of 'dense', 'random', "),
        (["--sparsity", "0.9"], "--sparsity needs a --method that is sparse"),
        (["--layers", "erk"], "--layers needs a --method that is sparse"),
        (["--method", "rigl"], "--method rigl needs a --sparsity"),
        (["--method", "rigl", "--sparsity", "1"], "sparsity must be at least 0 and less than 1; got 1"),
        (["--method", "rigl", "--sparsity", "nan"], "sparsity must be at least 0"),
        (["--method", "rigl", "--sparsity", "0.9", "--layers", "global"], "layers must be"),
        (["--alpha", "3"], "--alpha is a parameter of HAM: it needs --ham or --compare"),
        (["--beta", "0"], "--beta is a parameter of HAM"),
        (["--ham", "--alpha", "-1"], "--alpha must be at least 0 and finite; got -1"),
        (["--learning-rate", "0"], "--learning-rate must be positive and finite"),
        (["--learning-rate", "nan"], "--learning-rate must be positive and finite"),
        (["--weight-decay", "-1"], "--weight-decay must be at least 0"),
        (["--sam", "0"], "--sam must be positive"),
        (["--epochs", "0"], "--epochs must be at least 1; got 0"),
        (["--seeds", "0"], "--seeds must be at least 1; got 0"),
        (["--seed", "-1"], "--seed must be at least 0; got -1"),
        (["--split-seed", "-1"], "--split-seed must be at least 0; got -1"),
        (["--batch-size", "0"], "--batch-size must be at least 1; got 0"),
        (["--batch-size", "2000"], "--batch-size must be at most 1259"),
        (["--method", "acdc", "--sparsity", "0.9", "--set", "every=5"], "it has: dense_layers, warmup, phase"),
        (["--method", "rigl", "--sparsity", "0.9", "--set", "every"], "--set must be NAME=VALUE"),
        (["--method", "rigl", "--sparsity", "0.9", "--set", "every=x"], "--set every must be an integer; got 'x'"),
        (["--method", "rigl", "--sparsity", "0.9", "--set", "alpha=x"], "--set alpha must be a number; got 'x'"),
        (["--method", "rigl", "--sparsity", "0.9", "--set", "alpha=2"], "alpha must be more than 0 and at most 1"),
        (["--method", "rigl", "--sparsity", "0.9", "--set", "every=5", "--set", "every=6"], "given twice"),
        (["--method", "rigl", "--sparsity", "0.9", "--set", "dense_layers=inner"], "dense_layers must be one of"),
        (["--method", "rigl", "--set", "sparsity=0.9", "--sparsity", "0.8"], "write --sparsity 0.9"),
        (["--method", "str", "--sparsity", "0.9", "--weight-decay", "0"], "--set weight_decay=VALUE"),
        (["--method", "pilot", "--sparsity", "0.9", "--weight-decay", "0"], "--set kappa=VALUE"),
        (["--method", "gradual", "--sparsity", "0.9", "--epochs", "1"], "updates must be less, or steps more"),
        (["--out", "train.mat"], ".npz, .zarr, .nc, .json"),
        (["--out", "no/such/folder/train.npz"], "no folder 'no/such/folder'"),
        (["--checkpoint", __file__], "is no folder"),
    ],
)
def test_bad_words(capsys, unchecked, words, expected):
    assert expected in refused(capsys, "train", *words)


@pytest.mark.parametrize("words", [["--data", "cifar"], ["--model", "resnet"], ["--base", "lion"], ["--smp", "1"]])
def test_bad_options(capsys, words):
    assert main(["train", *words]) == 2
    assert capsys.readouterr().err != ""


def test_missing_package(capsys, monkeypatch):
    def missing():
        raise ImportError("no sklearn")

    monkeypatch.setitem(_data._SOURCES, "digits", missing)
    assert "hamtheory[train]" in refused(capsys, "train")


def test_set_reads_values_in_the_types_of_the_fields():
    words = ["--set", "cycles=2", "--set", " stop_at = 1 ", "--set", "dense_layers=first, last"]
    method = parse(["train", "--method", "cyclical", "--sparsity", "0.5", *words])._method()
    assert method == htt.Gradual(sparsity=0.5, cycles=2, stop_at=1.0, dense_layers=("first", "last"))
    assert isinstance(method.stop_at, float)
