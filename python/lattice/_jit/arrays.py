# SPDX-License-Identifier: MIT
"""What traced values do as NumPy arrays: attributes, indexing, reductions, NumPy's functions.

Called by the C type only when one of these is met; the plain case of a ufunc is decided in C.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lattice._core import TracedValue
from lattice._jit.errors import ConcreteValueError, SideEffectError, UnsupportedError, told

__all__ = [
    "DTYPES",
    "array_function",
    "array_ufunc",
    "assign",
    "attribute",
    "elements",
    "iterate",
    "matmul",
    "subscript",
    "type_of",
    "unsupported",
]

DTYPES = {
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
_TYPES = {name: short for short, name in DTYPES.items()}


def _numpy() -> Any:
    import numpy

    return numpy


def type_of(dtype: Any) -> str:
    np = _numpy()
    name = np.dtype(dtype).name
    if name not in _TYPES:
        raise told(
            UnsupportedError,
            f"dtype {name} has no native form",
            cure="use bool, an integer type, float32 or float64",
        )
    return _TYPES[name]


def unsupported(what: str, cure: str = "keep this part in Python, or write it with ufuncs") -> Any:
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
            unsupported("an axis that is not a constant int", "write the axis as a number")
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
        unsupported(
            f"{name} of an element", "@lt.jit works with whole arrays; an element has no axes"
        )
    np = _numpy()
    if where is not True:
        neutral = {"sum": 0, "prod": 1, "any": False, "all": True}.get(name)
        if neutral is None:
            unsupported(f"np.{name} with where=")
        value = np.where(where, value, neutral)
    if dtype is not None:
        value = tracer.cast(value, type_of(dtype), False)
        if name in ("sum", "prod") and type_of(dtype) not in ("f64", "f32", "i64", "u64"):
            unsupported(f"np.{name} in {dtype}", "use a 64-bit type")
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
        value = tracer.cast(value, type_of(dtype), False)
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
        value = tracer.cast(value, type_of(dtype), False)
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
    """``value[key]``; slices are views of the array, as in NumPy."""
    made = elements(value, key)
    if type(made) is TracedValue and made.ndim and _is_view_key(key):
        if made is value:
            made = _copy(value)
        return value._tracer.link(
            made, value, lambda: elements(value, key), lambda new: assign(value, key, new)
        )
    return made


def _is_view_key(key: Any) -> bool:
    keys = key if isinstance(key, tuple) else (key,)
    return all(
        item is None
        or item is Ellipsis
        or isinstance(item, (slice, int))
        or (type(item) is TracedValue and item.ndim == 0 and item._type != "bool")
        for item in keys
    )


def _is_constant(item: Any) -> bool:
    if isinstance(item, slice):
        return all(part is None or _is_int(part) for part in (item.start, item.stop, item.step))
    return item is None or _is_int(item)


def _is_int(item: Any) -> bool:
    if type(item) is TracedValue or not hasattr(item, "__index__"):
        return False
    return not getattr(item, "ndim", 0)


def elements(value: TracedValue, key: Any) -> Any:
    """``value[key]`` as it is now."""
    tracer = value._tracer
    if tracer.lanes and value.ndim:
        raise TypeError(f"an element ({value!r}) is not subscriptable; @lt.jit takes whole arrays")
    if value.ndim == 0 and key not in ((), Ellipsis):
        raise TypeError(f"{value!r} is not subscriptable")
    if type(key) is TracedValue and key._type == "bool" and key.ndim:
        from lattice._jit.selection import Selection

        return Selection(value, key)
    keys = key if isinstance(key, tuple) else (key,)
    keys = _expand(value, keys)
    np = _numpy()
    if all(_is_constant(item) for item in keys):
        items: list[Any] = []
        for item in keys:
            if isinstance(item, slice):
                parts = (item.start, item.stop, item.step)
                items.append(slice(*(p if p is None else int(p.__index__()) for p in parts)))
            else:
                items.append(item if item is None else int(item.__index__()))
        return tracer.view(value, tuple(items)) if items else value
    for item in keys:
        if type(item) is TracedValue and item._type == "bool":
            unsupported(
                "a mask as part of an index", "np.where(mask, x, other), or x[mask] on its own"
            )
        if type(item) is TracedValue and item._type in ("f64", "f32"):
            raise IndexError("only integers, slices and arrays of integers are valid indices")
    if any(item is None or isinstance(item, slice) for item in keys):
        return _mixed(value, keys)
    if len(keys) > 3:
        unsupported("indexing by arrays on more than three axes")
    return tracer.gather(value, [np.asarray(i) if isinstance(i, list) else i for i in keys])


def _mixed(value: TracedValue, keys: tuple[Any, ...]) -> Any:
    """Slices, new axes and indices that are known only when the kernel runs, in one key."""
    tracer = value._tracer
    arrays = [item for item in keys if getattr(item, "ndim", 0) or isinstance(item, list)]
    if len(arrays) > 1 or value.ndim > 3:
        unsupported("arrays and slices mixed in one index", "slice first, then index: x[1:][i]")
    # What is constant is a view; the rest is gathered from it.
    is_simple = [_is_constant(item) for item in keys if item is not None]
    axes = [item for item in keys if item is not None]
    if any(is_simple):
        view = tuple(
            item if simple and isinstance(item, slice) else slice(None)
            for item, simple in zip(axes, is_simple, strict=True)
        )
        if any(item != slice(None) for item in view):
            value = elements(value, view)
    wanted = []  # by axis: the index, and how many axes of the result it makes
    for axis, (item, simple) in enumerate(zip(axes, is_simple, strict=True)):
        if isinstance(item, slice):
            n = tracer.extent(value, 1 << axis)
            if simple:
                wanted.append((tracer.iota(n), 1))
            else:
                start, step, count = _bounds(tracer, item, n)
                wanted.append((tracer.iota(count) * step + start, 1))
        elif getattr(item, "ndim", 0) or isinstance(item, list):
            index = _numpy().asarray(item) if isinstance(item, list) else item
            if index.ndim != 1:
                unsupported("an index of two axes beside slices")
            wanted.append((tracer.value(index), 1))
        else:
            wanted.append((item, 0))
    total = sum(count for _, count in wanted)
    indices, place = [], 0
    for index, count in wanted:
        if count:
            trailing = total - 1 - place
            place += 1
            index = tracer.view(index, (slice(None),) + (None,) * trailing) if trailing else index
        indices.append(index)
    made = tracer.gather(value, indices)
    if any(item is None for item in keys):
        kept = (item for item in keys if item is None or isinstance(item, slice))
        made = tracer.view(made, tuple(None if item is None else slice(None) for item in kept))
    return made


def _bounds(tracer: Any, item: slice, n: Any) -> tuple[Any, int, Any]:
    """Start, step and count of a slice whose bounds are known only when the kernel runs.

    Bounds outside of the array, which a slice moves to its edge, are left to Python.
    """
    step = 1 if item.step is None else item.step
    if type(step) is TracedValue or step != 1:
        unsupported("a step in a slice whose bounds are computed", "write x[a:b][::step]")
    start = 0 if item.start is None else item.start
    stop = n if item.stop is None else item.stop
    for part in (start, stop):
        if type(part) is TracedValue and part._type in ("f64", "f32", "bool"):
            raise TypeError("slice indices must be integers")
    start = n + start if _is_int(start) and start < 0 else start
    stop = n + stop if _is_int(stop) and stop < 0 else stop
    if type(start) is TracedValue or start != 0:
        tracer.guard(tracer.value(start >= 0))
    if stop is not n:
        tracer.guard(tracer.value(stop <= n))
    count = tracer.distance(tracer.value(stop), tracer.value(start))
    if count is None:
        count = stop - start
    tracer.guard(tracer.value(count >= 0))
    return start, 1, count


def assign(value: TracedValue, key: Any, new: Any) -> None:
    """``value[key] = new``: the array, under all of its names, has other elements from here on."""
    tracer = value._tracer
    np = _numpy()
    if tracer.lanes or value.ndim == 0:
        raise TypeError(f"{value!r} does not support item assignment")
    if isinstance(new, (list, tuple)):
        new = np.array(new) if not _has_traced(new) else _creation().stack(new)
    if type(key) is TracedValue and key._type == "bool" and key.ndim:
        from lattice._jit.selection import Selection

        if isinstance(new, Selection):
            if not new.is_of(key):
                unsupported(
                    "elements that one mask selects, assigned to those of another",
                    "np.where(mask, x, y)",
                )
            new = new.whole
        elif getattr(new, "ndim", 0):
            unsupported("an array assigned to what a mask selects", "np.where(mask, x, y)")
        if key.ndim != value.ndim:
            unsupported("a mask of fewer axes than the array", "np.where(mask[:, None], x, y)")
        _same_axes(tracer, value, key)
        _put(value, np.where(key, _cast_for(value, new), value))
        return
    new = _cast_for(value, new)
    keys = _expand(value, key if isinstance(key, tuple) else (key,))
    if any(item is None for item in keys):
        unsupported("a new axis in an assignment")
    if value.ndim > 3:
        unsupported("assignment to elements of an array of more than three axes")
    if value.ndim == 1 and not isinstance(keys[0], slice):
        index = keys[0] if type(keys[0]) is TracedValue else tracer.value(np.asarray(keys[0]))
        if not index.ndim:
            index = tracer.value(keys[0]) if type(keys[0]) is not list else index
        if index._type in ("f64", "f32", "bool"):
            raise IndexError("only integers, slices and arrays of integers are valid indices")
        if new.ndim > index.ndim:
            raise ValueError("setting an array element with a sequence")
        _put(value, tracer.scatter(value, index, new))
        return
    if any(getattr(item, "ndim", 0) or isinstance(item, list) for item in keys):
        unsupported("assignment to elements that arrays select, of several axes")
    _put(value, _overlaid(value, keys, new))


def _has_traced(values: Any) -> bool:
    return any(
        type(item) is TracedValue or (isinstance(item, (list, tuple)) and _has_traced(item))
        for item in values
    )


def _creation() -> Any:
    from lattice._jit import creation

    return creation


def _put(value: TracedValue, new: Any) -> None:
    value._tracer.put(value, new, False)


def _same_axes(tracer: Any, a: TracedValue, b: TracedValue) -> None:
    for axis in range(a.ndim):
        tracer.guard(tracer.extent(a, 1 << axis) == tracer.extent(b, 1 << axis))


def _cast_for(value: TracedValue, new: Any) -> TracedValue:
    """A value as it is put into an array: NumPy casts to the array's type."""
    tracer = value._tracer
    new = tracer.value(new)
    if new._weak and new.ndim == 0 and new._type == "i64" and value._type not in ("f64", "i64"):
        limits = None if value._type[0] in "fb" else _numpy().iinfo(DTYPES[value._type])
        if limits is not None:
            tracer.guard((new >= int(limits.min)) & (new <= int(min(limits.max, 2**63 - 1))))
    made: TracedValue = tracer.cast(new, value._type, False)
    return made


