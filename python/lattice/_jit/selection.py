# SPDX-License-Identifier: MIT
"""``x[mask]`` in traced code: the elements that a mask selects, whose number only the run knows.

A selection is the whole array and the mask. It can be computed with, summed up, and assigned back
to what the same mask selects; it cannot be returned or indexed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from lattice._core import TracedValue
from lattice._jit.arrays import unsupported

__all__ = ["Selection"]


class Selection(NDArrayOperatorsMixin):
    """Elements of a traced array where a mask is true."""

    def __init__(self, whole: TracedValue, mask: TracedValue) -> None:
        if whole.ndim != mask.ndim:
            unsupported("a mask of fewer axes than the array", "np.where(mask[:, None], x, 0)")
        tracer = whole._tracer
        for axis in range(whole.ndim):
            tracer.guard(tracer.extent(whole, 1 << axis) == tracer.extent(mask, 1 << axis))
        self.mask: TracedValue = tracer.cast(mask, "bool", False)
        # Elsewhere it is 1, of which functions raise no flags.
        one = tracer.cast(1, whole._type, False)
        self.whole: TracedValue = tracer.select(mask, whole, one)
        self._key = mask._id

    ndim = 1

    def is_of(self, mask: Any) -> bool:
        return type(mask) is TracedValue and mask._id == self._key

    def _with(self, whole: Any) -> Selection:
        made = Selection.__new__(Selection)
        tracer = self.mask._tracer
        made.whole = tracer.like(tracer.value(whole), self.mask)
        made.mask, made._key = self.mask, self._key
        return made

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if method != "__call__" or keywords:
            return unsupported(f"np.{ufunc.__name__}.{method} of x[mask]")
        values = []
        for value in inputs:
            if isinstance(value, Selection):
                if value._key != self._key:
                    return unsupported("selections by different masks in one operation")
                value = value.whole
            elif getattr(value, "ndim", 0):
                return unsupported("x[mask] with an array beside it", "index both by the mask")
            values.append(value)
        made = ufunc(*values)
        return tuple(map(self._with, made)) if isinstance(made, tuple) else self._with(made)

    def __array_function__(self, function: Any, types: Any, args: Any, keywords: Any) -> Any:
        method = _METHODS.get(function.__name__)
        if method is None or args[0] is not self:
            return unsupported(f"np.{function.__name__} of x[mask]")
        return method(self, *args[1:], **keywords)

    def __getattr__(self, name: str) -> Any:
        if name == "shape":
            return (self.size,)
        if name == "size":
            return self.mask._tracer.cast(self.mask.sum(), "i64", True)
        if name == "dtype":
            return self.whole.dtype
        if name.startswith("_"):
            raise AttributeError(name)
        method = _METHODS.get(name)
        if method is None:
            return unsupported(f"x[mask].{name}", "np.where(mask, x, other)")
        return lambda *args, **keywords: method(self, *args, **keywords)

    def __len__(self) -> int:
        unsupported("len(x[mask])", "x[mask].size or np.sum(mask)")
        return 0

    def __getitem__(self, key: Any) -> Any:
        return unsupported("an element of x[mask]", "np.where(mask, x, other)")

    def __iter__(self) -> Any:
        return unsupported("iterating over x[mask]", "for ... in x with an if inside")


def _chosen(one: Selection, neutral: Any) -> Any:
    whole = one.whole
    return np.where(one.mask, whole, whole._tracer.cast(neutral, whole._type, False))


def _sum(one: Selection, axis: Any = None, **more: Any) -> Any:
    return _chosen(one, 0).sum()


def _prod(one: Selection, axis: Any = None, **more: Any) -> Any:
    return _chosen(one, 1).prod()


def _mean(one: Selection, axis: Any = None, **more: Any) -> Any:
    kind = one.whole._type if one.whole._type in ("f64", "f32") else "f64"
    count = one.mask._tracer.cast(one.mask.sum(), kind, False)
    return _sum(one) / count


def _var(one: Selection, axis: Any = None, ddof: Any = 0, **more: Any) -> Any:
    distance = one.whole - _mean(one)
    squares = np.where(one.mask, distance * distance, 0.0)
    count = one.mask._tracer.cast(one.mask.sum(), "f64", False)
    return squares.sum() / np.maximum(count - ddof, 0)


def _extreme(one: Selection, is_max: bool) -> Any:
    tracer = one.mask._tracer
    tracer.guard(one.mask.any())  # NumPy raises of nothing
    kind = one.whole.dtype
    if kind.kind == "f":
        worst: Any = -np.inf if is_max else np.inf
    elif kind.kind == "b":
        worst = not is_max
    else:
        limits = np.iinfo(kind)
        worst = kind.type(limits.min if is_max else limits.max)
    made = _chosen(one, worst)
    return made.max() if is_max else made.min()


_METHODS: dict[str, Callable[..., Any]] = {
    "sum": _sum,
    "prod": _prod,
    "mean": _mean,
    "average": _mean,
    "var": _var,
    "std": lambda one, *args, **more: np.sqrt(_var(one, *args, **more)),
    "max": lambda one, *args, **more: _extreme(one, True),
    "min": lambda one, *args, **more: _extreme(one, False),
    "amax": lambda one, *args, **more: _extreme(one, True),
    "amin": lambda one, *args, **more: _extreme(one, False),
    "any": lambda one, *args, **more: (one.mask & (one.whole != 0)).any(),
    "all": lambda one, *args, **more: (~one.mask | (one.whole != 0)).all(),
    "size": lambda one, *args: one.size,
    "count_nonzero": lambda one, *args: (one.mask & (one.whole != 0)).sum(),
    "astype": lambda one, dtype, **more: one._with(one.whole.astype(dtype)),
    "copy": lambda one, *args: one,
}
