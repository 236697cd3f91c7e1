# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, memory: who was disposed or dropped is gone."""

from __future__ import annotations

import weakref

import lattice as lt


def test_099_a_memo_that_nobody_reads_is_collected() -> None:
    source = lt.signal(0)
    box = [lt.memo(lambda: source.value * 2)]
    assert box[0]() == 0
    ref = weakref.ref(box[0])
    assert ref() is box[0]
    box.clear()
    assert ref() is None
    source.value = 5
    assert source.value == 5


def test_160_a_memo_that_lost_all_effects_is_readable_and_runs_nothing() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    effects = [lt.effect(doubled), lt.effect(doubled)]
    source.value = 1
    assert [effect.runs for effect in effects] == [2, 2]
    for effect in effects:
        effect.dispose()
    source.value = 2
    assert [effect.runs for effect in effects] == [2, 2]
    assert doubled.runs == 2
    assert doubled() == 4


def test_161_a_chain_lets_go_when_its_only_effect_ends() -> None:
    source = lt.signal(0)
    b = lt.memo(lambda: source.value + 1)
    c = lt.memo(lambda: b() + 1)
    d = lt.memo(lambda: c() + 1)
    effect = lt.effect(d)
    source.value = 1
    effect.dispose()
    source.value = 2
    assert (effect.runs, b.runs, c.runs, d.runs) == (2, 2, 2, 2)
    assert d() == 5


def test_215_one_of_two_effects_ends_and_the_other_is_told() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    first, second = lt.effect(doubled), lt.effect(doubled)
    first.dispose()
    source.value = 1
    source.value = 2
    assert (first.runs, second.runs) == (1, 3)
