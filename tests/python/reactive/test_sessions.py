# SPDX-License-Identifier: MIT
"""Claims about whose state is whose: sessions, templates, threads, rendering."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt
from lattice import _core, _state


def in_thread(work: Callable[[], Any]) -> Any:
    """The result of `work`, or its exception, from another thread."""
    box: list[Any] = []

    def run() -> None:
        try:
            box.append(work())
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return box[0]


def test_a_module_level_signal_is_per_session(sessions: list[Any]) -> None:
    count = lt.signal(1)
    first, second = sessions
    with first.enter():
        count.value += 10
    with second.enter():
        assert count.value == 1
        count.value = 2
    with first.enter():
        assert count.value == 11
    assert count.value == 1


def test_an_instance_starts_from_the_present_value(sessions: list[Any]) -> None:
    count = lt.signal(1)
    count.value = 5
    with sessions[0].enter():
        assert count.value == 5
    count.value = 6
    with sessions[0].enter():
        assert count.value == 5
    with sessions[1].enter():
        assert count.value == 6


@dataclasses.dataclass
class Draft:
    words: list[str]


class Plain:
    pass


def test_containers_are_copied_and_other_objects_shared(sessions: list[Any]) -> None:
    items, draft, nested = lt.signal([[1]]), lt.signal(Draft(["a"])), lt.signal(([1],))
    thing = lt.signal(Plain())
    with sessions[0].enter():
        items.value[0].append(2)
        draft.value.words.append("b")
        nested.value[0].append(2)
        shared = thing.value
    assert (items.value, draft.value.words, nested.value) == ([[1]], ["a"], ([1],))
    assert thing.value is shared


def test_a_value_that_cannot_be_copied_says_what_to_do(sessions: list[Any]) -> None:
    locks = lt.signal([threading.Lock()])
    with sessions[0].enter():
        with pytest.raises(lt.AccessError, match=r'\'locks\' is a module-level.*scope="app"'):
            locks.value  # noqa: B018


def test_module_level_memos_are_per_session(sessions: list[Any]) -> None:
    count = lt.signal(1)
    doubled = lt.memo(lambda: count.value * 2)
    assert doubled() == 2
    with sessions[0].enter():
        count.value = 10
        assert (doubled(), doubled.value, doubled.peek(), doubled.runs) == (20, 20, 20, 1)
        assert repr(doubled) == "<Memo doubled=20>"
    assert (doubled(), doubled.runs) == (2, 1)


def test_effects_of_a_session_see_its_instances(sessions: list[Any]) -> None:
    count, seen = lt.signal(0), []
    for name, session in zip("ab", sessions, strict=True):
        with session.enter():
            lt.effect(lambda name=name: seen.append((name, count.value)))
    with sessions[0].enter():
        count.value = 1
    count.value = 7
    assert seen == [("a", 0), ("b", 0), ("a", 1)]


def test_module_level_effects_start_once_per_session(sessions: list[Any]) -> None:
    seen: list[Any] = []
    with _core.loading():
        count = lt.signal(1)
        second = lt.effect(lambda: seen.append(("second", count.value)))

        def changed(new: int, old: int) -> None:
            seen.append((old, new))

        watcher = lt.watch(count, changed)
        render = lt.effect(lambda: seen.append("render"), phase="render", name="render")
    assert seen == []
    for session in sessions:
        session.start()
        session.start()
    assert seen == [("second", 1), "render"] * 2
    seen.clear()
    with sessions[0].enter():
        count.value = 2
        assert second.runs == 2
    with sessions[1].enter():
        count.value = 3
    assert seen == [("second", 2), (1, 2), ("second", 3), (1, 3)]
    with sessions[0].enter():
        second.dispose()
        count.value = 4
        assert not second.alive
    with sessions[1].enter():
        assert second.alive
        count.value = 5
    assert seen[4:] == [(2, 4), ("second", 5), (3, 5)]
    for effect in (second, watcher, render):
        effect.dispose()
    fresh = _core.SessionState()
    seen.clear()
    fresh.start()
    assert seen == []
    fresh.dispose()


def test_effects_made_before_serving_are_started_too() -> None:
    seen: list[int] = []
    count = lt.signal(1)
    effect = lt.effect(lambda: seen.append(count.value))
    session = _core.SessionState()
    session.start()
    assert seen == [1, 1]
    with session.enter():
        count.value = 2
    assert seen == [1, 1, 2]
    session.dispose()
    effect.dispose()


def test_another_sessions_state_is_refused(sessions: list[Any]) -> None:
    with sessions[0].enter():
        secret = lt.signal(1)
        derived = lt.memo(lambda: secret.value)
        derived()
    with sessions[1].enter():
        for use in (
            lambda: secret.value,
            secret.peek,
            lambda: setattr(secret, "value", 2),
            lambda: secret.update(lambda n: n),
            derived,
        ):
            with pytest.raises(lt.AccessError, match=r'of another session.*scope="app"'):
                use()
    with sessions[0].enter():
        assert secret.value == 1


def test_a_session_ends_what_it_made(sessions: list[Any]) -> None:
    log = []
    with sessions[0].enter():
        count = lt.signal(0)
        effect = lt.effect(lambda: (count.value, lt.on_cleanup(lambda: log.append(count.value))))
    sessions[0].dispose()
    assert log == [0]
    assert not effect.alive
    with pytest.raises(lt.DisposedError):
        count.value  # noqa: B018
    with pytest.raises(lt.DisposedError, match="session has ended"):
        sessions[0].enter().__enter__()


def test_sessions_on_several_threads_do_not_mix() -> None:
    count = lt.signal(0)
    history = lt.signal([0])
    total = lt.memo(lambda: sum(history.value))
    failures = []

    def visit(step: int) -> None:
        session = _core.SessionState()
        for value in range(1, 60):
            with session.enter():
                count.value += step
                history.value = [*history.value, step]
                if count.value != step * value or total() != step * value:
                    failures.append((step, value))
        session.dispose()

    threads = [threading.Thread(target=visit, args=(step,)) for step in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (count.value, total()) == (0, 0)


def test_a_session_may_move_between_threads(sessions: list[Any]) -> None:
    session = sessions[0]
    with session.enter():
        count = lt.signal(0)
        seen: list[int] = []
        lt.effect(lambda: seen.append(count.value))

    def write() -> None:
        with session.enter():
            count.value += 1

    for _ in range(3):
        in_thread(write)
    assert seen == [0, 1, 2, 3]


def test_writes_from_a_foreign_thread_arrive_in_the_mailbox(sessions: list[Any]) -> None:
    session = sessions[0]
    with session.enter():
        count, names = lt.signal(0), lt.signal([""])
        effect = lt.effect(lambda: count.value)

    def work() -> int:
        for value in range(5):
            count.value = value + 1
        names.update(lambda old: [*old, "a"])
        names.update(lambda old: [*old, "b"])
        return count.value

    assert in_thread(work) == 0  # a foreign read gives the last value that the session has
    assert session.has_mail
    session.drain()
    with session.enter():
        assert (count.value, names.value, effect.runs) == (5, ["", "a", "b"], 2)


def test_a_write_after_an_update_from_a_foreign_thread_wins(sessions: list[Any]) -> None:
    with sessions[0].enter():
        count = lt.signal(0)

    def work() -> None:
        count.value = 1
        count.update(lambda n: n + 10)
        count.value = 100

    in_thread(work)
    with sessions[0].enter():
        assert count.value == 100


def test_a_failing_update_from_a_foreign_thread_is_logged(
    sessions: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with sessions[0].enter():
        count = lt.signal(0)
    in_thread(lambda: count.update(lambda n: n // 0))
    sessions[0].drain()
    assert "an update from another thread" in caplog.text


def test_a_stale_memo_is_refused_on_a_foreign_thread(sessions: list[Any]) -> None:
    with sessions[0].enter():
        count = lt.signal(1)
        doubled = lt.memo(lambda: count.value * 2)
        doubled()
    assert in_thread(lambda: doubled.value) == 2
    with sessions[0].enter():
        count.value = 2
    error = in_thread(lambda: doubled.value)
    assert isinstance(error, lt.AccessError)
    assert "lt.in_session(fn)" in str(error)


def test_a_scripts_own_thread_writes_through_its_mailbox() -> None:
    count = lt.signal(0)
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(count.value))
    assert in_thread(lambda: setattr(count, "value", 3)) is None
    lt.flush()
    assert (count.value, seen) == (3, [0, 3])
    effect.dispose()


def test_each_thread_of_a_script_has_nodes_of_its_own() -> None:
    def work() -> tuple[int, int]:
        count = lt.signal(1)
        doubled = lt.memo(lambda: count.value * 2)
        effect = lt.effect(doubled)
        count.value = 4
        return doubled(), effect.runs

    assert in_thread(work) == (8, 2)


def test_a_template_outlives_the_thread_that_made_it(sessions: list[Any]) -> None:
    count, doubled = in_thread(lambda: (signal := lt.signal(4), lt.memo(lambda: signal.value * 2)))
    with sessions[0].enter():
        count.value += 1
        assert doubled() == 10
    deadline = time.monotonic() + 5
    while True:  # join() returns before the thread's own state is gone
        try:
            assert (count.value, doubled()) == (4, 8)
            break
        except lt.AccessError:
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_in_session_runs_in_the_session_where_it_was_wrapped(sessions: list[Any]) -> None:
    seen: list[Any] = []
    with sessions[0].enter() as current:
        count = lt.signal(0)

        @lt.in_session
        def add(amount: int, *, twice: bool = False) -> None:
            """Adds."""
            count.value += amount * (2 if twice else 1)
            seen.append(lt.session())

        add(1)
        assert count.value == 1
    in_thread(lambda: (add(10), add(100, twice=True)))
    sessions[0].drain()
    with sessions[0].enter():
        assert count.value == 211
    assert seen[0] is current
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    sessions[0].dispose()
    assert isinstance(in_thread(lambda: add(1)), lt.DisposedError)


def test_session_raises_where_there_is_none(sessions: list[Any]) -> None:
    with pytest.raises(lt.AccessError, match="there is no session here"):
        lt.session()
    with sessions[0].enter():
        assert lt.session() is sessions[0]


def test_held_user_effects_wait(sessions: list[Any]) -> None:
    session, order = sessions[0], []
    session.hold_user_effects(True)
    with session.enter():
        count = lt.signal(0)
        lt.effect(lambda: order.append(("user", count.value)))
        lt.effect(lambda: order.append(("render", count.value)), phase="render")
        count.value = 1
    assert order == [("render", 0), ("render", 1)]
    session.hold_user_effects(False)
    assert order[2:] == [("user", 1)]


# --- rendering


def render(state: _state.InstanceState, body: Callable[[], Any]) -> Any:
    with _core.rendering("counter"):
        return state.render(body)


def test_state_made_in_a_body_is_kept_by_name() -> None:
    state = _state.InstanceState("counter")
    made: list[Any] = []

    def body() -> None:
        count = lt.signal(len(made))
        doubled = lt.memo(lambda: count.value * 2)
        made.append((count, doubled))

    render(state, body)
    render(state, body)
    assert made[0][0] is made[1][0]
    assert made[0][1] is made[1][1]
    assert made[0][0].value == 0
    assert made[0][0].name == "count"


def test_a_kept_memo_takes_the_new_function_and_recomputes_when_a_capture_changed() -> None:
    state = _state.InstanceState("counter")

    def render_with(factor: int) -> lt.Memo[int]:
        def body() -> lt.Memo[int]:
            return lt.memo(lambda: factor * 10)

        return render(state, body)

    memo = render_with(1)
    assert memo() == 10
    assert render_with(1) is memo
    assert (memo(), memo.runs) == (10, 1)
    render_with(2)
    assert (memo(), memo.runs) == (20, 2)


def test_a_user_effect_of_a_body_runs_after_the_render() -> None:
    state = _state.InstanceState("counter")
    order: list[str] = []

    def body() -> None:
        lt.effect(lambda: order.append("effect"))
        lt.watch(lambda: 1, lambda new, old: None)
        order.append("body")

    with lt.batch():  # as in the flush that renders
        render(state, body)
        assert order == ["body"]
    assert order == ["body", "effect"]
    render(state, body)
    assert order == ["body", "effect", "body"]
    state.dispose()


def test_creations_inside_a_memo_that_a_body_reads_are_not_kept() -> None:
    state = _state.InstanceState("counter")

    def body() -> list[int]:
        total = lt.memo(lambda: [lt.signal(i).value for i in range(3)])
        return total()

    assert render(state, body) == [0, 1, 2]
    assert render(state, body) == [0, 1, 2]


def test_a_loop_without_keys_is_an_error() -> None:
    state = _state.InstanceState("counter")

    def body() -> None:
        for _ in range(2):
            lt.signal(0)

    with pytest.raises(lt.LatticeError, match="LT101"):
        render(state, body)
    keyed = _state.InstanceState("counter")
    render(keyed, lambda: [lt.signal(0, key=i) for i in range(3)])


def test_a_write_while_rendering_is_an_error_that_names_the_cure() -> None:
    count = lt.signal(0)

    def add() -> None:
        count.value += 1

    with pytest.raises(lt.LatticeError) as caught:
        render(_state.InstanceState("counter"), lambda: add())
    message = str(caught.value)
    assert message.startswith("LT102: test_sessions.py:")
    assert "'count' is written while 'counter' renders" in message
    assert "Did you mean on_click=add, not on_click=add()?" in message
    assert count.value == 0
    with pytest.raises(lt.LatticeError, match="LT102"):
        render(_state.InstanceState("counter"), lambda: count.update(lambda n: n + 1))
    count.value = 1
    assert count.value == 1


def test_effects_of_a_render_may_write_when_they_run() -> None:
    count = lt.signal(0)
    state = _state.InstanceState("counter")

    def body() -> None:
        lt.effect(lambda: setattr(count, "value", 5))
        lt.effect(lambda: setattr(count, "value", 6), phase="render")

    with lt.batch():
        render(state, body)
        assert count.value == 6
    assert count.value == 5
    state.dispose()


def test_a_watch_of_a_body_survives_renders_and_misses_no_change() -> None:
    count, seen = lt.signal(1), []
    state = _state.InstanceState("counter")

    def render_with(label: str) -> None:
        render(state, lambda: lt.watch(count, lambda new, old: seen.append((label, old, new))))

    render_with("first")
    with lt.batch():
        count.value = 2
        render_with("second")
    render_with("second")
    count.value = 3
    assert seen == [("second", 1, 2), ("second", 2, 3)]
    state.dispose()
