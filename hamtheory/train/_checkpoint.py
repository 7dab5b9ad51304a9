"""The whole state of a training run in one file, written beside the last one and put in its place."""

import json
import os
from pathlib import Path
from typing import Any

import equinox as eqx

_FILE = "train.eqx"


def save(folder: Path, settings: dict[str, Any], state: Any) -> None:
    """The file is either the old one or the new one, whenever this is interrupted."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{_FILE}.{os.getpid()}.tmp"
    with beside.open("wb") as file:
        file.write(json.dumps(settings, sort_keys=True).encode() + b"\n")
        eqx.tree_serialise_leaves(file, state)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / _FILE)


def load(folder: Path, settings: dict[str, Any], like: Any) -> Any:
    """The state, or None if there is none; `ValueError` if it belongs to another training run."""
    path = folder / _FILE
    if not path.exists():
        return None
    with path.open("rb") as file:
        theirs, ours = json.loads(file.readline()), json.loads(json.dumps(settings))
        for name, value in ours.items():
            if theirs.get(name) != value:
                raise ValueError(
                    f"checkpoint {path} belongs to another run: its {name} is {theirs.get(name)}; got {value}. "
                    "Give another folder, or delete this one"
                )
        return eqx.tree_deserialise_leaves(file, like)
