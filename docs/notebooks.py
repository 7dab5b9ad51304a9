"""The pages of the notebooks: text, coloured code, and what it prints and draws, executed at full scale.

python -m docs.notebooks FILE FOLDER       execute a notebook, and write its figures and outputs.json to a folder
"""

import contextlib
import io
import json
import linecache
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Collection
from html import escape
from pathlib import Path
from typing import NamedTuple

from .markdown import Names, coloured, render

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "paper_notebooks"
SMOKE = "HAMTHEORY_SMOKE"  # the variable that makes notebooks small
_SLOWEST = 900  # seconds: a notebook takes less than one minute, on a machine with nothing else to do

_MARK = re.compile(r"^# %%(?P<markdown> \[markdown\])?$")


class Cell(NamedTuple):
    """A cell: the line that its source begins at, whether it is Markdown, and its source, without `# ` if so."""

    line: int
    markdown: bool
    source: str


class Output(NamedTuple):
    """What a cell has printed, and the names of the files of its figures."""

    printed: str
    figures: list[str]


def files() -> list[Path]:
    """The notebooks, in reading order."""
    return sorted(FOLDER.glob("*.py"))


def cells(text: str) -> list[Cell]:
    """The cells of a notebook in the percent format of jupytext, after its header.

    Errors: `ValueError`, with the line, for what jupytext would read differently: a missing header, text before the
      first cell, a cell mark with anything but `[markdown]` behind it, an empty cell, Markdown that is no comment.
    """
    lines = text.splitlines()
    if lines[:1] != ["# ---"] or "# ---" not in lines[1:]:
        raise ValueError("line 1: the header of jupytext, between two lines '# ---', is missing")
    header = lines.index("# ---", 1)
    if not any(re.fullmatch(r"#\s+format_name: percent", line) for line in lines[:header]):
        raise ValueError("line 1: the header must say format_name: percent")
    found: list[Cell] = []
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")]
    first = starts[0] if starts else len(lines)
    for i, line in enumerate(lines[header + 1 : first], header + 1):
        if line.strip():
            raise ValueError(f"line {i + 1}: text before the first cell")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        mark = _MARK.match(lines[start])
        if mark is None:
            raise ValueError(f"line {start + 1}: a cell begins with '# %%' or '# %% [markdown]'; got {lines[start]!r}")
        body, markdown = lines[start + 1 : end], mark["markdown"] is not None
        while body and not body[-1].strip():
            body.pop()
        if not body:
            raise ValueError(f"line {start + 1}: an empty cell")
        if markdown:
            for i, line in enumerate(body, start + 1):
                if line != "#" and not line.startswith("# "):
                    raise ValueError(f"line {i + 1}: a line of Markdown begins with '# '; got {line!r}")
            body = [line[2:] for line in body]
        found.append(Cell(start + 2, markdown, "\n".join(body)))
    return found


def title(path: Path) -> str:
    """The heading of a notebook's first cell."""
    opening = cells(path.read_text(encoding="utf-8"))[0]
    first = opening.source.splitlines()[0]
    if not opening.markdown or not first.startswith("# "):
        raise ValueError(f"{path.name}: the first cell must be Markdown that begins with a title")
    return first.removeprefix("# ")