def _overlaid(value: TracedValue, keys: tuple[Any, ...], new: TracedValue) -> Any:
    """The array with `new` in the place of value[keys]; keys are slices and ints."""
    tracer = value._tracer
    np = _numpy()
    rank = value.ndim
    slices = [axis for axis, item in enumerate(keys) if isinstance(item, slice)]
    if new.ndim > len(slices):
        extra = new.ndim - len(slices)
        for axis in range(extra):
            tracer.guard(tracer.extent(new, 1 << axis) == 1)
        new = tracer.view(new, (0,) * extra + (slice(None),) * len(slices))
    hits, indices = [], []
    for axis, item in enumerate(keys):
        n = tracer.extent(value, 1 << axis)
        here = tracer.iota(n, rank - 1 - axis)
        if not isinstance(item, slice):
            at = item if type(item) is TracedValue else int(item)
            if type(at) is TracedValue:
                tracer.guard((at >= -n) & (at < n))
                at = np.where(at < 0, at + n, at)
            else:
                tracer.guard(n > at if at >= 0 else n >= -at)
                at = at if at >= 0 else n + at
            hits.append(here == at)
            continue
        if item == slice(None):
            moved, count = here, n
        else:
            hit, moved, count = _hit(tracer, item, n, here)
            hits.append(hit)
        place = slices.index(axis) - (len(slices) - new.ndim)
        if place < 0:
            continue  # new has fewer axes
        have = tracer.extent(new, 1 << place)
        tracer.guard((have == count) | (have == 1))
        indices.append(moved)
    if new.ndim:
        is_whole = all(keys[axis] == slice(None) for axis in slices[len(slices) - new.ndim :])
        if is_whole and len(slices) == rank:
            pass
        elif is_whole:
            new = _spread(tracer, new, keys)
        else:
            # Outside of the slice any element will do: it is not looked at.
            new = tracer.gather(new, indices, True)
    if not hits:
        return tracer.like(new, value)
    inside = hits[0]
    for hit in hits[1:]:
        inside = inside & hit
    return np.where(inside, new, value)


