# SPDX-License-Identifier: MIT
"""Claims about scope="app": one value for all sessions, owned by the app's actor."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lattice as lt
from lattice import _core


@pytest.fixture
def actor() -> Iterator[None]:
    _core.start_thread_actor()
    yield
    _core.stop_thread_actor()
    _core.clear_app_actor()


@pytest.fixture
def sessions(actor: None) -> Iterator[list[_core.SessionState]]:
    pair = [_core.SessionState(), _core.SessionState()]
    yield pair
    for session in pair:
        session.dispose()


def wait_until(session: Any, condition: Callable[[], bool]) -> None:
    """Drains `session` until the condition holds in it."""
    deadline = time.monotonic() + 5
    while True:
        with session.enter():
            if condition():
                return
        assert time.monotonic() < deadline, "it did not arrive"
        time.sleep(0.001)


def test_without_an_app_it_is_a_plain_signal() -> None:
    visitors = lt.signal(0, scope="app")
    doubled = lt.memo(lambda: visitors.value * 2, scope="app")
    effect = lt.effect(lambda: doubled())
    visitors.value += 1
    visitors.update(lambda n: n + 1)
    assert (visitors.value, doubled(), effect.runs) == (2, 4, 3)
    effect.dispose()


def test_in_a_session_without_an_app_it_says_so() -> None:
    visitors = lt.signal(0, scope="app")
    session = _core.SessionState()
    with session.enter():
        with pytest.raises(lt.AccessError, match="no app is running"):
            visitors.value  # noqa: B018
    session.dispose()


def test_a_write_shows_at_once_here_and_soon_there(sessions: list[Any]) -> None:
    first, second = sessions
    shared = lt.signal("a", scope="app")
    with second.enter():
        seen: list[str] = []
        lt.effect(lambda: seen.append(shared.value))
    with first.enter():
        shared.value = "b"
        assert shared.value == "b"
    wait_until(second, lambda: seen == ["a", "b"])
    with first.enter():
        assert shared.value == "b"


def test_effects_of_the_writer_run_once_for_its_own_write(sessions: list[Any]) -> None:
    shared = lt.signal(0, scope="app")
    other = lt.signal(0, scope="app")
    with sessions[0].enter():
        effect = lt.effect(lambda: shared.value)
        shared.value = 1
        assert effect.runs == 2
        other.update(lambda n: n + 1)  # the actor has answered, so the acknowledgement is there
    with sessions[0].enter():
        assert effect.runs == 2
        assert shared.value == 1


def test_update_runs_at_the_owner_in_order(sessions: list[Any]) -> None:
    count = lt.signal(0, scope="app")
    threads_seen = set()

    def work(session: Any) -> None:
        for _ in range(100):
            with session.enter():
                before = count.peek()
                count.update(lambda n: (threads_seen.add(threading.get_ident()), n + 1)[1])
                assert count.peek() > before

    threads = [threading.Thread(target=work, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session in sessions:
        wait_until(session, lambda: count.value == 200)
    assert len(threads_seen) == 1


def test_an_update_function_that_raises_raises_in_the_session(sessions: list[Any]) -> None:
    count = lt.signal(1, scope="app")
    with sessions[0].enter():
        with pytest.raises(ZeroDivisionError):
            count.update(lambda n: n // 0)
        assert count.value == 1


def test_own_writes_do_not_flicker(sessions: list[Any]) -> None:
    count = lt.signal(0, scope="app")
    with sessions[0].enter():
        seen: list[int] = []
        lt.effect(lambda: seen.append(count.value))
        for value in range(1, 50):
            count.value = value
    wait_until(sessions[1], lambda: count.value == 49)
    with sessions[0].enter():
        assert count.value == 49
    assert seen == list(range(50))


def test_concurrent_writes_converge(sessions: list[Any]) -> None:
    shared = lt.signal(-1, scope="app")

    def work(session: Any, start: int) -> None:
        for value in range(start, start + 200):
            with session.enter():
                shared.value = value

    threads = [
        threading.Thread(target=work, args=(session, 1000 * index))
        for index, session in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions[0].enter():
        shared.update(lambda value: value)
        final = shared.value
    assert final in (199, 1199)
    for session in sessions:
        wait_until(session, lambda: shared.value == final)


def test_shared_memos_are_computed_once_in_the_actor(sessions: list[Any]) -> None:
    count = lt.signal(2, scope="app")
    threads_seen = []

    @lt.memo(scope="app")
    def doubled() -> int:
        threads_seen.append(threading.get_ident())
        return count.value * 2

    for session in sessions:
        with session.enter():
            assert (doubled(), doubled.value, doubled.peek()) == (4, 4, 4)
    assert len(threads_seen) == 1
    assert threads_seen[0] != threading.get_ident()
    with sessions[0].enter():
        count.update(lambda n: n + 1)
    for session in sessions:
        wait_until(session, lambda: doubled() == 6)
    assert len(threads_seen) == 2


def test_an_error_of_a_shared_memo_is_raised_in_sessions(sessions: list[Any]) -> None:
    count = lt.signal(0, scope="app")
    inverse = lt.memo(lambda: 1 / count.value, scope="app")
    with sessions[0].enter():
        with pytest.raises(ZeroDivisionError):
            inverse()
        count.value = 2
    wait_until(sessions[1], lambda: count.value == 2)
    wait_until(sessions[1], lambda: inverse() == 0.5)


def test_shared_state_cannot_read_a_sessions(sessions: list[Any]) -> None:
    private = lt.signal(1)
    bad = lt.memo(lambda: private.value, scope="app")
    with sessions[0].enter():
        own = lt.signal(1)
        with pytest.raises(lt.AccessError, match="'private' is a signal of a session"):
            bad()
        shared = lt.signal(0, scope="app")
        with pytest.raises(lt.AccessError, match="'own' is a signal of a session"):
            shared.update(lambda n: own.value)


def test_reading_and_then_writing_warns_once_per_place(sessions: list[Any]) -> None:
    visitors = lt.signal(0, scope="app")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            with sessions[0].enter():
                visitors.value += 1
    (warning,) = caught
    assert "visitors.update(lambda value: ...)" in str(warning.message)
    assert warning.filename == __file__


def test_a_write_alone_or_in_a_later_segment_does_not_warn(sessions: list[Any]) -> None:
    shared = lt.signal(0, scope="app")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with sessions[0].enter():
            shared.value = 1
            assert shared.value == 1
        with sessions[0].enter():
            shared.value = 2
            lt.effect(lambda: shared.value)
        with sessions[0].enter():
            shared.value = 3
            shared.peek()
            shared.value = 4


def test_state_of_a_component_may_be_shared_too(sessions: list[Any]) -> None:
    with sessions[0].enter():
        shared = lt.signal(1, scope="app")
        shared.value = 2
    wait_until(sessions[1], lambda: shared.value == 2)


def test_plain_threads_write_shared_state(sessions: list[Any]) -> None:
    ticks = lt.signal(0, scope="app")

    def work() -> None:
        ticks.value = 5
        ticks.update(lambda n: n + 1)
        assert ticks.value == 6

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    wait_until(sessions[0], lambda: ticks.value == 6)


def test_a_lone_session_keeps_working_while_another_ends(sessions: list[Any]) -> None:
    shared = lt.signal(0, scope="app")
    with sessions[1].enter():
        assert shared.value == 0
    sessions[1].dispose()
    with sessions[0].enter():
        shared.update(lambda n: n + 1)
        assert shared.value == 1


def test_after_the_app_has_stopped_a_write_says_so(sessions: list[Any]) -> None:
    shared = lt.signal(0, scope="app")
    with sessions[0].enter():
        assert shared.value == 0
    _core.stop_thread_actor()
    with sessions[0].enter():
        for use in (lambda: setattr(shared, "value", 1), lambda: shared.update(lambda n: n)):
            with pytest.raises(lt.LatticeError, match="the app has stopped"):
                use()
        assert shared.value == 0


def test_one_blocked_update_does_not_hold_the_interpreter(sessions: list[Any]) -> None:
    shared = lt.signal(0, scope="app")
    entered, leave = threading.Event(), threading.Event()

    def slow(n: int) -> int:
        entered.set()
        leave.wait(5)
        return n + 1

    def work() -> None:
        with sessions[0].enter():
            shared.update(slow)

    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(5)
    with sessions[1].enter():
        own = lt.signal(1)
        own.value = 2
        assert own.value == 2
    leave.set()
    thread.join()
    wait_until(sessions[1], lambda: shared.value == 1)


def test_a_write_while_rendering_is_refused_for_shared_state_too(sessions: list[Any]) -> None:
    shared = lt.signal(0, scope="app")
    with sessions[0].enter(), _core.rendering("page"):
        with pytest.raises(lt.LatticeError, match="LT102"):
            shared.value = 1
        with pytest.raises(lt.LatticeError, match="LT102"):
            shared.update(lambda n: n + 1)


def test_a_value_that_ends_while_its_successor_is_published_may_add_sessions(
    sessions: list[Any],
) -> None:
    more: list[Any] = []
    seen: list[int] = []

    class Value:
        def __init__(self, number: int) -> None:
            self.number = number

        def __del__(self) -> None:
            for _ in range(8):  # enough for the list of the value's readers to move
                more.append(_core.SessionState())
                with more[-1].enter():
                    seen.append(getattr(shared.value, "number", 0))

    shared = lt.signal(Value(0), scope="app")
    last = lt.signal(0, scope="app")
    first, second = sessions
    with second.enter():
        assert shared.value.number == 0  # and hears of all others only later
    with first.enter():
        assert shared.value.number == 0
    third = _core.SessionState()
    with third.enter():
        assert shared.value.number == 0
    with second.enter():
        with first.enter():
            for number in range(1, 4):
                shared.value = Value(number)
                last.update(lambda n: n + 1)  # the actor has published it
                if number == 1:  # one that has ended stands behind those of the living
                    third.dispose()
    wait_until(second, lambda: shared.value.number == 3)
    wait_until(first, lambda: shared.value.number == 3)
    assert len(seen) >= 8
    for session in more:
        session.dispose()
    with second.enter():
        shared.value = 0  # nothing but numbers from here on
        last.update(lambda n: n + 1)
