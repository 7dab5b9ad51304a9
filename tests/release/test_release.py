"""What a distribution must hold, and what must be declared; `make wheel` builds and tries the real ones."""

import ast
import io
import re
import sys
import tarfile
import tomllib
import zipfile

import pytest

from tests.release import __main__ as release, smoke

PROJECT = tomllib.loads((release.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The names under which packages are imported, where they are others.
IMPORTED = {"scikit-learn": "sklearn", "dask[distributed]": "distributed"}


def named(requirements):
    """The packages that are imported of what is required."""
    words = [re.match(r"[\w.-]+(\[\w+\])?", text)[0] for text in requirements]
    return {IMPORTED.get(word, re.sub(r"\[.*", "", word)).replace("-", "_") for word in words} | {
        "dask" for word in words if word.startswith("dask")
    }


def imported():
    """What the modules of the library import, at the top of a file or in a function, of other packages."""
    for file in (release.ROOT / "hamtheory").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level and node.module else []
            yield from ((name.partition(".")[0], file.relative_to(release.ROOT).as_posix()) for name in names)


def wheel(folder, without=(), extra=()):
    path = folder / "hamtheory-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (release.library() - set(without)) | set(extra) | {"hamtheory-1.dist-info/METADATA"}:
            archive.writestr(name, "")
    return path


def test_what_a_wheel_lacks_and_what_does_not_belong_there(tmp_path):
    assert release.complaints(wheel(tmp_path)) == []
    lost = {"hamtheory/__init__.pyi", "hamtheory/py.typed", "hamtheory/sweeps/ready/smoke.toml"}
    assert lost <= release.library()
    found = release.complaints(wheel(tmp_path, lost, {"tests/conftest.py"}))
    assert found == [f"{name} is missing" for name in sorted(lost)] + ["tests/conftest.py does not belong there"]


def test_a_source_distribution_is_the_library_alone(tmp_path):
    path = tmp_path / "hamtheory-1.tar.gz"
    beside = {"PKG-INFO", "README.md", "LICENSE", "pyproject.toml", ".gitignore"}
    beside |= {"CHANGELOG.md", "CITATION.cff", "references.bib"}
    for extra, complaints in (([], []), (["docs/x.md"], ["docs/x.md does not belong there"])):
        with tarfile.open(path, "w:gz") as archive:
            for name in [*release.library(), *beside, *extra]:
                archive.addfile(tarfile.TarInfo(f"hamtheory-1/{name}"), io.BytesIO())
        assert release.complaints(path) == complaints


def test_every_package_that_is_imported_is_declared():
    core = named(PROJECT["dependencies"]) | {"hamtheory"} | set(sys.stdlib_module_names)
    extras = set.union(*(named(PROJECT["optional-dependencies"][extra]) for extra in (*release.USERS_EXTRAS, "torch")))
    found = list(imported())
    assert len(found) > 500
    assert not [(name, file) for name, file in found if name not in core | extras]
    assert not named(PROJECT["dependencies"]) - {name for name, _ in found}


def test_floors_that_cannot_be_reached_are_seen():
    resolved = "numpy==2.1.0\njax==0.10.1\nscikit-learn==1.6\n"
    assert release.unreached(["numpy>=2.1", "scikit-learn>=1.6.0"], resolved) == []
    assert release.unreached(["numpy>=2.1", "jax>=0.10"], resolved) == [
        "jax>=0.10 is declared, 0.10.1 is the lowest that goes with the rest"
    ]
    assert set(release.USERS_EXTRAS) < set(PROJECT["optional-dependencies"])
    assert all(re.fullmatch(r"[\w.\[\]-]+>=[\d.]+", text) for text in release.declared())


def test_pythons_that_are_declared_are_found():
    assert release.PYTHONS[0] == PROJECT["requires-python"].removeprefix(">=")
    found = dict(release.pythons())
    assert f"3.{sys.version_info.minor}" in found and set(found) <= set(release.PYTHONS)


def test_the_first_example_of_the_readme_is_found_and_compared():
    code, shown = smoke.example((release.ROOT / "README.md").read_text(encoding="utf-8"))
    compile(code, "README.md", "exec")
    assert "import hamtheory as ht" in code and "duality gap" in shown
    assert smoke.plain("gap -7e-18, L1 6.47") == smoke.plain("gap 3e-17,  L1 6.47") != smoke.plain("gap 3e-17, L1 6.48")
    with pytest.raises(AssertionError):
        smoke.example("```\nmake figures\n```")


def test_targets_and_choices_are_there():
    made = (release.ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("wheel", "test-pythons", "test-floor", "test-newest"):
        assert f"\n{target}: " in made and re.search(rf"tests\.release {target.removeprefix('test-')}\b", made)
    assert all((release.ROOT / path).exists() for path in release.TESTS)