def _spread(tracer: Any, new: TracedValue, keys: tuple[Any, ...]) -> Any:
    """`new`, whose axes are those of the slices, with axes of 1 for the ints behind them."""
    items: list[Any] = []
    left = new.ndim
    for item in reversed(keys):
        if isinstance(item, slice):
            if left:
                items.append(slice(None))
                left -= 1
        elif left:
            items.append(None)
    return tracer.view(new, tuple(reversed(items)))


def _hit(tracer: Any, item: slice, n: Any, here: Any) -> tuple[Any, Any, Any]:
    """Of a slice: whether a position is in it, where in it, and how many are."""
    np = _numpy()
    if not _is_constant(item):
        start, _, count = _bounds(tracer, item, n)
        moved = here - start
        return (moved >= 0) & (moved < count), moved, count
    step = 1 if item.step is None else int(item.step)

    def bound(part: Any, otherwise: Any) -> Any:
        if part is None:
            return otherwise
        part = int(part.__index__())
        part = n + part if part < 0 else tracer.value(part)
        low, high = (0, n) if step > 0 else (-1, n - 1)
        return np.minimum(np.maximum(part, low), high)

    start = bound(item.start, 0 if step > 0 else n - 1)
    stop = bound(item.stop, n if step > 0 else -1)
    far = here - start if step > 0 else start - here
    inside = (far >= 0) & ((here < stop) if step > 0 else (here > stop))
    span = stop - start if step > 0 else start - stop
    if abs(step) == 1:
        return inside, far, np.maximum(span, 0)
    count = np.maximum((span + (abs(step) - 1)) // abs(step), 0)
    return inside & (far % abs(step) == 0), far // abs(step), count


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
        return _numpy().dtype(DTYPES[value._type])
    if name == "itemsize":
        return _numpy().dtype(DTYPES[value._type]).itemsize
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
            unsupported(f"the array method .{name}")
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
        unsupported(f"{kind.__name__}.{name}")
    raise AttributeError(f"'{kind.__name__}' object has no attribute '{name}'")


def _astype(value: TracedValue, dtype: Any, **_: Any) -> Any:
    return value._tracer.cast(value, type_of(dtype), False)


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
    return unsupported("np.clip of these values") if made is NotImplemented else made


def _inside(value: Any, bound: Any, is_low: bool) -> Any:
    if type(bound) is not int or value._type in ("bool", "f32", "f64"):
        return bound
    limits = _numpy().iinfo(DTYPES[value._type])
    is_beyond = bound <= limits.min if is_low else bound >= limits.max
    return None if is_beyond else bound


def _round(value: Any, decimals: Any = 0, out: Any = None) -> Any:
    _no_out(out)
    tracer = value._tracer
    if value._type not in ("f64", "f32"):
        return value if decimals >= 0 else unsupported("rounding integers to tens")
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
                unsupported(f"np.cum{name} over all axes of a matrix", "pass axis=")
            axis = 0
        if dtype is not None:
            value = tracer.cast(value, type_of(dtype), False)
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
    return unsupported("a product of arrays of more than two axes")


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
    "copy": lambda value, order="C": _copy(value),
    "fill": lambda value, number: assign(value, Ellipsis, number),
    "flatten": lambda value, order="C": _creation().ravel(value, order),
    "reshape": lambda value, *shape, order="C", **more: _creation().reshape(
        value, shape[0] if len(shape) == 1 else shape, order, **more
    ),
    "squeeze": lambda value, axis=None: _creation().squeeze(value, axis),
    "swapaxes": lambda value, a, b: _creation().swapaxes(value, a, b),
    "diagonal": lambda value, offset=0: _creation().diagonal(value, offset),
    "trace": lambda value, offset=0: _creation().trace(value, offset),
    "repeat": lambda value, repeats, axis=None: _creation().repeat(value, repeats, axis),
    "take": lambda value, indices, axis=None, **more: _take(value, indices, axis, **more),
    "conj": lambda value: value,
    "conjugate": lambda value: value,
    "item": lambda value: _item(value),
    "ptp": _ptp,
    "ravel": lambda value, order="C": _creation().ravel(value, order),
}


