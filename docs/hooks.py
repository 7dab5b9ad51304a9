"""What no library knows of the site: its generated pages, and what names and keys in its texts link to."""

import contextlib
import importlib
import inspect
import io
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import jupytext
from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs_bibtex.citation import Citation
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import ExecutePreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

import hamtheory
from docs import formulas
from experiments import LONG
from figures import NAMES, _claim, dataset_of
from hamtheory.cli import parse

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VERDICTS = HERE / "verdicts.json"  # of `hamtheory verify --mutations --json`
NOTEBOOKS = {path: f"notebooks/{path.stem}.md" for path in sorted((ROOT / "paper_notebooks").glob("*.py"))}
FIGURES = {name: importlib.import_module(f"figures.{name}") for name in NAMES}
OUTSIDE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
TEXTS = {ROOT / name: uri for name, uri in OUTSIDE.items()}
TEXTS |= {path: path.relative_to(HERE).as_posix() for path in HERE.rglob("*.md")}
PAGES = TEXTS | NOTEBOOKS | {ROOT / "references.bib": "references.md", HERE / "questions": "questions/index.md"}
# In the order of the data: from a problem to what is stored.
ROOMS = ("problem", "geometry", "symbolic", "flow", "limit", "asymptotics", "algorithm", "optim", "signs", "neuron",
         "sweeps", "train", "sklearn", "theorem", "reproduce", "metrics", "result")  # fmt: skip
# What is read, and not imported: PyTorch need not be there.
OF_TORCH = re.findall(r"^(?:class|def) ([A-Za-z]\w*)", (ROOT / "hamtheory" / "torch.py").read_text("utf-8"), re.M)

# What is left as it is: headings, and the texts of links; then code, and keys in brackets.
_LINKED = re.compile(r"^#.*$|\[[^\]]*\](?=[(\[])|`(?P<code>[^`]+)`|\[(?P<key>[a-z]+\d{4}[a-z]+|[FET]\d+)\]", re.M)
_NAME = re.compile(r"(?:hamtheory\.|ht\.)?([\w.-]+)(\(.*\))?", re.S)
_STRICT = "import warnings\nwarnings.simplefilter('error')\nwarnings.filterwarnings('ignore', module='ipykernel')"


