# SPDX-License-Identifier: MIT
"""Async memos and effects, and when effects are flushed.

An async memo is a small graph of ordinary nodes, so laziness, cut-off, cached errors, state per
session and collection are those of signals and memos:

    sources --> _run --> _value, _latest, _loading, _error --> readers
       |          ^          ^
       `> stamps -> _late    `-- _settled: written when a run ends

`_run` is a memo whose function starts the coroutine: what is read before the first await is tracked
by it. What `track()` reads later cannot be linked to a run that is over; it gets a *stamp*, a memo
that makes a new token whenever the source changed, and `_late`, which `_run` reads, changes when a
token is another than `track()` saw. A changed `_run` means: the old run is cancelled, a new one has
begun. An async effect is an effect whose function starts a coroutine, with a `_late` of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import sys
import warnings
import weakref
from collections.abc import Callable, Coroutine, Generator, Hashable
from dis import get_instructions
from types import CodeType, FrameType, FunctionType
from typing import Any, Generic, Literal, Protocol, TypeVar, cast, overload

from lattice import _core, _state
from lattice._coroutine import CoroutineRun, NoLoop, Outcome, current_run, find_host, wake_with
from lattice._functions import is_async

__all__ = [
    "AsyncMemo",
    "Track",
    "async_memo",
    "flush_policy",
    "make_async_effect",
    "start_handler",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")


class Track(Protocol):
    """What an async function's `track` parameter is: reads a source, and subscribes to it."""

    def __call__(self, source: Any, /) -> Any: ...


AsyncFunction = Callable[[], Coroutine[Any, Any, T]] | Callable[[Track], Coroutine[Any, Any, T]]


