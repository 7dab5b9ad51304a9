"""What is claimed of HAM in sparse and dense training, and what the grid says of each claim."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import stdtr

import hamtheory.train as htt

BOUNDS = ("estimate", "low", "high")
VERDICTS = {1: "replicated", 0: "not at this scale", -1: "contradicted"}
_PUBLISHED_AT = (0.8, 0.9, 0.95)
# Top-1 accuracies of ResNet-50 on ImageNet, in %, at these sparsities [jacobs2026ham].
PUBLISHED = {
    ("random", False): (73.87, 71.56, 68.72),
    ("random", True): (74.84, 72.72, 70.05),
    ("acdc", False): (75.83, 74.75, 72.59),
    ("acdc", True): (77.20, 76.66, 75.45),
    ("rigl", False): (75.02, 73.70, 71.89),
    ("rigl", True): (76.22, 74.83, 72.93),
    ("str", False): (75.49, 72.40, 64.94),
    ("str", True): (76.37, 75.01, 71.41),
    ("signin", False): (74.12, 72.19, 69.38),
    ("spred", False): (72.64, 71.84, 69.47),
    ("pilot", False): (75.62, 74.73, 71.30),
}
PUBLISHED_DENSE = {("dense", False): 76.72, ("dense", True): 77.51, ("sam", False): 77.10, ("sam", True): 77.92}
TITLES = {
    "dense": "dense",
    "sam": "SAM",
    "random": "random",
    "magnitude": "magnitude at init",
    "oneshot": "one-shot",
    "gradual": "gradual",
    "cyclical": "cyclical",
    "alternating": "alternating",
    "acdc": "AC/DC",
    "rigl": "RigL",
    "str": "STR",
    "spred": "spred",
    "pilot": "PILoT",
    "signin": "Sign-In",
}
_ADDS = ("random", "acdc", "rigl", "str")  # to which HAM is said to add
_OWN = ("magnitude", "oneshot", "gradual", "cyclical", "alternating", "spred", "pilot", "signin")

Arm = tuple[str, bool]  # a method, and whether HAM is around it


class Claim(NamedTuple):
    """That `better` is above `worse` at a sparsity, in the variable `what`. `published`: by how many points."""

    group: str
    better: Arm
    worse: Arm
    sparsity: float
    published: float
    what: str = "test_accuracy"

    @property
    def name(self) -> str:
        sparsity = f", {self.sparsity:g}" if self.sparsity else ""
        return f"{_title(self.better)} > {_title(self.worse)}{sparsity}" + (
            ", flips" if self.what != "test_accuracy" else ""
        )


def claims(dataset: xr.Dataset, resamples: int, seed: int) -> tuple[list[Claim], dict[str, np.ndarray]]:
    """The claims of which both arms are there, and what the data of one data set say of each.

    `difference` and `search`: (claims, bounds), in points, of flips in flips. The first is the mean over pairs of seeds
    with Student's 95 % interval. The second is what the search would have led to, as to its own seeds, had its trials
    been others: 2.5 and 97.5 % quantiles over trials of its second part that are drawn again, with replacement; where
    another sparsity's search was taken, that of this one. `wins`, `losses`: numbers of pairs; `failed`: of networks
    that were not finite. `p`: of the t-test over pairs.
    `verdict`: 1 if both intervals are above 0, −1 if both are below, 0 otherwise: seeds say how sure the difference of
    two settings is, not what other settings, found by the same rule, would have given.
    """
    rows, found = [], []
    place = {
        (m, bool(h), float(s)): i
        for i, (m, h, s) in enumerate(
            zip(*(dataset[name].values for name in ("method", "ham", "sparsity")), strict=True)
        )
    }
    for claim in known(sorted({float(s) for s in dataset["sparsity"].values if s})):
        arms = [place.get((*arm, claim.sparsity)) for arm in (claim.better, claim.worse)]
        if None not in arms:
            rows.append(claim)
            found.append(_numbers(dataset.isel(arm=arms), claim.what, resamples, seed))
    return rows, {name: np.array([numbers[name] for numbers in found]) for name in found[0]}


def known(sparsities: list[float]) -> Iterator[Claim]:
    """All claims, by groups."""
    dense = lambda a, b: round(PUBLISHED_DENSE[a] - PUBLISHED_DENSE[b], 2)  # noqa: E731
    for better, worse in (
        (("dense", True), ("dense", False)),
        (("sam", False), ("dense", False)),
        (("sam", True), ("sam", False)),
        (("sam", True), ("dense", True)),
    ):
        yield Claim("dense training", better, worse, 0.0, dense(better, worse))
    sparse = [("HAM added", (method, True), (method, False)) for method in _ADDS]
    sparse += [
        ("signs", ("signin", False), ("random", False)),
        ("signs", ("random", True), ("signin", False)),
        ("products", ("acdc", True), ("spred", False)),
        ("products", ("acdc", True), ("pilot", False)),
    ]
    for group, better, worse in sparse:
        for s in sparsities:
            yield Claim(group, better, worse, s, _difference(better, worse, s))
    for better, worse in ((("random", True), ("signin", False)), (("signin", False), ("random", False))):
        for s in sparsities:
            yield Claim("sign flips", better, worse, s, math.nan, "gross_flips")
    for method in _OWN:
        for s in sparsities:
            yield Claim("not claimed", (method, True), (method, False), s, math.nan)
    for product in ("spred", "pilot"):  # how much of the claim about AC/DC with HAM is one about AC/DC
        for s in sparsities:
            arms = ("acdc", False), (product, False)
            yield Claim("not claimed", *arms, s, _difference(*arms, s))


def holm(p: np.ndarray, level: float = 0.05) -> np.ndarray:
    """Which of several hypotheses are rejected, with a probability of at most `level` that one is wrongly."""
    order = np.argsort(p)
    passed = np.cumprod(p[order] <= level / np.arange(len(p), 0, -1)).astype(bool)
    found = np.zeros(len(p), bool)
    found[order[passed]] = True
    return found


def table(dataset: xr.Dataset) -> str:
    """T1 as text."""
    lines = []
    for data in dataset["data"].values:
        here = dataset.sel(data=data)
        lines += ["", f"{data}: test accuracy, differences in points", ""]
        head = (
            f"{'claim':46s} {'published':>9s}  {'measured, 95 % of seeds':>26s}  {'of the search':>16s}  pairs  verdict"
        )
        lines += [head, "-" * len(head)]
        for i, name in enumerate(here["claim"].values):
            row = here.isel(claim=i)
            middle, low, high = row["difference"].values
            search = row["search"].values[1:]
            published = row["published"].item()
            lines.append(
                f"{name:46s} {'' if math.isnan(published) else f'{published:+.2f}':>9s}  "
                f"{middle:+8.2f} [{low:+6.2f}, {high:+6.2f}]  "
                f"{f'[{search[0]:+.2f}, {search[1]:+.2f}]':>16s}  "
                f"{f'{int(row.wins)}:{int(row.losses)}':7s}"
                + VERDICTS[int(row["verdict"])]
                + (f" ({int(row['failed'])} diverged)" if row["failed"] else "")
            )
        lines += ["", summary(here)]
    return "\n".join(lines)


def summary(here: xr.Dataset) -> str:
    """How many claims came out how."""
    claimed = here["group"].values != "not claimed"
    parts = []
    for which, words in ((claimed, "of the claims"), (~claimed, "of what is not claimed")):
        verdicts = here["verdict"].values[which]
        sure = holm(here["p"].values[which]) if which.any() else np.zeros(0, bool)
        counts = ", ".join(f"{int((verdicts == code).sum())} {word}" for code, word in VERDICTS.items())
        parts.append(f"{words} ({which.sum()}): {counts}; {int(sure.sum())} hold together at 95 % (Holm)")
    return "\n".join(parts)


def _numbers(pair: xr.Dataset, what: str, resamples: int, seed: int) -> dict[str, np.ndarray]:
    scale = 100.0 if what == "test_accuracy" else 1.0
    better, worse = pair[what].values * scale
    middle, low, high, _, wins, losses = htt.paired(better, worse)
    constant = np.ptp(better - worse) == 0  # no interval of no variance: this is no evidence
    seeds = len(better)
    error = np.std(better - worse, ddof=1) / math.sqrt(seeds)
    p = 1.0 if constant else 2 * float(stdtr(seeds - 1, -abs(middle) / error))
    search = _resampled(
        pair["searched_validation_accuracy"].values, scale * pair[f"searched_{what}"].values, resamples, seed
    )
    sides = [int(bounds[0] > 0) - int(bounds[1] < 0) for bounds in ((low, high), search[1:])]
    return {
        "difference": np.array([middle, low, high]),
        "search": search,
        "wins": np.asarray(wins),
        "losses": np.asarray(losses),
        "failed": np.asarray((pair["status"].values != 0).sum()),
        "p": np.asarray(p),
        "verdict": np.asarray(sides[0] if sides[0] == sides[1] and not constant else 0),
    }


def _resampled(validation: np.ndarray, test: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """The difference of the `test` of what two searches choose by `validation`, (2, trials) both, and its quantiles.

    The second half of the trials is drawn again, that of each arm on its own; the first half, which is NaN with HAM, is
    where both started from.
    """
    rng, half = np.random.default_rng(seed), validation.shape[1] // 2
    tests = []
    for scores, results in zip(np.nan_to_num(validation, nan=-1.0), test, strict=True):
        drawn = half + rng.integers(half, size=(resamples, half))
        rows = np.concatenate([np.arange(2 * half)[None], np.c_[np.tile(np.arange(half), (resamples, 1)), drawn]])
        chosen = np.take_along_axis(rows, scores[rows].argmax(axis=1)[:, None], axis=1)[:, 0]
        tests.append(results[chosen])
    differences = tests[0] - tests[1]
    return np.array([differences[0], *np.quantile(differences[1:], [0.025, 0.975])])


def _difference(better: Arm, worse: Arm, sparsity: float) -> float:
    if sparsity not in _PUBLISHED_AT or better not in PUBLISHED or worse not in PUBLISHED:
        return math.nan
    at = _PUBLISHED_AT.index(sparsity)
    return round(PUBLISHED[better][at] - PUBLISHED[worse][at], 2)


def _title(arm: Arm) -> str:
    return TITLES[arm[0]] + (" + HAM" if arm[1] else "")
