"""NumPy's arrays and JAX's behind one name, and classes that are pytrees as soon as there is JAX.

What is mathematics is written once: a function asks `namespace` of its arguments for the module to compute with, and
uses what both have. NumPy in, NumPy out; JAX in, JAX out. Nothing here imports JAX: a process that asks for one answer
never waits for it.
"""

import contextlib
import dataclasses
import enum
import functools
import inspect
import math
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, ClassVar, dataclass_transform

import numpy as np
import wrapt

Array = Any  # of NumPy or of JAX: what has a shape and a dtype
ArrayLike = Any  # the same, or a number

_FEW = 4  # entries that are printed
_PLAIN = {np.ndarray, np.float64, np.float32, float, int, bool}  # what surely is not of JAX
_structs: list[type] = []
_jax_arrays: tuple[type, ...] = ()


@wrapt.when_imported("jax")  # at once, if it is there already
def _jax_is_there(jax: ModuleType) -> None:
    global _jax_arrays
    _jax_arrays = (jax.Array,)
    for cls in _structs:
        _register(cls)


def _register(cls: type) -> None:
    import jax

    fields = dataclasses.fields(cls)
    names = [field.name for field in fields if not field.metadata.get("static")]
    static = [field.name for field in fields if field.metadata.get("static")]

    def unflatten(aux, children):
        # Not by `__init__`: its checks are for what users pass, and JAX passes placeholders.
        made = object.__new__(cls)
        made.__dict__.update(zip(static, aux, strict=True))
        made.__dict__.update(zip(names, children, strict=True))
        return made

    jax.tree_util.register_pytree_with_keys(
        cls,
        lambda value: (
            [(jax.tree_util.GetAttrKey(name), getattr(value, name)) for name in names],
            tuple(getattr(value, name) for name in static),
        ),
        unflatten,
        lambda value: ([getattr(value, n) for n in names], tuple(getattr(value, n) for n in static)),
    )


def static(**options: Any) -> Any:
    """A field that is compiled in: no array, and equal or not equal to another one."""
    return dataclasses.field(metadata={"static": True}, **options)


@dataclass_transform(field_specifiers=(dataclasses.field, static))
class Struct:
    """A class whose annotated fields are set once: a dataclass, and a pytree of JAX from the moment that this is there.

    An `__init__` of its own sets the fields by assignment; they cannot be changed afterwards.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = "__init__" in cls.__dict__
        fresh = bool(inspect.get_annotations(cls))
        cls._has_own_init = own or (not fresh and getattr(cls, "_has_own_init", False))
        dataclasses.dataclass(init=not cls._has_own_init, eq=False, repr=False)(cls)
        cls._arrays = tuple(f.name for f in dataclasses.fields(cls) if not f.metadata.get("static"))  # type: ignore[arg-type]
        _structs.append(cls)
        if _jax_arrays:
            _register(cls)

    _has_own_init = False
    _arrays: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        fields = [field.name for field in dataclasses.fields(self) if field.repr]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{name}={_brief(getattr(self, name))}' for name in fields)})"

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise dataclasses.FrozenInstanceError(f"{type(self).__name__} is immutable: {name!r} cannot be changed")
        if name not in self.__dataclass_fields__:  # type: ignore[attr-defined]
            raise dataclasses.FrozenInstanceError(
                f"{type(self).__name__} has no field {name!r}: annotate it in the class, as in `{name}: float`"
            )
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"{type(self).__name__} is immutable: {name!r} cannot be deleted")


def leaves(value: Any) -> Iterator[Any]:
    """The numbers and arrays in a `Struct`, a tuple, a list or a dictionary, however deep."""
    if isinstance(value, Struct):
        for name in value._arrays:
            yield from leaves(getattr(value, name))
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from leaves(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from leaves(entry)
    elif value is not None:
        yield value


def is_jax(*values: Any) -> bool:
    """Whether any of the values holds an array of JAX's, concrete or traced: then the work is for the device engine."""
    return bool(_jax_arrays) and any(map(_holds_jax, values))


