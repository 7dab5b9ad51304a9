"""Compute experiments and store their data in experiments/out/.

    python -m experiments all [--fresh]                     every experiment, as `make figures` does
    python -m experiments all --full                        with all instances and seeds; --smoke: in seconds, to try it
    python -m experiments all --jobs=2                      two at a time
    python -m experiments NAME [NAME ...]                   some of them
    python -m experiments interpolation --instances 60      one of them, with another configuration
    python -m experiments interpolation --help              what can be configured
    python -m experiments sparse_training                   one that takes hours, and is not among "all"

What is already there, made by the same code with the same configuration, is not computed again unless --fresh is given.
"""

import sys
from pathlib import Path

from . import LONG, NAMES
from ._run import run, run_side_by_side, scale_of


def main(words: list[str]) -> None:
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    names, options = words[:count], words[count:]
    (scale, options), fresh = scale_of(options), "--fresh" in options
    jobs = next((word.removeprefix("--jobs=") for word in options if word.startswith("--jobs=")), "1")
    values = [word for word in options if word != "--fresh" and not word.startswith("--jobs=")]
    unknown = [name for name in names if name not in ("all", *NAMES, *LONG)]
    if unknown:
        new = (Path(__file__).parent / f"{unknown[0]}.py").is_file()
        hint = "; add it to NAMES in experiments/__init__.py" if new else ""
        sys.exit(f"error: unknown experiment {unknown[0]!r}{hint}; there are: all, {', '.join((*NAMES, *LONG))}")
    if not names or (values and (len(names) > 1 or names == ["all"])):
        sys.exit(f"{__doc__}\nexperiments: {', '.join((*NAMES, *LONG))}")
    if not jobs.isdigit() or int(jobs) < 1:
        sys.exit(f"error: --jobs must be a positive number; got {jobs!r}")

    chosen: list[str] = list(NAMES) if "all" in names else names
    if int(jobs) > 1 and len(chosen) > 1:
        run_side_by_side(chosen, int(jobs), scale, fresh)
        return
    for name in chosen:
        print(f"{name:16s}", end=" ", flush=True)
        print(run(name, values, scale, fresh), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
