# SPDX-License-Identifier: MIT
"""What reaktiv's test_weakref_effects.py and test_effect_del_cleanup.py claim.

There an effect ends with the last reference to it. Here that is asked for: ``weak=True``.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import lattice as lt


def test_a_weak_effect_without_a_reference_ends_after_its_first_run() -> None:
    """weakref effects: "test_effect_without_reference_immediate_gc".

    Policy: only with weak=True; otherwise its scope keeps an effect, without a scope the runtime.
    """
    count, weak, kept = lt.signal(0), [], []
    lt.effect(lambda: weak.append(count.value), weak=True)
    lt.effect(lambda: kept.append(count.value))
    count.value = 1
    assert (weak, kept) == ([0], [0, 1])


def test_a_weak_effect_with_a_reference_lives_as_long_as_that() -> None:
    """weakref effects: "test_effect_with_reference_stays_alive"."""
    count, seen = lt.signal(0), []
    effect = lt.effect(lambda: seen.append(count.value), weak=True)
    count.value = 1
    count.value = 2
    assert seen == [0, 1, 2]
    del effect
    count.value = 3
    assert seen == [0, 1, 2]


def test_of_two_weak_effects_the_referenced_one_lives() -> None:
    """weakref effects: "test_multiple_effects_partial_gc"."""
    count, a, b = lt.signal(0), [], []
    kept = lt.effect(lambda: a.append(count.value), weak=True)
    lt.effect(lambda: b.append(count.value), weak=True)
    count.value = 1
    assert (a, b) == ([0, 1], [0])
    kept.dispose()


def test_a_weak_effect_that_ended_leaves_its_signal_usable() -> None:
    """weakref effects: "test_effect_gc_cleans_up_edges"."""
    count, seen = lt.signal(0), []
    lt.effect(lambda: count.value, weak=True)
    gc.collect()
    count.value = 1
    effect = lt.effect(lambda: seen.append(count.value), weak=True)
    count.value = 2
    assert seen == [1, 2]
    effect.dispose()


def test_a_disposed_weak_effect_runs_no_more_although_it_is_referenced() -> None:
    """weakref effects: "test_effect_dispose_prevents_future_runs"."""
    count, seen = lt.signal(0), []
    effect = lt.effect(lambda: seen.append(count.value), weak=True)
    count.value = 1
    effect.dispose()
    count.value = 2
    assert seen == [0, 1]


def test_a_weak_effect_that_ended_is_not_run_by_a_batch() -> None:
    """weakref effects: "test_effect_weakref_with_batching"."""
    a, b, seen = lt.signal(0), lt.signal(0), []
    lt.effect(lambda: seen.append((a.value, b.value)), weak=True)
    with lt.batch():
        a.value = b.value = 1
    assert seen == [(0, 0)]
    effect: Any = lt.effect(lambda: seen.append((a.value, b.value)), weak=True)
    with lt.batch():
        a.value = 2
        del effect  # ends while it waits
    assert seen == [(0, 0), (1, 1)]


def test_a_weak_effect_of_two_signals_ends_for_both() -> None:
    """weakref effects: "test_effect_weakref_multiple_signals"."""
    a, b, seen = lt.signal(0), lt.signal(0), []
    lt.effect(lambda: seen.append(a.value + b.value), weak=True)
    a.value = 1
    b.value = 1
    assert seen == [0]


def test_a_weak_effect_of_a_memo_ends_and_so_does_the_memo() -> None:
    """weakref effects: "test_effect_weakref_with_computed"."""
    count, seen = lt.signal(0), []

    def make() -> weakref.ref[Any]:
        double = lt.memo(lambda: count.value * 2)
        lt.effect(lambda: seen.append(double()), weak=True)
        return weakref.ref(double)

    ref = make()
    gc.collect()
    count.value = 1
    assert seen == [0]
    assert ref() is None


# --- cleanups of effects that are collected


def test_a_cleanup_runs_when_the_last_reference_goes() -> None:
    """effect __del__: "test_cleanup_runs_on_gc"."""
    count, log = lt.signal(0), []
    effect = lt.effect(lambda: (count.value, lt.on_cleanup(lambda: log.append("clean"))), weak=True)
    ref = weakref.ref(effect)
    del effect
    gc.collect()
    assert ref() is None
    assert log == ["clean"]


def test_a_cleanup_registered_by_a_helper_runs_then_too() -> None:
    """effect __del__: "test_cleanup_with_on_cleanup_parameter"."""
    log: list[str] = []

    def register() -> None:
        lt.on_cleanup(lambda: log.append("clean"))

    effect = lt.effect(register, weak=True)
    assert log == []
    del effect
    gc.collect()
    assert log == ["clean"]


def test_all_cleanups_run_the_last_first() -> None:
    """effect __del__: "test_multiple_cleanups_all_run"."""
    log: list[int] = []

    def work() -> None:
        for i in range(3):
            lt.on_cleanup(lambda i=i: log.append(i))  # type: ignore[misc]

    effect = lt.effect(work, weak=True)
    del effect
    gc.collect()
    assert log == [2, 1, 0]


def test_a_cleanup_that_raises_does_not_keep_its_effect(caplog: pytest.LogCaptureFixture) -> None:
    """effect __del__: "test_cleanup_exception_doesnt_break_gc"."""
    log: list[str] = []

    def clean() -> None:
        log.append("before")
        raise ValueError("cleanup error")

    effect = lt.effect(lambda: lt.on_cleanup(clean), weak=True)
    ref = weakref.ref(effect)
    del effect
    gc.collect()
    assert ref() is None
    assert log == ["before"]
    assert "cleanup error" in caplog.text


def test_a_cleanup_runs_before_the_next_run_and_at_the_end() -> None:
    """effect __del__: "test_cleanup_on_rerun_then_gc"."""
    count, log = lt.signal(0), []

    @lt.effect(weak=True)
    def work() -> None:
        run = count.value
        lt.on_cleanup(lambda: log.append(run))

    count.value = 1
    assert log == [0]
    del work
    gc.collect()
    assert log == [0, 1]


def test_the_cleanup_of_a_disposed_effect_does_not_run_again() -> None:
    """effect __del__: "test_dispose_then_gc_no_double_cleanup"."""
    log: list[str] = []
    effect = lt.effect(lambda: lt.on_cleanup(lambda: log.append("clean")), weak=True)
    effect.dispose()
    assert log == ["clean"]
    del effect
    gc.collect()
    assert log == ["clean"]


def test_inner_effects_end_with_the_weak_outer_one() -> None:
    """effect __del__: "test_nested_effects_with_cleanup".

    Policy: the run that made it keeps an inner effect; it ends with that run, or earlier if weak.
    """
    log: list[str] = []

    @lt.effect(weak=True)
    def outer() -> None:
        lt.effect(lambda: lt.on_cleanup(lambda: log.append("inner")))
        lt.effect(lambda: lt.on_cleanup(lambda: log.append("weak inner")), weak=True)
        lt.on_cleanup(lambda: log.append("outer"))

    gc.collect()
    assert log == ["weak inner"]
    del outer
    gc.collect()
    assert log == ["weak inner", "outer", "inner"]


def test_a_weak_effect_without_cleanups_is_collected() -> None:
    """effect __del__: "test_no_cleanup_function_no_error"."""
    count = lt.signal(0)
    effect = lt.effect(lambda: count.value, weak=True)
    ref = weakref.ref(effect)
    del effect
    gc.collect()
    assert ref() is None
    count.value = 1