def _holds_jax(value: Any) -> bool:
    if value is None or type(value) in _PLAIN:
        return False
    if isinstance(value, Struct):  # it never changes: it has to be looked at but once
        kept = vars(value).get("_is_jax")
        if kept is None:
            kept = vars(value)["_is_jax"] = any(_holds_jax(getattr(value, name)) for name in value._arrays)
        return kept
    if isinstance(value, (list, tuple)):
        return any(map(_holds_jax, value))
    if isinstance(value, dict):
        return any(map(_holds_jax, value.values()))
    return isinstance(value, _jax_arrays)


def namespace(*arrays: Any) -> ModuleType:
    """The module to compute with: `jax.numpy` if any of the arguments is an array of JAX's, else `numpy`.

    The convention is that of the Python array API standard.

    Args:
        *arrays: Of any shape and dtype, or numbers.

    Returns:
        The module.

    ```python
    >>> import numpy as np
    >>> import hamtheory as ht
    >>> ht.geometry.namespace(np.ones(2)).__name__
    'numpy'

    ```
    """
    if _jax_arrays:
        for array in arrays:
            if type(array) not in _PLAIN and isinstance(array, _jax_arrays):
                import jax.numpy

                return jax.numpy
    return np


_local = threading.local()


class quiet(contextlib.ContextDecorator):
    """No warnings of NumPy's about overflow, or about a branch of `where` that is not taken; JAX has none.

    Within one, another costs nothing: one limit asks twenty times.
    """

    def _recreate_cm(self):  # as a decorator, one for each call
        return type(self)()

    def __enter__(self) -> None:
        self._outer = None
        if not getattr(_local, "is_quiet", False):
            self._outer = np.errstate(all="ignore")
            self._outer.__enter__()
            _local.is_quiet = True

    def __exit__(self, *error: Any) -> None:
        if self._outer is not None:
            _local.is_quiet = False
            self._outer.__exit__(*error)


def kept(struct: Struct, name: str, compute: Callable[[], Any]) -> Any:
    """What is computed but once of a `Struct` of NumPy's arrays."""
    found = struct.__dict__.get(name)
    if found is None:
        found = struct.__dict__[name] = compute()
    return found


def choose(condition: Array, then: Callable[[], Array], otherwise: Callable[[], Array]) -> Array:
    """`where(condition, then(), otherwise())`; NumPy computes only what is used."""
    xp = namespace(condition)
    if xp is np:
        if np.all(condition):
            return then()
        if not np.any(condition):
            return otherwise()
    return xp.where(condition, then(), otherwise())


def norm(vector: Array, axis: int | None = None) -> Array:
    """The Euclidean norm, also of a vector whose squares leave the range of numbers."""
    xp = namespace(vector)
    vector = xp.asarray(vector)
    if xp is np and (axis is None or vector.ndim == 1):
        with quiet():
            square = float(np.vdot(vector, vector))
        if 1e-200 < square < 1e200 and vector.dtype.itemsize == 8:
            return vector.dtype.type(math.sqrt(square))
    size = xp.max(xp.abs(vector), axis=axis, keepdims=True, initial=0.0)
    unit = xp.where((size > 0) & xp.isfinite(size), size, xp.ones_like(size))
    with quiet():
        scaled = xp.sqrt(xp.sum(xp.square(vector / unit), axis=axis, keepdims=True)) * unit
    return xp.squeeze(scaled, axis=axis) if axis is not None else scaled.reshape(())[()]


def p_norm(vector: Array, p: float) -> Array:
    """`(Σ|x_i|^p)^(1/p)` over the last axis, p from 1 to ∞; the powers neither overflow nor underflow."""
    xp = namespace(vector)
    size = xp.abs(vector)
    largest = xp.max(size, axis=-1, initial=0.0)
    if p == np.inf:
        return largest
    unit = xp.where((largest > 0) & xp.isfinite(largest), largest, xp.ones_like(largest))
    with quiet():
        return xp.sum((size / unit[..., None]) ** p, axis=-1) ** (1 / p) * unit


def conjugate_exponent(p: float) -> float:
    """p′ with 1/p + 1/p′ = 1: of the dual norm."""
    return np.inf if p == 1 else 1.0 if p == np.inf else p / (p - 1)


