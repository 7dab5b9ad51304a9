"""What an installation must be able to do: run by its Python, in an empty folder, with the path of the README.

Nothing but the installation is needed for it, and the sources are out of reach: `python -I smoke.py README.md`.
"""

import contextlib
import importlib.metadata
import io
import json
import re
import subprocess
import sys
from pathlib import Path

COMMANDS = (
    "--version",
    "limit sparse:40,100,5 --alpha 100",
    "flow sparse:40,100,5 --alpha 100 --out flow.zarr",
    "margin classes:15,30,3 --geometry ham",
    "verify geometry --seeds 1 --quiet",
    "sweep run smoke --store out/smoke",
)


def example(text: str) -> tuple[str, str]:
    """The first block of Python of a page, and what it says that this prints."""
    found = re.search(r"```python\n(.*?)```\s+```\n(.*?)```", text, re.S)
    assert found, "the page has no example that says what it prints"
    return found[1], found[2]


def plain(text: str) -> list[str]:
    """A text without its rounding errors, in words."""
    return re.sub(r"-?\d+e-\d+", "rounding", text).split()


def command(words: str) -> str:
    """What a command prints; it must not fail."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "hamtheory"), *words.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"hamtheory {words}: {done.stdout}{done.stderr}"
    print(f"  hamtheory {words}", flush=True)
    return done.stdout


def main(readme: str) -> None:
    import hamtheory

    version = importlib.metadata.version("hamtheory")
    assert Path(hamtheory.__file__).is_relative_to(sys.prefix), hamtheory.__file__
    code, shown = example(Path(readme).read_text(encoding="utf-8"))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    assert plain(printed.getvalue()) == plain(shown), printed.getvalue()
    print("  the first example of the README", flush=True)
    said = [command(words) for words in COMMANDS]
    assert said[0].split() == ["hamtheory", version]
    report = json.loads(command("doctor --json"))
    assert report["problems"] == [] and report["hamtheory"] == version
    rooms_of_extras = {"sklearn"}
    assert all(hasattr(hamtheory, name) for name in hamtheory.__all__ if name not in rooms_of_extras)


if __name__ == "__main__":
    main(sys.argv[1])
