"""An X that is known by its products alone: what comes out is what comes out of the array."""

import re
import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import hamtheory as ht
from hamtheory._products import Pairs, ProductBasis, SparseRows
from tests.slow import others_slow

N, D = 20, 60
WAYS = {
    "csr": sp.csr_array,
    "csc matrix": sp.csc_matrix,
    "triplets": sp.coo_array,
    "operator": aslinearoperator,
}
GEOMETRIES = {
    "gd": ht.Euclidean(),
    "ham 0.01": ht.HAM(alpha=1e-2),
    "ham 100": ht.HAM(alpha=100.0),
    "ham e^5000": ht.HAM(log_alpha=5000.0),
    "mw": ht.Hypentropy(gamma=1e-3),
    "mw e^-1000": ht.Hypentropy(log_gamma=-1000.0),
    "symbolic": ht.symbolic.geometry("1 + a*theta**2", a=3.0),
}


def data(kind):
    rng = np.random.default_rng(sum(map(ord, kind)))
    X = rng.standard_normal((N, D)) * (rng.random((N, D)) < 0.3)
    truth = rng.standard_normal(D)
    if kind == "dependent rows":
        X[3], X[7], X[9] = X[4], 2 * X[5], X[1] - X[2]
    if kind == "empty":
        X[3], X[:, ::7] = 0, 0
    if kind == "nearly dependent rows":
        X[5] = X[4] + 1e-4 * X[5]
    y = X @ truth
    if kind == "inconsistent":
        X[3], y = X[4], rng.standard_normal(N)
    if kind == "units":
        units = 10.0 ** rng.uniform(-150, 150, N)
        X, y = X * units[:, None], y * units
    if kind == "large":
        X, y = X * 1e150, y * 1e150
    if kind == "small":
        X, y = X * 1e-150, y * 1e-150
    return X, y


KINDS = ("generic", "dependent rows", "empty", "nearly dependent rows", "inconsistent", "units", "large", "small")


def pair(kind, way="csr"):
    X, y = data(kind)
    return ht.LinearRegression(X, y), ht.LinearRegression(WAYS[way](X), y)


def start():
    return np.random.default_rng(5).standard_normal(D)


@pytest.mark.parametrize("way", ["csr", "operator"])
@pytest.mark.parametrize("kind", KINDS)
def test_row_space(kind, way):
    dense, other = pair(kind, way)
    space, expected = other.row_space, dense.row_space
    assert isinstance(space.basis, ProductBasis)
    assert (int(other.rank), bool(other.is_consistent)) == (int(dense.rank), bool(dense.is_consistent))
    rank, lengths = int(other.rank), np.linalg.norm(dense.X / np.abs(dense.X).max(), axis=1) * np.abs(dense.X).max()
    basis = space.basis @ np.eye(D)
    np.testing.assert_allclose(basis @ basis.T, np.diag(np.arange(len(basis)) < rank), rtol=0, atol=1e-11)
    np.testing.assert_allclose(space.basis @ np.eye(D), np.eye(len(basis)) @ space.basis, rtol=0, atol=1e-12)
    rows = np.where(lengths > 0, lengths, 1)
    with np.errstate(under="ignore"):
        rebuilt = (space.left * (space.singular_values / rows[:, None])) @ basis
    np.testing.assert_allclose(rebuilt, dense.X / rows[:, None], rtol=0, atol=1e-11)
    sizes = expected.singular_values[:rank]
    np.testing.assert_allclose(space.singular_values[:rank], sizes, rtol=1e-9)
    np.testing.assert_allclose(
        ht.min_norm(other), ht.min_norm(dense), rtol=0, atol=1e-10 * np.abs(ht.min_norm(dense)).max()
    )


@pytest.mark.parametrize("begins", ["zero", "start"])
@pytest.mark.parametrize("kind", others_slow(KINDS, "generic", "dependent rows", "inconsistent"))
def test_limits(kind, begins):
    for geo in GEOMETRIES.values():
        _limits_agree(kind, geo, None if begins == "zero" else start())


