# SPDX-License-Identifier: MIT
"""What rewritten code calls: Python's control flow on plain values, recorded on traced ones.

Each hook first looks whether its condition is traced. If not, it does what the construct does in
Python, so a rewritten function runs unchanged on plain numbers. Otherwise both sides (or one round)
are recorded in regions of the IR, and the variables that the construct assigns are merged.
"""

from __future__ import annotations

import math
import operator
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType, MethodType
from typing import Any

from lattice._core import Dispatcher, TracedValue, Tracer
from lattice._jit.errors import (
    ConcreteValueError,
    SideEffectError,
    TraceError,
    TypeConflictError,
    UnsupportedError,
    told,
)

__all__ = [
    "Context",
    "Undefined",
    "and_",
    "assert_",
    "assign_item",
    "call",
    "chain",
    "context",
    "for_",
    "if_",
    "in_",
    "not_",
    "or_",
    "raise_",
    "result",
    "ternary",
    "undefined",
    "while_",
]

UNROLL_MAX = 4096
"""Rounds of a loop that are recorded one by one."""
ROLLED_MIN = 5
"""Rounds of a constant range from which on a loop is recorded as a loop."""
_NODES_MAX = 200_000
_RESULT = "the result"


class Context(threading.local):
    """What the trace that is open on this thread knows besides its IR."""

    def __init__(self) -> None:
        self.outer: set[int] = set()
        """Objects from outside that may change: their ids."""
        self.functions: list[Any] = []
        """Code objects that are being traced, outermost first."""
        self.notes: Callable[[FunctionType, Any], None] | None = None
        """Called with each plain function that is inlined, and its rewritten form."""


context = Context()


class Undefined:
    """A variable that has no value, or has one only on some ways to here."""

    __slots__ = ("is_partial", "name")

    def __init__(self, name: str, is_partial: bool = False) -> None:
        self.name = name
        self.is_partial = is_partial

    def __repr__(self) -> str:
        return f"<{self.name} without a value>"

    def refuse(self, *_: Any, **__: Any) -> Any:
        if self.is_partial:
            raise told(
                UnsupportedError,
                f"'{self.name}' has a value only on some ways to here",
                cure=f"assign '{self.name}' before the if or the loop",
            )
        raise UnboundLocalError(
            f"cannot access local variable '{self.name}' where it is not associated with a value"
        )


for _name in [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
    "radd",
    "rsub",
    "rmul",
    "rtruediv",
    "rfloordiv",
    "rmod",
    "rpow",
    "rand",
    "ror",
    "rxor",
    "neg",
    "pos",
    "abs",
    "invert",
    "lt",
    "le",
    "gt",
    "ge",
    "bool",
    "float",
    "int",
    "index",
    "getitem",
    "call",
    "iter",
    "len",
    "eq",
    "ne",
]:
    setattr(Undefined, f"__{_name}__", Undefined.refuse)
Undefined.__hash__ = object.__hash__  # type: ignore[method-assign]


def undefined(name: str) -> Undefined:
    return Undefined(name)


def _is_number(value: object) -> bool:
    kind = type(value)
    if kind is TracedValue or kind is float or kind is int or kind is bool:
        return True
    return hasattr(kind, "dtype") and getattr(value, "ndim", 1) == 0


def _describe(value: object) -> str:
    if type(value) is TracedValue:
        return repr(value).rpartition(",")[0].removeprefix("<traced ")
    return "no value" if isinstance(value, Undefined) else type(value).__name__


# --- merging


def _same_plain(a: object, b: object) -> bool:
    if type(a) is not type(b) or type(a) is TracedValue:
        return False
    if type(a) is float:
        return repr(a) == repr(b)
    try:
        return bool(a == b)
    except Exception:
        return False


class _Merge:
    """Pairs the values that two sides leave, and puts the merged ones in their places."""

    def __init__(
        self, yes_now: dict[int, Any] | None = None, no_now: dict[int, Any] | None = None
    ) -> None:
        self.yes: list[Any] = []
        self.no: list[Any] = []
        # By identity: what arrays that a side has changed were at its end.
        self.yes_now = yes_now or {}
        self.no_now = no_now or {}

    def pair(self, a: Any, b: Any, name: str) -> Callable[[list[Any]], Any]:
        if a is b or _same_plain(a, b):
            return lambda _: a
        a, b = self.yes_now.get(id(a), a), self.no_now.get(id(b), b)
        if isinstance(a, Undefined) or isinstance(b, Undefined):
            if isinstance(a, Undefined) and isinstance(b, Undefined):
                return lambda _: a
            if name != _RESULT:
                return lambda _: Undefined(name, True)
            a = _zeros(b) if isinstance(a, Undefined) else a
            b = _zeros(a) if isinstance(b, Undefined) else b
            if a is b or (a is None and b is None):
                return lambda _: a
        if _is_number(a) and _is_number(b):
            index = len(self.yes)
            self.yes.append(a)
            self.no.append(b)
            return lambda merged: merged[index]
        if type(a) is type(b) and isinstance(a, (tuple, list)) and len(a) == len(b):
            parts = [self.pair(x, y, name) for x, y in zip(a, b, strict=True)]
            kind = tuple if isinstance(a, tuple) else list
            if kind is not type(a):  # a named tuple
                make = type(a)
                return lambda merged: make(*(part(merged) for part in parts))
            return lambda merged: kind(part(merged) for part in parts)
        raise told(
            TypeConflictError,
            f"{_quoted(name)} is {_describe(a)} on one side and {_describe(b)} on the other",
            cure="give it the same kind of value on both sides",
        )