def _takes_track(function: Callable[..., Any], what: str) -> bool:
    """Whether `function` has the parameter `track`; raises TypeError when it needs others."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind in kinds]
    if len(required) > 1 or any(
        p.default is p.empty and p.kind is p.KEYWORD_ONLY for p in parameters
    ):
        raise TypeError(f"the function of {what} takes nothing, or `track`; it has more parameters")
    return bool(required) or any(p.name == "track" and p.kind in kinds for p in parameters)


def _name_of(function: Any, name: str | None, otherwise: str) -> str:
    return name or getattr(function, "__name__", None) or otherwise


# --- reads after an await


class _Tracked:
    """What a coroutine has tracked, and what it has given, in one session."""

    __slots__ = (
        "has_value",
        "is_between_runs",
        "is_forced",
        "latest",
        "run",
        "stamps",
        "token",
        "waiters",
    )

    def __init__(self) -> None:
        self.stamps: dict[Hashable, tuple[Any, _core.Memo[object], object]] = {}
        self.token = object()
        self.is_forced = False
        self.run: CoroutineRun | None = None
        self.latest: Any = None
        self.has_value = False
        self.is_between_runs = False  # the last run has ended, and no next one has begun
        self.waiters: dict[int, Callable[[], object]] = {}

    def end_run(self) -> None:
        """Before the next run, or at the end: a turn of the loop later it is clear which."""
        self.is_between_runs = True
        for look in list(self.waiters.values()):
            look()


class _Late:
    """One node that changes when something has changed that was tracked after an await."""

    __slots__ = ("__weakref__", "_changes", "_poke", "_tracked")

    def __init__(self, name: str) -> None:
        self._tracked = _core.Memo(_Tracked, name=name)  # a memo, so that each session has its own
        self._poke = _core.Signal(0, name=name)
        self._changes: _core.Memo[object] = _core.Memo(self._look, name=name)

    def tracked(self) -> _Tracked:
        return self._tracked.peek()

    def restart(self) -> _Tracked:
        """At the beginning of a run: forgets, and subscribes the running memo or effect."""
        tracked = self._tracked.peek()
        tracked.stamps = {}
        tracked.is_forced = False
        self._changes.value  # noqa: B018
        return tracked

    def force(self) -> None:
        """Counts as a change."""
        self._tracked.peek().is_forced = True
        self._poke.update(lambda count: count + 1)

    def track(self, run: CoroutineRun, source: Any) -> Any:
        if not run.has_awaited:
            return _read(source)
        tracked = self._tracked.peek()
        if run.is_over or tracked.run is not run:
            with _core.Untracked():
                return _read(source)
        key = _key_of(source)
        if key not in tracked.stamps:
            node = _node_of(source)
            stamp = _core.Memo(functools.partial(_stamp, node), name=f"track in {run.name}")
            tracked.stamps[key] = node, stamp, stamp.peek()
            self._poke.update(lambda count: count + 1)
        return tracked.stamps[key][0].peek()

    def _look(self) -> object:
        self._poke.value  # noqa: B018
        tracked = self._tracked.peek()
        changed = tracked.is_forced
        for _, stamp, seen in tracked.stamps.values():
            changed |= stamp.value is not seen
        if changed:
            tracked.token = object()
            tracked.stamps = {}
            tracked.is_forced = False
        return tracked.token


def _stamp(node: Any) -> object:
    with contextlib.suppress(Exception):  # also "not ready": whoever tracks it gets it
        node.value  # noqa: B018
    return object()


def _read(source: Any) -> Any:
    if isinstance(source, (_core.Signal, _core.Memo, AsyncMemo)):
        return source.value
    if callable(source):
        return source()
    raise TypeError(
        f"track() takes a signal, a memo or a function, not {type(source).__name__}; "
        "track(count), not track(count.value)"
    )


def _node_of(source: Any) -> Any:
    if isinstance(source, AsyncMemo):
        return source._value
    if isinstance(source, (_core.Signal, _core.Memo)):
        return source
    if callable(source):
        return _core.Memo(source, name="track")
    return _read(source)


def _key_of(source: Any) -> Hashable:
    """The same for the same source; for functions made anew in a loop, by what they capture."""
    if isinstance(source, FunctionType):
        captured = [_state._contents(cell) for cell in source.__closure__ or ()]
        return source.__code__, tuple(map(id, captured)), id(source.__defaults__ or ())
    return id(source)


_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_noted: set[tuple[CodeType, int]] = set()


def note_late_read(source: Any) -> None:
    """Called by the core when a coroutine reads `source` after an await without track()."""
    run = current_run()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if run is None or frame is None:
        return
    place = frame.f_code, frame.f_lasti
    if place in _noted or _is_tracked(run, source) or _is_written_back(frame):
        return
    _noted.add(place)
    name = source.name or "a signal"
    warnings.warn_explicit(
        f"{name!r} is read after an await in {run.name!r}, where reads subscribe nothing: "
        f"{run.name!r} does not run again when it changes. Read it before the first await or by "
        f"track({name}); {name}.peek() says that this is meant.",
        RuntimeWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
    )


def _is_tracked(run: CoroutineRun, source: Any) -> bool:
    return isinstance(run, _Run) and any(
        node is source for node, _, _ in run.late.tracked().stamps.values()
    )


def _is_written_back(frame: FrameType) -> bool:
    """`progress.value += 1`: the read is part of a write."""
    for instruction in get_instructions(frame.f_code):
        if instruction.offset <= frame.f_lasti:
            continue
        position = instruction.positions
        if position is not None and position.lineno != frame.f_lineno:
            return False
        if instruction.opname == "STORE_ATTR":
            return bool(instruction.argval == "value")
    return False


# --- runs


class _Run(CoroutineRun):
    """The run of an async memo or effect, which `owner` does not keep alive."""

    late: _Late


def _start(
    function: Callable[..., Coroutine[Any, Any, Any]],
    takes_track: bool,
    name: str,
    late: _Late,
    finished: Callable[[CoroutineRun], None],
) -> _Run:
    """Begins a run for the memo or effect whose function runs now."""
    host = find_host(f"{name!r}")
    tracked = late.restart()
    reader: list[_Run] = []

    def track(source: Any, /) -> Any:
        return late.track(reader[0], source)

    method = weakref.WeakMethod(finished)

    def tell(run: CoroutineRun) -> None:
        call = method()
        if call is not None:
            call(run)

    coroutine = function(track) if takes_track else function()
    run = _Run(host, coroutine, name, tell)
    run.late = late
    reader.append(run)
    tracked.run = run
    _core.on_cleanup(run.cancel)
    run.begin()
    return run


# --- async memos


class AsyncMemo(Generic[T_co]):
    """A value that a coroutine computes from others. Made by `async_memo`."""

    __slots__ = (
        "__weakref__",
        "__wrapped__",
        "_error",
        "_late",
        "_latest",
        "_loading",
        "_run",
        "_settled",
        "_takes_track",
        "_value",
        "name",
    )

    def __init__(self, function: AsyncFunction[T_co], *, name: str | None, equals: Any) -> None:
        self.name = label = _name_of(function, name, "async memo")
        self.__wrapped__: Callable[..., Coroutine[Any, Any, T_co]] = function
        self._takes_track = _takes_track(function, f"the async memo {label!r}")
        self._late = _Late(label)
        self._settled = _core.Signal(0, name=label)
        self._run: _core.Memo[_Run] = _core.Memo(self._begin, name=label)
        self._value: _core.Memo[T_co] = _core.Memo(self._get_value, name=label, equals=equals)
        self._latest: _core.Memo[Any] = _core.Memo(self._get_latest, name=label)
        self._loading: _core.Memo[bool] = _core.Memo(self._get_loading, name=label)
        self._error: _core.Memo[Exception | None] = _core.Memo(self._get_error, name=label)

    def __lattice_node__(self) -> _core.Memo[T_co]:
        """What `lattice.explain` and `lattice.graph` look at."""
        return self._value

    # --- reading

    @property
    def value(self) -> T_co:
        """The value of the last run that gave one; the reader subscribes.

        The first read starts the first run. While a later one loads, the value is still the one
        before: `loading` tells.

        Raises
        ------
        NotReady
            Before the first value. An effect that lets it pass waits silently, and a memo is
            computed again when the value is there.
        Exception
            What the last run raised, until the next one begins.
        """
        return self._value.value

    def __call__(self) -> T_co:
        """`value`."""
        return self._value.value

    def peek(self) -> T_co:
        """`value`, without subscribing."""
        return self._value.peek()

    @property
    def latest(self) -> T_co | None:
        """The newest value, also while another is loaded or after an error; None before the first.

        The reader subscribes. Raises nothing.
        """
        try:
            return cast("T_co | None", self._latest.value)
        except NoLoop:
            return cast("T_co | None", self._late.tracked().latest)

    @property
    def loading(self) -> bool:
        """Whether a run is under way, or waits for another value that is. The reader subscribes."""
        try:
            return self._loading.value
        except NoLoop:
            return False

    @property
    def error(self) -> Exception | None:
        """What the last run raised, else None; None again when the next run begins.

        The reader subscribes. Raises nothing.
        """
        try:
            return self._error.value
        except NoLoop:
            return None

    @property
    def runs(self) -> int:
        """How often a run began."""
        return self._run.runs

    def __await__(self) -> Generator[Any, None, T_co]:
        """Waits until nothing is loading; gives the value, or raises what the last run raised.

        In an async memo or effect it also subscribes, like ``track(rows)``.
        """
        return self._wait().__await__()

    async def _wait(self) -> T_co:
        waiting = current_run()
        if waiting is None:
            return await self._wait_here()
        self._refuse_cycle(waiting)
        waiting.awaiting = self
        try:
            return await self._wait_here()
        finally:
            waiting.awaiting = None

    def _refuse_cycle(self, waiting: CoroutineRun) -> None:
        names = [waiting.name]
        seen: set[int] = set()
        memo: AsyncMemo[Any] | None = self
        while memo is not None and id(memo) not in seen:
            seen.add(id(memo))
            names.append(memo.name)
            run = memo._late.tracked().run
            if run is waiting:
                raise _core.CycleError(f"cycle: {' -> '.join(names)}; each would await the next")
            memo = run.awaiting if run is not None else None

    async def _wait_here(self) -> T_co:
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()
        tracked = self._late.tracked()

        def settle() -> None:
            if not settled.done():
                settled.set_result(None)

        def look() -> None:
            if not self.loading:
                loop.call_soon_threadsafe(settle)

        def look_at_end() -> None:
            if tracked.is_between_runs and not settled.done():
                settled.set_exception(
                    _core.DisposedError(f"{self.name!r} was disposed while it was awaited")
                )

        with _core.Untracked():
            self._value_or_not_ready()
            watcher = _core.Effect(look, phase="render", name=f"await {self.name}")
        tracked.waiters[id(settled)] = lambda: loop.call_soon_threadsafe(look_at_end)
        try:
            await settled
        finally:
            tracked.waiters.pop(id(settled), None)
            watcher.dispose()
        run = current_run()
        if isinstance(run, _Run):
            return cast("T_co", run.late.track(run, self))
        return self._value.peek()

    def _value_or_not_ready(self) -> None:
        try:
            self._value.peek()
        except NoLoop:
            raise
        except Exception:
            pass  # for whoever awaits, in time

    # --- control

    def refresh(self) -> None:
        """Starts a new run at once, as if a source had changed; the value stays meanwhile."""
        self._late.force()
        self._run.peek()

    refetch = refresh

    def cancel(self) -> None:
        """Ends the run that is under way, if any: CancelledError is raised at its await.

        `value` is what it was before that run. The next change of a source, or `refresh`, starts
        another.
        """
        run = self._late.tracked().run
        if run is not None and run.outcome in (Outcome.PENDING, Outcome.NOT_READY):
            run.cancel()
            run.outcome = Outcome.CANCELLED
            self._settled.update(lambda count: count + 1)

    def dispose(self) -> None:
        """Cancels what runs; later use raises DisposedError."""
        for node in (self._value, self._latest, self._loading, self._error, self._run):
            node.dispose()

    # --- the nodes' functions

    def _begin(self) -> _Run:
        tracked = self._late.tracked()
        tracked.is_between_runs = False
        _core.on_cleanup(tracked.end_run)
        return _start(
            self.__wrapped__, self._takes_track, self.name, self._late, self._run_finished
        )

    def _run_finished(self, run: CoroutineRun) -> None:
        tracked = self._late.tracked()
        if run.outcome is Outcome.VALUE:
            tracked.latest, tracked.has_value = run.result, True
        if run.has_awaited:
            self._settled.update(lambda count: count + 1)

    def _state(self) -> tuple[Outcome, Any]:
        run = self._run.value
        self._settled.value  # noqa: B018
        return run.outcome, run.result

    def _get_value(self) -> T_co:
        outcome, result = self._state()
        if outcome is Outcome.ERROR:
            raise result
        tracked = self._late.tracked()
        if not tracked.has_value:
            is_cancelled = outcome is Outcome.CANCELLED
            raise _core.NotReady(
                f"{self.name!r} was cancelled before it had a value; {self.name}.refresh() starts "
                "it again"
                if is_cancelled
                else f"{self.name!r} is being loaded: it has no value yet. {self.name}.latest is "
                f"None meanwhile, and {self.name}.loading is True"
            )
        return cast("T_co", tracked.latest)

    def _get_latest(self) -> Any:
        self._state()
        return self._late.tracked().latest

    def _get_loading(self) -> bool:
        return self._state()[0] in (Outcome.PENDING, Outcome.NOT_READY)

    def _get_error(self) -> Exception | None:
        outcome, result = self._state()
        return result if outcome is Outcome.ERROR else None

    def _renew(self, function: AsyncFunction[Any]) -> None:
        """A component rendered again: its body made the same memo with a new function."""
        old: Any = self.__wrapped__
        self.__wrapped__ = function
        changed = _state.captured_changed(old, cast("Any", function))
        self._run._replace(self._run.__wrapped__, changed)

    def __repr__(self) -> str:
        return f"<AsyncMemo {self.name}>"

    def __bool__(self) -> bool:
        raise TypeError(f"{self.name!r} is an AsyncMemo; write {self.name}.value")


@overload
def async_memo(
    function: AsyncFunction[T],
    *,
    name: str | None = ...,
    equals: Any = ...,
    key: Hashable = ...,
) -> AsyncMemo[T]: ...
@overload
def async_memo(
    function: None = ...,
    *,
    name: str | None = ...,
    equals: Any = ...,
    key: Hashable = ...,
) -> Callable[[AsyncFunction[T]], AsyncMemo[T]]: ...
def async_memo(
    function: Any = None,
    *,
    name: str | None = None,
    equals: Any = "auto",
    key: Hashable = None,
) -> Any:
    """Makes an async memo: a value that a coroutine computes, again whenever its sources change.

    Like a memo it is lazy: the first read starts it, and without subscribers it does not run again
    before it is read. What the function reads before its first await is tracked by itself; what it
    reads later is tracked when it is read by ``track(source)``. When a source changes, the
    coroutine is cancelled where it waits, and a new one begins; results of cancelled runs are
    dropped.

    Parameters
    ----------
    function : async function
        Without parameters, or with one, `track`: ``track(signal)``, ``track(memo)`` and
        ``track(function)`` read and subscribe. Left out, `async_memo` is a decorator.
    name : str, optional
        For messages; otherwise the function's name.
    equals : {"auto", "is", "==", "never"} or callable
        When a new value is not a change for readers; see `signal`.
    key : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    AsyncMemo
        ``.value`` raises `NotReady` until the first value is there; ``.latest``, ``.loading`` and
        ``.error`` never raise; ``.refresh()``, ``.cancel()``; ``await rows`` waits for the value.

    Raises
    ------
    TypeError
        If `function` is not an async function.

    Examples
    --------
    >>> import asyncio
    >>> async def main():
    ...     user = _core.Signal("ada")
    ...     @async_memo
    ...     async def greeting():
    ...         name = user.value
    ...         await asyncio.sleep(0)
    ...         return f"Hello {name}"
    ...     print(greeting.loading, greeting.latest)
    ...     print(await greeting)
    >>> asyncio.run(main())
    True None
    Hello ada
    """
    frame = sys._getframe(1)
    if function is None:
        return lambda body: _make_async_memo(frame, body, name, equals, key)
    return _make_async_memo(frame, function, name, equals, key)


def _make_async_memo(
    frame: FrameType, function: Any, name: str | None, equals: Any, key: Hashable
) -> AsyncMemo[Any]:
    if not is_async(function):
        what = getattr(function, "__name__", repr(function))
        hint = (
            "an async generator gives many values; write them to a signal from an async effect"
            if inspect.isasyncgenfunction(function)
            else "a plain function is a memo: @lt.memo"
        )
        raise TypeError(f"async_memo takes an `async def` function, which {what} is not; {hint}")
    state = _state.current()
    if state is None or not _core.in_component_body():
        return AsyncMemo(function, name=name, equals=equals)

    def create() -> AsyncMemo[Any]:
        return AsyncMemo(function, name=name, equals=equals)

    def update(kept: AsyncMemo[Any]) -> None:
        kept._renew(function)

    return cast("AsyncMemo[Any]", state.keep("async_memo", frame, create, key=key, update=update))


# --- async effects


class AsyncEffect:
    """The function of an async effect: begins a run, which the effect's next one cancels."""

    __slots__ = ("__weakref__", "_is_reporting", "_late", "_takes_track", "function", "name")

    def __init__(self, function: Callable[..., Coroutine[Any, Any, object]], name: str) -> None:
        self.function = function
        self.name = name
        self._takes_track = _takes_track(function, f"the effect {name!r}")
        self._late = _Late(name)

    def __call__(self) -> None:
        run = _start(self.function, self._takes_track, self.name, self._late, self._run_finished)
        if run.outcome in (Outcome.ERROR, Outcome.NOT_READY):
            raise run.result

    def _run_finished(self, run: CoroutineRun) -> None:
        if run.has_awaited and run.outcome is Outcome.ERROR:
            run.owner.report(run.result, f"effect {self.name!r}", self.name)
            run.result = None

    def renewed(self, function: Any) -> tuple[AsyncEffect, bool]:
        """What a later render makes of it, and whether it must run again."""
        changed = _state.captured_changed(cast("Any", self.function), function)
        if not changed:
            self.function = function
            return self, False
        return AsyncEffect(function, self.name), True


