"""The site: which pages there are, what is around them, and how they are written."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path

from pygments.formatters.html import HtmlFormatter

from . import bibliography, code, gallery, ledger, links, notebooks, reference
from .markdown import Names, render

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = HERE / "out"

# Pages that are Markdown files, by their address; questions have one each.
TEXTS = {
    "index.html": ROOT / "README.md",
    "glossary.html": HERE / "glossary.md",
    "contributing.html": ROOT / "CONTRIBUTING.md",
}
QUESTIONS = {f"questions/{path.stem}.html": path for path in sorted((HERE / "questions").glob("*.md"))}
NOTEBOOKS = {f"notebooks/{path.stem}.html": path for path in notebooks.files()}
COMMANDS = ((), ("flow",), ("limit",), ("sweep",), ("sweep", "run"), ("sweep", "resume"), ("sweep", "status"),
            ("sweep", "verify"), ("sweep", "export"), ("train",), ("verify",))  # fmt: skip

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} · hamtheory</title>
<link rel="stylesheet" href="{root}style.css"></head><body>
<a class="skip" href="#main">To the text</a>
<header><a class="home" href="{root}index.html">hamtheory</a></header>
<nav aria-label="Pages"><input type="checkbox" id="menu"><label for="menu">All pages</label>
<div>{navigation}</div></nav>
<main id="main">
{body}
</main></body></html>
"""


def pages() -> list[str]:
    """The addresses of all pages, in reading order."""
    rooms = [f"reference/{room}.html" for room in reference.ROOMS]
    return ["index.html", "interactive.html", "gallery.html", "ledger.html", *NOTEBOOKS, "questions/index.html",
            *QUESTIONS, *rooms, "cli.html", "glossary.html", "references.html", "contributing.html"]  # fmt: skip


