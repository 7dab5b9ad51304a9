"""Both engines answer alike: NumPy in, NumPy out; JAX in, JAX out; the numbers agree to 1e-9.

Every public function that takes arrays is in `CASES`, or in `ONE_ENGINE` with the reason why it has only one.
"""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from tests.geometries import GEOMETRIES

RNG = np.random.default_rng(11)
PROBLEM = ht.sparse_regression(8, 20, 3, seed=6, noise=0.05)
START = 0.3 * RNG.standard_normal(20)
OTHER = RNG.standard_normal((3, 20))
TIMES = np.array([0.0, 0.05, 0.3, 2.0])
TIGHT = {"rtol": 1e-11, "atol": 1e-13, "tol": 1e-11}

ONE_ENGINE = {
    "ht.solve_limits": "many", "ht.solve_flows": "many", "ht.run": "many", "ht.run_many": "many", "ht.sweep": "many",
    "ht.stochastic_flow": "many", "ht.signs.count_flips": "of a run", "ht.metrics.gradient_second_moments": "of a run",
    "ht.solve_margin": "of concrete data", "ht.margin_path": "of concrete data", "ht.solve_margins": "many",
    "ht.read_problem": "reads a file",
    "ht.sparse_regression": "draws", "ht.sparse_classification": "draws", "ht.gaussian_mixture": "draws",
    "ht.geometry.finetuning": "of concrete data", "ht.steepest_flow": "of concrete data",
    "ht.signs.totals": "of events", "ht.neuron.can_change_sign": "of a neuron",
    "ht.neuron.arc_cosine_kernel": "of a neuron", "ht.geometry.check_geometry": "checks",
    "ht.geometry.believe": "checks", "ht.geometry.refuse_dead_zone": "checks",
    "ht.metrics.certified": "of the host's loops",
    "ht.metrics.certified_rows": "of the host's loops",
    "ht.geometry.named": "names", "ht.geometry.names": "names", "ht.geometry.name_of": "names",
    "ht.geometry.arguments_of": "names", "ht.geometry.namespace": "says which", "ht.geometry.divergence_terms": "inner",
}  # fmt: skip


def on(engine, value):
    """The value with the arrays of an engine."""
    return jax.tree.map(jnp.asarray, value) if engine == "device" else value


def limits():
    for name, geo in GEOMETRIES.items():
        for start in (None, START):
            label = f"{name}, {'zero' if start is None else 'a start'}"
            yield label, lambda p, geo, start: ht.solve_limit(p, geo, start, tol=1e-13), (PROBLEM, geo, start)
    for name in ("gd", "ham", "mw"):
        decayed = lambda p, geo: ht.solve_limit(p, geo, weight_decay=0.05, tol=1e-12)  # noqa: E731
        yield f"{name}, weight decay", decayed, (PROBLEM, GEOMETRIES[name])


def flows():
    for name in ("gd", "ham", "mw", "network", "formula"):
        for coordinates in ("dual", "primal"):

            def flow(p, geo, start, ts, coordinates=coordinates):
                return ht.solve_flow(p, geo, start, ts=ts, coordinates=coordinates, **TIGHT)

            yield f"{name}, {coordinates}", flow, (PROBLEM, GEOMETRIES[name], START, TIMES)
    decaying = lambda p, geo, start, ts: ht.solve_flow(p, geo, start, ts=ts, weight_decay=0.05, **TIGHT)  # noqa: E731
    for name in ("ham", "mw"):
        yield f"{name}, weight decay", decaying, (PROBLEM, GEOMETRIES[name], START, TIMES)


def flipped(what):
    def events(p, geo, start, ts):
        return what(ht.solve_flow(p, geo, start, ts=ts, coordinates="dual", **TIGHT))  # a program of the flows above

    return [(name, events, (PROBLEM, GEOMETRIES[name], START, TIMES)) for name in ("ham", "mw")]


def solved(prepared):
    """The least-L2 limit of a table, in its units."""
    return prepared.coefficients(ht.min_norm(prepared.problem))


def of_geometries(function, *arrays):
    return [(name, function, (geo, *arrays)) for name, geo in GEOMETRIES.items()]


def measured(function, *arrays):
    return [("", function, arrays)]


