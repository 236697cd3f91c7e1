# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, graph propagation: each node runs once and in order."""

from __future__ import annotations

import lattice as lt


def test_001_a_diamond_runs_its_join_once() -> None:
    source = lt.signal("a")
    left = lt.memo(lambda: source.value)
    right = lt.memo(lambda: source.value)
    join = lt.memo(lambda: f"{left()} {right()}")
    assert (join(), join.runs) == ("a a", 1)
    source.value = "aa"
    assert (join(), join.runs) == ("aa aa", 2)


def test_002_a_tail_behind_a_diamond_runs_once() -> None:
    source = lt.signal("a")
    left = lt.memo(lambda: source.value)
    right = lt.memo(lambda: source.value)
    join = lt.memo(lambda: f"{left()} {right()}")
    tail = lt.memo(lambda: join())
    assert (tail(), tail.runs) == ("a a", 1)
    source.value = "aa"
    assert (tail(), tail.runs) == ("aa aa", 2)


def test_003_a_diamond_of_unequal_arms_with_two_tails() -> None:
    source = lt.signal("a")
    short = lt.memo(lambda: source.value)
    half = lt.memo(lambda: source.value)
    long = lt.memo(lambda: half())
    join = lt.memo(lambda: f"{short()} {long()}")
    tails = [lt.memo(lambda: join()), lt.memo(lambda: join())]
    assert [tail() for tail in tails] == ["a a", "a a"]
    before = [node.runs for node in (join, *tails)]
    source.value = "b"
    assert [node() for node in (join, *tails)] == ["b b"] * 3
    assert [node.runs for node in (join, *tails)] == [runs + 1 for runs in before]


def test_005_a_source_read_directly_and_through_its_child_runs_the_reader_once() -> None:
    source = lt.signal(2)
    less = lt.memo(lambda: source.value - 1)
    both = lt.memo(lambda: source.value + less())
    tail = lt.memo(lambda: f"d: {both()}")
    assert (tail(), tail.runs) == ("d: 3", 1)
    source.value = 4
    assert (tail(), tail.runs) == ("d: 7", 2)


def test_006_an_unchanged_source_does_not_hide_a_changed_one() -> None:
    source = lt.signal("a")
    moving = lt.memo(lambda: source.value)
    still = lt.memo(lambda: source.value and "c")
    join = lt.memo(lambda: f"{moving()} {still()}")
    assert join() == "a c"
    source.value = "aa"
    assert (join(), join.runs) == ("aa c", 2)


def test_007_unchanged_memos_stop_the_propagation() -> None:
    source = lt.signal("a")
    left = lt.memo(lambda: source.value and "b")
    right = lt.memo(lambda: source.value and "c")
    join = lt.memo(lambda: f"{left()} {right()}")
    assert join() == "b c"
    source.value = "aa"
    assert (join(), join.runs) == ("b c", 1)
    assert (left.runs, right.runs) == (2, 2)


def test_008_the_join_runs_after_both_arms() -> None:
    source, order = lt.signal(0), []

    def noted(name: str, value: int) -> int:
        order.append(name)
        return value

    left = lt.memo(lambda: noted("left", source.value))
    right = lt.memo(lambda: noted("right", source.value))
    join = lt.memo(lambda: noted("join", left() + right()))
    assert join() == 0
    order.clear()
    source.value = 1
    assert join() == 2
    assert order == ["left", "right", "join"]


def test_009_linear_convergence() -> None:
    a = lt.signal(0)
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: a.value + b())
    d = lt.memo(lambda: a.value + c())
    assert d() == 0
    a.value = 1
    assert d() == 3
    assert (c.runs, d.runs) == (2, 2)


def test_010_exponential_convergence() -> None:
    a = lt.signal(0)
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: b() + a.value)
    d = lt.memo(lambda: c() + b())
    e = lt.memo(lambda: d() + c())
    assert e() == 0
    a.value = 1
    assert e() == 5
    assert (c.runs, d.runs, e.runs) == (2, 2, 2)


def test_116_the_other_reader_is_still_told_after_one_was_disposed() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    first, second = lt.effect(doubled), lt.effect(doubled)
    assert (first.runs, second.runs) == (1, 1)
    first.dispose()
    source.value = 1
    assert (first.runs, second.runs) == (1, 2)
    source.value = 2
    assert (first.runs, second.runs) == (1, 3)


def test_157_one_of_three_arms_changes() -> None:
    source = lt.signal("a")
    moving = lt.memo(lambda: source.value)
    still = [lt.memo(lambda name=name: source.value and name) for name in "cd"]
    join = lt.memo(lambda: f"{moving()} {still[0]()} {still[1]()}")
    assert join() == "a c d"
    source.value = "aa"
    assert (join(), join.runs) == ("aa c d", 2)