def replaced(struct: Any, **fields: Any) -> Any:
    """The same `Struct` with other values of some fields, unchecked: `__init__` is not called."""
    made = object.__new__(type(struct))
    made.__dict__.update({field.name: getattr(struct, field.name) for field in dataclasses.fields(struct)} | fields)
    return made


def mapped(function: Callable[[Any], Any], struct: Any) -> Any:
    """A `Struct` with the function applied to each of its numbers and arrays."""
    if isinstance(struct, Struct):
        return replaced(struct, **{name: mapped(function, getattr(struct, name)) for name in struct._arrays})
    if isinstance(struct, (list, tuple)):
        return type(struct)(mapped(function, entry) for entry in struct)
    if isinstance(struct, dict):
        return {name: mapped(function, entry) for name, entry in struct.items()}
    return None if struct is None else function(struct)


def in_dtype(struct: Any, dtype: Any) -> Any:
    """A `Struct` with its real numbers in this dtype, before anything is computed from them."""
    dtype = np.dtype(dtype)
    if all(getattr(leaf, "dtype", None) == dtype for leaf in leaves(struct)):
        return struct

    def cast(leaf):
        if isinstance(leaf, float):
            return dtype.type(leaf)
        is_real = hasattr(leaf, "dtype") and np.issubdtype(np.dtype(leaf.dtype), np.floating)
        return leaf.astype(dtype) if is_real and leaf.dtype != dtype else leaf

    return mapped(cast, struct)


def on_device(struct: Any) -> Any:
    """A `Struct` with its numbers and arrays as JAX's."""
    import jax.numpy as jnp

    return mapped(lambda leaf: leaf if isinstance(leaf, _jax_arrays) else jnp.asarray(leaf), struct)


class custom_jvp:
    """A function of NumPy's or JAX's arrays that JAX differentiates by a rule of its own, given to `defjvp`.

    The first `static` arguments are compiled in, and the rule gets them first, as that of `jax.custom_jvp` does.
    """

    def __init__(self, function: Callable, static: int = 0):
        self.function, self.static = function, static
        functools.update_wrapper(self, function)

    @classmethod
    def of(cls, static: int) -> "Callable[[Callable], custom_jvp]":
        return lambda function: cls(function, static)

    def defjvp(self, rule: Callable) -> Callable:
        self.rule = rule
        return rule

    @functools.cached_property
    def _for_jax(self) -> Callable:
        import jax

        traced = jax.custom_jvp(self.function, nondiff_argnums=tuple(range(self.static)))
        traced.defjvp(self.rule)
        return traced

    def __call__(self, *arguments: Any) -> Any:
        return (self._for_jax if is_jax(*arguments[self.static :]) else self.function)(*arguments)


def floating(x: Any, like: Any) -> Array:
    """`x` as a floating array, of JAX if `like` is: integers become the default float."""
    xp = namespace(x)
    if xp is np and is_jax(like):
        import jax.numpy as xp
    x = xp.asarray(x)
    if x.dtype.kind != "f" and not (xp is not np and xp.issubdtype(x.dtype, xp.floating)):
        x = x.astype(np.float64 if xp is np else float)
    return x


def _brief(value: Any) -> str:
    """A field in a text: of an array with more than a few entries, its dtype and shape."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {_brief(entry)}" for name, entry in value.items()) + "}"
    if type(value) in (list, tuple):
        inner = ", ".join(map(_brief, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    shape = getattr(value, "shape", ())
    if hasattr(value, "dtype") and math.prod(shape) > _FEW:
        return f"{value.dtype}[{', '.join(map(str, shape))}]"
    return shown(value)


def shown(value: Any) -> str:
    """A parameter in a text: its value, if it has one to show."""
    if not hasattr(value, "dtype"):
        return repr(value)
    try:
        array = np.asarray(value)
    except Exception:  # traced
        return str(value)
    if array.ndim == 0:
        return repr(array.item())
    return np.array2string(array, threshold=6, edgeitems=2, separator=", ").replace("\n", "")
