"""T1: its search looks at the validation part alone and gives every arm as many trials; its tests know of splits."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import xarray as xr

import hamtheory as ht
from experiments import replication, sparse_training, store
from experiments._claims import CLAIMS, FLIPS, PRIMARY, VERDICTS, holm, judged, nested, percent, power, verdict
from experiments.replication import Config, arms_of, of_split, search
from experiments.sparse_training import Cell, images_of
from figures import claims as t1

PLANNED, ROOT = Config(), Path(__file__).parents[2]


def test_the_design():
    assert len(PRIMARY) == 8 and len(PLANNED.splits) == 5 and PLANNED.seeds == 8 and len(arms_of(PLANNED)) == 14
    images = images_of(of_split(PLANNED, 3), "turned")
    assert images.seed == 3 and [len(y) for y in (images.y_train, images.y_validation, images.y_test)] == [
        750,
        250,
        4000,
    ]


@pytest.mark.claim("claims.published")
def test_published_effects_by_hand():
    by_hand = {
        "dense + HAM > dense": 1 - 22.49 / 23.28,  # 77.51 and 76.72
        "random + HAM > random, 0.9": 1 - 27.28 / 28.44,
        "AC/DC + HAM > AC/DC, 0.9": 1 - 23.34 / 25.25,
        "AC/DC + HAM > AC/DC, 0.95": 1 - 24.55 / 27.41,
        "RigL + HAM > RigL, 0.9": 1 - 25.17 / 26.30,
        "STR + HAM > STR, 0.95": 1 - 28.59 / 35.06,
        "AC/DC + HAM > spred, 0.9": 1 - 23.34 / 28.16,
        "AC/DC + HAM > PILoT, 0.9": 1 - 23.34 / 25.27,
    }
    for claim in PRIMARY:
        assert math.exp(-claim.published) == pytest.approx(1 - by_hand.pop(claim.name), rel=1e-12)
    assert not by_hand and math.isnan(FLIPS.published) and FLIPS.name == "random + HAM > random, 0.9, flips"
    assert min(claim.published for claim in PRIMARY) > -math.log1p(-PLANNED.margin)  # what is published does matter


@pytest.fixture
def specs(monkeypatch):
    """The sweeps that are asked for: later trials are better in validation, and worse when tested."""
    asked = []

    def invented(settings, spec):
        asked.append(spec)
        place = np.concatenate([np.repeat(np.arange(len(arm)), len(spec.seeds)) for arm in spec.arms]) + 99 * len(asked)
        names = {"validation_accuracy": place, "validation_loss": -place, "test_accuracy": -place}
        data = {name: ("instance", np.asarray(values, float)) for name, values in names.items()}
        data["gross_flips"] = (("instance", "epoch"), np.ones((len(place), 1)))
        data["kept"] = ("instance", np.ones(len(place)))
        data["status"] = ("instance", np.full(len(place), ht.NAMES.index("reached_end")))
        return xr.Dataset(data)

    for module in (sparse_training, replication):
        monkeypatch.setattr(module, "lasting", invented)
    return asked


@pytest.mark.claim("claims.same-search")
def test_every_arm_has_as_many_trials_and_hams_contain_its_base(specs):
    arms = arms_of(PLANNED)
    found = search(of_split(PLANNED, 2), arms)
    assert [spec.tested for spec in specs] == [False, False] and {spec.split for spec in specs} == {2}
    assert all(list(spec.seeds) == [3000] for spec in specs)
    for cell, one in found.items():
        assert {len(values) for values in one.hyper.values()} == {32} == {len(one.validation_accuracy)}
        assert one.best == 31 and one.found["learning_rate"] == one.hyper["learning_rate"][31]
        if cell.ham:
            base = found[Cell(cell.method, cell.sparsity, False)]
            assert not one.hyper["alpha"][:16].any() and not one.hyper["beta"][:16].any()
            assert (one.hyper["alpha"][16:] > 0).all() and (one.hyper["beta"][16:] > 0).all()
            assert all((one.hyper[name] == base.hyper[name]).all() for name in base.hyper)
    others = search(of_split(PLANNED, 3), arms)[Cell("dense", 0.0, False)]
    assert not np.isin(others.hyper["learning_rate"], found[Cell("dense", 0.0, False)].hyper["learning_rate"]).any()


def test_what_is_tested_is_what_the_search_of_the_split_has_found(specs):
    found = replication.split_of(PLANNED, 1)
    *_, last = specs
    assert last.tested and list(last.seeds) == list(range(8, 16)) and last.split == 1
    assert (found["chosen"] == 31).all()
    assert [arm.hyper["learning_rate"] for arm in last.arms] == [
        (float(f"{rate:.4g}"),) for rate in found["learning_rate"].values
    ]


def draws(splits, split_sd, count=4000, mean=0.0):
    rng = np.random.default_rng(0)
    return mean + split_sd * rng.standard_normal((count, splits, 1)) + rng.standard_normal((count, splits, 8))


@pytest.mark.claim("claims.splits")
def test_a_true_null_with_variance_of_splits():
    """The test holds its level; that of pairs of seeds, on one split or on all, takes a split's luck for an effect."""
    values = draws(5, 1.0)
    held = np.mean([nested(one, 1.0).p <= 0.05 for one in values])
    assert abs(held - 0.05) < 4 * math.sqrt(0.05 * 0.95 / len(values))
    for fixed in (values[:, 0], values.reshape(len(values), -1)):
        assert np.mean(scipy.stats.ttest_1samp(fixed, 0.0, axis=1).pvalue <= 0.05) > 0.3
    # and at the margin, equivalence is found as rarely, on either side
    for side in (-1.0, 1.0):
        found = np.mean([nested(side * 3.0 + one, 3.0).p_equivalent <= 0.05 for one in values])
        assert abs(found - 0.05) < 4 * math.sqrt(0.05 * 0.95 / len(values))


