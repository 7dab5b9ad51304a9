"""Every test runs in float64, with JAX's strictest rules, and with shapes and types checked at the calls of it."""

import collections
import ctypes
import functools
import gc
import inspect
import re
import resource
from pathlib import Path

import jax
import jaxtyping
import pytest

ROOT = Path(__file__).parent.parent

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# Compiling takes most of the time: processes and runs share what they compiled, if it took longer than writing it.
jax.config.update("jax_compilation_cache_dir", str(ROOT / ".pytest_cache" / "xla"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
jax.config.update("jax_traceback_in_locations_limit", 0)
# Tracing makes many objects and few cycles: at Python's own thresholds, looking for these takes a tenth of the time.
gc.freeze()
gc.set_threshold(100_000, 20, 20)
# The inner loops of the host engine are not checked: a check takes longer than what they do in a step.
MODULES = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in ROOT.glob("hamtheory/**/*.py")]
UNCHECKED = re.compile(
    r"hamtheory\.(_array|(flow|limit)\._host\w*|geometry\._(numerics|parameter|quadrature)|.*__init__)"
)
# Elsewhere a function is checked at so many calls of a test: the next thousands of a loop would take most of the time.
OFTEN = 50
LARGE = 2**31  # bytes
calls: collections.Counter = collections.Counter()
_check_always = jaxtyping.jaxtyped


def _check_often(function=None, *, typechecker):
    """The decorator that the import hook writes above every function."""
    if function is None:
        return functools.partial(_check_often, typechecker=typechecker)
    if isinstance(function, property):
        return property(_check_often(function.fget, typechecker=typechecker), function.fset, function.fdel)
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(_check_often(function.__func__, typechecker=typechecker))
    checked = _check_always(function, typechecker=typechecker)
    if not inspect.isfunction(function):
        return checked

    @functools.wraps(function)
    def either(*args, **kwargs):
        __tracebackhide__ = True
        calls[function] += 1
        return (checked if calls[function] <= OFTEN else function)(*args, **kwargs)

    return either


jaxtyping.jaxtyped = _check_often
# An int is a float where a float is asked for, as it is to type checkers.
jaxtyping.install_import_hook(
    [module for module in MODULES if not UNCHECKED.fullmatch(module)],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",
)


def pytest_collection_finish():
    """What was imported stays, and is not looked through again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def checked_anew():
    """Every test checks the first calls of a function."""
    calls.clear()


@pytest.fixture(autouse=True, scope="module")
def programs_forgotten():
    """After a file in a large process: what JAX has compiled for it is of little use to the next one."""
    yield
    statm = Path("/proc/self/statm")
    if statm.exists() and int(statm.read_text().split()[1]) * resource.getpagesize() > LARGE:
        jax.clear_caches()
        gc.collect()
        if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
            libc.malloc_trim(0)  # without it glibc keeps what was freed, and every file after this one is cleared too


@pytest.fixture
def unchecked():
    """Without the type checks of the tests: what a user with bad input sees."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """What a caption says is tested in every run, on small data; what these cannot show is marked `full_size`."""
    report = yield
    marked = item.get_closest_marker("claim") and not item.get_closest_marker("full_size")
    if report.skipped and marked and not _on_small_data_too(item):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} holds what a caption says, and is skipped: test it on small data, or mark it full_size"
        )
    return report


def _on_small_data_too(item):
    """Whether the test has a fixture that is not only data of a figure."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return any("small" in (definition.params or ()) for definitions in fixtures for definition in definitions)


def pytest_terminal_summary(terminalreporter):
    """The list of what captions say and only the data of the figures themselves can show."""
    skipped = [report.nodeid for report in terminalreporter.stats.get("skipped", ()) if "full_size" in report.keywords]
    if skipped:
        terminalreporter.section("held by the data of figures alone: make figures-full tests them")
        for test in sorted({nodeid.partition("[")[0] for nodeid in skipped}):
            terminalreporter.line(test)
