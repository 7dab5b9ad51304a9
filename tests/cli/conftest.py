"""What the tests of the command line share."""

import numpy as np
import pytest

from tests.cli.command import X, Y


@pytest.fixture
def data(tmp_path):
    """The small problem as a user's file."""
    path = tmp_path / "data.npz"
    np.savez(path, X=X, y=Y)
    return str(path)