def _copy(value: Any) -> Any:
    """Another array with the same elements."""
    return value._tracer.cast(value, value._type, value._weak)


def _item(value: Any) -> Any:
    if value.ndim:
        unsupported("item() of an array")
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
            unsupported(f"np.{name} with {', '.join(keywords) or 'where='}")
        tracer = _traced(*inputs)._tracer
        if dtype is not None:
            inputs = tuple(tracer.cast(value, type_of(dtype), False) for value in inputs)
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
        return unsupported(f"np.{name}") if made is NotImplemented else made
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
    return unsupported(f"np.{name}.{method}")


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
        handler = _creation().FUNCTIONS.get(function.__name__)
    if handler is None:
        return unsupported(f"np.{function.__name__}")
    return handler(*args, **keywords)


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        return unsupported("np.where with one argument", "np.where(condition, x, y)")
    made = _traced(condition, x, y)._tracer.numpy("where", condition, x, y)
    return unsupported("np.where of these types") if made is NotImplemented else made


def _full_like(fill: Any) -> _Method:
    def make(like: Any, *args: Any, dtype: Any = None, **_: Any) -> Any:
        value = args[0] if fill is None else fill
        if args[1:] or (fill is not None and args):
            dtype = args[-1]
        tracer = _traced(like, value)._tracer
        like = _as(tracer, like)
        kind = type_of(dtype) if dtype is not None else like._type
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
    limits = np.finfo(DTYPES[value._type])
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    value = np.where(np.isnan(value), nan, value)
    return np.where(value == np.inf, high, np.where(value == -np.inf, low, value))


