"""What pages quote of the experiments: numbers of their full data, which are too large to be kept.

    python -m experiments discrete_bias --full && python -m figures.answers discrete_bias
    python -m figures.answers                          of all whose full data are there

A page names its numbers in a comment behind them, `<!--duel.flow_steps-->`; `tests/docs/test_numbers.py` compares them.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.stats
import xarray as xr

import hamtheory as ht
import hamtheory.train as htt
from experiments import prunability as experiment, store
from experiments._l2_end import l2_end
from experiments.scaling_law import best, margin_law, needed
from figures import early_stopping as stopping
from figures.effective_bias import interval, ratio, relative_excess
from figures.prunability import difference, setting

FILE = store.MEASURED / "answers.json"


def duel(data: xr.Dataset) -> dict[str, Any]:
    """Medians of ratios HAM / m⊙w, one of each α, from zero and from wrong signs; runs that are lost, in percent."""
    medians, found = data["median"].sel(bound="estimate"), {}
    matched, middle, largest = (data["status"] == 0).all("side"), *data["fraction"].values[-2:]
    lost = 100 * (data["run_status"] != 0).where(matched).mean("instance").sel(fraction=largest)
    for short, start in (("", "zero"), ("wrong_", "wrong signs")):
        own = medians.sel(start=start)
        found[short + "flow_steps"] = own.sel(number="flow_steps")
        found[short + "run_flips"] = _range(own.sel(number=f"run_gross_{middle:g}"))
        found[short + "lost"] = lost.sel(side="HAM", start=start)
    zero, wrong = (medians.sel(start=start) for start in ("zero", "wrong signs"))
    product = (data["alpha"] * np.exp(data["log_gamma"])).median("instance")
    return found | {
        "instances": data.sizes["instance"],
        "middle": middle,
        "largest": largest,
        "run_steps": zero.sel(number=f"run_steps_{middle:g}"),
        "large_steps": zero.sel(number=f"run_steps_{largest:g}"),
        "wrong_recovery": wrong.sel(number="flow_recovery"),
        "wrong_run_recovery": wrong.sel(number=f"run_recovery_{middle:g}"),
        "fewer": _range(100 - 100 * zero.sel(number=["flow_steps", f"run_steps_{middle:g}"])),
        "farther": _range(100 * zero.sel(number="distance") - 100),
        "flips": medians.sel(number="flow_gross").mean(),
        "products": _range(product),
        "agree": _range(np.sqrt(1 + np.maximum(product, 1 / product) ** 2)),
    }


def scaling_law(data: xr.Dataset) -> dict[str, Any]:
    """Misfits; margin times ln of the needed α; ln of the best α for a θ* of other sizes, and where it is infinite."""
    logs, errors, margins = data["log_alpha"].values, data["error"].values, data["margin"].values

    def product(share):
        needs = [[min(best(logs, e, 1e-6, data.attrs["last"]), needed(logs, e, share)) for e in row] for row in errors]
        return margin_law(margins, np.array(needs))[0][1]

    medians = data["quartiles"].sel(quartile=0.5, answer="best").values
    on = [0, *np.flatnonzero(data["line"].values == "noise")]  # the centre, and where the noise is another
    sizes = float(data["noise"][0]) / data["noise"].values[on]
    own = sorted((c, m - np.log(c)) for c, m in zip(sizes, medians[on], strict=True))
    return {
        "instances": data.sizes["setting"] * data.sizes["instance"],
        "misfit": data["misfit"],
        "margins": [x for share in (0.1, 0.01) for x in (product(share), share)],
        "sizes": [c for c, log in own if np.isfinite(log)],
        "size_log": [log for _, log in own if np.isfinite(log)],
        "infinite": [c for c, log in own if np.isinf(log)],
    }


def discrete_bias(data: xr.Dataset) -> dict[str, Any]:
    """Measured over predicted bias as η → 0; how the excess changes, in percent; what sparsity costs in steps."""
    bias = (data["distance"] / data["distance_theory"]).sel(rule=["HYP*", "natural gradient"])
    factor, first, second = float(data["rate"][1] / data["rate"][0]), bias.isel(rate=0), bias.isel(rate=1)
    change = 100 * data["change"].where(data["status"] == 0).isel(rate=-1)
    found = {
        "ratio": _range((factor * first - second) / (factor - 1)),
        "largest": data["rate"][-1],
        "change": _range(change.sel(rule="HYP*")),
        "change_hyp": _range(change.sel(rule="HYP")),
        "change_natural": _range(change.sel(rule="natural gradient")),
        "alphas": [1e1, 1e3, 1e5, 1e7],
    }
    logs = np.log(data["strength"].values)
    for family, name in (("HAM", "price"), ("m*w", "price_mw")):
        condition, excess = (
            np.interp(np.log(found["alphas"]), logs, np.log(data[f"flow_{of}"].sel(family=family).median("problem")))
            for of in ("condition", "excess")
        )
        found[name] = 10 ** -(np.diff(condition) / np.diff(excess))  # times as many, for ten times less excess
    power = np.polyfit(logs, np.log(data["flow_condition"].sel(family="HAM").median("problem")), 1)[0]
    return found | {"power": power}


def label_noise(data: xr.Dataset) -> dict[str, Any]:
    """Mean excess L1 norms at the last look, measured and by theory; of HYP* at the first one, too, with the steps."""
    measured, theory = ((data[name] / data["least_l1"] - 1).mean("problem") for name in ("l1", "l1_theory"))
    measured, theory = measured.mean("draw"), theory.isel(step=-1)
    end, ascent = measured.isel(step=-1), measured.sel(rule="HYP*")
    return {
        "hyp_star": [x for i in (0, -1) for x in (ascent[i], data["step"][i])],
        "hyp_star_theory": theory.sel(rule="HYP*"),
        "mw": end.sel(rule="m*w"),
        "mw_theory": theory.sel(rule="m*w"),
        "natural": end.sel(rule="natural gradient"),
        "gd": end.sel(rule="GD"),
    }


def effective_bias(data: xr.Dataset) -> dict[str, Any]:
    """HAM: measured over predicted shifts, and mean excess L1 norms over that of the flow's limit, with 95 %."""
    ends = [relative_excess(data, f"ham_l1_{name}", "HAM") for name in ("measured", "ito")]
    spread = data["norm"].sel(family="m*w").std("path", ddof=1)
    return {
        "level": 95,
        "rates": data["rate"],
        "slope": np.stack(interval(data["ham_slope"]), axis=1),
        "ends": [x[place] for place in (0, -1) for of in ends for x in interval(of)],
        "spread_mw": spread.sel(kind="stochastic flow") / spread.sel(kind="algorithm"),
    }


