"""Measure the solvers against their peers, and print one table.

python -m experiments.benchmarks [NAME ...]        all of them, or some; needs the extra `bench`
python -m experiments.benchmarks --save            also write the tables to experiments/benchmarks/results/
"""

import importlib
import sys
from pathlib import Path

import jax

from . import NAMES
from ._table import machine, markdown, write

RESULTS = Path(__file__).parent / "results"


def main(words: list[str]) -> None:
    save = "--save" in words
    names = [word for word in words if word != "--save"] or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"error: unknown benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}")
    jax.config.update("jax_enable_x64", True)
    print(machine())
    for name in names:
        rows = importlib.import_module(f".{name}", __package__).run()
        print(f"\n{name}\n\n{markdown(rows)}")
        if save:
            print(f"\nwritten to {write(RESULTS / f'{name}.csv', rows)}")


if __name__ == "__main__":
    main(sys.argv[1:])
