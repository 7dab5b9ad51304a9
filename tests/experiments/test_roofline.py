"""Operations are counted as they are made: in compiled programs, and in calls of NumPy; and the parts are the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax.linalg import cholesky, triangular_solve

import hamtheory as ht
from experiments.benchmarks import roofline
from experiments.benchmarks._operations import Operation, census

CONFIG = roofline.Config.smoke()


def program(function, *shapes):
    """The text of a compiled program of arrays of ones."""
    return jax.jit(function).lower(*(jnp.ones(shape) for shape in shapes)).compile().as_text()


def counts(found, kind):
    return {one.shape: count for one, count in found.operations.items() if one.kind == kind}


def test_products_and_exponentials_in_a_loop_of_known_length():
    def function(x, y):
        step = lambda _, x: jnp.exp(-(x @ y) @ y.T)  # noqa: E731
        return jax.lax.fori_loop(0, 7, step, x)

    found = census(program(function, (8, 20), (20, 6)))
    assert counts(found, "product") == {(8, 20, 6): 7, (8, 6, 20): 7} and counts(found, "exp") == {(160,): 7}


def test_loops_of_unknown_length_run_as_often_as_is_said():
    def function(x, y, many):
        inner = lambda _, x: jnp.log1p(x @ y)  # noqa: E731
        outer = lambda i, x: jax.lax.fori_loop(0, many[i], inner, jnp.expm1(x))  # noqa: E731
        return jax.lax.fori_loop(0, many[0], outer, x)

    text = jax.jit(function).lower(jnp.ones((8, 6)), jnp.ones((6, 6)), jnp.array([3, 4])).compile().as_text()
    found = census(text, (3.0, 5.0))
    assert counts(found, "expm1") == {(48,): 3}
    assert counts(found, "log1p") == {(48,): 15} and counts(found, "product") == {(8, 6, 6): 15}


def test_factors_and_solves():
    def function(matrices, sides):
        factors = cholesky(matrices, symmetrize_input=False)
        return triangular_solve(factors, sides, lower=True)

    found = census(program(function, (9, 5, 5), (9, 2, 5)))
    assert counts(found, "cholesky") == {(9, 5, 5): 1} and counts(found, "triangular") == {(9, 2, 5): 1}


def test_traffic_is_that_of_what_is_no_product():
    # 1,000 numbers are read and 1,000 written; and a product's are its own.
    found = census(program(lambda x: jnp.where(x > 0, x, 2 * x), (1000,)))
    assert found.bytes == 16_000
    assert census(program(lambda x, y: x @ y, (100, 40), (40, 30))).bytes < 16 * 40 * 100


def test_work_of_operations():
    for kind, shape, work, moved in (
        ("product", (3, 4, 5), 120, 8 * 47),
        ("square", (3, 4), 36, 8 * 21),
        ("cholesky", (2, 6, 6), 144, 16 * 72),
        ("triangular", (2, 3, 4), 96, 8 * 80),
        ("solve", (1, 3, 4), 96, 8 * 40),
        ("exp", (10,), 10, 160),
    ):
        one = Operation("JAX", kind, shape)
        assert (one.work, one.bytes) == (work, moved)


@pytest.mark.parametrize("library", ["NumPy", "JAX"])
def test_an_operation_does_what_it_is_called(library):
    last = "solve" if library == "NumPy" else "triangular"
    for kind, shape in (("product", (3, 4, 5)), ("cholesky", (1, 4, 4)), ("exp", (10,)), (last, (1, 2, 4))):
        found = Operation(library, kind, shape).repeated()(3)
        assert library == "NumPy" or (np.asarray(found).size > 0 and np.isfinite(found).all())


def test_operations_of_limits_one_by_one():
    """A factorisation a step at least, unless it is the first, which has one weight for all."""
    problem = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k)
    engine = roofline._engines(CONFIG, problem)["limits, one by one"]
    found = roofline._counted_in_calls(engine, problem).operations
    limits = engine.call(ht.HAM)
    steps, r, d = sum(limit.stats["steps"] for limit in limits), CONFIG.n, CONFIG.d
    factors = found[Operation("NumPy", "cholesky", (1, r, r))]
    assert steps - 2 * len(limits) <= factors <= steps + 2 * len(limits)
    assert factors == found[Operation("NumPy", "square", (r, d))] and factors > 0
    evaluations = sum(limit.stats["evaluations"] for limit in limits)
    assert abs(found[Operation("NumPy", "expm1", (d,))] - evaluations) <= 6 * len(limits)


def test_operations_of_the_table():
    """As many corrections as the instances say, in groups of 32 of which the slowest counts."""
    problem = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k)
    problem = ht.LinearRegression(problem.X, problem.y)
    engine = roofline._engines(CONFIG, problem)["limits, table"]
    found = roofline._counted_in_calls(engine, problem).operations
    steps = np.asarray(engine.call(ht.HAM).stats["steps"])
    evaluated = found[Operation("NumPy", "product", (32, CONFIG.d, CONFIG.n))]
    assert steps.sum() / 32 < evaluated <= CONFIG.instances * (steps.max() + 1)
    assert 0 < found[Operation("NumPy", "product", (32, CONFIG.n, 4 * CONFIG.n))] < evaluated


def test_what_is_watched_is_left_as_it_was():
    table = roofline._of("limit._host_table")
    before = dict(vars(table.Table))
    place = table.Table, "corrected"

    def fail():
        with roofline._replaced([place], roofline._Clock().wrap):
            assert table.Table.corrected is not before["corrected"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert table.Table.corrected is before["corrected"]


@pytest.mark.slow
def test_the_parts_are_the_whole():
    data = roofline.run(CONFIG).to_dataframe()
    assert (data.status == 0).all() and (data.seconds[data.kind != "engine"] > 0).all()
    engines = data[data.kind == "engine"]
    assert engines.name.nunique() == 5 and len(engines) == 5 * len(roofline.PARTS)
    for _, own in engines.groupby("name"):
        assert own.share.sum() == pytest.approx(1, rel=1e-9) and own.bound.sum() < own.seconds.sum()
        own = own.set_index("part")
        assert (own.work[["products", "exponentials"]] > 0).all()
    operations = data[data.kind == "operation"]
    assert set(operations.library) == {"NumPy", "JAX"} and set(operations.part) == set(roofline.COMPONENTS)
