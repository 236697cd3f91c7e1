# SPDX-License-Identifier: MIT
"""Derivatives: functions whose kernels are made from the IR of another function.

`grad` and `value_and_grad` go backwards through the recorded IR, `jvp` forwards; both are passes in
C++ (``lattice::jit::gradient``, ``lattice::jit::jvp``). A derived function is jitted as any other:
one kernel for each kind of arguments, kept and guarded. There is no plain Python for it to fall
back to, so what cannot be derived raises.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from lattice._core import Dispatcher, TracedValue, Tracer
from lattice._jit import compiler, hooks
from lattice._jit.compiler import Compiled, Recorded, compile_function
from lattice._jit.errors import UnsupportedError, told

__all__ = ["grad", "inline", "jvp", "value_and_grad"]


class Derived(Compiled):
    """The slow side of a function that is derived from another one's recording."""

    source: Compiled
    what = "derivative"

    def describe(self) -> str:
        state = f"{len(self.irs)} kernels" if self.irs else "not compiled yet"
        return f"<lattice.{self.what} of {self.function.__qualname__}: {state}>"

    def plain(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """A call that the kernel could not answer: Python says what is wrong with it."""
        if self.error is not None:
            raise self.error
        self.source.dispatcher(*args, **keywords)
        raise told(
            UnsupportedError,
            f"the {self.what} of {self.function.__qualname__} is not defined for these arguments "
            "(an int outgrew 64 bits, or axes of length 1 were broadcast where none was expected)",
            cure="check the arguments' shapes, and the values of its ints",
            at=self.place(),
        )

    def run(self, tracer: Any, guards: Any, values: list[Any]) -> Any:
        return self.source.run(tracer, guards, values)


class Gradient(Derived):
    """Of `grad` and `value_and_grad`."""

    what = "grad"
    wrt: tuple[int, ...] = ()
    is_single = True
    with_value = False

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.patterns: set[Any] = set()
        self.others: dict[Any, Any] = {}

    def plain(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """A kernel knows which axes have length 1; for others, another one is made."""
        pattern = _pattern((*args, *keywords.values()))
        if self.error is not None or pattern in self.patterns or self.lanes:
            return super().plain(args, keywords)
        other = self.others.get(pattern)
        if other is None:
            other = self.others[pattern] = _derive(self.source, Gradient)
            impl: Gradient = other._impl
            impl.wrt, impl.is_single, impl.with_value = self.wrt, self.is_single, self.with_value
            impl.what = self.what
        return other(*args, **keywords)

    def record(
        self, keys: tuple[Any, ...], statics: tuple[Any, ...], placed: tuple[Any, ...]
    ) -> Recorded:
        made = self.source.record(keys, statics, placed)
        self.check_result(made)
        self.patterns.add(_pattern(placed))
        places = _parameter_places(self, keys, self.wrt)
        units = [] if self.lanes else _unit_axes(keys, placed, made.captured)
        with_value = self.with_value
        ir = made.ir.gradient(places, with_value, self.lanes, units)
        outputs = list(made.outputs) if with_value else []
        rank = made.outputs[0][1]
        for index in self.wrt:
            kind, dtype, own = keys[index]
            outputs.append(
                (dtype, rank if self.lanes else own, kind <= compiler._BOOL and not rank)
            )
        is_single, count = self.is_single, len(self.wrt)
        if not with_value:
            return Recorded(ir, outputs, made.captured, None, not is_single, made.guards)
        pair = _Pair(len(outputs) - count, made.build, made.is_tuple, None, not is_single)
        return Recorded(ir, outputs, made.captured, pair, False, made.guards)

    def check_result(self, made: Recorded) -> None:
        if made.is_tuple or made.build is not None or len(made.outputs) != 1:
            raise told(
                UnsupportedError,
                f"{self.function.__qualname__} returns more than one number; a gradient is of one",
                cure="return the number alone",
                at=self.place(),
            )
        dtype, rank, _ = made.outputs[0]
        if dtype not in ("f64", "f32"):
            raise told(
                UnsupportedError,
                f"{self.function.__qualname__} returns no float but {dtype}",
                cure="return a float: multiply by 1.0, or use the mean",
                at=self.place(),
            )
        if rank and not self.lanes:
            raise told(
                UnsupportedError,
                f"{self.function.__qualname__} returns an array; a gradient is that of one number",
                cure="return a sum or mean; or write the function per element with @lt.vectorize",
                at=self.place(),
            )


class Directional(Derived):
    """Of `jvp`: arguments, then a tangent for each."""

    what = "jvp"
    count = 0

    def record(
        self, keys: tuple[Any, ...], statics: tuple[Any, ...], placed: tuple[Any, ...]
    ) -> Recorded:
        count = self.count
        tangents = keys[count:]
        _parameter_places(self, keys, tuple(range(count)))
        for name, primal, tangent in zip(self.names, keys, tangents, strict=False):
            if primal[1:] != tangent[1:]:
                raise told(
                    UnsupportedError,
                    f"jvp: the tangent of '{name}' is {tangent[1]} of rank {tangent[2]}, "
                    f"and '{name}' itself {primal[1]} of rank {primal[2]}",
                    cure="give the tangent its type and shape",
                    at=self.place(),
                )
        source = self.source
        before = source.prepare

        def prepare(tracer: Any) -> None:
            for k, key in enumerate(tangents):
                tracer.param(key[1], key[2], key[0] <= compiler._BOOL, f"tangent{k}")

        source.prepare = prepare  # type: ignore[method-assign]
        try:
            made = source.record(keys[:count], statics[:count], placed[:count])
        finally:
            source.prepare = before  # type: ignore[method-assign]
        ir = made.ir.jvp(list(range(count)), list(range(count, 2 * count)))
        outputs = list(made.outputs) * 2
        half = len(made.outputs)
        pair = _Pair(half, made.build, made.is_tuple, made.build, made.is_tuple)
        return Recorded(ir, outputs, made.captured, pair, False, made.guards)


@dataclass(slots=True)
class _Pair:
    """Two results, of the first outputs and of the rest; plain data, so that it pickles."""

    count: int
    first: Callable[[Any], Any] | None
    first_is_tuple: bool
    second: Callable[[Any], Any] | None
    second_is_tuple: bool

    def __call__(self, outputs: Sequence[Any]) -> tuple[Any, Any]:
        head, tail = tuple(outputs[: self.count]), tuple(outputs[self.count :])
        return (
            _assembled(head, self.first, self.first_is_tuple),
            _assembled(tail, self.second, self.second_is_tuple),
        )


def _assembled(values: Any, build: Callable[[Any], Any] | None, is_tuple: bool) -> Any:
    if build is not None:
        return build(values)
    return values if is_tuple else values[0]


def _parameter_places(derived: Derived, keys: tuple[Any, ...], wrt: Sequence[int]) -> list[int]:
    """The IR's parameters of arguments; they must be floats."""
    places: list[int] = []
    for index in wrt:
        kind, dtype, _ = keys[index]
        name = derived.names[index]
        if kind == compiler._STATIC or dtype not in ("f64", "f32"):
            raise told(
                UnsupportedError,
                f"{derived.what}: argument '{name}' is "
                f"{'static' if kind == compiler._STATIC else dtype}, and derivatives are by floats",
                cure="pass 3.0 instead of 3, and x.astype(float)",
                at=derived.place(),
            )
        places.append(sum(key[0] != compiler._STATIC for key in keys[:index]))
    return places


def _unit_axes(
    keys: tuple[Any, ...], placed: tuple[Any, ...], captured: Sequence[Any]
) -> list[int]:
    """By parameter, the mask of axes that have length 1."""
    arrays = [value for key, value in zip(keys, placed, strict=True) if key[0] != compiler._STATIC]
    return [_units(value) for value in (*arrays, *captured)]


def _units(value: Any) -> int:
    shape = getattr(value, "shape", ())
    return sum(1 << axis for axis, extent in enumerate(shape) if extent == 1)


def _pattern(values: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """What differs between kernels of `grad` for the same types."""
    return tuple((getattr(value, "ndim", 0), _units(value)) for value in values)


def _source_of(function: Any, what: str) -> Compiled:
    if not isinstance(function, Dispatcher):
        if not callable(function):
            raise TypeError(f"{what} takes a function, not {type(function).__name__}")
        function = compile_function(
            function,
            lanes=False,
            strict=True,
            fp="strict",
            parallel=None,
            reduce="numpy",
            static=(),
        )
    source: Compiled = function._impl
    return source


def _derive(source: Compiled, kind: Callable[..., Derived]) -> Any:
    made = compile_function(
        source.function,
        lanes=source.lanes,
        strict=True,
        fp=source.fp,
        parallel=source.parallel,
        reduce="fast" if source.fast_reduce else "numpy",
        static=tuple(source.static),
        kind=kind,
    )
    made._impl.source = source
    return made


def _gradient(function: Any, argnums: int | Sequence[int], with_value: bool) -> Any:
    what = "value_and_grad" if with_value else "grad"
    source = _source_of(function, what)
    is_single = isinstance(argnums, int)
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    count = len(source.names)
    if not chosen:
        raise ValueError(f"{what}: argnums is empty")
    for index in chosen:
        if type(index) is not int or not -count <= index < count:
            raise ValueError(
                f"{what}: argnums {index!r} is no argument of {source.function.__qualname__}, "
                f"which has {count}"
            )
    made = _derive(source, Gradient)
    impl: Gradient = made._impl
    impl.wrt = tuple(index % count for index in chosen)
    impl.is_single, impl.with_value = is_single, with_value
    impl.what = what
    return made


def grad(function: Any, argnums: int | Sequence[int] = 0) -> Any:
    return _gradient(function, argnums, False)


def value_and_grad(function: Any, argnums: int | Sequence[int] = 0) -> Any:
    return _gradient(function, argnums, True)


def jvp(function: Any, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    if isinstance(function, Dispatcher) and isinstance(function._impl, Compiled):
        source: Compiled = function._impl
    else:
        known = _plain_sources.get(function)
        source = known if known is not None else _source_of(function, "jvp")
        _plain_sources[function] = source
    if len(primals) != len(tangents) or len(primals) != len(source.names):
        raise TypeError(
            f"jvp: {source.function.__qualname__} takes {len(source.names)} arguments; "
            f"{len(primals)} values and {len(tangents)} tangents were given"
        )
    if source.directional is None:
        source.directional = _directional(source)
    pair: tuple[Any, Any] = source.directional(*primals, *tangents)
    return pair


_plain_sources: WeakKeyDictionary[Any, Compiled] = WeakKeyDictionary()


def _directional(source: Compiled) -> Any:
    made = Directional(
        source.function,
        lanes=source.lanes,
        strict=True,
        fp=source.fp,
        parallel=source.parallel,
        reduce="fast" if source.fast_reduce else "numpy",
        static=(),
    )
    count = made.count = len(source.names)
    made.source = source
    made.names = (*source.names, *(f"d_{name}" for name in source.names))
    made.positional = 2 * count
    made.defaults = (...,) * (2 * count)
    made.dispatcher = Dispatcher(
        source.function,
        made,
        tuple(sys.intern(name) for name in made.names),
        (...,) * (2 * count),
        2 * count,
        b"",
        source.lanes,
    )
    return made.dispatcher


def inline(derived: Compiled, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """A derived function that traced code calls: its IR, in the trace that is open."""
    tracer = Tracer.current()
    bound = inspect.signature(derived.function).bind(*args, **keywords)
    bound.apply_defaults()
    placed = [bound.arguments[name] for name in derived.names]
    keys, statics, values = [], [], []
    for name, value in zip(derived.names, placed, strict=True):
        is_static = name in derived.static or isinstance(value, compiler._STATIC_TYPES)
        if is_static:
            keys.append((compiler._STATIC, "void", 0))
            statics.append(value)
            continue
        traced = tracer.value(value)
        weak = {"f64": compiler._FLOAT, "i64": compiler._INT, "bool": compiler._BOOL}
        kind = compiler._ARRAY if traced.ndim else compiler._SCALAR
        if traced._weak and not traced.ndim:
            kind = weak[traced._type]
        keys.append((kind, traced._type, traced.ndim))
        statics.append(None)
        values.append(traced)
    samples = [None if type(value) is TracedValue else value for value in placed]
    made = derived.record(tuple(keys), tuple(statics), tuple(samples))
    notes = getattr(hooks.context.notes, "__self__", None)
    if notes is not None:
        notes.found.update(made.guards.found)
        notes.outer.update(made.guards.outer)
    outputs = tracer.inline(made.ir, [*values, *(tracer.value(x) for x in made.captured)])
    outputs = [
        tracer.cast(output, output._type, weak) if weak else output
        for output, (_, _, weak) in zip(outputs, made.outputs, strict=True)
    ]
    if made.build is not None:
        return made.build(tuple(outputs))
    return tuple(outputs) if made.is_tuple else outputs[0]