def _limits_agree(kind, geo, theta0):
    dense, sparse = pair(kind)
    operator = pair(kind, "operator")[1]
    expected = ht.solve_limit(dense, geo, theta0, throw=False)
    for problem in (sparse, operator):
        limit = ht.solve_limit(problem, geo, theta0, throw=False)
        assert limit.result == expected.result
        assert limit.result == (ht.Result.infeasible if kind == "inconsistent" else ht.Result.converged)
        # The rows that nearly depend on others are known to ε over what they do not share.
        within = 1e-7 if kind == "nearly dependent rows" else 1e-9
        np.testing.assert_allclose(limit.theta, expected.theta, rtol=0, atol=within * np.abs(expected.theta).max())
        # The certificate, by the array: the residual, and the invariant of the flow.
        assert abs(ht.metrics.relative_residual(dense, limit.theta) - limit.residual) < 1e-12
        coordinates = dense.row_space.coordinates(limit.dual)
        if kind in ("generic", "dependent rows", "empty") and float(geo.log_sparsity or 0) < 100:
            proof = ht.metrics.certify(dense, geo, limit.theta, np.zeros(D) if theta0 is None else theta0, coordinates)
            assert proof.violation <= 1e-10


@pytest.mark.parametrize("kind", ["generic", "dependent rows", "inconsistent", "large"])
@pytest.mark.parametrize("geo", [ht.Euclidean(), ht.HAM(alpha=10.0), ht.Hypentropy(gamma=1e-2)], ids=lambda g: g.name)
def test_weight_decay(kind, geo):
    dense, sparse = pair(kind)
    unit = np.abs(dense.gradient(np.zeros(D))).max() / np.abs(ht.min_norm(dense)).max()
    grid = np.array([1e-3, 0.1, 1.0]) * unit
    expected = ht.regularization_path(dense, geo, grid)
    for problem in (sparse, pair(kind, "operator")[1]):
        path = ht.regularization_path(problem, geo, grid)
        size = np.abs(expected.thetas).max()
        np.testing.assert_allclose(path.thetas, expected.thetas, rtol=0, atol=1e-9 * size)
        single = ht.solve_limit(problem, geo, weight_decay=grid[1])
        np.testing.assert_allclose(single.theta, expected.thetas[1], rtol=0, atol=1e-9 * size)
        assert ht.metrics.relative_stationarity(dense, geo, single.theta, grid[1]) < 1e-9


@pytest.mark.parametrize("way", WAYS)
def test_path(way):
    dense, other = pair("generic", way)
    grid = [-5.0, 0.0, 5.0, 20.0, 5000.0]
    expected, path = ht.limit_path(dense, ht.HAM, grid), ht.limit_path(other, ht.HAM, grid)
    np.testing.assert_allclose(path.thetas, expected.thetas, rtol=0, atol=1e-9 * np.abs(expected.thetas).max())


@pytest.mark.parametrize(
    ("kind", "geo", "options"),
    [
        ("generic", ht.Euclidean(), {}),
        ("dependent rows", ht.Hypentropy(gamma=1e-2), {"weight_decay": 0.01}),
        ("empty", ht.HAM(alpha=10.0), {}),
        ("generic", ht.HAM(alpha=10.0), {"weight_decay": 0.01}),
        ("dependent rows", ht.Hypentropy(gamma=1e-2), {"coordinates": "primal"}),
        ("generic", ht.Euclidean(), {"solver": "lsoda", "coordinates": "primal"}),
    ],
    ids=str,
)
def test_flows(kind, geo, options):
    dense, sparse = pair(kind)
    how = {"rtol": 1e-11, "atol": 1e-13, "ts": np.geomspace(1e-3, 10.0, 7), **options}
    expected = ht.solve_flow(dense, geo, start(), **how)
    flow = ht.solve_flow(sparse, geo, start(), **how)
    within = 1e-8 * np.abs(expected.thetas).max()
    np.testing.assert_allclose(flow.thetas, expected.thetas, rtol=0, atol=within)
    np.testing.assert_allclose(flow.loss, expected.loss, rtol=0, atol=1e-8 * expected.loss.max())


def test_a_flow_of_an_operator_ends_at_its_limit():
    _, problem = pair("generic", "operator")
    flow, limit = (solve(problem, ht.HAM(alpha=10.0)) for solve in (ht.solve_flow, ht.solve_limit))
    assert flow.result == ht.Result.converged
    np.testing.assert_allclose(flow.theta, limit.theta, rtol=0, atol=1e-7)


@pytest.mark.parametrize("way", ["csr", "operator"])
def test_flow_of_factors_of_which_some_are_dead(way):
    dense, other = pair("generic", way)
    m0, w0 = np.r_[np.full(D - 5, 0.3), np.zeros(5)], np.r_[np.zeros(D - 5), np.zeros(5)]
    expected = ht.product_flow(dense, m0, w0, ts=[0.1, 1.0], rtol=1e-11)
    flow = ht.product_flow(other, m0, w0, ts=[0.1, 1.0], rtol=1e-11)
    np.testing.assert_allclose(flow.thetas, expected.thetas, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["generic", "dependent rows", "inconsistent"])