def on_config(config: Any) -> Any:
    """Complete the navigation, and give links to all texts, docstrings among them."""
    listed = {"Notebooks": [*NOTEBOOKS.values()], "Reference": [f"reference/{room}.md" for room in (*ROOMS, "torch")]}
    config.nav = [{title: listed.get(title, page)} for entry in config.nav for title, page in entry.items()]
    config.markdown_extensions.append(Links(_keys(config), addresses()))
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages, and the files that they show."""
    execute, references = config.extra["execute"], _references(config)
    copies = {"interactive.html": HERE / "interactive.html"}
    copies |= {f"figures/{path.name}": path for path in ROOT.glob("figures/out/*.png")}
    copies |= {f"notebooks/{path.name}": path for path in NOTEBOOKS}
    pages: dict[str, str | bytes] = {uri: _text(path, copies) for path, uri in TEXTS.items()}
    for shown in ThreadPoolExecutor(2).map(lambda path: _notebook(path, execute=execute), NOTEBOOKS):
        pages |= shown
    drawn = {name: f"figures/{name}.png" in copies for name in FIGURES}
    pages["gallery.md"] = _rendered("gallery", drawn=drawn, long=LONG, dataset_of=dataset_of)
    stored = json.loads(VERDICTS.read_text(encoding="utf-8")) if VERDICTS.exists() else []
    verdicts = {verdict["id"]: verdict for verdict in stored}
    proofs = {key: theorem.steps() if execute else [] for key, theorem in hamtheory.theorem.ledger().items()}
    pages["ledger.md"] = _rendered("ledger", proofs=proofs, verdicts=verdicts, keys="|".join(references))
    for room in ROOMS:
        pages[f"reference/{room}.md"] = _rendered("reference", room=room, names=names(room))
    pages["cli.md"] = _rendered("cli", said=_said)
    pages["references.md"] = _rendered("references", references=references)
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    for uri, path in copies.items():
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Figures that a text shows, `![...](figure:NAME)`: where they are not drawn, it says so. Comments are left out."""

    def figure(found: re.Match) -> str:
        there = files.get_file_from_path(f"figures/{found[2]}.png")
        return f"![{found[1]}](../figures/{found[2]}.png)" if there else f'<p class="absent">{found[1]}: not drawn.</p>'

    return re.sub(r"!\[([^\]]*)\]\(figure:(\w+)\)", figure, re.sub(r"<!--.*?-->", "", markdown, flags=re.S))


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Formulas as MathML."""
    return formulas.converted(html)


class Links(Extension, Preprocessor):
    """Names in backticks with their anchors, and keys in brackets with tips, too, as links for the plugin autorefs."""

    def __init__(self, keys: dict[str, tuple[str, str]], names: dict[str, str]):
        super().__init__()
        self.keys, self.names = keys, names

    def extendMarkdown(self, md: Markdown) -> None:
        """After blocks of code have been put aside."""
        md.preprocessors.register(self, "links", 24)

    def run(self, lines: list[str]) -> list[str]:
        """The lines of a text, with links."""
        return _LINKED.sub(self._link, "\n".join(lines)).split("\n")

    def _link(self, found: re.Match) -> str:
        name = _NAME.fullmatch(found["code"] or "")
        if name and name[1] in self.names:
            return f'<autoref identifier="{self.names[name[1]]}">{found[0]}</autoref>'
        if found["key"] in self.keys:
            anchor, tip = self.keys[found["key"]]
            tip = escape(escape(tip)).replace("|", "&#124;")
            return f'<autoref identifier="{anchor}" title="{tip}">{escape(found[0])}</autoref>'
        if found["key"]:
            get_plugin_logger("hamtheory").warning(f"nothing is known of {found[0]}")
        return found[0]


class Name(NamedTuple):
    """A public name: the path of the object, what a user writes for it, and the first line of its docstring."""

    path: str
    written: str
    line: str


@cache
def names(room: str) -> tuple[Name, ...]:
    """The public names of a room, those of the modules in it included; of results, those that are in no room."""
    if room == "result":
        rooms = {name.written for other in ROOMS if other != room for name in names(other)}
        offered = {f"hamtheory.{n}": getattr(hamtheory, n) for n in dir(hamtheory) if f"ht.{n}" not in rooms}
        return tuple(_named(path, value) for path, value in offered.items() if not inspect.ismodule(value))
    return tuple(_named(*found) for found in _offered(importlib.import_module(f"hamtheory.{room}")))


def _named(path: str, value: Any) -> Name:
    package, _, last = path.rpartition(".")
    inner = package.rpartition(".")[2]  # a module of a room may be at the top, too, and what it offers in it
    short = last if getattr(hamtheory, last, None) is value else f"{inner}.{last}"
    documented = inspect.isclass(value) or inspect.isroutine(inspect.unwrap(value)) or hasattr(value, "__wrapped__")
    line = (inspect.getdoc(value) or "").partition("\n\n")[0] if documented else ""
    return Name(path, f"ht.{short}", " ".join(line.split()))


def _offered(module: Any) -> Iterator[tuple[str, Any]]:
    """What a module offers, path and value; of a file, what it defines itself."""
    found = {name: getattr(module, name) for name in getattr(module, "__all__", dir(module)) if name[0] != "_"}
    for name, value in found.items():
        if not inspect.ismodule(value):
            if hasattr(module, "__path__") or getattr(value, "__module__", "") == module.__name__:
                yield f"{module.__name__}.{name}", value
        elif hasattr(module, "__path__"):
            yield from _offered(value)


def addresses() -> dict[str, str]:
    """The anchors of names as texts write them, the last part alone where only one ends in it; and of theorems."""
    offered = {name.written.removeprefix("ht."): name.written for room in ROOMS for name in names(room)}
    ends = [short.rpartition(".")[2] for short in offered]
    alone = {end: written for end, written in zip(ends, offered.values(), strict=True) if ends.count(end) == 1}
    alone = {end: written for end, written in alone.items() if len(end) > 5 or end[0].isupper()}  # `run` is a word, too
    torch = {f"torch.{name}": f"hamtheory.torch.{name}" for name in OF_TORCH}
    return alone | offered | torch | {key: key for key in hamtheory.theorem.ledger()}


def _keys(config: Any) -> dict[str, tuple[str, str]]:
    """The anchors and tips of keys of references, and of numbers of figures."""
    tips = {key: re.sub(r"\[([^\]]*)\]\S*|[*\\]", r"\1", text) for key, text in _references(config).items()}
    numbers = {figure.NUMBER: (name, figure.TITLE) for name, figure in FIGURES.items()}
    return numbers | {key: (key, tip) for key, tip in tips.items()}


def _references(config: Any) -> dict[str, str]:
    """The entries of references.bib by their keys, as the plugin of the bibliography writes them."""
    registry = config.plugins["bibtex"].registry
    return {key: registry.reference_text(Citation(key)) for key in sorted(registry.bib_data.entries)}


def _rendered(template: str, **values: Any) -> str:
    """A page from its template, which knows figures, claims and theorems."""
    loader = jinja2.FileSystemLoader(HERE / "templates")
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "plain": lambda text: re.sub(r"(`[^`]*`)|([*|])", lambda sign: sign[1] or f"&#{ord(sign[2])};", text),
        "cited": lambda text, keys: re.sub(rf"\b({keys})\b", r"[\1]", text),
        "entries": lambda keys: ", ".join(f"[`{key}`](ledger.md#{key})" for key in keys),
        "lines": formulas.lines,
    }
    values |= {"claims": _claim, "figures": FIGURES, "theorems": hamtheory.theorem.ledger()}
    return environment.get_template(f"{template}.md.jinja").render(values)


def executed(path: Path) -> NotebookNode:
    """A notebook with what its cells print and draw. A warning is an error."""
    notebook = jupytext.read(path)
    notebook.cells.insert(0, new_code_cell(_STRICT))
    ExecutePreprocessor(timeout=900, extra_arguments=["--log-level=ERROR"]).preprocess(notebook)
    del notebook.cells[0]
    return notebook


def _notebook(path: Path, *, execute: bool) -> dict[str, str | bytes]:
    """The page of a notebook, and its figures."""
    notebook = executed(path) if execute else jupytext.read(path)
    text, found = MarkdownExporter().from_notebook_node(notebook, {"unique_key": path.stem})
    said = "What is printed and drawn is of this build." if execute else "Not executed in this build: the code alone."
    note = f"\n\n[{path.name}]({path.name}), a notebook for jupytext, and a script. {said}\n"
    text = re.sub(r"^# .*$", lambda title: title[0] + note, text, count=1, flags=re.M)
    return {NOTEBOOKS[path]: text} | {f"notebooks/{name}": png for name, png in found.get("outputs", {}).items()}


def _text(path: Path, copies: dict[str, Path]) -> str:
    """A text with links that hold on the site: to its pages, or to files, which it copies."""

    def address(found: re.Match) -> str:
        target = (path.parent / found[1]).resolve()
        uri = PAGES.get(target) or target.relative_to(ROOT).as_posix().removeprefix("docs/")
        if target not in PAGES:
            copies[uri] = target
        return f"]({os.path.relpath(uri, Path(TEXTS[path]).parent)}"

    text = re.sub(r"\]\((?!\w+:|#)([^)#\s]+)", address, path.read_text(encoding="utf-8"))
    return "---\nhide: [navigation]\n---\n\n" * (TEXTS[path] == "index.md") + text


def _said(command: str) -> str:
    """What `--help` says of a command."""
    os.environ["COLUMNS"] = "92"
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        parse([*command.split()[1:], "--help"])
    return said.getvalue().strip()
