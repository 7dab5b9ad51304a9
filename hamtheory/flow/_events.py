"""A flow integrated for its sign flips, which the solver looks for in every step that is accepted."""

import dataclasses
from typing import Any, cast

import diffrax
import equinox as eqx
import jax.numpy as jnp

from .._array import Array
from ._crossings import Crossings, after_step, before, degree_of
from ._fields import AbstractFlow
from ._integrate import Plan, end_of, integrated


@eqx.filter_jit
def crossings_of(flow: AbstractFlow, plan: Plan, most: int) -> tuple[Crossings, Array]:
    """The crossings of zero until the end of the plan, at most so many times of each entry, and when it ended."""
    implicit = isinstance(plan.solver, diffrax.AbstractImplicitSolver)
    solver = (_WatchingImplicit if implicit else _Watching)(plan.solver, flow, most)
    saveat = diffrax.SaveAt(t1=True, solver_state=True)
    solution = integrated(flow, plan, end_of(flow, plan), solver, saveat)
    (_, crossings), ts = cast(Any, solution.solver_state), cast(Any, solution.ts)
    return crossings, ts[0]


class _Watching(diffrax.AbstractAdaptiveSolver):
    """A solver that also keeps the crossings. Its state is dropped with a rejected step, and so are they."""

    solver: Any
    flow: AbstractFlow
    most: int = eqx.field(static=True)

    @property
    def term_structure(self):
        return self.solver.term_structure

    @property
    def interpolation_cls(self):
        return self.solver.interpolation_cls

    @property
    def term_compatible_contr_kwargs(self):
        return self.solver.term_compatible_contr_kwargs

    def order(self, terms):
        return self.solver.order(terms)

    def strong_order(self, terms):
        return self.solver.strong_order(terms)

    def error_order(self, terms):
        return self.solver.error_order(terms)

    def func(self, terms, t0, y0, args):
        return self.solver.func(terms, t0, y0, args)

    def init(self, terms, t0, t1, y0, args):
        return self.solver.init(terms, t0, t1, y0, args), before(self.flow, y0, jnp.asarray(t0), self.most)

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        inner, crossings = solver_state
        y1, error, dense, inner, result = self.solver.step(terms, t0, t1, y0, args, inner, made_jump)
        path = self.solver.interpolation_cls(t0=t0, t1=t1, **dense)
        ends = jnp.asarray(t0), jnp.asarray(t1)
        crossings = after_step(self.flow, crossings, path, *ends, degree_of(self.solver))
        return y1, error, dense, (inner, crossings), result


class _WatchingImplicit(_Watching, diffrax.AbstractImplicitSolver):
    @property
    def root_finder(self):
        return self.solver.root_finder

    @property
    def root_find_max_steps(self):
        return self.solver.root_find_max_steps


def sharper(plan: Plan, rtol: float) -> Plan:
    """The same plan at a tolerance of `rtol`, if it is looser: steps are fixed by `dt` if it has one."""
    factor = jnp.minimum(rtol / plan.rtol, 1).astype(plan.rtol.dtype)
    return dataclasses.replace(
        plan, rtol=factor * plan.rtol, atol=factor * plan.atol, max_steps=4 * plan.max_steps, save="log"
    )
