"""The code blocks of a page: Python is executed, as one session; commands are read, but not run.

python -m docs.code FILE       execute the Python of a Markdown file, from top to bottom, in one namespace
"""

import contextlib
import io
import math
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```$", flags=re.M | re.S)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


class Block(NamedTuple):
    """A code block, and the line it begins at."""

    line: int
    language: str
    code: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text."""
    return [Block(text[: f.start()].count("\n") + 2, f["language"], f["body"]) for f in _FENCE.finditer(text)]


def same(printed: str, shown: str) -> bool:
    """Whether a block's output is the one that the page shows.

    Words must agree, and numbers in the digits that are shown; of one with an exponent, which is an error, the order.
    """
    if _NUMBER.sub("#", printed).split() != _NUMBER.sub("#", shown).split():
        return False
    for got, want in zip(_NUMBER.findall(printed), _NUMBER.findall(shown), strict=True):
        if "e" in want:
            ratio = abs(float(got)) / abs(float(want)) if float(got) else 1.0
            if not 1e-3 < ratio < 1e3:
                return False
        elif not math.isclose(float(got), float(want), abs_tol=1.5 * 10.0 ** -len(want.partition(".")[2])):
            return False
    return True


def execute(path: Path) -> list[str]:
    """Run the Python blocks of a file in one namespace, in an empty folder; returns what went wrong."""
    namespace: dict = {"__name__": "__main__"}
    found = blocks(path.read_text(encoding="utf-8"))
    for i, block in enumerate(found):
        if block.language != "python":
            continue
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * (block.line - 1) + block.code, str(path), "exec"), namespace)
        except Exception as error:
            return [f"{path.name}, line {block.line}: {type(error).__name__}: {error}"]
        shown = found[i + 1] if i + 1 < len(found) and found[i + 1].language == "" else None
        if printed.getvalue() and shown and not same(printed.getvalue(), shown.code):
            return [f"{path.name}, line {shown.line}: the output is another:\n{printed.getvalue()}"]
    return []


def execute_apart(path: Path) -> list[str]:
    """The same in a process of its own, so that no page depends on another."""
    if not any(block.language == "python" for block in blocks(path.read_text(encoding="utf-8"))):
        return []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "docs.code", str(path.resolve()), folder]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return [] if done.returncode == 0 else [done.stdout.strip() or done.stderr.strip()[-2000:]]


def commands(text: str) -> list[str]:
    """What is wrong with the commands in the blocks of a page: programs, targets and options that there are not."""
    found = []
    for block in blocks(text):
        if block.language in ("", "sh", "shell", "bash"):
            for line in block.code.splitlines():
                complaint = _command(line.partition("#")[0].strip())
                if complaint:
                    found.append(f"line {block.line}: {line.strip()}: {complaint}")
    return found


def _command(line: str) -> str:
    try:
        words = shlex.split(line)
    except ValueError:
        return ""  # an output
    if words[:2] == ["python", "-m"] and len(words) > 2:
        return _module(words[2], [word for word in words[3:] if not word.startswith("-")])
    if words[:1] == ["make"]:
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
        wrong = [word for word in words[1:] if "=" not in word and word not in targets]
        return f"the Makefile has no target {wrong[0]}" if wrong else ""
    if words[:1] == ["hamtheory"]:
        return _hamtheory(words[1:])
    return ""


def _module(module: str, words: list[str]) -> str:
    from experiments import LONG, NAMES
    from figures import NAMES as FIGURES

    there = {"experiments": ("all", *NAMES, *LONG), "figures": ("all", *FIGURES)}.get(module)
    if there is not None:
        return f"there is no {words[0]}" if words and words[0] not in there else ""
    path = ROOT / module.replace(".", "/")
    return "" if path.with_suffix(".py").exists() or (path / "__main__.py").exists() else f"there is no module {module}"


def _hamtheory(words: list[str]) -> str:
    from hamtheory.cli import parse

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parse(words)
    except SystemExit as stop:
        return "" if stop.code in (0, None) else " ".join(said.getvalue().split())
    except ValueError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    import os

    os.chdir(sys.argv[2])
    sys.path.insert(0, str(ROOT))
    complaints = execute(Path(sys.argv[1]))
    print("\n".join(complaints))
    sys.exit(bool(complaints))
