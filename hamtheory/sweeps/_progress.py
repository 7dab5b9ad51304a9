"""How far a sweep has come: for the terminal, and for other processes."""

import os
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import tqdm

from . import _sealed
from ._environment import now

_EVERY = 1.0  # seconds between heartbeats
_FINE = ("converged", "reached_end")


class Meter:
    """Counts lanes, draws the bar and writes the heartbeat."""

    def __init__(self, file: Path, lanes: int, before: Counter, show: bool):
        self.file, self.lanes, self.statuses = file, lanes, Counter(before)
        self.already = sum(before.values())
        self.started, self.begun, self.beaten = time.monotonic(), now(), -_EVERY
        silent: dict[str, Any] = {} if show else {"disable": True}  # else it is up to TQDM_DISABLE
        self.bar = tqdm.tqdm(
            total=lanes, initial=self.already, unit="lane", unit_scale=True, desc="sweep", leave=True, **silent
        )
        self._describe()
        self.beat()

    def add(self, statuses: dict[str, int]) -> None:
        """Count the lanes of a finished chunk."""
        self.statuses.update(statuses)
        self.bar.update(sum(statuses.values()))
        self._describe()
        if time.monotonic() - self.beaten >= _EVERY:
            self.beat()

    def beat(self, state: str = "running") -> None:
        """Write the heartbeat. A disk that is full is no reason to stop: the chunks will say so."""
        self.beaten = time.monotonic()
        done, seconds = sum(self.statuses.values()), self.beaten - self.started
        rate = (done - self.already) / seconds if seconds > 0 else 0.0
        content = {
            "state": state,
            "process": os.getpid(),
            "host": socket.gethostname(),
            "started": self.begun,
            "updated": now(),
            "lanes": self.lanes,
            "done": done,
            "statuses": dict(self.statuses),
            "lanes_per_second": rate,
            "seconds_left": (self.lanes - done) / rate if rate > 0 else None,
        }
        try:
            _sealed.write(self.file, content, durable=False)
        except OSError:
            return

    def close(self, state: str) -> None:
        """The last heartbeat."""
        self.bar.close()
        self.beat(state)

    def _describe(self) -> None:
        failed = failures(self.statuses)
        self.bar.set_postfix_str(failed and f"failures: {failed}", refresh=False)


def failures(statuses: dict[str, int]) -> str:
    """What did not converge, by reason: `3 infeasible, 1 max_steps`."""
    return ", ".join(f"{number} {name}" for name, number in statuses.items() if name not in _FINE)


def heartbeat(file: Path) -> dict[str, Any] | None:
    """The last heartbeat, if there is one to be read."""
    try:
        return _sealed.read(file)
    except (_sealed.Damaged, FileNotFoundError):
        return None