def make_async_effect(
    function: Any, options: dict[str, Any], state: _state.InstanceState | None
) -> tuple[Callable[[], _core.Effect], Callable[[_core.Effect], None]]:
    """How to make the effect of an async function, and to renew it after a render."""
    name = _name_of(function, options["name"], "async effect")
    given = {**options, "name": name}

    def create() -> _core.Effect:
        if state is None:
            # At module level each session gets a run of its own.
            return _core.Effect(lambda: AsyncEffect(function, name), factory=True, **given)
        queued = options["phase"] == "user"
        return _core.Effect(AsyncEffect(function, name), queued=queued, **given)

    def update(kept: _core.Effect) -> None:
        kept._replace(*cast("AsyncEffect", kept.__wrapped__).renewed(function))

    return create, update


# --- async handlers of events


def start_handler(
    handler: Callable[..., Any], coroutine: Coroutine[Any, Any, Any], event: _core.EventHold
) -> None:
    """Begins the coroutine that a handler gave, in its session; raises what its first step raises.

    Until its end the next event waits, unless `event` was declared concurrent.
    """
    name = getattr(handler, "__qualname__", repr(handler)).rpartition("<locals>.")[2]
    try:
        host = find_host(f"the handler {name!r}")
    except _core.AccessError:
        coroutine.close()
        raise
    lifetime = _core.Scope()  # the session's end cancels; the handler's end forgets that

    def finished(run: CoroutineRun) -> None:
        if run.has_awaited:
            lifetime.dispose()
            event.release()
            if run.outcome in (Outcome.ERROR, Outcome.NOT_READY):
                event.fail(run.result)
                run.result = None

    run = CoroutineRun(host, coroutine, name, finished)
    with lifetime:
        _core.on_cleanup(run.cancel)
    run.begin()
    if run.outcome is Outcome.PENDING:
        event.hold()
        return
    lifetime.dispose()
    if run.outcome in (Outcome.ERROR, Outcome.NOT_READY):
        raise run.result


