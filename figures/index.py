"""The page that shows every figure with all that is needed to trust it, or to make it again."""

import importlib
import json
from html import escape
from pathlib import Path

import xarray as xr

from experiments import LONG, store

from . import NAMES, dataset_of
from ._claim import caption_of, claims_of
from .certified import failures

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>hamtheory: figures</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
nav a {{ display: block; }}
a {{ color: #0072b2; text-decoration: none; }} a:hover {{ text-decoration: underline; }}
figure {{ margin: 2.5rem 0; border-top: 1px solid #ddd; padding-top: 1rem; }}
img {{ width: 100%; height: auto; }}
h2 {{ font-size: 1.15rem; margin: 0 0 .5rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .8rem; color: #555; }}
dt {{ font-weight: 600; }} dd {{ margin: 0; overflow-wrap: anywhere; }} dd ol {{ margin: 0; padding-left: 1.2rem; }}
.failed {{ color: #b03a00; font-weight: 600; }}
code {{ font-size: .95em; }}
@media (max-width: 36rem) {{ dl {{ grid-template-columns: 1fr; }} dd {{ margin-bottom: .4rem; }} }}
</style></head><body>
<h1>Figures</h1>
<p>Every number in them comes from a stored data set; a case is one flow, limit or curve with its certificate.
A figure refuses cases that failed, or leaves them out and says so. A click on a figure opens it as PDF.
A claim is proved or checked by the command beside it; one with an id alone was measured, and no theorem states it.</p>
<nav>{links}</nav>
{figures}
</body></html>
"""
_FIGURE = """<figure id="{name}"><h2>{number}. {title}</h2>
<a href="{name}.pdf"><img src="{name}.png" alt="{title}"></a>
<figcaption><p>{caption}</p><dl>{facts}</dl></figcaption></figure>
"""


def _pairs(text: str) -> str:
    """A JSON object as `key = value, …`, but for the seed, which is said elsewhere."""
    pairs = {key: value for key, value in json.loads(text).items() if key != "seed"}
    return ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in pairs.items())


def _claims(name: str) -> str:
    """What a caption claims, with the ids of the ledger, as HTML."""
    items = (
        f"<li>{escape(claim.says)} "
        + ", ".join(f"<code>{'hamtheory verify ' * (not claim.is_measured(name))}{key}</code>" for key in claim.ids)
        + "</li>"
        for claim in claims_of(name)
    )
    return f"<ol>{''.join(items)}</ol>"


def _facts(name: str, source: str, data: xr.Dataset, scale: str) -> dict[str, str]:
    """What is said below a figure, as HTML."""
    attrs, failed, experiment = data.attrs, failures(data), dataset_of(name)
    cases = f"{data['status'].size}, all of them sound"
    if failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in failed.items())
        cases = f'{data["status"].size}, <span class="failed">not drawn: {escape(reasons)}</span>'
    facts = {
        "source": source,
        "configuration": _pairs(attrs["config"]),
        "seed": "nothing is drawn" if attrs["seed"] < 0 else str(attrs["seed"]),
        "computed": f"{attrs['created']}, in {attrs['seconds']:g} s, {attrs['dtype']}, on {attrs['device']}",
        "versions": ", ".join(f"{package} {version}" for package, version in json.loads(attrs["versions"]).items()),
    }
    command = f"<code>python -m experiments {experiment}{'' if scale == 'quick' else f' --{scale}'}</code>"
    if store.path(experiment, scale).suffix == ".json":
        command = f"<code>python -m experiments{'' if experiment in LONG else '.benchmarks'} {experiment}"
        command += "</code>" if experiment in LONG else " --save</code>"
    return {"experiment": command, "cases": cases} | {key: escape(value) for key, value in facts.items()}


def write_index(out: Path, scale: str = "quick") -> Path:
    """Write `index.html` beside the figures that are in `out`; returns its path."""
    links, figures = [], []
    for name in NAMES:
        if not ((out / f"{name}.png").exists() and store.path(dataset_of(name), scale).exists()):
            continue  # not drawn yet, or without the data that it was drawn from
        module = importlib.import_module(f".{name}", __package__)
        number, title = escape(module.NUMBER), escape(module.TITLE)
        facts = _facts(name, module.SOURCE, store.load(dataset_of(name), scale), scale)
        facts["claims"] = _claims(name)
        links.append(f'<a href="#{name}">{number}. {title}</a>')
        figures.append(
            _FIGURE.format(
                name=name,
                number=number,
                title=title,
                caption=escape(caption_of(name)),
                facts="".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in facts.items()),
            )
        )
    page = out / "index.html"
    page.write_text(_PAGE.format(links="\n".join(links), figures="".join(figures)), encoding="utf-8")
    return page
