"""The progress bar: what it counts, and that it ends with its line whatever becomes of the flow."""

import numpy as np
import pytest

from hamtheory.flow import _progress
from hamtheory.flow._progress import progress_report


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(_progress, "_PATIENCE", -1.0)


def shown(capsys):
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_decades_of_the_violation(capsys):
    report = progress_report(1e-8)
    for t, violation in ((0.0, 1.0), (1.0, 1e-4), (2.0, 1e-3), (1.5, 1e-8), (3.0, np.nan)):
        report(t, violation)  # it never goes back, and ignores what comes late or is not a number
    report.close()
    last = shown(capsys).splitlines()[-1].split("\r")[-1]
    assert "4.0 of 8.0 decades" in last and "t=2, violation=1.0e-03" in last


def test_times_asked_for(capsys):
    report = progress_report(1e-8, np.array([0.0, 1.0, 10.0, 100.0]))
    for t in (0.0, 0.5, 9.0, 10.0):
        report(t, 1.0)
    report.close()
    assert "3 of 4 times" in shown(capsys).splitlines()[-1].split("\r")[-1]


def test_each_flow_begins_anew_with_the_same_callback(capsys):
    first = progress_report(1e-6)
    first(5.0, 1e-6)
    first.close()
    again = progress_report(1e-6)
    assert again is first  # or a flow would be compiled again
    shown(capsys)
    again(0.0, 1.0)
    again.close()
    assert "0.0 of 6.0 decades" in shown(capsys)


def test_silent_on_short_work(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_PATIENCE", 1e3)
    report = progress_report(1e-8)
    report(0.0, 1.0)
    report.close()
    assert shown(capsys) == ""