def test_basis_pursuit_of_sparse_rows(kind):
    dense, sparse = pair(kind)
    expected, found = ht.basis_pursuit(dense), ht.basis_pursuit(sparse)
    assert abs(np.abs(found).sum() / np.abs(expected).sum() - 1) < 1e-9
    assert ht.metrics.relative_distance_to_least_squares(dense, found) < 1e-9


@pytest.mark.parametrize("way", ["csr", "operator"])
@pytest.mark.parametrize("kind", ["generic", "dependent rows"])
def test_metrics(kind, way):
    dense, other = pair(kind, way)
    theta, geo = start(), ht.HAM(alpha=3.0)
    for metric in (ht.metrics.asymptotic_rate, ht.metrics.stable_learning_rate):
        np.testing.assert_allclose(metric(other, geo, theta), metric(dense, geo, theta), rtol=1e-9)
    np.testing.assert_allclose(other.convergence_rate, dense.convergence_rate, rtol=1e-9)
    many = np.random.default_rng(0).standard_normal((2, 3, D))
    np.testing.assert_allclose(other.loss(many), dense.loss(many), rtol=1e-12)
    np.testing.assert_allclose(other.gradient(many), dense.gradient(many), rtol=0, atol=1e-12)
    zero = np.zeros(D)
    found, expected = (
        ht.metrics.nearest_coordinates(problem, geo, theta, zero) @ problem.row_space.basis
        for problem in (other, dense)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_more_rows_than_columns():
    X, y = data("generic")
    dense, sparse = ht.LinearRegression(X.T, X.T @ y), ht.LinearRegression(sp.csr_array(X.T), X.T @ y)
    np.testing.assert_allclose(ht.solve_limit(sparse, ht.HAM(alpha=2.0)).theta, y, rtol=0, atol=1e-9)
    assert int(sparse.rank) == int(dense.rank) == N


def test_pairs_of_entries_give_the_same_matrix_as_products():
    rng = np.random.default_rng(0)
    Z = sp.random_array((30, 200), density=0.1, format="csr", rng=rng, data_sampler=rng.standard_normal)
    weights, dense = rng.random(200), rng.standard_normal((3, 200))
    rows = SparseRows(Z, dense)
    whole = np.vstack([Z.toarray(), dense])
    np.testing.assert_allclose(rows.gram(weights), (whole * weights) @ whole.T, rtol=0, atol=1e-13)
    assert isinstance(rows.pairs, Pairs)
    rows.pairs = None  # as with too many of them
    np.testing.assert_allclose(rows.gram(weights), (whole * weights) @ whole.T, rtol=0, atol=1e-13)


def test_float32_and_integers():
    X, y = data("generic")
    single = ht.LinearRegression(sp.csr_array(X.astype(np.float32)), y.astype(np.float32))
    limit = ht.solve_limit(single, ht.HAM(alpha=2.0), tol=1e-5)
    assert single.dtype == limit.theta.dtype == np.float32
    expected = ht.solve_limit(ht.LinearRegression(X, y), ht.HAM(alpha=2.0)).theta
    np.testing.assert_allclose(limit.theta, expected, rtol=0, atol=1e-4)
    for way in WAYS.values():
        assert ht.LinearRegression(way(np.round(X).astype(int)), y).dtype == np.float64


def test_the_data_are_the_problems_own():
    X = sp.csr_array(data("generic")[0])
    problem = ht.LinearRegression(X, np.ones(N))
    X.data[:] = 0
    assert problem.X.data.any()
    with pytest.raises(ValueError, match="read-only"):
        problem.X.data[0] = 1.0


def test_memory_is_that_of_the_entries():
    """An array of this shape has 960 MB."""
    n, d = 400, 300_000
    rng = np.random.default_rng(0)
    X = sp.random_array((n, d), density=1e-3, format="csr", rng=rng, data_sampler=rng.standard_normal)
    tracemalloc.start()
    try:
        problem = ht.LinearRegression(X, rng.standard_normal(n))
        limit = ht.solve_limit(problem, ht.HAM(alpha=100.0))
        assert tracemalloc.get_traced_memory()[1] < 120e6
    finally:
        tracemalloc.stop()
    assert limit.residual < 1e-10


def _without_transpose(X):
    return LinearOperator(X.shape, matvec=lambda v: X @ v)


def _with_another(X):
    return LinearOperator(X.shape, matvec=lambda v: X @ v, rmatvec=lambda u: 2 * (X.T @ u))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda X: sp.csr_array(np.where(X.max() == X, np.nan, X)), r"X must be finite; got nan at index \d+, \d+"),
        (lambda X: aslinearoperator(np.where(X.max() == X, np.nan, X)), "X must be finite"),
        (lambda X: sp.csr_array(X.astype(complex)), "X must hold real numbers; got dtype complex128"),
        (lambda X: aslinearoperator(X.astype(complex)), "X must hold real numbers; got dtype complex128"),
        (lambda X: sp.coo_array(X[0]), "X must have 2 axes"),
        (lambda X: sp.csr_array((N, 0)), "X must have at least one row and one column"),
        (lambda X: sp.csr_array(X[:3]), "y must have one entry a row of X, 3"),
        (_without_transpose, r"X must know its products .* rmatvec"),
        (_with_another, "X must be linear, with rmatvec its transpose"),
    ],
)
def test_what_is_no_matrix(unchecked, make, message):
    X, y = data("generic")
    with pytest.raises(ValueError, match=message):
        ht.LinearRegression(make(X), y)


