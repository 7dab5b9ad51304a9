"""Which cases of a parametrised test are for every run: the others are marked, and `make test-slow` runs them."""

import pytest


def slow(*cases):
    """Every case, marked; a tuple holds the values of several arguments."""
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in cases]


def others_slow(cases, *quick):
    """All cases in their order, marked but for the quick ones."""
    assert all(case in cases for case in quick)
    return [case if case in quick else slow(case)[0] for case in cases]
