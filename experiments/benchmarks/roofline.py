"""How close the engines are to what this machine reaches: which operations an instance takes, and what these take.

*Machine*: copies in and out of cache, one large product of matrices, exponentials of many numbers, one call; of NumPy,
on one core, and of JAX, on all. *Operations*: those that the engines consist of, each by itself and in its own shape.
*Engines*: the time of an instance (of `run_many`: of a step of one), in parts: what its operations take by themselves;
what is left of the time within the solver's inner functions, which is its control (judging steps, choosing between
branches, copies); and what is left of all, around them (checks, batches that are put together, results).

JAX's operations are counted in the compiled programs, NumPy's by watching the functions that call them. A bound on the
time of each part: its FLOP or its exponentials, or the bytes that it reads and writes, each as fast as anything here
was, whichever takes longer; NumPy is held against what NumPy reaches, JAX against whichever is faster. Of NumPy's
control no bytes are known, those of JAX's are an upper estimate. Every time is the shortest of several: a sum of parts
is of use if none was disturbed.
"""

import contextlib
import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import threadpoolctl
import xarray as xr
from jax.core import Tracer

import hamtheory as ht

from .. import store
from ._operations import COMPONENTS, NOTHING, Census, Operation, census
from ._table import Row, interleaved

PARTS = (*COMPONENTS, "control", "outside")
_EXPONENTIALS, _CALL = "exponentials", "one call"


@dataclass(frozen=True)
class Config:
    n: int = 40
    d: int = 100
    k: int = 5
    instances: int = 1_000
    sample: int = 100  # of limits one by one
    runs: int = 256
    steps: int = 2_000
    large: int = 1 << 26  # numbers of a copy out of cache
    cached: int = 1 << 16
    square: int = 384
    least: float = 2e-3  # seconds that an operation is repeated for
    rounds: int = 5
    bursts: int = 25  # of operations, and of engines that take less than `quick`
    quick: float = 0.2
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        sizes = {"large": 1 << 18, "cached": 1 << 10, "square": 64, "least": 3e-4}
        return cls(n=6, d=12, k=1, instances=64, sample=2, runs=8, steps=20, rounds=1, bursts=2, **sizes)


class Engine(NamedTuple):
    """A solver, and where to watch it.

    Attributes:
        library: That of its operations.
        instances: How many a call computes; of `run_many`, times steps.
        call: `call(family)`, of members of HAM or of a class that counts.
        inner: The functions within which its operations are, as (owner, name).
        trips: Of its programs' loops of unknown length, by the number of calls of a program; None: to be counted.
    """

    library: str
    instances: int
    call: Callable[[type[ht.HAM]], Any]
    inner: list[tuple[Any, str]]
    trips: Callable[[int], tuple[float, ...]] | None = None


def _of(name: str) -> Any:
    """A module of the library, to be watched: nothing of it is used."""
    return importlib.import_module(f"hamtheory.{name}")


def _engines(config: Config, problem: ht.LinearRegression) -> dict[str, Engine]:
    alphas, some = np.geomspace(1e-2, 1e4, config.instances), np.geomspace(1e-2, 1e3, config.instances)
    few, rules = np.geomspace(1e-2, 1e4, config.sample), np.geomspace(1, 30, config.runs)
    table, batch, path = _of("limit._host_table"), _of("limit._batch"), _of("limit._host_path")
    flows, runs = _of("flow._batch"), _of("algorithm._batch")
    how = {"learning_rate": 1e-3, "steps": config.steps, "save_every": config.steps, "progress": False}
    return {
        "limits, table": Engine(
            "NumPy",
            config.instances,
            lambda family: ht.solve_limits(problem, family(alpha=alphas)),
            [(table.Table, "__init__"), (table.Table, "corrected"), (table, "_certified")],
        ),
        "limits, batches": Engine(
            "JAX",
            config.instances,
            lambda family: ht.solve_limits(problem, family(alpha=jnp.asarray(alphas))),
            [(batch, name) for name in ("_enter", "_advance", "_describe")],
            lambda calls: (),
        ),
        "limits, one by one": Engine(
            "NumPy",
            config.sample,
            lambda family: [ht.solve_limit(problem, family(alpha=alpha)) for alpha in few],
            [(path.Path, "follow")],
        ),
        "trajectories": Engine(
            "JAX",
            config.instances,
            lambda family: ht.solve_flows(problem, family(alpha=some)),
            [(flows, name) for name in ("enter", "advance", "describe")],
        ),
        "runs, a step": Engine(
            "JAX",
            config.runs * config.steps,
            lambda family: ht.run_many(problem, ht.HAMStep(alpha=rules), **how),
            [(runs, "_advance")],
            lambda calls: (1.0, config.steps / calls),
        ),
    }