def _take(value: Any, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise") -> Any:
    _no_out(out)
    if mode != "raise" or (axis not in (None, 0)) or value.ndim != 1:
        return unsupported("np.take of this form", "index: x[i]")
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
        return unsupported("this norm")
    return _numpy().sqrt(_reduce("sum", value * value, axis, None, None, keepdims))


def _size(value: Any, axis: Any = None) -> Any:
    return _count(value, _axes(value, axis))


def _average(value: Any, axis: Any = None, weights: Any = None, **more: Any) -> Any:
    if weights is None:
        return _mean(value, axis, **more)
    total = _reduce("sum", value * weights, axis)
    return total / _reduce("sum", _as(_traced(value, weights)._tracer, weights), axis)


def _cross3(*_: Any, **__: Any) -> Any:
    return unsupported("np.cross", "write the three components")


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
        _dot(a, b) if a.ndim <= 1 and b.ndim <= 1 else unsupported("np.inner of matrices")
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
    "copy": lambda a, **_: _copy(a),
    "ptp": _ptp,
    "cross": _cross3,
    "real": lambda a: a,
    "iscomplexobj": lambda a: False,
    "isrealobj": lambda a: True,
    "result_type": lambda *values: _numpy().result_type(
        *(
            _numpy().dtype(DTYPES[value._type]) if type(value) is TracedValue else value
            for value in values
        )
    ),
}
_FUNCTIONS["min"] = _FUNCTIONS["amin"]
_FUNCTIONS["max"] = _FUNCTIONS["amax"]
