"""The duel: is HAM better than imbalanced m⊙w, γ > 0, which can flip signs too? At the same bias, in the same units.

*The rules.* For each α, m⊙w with the γ whose limit from the same start has the L1 norm of HAM's: `_duel.Duel`, which
also says why the two can differ by little. Then, for the limits, flows and runs of both, numbers of which the
less is the better (`COSTS`), and numbers of flips, of which neither more nor fewer is better (`COUNTS`), as ratios
HAM / m⊙w. The unit of time of a flow is a step of the largest stable size, 2/λ_max at its limit, or one over the mean
of g⁻¹ there. The runs are at `fractions` of the largest stable learning rate η, and at that of these with the fewest
steps, as if one had tried them.

*The statistics* are of ratios of pairs (the same data, start and α), which are independent between instances: medians
with the exact interval of order statistics, and the share of pairs that HAM wins, of those that are no tie, with
Wilson's interval; 95 % for each number alone. What ran out of its steps or of the range of numbers is censored: its
cost is infinite, and the ratio 0 or ∞. Medians, order statistics and winners need no more than the order, so this takes
no assumption, but that whoever did not arrive lost. A pair that is censored on both sides is undecided: left out, and
counted.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.stats
import xarray as xr

import hamtheory as ht

from . import store
from ._duel import Duel
from ._swept import swept

COSTS = {
    "condition": "condition number at the limit",
    "distance": "distance of the limit to the truth",
    "flow_steps": "flow: time to the loss, in stable steps",
    "flow_mean_time": "flow: time to the loss, in 1 / mean metric",
    "flow_recovery": "flow: time to the last right sign, in stable steps",
    "flow_wrong": "flow: wrong signs that remain",
    "run_steps": "run: steps to the loss",
    "run_recovery": "run: steps to the last right sign",
    "run_wrong": "run: wrong signs that remain",
    "run_excess": "run: L1 excess that is reached",
}
COUNTS = {
    "flow_gross": "flow: flips",
    "flow_net": "flow: net flips",
    "flow_back": "flow: flipped back",
    "run_gross": "run: flips",
    "run_net": "run: net flips",
    "run_back": "run: flipped back",
}
MEANINGS = COSTS | COUNTS
BOUNDS = ("estimate", "low", "high")
LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems of n rows, d columns and k spikes of ±1, for each k of `spikes` and of `noises`.

    `halved`: also with half of the rows, each of them there twice: this is the same loss as that of n/2 rows, another
    n/d, and no other shape to compile for. Starts: zero, and all signs wrong, of the size `wrong`. HAM with `alphas`;
    `fractions`, `target`, `steps`: see `_duel.Duel`. `chunk`: of an instance and a start, stored together.
    """

    n: int = 16
    d: int = 40
    halved: tuple[bool, ...] = (False, True)
    spikes: tuple[int, ...] = (2, 4)
    noises: tuple[float, ...] = (0.0, 0.5)
    instances: int = 64
    wrong: float = 0.1
    alphas: tuple[float, ...] = (3.0, 10.0, 50.0, 300.0)
    fractions: tuple[float, ...] = (0.5, 0.7, 0.9)
    target: float = 1e-6
    steps: int = 2500
    chunk: int = 128
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=16)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(n=6, d=12, spikes=(1,), noises=(0.0, 0.5), instances=6, alphas=(10.0, 100.0), steps=2000)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One kind of problem."""

    n: int
    k: int
    noise: float


def settings(config: Config) -> list[Setting]:
    """The design, every combination once."""
    rows = [config.n // 2 if half else config.n for half in config.halved]
    return [Setting(n, k, noise) for n in rows for k in config.spikes for noise in config.noises]


def specification(config: Config, folder: Path) -> ht.SweepSpec:
    """The sweep, with no seed twice, so that all instances are independent; problems with half the rows in `folder`."""
    blocks = []
    for i, s in enumerate(settings(config)):
        seeds = range(config.seed + i * config.instances, config.seed + (i + 1) * config.instances)
        if s.n == config.n:
            blocks.append(ht.sweeps.Sparse(s.n, config.d, s.k, s.noise, seeds))
            continue
        for seed in seeds:
            problem = ht.sparse_regression(s.n, config.d, s.k, seed=seed, noise=s.noise)
            X, y = (np.repeat(np.asarray(part), config.n // s.n, axis=0) for part in (problem.X, problem.y))
            np.savez(folder / f"{seed}.npz", X=X, y=y, theta_star=np.asarray(problem.theta_star))
            blocks.append(ht.sweeps.File(str(folder / f"{seed}.npz")))
    return ht.SweepSpec(
        problems=blocks,
        geometries=[ht.sweeps.Geometries("ham", {"alpha": list(config.alphas)})],
        starts=[ht.sweeps.Zeros(), ht.sweeps.WrongSigns(config.wrong)],
        quantity=Duel(target=config.target, fraction=config.fractions, steps=config.steps),
        chunk=config.chunk,
    )


def costs(swept: xr.Dataset) -> dict[str, xr.DataArray]:
    """The numbers that are compared, of each instance of the sweep, side and point; ∞ is censored, NaN is none."""
    censored = lambda kind, of: of.where(swept[f"{kind}_status"] == 0, np.inf)  # noqa: E731
    rate = swept["stable_rate"]
    found = {
        "condition": swept["condition"],
        "distance": swept["distance_to_theta_star"],
        "flow_steps": swept["flow_time"] / rate,
        "flow_mean_time": swept["flow_time"] * swept["mean_metric"],
        "flow_recovery": swept["flow_recovery_time"] / rate,
        "run_steps": swept["run_time"],
        "run_recovery": swept["run_recovery_time"],
        "run_excess": censored("run", swept["run_excess"]),
    }
    for kind in ("flow", "run"):
        found[f"{kind}_wrong"] = censored(kind, 1 - swept[f"{kind}_signs_recovered"])
        for short, name in (("gross", "gross_flips"), ("net", "net_flips"), ("back", "flipped_back")):
            found[f"{kind}_{short}"] = censored(kind, swept[f"{kind}_{name}"].astype(float))
    sound = (swept["status"] == 0).all("side")
    return {name: values.where(sound) for name, values in found.items()}


def ratio(ham: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`ham / other` of numbers in [0, ∞]: 1 if both are 0, NaN if both are ∞ or any is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = ham / other
    return np.where((ham == 0) & (other == 0), 1.0, quotient)


def median_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float, float]:
    """The median, and the two order statistics between which it is with at least this probability.

    Exact for independent values of any distribution: B(n, ½) of them are below the median. Values may be infinite.
    """
    values = np.sort(values)
    count = len(values)
    if not count:
        return np.nan, np.nan, np.nan
    low = int(scipy.stats.binom.ppf((1 - level) / 2, count, 0.5))  # P(B < low) ≤ (1 − level)/2
    middle = (values[(count - 1) // 2], values[count // 2])
    median = float(middle[0] if middle[0] == middle[1] else (middle[0] + middle[1]) / 2)
    if low == 0:
        return median, 0.0, np.inf  # too few for an interval
    return median, float(values[low - 1]), float(values[count - low])


def wilson_interval(wins: int, count: int, level: float = LEVEL) -> tuple[float, float, float]:
    """The share of wins, with Wilson's interval; 0 to 1 of none."""
    if not count:
        return np.nan, 0.0, 1.0
    interval = scipy.stats.binomtest(wins, count).proportion_ci(level, method="wilson")
    return wins / count, float(interval.low), float(interval.high)