@contextlib.contextmanager
def _replaced(places: list[tuple[Any, str]], wrap: Callable[[str, Callable], Callable]) -> Iterator[None]:
    """While entered, `wrap(name, function)` is in the place of each of these functions."""
    originals = [(owner, name, vars(owner)[name]) for owner, name in places]
    try:
        for owner, name, function in originals:
            setattr(owner, name, wrap(name, function))
        yield
    finally:
        for owner, name, function in originals:
            setattr(owner, name, function)


class _Clock:
    """The seconds within functions, by name."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def wrap(self, name: str, function: Callable) -> Callable:
        def timed(*args, **options):
            started = time.perf_counter()
            try:
                return jax.block_until_ready(function(*args, **options))
            finally:
                self.seconds[name] += time.perf_counter() - started  # type: ignore[assignment]

        return timed


@dataclass
class _Program:
    """A compiled function at arguments of one kind: how often it is called, and calls Python meanwhile."""

    function: Any
    args: tuple
    calls: int = 0
    ticks: int = 0

    def text(self) -> str:
        compiled = self.function.lower(*self.args).compile()
        return getattr(compiled, "compiled", compiled).as_text()


@dataclass
class _Programs:
    """Those that were called, by function and kind of arguments."""

    found: dict[str, _Program] = field(default_factory=dict)

    def wrap(self, name: str, function: Callable) -> Callable:
        def noted(*args):
            key = f"{name} {jax.tree.structure(args)}".replace(_Ticking.__name__, ht.HAM.__name__)
            program = self.found.setdefault(key, _Program(function, args))
            before = _Ticking.ticks
            result = jax.block_until_ready(function(*args))
            jax.effects_barrier()
            program.calls, program.ticks = program.calls + 1, program.ticks + _Ticking.ticks - before
            return result

        return noted


class _Ticking(ht.HAM):
    """HAM, whose vector field counts how often it is evaluated for a batch."""

    ticks = 0

    def inverse_mirror_map(self, mu):
        if isinstance(mu, Tracer):
            jax.debug.callback(_Ticking._tick)
        return super().inverse_mirror_map(mu)

    @classmethod
    def _tick(cls) -> None:
        _Ticking.ticks += 1


def _run(engine: Engine, family: type[ht.HAM]) -> dict[str, _Program]:
    programs = _Programs()
    with _replaced(engine.inner, programs.wrap):
        engine.call(family)
    return programs.found


def _counted_in_programs(engine: Engine) -> Census:
    """What a call of an engine of JAX does, by its compiled programs."""
    total, ticking = NOTHING, {} if engine.trips else _run(engine, _Ticking)
    for key, program in _run(engine, ht.HAM).items():
        trips = engine.trips(program.calls) if engine.trips else (_mean_trips(ticking[key]),)
        total = total.plus(census(program.text(), trips), program.calls)
    return total


def _mean_trips(program: _Program) -> float:
    """How often the one loop of unknown length runs, from how often its body has called Python."""
    text = program.text()
    none, one = (census(text, (trips,)).calls for trips in (0.0, 1.0))
    return (program.ticks / program.calls - none) / (one - none) if one > none else 0.0


class _Calls:
    """The operations of functions of NumPy: `known[name](args, result, inside)` are those of a call itself, where
    `inside` counts the calls of other watched functions within it."""

    def __init__(self, known: dict[str, Callable[..., list[tuple[str, tuple[int, ...]]]]]):
        self.known, self.calls, self.operations = known, Counter(), Counter()

    def wrap(self, name: str, function: Callable) -> Callable:
        def noted(*args, **options):
            before = Counter(self.calls)
            result = function(*args, **options)
            self.calls[name] += 1
            for kind, shape in self.known[name](args, result, self.calls - before):
                self.operations[Operation("NumPy", kind, shape)] += 1
            return result

        return noted


def _counted_in_calls(engine: Engine, problem: ht.LinearRegression) -> Census:
    """What a call of an engine of NumPy does, by the functions that it calls."""
    table, path = _of("limit._host_table"), _of("limit._host_path")
    point, gram = _of("limit._host_point").Point, _of("limit._host_newton").Gram
    r, d, n = int(problem.rank), problem.d, problem.n
    there, back = ("product", (1, r, d)), ("product", (r, d, 1))

    def theta(args, result, inside):
        rows = np.size(args[1]) // r
        after = back if rows == 1 else ("product", (rows, d, r))
        return [("product", (rows, r, d)), ("expm1", (rows * d,)), ("exp", (rows * d,)), after]

    def corrected(args, result, inside):
        rows, between = len(args[1]), args[2] >= 0
        return [("product", (rows, r, 4 * r)), ("product", (rows, 4, r))] * (inside["theta"] - 1) * between

    def certified_rows(args, result, inside):
        rows = len(args[2])  # with the residual and the dual that are computed beside it
        shapes = [(rows, d, r), (rows, r, d), (rows, d, n), (rows, n, r), (rows, d, n), (rows, r, n)]
        return [*(("product", shape) for shape in shapes), ("expm1", (rows * d,)), ("log1p", (rows * d,))]

    def certified(args, result, inside):
        return [there, back, ("product", (n, d, 1)), ("product", (1, n, r)), ("expm1", (d,)), ("log1p", (d,))]

    known: dict[tuple[Any, str], Callable] = {
        (table.Table, "theta"): theta,
        (table.Table, "_interpolated"): lambda args, result, inside: [("product", (len(args[1]), 8, r))],
        (table.Table, "corrected"): corrected,
        (table, "certified_rows"): certified_rows,
        (gram, "matrix"): lambda args, result, inside: [("square", (r, d))],
        (gram, "factorise"): lambda args, result, inside: [("cholesky", (1, r, r))],
        (gram, "solve"): lambda args, result, inside: [("solve", (1, np.size(args[2]) // r, r))],
        (point, "evaluate"): lambda args, result, inside: [there, ("expm1", (d,)), ("exp", (d,)), back],
        (point, "factorise"): lambda args, result, inside: [("exp", (d,))],
        (point, "look_ahead"): lambda args, result, inside: [there],
        (point, "errors"): lambda args, result, inside: [("log1p", (d,))],
        (path.Path, "tangent"): lambda args, result, inside: [back, there],
        (path.Path, "prove"): lambda args, result, inside: [there, back] * inside["solve"],
        (path, "certified"): certified,
    }
    calls = _Calls({})
    with contextlib.ExitStack() as stack:
        for place, operations in known.items():
            name = place[1] if place != (point, "factorise") else "weigh"
            calls.known[name] = operations
            stack.enter_context(_replaced([place], lambda _, function, name=name: calls.wrap(name, function)))
        engine.call(ht.HAM)
    return Census(calls.operations, 0.0, 0.0)


def _machine(config: Config) -> dict[tuple[str, str], tuple[Callable[[int], Any], float, float]]:
    """By library and name: `call(times)`, and the work and the bytes of a time."""
    found: dict[tuple[str, str], tuple[Callable[[int], Any], float, float]] = {}
    one, jitted, small = np.ones(1), jax.jit(lambda x: x + 1), jnp.ones(1)
    for library in ("NumPy", "JAX"):
        product = Operation(library, "product", (config.square,) * 3)
        exponentials = Operation(library, "exp", (config.cached,))
        for name, size in (("copy, out of cache", config.large), ("copy, in cache", config.cached)):
            found[library, name] = _copies(library, size), 0.0, 16.0 * size
        found[library, f"product of {config.square}² matrices"] = product.repeated(), product.work, product.bytes
        found[library, _EXPONENTIALS] = exponentials.repeated(), exponentials.work, exponentials.bytes
    found["NumPy", _CALL] = lambda times: [np.add(one, one) for _ in range(times)], 1.0, 24.0
    found["JAX", _CALL] = lambda times: [jitted(small) for _ in range(times)], 1.0, 16.0
    return found


def _copies(library: str, size: int) -> Callable[[int], Any]:
    """Reading and writing so many numbers."""
    if library == "NumPy":
        source, target = np.ones(size), np.zeros(size)
        return lambda times: [np.copyto(target, source) for _ in range(times)]
    loop = jax.jit(lambda times, x: jax.lax.fori_loop(0, times, lambda _, x: x * 0.999, x), donate_argnums=1)
    kept = [jnp.ones(size)]

    def call(times: int) -> None:
        kept[0] = jax.block_until_ready(loop(times, kept[0]))

    return call


def _enough(call: Callable[[int], Any], least: float) -> int:
    """How many times take so long."""
    call(1)
    times = 4  # what a call itself takes should not count
    while True:
        started = time.perf_counter()
        call(times)
        spent = time.perf_counter() - started
        if spent >= least:
            return times
        times = min(8 * times, max(2 * times, int(1.2 * times * least / max(spent, 1e-9))))


def _alone(config: Config, repeated: dict[Any, Callable[[int], Any]]) -> dict[Any, float]:
    """The least seconds of a time of each that is repeated."""
    times = {name: _enough(call, config.least) for name, call in repeated.items()}
    bursts = {key: lambda call=call, key=key: call(times[key]) for key, call in repeated.items()}
    return {key: min(seconds) / times[key] for key, seconds in interleaved(bursts, config.bursts).items()}


class _Time(NamedTuple):
    """Of an instance: the least seconds in all, and those within the inner functions, by name, at that time."""

    all: float
    within: dict[str, float]


def _whole(config: Config, engines: dict[str, Engine]) -> dict[str, _Time]:
    """The time of each engine, one after the other in every round."""
    best: dict[str, _Time] = {}

    def measure(name: str, engine: Engine) -> None:
        clock = _Clock()
        started = time.perf_counter()
        with _replaced(engine.inner, clock.wrap):
            jax.block_until_ready(engine.call(ht.HAM))
        total = (time.perf_counter() - started) / engine.instances
        if name not in best or total < best[name].all:
            best[name] = _Time(total, {key: spent / engine.instances for key, spent in clock.seconds.items()})

    calls = {name: lambda name=name, engine=engine: measure(name, engine) for name, engine in engines.items()}
    for rounds in (config.rounds, config.bursts):
        interleaved(calls, rounds)
        calls = {name: call for name, call in calls.items() if best[name].all * engines[name].instances < config.quick}
    return best


class Line(NamedTuple):
    """A point of the data set. Of an engine's parts, seconds, work and bytes are those of an instance; `share`: of the
    engine's time, and of an operation, of that of the engine that it takes most of."""

    kind: str
    library: str
    name: str
    part: str
    seconds: float
    work: float
    bytes: float
    bound: float
    share: float = 0.0
    status: int = 0


