# SPDX-License-Identifier: MIT
"""What traced values do as NumPy arrays: attributes, indexing, reductions, NumPy's functions.

Called by the C type only when one of these is met; the plain case of a ufunc is decided in C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lattice._core import TracedValue
from lattice._jit.errors import ConcreteValueError, SideEffectError, UnsupportedError, told

__all__ = ["array_function", "array_ufunc", "attribute", "iterate", "matmul", "subscript"]

_DTYPES = {
    "bool": "bool",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "f32": "float32",
    "f64": "float64",
}
_TYPES = {name: short for short, name in _DTYPES.items()}


def _numpy() -> Any:
    import numpy

    return numpy


def _type_of(dtype: Any) -> str:
    np = _numpy()
    name = np.dtype(dtype).name
    if name not in _TYPES:
        raise told(
            UnsupportedError,
            f"dtype {name} has no native form",
            cure="use bool, an integer type, float32 or float64",
        )
    return _TYPES[name]


def _unsupported(what: str, cure: str = "keep this part in Python, or write it with ufuncs") -> Any:
    raise told(UnsupportedError, f"{what} has no native form", cure=cure)


def _element(value: TracedValue) -> bool:
    """Whether a value is one element to the user: a scalar, or a lane of @vectorize."""
    return value.ndim == 0 or value._tracer.lanes


def _axes(value: TracedValue, axis: Any) -> int:
    """The mask of axes; 0 for all of them."""
    rank = value.ndim
    if axis is None:
        return 0
    mask = 0
    for item in axis if isinstance(axis, tuple) else (axis,):
        if type(item) is not int:
            _unsupported("an axis that is not a constant int", "write the axis as a number")
        if not -rank <= item < rank:
            np = _numpy()
            raise np.exceptions.AxisError(item, rank)
        bit = 1 << (item % rank)
        if mask & bit:
            raise ValueError("duplicate value in 'axis'")
        mask |= bit
    return mask


def _reduce(
    name: str,
    value: TracedValue,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    _no_out(out)
    tracer = value._tracer
    if tracer.lanes and value.ndim:
        _unsupported(
            f"{name} of an element", "@lt.jit works with whole arrays; an element has no axes"
        )
    np = _numpy()
    if where is not True:
        neutral = {"sum": 0, "prod": 1, "any": False, "all": True}.get(name)
        if neutral is None:
            _unsupported(f"np.{name} with where=")
        value = np.where(where, value, neutral)
    if dtype is not None:
        value = tracer.cast(value, _type_of(dtype), False)
        if name in ("sum", "prod") and _type_of(dtype) not in ("f64", "f32", "i64", "u64"):
            _unsupported(f"np.{name} in {dtype}", "use a 64-bit type")
    keep = keepdims is not False and keepdims is not np._NoValue and bool(keepdims)
    made = tracer.reduce(name, value, _axes(value, axis), keep, fast_reduce(tracer))
    if initial is not None and initial is not np._NoValue:
        if name == "sum":
            made = made + initial
        elif name == "prod":
            made = made * initial
        else:
            made = np.maximum(made, initial) if name == "max" else np.minimum(made, initial)
    return made


_fast: set[int] = set()


def fast_reduce(tracer: Any) -> bool:
    """Whether sums of this trace may be added in any order (reduce="fast")."""
    return id(tracer) in _fast


def set_fast_reduce(tracer: Any, is_fast: bool) -> None:
    if is_fast:
        _fast.add(id(tracer))
    else:
        _fast.discard(id(tracer))


def _no_out(out: Any) -> None:
    if out is not None and out != (None,):
        raise told(
            SideEffectError,
            "out= inside a traced function changes an array in place",
            cure="return the value; pass out= to the compiled function itself",
        )


def _count(value: TracedValue, mask: int) -> Any:
    return value._tracer.extent(value, mask or (1 << value.ndim) - 1)


def _mean(
    value: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False
) -> Any:
    _no_out(out)
    tracer = value._tracer
    if dtype is not None:
        value = tracer.cast(value, _type_of(dtype), False)
    elif value._type not in ("f64", "f32"):
        value = tracer.cast(value, "f64", False)
    total = _reduce("sum", value, axis, None, None, keepdims)
    count = _count(value, _axes(value, axis))
    return total / tracer.cast(count, value._type, False)


def _var(
    value: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    correction: Any = None,
) -> Any:
    _no_out(out)
    np = _numpy()
    if correction is not None and correction is not np._NoValue:
        ddof = correction
    tracer = value._tracer
    if dtype is not None:
        value = tracer.cast(value, _type_of(dtype), False)
    elif value._type not in ("f64", "f32"):
        value = tracer.cast(value, "f64", False)
    mask = _axes(value, axis)
    count = tracer.cast(_count(value, mask), value._type, False)
    # NumPy's own order: the mean with its axes kept, squares of the distances, their sum.
    mean = _reduce("sum", value, axis, None, None, True) / count
    distance = value - mean
    total = _reduce("sum", distance * distance, axis, None, None, keepdims)
    divisor = np.maximum(count - ddof, 0)
    return total / divisor


def _std(value: Any, *args: Any, **keywords: Any) -> Any:
    return _numpy().sqrt(_var(value, *args, **keywords))


def _traced(*values: Any) -> TracedValue:
    for value in values:
        if type(value) is TracedValue:
            return value
        if isinstance(value, (tuple, list)):
            for part in value:
                if type(part) is TracedValue:
                    return part
    raise TypeError("no traced value")


def _as(tracer: Any, value: Any) -> Any:
    return tracer.value(value)


# --- indexing


def subscript(value: TracedValue, key: Any) -> Any:
    """``value[key]``."""
    tracer = value._tracer
    if tracer.lanes and value.ndim:
        raise TypeError(f"an element ({value!r}) is not subscriptable; @lt.jit takes whole arrays")
    if value.ndim == 0 and key not in ((), Ellipsis):
        raise TypeError(f"{value!r} is not subscriptable")
    keys = key if isinstance(key, tuple) else (key,)
    keys = _expand(value, keys)
    np = _numpy()
    indices = [item for item in keys if type(item) is TracedValue or _is_index_array(item)]
    if not indices:
        items = []
        for item in keys:
            if item is None or isinstance(item, slice):
                if isinstance(item, slice):
                    item = slice(*(_constant(part) for part in (item.start, item.stop, item.step)))
                items.append(item)
            else:
                items.append(int(item.__index__()))
        return tracer.view(value, tuple(items)) if items else value
    for item in indices:
        if type(item) is TracedValue and item._type == "bool":
            _unsupported(
                "a mask as index (the result's length is not known)",
                "np.where(mask, x, other), or a sum of np.where(mask, x, 0)",
            )
        if type(item) is TracedValue and item._type in ("f64", "f32"):
            raise IndexError("only integers, slices and arrays of integers are valid indices")
    if any(item is None or isinstance(item, slice) for item in keys):
        # Whole axes behind the indices: an index for each of them.
        return _with_slices(value, keys)
    if len(keys) > 3:
        _unsupported("indexing by arrays on more than three axes")
    return tracer.gather(value, [np.asarray(i) if isinstance(i, list) else i for i in keys])


def _with_slices(value: TracedValue, keys: tuple[Any, ...]) -> Any:
    tracer = value._tracer
    whole = slice(None)
    scalars = [k for k, item in enumerate(keys) if not isinstance(item, slice) and item is not None]
    if (
        any(item is None for item in keys)
        or any(isinstance(item, slice) and item != whole for item in keys)
        or any(getattr(keys[k], "ndim", 0) for k in scalars)
        or len(keys) > 3
    ):
        _unsupported("arrays and slices mixed in one index", "slice first, then index: x[1:][i]")
    rest = [k for k in range(len(keys)) if k not in scalars]
    full = list(keys)
    for place, axis in enumerate(rest):
        full[axis] = tracer.iota(tracer.extent(value, 1 << axis), len(rest) - 1 - place)
    return tracer.gather(value, full)


def _constant(part: Any) -> Any:
    if type(part) is TracedValue:
        raise told(
            ConcreteValueError,
            "a slice's bounds are known only when the kernel runs",
            cure="use constant bounds, or mask with np.where and an index array",
        )
    return part


def _is_index_array(item: Any) -> bool:
    return isinstance(item, list) or (hasattr(item, "dtype") and getattr(item, "ndim", 0) > 0)


def _expand(value: TracedValue, keys: tuple[Any, ...]) -> tuple[Any, ...]:
    used = sum(item is not None and item is not Ellipsis for item in keys)
    if used > value.ndim:
        raise IndexError(
            f"too many indices for array: array is {value.ndim}-dimensional, "
            f"but {used} were indexed"
        )
    fill = (slice(None),) * (value.ndim - used)
    for k, item in enumerate(keys):
        if item is Ellipsis:
            return keys[:k] + fill + keys[k + 1 :]
    return keys + fill


def iterate(value: TracedValue) -> Iterator[Any]:
    raise told(
        ConcreteValueError,
        "iterating over an array needs its length, which differs from call to call",
        cure="a for statement over it is recorded as a loop; unpacking and list() are not",
    )


# --- attributes and methods

_Method = Callable[..., Any]


def attribute(value: TracedValue, name: str) -> Any:
    """``value.name``: what arrays (or Python's numbers) have."""
    tracer = value._tracer
    if value._weak and value.ndim == 0:
        return _number_attribute(value, name)
    if name == "dtype":
        return _numpy().dtype(_DTYPES[value._type])
    if name == "itemsize":
        return _numpy().dtype(_DTYPES[value._type]).itemsize
    if tracer.lanes and value.ndim:
        if name in ("shape", "size", "T"):
            return {"shape": (), "size": 1, "T": value}[name]
    elif name == "shape":
        return tuple(tracer.extent(value, 1 << axis) for axis in range(value.ndim))
    elif name == "size":
        return tracer.extent(value, (1 << value.ndim) - 1) if value.ndim else 1
    elif name == "nbytes":
        return value.size * value.itemsize
    elif name in ("T", "mT"):
        return _transpose(value)
    if name == "real":
        return value
    if name == "imag":
        return value * 0
    method = _METHODS.get(name)
    if method is None:
        if hasattr(_numpy().ndarray, name):
            _unsupported(f"the array method .{name}")
        raise AttributeError(f"'numpy.ndarray' object has no attribute '{name}'")
    return lambda *args, **keywords: method(value, *args, **keywords)


def _number_attribute(value: TracedValue, name: str) -> Any:
    if name == "real":
        return value
    if name == "is_integer" and value._type == "f64":
        np = _numpy()
        return lambda: (np.floor(value) == value) & np.isfinite(value)
    if name == "conjugate":
        return lambda: value
    kind = {"f64": float, "i64": int, "bool": bool}[value._type]
    if hasattr(kind, name):
        _unsupported(f"{kind.__name__}.{name}")
    raise AttributeError(f"'{kind.__name__}' object has no attribute '{name}'")


def _astype(value: TracedValue, dtype: Any, **_: Any) -> Any:
    return value._tracer.cast(value, _type_of(dtype), False)


def _transpose(value: TracedValue, *axes: Any) -> Any:
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
        axes = tuple(axes[0]) if axes[0] is not None else ()
    order = tuple(axis % value.ndim for axis in axes) or tuple(reversed(range(value.ndim)))
    return value._tracer.transpose(value, order) if value.ndim > 1 else value


def _clip(
    value: Any,
    low: Any = None,
    high: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    _no_out(out)
    np = _numpy()
    low = min if low is None else low
    high = max if high is None else high
    tracer = _traced(value, low, high)._tracer
    # As in NumPy the clipped one is an array, and never a Python number.
    value = _as(tracer, value)
    value = tracer.cast(value, value._type, False)
    if low is None and high is None:
        return np.positive(value)
    # Two operands are a minimum or a maximum; beyond its type a Python int is no bound of integers.
    if high is None:
        low = _inside(value, low, True)
        return np.maximum(value, low) if low is not None else value
    if low is None:
        high = _inside(value, high, False)
        return np.minimum(value, high) if high is not None else value
    made = tracer.numpy("clip", value, low, high)
    return _unsupported("np.clip of these values") if made is NotImplemented else made


def _inside(value: Any, bound: Any, is_low: bool) -> Any:
    if type(bound) is not int or value._type in ("bool", "f32", "f64"):
        return bound
    limits = _numpy().iinfo(_DTYPES[value._type])
    is_beyond = bound <= limits.min if is_low else bound >= limits.max
    return None if is_beyond else bound


def _round(value: Any, decimals: Any = 0, out: Any = None) -> Any:
    _no_out(out)
    tracer = value._tracer
    if value._type not in ("f64", "f32"):
        return value if decimals >= 0 else _unsupported("rounding integers to tens")
    if decimals == 0:
        return tracer.rint(value)
    scale = 10 ** abs(decimals)
    if decimals > 0:
        return tracer.rint(value * float(scale)) / float(scale)
    return tracer.rint(value / float(scale)) * float(scale)


def _scan(name: str) -> _Method:
    def scan(value: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        _no_out(out)
        tracer = value._tracer
        if axis is None:
            if value.ndim != 1:
                _unsupported(f"np.cum{name} over all axes of a matrix", "pass axis=")
            axis = 0
        if dtype is not None:
            value = tracer.cast(value, _type_of(dtype), False)
        return tracer.scan(name, value, axis % value.ndim)

    return scan


def _dot(a: Any, b: Any, out: Any = None) -> Any:
    _no_out(out)
    tracer = _traced(a, b)._tracer
    a, b = _as(tracer, a), _as(tracer, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim == 1 and b.ndim == 1:
        return _reduce("sum", _same_length(a, b))
    if a.ndim == 2 and b.ndim == 1:
        return _reduce("sum", a * b, 1)
    if a.ndim == 1 and b.ndim == 2:
        return _reduce("sum", tracer.view(a, (slice(None), None)) * b, 0)
    if a.ndim == 2 and b.ndim == 2:
        left = tracer.view(a, (slice(None), slice(None), None))
        right = tracer.view(b, (None, slice(None), slice(None)))
        return _reduce("sum", left * right, 1)
    return _unsupported("a product of arrays of more than two axes")


def matmul(a: Any, b: Any) -> Any:
    """``a @ b``."""
    tracer = _traced(a, b)._tracer
    a, b = _as(tracer, a), _as(tracer, b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul: an operand has no axes; use *")
    return _dot(a, b)


def _same_length(a: Any, b: Any) -> Any:
    return a * b


def _reducer(name: str) -> _Method:
    return lambda value, *args, **keywords: _reduce(name, value, *args, **keywords)


def _arg(name: str) -> _Method:
    def find(value: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        return _reduce(name, value, axis, None, out, keepdims)

    return find


def _ptp(value: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return _reduce("max", value, axis, None, out, keepdims) - _reduce(
        "min", value, axis, None, None, keepdims
    )


_METHODS: dict[str, _Method] = {
    "sum": _reducer("sum"),
    "prod": _reducer("prod"),
    "min": lambda value, axis=None, out=None, keepdims=False, **more: _reduce(
        "min", value, axis, None, out, keepdims, **more
    ),
    "max": lambda value, axis=None, out=None, keepdims=False, **more: _reduce(
        "max", value, axis, None, out, keepdims, **more
    ),
    "any": lambda value, axis=None, out=None, keepdims=False, **more: _reduce(
        "any", value, axis, None, out, keepdims, **more
    ),
    "all": lambda value, axis=None, out=None, keepdims=False, **more: _reduce(
        "all", value, axis, None, out, keepdims, **more
    ),
    "argmin": _arg("argmin"),
    "argmax": _arg("argmax"),
    "mean": _mean,
    "var": _var,
    "std": _std,
    "astype": _astype,
    "transpose": _transpose,
    "clip": _clip,
    "round": _round,
    "cumsum": _scan("sum"),
    "cumprod": _scan("prod"),
    "dot": _dot,
    "copy": lambda value, order=None: value,
    "conj": lambda value: value,
    "conjugate": lambda value: value,
    "item": lambda value: _item(value),
    "ptp": _ptp,
    "ravel": lambda value, order="C": (
        value if value.ndim == 1 else _unsupported("flattening an array")
    ),
}


def _item(value: Any) -> Any:
    if value.ndim:
        _unsupported("item() of an array")
    kind = {"b": "bool", "f": "f64"}.get(value._type[0], "i64")
    return value._tracer.cast(value, kind, True)


# --- NumPy's functions


def array_ufunc(_: TracedValue, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
    """A ufunc that is not a plain call of one, two or three values."""
    name = ufunc.__name__
    if method == "__call__":
        _no_out(keywords.pop("out", None))
        where = keywords.pop("where", True)
        dtype = keywords.pop("dtype", None)
        keywords.pop("casting", None)
        if keywords or where is not True:
            _unsupported(f"np.{name} with {', '.join(keywords) or 'where='}")
        tracer = _traced(*inputs)._tracer
        if dtype is not None:
            inputs = tuple(tracer.cast(value, _type_of(dtype), False) for value in inputs)
        if name == "matmul":
            return matmul(*inputs)
        if name == "divmod":
            return (inputs[0] // inputs[1], inputs[0] % inputs[1])
        if name == "modf":
            whole = _numpy().trunc(inputs[0])
            return (_numpy().copysign(inputs[0] - whole, inputs[0]), whole)
        if name == "heaviside":
            np = _numpy()
            x, half = inputs
            return np.where(np.isnan(x), x, np.where(x < 0, 0.0, np.where(x > 0, 1.0, half)))
        if name == "logaddexp":
            np = _numpy()
            high, low = np.maximum(*inputs), np.minimum(*inputs)
            return np.where(
                high == low, high + 0.6931471805599453, high + np.log1p(np.exp(low - high))
            )
        made = tracer.numpy(name, *inputs)
        return _unsupported(f"np.{name}") if made is NotImplemented else made
    if method == "reduce":
        reduction = _UFUNC_REDUCTIONS.get(name)
        if reduction is not None:
            axis = keywords.pop("axis", 0)
            return _reduce(reduction, inputs[0], axis, **keywords)
    if method == "accumulate":
        scan = {"add": "sum", "multiply": "prod", "minimum": "min", "maximum": "max"}.get(name)
        if scan is not None:
            return _scan(scan)(inputs[0], keywords.pop("axis", 0), **keywords)
    if method == "outer" and len(inputs) == 2:
        tracer = _traced(*inputs)._tracer
        a, b = _as(tracer, inputs[0]), _as(tracer, inputs[1])
        a = tracer.view(a, (slice(None),) * a.ndim + (None,) * b.ndim)
        return ufunc(a, b)
    return _unsupported(f"np.{name}.{method}")


_UFUNC_REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "minimum": "min",
    "maximum": "max",
    "logical_and": "all",
    "logical_or": "any",
}


def array_function(
    _: TracedValue, function: Any, types: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    """A function of NumPy that is no ufunc."""
    handler = _FUNCTIONS.get(function.__name__)
    if handler is None:
        return _unsupported(f"np.{function.__name__}")
    return handler(*args, **keywords)


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        return _unsupported("np.where with one argument", "np.where(condition, x, y)")
    made = _traced(condition, x, y)._tracer.numpy("where", condition, x, y)
    return _unsupported("np.where of these types") if made is NotImplemented else made


def _full_like(fill: Any) -> _Method:
    def make(like: Any, *args: Any, dtype: Any = None, **_: Any) -> Any:
        value = args[0] if fill is None else fill
        if args[1:] or (fill is not None and args):
            dtype = args[-1]
        tracer = _traced(like, value)._tracer
        like = _as(tracer, like)
        kind = _type_of(dtype) if dtype is not None else like._type
        return tracer.like(tracer.cast(value, kind, False), like)

    return make


def _diff(value: Any, n: Any = 1, axis: Any = -1, **__: Any) -> Any:
    axis = axis % value.ndim
    for _ in range(n):
        whole = [slice(None)] * value.ndim
        ahead, behind = list(whole), list(whole)
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        ahead_view = value._tracer.view(value, tuple(ahead))
        behind_view = value._tracer.view(value, tuple(behind))
        value = ahead_view != behind_view if value._type == "bool" else ahead_view - behind_view
    return value


def _linear_polynomial(coefficients: Any, x: Any) -> Any:
    total = x * 0
    for value in coefficients:
        total = total * x + value
    return total


def _select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    np = _numpy()
    made = default
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        made = np.where(condition, choice, made)
    return made


def _nan_reduce(name: str, neutral: float) -> _Method:
    def reduce(value: Any, axis: Any = None, **keywords: Any) -> Any:
        np = _numpy()
        if value._type not in ("f64", "f32"):
            return _reduce(name, value, axis, **keywords)
        return _reduce(name, np.where(np.isnan(value), neutral, value), axis, **keywords)

    return reduce


def _nan_to_num(
    value: Any, copy: Any = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    np = _numpy()
    if value._type not in ("f64", "f32"):
        return value
    limits = np.finfo(_DTYPES[value._type])
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    value = np.where(np.isnan(value), nan, value)
    return np.where(value == np.inf, high, np.where(value == -np.inf, low, value))


def _take(value: Any, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise") -> Any:
    _no_out(out)
    if mode != "raise" or (axis not in (None, 0)) or value.ndim != 1:
        return _unsupported("np.take of this form", "index: x[i]")
    return subscript(value, indices)


def _isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: Any = False) -> Any:
    np = _numpy()
    near = np.abs(a - b) <= atol + rtol * np.abs(b)
    near = (near & np.isfinite(b)) | (a == b)
    return near | (np.isnan(a) & np.isnan(b)) if equal_nan else near


def _expand_dims(value: Any, axis: Any) -> Any:
    items: list[Any] = [slice(None)] * value.ndim
    items.insert(axis % (value.ndim + 1), None)
    return value._tracer.view(value, tuple(items))


def _outer(a: Any, b: Any, out: Any = None) -> Any:
    _no_out(out)
    return array_ufunc(_traced(a, b), _numpy().multiply, "outer", a, b)


def _norm(value: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    if ord not in (None, 2) or (value.ndim > 1 and axis is None and ord is not None):
        return _unsupported("this norm")
    return _numpy().sqrt(_reduce("sum", value * value, axis, None, None, keepdims))


def _size(value: Any, axis: Any = None) -> Any:
    return _count(value, _axes(value, axis))


def _average(value: Any, axis: Any = None, weights: Any = None, **more: Any) -> Any:
    if weights is None:
        return _mean(value, axis, **more)
    total = _reduce("sum", value * weights, axis)
    return total / _reduce("sum", _as(_traced(value, weights)._tracer, weights), axis)


def _cross3(*_: Any, **__: Any) -> Any:
    return _unsupported("np.cross", "write the three components")


_FUNCTIONS: dict[str, _Method] = {
    "where": _where,
    "sum": lambda a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True: (
        _reduce("sum", a, axis, dtype, out, keepdims, initial, where)
    ),
    "prod": lambda a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True: (
        _reduce("prod", a, axis, dtype, out, keepdims, initial, where)
    ),
    "amin": lambda a, axis=None, out=None, keepdims=False, **more: _reduce(
        "min", a, axis, None, out, keepdims, **more
    ),
    "amax": lambda a, axis=None, out=None, keepdims=False, **more: _reduce(
        "max", a, axis, None, out, keepdims, **more
    ),
    "any": lambda a, axis=None, out=None, keepdims=False, **more: _reduce(
        "any", a, axis, None, out, keepdims, **more
    ),
    "all": lambda a, axis=None, out=None, keepdims=False, **more: _reduce(
        "all", a, axis, None, out, keepdims, **more
    ),
    "argmin": _arg("argmin"),
    "argmax": _arg("argmax"),
    "mean": _mean,
    "var": _var,
    "std": _std,
    "average": _average,
    "clip": _clip,
    "round": _round,
    "cumsum": _scan("sum"),
    "cumprod": _scan("prod"),
    "dot": _dot,
    "vdot": _dot,
    "inner": lambda a, b: (
        _dot(a, b) if a.ndim <= 1 and b.ndim <= 1 else _unsupported("np.inner of matrices")
    ),
    "outer": _outer,
    "transpose": _transpose,
    "zeros_like": _full_like(0),
    "ones_like": _full_like(1),
    "full_like": _full_like(None),
    "empty_like": _full_like(0),
    "diff": _diff,
    "polyval": _linear_polynomial,
    "select": _select,
    "nansum": _nan_reduce("sum", 0.0),
    "nanprod": _nan_reduce("prod", 1.0),
    "nan_to_num": _nan_to_num,
    "take": _take,
    "isclose": _isclose,
    "expand_dims": _expand_dims,
    "norm": _norm,
    "ndim": lambda a: a.ndim,
    "shape": lambda a: a.shape,
    "size": _size,
    "copy": lambda a, **_: a,
    "ptp": _ptp,
    "cross": _cross3,
    "real": lambda a: a,
    "iscomplexobj": lambda a: False,
    "isrealobj": lambda a: True,
    "result_type": lambda *values: _numpy().result_type(
        *(
            _numpy().dtype(_DTYPES[value._type]) if type(value) is TracedValue else value
            for value in values
        )
    ),
}
_FUNCTIONS["min"] = _FUNCTIONS["amin"]
_FUNCTIONS["max"] = _FUNCTIONS["amax"]
