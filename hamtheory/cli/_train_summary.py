"""What training came to: for machines a dictionary and arrays, for people a table."""

import importlib.metadata
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..train import AbstractMethod, Images, Recipe, TrainResult, interval, paired, sampling_error
from ._output import Arrays, provenance
from ._row import row

_CURVES = ("loss", "validation_accuracy", "test_accuracy", "kept", "nonzero", "gross", "net", "flipped_back")
_ENDS = ("final_validation_accuracy", "final_test_accuracy", "final_kept", "final_nonzero", "result", "nonfinite_step")
_COLUMN = 24  # characters


def describe(
    data: Images,
    model: str,
    name: str,
    method: AbstractMethod,
    arms: dict[bool, tuple[Recipe, dict[str, float]]],
    results: dict[bool, TrainResult],
) -> dict[str, Any]:
    """All that is worth knowing of a training, in plain numbers and text; `arms`, `results`: by whether HAM is used."""
    recipe, first = next(iter(arms.values()))[0], next(iter(results.values()))
    parts = {part: len(getattr(data, f"y_{part}")) for part in ("train", "validation", "test")}
    summary = {
        "data": data.name,
        **{f"images_{part}": number for part, number in parts.items()},
        "split_seed": data.seed,
        "model": model,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(first.weights)) // len(first.seeds),
        "method": name,
        "settings": {key: value for key, value in vars(method).items() if key != "sparsity"},
        "kept": int(first.final_kept[0]),
        "total": first.total,
        "sparsity": float(first.sparsity[0]),
        "steps": first.steps,
        "seeds": first.seeds.tolist(),
        "base": recipe.base,
        "momentum": recipe.momentum if recipe.base == "sgd" else None,
        "arms": [{"ham": ham, **arms[ham][1], **_measured(result, parts["test"])} for ham, result in results.items()],
    }
    if len(results) == 2:
        pair = (results[True], results[False])
        for part in ("validation", "test"):
            with_ham, without = (_finite(result, f"final_{part}_accuracy") for result in pair)
            found = paired(with_ham, without)
            summary[f"{part}_difference"] = {key: value.item() for key, value in found._asdict().items()}
    made = provenance()
    made["versions"] |= {package: importlib.metadata.version(package) for package in ("equinox", "optax")}
    devices = sorted({device.device_kind for device in jax.devices()})
    return summary | {"device": ", ".join(devices), "cores": os.cpu_count(), "dtype": "float32"} | made


def _measured(result: TrainResult, images: int) -> dict[str, Any]:
    """The numbers of the networks that are finite, and the others by name."""
    steps = dict(zip(result.seeds.tolist(), result.nonfinite_step.tolist(), strict=True))
    found: dict[str, Any] = {"nonfinite": {str(seed): step for seed, step in steps.items() if step >= 0}}
    for part in ("validation", "test"):
        accuracies = _finite(result, f"final_{part}_accuracy")
        mean, low, high = (value.item() for value in interval(accuracies))
        found |= {f"{part}_accuracy": mean, f"{part}_interval": [low, high], f"{part}_accuracies": accuracies.tolist()}
    found["test_sampling_error"] = sampling_error(found["test_accuracy"], images).item()
    found["nonzero"] = interval(_finite(result, "final_nonzero")).mean.item()
    for name in ("gross", "net"):
        found[f"flips_{name}"] = interval(_finite(result, name) / result.total).mean.item()
    return found


def _finite(result: TrainResult, name: str) -> np.ndarray:
    """The last numbers of this name, float64, with NaN for networks that are not finite."""
    values = getattr(result, name).astype(np.float64)
    return np.where(result.nonfinite_step < 0, values if values.ndim == 1 else values[-1], np.nan)


def arrays(results: dict[bool, TrainResult]) -> Arrays:
    """Curves along the epochs, the ends, weights and masks, with an axis of arms: without HAM, with HAM, or both."""
    first, stacked = next(iter(results.values())), lambda get: np.stack([np.asarray(get(r)) for r in results.values()])
    found: Arrays = {
        "ham": (("arm",), np.array(list(results))),
        "seed": (("seed",), first.seeds),
        "epoch": (("epoch",), np.arange(1, len(first.loss) + 1)),
    }
    found |= {name: (("arm", "epoch", "seed"), stacked(lambda r, name=name: getattr(r, name))) for name in _CURVES}
    found |= {name: (("arm", "seed"), stacked(lambda r, name=name: getattr(r, name))) for name in _ENDS}
    for kind in ("weights", "masks"):
        trees = [jax.tree_util.tree_leaves_with_path(getattr(result, kind)) for result in results.values()]
        for leaves in zip(*trees, strict=True):
            path = jax.tree_util.keystr(leaves[0][0], simple=True, separator="_")
            values = np.stack([np.asarray(leaf) for _, leaf in leaves])
            axes = tuple(f"{path}_{i}" for i in range(values.ndim - 2))
            found[f"{kind}_{path}"] = (("arm", "seed", *axes), values)
    return found