def execute(path: Path, folder: Path) -> dict[int, Output]:
    """Run a notebook from top to bottom in one namespace; its figures become `<number of the cell>-<k>.png`.

    Returns: what the code cells showed, by the number of the cell. A warning is an error.
    Errors: `RuntimeError` with the file and the line, for whatever a cell raises.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    text = path.read_text(encoding="utf-8")
    linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))
    namespace: dict = {"__name__": "__main__", "__file__": str(path)}
    outputs: dict[int, Output] = {}
    show, plt.show = plt.show, lambda *_, **__: None  # a figure is taken where its cell ends
    try:
        for number, cell in enumerate(cells(text)):
            if cell.markdown:
                continue
            printed = io.StringIO()
            try:
                code = compile("\n" * (cell.line - 1) + cell.source, str(path), "exec")
                with contextlib.redirect_stdout(printed), warnings.catch_warnings():
                    warnings.simplefilter("error")
                    exec(code, namespace)
                    drawn = []
                    for k, figure in enumerate(map(plt.figure, plt.get_fignums())):
                        drawn.append(f"{number}-{k}.png")
                        figure.savefig(folder / drawn[-1], dpi=150)
                    plt.close("all")
            except Exception as error:
                raise RuntimeError(_where(error, path, cell)) from error
            outputs[number] = Output(printed.getvalue(), drawn)
    finally:
        plt.close("all")
        plt.show = show
    return outputs


def _where(error: Exception, path: Path, cell: Cell) -> str:
    line, trace = cell.line, error.__traceback__
    while trace is not None:  # the innermost place in the notebook
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.lineno:
        line = error.lineno
    source = path.read_text(encoding="utf-8").splitlines()[line - 1].strip()
    return f"{path.name}, line {line}: {type(error).__name__}: {error}".rstrip(": ") + f"  in  {source}"


def execute_apart(path: Path, folder: Path, *, smoke: bool = False) -> tuple[dict[int, Output], list[str]]:
    """The same in a process of its own: what the cells showed, and what went wrong. `smoke`: at small size."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != SMOKE}
    environment |= {"MPLBACKEND": "Agg"} | ({SMOKE: "1"} if smoke else {})
    command = [sys.executable, "-m", "docs.notebooks", str(path.resolve()), str(folder.resolve())]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=_SLOWEST)
    except subprocess.TimeoutExpired:
        return {}, [f"{path.name}: not done after {_SLOWEST} s"]
    if done.returncode != 0:
        return {}, [done.stdout.strip() or f"{path.name}: {done.stderr.strip()[-2000:]}"]
    stored = json.loads((folder / "outputs.json").read_text(encoding="utf-8"))
    return {int(number): Output(*output) for number, output in stored.items()}, []


def page(
    path: Path,
    names: Names,
    out: Path,
    *,
    theorems: Collection[str],
    run: bool,
    resolve: Callable[[str], str] = lambda address: address,
) -> tuple[str, list[str], list[str]]:
    """The page of a notebook as HTML, the `[keys]` in it that nothing is known of, and what else is wrong with it.

    Arguments: `names`: as seen from the site's folder. `out`: that folder; the notebook and its figures go to
      `notebooks/`. `theorems`: the ids of the ledger, which link to it in backticks. `run`: execute it at full scale.
      `resolve`: of addresses of links, as in `render`.
    """
    found = cells(path.read_text(encoding="utf-8"))
    folder = out / "notebooks" / path.stem
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder.with_suffix(".py"))
    outputs, complaints, unknown = {}, [], []
    if run:
        outputs, complaints = execute_apart(path, folder)
        (folder / "outputs.json").unlink(missing_ok=True)
    linked = names.relative("../")
    parts = []
    for number, cell in enumerate(found):
        if not cell.markdown:
            parts.append(coloured(cell.source, "python"))
            parts.append(_shown(outputs.get(number, Output("", [])), path.stem, number))
            continue
        try:
            text = render(_with_links(cell.source, theorems), linked, resolve=_outside(resolve), formulas=True)
        except ValueError as error:
            complaints.append(f"{path.name}, line {cell.line}: {error}")
            continue
        parts.append(text.html)
        unknown += text.unknown
        if number == 0:
            parts.append(_download(path, bool(outputs)))
    return "\n".join(part for part in parts if part), unknown, complaints


def _with_links(markdown: str, theorems: Collection[str]) -> str:
    """Ids of the ledger in backticks as links to it: they hold hyphens, which names of the code do not."""
    link = lambda m: f"[{m[0]}](../ledger.html#{m[1]})" if m[1] in theorems else m[0]  # noqa: E731
    return re.sub(r"(?<!\[)`([a-z0-9]+\.[a-z0-9-]+)`", link, markdown)


def _outside(resolve: Callable[[str], str]) -> Callable[[str], str]:
    return lambda address: address if address.startswith("../ledger.html#") else resolve(address)


def _download(path: Path, executed: bool) -> str:
    said = "What is printed and drawn is of this build." if executed else "Not executed in this build: the code alone."
    name = escape(path.name)
    return f'<p class="id"><a href="{name}" download>{name}</a>, a notebook for jupytext, and a script. {said}</p>'


def _shown(output: Output, stem: str, number: int) -> str:
    printed = f'<pre class="help">{escape(output.printed.rstrip())}</pre>' if output.printed.strip() else ""
    pictures = [
        f'<p><img src="{stem}/{name}" alt="The figure of cell {number + 1}, see the text" loading="lazy"></p>'
        for name in output.figures
    ]
    return printed + "".join(pictures)


if __name__ == "__main__":
    try:
        shown = execute(Path(sys.argv[1]), Path(sys.argv[2]))
    except (RuntimeError, ValueError) as wrong:
        print(wrong)
        sys.exit(1)
    (Path(sys.argv[2]) / "outputs.json").write_text(json.dumps(shown), encoding="utf-8")
