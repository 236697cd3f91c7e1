# SPDX-License-Identifier: MIT
"""What @preact/signals-core claims about computed signals, on Lattice's memos."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import lattice as lt


def test_a_memo_gives_what_its_function_gives() -> None:
    """computed: "should return value"."""
    a, b = lt.signal("a"), lt.signal("b")
    assert lt.memo(lambda: a.value + b.value).value == "ab"


def test_a_memo_is_no_signal() -> None:
    """computed: "should inherit from Signal".

    Policy: a memo cannot be written, so it is a class of its own; both have .value and peek().
    """
    zero = lt.memo(lambda: 0)
    assert isinstance(zero, lt.Memo)
    assert not isinstance(zero, lt.Signal)
    assert (zero.value, zero.peek(), zero()) == (0, 0, 0)


def test_a_memo_follows_its_sources() -> None:
    """computed: "should return updated value"."""
    a, b = lt.signal("a"), lt.signal("b")
    c = lt.memo(lambda: a.value + b.value)
    assert c.value == "ab"
    a.value = "aa"
    assert c.value == "aab"


def test_a_memo_computes_only_when_it_is_read() -> None:
    """computed: "should be lazily computed on demand"."""
    a, b = lt.signal("a"), lt.signal("b")
    c = lt.memo(lambda: a.value + b.value)
    assert c.runs == 0
    assert c.value == "ab"
    a.value = "x"
    b.value = "y"
    assert c.runs == 1
    assert (c.value, c.runs) == ("xy", 2)


def test_a_write_of_the_same_value_recomputes_nothing() -> None:
    """computed: "should be computed only when a dependency has changed at some point"."""
    a = lt.signal("a")
    c = lt.memo(lambda: a.value)
    assert c.value == "a"
    a.value = "a"
    assert (c.value, c.runs) == ("a", 1)


def test_a_memo_that_changed_its_own_source_computes_again_when_read_again() -> None:
    """computed: "should recompute if a dependency changes during computation after becoming a
    dependency"."""
    a = lt.signal(0)

    @lt.memo
    def bump() -> None:
        a.value += 1

    lt.read(bump)
    assert (bump.runs, a.value) == (1, 1)
    lt.read(bump)
    assert (bump.runs, a.value) == (2, 2)


def test_a_memo_that_reads_itself_is_a_cycle() -> None:
    """computed: "should detect simple dependency cycles"."""
    a: Any = lt.memo(lambda: a.value)
    with pytest.raises(lt.CycleError, match="cycle: a -> a"):
        lt.read(a)


def test_a_cycle_of_four_memos_is_found_and_named() -> None:
    """computed: "should detect deep dependency cycles"."""
    a: Any = lt.memo(lambda: b.value)
    b: Any = lt.memo(lambda: c.value)
    c: Any = lt.memo(lambda: d.value)
    d: Any = lt.memo(lambda: a.value)
    with pytest.raises(lt.CycleError, match="cycle: a -> b -> c -> d -> a"):
        lt.read(a)


def test_a_memo_that_catches_its_own_cycle_is_not_its_own_source() -> None:
    """computed: "should not allow a computed signal to become a direct dependency of itself"."""

    @lt.memo
    def a() -> str:
        try:
            return a.value
        except lt.CycleError:
            return "caught"

    assert a.value == "caught"
    effect = lt.effect(lambda: a.value)
    assert (effect.runs, a.runs) == (1, 1)


def test_an_error_is_kept_until_a_source_changes() -> None:
    """computed: "should store thrown errors and recompute only after a dependency changes"."""
    a = lt.signal(0)

    @lt.memo
    def fail() -> int:
        raise ValueError(a.value)

    for _ in range(2):
        with pytest.raises(ValueError, match="0"):
            lt.read(fail)
    assert fail.runs == 1
    a.value = 1
    with pytest.raises(ValueError, match="1"):
        lt.read(fail)
    assert fail.runs == 2


def test_an_error_that_is_false_is_an_error_all_the_same() -> None:
    """computed: "should store thrown non-errors and recompute only after a dependency changes"."""

    class Falsy(Exception):
        def __bool__(self) -> bool:
            return False

        def __eq__(self, other: object) -> bool:
            return other is None

        __hash__ = Exception.__hash__

    a = lt.signal(0)

    @lt.memo
    def fail() -> int:
        _ = a.value
        raise Falsy

    for _ in range(2):
        with pytest.raises(Falsy):
            lt.read(fail)
    assert fail.runs == 1
    a.value = 1
    with pytest.raises(Falsy):
        lt.read(fail)
    assert fail.runs == 2


