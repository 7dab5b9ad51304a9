"""Closed forms against numbers: quadrature of the metric, at a few parameters drawn once and for all."""

import functools
import itertools
import random

import mpmath
import numpy as np
import sympy

from ._budget import within_budget
from ._forms import X, Y

_POINTS = (1e-3, 0.03, 0.7, 3.0, 20.0)
_DIGITS = 40
_FORBIDDEN = (sympy.I, sympy.nan, sympy.zoo, sympy.Integral, sympy.Limit, sympy.Piecewise)
_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(20)


class Trial:
    """Tests of the closed forms for one metric g⁻¹(X), in which the parameters are positive symbols."""

    def __init__(self, metric: sympy.Expr):
        self._symbols = tuple(sorted(metric.free_symbols - {X}, key=str))
        draw = random.Random(0)
        count = 3 if self._symbols else 1
        self._draws = [tuple(10 ** draw.uniform(-1, 1) for _ in self._symbols) for _ in range(count)]
        self._density = sympy.lambdify((X, *self._symbols), 1 / metric, modules=["scipy", "numpy"])
        with np.errstate(all="ignore"):
            cases = {case: self._integrals(*case) for case in itertools.product(_POINTS, self._draws)}
        self._cases = {case: values for case, values in cases.items() if values["good"]}

    def integral(self, kind: str, form: sympy.Expr) -> bool:
        """Whether a form in X is the integral of that kind."""
        f = self._function(X, form)
        return self._all(lambda x, draw, values: _close(f(x, *draw), values[kind]))

    def inverse(self, mirror: sympy.Expr, form: sympy.Expr) -> bool:
        """Whether a form in Y inverts the mirror map."""
        m, f = self._function(X, mirror), self._function(Y, form)
        return self._all(lambda x, draw, values: _close(f(m(x, *draw), *draw), x), steep=True)

    def conjugate(self, mirror: sympy.Expr, form: sympy.Expr) -> bool:
        """Whether a form in Y is the conjugate of the potential."""
        m, f = self._function(X, mirror), self._function(Y, form)
        return self._all(lambda x, draw, values: _close(f(m(x, *draw), *draw), values["moment"]), steep=True)

    def bound(self, form: sympy.Expr) -> bool:
        """Whether a form is the supremum of the mirror map: by the power law of `1/g⁻¹` at 1e100.

        The integral is finite where the power exceeds one.
        """
        for draw in self._draws:
            near, far = self._h(np.array([1e100, 2e100]), draw)
            power = np.log2(near / far) if far > 0 else np.inf
            if power > 1.02 if form is sympy.oo else power < 0.98:
                return False
            if form is not sympy.oo and power > 1.2:
                x = 1e30
                tail = x * self._h(np.asarray(x), draw) / (power - 1)
                if not _close(self._function(X, form)(1, *draw), self._integrals(x, draw)["mirror"] + tail):
                    return False
        return True

    def _h(self, x, draw):
        return self._density(x, *draw) + np.zeros_like(x)

    def _integrals(self, x, draw):
        """The three integrals by Gauss-Legendre on short panels; not `good` where the metric is not positive."""
        edges = np.append(x * 2.0 ** (-np.arange(1600) / 16), 0.0)
        width = edges[:-1] - edges[1:]
        s = edges[1:, None] + width[:, None] * (_ROOTS + 1) / 2
        density = self._h(s, draw)
        h = density * width[:, None] * _WEIGHTS / 2
        mirror = h.sum()
        return {
            "mirror": mirror,
            "potential": ((x - s) * h).sum(),
            "moment": (s * h).sum(),
            "good": np.all(density >= 0) and np.isfinite(mirror),
            # x can be told from R'(x), which is flat where it has come close to its bound
            "steep": x * density.ravel()[0] > 1e-6 * mirror,
        }

    def _all(self, test, steep=False):
        """Whether the test passes everywhere it can be made, and in four places at least."""
        with mpmath.workdps(_DIGITS):
            outcomes = [
                test(mpmath.mpf(x), draw, values)
                for (x, draw), values in self._cases.items()
                if values["steep"] or not steep
            ]
        return all(outcomes) and len(outcomes) >= 4

    def _function(self, argument, form):
        return sympy.lambdify((argument, *self._symbols), form, modules="mpmath")


def _close(got, want):
    return mpmath.im(got) == 0 and abs(got - want) <= 1e-8 * abs(want)


def passes(form: sympy.Expr | None, test) -> bool:
    """Whether a form is there, is real, and passes a test of `Trial`; a test that fails to run is not passed."""
    if form is None or form.has(*_FORBIDDEN):
        return False
    with np.errstate(all="ignore"):
        return bool(within_budget(functools.partial(test, form), budget=10**8))
