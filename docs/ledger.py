"""The ledger's page: theorems with their hypotheses, sources, proofs and figures; and what figures show without one.

The verdicts are those of `hamtheory verify --mutations --json`, where this has been written to docs/verdicts.json.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from types import ModuleType

from figures import NAMES as FIGURES
from figures._claim import Claim, checks, claims_of, figures_of
from hamtheory.theorem import Theorem, ledger

from .formulas import statement
from .markdown import Names, render

VERDICTS = Path(__file__).parent / "verdicts.json"


def of_figures(theorems: Mapping[str, Theorem]) -> dict[str, list[str]]:
    """The ids of the entries that a figure claims, by the figure."""
    claimed = {name: {key for claim in claims_of(name) for key in claim.ids} for name in FIGURES}
    return {name: [key for key in theorems if key in own] for name, own in claimed.items()}


def verdicts() -> dict[str, dict]:
    """What verification has found, by id; nothing, if it was not stored."""
    if not VERDICTS.exists():
        return {}
    return {verdict["id"]: verdict for verdict in json.loads(VERDICTS.read_text(encoding="utf-8"))}


def page(
    linked: Names, keys: Mapping[str, object], figures: Mapping[str, ModuleType], *, prove: bool = True
) -> tuple[str, list[str]]:
    """The page as HTML, and what is wrong with it. `prove`: derive the proofs, to list their steps."""
    complaints: list[str] = []
    theorems, found = ledger(), verdicts()

    def text(markdown: str) -> str:
        done = render(markdown, linked, inline=True)
        complaints.extend(f"ledger: nothing is known of [{key}]" for key in done.unknown)
        return done.html

    rows, entries = [], []
    for key, theorem in theorems.items():
        try:
            formula = statement(theorem.statement)
            published = statement(theorem.published) if theorem.published else ""
        except ValueError as error:
            complaints.append(f"ledger: {key}: {error}")
            continue
        steps = theorem.steps() if prove else []
        verdict = found.get(key)
        rows.append(_row(key, theorem, len(steps), verdict, with_verdicts=bool(found)))
        source = re.sub(r"\b[a-z]+\d{4}[a-z]+\b", lambda m: f"[{m[0]}]" if m[0] in keys else m[0], theorem.source)
        shown = ", ".join(
            f'<a href="gallery.html#{name}">{escape(figures[name].NUMBER)}</a>' for name in figures_of(key)
        )
        mutations = ", ".join(f"“{escape(name)}”" for name in theorem.mutations)
        facts = {
            "if": text(theorem.hypotheses),
            "source": text(source),
            "figures": shown or "none",
            "check": f"error at most {theorem.tolerance:g} on random instances: {text(theorem.why)}",
            "fails without": text(theorem.violated),
            "false versions": mutations,
        }
        if verdict:
            facts["verified"] = _verified(verdict)
        listed = "".join(f"<li>{escape(step.says)}</li>" for step in steps)
        proof = (
            f"<details><summary>Proof: {len(steps)} steps, each simplifies to 0</summary><ol>{listed}</ol></details>"
        )
        correction = ""
        if theorem.published:
            correction = (
                f'<div class="correction"><p><strong>Not as published.</strong> {text(theorem.correction or "")}</p>'
                f"<p>The source says:</p>{published}</div>"
            )
        entries.append(
            f'<section class="entry"><h2 id="{key}">{text(theorem.title)}</h2><p class="id"><code>{key}</code></p>'
            f"{formula}{correction}<dl>{''.join(f'<dt>{k}</dt><dd>{v}</dd>' for k, v in facts.items())}</dl>"
            f"{proof if steps else ''}</section>"
        )
    head = "<th>theorem</th><th>says</th><th>proof</th><th>tolerance</th><th>as published</th>"
    head += "<th>worst error</th><th>false versions caught</th><th>holds</th>" if found else ""
    proved = sum(bool(theorem.prove) for theorem in theorems.values())
    corrected = sum(theorem.published is not None for theorem in theorems.values())
    measured = {name: [claim for claim in claims_of(name) if claim.is_measured(name)] for name in figures}
    claims = {name: own for name, own in measured.items() if own}
    shown = "".join(_measured(name, figures[name], own, text) for name, own in claims.items())
    count = sum(map(len, claims.values()))
    return (
        f"<h1>Ledger of theorems</h1><p>{len(theorems)} statements, {proved} with a symbolic proof, {corrected} not as "
        "published. Each has a check on random instances that can fail: it must fail without one of the hypotheses, "
        "and for every false version of the statement. <code>hamtheory verify --mutations</code> runs all of it. "
        'After them: <a href="#measured">what figures show, and no theorem says</a>.</p>'
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        + "\n".join(entries)
        + f'<h1 id="measured">Measured, not proved</h1><p>{count} claims of captions that no theorem states '
        "(bold), by figure. Tests assert them, in whole or in part, on smaller data or on those of the figure.</p>"
        f"{shown}"
    ), complaints


def _row(key: str, theorem: Theorem, steps: int, verdict: dict | None, *, with_verdicts: bool) -> str:
    cells = [
        f'<a href="#{key}"><code>{key}</code></a>',
        escape(theorem.title),
        "numerical" if theorem.prove is None else f"{steps} steps" if steps else "symbolic",
        f"{theorem.tolerance:g}",
        "yes" if theorem.published is None else "<strong>corrected</strong>",
    ]
    if with_verdicts and verdict:
        caught = "–" if verdict["caught"] is None else f"{verdict['caught']} of {verdict['mutations']}"
        cells += [f"{verdict['error']:.1e}", caught, "yes" if verdict["holds"] else "<strong>no</strong>"]
    elif with_verdicts:
        cells += ["–", "–", "not verified"]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _measured(name: str, module: ModuleType, claims: Sequence[Claim], text: Callable[[str], str]) -> str:
    """What a figure shows, and no theorem says: each claim with its id, and with what checks it."""
    rows = []
    for claim in claims:
        [key] = claim.ids
        tests = "<br>".join(f"<code>{escape(test.replace('::', ' :: '))}</code>" for test in checks()[key])
        rows.append(
            f'<dt id="{key}"><code>{key}</code></dt>'
            f"<dd>{text(claim.before)}<strong>{text(claim.says)}</strong>{text(claim.after)}<br>"
            f"{tests}</dd>"
        )
    link = f'<a href="gallery.html#{name}">{escape(module.NUMBER)}</a>'
    head = f"<h2>{link}. {text(module.TITLE)}</h2>"
    return f'<section class="entry">{head}<dl class="members">{"".join(rows)}</dl></section>'


def _verified(verdict: dict) -> str:
    return (
        f"worst error {verdict['error']:.1e} on {verdict['seeds']} instances, {verdict['error_without']:.1e} without "
        f"the hypothesis; {'holds' if verdict['holds'] else 'FAILS'}"
    )
