# SPDX-License-Identifier: MIT
"""What reaktiv's test_signals.py claims where nothing is asynchronous."""

from __future__ import annotations

from typing import Any

import pytest

import lattice as lt


def test_a_signal_has_its_first_value() -> None:
    """signals: "test_signal_initialization"."""
    assert lt.signal(42).value == 42


def test_a_signal_is_written() -> None:
    """signals: "test_signal_set_value"."""
    count = lt.signal(0)
    count.value = 5
    assert count.value == 5


def test_a_memo_of_a_signal() -> None:
    """signals: "test_compute_signal_basic"."""
    source = lt.signal(5)
    doubled = lt.memo(lambda: source.value * 2)
    assert doubled() == 10
    source.value = 6
    assert doubled() == 12


def test_a_memo_of_two_signals() -> None:
    """signals: "test_compute_signal_dependencies"."""
    a, b = lt.signal(2), lt.signal(3)
    total = lt.memo(lambda: a.value + b.value)
    assert total() == 5
    a.value = 4
    assert total() == 7
    b.value = 5
    assert total() == 9


def test_a_memo_of_a_memo() -> None:
    """signals: "test_compute_signal_nested"."""
    base, step = lt.signal(10), lt.signal(1)
    total = lt.memo(lambda: base.value + step.value)
    doubled = lt.memo(lambda: total() * 2)
    assert doubled() == 22
    base.value = 20
    assert doubled() == 42
    step.value = 2
    assert doubled() == 44


def test_a_memo_switches_its_source() -> None:
    """signals: "test_compute_dynamic_dependencies"."""
    switch, a, b = lt.signal(True), lt.signal(10), lt.signal(20)
    chosen = lt.memo(lambda: a.value if switch.value else b.value)
    assert chosen() == 10
    switch.value = False
    assert chosen() == 20
    a.value = 15
    assert (chosen(), chosen.runs) == (20, 2)
    switch.value = True
    assert chosen() == 15


def test_a_diamond_below_an_effect() -> None:
    """signals: "test_diamond_dependency"."""
    base = lt.signal(1)
    a, b = lt.memo(lambda: base.value + 1), lt.memo(lambda: base.value * 2)
    c = lt.memo(lambda: a() + b())
    effect = lt.effect(lambda: c())
    assert (c(), effect.runs) == (4, 1)
    base.value = 2
    assert (a(), b(), c(), effect.runs) == (3, 4, 7, 2)
    base.value = 3
    assert (c(), effect.runs) == (10, 3)


def test_a_memo_follows_the_source_that_it_switched_to() -> None:
    """signals: "test_dynamic_dependencies"."""
    switch, a, b = lt.signal(True), lt.signal(10), lt.signal(20)
    chosen = lt.memo(lambda: a.value if switch.value else b.value)
    assert chosen() == 10
    switch.value = False
    assert chosen() == 20
    a.value = 15
    assert chosen() == 20
    b.value = 25
    assert chosen() == 25


def test_three_memos_deep() -> None:
    """signals: "test_deep_nesting"."""
    base = lt.signal(1)
    first = lt.memo(lambda: base.value * 2)
    second = lt.memo(lambda: first() + 5)
    third = lt.memo(lambda: second() * 3)
    assert third() == 21
    base.value = 3
    assert third() == 33


def test_two_writes_before_a_read() -> None:
    """signals: "test_overlapping_updates"."""
    x, y = lt.signal(1), lt.signal(2)
    a, b = lt.memo(lambda: x.value + y.value), lt.memo(lambda: x.value - y.value)
    c = lt.memo(lambda: a() * b())
    assert c() == -3
    x.value, y.value = 4, 1
    assert (c(), c.runs) == (15, 2)


def test_a_signal_and_its_memo_make_one_run() -> None:
    """signals: "test_signal_computed_effect_triggers_once"."""
    a, seen = lt.signal(1), []
    b = lt.memo(lambda: a.value + 10)
    lt.effect(lambda: seen.append((a.value, b())))
    a.value = 2
    a.value = 5
    assert seen == [(1, 11), (2, 12), (5, 15)]