def verdict(ratios: xr.Dataset, tie: float = 1e-3) -> xr.Dataset:
    """Medians and shares of wins with their intervals, over the instances, for every ratio HAM / m⊙w.

    Args:
        ratios: Variables with a dimension `instance`.
        tie: Ratios within `1 ± tie` are ties.

    Returns:
        For each variable `median`, `wins` (with a dimension `bound`), and how many were `tied`, `undecided` (both
            censored), `ham_censored` and `mw_censored`, with a new dimension `number`.
    """
    return xr.concat([_judged(ratios[name], tie) for name in ratios], "number").assign_coords(number=list(ratios))


def _judged(values: xr.DataArray, tie: float) -> xr.Dataset:
    values = values.transpose("instance", ...)
    outer = values.shape[1:]
    medians, wins = np.empty((*outer, 3)), np.empty((*outer, 3))
    counts = np.empty((4, *outer), int)
    for place in np.ndindex(*outer):
        column = values.values[(slice(None), *place)]
        decided = column[~np.isnan(column)]
        tied = np.abs(decided - 1) <= tie
        medians[place] = median_interval(decided)
        wins[place] = wilson_interval(int(np.sum(decided[~tied] < 1)), int(np.sum(~tied)))
        ends = np.isinf(decided), decided == 0
        counts[(slice(None), *place)] = tied.sum(), np.isnan(column).sum(), ends[0].sum(), ends[1].sum()
    dims = values.dims[1:]
    bounds = (*dims, "bound")
    named = zip(("tied", "undecided", "ham_infinite", "ham_zero"), counts, strict=True)
    return xr.Dataset(
        {"median": (bounds, medians), "wins": (bounds, wins)} | {name: (dims, array) for name, array in named},
        coords={name: values[name] for name in dims} | {"bound": list(BOUNDS)},
    )


