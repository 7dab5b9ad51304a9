"""`hamtheory doctor`. Nothing heavy is imported before it is its turn: what is broken has to be reported, too."""

import importlib
import importlib.metadata
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

from . import _names
from ._row import row

if TYPE_CHECKING:
    from ..problem import LinearRegression

ALPHA = 100.0  # of the self-check
_SETTINGS = re.compile(r"(JAX|XLA|EQX|OMP|OPENBLAS|MKL)_\w+|CUDA_VISIBLE_DEVICES")
_PATIENCE = 600.0  # seconds, for JAX to answer
_CONVERGED, _AGREE = 1e-10, 1e-8  # a certificate of the limit; and how far the engines may be apart, relative

Found = dict[str, Any]


@dataclass(frozen=True)
class Doctor:
    description: ClassVar[str] = f"""{_names.Doctor.description}

Versions and what hamtheory needs of them, extras, BLAS and its threads, settings of
the environment, the devices, precision and compilation cache of JAX; and one limit,
by NumPy and SciPy and by JAX, which have to agree. JAX runs in a process of its own,
so that there is an answer even if it crashes. Copy the output into a bug report.

examples:
  hamtheory doctor
  hamtheory doctor --json > doctor.json

Exit code 0: nothing is wrong. Exit code 1: something is, and what is said at the end."""

    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print the report as JSON."""

    def run(self, words: list[str]) -> int:
        """Do what the command line `words` asks for: 0, or 1 if something is wrong."""
        report: Found = {"problems": []}
        for part in (_software, _packages, _blas, _host, _jax, _difference):
            found, wrong = part(report)
            report |= found
            report["problems"] += wrong
            for line in [] if self.json else _lines(found):
                print(row(*line), flush=True)
        report |= {"problems": report.pop("problems")}  # last
        del report["thetas"]
        if self.json:
            print(json.dumps(report, indent=1))
        for problem in report["problems"]:
            print(f"error: {problem}", file=sys.stderr)
        return 1 if report["problems"] else 0


def question() -> "LinearRegression":
    """The problem of the self-check."""
    import hamtheory as ht

    return ht.sparse_regression(n=20, d=50, k=3)


def _software(report: Found) -> tuple[Found, list[str]]:
    import hamtheory as ht

    return {
        "hamtheory": ht.__version__,
        "folder": _short(Path(ht.__file__).parent),
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "settings": {name: os.environ[name] for name in sorted(os.environ) if _SETTINGS.fullmatch(name)},
    }, []


def _packages(report: Found) -> tuple[Found, list[str]]:
    """The versions of what hamtheory needs, and what its extras lack."""
    try:
        metadata = importlib.metadata.metadata("hamtheory")
        core, extras = _requirements(), metadata.get_all("Provides-Extra") or []
        complaints = {extra: [_complaint(found) for found in _requirements(extra)] for extra in sorted(extras)}
    except ImportError as error:  # of hamtheory, which runs from a folder, or of packaging
        return {"versions": {}, "extras": {}}, [f"nothing is known of its packages: {_said(error)}"]
    return {
        "versions": {name: _version(name) for name in sorted({found.name for found in core} | {"jaxlib"})},
        "extras": {extra: [text for text in texts if text] for extra, texts in complaints.items()},
    }, [text for found in core if (text := _complaint(found))]


def _requirements(extra: str = "") -> list[Any]:
    """What hamtheory needs, or what one of its extras adds."""
    from packaging.requirements import Requirement

    def wanted(one: Any, extra: str) -> bool:
        return one.marker is None or one.marker.evaluate({"extra": extra})

    found = list(map(Requirement, importlib.metadata.requires("hamtheory") or []))
    return [one for one in found if wanted(one, extra) and not (extra and wanted(one, ""))]


def _complaint(needed: Any) -> str:
    """What is wrong with the version of a package that is needed."""
    version = _version(needed.name)
    if version is None:
        return f"{needed.name} is not installed"
    right = needed.specifier.contains(version, prereleases=True)
    return "" if right else f"{needed.name} {version} is installed, {needed.name}{needed.specifier} is needed"


def _blas(report: Found) -> tuple[Found, list[str]]:
    try:
        for name in ("numpy", "scipy.linalg"):
            importlib.import_module(name)
        pools = importlib.import_module("threadpoolctl").threadpool_info()
    except Exception as error:  # whatever an installation that is broken raises
        return {"blas": []}, [f"NumPy or SciPy cannot be imported: {_said(error)}"]
    keys = ("internal_api", "version", "num_threads", "architecture")
    return {"blas": [{key: pool.get(key) for key in keys} for pool in pools if pool["user_api"] == "blas"]}, []


def _host(report: Found) -> tuple[Found, list[str]]:
    """A limit by NumPy and SciPy, with its certificate."""
    try:
        import hamtheory as ht

        problem, geo = question(), ht.HAM(alpha=ALPHA)
        started = time.monotonic()
        limit = ht.solve_limit(problem, geo, throw=False)
        seconds = time.monotonic() - started
    except Exception as error:
        return {"host": None, "thetas": []}, [f"the host engine cannot be used: {_said(error)}"]
    residual, gap = float(limit.residual), float(limit.stats["relative_gap"])
    wrong = [] if max(residual, abs(gap)) <= _CONVERGED else [f"the host engine: {limit.result.message}"]
    found = {"seconds": seconds, "residual": residual, "relative_gap": gap}
    return {"host": found, "thetas": [limit.theta.tolist()]}, wrong


def _jax(report: Found) -> tuple[Found, list[str]]:
    """What the process of JAX has to say of it, and the same limit by the device engine."""
    print("asking JAX, which takes some seconds to compile ...", file=sys.stderr, flush=True)
    words = [sys.executable, "-m", "hamtheory.cli._doctor_device"]
    paths = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {"jax": None, "device": None}, [f"JAX has not answered within {_PATIENCE:.0f} s"]
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    wrong = [] if done.returncode == 0 else [f"JAX cannot be used: {_last_words(done)}"]
    state, limit, *_ = [*answers, None, None]
    thetas = report["thetas"] + ([limit.pop("theta")] if limit else [])
    return {"jax": state, "device": limit, "thetas": thetas}, wrong


def _difference(report: Found) -> tuple[Found, list[str]]:
    """How far the limits of the engines are apart."""
    if len(report["thetas"]) < 2:
        return {"difference": None}, []
    host, device = report["thetas"]
    difference = max(abs(a - b) for a, b in zip(host, device, strict=True)) / max(map(abs, host))
    wrong = [] if difference <= _AGREE else [f"the engines differ by a relative {difference:.0e}"]
    return {"difference": difference}, wrong


def _lines(found: Found) -> Iterator[tuple[str, str]]:
    """A part of the report for a person."""
    if "hamtheory" in found:
        yield "hamtheory", f"{found['hamtheory']}, {found['folder']}"
        yield "Python", f"{found['python']}, {found['system']}, {found['cores']} cores"
        yield "settings", ", ".join(f"{name}={value}" for name, value in found["settings"].items()) or "none"
    if "versions" in found:
        yield "packages", ", ".join(f"{name} {version or '-'}" for name, version in found["versions"].items())
        yield "extras", ", ".join(name for name, lacking in found["extras"].items() if not lacking) or "none"
        yield from ((f"  {name}", "; ".join(lacking)) for name, lacking in found["extras"].items() if lacking)
    for pool in found.get("blas", []):
        threads = f"{pool['num_threads']} thread" + "s" * (pool["num_threads"] != 1)
        yield "BLAS", f"{pool['internal_api']} {pool['version']}, {pool['architecture']}, {threads}"
    if host := found.get("host"):
        yield "host engine", f"a limit in {host['seconds']:.3f} s, residual {host['residual']:.0e}"
    if jax := found.get("jax"):
        yield "devices", ", ".join(jax["devices"])
        yield "JAX's own arrays", "float64" if jax["float64"] else "float32 (problems of NumPy: float64 all the same)"
        yield "compilation cache", jax["compilation_cache"] or "none"
    if device := found.get("device"):
        yield "device engine", f"the same limit in {device['seconds']:.1f} s, most of it compiling"
    if found.get("difference") is not None:
        yield "they differ by", f"a relative {found['difference']:.0e}"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _last_words(done: subprocess.CompletedProcess) -> str:
    """Why a process has ended."""
    if done.returncode < 0:
        return f"its process was ended by {signal.Signals(-done.returncode).name}"
    return next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"exit code {done.returncode}")


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _short(folder: Path) -> str:
    """A path without the name of the user."""
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