def _quoted(name: str) -> str:
    return name if name == _RESULT else f"'{name}'"


def _zeros(value: Any) -> Any:
    """A stand-in of the same form for a value that nobody will look at."""
    if isinstance(value, (tuple, list)):
        parts = [_zeros(part) for part in value]
        return parts if isinstance(value, list) else _remade(value, parts)
    return False if _is_number(value) else value


def _remade(like: Any, parts: Sequence[Any]) -> Any:
    return tuple(parts) if type(like) is tuple else type(like)(*parts)


def _check_condition(condition: Any, what: str) -> None:
    if condition.ndim and not condition._tracer.lanes:
        named = f"'{condition.name}'" if condition.name else "its condition"
        raise told(
            ConcreteValueError,
            f"{what} on an array: {named} has a truth for each element",
            cure="@lt.vectorize decides per element; np.where works with whole arrays",
        )


def if_(
    condition: Any,
    then: Callable[..., tuple[Any, ...]],
    orelse: Callable[..., tuple[Any, ...]],
    state: tuple[Any, ...],
    names: tuple[str, ...],
) -> tuple[Any, ...]:
    """``if condition: then  else: orelse``; both take and return the variables of `names`."""
    if type(condition) is not TracedValue:
        return then(*state) if condition else orelse(*state)
    _check_condition(condition, "an if")
    tracer = condition._tracer
    mark, born = tracer.mark(), tracer.born
    tracer.begin_if(condition)
    yes = then(*state)
    yes_changed = tracer.changed(mark)
    tracer.undo(mark)
    tracer.begin_else()
    no = orelse(*state)
    no_changed = tracer.changed(mark)
    tracer.undo(mark)
    yes_now = {id(array): now for array, now in yes_changed}
    no_now = {id(array): now for array, now in no_changed}
    merge = _Merge(yes_now, no_now)
    places = [merge.pair(a, b, name) for a, b, name in zip(yes, no, names, strict=True)]
    # Arrays from before the branch that a side has changed in place.
    cells = {id(array): array for array, _ in (*yes_changed, *no_changed) if array._serial <= born}
    first = len(merge.yes)
    for key, array in cells.items():
        merge.yes.append(yes_now.get(key, array))
        merge.no.append(no_now.get(key, array))
    merged = tracer.end_if(condition, merge.yes, merge.no)
    for array, value in zip(cells.values(), merged[first:], strict=True):
        tracer.put(array, value, True)
    return tuple(place(merged) for place in places)


