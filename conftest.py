"""Examples in docstrings run as a reader runs them: in float32, unless they switch float64 on."""

import jax
import pytest


@pytest.fixture(autouse=True)
def _as_a_reader(request):
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", before)