def test_a_memo_leaves_the_branch_that_it_did_not_take() -> None:
    """computed: "should conditionally unsubscribe from signals"."""
    a, b, take_a = lt.signal("a"), lt.signal("b"), lt.signal(True)
    c = lt.memo(lambda: a.value if take_a.value else b.value)
    assert c.value == "a"
    b.value = "bb"
    assert (c.value, c.runs) == ("a", 1)
    take_a.value = False
    assert (c.value, c.runs) == ("bb", 2)
    a.value = "aaa"
    assert (c.value, c.runs) == ("bb", 2)


def test_none_is_a_value_and_not_the_lack_of_one() -> None:
    """computed: "should consider undefined value separate from uninitialized value"."""
    a = lt.signal(0)
    nothing = lt.memo(lambda: None)
    assert nothing.value is None
    a.value = 1
    assert nothing.value is None
    assert nothing.runs == 1


def test_an_error_that_a_memo_catches_goes_no_further() -> None:
    """computed: "should not leak errors raised by dependencies"."""
    a = lt.signal(0)

    @lt.memo
    def b() -> int:
        _ = a.value
        raise ValueError("error")

    @lt.memo
    def c() -> str:
        try:
            return str(b.value)
        except ValueError:
            return "ok"

    assert c.value == "ok"
    a.value = 1
    assert c.value == "ok"


def test_a_memo_that_was_read_before_wakes_its_first_subscriber() -> None:
    """computed: "should propagate notifications even right after first subscription"."""
    a = lt.signal(0)
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: b.value)
    lt.read(c)
    effect = lt.effect(lambda: c.value)
    a.value = 1
    assert effect.runs == 2


def test_a_memo_that_was_stale_is_fresh_after_its_first_subscription() -> None:
    """computed: "should get marked as outdated right after first subscription"."""
    s, seen = lt.signal(0), []
    c = lt.memo(lambda: s.value)
    lt.read(c)
    s.value = 1
    lt.effect(lambda: seen.append(c.value))
    assert seen == [1]
    assert c.value == 1


def test_the_other_readers_of_a_memo_still_hear_after_one_ended() -> None:
    """computed: "should propagate notification to other listeners after one listener is
    disposed"."""
    s = lt.signal(0)
    c = lt.memo(lambda: s.value)
    first, second, third = (lt.effect(lambda: c.value) for _ in range(3))
    second.dispose()
    s.value = 1
    assert (first.runs, second.runs, third.runs) == (2, 1, 2)


def test_a_memos_sources_are_checked_in_the_order_in_which_they_were_read() -> None:
    """computed: "should not recompute dependencies out of order"."""
    a, b, c = lt.signal(1), lt.signal(1), lt.signal(1)
    d = lt.memo(lambda: c.value)
    e = lt.memo(lambda: (b.value, d.value) if a.value > 0 else b.value)
    lt.read(e)
    a.value = b.value = c.value = 2
    lt.read(e)
    assert d.runs == 2
    a.value = b.value = c.value = -1
    lt.read(e)
    assert d.runs == 2


def test_a_memo_behind_the_old_branch_is_not_recomputed() -> None:
    """computed: "should not recompute dependencies unnecessarily"."""
    a, b = lt.signal(0), lt.signal(0)
    c = lt.memo(lambda: b.value)
    d = lt.memo(lambda: c.value if a.value == 0 else None)
    lt.read(d)
    with lt.batch():
        b.value = 1
        a.value = 1
    assert d.value is None
    assert c.runs == 1


# --- peek


def test_peek_computes() -> None:
    """computed .peek(): "should get value"."""
    s = lt.signal(1)
    assert lt.memo(lambda: s.value).peek() == 1


