"""Measure the solvers against their peers, and print one table.

python -m experiments.benchmarks [NAME ...]        all of them, or some; needs the extra `bench`
python -m experiments.benchmarks --save            also write the results to experiments/benchmarks/results/
python -m experiments.benchmarks --smoke           small versions of those that have one, to try them
"""

import importlib
import sys

import jax

from .. import store
from . import DATASETS, NAMES
from ._table import machine, markdown, write


def main(words: list[str]) -> None:
    save, smoke = "--save" in words, "--smoke" in words
    known = DATASETS if smoke else (*NAMES, *DATASETS)
    names = [word for word in words if not word.startswith("--")] or list(known)
    unknown = [name for name in names if name not in known]
    if unknown or (save and smoke):
        reason = (
            f"unknown benchmark {unknown[0]!r}; there are: {', '.join(known)}" if unknown else "--smoke is not saved"
        )
        sys.exit(f"error: {reason}")
    jax.config.update("jax_enable_x64", True)
    print(machine())
    for name in names:
        module = importlib.import_module(f".{name}", __package__)
        if name in DATASETS:
            dataset = store.measure(module, name, module.Config.smoke() if smoke else module.Config())
            print(f"\n{name}, {dataset.attrs['seconds']:g} s\n\n{dataset.to_dataframe().to_string()}", flush=True)
            if save:
                print(f"\nwritten to {store.keep(dataset)}", flush=True)
            continue
        if reason := getattr(module, "missing", lambda: None)():
            print(f"\n{name}: not measured, {reason}", flush=True)
            continue
        rows = module.run()
        print(f"\n{name}\n\n{markdown(rows)}", flush=True)
        if save:
            print(f"\nwritten to {write(store.MEASURED / f'{name}.csv', rows)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
