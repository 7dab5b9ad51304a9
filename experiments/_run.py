"""Running experiments: one after the other, or several at once in processes of their own."""

import concurrent.futures
import importlib
import multiprocessing
import os
import sys
import time

import jax
import tqdm
import tyro

from . import LONG, store


def scale_of(options: list[str]) -> tuple[str, list[str]]:
    """What `--smoke` or `--full` among the options says of the scale, and the other options."""
    flags = {f"--{scale}": scale for scale in store.SCALES if scale != "quick"}
    said = {flags[option] for option in options if option in flags}
    if len(said) > 1:
        sys.exit(f"error: one of {' and '.join(flags)} at most")
    return said.pop() if said else "quick", [option for option in options if option not in flags]


def run(name: str, values: list[str], scale: str, fresh: bool) -> str:
    """Compute an experiment if it has to be, and say what happened."""
    jax.config.update("jax_enable_x64", True)
    # Half of the time is compilation, much of it of the same functions: the experiments share what they compiled.
    jax.config.update("jax_compilation_cache_dir", str(store.ROOT / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    module = importlib.import_module(f".{name}", __package__)
    config = store.config_of(module, scale)
    if values:
        config = tyro.cli(module.Config, args=values, default=config, prog=f"python -m experiments {name}")
    started = time.monotonic()
    if name in LONG:
        target = store.compute_long(module, name, config, scale)
        return f"{time.monotonic() - started:6.1f} s -> {target}"
    target, ran = store.compute(module, name, config, scale, fresh=fresh)
    return f"{time.monotonic() - started:6.1f} s -> {target}" if ran else "up to date"


def run_side_by_side(names: list[str], jobs: int, scale: str, fresh: bool) -> None:
    """Several experiments at once, in `jobs` processes with one thread each; their own progress stays silent."""
    os.environ |= {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    spawn = multiprocessing.get_context("spawn")  # JAX's threads do not survive a fork
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        futures = {pool.submit(run, name, [], scale, fresh): name for name in reversed(names)}  # the long ones first
        bar = tqdm.tqdm(total=len(names), desc="experiments", leave=False, disable=False)
        for future in concurrent.futures.as_completed(futures):
            try:
                line = future.result()
            except Exception:
                pool.shutdown(cancel_futures=True)
                raise
            with bar.external_write_mode():
                print(f"{futures[future]:16s} {line}", flush=True)
            bar.update()
        bar.close()
