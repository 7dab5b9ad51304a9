"""references.bib, as entries that a page can list and texts can link to."""

import re
import unicodedata
from html import escape
from pathlib import Path

_ACCENTS = {"'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "c": "\u0327", "v": "\u030c"}

_WHERE = ("booktitle", "journal", "publisher", "school", "institution", "howpublished")


def _text(value: str) -> str:
    """A field without its LaTeX."""

    def accent(match: re.Match) -> str:
        return unicodedata.normalize("NFC", match[2].replace("\\i", "i") + _ACCENTS[match[1]])

    value = re.sub(r"\{?\\(ae|o|ss)(?![A-Za-z])\s*\}?", lambda m: {"ae": "æ", "o": "ø", "ss": "ß"}[m[1]], value)
    value = re.sub(r"""\{?\\(['`"^~cv])\s*\{?(\\?\w)\}?\}?""", accent, value)
    value = value.replace("---", "—").replace("--", "–").replace("\\&", "&")
    return " ".join(re.sub(r"[{}]", "", value).split())


def read(path: Path) -> dict[str, dict[str, str]]:
    """The entries by their keys, each with its `kind` and its fields."""
    text = re.sub(r"^%.*$", "", path.read_text(encoding="utf-8"), flags=re.M)
    entries = {}
    for found in re.finditer(r"^@(\w+)\{([^,]+),(.*?)^\}", text, flags=re.M | re.S):
        fields = re.finditer(
            r"^\s*(\w+)\s*=\s*[{\"](.*?)[}\"],?\s*$(?=\s*^\s*\w+\s*=|\s*\Z)", found[3], flags=re.M | re.S
        )
        entries[found[2].strip()] = {"kind": found[1]} | {f[1].lower(): _text(f[2]) for f in fields}
    return entries


def authors(entry: dict[str, str]) -> str:
    """Surname and initials of the authors."""
    names = []
    for name in entry.get("author", "").split(" and "):
        last, _, first = name.partition(", ")
        names.append(f"{''.join(f'{word[0]}. ' for word in first.split())}{last}".strip())
    return ", ".join(names)


def short(entry: dict[str, str]) -> str:
    """Authors, year and title, for the tip of a link."""
    return f"{authors(entry)} ({entry.get('year', 'no year')}). {entry.get('title', '')}"


def html(key: str, entry: dict[str, str]) -> str:
    """An entry of the list of references."""
    where = next((entry[field] for field in _WHERE if field in entry), "")
    details = [entry.get("volume", ""), f"pp. {entry['pages']}" if "pages" in entry else ""]
    place = ", ".join(part for part in (where, *details, entry.get("year", "")) if part)
    links = ""
    if "eprint" in entry:
        links += f' <a href="https://arxiv.org/abs/{escape(entry["eprint"])}">arXiv:{escape(entry["eprint"])}</a>'
    if "doi" in entry:
        links += f' <a href="https://doi.org/{escape(entry["doi"])}">doi</a>'
    title = f"<cite>{escape(entry.get('title', ''))}</cite>"
    return f'<dt id="{key}"><code>{key}</code></dt><dd>{escape(authors(entry))}. {title}. {escape(place)}.{links}</dd>'
