# SPDX-License-Identifier: MIT
"""Where coroutines of memos, effects and handlers run, and how each of their steps is entered.

A *step* is what a coroutine does from one await to the next. It is one batch of the graph, and it
runs on the thread of an asyncio loop, with a task of its own:

- in a script or notebook, on the loop that runs on this thread;
- in a served session, on the app's loop (`AppLoop`): the session's thread posts a segment, lends
  the session's runtime to the loop's thread for the step, and waits without the GIL. So asyncio's
  rules hold, a session is never in two places at once, and the loop never waits for a session.

    loop thread                                session's thread (a segment)
    task wakes: its await is over
      `--post a ticket to the mailbox -------->  RuntimeLoan
    gate opens: borrow, run the step  <--------    call_soon_threadsafe, wait
      `--release ----------------------------->  batch ends, effects run, one frame is sent

What comes before the first await runs at once, inside the memo or effect that starts it, so its
reads are tracked; the task exists already, as asyncio.timeout() and the like expect.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
import time
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from enum import Enum
from typing import Any

from lattice import _core
from lattice._report import log_exception

__all__ = ["AppLoop", "CoroutineRun", "NoLoop", "Outcome", "find_host"]

_log = logging.getLogger("lattice")


class NoLoop(_core.AccessError):
    """An async function was to start where no asyncio loop runs. Memos do not keep it."""

    _is_transient = True


class Outcome(Enum):
    """How far a run has come."""

    PENDING = "pending"
    VALUE = "value"
    ERROR = "error"
    NOT_READY = "not ready"  # it read a value that is being loaded, and starts again with it
    CANCELLED = "cancelled"


class _Here(threading.local):
    """Whose step runs on this thread."""

    run: CoroutineRun | None = None
    loop: asyncio.AbstractEventLoop | None = None  # which other threads' writes wake


_here = _Here()
_tasks: set[asyncio.Task[Any]] = set()  # asyncio itself keeps only weak references

_NOTHING: Any = object()
_DONE: Any = object()


def current_run() -> CoroutineRun | None:
    """The run whose step this thread is in, if any."""
    return _here.run


def find_host(what: str) -> AppLoop | asyncio.AbstractEventLoop:
    """The loop on which an async function that starts here will run.

    Raises
    ------
    NoLoop
        When there is none.
    """
    app = getattr(_core.current_session(), "_app_loop", None)
    if isinstance(app, AppLoop):
        app.loop()
        return app
    try:
        loop = asyncio.get_running_loop()
        if _core.current_session() is None:
            wake_with(loop)
        return loop
    except RuntimeError:
        raise NoLoop(
            f"{what} is async and needs a running asyncio loop, but none runs here. Use it inside "
            "`async def main()` that asyncio.run(main()) runs; notebooks and served apps have a "
            "loop."
        ) from None


def wake_with(loop: asyncio.AbstractEventLoop) -> None:
    """Lets other threads' writes to this thread's state wake the loop that runs here."""
    if _here.loop is loop:
        return
    _here.loop = loop

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(_core.flush)
        except RuntimeError:  # closed
            _core.drain_later()

    _core.wake_by(wake)


class CoroutineRun(Coroutine[Any, Any, None]):
    """One run of an async function, as the coroutine of a task.

    Parameters
    ----------
    host : AppLoop or event loop
        From `find_host`.
    coroutine : coroutine
        What to run.
    name : str
        For messages and the task.
    finished : callable
        Called with this run at its end, inside its last step, unless it was cancelled before.
    """

    def __init__(
        self,
        host: AppLoop | asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        name: str,
        finished: Callable[[CoroutineRun], None],
    ) -> None:
        self.name = name
        self.outcome = Outcome.PENDING
        self.result: Any = None  # the value, or the exception
        self.is_over = False  # cancelled or superseded: what it gives is dropped
        self.has_awaited = False  # the first step is over: reads are not tracked any more
        self.awaiting: Any = None  # the async memo that it waits for
        self.owner: _core.AsyncRun = _core.AsyncRun()
        self._app = host if isinstance(host, AppLoop) else None
        self._loop = host.loop() if isinstance(host, AppLoop) else host
        self._session: Any = None if self._app is not None else _core.current_session()
        self._post = _core.SessionHandle().post if self._app is not None else None
        self._coroutine = coroutine
        self._finished = finished
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[Any] | None = None
        self._first: Any = _NOTHING  # what the first step waits for, until the task asks
        self._resumption: tuple[bool, Any] = (False, None)
        self._is_entered = False  # the gate is open: the step may run
        self._is_orphan = False  # ... although there is no session any more

    # --- the first step

    def begin(self) -> None:
        """Runs to the first await, inside whatever runs here."""
        try:
            if self._app is None:
                self._begin_on_loop()
            else:
                self._app.run_with_session(self._begin_on_loop)
        finally:
            self.has_awaited = True
            if self._task is None:
                self._coroutine.close()  # the loop ended before it could begin

    def _begin_on_loop(self) -> None:
        loop = self._loop
        task = asyncio.Task(self, loop=loop, name=f"lattice {self.name}", context=self._context)
        self._task = task
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        outer = asyncio.current_task(loop)
        if outer is not None:
            _leave_task(loop, outer)
        _enter_task(loop, task)
        try:
            self._first = self._context.run(self._advance, False, None)
        finally:
            _leave_task(loop, task)
            if outer is not None:
                _enter_task(loop, outer)

    # --- what the task calls

    def send(self, value: Any) -> Any:
        return self._resume(False, value)

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        error = kind if value is None and isinstance(kind, BaseException) else value
        return self._resume(True, error if error is not None else kind())

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, None, None]:
        raise TypeError("a run belongs to its task")

    def __getattr__(self, name: str) -> Any:
        # What a task's repr and stack look at.
        if name.startswith("cr_") or name in ("__name__", "__qualname__"):
            return getattr(self._coroutine, name)
        raise AttributeError(name)

    def _resume(self, is_thrown: bool, value: Any) -> Any:
        if self._first is not _NOTHING:
            first, self._first = self._first, _NOTHING
            if first is _DONE:
                return self._end_task()
            if not is_thrown:
                return first
            if hasattr(first, "cancel"):
                first.cancel()  # the task did not wait for it yet
        if self._app is None:
            result = self._step_here(is_thrown, value)
        elif not self._is_entered:
            self._resumption = is_thrown, value
            return self._ask_for_session()
        else:
            if not is_thrown:  # else it was cancelled while it waited for its session
                is_thrown, value = self._resumption
            self._resumption = (False, None)
            step = self._advance if self._is_orphan else self._step
            result = step(is_thrown, value)
        return self._end_task() if result is _DONE else result

    def _end_task(self) -> None:
        if self.outcome is Outcome.CANCELLED:
            raise asyncio.CancelledError
        raise StopIteration

    # --- a step

    def _step_here(self, is_thrown: bool, value: Any) -> Any:
        if self._session is None:
            return self._step_in_batch(is_thrown, value)
        if not self._session.alive:
            self._is_orphan = True
            return self._advance(is_thrown, value)
        with self._session.enter():
            return self._step_in_batch(is_thrown, value)

    def _step_in_batch(self, is_thrown: bool, value: Any) -> Any:
        batch = _core.Batch()
        batch.__enter__()
        try:
            return self._step(is_thrown, value)
        finally:
            try:
                batch.__exit__(None, None, None)
            except _core.LatticeError as error:  # effects that keep triggering one another
                log_exception(error, f"the effects of a step of {self.name!r}")

    def _step(self, is_thrown: bool, value: Any) -> Any:
        if not self.is_over and self.owner.alive:
            with self.owner:
                return self._advance(is_thrown, value)
        # What a cancelled run still makes ends with the step.
        scope = _core.Scope()
        try:
            with scope:
                return self._advance(is_thrown, value)
        finally:
            scope.dispose()

    def _advance(self, is_thrown: bool, value: Any) -> Any:
        outer, _here.run = _here.run, self
        try:
            return self._coroutine.throw(value) if is_thrown else self._coroutine.send(value)
        except StopIteration as stop:
            self._finish(Outcome.VALUE, stop.value)
        except asyncio.CancelledError:
            self._finish(Outcome.CANCELLED, None)
        except _core.NotReady as missing:
            self._finish(Outcome.NOT_READY, missing)
        except Exception as error:
            self._finish(Outcome.ERROR, error)
        except BaseException as error:
            self._finish(Outcome.ERROR, error)
            raise
        finally:
            _here.run = outer
        return _DONE

    def _finish(self, outcome: Outcome, result: Any) -> None:
        if self.is_over:
            is_expected = self._is_orphan and isinstance(result, _core.DisposedError)
            if outcome is Outcome.ERROR and not is_expected:
                log_exception(result, f"the cancelled run of {self.name!r}")
            self.outcome = Outcome.CANCELLED
            return
        self.outcome, self.result = outcome, result
        self._finished(self)

    # --- served sessions

    def _ask_for_session(self) -> _Gate:
        gate = _Gate(self._loop)
        assert self._post is not None
        ticket = _Ticket(self, gate)
        self._post(ticket)  # when it is dropped, now or later, its end opens the gate
        return gate

    def open_gate(self, gate: _Gate, *, is_orphan: bool) -> None:
        """Runs the step that waits for `gate`. On the loop's thread."""
        self._is_entered, self._is_orphan = True, is_orphan
        try:
            gate.open()
        finally:
            self._is_entered = False

    # --- the end

    def cancel(self) -> None:
        """Raises CancelledError in the coroutine at its await; what it gives is dropped."""
        if self.is_over:
            return
        self.is_over = True
        task = self._task
        if task is None or task.done() or self.outcome is not Outcome.PENDING:
            return
        if self._loop.is_closed():
            self._abandon(task)
        elif self._app is None or self._app.is_current_thread():
            task.cancel()
        else:
            self._app.call_soon(task.cancel)

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        """Its loop is gone: nobody will wake it any more."""
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        _tasks.discard(task)
        try:
            self._coroutine.close()
        except Exception as error:
            log_exception(error, f"the cancelled run of {self.name!r}")


