"""Who computes the chunks: this process, others on this machine, or a cluster."""

import abc
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from .._validate import count
from ._chunk import ChunkResult, compute_chunk
from ._declaration import Declaration

ATTEMPTS = 3  # at a chunk whose process died
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"}
_XLA = "--xla_cpu_multi_thread_eigen=false"


class Executor(abc.ABC):
    """Computes chunks, in any order. It returns their arrays; what is stored is the business of the one writer.

    Source: own.
    """

    @abc.abstractmethod
    def run(self, spec: Declaration, columns: int | None, chunks: Iterable[int]) -> Iterator[ChunkResult]:
        """The results as they come in, with no more than a few chunks at work or waiting to be fetched.

        When the iterator is closed, what is still at work is stopped.

        Errors: `RuntimeError` where a chunk is given up; `ImportError` where Dask is asked for and missing.
        """


class SerialExecutor(Executor):
    """In this process, one chunk after the other.

    Source: own.
    """

    def run(self, spec: Declaration, columns: int | None, chunks: Iterable[int]) -> Iterator[ChunkResult]:
        for chunk in chunks:
            yield compute_chunk(spec, chunk, columns)


class ProcessExecutor(Executor):
    """In `workers` other processes on this machine's CPU, with one thread each.

    They are started afresh (spawned), so a script that uses this needs the guard `if __name__ == "__main__":`. If one
    dies, the chunks at work are tried again, three times in all. They end when this process does.
    For GPUs, take `SerialExecutor` for one and `DaskExecutor` for more.
    Errors: `TypeError` if `workers` is no integer, `ValueError` if it is below 1.
    Source: own.
    """

    def __init__(self, workers: int):
        self.workers = count(workers, "workers")

    def run(self, spec: Declaration, columns: int | None, chunks: Iterable[int]) -> Iterator[ChunkResult]:
        waiting, attempts = deque[int](), Counter[int]()
        rest = iter(chunks)
        while True:
            working: dict[Future, int] = {}
            pool = _pool(self.workers)
            try:
                while True:
                    while len(working) < self.workers + 1:
                        chunk = waiting.popleft() if waiting else next(rest, None)
                        if chunk is None:
                            break
                        waiting.appendleft(chunk)  # until it is handed over
                        with _environment():
                            future = pool.submit(compute_chunk, spec, chunk, columns)
                        working[future] = waiting.popleft()
                    if not working:
                        return
                    done, _ = wait(working, return_when=FIRST_COMPLETED)
                    for future in done:
                        result = future.result()
                        del working[future]
                        yield result
            except BrokenProcessPool:
                lost = sorted(set(working.values()))
                attempts.update(lost)
                waiting.extendleft(chunk for chunk in reversed(lost) if chunk not in waiting)
                if not lost or max(attempts.values()) >= ATTEMPTS:
                    raise RuntimeError(
                        f"a worker process died {ATTEMPTS} times with the chunks {lost} at work. Likely causes: (a) "
                        "too little memory: take a smaller chunk or fewer workers, (b) a script without the guard "
                        "`if __name__ == '__main__':` around the sweep"
                    ) from None
            finally:
                _stop(pool)


class DaskExecutor(Executor):
    """On the workers of a Dask cluster; needs the extra `cluster`.

    Arguments: `cluster`, the address of a scheduler, "tcp://host:8786", or a `distributed.Client`. `retries`: how often
      a chunk is tried again after an exception; a chunk whose worker dies goes to another one, as the cluster is set up
      to (`distributed.scheduler.allowed-failures`).

    Workers need the same versions of hamtheory and JAX, and the files that the spec names, at the same paths. On GPUs,
    start one worker for each, with one thread: `CUDA_VISIBLE_DEVICES=0 dask worker ADDRESS --nthreads 1`. On CPUs,
    several with one thread each:
    `XLA_FLAGS=--xla_cpu_multi_thread_eigen=false OMP_NUM_THREADS=1 dask worker ADDRESS --nworkers 8 --nthreads 1`.

    Errors: `TypeError` if `retries` is no integer, `ValueError` if it is negative.
    Source: own, on Dask.
    """

    def __init__(self, cluster: Any, *, retries: int = 2):
        self.cluster, self.retries = cluster, count(retries, "retries", least=0)

    def run(self, spec: Declaration, columns: int | None, chunks: Iterable[int]) -> Iterator[ChunkResult]:
        try:
            from distributed import Client, as_completed
        except ImportError as error:
            raise ImportError('Dask is missing; pip install "hamtheory[cluster]"') from error
        own = isinstance(self.cluster, str)
        client: Any = Client(self.cluster, set_as_default=False) if own else self.cluster
        rest, results = iter(chunks), as_completed(loop=client.loop)
        try:
            for _ in range(2 * max(1, sum(client.nthreads().values()))):
                self._submit(client, spec, columns, rest, results)
            for future in results:
                try:
                    result = future.result()
                except client_errors() as error:
                    raise RuntimeError(f"a chunk was given up by the cluster: {error}") from error
                future.release()
                yield result
                self._submit(client, spec, columns, rest, results)
        finally:
            client.cancel(list(results.futures))
            if own:
                client.close()

    def _submit(self, client, spec, columns, rest, results) -> None:
        chunk = next(rest, None)
        if chunk is not None:
            results.add(client.submit(compute_chunk, spec, chunk, columns, pure=False, retries=self.retries))


def client_errors() -> tuple[type[BaseException], ...]:
    """What Dask raises of a chunk whose workers died."""
    from distributed import CancelledError, KilledWorker

    return KilledWorker, CancelledError


def executor_of(value: Executor | None) -> Executor:
    """The given executor, or the default."""
    if value is None:
        return SerialExecutor()
    if not isinstance(value, Executor):
        raise TypeError(f"executor must be an hamtheory.sweeps.Executor or None; got {value!r}")
    return value


def _pool(workers: int) -> ProcessPoolExecutor:
    import multiprocessing

    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """In a worker: end when the parent does, and leave interrupts to it."""
    import multiprocessing
    import signal
    import threading
    from multiprocessing.connection import wait as wait_for

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch():
        if parent is not None:
            wait_for([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _stop(pool: ProcessPoolExecutor) -> None:
    """End a pool without waiting for what it is at."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


@contextmanager
def _environment() -> Iterator[None]:
    """The environment that new processes start in; that of this process is as before afterwards."""
    wanted = _ONE_THREAD | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {_XLA}".strip()}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ |= wanted
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
