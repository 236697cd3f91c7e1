# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, behavioural differences: any answer is valid, these are Lattice's.

Each case of the suite answers with a word; here is the word that Lattice gives, and why.
"""

from __future__ import annotations

import logging
import math

import pytest

import lattice as lt


def test_017_a_memo_is_lazy() -> None:
    # "lazy": a memo that nobody reads costs nothing.
    source = lt.signal(0)
    memo = lt.memo(lambda: source.value)
    assert memo.runs == 0
    memo()
    assert memo.runs == 1


def test_015_a_memo_that_was_never_read_subscribes_to_nothing() -> None:
    # "no subscription"
    source = lt.signal("a")
    read, unread = lt.memo(lambda: source.value), lt.memo(lambda: source.value)
    read()
    source.value = "aa"
    assert read() == "aa"
    assert unread.runs == 0


def test_146_two_changed_sources_make_one_run() -> None:
    # "single recompute"
    a, b = lt.signal(0), lt.signal(0)
    total = lt.memo(lambda: a.value + b.value)
    total()
    a.value = 1
    b.value = 1
    assert (total(), total.runs) == (2, 2)


def test_029_nan_is_equal_to_itself() -> None:
    # "Object.is": a NaN that stays one is no news.
    source = lt.signal(math.nan)
    memo = lt.memo(lambda: source.value)
    memo()
    source.value = float("nan")
    assert math.isnan(memo())
    assert memo.runs == 1


def test_029_plain_equality_can_be_asked_for() -> None:
    source = lt.signal(math.nan, equals="==")
    memo = lt.memo(lambda: source.value)
    memo()
    source.value = float("nan")
    memo()
    assert memo.runs == 2


def test_167_a_memo_that_stays_nan_does_not_run_its_readers() -> None:
    # "Object.is"
    source, results = lt.signal(1), {1: 5.0}
    memo = lt.memo(lambda: results.get(source.value, float("nan")))
    reader = lt.memo(lambda: memo())
    reader()
    source.value = 2
    assert math.isnan(reader())
    source.value = 3
    assert math.isnan(reader())
    assert reader.runs == 2


def test_030_writing_the_same_object_is_no_change() -> None:
    # "skips" for an object of a class of one's own ...
    class Thing:
        pass

    thing = Thing()
    source = lt.signal(thing)
    memo = lt.memo(lambda: source.value)
    memo()
    source.value = thing
    assert (memo(), memo.runs) == (thing, 1)


@pytest.mark.parametrize("container", [[1], {"x": 1}, {1}])
def test_030_writing_the_same_container_is_a_change(container: object) -> None:
    # ... and "propagates" for a list, dict or set, which may have been changed in place.
    source = lt.signal(container)
    memo = lt.memo(lambda: source.value)
    memo()
    source.value = container
    assert (memo(), memo.runs) == (container, 2)


def test_176_batch_returns_what_its_function_returns() -> None:
    # "returns value"
    assert lt.batch(lambda: 42) == 42


def test_173_a_later_effect_sees_what_an_earlier_one_wrote() -> None:
    # "post-write": there is one value, the newest.
    flag, number, seen = lt.signal(False), lt.signal(0), []

    @lt.effect
    def write() -> None:
        if flag.value:
            number.value = 1

    @lt.effect
    def look() -> None:
        if flag.value:
            seen.append(number.value)

    flag.value = True
    assert seen == [1]


def test_174_a_run_reads_what_it_wrote() -> None:
    # "post-write"
    flag, number, seen = lt.signal(False), lt.signal(0), []

    @lt.effect
    def work() -> None:
        if flag.value:
            number.value = 1
            seen.append(number.value)

    flag.value = True
    assert seen == [1]


def test_088_an_effect_that_raised_in_its_first_run_stays_subscribed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # "keeps subscribed": the next change may cure what was wrong. The error is logged.
    source = lt.signal(0)

    @lt.effect
    def divide() -> float:
        return 1 / source.value

    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    source.value = 1
    assert divide.runs == 2
    assert len(caplog.records) == 1


def test_106_an_effect_that_raises_does_not_stop_the_flush() -> None:
    # "continues"
    source = lt.signal(0)
    first = lt.effect(lambda: source.value)
    lt.effect(lambda: 1 // (1 - source.value))
    third = lt.effect(lambda: source.value)
    source.value = 1
    assert (first.runs, third.runs) == (2, 2)


def test_086_a_memo_keeps_its_error() -> None:
    # "caches error": reading again does not run the function again.
    source = lt.signal(0)
    memo = lt.memo(lambda: 1 // source.value)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            memo()
    assert memo.runs == 1


def test_107_any_exception_is_kept() -> None:
    # "caches error". A Python program raises nothing but exceptions; the nearest to a thrown string
    # is a class without fields. What is no Exception (KeyboardInterrupt) is not kept.
    class Bare(Exception):
        pass

    source, log = lt.signal(0), []

    @lt.memo
    def memo() -> None:
        log.append(source.value)
        raise Bare if source.value == 0 else KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(Bare):
            memo()
    assert log == [0]
    source.value = 1
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            memo()
    assert log == [0, 1, 1]


def test_049_an_effect_does_not_run_again_for_what_it_wrote_itself() -> None:
    # "runs 1x per write": the writer knows what it wrote; later writes from outside count.
    source = lt.signal(0)
    copy = lt.memo(lambda: source.value)

    @lt.effect
    def reset() -> None:
        if copy() > 0:
            source.value = 0

    for value in (1, 2):
        runs = reset.runs
        source.value = value
        assert (source.value, reset.runs - runs) == (0, 1)


def test_062_an_effect_that_always_increments_what_it_reads_runs_once() -> None:
    # "no throw": follows from 49.
    source = lt.signal(0)

    @lt.effect
    def increment() -> None:
        source.value += 1

    assert (source.value, increment.runs) == (1, 1)


def test_175_the_writes_of_one_effect_are_one_batch() -> None:
    # "batched": other effects see all of them or none.
    a, b, c, seen = lt.signal(0), lt.signal(0), lt.signal(0), []

    @lt.effect
    def fill() -> None:
        b.value = a.value + 1
        c.value = a.value + 2

    total = lt.memo(lambda: b.value + c.value)
    lt.effect(lambda: seen.append(total()))
    a.value = 10
    assert seen == [3, 23]