LIMIT = ht.solve_limit(PROBLEM, GEOMETRIES["ham"])
CASES = {
    "ht.solve_limit": list(limits()),
    "ht.min_norm": [(str(s), lambda p, s: ht.min_norm(p, s), (PROBLEM, s)) for s in (None, START)],
    "ht.basis_pursuit": measured(ht.basis_pursuit, PROBLEM),
    "ht.certify_basis_pursuit": measured(ht.certify_basis_pursuit, PROBLEM),
    "ht.exact_threshold": measured(ht.exact_threshold, PROBLEM),
    "ht.limit_path": [
        (f.__name__, lambda p, g, f=f: ht.limit_path(p, f, g, tol=1e-12), (PROBLEM, np.array([-5.0, 1.0, 30.0])))
        for f in (ht.HAM, ht.Hypentropy)
    ],
    "ht.regularization_path": [
        (n, lambda p, g, b: ht.regularization_path(p, g, b, tol=1e-12), (PROBLEM, GEOMETRIES[n], np.array([0.3, 0.02])))
        for n in ("gd", "ham", "mw")
    ],
    "ht.solve_flow": list(flows()),
    "ht.product_flow": [
        ("", lambda p, m, w, ts: ht.product_flow(p, m, w, ts=ts, **TIGHT), (PROBLEM, START, 0.3 * OTHER[0], TIMES)),
        ("weight decay", lambda p, m, w, ts: ht.product_flow(p, m, w, ts=ts, weight_decay=0.1, **TIGHT),
         (PROBLEM, START, 0.3 * OTHER[0], TIMES)),
    ],
    "ht.prepare": [
        (str(options), lambda X, y, w, o=options: solved(ht.prepare(X, y, sample_weight=w, **o)),
         (PROBLEM.X + 1.0, PROBLEM.y, np.arange(8.0)))
        for options in ({}, {"standardize": True}, {"intercept": False})
    ],
    "ht.bregman_divergence": of_geometries(ht.bregman_divergence, OTHER[0], START),
    "ht.signs.flip_times": flipped(ht.signs.flip_times),
    "ht.signs.flip_events": flipped(ht.signs.flip_events),
    "ht.signs.first_passage_time": of_geometries(
        lambda geo, a, y: ht.signs.first_passage_time(geo, a, y), np.geomspace(1e-3, 10.0, 20), np.full(20, 0.7)
    ),
    "ht.signs.flips": measured(ht.signs.flips, OTHER),
    "ht.signs.agreement": measured(ht.signs.agreement, OTHER[0], START),
    "ht.signs.recovery_time": measured(
        ht.signs.recovery_time,
        ht.signs.flip_events(ht.solve_flow(PROBLEM, GEOMETRIES["ham"], START, **TIGHT)),
        np.where(np.arange(20) < 3, np.sign(ht.solve_limit(PROBLEM, GEOMETRIES["ham"], START).theta), 0),
    ),
    "ht.metrics.relative_residual": measured(ht.metrics.relative_residual, PROBLEM, OTHER),
    "ht.metrics.relative_distance_to_least_squares": measured(
        ht.metrics.relative_distance_to_least_squares, PROBLEM, START
    ),
    "ht.metrics.certify": [
        ("", ht.metrics.certify, (PROBLEM, GEOMETRIES["ham"], LIMIT.theta, np.zeros(20), 0.1 * RNG.standard_normal(8)))
    ],
    "ht.metrics.nearest_coordinates": of_geometries(
        lambda geo, theta, start: ht.metrics.nearest_coordinates(on_like(theta), geo, theta, start), LIMIT.theta, START
    ),
    "ht.metrics.relative_stationarity": [
        ("", lambda p, g, t: ht.metrics.relative_stationarity(p, g, t, 0.1), (PROBLEM, GEOMETRIES["ham"], START))
    ],
    "ht.metrics.margin": [
        ("", lambda p, t: ht.metrics.margin(p, t, 1.5), (ht.BinaryClassification(OTHER, [1, -1, 1]), START))
    ],
    "ht.metrics.accuracy": [
        (
            "",
            lambda p, t: ht.metrics.accuracy(p, t, attack=0.1, p=1.5),
            (ht.BinaryClassification(OTHER, [1, -1, 1]), START),
        )
    ],
    "ht.metrics.relative_excess": measured(ht.metrics.relative_excess, np.array([1.5, 2.0]), np.array([1.0, 1.9])),
    "ht.metrics.distance": measured(ht.metrics.distance, OTHER, START),
    "ht.metrics.entries_carrying": measured(ht.metrics.entries_carrying, START),
    "ht.metrics.asymptotic_rate": [("", ht.metrics.asymptotic_rate, (PROBLEM, GEOMETRIES["ham"], LIMIT.theta))],
    "ht.metrics.invariant_drift": [("", ht.metrics.invariant_drift, (PROBLEM, GEOMETRIES["ham"], START, OTHER[0]))],
    "ht.metrics.stable_learning_rate": [
        ("", ht.metrics.stable_learning_rate, (PROBLEM, GEOMETRIES["ham"], LIMIT.theta))
    ],
}  # fmt: skip


