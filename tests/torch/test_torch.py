"""`hamtheory.torch` is `ht.optim.ham` for PyTorch: what `checks.py` says, under every interpreter that has PyTorch.

PyTorch may be installed for an interpreter without JAX, as Debian's is: what optax does is computed here, and handed
over in a file. `make test-torch` runs these tests.
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht
from experiments.benchmarks.torch_overhead import environment, interpreters, missing

from . import cases

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CHECKS = [
    node.name
    for node in ast.parse((HERE / "checks.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
]
PAGES = {
    path.name: re.findall(r"```python\n([^`]*import torch[^`]*)```\n+```\n([^`]*)```", path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "docs").rglob("*.md"))
}

with_torch = pytest.mark.parametrize(
    "python", interpreters() or [pytest.param("none", marks=pytest.mark.skip(reason=str(missing())))]
)


def loss(theta):
    return jnp.mean(jnp.square(cases.INPUTS @ theta["w"] + theta["b"] - cases.TARGETS))


def optimizer_of(name):
    """The optimizer of optax for a case."""
    eta, around = cases.ETA, {"alpha": cases.ALPHA, "beta": cases.BETA}
    other = {"alpha": cases.OTHER["alpha"], "beta": cases.OTHER["beta"]}
    match name:
        case "momentum":
            return ht.optim.ham(optax.sgd(eta / 5, momentum=0.9), eta / 5, **around)
        case "adamw":
            return ht.optim.ham(optax.adamw(eta, weight_decay=cases.DECAY), eta, **around)
        case "schedule":
            return ht.optim.ham(optax.sgd(cases.schedule), cases.schedule, **around)
        case "clip":
            return ht.optim.ham(optax.sgd(eta), eta, **around, clip=cases.CLIP)
        case "clamped_gradients":
            return optax.chain(optax.clip(cases.MOST), ht.optim.ham(optax.adam(eta), eta, **around))
        case "groups":
            second = ht.optim.ham(optax.sgd(cases.OTHER["lr"]), cases.OTHER["lr"], **other, where=True)
            return optax.partition(
                {"w": ht.optim.ham(optax.sgd(eta), eta, **around), "b": second}, {"w": "w", "b": "b"}
            )
        case "everywhere":
            return ht.optim.ham(optax.sgd(eta), eta, **around, where="w|b")
        case "natural":
            return ht.optim.ham_natural(eta, **around)
    return ht.optim.ham(optax.sgd(eta), eta, **around)


def trajectory(name):
    """All θ_k of a case."""
    optimizer, start = optimizer_of(name), jax.tree.map(jnp.asarray, cases.START)

    def step(carry, _):
        theta, state = carry
        updates, state = optimizer.update(jax.grad(loss)(theta), state, theta)
        theta = optax.apply_updates(theta, updates)
        return (theta, state), theta

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return jax.jit(lambda carry: jax.lax.scan(step, carry, length=cases.STEPS)[1])((start, optimizer.init(start)))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The file with what optax does, and the flips of the first case as `ht.signs` counts them."""
    found = {}
    for name in cases.NAMES:
        found |= {f"{name}/{key}": np.asarray(path) for key, path in trajectory(name).items()}
    path = np.concatenate([cases.START["w"][None], found["sgd/w"]]).reshape(cases.STEPS + 1, -1)
    found["flips"] = np.asarray(ht.signs.flips(path)).sum(0).reshape(cases.START["w"].shape)
    file = tmp_path_factory.mktemp("optax") / "reference.npz"
    np.savez(file, **found)
    return file


def run(python, folder, *words):
    done = subprocess.run([python, *words], env=environment(folder), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def said(reference):
    """What each check says under an interpreter: nothing, why it is skipped, or what has failed."""
    answers = {}

    def of(python):
        if python not in answers:
            words = ["-W", "error", str(HERE / "checks.py"), str(reference)]
            answers[python] = json.loads(run(python, reference.parent, *words).splitlines()[-1])
        return answers[python]

    return of


@pytest.mark.torch
def test_the_cases_are_what_they_say(reference):
    """Exponents are clamped in one and gradients in another, so that both ways are compared; flips there are, too."""
    with np.load(reference) as found:
        assert not np.allclose(found["clip/w"], found["sgd/w"], rtol=0.01)
        assert found["flips"].sum() > 0
        assert all(np.isfinite(found[f"{name}/w"]).all() for name in cases.NAMES)
        assert (
            len({found[f"{name}/w"].tobytes() for name in cases.NAMES if name != "everywhere"}) == len(cases.NAMES) - 1
        )


@pytest.mark.parametrize("check", CHECKS)
@with_torch
@pytest.mark.torch
def test_says(python, check, said):
    answer = said(python)[check]
    if answer.startswith("skipped: "):
        pytest.skip(answer.removeprefix("skipped: "))
    assert not answer, answer


@with_torch
@pytest.mark.torch
def test_torch_alone_is_imported(python, tmp_path):
    lines = run(python, tmp_path, "-c", "import sys, hamtheory.torch; print(*sorted(sys.modules), sep='\\n')").split(
        "\n"
    )
    assert "torch" in lines and "hamtheory.torch" in lines
    ours = [line for line in lines if line.startswith("hamtheory.") and line != "hamtheory.torch"]
    others = {line.partition(".")[0] for line in lines} & {"jax", "jaxlib", "scipy", "equinox", "optax", "xarray"}
    assert ours == [] and others == set()


@pytest.mark.parametrize("page", [name for name, blocks in PAGES.items() if blocks])
@with_torch
@pytest.mark.torch
def test_the_blocks_of_pages(python, page, tmp_path):
    for code, printed in PAGES[page]:
        assert run(python, tmp_path, "-c", code).split() == printed.split()


def test_without_torch_the_error_says_how_to_get_it():
    code = "import sys; sys.modules['torch'] = None; import hamtheory.torch"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0 and last.startswith("ImportError") and "pip install 'hamtheory[torch]'" in last


def test_every_block_of_a_page_with_torch_shows_what_it_prints():
    for path in sorted((ROOT / "docs").rglob("*.md")):
        shown = len(re.findall(r"```python\n[^`]*import torch", path.read_text(encoding="utf-8")))
        assert shown == len(PAGES[path.name]), path
