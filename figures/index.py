"""The page that shows every figure with all that is needed to trust it, or to make it again."""

import html
import importlib
import json
from pathlib import Path

from experiments import store

from . import NAMES

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>hamtheory: figures</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
figure {{ margin: 2.5rem 0; border-top: 1px solid #ddd; padding-top: 1rem; }}
img {{ max-width: 100%; height: auto; }}
h2 {{ font-size: 1.15rem; margin: 0 0 .5rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .8rem; color: #555; }}
dt {{ font-weight: 600; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
code {{ font-size: .95em; }}
</style></head><body>
<h1>Figures</h1>
<p>Every number in them comes from a stored data set; a lane is one flow or one limit with its certificate.</p>
{figures}
</body></html>
"""
_FIGURE = """<figure id="{name}"><h2>{number}. {title}</h2>
<a href="{name}.pdf"><img src="{name}.png" alt="{title}"></a>
<figcaption><p>{caption}</p><dl>{facts}</dl></figcaption></figure>
"""


def _facts(name: str, source: str, *, smoke: bool) -> dict[str, str]:
    data = store.load(name, smoke=smoke)
    failed = int((data["status"] != 0).sum())
    versions = ", ".join(f"{package} {version}" for package, version in json.loads(data.attrs["versions"]).items())
    return {
        "source": source,
        "experiment": f"python -m experiments {name}{' --smoke' if smoke else ''}",
        "configuration": data.attrs["config"],
        "seed": "nothing is drawn" if data.attrs["seed"] < 0 else str(data.attrs["seed"]),
        "lanes": f"{data['status'].size}, of which {failed} failed" + (" and are not drawn" if failed else ""),
        "computed": f"{data.attrs['created']}, {data.attrs['seconds']} s, {data.attrs['dtype']}, {data.attrs['device']}",
        "versions": versions,
    }


def write_index(out: Path, *, smoke: bool) -> Path:
    """Write `index.html` beside the figures that are in `out`; returns its path."""
    figures = []
    for name in NAMES:
        if not (out / f"{name}.png").exists():
            continue
        module = importlib.import_module(f".{name}", __package__)
        facts = _facts(name, module.SOURCE, smoke=smoke).items()
        figures.append(
            _FIGURE.format(
                name=name,
                number=module.NUMBER,
                title=html.escape(module.TITLE),
                caption=html.escape(module.CAPTION),
                facts="".join(f"<dt>{key}</dt><dd>{html.escape(value)}</dd>" for key, value in facts),
            )
        )
    page = out / "index.html"
    page.write_text(_PAGE.format(figures="".join(figures)), encoding="utf-8")
    return page
