"""Distributions and versions, each in an environment of its own: `python -m tests.release wheel`, or another word.


`wheel` builds both distributions, looks at what is in them, and tries each where nothing else is installed; `pythons`
tries the wheel with every Python from 3.11 on that it finds. `floor` runs tests with the lowest versions that are
declared, all of which have to be possible, `newest` with the newest that there are; words behind them are pytest's.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USERS_EXTRAS = ("data", "sklearn", "train", "cluster", "parquet", "figures")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# What the versions can break: both engines and their batches, optimizers, stores and tables, and the command line.
TESTS = [
    f"tests/{name}"
    for name in ("test_contract.py", "limit", "flow/test_batch.py", "algorithm", "optim", "sweeps", "cli")
]
_OUTSIDE = {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}


def main(what: str, *words: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if what == "wheel":
            for path in build(folder):
                complain(path.name, complaints(path))
                try_out(path, folder / path.name.rpartition(".")[2], sys.executable)
        elif what == "pythons":
            _, wheel = build(folder)
            found = dict(pythons())
            for version, python in found.items():
                try_out(wheel, folder / version, python)
            print(f"not tried, as there is none here: {', '.join(v for v in PYTHONS if v not in found) or '-'}")
        else:
            python = environment(folder / "env", sys.executable)
            floors = folder / "floor.txt"
            floors.write_text(lowest() if what == "floor" else "")
            uv("pip", "install", "--python", python, "--editable", f"{ROOT}[test]", "--constraint", floors)
            run([python, "-m", "pytest", "-q", "-m", "not slow", *(words or TESTS)], ROOT)


def build(folder: Path) -> tuple[Path, Path]:
    """The source distribution, and the wheel that is made of it."""
    uv("build", "--python", sys.executable, "--out-dir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def complaints(distribution: Path) -> list[str]:
    """What a distribution lacks of the library, and what else is in it."""
    if distribution.suffix == ".whl":
        with zipfile.ZipFile(distribution) as wheel:
            there = {name for name in wheel.namelist() if not re.match(r"hamtheory-[^/]*\.dist-info/", name)}
        wanted = library()
    else:
        with tarfile.open(distribution) as sdist:
            there = {name.partition("/")[2] for name in sdist.getnames()}
        wanted = library() | {"PKG-INFO", "README.md", "LICENSE", "pyproject.toml", ".gitignore"}
        wanted |= {"CHANGELOG.md", "CITATION.cff", "references.bib"}
    lacking = [f"{name} is missing" for name in sorted(wanted - there)]
    return lacking + [f"{name} does not belong there" for name in sorted(there - wanted)]


def library() -> set[str]:
    """All files of the package: modules, the stubs by which names are found, `py.typed`, and data."""
    files = (path for path in (ROOT / "hamtheory").rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(ROOT).as_posix() for path in files}


def pythons() -> Iterator[tuple[str, str]]:
    """The versions of Python that run here, with their paths: on PATH, or among those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in PYTHONS:
        found = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
        for python in filter(None, found):
            if subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
                yield version, python
                break


def try_out(distribution: Path, folder: Path, python: str) -> None:
    """Install a distribution where there is nothing else, and let it do what it must be able to do."""
    installed = environment(folder, python)
    uv("pip", "install", "--python", installed, distribution)
    print(f"{distribution.name} in an empty {folder.name}", flush=True)
    (folder / "empty").mkdir()
    run([installed, "-I", ROOT / "tests/release/smoke.py", ROOT / "README.md"], folder / "empty")


def lowest() -> str:
    """The lowest versions of all that users' extras and the library need, as requirements.

    Raises:
        SystemExit: If what is declared is too low to be installed with the rest.
    """
    extras = [word for extra in USERS_EXTRAS for word in ("--extra", extra)]
    text = uv("pip", "compile", "--python", sys.executable, "--resolution", "lowest-direct", *extras, "--no-header",
              "--no-annotate", ROOT / "pyproject.toml")  # fmt: skip
    complain("pyproject.toml", unreached(declared(), text))
    return text


def declared() -> list[str]:
    """The requirements of the library and of users' extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return project["dependencies"] + [one for extra in USERS_EXTRAS for one in extras[extra]]


def unreached(requirements: Iterable[str], resolved: str) -> list[str]:
    """The floors that are not among the versions which were found to go together."""
    from packaging.requirements import Requirement
    from packaging.version import Version

    versions = dict(re.findall(r"^([\w-]+)==(\S+)", resolved, re.M))
    floors = [(one.name, next(iter(one.specifier)).version) for one in map(Requirement, requirements)]
    return [
        f"{name}>={floor} is declared, {versions[name]} is the lowest that goes with the rest"
        for name, floor in floors
        if Version(versions[name]) != Version(floor)
    ]


def complain(where: str, texts: list[str]) -> None:
    if texts:
        sys.exit("\n".join(f"error: {where}: {text}" for text in texts))


def environment(folder: Path, python: str) -> str:
    """An empty environment: the path of its Python."""
    uv("venv", "--python", python, folder)
    return str(folder / "bin" / "python")


def uv(*words: str | Path) -> str:
    """What uv says, which is on PATH or among the tools of the tests."""
    program = [found] if (found := shutil.which("uv")) else [sys.executable, "-m", "uv"]
    return run([*program, words[0], "--quiet", *words[1:]], ROOT, capture=True)


def run(words: Iterable[str | Path], folder: Path, *, capture: bool = False) -> str:
    """Run a command where the sources are not on the path; if it fails, so does this."""
    outside = {name: value for name, value in os.environ.items() if name not in _OUTSIDE}
    out = subprocess.PIPE if capture else None
    done = subprocess.run([*map(str, words)], cwd=folder, env=outside, text=True, stdout=out, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


if __name__ == "__main__":
    main(*sys.argv[1:])
