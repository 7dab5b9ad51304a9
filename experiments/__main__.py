"""Compute experiments and store their data in experiments/out/.

    python -m experiments all [--smoke] [--fresh]           every experiment; --smoke: a small version, in seconds
    python -m experiments NAME [NAME ...]                   some of them
    python -m experiments interpolation --instances 60      one of them, with another configuration
    python -m experiments interpolation --help              what can be configured

What is already there, made by the same code with the same configuration, is not computed again unless --fresh is given.
"""

import importlib
import sys
import time

import jax
import tyro

from . import NAMES, store


def main(words: list[str]) -> None:
    count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    names, options = words[:count], words[count:]
    smoke, fresh = "--smoke" in options, "--fresh" in options
    values = [word for word in options if word not in ("--smoke", "--fresh")]
    unknown = [name for name in names if name not in ("all", *NAMES)]
    if unknown:
        sys.exit(f"error: unknown experiment {unknown[0]!r}; there are: all, {', '.join(NAMES)}")
    if not names or (values and (len(names) > 1 or names == ["all"])):
        sys.exit(f"{__doc__}\nexperiments: {', '.join(NAMES)}")

    jax.config.update("jax_enable_x64", True)
    for name in NAMES if "all" in names else names:
        module = importlib.import_module(f".{name}", __package__)
        config = module.Config.smoke() if smoke else module.Config()
        if values:
            config = tyro.cli(module.Config, args=values, default=config, prog=f"python -m experiments {name}")
        started = time.monotonic()
        print(f"{name:16s}", end=" ", flush=True)
        target, ran = store.compute(module, name, config, smoke=smoke, fresh=fresh)
        print(f"{time.monotonic() - started:6.1f} s -> {target}" if ran else "up to date", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
