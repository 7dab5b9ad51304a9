"""The gallery: every figure with its source, its caption, what that claims and by which entries of the ledger."""

import importlib
import shutil
from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import ModuleType

from experiments import LONG
from figures import NAMES, dataset_of
from figures._claim import caption_of, claims_of

from .markdown import Names, render

DRAWN = Path(__file__).resolve().parent.parent / "figures" / "out"


def modules() -> dict[str, ModuleType]:
    """The figures by their names, in the order of the index page."""
    return {name: importlib.import_module(f"figures.{name}") for name in NAMES}


def numbers() -> dict[str, tuple[str, str]]:
    """Address and title of every figure, by its number: F1, E1, T1."""
    return {module.NUMBER: (f"gallery.html#{name}", module.TITLE) for name, module in modules().items()}


def command(name: str) -> str:
    """What computes a figure's data, and draws it."""
    data = dataset_of(name)
    if data in ("work_precision", "scaling"):
        return f"make bench && python -m figures {name}"
    note = "   # hours" if data in LONG else ""
    return f"python -m experiments {data} && python -m figures {name}{note}"


def copy(name: str, out: Path) -> bool:
    """Copy a figure to the site; False if it was not drawn."""
    drawn = DRAWN / f"{name}.png"
    if drawn.exists():
        (out / "figures").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(drawn, out / "figures" / drawn.name)
    return drawn.exists()


def _entry(key: str) -> str:
    """A link to an entry of the ledger."""
    return f'<a href="ledger.html#{key}"><code>{key}</code></a>'


def page(linked: Names, theorems: Mapping[str, list[str]], out: Path) -> tuple[str, list[str]]:
    """The page as HTML, and the `[keys]` in it that nothing is known of. Figures that are drawn are copied to `out`.

    `theorems`: the ids of the entries of the ledger that name a figure, by its name.
    """
    unknown: list[str] = []

    def text(markdown: str) -> str:
        found = render(markdown, linked, inline=True)
        unknown.extend(found.unknown)
        return found.html

    contents, figures, missing = [], [], 0
    for name, module in modules().items():
        title = text(module.TITLE)
        contents.append(f'<li><a href="#{name}">{escape(module.NUMBER)}</a> {title}</li>')
        if copy(name, out):
            picture = f'<a href="figures/{name}.png"><img src="figures/{name}.png" alt="{title}" loading="lazy"></a>'
        else:
            missing += 1
            picture = '<p class="absent">Not drawn in this build: see the command below.</p>'
        shown = ", ".join(_entry(i) for i in theorems.get(name, []))
        listed = (f"<li>{text(c.says)} → {', '.join(map(_entry, c.ids))}</li>" for c in claims_of(name))
        facts = {
            "source": text(module.SOURCE),
            "claims": f"<ol>{''.join(listed)}</ol>",
            "theorems": shown or "none: all of it is measured",
            "made by": f"<code>{escape(command(name))}</code>",
        }
        rows = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in facts.items())
        figures.append(
            f'<figure id="{name}"><h2>{escape(module.NUMBER)}. {title}</h2>{picture}'
            f"<figcaption><p>{text(caption_of(name))}</p><dl>{rows}</dl></figcaption></figure>"
        )
    note = f"<p>{missing} of {len(figures)} are not drawn here; <code>make figures</code> draws them.</p>" * bool(
        missing
    )
    return (
        "<h1>Gallery</h1><p>Every number in a figure comes from a stored data set with its configuration, seed and the "
        "outcome of each run. A figure refuses runs that failed, or leaves them out and says so.</p>"
        f'{note}<ul class="names">{"".join(contents)}</ul>{"".join(figures)}'
    ), unknown
