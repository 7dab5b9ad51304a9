"""A store loses nothing: whatever happened to it, going on makes the same bytes, or says why not."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import toy
import xarray as xr

import hamtheory as ht
from hamtheory.sweeps import SerialExecutor, Store, _environment, _sealed
from hamtheory.sweeps._writer import writer
from tests.slow import slow

SPEC = toy.spec()
CHUNKS = 5


class Stops(SerialExecutor):
    """Computes so many chunks, then raises."""

    def __init__(self, after: int):
        self.after = after

    def run(self, spec, columns, chunks):
        for done, result in enumerate(super().run(spec, columns, chunks)):
            if done == self.after:
                raise KeyboardInterrupt
            yield result


class Counts(SerialExecutor):
    """Remembers what it computed."""

    def run(self, spec, columns, chunks):
        self.chunks = list(chunks)
        yield from super().run(spec, columns, self.chunks)


def sweep(store, spec=SPEC, **options):
    return ht.sweep(spec, store, progress=False, **options)


def resumed(store, spec=SPEC):
    """The chunks that going on computes."""
    executor = Counts()
    sweep(store, spec, executor=executor)
    return executor.chunks


@pytest.fixture(scope="module")
def whole(tmp_path_factory, contents):
    """The bytes of an uninterrupted sweep."""
    store = tmp_path_factory.mktemp("whole") / "store"
    sweep(store)
    return contents(store)


@pytest.fixture
def store(tmp_path):
    sweep(tmp_path / "store")
    return tmp_path / "store"


def test_data_set_has_labels_units_and_meanings(store):
    with sweep(store) as dataset:
        assert dataset.sizes == {"instance": 30, "column": 8}
        for name in dataset.variables:
            assert dataset[name].attrs["units"] == "1" and dataset[name].attrs["long_name"]
        assert dataset.status.dtype == np.int8 and dataset.status.attrs["flag_meanings"].startswith("not_computed conv")
        assert list(dataset.status.attrs["flag_values"]) == list(range(-1, 7))
        np.testing.assert_array_equal(dataset.seed, np.repeat(np.arange(10), 3))
        np.testing.assert_array_equal(dataset.parameter, np.tile([1.0, 2.0, 3.0], 10))
        np.testing.assert_array_equal(dataset.theta.max("column"), dataset.largest)
        problem = ht.sparse_regression(4, 8, 2, seed=7)
        np.testing.assert_allclose(dataset.theta[23], 3.0 * np.asarray(problem.X.T @ problem.y), rtol=1e-14)
    manifest = Store(store).manifest()
    assert manifest["sessions"][0]["versions"]["jax"] and manifest["spec"]["problems"][0]["seeds"]["count"] == 10
    record = dict(Store(store).records(ht.SweepSpec.from_table(SPEC)))[4]
    assert record["instances"] == 2 and record["statuses"] == {"converged": 2} and record["device"].startswith("cpu")


def test_chunks_on_disk_are_those_of_the_sweep(store):
    assert sorted(path.name for path in (store / "data.zarr" / "largest").glob("c.*")) == [f"c.{i}" for i in range(5)]
    assert xr.open_zarr(store / "data.zarr", consolidated=False).theta.encoding["chunks"] == (7, 8)


def test_nothing_is_computed_twice(store, whole, contents):
    assert resumed(store) == [] and contents(store) == whole


@pytest.mark.parametrize("after", [0, 1, 4])
def test_interrupted_and_resumed(tmp_path, whole, contents, after):
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path / "store", executor=Stops(after))
    with ht.sweeps.open_store(tmp_path / "store") as dataset:
        assert int((dataset.status == -1).sum()) == 30 - 7 * after  # the rest says that it is not there
    assert ht.sweeps.report(tmp_path / "store")["writer"] == "interrupted"
    assert resumed(tmp_path / "store") == list(range(after, CHUNKS))
    assert contents(tmp_path / "store") == whole


def test_killed_before_the_record_was_written(store, whole, contents):
    """What a kill can leave: data without a record, half a file, a draft, and a heartbeat."""
    (store / "chunks" / "2.json").unlink()
    (store / "data.zarr" / "theta" / "c.2.0").write_bytes(b"half a chu")
    (store / "data.zarr" / "theta" / "c.0123.partial").write_bytes(b"half")
    (store / "chunks" / "3.json.99.partial").write_text("{")
    assert Store(store).verify().missing == [2]
    assert resumed(store) == [2] and contents(store) == whole
    assert not list(store.rglob("*.partial"))


@pytest.mark.parametrize("left", [["lock"], ["lock", "data.zarr"]])
def test_killed_while_the_store_was_made(store, whole, contents, left):
    for path in sorted(store.rglob("*"), reverse=True):
        if path.relative_to(store).parts[0] not in left or path.name == "zarr.json":
            path.rmdir() if path.is_dir() else path.unlink()
    assert resumed(store) == list(range(CHUNKS)) and contents(store) == whole


# ---- damage

DAMAGED = {
    "values": ("data.zarr/largest/c.1", [1]),
    "labels": ("data.zarr/parameter/c.4", [4]),
    "theta": ("data.zarr/theta/c.0.0", [0]),
    "record": ("chunks/3.json", [3]),
    "meaning": ("data.zarr/status/zarr.json", []),
    "attributes": ("data.zarr/zarr.json", []),
    "manifest": ("manifest.json", []),
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("place", [*slow(0.02), 0.5, *slow(0.98)])
def test_a_flipped_bit_is_found_and_repaired(store, whole, contents, name, place):
    file, chunks = store / DAMAGED[name][0], DAMAGED[name][1]
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1
    file.write_bytes(data)
    if name == "manifest":
        with pytest.raises(ValueError, match=r"manifest.json is damaged; run the sweep again"):
            Store(store).verify()
        with pytest.warns(UserWarning, match="was damaged or gone, and made anew"):
            assert resumed(store) == []
    else:
        found = Store(store).verify()
        assert not found.is_complete and sorted(found.damaged) == chunks and found.missing == []
        assert bool(found.files) == (not chunks)
        assert resumed(store) == chunks
    assert contents(store) == whole and Store(store).verify().is_complete


def test_every_byte_counts(store):
    """Also one that the decompression would overlook: the checksum is of what is on the disk."""
    file = store / "data.zarr" / "status" / "c.0"
    data = file.read_bytes()
    for place in range(len(data)):
        file.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        assert list(Store(store).verify().damaged) == [0]
    file.write_bytes(data)
    assert Store(store).verify().is_complete


def test_chunk_that_vanished(store, whole, contents):
    (store / "data.zarr" / "positive" / "c.3").unlink()
    assert list(Store(store).verify().damaged) == [3]
    assert resumed(store) == [3] and contents(store) == whole


def test_damaged_manifest_of_another_sweep(store):
    (store / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="holds another sweep, and its manifest is damaged or gone"):
        sweep(store, toy.spec(problems=11))


@pytest.mark.parametrize("swap", [("largest/c.0", "largest/c.1"), ("parameter/c.0", "largest/c.0")])
def test_a_whole_chunk_in_the_place_of_another_is_found(store, whole, contents, swap):
    one, other = (store / "data.zarr" / name for name in swap)
    data = one.read_bytes(), other.read_bytes()
    one.write_bytes(data[1])
    other.write_bytes(data[0])
    assert Store(store).verify().damaged and resumed(store) and contents(store) == whole


def test_data_of_another_sweep_are_found(store, whole, contents, tmp_path):
    other = toy.spec()
    other["geometries"] = {"family": "ham", "alpha": [5.0, 6.0, 7.0]}
    sweep(tmp_path / "other", other)
    for file in (tmp_path / "other" / "data.zarr").rglob("c.*"):
        (store / "data.zarr" / file.relative_to(tmp_path / "other" / "data.zarr")).write_bytes(file.read_bytes())
    assert sorted(Store(store).verify().damaged) == list(range(CHUNKS))
    assert resumed(store) == list(range(CHUNKS)) and contents(store) == whole


def test_four_zeros_are_no_chunk(store, whole, contents):
    (store / "data.zarr" / "largest" / "c.0").write_bytes(bytes(4))
    assert list(Store(store).verify().damaged) == [0] and resumed(store) == [0] and contents(store) == whole


def test_a_manifest_that_is_gone(store, whole, contents):
    (store / "manifest.json").unlink()
    with pytest.raises(ValueError, match="holds another sweep, and its manifest is damaged or gone"):
        sweep(store, toy.spec(problems=11))
    with pytest.warns(UserWarning, match="was damaged or gone, and made anew"):
        assert resumed(store) == []
    assert contents(store) == whole


# ---- refusals


def test_changed_spec_is_refused_and_named(store, whole, contents):
    with pytest.raises(ValueError, match=r"problems\[0\].seeds.count: 10 -> 11.*chunk: 7 -> 8"):
        sweep(store, toy.spec(problems=11, chunk=8))
    assert contents(store) == whole


def test_second_writer_is_refused(tmp_path):
    class Second(SerialExecutor):
        def run(self, spec, columns, chunks):
            message = rf"is being written to by process {os.getpid()} on .*one writer at a time"
            with pytest.raises(RuntimeError, match=message):
                sweep(tmp_path / "store")
            yield from super().run(spec, columns, chunks)

    assert sweep(tmp_path / "store", executor=Second()).sizes["instance"] == 30
    assert sweep(tmp_path / "store").sizes["instance"] == 30


def test_lock_of_a_killed_process_does_not_block(tmp_path, elsewhere):
    code = "import toy, hamtheory as ht; ht.sweep(toy.spec(delay=60.0), 'store', progress=False)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=elsewhere)
    report = tmp_path / "store" / "progress.json"
    try:
        while not report.exists():
            assert process.poll() is None
            time.sleep(0.01)
        with pytest.raises(RuntimeError, match=f"is being written to by process {process.pid} on"):
            sweep(tmp_path / "store", toy.spec(delay=60.0))
        assert ht.sweeps.report(tmp_path / "store")["writer"] == "running"
    finally:
        process.kill()
        process.wait()
    assert ht.sweeps.report(tmp_path / "store")["writer"] == "killed"
    with writer(tmp_path / "store", ht.SweepSpec.from_table(toy.spec(delay=60.0)), 8) as mine:
        assert mine.todo == list(range(CHUNKS))


def test_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"a folder with other things in it: thesis.tex"):
        sweep(tmp_path)
    with pytest.raises(FileExistsError, match="is a file; a store is a folder"):
        sweep(tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_files_of_an_operating_system_are_nobodys_data(store, whole, contents):
    for name in (".DS_Store", "._data.zarr", ".nfs0000001", "Thumbs.db", "desktop.ini"):
        (store / name).write_bytes(b"?")
    assert resumed(store) == [] and contents(store) == whole and (store / ".DS_Store").exists()


@pytest.mark.parametrize(
    "change, sealed",
    [({"format": 3, "precious": 1}, True), ({"format": 3}, False), ({"format": "2.1"}, True), ({"format": None}, True)],
)
def test_store_of_another_format_is_refused_and_left_alone(store, change, sealed):
    manifest = _sealed.read(store / "manifest.json") | change
    manifest = {name: value for name, value in manifest.items() if value is not None}
    if sealed:
        _sealed.write(store / "manifest.json", manifest)
    else:
        (store / "manifest.json").write_text(json.dumps(manifest))
    before = (store / "manifest.json").read_bytes()
    for use in (sweep, ht.sweeps.open_store, ht.sweeps.report, lambda store: Store(store).verify()):
        with pytest.raises(
            ValueError, match=r"of format .* left as it is|does not say its format: it is left as it is"
        ):
            use(store)
        assert (store / "manifest.json").read_bytes() == before


def test_home_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with sweep("~/out") as dataset:
        assert dataset.sizes["instance"] == 30
    assert Store("~/out").verify().is_complete and ht.sweeps.report("~/out")["done"] == 30
    assert ht.sweeps.export("~/out", "~/table.csv") == 30
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_other_peoples_drafts_are_left_alone(tmp_path, store):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "film.partial").write_text("?")
    with pytest.raises(FileExistsError, match=r"other things in it: film.partial"):
        sweep(tmp_path / "films")
    (store / ".config").mkdir()
    (store / ".config" / "download.partial").write_text("?")
    assert resumed(store) == [] and (store / ".config" / "download.partial").exists()


def test_a_chunk_larger_than_the_sweep_takes_no_room(tmp_path):
    assert sweep(tmp_path / "store", toy.spec(chunk=10**12)).sizes["instance"] == 30


def test_an_executor_that_returns_too_little_has_not_finished(tmp_path):
    class Lazy(SerialExecutor):
        def run(self, spec, columns, chunks):
            return iter(list(super().run(spec, columns, chunks))[:2])

    sweep(tmp_path / "store", executor=Lazy())
    assert ht.sweeps.report(tmp_path / "store")["writer"] == "interrupted"


def test_no_store(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no store of a sweep"):
        ht.sweeps.open_store(tmp_path)


def test_other_versions_are_remarked_on(store, monkeypatch):
    real = _environment.environment

    def other(dtype):
        found = real(dtype)
        return found | {"versions": found["versions"] | {"jax": "0.0.1"}}

    monkeypatch.setattr("hamtheory.sweeps._writer.environment", other)
    with pytest.warns(UserWarning, match=r"another environment than it was begun: versions.jax: .* -> \"0.0.1\""):
        sweep(store)
    assert "0.0.1" in Store(store).manifest()["warnings"][0]["text"]


def test_two_devices_are_remarked_on(tmp_path, monkeypatch):
    class Elsewhere(SerialExecutor):
        def run(self, spec, columns, chunks):
            for result in super().run(spec, columns, chunks):
                yield type(result)(**(vars(result) | {"device": f"gpu {result.chunk % 2}"}))

    with pytest.warns(UserWarning, match="mixes devices: gpu 0, gpu 1"):
        sweep(tmp_path / "store", executor=Elsewhere())
    assert len(Store(tmp_path / "store").manifest()["warnings"]) == 1


# ---- a full disk


def _fill_up(store: Path, room: int) -> None:
    """In a process of its own: a sweep whose files may not grow beyond `room` bytes, as on a full quota."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        sweep(store)
    except OSError as error:
        (store.parent / "said").touch()
        os._exit(error.errno if "the disk is full" in str(error) and "go on" in str(error) else 99)
    os._exit(98)