def test_187_memos_that_only_a_disposed_effect_read_do_not_run() -> None:
    source = lt.signal("a")
    upper = lt.memo(lambda: source.value)
    lower = lt.memo(lambda: upper())
    other = lt.memo(lambda: source.value)
    seen = []
    effect = lt.effect(lambda: seen.append(lower()))
    assert (seen, other()) == (["a"], "a")
    effect.dispose()
    source.value = "aa"
    assert (upper.runs, lower.runs) == (1, 1)
    assert other() == "aa"


def test_188_a_memo_that_the_batch_made_unreachable_does_not_run() -> None:
    gate, source = lt.signal(0), lt.signal(0)
    inner = lt.memo(lambda: source.value)
    outer = lt.memo(lambda: inner() if gate.value == 0 else None)
    outer()
    assert inner.runs == 1
    with lt.batch():
        source.value = 1
        gate.value = 1
    assert outer() is None
    assert inner.runs == 1


def test_189_several_signals_change_and_the_order_holds() -> None:
    gate, b, c = lt.signal(1), lt.signal(1), lt.signal(1)
    d = lt.memo(lambda: c.value)
    e = lt.memo(lambda: (b.value, d()) if gate.value > 0 else (b.value,))
    e()
    gate.value, b.value, c.value = 2, 2, 2
    assert e() == (2, 2)
    assert d.runs == 2
    gate.value, b.value, c.value = -1, -1, -1
    assert e() == (-1,)
    assert d.runs == 2


def test_190_an_effect_on_a_memo_that_was_read_before_is_told() -> None:
    source = lt.signal(0)
    upper = lt.memo(lambda: source.value)
    lower = lt.memo(lambda: upper())
    lower()
    effect = lt.effect(lower)
    assert effect.runs == 1
    source.value = 1
    assert effect.runs == 2


def test_191_a_new_effect_sees_what_was_written_while_the_memo_was_cold() -> None:
    source, seen = lt.signal(0), []
    memo = lt.memo(lambda: source.value)
    memo()
    source.value = 1
    lt.effect(lambda: seen.append(memo()))
    assert seen == [1]


def test_192_an_effect_does_not_run_for_an_unchanged_memo() -> None:
    source = lt.signal(0)
    zero = lt.memo(lambda: source.value * 0)
    effect = lt.effect(zero)
    source.value = 1
    assert (effect.runs, zero.runs) == (1, 2)


def test_204_two_sources_of_one_memo_change_together() -> None:
    a, b = lt.signal(1), lt.signal(10)
    total = lt.memo(lambda: a.value + b.value)
    effect = lt.effect(total)
    assert total() == 11
    with lt.batch():
        a.value, b.value = 2, 20
    assert total() == 22
    assert (total.runs, effect.runs) == (2, 2)


def test_205_two_sources_cross_feed_two_memos() -> None:
    a, b = lt.signal(1), lt.signal(10)
    plus = lt.memo(lambda: a.value + b.value)
    times = lt.memo(lambda: a.value * b.value)
    join = lt.memo(lambda: plus() + times())
    assert join() == 21
    a.value, b.value = 2, 20
    assert join() == 62
    assert (plus.runs, times.runs, join.runs) == (2, 2, 2)


def test_206_two_diamonds_on_top_of_each_other() -> None:
    source = lt.signal(1)
    b, c = lt.memo(lambda: source.value), lt.memo(lambda: source.value)
    waist = lt.memo(lambda: b() + c())
    e, f = lt.memo(lambda: waist()), lt.memo(lambda: waist())
    foot = lt.memo(lambda: e() + f())
    assert foot() == 4
    source.value = 2
    assert foot() == 8
    assert (waist.runs, foot.runs) == (2, 2)


def test_207_a_wide_fan_out_runs_every_effect_once() -> None:
    source = lt.signal(0)
    memos = [lt.memo(lambda offset=offset: source.value + offset) for offset in range(6)]
    effects = [lt.effect(memo) for memo in memos]
    for value in (1, 2):
        assert [effect.runs for effect in effects] == [value] * 6
        source.value = value
    assert [effect.runs for effect in effects] == [3] * 6


def test_208_paths_of_depth_three_and_one_meet_in_one_run() -> None:
    source = lt.signal(1)
    b = lt.memo(lambda: source.value)
    c = lt.memo(lambda: b())
    d = lt.memo(lambda: c())
    e = lt.memo(lambda: source.value)
    join = lt.memo(lambda: d() + e())
    assert join() == 2
    source.value = 2
    assert (join(), join.runs) == (4, 2)