def noise(data: xr.Dataset) -> dict[str, Any]:
    """HYP*: change of the excess, in percent, at the smallest rate with one sample a step, predicted and measured."""
    own = data.isel(rate=0, rate_curve=list(data["rate_curve"].values).index("HYP*"))
    return {"first": [100 * own["rate_theory"].mean(), 100 * own["rate_change"].mean()]}


def flips_over_time(data: xr.Dataset) -> dict[str, Any]:
    """Flips of HYP over those of HYP*: ratios of means over all runs, with 95 %; and of net flips, in percent."""
    gross, net = (data[name].isel(step=-1).stack(run=("start", "problem", "draw")) for name in ("gross", "net"))
    one, other = gross.sel(rule="HYP"), gross.sel(rule="HYP*")
    ratios = np.stack(ratio(one, other), axis=1)
    names = [name.replace(" ", "_").replace("-", "_") for name in data["noise"].values]
    off = net.sel(rule="HYP").mean("run") / net.sel(rule="HYP*").mean("run") - 1
    found = dict(zip(names, ratios, strict=True))
    return found | {"runs": gross.sizes["run"], "level": 95, "net": 100 * abs(off).max()}


def orders(data: xr.Dataset) -> dict[str, Any]:
    """The orders of HYP and HYP* on problems whose flow crosses zero."""
    across = data["run_order"].sel(start="across")
    return {name: _range(across.sel(rule=rule)) for name, rule in (("hyp", "HYP"), ("hyp_star", "HYP*"))}


def stability(data: xr.Dataset) -> dict[str, Any]:
    """How many largest stable rates there are, and how far they are from theory near the limits, in percent."""
    return {"cases": data["near"].size, "off": 100 * abs(data["near"] / data["theory"] - 1).max()}


def ablations(data: xr.Dataset) -> dict[str, Any]:
    """Nothing but the configuration."""
    return {}


def prunability(data: xr.Dataset) -> dict[str, Any]:
    """Differences of accuracies in points, means with 95 %, at some sparsities; what all settings share, in percent."""
    slow, strong, product = {"learning_rate": 0.03, "alpha": 30.0}, {"alpha": 10.0, "beta": 0.05}, {"kappa": 1e-3}
    base, sparsities = {"learning_rate": 0.15, "weight_decay": 0.005}, [0.8, 0.9, 0.98]
    pairs = {
        "same_rate": (slow, slow | {"alpha": 0.0}),
        "same_decay": (strong, strong | {"alpha": 0.0}),
        "tuned": (strong, base),
        "product": (product, base),
    }
    places, found = [int(np.argmin(abs(data["sparsity"].values - s))) for s in sparsities], {}
    for name, pair in pairs.items():
        of = difference(*(_own(data, **hyper) for hyper in pair))
        found[name] = np.stack([of.mean, of.low, of.high], axis=1)[places]
    norm = lambda **hyper: _own(data, **hyper)["l1"].mean()  # noqa: E731
    moved = [norm(alpha=10.0) / norm(), norm(**slow) / norm(**slow | {"alpha": 0.0})]
    config = experiment.Config()
    images = htt.images(config.data, validation=config.validation, test=config.test)
    return found | {
        "sparsities": sparsities,
        "slow": list(slow.values()),
        "strong": list(strong.values()),
        "base": list(base.values()),
        "kappa": product["kappa"],
        "usual": [_own(data)[name] for name in ("learning_rate", "weight_decay")],
        "ends": [sparsities[0], sparsities[-1]],
        "level": 95,
        "settings": data.sizes["setting"],
        "steps": htt.steps_of(images, config.epochs, config.batch_size),
        "dense": _range(100 * data["test_accuracy"].sel(sparsity=0.0).mean("seed")),
        "share": 100 * config.share,
        "carriers": 100 * data["carriers"].min(),
        "moved": 100 * abs(np.stack(moved) - 1),
    }