def build(
    out: Path = OUT,
    *,
    only: Iterable[str] | None = None,
    run: bool = True,
    note: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Write the site to a folder; returns what is wrong with it, one complaint a line.

    `only`: some of the pages, by their addresses. `run`: execute their code blocks and the notebooks, and list the
    steps of the proofs. `note`: is told what comes next.
    """
    chosen = pages() if only is None else list(only)
    keys = bibliography.read(ROOT / "references.bib")
    figures, entries = gallery.modules(), ledger.ledger()
    names = Names(
        {key: (f"references.html#{key}", bibliography.short(entry)) for key, entry in keys.items()} | gallery.numbers(),
        reference.addresses() | {key: f"ledger.html#{key}" for key in entries},
    )
    site = _Site(out, chosen, names)
    site.start()
    for address, path in (TEXTS | QUESTIONS).items():
        if address in chosen:
            site.text(address, path)
    if run and any(address in chosen for address in NOTEBOOKS):
        note(f"Executing {sum(address in chosen for address in NOTEBOOKS)} notebooks.")
    for address, path in NOTEBOOKS.items():
        if address in chosen:
            site.notebook(address, path, entries, run=run)
    if "questions/index.html" in chosen:
        items = "".join(f'<li><a href="{Path(a).name}">{_title(path)}</a></li>' for a, path in QUESTIONS.items())
        intro = "Questions that reviewers of HAM asked and nobody had answered. Each was put to an experiment."
        site.write("questions/index.html", "Open questions", f"<h1>Open questions</h1><p>{intro}</p><ol>{items}</ol>")
    if "interactive.html" in chosen:
        shutil.copyfile(HERE / "interactive.html", out / "interactive.html")
    if "gallery.html" in chosen:
        body, unknown = gallery.page(names, ledger.of_figures(entries), out)
        site.write("gallery.html", "Gallery", body, unknown)
    if "ledger.html" in chosen:
        body, complaints = ledger.page(names, keys, figures, prove=run)
        site.complaints += complaints
        site.write("ledger.html", "Ledger of theorems", body)
    for room, title in reference.ROOMS.items():
        if f"reference/{room}.html" in chosen:
            body, unknown = reference.room_page(room, names.relative("../"))
            site.write(f"reference/{room}.html", title, body, unknown)
    if "cli.html" in chosen:
        site.write("cli.html", "Command line", _command_line())
    if "references.html" in chosen:
        listed = "".join(bibliography.html(key, entry) for key, entry in sorted(keys.items()))
        site.write("references.html", "References", f'<h1>References</h1><dl class="references">{listed}</dl>')
    if only is None:
        site.complaints += links.check(out)
    if run:
        files = [path for address, path in (TEXTS | QUESTIONS).items() if address in chosen]
        note(f"Executing the code blocks of {len(files)} pages.")
        for path in files:
            site.complaints += code.execute_apart(path)
    return site.complaints


class _Site:
    """A folder of pages, and what is wrong with them so far."""

    def __init__(self, out: Path, chosen: list[str], names: Names):
        self.out, self.chosen, self.names = out, chosen, names
        self.complaints: list[str] = []

    def start(self) -> None:
        """An empty folder with the style sheet."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        light, dark = (HtmlFormatter(style=style, cssclass="code") for style in ("friendly", "github-dark"))
        colours = f"{light.get_style_defs()}\n@media (prefers-color-scheme: dark) {{\n{dark.get_style_defs()}\n}}\n"
        own = (HERE / "style.css").read_text(encoding="utf-8")
        (self.out / "style.css").write_text(colours + own, encoding="utf-8")

    def write(self, address: str, title: str, body: str, unknown: Iterable[str] = ()) -> None:
        """Write a page."""
        self.complaints += [f"{address}: nothing is known of [{key}]" for key in unknown]
        root = "../" * address.count("/")
        page = _TEMPLATE.format(title=escape(title), root=root, navigation=_navigation(address, root), body=body)
        path = self.out / address
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")

    def text(self, address: str, path: Path) -> None:
        """Write the page of a Markdown file."""
        markdown = path.read_text(encoding="utf-8")
        root = "../" * address.count("/")
        try:
            found = render(
                markdown,
                self.names.relative(root),
                resolve=lambda target: self._resolve(target, path, root),
                formulas=path.is_relative_to(HERE),
            )
        except ValueError as error:
            self.complaints.append(f"{path.relative_to(ROOT)}: {error}")
            return
        self.complaints += [f"{path.relative_to(ROOT)}, {complaint}" for complaint in code.commands(markdown)]
        self.write(address, _title(path), found.html, found.unknown)

    def notebook(self, address: str, path: Path, theorems: Collection[str], *, run: bool) -> None:
        """Write the page of a notebook, with what it shows when it is executed."""
        try:
            body, unknown, complaints = notebooks.page(
                path,
                self.names,
                self.out,
                theorems=theorems,
                run=run,
                resolve=lambda to: self._resolve(to, path, "../"),
            )
            self.complaints += complaints
            self.write(address, notebooks.title(path), body, unknown)
        except ValueError as error:
            self.complaints.append(f"{path.relative_to(ROOT)}: {error}")

    def _resolve(self, target: str, path: Path, root: str) -> str:
        """The address on the site of what a Markdown file links to; files that are no pages are copied."""
        if "://" in target or target.startswith("#"):
            return target
        if target.startswith("figure:"):
            return self._figure(target.removeprefix("figure:"), path, root)
        name, _, fragment = target.partition("#")
        file = Path(os.path.normpath(path.parent / name))
        texts = {text: address for address, text in (TEXTS | QUESTIONS | NOTEBOOKS).items()} | {
            ROOT / "references.bib": "references.html",
            HERE / "interactive.html": "interactive.html",
        }
        address = texts.get(file)
        if address is None:
            if not file.is_relative_to(ROOT) or not file.is_file():
                self.complaints.append(f"{path.relative_to(ROOT)}: the link {target} ends nowhere")
                return target
            address = f"files/{file.relative_to(ROOT).as_posix()}"
            copy = self.out / address
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        return root + address + (f"#{fragment}" if fragment else "")

    def _figure(self, name: str, path: Path, root: str) -> str:
        """The address of a figure; empty, if it was not drawn."""
        if name not in gallery.NAMES:
            self.complaints.append(f"{path.relative_to(ROOT)}: there is no figure {name!r}")
        return f"{root}figures/{name}.png" if gallery.copy(name, self.out) else ""


def _title(path: Path) -> str:
    """The first heading of a Markdown file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), path.stem)


def _navigation(here: str, root: str) -> str:
    groups = {
        "": {"index.html": "Start", "interactive.html": "Try it: the plane", "gallery.html": "Gallery",
             "ledger.html": "Ledger of theorems"},
        "Notebooks": {address: _numbered(path) for address, path in NOTEBOOKS.items()},
        "Open questions": {"questions/index.html": "All seven"}
        | {address: f"{i}. {_short(path)}" for i, (address, path) in enumerate(QUESTIONS.items(), 1)},
        "Reference": {f"reference/{room}.html": title for room, title in reference.ROOMS.items()}
        | {"cli.html": "Command line"},
        "More": {"glossary.html": "Glossary", "references.html": "References", "contributing.html": "Contributing"},
    }  # fmt: skip
    parts = []
    for title, entries in groups.items():
        items = "".join(
            f'<li><a href="{root}{address}"{" aria-current=page" if address == here else ""}>{escape(label)}</a></li>'
            for address, label in entries.items()
        )
        parts.append((f"<h2>{title}</h2>" if title else "") + f"<ul>{items}</ul>")
    return "".join(parts)


def _short(path: Path) -> str:
    """A question in two or three words: the name of its file."""
    words = path.stem.partition("-")[2].replace("-", " ").capitalize()
    return words.replace("alpha", "α").replace(" ham", " HAM").replace("Hyp ", "HYP ")


def _numbered(path: Path) -> str:
    """A notebook in a few words: its number, and the name of its file."""
    number, _, words = path.stem.partition("_")
    words = words.replace("_", " ").capitalize()
    for word in ("Ham", "l1"):
        words = words.replace(word, word.upper())
    return f"{number}. {words}"


def _command_line() -> str:
    """The page of the commands: what `--help` says of each."""
    environment = {**os.environ, "COLUMNS": "92", "NO_COLOR": "1", "TERM": "dumb"}

    def help_of(words: tuple[str, ...]) -> str:
        command = [sys.executable, "-m", "hamtheory", *words, "--help"]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=True, cwd=ROOT).stdout

    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(help_of, COMMANDS))
    parts = ["<h1>Command line</h1><p>What <code>--help</code> says of each command.</p>"]
    for words, said in zip(COMMANDS, texts, strict=True):
        name = " ".join(("hamtheory", *words))
        parts.append(f'<h2 id="{name.replace(" ", "-")}">{name}</h2><pre class="help">{escape(said.strip())}</pre>')
    return "\n".join(parts)