def table(summary: dict[str, Any], out: Path | None) -> str:
    """The summary for a person: aligned, in about twenty lines."""
    arms, seeds = summary["arms"], summary["seeds"]
    parts = ", ".join(f"{summary[f'images_{part}']:,} {part}" for part in ("train", "validation", "test"))
    biases = summary["parameters"] - summary["total"]
    rows = [
        ("data", f"{summary['data']}: {parts} images, split {summary['split_seed']}"),
        ("network", f"{summary['model']}: {summary['parameters']:,} parameters, {biases:,} of them always kept"),
        ("method", _method(summary)),
        ("sparsity", f"exactly {summary['sparsity']:.6g}: {summary['kept']:,} of {summary['total']:,} weights kept"),
        ("optimizer", _optimizer(summary)),
        ("training", f"{summary['steps']:,} steps: {summary['epochs']} epochs, batches of {summary['batch_size']}"),
        ("seeds", f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"),
    ]
    for arm in arms:
        if arm["nonfinite"]:
            places = ", ".join(f"{seed} at step {step}" for seed, step in arm["nonfinite"].items())
            number = f"{len(arm['nonfinite'])} of {len(seeds)} seeds{_which(arm, arms)}"
            rows.append(("not finite", f"{number}, in no mean below: {places}"))
    rows.append(("", ""))
    if len(arms) == 2:
        rows.append(("", "".join(f"{'with' if arm['ham'] else 'without'} HAM".ljust(_COLUMN) for arm in arms)))
    lines = {
        "test accuracy, %": lambda arm: _interval(arm["test_accuracy"], arm["test_interval"]),
        "validation, %": lambda arm: _interval(arm["validation_accuracy"], arm["validation_interval"]),
        "flips a weight": _flips,
    }
    if any(round(arm["nonzero"]) < summary["kept"] for arm in arms if np.isfinite(arm["nonzero"])):
        lines["kept and not 0"] = lambda arm: f"{arm['nonzero']:,.1f}"
    rows += [(label, "".join(line(arm).ljust(_COLUMN) for arm in arms)) for label, line in lines.items()]
    rows += [("", ""), *_uncertainty(summary)]
    if out is not None:
        rows.append(("written", str(out)))
    rows.append(("took", f"{summary['seconds']:.1f} s in {summary['dtype']} on {summary['device']}"))
    return "\n".join(row(name, text) for name, text in rows)


def _uncertainty(summary) -> list[tuple[str, str]]:
    rows = []
    for label, part in (("HAM's difference", "test"), ("  in validation", "validation")):
        if f"{part}_difference" in summary:
            rows.append((label, _difference(summary[f"{part}_difference"])))
    errors = [arm["test_sampling_error"] for arm in summary["arms"] if not np.isnan(arm["test_sampling_error"])]
    if errors:
        several = len(summary["seeds"]) > 1
        note = "mean over seeds (95 % interval, Student's t)" if several else "one seed alone has no interval"
        images, error = f"all seeds share the {summary['images_test']:,} test images", 100 * max(errors)
        rows += [("", note), ("", f"{images}: standard error {error:.2f} points (binomial)")]
    return rows


def _difference(found: dict[str, Any]) -> str:
    if found["pairs"] == 0:
        return "no pair is finite"
    ends = "" if found["pairs"] == 1 else f" ({100 * found['low']:+.2f} to {100 * found['high']:+.2f})"
    equal = found["pairs"] - found["higher"] - found["lower"]
    signs = f"{found['higher']} higher, {equal} equal, {found['lower']} lower"
    return f"{100 * found['mean']:+.2f} points{ends}, paired by seed: {signs}"


def _which(arm, arms) -> str:
    return "" if len(arms) == 1 else f" {'with' if arm['ham'] else 'without'} HAM"


def _interval(mean: float, ends: list[float]) -> str:
    if np.isnan(mean):
        return "none"
    return f"{100 * mean:.2f}" + ("" if np.isnan(ends[0]) else f" ({100 * ends[0]:.2f} to {100 * ends[1]:.2f})")


def _flips(arm) -> str:
    return "none" if np.isnan(arm["flips_gross"]) else f"{arm['flips_gross']:.3f} gross, {arm['flips_net']:.3f} net"


def _method(summary) -> str:
    settings = {} if summary["method"] == "dense" else summary["settings"]
    shown = ", ".join(f"{name}={value}" for name, value in settings.items() if value != ())
    return f"{summary['method']}: {shown}" if shown else summary["method"]


def _optimizer(summary) -> str:
    arm = summary["arms"][-1]
    rate = f"learning rate {arm['learning_rate']:g} to 0 (cosine)"
    momentum = "" if summary["momentum"] is None else f", momentum {summary['momentum']:g}"
    decay = f", weight decay {arm['weight_decay']:g}" if "weight_decay" in arm else ""
    sam = "" if summary["sam"] is None else f", SAM {summary['sam']:g}"
    line = f"{summary['base']}, {rate}{momentum}{decay}{sam}"
    if not arm["ham"]:
        return line
    return f"{line}; {'and ' if len(summary['arms']) == 2 else ''}HAM, alpha {arm['alpha']:g}, beta {arm['beta']:g}"