def run(config: Config) -> xr.Dataset:
    """The ratios of all pairs, what they are made of, and the verdict on each number."""
    with tempfile.TemporaryDirectory() as folder:
        data = swept(specification(config, Path(folder)), "duel")
    chosen = settings(config)
    shape = (len(chosen) * config.instances, 2)
    dims = {"instance": ("instance", "start"), "point": ("alpha",)}

    def unfolded(values: xr.DataArray) -> xr.DataArray:
        """By instance and start."""
        new = [name for dim in values.dims for name in dims.get(str(dim), (dim,))]
        array = values.to_numpy()
        return xr.DataArray(array.reshape(*shape, *array.shape[1:]), dims=new)

    compared = {name: unfolded(values) for name, values in costs(data).items()}
    ratios = {}
    for name, values in compared.items():
        ham, other = (values.isel(side=i) for i in (0, 1))
        ratios[name] = xr.apply_ufunc(ratio, ham, other)
    best = compared["run_steps"].min("fraction")
    ratios["run_steps_best"] = xr.apply_ufunc(ratio, best.isel(side=0), best.isel(side=1))
    for name in [name for name in ratios if "fraction" in ratios[name].dims]:
        for i, fraction in enumerate(config.fractions):
            ratios[f"{name}_{fraction:g}"] = ratios[name].isel(fraction=i)
        del ratios[name]
    judged = verdict(xr.Dataset(ratios))
    every = xr.Dataset(ratios).to_array("number").transpose("number", "instance", "start", "alpha")

    of_case = lambda name: unfolded(data[name]).transpose("instance", "start", "alpha", ...)  # noqa: E731
    status = {name: of_case(name) for name in ("status", "flow_status", "run_status")}
    of = ("number", "start", "alpha")
    words = {"median": "median ratio HAM / m*w", "wins": "share of pairs that HAM wins, of those without a tie"}
    what = {
        "tied": "ties",
        "undecided": "pairs without a ratio: both censored, or no match",
        "ham_infinite": "pairs of which HAM's is infinite or m*w's is zero",
        "ham_zero": "pairs of which HAM's is zero or m*w's is infinite",
    }
    return xr.Dataset(
        {
            "ratio": store.variable(_dims(every), every.values, "ratio HAM / m*w"),
            **{name: store.variable((*of, "bound"), judged[name].values, text) for name, text in words.items()},
            **{name: store.variable(of, judged[name].values, text) for name, text in what.items()},
            **{
                name: store.variable(_dims(of_case(name)), of_case(name).values, data[name].attrs["long_name"])
                for name in ("log_gamma", "crossings", "apart", "excess", "condition", "mean_metric", "stable_rate")
            },
            **{name: store.status(_dims(x), x.values) for name, x in status.items()},
        },
        coords={
            "number": judged["number"].values,
            "meaning": ("number", [meaning(str(name)) for name in judged["number"].values]),
            "bound": list(BOUNDS),
            "start": ["zero", "wrong signs"],
            "side": ["HAM", "m*w"],
            "alpha": store.variable("alpha", config.alphas, "alpha"),
            "fraction": store.variable("fraction", config.fractions, "learning rate over the largest stable one"),
            **{
                name: ("instance", np.repeat([getattr(s, name) for s in chosen], config.instances))
                for name in ("n", "k", "noise")
            },
        },
    )


def _dims(values: xr.DataArray) -> tuple[str, ...]:
    return tuple(map(str, values.dims))


