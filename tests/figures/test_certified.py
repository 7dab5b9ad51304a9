"""No figure shows a failed computation."""

import numpy as np
import pytest
import xarray as xr

import hamtheory as ht
from experiments import store
from figures.certified import certified, failures


def dataset(*names):
    codes = np.array([ht.NAMES.index(name) for name in names])
    return xr.Dataset(
        {
            "path": (("case", "step"), np.ones((len(names), 2))),
            "limit": ("case", np.ones(len(names))),
            "times": ("step", np.ones(2)),
            "status": store.status(("case",), codes),
        },
        attrs={"experiment": "made up"},
    )


def test_sound_data_pass_unchanged():
    data = dataset("converged", "converged")
    assert failures(data) == {}
    assert certified(data).attrs == {"experiment": "made up", "masked": 0}
    xr.testing.assert_equal(certified(data), data)


def test_failures_are_refused_with_their_reasons():
    data = dataset("converged", "stalled", "max_steps", "stalled")
    assert failures(data) == {"max_steps": 1, "stalled": 2}
    with pytest.raises(ValueError, match=r"made up: cases failed: \{'max_steps': 1, 'stalled': 2\}"):
        certified(data)


def test_masked_failures_are_nan_and_counted():
    masked = certified(dataset("converged", "stalled"), mask_failures=True)
    assert masked.attrs["masked"] == 1
    np.testing.assert_array_equal(masked["limit"], [1, np.nan])
    np.testing.assert_array_equal(masked["path"], [[1, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(masked["times"], [1, 1])  # not of a case
    np.testing.assert_array_equal(masked["status"], [0, ht.NAMES.index("stalled")])