def ternary(condition: Any, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
    """``then if condition else orelse``."""
    if type(condition) is not TracedValue:
        return then() if condition else orelse()
    _check_condition(condition, "a conditional expression")
    tracer = condition._tracer
    token, mark = tracer.checkpoint(), tracer.mark()
    yes, no = then(), orelse()
    if (
        _is_number(yes)
        and _is_number(no)
        and not tracer.changed(mark)
        and tracer.is_cheap(token, 6)
    ):
        return tracer.select(condition, yes, no)
    tracer.undo(mark)
    tracer.rollback(token)
    return if_(condition, lambda: (then(),), lambda: (orelse(),), (), (_RESULT,))[0]


def _short_circuit(first: Any, second: Callable[[], Any], is_or: bool) -> Any:
    _check_condition(first, "'or'" if is_or else "'and'")
    tracer = first._tracer
    token, mark = tracer.checkpoint(), tracer.mark()
    value = second()
    if not tracer.changed(mark):
        if type(value) is bool and first._type == "bool":
            return first if value != is_or else value
        if first._type == "bool" and _is_bool(value) and tracer.is_cheap(token, 12):
            return tracer.both(first, value, is_or)
    tracer.undo(mark)
    tracer.rollback(token)
    if is_or:
        return if_(first, lambda: (first,), lambda: (second(),), (), (_RESULT,))[0]
    return if_(first, lambda: (second(),), lambda: (first,), (), (_RESULT,))[0]


def _is_bool(value: Any) -> bool:
    return type(value) is bool or (type(value) is TracedValue and value._type == "bool")


def and_(first: Any, second: Callable[[], Any]) -> Any:
    """``first and second``."""
    if type(first) is not TracedValue:
        return first and second()
    return _short_circuit(first, second, False)


def or_(first: Any, second: Callable[[], Any]) -> Any:
    """``first or second``."""
    if type(first) is not TracedValue:
        return first or second()
    return _short_circuit(first, second, True)


def not_(value: Any) -> Any:
    """``not value``."""
    if type(value) is not TracedValue:
        return not value
    _check_condition(value, "'not'")
    return value._tracer.not_(value)


def in_(value: Any, container: Any) -> Any:
    """``value in container``."""
    if type(value) is not TracedValue or not isinstance(container, (tuple, list, set, frozenset)):
        if type(container) is range and type(value) is TracedValue and container.step == 1:
            return and_(value >= container.start, lambda: value < container.stop)
        return value in container
    found: Any = False
    for item in container:
        found = or_(found, lambda item=item: value == item)  # type: ignore[misc]
    return found


def chain(
    steps: tuple[Callable[[Any, Any], Any], ...], first: Any, *rest: Callable[[], Any]
) -> Any:
    """``first < a <= b``: each operand is computed once, and only while the chain holds."""
    left = first

    def step(index: int, left: Any) -> Any:
        right = rest[index]()
        outcome = steps[index](left, right)
        if index + 1 == len(steps):
            return outcome
        return and_(outcome, lambda: step(index + 1, right))

    return step(0, left)


def assert_(condition: Any, message: Callable[[], Any]) -> None:
    """``assert condition, message``; a traced one that fails makes the call run in Python."""
    if type(condition) is TracedValue:
        _check_condition(condition, "an assert")
        condition._tracer.guard(condition)
        return
    if not condition:
        raise_(lambda: AssertionError(message()))


def raise_(error: Callable[[], Any]) -> None:
    """``raise error``; on one side of a traced decision Python raises it when it comes to that."""
    tracer = Tracer.current()
    if tracer is not None and (tracer.depth > 0 or tracer.decide is not None):
        tracer.guard(False)
        return
    raise error()


def result(value: Any, returned: Any) -> Any:
    """What a function returns whose end may be reached without a return."""
    if type(returned) is TracedValue:
        if not isinstance(value, Undefined) and value is not None:
            returned._tracer.guard(returned)
            return value
        return None
    if not returned:
        return None
    return value if not isinstance(value, Undefined) else None


# --- loops


def _any_traced(values: Iterable[Any]) -> bool:
    return any(
        type(value) is TracedValue or (isinstance(value, (tuple, list)) and _any_traced(value))
        for value in values
    )


def _flatten(value: Any, into: list[Any]) -> Callable[[Sequence[Any]], Any]:
    if isinstance(value, (tuple, list)) and value and all(_is_leaf(part) for part in value):
        makers = [_flatten(part, into) for part in value]
        if isinstance(value, list):
            return lambda leaves: [make(leaves) for make in makers]
        return lambda leaves: _remade(value, [make(leaves) for make in makers])
    index = len(into)
    into.append(value)
    return lambda leaves: leaves[index]


def _is_leaf(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_leaf(part) for part in value)
    return _is_number(value) or isinstance(value, Undefined)


def _leaves(values: Sequence[Any]) -> tuple[list[Any], Callable[[Sequence[Any]], tuple[Any, ...]]]:
    leaves: list[Any] = []
    makers = [_flatten(value, leaves) for value in values]
    return leaves, lambda given: tuple(make(given) for make in makers)


def _record_loop(
    tracer: Any,
    test: Callable[..., Any],
    body: Callable[..., tuple[Any, ...]],
    state: tuple[Any, ...],
    names: tuple[str, ...],
    proven: bool,
) -> tuple[Any, ...]:
    """A loop in the IR. A variable whose type changes in a round is recorded anew as the wider."""
    first, remake = _leaves(state)
    leaf_names = _names_of(state, names)
    kinds: list[tuple[str, bool] | None] = []
    for value in first:
        if _is_number(value):
            traced = tracer.value(value)
            kinds.append((traced._type, traced._weak))
        else:
            kinds.append(None)
    mixed: set[int] = set()
    cells: list[Any] = []  # arrays from before the loop that a round changes in place
    mark, born = tracer.mark(), tracer.born
    for _ in range(16):
        mixed |= _mixed_at(tracer, kinds, first)
        token = tracer.checkpoint()
        try:
            carried = [k for k, kind in enumerate(kinds) if kind is not None]
            inits = [
                tracer.carry(
                    False if isinstance(first[k], Undefined) else first[k],
                    *_kind(kinds[k]),
                    k in mixed,
                )
                for k in carried
            ]
            heads = list(first)
            arguments = tracer.begin_loop([*inits, *cells])
            for cell, argument in zip(cells, arguments[len(inits) :], strict=True):
                tracer.put(cell, argument, True)
            for k, argument in zip(carried, arguments[: len(inits)], strict=True):
                if not isinstance(first[k], Undefined) or leaf_names[k] == _RESULT:
                    heads[k] = argument
            condition = test(*remake(heads))
            if type(condition) is not TracedValue:
                condition = tracer.value(bool(condition))
            _check_condition(condition, "a loop")
            tracer.exit_unless(condition)
            after = body(*remake(heads))
            last, _ = _leaves(after)
            wider = _compare(tracer, kinds, heads, last, leaf_names)
            newly_mixed = _mixed_at(tracer, kinds, last) - mixed
            mixed |= newly_mixed
            changed = [array for array, _ in tracer.changed(mark)]
            more_cells = [
                array
                for array in changed
                if array._serial <= born and not any(array is cell for cell in cells)
            ]
            if wider is None and not newly_mixed and not more_cells:
                nexts = []
                for k in carried:
                    value = last[k] if not isinstance(last[k], Undefined) else heads[k]
                    nexts.append(tracer.carry(value, *_kind(kinds[k]), k in mixed))
                nexts += cells
                in_place = _changed_heads(first, heads, last, changed)
                results = tracer.end_loop(nexts)
                tracer.undo(mark)
                final = list(first)
                for cell, value in zip(cells, results[len(carried) :], strict=True):
                    tracer.put(cell, value, True)
                for k, value in zip(carried, results[: len(carried)], strict=True):
                    if k in in_place:
                        tracer.put(first[k], value, False)
                        final[k] = first[k]
                        continue
                    is_known = (
                        proven or leaf_names[k] == _RESULT or not isinstance(first[k], Undefined)
                    )
                    final[k] = value if is_known else Undefined(leaf_names[k], True)
                for k, value in enumerate(last):
                    if isinstance(value, Undefined) and kinds[k] is None:
                        final[k] = value
                return remake(final)
        except BaseException:
            tracer.undo(mark)
            tracer.rollback(token)
            raise
        tracer.undo(mark)
        tracer.rollback(token)
        cells += more_cells
        kinds = wider if wider is not None else kinds
    raise told(
        TypeConflictError,
        "the types of a loop's variables do not settle",
        cure="start them with values of the type that they end with",
    )


def _changed_heads(
    first: Sequence[Any], heads: Sequence[Any], last: Sequence[Any], changed: Sequence[Any]
) -> set[int]:
    """Which variables of a loop are arrays that it changes in place and never binds anew."""
    found = set()
    for k, head in enumerate(heads):
        if not any(head is array for array in changed):
            continue
        if type(first[k]) is not TracedValue or head is first[k]:
            continue
        is_shared = any(first[k] is other for other in (*first[:k], *first[k + 1 :]))
        if last[k] is head and not is_shared:
            found.add(k)
        elif is_shared or first[k]._is_argument:
            raise told(
                UnsupportedError,
                "a loop changes an array in place that has two names, or is an argument",
                cure="work on a .copy() of it",
            )
    return found


def _mixed_at(tracer: Any, kinds: list[tuple[str, bool] | None], values: Sequence[Any]) -> set[int]:
    """Where a loop's variable is a Python float and the value given to it is, or may be, an int."""
    found = set()
    for k, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        if kind == ("f64", True) and _is_number(value):
            traced = tracer.value(value)
            if traced._mixed or traced._type != "f64":
                found.add(k)
    return found


def _kind(kind: tuple[str, bool] | None) -> tuple[str, bool]:
    assert kind is not None
    return kind


def _names_of(state: tuple[Any, ...], names: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for value, name in zip(state, names, strict=True):
        inside: list[Any] = []
        _flatten(value, inside)
        found += [name] * len(inside)
    return found


def _compare(
    tracer: Any,
    kinds: list[tuple[str, bool] | None],
    heads: list[Any],
    last: list[Any],
    names: list[str],
) -> list[tuple[str, bool] | None] | None:
    """The kinds with which to record the loop again; None when they hold."""
    if len(last) != len(heads):
        raise told(
            TypeConflictError,
            "a loop's variable changes its form from one round to the next",
            cure="keep its length and nesting",
        )
    wider = list(kinds)
    for k, (before, after) in enumerate(zip(heads, last, strict=True)):
        kind = kinds[k]
        if kind is None:
            if before is after or _same_plain(before, after) or isinstance(after, Undefined):
                continue
            if isinstance(before, Undefined) and _is_number(after):
                traced = tracer.value(after)
                wider[k] = (traced._type, traced._weak)
                continue
            if isinstance(before, Undefined):
                # A value for one round only: made of constants, or unknown after the loop.
                last[k] = Undefined(names[k], True)
                continue
        elif isinstance(after, Undefined):
            continue
        elif _is_number(after):
            traced = tracer.value(after)
            if (traced._type, traced._weak) == kind:
                continue
            sample = tracer.cast(False, *kind)
            wanted = tracer.promote(sample, traced)
            wider[k] = (wanted[0], bool(wanted[1]))
            continue
        raise told(
            TypeConflictError,
            f"{_quoted(names[k])} is {_describe(before)} before a round of the loop and "
            f"{_describe(after)} after it",
            cure="keep one kind of value in it",
        )
    return wider if wider != kinds else None


def while_(
    test: Callable[..., Any],
    body: Callable[..., tuple[Any, ...]],
    state: tuple[Any, ...],
    names: tuple[str, ...],
) -> tuple[Any, ...]:
    """``while test: body``; both take the variables of `names`, the body returns them."""
    tracer = Tracer.current()
    rounds = 0
    while True:
        token = tracer.checkpoint() if tracer is not None else None
        condition = test(*state)
        if type(condition) is TracedValue:
            _check_condition(condition, "a while")
            tracer.rollback(token)
            return _record_loop(tracer, test, body, state, names, False)
        if not condition:
            return state
        state = body(*state)
        rounds += 1
        _check_size(tracer, rounds)


def _check_size(tracer: Any, rounds: int) -> None:
    if tracer is None or (rounds <= UNROLL_MAX and tracer.node_count <= _NODES_MAX):
        return
    raise told(
        UnsupportedError,
        f"a loop over plain values is recorded round by round, and has more than {UNROLL_MAX}",
        cure="loop over range(n) with numbers that the loop changes, or use NumPy",
    )


class _Lazy:
    """Something to iterate over whose length only the run knows: a for statement takes it."""

    def __iter__(self) -> Any:
        raise told(
            ConcreteValueError,
            "how many rounds this has is known only when the kernel runs",
            cure="write a for statement, or name the argument in static=",
        )


class Range(_Lazy):
    """A range whose bounds are traced."""

    def __init__(self, start: Any, stop: Any, step: Any) -> None:
        self.start, self.stop, self.step = start, stop, step


class Enumerate(_Lazy):
    """enumerate() of something that is traced."""

    def __init__(self, over: Any, start: Any = 0) -> None:
        self.over, self.start = over, start


class Zip(_Lazy):
    """zip() of things of which one is traced."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts


def _length(source: Any) -> Any:
    if isinstance(source, Enumerate):
        return _length(source.over)
    if isinstance(source, Zip):
        lengths = [_length(part) for part in source.parts]
        shortest = lengths[0]
        for length in lengths[1:]:
            shortest = call(min, shortest, length)
        return shortest
    if type(source) is TracedValue:
        if source.ndim == 0:
            raise TypeError("'float' object is not iterable")
        return source._tracer.extent(source, 1)
    if isinstance(source, Range):
        if source.step != 1:
            raise told(
                UnsupportedError,
                "zip or enumerate of a range with a step has no native form",
                cure="loop over range(n) and compute the other values from the index",
            )
        return call(max, source.stop - source.start, 0)
    return len(source)


def _item(source: Any, index: Any) -> Any:
    if isinstance(source, Enumerate):
        return (index + source.start, _item(source.over, index))
    if isinstance(source, Zip):
        return tuple(_item(part, index) for part in source.parts)
    if isinstance(source, (Range, range)):
        return source.start + index * source.step
    return source[index]


def for_(
    iterable: Any,
    body: Callable[..., tuple[Any, ...]],
    stop: Callable[..., Any] | None,
    state: tuple[Any, ...],
    names: tuple[str, ...],
) -> tuple[Any, ...]:
    """``for item in iterable: body``; `stop` says from the variables whether a break happened."""
    tracer = Tracer.current()
    if type(iterable) is TracedValue or isinstance(iterable, (Range, Enumerate, Zip)):
        assert tracer is not None
        if isinstance(iterable, Range):
            return _count(tracer, iterable, body, stop, state, names, False)
        over = Range(0, _length(iterable), 1)
        by_index = iterable

        def with_item(index: Any, *values: Any) -> tuple[Any, ...]:
            return body(_item(by_index, index), *values)

        return _count(tracer, over, with_item, stop, state, names, False)
    rounds = 0
    items = iter(iterable)
    left = iterable if type(iterable) is range and tracer is not None else None
    while True:
        if left is not None and len(left) - rounds >= ROLLED_MIN and _any_traced(state):
            rest = left[rounds:]
            try:
                over = Range(rest.start, rest.stop, rest.step)
                return _count(tracer, over, body, stop, state, names, True)
            except (ConcreteValueError, TypeConflictError):
                left = None  # the body needs its index, or a list grows: round by round
        try:
            item = next(items)
        except StopIteration:
            return state
        halt = stop(*state) if stop is not None else False
        if type(halt) is TracedValue:
            state = if_(
                not_(halt), lambda *now, item=item: body(item, *now), lambda *now: now, state, names
            )
        elif halt:
            return state
        else:
            state = body(item, *state)
        rounds += 1
        _check_size(tracer, rounds)


def _count(
    tracer: Any,
    over: Range,
    body: Callable[..., tuple[Any, ...]],
    stop: Callable[..., Any] | None,
    state: tuple[Any, ...],
    names: tuple[str, ...],
    proven: bool,
) -> tuple[Any, ...]:
    if type(over.step) is TracedValue:
        raise told(
            UnsupportedError,
            "a range whose step is known only when the kernel runs has no native form",
            cure="use a while loop",
        )
    is_up = over.step > 0

    def test(index: Any, *values: Any) -> Any:
        inside = index < over.stop if is_up else index > over.stop
        if stop is None:
            return inside
        halt = stop(*values)
        if halt is False:
            return inside
        return tracer.both(inside, tracer.not_(halt), False)

    def round_(index: Any, *values: Any) -> tuple[Any, ...]:
        return (tracer.step(index, over.step), *body(index, *values))

    start = tracer.cast(over.start, "i64", True)
    out = _record_loop(tracer, test, round_, (start, *state), ("the loop's index", *names), proven)
    return out[1:]


# --- calls

_TABLE: dict[Any, Callable[..., Any]] = {}
_ALWAYS: dict[Any, Callable[..., Any]] = {}
_MUTATORS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "pop",
        "remove",
        "clear",
        "sort",
        "reverse",
        "update",
        "add",
        "discard",
        "setdefault",
        "popitem",
        "fill",
        "itemset",
        "put",
        "resize",
        "setflags",
        "partition",
    ]
)
_IMPURE_MODULES = frozenset({"random", "time", "numpy.random", "secrets", "os"})
_CHANGING = (print, input, open, setattr, delattr, exec, eval, globals, locals, vars)


make_slice = slice


def assign_item(target: Any, key: Any, operator_: Callable[[Any, Any], Any], value: Any) -> None:
    """``target[key] op= value``."""
    if type(target) is TracedValue:
        # The elements as they are; a view would be changed in place, and then put back.
        target[key] = operator_(_elements(target, key), value)
        return
    target[key] = operator_(target[key], value)


def _elements(target: Any, key: Any) -> Any:
    from lattice._jit import arrays

    return arrays.elements(target, key)


def call(function: Any, /, *args: Any, **keywords: Any) -> Any:
    """``function(*args, **keywords)``."""
    try:
        always = _ALWAYS.get(function)
        handler = _TABLE.get(function)
    except TypeError:  # unhashable
        always = handler = None
    if always is not None:
        return always(*args, **keywords)
    if handler is not None:
        for value in args:
            if type(value) is TracedValue:
                return handler(*args, **keywords)
        return function(*args, **keywords)
    if Tracer.current() is None:
        return function(*args, **keywords)
    if getattr(function, "__module__", None) == "numpy":
        from lattice._jit import creation

        maker = creation.maker_of(function)
        if maker is not None:
            return maker(*args, **keywords)
    return _call_other(function, args, keywords)


def _call_other(function: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    kind = type(function)
    if kind is Dispatcher:
        impl = function._impl
        tracer = Tracer.current()
        spreads = impl.lanes and not tracer.lanes and any(getattr(x, "ndim", 0) for x in args)
        if spreads or hasattr(impl, "source"):
            # A derivative; or a function of elements, over the arrays of one of whole arrays.
            from lattice._jit.derive import inline

            return inline(impl, args, keywords)
        return _inline(function.__wrapped__, args, keywords)
    if kind is FunctionType:
        module = function.__module__ or ""
        if module.partition(".")[0] in ("numpy", "lattice"):
            return function(*args, **keywords)
        if module in _IMPURE_MODULES:
            raise _impure(function)
        return _inline(function, args, keywords)
    if kind is MethodType and type(function.__func__) is FunctionType:
        owner = type(function.__self__).__module__ or ""
        if owner.partition(".")[0] not in ("numpy", "lattice", "random"):
            return _inline(function.__func__, (function.__self__, *args), keywords)
    _refuse_effects(function)
    return function(*args, **keywords)


def _impure(function: Any) -> TraceError:
    name = getattr(function, "__qualname__", repr(function))
    return told(
        SideEffectError,
        f"{name}() gives another value at each call; recorded, it would be a constant",
        cure="call it outside and pass the value as an argument",
    )


def _refuse_effects(function: Any) -> None:
    if function in _CHANGING:
        raise told(
            SideEffectError,
            f"{function.__name__}() is a side effect, which a native kernel does not have",
            cure="call it outside of the function",
        )
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, type(sys)):
        if getattr(function, "__module__", None) in _IMPURE_MODULES:
            raise _impure(function)
        return
    module = type(owner).__module__
    if module.startswith("numpy.random") or module in _IMPURE_MODULES:
        raise _impure(function)
    if function.__name__ in _MUTATORS and type(owner) is not TracedValue:
        tracer = Tracer.current()
        if id(owner) in context.outer or (tracer is not None and tracer.depth > 0):
            raise told(
                SideEffectError,
                f".{function.__name__}() changes a {type(owner).__name__} that outlives the kernel"
                if id(owner) in context.outer
                else f".{function.__name__}() inside a recorded loop or branch happens once only",
                cure="compute values and return them",
            )


def _inline(function: FunctionType, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """A plain function that traced code calls: its own code, rewritten, in the same trace."""
    from lattice._jit.rewrite import NoSource

    code = function.__code__
    if any(item is code for item in context.functions):
        raise told(
            UnsupportedError,
            f"{function.__qualname__}() calls itself; recursion has no native form",
            cure="write a loop",
        )
    if len(context.functions) > 50:
        raise told(UnsupportedError, "calls nest deeper than 50", cure="write a loop")
    try:
        rewritten = rewritten_of(function)
    except NoSource:
        return function(*args, **keywords)
    if context.notes is not None:
        context.notes(function, rewritten)
    context.functions.append(code)
    try:
        return rewritten.bind(function, sys.modules[__name__])(*args, **keywords)
    finally:
        context.functions.pop()


_rewritten: dict[Any, Any] = {}


def rewritten_of(function: FunctionType) -> Any:
    """The rewritten form of a function, made once per code object."""
    from lattice._jit.rewrite import rewrite

    code = function.__code__
    found = _rewritten.get(code)
    if found is None:
        if len(_rewritten) > 4096:
            _rewritten.clear()
        found = _rewritten[code] = rewrite(function)
    return found


# --- builtins and math, of traced values


def _first(args: Iterable[Any]) -> Any:
    for value in args:
        if type(value) is TracedValue:
            return value._tracer
    return Tracer.current()


def _scalar_only(value: Any, what: str) -> None:
    if type(value) is TracedValue and value.ndim and not value._tracer.lanes:
        raise told(
            ConcreteValueError,
            f"{what} takes one number, and is given an array",
            cure=f"np.{what.rpartition('.')[2]} works on arrays; @lt.vectorize per element",
        )


def _abs(value: Any) -> Any:
    return value._tracer.abs(value)


def _extreme(is_max: bool) -> Callable[..., Any]:
    def pick(*args: Any, **keywords: Any) -> Any:
        if keywords:
            raise told(
                UnsupportedError, "min or max with key= has no native form", cure="write the test"
            )
        values = list(args[0]) if len(args) == 1 else list(args)
        best = values[0]
        for value in values[1:]:
            _scalar_only(value, "max" if is_max else "min")
            _scalar_only(best, "max" if is_max else "min")
            # Python's own order of asking: what comes first wins, also against nan.
            better = value > best if is_max else value < best
            best = ternary(better, lambda v=value: v, lambda b=best: b)  # type: ignore[misc]
        return best

    return pick


def _float(value: Any = 0.0) -> Any:
    _scalar_only(value, "float")
    return value._tracer.cast(value, "f64", True)


def _int(value: Any = 0, *rest: Any) -> Any:
    _scalar_only(value, "int")
    tracer = value._tracer
    if value._type in ("f64", "f32"):
        wide = tracer.cast(value, "f64", True)
        tracer.guard(tracer.abs(wide) < 9223372036854775808.0)
    elif value._type == "u64":
        tracer.guard(value < 9223372036854775808 // 2)
    return tracer.cast(value, "i64", True)


def _bool(value: Any = False) -> Any:
    _check_condition(value, "bool()")
    truth = value._tracer.truth(value)
    return value._tracer.cast(truth, "bool", True)


def _round(value: Any, digits: Any = None) -> Any:
    _scalar_only(value, "round")
    tracer = value._tracer
    if value._type not in ("f64", "f32"):
        if digits is None or (type(digits) is int and digits >= 0):
            return value
    elif digits is None:
        return _int(tracer.rint(value))
    raise told(
        UnsupportedError,
        "round() to digits has no native form with Python's exact results",
        cure="np.round on arrays, or round(x * 100) / 100",
    )


def _sum(values: Any, start: Any = 0) -> Any:
    if type(values) is TracedValue:
        if values.ndim != 1:
            raise told(
                UnsupportedError,
                "sum() of an array that has not one axis",
                cure="np.sum, which adds in NumPy's order",
            )
        state = for_(values, lambda item, total: (total + item,), None, (start,), ("the sum",))
        return state[0]
    total = start
    for value in values:
        total = total + value
    return total


def _len(value: Any) -> Any:
    if value.ndim == 0:
        raise TypeError("object of type 'float' has no len()")
    return value._tracer.extent(value, 1)


def _pow(base: Any, exponent: Any, modulus: Any = None) -> Any:
    if modulus is not None:
        raise told(UnsupportedError, "pow() with a modulus has no native form", cure="write a loop")
    return base**exponent


def _range(*args: Any) -> Any:
    if not any(type(value) is TracedValue for value in args):
        return range(*args)
    for value in args:
        if type(value) is TracedValue and value._type in ("f64", "f32"):
            raise TypeError("'float' object cannot be interpreted as an integer")
        _scalar_only(value, "range")
    start, stop, step = (
        (0, args[0], 1) if len(args) == 1 else (*args, 1) if len(args) == 2 else args
    )
    return Range(start, stop, step)


def _is_lazy(value: Any) -> bool:
    return type(value) is TracedValue or isinstance(value, (Range, Enumerate, Zip))


def _enumerate(over: Any, start: Any = 0) -> Any:
    return Enumerate(over, start) if _is_lazy(over) else enumerate(over, start)


def _zip(*parts: Any, **keywords: Any) -> Any:
    if any(_is_lazy(part) for part in parts):
        return Zip(*parts)
    return zip(*parts, strict=False, **keywords)


def _any(values: Any) -> Any:
    if type(values) is TracedValue:
        return values.any()
    found: Any = False
    for value in values:
        found = or_(found, lambda v=value: v)  # type: ignore[misc]
    return found


def _all(values: Any) -> Any:
    if type(values) is TracedValue:
        return values.all()
    found: Any = True
    for value in values:
        found = and_(found, lambda v=value: v)  # type: ignore[misc]
    return found


def _isinstance(value: Any, kinds: Any) -> bool:
    if type(value) is not TracedValue:
        return isinstance(value, kinds)
    stands_for: type = object
    if value._weak and value.ndim == 0:
        stands_for = {"f64": float, "i64": int, "bool": bool}[value._type]
    else:
        import numpy

        name = {"f": "float", "i": "int", "u": "uint"}.get(value._type[0], "")
        stands_for = (
            numpy.bool_ if value._type == "bool" else getattr(numpy, name + value._type[1:])
        )
        if value.ndim and not value._tracer.lanes:
            stands_for = numpy.ndarray
    return issubclass(stands_for, kinds)


def _divmod(a: Any, b: Any) -> Any:
    return (a // b, a % b)


def _math(name: str) -> Callable[..., Any]:
    def recorded(*args: Any) -> Any:
        for value in args:
            _scalar_only(value, f"math.{name}")
        made = _first(args).math(name, *args)
        if made is NotImplemented:
            raise told(
                UnsupportedError,
                f"math.{name} has no native form",
                cure="compute it in another way, or keep the function in Python",
            )
        return made

    return recorded


def _isclose(a: Any, b: Any, *, rel_tol: Any = 1e-09, abs_tol: Any = 0.0) -> Any:
    gap = call(abs, a - b)
    near = call(max, rel_tol * call(max, call(abs, a), call(abs, b)), abs_tol)
    return or_(a == b, lambda: gap <= near)


_TABLE.update(
    {
        abs: _abs,
        float: _float,
        int: _int,
        bool: _bool,
        round: _round,
        len: _len,
        pow: _pow,
        divmod: _divmod,
        isinstance: _isinstance,
        math.isclose: _isclose,
        operator.add: operator.add,
    }
)
_TABLE.update(
    {
        function: _math(name)
        for name, function in vars(math).items()
        if callable(function) and name not in ("isclose", "fsum", "prod", "dist", "sumprod")
    }
)
_ALWAYS.update({range: _range, enumerate: _enumerate, zip: _zip, sum: _sum, any: _any, all: _all})


def _min(*args: Any, **keywords: Any) -> Any:
    return _either(min, False, args, keywords)


def _max(*args: Any, **keywords: Any) -> Any:
    return _either(max, True, args, keywords)


def _either(plain: Any, is_max: bool, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    if len(args) == 1 and type(args[0]) is TracedValue:
        raise told(
            UnsupportedError,
            f"{plain.__name__}() of an array is a loop in Python",
            cure=f"np.{plain.__name__}, which agrees but for nan",
        )
    values = args[0] if len(args) == 1 and isinstance(args[0], (tuple, list)) else args
    if any(type(value) is TracedValue for value in values):
        return _extreme(is_max)(*values, **keywords)
    return plain(*args, **keywords)


_ALWAYS.update({min: _min, max: _max})