def test_update_gets_the_value() -> None:
    """signals: "test_signal_update_basic"."""
    amount = lt.signal(5)
    amount.update(lambda n: n * 2)
    assert amount.value == 10


def test_untracked_takes_a_function_that_reads_a_signal() -> None:
    """signals: "test_untracked_direct_signal".

    Policy: untracked takes a function or is a block; a signal is read with peek().
    """
    tracked, other, seen = lt.signal(1), lt.signal(10), []
    lt.effect(lambda: seen.append((tracked.value, other.peek(), lt.untracked(lambda: other.value))))
    tracked.value = 2
    other.value = 20
    assert seen == [(1, 10, 10), (2, 10, 10)]
    assert other.peek() == 20
    with pytest.raises(TypeError):
        lt.untracked(other)  # type: ignore[call-overload]


def test_a_cleanup_runs_at_the_end() -> None:
    """signals: "test_cleanup_on_dispose"."""
    log: list[str] = []
    effect = lt.effect(lambda: lt.on_cleanup(lambda: log.append("clean")))
    assert log == []
    effect.dispose()
    assert log == ["clean"]


def test_a_memo_raises_what_its_function_raises_and_recovers() -> None:
    """signals: "test_compute_signal_exception_propagation"."""
    source = lt.signal(0)
    inverse = lt.memo(lambda: 10 / source.value)
    with pytest.raises(ZeroDivisionError):
        inverse()
    source.value = 2
    assert inverse() == 5
    source.value = 5
    assert inverse() == 2
    source.value = 0
    with pytest.raises(ZeroDivisionError):
        inverse()


def test_a_memo_of_two_signals_raises_and_recovers() -> None:
    """signals: "test_compute_signal_exception_with_multiple_dependencies"."""
    a: lt.Signal[int | None] = lt.signal(5)
    b = lt.signal(3)
    total = lt.memo(lambda: None if a.value is None else a.value + b.value)
    assert total() == 8
    a.value = None
    assert total() is None
    a.value = 10
    assert total() == 13

    @lt.memo
    def checked() -> int:
        if (a.value or 0) < 0 or b.value < 0:
            raise ValueError("negative values are not allowed")
        return (a.value or 0) + b.value

    assert checked() == 13
    a.value = -5
    with pytest.raises(ValueError, match="not allowed"):
        checked()
    assert total() == -2
    a.value = 1
    assert checked() == 4


def test_an_equality_over_one_field_decides() -> None:
    """signals: "test_compute_signal_custom_equality"."""

    class Item:
        def __init__(self, category: str, amount: int) -> None:
            self.category = category
            self.amount = amount

    source, seen = lt.signal(Item("A", 100)), []
    summary = lt.memo(
        lambda: {"category": source.value.category, "amount": source.value.amount},
        equals=lambda old, new: old["category"] == new["category"],
    )
    lt.effect(lambda: seen.append(dict(summary())))
    source.value = Item("A", 200)
    assert seen == [{"category": "A", "amount": 100}]
    source.value = Item("B", 200)
    assert seen[1:] == [{"category": "B", "amount": 200}]


def test_an_equality_function_gets_none_like_any_value() -> None:
    """signals: "test_compute_signal_none_handling"."""
    source: lt.Signal[Any] = lt.signal(None)
    seen: list[Any] = []

    def same_text(old: Any, new: Any) -> bool:
        return (old is None) == (new is None) and str(old) == str(new)

    copy = lt.memo(lambda: source.value, equals=same_text)
    lt.effect(lambda: seen.append(copy()))
    source.value = None
    source.value = "1"
    source.value = 1  # another value with the same text
    source.value = "1"
    assert seen == [None, "1"]


def test_an_effect_that_catches_a_memos_error_goes_on() -> None:
    """signals: "test_effect_with_computed_exception"."""
    source, seen = lt.signal(1), []
    inverse = lt.memo(lambda: 10 / source.value)

    @lt.effect
    def look() -> None:
        try:
            seen.append(inverse())
        except ZeroDivisionError as error:
            seen.append(str(error))

    source.value = 0
    source.value = 2
    assert seen == [10.0, "division by zero", 5.0]


