"""The command line as the tests call it, and the small problem that every test which can takes: it is compiled once."""

import json

import numpy as np

from hamtheory.cli import main

X = np.array([[1.0, 2.0, 0.5, -1.0], [0.0, 1.0, -1.0, 2.0]])
Y = np.array([1.0, -2.0])
DECAYING = ["--geometry", "gd", "--weight-decay", "0.1", "--max-steps", "60"]
TOL = 1e-8  # the default tolerance of flows; that of limits is smaller


def table_rows(text):
    """The table as label -> text."""
    return {line[:20].strip(): line[21:] for line in text.splitlines() if line[:20].strip()}


def run_json(capsys, *words):
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *words):
    """The one line on the standard error with which bad input is refused."""
    assert main(list(words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    # On a busy machine, checking a formula may take the two seconds after which it says that it computes.
    lines = [line for line in captured.err.splitlines() if not line.startswith("computing ...")]
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


def residual(theta):
    return np.linalg.norm(X @ theta - Y) / np.linalg.norm(Y)
