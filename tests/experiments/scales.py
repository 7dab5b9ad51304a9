"""Experiments at every scale that there is data of."""

import pytest

from experiments import QUICK, store


def every_scale(module, name, *, small=""):
    """A fixture: what the fixture called `small` computes, if there is one, and what the figure shows.

    The latter is skipped where it is not, or belongs to other sources. It is not computed here: with ten seeds, what is
    near the end of an interval depends on the processor's rounding.
    """

    @pytest.fixture(scope="module", params=[*["small"] * bool(small), *["quick"] * (name in QUICK), "full"])
    def data(request):
        scale = request.param
        if scale == "small":
            return request.getfixturevalue(small)
        if store.path(name, scale).exists():
            found = store.load(name, scale)
            if found.attrs.get("fingerprint") == store.fingerprint(name, store.config_of(module, scale)):
                return found
        pytest.skip("no data of this scale, or of other sources: make figures, or figures-full, computes them")

    return data
