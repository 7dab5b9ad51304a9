"""A progress bar for a flow: how many decades of its violation, or how many of the times asked for, are behind it."""

import functools
import math
import sys
import time

import numpy as np
import tqdm

from .._validate import is_traced

_PATIENCE = 2.0  # seconds before the bar shows
_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n:.DIGITSf} of {total:.DIGITSf} {unit} [{elapsed}<{remaining}{postfix}]"


class ProgressBar:
    """Counts decades from the first violation seen down to `tol`, or the `times` reached; silent for two seconds."""

    def __init__(self, tol: float):
        self.tol = tol
        self.reset(None)

    def reset(self, times: np.ndarray | None):
        self.times, self.started, self.t, self.first, self.bar = times, time.monotonic(), 0.0, None, None

    def __call__(self, t, violation):
        t, violation = float(t), max(float(violation), self.tol)
        if not math.isfinite(violation) or t < self.t:  # callbacks may come out of order
            return
        self.t, self.first = t, self.first or violation
        if self.bar is None and time.monotonic() - self.started > _PATIENCE:
            self.bar = self._shown()
        if self.bar is not None:
            self.bar.set_postfix_str(f"t={t:.3g}, violation={violation:.1e}", refresh=False)
            self.bar.update(max(0.0, self._done(t, violation) - self.bar.n))

    def _done(self, t: float, violation: float) -> float:
        if self.times is None:
            return math.log10((self.first or violation) / violation)
        return float(np.searchsorted(self.times, t, side="right"))

    def _shown(self) -> tqdm.tqdm:
        if self.times is None:
            total, unit, digits = max(self._done(0.0, self.tol), 1e-9), "decades", "1"
        else:
            total, unit, digits = float(self.times.size), "times", "0"
        bar = tqdm.tqdm(
            total=total,
            desc="flow",
            unit=unit,
            bar_format=_FORMAT.replace("DIGITS", digits),
            mininterval=0.25 if sys.stderr.isatty() else 10.0,  # a log keeps every line
            miniters=0,  # or it would wait for steps as large as the largest so far
            smoothing=0,
            dynamic_ncols=True,
        )
        bar.start_t -= time.monotonic() - self.started
        return bar

    def close(self):
        """Leave the last state on its line, however the flow ended."""
        if self.bar is not None:
            if jax := sys.modules.get("jax"):
                jax.effects_barrier()  # callbacks may be on their way
            self.bar.refresh()
            self.bar.close()
            self.bar = None


@functools.lru_cache(maxsize=16)
def _bar(tol: float) -> ProgressBar:
    return ProgressBar(tol)


def progress_report(tol: float, times=None) -> ProgressBar:
    """The callback that draws the bar, until converged or through `times`; one object a tolerance and kind, so that
    asking for it compiles once."""
    bar = _bar(tol)
    bar.reset(None if times is None or is_traced(times) else np.asarray(times))
    return bar