def test_quota(tmp_path, whole, contents):
    process = multiprocessing.get_context("spawn").Process(target=_fill_up, args=(tmp_path / "store", 450))
    process.start()
    process.join()
    assert process.exitcode == errno.EFBIG
    sweep(tmp_path / "store")
    assert contents(tmp_path / "store") == whole


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting needs privileges")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk(tiny_disk, whole, contents):
    ballast, store = tiny_disk / "ballast", tiny_disk / "store"
    with pytest.raises(KeyboardInterrupt):
        sweep(store, executor=Stops(2))
    with open(ballast, "wb", buffering=0) as file:
        for size in (4096, 1):
            while True:
                try:
                    file.write(b"0" * size)
                except OSError:
                    break
    with pytest.raises(
        OSError, match=r"the disk is full: .* could not be written.*All chunks that were finished are safe"
    ):
        sweep(store)
    ballast.unlink()
    assert resumed(store) == [2, 3, 4]
    assert contents(store) == whole


def test_no_draft_is_left_by_a_full_disk(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="the disk is full: the store could not be written"):
        sweep(tmp_path / "store")
    assert not list(tmp_path.rglob("*.partial"))


# ---- sealed files


def test_sealed_files_know_that_they_are_whole(tmp_path):
    file = tmp_path / "file.json"
    _sealed.write(file, {"a": [1, None, "x"]})
    assert _sealed.read(file) == {"a": [1, None, "x"]}
    for text in ("", "{", "[]", "null", '{"a": 1}', file.read_text().replace("1", "2", 1)):
        file.write_text(text)
        with pytest.raises(_sealed.Damaged):
            _sealed.read(file)


def test_heartbeat_can_be_read_at_any_time(store):
    beat = json.loads((store / "progress.json").read_text())
    assert (
        beat["state"] == "finished"
        and beat["done"] == beat["instances"] == 30
        and beat["statuses"] == {"converged": 30}
    )
