"""The interactive page in a browser: its limits and flows are the library's, and it does what a person asks."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from chromium import browser, program
from scipy.integrate import solve_ivp

import hamtheory as ht
from tests.slow import slow

pytestmark = pytest.mark.skipif(program() is None, reason="no Chromium or Chrome found (Debian: apt install chromium)")

PAGE = Path(__file__).parents[2] / "docs" / "interactive.html"
SETTINGS = [
    # geometry, parameter, start, row of the equation, right-hand side
    ("gd", 1.0, (0.7, -0.3), (1.0, 2.0), 2.0),
    ("ham", 10.0, (0.0, 0.0), (1.0, 2.0), 2.0),
    ("ham", 1e-2, (-1.4, -0.5), (1.0, 2.0), 2.0),
    ("ham", 1e6, (0.7, -0.3), (1.0, 2.0), 2.0),
    ("ham", 1e6, (0.0, 0.0), (1.0, -1.1), 2.0),
    ("ham", 300.0, (-0.8, -0.6), (-2.5, 0.3), 2.0),
    ("mw", 1e-3, (0.7, -0.3), (1.0, 2.0), 2.0),
    ("mw", 1e-6, (-1.4, -0.5), (1.0, 2.0), 2.0),
    ("mw", 1e-6, (0.0, 0.0), (1.0, 1.1), 2.0),
    ("mw", 1e2, (-1.0, 2.2), (3.0, -0.4), -1.5),
    ("mw", 0.1, (2.0, 0.0), (1.0, 2.0), 2.0),  # on the line already
]


def geometry(kind, parameter):
    return {"gd": ht.Euclidean, "mw": ht.Hypentropy, "ham": ht.HAM}[kind](*(() if kind == "gd" else (parameter,)))


@pytest.fixture(scope="module")
def tab():
    with browser() as found:
        yield found


@pytest.fixture
def page(tab):
    tab.errors.clear()
    tab.requests.clear()
    tab.window(1280, 900)
    tab.open(PAGE)
    yield tab
    assert not tab.errors
    assert not [address for address in tab.requests if not address.startswith(("file:", "data:", "about:"))]


def call(page, function, *arguments):
    return page.evaluate(f"hamtheory.{function}({', '.join(json.dumps(argument) for argument in arguments)})")


@pytest.mark.parametrize("kind, parameter, start, row, target", SETTINGS)
def test_limits_are_those_of_the_library(page, kind, parameter, start, row, target):
    found = call(page, "limit", kind, parameter, start, row, target)
    limit = ht.solve_limit(ht.LinearRegression([row], [target]), geometry(kind, parameter), start, throw=False)
    np.testing.assert_allclose(found, limit.theta, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind, parameter", [("gd", 1.0), ("ham", 30.0), ("mw", 1e-3)])
def test_flows_are_those_of_their_equation(page, kind, parameter):
    start, row, times = [-1.4, -0.5], np.array([1.0, 2.0]), [0.0, 0.03, 0.1, 0.3, 1.0]
    found = call(page, "flow", kind, parameter, start, row.tolist(), 2.0, times)
    metric = {"gd": lambda s: 1.0, "mw": lambda s: 2 * np.hypot(s, parameter), "ham": lambda s: 1 + parameter * abs(s)}[
        kind
    ]
    field = lambda _, s: -metric(s) * np.array(row) * (row @ s - 2.0)  # noqa: E731
    flow = solve_ivp(field, (0, 1), start, method="LSODA", t_eval=times, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found, flow.y.T, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind, parameter", [("gd", 1.0), ("ham", 30.0), ("mw", 1e-3)])
def test_divergences_are_those_of_the_library(page, kind, parameter):
    theta, start = [0.3, -2.0], [0.7, 0.1]
    found = call(page, "divergence", kind, parameter, theta, start)
    want = ht.bregman_divergence(geometry(kind, parameter), jax.numpy.asarray(theta), jax.numpy.asarray(start))
    np.testing.assert_allclose(found, want, rtol=1e-9)


def test_sliders_redraw_and_work_by_keyboard(page):
    before = page.evaluate("document.querySelector('.level.ham').getAttribute('d')")
    page.evaluate("document.getElementById('alpha').focus()")
    page.press("ArrowRight", 39, times=4)
    assert page.evaluate("hamtheory.state().alpha") == pytest.approx(1.2)
    assert page.evaluate("document.getElementById('alpha').getAttribute('aria-valuetext')") == "15.8"
    assert page.evaluate("document.querySelector('.level.ham').getAttribute('d')") != before
    shown = page.evaluate("hamtheory.shown()")["ham"]
    problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    np.testing.assert_allclose(shown, ht.solve_limit(problem, ht.HAM(10**1.2), (0.7, -0.3)).theta, atol=1e-6)
    assert page.evaluate("[...document.querySelectorAll('input')].every(i => i.labels.length === 1)")


def test_the_start_can_be_dragged_and_moved_by_keys(page):
    page.evaluate("document.getElementById('plane').scrollIntoView()")
    box = page.evaluate(
        "(({left, top, width}) => [left, top, width])(document.getElementById('plane').getBoundingClientRect())"
    )
    at = lambda x, y: (box[0] + (x + 2.4) / 5.2 * box[2], box[1] + (3.2 - y) / 5.2 * box[2])  # noqa: E731
    page.drag(at(0.7, -0.3), at(-1.2, 1.0))
    assert page.evaluate("hamtheory.state().theta") == pytest.approx([-1.2, 1.0], abs=0.02)
    page.evaluate("document.getElementById('start').focus()")
    before = page.evaluate("hamtheory.state().theta")
    page.press("ArrowUp", 38, times=2)
    assert page.evaluate("hamtheory.state().theta") == pytest.approx([before[0], before[1] + 0.1], abs=2e-3)
    page.drag(at(-1.2, 1.1), at(0.01, -0.02))
    assert page.evaluate("hamtheory.state().theta") == [0, 0]  # zero is easy to hit


def test_its_address_says_what_it_shows(page):
    page.open(PAGE, "#alpha=1e6&gamma=1e-6&theta=0,0&x=1,2")
    shown = page.evaluate("hamtheory.shown()")
    np.testing.assert_allclose(shown["ham"], [0, 1], atol=0.01)
    np.testing.assert_allclose(shown["mw"], [0, 1], atol=0.01)
    np.testing.assert_allclose(shown["gd"], [0.4, 0.8], atol=1e-12)


def test_time_runs_and_stops(page):
    page.evaluate("document.getElementById('time').focus()")
    page.press("Home", 36)
    now = page.evaluate(
        "[...document.querySelectorAll('.now')].map(c => [+c.getAttribute('cx'), +c.getAttribute('cy')])"
    )
    ring = page.evaluate("(c => [+c.getAttribute('cx'), +c.getAttribute('cy')])(document.querySelector('.ring'))")
    np.testing.assert_allclose(now, [ring] * 3, atol=1e-6)
    page.evaluate("document.getElementById('play').click()")
    page.wait("+document.getElementById('time').value > 0")
    page.evaluate("document.getElementById('play').click()")
    assert page.evaluate("document.getElementById('play').textContent") == "▶ Play"


@pytest.mark.parametrize("width, height", [*slow((1280, 900), (800, 900)), (360, 740)])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_and_can_be_read(page, tmp_path, width, height, dark):
    page.window(width, height, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000
    # The contrast of what is written, and of the flows, with the paper: at least 4.5, and 3 (WCAG).
    names = ["paper", "ink", "soft", "link", "gd", "mw", "ham"]
    style = "getComputedStyle(document.documentElement)"
    colours = {name: page.evaluate(f"{style}.getPropertyValue('--{name}').trim()") for name in names}
    paper = _luminance(colours.pop("paper"))
    assert (paper < 0.2) is dark
    for name, colour in colours.items():
        bright, dim = sorted((paper, _luminance(colour)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= (3 if name in ("gd", "mw", "ham") else 4.5), name


def _luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
