"""A progress bar for a flow: how many decades of its violation are behind it."""

import functools
import math
import time

import tqdm

_PATIENCE = 2.0  # seconds before the bar shows


class _Bar:
    """Counts decades from the first violation seen down to `tol`; silent in the first two seconds."""

    def __init__(self, tol: float):
        self.tol = tol
        self.reset()

    def reset(self):
        self.started, self.first, self.bar = time.monotonic(), None, None

    def __call__(self, t, violation):
        violation = max(float(violation), self.tol)
        if not math.isfinite(violation):
            return
        self.first = self.first or violation
        if self.bar is None and time.monotonic() - self.started > _PATIENCE:
            decades = max(math.log10(self.first / self.tol), 1e-9)
            self.bar = tqdm.tqdm(total=round(decades, 2), desc="flow", unit="decade")
        if self.bar is not None:
            self.bar.set_postfix_str(f"t={float(t):.3g}, violation={violation:.1e}", refresh=False)
            self.bar.update(max(0.0, math.log10(self.first / violation) - self.bar.n))
        if violation <= self.tol and self.bar is not None:
            self.bar.close()


@functools.lru_cache(maxsize=16)
def _bar(tol: float) -> _Bar:
    return _Bar(tol)


def progress_report(tol: float) -> _Bar:
    """The callback that draws the bar; one object a tolerance, so that asking for it compiles once."""
    bar = _bar(tol)
    bar.reset()
    return bar