def test_the_mixed_model_by_hand():
    found = nested(np.array([[1.0, 3.0], [4.0, 6.0], [4.0, 0.0]]), 1.0)  # means 2, 5, 2: 3 ± 4.302653 · √3/√3
    assert found[:3] == pytest.approx((3.0, 3.0 - 4.302653, 3.0 + 4.302653), rel=1e-6)
    assert found.spread == pytest.approx(math.sqrt(3)) and found.seed == pytest.approx(2.0)  # of variances 2, 2, 8
    assert found.split == pytest.approx(1.0)  # 3 − 4/2
    zero, margin = (scipy.stats.ttest_1samp([2.0, 5.0, 2.0], mean).pvalue for mean in (0.0, 1.0))
    assert found.p == pytest.approx(zero, rel=1e-9)
    assert found.p_equivalent == pytest.approx(1 - margin / 2, rel=1e-9)  # of a mean above the margin
    assert nested(np.array([[1.0, 9.0], [9.0, 1.0]]), 1.0).split == 0.0


def test_variances_of_splits_and_seeds_are_told_apart():
    found = [nested(one, 1.0) for one in draws(5, 0.7)]
    assert np.mean([one.seed**2 for one in found]) == pytest.approx(1.0, rel=0.02)
    assert np.mean([one.spread**2 for one in found]) == pytest.approx(0.49 + 1 / 8, rel=0.04)


@pytest.mark.claim("claims.power")
@pytest.mark.parametrize("effect", [0.5, 1.5])
def test_power_is_how_often_an_effect_is_found(effect):
    level, values = 0.05 / 8, draws(5, 1.0, mean=effect)
    found = [nested(one, 1.0) for one in values]
    often = np.mean([one.p <= level and one.mean > 0 for one in found])
    expected = power(effect, math.sqrt(1 + 1 / 8), 5, level)
    assert abs(often - expected) < 4 * math.sqrt(expected * (1 - expected) / len(values))


def test_holm_by_hand():
    # 0.01 ≤ 0.05/3; 0.03 > 0.05/2, so neither this nor any larger one
    assert holm(np.array([0.04, 0.01, 0.03])).tolist() == [False, True, False]
    assert holm(np.array([0.016, 0.02, 0.05])).all()