def test_peek_raises_what_the_function_raises() -> None:
    """computed .peek(): "should throw when evaluation throws"."""
    fail = lt.memo(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        fail.peek()


def test_peek_raises_the_kept_error() -> None:
    """computed .peek(): "should throw when previous evaluation threw and dependencies haven't
    changed"."""
    fail = lt.memo(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        lt.read(fail)
    with pytest.raises(ZeroDivisionError):
        fail.peek()
    assert fail.runs == 1


def test_peek_refreshes_a_stale_memo() -> None:
    """computed .peek(): "should refresh value if stale"."""
    a = lt.signal(1)
    b = lt.memo(lambda: a.value)
    assert b.peek() == 1
    a.value = 2
    assert b.peek() == 2


def test_a_memo_that_peeks_at_itself_is_a_cycle() -> None:
    """computed .peek(): "should detect simple dependency cycles"."""
    a: Any = lt.memo(lambda: a.peek())
    with pytest.raises(lt.CycleError):
        a.peek()


def test_a_cycle_that_a_peek_closes_is_found() -> None:
    """computed .peek(): "should detect deep dependency cycles"."""
    a: Any = lt.memo(lambda: b.value)
    b: Any = lt.memo(lambda: c.value)
    c: Any = lt.memo(lambda: d.value)
    d: Any = lt.memo(lambda: a.peek())
    with pytest.raises(lt.CycleError, match="a -> b -> c -> d -> a"):
        a.peek()


def test_peeking_at_a_memo_does_not_subscribe_an_effect() -> None:
    """computed .peek(): "should not make surrounding effect depend on the computed"."""
    s = lt.signal(1)
    c = lt.memo(lambda: s.value)
    effect = lt.effect(lambda: c.peek())
    s.value = 2
    assert effect.runs == 1


def test_peeking_at_a_memo_does_not_subscribe_a_memo() -> None:
    """computed .peek(): "should not make surrounding computed depend on the computed"."""
    s = lt.signal(1)
    c = lt.memo(lambda: s.value)
    d = lt.memo(lambda: c.peek())
    assert d.value == 1
    s.value = 2
    assert (d.value, d.runs) == (1, 1)


def test_peeking_does_not_subscribe_an_effect_to_what_the_memo_read() -> None:
    """computed .peek(): "should not make surrounding effect depend on the peeked computed's
    dependencies"."""
    a = lt.signal(1)
    b = lt.memo(lambda: a.value)
    effect = lt.effect(lambda: b.peek())
    a.value = 2
    assert (effect.runs, b.runs) == (1, 1)


def test_peeking_does_not_subscribe_a_memo_to_what_the_memo_read() -> None:
    """computed .peek(): "should not make surrounding computed depend on peeked computed's
    dependencies"."""
    a = lt.signal(1)
    b = lt.memo(lambda: a.value)
    d = lt.memo(lambda: b.peek())
    lt.read(d)
    a.value = 2
    lt.read(d)
    assert d.runs == 1


# --- collection


def test_a_memo_that_nobody_subscribes_to_is_collected() -> None:
    """computed garbage collection: "should be garbage collectable if nothing is listening to its
    changes"."""
    s = lt.signal(0)
    c = lt.memo(lambda: s.value)
    lt.read(c)
    ref = weakref.ref(c)
    del c
    gc.collect()
    assert ref() is None
    s.value = 1


def test_a_memo_that_lost_its_subscribers_is_collected() -> None:
    """computed garbage collection: "should be garbage collectable after it has lost all of its
    listeners"."""
    s = lt.signal(0)

    def make() -> tuple[weakref.ref[Any], lt.Effect]:
        c = lt.memo(lambda: s.value)
        return weakref.ref(c), lt.effect(lambda: c.value)

    ref, effect = make()
    gc.collect()
    assert ref() is not None
    effect.dispose()
    gc.collect()
    assert ref() is None


# --- graphs


def test_two_changed_sources_make_one_run() -> None:
    """computed graph updates: "should run computeds once for multiple dep changes"."""
    a, b = lt.signal("a"), lt.signal("b")
    c = lt.memo(lambda: a.value + b.value)
    assert c.value == "ab"
    a.value = "aa"
    b.value = "bb"
    assert (c.value, c.runs) == ("aabb", 2)


def test_a_source_read_directly_and_through_a_memo_makes_one_run() -> None:
    """computed graph updates: "should drop A->B->A updates"."""
    a = lt.signal(2)
    b = lt.memo(lambda: a.value - 1)
    c = lt.memo(lambda: a.value + b.value)
    d = lt.memo(lambda: f"d: {c.value}")
    assert d.value == "d: 3"
    a.value = 4
    assert (d.value, d.runs, c.runs) == ("d: 7", 2, 2)


def test_a_diamond_joins_once() -> None:
    """computed graph updates: "should only update every signal once (diamond graph)"."""
    a = lt.signal("a")
    b, c = lt.memo(lambda: a.value), lt.memo(lambda: a.value)
    d = lt.memo(lambda: b.value + " " + c.value)
    assert d.value == "a a"
    a.value = "aa"
    assert (d.value, d.runs) == ("aa aa", 2)


def test_what_follows_a_diamond_runs_once() -> None:
    """computed graph updates: "should only update every signal once (diamond graph + tail)"."""
    a = lt.signal("a")
    b, c = lt.memo(lambda: a.value), lt.memo(lambda: a.value)
    d = lt.memo(lambda: b.value + " " + c.value)
    e = lt.memo(lambda: d.value)
    assert e.value == "a a"
    a.value = "aa"
    assert (e.value, e.runs, d.runs) == ("aa aa", 2, 2)


def test_an_unchanged_result_stops_here() -> None:
    """computed graph updates: "should bail out if result is the same"."""
    a = lt.signal("a")
    b = lt.memo(lambda: "foo" if a.value else "")
    c = lt.memo(lambda: b.value)
    assert c.value == "foo"
    a.value = "aa"
    assert (c.value, b.runs, c.runs) == ("foo", 2, 1)


def test_a_jagged_diamond_runs_each_memo_once_in_order() -> None:
    """computed graph updates: "should only update every signal once (jagged diamond graph +
    tails)"."""
    order: list[str] = []

    def noting(name: str, value: str) -> str:
        order.append(name)
        return value

    a = lt.signal("a")
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: a.value)
    d = lt.memo(lambda: c.value)
    e = lt.memo(lambda: noting("e", b.value + " " + d.value))
    f = lt.memo(lambda: noting("f", e.value))
    g = lt.memo(lambda: noting("g", e.value))
    assert (f.value, g.value) == ("a a", "a a")
    for letter in ("b", "c"):
        order.clear()
        a.value = letter
        assert (e.value, f.value, g.value) == (f"{letter} {letter}",) * 3
        assert order == ["e", "f", "g"]


def test_a_memo_that_nobody_reads_never_runs() -> None:
    """computed graph updates: "should only subscribe to signals listened to"."""
    a = lt.signal("a")
    b, unread = lt.memo(lambda: a.value), lt.memo(lambda: a.value)
    assert b.value == "a"
    a.value = "aa"
    assert b.value == "aa"
    assert unread.runs == 0


def test_memos_behind_an_effect_that_ended_do_not_run() -> None:
    """computed graph updates: "should only subscribe to signals listened to"."""
    a, seen = lt.signal("a"), []
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: b.value)
    d = lt.memo(lambda: a.value)
    effect = lt.effect(lambda: seen.append(c.value))
    assert (seen, d.value) == (["a"], "a")
    effect.dispose()
    a.value = "aa"
    assert (b.runs, c.runs) == (1, 1)
    assert d.value == "aa"
    assert seen == ["a"]


