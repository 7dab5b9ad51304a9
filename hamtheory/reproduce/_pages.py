"""The pages of what was computed: `index.md`, and `index.html` with the same."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._run import Reproduced

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Figures of others</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
a { color: #0072b2; text-decoration: none; } img { width: 100%; height: auto; }
section { margin: 2.5rem 0; border-top: 1px solid #ddd; } h2 { font-size: 1.15rem; }
table { border-collapse: collapse; font-size: .85rem; margin: .5rem 0; }
th, td { text-align: left; padding: .1rem .8rem .1rem 0; }
</style></head><body>
<h1>Figures of others, computed anew</h1>
"""
_NOTE = (
    "A verdict is computed from the comparisons below each figure: reproduced, if all hold; differs, if a claim "
    "fails, or a number although the whole set-up is known; set-up not stated, if a number alone fails that may "
    "depend on what the source leaves open. Numbers of a source are compared in its own set-up alone."
)
OVERVIEW = ("name", "source", "figure", "compared with", "verdict")
COLUMNS = ("comparison", "theirs", "from", "ours", "agrees", "holds")


def overview(made: Sequence[Reproduced]) -> list[tuple[str, ...]]:
    """The rows of the table of verdicts."""
    return [
        (
            one.reproduction.name,
            f"{one.reproduction.source}, {one.reproduction.place}",
            one.reproduction.title,
            one.verdict.compared if one.verdict else "",
            one.outcome,
        )
        for one in made
    ]


def compared(one: Reproduced) -> list[tuple[str, ...]]:
    """The rows of the table of comparisons."""
    made = one.verdict.comparisons if one.verdict else ()
    return [
        (
            c.says,
            c.theirs,
            c.origin,
            f"{c.ours:.3g}",
            f"{c.range}{f' ({c.tolerance})' if c.tolerance else ''}",
            "yes" if c.holds else "no",
        )
        for c in made
    ]


def reason(one: Reproduced) -> str:
    """What a verdict is due to, after its outcome."""
    because = one.failure or (one.verdict.because if one.verdict else "")
    return f"{one.outcome}: {because}" if because else one.outcome


def write_pages(made: Sequence[Reproduced], folder: Path, scale: str) -> None:
    """Write both."""
    text = [f"# Figures of others, computed anew\n\n{_NOTE} Scale: {scale}.\n"]
    text.append(_markdown(OVERVIEW, overview(made)))
    page = [_HEAD, f"<p>{escape(_NOTE)} Scale: {scale}.</p>"]
    page.append(_html(OVERVIEW, overview(made), link=True))
    for one in made:
        what, setup = one.reproduction, one.reproduction.setup(one.config)
        head = f"{what.title} ({what.source}, {what.place})"
        text.append(f"## {what.name}: {head}\n\n{what.claim}\n")
        page.append(f'<section id="{what.name}"><h2>{escape(head)}</h2><p>{escape(what.claim)}</p>')
        if one.verdict:
            text.append(f"![{what.title}]({one.picture.name})\n\n{what.caption}\n")
            page.append(f'<img src="{one.picture.name}" alt="{escape(what.title)}"><p>{escape(what.caption)}</p>')
        text.append(f"**Verdict: {reason(one)}.** Computed in {one.seconds:g} s.\n")
        page.append(f"<p><strong>Verdict: {escape(reason(one))}.</strong> Computed in {one.seconds:g} s.</p>")
        for columns, rows in ((COLUMNS, compared(one)), (("set-up", "value", "origin"), setup)):
            text.append(_markdown(columns, rows))
            page.append(_html(columns, rows))
        page.append("</section>")
    (folder / "index.md").write_text("\n".join(text), encoding="utf-8")
    (folder / "index.html").write_text("\n".join([*page, "</body></html>\n"]), encoding="utf-8")


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _html(columns: Sequence[str], rows: Sequence[Sequence[str]], *, link: bool = False) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in columns) + "</tr>"]
    for row in rows:
        cells = [escape(cell) for cell in row]
        if link:
            cells[0] = f'<a href="#{cells[0]}">{cells[0]}</a>'
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(lines)}</table>"