def test_a_memo_may_write() -> None:
    """signals: "test_compute_signal_cannot_set_signals".

    Policy: a memo may write; others see it when the memo has run. Only a component's body may not.
    """
    a, b = lt.signal(1), lt.signal(2)

    @lt.memo
    def c() -> int:
        b.value = 10
        return a.value + b.value

    assert c() == 11
    assert b.value == 10
    with lt.batch():
        a.value = 2
        assert c() == 12
    assert b.value == 10


# --- read-only views, which are memos here


def test_a_view_follows_its_signal() -> None:
    """readonly: "test_readonly_signal_basic"."""
    amount = lt.signal(42)
    view: Any = lt.memo(lambda: amount.value)
    assert (view(), view.value) == (42, 42)
    amount.value = 100
    assert (view(), view.value) == (100, 100)
    with pytest.raises(AttributeError):
        view.value = 1


def test_a_memo_of_a_view() -> None:
    """readonly: "test_readonly_signal_with_computed"."""
    amount = lt.signal(10)
    view = lt.memo(lambda: amount.value)
    doubled = lt.memo(lambda: view() * 2)
    assert doubled() == 20
    amount.value = 15
    assert doubled() == 30


def test_an_effect_of_a_view() -> None:
    """readonly: "test_readonly_signal_with_sync_effect"."""
    amount, seen = lt.signal(0), []
    view = lt.memo(lambda: amount.value)
    lt.effect(lambda: seen.append(view()))
    amount.value = 1
    amount.value = 2
    assert seen == [0, 1, 2]


def test_reading_a_view_subscribes() -> None:
    """readonly: "test_readonly_signal_dependency_tracking"."""
    amount = lt.signal(0)
    view = lt.memo(lambda: amount.value)
    effect = lt.effect(view)
    amount.value = 1
    assert effect.runs == 2
    amount.value = 2
    assert effect.runs == 3


def test_a_batch_and_a_view() -> None:
    """readonly: "test_readonly_signal_with_batching"."""
    amount, seen = lt.signal(0), []
    view = lt.memo(lambda: amount.value)
    lt.effect(lambda: seen.append(view()))
    with lt.batch():
        for value in (1, 2, 3):
            amount.value = value
    assert seen == [0, 3]


def test_an_untracked_and_a_tracked_read_of_a_view_agree() -> None:
    """readonly: "test_readonly_signal_with_untracked"."""
    amount, seen = lt.signal(0), []
    view = lt.memo(lambda: amount.value)
    lt.effect(lambda: seen.append((view(), lt.untracked(view))))
    amount.value = 1
    assert seen == [(0, 0), (1, 1)]
    only_untracked = lt.effect(lambda: lt.untracked(view))
    amount.value = 2
    assert only_untracked.runs == 1


def test_memos_and_effects_share_a_view() -> None:
    """readonly: "test_readonly_signal_multiple_dependents"."""
    amount, first, second = lt.signal(5), [], []
    view = lt.memo(lambda: amount.value)
    doubled, tripled = lt.memo(lambda: view() * 2), lt.memo(lambda: view() * 3)
    total = lt.memo(lambda: doubled() + tripled())
    assert (doubled(), tripled(), total()) == (10, 15, 25)
    lt.effect(lambda: first.append(view()))
    lt.effect(lambda: second.append(doubled()))
    amount.value = 7
    assert (doubled(), tripled(), total()) == (14, 21, 35)
    assert (first, second) == ([5, 7], [10, 14])


def test_the_signals_equality_decides_for_its_view() -> None:
    """readonly: "test_readonly_signal_equality_function"."""
    amount = lt.signal(1.0, equals=lambda old, new: abs(old - new) < 0.1)
    view = lt.memo(lambda: amount.value)
    effect = lt.effect(view)
    amount.value = 1.05
    assert effect.runs == 1
    amount.value = 1.2
    assert effect.runs == 2


def test_the_representation_of_a_view_shows_its_value() -> None:
    """readonly: "test_readonly_signal_repr"."""
    amount = lt.signal(42)
    view = lt.memo(lambda: amount.value)
    assert repr(view) == "<Memo view, not computed>"  # a repr computes nothing
    assert view() == 42
    assert repr(view) == "<Memo view=42>"