def test_one_unchanged_source_does_not_hide_a_changed_one() -> None:
    """computed graph updates: "should ensure subs update even if one dep unmarks it"."""
    a = lt.signal("a")
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: "c" if a.value else "")
    d = lt.memo(lambda: b.value + " " + c.value)
    assert d.value == "a c"
    a.value = "aa"
    assert d.value == "aa c"


def test_two_unchanged_sources_do_not_hide_a_changed_one() -> None:
    """computed graph updates: "should ensure subs update even if two deps unmark it"."""
    a = lt.signal("a")
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: "c" if a.value else "")
    d = lt.memo(lambda: "d" if a.value else "")
    e = lt.memo(lambda: " ".join([b.value, c.value, d.value]))
    assert e.value == "a c d"
    a.value = "aa"
    assert e.value == "aa c d"


# --- errors


def test_a_memo_cannot_be_written() -> None:
    """computed error handling: "should throw when writing to computeds"."""
    a = lt.signal("a")
    b: Any = lt.memo(lambda: a.value)
    with pytest.raises(AttributeError, match=r"'b' is a Memo.*lt.linked"):
        b.value = "aa"
    assert b.value == "a"


def test_a_memo_that_fails_at_first_leaves_the_others_alone() -> None:
    """computed error handling: "should keep graph consistent on errors during activation"."""
    a = lt.signal(0)
    b = lt.memo(lambda: 1 // 0)
    c = lt.memo(lambda: a.value)
    with pytest.raises(ZeroDivisionError):
        lt.read(b)
    a.value = 1
    assert c.value == 1


def test_a_memo_recovers_from_its_error() -> None:
    """computed error handling: "should keep graph consistent on errors in computeds"."""
    a = lt.signal(0)

    @lt.memo
    def b() -> int:
        if a.value == 1:
            raise ValueError("fail")
        return a.value

    c = lt.memo(lambda: b.value)
    assert c.value == 0
    a.value = 1
    with pytest.raises(ValueError, match="fail"):
        lt.read(b)
    a.value = 2
    assert c.value == 2


def test_a_branch_is_read_when_it_is_needed() -> None:
    """computed error handling: "should support lazy branches"."""
    a = lt.signal(0)
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: a.value if a.value > 0 else b.value)
    assert c.value == 0
    a.value = 1
    assert c.value == 1
    a.value = 0
    assert c.value == 0


def test_a_memo_whose_sources_are_all_unchanged_does_not_run() -> None:
    """computed error handling: "should not update a sub if all deps unmark it"."""
    a = lt.signal("a")
    b = lt.memo(lambda: "b" if a.value else "")
    c = lt.memo(lambda: "c" if a.value else "")
    d = lt.memo(lambda: b.value + " " + c.value)
    assert d.value == "b c"
    a.value = "aa"
    assert (d.value, d.runs) == ("b c", 1)
