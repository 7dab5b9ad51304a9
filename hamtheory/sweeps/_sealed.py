"""Small files that are there whole or not at all, and know when they have been damaged."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

_SEAL = "sha256_of_the_rest"
SUFFIX = ".partial"  # of what a killed process leaves behind; Zarr's are called the same


class Damaged(Exception):
    """A file that does not hold what was written to it."""


def write(path: Path, content: dict[str, Any], *, durable: bool = True) -> None:
    """Replace a file by this content in one step; `durable`: only return when the disk has it."""
    text = json.dumps(content | {_SEAL: _seal(content)}, indent=1)
    draft = path.with_name(f"{path.name}.{os.getpid()}{SUFFIX}")
    try:
        with open(draft, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def read(path: Path) -> dict[str, Any]:
    """The content of a file that `write` wrote; `Damaged` if it is another, `FileNotFoundError` if there is none."""
    try:
        content = json.loads(path.read_bytes())
        seal = content.pop(_SEAL)
        intact = seal == _seal(content)
    except (ValueError, KeyError, AttributeError, TypeError):
        intact = False
    if not intact:
        raise Damaged(f"{path} is damaged")
    return content


def sync(path: Path) -> None:
    """Wait until the disk has the content of a file."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_folder(path: Path) -> None:
    """Wait until the disk has the entries of a folder."""
    sync(path)


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
