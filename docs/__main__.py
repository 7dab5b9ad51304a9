"""Build the documentation site in docs/out/: everything that is worth a warning is an error.

python -m docs [--no-run] [--out FOLDER]       --no-run: neither execute the code blocks nor derive the proofs
"""

import argparse
import sys
import time
from pathlib import Path

from .site import OUT, build


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m docs", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--no-run", action="store_true", help="neither execute the code blocks nor derive the proofs")
    parser.add_argument("--out", type=Path, default=OUT, help="where the pages are written")
    options = parser.parse_args(words)
    started = time.monotonic()
    complaints = build(options.out, run=not options.no_run, note=lambda text: print(text, flush=True))
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    if complaints:
        return 1
    shown = options.out.relative_to(Path.cwd()) if options.out.is_relative_to(Path.cwd()) else options.out
    print(f"The site is in {shown}/index.html ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
