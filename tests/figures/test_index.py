"""The index page says of every figure what it shows, where it is from, and what failed."""

import html.parser
import json

import numpy as np
import pytest
import xarray as xr

import hamtheory as ht
from experiments import store
from figures import NAMES, index, inverse_metrics
from figures._claim import caption_of, claims_of


class Page(html.parser.HTMLParser):
    """The texts, the addresses and the open tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.addresses, self.open = [], [], []
        self.feed(text)
        self.text = " ".join(self.texts)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for key, value in attrs if key in ("href", "src")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """Data of one experiment of three cases, one of them failed, and an empty picture of it."""
    codes = np.array([0, 0, ht.NAMES.index("stalled")])
    attrs = {
        "config": json.dumps({"custom": "1 < θ & θ < 2", "seed": 7}),
        "seed": 7,
        "versions": json.dumps({"jax": "1.2.3"}),
        "created": "2026-01-01T00:00:00+00:00",
        "seconds": 1.5,
        "dtype": "float64",
        "device": "cpu (x86_64)",
    }
    monkeypatch.setattr(store, "path", lambda name, scale="quick": tmp_path)
    monkeypatch.setattr(
        store, "load", lambda name, scale="quick": xr.Dataset({"status": store.status(("case",), codes)}, attrs=attrs)
    )
    (tmp_path / "inverse_metrics.png").touch()
    return tmp_path


def test_says_everything_about_the_figures_that_are_there(made_up):
    target = index.write_index(made_up)
    page = Page(target.read_text(encoding="utf-8"))
    assert target == made_up / "index.html" and page.open == []
    assert page.text.count(inverse_metrics.TITLE) == 2  # in the list and above the figure
    for fact in (
        caption_of("inverse_metrics"),
        inverse_metrics.SOURCE,
        "python -m experiments inverse_metrics",
        'custom = "1 < θ & θ < 2"',
        "not drawn: 1 stalled",
        "jax 1.2.3",
        "in 1.5 s",
    ):
        assert fact in page.text
    assert set(page.addresses) == {"#inverse_metrics", "inverse_metrics.png", "inverse_metrics.pdf"}


def test_says_what_is_claimed_and_how_to_check_it(made_up):
    page = Page(index.write_index(made_up).read_text(encoding="utf-8"))
    for claim in claims_of("inverse_metrics"):
        assert page.texts.count(f"{claim.says} ") == 1
    assert "hamtheory verify mw.balanced-no-flip" in page.texts
    assert "inverse_metrics.plateau" in page.texts  # measured


def test_leaves_out_pictures_without_their_data(made_up, monkeypatch):
    monkeypatch.setattr(store, "path", lambda name, scale="quick": made_up / "nowhere")
    assert "<figure" not in index.write_index(made_up, "smoke").read_text(encoding="utf-8")


def test_every_figure_says_what_it_is():
    import importlib

    numbers = []
    for name in NAMES:
        module = importlib.import_module(f"figures.{name}")
        numbers.append(module.NUMBER)
        assert module.TITLE and module.SOURCE and caption_of(name).endswith((".", ".)"))
        assert callable(module.draw)
    assert len(set(numbers)) == len(NAMES)
