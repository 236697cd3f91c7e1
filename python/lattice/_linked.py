# SPDX-License-Identifier: MIT
"""Linked memos: a function's value that can be overridden until one of its sources changes.

Three nodes, as in C++ (``linked.hpp``): `_base` computes the function, `_written` holds the last
write and the run of the base that it was made on, `_result` chooses between them. At module level
of a served app all three are templates, so every session has its own.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Hashable
from typing import Any, Generic, NoReturn, TypeVar, cast, overload

from lattice import _core, _state
from lattice._functions import check_plain

T = TypeVar("T")


class Linked(Generic[T]):
    """A memo that can be written. Made by `linked`."""

    __lattice_slot__ = True
    __slots__ = ("__weakref__", "_base", "_function", "_last", "_result", "_written")

    def __init__(
        self, function: Callable[..., T], *, equals: Any = "auto", name: str | None = None
    ) -> None:
        if not callable(function):
            raise TypeError(f"a linked memo is made of a function, not {function!r}")
        check_plain(function, "a linked memo's function", "load in an lt.async_memo, and read that")
        self._function = function
        given = name or getattr(function, "__name__", "").replace("<lambda>", "") or None
        self._written: _core.Signal[tuple[int, T] | None] = _core.Signal(
            None, name=given, equals="never"
        )
        # A list is copied for each session. It is changed in place: nobody subscribes.
        self._last: _core.Signal[list[T]] = _core.Signal([], name=given)
        self._base: _core.Memo[T] = _core.Memo(
            self._computation(function), name=given, equals="never"
        )
        self._base._keep_sources()
        self._result: _core.Memo[T] = _core.Memo(
            lambda: self._choose(),
            name=given,
            equals=equals,  # a lambda is named by assignment
        )

    def __lattice_node__(self) -> _core.Memo[T]:
        """What `lattice.explain` and `lattice.graph` look at."""
        return self._result

    @property
    def value(self) -> T:
        """What was written last, until a source changes; the function's result from then on."""
        return self._result.value

    @value.setter
    def value(self, value: T) -> None:
        # As an update, so that a write from another thread meets the base in its own.
        self._written.update(lambda _: (self._current_run(), value))

    def __call__(self) -> T:
        return self._result.value

    def peek(self) -> T:
        """The value, without subscribing."""
        return self._result.peek()

    def update(self, function: Callable[[T], T], /) -> None:
        """Sets the value to function(value); the read does not subscribe."""
        self._written.update(lambda _: (self._current_run(), function(self._result.peek())))

    def dispose(self) -> None:
        """Ends it; later use raises DisposedError."""
        for node in (self._result, self._base, self._written, self._last):
            node.dispose()

    @property
    def runs(self) -> int:
        """How often the function ran."""
        return self._base.runs

    @property
    def name(self) -> str:
        return self._result.name

    @property
    def __wrapped__(self) -> Callable[..., T]:
        return self._function

    def __repr__(self) -> str:
        return repr(self._result).replace("<Memo", "<Linked", 1)

    def __format__(self, spec: str) -> NoReturn:
        _refuse(self)

    def _current_run(self) -> int:
        """Brings the base up to date, so that an earlier change does not void a later write."""
        try:
            self._base.peek()
        except (_core.CycleError, _core.DisposedError, RecursionError):
            raise
        except Exception:  # it stays in the base; what is written stands above it
            pass
        return self._base.runs

    def _write_on(self, run: int) -> tuple[int, T] | None:
        written = self._written.value
        return written if written is not None and written[0] == run else None

    def _choose(self) -> T:
        try:
            computed = self._base.value
        except Exception:
            written = self._write_on(self._base.runs)
            if written is None:
                raise
            return written[1]
        written = self._write_on(self._base.runs)
        return computed if written is None else written[1]

    def _computation(self, function: Callable[..., T]) -> Callable[[], T]:
        if not _takes_previous(function):
            return function

        def compute() -> T:
            last = self._last.peek()
            written = self._written.peek()
            if written is not None and written[0] == self._base.runs - 1:
                last[:] = [written[1]]
            last[:] = [function(last[0] if last else None)]
            return last[0]

        compute.__name__ = "<lambda>"
        return compute

    def _renew(self, function: Callable[..., T]) -> None:
        old: Any = self._function
        changed = _state.captured_changed(old, cast("Any", function))
        self._function = function
        self._base._replace(self._computation(function), changed)


def _takes_previous(function: Callable[..., Any]) -> bool:
    """Whether it has a required positional parameter; one with a default binds something else."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )


def _refuse(self: Linked[Any], *_: Any) -> NoReturn:
    name = self.name
    shown = f"'{name}'" if name else "this"
    raise TypeError(f"{shown} is a Linked; write {name}.value")


# As for a signal: it is not its value.
_OPERATIONS = """
    bool len iter contains getitem int float index neg pos abs invert lt le gt ge
    add sub mul truediv floordiv mod pow matmul and or xor lshift rshift
    radd rsub rmul rtruediv rfloordiv rmod rpow iadd isub imul itruediv
"""
for _operation in _OPERATIONS.split():
    setattr(Linked, f"__{_operation}__", _refuse)


@overload
def linked(
    function: Callable[[], T] | Callable[[Any], T],
    *,
    equals: Any = ...,
    name: str | None = ...,
    key: Hashable = ...,
) -> Linked[T]: ...
@overload
def linked(
    function: None = ...,
    *,
    equals: Any = ...,
    name: str | None = ...,
    key: Hashable = ...,
) -> Callable[[Callable[..., T]], Linked[T]]: ...
def linked(
    function: Callable[..., Any] | None = None,
    *,
    equals: Any = "auto",
    name: str | None = None,
    key: Hashable = None,
) -> Any:
    """Makes a memo that can be written: a write stands until one of its sources changes.

    Any source that the function read counts, also when its result stays the same.

    Parameters
    ----------
    function : callable
        Without arguments, or with one: the value so far, written or computed, None at first. Left
        out, `linked` is a decorator.
    equals : {"auto", "is", "==", "never"} or callable
        When a new value is not a change for readers; see `signal`.
    name : str, optional
        For messages; otherwise the function's name or the name that it is assigned to.
    key : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    Linked
        Read and write ``.value``.

    Examples
    --------
    >>> query = signal("cats")
    >>> page = linked(lambda: (query.value, 1)[1])
    >>> page.value = 7
    >>> page.value
    7
    >>> query.value = "dogs"
    >>> page.value
    1
    """
    frame = sys._getframe(1)
    if function is None:
        return lambda body: _make(frame, body, equals, name, key)
    return _make(frame, function, equals, name, key)


def _make(
    frame: Any, function: Callable[..., T], equals: Any, name: str | None, key: Hashable
) -> Linked[T]:
    state = _state._rendering.state
    if state is None or not _core.in_component_body():
        return Linked(function, equals=equals, name=name)
    return cast(
        "Linked[T]",
        state.keep(
            "linked",
            frame,
            lambda: Linked(function, equals=equals, name=name),
            key=key,
            update=lambda kept: kept._renew(function),
        ),
    )
