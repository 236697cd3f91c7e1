# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, inner writes: effects, memos and cleanups that write signals.

Lattice allows a memo to write; the suite's cases that accept an error instead assert the values.
"""

from __future__ import annotations

import pytest

import lattice as lt


def test_050_an_effect_writes_a_signal() -> None:
    a, b = lt.signal(0), lt.signal(0)

    @lt.effect
    def copy() -> None:
        b.value = a.value * 2

    assert b.value == 0
    a.value = 5
    assert b.value == 10


def test_051_a_cleanup_that_writes_the_effects_source_does_not_run_it_again() -> None:
    source, seen = lt.signal(0), []

    @lt.effect
    def work() -> None:
        seen.append(source.value)

        @lt.on_cleanup
        def _() -> None:
            source.value = 999

    source.value = 1
    assert seen == [0, 999]
    source.value = 2
    assert seen == [0, 999, 999]


def test_052_a_memo_writes_a_signal() -> None:
    source, side = lt.signal(0), lt.signal(7)

    @lt.memo
    def writer() -> int:
        side.value = source.value * 10
        return source.value

    assert (writer(), side.value) == (0, 0)


def test_053_the_last_of_several_writes_is_seen_last() -> None:
    source, seen = lt.signal(0), []
    lt.effect(lambda: seen.append(source.value))
    for value in (1, 2, 3):
        source.value = value
    assert seen == [0, 1, 2, 3]


def test_054_inner_writes_settle() -> None:
    a, b = lt.signal(0), lt.signal(0)

    @lt.effect
    def fill() -> None:
        if a.value > 0 and b.value == 0:
            b.value = a.value

    a.value = 5
    assert b.value == 5


def test_056_an_effect_on_a_derived_value_runs_after_the_write() -> None:
    source, seen = lt.signal(0), []
    copy = lt.memo(lambda: source.value)
    lt.effect(lambda: seen.append(copy()))
    source.value = 1
    assert seen == [0, 1]


def writing_memo(source: lt.Signal[int], target: lt.Signal[int], factor: int = 10) -> lt.Memo[int]:
    def write() -> int:
        value = source.value
        target.value = value * factor
        return value

    return lt.memo(write)


def test_112_a_reader_of_what_a_memo_wrote_sees_it() -> None:
    source, side = lt.signal(0), lt.signal(0)
    writer = writing_memo(source, side)
    writer()
    reader = lt.memo(lambda: side.value)
    assert reader() == 0
    source.value = 1
    writer()
    assert reader() == 10


def test_114_an_effect_takes_a_write_back() -> None:
    source = lt.signal(0)

    @lt.effect
    def reset() -> None:
        if source.value == 1:
            source.value = 0

    copy = lt.memo(lambda: source.value)
    downstream = lt.effect(copy)
    source.value = 1
    assert source.value == 0
    assert copy() == 0
    assert downstream.runs <= 2
    assert reset.runs <= 3


def test_133_the_second_effect_sees_what_the_first_one_wrote_back() -> None:
    source, first, second = lt.signal(0), [], []

    @lt.effect
    def reset() -> None:
        first.append(source.value)
        if source.value == 1:
            source.value = 0

    lt.effect(lambda: second.append(source.value))
    source.value = 1
    assert source.value == 0
    assert first[:2] == [0, 1]
    assert second[-1] == 0
    assert 1 not in second


def test_134_the_second_effect_gets_the_final_value() -> None:
    source, seen = lt.signal(0), []

    @lt.effect
    def raise_it() -> None:
        if source.value == 1:
            source.value = 10

    lt.effect(lambda: seen.append(source.value))
    source.value = 1
    assert source.value == 10
    assert seen == [0, 10]


def test_135_a_chain_behind_a_writing_memo_sees_the_settled_value() -> None:
    source, target = lt.signal(0), lt.signal(0)
    writer = writing_memo(source, target)
    writer()
    reader = lt.memo(lambda: target.value)
    assert reader() == 0
    source.value = 1
    writer()
    assert (target.value, reader()) == (10, 10)


def test_136_a_memo_that_writes_the_same_value_tells_nobody() -> None:
    source, side = lt.signal(0), lt.signal(0)
    writer = writing_memo(source, side, factor=0)
    writer()
    effect = lt.effect(lambda: side.value)
    source.value = 1
    writer()
    assert effect.runs == 1


def test_137_a_memo_that_writes_another_value_tells_the_readers() -> None:
    source, side, seen = lt.signal(0), lt.signal(0), []
    writer = writing_memo(source, side, factor=100)
    writer()
    lt.effect(lambda: seen.append(side.value))
    source.value = 1
    writer()
    assert side.value == 100
    assert seen == [0, 100]


def test_138_two_memos_on_one_source_and_one_of_them_writes() -> None:
    source, shared = lt.signal(0), lt.signal(0)
    writer = writing_memo(source, shared)
    writer()
    reader = lt.memo(lambda: shared.value + 1)
    assert (shared.value, reader()) == (0, 1)
    source.value = 2
    writer()
    assert (shared.value, reader()) == (20, 21)


def self_incrementing_memo(source: lt.Signal[int]) -> lt.Memo[int]:
    def increment() -> int:
        source.value += 1
        return source.value

    return lt.memo(increment)


def test_172_a_memo_that_writes_its_own_source_is_never_cached() -> None:
    memo = self_incrementing_memo(lt.signal(0))
    memo()
    runs = memo.runs
    memo()
    assert memo.runs > runs


def test_180_an_effect_resets_a_signal_through_a_memo() -> None:
    flag = lt.signal(False)
    copy = lt.memo(lambda: flag.value)

    @lt.effect
    def reset() -> None:
        if copy():
            flag.value = False

    assert reset.runs == 1
    flag.value = True
    assert (flag.value, reset.runs) == (False, 2)
    # The memo is as it was: nobody has read it since, and the same write once more is no change.
    flag.value = True
    assert (flag.value, reset.runs) == (True, 2)
    flag.value = False
    assert (flag.value, reset.runs) == (False, 3)
    flag.value = True
    assert (flag.value, reset.runs) == (False, 4)


def test_179_a_memo_reads_what_it_wrote() -> None:
    source = lt.signal(1)
    memo = self_incrementing_memo(source)
    assert (memo(), source.value) == (2, 2)
    assert (memo(), source.value) == (3, 3)


def test_113_an_effect_counts_up_by_reading_and_writing_one_signal() -> None:
    # The suite accepts convergence or an end before the target. An effect's own write does not run
    # it again (policy 49), so this one ends after a step.
    counter = lt.signal(0)

    @lt.effect
    def count() -> None:
        if counter.value < 5:
            counter.value += 1

    assert (counter.value, count.runs) == (1, 1)


def test_057_what_a_memo_writes_runs_the_effects_on_it() -> None:
    source, side, seen = lt.signal(0), lt.signal(0), []
    writer = writing_memo(source, side)
    lt.effect(lambda: seen.append(side.value))
    writer()
    assert side.value == 0
    source.value = 1
    writer()
    assert side.value == 10
    assert seen == [0, 10]


def test_181_a_reader_sees_both_of_a_memos_writes() -> None:
    source, b, c = lt.signal(0), lt.signal(0), lt.signal(0)

    @lt.memo
    def writer() -> int:
        b.value = source.value + 1
        c.value = source.value + 2
        return source.value

    writer()
    seen = []
    pair = lt.memo(lambda: f"{b.value},{c.value}")
    lt.effect(lambda: seen.append(pair()))
    source.value = 10
    writer()
    assert seen == ["1,2", "11,12"]


def test_182_a_memo_writes_inside_a_batch() -> None:
    source, side, seen = lt.signal(0), lt.signal(0), []
    writer = writing_memo(source, side)
    writer()
    lt.effect(lambda: seen.append(side.value))
    with lt.batch():
        source.value = 5
        assert (writer(), side.value) == (5, 50)
        assert seen == [0]
    assert side.value == 50
    assert seen == [0, 50]


def test_183_a_memo_that_is_not_read_any_more_writes_no_more() -> None:
    flag, source, side = lt.signal(True), lt.signal(0), lt.signal(-1)
    writer = writing_memo(source, side, factor=1)
    chosen = lt.memo(lambda: writer() if flag.value else 999)
    assert (chosen(), side.value) == (0, 0)
    source.value = 1
    assert (chosen(), side.value) == (1, 1)
    flag.value = False
    assert chosen() == 999
    source.value = 2
    assert (chosen(), side.value) == (999, 1)


def test_184_nested_memos_both_write() -> None:
    source, inner_side, outer_side = lt.signal(0), lt.signal(0), lt.signal(0)

    @lt.memo
    def inner() -> int:
        inner_side.value = source.value * 10
        return source.value + 1

    @lt.memo
    def outer() -> int:
        outer_side.value = inner() * 100
        return inner()

    assert (outer(), inner_side.value, outer_side.value) == (1, 0, 100)
    source.value = 2
    assert (outer(), inner_side.value, outer_side.value) == (3, 20, 300)


def test_185_what_a_memo_wrote_before_it_raised_stays() -> None:
    source, side = lt.signal(0), lt.signal(-1)

    @lt.memo
    def writer() -> int:
        side.value = source.value * 10
        if source.value > 0:
            raise ValueError("meant")
        return source.value

    assert (writer(), side.value) == (0, 0)
    source.value = 1
    with pytest.raises(ValueError, match="meant"):
        writer()
    assert side.value == 10


def test_186_an_effect_sees_a_memo_and_what_it_wrote() -> None:
    source, side, seen = lt.signal(0), lt.signal(0), []
    writer = writing_memo(source, side, factor=1)
    writer()
    lt.effect(lambda: seen.append(writer() + side.value))
    source.value = 5
    assert seen[0] == 0
    assert seen[-1] == 10


def test_213_a_write_in_the_first_run_does_not_block_later_ones() -> None:
    check_reset(1, (2, 3))


def test_212_a_write_through_a_memo_does_not_block_later_ones() -> None:
    check_reset(0, (1, 2, 3))


def check_reset(start: int, writes: tuple[int, ...]) -> None:
    source = lt.signal(start)
    copy = lt.memo(lambda: source.value)

    @lt.effect
    def reset() -> None:
        if copy() > 0:
            source.value = 0

    assert source.value == 0
    for value in writes:
        runs = reset.runs
        source.value = value
        assert source.value == 0
        assert reset.runs > runs


def test_224_an_effect_sees_the_memo_after_its_siblings_write() -> None:
    a, b, seen = lt.signal(0), lt.signal(0), []
    total = lt.memo(lambda: a.value + b.value)

    @lt.effect
    def fill() -> None:
        if a.value == 1:
            b.value = 10

    lt.effect(lambda: seen.append(total()))
    a.value = 1
    assert seen == [0, 11]


def test_225_a_third_effect_sees_the_writes_of_two_siblings() -> None:
    a, b, c, seen = lt.signal(0), lt.signal(0), lt.signal(0), []
    total = lt.memo(lambda: b.value + c.value)

    @lt.effect
    def first() -> None:
        if a.value == 1:
            b.value = 10

    @lt.effect
    def second() -> None:
        if a.value == 1:
            c.value = 20

    lt.effect(lambda: seen.append(total()))
    a.value = 1
    assert seen[0] == 0
    assert seen[-1] == 30
