"""One writer at a time."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ._environment import now


@contextmanager
def locked(file: Path, what: Path) -> Iterator[None]:
    """Hold the lock of a file as long as the process lives: the system releases it, however that ends."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 1000).decode(errors="replace").strip() or "another process"
            raise RuntimeError(f"{what} is being written to by {holder}; a store has one writer at a time") from None
        with suppress(OSError):  # on a full disk: the name is for the message alone
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}, since {now()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
