"""`kill -9`, as often as you like: nothing is lost, nothing is done twice, and the bytes are the same."""

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
