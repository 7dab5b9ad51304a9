"""What the hyperbolic step costs on top of PyTorch's AdamW: 10⁷ parameters, float32, gradients given.

PyTorch may be installed for an interpreter without JAX, as Debian's is: the steps are timed by that one, interleaved,
on one thread and on all. Each has parameters of its own. HAM has no state: what it keeps is a buffer of a piece.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_SHAPES = {
    "one tensor": [(2500, 4000)],
    "one of 9 x 10^6 and a thousand of 10^3": [(2250, 4000), *[(25, 40)] * 1000],
    "a thousand of 10^4": [(100, 100)] * 1000,
}
_ETA, _ALPHA, _BETA, _ROUNDS = 1e-3, 200.0, 1e-3, 15
_ADAMW, _HAM = "torch.optim.AdamW", "hamtheory.torch.HAM around it"


@functools.cache
def interpreters() -> tuple[str, ...]:
    """The Pythons that have PyTorch: this one, Debian's, and those that TORCH_PYTHON names, colons between them."""
    named = [python for python in os.environ.get("TORCH_PYTHON", "").split(":") if python]
    known = dict.fromkeys([sys.executable, "/usr/bin/python3", *named])
    return tuple(python for python in known if _has_torch(python))


def _has_torch(python: str) -> bool:
    asked = [python, "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"]
    return Path(python).exists() and subprocess.run(asked, capture_output=True).returncode == 0


def missing() -> str | None:
    """Why this cannot be measured here, if it cannot."""
    return None if interpreters() else "no Python here has PyTorch (on Debian: apt install python3-torch)"


def environment(folder: Path) -> dict[str, str]:
    """That in which another interpreter finds this package, and the only one that it imports first, in a folder."""
    import lazy_loader

    link = folder / "lazy_loader"
    if not link.exists():
        link.symlink_to(Path(lazy_loader.__file__).parent)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), str(folder)])}


def run() -> list[dict[str, Any]]:
    """AdamW alone, and with HAM around it."""
    from ._table import rows_of  # with JAX, which an interpreter with PyTorch need not have

    rows = []
    for python in interpreters():
        with tempfile.TemporaryDirectory() as folder:
            words = [python, "-m", "experiments.benchmarks.torch_overhead"]
            done = subprocess.run(
                words, env=environment(Path(folder)), cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True
            )
        for line in done.stdout.splitlines():
            found = json.loads(line)
            rows += rows_of(found["task"], found["seconds"], found["errors"], _ADAMW)
    return rows


def main() -> None:
    """By an interpreter with PyTorch: print the seconds, a line of JSON for each task."""
    import torch  # pyright: ignore[reportMissingImports]

    import hamtheory.torch

    def parameters(shapes):
        generator = torch.Generator().manual_seed(0)
        draw = lambda shape: torch.randn(shape, generator=generator)  # noqa: E731
        thetas = [torch.nn.Parameter(draw(shape)) for shape in shapes]
        for theta in thetas:
            theta.grad = draw(theta.shape)
        return thetas

    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        for name, shapes in _SHAPES.items():
            alone, around = parameters(shapes), parameters(shapes)
            base = torch.optim.AdamW(around, lr=_ETA)
            steps = {
                _ADAMW: torch.optim.AdamW(alone, lr=_ETA).step,
                _HAM: hamtheory.torch.HAM(base, _ALPHA, _BETA).step,
            }
            seconds: dict[str, list[float]] = {solver: [] for solver in steps}
            errors = {solver: _error(alone, around, step, solver == _HAM) for solver, step in steps.items()}
            for _ in range(_ROUNDS):
                for solver, step in steps.items():
                    started = time.perf_counter()
                    step()
                    seconds[solver].append(time.perf_counter() - started)
            task = f"{name}, {threads} thread{'s' * (threads > 1)}, torch {torch.__version__}"
            print(json.dumps({"task": task, "seconds": seconds, "errors": errors}), flush=True)
            ratio = statistics.median(seconds[_HAM]) / statistics.median(seconds[_ADAMW])
            print(f"{task}: {ratio:.2f}", file=sys.stderr, flush=True)


def _error(alone, around, step, hyperbolic: bool) -> float:
    """Of the first step, in float64, relative to the largest entry: of HAM's, from what AdamW alone gives."""
    import torch  # pyright: ignore[reportMissingImports]

    before = [theta.detach().double() for theta in alone]
    step()
    worst = 0.0
    for found, half, theta in zip(around if hyperbolic else alone, alone, before, strict=True):
        expected = half.detach().double()
        gradient = half.grad.double()
        if hyperbolic:
            exponent = -_ETA * (_ALPHA * torch.sign(expected) * gradient + _BETA)
            expected = expected * torch.exp(exponent.clamp(-5, 5))
        else:  # of weight decay, and the first step of Adam
            expected = theta * (1 - _ETA * 1e-2) - _ETA * gradient / (gradient.abs() + 1e-8)
        worst = max(worst, float((found.detach() - expected).abs().max() / expected.abs().max()))
    return worst


if __name__ == "__main__":
    main()
