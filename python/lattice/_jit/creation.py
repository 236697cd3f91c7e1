# SPDX-License-Identifier: MIT
"""NumPy's functions that make or rearrange arrays, of traced values.

An array of the IR has no elements while it is recorded, so what rearranges them is written as
index arithmetic: positions along each axis, and a gather or a choice by them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lattice._core import TracedValue, Tracer
from lattice._jit import arrays
from lattice._jit.arrays import DTYPES, type_of, unsupported

__all__ = ["FUNCTIONS", "maker_of", "ravel", "reshape", "stack"]


def _numpy() -> Any:
    import numpy

    return numpy


def _tracer(*values: Any) -> Any:
    for value in values:
        if type(value) is TracedValue:
            return value._tracer
        if isinstance(value, (tuple, list)):
            found = _tracer(*value)
            if found is not None:
                return found
    return Tracer.current()


def _array(tracer: Any, value: Any) -> TracedValue:
    if isinstance(value, (list, tuple)):
        if arrays._has_traced(value):
            joined: TracedValue = stack(value)
            return joined
        value = _numpy().array(value)
    made: TracedValue = tracer.value(value)
    return made


def _extent(tracer: Any, value: TracedValue, axis: int) -> Any:
    return tracer.extent(value, 1 << axis)


def _axis(value: TracedValue, axis: Any) -> int:
    if type(axis) is not int:
        unsupported("an axis that is not a constant int", "write the axis as a number")
    if not -value.ndim <= axis < value.ndim:
        raise _numpy().exceptions.AxisError(axis, value.ndim)
    place: int = axis % value.ndim
    return place


def _positions(tracer: Any, value: TracedValue) -> list[Any]:
    """[0, n) along each axis, in the shape that broadcasts along the others."""
    rank = value.ndim
    return [tracer.iota(_extent(tracer, value, k), rank - 1 - k) for k in range(rank)]


# --- arrays from nothing


def _shape(shape: Any) -> tuple[Any, ...]:
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    for item in shape:
        if type(item) is TracedValue:
            if item._type in ("f64", "f32", "bool") or item.ndim:
                raise TypeError(f"{item!r} cannot be interpreted as an integer")
        elif not hasattr(item, "__index__"):
            raise TypeError(f"'{type(item).__name__}' object cannot be interpreted as an integer")
        elif int(item) < 0:
            raise ValueError("negative dimensions are not allowed")
    return tuple(shape)


def _of_shape(tracer: Any, shape: tuple[Any, ...]) -> Any:
    """Some array of that shape; only its shape is used."""
    total = None
    for k, extent in enumerate(shape):
        if type(extent) is TracedValue:
            tracer.guard(extent >= 0)
        along = tracer.iota(extent, len(shape) - 1 - k)
        total = along if total is None else total + along
    return total


def _filled(tracer: Any, shape: Any, value: Any, dtype: Any) -> Any:
    shape = _shape(shape)
    value = tracer.value(value)
    kind = type_of(dtype) if dtype is not None else value._type
    value = tracer.cast(value, kind, False)
    return tracer.like(value, _of_shape(tracer, shape)) if shape else value


def _zeros(shape: Any, dtype: Any = float, order: Any = "C", **more: Any) -> Any:
    return _filled(Tracer.current(), shape, 0, dtype)


def _ones(shape: Any, dtype: Any = None, order: Any = "C", **more: Any) -> Any:
    return _filled(Tracer.current(), shape, 1, float if dtype is None else dtype)


def _full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", **more: Any) -> Any:
    return _filled(Tracer.current(), shape, fill_value, dtype)


def _arange(*bounds: Any, dtype: Any = None, **more: Any) -> Any:
    tracer = Tracer.current()
    if len(bounds) > 3:
        dtype, bounds = bounds[3], bounds[:3]
    start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    values = [tracer.value(value) for value in (start, stop, step)]
    if all(value._type not in ("f64", "f32") for value in values):
        count = stop if type(start) is int and start == 0 else stop - start
        if type(step) is not int:
            return unsupported("np.arange with a computed step", "np.arange(n) * step")
        if step != 1:
            if step == 0:
                raise ZeroDivisionError("division by zero")
            count = (count + (step - (1 if step > 0 else -1))) // step
        made = tracer.iota(tracer.cast(count, "i64", True))
        made = made if type(step) is int and step == 1 else made * step
        made = made if type(start) is int and start == 0 else made + start
    else:
        np = _numpy()
        # NumPy: the first value and the difference of the first two, once rounded.
        first = tracer.cast(start, "f64", False)
        second = first + step
        count = np.ceil((stop - first) / step)
        tracer.guard(abs(count) < 1e12)
        along = tracer.iota(tracer.cast(np.maximum(count, 0.0), "i64", True))
        made = first + tracer.cast(along, "f64", False) * (second - first)
    return tracer.cast(made, type_of(dtype), False) if dtype is not None else made


def _linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, retstep: Any = False,
    dtype: Any = None, axis: Any = 0, **more: Any
) -> Any:  # fmt: skip
    np = _numpy()
    tracer = Tracer.current()
    start, stop = tracer.value(start), tracer.value(stop)
    if start.ndim or stop.ndim or type(endpoint) is not bool:
        return unsupported("np.linspace of this form")
    if type(num) is TracedValue:
        tracer.guard(num > 1)
    elif num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    low, high = tracer.cast(start, "f64", False), tracer.cast(stop, "f64", False)
    gaps = num - 1 if endpoint else num
    along = tracer.iota(num)
    steps = tracer.cast(along, "f64", False)
    if type(num) is not TracedValue and gaps <= 0:
        made, step = steps * (high - low) + low, np.nan
    else:
        gap_count = tracer.cast(gaps, "f64", False)
        step = (high - low) / gap_count
        # As NumPy: where the step vanishes, it divides first.
        made = np.where(step == 0, steps / gap_count * (high - low), steps * step) + low
        if endpoint:
            made = np.where(along == gaps, high, made)
    if dtype is not None:
        kind = type_of(dtype)
        made = tracer.cast(np.floor(made) if kind[0] in "iu" else made, kind, False)
    return (made, step) if retstep else made


def _eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = float, **more: Any) -> Any:
    tracer = Tracer.current()
    rows, columns = tracer.iota(n, 1), tracer.iota(n if m is None else m, 0)
    return tracer.cast(columns - rows == k, type_of(dtype), False)


def _copied(value: Any, dtype: Any = None, copy: Any = True, **more: Any) -> Any:
    tracer = Tracer.current()
    made = _array(tracer, value)
    if dtype is not None:
        return tracer.cast(made, type_of(dtype), False)
    return tracer.cast(made, made._type, False)


def _as_array(value: Any, dtype: Any = None, **more: Any) -> Any:
    if type(value) is TracedValue and value.ndim and dtype is None:
        return value
    return _copied(value, dtype)


def _meshgrid(*parts: Any, indexing: Any = "xy", sparse: Any = False, copy: Any = True) -> Any:
    tracer = Tracer.current()
    rank = len(parts)
    made = []
    for k, part in enumerate(parts):
        part = _array(tracer, part)
        axis = k if indexing == "ij" or rank < 2 or k > 1 else 1 - k
        items: list[Any] = [None] * rank
        items[axis] = slice(None)
        made.append(tracer.view(part, tuple(items)))
    if sparse:
        return made
    whole = made[0] * 0
    for part in made[1:]:
        whole = whole + part * 0
    return [tracer.like(part, whole) for part in made]


# --- arrays from arrays


def _roll(value: Any, shift: Any, axis: Any = None) -> Any:
    tracer = _tracer(value, shift)
    value = _array(tracer, value)
    if isinstance(axis, tuple):
        for one, by in zip(axis, shift, strict=True):
            value = _roll(value, by, one)
        return value
    if axis is None:
        if value.ndim != 1:
            return unsupported("np.roll of all axes at once", "pass axis=")
        axis = 0
    axis = _axis(value, axis)
    if value.ndim > 3:
        return unsupported("np.roll of more than three axes")
    indices = _positions(tracer, value)
    n = _extent(tracer, value, axis)
    indices[axis] = (indices[axis] - shift) % n
    return tracer.gather(value, indices, True)


def _flip(value: Any, axis: Any = None) -> Any:
    axes = range(value.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    keys = [slice(None)] * value.ndim
    for one in axes:
        keys[_axis(value, one)] = slice(None, None, -1)
    return arrays.subscript(value, tuple(keys))


def _concatenate(parts: Any, axis: Any = 0, out: Any = None, dtype: Any = None, **_: Any) -> Any:
    arrays._no_out(out)
    tracer = _tracer(parts)
    parts = [_array(tracer, part) for part in parts]
    if any(part.ndim != parts[0].ndim or not part.ndim for part in parts):
        raise ValueError("all the input array dimensions must match")
    axis = _axis(parts[0], axis)
    if parts[0].ndim > 3:
        return unsupported("joining arrays of more than three axes")
    parts = _same_type(tracer, parts, dtype)
    rank = parts[0].ndim
    starts: list[Any] = [0]
    for part in parts:
        starts.append(starts[-1] + _extent(tracer, part, axis))
    for part in parts[1:]:
        for k in range(rank):
            if k != axis:
                tracer.guard(_extent(tracer, part, k) == _extent(tracer, parts[0], k))
    here = tracer.iota(starts[-1], rank - 1 - axis)
    made: Any = None
    end = starts[-1]
    for start, part in reversed(list(zip(starts, parts, strict=False))):
        indices = _positions(tracer, part)
        indices[axis] = here - start if type(start) is TracedValue or start else here
        piece = tracer.gather(part, indices, True)
        made = piece if made is None else _numpy().where(here < end, piece, made)
        end = start
    return made


def _same_type(tracer: Any, parts: list[Any], dtype: Any) -> list[Any]:
    if dtype is not None:
        kind = type_of(dtype)
    else:
        kind = parts[0]._type
        np = _numpy()
        kinds = [np.dtype(DTYPES[part._type]) for part in parts]
        kind = type_of(np.result_type(*kinds))
    return [tracer.cast(part, kind, False) for part in parts]


def stack(parts: Any, axis: Any = 0, out: Any = None, dtype: Any = None, **_: Any) -> Any:
    """Arrays or numbers side by side, along a new axis."""
    arrays._no_out(out)
    tracer = _tracer(parts)
    parts = [_array(tracer, part) for part in parts]
    if not parts:
        return tracer.value(_numpy().array([]))
    rank = max(part.ndim for part in parts)
    if any(part.ndim != rank for part in parts):
        raise ValueError("all input arrays must have the same shape")
    parts = _same_type(tracer, parts, dtype)
    axis = axis % (rank + 1)
    here = tracer.iota(len(parts), rank - axis)
    keys = [slice(None)] * rank
    keys.insert(axis, None)  # type: ignore[arg-type]
    spread = [tracer.view(part, tuple(keys)) if rank else part for part in parts]
    for part in parts[1:]:
        for k in range(rank):
            tracer.guard(_extent(tracer, part, k) == _extent(tracer, parts[0], k))
    made = spread[-1]
    for k in range(len(parts) - 2, -1, -1):
        made = _numpy().where(here == k, spread[k], made)
    return tracer.like(made, here) if len(parts) == 1 else made


def _at_least_2d(tracer: Any, part: Any, is_column: bool) -> Any:
    part = _array(tracer, part)
    if part.ndim == 1:
        return tracer.view(part, (slice(None), None) if is_column else (None, slice(None)))
    return part


def _vstack(parts: Any, **more: Any) -> Any:
    tracer = _tracer(parts)
    return _concatenate([_at_least_2d(tracer, part, False) for part in parts], 0)


def _hstack(parts: Any, **more: Any) -> Any:
    tracer = _tracer(parts)
    parts = [_array(tracer, part) for part in parts]
    return _concatenate(parts, 0 if parts[0].ndim == 1 else 1)


def _column_stack(parts: Any) -> Any:
    tracer = _tracer(parts)
    return _concatenate([_at_least_2d(tracer, part, True) for part in parts], 1)


def ravel(value: Any, order: Any = "C") -> Any:
    """All elements in a row."""
    tracer = _tracer(value)
    value = _array(tracer, value)
    if order != "C" or value.ndim > 3:
        return unsupported("flattening of this form")
    if value.ndim == 1:
        return tracer.cast(value, value._type, False)
    return _rearranged(value, (tracer.extent(value, (1 << value.ndim) - 1),))


def reshape(value: Any, shape: Any, order: Any = "C", **more: Any) -> Any:
    """The same elements in another shape."""
    tracer = _tracer(value)
    value = _array(tracer, value)
    if order != "C" or value.ndim > 3 or value.ndim == 0:
        return unsupported("reshaping of this form")
    shape = list(shape) if isinstance(shape, (tuple, list)) else [shape]
    total = tracer.extent(value, (1 << value.ndim) - 1)
    known: Any = 1
    free = None
    for k, extent in enumerate(shape):
        if type(extent) is not TracedValue and extent == -1:
            if free is not None:
                raise ValueError("can only specify one unknown dimension")
            free = k
        else:
            known = known * extent
    if free is not None:
        shape[free] = total if type(known) is int and known == 1 else total // known
        known = known * shape[free] if type(known) is TracedValue or known != 1 else total
    tracer.guard(tracer.value(known == total))
    return _rearranged(value, tuple(shape))


def _rearranged(value: TracedValue, shape: tuple[Any, ...]) -> Any:
    tracer = value._tracer
    offset: Any = None
    for k, extent in enumerate(shape):
        along = tracer.iota(extent, len(shape) - 1 - k)
        offset = along if offset is None else offset * extent + along
    if value.ndim == 1:
        return tracer.gather(value, [offset], True)
    indices = []
    for axis in range(value.ndim - 1, 0, -1):
        n = _extent(tracer, value, axis)
        indices.append(offset % n)
        offset = offset // n
    return tracer.gather(value, [offset, *reversed(indices)], True)


def squeeze(value: Any, axis: Any = None) -> Any:
    """Without axes of length 1."""
    if axis is None:
        return unsupported("squeeze() of axes that only the run knows", "pass axis=")
    axes = {_axis(value, one) for one in (axis if isinstance(axis, tuple) else (axis,))}
    for one in axes:
        value._tracer.guard(_extent(value._tracer, value, one) == 1)
    return arrays.subscript(
        value, tuple(0 if k in axes else slice(None) for k in range(value.ndim))
    )


def swapaxes(value: Any, a: Any, b: Any) -> Any:
    """With two axes exchanged."""
    order = list(range(value.ndim))
    a, b = _axis(value, a), _axis(value, b)
    order[a], order[b] = order[b], order[a]
    return value._tracer.transpose(value, tuple(order))


def _move_axis(value: Any, source: Any, destination: Any) -> Any:
    order = [k for k in range(value.ndim) if k != _axis(value, source)]
    order.insert(_axis(value, destination), _axis(value, source))
    return value._tracer.transpose(value, tuple(order))


def diagonal(value: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Any:
    """The elements with equal indices."""
    np = _numpy()
    if value.ndim != 2 or (axis1, axis2) != (0, 1) or type(offset) is not int:
        return unsupported("a diagonal of this form")
    tracer = value._tracer
    rows, columns = _extent(tracer, value, 0), _extent(tracer, value, 1)
    if offset > 0:
        columns = columns - offset
    elif offset < 0:
        rows = rows + offset
    count = np.maximum(np.minimum(rows, columns), 0)
    along = tracer.iota(count)
    return tracer.gather(value, [along + max(-offset, 0), along + max(offset, 0)])


def trace(value: Any, offset: Any = 0, **more: Any) -> Any:
    """The sum of the diagonal."""
    return diagonal(value, offset).sum()


def _diag(value: Any, k: Any = 0) -> Any:
    tracer = _tracer(value)
    value = _array(tracer, value)
    if value.ndim == 2:
        return diagonal(value, k)
    if value.ndim != 1 or k != 0:
        return unsupported("np.diag of this form")
    n = _extent(tracer, value, 0)
    rows, columns = tracer.iota(n, 1), tracer.iota(n)
    zero = tracer.cast(0, value._type, False)
    return _numpy().where(rows == columns, value, zero)


def _triangle(keeps: Callable[[Any], Any]) -> Callable[..., Any]:
    def make(value: Any, k: Any = 0) -> Any:
        tracer = _tracer(value)
        if value.ndim != 2:
            return unsupported("a triangle of an array that has not two axes")
        rows, columns = _positions(tracer, value)
        zero = tracer.cast(0, value._type, False)
        return _numpy().where(keeps(columns - rows - k), value, zero)

    return make


def repeat(value: Any, repeats: Any, axis: Any = None) -> Any:
    """Each element several times."""
    tracer = _tracer(value, repeats)
    value = _array(tracer, value)
    if value.ndim != 1 or getattr(repeats, "ndim", 0) or isinstance(repeats, (list, tuple)):
        return unsupported("np.repeat of this form")
    along = tracer.iota(_extent(tracer, value, 0) * repeats)
    return tracer.gather(value, [along // repeats], True)


def _tile(value: Any, reps: Any) -> Any:
    tracer = _tracer(value, reps)
    value = _array(tracer, value)
    if value.ndim != 1 or isinstance(reps, (tuple, list)):
        return unsupported("np.tile of this form")
    n = _extent(tracer, value, 0)
    return tracer.gather(value, [tracer.iota(n * reps) % n], True)


def _broadcast_to(value: Any, shape: Any, subok: Any = False) -> Any:
    tracer = _tracer(value, shape)
    value = _array(tracer, value)
    shape = _shape(shape)
    like = _of_shape(tracer, shape)
    for k in range(value.ndim):
        have, want = _extent(tracer, value, k), shape[len(shape) - value.ndim + k]
        tracer.guard((have == want) | (have == 1))
    return tracer.like(value, like)


def _pad(value: Any, width: Any, mode: Any = "constant", constant_values: Any = 0) -> Any:
    np = _numpy()
    tracer = _tracer(value, width)
    if mode not in ("constant", "edge", "wrap", "reflect") or value.ndim > 3:
        return unsupported(f"np.pad with mode {mode!r}")
    if type(width) is int:
        widths = [(width, width)] * value.ndim
    elif isinstance(width, (tuple, list)) and all(type(part) is int for part in width):
        pair = tuple(width) * 2 if len(width) == 1 else tuple(width)
        widths = [pair] * value.ndim
    elif isinstance(width, (tuple, list)) and len(width) in (1, value.ndim):
        widths = [tuple(part) for part in width] * (value.ndim if len(width) == 1 else 1)
    else:
        return unsupported("np.pad of this form")
    indices, inside = [], None
    for k, (before, after) in enumerate(widths):
        n = _extent(tracer, value, k)
        at = tracer.iota(n + (before + after), value.ndim - 1 - k) - before
        if mode == "constant":
            here = (at >= 0) & (at < n)
            inside = here if inside is None else inside & here
        elif mode == "wrap":
            at = at % n
        elif mode == "reflect":
            tracer.guard(n > max(before, after))
            at = np.abs(at)
            at = np.where(at >= n, 2 * (n - 1) - at, at)
        indices.append(at)
    made = tracer.gather(value, indices, True)
    if inside is None:
        return made
    return np.where(inside, made, tracer.cast(constant_values, value._type, False))


def _gradient(value: Any, *spacing: Any, axis: Any = None, edge_order: Any = 1) -> Any:
    tracer = _tracer(value, *spacing)
    value = _array(tracer, value)
    step: Any = spacing[0] if spacing else 1.0
    if len(spacing) > 1 or _numpy().ndim(step) or edge_order != 1:
        return unsupported("np.gradient of this form")
    axes = range(value.ndim) if axis is None else (axis,)
    if value._type not in ("f64", "f32"):
        value = tracer.cast(value, "f64", False)
    made = []
    for one in axes:
        one = _axis(value, one)

        def part(key: Any, one: int = one) -> Any:
            keys: list[Any] = [slice(None)] * value.ndim
            keys[one] = key
            return arrays.elements(value, tuple(keys))

        inner = (part(slice(2, None)) - part(slice(None, -2))) / (2.0 * step)
        first = (part(slice(1, 2)) - part(slice(0, 1))) / step
        last = (part(slice(-1, None)) - part(slice(-2, -1))) / step
        made.append(_concatenate([first, inner, last], one))
    return made[0] if len(made) == 1 else made


def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: Any = -1) -> Any:
    if y.ndim != 1:
        return unsupported("np.trapezoid of a matrix")
    tracer = _tracer(y, x)
    y = _array(tracer, y)
    d = dx if x is None else _numpy().diff(_array(tracer, x))
    return (
        d * (arrays.elements(y, slice(1, None)) + arrays.elements(y, slice(None, -1))) / 2.0
    ).sum()


def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    np = _numpy()
    tracer = _tracer(x, xp, fp)
    if period is not None:
        return unsupported("np.interp with period=")
    x, xp, fp = (tracer.cast(_array(tracer, part), "f64", False) for part in (x, xp, fp))
    at = _search(tracer, xp, x, True) - 1
    n = _extent(tracer, xp, 0)
    tracer.guard(_extent(tracer, fp, 0) == n)
    low = np.clip(at, 0, n - 2)
    x0, y0 = tracer.gather(xp, [low], True), tracer.gather(fp, [low], True)
    x1, y1 = tracer.gather(xp, [low + 1], True), tracer.gather(fp, [low + 1], True)
    gap = x1 - x0
    slope = (y1 - y0) / np.where(gap == 0, 1.0, gap)
    made = slope * (x - x0) + y0
    first = tracer.gather(fp, [0]) if left is None else left
    last = tracer.gather(fp, [n - 1])
    made = np.where(x >= tracer.gather(xp, [n - 1]), last, made)
    if right is not None:
        made = np.where(x > tracer.gather(xp, [n - 1]), right, made)
    return np.where(x < tracer.gather(xp, [0]), first, made)


def _search(tracer: Any, ordered: Any, x: Any, is_right: bool) -> Any:
    """How many of `ordered` lie before x: one bit of the answer after another."""
    np = _numpy()
    n = _extent(tracer, ordered, 0)
    tracer.guard(n < 2**32)
    found = tracer.like(tracer.cast(0, "i64", False), x)
    for bit in reversed(range(32)):
        step = found + (1 << bit)
        value = tracer.gather(ordered, [step - 1], True)
        is_before = value <= x if is_right else value < x
        found = np.where((step <= n) & is_before, step, found)
    return found


def _search_sorted(ordered: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    tracer = _tracer(ordered, v)
    if sorter is not None:
        return unsupported("np.searchsorted with sorter=")
    ordered, v = _array(tracer, ordered), _array(tracer, v)
    ordered, v = _same_type(tracer, [ordered, v], None)
    return _search(tracer, ordered, v, side == "right")


def _cross(a: Any, b: Any, **more: Any) -> Any:
    tracer = _tracer(a, b)
    a, b = _array(tracer, a), _array(tracer, b)
    if a.ndim != b.ndim or a.ndim not in (1, 2):
        return unsupported("np.cross of this form", "write the three components")
    for part in (a, b):
        tracer.guard(_extent(tracer, part, part.ndim - 1) == 3)
    x0, x1, x2 = (arrays.elements(a, (..., k)) for k in range(3))
    y0, y1, y2 = (arrays.elements(b, (..., k)) for k in range(3))
    return stack([x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0], a.ndim - 1)


def _covariance(
    value: Any, y: Any = None, rowvar: Any = True, bias: Any = False, ddof: Any = None
) -> Any:
    if y is not None or value.ndim != 2:
        return unsupported("np.cov of this form", "pass one matrix")
    x = value if rowvar else value.T
    centred = x - x.mean(axis=1, keepdims=True)
    ddof = (0 if bias else 1) if ddof is None else ddof
    return centred @ centred.T / (x.shape[1] - ddof)


def _correlation(x: Any, y: Any = None, rowvar: Any = True) -> Any:
    np = _numpy()
    if y is not None:
        x = stack([x, y])
    c = _covariance(x, None, rowvar)
    d = np.sqrt(diagonal(c))
    return np.clip(c / d[:, None] / d[None, :], -1, 1)


def _nan_count(value: Any, axis: Any, keepdims: Any) -> Any:
    np = _numpy()
    return np.sum(~np.isnan(value), axis=axis, keepdims=keepdims)


def _nan_mean(value: Any, axis: Any = None, keepdims: Any = False, **more: Any) -> Any:
    np = _numpy()
    return np.nansum(value, axis=axis, keepdims=keepdims) / _nan_count(value, axis, keepdims)


def _nan_var(
    value: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False, **more: Any
) -> Any:
    np = _numpy()
    mean = _nan_mean(value, axis, True)
    squares = np.where(np.isnan(value), 0.0, (value - mean) ** 2)
    return np.sum(squares, axis=axis, keepdims=keepdims) / (
        _nan_count(value, axis, keepdims) - ddof
    )


def _nan_std(value: Any, *args: Any, **keywords: Any) -> Any:
    return _numpy().sqrt(_nan_var(value, *args, **keywords))


def _nan_extreme(ufunc: str) -> Callable[..., Any]:
    def reduce(value: Any, axis: Any = None, keepdims: Any = False, **more: Any) -> Any:
        np = _numpy()
        name = "max" if ufunc == "fmax" else "min"
        worst = -np.inf if name == "max" else np.inf
        is_nan = np.isnan(value)
        made = arrays._reduce(name, np.where(is_nan, worst, value), axis, None, None, keepdims)
        return np.where(np.all(is_nan, axis=axis, keepdims=keepdims), np.nan, made)

    return reduce


def _count_nonzero(value: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return _numpy().sum(value != 0, axis=axis, keepdims=keepdims)


def _bincount(value: Any, weights: Any = None, minlength: Any = 0) -> Any:
    return unsupported("np.bincount (its length depends on the data)", "a loop: counts[i] += 1")


def _vander(*_: Any, **__: Any) -> Any:
    return unsupported("np.vander", "x[:, None] ** np.arange(n)")


def _allclose(a: Any, b: Any, *args: Any, **keywords: Any) -> Any:
    return _numpy().isclose(a, b, *args, **keywords).all()


def _array_equal(a: Any, b: Any, equal_nan: Any = False) -> Any:
    tracer = _tracer(a, b)
    a, b = _array(tracer, a), _array(tracer, b)
    if a.ndim != b.ndim:
        return False
    arrays._same_axes(tracer, a, b)
    return (a == b).all()


def _piecewise(x: Any, conditions: Any, functions: Any, *args: Any, **keywords: Any) -> Any:
    np = _numpy()
    choices: Sequence[Any] = [f(x, *args) if callable(f) else f for f in functions]
    default = choices[-1] if len(choices) > len(conditions) else 0
    made = np.select(conditions, choices[: len(conditions)], default)
    return x._tracer.cast(made, x._type, False)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "roll": _roll,
    "flip": _flip,
    "fliplr": lambda a: _flip(a, 1),
    "flipud": lambda a: _flip(a, 0),
    "concatenate": _concatenate,
    "append": lambda a, b, axis=None: _concatenate(
        [a, b] if axis is not None else [ravel(a), ravel(b)], axis or 0
    ),
    "stack": stack,
    "vstack": _vstack,
    "hstack": _hstack,
    "column_stack": _column_stack,
    "ravel": ravel,
    "reshape": reshape,
    "squeeze": squeeze,
    "swapaxes": swapaxes,
    "moveaxis": _move_axis,
    "diagonal": diagonal,
    "trace": trace,
    "diag": _diag,
    "tril": _triangle(lambda above: above <= 0),
    "triu": _triangle(lambda above: above >= 0),
    "repeat": repeat,
    "tile": _tile,
    "broadcast_to": _broadcast_to,
    "pad": _pad,
    "gradient": _gradient,
    "trapezoid": _trapezoid,
    "trapz": _trapezoid,
    "interp": _interp,
    "searchsorted": _search_sorted,
    "digitize": lambda x, bins, right=False: _search_sorted(bins, x, "left" if right else "right"),
    "cross": _cross,
    "cov": _covariance,
    "corrcoef": _correlation,
    "nanmean": _nan_mean,
    "nanvar": _nan_var,
    "nanstd": _nan_std,
    "nanmax": _nan_extreme("fmax"),
    "nanmin": _nan_extreme("fmin"),
    "count_nonzero": _count_nonzero,
    "bincount": _bincount,
    "vander": _vander,
    "allclose": _allclose,
    "array_equal": _array_equal,
    "piecewise": _piecewise,
    "linspace": _linspace,
    "meshgrid": _meshgrid,
    "atleast_1d": lambda a: a if a.ndim else arrays.elements(a, None),
}
"""What `arrays.array_function` does not know itself."""

_MAKERS: dict[str, Callable[..., Any]] = {
    "zeros": _zeros,
    "empty": _zeros,
    "ones": _ones,
    "full": _full,
    "arange": _arange,
    "linspace": _linspace,
    "eye": _eye,
    "identity": lambda n, dtype=float: _eye(n, dtype=dtype),
    "array": _copied,
    "asarray": _as_array,
    "ascontiguousarray": _as_array,
    "meshgrid": _meshgrid,
}


def maker_of(function: Any) -> Callable[..., Any] | None:
    """What makes an array of the IR where NumPy's function would make one of memory."""
    maker = _MAKERS.get(getattr(function, "__name__", ""))
    if maker is None or vars(_numpy()).get(function.__name__) is not function:
        return None
    return maker
