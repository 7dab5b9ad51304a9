"""The numbers of a sweep: those of the library, and of no other instance's business."""

import jax
import numpy as np
import pytest
import toy  # noqa: F401  the quantities of the tests

import hamtheory as ht
from hamtheory.sweeps import SerialExecutor
from hamtheory.sweeps._chunk import compute_chunk

SPARSE = {"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(5)}
HAM = {"family": "ham", "alpha": {"start": 0.1, "stop": 1000.0, "count": 4, "scale": "log"}}
STARTS = ["zeros", {"kind": "normal", "scale": 0.1, "seeds": [3]}]
VALUES = ("theta", "residual", "duality_gap", "relative_gap", "l1_norm", "l2_norm", "steps", "status", "entries_99")


def spec(**changes):
    table = {"problems": SPARSE, "geometries": HAM, "starts": STARTS, "chunk": 9, "keep_theta": True}
    return table | changes


class Backwards(SerialExecutor):
    """The last chunk first."""

    def run(self, spec, columns, chunks):
        yield from super().run(spec, columns, reversed(list(chunks)))


@pytest.fixture(scope="module", params=["host", "device"])
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def limits(tmp_path_factory, engine):
    """40 limits, in memory."""
    with ht.sweep(spec(engine=engine), tmp_path_factory.mktemp("sweep") / "store", progress=False) as dataset:
        return dataset.load()


def bits(values):
    return np.asarray(values).tobytes()


def test_instances_are_the_limits_of_the_library(limits):
    assert limits.sizes == {"instance": 40, "column": 8} and not limits.status.any()
    for instance in (0, 17, 39):
        row = limits.isel(instance=instance)
        problem = ht.sparse_regression(4, 8, 2, seed=int(row.seed))
        theta0 = None if row.start == 0 else 0.1 * np.random.default_rng([3, 1]).standard_normal(8)
        limit = ht.solve_limit(problem, ht.HAM(alpha=float(row.parameter)), theta0)
        np.testing.assert_allclose(row.theta, limit.theta, rtol=0, atol=1e-9)
        np.testing.assert_allclose(row.l1_norm, np.abs(limit.theta).sum(), rtol=1e-9)
        distance = np.linalg.norm(np.asarray(row.theta) - np.asarray(problem.theta_star))
        np.testing.assert_allclose(row.distance_to_theta_star, distance, rtol=1e-12)
    assert float(limits.residual.max()) <= 1e-10 and float(abs(limits.relative_gap).max()) <= 1e-10
    np.testing.assert_array_equal(limits.seed, np.repeat(np.arange(5), 8))
    np.testing.assert_array_equal(limits.start_seed, np.tile([-1, 3], 20))


@pytest.mark.parametrize("chunk", [1, pytest.param(7, marks=pytest.mark.slow), 40])
def test_neither_the_chunk_nor_the_order_matters(limits, engine, tmp_path, chunk):
    """To the bit: the blocks that are computed side by side have one width, whatever the chunk."""
    with ht.sweep(spec(chunk=chunk, engine=engine), tmp_path / "store", executor=Backwards(), progress=False) as other:
        for name in VALUES:
            assert bits(limits[name]) == bits(other[name]), name


def test_neither_do_the_other_instances(limits, engine, tmp_path):
    """The same instances among others: a problem less, other parameters."""
    hams = {"family": "ham", "alpha": [1e4, 1000.0, 1e-2]}
    fewer = spec(engine=engine, problems=SPARSE | {"seeds": [4, 2]}, geometries=hams)
    with ht.sweep(fewer, tmp_path / "store", progress=False) as other:
        for seed in (2, 4):
            of = [
                data.isel(instance=np.asarray((data.seed == seed) & (data.parameter == 1000.0)))
                for data in (limits, other)
            ]
            assert len(of[0].instance) == len(of[1].instance) == 2
            for name in VALUES:
                assert bits(of[0][name]) == bits(of[1][name]), name


# ---- poison


@pytest.fixture
def poisoned(tmp_path):
    """Five problems of one shape, of which one has NaN, one an infinity and one no solution."""
    X, y = np.random.default_rng(0).standard_normal((5, 8, 8)), np.ones((5, 8))
    X[:, 4:] = X[:, :4]  # repeated rows
    X[1, 2, 3], y[2, 0], y[3, 0] = np.nan, np.inf, 2.0
    blocks = []
    for i in range(5):
        np.savez(tmp_path / f"{i}.npz", X=X[i], y=y[i])
        blocks.append({"kind": "file", "path": str(tmp_path / f"{i}.npz")})
    return blocks


def test_a_poisoned_instance_is_data_and_changes_no_other(poisoned, engine, tmp_path):
    huge = {"kind": "normal", "scale": 1e306, "seeds": [0]}  # overflows on the way
    healthy = spec(problems=[poisoned[0], poisoned[4]], starts=["zeros"], chunk=100, engine=engine)
    with ht.sweep(healthy, tmp_path / "healthy", progress=False) as alone:
        alone.load()
    with ht.sweep(
        spec(problems=poisoned, starts=["zeros", huge], chunk=100, engine=engine), tmp_path / "all", progress=False
    ) as every:
        every.load()
    names = every.status.attrs["flag_meanings"].split()
    status = every.status.to_numpy().reshape(5, 4, 2)  # problem, parameter, start
    ends = [[names[code + 1] for code in codes] for codes in status[:, :, 0]]
    assert ends == [["converged"] * 4, ["nonfinite"] * 4, ["nonfinite"] * 4, ["infeasible"] * 4, ["converged"] * 4]
    assert np.isnan(every.theta[every.problem == 1]).all() and not np.isin(status[:, :, 1], [0, -1]).any()
    for place, problem in enumerate((0, 4)):
        for name in VALUES:
            here = every[name][(every.problem == problem) & (every.start == 0)]
            assert bits(here) == bits(alone[name][alone.problem == place]), name


def test_out_of_steps(tmp_path, engine):
    few = spec(quantity={"name": "limit", "max_steps": 1}, engine=engine)
    with ht.sweep(few, tmp_path / "store", progress=False) as dataset:
        names = [dataset.status.attrs["flag_meanings"].split()[code + 1] for code in dataset.status.to_numpy()]
    assert set(names) <= {"max_steps", "converged"} and names.count("max_steps") > 20


def test_csv_with_nan(tmp_path):
    (tmp_path / "data.csv").write_text("a,b,y\n1,2,3\n4,nan,6\n")
    path = str(tmp_path / "data.csv")
    with ht.sweep(spec(problems={"kind": "file", "path": path}), tmp_path / "store", progress=False) as dataset:
        assert (dataset.status == ht.NAMES.index("nonfinite")).all() and (dataset.d == 2).all()


# ---- other quantities and families


@pytest.mark.slow
def test_paths_are_limits(limits, engine, tmp_path):
    with ht.sweep(spec(quantity="path", chunk=4, engine=engine), tmp_path / "store", progress=False) as path:
        assert path.sizes == {"instance": 10, "point": 4, "column": 8} and not path.status.any()
        np.testing.assert_allclose(
            np.exp(path.log_parameters[0]), [0.1, 0.1 * 1e4 ** (1 / 3), 0.1 * 1e4 ** (2 / 3), 1e3]
        )
        # instance of a path: (problem, start); of the limits: (problem, parameter, start)
        expected = limits.theta.to_numpy().reshape(5, 4, 2, 8).transpose(0, 2, 1, 3).reshape(10, 4, 8)
        np.testing.assert_allclose(path.theta, expected, rtol=0, atol=1e-8)


@pytest.mark.slow
def test_flows_end_at_limits(limits, engine, tmp_path):
    ham = {"family": "ham", "alpha": 0.1}
    small = spec(problems=SPARSE | {"seeds": 0}, geometries=ham, quantity="flow", engine=engine)
    with ht.sweep(small, tmp_path / "store", progress=False) as flow:
        assert flow.sizes["instance"] == 2 and not flow.status.any() and float(flow.time.min()) > 0
        np.testing.assert_allclose(flow.theta, limits.theta[:2], rtol=0, atol=1e-6)
    times = small | {"quantity": {"name": "flow", "ts": [0.0, 0.5, 1.0]}}
    with ht.sweep(times, tmp_path / "times", progress=False) as flow:
        assert flow.loss.dims == ("instance", "t") and not flow.status.any()
        np.testing.assert_array_equal(flow.t, [0.0, 0.5, 1.0])
        problem = ht.sparse_regression(4, 8, 2, seed=0)
        np.testing.assert_allclose(flow.loss[0, 0], problem.loss(np.zeros(8)), rtol=1e-12)
        assert np.all(np.diff(flow.loss) < 0)


@pytest.mark.slow
def test_every_family(tmp_path):
    formula = "b + a*theta**2"
    families = [
        ({"family": "gd"}, [ht.Euclidean()]),
        ({"family": "ham", "alpha": [1.0, 5.0]}, [ht.HAM(alpha=1.0), ht.HAM(alpha=5.0)]),
        ({"family": "ham", "log_alpha": 2.0}, [ht.HAM(log_alpha=2.0)]),
        ({"family": "mw", "log_gamma": -40.0}, [ht.Hypentropy(log_gamma=-40.0)]),
        ({"family": "mw", "gamma": 0.1}, [ht.Hypentropy(gamma=0.1)]),
        ({"family": "network", "depth": 3, "scale": 0.5}, [ht.DiagonalNetwork(3, scale=0.5)]),
        (
            {"family": "formula", "inverse_metric": formula, "parameters": {"a": [1.0, 2.0], "b": [3.0, 4.0]}},
            [ht.symbolic.geometry(formula, a=a, b=b) for a in (1.0, 2.0) for b in (3.0, 4.0)],
        ),
    ]
    geometries = [geo for _, some in families for geo in some]
    every = spec(geometries=[block for block, _ in families], quantity="probe", keep_theta=False, starts="zeros")
    with ht.sweep(every, tmp_path / "store", progress=False) as dataset:
        assert dataset.family.attrs["flag_meanings"] == "gd ham ham mw mw network-3 formula"
        for geometry, geo in enumerate(geometries):
            instances = dataset.isel(instance=np.flatnonzero(dataset.geometry == geometry))
            np.testing.assert_allclose(instances.metric, np.full(5, geo.inverse_metric(1.0)), rtol=1e-14)
            np.testing.assert_allclose(instances.mirror, np.full(5, geo.mirror_map(1.0)), rtol=1e-14)
        np.testing.assert_array_equal(dataset.parameter_b[-4:], [3.0, 4.0, 3.0, 4.0])
        np.testing.assert_array_equal(dataset.parameter[:4], [np.nan, 1.0, 5.0, np.exp(2.0)])
        np.testing.assert_array_equal(dataset.log_parameter[3:6], [2.0, -40.0, np.log(0.1)])


def test_weight_decay(tmp_path, engine):
    decayed = spec(
        engine=engine,
        problems=SPARSE | {"seeds": 0},
        geometries={"family": "gd"},
        starts="zeros",
        quantity=ht.sweeps.Limit(weight_decay=0.1),
    )
    with ht.sweep(decayed, tmp_path / "store", progress=False) as dataset:
        problem = ht.sparse_regression(4, 8, 2, seed=0)
        X, y = np.asarray(problem.X), np.asarray(problem.y)
        ridge = np.linalg.solve(X.T @ X / 4 + 0.1 * np.eye(8), X.T @ y / 4)
        np.testing.assert_allclose(dataset.theta[0], ridge, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_single_precision(limits, engine, tmp_path):
    with ht.sweep(spec(dtype="float32", engine=engine), tmp_path / "store", progress=False) as single:
        assert single.theta.dtype == np.float32 and single.parameter.dtype == np.float64 and not single.status.any()
        np.testing.assert_allclose(single.theta, limits.theta, rtol=0, atol=2e-3)
        assert float(single.residual.max()) <= 1e-5


def test_precision_is_that_of_the_spec_not_of_the_caller(limits, engine):
    """A worker, or a script, in which nobody switched float64 on."""
    with jax.enable_x64(False):
        result = compute_chunk(ht.SweepSpec.from_table(spec(engine=engine)), 0, 8)
    assert bits(result.arrays["theta"]) == bits(limits.theta[:9])


def test_products_are_as_precise_as_the_type(monkeypatch):
    """Not in TF32, which accelerators take for float32 if nobody says otherwise."""
    declaration, seen = ht.SweepSpec.from_table(spec()), []

    def compute(self, instances, empty):
        seen.append(jax.config.jax_default_matmul_precision)
        return empty

    monkeypatch.setattr(ht.SweepSpec, "compute", compute)
    compute_chunk(declaration, 0, 8)
    assert seen == ["highest"]


def test_problems_of_different_sizes(tmp_path):
    mixed = spec(
        problems=[SPARSE, {"kind": "sparse", "n": 3, "d": 6, "k": 1}], starts="zeros", keep_theta=False, quantity="toy"
    )
    with ht.sweep(mixed, tmp_path / "store", progress=False) as dataset:
        assert "theta" not in dataset and dataset.sizes == {"instance": 24}
        np.testing.assert_array_equal(dataset.d, np.repeat([8, 6], [20, 4]))
        assert dataset.source.attrs["flag_meanings"] == "sparse-4-8-2 sparse-3-6-1" and not dataset.status.any()


# ---- the engine


def test_few_instances_are_the_hosts_and_nothing_is_compiled(tmp_path):
    """Which engine computes is settled by the spec, by what there is to compute for each thing to compile."""
    many = SPARSE | {"seeds": range(450)}
    assert ht.SweepSpec.from_table(spec()).on_host and not ht.SweepSpec.from_table(spec(problems=many)).on_host
    assert ht.SweepSpec.from_table(spec(problems=[many, many | {"d": 9}, many | {"d": 10}], starts="zeros")).on_host
    table = ht.SweepSpec.from_table(spec()).as_table()
    assert "engine" not in table
    assert ht.SweepSpec.from_table(table | {"engine": "device"}).as_table()["engine"] == "device"
    other = SPARSE | {"d": 11}  # a shape that no other test has compiled anything for
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jax._src.compiler.compile_or_get_cached", None)  # what would be compiled cannot be
        with ht.sweep(spec(problems=other), tmp_path / "store", progress=False) as dataset:
            assert not dataset.status.any()


@pytest.mark.slow
@pytest.mark.parametrize("quantity", ["limit", "path", {"name": "flow", "ts": [0.0, 0.5, 3.0]}])
def test_both_engines_store_the_same(tmp_path, quantity):
    few = spec(quantity=quantity, problems=SPARSE | {"seeds": [0, 1]})
    with (
        ht.sweep(few | {"engine": "host"}, tmp_path / "host", progress=False) as host,
        ht.sweep(few | {"engine": "device"}, tmp_path / "device", progress=False) as device,
    ):
        assert set(host.variables) == set(device.variables) and not host.status.any() and not device.status.any()
        at_end = 1e-8 if quantity in ("limit", "path") else 1e-5
        np.testing.assert_allclose(host.theta, device.theta, rtol=0, atol=at_end)
        for name in set(host.variables) & {"l1_norm", "l2_norm", "distance_to_theta_star", "loss"}:
            np.testing.assert_allclose(host[name], device[name], rtol=at_end, atol=1e-8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "gpu"}, "engine must be one of auto, host, device"),
        ({"engine": "host"}, "engine must be auto or device"),
    ],
)
def test_engine_that_is_not_there(changes, message):
    with pytest.raises(ValueError, match=message):
        ht.SweepSpec.from_table(spec(quantity="toy") | changes)
