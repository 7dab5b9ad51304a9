"""The integrals of `1/g⁻¹` from zero outwards on the host: a table of panels, and from there to the point asked for.

The table is built once for a geometry, as far out as anyone has asked, with all panels of a round in one call of the
inverse metric. The integral to a point is that to the panel's beginning, from the table, and one Gauss-Legendre rule
for the rest; the inverse is a polynomial on each panel, made exact by a step of Newton's method. All terms are
positive: nothing cancels.
"""

import math
from typing import Any

import numpy as np

from .._array import Array, in_dtype, leaves, mapped, quiet
from ._check import check_metric
from ._panels import ROOTED, ROOTED_WEIGHTS, Moments, error, moments, only_rounding
from ._quadrature import NODES, WEIGHTS

_EPS, _LARGEST, _LEAST = (float(getattr(np.finfo(float), name)) for name in ("eps", "max", "tiny"))
_MOST_PANELS = 10_000
MOST_LANES = 4096  # parameters in one table
SLOWEST = 1.02  # the power of θ that g⁻¹ must exceed for R′ to count as bounded; that of θ log θ is just below
_NEAR = 1e-8  # of a panel: from so close, a step of Newton's method leaves rounding
_U = np.append(np.stack([NODES, ROOTED], axis=1), np.ones((1, 2)), axis=0)  # the nodes of both rules, and the end
_WEIGHTS = np.stack([WEIGHTS, ROOTED_WEIGHTS], axis=1)
_DEGREE = 7
_V = (1 - np.cos((np.arange(_DEGREE + 1) + 0.5) * np.pi / (_DEGREE + 1))) / 2  # where the inverse is interpolated
_INTERPOLATE = np.linalg.inv(np.vander(2 * _V - 1))


