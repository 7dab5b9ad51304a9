"""Operations: which ones a compiled program consists of, what work each is, and how long one takes by itself."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax.linalg import cholesky, triangular_solve
from scipy.linalg import lapack

COMPONENTS = ("products", "Cholesky", "triangular solves", "exponentials")
_BYTES = 8
_routines: Any = lapack


class Operation(NamedTuple):
    """An operation on arrays of float64.

    Attributes:
        library: "NumPy", on one core, or "JAX", on all.
        kind: `product`, of an (m, k) and a (k, n) matrix; `square`, `A Aᵀ` of an (m, k) one; `cholesky` of matrices,
            (many, r, r); `triangular` and `solve`, by such factors or by both of a matrix, with so many right-hand
            sides, (many, sides, r); or an elementary function of so many entries.
        shape: As the kind has it.
    """

    library: str
    kind: str
    shape: tuple[int, ...]

    @property
    def component(self) -> str:
        kinds = {"product": 0, "square": 0, "cholesky": 1, "triangular": 2, "solve": 2}
        return COMPONENTS[kinds.get(self.kind, 3)]

    @property
    def label(self) -> str:
        """As a reader knows it."""
        if self.kind == "product":
            (m, k), n = self.shape[:2], self.shape[2]
            return f"({m}×{k})·({k}×{n})"
        if self.kind == "square":
            m, k = self.shape
            return f"({m}×{k})·({k}×{m}), symmetric"
        if self.kind == "cholesky":
            many, r, _ = self.shape
            return f"Cholesky {r}×{r}" + f", {many}" * (many > 1)
        if self.kind in ("triangular", "solve"):
            many, sides, r = self.shape
            what = "half a solve" if self.kind == "triangular" else "solve"
            return f"{what} {r}×{r}, {sides} sides" + f", {many}" * (many > 1)
        return f"{self.kind}, {self.shape[0]}"

    @property
    def work(self) -> float:
        """FLOP; of elementary functions, entries."""
        if self.kind == "product":
            return 2.0 * np.prod(self.shape)
        if self.kind == "square":
            return 1.0 * self.shape[0] ** 2 * self.shape[1]
        if self.kind == "cholesky":
            return self.shape[0] * self.shape[1] ** 3 / 3
        if self.kind in ("triangular", "solve"):
            many, sides, r = self.shape
            return float(many * sides * r**2 * (1 if self.kind == "triangular" else 2))
        return float(self.shape[0])

    @property
    def bytes(self) -> float:
        """Read and written, each array once."""
        if self.kind == "product":
            m, k, n = self.shape
            return float(_BYTES * (m * k + k * n + m * n))
        if self.kind == "square":
            m, k = self.shape
            return float(_BYTES * (m * k + m * m))
        if self.kind == "cholesky":
            return float(2 * _BYTES * np.prod(self.shape))
        if self.kind in ("triangular", "solve"):
            many, sides, r = self.shape
            return float(_BYTES * many * (r**2 + 2 * sides * r))
        return float(2 * _BYTES * self.shape[0])

    def repeated(self) -> Callable[[int], Any]:
        """`call(times)`, which does it so many times over."""
        given = [_positive(shape) if i == 0 and self.component != "products" else _random(shape, i)
                 for i, shape in enumerate(self._operands())]  # fmt: skip
        return _looped(self.kind, given) if self.library == "JAX" else _by_numpy(_NUMPY[self.kind], given)

    def _operands(self) -> list[tuple[int, ...]]:
        if self.kind == "product":
            m, k, n = self.shape
            return [(m, k) if m > 1 else (k,), (k, n) if n > 1 else (k,)]
        if self.kind in ("triangular", "solve"):
            many, sides, r = self.shape
            return [(many, r, r), (many, sides, r)]
        return [self.shape]


def _random(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def _positive(shape: tuple[int, ...]) -> np.ndarray:
    """Of linear algebra, matrices that are their own factors; else positive numbers."""
    if len(shape) == 1:
        return np.abs(_random(shape, 0))
    return np.broadcast_to(np.eye(shape[-1]), shape).copy()


_IN_PLACE = ("cholesky", "triangular")
_JAX: dict[str, Callable[..., Any]] = {
    "product": jnp.matmul,
    "square": lambda a: a @ a.T,
    "cholesky": lambda matrices: cholesky(matrices, symmetrize_input=False),
    "triangular": lambda factors, sides: triangular_solve(factors, sides, lower=True),
    "copy": lambda x: x,
} | {kind: getattr(jnp, kind) for kind in ("exp", "expm1", "log1p", "log")}
_NUMPY: dict[str, Callable[..., Any]] = {
    "product": np.matmul,
    "square": lambda a: a @ a.T,
    "cholesky": lambda matrices: _routines.dpotrf(matrices[0].T, lower=1),
    "solve": lambda factors, sides: _routines.dpotrs(factors[0].T, sides[0].T, lower=1),
    "copy": np.copy,
} | {kind: getattr(np, kind) for kind in ("exp", "expm1", "log1p", "log")}


def _by_numpy(function: Callable[..., Any], given: Sequence[np.ndarray]) -> Callable[[int], Any]:
    def call(times: int) -> None:
        for _ in range(times):
            function(*given)

    return call


def _looped(kind: str, given: Sequence[np.ndarray]) -> Callable[[int], Any]:
    """In one compiled loop: of what it has found itself, where that does not change it; else, an entry of each result
    goes into the next argument, or the loop would be empty."""
    function, arrays = _JAX[kind], [jnp.asarray(array) for array in given]
    if kind in _IN_PLACE:
        own = jax.jit(lambda times, *rest: jax.lax.fori_loop(0, times, lambda _, x: function(*rest[:-1], x), rest[-1]))
        return lambda times: jax.block_until_ready(own(times, *arrays))

    def body(_, carry):
        first, others, before = carry
        first = first.at[(0,) * first.ndim].add(1e-300 * before[(0,) * before.ndim])
        return first, others, function(first, *others)

    @jax.jit
    def loop(times, first, *others):
        result = jax.eval_shape(function, first, *others)
        return jax.lax.fori_loop(0, times, body, (first, others, jnp.zeros(result.shape, result.dtype)))[2]

    return lambda times: jax.block_until_ready(loop(times, *arrays))


class Census(NamedTuple):
    """What a program does in a call: its operations; the bytes that all else reads and writes, at most; and how often
    it calls Python."""

    operations: Counter[Operation]
    bytes: float
    calls: float

    def plus(self, other: "Census", times: float = 1.0) -> "Census":
        """With those of another one, so many times."""
        operations = Counter(self.operations)
        for operation, count in other.operations.items():
            operations[operation] += times * count  # type: ignore[assignment]
        return Census(operations, self.bytes + times * other.bytes, self.calls + times * other.calls)


NOTHING = Census(Counter(), 0.0, 0.0)
_ELEMENTARY = {"exponential": "exp", "exponential-minus-one": "expm1", "log-plus-one": "log1p", "log": "log"}
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "call", "conditional", "iota",
         "after-all", "dot", "custom-call"}  # fmt: skip
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%([\w.-]+) = (\(.*?\)|\S+) ([a-z][\w-]*)\(([^)]*)\)(.*)$")
_SIZES = {"f64": 8, "s64": 8, "u64": 8, "f32": 4, "s32": 4, "u32": 4, "pred": 1, "u8": 1, "s8": 1}


class _Instruction(NamedTuple):
    name: str
    shape: str
    code: str
    operands: list[str]
    rest: str


def _dims(shape: str) -> tuple[int, ...]:
    """Of the first array."""
    found = re.search(r"\[([\d,]*)\]", shape)
    return tuple(int(size) for size in found[1].split(",") if size) if found else ()


def _bytes_of(shape: str) -> float:
    arrays = re.findall(r"(\w+)\[([\d,]*)\]", shape)
    return float(sum(_SIZES.get(kind, 0) * np.prod([int(n) for n in dims.split(",") if n]) for kind, dims in arrays))


def census(text: str, trips: Sequence[float] = ()) -> Census:
    """What an optimised program consists of, from XLA's text of it.

    Args:
        text: Of a compiled program, `compiled.as_text()`.
        trips: How often the loops run of which XLA does not know it, in the order of their nesting.

    Returns:
        That of a call.
    """
    blocks: dict[str, list[_Instruction]] = {}
    current, entry = "", ""
    for line in text.splitlines():
        if head := re.match(r"^(ENTRY )?%?([\w.-]+) .*\{$", line):
            current = head[2]
            entry = current if head[1] else entry
            blocks[current] = []
        elif found := _INSTRUCTION.match(line):
            operands = re.findall(r"%([\w.-]+)", found[4])
            blocks[current].append(_Instruction(found[1], found[2], found[3], operands, found[5]))
    return _counted(blocks, entry, tuple(trips), fused=False)


def _counted(blocks: dict[str, list[_Instruction]], name: str, trips: tuple[float, ...], fused: bool) -> Census:
    shapes = {instruction.name: instruction.shape for instruction in blocks[name]}
    found = NOTHING
    for one in blocks[name]:
        operation = _operation(one, shapes)
        inner = re.findall(r"(?:calls|body|to_apply|branch_computations)=\{?%([\w.-]+)", one.rest)
        inside, times, left = NOTHING, 1.0, trips
        if one.code == "while":
            known = re.search(r'known_trip_count":\{"n":"(\d+)"', one.rest)
            times, left = (float(known[1]), trips) if known else (trips[0], trips[1:])
        if one.code in ("while", "call", "fusion", "conditional"):
            for called in inner:
                inside = inside.plus(_counted(blocks, called, left, fused or one.code == "fusion"))
        moved = 0.0
        if not fused and one.code not in _FREE and not any(op.component == "products" for op in inside.operations):
            moved = _bytes_of(one.shape) + sum(_bytes_of(shapes.get(operand, "")) for operand in one.operands)
        calls = float(one.code == "custom-call" and "callback" in one.rest)
        own = Census(Counter([operation] if operation else []), moved, calls)
        found = found.plus(own).plus(inside, times)
    return found


def _operation(one: _Instruction, shapes: dict[str, str]) -> Operation | None:
    dims = _dims(one.shape)
    if one.code == "dot":
        contracted = re.search(r"lhs_contracting_dims=\{(\d+)\}", one.rest)
        k = _dims(shapes[one.operands[0]])[int(contracted[1])] if contracted else 1
        m, n = (1, *dims)[-2:] if len(dims) < 2 else (int(np.prod(dims[:-1])), dims[-1])
        return Operation("JAX", "product", (m, k, n))
    if one.code == "custom-call" and "lapack_dpotrf" in one.rest:
        return Operation("JAX", "cholesky", dims)
    if one.code == "custom-call" and "lapack_dtrsm" in one.rest:
        return Operation("JAX", "triangular", dims)
    if one.code in _ELEMENTARY:
        return Operation("JAX", _ELEMENTARY[one.code], (int(np.prod(dims)),))
    return None