class _Pace(NamedTuple):
    """Seconds of a FLOP, of an exponential and of a byte: the least that anything measured here took."""

    flop: float
    exponential: float
    byte: float


def _pace(machine: dict, alone: dict[Any, float]) -> dict[str, _Pace]:
    """Of NumPy, by what NumPy did; of JAX, by what any of the two did."""
    found: dict[str, _Pace] = {}
    for libraries in (("NumPy",), ("NumPy", "JAX")):
        own = [(key, alone[key], *machine[key][1:]) for key in machine if key[0] in libraries and key[1] != _CALL]
        done = [one for one in alone if isinstance(one, Operation) and one.library in libraries]
        copies = [seconds / moved for _, seconds, work, moved in own if not work]
        flops = [seconds / work for key, seconds, work, _ in own if work and key[1] != _EXPONENTIALS]
        flops += [alone[one] / one.work for one in done if one.component != "exponentials"]
        each = [alone[key] / machine[key][1] for key in machine if key[0] in libraries and key[1] == _EXPONENTIALS]
        each += [alone[one] / one.work for one in done if one.component == "exponentials"]
        moves = [alone[one] / one.bytes for one in done]
        found[libraries[-1]] = _Pace(min(flops), min(each), min(copies + moves))
    return found


def _bound(pace: dict[str, _Pace], operation: Operation) -> float:
    own = pace[operation.library]
    each = own.exponential if operation.component == "exponentials" else own.flop
    return max(operation.work * each, operation.bytes * own.byte)


