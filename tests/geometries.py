"""The geometries that every test of a kind is put to: a new one is a line here."""

import numpy as np

import hamtheory as ht
from hamtheory.geometry import AbstractGeometry, namespace

# Those of the package, in the parameters that differ most, on 20 columns: held to each other on both engines.
GEOMETRIES = {
    "gd": ht.Euclidean(),
    "ham": ht.HAM(alpha=20.0),
    "ln α": ht.HAM(log_alpha=60.0),
    "mw": ht.Hypentropy(gamma=1e-3),
    "network": ht.DiagonalNetwork(3, scale=0.3),
    "formula": ht.symbolic.geometry("1 + a*theta**2", a=2.0),
    "one a column": ht.HAM(alpha=np.geomspace(1.0, 50.0, 20)),
}


class Quadratic(AbstractGeometry):
    a: float

    def inverse_metric(self, theta):
        return 1 + self.a * theta**2


class Root(AbstractGeometry):
    a: float

    def inverse_metric(self, theta):
        return (1 + self.a * theta**2) ** 0.5


class Saturating(AbstractGeometry):
    a: float
    width: float = 0.1

    def inverse_metric(self, theta):
        return 1 + self.a * theta**2 / (self.width + theta**2)


class Logarithmic(AbstractGeometry):
    a: float

    def inverse_metric(self, theta):
        return 1 + namespace(theta).log1p(self.a * abs(theta))


# Of one method each, from which limit, flow, weight decay, flips, sweep and command line follow.
OF_ONE_METHOD = [Quadratic(a=3.0), Root(a=50.0), Saturating(a=20.0), Logarithmic(a=9.0)]
