"""Limits of flows that noise or a step size has moved, and the learning rates there, shared by the experiments."""

import equinox as eqx
import jax

import hamtheory as ht


def largest_rate(problem: ht.LinearRegression, geometry: ht.geometry.AbstractGeometry) -> float:
    """The largest learning rate that is stable at the limit of the flow from zero."""
    return float(ht.metrics.stable_learning_rate(problem, geometry, ht.solve_limit(problem, geometry).theta))


@eqx.filter_jit
def limits_of_gammas(problem: ht.LinearRegression, gammas):
    """The limits of m⊙w from zero, with a γ for each entry, one a row; and the codes of their solutions."""
    ends = jax.vmap(lambda gamma: ht.solve_limit(problem, ht.Hypentropy(gamma), throw=False))(gammas)
    return ends.theta, ends.result


@eqx.filter_jit
def limits_from_mirror(problem: ht.LinearRegression, geometry: ht.geometry.AbstractGeometry, starts):
    """The limits of a flow from these mirror coordinates, one a row; and the codes of their solutions."""
    thetas = geometry.inverse_mirror_map(starts)
    ends = jax.vmap(lambda theta: ht.solve_limit(problem, geometry, theta, throw=False))(thetas)
    return ends.theta, ends.result