def on_like(array):
    return on("host" if isinstance(array, np.ndarray) else "device", PROBLEM)


def numbers(found):
    """What a result says, by name, without how it was computed: counts of steps, and where they were."""
    if not dataclasses.is_dataclass(found):
        return {"": found}
    left_out = {"stats", "states", "how", "result", "steps"}
    return {field.name: getattr(found, field.name) for field in dataclasses.fields(found) if field.name not in left_out}


def slow(name, label):
    """What the device compiles for long."""
    geometry, _, how = label.partition(", ")
    return (
        geometry in ("network", "one a column", "ln α", "formula")
        or (geometry != "ham" and (how == "primal" or name in ("ht.signs.flip_events", "ht.regularization_path")))
        or name in ("ht.signs.flip_times", "ht.limit_path")
        or label.endswith("weight decay")
        or (name == "ht.solve_flow" and label in ("mw, dual", "ham, primal"))
    )


ALL = [
    pytest.param(name, case[0], marks=[pytest.mark.slow] if slow(name, case[0]) else [])
    for name in CASES
    for case in CASES[name]
]


@pytest.mark.parametrize("name, label", ALL)
def test_engines_agree(name, label):
    function, given = next(case[1:] for case in CASES[name] if case[0] == label)
    host, device = (function(*on(engine, given)) for engine in ("host", "device"))
    assert type(host) is type(device) or isinstance(host, (np.ndarray, np.generic))
    if hasattr(host, "result"):
        assert np.array_equal(host.result, device.result)
    wanted = numbers(device)
    for key, value in numbers(host).items():
        if value is None or wanted[key] is None:
            assert value is None and wanted[key] is None, key
            continue
        assert not isinstance(value, jax.Array), f"{key}: JAX's array for NumPy's"
        assert isinstance(wanted[key], (jax.Array, bool)) or not hasattr(wanted[key], "dtype"), (
            f"{key}: NumPy's for JAX's"
        )
        size = np.max(np.abs(np.nan_to_num(np.asarray(wanted[key], float))), initial=0)
        scale = 1.0 if key in ("residual", "duality_gap", "relative_gap", "stationarity") else max(size, 1e-300)
        np.testing.assert_allclose(
            np.asarray(value, float), np.asarray(wanted[key], float), rtol=1e-9, atol=1e-9 * scale, err_msg=key
        )


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries_agree(name):
    geo, theta = GEOMETRIES[name], np.concatenate([[0.0], np.geomspace(1e-8, 1e3, 19)]) * (-1.0) ** np.arange(20)
    mu = geo.mirror_map(theta)
    for method in ("inverse_metric", "mirror_map", "potential", "moment", "inverse_mirror_map", "conjugate"):
        x = mu if method in ("inverse_mirror_map", "conjugate") else theta
        host, device = getattr(geo, method)(x), getattr(on("device", geo), method)(jnp.asarray(x))
        assert isinstance(host, np.ndarray) and isinstance(device, jax.Array)
        np.testing.assert_allclose(host, device, rtol=1e-9, err_msg=method)


@pytest.mark.parametrize("name", [name for name in GEOMETRIES if name != "one a column"])
def test_a_number_is_an_array_of_one(name):
    geo = GEOMETRIES[name]
    for method in ("inverse_metric", "mirror_map", "potential", "moment", "inverse_mirror_map", "conjugate"):
        for x in (0.0, 1e-300, 1e-5, -0.3, 1, 40.0, np.float32(0.5), np.array(0.2)):
            found, wanted = (getattr(geo, method)(each) for each in (x, np.reshape(x, 1)))
            assert np.shape(found) == () and found.dtype == wanted.dtype, (method, x)
            np.testing.assert_allclose(found, wanted[0], rtol=1e-6 if found.dtype == np.float32 else 1e-14)


def test_every_function_is_here():
    missing = []
    for room, prefix in ((ht, "ht"), (ht.metrics, "ht.metrics"), (ht.signs, "ht.signs"), (ht.geometry, "ht.geometry")):
        public = getattr(room, "__all__", None) or [
            name for name, value in vars(room).items() if getattr(value, "__module__", "") == room.__name__
        ]
        for name in public:
            known = {key.rpartition(".")[2] for key in (*CASES, *ONE_ENGINE)}
            if not name.startswith("_") and inspect.isfunction(getattr(room, name)) and name not in known:
                missing.append(f"{prefix}.{name}")
    assert not missing
