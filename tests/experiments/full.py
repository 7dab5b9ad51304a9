"""What an experiment has computed at full size."""

import pytest

from experiments import store


def full(module, name):
    """The data that the figure shows; skips where they are not, or belong to other sources.

    They are not computed here: with ten seeds, what is near the end of an interval depends on the processor's rounding.
    """
    if store.path(name).exists():
        data = store.load(name)
        if data.attrs.get("fingerprint") == store.fingerprint(name, module.Config()):
            return data
    pytest.skip("no data at full size, or of other sources: make figures computes them")
