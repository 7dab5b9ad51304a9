"""Small files that are there whole or not at all, and know when they have been damaged."""

import json
import os
import zlib
from pathlib import Path
from typing import Any

_SEAL = "crc32_of_the_rest"
SUFFIX = ".partial"  # of what a killed process leaves behind; Zarr's are called the same


class Damaged(Exception):
    """A file that does not hold what was written to it."""


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file by this content in one step."""
    put(path, json.dumps(content | {_SEAL: _seal(content)}, indent=1).encode())


def put(path: Path, data: bytes) -> None:
    """Replace a file by these bytes in one step: they are written beside it, and renamed."""
    draft = path.with_name(f"{path.name}.{os.getpid()}{SUFFIX}")
    try:
        draft.write_bytes(data)
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read(path: Path) -> dict[str, Any]:
    """The content of a file that `write` wrote; `Damaged` if it is another, `FileNotFoundError` if there is none."""
    try:
        content = json.loads(path.read_bytes())
        intact = content.pop(_SEAL) == _seal(content)
    except (ValueError, KeyError, AttributeError, TypeError):
        intact = False
    if not intact:
        raise Damaged(f"{path} is damaged")
    return content


def _seal(content: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())
