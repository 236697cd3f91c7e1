# SPDX-License-Identifier: MIT
"""What @preact/signals-core claims about batch and untracked, on Lattice's Python face."""

from __future__ import annotations

import pytest

import lattice as lt


def test_batch_gives_back_what_its_function_gives() -> None:
    """batch: "should return the value from the callback"."""
    assert lt.batch(lambda: 1) == 1


def test_batch_raises_what_its_function_raises() -> None:
    """batch: "should throw errors thrown from the callback"."""

    def fail() -> None:
        raise ValueError("hello")

    with pytest.raises(ValueError, match="hello"):
        lt.batch(fail)


def test_batch_raises_whatever_is_raised() -> None:
    """batch: "should throw non-errors thrown from the callback"."""

    def leave() -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        lt.batch(leave)
    s = lt.signal(0)
    effect = lt.effect(lambda: s.value)
    s.value = 1  # the batch has ended: this runs at once
    assert effect.runs == 2


def test_effects_wait_for_the_end_of_the_batch() -> None:
    """batch: "should delay writes"."""
    a, b = lt.signal("a"), lt.signal("b")
    effect = lt.effect(lambda: (a.value, b.value))
    with lt.batch():
        a.value = "aa"
        b.value = "bb"
        assert effect.runs == 1
    assert effect.runs == 2


def test_effects_wait_for_the_end_of_the_outermost_batch() -> None:
    """batch: "should delay writes until outermost batch is complete"."""
    a, b, seen = lt.signal("a"), lt.signal("b"), []
    lt.effect(lambda: seen.append(f"{a.value}, {b.value}"))
    with lt.batch():
        with lt.batch():
            a.value += " inner"
            b.value += " inner"
        a.value += " outer"
        b.value += " outer"
    assert seen == ["a, b", "a inner outer, b inner outer"]


def test_a_batch_reads_what_it_wrote() -> None:
    """batch: "should read signals written to"."""
    a = lt.signal("a")
    with lt.batch():
        a.value = "aa"
        assert a.value == "aa"


def test_a_memo_read_in_a_batch_follows_what_was_written_and_no_other_runs() -> None:
    """batch: "should read computed signals with updated source signals"."""
    a = lt.signal("a")
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: b.value)
    d = lt.memo(lambda: c.value)
    e = lt.memo(lambda: d.value)
    with lt.batch():
        a.value = "aa"
        assert c.value == "aa"
        assert d.runs == 0
    assert (d.value, e.value) == ("aa", "aa")
    assert (c.runs, d.runs, e.runs) == (1, 1, 1)


def test_a_write_after_the_batch_runs_effects_again() -> None:
    """batch: "should not block writes after batching completed"."""
    a, b, c, seen = lt.signal("a"), lt.signal("b"), lt.signal("c"), []
    d = lt.memo(lambda: f"{a.value} {b.value} {c.value}")
    lt.effect(lambda: seen.append(d.value))
    with lt.batch():
        a.value = "aa"
        b.value = "bb"
    c.value = "cc"
    assert seen == ["a b c", "aa bb c", "aa bb cc"]


def test_a_memo_read_in_a_batch_does_not_leave_its_sibling_stale() -> None:
    """batch: "should not lead to stale signals with .value in batch"."""
    count, seen = lt.signal(0), []
    double, triple = lt.memo(lambda: count.value * 2), lt.memo(lambda: count.value * 3)
    lt.effect(lambda: seen.append((double.value, triple.value)))
    with lt.batch():
        count.value = 1
        assert double.value == 2
    assert seen == [(0, 0), (2, 3)]


def test_a_memo_peeked_in_a_batch_does_not_leave_its_sibling_stale() -> None:
    """batch: "should not lead to stale signals with peek() in batch"."""
    count, seen = lt.signal(0), []
    double, triple = lt.memo(lambda: count.value * 2), lt.memo(lambda: count.value * 3)
    lt.effect(lambda: seen.append((double.value, triple.value)))
    with lt.batch():
        count.value = 1
        assert double.peek() == 2
    assert seen == [(0, 0), (2, 3)]


def test_a_batch_that_raises_runs_the_effects_that_wait() -> None:
    """batch: "should run pending effects even if the callback throws"."""
    a, b = lt.signal(0), lt.signal(1)
    first, second = lt.effect(lambda: a.value), lt.effect(lambda: b.value)
    with pytest.raises(ValueError, match="hello"):
        with lt.batch():
            a.value += 1
            b.value += 1
            raise ValueError("hello")
    assert (first.runs, second.runs) == (2, 2)


def test_an_effect_that_raises_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """batch: "should run pending effects even if some effects throw".

    Policy: their errors are logged, not raised to who ends the batch.
    """
    a = lt.signal(0)

    def fail() -> None:
        if a.value == 1:
            raise ValueError("hello")

    lt.effect(fail)
    first = lt.effect(lambda: a.value)
    lt.effect(fail)
    second = lt.effect(lambda: a.value)
    lt.effect(fail)
    with lt.batch():
        a.value += 1
    assert (first.runs, second.runs) == (2, 2)
    assert sum("hello" in record.getMessage() for record in caplog.records) == 3


def test_an_effect_made_in_a_batch_runs_at_once() -> None:
    """batch: "should run effect's first run immediately even inside a batch"."""
    with lt.batch():
        assert lt.effect(lambda: None).runs == 1


# --- untracked


def test_untracked_reads_do_not_subscribe_an_effect() -> None:
    """untracked: "should block tracking inside effects"."""
    a, b = lt.signal(1), lt.signal(2)
    effect = lt.effect(lambda: lt.untracked(lambda: a.value + b.value))
    a.value = 10
    b.value = 20
    assert effect.runs == 1


def test_untracked_inside_an_effect_inside_untracked_still_does_not_track() -> None:
    """untracked: "should block tracking even when run inside effect run inside untracked"."""
    s, t = lt.signal(1), lt.signal(1)
    effect = lt.untracked(lambda: lt.effect(lambda: (t.value, lt.untracked(lambda: s.value))))
    s.value = 2
    assert effect.runs == 1
    t.value = 2  # the effect itself does track
    assert effect.runs == 2


def test_a_write_inside_untracked_inside_an_effect_is_no_cycle() -> None:
    """untracked: "should not cause signal assignments throw"."""
    a, changes = lt.signal(1), lt.signal(0)

    @lt.effect
    def count() -> None:
        _ = a.value
        with lt.untracked():
            changes.value = changes.value + 1

    a.value = 2
    assert changes.value == 2
    a.value = 3
    assert (changes.value, count.runs) == (3, 3)


def test_untracked_reads_do_not_subscribe_a_memo() -> None:
    """untracked: "should block tracking inside computed signals"."""
    a, b = lt.signal(1), lt.signal(2)
    c = lt.memo(lambda: lt.untracked(lambda: a.value + b.value))
    assert c.runs == 0
    assert c.value == 3
    a.value = 10
    assert c.value == 3
    b.value = 20
    assert (c.value, c.runs) == (3, 1)