class _Gate:
    """What a task waits for until its session is lent: a future, as far as a task can see.

    Unlike with a future, the task goes on inside `open`, not in a later turn of the loop.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_is_cancelled", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = True
        self._loop = loop
        self._callback: Callable[[Any], object] | None = None
        self._context: contextvars.Context | None = None
        self._is_cancelled = False

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: contextvars.Context
    ) -> None:
        self._callback, self._context = callback, context

    def cancel(self, msg: object = None) -> bool:
        self._is_cancelled = True  # told when the gate opens: the coroutine needs its session
        return True

    def result(self) -> None:
        if self._is_cancelled:
            raise asyncio.CancelledError

    def open(self) -> None:
        assert self._callback is not None
        assert self._context is not None
        self._context.run(self._callback, self)


class _Ticket:
    """In a session's mailbox: lends the session for one step. Dropped unused, when the session has
    ended, it lets the step run without one."""

    __slots__ = ("_gate", "_is_used", "_run")

    def __init__(self, run: CoroutineRun, gate: _Gate) -> None:
        self._run = run
        self._gate = gate
        self._is_used = False

    def __call__(self) -> None:
        run, gate = self._run, self._gate
        assert run._app is not None
        self._is_used = True
        run._app.run_with_session(lambda: run.open_gate(gate, is_orphan=False))

    def __del__(self) -> None:
        if not self._is_used and not sys.is_finalizing():
            run, gate = self._run, self._gate
            assert run._app is not None
            run._app.call_soon(lambda: run.open_gate(gate, is_orphan=True))


class AppLoop:
    """The asyncio loop of a served app, on a thread of its own that starts with the first use."""

    STOP_SECONDS = 5.0  # what cancelled coroutines have to clean up

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._has_stopped = False

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; it runs."""
        with self._lock:
            if self._has_stopped:
                raise _core.AccessError("the app is stopping: no async function starts any more")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name="lattice asyncio", daemon=True
                )
                self._thread.start()
            return self._loop

    def is_current_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def call_soon(self, function: Callable[[], object]) -> None:
        """Runs `function` on the loop's thread; drops it when the loop is closed."""
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(function)
        except RuntimeError:
            pass  # closed

    def run_with_session(self, function: Callable[[], None]) -> None:
        """Runs `function` on the loop's thread, in this thread's session, and waits for it."""
        if self.is_current_thread():
            function()
            return
        loop, thread = self.loop_or_fail()
        is_done = threading.Lock()
        is_done.acquire()
        failures: list[BaseException] = []

        with _core.RuntimeLoan() as loan:

            def run() -> None:
                try:
                    with loan.borrow():
                        function()
                except BaseException as failure:
                    failures.append(failure)
                finally:
                    is_done.release()

            loop.call_soon_threadsafe(run)
            while not is_done.acquire(timeout=1.0):
                if not thread.is_alive():
                    raise _core.AccessError("the app's asyncio loop has ended")
        if failures:
            raise failures.pop()

    def loop_or_fail(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or loop.is_closed():
            raise _core.AccessError("the app's asyncio loop has ended")
        return loop, thread

    def stop(self) -> None:
        """Cancels what still runs, waits for its cleanup within bounds, and ends the thread."""
        with self._lock:
            self._has_stopped = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None or self.is_current_thread():
            return
        self.call_soon(loop.stop)
        thread.join(2 * self.STOP_SECONDS)
        if thread.is_alive():
            _log.error("an async function blocks the app's asyncio loop; its thread is left behind")

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        _core.refuse_state_on_this_thread()
        try:
            loop.run_forever()
            loop.run_until_complete(self._drain(loop))
        except Exception as error:
            log_exception(error, "the app's asyncio loop")
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        deadline = time.monotonic() + self.STOP_SECONDS
        tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self.STOP_SECONDS)
        for task in tasks:
            if not task.done():
                _log.warning("%s did not end in time; the app stops without it", task.get_name())
                task._log_destroy_pending = False  # type: ignore[attr-defined]
        await loop.shutdown_asyncgens()
        left = max(0.1, deadline - time.monotonic())
        try:
            await asyncio.wait_for(loop.shutdown_default_executor(), left)
        except TimeoutError:
            _log.warning("a function in the default executor blocks; the app stops without it")