def made(*means, split_sd=0.001):
    """Data of the claims about random pruning whose split means of ln(error ratio) are these, and of flips their
    opposite."""
    noise = split_sd * np.array([-1.0, 1.0, -1.0, 1.0])[None, :]
    values = np.array(means)[:, None] + noise
    error = np.stack([0.1 * np.exp(values), np.full_like(values, 0.1)], axis=1)  # with the base first
    coords = {"method": ("arm", ["random"] * 2), "sparsity": ("arm", [0.9] * 2), "ham": ("arm", [False, True])}
    data = {"test_accuracy": (("split", "arm", "seed"), 1 - error), "gross_flips": (("split", "arm", "seed"), error)}
    return xr.Dataset(data, coords=coords)


@pytest.mark.claim("claims.verdicts")
@pytest.mark.parametrize(
    "means, expected",
    [
        ((0.04, 0.05, 0.04, 0.05, 0.04), "replicated"),  # published: 0.0417
        ((0.15, 0.16, 0.15, 0.16, 0.15), "replicated"),  # more than that
        ((0.005, 0.006, 0.005, 0.006, 0.005), "equivalent"),  # sure, and less than 3 %
        ((0.0, 0.002, -0.002, 0.001, -0.001), "equivalent"),
        ((-0.04, -0.05, -0.04, -0.05, -0.04), "contradicted"),
        ((0.2, -0.1, 0.15, -0.05, 0.1), "undecided"),
        ((0.041, 0.2, -0.1, 0.0417, 0.05), "undecided"),  # of the right size, and not sure
    ],
)
def test_verdicts(means, expected):
    names = ("random + HAM > random, 0.9", FLIPS.name)
    found = judged(made(*means), names, 0.03, 0.05)
    error, flips = (VERDICTS[int(code)] for code in found["verdict"])
    assert error == expected
    np.testing.assert_allclose(found["effect"].sel(bound="mean"), [np.mean(means), -np.mean(means)], atol=1e-7)
    sign = {"replicated": "contradicted", "contradicted": "replicated"}
    if expected in sign:  # more flips are claimed, without a size
        assert flips == sign[expected]
    assert math.isnan(found["p_equivalent"].values[1])


def test_percent_by_hand():
    np.testing.assert_allclose(percent(np.log([100 / 80, 100 / 125])), [20.0, -25.0])
    np.testing.assert_allclose(percent(np.log(1.25), errors=False), 25.0)


def test_a_direction_without_the_size():
    found = nested(np.array([[0.04, 0.05], [0.05, 0.04], [0.042, 0.05]]), 0.03)
    assert found.low > 0.03
    how = {"different": True, "equivalent": False}
    assert verdict(found, 0.2, **how) == "direction only" and verdict(found, 0.08, **how) == "replicated"
    assert verdict(found, 0.2, different=False, equivalent=False) == "undecided"


def test_a_family_pays_for_all_its_members():
    """What would hold alone does not among others of which nothing is known; and flips are no member."""
    one = "random + HAM > random, 0.9"
    some = made(0.0052, 0.0251, 0.045, 0.0649, 0.0848)  # t = 0.045/0.0141
    alone = judged(some, (one, FLIPS.name), 0.03, 0.05)
    assert 0.05 / 3 < alone["p"].values[0] < 0.05
    assert [VERDICTS[int(code)] for code in alone["verdict"]] == ["replicated", "contradicted"]
    other = made(0.2, -0.1, 0.15, -0.05, 0.1)
    others = [
        other.assign_coords(method=("arm", [method] * 2), sparsity=("arm", [sparsity] * 2))
        for method, sparsity in (("dense", 0.0), ("rigl", 0.9))
    ]
    names = (one, "dense + HAM > dense", "RigL + HAM > RigL, 0.9", FLIPS.name)
    together = judged(xr.concat([some, *others], "arm"), names, 0.03, 0.05)
    assert [VERDICTS[int(code)] for code in together["verdict"]] == ["undecided"] * 3 + ["contradicted"]
    assert together["p"].values[0] == alone["p"].values[0]


