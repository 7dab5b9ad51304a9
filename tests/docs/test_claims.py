"""The gallery leads from every claim to the ledger, and the ledger back to its figure."""

import re

import pytest

pytest.importorskip("markdown_it", reason="the extra `docs` is not installed: make docs")
pytest.importorskip("latex2mathml", reason="the extra `docs` is not installed: make docs")

from docs import site
from figures import NAMES
from figures._claim import checks, claims_of


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Gallery and ledger: the part of each figure, and that of each anchor."""
    folder = tmp_path_factory.mktemp("site")
    assert not site.build(folder, only=["gallery.html", "ledger.html"], run=False)
    return tuple((folder / f"{name}.html").read_text("utf-8") for name in ("gallery", "ledger"))


def parts(page, tag):
    """The pieces of a page that begin at a tag, by their anchor."""
    pieces = re.split(f'(?=<{tag} id="[^"]+")', page)[1:]
    return {re.match(f'<{tag} id="([^"]+)"', piece)[1]: piece for piece in pieces}


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_leads_to_the_ledger(pages, name):
    gallery, ledger = pages
    items = re.findall(r"<li>(.*?)</li>", parts(gallery, "figure")[name], re.S)
    assert len(items) == len(claims_of(name))
    for item, claim in zip(items, claims_of(name), strict=True):
        assert re.findall(r'href="ledger\.html#([^"]+)"', item) == list(claim.ids)
        for key in claim.ids:
            assert ledger.count(f'id="{key}"') == 1, key


@pytest.mark.parametrize("name", NAMES)
def test_the_ledger_leads_back(pages, name):
    _, ledger = pages
    theorems, measured = ledger.split('<h1 id="measured">')
    entries = parts(theorems, "h2")
    for claim in claims_of(name):
        for key in claim.ids if not claim.is_measured(name) else ():
            assert f'href="gallery.html#{name}"' in entries[key]
    own = [claim.ids[0] for claim in claims_of(name) if claim.is_measured(name)]
    section = [part for part in measured.split("<section") if f'href="gallery.html#{name}"' in part]
    assert len(section) == bool(own)
    for key in own:
        assert f'id="{key}"' in section[0]
        said = parts(section[0], "dt")[key]
        for test in checks()[key]:
            assert test.rpartition("::")[2] in said
