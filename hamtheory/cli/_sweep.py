"""`hamtheory sweep run | resume | status | verify | export`. Nothing heavy is imported before there is work to do."""

import abc
import contextlib
import errno
import json
import shlex
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro

if TYPE_CHECKING:
    from ..sweeps import Declaration, Executor

_StorePath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="STORE", help="The folder of the sweep.")]
_WHERE = tyro.conf.create_mutex_group(required=False, title="where to compute")
_Workers = Annotated[int | None, _WHERE, tyro.conf.arg(metavar="N", help_behavior_hint="")]
_Dask = Annotated[str | None, _WHERE, tyro.conf.arg(metavar="ADDRESS", help_behavior_hint="")]


@dataclass(frozen=True)
class SweepCommand(abc.ABC):
    description: ClassVar[str]

    @abc.abstractmethod
    def run(self, words: list[str]) -> int:
        """Do what the command line `words` asks for; the exit code."""


@dataclass(frozen=True)
class Run(SweepCommand):
    description: ClassVar[str] = """Compute a sweep and store it; go on with it, if it was begun before.

SPEC is a TOML file, or one of smoke (seconds), paper and hundred-thousand (half a
minute), and million (10^6 limits). A store holds one sweep: with another spec it
is refused.

examples:
  hamtheory sweep run smoke --store out/smoke
  hamtheory sweep run paper --store out/paper --workers 2
  hamtheory sweep run spec.toml --store out/mine --dask tcp://127.0.0.1:8786

Exit code 0: all of it was computed; what failed is data, with its reason.
Exit code 1: the sweep stopped; the same command goes on. Exit code 2: bad input."""

    spec: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SPEC", help="A .toml file, or a name.")]
    store: Annotated[Path, tyro.conf.arg(metavar="STORE")]
    """The folder of the sweep, made if it is not there."""
    workers: _Workers = None
    """In so many other processes."""
    dask: _Dask = None
    """On a Dask cluster, by the address of its scheduler."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar."""

    def run(self, words: list[str]) -> int:
        from ..sweeps import spec_of

        spec = self.spec if self.spec.endswith(".toml") or "/" not in self.spec else Path(self.spec)
        return _sweep(spec_of(spec), self.store, _executor(self.workers, self.dask), self.quiet)


@dataclass(frozen=True)
class Resume(SweepCommand):
    description: ClassVar[str] = """Go on with a sweep, after whatever happened to it.

Chunks that are done are checked against their sums; damaged and missing ones
are computed. The result is the same, to the bit, as without the interruption.

examples:
  hamtheory sweep resume out/paper
  hamtheory sweep resume out/paper --workers 2"""

    store: _StorePath
    workers: _Workers = None
    """In so many other processes."""
    dask: _Dask = None
    """On a Dask cluster, by the address of its scheduler."""
    quiet: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """No progress bar."""

    def run(self, words: list[str]) -> int:
        from ..sweeps import Store

        return _sweep(Store(self.store).spec(), self.store, _executor(self.workers, self.dask), self.quiet)


@dataclass(frozen=True)
class Status(SweepCommand):
    description: ClassVar[str] = """Say how far a sweep has come, while it runs or afterwards.

examples:
  hamtheory sweep status out/paper
  hamtheory sweep status out/paper --json"""

    store: _StorePath
    json: Annotated[bool, tyro.conf.arg(help_behavior_hint="")] = False
    """Print it as JSON."""

    def run(self, words: list[str]) -> int:
        from ..sweeps import report

        found = report(self.store)
        print(json.dumps(found, indent=2) if self.json else _table(found))
        return 0


@dataclass(frozen=True)
class Verify(SweepCommand):
    description: ClassVar[str] = """Check every byte of a sweep against the checksums it was written with.

examples:
  hamtheory sweep verify out/paper

Exit code 1: something is missing or damaged; `hamtheory sweep resume` repairs it."""

    store: _StorePath

    def run(self, words: list[str]) -> int:
        from ..sweeps import Store

        here = Store(self.store)
        spec, found = here.spec(), here.verify()
        good = spec.chunks - len(found.missing) - len(found.damaged)
        print(f"{good:,} of {spec.chunks:,} chunks are there, as they were written")
        if found.is_complete:
            return 0
        for chunk, file in found.damaged.items():
            print(f"damaged: chunk {chunk}, instances {spec.bounds(chunk)[0]} to {spec.bounds(chunk)[1] - 1} ({file})")
        for file in found.files:
            print(f"damaged: {file}")
        if found.missing:
            print(f"not computed: {len(found.missing):,} chunks")
        print(
            f"error: the sweep is not whole; repair it: hamtheory sweep resume {shlex.quote(str(self.store))}",
            file=sys.stderr,
        )
        return 1


@dataclass(frozen=True)
class Export(SweepCommand):
    description: ClassVar[str] = """Write a sweep as a table, one row an instance.

examples:
  hamtheory sweep export out/paper paper.csv
  hamtheory sweep export out/paper paper.parquet"""

    store: _StorePath
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TABLE", help="A .csv or a .parquet.")]

    def run(self, words: list[str]) -> int:
        from ..sweeps import export

        print(f"{export(self.store, self.out):,} instances -> {self.out}")
        return 0


SWEEP: dict[str, type[SweepCommand]] = {
    "run": Run,
    "resume": Resume,
    "status": Status,
    "verify": Verify,
    "export": Export,
}


def _sweep(spec: "Declaration", store: Path, executor: "Executor", quiet: bool) -> int:
    from ..sweeps import report, sweep

    with _warnings_in_a_line():
        try:
            sweep(spec, store, executor=executor, progress=not quiet).close()
        except KeyboardInterrupt:
            print(f"error: interrupted; go on with: hamtheory sweep resume {shlex.quote(str(store))}", file=sys.stderr)
            return 1
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise RuntimeError(error.strerror) from error
            raise
    print(_table(report(store)))
    return 0


def _executor(workers: int | None, dask: str | None) -> "Executor":
    from ..sweeps import DaskExecutor, SerialExecutor

    cluster = workers if dask is None else dask
    return SerialExecutor() if cluster is None else DaskExecutor(cluster)


def _table(found: dict[str, Any]) -> str:
    sizes = " x ".join(f"{found[axis]:,} {axis}" for axis in found["axes"])
    share = found["done"] / found["instances"]
    chunks = f"{found['chunks_done']:,} of {found['chunks']:,} chunks"
    outcomes = ", ".join(f"{number:,} {name}" for name, number in found["statuses"].items())
    rows = [
        ("store", found["store"]),
        ("sweep", f"{found['quantity']}, {sizes}, {found['dtype']}"),
        ("instances", f"{found['done']:,} of {found['instances']:,} ({share:.1%}), {chunks}"),
        ("outcomes", outcomes or "none yet"),
        (
            "computed",
            f"{found['seconds']:,.1f} s on {', '.join(found['devices'])}" if found["devices"] else "nothing yet",
        ),
        ("writer", _writer(found)),
        *(("warning", warning["text"]) for warning in found["warnings"]),
    ]
    return "\n".join(f"{label:<12}{text}" for label, text in rows)


def _writer(found: dict[str, Any]) -> str:
    beat = found["heartbeat"]
    if beat is None:
        return "none yet"
    text = f"{found['writer']}: process {beat['process']} on {beat['host']}, last heard of {beat['updated']}"
    if found["rate"]:
        text += f"; {found['rate']:,.0f} instances/s, {_duration(found['seconds_left'])} left"
    return text


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        warnings.simplefilter("always", UserWarning)
        yield
