# SPDX-License-Identifier: MIT
"""Claims about effects: order, batches, cleanup, scopes, errors, watch."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import lattice as lt


def test_an_effect_runs_at_once_and_on_change() -> None:
    count, seen = lt.signal(1), []

    @lt.effect
    def log() -> None:
        seen.append(count.value)

    count.value = 2
    count.value = 2
    assert seen == [1, 2]
    assert (log.runs, log.alive, log.name) == (2, True, "log")
    log.dispose()
    log.dispose()
    count.value = 3
    assert seen == [1, 2]
    assert not log.alive


def test_an_effect_lives_without_a_reference() -> None:
    count, seen = lt.signal(1), []
    lt.effect(lambda: seen.append(count.value))
    count.value = 2
    assert seen == [1, 2]


def test_a_batch_flushes_once() -> None:
    a, b = lt.signal(1), lt.signal(2)
    effect = lt.effect(lambda: (a.value, b.value))
    with lt.batch():
        a.value = 10
        with lt.batch():
            b.value = 20
        assert effect.runs == 1
    assert effect.runs == 2
    assert lt.batch(lambda: a.value) == 10


def test_a_batch_that_raises_still_flushes() -> None:
    a = lt.signal(1)
    effect = lt.effect(lambda: a.value)
    with pytest.raises(KeyError):
        with lt.batch():
            a.value = 2
            raise KeyError
    assert effect.runs == 2


def test_untracked_reads_do_not_subscribe() -> None:
    a, b = lt.signal(1), lt.signal(2)

    @lt.effect
    def look() -> None:
        a.value  # noqa: B018
        with lt.untracked():
            b.value  # noqa: B018
        assert lt.untracked(lambda: b.value) == b.peek()

    b.value = 3
    assert look.runs == 1
    a.value = 3
    assert look.runs == 2


def test_phases_and_priorities_order_effects() -> None:
    a, order = lt.signal(0), []

    def note(name: str) -> Any:
        return lambda: (a.value, order.append(name))

    effects = [
        lt.effect(note("user"), priority=0),
        lt.effect(note("late"), priority=5),
        lt.effect(note("early"), priority=-5),
        lt.effect(note("render"), phase="render", priority=9),
    ]
    order.clear()
    a.value = 1
    assert order == ["render", "early", "user", "late"]
    for effect in effects:
        effect.dispose()
    with pytest.raises(ValueError, match="phase= is"):
        lt.effect(note("x"), phase="later")  # type: ignore[call-overload]


def test_cleanups_run_last_first_before_the_next_run_and_at_the_end() -> None:
    a, log = lt.signal(0), []

    @lt.effect
    def work() -> None:
        run = a.value
        lt.on_cleanup(lambda: log.append(f"first {run}"))
        lt.on_cleanup(lambda: log.append(f"second {run}"))

    assert log == []
    a.value = 1
    assert log == ["second 0", "first 0"]
    log.clear()
    work.dispose()
    assert log == ["second 1", "first 1"]


def test_inner_effects_end_with_the_run_that_made_them() -> None:
    outer, inner, seen = lt.signal(0), lt.signal(0), []

    @lt.effect
    def make() -> None:
        run = outer.value
        lt.effect(lambda: seen.append((run, inner.value)))

    inner.value = 1
    outer.value = 1
    inner.value = 2
    assert seen == [(0, 0), (0, 1), (1, 1), (1, 2)]
    make.dispose()
    inner.value = 3
    assert len(seen) == 4


def test_a_scope_ends_everything_last_first() -> None:
    log = []
    with lt.Scope() as scope:
        lt.on_cleanup(lambda: log.append("a"))
        with lt.Scope():
            lt.on_cleanup(lambda: log.append("b"))
        count = lt.signal(0)
        effect = lt.effect(lambda: (count.value, lt.on_cleanup(lambda: log.append("c"))))
    assert log == []
    scope.dispose()
    scope.dispose()
    assert log == ["c", "b", "a"]
    assert not effect.alive
    assert not scope.alive
    with pytest.raises(lt.DisposedError):
        scope.__enter__()


def test_a_scope_may_be_disposed_inside_its_block() -> None:
    with lt.Scope() as scope:
        effect = lt.effect(lambda: None)
        scope.dispose()
        assert not effect.alive
    assert lt.effect(lambda: None).alive


def test_a_weak_effect_ends_with_its_last_reference() -> None:
    count, seen = lt.signal(0), []
    effect = lt.effect(lambda: seen.append(count.value), weak=True)
    count.value = 1
    del effect
    count.value = 2
    assert seen == [0, 1]


def test_an_error_is_logged_once_and_the_effect_stays(caplog: pytest.LogCaptureFixture) -> None:
    count = lt.signal(1)

    @lt.effect
    def divide() -> float:
        return 1 / count.value

    with caplog.at_level(logging.ERROR, logger="lattice"):
        count.value = 0
    (record,) = caplog.records
    assert record.name == "lattice"
    assert record.getMessage().startswith("test_effect.py:")
    assert "in divide: ZeroDivisionError in effect 'divide'" in record.getMessage()
    assert record.exc_info is not None
    count.value = 2
    assert divide.runs == 3


def test_an_error_in_one_effect_does_not_stop_others(caplog: pytest.LogCaptureFixture) -> None:
    count = lt.signal(1)
    effects = [lt.effect(lambda: 1 // count.value), lt.effect(lambda: count.value)]
    count.value = 0
    assert [effect.runs for effect in effects] == [2, 2]
    assert len(caplog.records) == 1


def test_an_error_in_a_cleanup_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    effect = lt.effect(lambda: lt.on_cleanup(lambda: 1 // 0))
    effect.dispose()
    assert "a cleanup" in caplog.records[0].getMessage()


def test_effects_that_trigger_each_other_for_ever_raise() -> None:
    a, b = lt.signal(0), lt.signal(0)

    @lt.effect
    def ping() -> None:
        b.value = a.value + 1

    def pong() -> None:
        a.value = b.value + 1

    with pytest.raises(lt.CycleError, match=r"keep triggering one another: 'p[io]ng'"):
        lt.effect(pong)


def test_an_effect_that_writes_runs_others_after_it() -> None:
    a, b, seen = lt.signal(1), lt.signal(0), []

    @lt.effect
    def copy() -> None:
        b.value = a.value * 2

    lt.effect(lambda: seen.append(b.value))
    a.value = 5
    assert seen == [2, 10]
    assert copy.runs == 2


def test_an_effect_may_dispose_itself(caplog: pytest.LogCaptureFixture) -> None:
    count = lt.signal(0)

    @lt.effect
    def once() -> None:
        if count.value == 1:
            assert once.alive
            once.dispose()
            assert not once.alive

    count.value = 1
    count.value = 2
    assert once.runs == 2
    assert not once.alive
    assert caplog.records == []


def test_an_effect_is_not_called() -> None:
    @lt.effect
    def log() -> None: ...

    with pytest.raises(TypeError, match="'log' is an effect: it runs by itself"):
        log()  # type: ignore[operator]


def test_watch_calls_with_new_and_old_but_not_at_first() -> None:
    count, other, seen = lt.signal(1), lt.signal(0), []
    watcher = lt.watch(count, lambda new, old: seen.append((new, old, other.value)))
    assert seen == []
    count.value = 2
    other.value = 1
    assert seen == [(2, 1, 0)]
    watcher.dispose()
    count.value = 3
    assert len(seen) == 1


def test_watch_of_a_callable_skips_equal_results() -> None:
    count, seen = lt.signal(1), []
    lt.watch(lambda: count.value // 10, lambda new, old: seen.append((new, old)))
    count.value = 5
    count.value = 15
    assert seen == [(1, 0)]


def test_replacing_the_function_of_an_effect() -> None:
    seen = []
    effect = lt.effect(lambda: seen.append(1))
    effect._replace(lambda: seen.append(2), False)
    lt.flush()
    assert seen == [1]
    effect._replace(lambda: seen.append(3), True)
    lt.flush()
    assert seen == [1, 3]


def test_read_unwraps() -> None:
    count = lt.signal(2)
    assert [lt.read(x) for x in (count, lt.memo(lambda: 3), lambda: 4, 5)] == [2, 3, 4, 5]


def test_readme_example(capsys: pytest.CaptureFixture[str]) -> None:
    count = lt.signal(0)

    @lt.memo
    def doubled() -> int:
        return count.value * 2

    @lt.effect
    def log() -> None:
        print(doubled())

    count.value = 5
    count.update(lambda n: n + 1)
    with lt.batch():
        count.value = 0
        count.value = 6
    log.dispose()
    assert capsys.readouterr().out == "0\n10\n12\n"


def test_what_an_effect_writes_to_its_own_source_is_compared_with_the_next_write() -> None:
    level = lt.signal(5)
    seen: list[int] = []

    @lt.effect
    def clamp() -> None:
        seen.append(level.value)
        level.value = min(level.value, 10)

    for value in (20, 30, 3, 20, 20):
        level.value = value
    assert seen == [5, 20, 30, 3, 20, 20]
    assert level.value == 10
    clamp.dispose()
