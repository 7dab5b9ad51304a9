"""Every number on a question page is of the experiments' data, of their configurations, or computed here.

So is every one of the section on early stopping. Behind numbers stands what they are, in a comment of their line or
paragraph: `<!--duel.config.n, duel.flow_steps-->` is all numbers since the comment before. A name is one of
`figures.answers`, or of the configuration of an experiment.
"""

import dataclasses
import importlib
import json
import re
from functools import cache

import numpy as np
import pytest

from docs import hooks
from experiments import store
from figures import answers

TEXTS = {page.stem: page.read_text(encoding="utf-8") for page in sorted(hooks.HERE.glob("questions/*.md"))}
_, SECTION, _REST = (hooks.HERE / "guide/interpolation.md").read_text(encoding="utf-8").partition("## Stopped early")
TEXTS["stopped early"] = SECTION + _REST.partition("\n## ")[0]
KEPT = answers.kept()
COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
          "fourteen", "fifteen")  # fmt: skip
WORDS = {word: float(i) for i, word in enumerate(COUNTS, 2)} | {"twenty": 20.0, "thirty": 30.0, "forty": 40.0}
WORDS |= {"twice": 2.0, "hundred": 1e2, "thousand": 1e3, "third": 1 / 3, "quarter": 1 / 4, "fifth": 1 / 5}
WORDS |= {"tenth": 1e-1, "hundredth": 1e-2, "thousandth": 1e-3, "millionth": 1e-6}
# What does not count: headings, code, addresses, keys, limits, numbers of lists; and 0, 1 and 2 in formulas.
PASSED = re.compile(
    r"^#[^\n]*|```.*?```|`[^`]*`|\]\([^)]*\)|\[[a-z]+\d{4}[a-z]+\]|\[[FET]\d+\]|√2|→ 0|^\d\. ", re.S | re.M
)
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.S)
DIGIT = r"(?<![\w.])[−-]?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)"
NUMBER = re.compile(rf"{DIGIT}|(?<!\w)(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})(?!\w)", re.I)


def complaints(page: str, value) -> list[str]:
    """What is wrong with the numbers of a page; `value` knows the numbers of a name."""
    text = FORMULA.sub(lambda found: re.sub(r"(?<![\d.])[012](?![\d.])", "", found[0]), PASSED.sub(" ", page))
    said = ["a comment begins a line, where GitHub ends the paragraph"] * bool(re.search(r"^\s*<!--", page, re.M))
    parts = re.split(r"<!--(.*?)-->", text, flags=re.S)
    for piece, names in zip(parts[::2], [*parts[1::2], ""], strict=True):
        found = NUMBER.findall(piece)
        wanted = [x for name in names.replace(",", " ").split() for x in value(name)]
        if len(found) != len(wanted):
            said.append(f"{found} are not the {len(wanted)} numbers of {names!r}: {wanted}")
            continue
        for word, exact in zip(found, wanted, strict=True):
            digits = word.replace(",", "").replace("−", "-")
            number = WORDS[word.lower()] if word.lower() in WORDS else float(digits)
            allowed = 1e-9 if word.lower() in WORDS else 0.5001 * 10.0 ** -len(digits.partition(".")[2])
            if not abs(number - exact) <= allowed:
                said.append(f"{word} is {exact:g}, by {names!r}")
    return said


@cache
def value(name: str) -> list[float]:
    """The numbers of a name."""
    source, _, key = name.partition(".")
    if source in answers.HERE:
        return answers.rounded(answers.HERE[source]())[key]
    if key.startswith("config."):
        return np.ravel(KEPT[source]["config"][key.removeprefix("config.")]).astype(float).tolist()
    return KEPT[source]["numbers"][key]


@pytest.mark.parametrize("page", TEXTS)
def test_the_numbers_of_a_page(page):
    assert TEXTS[page] and not complaints(TEXTS[page], value)


def test_no_number_is_kept_in_vain():
    said = "".join(TEXTS.values())
    assert not [
        f"{name}.{key}" for name in KEPT for key in KEPT[name]["numbers"] if not re.search(rf"{name}\.{key}\b", said)
    ]


@pytest.mark.parametrize("name", KEPT)
def test_they_are_of_the_default_configuration(name):
    config = dataclasses.asdict(importlib.import_module(f"experiments.{name}").Config())
    assert KEPT[name]["config"] == json.loads(json.dumps(config))


@pytest.mark.slow
@pytest.mark.full_size
@pytest.mark.parametrize("name", KEPT)
def test_they_are_those_of_the_full_data(name):
    """Where `make figures-full` has computed them with these sources."""
    if not store.path(name, "full").exists():
        pytest.skip("no full data: make figures-full")
    data = store.load(name, "full")
    if data.attrs["fingerprint"] != store.fingerprint(
        name, store.config_of(importlib.import_module(f"experiments.{name}"), "full")
    ):
        pytest.skip("the full data are of other sources")
    fresh = answers.numbers(name, data)
    assert fresh.keys() == KEPT[name]["numbers"].keys()
    for key, values in fresh.items():
        np.testing.assert_allclose(values, KEPT[name]["numbers"][key], rtol=1e-3, err_msg=f"{name}.{key}")


def test_a_number_that_nobody_holds_is_seen():
    known = {"a.b": [0.976, 20.0], "c": [1e-6], "d": [-3.1], "e": [64000.0]}.__getitem__
    right = "# 7\nL2, `3`, $$1$$ $x^2$ [F9] [x2020y] [x](4.md) **0.98** or twenty,\nless <!--a.b--> a millionth,"
    right += " −3.1, 64,000 <!--c, d, e-->"
    assert complaints(right, known) == []
    for old, new in (("0.98", "0.97"), ("twenty", "thirty"), ("twenty", "20.4"), ("−3.1", "3.1"), ("less", "5"),
                     ("64,000", "63,999"), ("$x^2$", "$x^{2.5}$"), ("<!--a.b-->", ""), ("c, d", "c"),
                     (" <!--a", "\n<!--a")):  # fmt: skip
        assert complaints(right.replace(old, new), known), (old, new)
