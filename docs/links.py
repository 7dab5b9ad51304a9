"""Checks of the site as it was written: every link ends somewhere, and nothing is loaded from elsewhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {
    "img": "src",
    "script": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.twice: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        anchor = found.get("id")
        if anchor:
            (self.twice if anchor in self.anchors else self.anchors).add(anchor)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        if tag in _LOADED and found.get(_LOADED[tag]):
            self.loaded.append(found[_LOADED[tag]] or "")


def check(folder: Path) -> list[str]:
    """What is wrong with the pages in a folder: dead links, anchors that are there twice, anything that is fetched."""
    pages: dict[Path, _Page] = {}
    for path in sorted(folder.rglob("*.html")):
        pages[path.resolve()] = page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
    complaints = []
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        complaints += [f"{name}: two anchors {anchor!r}" for anchor in sorted(page.twice)]
        for address in page.loaded:
            parts = urlsplit(address)
            if parts.scheme not in ("", "data") or parts.netloc:
                complaints.append(f"{name}: loads {address}")
            elif parts.scheme == "" and not (path.parent / unquote(parts.path)).exists():
                complaints.append(f"{name}: {address} is not there")
        for address in dict.fromkeys(page.links):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue  # an address elsewhere, for a person to follow
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                complaints.append(f"{name}: the link {address} ends nowhere")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                complaints.append(f"{name}: the link {address} has an anchor that is not there")
    return complaints