def test_nearly_dependent_rows_are_kept_apart_only_as_far_as_memory_goes(monkeypatch):
    monkeypatch.setattr("hamtheory.problem._rows._MOST", D)
    X, y = data("generic")
    X[10:] = X[:10] + 1e-5 * X[10:]
    with pytest.raises(ValueError, match=r"X has at least .* give X as an array"):
        ht.LinearRegression(sp.csr_array(X), y)


REFUSED = {
    "solve_limits": lambda p: ht.solve_limits(p, ht.HAM(alpha=np.ones(60))),
    "solve_flows": lambda p: ht.solve_flows(p, ht.HAM(alpha=np.ones(60))),
    "run": lambda p: ht.run(p, ht.GD(), learning_rate=0.1, steps=2),
    "run_many": lambda p: ht.run_many(p, ht.GD(), learning_rate=0.1, steps=2),
    "stochastic_flow": lambda p: ht.stochastic_flow(p, ht.GD(), learning_rate=0.1, ts=[1.0], key=0),
    "solve_limit on JAX": lambda p: ht.solve_limit(p, ht.Euclidean(), jnp.zeros(D)),
    "limit_path on JAX": lambda p: ht.limit_path(p, ht.HAM, jnp.zeros(1)),
    "solve_flow on JAX": lambda p: ht.solve_flow(p, ht.Euclidean(), solver="tsit5"),
    "steepest_flow": lambda p: ht.steepest_flow(p, np.ones((2, D))),
    "LinearizedBregman": lambda p: ht.solve_limit(p, ht.LinearizedBregman(1.0)),
    "flows of LinearizedBregman": lambda p: ht.solve_flow(p, ht.LinearizedBregman(1.0)),
    "DiagonalNetwork": lambda p: ht.solve_limit(p, ht.DiagonalNetwork(3, 1e-6)),
    "certify_basis_pursuit": ht.certify_basis_pursuit,
    "exact_threshold": ht.exact_threshold,
    "gradient_second_moments": lambda p: ht.metrics.gradient_second_moments(p, np.zeros(D)),
}


@pytest.mark.parametrize("way", ["csr", "operator"])
@pytest.mark.parametrize("what", REFUSED)
def test_what_needs_an_array_says_so(what, way):
    kind = "a LinearOperator" if way == "operator" else "sparse"
    with pytest.raises(TypeError, match=rf"X must be an array for .*{re.escape(what)}.*; it is {kind}, .* take"):
        REFUSED[what](pair("generic", way)[1])


def test_a_classification_and_arrays_of_jax_say_so():
    X, y = data("generic")
    for way in WAYS.values():
        with pytest.raises(TypeError, match="X must be an array for a BinaryClassification"):
            ht.BinaryClassification(way(X), np.sign(y))
        with pytest.raises(TypeError, match="y must be an array of NumPy where X is sparse"):
            ht.LinearRegression(way(X), jnp.asarray(y))
    with pytest.raises(TypeError, match="X must be an array for basis_pursuit"):
        ht.basis_pursuit(ht.LinearRegression(aslinearoperator(X), y))


def test_few_limits_and_flows_of_products():
    _, products = pair("generic", "csr")
    dense, _ = pair("generic", "csr")
    geos = ht.HAM(alpha=[1.0, 20.0])
    np.testing.assert_allclose(ht.solve_limits(products, geos).theta, ht.solve_limits(dense, geos).theta, atol=1e-9)
    np.testing.assert_allclose(ht.solve_flows(products, geos).theta, ht.solve_flows(dense, geos).theta, atol=1e-6)