def test_what_is_committed_is_what_was_designed():
    """All that was planned is there, and what is said of the claims follows from the accuracies."""
    data = store.load("replication")
    config, splits = json.loads(data.attrs["config"]), list(data["split"].values)
    assert Config(**{name: tuple(v) if isinstance(v, list) else v for name, v in config.items()}) == PLANNED
    assert splits == list(PLANNED.splits) and data.sizes["seed"] == PLANNED.seeds and data.sizes["arm"] == 14
    again = judged(data, PLANNED.claims, PLANNED.margin, PLANNED.spread)
    for name in again.data_vars:
        np.testing.assert_allclose(data[name], again[name], atol=1e-7, err_msg=str(name))


def test_the_guide_quotes_what_is_committed():
    data, page = store.load("replication"), (ROOT / "docs" / "guide" / "training.md").read_text("utf-8")
    for i, name in enumerate(data["claim"].values):
        row = data.isel(claim=i)
        published = percent(row["published"].item())
        mean, low, high = percent(row["effect"].values, errors=bool(row["primary"]))
        cells = [
            name,
            f"{published:.1f}" if np.isfinite(published) else "more",
            f"{mean:.1f} ({low:.1f} to {high:.1f})",
        ]
        assert f"| {' | '.join(cells)} | {VERDICTS[int(row['verdict'])]} |" in page
    assert {VERDICTS[int(code)] for code in data["verdict"]} == {"undecided"} and "None is replicated" in page
    errors = data.isel(claim=data["primary"].values)
    covered = (errors["published"] >= errors["effect"].sel(bound="low")) & (
        errors["published"] <= errors["effect"].sel(bound="high")
    )
    assert list(errors["claim"].values[covered]) == ["random + HAM > random, 0.9", "AC/DC + HAM > PILoT, 0.9"]
    assert "six of the eight rows" in " ".join(page.split())
    likely = errors.isel(claim=(errors["power"].sel(of="reached") > 0.5).values)
    assert list(likely["claim"].values) == ["AC/DC + HAM > AC/DC, 0.95", "STR + HAM > STR, 0.95"]
    for of, verb in (("reached", "a power of"), ("planned", "planned was")):
        one, other = (float(f"{value:.2g}") for value in likely["power"].sel(of=of))
        assert f"{verb} {one} and {other}" in " ".join(page.split())
    exceeded = (errors["in_split"].std("split", ddof=1) > replication.Config().spread).sum()
    assert exceeded == 6 and "more than was planned for in six of the eight rows" in " ".join(page.split())
    # Where HAM's search has ended at its base.
    with_ham = data.isel(arm=data["ham"].values)
    at_base = [
        (int(split), str(arm["method"].values), float(arm["sparsity"]))
        for split in data["split"].values
        for arm in (with_ham.sel(split=split).isel(arm=i) for i in range(with_ham.sizes["arm"]))
        if arm["alpha"] == 0
    ]
    assert at_base == [(0, "str", 0.95), (1, "acdc", 0.9), (4, "acdc", 0.95), (4, "dense", 0.0)]
    assert with_ham.sizes["arm"] * with_ham.sizes["split"] == 30 and "four of the thirty searches" in page
    rest = errors.sel(claim="STR + HAM > STR, 0.95")["in_split"].isel(split=slice(1, None)).mean()
    assert f"without that split is {percent(rest.item()):.1f} %" in page


@pytest.mark.slow
def test_a_small_replication(tmp_path):
    dataset = replication.run(Config.smoke())
    assert dataset.sizes == {"split": 2, "arm": 2, "seed": 2, "claim": 2, "bound": 3, "of": 2}
    accuracy = dataset["test_accuracy"].values
    assert ((accuracy > 0) & (accuracy < 1)).all() and np.ptp(accuracy[0]) > 0
    base, ham = -np.log(1 - accuracy).mean(axis=(0, 2))
    assert dataset["effect"].values[0, 0] == pytest.approx(ham - base, abs=1e-7)
    # what is stored for good can be read, printed and drawn
    dataset.attrs |= {"experiment": "replication"}
    text = store.keep(dataset, tmp_path / "replication.json").read_text(encoding="utf-8")
    again = store.read_json(text)
    assert "random + HAM > random, 0.9" in replication.table(again)
    t1.draw(again)


def test_names_are_of_one_claim_alone():
    assert len(CLAIMS) == 9 and set(PLANNED.claims) == set(CLAIMS)