def _parts(name: str, engine: Engine, done: Census, alone: dict[Any, float], whole: _Time,
           pace: dict[str, _Pace], status: int) -> Iterator[Line]:  # fmt: skip
    """The lines of an engine."""
    seconds, work, moved, bounds = (Counter() for _ in range(4))
    for operation, count in done.operations.items():
        count /= engine.instances
        seconds[operation.component] += count * alone[operation]  # type: ignore[assignment]
        work[operation.component] += count * operation.work  # type: ignore[assignment]
        moved[operation.component] += count * operation.bytes  # type: ignore[assignment]
        bounds[operation.component] += count * _bound(pace, operation)  # type: ignore[assignment]
    inner = sum(whole.within.values())
    seconds["control"], seconds["outside"] = inner - sum(seconds.values()), whole.all - inner  # type: ignore[assignment]
    moved["control"] = done.bytes / engine.instances  # type: ignore[assignment]
    bounds["control"] = moved["control"] * pace[engine.library].byte  # type: ignore[assignment]
    for part in PARTS:
        figures = seconds[part], work[part], moved[part], bounds[part], seconds[part] / whole.all
        yield Line("engine", engine.library, name, part, *figures, status)
    for function, spent in whole.within.items():
        yield Line("function", engine.library, name, function, spent, 0.0, 0.0, 0.0, spent / whole.all, status)