class Table:
    """A table of panels; at each edge of one, the integrals of each of the flattened parameters.

    Attributes:
        edges: Of the panels, (k,).
        mirror: That integral, (k, instances).
        potential: That integral, (k, instances).
        moment: That integral, (k, instances).
        slope: The integrand, (k, instances).
    """

    def __init__(self, geo: Any):
        self.geo = mapped(np.asarray, in_dtype(geo, np.float64))
        self.shape = np.broadcast_shapes(*(leaf.shape for leaf in leaves(self.geo)))
        self.instances = math.prod(self.shape)
        check_metric(self.geo)
        self._metric = getattr(type(geo).inverse_metric, "__wrapped__", type(geo).inverse_metric)  # without its checks
        self._bound: Array | None = None
        self._inverse = np.empty((_DEGREE + 1, 0))  # coefficients, highest first, of each panel: see `inverse`
        self.ended = False  # whether there is no way further out
        radius = self._first_panel()
        self._edges = np.array([0.0, radius])
        self._parts = self._measure(self._edges[:1], self._edges[1:], ROOTED, 4 * NODES**3)
        self._sum_up()

    # Building.

    def density(self, s: Array) -> Array:
        """`1/g⁻¹(s)`, (..., instances), for s of shape (...)."""
        points = s.reshape(s.shape + (1,) * len(self.shape))
        values = np.broadcast_to(1 / self.geo.inverse_metric(points), s.shape + self.shape)
        return values.reshape(*s.shape, self.instances)

    def _first_panel(self):
        """How far the panel that touches zero may reach: its rule is right on every part of it that touches zero, too.

        That is looked for where the metric, in steps of a factor of two, is within a factor of two of what it is at
        zero, and no longer just that. The integrals to x and to x/2 must then differ by that between.
        """
        scan = np.ldexp(1.0, np.arange(-1022, 1024, 1 if self.instances < 64 else 4))
        ratio = self.density(scan) / self.density(np.zeros(1))
        near = np.append(np.all((ratio <= 2) & (ratio >= 0.5), axis=-1), False)
        same = np.append(np.all(np.abs(ratio - 1) <= 4 * _EPS, axis=-1), False)
        stop = int(np.argmin(near))
        start = max(min(int(np.argmin(same)), stop) - 2, 0)
        if stop <= start + 1:
            return scan[start]
        x = np.exp2(np.arange(np.log2(scan[start]), np.log2(scan[stop - 1]) + 1))
        panels = self._measure(np.zeros_like(x), x, ROOTED, 4 * NODES**3)
        whole = x[:, None] * panels.mass
        part = np.diff(x)[:, None] * self._measure(x[:-1], x[1:]).mass
        agree = np.abs(whole[:-1] + part - whole[1:]) <= 8 * _EPS * whole[1:]
        resolved = (error(panels) <= 4 * _EPS * panels.size) | only_rounding(panels, _EPS)
        agree = np.all(agree & resolved[1:], axis=-1)
        return x[int(np.argmin(np.append(agree, False)))]

    def _measure(self, left, right, nodes=NODES, stretch=None):
        """The moments of the panels, (panels, instances) each."""
        values = self.density(left + nodes[:, None] * (right - left))
        if stretch is not None:
            values = values * stretch[:, None, None]
        return moments(values, nodes[:, None, None])

    def reach(self, x: float) -> None:
        """Extend the table to x, or as far as the integrand can be resolved."""
        x = min(x, _LARGEST)
        for top in (min(x, _LARGEST / 16) * 16, x):  # a little further, in advance
            if not self.ended and self.edges[-1] < x:
                self._extend(top)
                self.ended = self.edges[-1] >= _LARGEST or (top == x and self.edges[-1] < x)

    def reach_mirror(self, mu: float) -> None:
        """Extend the table until all of the mirror maps exceed `mu`, or as far as the integrand can be resolved."""
        factor = 2.0**8
        while not self.ended and not np.all(self.mirror[-1] > mu):
            last = self.edges[-1]
            self._extend(min(last, _LARGEST / factor) * factor)
            self.ended = self.edges[-1] >= _LARGEST or (factor == 2 and self.edges[-1] == last)
            factor = 2 if self.edges[-1] == last else min(factor, 2.0**256) ** 2

    def _extend(self, top):
        last = self._edges[-1]
        count = max(math.ceil(2 * (math.log2(top) - math.log2(last))), 1)
        edges = np.minimum(last * 2.0 ** (np.minimum(np.arange(count + 1), 2046) / 2), top)
        edges[-1] = top
        left, right = edges[:-1], edges[1:]
        with quiet():
            parts = self._measure(left, right)
            while True:
                good = self._resolved(left, right, parts)
                if good.all() or left.size + self._edges.size > _MOST_PANELS:
                    break
                middle = (left[~good] + right[~good]) / 2
                halves = np.concatenate([left[~good], middle]), np.concatenate([middle, right[~good]])
                finer = self._measure(*halves)
                left, right = np.concatenate([left[good], halves[0]]), np.concatenate([right[good], halves[1]])
                order = np.argsort(left)
                parts = Moments(*(np.concatenate([a[good], b])[order] for a, b in zip(parts, finer, strict=True)))
                left, right = left[order], right[order]
        kept = left.size if good.all() else int(np.argmin(good))
        self._edges = np.append(self._edges, right[:kept])
        self._parts = Moments(*(np.append(a, b[:kept], axis=0) for a, b in zip(self._parts, parts, strict=True)))
        self._sum_up()

    def _resolved(self, left, right, parts):
        """Whether the panels are, for all parameters, measured by the integrals of |f| and of s|f| to their ends."""
        width = (right - left)[:, None]
        size = self._size + np.cumsum(width * parts.size, axis=0)
        reach = self._reach + np.cumsum(right[:, None] * width * parts.size, axis=0)
        allowed = 4 * _EPS * np.minimum(size, reach / right[:, None])
        good = (width * error(parts) <= allowed) | only_rounding(parts, _EPS) | (width <= 4 * _EPS * left[:, None])
        return np.all(good & np.isfinite(parts.mass), axis=-1) | (width[:, 0] == 0)

    def _sum_up(self):
        edges, parts = self._edges, self._parts
        left, width = edges[:-1, None], np.diff(edges)[:, None]
        with quiet():
            mass, lean, size = (width * part for part in parts[:3])
            self.mirror = _sums(mass)
            self.potential = _sums(width * (self.mirror[:-1] + (mass - lean)))
            self.moment = _sums(left * mass + width * lean)
            self.slope = self.density(edges)
            self._least = self.mirror[-1].min()
            self._size, self._reach = size.sum(axis=0), (edges[1:, None] * size).sum(axis=0)
        self.edges = edges

    # Asking.

    def _where(self, x):
        """x with the axes of the parameters, at least one, and the column of the table for each entry."""
        if self.shape == ():
            return x.ravel(), 0
        shape = np.broadcast_shapes(x.shape, self.shape)
        return np.broadcast_to(x, shape), np.broadcast_to(np.arange(self.instances).reshape(self.shape), shape)

    def _rest(self, first, left, width):
        """Nodes from `left` on, by length `width`, and the end; the weights, and the metric there: nodes come first."""
        if np.count_nonzero(first):
            u, weights = _U.take(first, axis=1), _WEIGHTS.take(first, axis=1)
        else:
            axes = (-1,) + (1,) * left.ndim
            u, weights = _U[:, 0].reshape(axes), _WEIGHTS[:, 0].reshape(axes)
        s = width * u
        s += left
        metric = self._metric(self.geo, s)
        return s, weights, metric if np.shape(metric) == s.shape else np.broadcast_to(metric, s.shape)

    def integral(self, kind: str, x: Array) -> Array:
        """The integral of a kind from 0 to x >= 0, of the common shape of x and the parameters."""
        beyond = not np.max(x, initial=0.0) <= self.edges[-1]  # or NaN
        if beyond and not self.ended:
            self.reach(float(np.max(x, initial=0.0, where=np.isfinite(x))))
        shape = x.shape
        x, instance = self._where(x)
        k = np.minimum(self.edges.searchsorted(x, side="right") - 1, self.edges.size - 2)
        left = self.edges[k]
        width = x - left
        s, weights, metric = self._rest(k == 0, left, width)
        weighted = weights / metric[:-1]
        if kind == "mirror":
            found = self.mirror[k, instance] + width * weighted.sum(axis=0)
        elif kind == "potential":
            rest = (weighted * (s[-1] - s[:-1])).sum(axis=0)
            found = self.potential[k, instance] + width * (self.mirror[k, instance] + rest)
        else:
            found = self.moment[k, instance] + width * (weighted * s[:-1]).sum(axis=0)
        if beyond:
            found = np.where(x <= self.edges[-1], found, np.nan)
        return found.reshape(shape) if self.shape == () else found

    def inverse(self, y: Array) -> Array:
        """The x with the mirror map y >= 0, of the common shape of y and the parameters; NaN where there is none."""
        beyond = not np.max(y, initial=0.0) < self._least  # or NaN
        if beyond and not self.ended:
            self.reach_mirror(float(np.max(y, initial=0.0, where=np.isfinite(y))))
        shape = y.shape
        y, instance = self._where(y)
        if self.shape == ():
            if self._inverse.shape[1] < self.edges.size - 1:
                self._interpolate()
            k = np.minimum(self.mirror[:, 0].searchsorted(y, side="right") - 1, self.edges.size - 2)
            missing = y - self.mirror[k, 0]
            v = missing / self._mass[k]
            z, coefficients = 2 * v - 1, self._inverse.take(k, axis=1)
            x = coefficients[0].copy()
            for coefficient in coefficients[1:]:
                x *= z
                x += coefficient
            x *= v * self._width[k]
        else:
            k = np.minimum(self._panel(y, instance), self.edges.size - 2)
            missing = y - self.mirror[k, instance]
            x = self._cubic(k, instance, missing)
        found = self._newton(k, missing, x)
        if beyond:
            found = np.where(y < self.mirror[-1, instance], found, np.where(y == 0, 0.0, np.nan))
        return found.reshape(shape) if self.shape == () else found

    def _newton(self, k, missing, x):
        """left + x for the x with `∫ ds/g⁻¹(s) = missing` from the left end of the panel k; x is a guess."""
        left, first = self.edges[k], k == 0
        width = self.edges[k + 1] - left
        for _ in range(60):
            _, weights, metric = self._rest(first, left, x)
            step = (missing - x * np.add.reduce(weights / metric[:-1], axis=0)) * metric[-1]
            x = np.minimum(np.maximum(x + step, 0), width)
            if not np.count_nonzero(np.abs(step) > _NEAR * np.where(first, x, width)):
                break
        return left + x

    def _cubic(self, k, instance, missing):
        """A guess at that: Hermite's cubic, made monotone."""
        width, mass = self.edges[k + 1] - self.edges[k], self.mirror[k + 1, instance] - self.mirror[k, instance]
        v = np.clip(missing / mass, 0, 1)
        low, high = (np.minimum(mass / (width * self.slope[k + end, instance]), 3) for end in (0, 1))
        return width * np.clip(v * (low + v * (3 - 2 * low - high + v * (low + high - 2))), 0, 1)

    def _interpolate(self):
        """Polynomials q on new panels, with the way from the left being `width v q(2v − 1)` at v of the mass."""
        self._width, self._mass = np.diff(self.edges), np.diff(self.mirror[:, 0])
        k = np.arange(self._inverse.shape[1], self.edges.size - 1)[:, None]
        missing = _V * self._mass[k]
        at = np.broadcast_to(k, missing.shape)
        x = self._newton(at, missing, self._cubic(at, 0, missing)) - self.edges[k]
        self._inverse = np.append(self._inverse, _INTERPOLATE @ (x / self._width[k] / _V).T, axis=1)

    def _panel(self, y, instance):
        """The last edge at which the mirror map is not above y: `searchsorted` for each parameter."""
        low, high = np.zeros(y.shape, int), np.full(y.shape, self.edges.size)
        for _ in range(int(self.edges.size).bit_length()):
            middle = (low + high) // 2
            up = self.mirror[middle, instance] <= y
            low, high = np.where(up, middle, low), np.where(up, high, middle)
        return low

    def bound(self) -> Array:
        """The supremum of the mirror map, of the shape of the parameters: see `_defaults.mirror_bound`."""
        if self._bound is None:
            near, far = _LARGEST ** (1 / 3), _LARGEST**0.45
            here, further = self.density(np.array([near, far]))
            power = np.where(here > 0, np.log(here / further) / np.log(far / near), np.inf)
            bounded = power > SLOWEST
            self._bound = np.full(self.shape, np.inf).ravel()
            if bounded.any():
                self.reach(near)
                total = self.integral("mirror", np.full(self.shape, near)).ravel()
                tail = np.where(here > 0, near * here / np.where(bounded, power - 1, 1), 0)
                self._bound = np.where(bounded, total + tail, np.inf)
        return self._bound.reshape(self.shape)

    def passage(self, a: Array, y: Array) -> Array:
        """`∫₀^a ds / (g⁻¹(s) (y + s))`, of the common shape of a, y and the parameters."""
        self.reach(float(np.max(a)))
        a, y, instance = np.broadcast_arrays(a, y, np.arange(self.instances).reshape(self.shape))
        # Next to zero y is a scale of its own: the first panel ends before it, octaves lead from there to the table's.
        # On each panel 1/(y + s) is then as smooth as the rule needs it.
        least = max(float(np.min(y)) / 4, _LEAST)
        octaves = max(math.ceil(math.log2(self.edges[1]) - math.log2(least)), 0)
        edges = np.concatenate([[0.0], self.edges[1] * 2.0 ** -np.arange(octaves, 0, -1), self.edges[1:]])
        edges = edges[: np.searchsorted(edges, np.max(a), side="right")]
        full = np.searchsorted(edges, a, side="right") - 1
        left, width = edges[:-1], np.diff(edges)
        nodes = np.where(np.arange(left.size) == 0, ROOTED[:, None], NODES[:, None])
        weights = width * np.where(np.arange(left.size) == 0, ROOTED_WEIGHTS[:, None], WEIGHTS[:, None])
        s = left + width * nodes
        weighted = np.moveaxis(weights[..., None] * self.density(s), -1, 1)  # nodes, instances, panels
        found = np.empty(a.shape)
        flat = [array.ravel() for array in (full, y, instance)]
        # The terms of all full panels of each entry, in parts that fit into memory.
        for chosen in np.array_split(np.arange(a.size), max(a.size * left.size // 10**6, 1)):
            stop, target, column = (array[chosen] for array in flat)
            terms = sum(w[column] / (target[:, None] + t) for w, t in zip(weighted, s, strict=True))
            found.flat[chosen] = np.sum(terms, axis=1, where=np.arange(left.size) < stop[:, None])
        start = edges[full]
        s, weights, metric = self._rest(full == 0, start, a - start)
        rest = (a - start) * (weights / (metric[:-1] * (y + s[:-1]))).sum(axis=0)
        return np.where(a <= self.edges[-1], found + rest, np.nan)


def _sums(terms):
    """The sums of the first terms, none to all of them, with rounding errors that grow with the logarithm of their
    number."""
    total, step = np.concatenate([np.zeros_like(terms[:1]), terms]), 1
    while step < total.shape[0]:
        total[step:] = total[step:] + total[:-step]
        step *= 2
    return total
