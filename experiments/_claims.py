"""What is claimed of HAM in dense and sparse training, and what trainings on several splits of the data say of it."""

import math
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit
from scipy.stats import nct

import hamtheory.train as htt

from . import store

Arm = tuple[str, float, bool]  # a method, its sparsity, and whether HAM is around it

VERDICTS: tuple[str, ...] = ("undecided", "replicated", "direction only", "equivalent", "contradicted")
# Top-1 accuracies of ResNet-50 on ImageNet, in %, [jacobs2026ham], by method, sparsity, and whether HAM is around it.
PUBLISHED = {
    ("dense", 0.0, False): 76.72,
    ("dense", 0.0, True): 77.51,
    ("random", 0.9, False): 71.56,
    ("random", 0.9, True): 72.72,
    ("acdc", 0.9, False): 74.75,
    ("acdc", 0.9, True): 76.66,
    ("acdc", 0.95, False): 72.59,
    ("acdc", 0.95, True): 75.45,
    ("rigl", 0.9, False): 73.70,
    ("rigl", 0.9, True): 74.83,
    ("str", 0.95, False): 64.94,
    ("str", 0.95, True): 71.41,
    ("spred", 0.9, False): 71.84,
    ("pilot", 0.9, False): 74.73,
}
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


class Claim(NamedTuple):
    """That `better` has a smaller test error than `worse`; or, in `gross_flips`, more of them."""

    better: Arm
    worse: Arm
    what: str = "error"

    @property
    def name(self) -> str:
        """What a row of T1 is called."""
        (better, sparsity, ham), (worse, _, other) = self.better, self.worse
        names = [TITLES[method] + " + HAM" * flag for method, flag in ((better, ham), (worse, other))]
        return f"{names[0]} > {names[1]}" + f", {sparsity:g}" * (sparsity > 0) + ", flips" * (self.what != "error")

    @property
    def published(self) -> float:
        """ln of the ratio of the published errors; NaN for flips, of which no number could be read."""
        if self.what != "error":
            return math.nan
        better, worse = (100 - PUBLISHED[arm] for arm in (self.better, self.worse))
        return math.log(worse / better)


def _added(method: str, sparsity: float, what: str = "error") -> Claim:
    return Claim((method, sparsity, True), (method, sparsity, False), what)


# Named before any run. The primary ones are a family, in which errors are controlled together; that of flips is alone.
PRIMARY = (
    _added("dense", 0.0),
    _added("random", 0.9),
    _added("acdc", 0.9),
    _added("acdc", 0.95),
    _added("rigl", 0.9),
    _added("str", 0.95),
    Claim(("acdc", 0.9, True), ("spred", 0.9, False)),
    Claim(("acdc", 0.9, True), ("pilot", 0.9, False)),
)
FLIPS = _added("random", 0.9, "gross_flips")
CLAIMS = {claim.name: claim for claim in (*PRIMARY, FLIPS)}


class Nested(NamedTuple):
    """What values in splits say about the mean over all splits: see `nested`."""

    mean: float
    low: float
    high: float
    split: float
    seed: float
    spread: float
    p: float
    p_equivalent: float


def nested(values: np.ndarray, margin: float) -> Nested:
    """The mean of `y_sk = μ + a_s + e_sk` over random splits s, with seeds k within each, and two tests of it.

    The mean of a balanced mixed model: Student's test and interval of the means of splits, with one degree of freedom
    less than there are splits. It is exact for normal a and e, whatever the variance of a.

    Args:
        values: (splits, seeds), two of each at least.
        margin: Of the test of equivalence, positive.

    Returns:
        A `Nested`: μ and its 95 % interval; the standard deviations of a (`split`, by the analysis of variance, 0 if
        that is negative), of e (`seed`) and of a split's mean (`spread`); the two-sided p of μ = 0, and
        `p_equivalent`, the larger of those of μ ≤ −margin and μ ≥ margin.
    """
    splits, seeds = values.shape
    means = values.mean(axis=1)
    mean, low, high = (float(value) for value in htt.interval(means))
    within, spread = values.var(axis=1, ddof=1).mean(), means.std(ddof=1)
    error = max(spread, 1e-200) / math.sqrt(splits)
    p, below, above = stdtr(splits - 1, np.array([-abs(mean), mean - margin, -mean - margin]) / error)
    split = math.sqrt(max(spread**2 - within / seeds, 0.0))
    return Nested(mean, low, high, split, math.sqrt(within), float(spread), float(2 * p), float(max(below, above)))


def power(effect: float, spread: float, splits: int, level: float) -> float:
    """The probability that an effect is found, in its direction, at a two-sided level, by the test of `nested`."""
    found = nct.sf(stdtrit(splits - 1, 1 - level / 2), splits - 1, abs(effect) * math.sqrt(splits) / spread)
    return float(found)


