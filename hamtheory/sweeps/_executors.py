"""Who computes the chunks: this process, or the workers of a Dask cluster, here or elsewhere."""

import abc
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np

from .._validate import count
from ._chunk import ChunkResult, compute_chunk
from ._declaration import Declaration

_XLA = "--xla_cpu_multi_thread_eigen=false"


class Executor(abc.ABC):
    """Computes chunks, in any order. It returns their arrays; what is stored is the business of the one writer."""

    @abc.abstractmethod
    def run(self, spec: Declaration, columns: int | None, chunks: Iterable[int]) -> Iterator[ChunkResult]:
        """The results as they come in, with no more than a few chunks at work or waiting to be fetched.

        When the iterator is closed, what is still at work is stopped.

        Args:
            spec: What is computed.
            columns: The length of `column`, as `Declaration.prepare` returns it.
            chunks: Their numbers.

        Returns:
            An iterator over results.

        Raises:
            RuntimeError: Where a chunk is given up.
            ImportError: Where Dask is asked for and missing.
        """


class SerialExecutor(Executor):
    """In this process, one chunk after the other."""

    def run(self, spec: Declaration, columns: int | None, chunks: Iterable[int]) -> Iterator[ChunkResult]:
        for chunk in chunks:
            yield compute_chunk(spec, chunk, columns)


class DaskExecutor(Executor):
    """On the workers of a Dask cluster; needs the extra `cluster`.

    Processes of its own are started afresh (spawned), so a script that asks for them needs the guard
    `if __name__ == "__main__":`; they end when this process does. For one GPU take `SerialExecutor`. Workers elsewhere
    need the same versions of hamtheory and JAX, and the files that the spec names, at the same paths. On GPUs, start
    one worker for each, with one thread: `CUDA_VISIBLE_DEVICES=0 dask worker ADDRESS --nthreads 1`.
    On CPUs, start several, with one thread each:
    `XLA_FLAGS=--xla_cpu_multi_thread_eigen=false OMP_NUM_THREADS=1 dask worker ADDRESS --nworkers 8 --nthreads 1`.

    Args:
        cluster: The number of processes of a cluster of its own on this machine's CPU, with one thread each; the
            address of a scheduler, "tcp://host:8786"; or a `distributed.Client`.
        retries: How often a chunk is tried again after an exception; a chunk whose worker dies goes to another one, as
            the cluster is set up to (`distributed.scheduler.allowed-failures`, three times).

    Raises:
        TypeError: If `retries` or the number is no integer.
        ValueError: If it is negative, or no process.
    """

    def __init__(self, cluster: Any, *, retries: int = 2):
        is_number = isinstance(cluster, (int, float, np.integer))
        if not (is_number or hasattr(cluster, "submit") or (isinstance(cluster, str) and "://" in cluster)):
            raise TypeError(
                f"cluster must be a number of processes, an address or a distributed.Client; got {cluster!r}"
            )
        self.cluster = count(cluster, "workers") if is_number else cluster
        self.retries = count(retries, "retries", least=0)

    def run(self, spec: Declaration, columns: int | None, chunks: Iterable[int]) -> Iterator[ChunkResult]:
        try:
            from distributed import CancelledError, KilledWorker, as_completed
        except ImportError as error:
            raise ImportError('Dask is missing; pip install "hamtheory[cluster]"') from error
        rest = list(chunks)
        if not rest:
            return
        rest = iter(rest)
        with ExitStack() as stack:
            client = self._client(stack)
            results = as_completed(loop=client.loop)
            stack.callback(lambda: client.cancel(list(results.futures)))

            def submit() -> None:
                for chunk in rest:
                    how = {"pure": False, "retries": self.retries}
                    results.add(client.submit(compute_chunk, spec, chunk, columns, **how))
                    return

            for _ in range(2 * max(1, sum(client.nthreads().values()))):
                submit()
            for future in results:
                try:
                    result = future.result()
                except (KilledWorker, CancelledError) as error:
                    raise RuntimeError(
                        f"a chunk was given up by the cluster: {error}. If its workers died of it, a likely cause is "
                        "too little memory: take a smaller chunk, or fewer workers"
                    ) from error
                future.release()
                yield result
                submit()

    def _client(self, stack: ExitStack) -> Any:
        """The client, and what has to be closed after it."""
        from dask import config  # type: ignore[attr-defined]
        from distributed import Client, LocalCluster

        if not isinstance(self.cluster, (int, str)):
            return self.cluster
        address: Any = self.cluster
        if isinstance(address, int):
            flags = f"{os.environ.get('XLA_FLAGS', '')} {_XLA}".strip()
            alone = {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}  # one thread of BLAS is Dask's own default
            # A chunk takes what it takes: no worker is paused or ended for its share of the memory.
            stack.enter_context(patch.dict(os.environ))  # Dask leaves in it what its workers start in
            stack.enter_context(config.set({"distributed.logging.distributed": "error"}))
            how = {"threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": 0, "silence_logs": 40}
            address = stack.enter_context(LocalCluster(n_workers=address, env=alone, **how))
        return stack.enter_context(Client(address, set_as_default=False))


def executor_of(value: Executor | None) -> Executor:
    """The given executor, or the default."""
    if value is None:
        return SerialExecutor()
    if not isinstance(value, Executor):
        raise TypeError(f"executor must be an hamtheory.sweeps.Executor or None; got {value!r}")
    return value
