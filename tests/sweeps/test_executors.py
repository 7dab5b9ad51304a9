"""Who computes the chunks makes no difference to what is stored, also where workers die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy

import hamtheory as ht
from hamtheory.sweeps import DaskExecutor
from hamtheory.sweeps._executors import executor_of


def sweep(store, executor=None, **settings):
    return ht.sweep(toy.spec(**settings), store, executor=executor, progress=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Dask's own
def test_processes_store_the_same_bytes_and_survive_a_death(tmp_path, contents):
    fatal = str(tmp_path / "marker")
    sweep(tmp_path / "one", fatal=__file__)  # exists: nobody dies
    before = dict(os.environ)
    with sweep(tmp_path / "two", DaskExecutor(2), fatal=fatal) as dataset:
        assert os.path.exists(fatal)  # one of them did die
        assert dict(os.environ) == before
        with ht.sweeps.open_store(tmp_path / "one") as serial:
            assert dataset.drop_attrs().identical(serial.drop_attrs())
    records = dict(ht.sweeps.Store(tmp_path / "two").records(ht.SweepSpec.from_table(toy.spec(fatal=fatal))))
    assert len(records) == 5 and f":{os.getpid()}" not in {record["worker"] for record in records.values()}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Dask's own
@pytest.mark.parametrize("quantity", ["limit", "flow"])
@pytest.mark.parametrize("count", [70, 20])  # with and without a shared X
def test_real_numbers_are_the_same_to_the_bit_in_other_processes_and_chunks(tmp_path, quantity, count):
    table = {
        "quantity": quantity,
        "keep_theta": True,
        "problems": {"kind": "sparse", "n": 8, "d": 16, "k": 2, "seeds": [0, 1]},
        "geometries": {"family": "ham", "alpha": {"start": 0.1, "stop": 100, "count": count, "scale": "log"}},
    }
    table["engine"] = "device"  # the host computes one instance after the other
    executor = DaskExecutor(2)
    with (
        ht.sweep(table | {"chunk": 33}, tmp_path / "here", progress=False) as here,
        ht.sweep(table | {"chunk": 2 * count}, tmp_path / "there", executor=executor, progress=False) as there,
    ):
        assert (here.status == 0).all() and here.sizes["instance"] == 2 * count
        assert here.drop_attrs().identical(there.drop_attrs())


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Dask's own
def test_chunk_that_kills_every_worker_is_an_error_not_a_hang(tmp_path):
    import dask

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        pytest.raises(RuntimeError, match=r"(?s)a chunk was given up by the cluster: .*too little memory"),
    ):
        sweep(tmp_path / "store", DaskExecutor(1), fatal=str(tmp_path / "never"))


@pytest.mark.slow
def test_workers_end_with_a_parent_that_was_killed(tmp_path, elsewhere):
    """And while they last, they do not hold the lock."""
    code = (
        "import toy, hamtheory as ht\n"
        "if __name__ == '__main__':\n"
        "    executor = ht.sweeps.DaskExecutor(1)\n"
        "    ht.sweep(toy.spec(delay=0.2), 'store', executor=executor, progress=False)\n"
    )
    (tmp_path / "script.py").write_text(code)
    process = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, env=elsewhere)
    while process.poll() is None and not list((tmp_path / "store" / "chunks").glob("*.json")):
        time.sleep(0.01)
    worker = int(next(iter(_records(tmp_path / "store", delay=0.2).values()))["worker"].split(":")[1])
    process.kill()
    process.wait()
    sweep(tmp_path / "store", delay=0.2)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{worker}/cmdline").exists() and Path(f"/proc/{worker}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _records(store, **settings):
    return dict(ht.sweeps.Store(store).records(ht.SweepSpec.from_table(toy.spec(**settings))))


@pytest.fixture
def cluster(tmp_path, elsewhere):
    """A real scheduler and two worker processes, on the loopback interface; the address, and the workers."""
    pytest.importorskip("distributed")
    quiet = elsewhere | {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}
    where = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]

    def begin(*words):
        with open(tmp_path / "log", "ab") as log:
            return subprocess.Popen([*dask, *words], cwd=tmp_path, env=quiet, stdout=log, stderr=log)

    scheduler = begin("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", f"--scheduler-file={where}")
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", f"--scheduler-file={where}")
    workers = [begin("worker", "--host", "127.0.0.1", *options) for _ in range(2)]
    try:
        while not where.exists():
            assert scheduler.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        yield where, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Dask's own
def test_dask_worker_killed_in_the_middle(cluster, tmp_path, contents):
    import json

    where, workers = cluster
    address = json.loads(where.read_text())["address"]
    assert address.startswith("tcp://127.0.0.1:")
    sweep(tmp_path / "one", problems=40, delay=0.05)

    class Kills(DaskExecutor):
        """Kills a worker once both of them have returned something."""

        def run(self, spec, columns, chunks):
            seen = set()
            for result in super().run(spec, columns, chunks):
                seen.add(int(result.worker.split(":")[1]))
                if len(seen) == 2 and workers[0].poll() is None:
                    os.kill(workers[0].pid, signal.SIGKILL)
                yield result

    sweep(tmp_path / "two", Kills(address), problems=40, delay=0.05).close()
    assert workers[0].wait(10) == -signal.SIGKILL and workers[1].poll() is None
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    done = [
        int(record["worker"].split(":")[1]) for record in _records(tmp_path / "two", problems=40, delay=0.05).values()
    ]
    assert len(done) == 18 and set(done) == {worker.pid for worker in workers}


def test_dask_is_asked_for_only_when_it_is_used(monkeypatch, tmp_path):
    executor = DaskExecutor("tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install \"hamtheory\[cluster\]\""):
        sweep(tmp_path / "store", executor)


def test_default_is_this_process():
    assert isinstance(executor_of(None), ht.sweeps.SerialExecutor)
