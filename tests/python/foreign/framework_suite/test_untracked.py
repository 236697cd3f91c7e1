# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, untracked reads."""

from __future__ import annotations

import lattice as lt


def test_075_an_untracked_read_in_an_effect_is_no_source() -> None:
    a, b = lt.signal(0), lt.signal(0)
    effect = lt.effect(lambda: (a.value, lt.untracked(lambda: b.value)))
    a.value = 1
    assert effect.runs == 2
    b.value = 1
    assert effect.runs == 2


def test_076_an_untracked_read_in_a_memo_is_no_source() -> None:
    a, b = lt.signal(0), lt.signal(10)
    memo = lt.memo(lambda: a.value + lt.untracked(lambda: b.value))
    assert memo() == 10
    a.value = 1
    assert memo() == 11
    b.value = 20
    assert (memo(), memo.runs) == (11, 2)


def test_117_an_untracked_read_of_a_stale_memo_is_fresh() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    assert doubled() == 0
    source.value = 5
    with lt.untracked():
        assert doubled() == 10


def test_118_untracked_reaches_through_memos() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    effect = lt.effect(lambda: lt.untracked(doubled))
    source.value = 1
    source.value = 2
    assert effect.runs == 1


def test_156_an_untracked_write_inside_an_effect() -> None:
    a, b = lt.signal(0), lt.signal(0)

    @lt.effect
    def copy() -> None:
        _ = a.value
        with lt.untracked():
            b.value = a.value * 10

    assert b.value == 0
    a.value = 1
    assert (b.value, copy.runs) == (10, 2)


def test_218_an_untracked_read_stays_untracked_over_batches() -> None:
    a, b = lt.signal(0), lt.signal(0)
    effect = lt.effect(lambda: (a.value, lt.untracked(lambda: b.value)))
    with lt.batch():
        b.value = 1
    assert effect.runs == 1
    with lt.batch():
        b.value = 2
        a.value = 1
    assert effect.runs == 2


def test_219_a_batch_inside_untracked_still_flushes_once() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)
    with lt.untracked():
        with lt.batch():
            for value in (1, 2, 3):
                source.value = value
    assert (effect.runs, source.value) == (2, 3)
