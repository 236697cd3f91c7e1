# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, cycles and endless loops: bounded, and the graph lives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import lattice as lt


def test_061_an_effect_that_writes_what_it_reads_is_bounded() -> None:
    source = lt.signal(0)

    @lt.effect
    def count() -> None:
        if source.value < 100:
            source.value += 1

    assert (count.runs, source.value) == (1, 1)


def test_063_a_loop_that_a_branch_opens_is_bounded() -> None:
    is_on, source = lt.signal(False), lt.signal(0)

    @lt.effect
    def work() -> None:
        if is_on.value:
            source.value += 1
        _ = source.value

    is_on.value = True
    assert work.runs <= 3
    assert source.value == 1


def test_153_a_memo_that_caught_its_own_cycle_recovers() -> None:
    source, caught = lt.signal(0), []

    @lt.memo
    def selfish() -> int:
        if source.value == 0:
            try:
                return selfish()
            except lt.CycleError as error:
                caught.append(str(error))
                return -1
        return source.value

    selfish()
    assert len(caught) == 1
    assert "selfish" in caught[0]
    source.value = 1
    assert selfish() == 1


def ring(length: int, steps: int, *, through_memo: bool = False) -> list[int]:
    """Effects that pass a number on around a ring until it reaches `steps`."""
    signals = [lt.signal(0) for _ in range(length)]
    seen: list[int] = []

    def link(index: int) -> Callable[[], None]:
        source, target = signals[index], signals[(index + 1) % length]
        read = lt.memo(lambda: source.value) if through_memo else lambda: source.value

        def work() -> None:
            value = read()
            if index == 0:
                seen.append(value)
            if value < steps:
                target.value = value + (index == length - 1)

        return work

    for index in range(length):
        lt.effect(link(index))
    return seen


def test_064_two_effects_that_trigger_each_other_are_bounded() -> None:
    seen = ring(2, 100)
    assert seen == list(range(101))  # it ends by itself, below the limit


def test_221_three_effects_that_trigger_each_other_are_bounded() -> None:
    assert ring(3, 100) == list(range(101))


def test_223_a_loop_through_a_memo_is_bounded() -> None:
    assert ring(2, 100, through_memo=True) == list(range(101))


@pytest.mark.parametrize(("length", "through_memo"), [(2, False), (3, False), (2, True)])
def test_064_221_223_without_an_end_the_loop_raises(length: int, through_memo: bool) -> None:
    with pytest.raises(lt.CycleError, match="keep triggering one another"):
        ring(length, 10**9, through_memo=through_memo)
    source = lt.signal(1)
    doubled = lt.memo(lambda: source.value * 2)
    effect = lt.effect(doubled)
    source.value = 2
    assert (doubled(), effect.runs) == (4, 2)