def meaning(name: str) -> str:
    """What a ratio is one of."""
    key, _, at = name.rpartition("_") if name not in MEANINGS else (name, "", "")
    return MEANINGS[key] + (f", at {at} η" if at and at != "best" else ", at its best η" if at else "")


def is_cost(name: str) -> bool:
    """Whether the less of it is the better."""
    return name in COSTS or name.rpartition("_")[0] in COSTS


def winner(low: float, high: float) -> str:
    """Who wins, by the interval of the share of HAM's wins."""
    return "HAM" if low > 0.5 else "m*w" if high < 0.5 else "-"


def arrived(dataset: xr.Dataset) -> xr.DataArray:
    """The share of the runs that arrived, among pairs with a match."""
    matched = (dataset["status"] == 0).all("side")
    return (dataset["run_status"] == 0).where(matched).mean("instance")


def table(dataset: xr.Dataset) -> str:
    """The verdict, as text: for every start, number and α the median with its interval, the wins of HAM, the winner."""
    lines, instances = [], dataset.sizes["instance"]
    matched = (dataset["status"] == 0).all("side")
    product = dataset["log_gamma"] + np.log(dataset["alpha"])
    put = lambda text, cells: lines.append(f"{text:52}" + "".join(f"{cell:>42}" for cell in cells))  # noqa: E731
    for start in dataset["start"].values:
        put(f"start: {start}, {instances} instances", [f"alpha = {a:g}" for a in dataset["alpha"].values])
        put("ln(alpha gamma) of the match, median", [f"{x:.3f}" for x in product.sel(start=start).median("instance")])
        put("pairs with a match", [f"{x:d}" for x in matched.sel(start=start).sum("instance").values])
        for fraction in dataset["fraction"].values:
            for side in dataset["side"].values:
                share = 100 * arrived(dataset).sel(start=start, side=side, fraction=fraction).values
                put(f"runs that arrived, {side}, at {fraction:g} η", [f"{x:.1f}%" for x in share])
        put("HAM / m*w: median [95 %] wins of HAM [95 %]", [])
        for number in dataset["number"].values:
            row = dataset.sel(start=start, number=number)
            cells = [_cell(row.sel(alpha=alpha), is_cost(str(number))) for alpha in dataset["alpha"].values]
            put(row["meaning"].item(), cells)
        lines.append("")
    return "\n".join([*lines, *overall(dataset)])


def _cell(judged: xr.Dataset, says_who: bool) -> str:
    (middle, low, high), (share, least, most) = judged["median"].values, judged["wins"].values
    who = winner(least, most) if says_who else ""
    wins = "all tied" if np.isnan(share) else f"{100 * share:.0f}% [{100 * least:.0f}, {100 * most:.0f}]"
    return f"{middle:.3f} [{low:.3f}, {high:.3f}] {wins} {who:3}"


def overall(dataset: xr.Dataset) -> list[str]:
    """Who wins how many of the comparisons of each number, over starts and α, and by how much at most."""
    lines = ["comparisons (starts x alphas) that each wins at 95 %; by how much at most, in the median; ties of pairs"]
    for number in dataset["number"].values:
        if is_cost(str(number)):
            row = dataset.sel(number=number)
            flat = row.stack(place=("start", "alpha")).transpose("place", ...)
            wins = [winner(low, high) for _, low, high in flat["wins"].values]
            medians = flat["median"].sel(bound="estimate").values
            by = [_percent(1 / medians.min()), _percent(medians.max())]
            ties = float(row["tied"].sum() / row["ratio"].notnull().sum())
            lines.append(
                f"{row['meaning'].item():52} HAM {wins.count('HAM'):2d}, by {by[0]:>6}   m*w {wins.count('m*w'):2d}, "
                f"by {by[1]:>6}   neither {wins.count('-'):2d}   ties {100 * ties:.0f}%"
            )
    return lines


def _percent(ratio: float) -> str:
    return f"{100 * max(ratio - 1, 0):.0f}%"


def main(words: list[str]) -> None:
    """Compute what is not there yet, and print the verdict."""
    from ._run import run as computed, scale_of

    scale, values = scale_of(words)
    print(f"duel {computed('duel', [word for word in values if word != '--fresh'], scale, '--fresh' in values)}")
    print(table(store.load("duel", scale)))


if __name__ == "__main__":
    main(sys.argv[1:])
