"""Computing the gallery: what is stored is taken up, what fails is said, and the rest goes on."""

import dataclasses
import hashlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tqdm

from ._drawing import save
from ._gallery import chosen_ones
from ._pages import write_pages
from ._reproduction import SCALES, Reproduction, Verdict

PACKAGE = Path(__file__).parents[1]
APART = ("cli", "train", "theorem")  # rooms on which no reproduction depends


@dataclass(frozen=True)
class Reproduced:
    """What came of a reproduction.

    Attributes:
        reproduction: Which.
        config: The configuration that was computed.
        verdict: What its numbers come to; None if it could not be computed.
        failure: Why not; empty if it could.
        seconds: What the computation took when it was made.
        is_stored: Whether it was there already.
        picture: The figure.
    """

    reproduction: Reproduction
    config: Any
    verdict: Verdict | None
    failure: str
    seconds: float
    is_stored: bool
    picture: Path

    @property
    def outcome(self) -> str:
        """The outcome of the verdict, or "failed"."""
        return self.verdict.outcome if self.verdict else "failed"


def reproduce(
    names: Sequence[str] = (),
    *,
    out: str | Path = "reproduced",
    scale: str = "default",
    progress: bool = True,
    report: Callable[[Reproduced], None] | None = None,
) -> list[Reproduced]:
    """Compute reproductions, draw them, and write `index.html` and `index.md` beside them.

    What is in `out` already, of the same configuration and the same code of the library, is not computed again.

    Args:
        names: Of reproductions, or sources by their keys; all of them if there is none.
        out: The folder; it is made.
        scale: "default"; "full", with all instances; or "smoke", of seconds.
        progress: Show a bar on the standard error.
        report: Called with each one as it is ready.

    Returns:
        What came of each, in the order of the gallery. One that fails is among them, with the reason.

    Raises:
        ValueError: For unknown names and scales.
        ImportError: Without matplotlib, the extra `figures`.
        OSError: If `out` cannot be written.

    References:
        The sources of the reproductions.

    ```python
    >>> import tempfile
    >>> import hamtheory as ht
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [one] = ht.reproduce.reproduce(["ham-crossing"], out=folder, scale="smoke", progress=False)
    >>> one.outcome
    'reproduced'

    ```
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    wanted, folder, made = chosen_ones(tuple(names)), Path(out), []
    if find_spec("matplotlib") is None:
        raise ImportError("reproduce needs matplotlib to draw: pip install 'hamtheory[figures]'")
    folder.mkdir(parents=True, exist_ok=True)
    with tqdm.tqdm(wanted, desc="reproduce", disable=None if progress else True, file=sys.stderr) as bar:
        for one in bar:
            bar.set_postfix_str(one.name)
            made.append(_reproduced(one, one.at(scale), folder))
            if report:
                report(made[-1])
    write_pages(made, folder, scale)
    return made


def _reproduced(one: Reproduction, config: Any, folder: Path) -> Reproduced:
    """From what is stored, or computed."""
    told, kept, picture = (folder / f"{one.name}{suffix}" for suffix in (".json", ".npz", ".png"))
    mark = fingerprint(one, config)
    is_stored = _mark_of(told) == mark and kept.exists() and picture.exists()
    started = time.monotonic()
    try:
        numbers = _load(kept) if is_stored else {key: np.asarray(value) for key, value in one.compute(config).items()}
        verdict = one.verdict(config, numbers)
        if not is_stored:
            told.unlink(missing_ok=True)  # written last: what is interrupted here does not count
            _replace(kept, lambda path: np.savez_compressed(path, allow_pickle=False, **numbers))
            _replace(picture, lambda path: save(one, config, numbers, path))
            seconds = round(time.monotonic() - started, 2)
            text = {"fingerprint": mark, "seconds": seconds, "config": dataclasses.asdict(config)}
            _replace(told, lambda path: path.write_text(json.dumps(text, indent=1), encoding="utf-8"))
    except Exception as error:
        seconds = round(time.monotonic() - started, 2)
        return Reproduced(one, config, None, f"{type(error).__name__}: {error}", seconds, False, picture)
    seconds = json.loads(told.read_text(encoding="utf-8"))["seconds"]
    return Reproduced(one, config, verdict, "", seconds, is_stored, picture)


def fingerprint(one: Reproduction, config: Any) -> str:
    """That of a configuration and of the code that it is computed by: the reproduction's, and the library's."""
    papers = Path(__file__).parent / "papers"
    files = [Path(inspect.getfile(inspect.unwrap(one.compute))), *papers.glob("_*.py")]
    files += [
        file
        for file in sorted(PACKAGE.rglob("*.py"))
        if file.parent != papers and file.relative_to(PACKAGE).parts[0] not in APART
    ]
    hashed = hashlib.sha256(repr(config).encode())
    for file in files:
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


def _mark_of(told: Path) -> str | None:
    """The fingerprint in a file; None if it has none, or is not there."""
    try:
        return json.loads(told.read_text(encoding="utf-8"))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _load(kept: Path) -> dict[str, np.ndarray]:
    with np.load(kept) as stored:
        return dict(stored)


def _replace(target: Path, write: Callable[[Path], Any]) -> None:
    """Write a file as a whole, or not at all."""
    new = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        write(new)
        os.replace(new, target)
    finally:
        new.unlink(missing_ok=True)