# --- flushing

FlushPolicy = Literal["sync", "asyncio"]


def flush_policy(policy: FlushPolicy | None = None) -> FlushPolicy:
    """When effects run after a write: sets it for this thread's state, or tells what is set.

    Parameters
    ----------
    policy : {"sync", "asyncio"}, optional
        ``"sync"``, the default: at the end of the write, or of the batch. ``"asyncio"``: in one
        callback of the running loop, after the callback or step that writes now, once for all its
        writes; `flush` runs them earlier. Reads never wait: memos are computed when read.

    Returns
    -------
    str
        The policy that was set before.

    Raises
    ------
    AccessError
        In a session, whose effects run at the end of each segment; or when no asyncio loop runs.

    Examples
    --------
    >>> import asyncio
    >>> async def main():
    ...     flush_policy("asyncio")
    ...     count = _core.Signal(1)
    ...     log = _core.Effect(lambda: print("count", count.value))
    ...     count.value = 2
    ...     count.value = 3
    ...     print("written")
    ...     await asyncio.sleep(0)
    ...     flush_policy("sync")
    >>> asyncio.run(main())
    count 1
    written
    count 3
    """
    before: FlushPolicy = "asyncio" if _core.defers_flushes() else "sync"
    if policy is None:
        return before
    if policy not in ("sync", "asyncio"):
        raise ValueError(f"policy is 'sync' or 'asyncio', not {policy!r}")
    if _core.current_session() is not None:
        raise _core.AccessError(
            "flush_policy() is for scripts and notebooks: in a session effects run at the end of "
            "each handler or step, and lt.flush() runs them earlier"
        )
    if policy == "sync":
        _core.set_flush_request(None)
        return before
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise _core.AccessError(
            "flush_policy('asyncio') needs a running asyncio loop: call it inside `async def "
            "main()` that asyncio.run(main()) runs"
        ) from None
    wake_with(loop)
    _core.set_flush_request(functools.partial(_request_flush, loop))
    return before


def _request_flush(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.call_soon(_core.flush)
    except RuntimeError:
        warnings.warn(
            "flush_policy('asyncio') is set, but its loop is closed: effects wait for lt.flush(). "
            "Call lt.flush_policy('sync') before the loop ends.",
            RuntimeWarning,
            stacklevel=2,
        )
