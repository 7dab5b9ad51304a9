"""Sign flips in sweeps and in batches: those of single flows and runs, from starts whose signs are wrong."""

import numpy as np
import pytest

import hamtheory as ht

FLOW = {"name": "flow", "flips": True, "rtol": 1e-9}
RUN = {"name": "run", "steps": 600, "learning_rate": 0.01, "flips": True, "spacing": "log", "checks": 20}
COUNTS = ("gross_flips", "net_flips", "flipped_back")


def spec(quantity, **changes):
    table = {
        "problems": {"kind": "sparse", "n": 6, "d": 12, "k": 2, "seeds": range(3)},
        "geometries": {"family": "ham", "alpha": [2.0, 40.0]},
        "starts": [{"kind": "wrong", "scale": 0.3, "seeds": [0, 7]}],
        "keep_theta": True,
    }
    return table | {"quantity": quantity} | changes


def swept(tmp_path, quantity, **changes):
    with ht.sweep(spec(quantity, **changes), tmp_path / "store", progress=False) as dataset:
        return dataset.load()


def start_of(row):
    """The start, as its definition says."""
    truth = np.asarray(ht.sparse_regression(6, 12, 2, seed=int(row.seed)).theta_star)
    other = np.random.default_rng([int(row.start_seed), 1]).choice([-1.0, 1.0], 12)
    return 0.3 * np.where(truth == 0, other, -np.sign(truth))


@pytest.fixture(scope="module", params=["host", pytest.param("device", marks=pytest.mark.slow)])
def flows(tmp_path_factory, request):
    return swept(tmp_path_factory.mktemp("flows"), FLOW, engine=request.param)


def test_flows_flip_when_single_ones_do(flows):
    assert flows.sizes["instance"] == 12 and (flows.status == 0).all()
    assert (flows.gross_flips > 0).all() and (flows.start_scale == 0.3).all()
    for instance in (0, 3, 6, 11):
        row = flows.isel(instance=instance)
        problem = ht.sparse_regression(6, 12, 2, seed=int(row.seed))
        events = ht.signs.flip_events(ht.solve_flow(problem, ht.HAM(alpha=float(row.parameter)), start_of(row)))
        found = ht.signs.totals(events)
        assert [found["gross"], found["net"], found["flipped_back"]] == [int(row[name]) for name in COUNTS]
        assert float(row.signs_recovered) == float(ht.signs.agreement(row.theta.values, problem.theta_star))
        np.testing.assert_allclose(row.recovery_time, ht.signs.recovery_time(events, problem.theta_star), rtol=1e-6)


def test_runs_are_counted(tmp_path):
    runs = swept(tmp_path, RUN).isel(learning_rate=0, batch_size=0, draw=0)
    for instance in (0, 11):
        row = runs.isel(instance=instance)
        problem = ht.sparse_regression(6, 12, 2, seed=int(row.seed))
        end = ht.run(
            problem,
            ht.signs.FlipCounter(ht.HAMStep(float(row.parameter))),
            start_of(row),
            learning_rate=0.01,
            steps=600,
            save_every=600,
        )
        assert int(row.gross_flips) == int(end.states.flips.gross[-1].sum()) > 0
        np.testing.assert_allclose(row.theta, end.theta, rtol=1e-10, atol=1e-12)
        last = ht.signs.Flips(**{name: value[-1] for name, value in vars(end.states.flips).items()})
        assert float(row.recovery_time) == float(ht.signs.recovery_time(last, problem.theta_star))


def test_checks_can_be_spaced_evenly_in_the_logarithm(tmp_path):
    checks = swept(tmp_path, RUN | {"losses": True, "steps": 1000, "checks": 4}).check
    assert checks.values.tolist() == [0, 1, 10, 100, 1000]


@pytest.mark.slow
def test_an_instance_flips_alone_as_in_company():
    problem = ht.sparse_regression(6, 12, 2, seed=1)
    starts = np.random.default_rng(0).normal(size=(9, 12))
    alphas = np.geomspace(1, 1e3, 9)
    many = ht.solve_flows(problem, ht.HAM(alpha=alphas), starts, flips=True, width=4)
    order = np.array([4, 2, 7])
    few = ht.solve_flows(problem, ht.HAM(alpha=alphas[order]), starts[order], flips=True, width=4)
    for name in vars(many.flips):
        np.testing.assert_array_equal(getattr(few.flips, name), getattr(many.flips, name)[order])
    plain = ht.solve_flows(problem, ht.HAM(alpha=alphas), starts, width=4)
    assert plain.flips is None
    np.testing.assert_allclose(plain.theta, many.theta, rtol=0, atol=1e-13)


@pytest.mark.parametrize("changes, error, message", [
    ({"quantity": FLOW | {"flips": 1}}, TypeError, "flips must be true or false"),
    ({"quantity": RUN | {"flips": "yes"}}, TypeError, "flips must be true or false"),
    ({"quantity": RUN | {"spacing": "root"}}, ValueError, "spacing must be"),
    ({"quantity": FLOW | {"weight_decay": 0.1}}, ValueError, "without weight decay"),
    ({"starts": {"kind": "wrong", "scale": 0.0}}, ValueError, "scale must be positive"),
    ({"problems": {"kind": "dataset", "name": "fermentation"}}, ValueError, "need a ground truth"),
])  # fmt: skip
def test_bad_input(changes, error, message, unchecked):
    with pytest.raises(error, match=message):
        ht.SweepSpec.from_table(spec(FLOW) | changes)
