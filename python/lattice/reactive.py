# SPDX-License-Identifier: MIT
"""Signals, memos and effects.

A `Signal` holds a value, a `Memo` computes one from others, an `Effect` does something with them.
Who reads a ``.value`` while it runs subscribes to it. The graph is native (``lattice._core``); here
are the functions that make its nodes, and inside a component's body find the ones that an earlier
render made, by their name.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Hashable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast, overload

from lattice import _core, _state
from lattice._core import (
    AccessError,
    CycleError,
    DecodeError,
    DisposedError,
    Effect,
    LatticeError,
    Memo,
    NotReady,
    Scope,
    Signal,
    TraceError,
)
from lattice._functions import check_call, check_plain, is_async

if TYPE_CHECKING:
    from lattice._async import AsyncMemo, Track, async_memo, flush_policy

__all__ = [
    "AccessError",
    "AsyncMemo",
    "CycleError",
    "DecodeError",
    "DisposedError",
    "Effect",
    "LatticeError",
    "Memo",
    "NotReady",
    "Scope",
    "Signal",
    "TraceError",
    "async_memo",
    "batch",
    "effect",
    "flush",
    "flush_policy",
    "in_session",
    "memo",
    "on_cleanup",
    "read",
    "session",
    "signal",
    "untracked",
    "watch",
]

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")

Equals = Literal["auto", "is", "==", "never"] | Callable[[Any, Any], object]
StateScope = Literal["session", "app"]
Phase = Literal["user", "render"]
EffectFunction = Callable[[], object] | Callable[["Track"], Coroutine[Any, Any, object]]

# asyncio takes longer to import than all the rest: who uses nothing of it does not wait for it.
_OF_ASYNC = ("AsyncMemo", "Track", "async_memo", "flush_policy")


def __getattr__(name: str) -> Any:
    if name not in _OF_ASYNC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lattice import _async

    value = globals()[name] = getattr(_async, name)
    return value


_rendering = _state._rendering


def _body() -> _state.InstanceState | None:
    """The component instance whose body itself runs, not a memo or effect that it started."""
    state = _rendering.state
    return state if state is not None and _core.in_component_body() else None


@_core.quick_signal
def signal(
    initial: T,
    *,
    name: str | None = None,
    equals: Equals = "auto",
    scope: StateScope = "session",
    key: Hashable = None,
) -> Signal[T]:
    """Makes a signal: a value that tells its readers when it changes.

    Parameters
    ----------
    initial : object
        The first value. In a component it counts for the first render only.
    name : str, optional
        For messages; otherwise the name that the signal is assigned to.
    equals : {"auto", "is", "==", "never"} or callable
        When a new value is not a change. ``"auto"``: the same type and ``==`` for numbers, strings,
        bytes, None, dates, Decimal, Enum, UUID, Path and tuples and frozen dataclasses of those,
        with NaN equal to itself; other objects by identity, and the very same list, dict, set,
        array or frame always counts as a change. A function gets the old and the new value.
    scope : {"session", "app"}
        Whose it is, when it is made at module level of a served app: every session has its own
        (a copy of the first value), or all share one. Shared values are not copied: write new ones
        instead of changing them in place.
    key : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    Signal
        Read and write ``.value``.

    Raises
    ------
    LatticeError
        LT101, when a component reaches the same place twice in one render without a new key.

    Examples
    --------
    >>> count = signal(0)
    >>> count.value += 1
    >>> count.update(lambda n: n * 10)
    >>> count.value
    10
    """
    state = _body()
    if state is None:
        return Signal(initial, name=name, equals=equals, scope=scope)

    def create() -> Signal[T]:
        return Signal(initial, name=name, equals=equals, scope=scope)

    return cast("Signal[T]", state.keep("signal", sys._getframe(1), create, key=key))


@overload
def memo(
    function: Callable[[], T],
    *,
    name: str | None = ...,
    equals: Equals = ...,
    scope: StateScope = ...,
    native: bool | None = ...,
    key: Hashable = ...,
) -> Memo[T]: ...
@overload
def memo(
    function: None = ...,
    *,
    name: str | None = ...,
    equals: Equals = ...,
    scope: StateScope = ...,
    native: bool | None = ...,
    key: Hashable = ...,
) -> Callable[[Callable[[], T]], Memo[T]]: ...
@_core.quick_memo
def memo(
    function: Callable[[], Any] | None = None,
    *,
    name: str | None = None,
    equals: Equals = "auto",
    scope: StateScope = "session",
    native: bool | None = None,
    key: Hashable = None,
) -> Any:
    """Makes a memo: a value computed from others when it is read, kept until one of them changes.

    What the function raises is kept too, and raised to every reader.

    Parameters
    ----------
    function : callable
        Without arguments. Left out, `memo` is a decorator.
    name : str, optional
        For messages; otherwise the function's name or the name that the memo is assigned to.
    equals : {"auto", "is", "==", "never"} or callable
        When a new result is not a change for readers; see `signal`.
    scope : {"session", "app"}
        As for `signal`. A memo with ``scope="app"`` reads shared state only.
    native : bool, optional
        A memo that runs often becomes native by itself, without any difference but speed, when
        its source shows that it computes numbers and does nothing else: arithmetic, comparisons,
        ``if``, reads of signals and memos, constants, and functions like ``math.sin`` and ``abs``.
        True demands that, and raises TraceError with the line that stands in the way; False
        forbids it. See `Memo.native` and `Memo.native_reason`.
    key : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    Memo
        Call it, or read ``.value``.

    Raises
    ------
    TraceError
        With ``native=True``, when the function may do more than compute a number; from ``.value``
        when what it reads is no number.

    Examples
    --------
    >>> price = signal(2.5)
    >>> @memo
    ... def total():
    ...     return price.value * 4
    >>> total()
    10.0
    """
    frame = sys._getframe(1)
    if function is None:
        return lambda body: _make_memo(frame, body, name, equals, scope, key, native)
    return _make_memo(frame, function, name, equals, scope, key, native)


def _make_memo(
    frame: Any,
    function: Callable[[], T],
    name: str | None,
    equals: Equals,
    scope: StateScope,
    key: Hashable,
    native: bool | None,
) -> Memo[T]:
    if is_async(function):
        raise TypeError(
            f"{getattr(function, '__name__', function)!r} is an async function, whose value a memo "
            "cannot compute when it is read; make it with @lt.async_memo"
        )
    check_plain(function, "a memo's function", "give list(...) of it, which can be read twice")
    check_call(
        function,
        0,
        "a memo's function",
        "bind them (lambda: f(x)), or use lt.linked, whose function may take the previous value",
    )
    if native:
        _check_native(function)
    state = _body()

    def create() -> Memo[T]:
        made = Memo(function, name=name, equals=equals, scope=scope)
        if native is not None:
            made._demand_native(native)
        return made

    if state is None:
        return create()

    def update(kept: Memo[T]) -> None:
        _renew(kept, function)

    return cast("Memo[T]", state.keep("memo", frame, create, key=key, update=update))


def _check_native(function: Callable[[], object]) -> None:
    from lattice._jit.memo import check  # the compiler is loaded when something needs it

    check(function)


def _renew(kept: Memo[Any] | Effect, function: Callable[[], Any]) -> None:
    old: Any = kept.__wrapped__
    kept._replace(function, _state.captured_changed(old, cast("Any", function)))


@overload
def effect(
    function: EffectFunction,
    *,
    phase: Phase = ...,
    priority: int = ...,
    weak: bool = ...,
    name: str | None = ...,
    key: Hashable = ...,
) -> Effect: ...
@overload
def effect(
    function: None = ...,
    *,
    phase: Phase = ...,
    priority: int = ...,
    weak: bool = ...,
    name: str | None = ...,
    key: Hashable = ...,
) -> Callable[[EffectFunction], Effect]: ...
def effect(
    function: EffectFunction | None = None,
    *,
    phase: Phase = "user",
    priority: int = 0,
    weak: bool = False,
    name: str | None = None,
    key: Hashable = None,
) -> Any:
    """Makes an effect: a function that runs now, and again whenever what it read has changed.

    It runs after the graph has settled, once per batch. In a component it runs after the render.
    What it raises is logged, and it stays subscribed; a value that is not ready yet (`NotReady`)
    makes it wait for that.

    An ``async def`` runs as a task and is cancelled before the next run and at the end. What it
    reads before its first await is tracked; for later reads it may have a parameter `track`, as in
    `async_memo`.

    Parameters
    ----------
    function : callable
        Without arguments, or async. Left out, `effect` is a decorator.
    phase : {"user", "render"}
        Effects of the render phase run before those of the user phase.
    priority : int
        Lower numbers run first within their phase.
    weak : bool
        If true, nothing keeps it alive but the references to it. Otherwise the memo, effect, scope
        or component that made it does, else the runtime.
    name : str, optional
        For messages; otherwise the function's name.
    key : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    Effect
        ``dispose()`` ends it.

    Examples
    --------
    >>> name = signal("Ada")
    >>> greet = effect(lambda: print("Hello", name.value))
    Hello Ada
    >>> name.value = "Grace"
    Hello Grace
    >>> greet.dispose()
    """
    frame = sys._getframe(1)
    options = {"phase": phase, "priority": priority, "weak": weak, "name": name}
    if function is None:
        return lambda body: _make_effect(frame, body, options, key)
    return _make_effect(frame, function, options, key)


def _make_effect(
    frame: Any,
    function: Any,
    options: dict[str, Any],
    key: Hashable,
) -> Effect:
    state = _body()
    if is_async(function):
        from lattice import _async

        create_async, update_async = _async.make_async_effect(function, options, state)
        if state is None:
            return create_async()
        kept = state.keep("effect", frame, create_async, key=key, update=update_async)
        return cast("Effect", kept)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"the effect {function.__name__!r} is a generator (it has a yield); nothing would run "
            "it"
        )
    check_call(function, 0, "an effect's function", "bind them (lambda: f(x))")
    if state is None:
        return Effect(function, **options)
    queued = options["phase"] == "user"

    def create() -> Effect:
        return Effect(function, queued=queued, **options)

    def update(kept: Effect) -> None:
        _renew(kept, function)

    return cast("Effect", state.keep("effect", frame, create, key=key, update=update))


def watch(
    source: Signal[T] | Memo[T] | Callable[[], T],
    function: Callable[[T, T], object],
    *,
    phase: Phase = "user",
    priority: int = 0,
    weak: bool = False,
    name: str | None = None,
    key: Hashable = None,
) -> Effect:
    """Calls ``function(new, old)`` whenever `source` changes, but not at first.

    Parameters
    ----------
    source : Signal, Memo, callable, or a store or a part of one
        What is watched. What a callable reads is watched, and its result is passed on when it
        differs. Of a store everything in it is watched, and `function` gets snapshots.
    function : callable
        Gets the new and the old value. What it reads is not tracked.
    phase, priority, weak, name, key
        As for `effect`.

    Returns
    -------
    Effect
        ``dispose()`` ends it.

    Examples
    --------
    >>> count = signal(1)
    >>> log = watch(count, lambda new, old: print(old, "->", new))
    >>> count.value = 2
    1 -> 2
    """
    if getattr(type(source), "__lattice_store__", False) is True:
        source = _snapshots_of(source)
    if not callable(source) and not isinstance(source, Signal):
        several = isinstance(source, (list, tuple))
        raise TypeError(
            f"what is watched is a signal, a memo, a store or a callable, not {source!r}"
            + ("; for several: lambda: (a.value, b.value)" if several else "")
        )
    _check_callable(function, "watch() calls a function of the new and the old value")
    check_plain(function, "what watch() calls", "for async work use an async effect")
    check_call(function, 2, "what watch() calls", "it gets (new, old)")
    given = name or getattr(function, "__name__", "").replace("<lambda>", "") or "watch"
    options: dict[str, Any] = {"phase": phase, "priority": priority, "weak": weak, "name": given}
    state = _body()
    if state is None:
        # At module level each session gets a watcher of its own.
        return Effect(lambda: _Watcher(source, function), factory=True, **options)

    def create() -> Effect:
        return Effect(_Watcher(source, function), queued=phase == "user", **options)

    def update(kept: Effect) -> None:
        kept._replace(*cast("_Watcher", kept.__wrapped__).renewed(source, function))

    return cast("Effect", state.keep("watch", sys._getframe(1), create, key=key, update=update))


def _check_callable(function: object, what: str) -> None:
    if not callable(function):
        raise TypeError(f"{what}, not {function!r}")


def _snapshots_of(store: Any) -> Callable[[], Any]:
    return lambda: _core.snapshot(store)  # a later render's is the same while it captures the same


class _Watcher:
    """The function of a `watch` effect, with the value that it saw last."""

    __slots__ = ("before", "function", "has_run", "is_new_source", "source")

    def __init__(self, source: Any, function: Callable[[Any, Any], object]) -> None:
        self.source = source
        self.function = function
        self.before: Any = None
        self.has_run = False
        self.is_new_source = False

    def __call__(self) -> None:
        before, now = self.before, read(self.source)
        self.before = now
        # A signal or memo runs this for a change only; a callable may give the same again.
        must_compare = self.is_new_source or not isinstance(self.source, (Signal, Memo))
        self.is_new_source = False
        if not self.has_run:
            self.has_run = True
        elif not must_compare or not _core.values_equal(before, now):
            untracked(lambda: self.function(now, before))

    def renewed(self, source: Any, function: Callable[[Any, Any], object]) -> tuple[_Watcher, bool]:
        """What a later render watches with, and whether it must look again."""
        later = _Watcher(source, function)
        later.before, later.has_run = self.before, self.has_run
        later.is_new_source = self.source is not source and _state.captured_changed(
            self.source, source
        )
        return later, later.is_new_source


@overload
def batch() -> AbstractContextManager[object]: ...
@overload
def batch(function: Callable[[], R]) -> R: ...
def batch(function: Callable[[], Any] | None = None) -> Any:
    """One flush at the end, instead of one after each write.

    Parameters
    ----------
    function : callable, optional
        Called in a batch, and its result returned. Left out, `batch` gives a context manager.

    Examples
    --------
    >>> first, last = signal("Ada"), signal("Byron")
    >>> shown = effect(lambda: print(first.value, last.value))
    Ada Byron
    >>> with batch():
    ...     first.value = "Grace"
    ...     last.value = "Hopper"
    Grace Hopper
    """
    if function is None:
        return _core.Batch()
    _check_callable(function, "batch() takes a function without arguments")
    check_plain(function, "what batch() calls", "the batch would end before it has begun")
    with _core.Batch():
        return function()


@overload
def untracked() -> AbstractContextManager[object]: ...
@overload
def untracked(function: Callable[[], R]) -> R: ...
def untracked(function: Callable[[], Any] | None = None) -> Any:
    """Reads without subscribing.

    Parameters
    ----------
    function : callable, optional
        Called without tracking, and its result returned. Left out, `untracked` gives a context
        manager.
    """
    if function is None:
        return _core.Untracked()
    _check_callable(function, "untracked() takes a function without arguments")
    check_plain(function, "what untracked() calls", "it would run later, and be tracked")
    with _core.Untracked():
        return function()


def on_cleanup(function: Callable[[], object]) -> None:
    """Calls `function` before the next run of the running effect or memo, and at its end.

    Outside of one, at the end of the current scope or component, else of the runtime. The last
    registered runs first.
    """
    _check_callable(function, "on_cleanup() takes a function without arguments")
    check_plain(function, "a cleanup", "start what it has to do as a task")
    check_call(function, 0, "a cleanup", "bind them (lambda: f(x))")
    _core.on_cleanup(function)


def flush() -> None:
    """Runs queued effects now and, in a session, sends the page what is there."""
    _core.flush()


def read(source: Any) -> Any:
    """The value of a signal or memo, the result of a callable, anything else as it is."""
    if isinstance(source, (Signal, Memo)) or _state.is_async_memo(source):
        return source.value
    return source() if callable(source) else source


def session() -> Any:
    """The session of the visitor whose handler, memo, effect or component runs.

    Raises
    ------
    AccessError
        When there is none: at module level, in a plain thread, in the app's shared state.
    """
    current = _core.current_session()
    if current is None:
        raise AccessError(
            "there is no session here. lt.session() works in components, handlers and effects; "
            "wrap what another thread runs with lt.in_session(fn)."
        )
    return current


def in_session(function: Callable[P, object]) -> Callable[P, None]:
    """Wraps `function` so that it runs in the current session, whoever calls it.

    Called from another thread it returns at once, and `function` runs when the session gets to it,
    in one batch with what else has arrived. Called inside the session it runs at once.

    Parameters
    ----------
    function : callable
        Its result is dropped.

    Returns
    -------
    callable
        Raises DisposedError once the session has ended.

    Examples
    --------
    In a handler::

        show = lt.in_session(rows.update)
        threading.Thread(target=lambda: show(lambda old: [*old, load()])).start()
    """
    _check_callable(function, "in_session() wraps a function")
    handle = _core.SessionHandle()
    name = getattr(function, "__name__", repr(function))

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        if handle.is_current():
            function(*args, **kwargs)
        elif not handle.post(lambda: function(*args, **kwargs)):
            raise DisposedError(
                f"{name!r} cannot run in its session any more: the session has ended"
            )

    call.__name__ = name
    call.__doc__ = function.__doc__
    return call
