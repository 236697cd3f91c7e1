# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, error handling: what is raised leaves the graph consistent."""

from __future__ import annotations

import pytest

import lattice as lt


class Wrong(Exception):
    pass


def fail_at(source: lt.Signal[int], bad: int) -> int:
    if source.value == bad:
        raise Wrong(f"at {bad}")
    return source.value


def test_084_a_memo_that_raised_at_first_recovers() -> None:
    source = lt.signal(0)
    memo = lt.memo(lambda: fail_at(source, 0))
    with pytest.raises(Wrong, match="at 0"):
        memo()
    source.value = 1
    assert memo() == 1


def test_089_the_cleanup_of_the_last_good_run_comes_before_the_run_that_raises() -> None:
    source, log = lt.signal(0), []

    @lt.effect
    def work() -> None:
        value = fail_at(source, 1)
        lt.on_cleanup(lambda: log.append(value))

    source.value = 1
    assert log == [0]
    source.value = 2
    assert (log, work.runs) == ([0], 3)


def test_090_a_cleanup_that_raises_does_not_stop_its_effect() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: (source.value, lt.on_cleanup(lambda: 1 // 0)))
    source.value = 1
    source.value = 2
    assert effect.runs == 3  # once per write: it is logged, and the effect stays


def test_091_another_branch_works_after_an_error() -> None:
    a, b = lt.signal(0), lt.signal(10)
    bad = lt.memo(lambda: fail_at(a, 1))
    good = lt.memo(lambda: b.value * 2)
    assert good() == 20
    a.value = 1
    with pytest.raises(Wrong):
        bad()
    b.value = 20
    assert (good(), good.runs) == (40, 2)


def test_092_nothing_is_left_scheduled_after_an_error() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: fail_at(source, 1) * 2)
    assert doubled() == 0
    source.value = 1
    with pytest.raises(Wrong, match="at 1"):
        doubled()
    for value in (2, 3):
        source.value = value
        assert doubled() == value * 2
    assert doubled.runs == 4


def test_154_effects_survive_a_batch_that_raised() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)
    with pytest.raises(Wrong):
        with lt.batch():
            source.value = 1
            raise Wrong
    assert effect.runs == 2
    source.value = 2
    assert (effect.runs, source.value) == (3, 2)


def test_155_an_error_is_cached_while_an_effect_watches() -> None:
    source, seen = lt.signal(0), []
    memo = lt.memo(lambda: fail_at(source, 0))

    @lt.effect
    def watch() -> None:
        try:
            seen.append(memo())
        except Wrong as error:
            seen.append(str(error))

    with pytest.raises(Wrong):
        memo()
    assert memo.runs == 1
    source.value = 1
    assert memo() == 1
    assert seen == ["at 0", 1]


def test_177_a_flush_with_an_error_leaves_nothing_for_an_unrelated_write() -> None:
    a, b, c = lt.signal(0), lt.signal(0), lt.signal(0)
    d = lt.memo(lambda: c.value)
    lt.effect(lambda: a.value)
    lt.effect(lambda: fail_at(a, 2))
    third = lt.effect(lambda: (a.value, d()))
    a.value = 2
    runs = third.runs
    b.value = 1
    assert third.runs == runs == 2


def test_211_an_error_goes_through_the_readers_and_ends() -> None:
    source = lt.signal(0)
    upper = lt.memo(lambda: fail_at(source, 1))
    lower = lt.memo(lambda: upper() * 2)
    assert lower() == 0
    source.value = 1
    with pytest.raises(Wrong, match="at 1"):
        lower()
    source.value = 2
    assert (upper(), lower()) == (2, 4)


def test_093_a_memo_goes_in_and_out_of_its_error() -> None:
    source = lt.signal(1)
    memo = lt.memo(lambda: fail_at(source, 1))
    for _ in range(3):
        source.value = 1
        with pytest.raises(Wrong):
            memo()
        source.value = 0
        assert memo() == 0
