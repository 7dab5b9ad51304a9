"""Ten kills of a sweep of 10⁴ limits, at random moments, and what is left of it.

    python -m experiments.stress_sweep --kills 10 --seed 0

The sweep runs in a process of its own, is killed (SIGKILL), begun again, and at the end compared, byte for byte, with
one that nobody touched. Takes minutes; too long for a test, which has the same with fewer and cheaper instances.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tyro

import hamtheory as ht

TABLE = {
    "problems": {"kind": "sparse", "n": 40, "d": 100, "k": 5, "seeds": {"start": 0, "count": 10}},
    "geometries": {"family": "ham", "alpha": {"start": 1e-2, "stop": 1e4, "count": 1000, "scale": "log"}},
    "chunk": 100,
    "keep_theta": True,
}


def main(kills: int = 10, seed: int = 0) -> int:
    """Kill a sweep again and again, and compare what is left with one that ran through."""
    with tempfile.TemporaryDirectory() as folder:
        here, rng = Path(folder), np.random.default_rng(seed)
        spec = ht.SweepSpec.from_table(TABLE)
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(here / "compiled")}
        started = time.monotonic()
        assert _begin(here / "whole", environment).wait() == 0
        print(
            f"{spec.instances} limits in {spec.chunks} chunks, undisturbed: {time.monotonic() - started:.1f} s",
            flush=True,
        )

        moments = np.sort(rng.uniform(0, spec.chunks - 2, kills))
        for number, moment in enumerate(moments, start=1):
            process = _begin(here / "killed", environment)
            started, before = time.monotonic(), _done(here / "killed")
            while process.poll() is None and _done(here / "killed") < max(moment, before):
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.2))  # anywhere in a chunk, or between two
            process.kill()
            code = process.wait()
            drafts = len(list((here / "killed").rglob("*.partial")))
            after = _done(here / "killed")
            print(
                f"kill {number:2d}: {time.monotonic() - started:4.1f} s after its start (exit code {code}), chunks "
                f"{before} -> {after} of {spec.chunks}, unfinished files left: {drafts}",
                flush=True,
            )
        assert _begin(here / "killed", environment).wait() == 0

        whole, killed = _digests(here / "whole"), _digests(here / "killed")
        records = dict(ht.sweeps.Store(here / "killed").records(spec))
        cases = sorted(case for chunk in records for case in range(*spec.bounds(chunk)))
        with ht.sweeps.open_store(here / "killed") as dataset:
            statuses = np.unique(dataset.status.to_numpy(), return_counts=True)
            pairs = np.unique(np.stack([dataset.problem.to_numpy(), dataset.geometry.to_numpy()]), axis=1)
        checks = {
            "the same files": sorted(whole) == sorted(killed),
            "the same bytes": whole == killed,
            "no case lost or twice": cases == list(range(spec.instances)) and pairs.shape == (2, spec.instances),
            "verify finds nothing": ht.sweeps.Store(here / "killed").verify().is_complete,
        }
        print(f"{len(killed)} files; cases by status: {dict(zip(*(part.tolist() for part in statuses), strict=True))}")
        for name, holds in checks.items():
            print(f"{name}: {'yes' if holds else 'NO'}")
        return 0 if all(checks.values()) else 1


def _begin(store: Path, environment: dict[str, str]) -> subprocess.Popen:
    imports = "import sys, hamtheory as ht; from experiments.stress_sweep import TABLE"
    code = f"{imports}; ht.sweep(TABLE, sys.argv[1], progress=False)"
    return subprocess.Popen([sys.executable, "-c", code, str(store)], env=environment)


def _done(store: Path) -> int:
    return len(list((store / "chunks").glob("*.json")))


def _digests(store: Path) -> dict[str, str]:
    data = store / "data.zarr"
    files = [path for path in data.rglob("*") if path.is_file()]
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