def _own(data: xr.Dataset, **hyper: float) -> xr.Dataset:
    found = setting(data, **hyper)
    assert found is not None, hyper
    return found


def early_stopping(data: xr.Dataset) -> dict[str, Any]:
    """HAM at its best time over others, row by row of the noises; what rules cost; substitutes; exponents."""
    shown, flow = data.attrs["shown"], stopping.largest(data)
    rows = stopping.comparisons(data)
    columns = [rows[name].sel(bound="estimate") for name in ("its limit", "limit of the best α", "lasso", "ridge")]
    held = data["stopped"].sel(flow=flow, rule="held out"), data["other"].sel(peer="lasso, held out")
    columns.append(stopping.ratio(*held).sel(bound="estimate"))
    costs = {name: values.sel(bound="estimate", noise=shown) for name, values in stopping.costs(data).items()}
    risk = data["risk"].sel(noise=shown).mean("draw").min("clock")
    near = data["proximal"].mean("proximal_draw").min("point")
    best = data["stopped"].sel(rule="oracle").mean("draw")
    other = best.sel(flow=data["flow"][-1].item()) / best.sel(flow=flow)
    exponent = data["exponent"]
    lasso = exponent.sel(fitted="lasso", factor="ln d").values
    return {
        "bound": ht.theorem.ledger()["ali.early-stopping"].constants["most"],
        "table": np.stack([data["noise"], *columns], axis=1),
        "shown": shown,
        "costs": [costs["HAM", "discrepancy"], costs["HAM", "held out"], costs["lasso", "held out"]],
        "mw": 100 * abs(1 - other).max(),
        "substitutes": [
            near.isel(alpha=-1) / risk.sel(flow=flow),
            data["decayed"].sel(flow=flow).min() / risk.sel(flow=flow),
        ],
        "ridge": 100 * (data["over_ridge"].max() - 1),
        "exponents": exponent.sel(fitted="HAM", bound="estimate"),
        "lasso": [lasso[0], 95.0, *lasso[1:]],
    }


def signs() -> dict[str, Any]:
    """The share of sign patterns, in percent, that have interpolators, and these a bounded set: by Cover's counts."""
    n, d = 40, 100
    held, none = scipy.stats.binom.sf(d - n - 1, d - 1, 0.5), scipy.stats.binom.cdf(n - 1, d, 0.5)
    return {"n": n, "d": d, "bounded": 100 * (held - none)}


OF_DATA: dict[str, Callable[[xr.Dataset], dict[str, Any]]] = {
    f.__name__: f
    for f in (duel, scaling_law, ablations, discrete_bias, stability, noise, effective_bias, label_noise,
              flips_over_time, orders, prunability, early_stopping)
}  # fmt: skip
HERE: dict[str, Callable[[], dict[str, Any]]] = {"l2_end": l2_end, "signs": signs}  # what takes no data


def kept() -> dict[str, Any]:
    """What is in the repository: by experiment, its numbers, with configuration, machine, versions and date."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def numbers(name: str, data: xr.Dataset) -> dict[str, list[float]]:
    """What there is to say of the data of an experiment."""
    return rounded(OF_DATA[name](data))


def rounded(found: dict[str, Any]) -> dict[str, list[float]]:
    """Lists of numbers with six digits."""
    return {key: [float(f"{x:.6g}") for x in np.ravel(values)] for key, values in found.items()}


def _range(values: Any) -> list[float]:
    return [float(np.min(values)), float(np.max(values))]


def main(names: list[str]) -> None:
    """Keep the numbers of the full data that are there, with all it takes to make them again."""
    every = kept() if FILE.exists() else {}
    for name in names or [name for name in OF_DATA if store.path(name, "full").exists()]:
        data = store.load(name, "full")
        about = {key: data.attrs[key] for key in ("device", "created", "seconds")}
        about |= {key: json.loads(data.attrs[key]) for key in ("config", "versions")}
        every[name] = {"numbers": numbers(name, data)} | about
        print(f"{name}: {len(every[name]['numbers'])} numbers")
    FILE.write_text(json.dumps(dict(sorted(every.items())), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