def verdict(found: Nested, published: float, *, different: bool, equivalent: bool) -> str:
    """One of `VERDICTS`, from what a row's values say, and which of the two tests hold in its family.

    Replicated: better, as claimed, and of a compatible size: the interval covers the published effect, or the mean is
    half of it at least. Equivalent goes before a direction without the size.
    """
    size = math.isnan(published) or found.low <= published <= found.high or found.mean >= published / 2
    if different and found.mean > 0 and size:
        return "replicated"
    if equivalent:
        return "equivalent"
    if different:
        return "direction only" if found.mean > 0 else "contradicted"
    return "undecided"


def percent(effect: ArrayLike, *, errors: bool = True) -> np.ndarray:
    """What the logarithm of a ratio is in percent: by how much errors are smaller, or else flips are more."""
    sign = -1 if errors else 1
    return np.asarray(sign * 100 * np.expm1(sign * np.asarray(effect)))


def judged(dataset: xr.Dataset, names: tuple[str, ...], margin: float, spread: float) -> xr.Dataset:
    """What trainings say of some `CLAIMS`, a row each, in logarithms of ratios that are positive if the claim is true.

    `margin`: the relative difference of errors that does not matter; `spread`: as of `Nested`, as it was planned with.
    """
    arms = zip(*(dataset[name].values.tolist() for name in ("method", "sparsity", "ham")), strict=True)
    place, rows, splits = (
        {arm: i for i, arm in enumerate(arms)},
        [CLAIMS[name] for name in names],
        dataset.sizes["split"],
    )
    values = []
    for row in rows:
        better, worse = (
            (1 - dataset["test_accuracy"] if row.what == "error" else dataset[row.what]).values[:, place[arm]]
            for arm in (row.better, row.worse)
        )
        values.append(np.log(worse / better) if row.what == "error" else np.log(better / worse))
    found = [nested(one, -math.log1p(-margin)) for one in values]
    primary = np.array([row.what == "error" for row in rows])
    level = np.where(primary, 0.05 / max(primary.sum(), 1), 0.05)  # of Holm's first step
    tests = {name: np.array([getattr(one, name) for one in found]) for name in ("p", "p_equivalent")}
    tests["p_equivalent"][~primary] = np.nan  # the margin is one of errors
    different, equivalent = (p <= 0.05 for p in tests.values())
    different[primary], equivalent[primary] = (holm(p[primary]) for p in tests.values())
    verdicts = [
        verdict(one, row.published, different=bool(d), equivalent=bool(e))
        for one, row, d, e in zip(found, rows, different, equivalent, strict=True)
    ]
    powers = [
        [power(row.published, sd, splits, one) for sd in (spread, seen.spread)]
        for row, seen, one in zip(rows, found, level, strict=True)
    ]
    columns = {
        "effect": (np.array([one[:3] for one in found]), "ln of the ratio of errors (or of flips), positive if so"),
        "in_split": ([one.mean(axis=1) for one in values], "the same on each split, mean over seeds"),
        "split_sd": ([one.split for one in found], "standard deviation between splits, without that of seeds"),
        "seed_sd": ([one.seed for one in found], "standard deviation between seeds of a split"),
        "spread": ([one.spread for one in found], "standard deviation of the means of splits"),
        "published": ([row.published for row in rows], "the published ln of the ratio of errors"),
        "p": (tests["p"], "p of no difference"),
        "p_equivalent": (tests["p_equivalent"], "p of a difference of the margin or more"),
        "power": (powers, "power at the published effect, at Holm's first step"),
        "verdict": ([VERDICTS.index(one) for one in verdicts], f"of {', '.join(VERDICTS)}"),
    }
    dims = {"effect": ("claim", "bound"), "in_split": ("claim", "split"), "power": ("claim", "of")}
    table = {
        name: store.variable(dims.get(name, "claim"), np.round(values, 8), meaning)
        for name, (values, meaning) in columns.items()
    }
    coords = {"claim": list(names), "bound": ["mean", "low", "high"], "of": ["planned", "reached"]}
    return xr.Dataset(table, coords=coords | {"primary": ("claim", primary)})


def holm(p: np.ndarray, level: float = 0.05) -> np.ndarray:
    """Which of several hypotheses are rejected, with a probability of at most `level` that one is wrongly."""
    order = np.argsort(p)
    passed = np.cumprod(p[order] <= level / np.arange(len(p), 0, -1)).astype(bool)
    found = np.zeros(len(p), bool)
    found[order[passed]] = True
    return found
