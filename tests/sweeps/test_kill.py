"""`kill -9`, as often as you like: nothing is lost, nothing is done twice, and the bytes are the same."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import toy

import hamtheory as ht

CODE = "import toy, hamtheory as ht; ht.sweep(toy.spec(problems=100, chunk=20, delay=0.02), 'store', progress=False)"


@pytest.mark.slow
def test_killed_again_and_again(tmp_path, elsewhere, contents):
    spec = toy.spec(problems=100, chunk=20, delay=0.02)
    ht.sweep(spec, tmp_path / "whole", progress=False)
    rng, done = np.random.default_rng(0), []
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", CODE], cwd=tmp_path, env=elsewhere)
        already = len(list((tmp_path / "store" / "chunks").glob("*.json")))
        while process.poll() is None and len(list((tmp_path / "store" / "chunks").glob("*.json"))) <= already:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))  # some chunks later, at any place in one of them
        process.kill()
        process.wait()
        with ht.sweeps.open_store(tmp_path / "store") as dataset:
            done.append(int((dataset.status == 0).sum()))
    assert 0 < done[0] < done[-1] < 300
    ht.sweep(spec, tmp_path / "store", progress=False)
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")
    assert ht.sweeps.Store(tmp_path / "store").verify().is_complete


class Killed(BaseException):
    """What no `except OSError` catches, as nothing catches a kill."""


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 17, 18, 19, 20, 30, 36, 37, 60, 100])
def test_killed_at_this_very_step(tmp_path, contents, monkeypatch, steps):
    """Every renaming is a moment between two steps: 17 for the empty store, 16 for a chunk, one for its record."""
    whole, store, real, left = tmp_path / "whole", tmp_path / "store", os.replace, [steps]
    ht.sweep(toy.spec(), whole, progress=False)

    def replace(*names):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        real(*names)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", replace)
        with pytest.raises(Killed):
            ht.sweep(toy.spec(), store, progress=False)
    ht.sweep(toy.spec(), store, progress=False)
    assert contents(store) == contents(whole) and ht.sweeps.Store(store).verify().is_complete