def run(config: Config) -> xr.Dataset:
    problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed)
    problem = ht.LinearRegression(problem.X, problem.y)
    engines, machine = _engines(config, problem), _machine(config)
    done = {
        name: _counted_in_programs(engine) if engine.library == "JAX" else _counted_in_calls(engine, problem)
        for name, engine in engines.items()
    }
    operations = {operation for found in done.values() for operation in found.operations}
    repeated: dict[Any, Callable[[int], Any]] = {key: call for key, (call, _, _) in machine.items()}
    repeated |= {operation: operation.repeated() for operation in sorted(operations)}
    with threadpoolctl.threadpool_limits(1):  # of BLAS; XLA's are its own
        alone, whole = _alone(config, repeated), _whole(config, engines)
    pace = _pace(machine, alone)
    lines = [
        Line("machine", library, name, "", alone[library, name], work, moved, alone[library, name])
        for (library, name), (_, work, moved) in machine.items()
    ]
    lines += [
        Line("pace", library, of, "", getattr(own, of), 1.0, 1.0, getattr(own, of))
        for library, own in pace.items()
        for of in _Pace._fields
    ]
    for one in sorted(operations):
        share = max(
            done[name].operations[one] * alone[one] / engine.instances / whole[name].all
            for name, engine in engines.items()
        )
        lines.append(Line("operation", one.library, one.label, one.component, alone[one], one.work, one.bytes,
                          _bound(pace, one), share))  # fmt: skip
    for name, engine in engines.items():
        lines += _parts(name, engine, done[name], alone, whole[name], pace, _status(engine.call(ht.HAM)))
    columns = {key: np.array([getattr(line, key) for line in lines]) for key in Line._fields}
    return xr.Dataset(
        {
            "seconds": store.variable("point", columns["seconds"], "shortest time", "s"),
            "work": store.variable("point", columns["work"], "FLOP; of exponentials, entries"),
            "bytes": store.variable("point", columns["bytes"], "read and written", "B"),
            "bound": store.variable("point", columns["bound"], "time at the rates of the machine", "s"),
            "share": store.variable("point", columns["share"], "of the time of an engine"),
            "status": store.status(("point",), columns["status"]),
        },
        {key: ("point", columns[key]) for key in ("kind", "library", "name", "part")},
    )


def _status(found: Any) -> int:
    """The worst of what the instances ended with; a run that has taken its steps is sound."""
    codes = np.array([int(one.result) for one in found] if isinstance(found, list) else found.result)
    return int(np.where(codes == ht.NAMES.index("reached_end"), 0, codes).max())


def table(dataset: xr.Dataset) -> list[Row]:
    """What the machine reaches, a row a library; and a row an engine: the share of its time that each part takes, and
    that of the part's bound in the time of the part; last, that of all bounds in all time."""
    points = dataset.to_dataframe()
    rows = []
    for library, cores in (("NumPy", "a core"), ("JAX", "all cores")):
        pace = points.query("kind == 'pace' and library == @library").set_index("name").seconds
        flops, each, moved = (1e-9 / pace[name] for name in _Pace._fields)
        reached = [f"{flops:.0f} GFLOP/s", "", "", f"{each:.1f} · 10⁹/s", f"{moved:.0f} GB/s", "", ""]
        rows.append(dict(zip(_COLUMNS, [f"*{library}, {cores}*", "", *reached], strict=True)))
    engines = points.query("kind == 'engine'")
    for name in dict.fromkeys(engines["name"]):
        own = engines.query("name == @name")
        cells = [_cell(line["share"], line["bound"], line["seconds"]) for line in own.to_dict("records")]
        total, bounds = (float(np.sum(own[key].to_numpy())) for key in ("seconds", "bound"))
        time_of_one = f"{1e6 * total:.3g} µs" if total < 1e-3 else f"{1e3 * total:.3g} ms"
        row = [name, time_of_one, *cells, f"{bounds / total:.0%}"]
        rows.append(dict(zip(_COLUMNS, row, strict=True)))
    return rows


_COLUMNS = ("engine", "an instance", *PARTS, "bound")


def _cell(share: float, bound: float, seconds: float) -> str:
    if not share:
        return ""
    return f"{share:.0%}" + f", at {bound / seconds:.0%}" * (0 < bound < seconds)
