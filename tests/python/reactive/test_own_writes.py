# SPDX-License-Identifier: MIT
"""Claims about effects that write what they read."""

from __future__ import annotations

import pytest

import lattice as lt


@pytest.mark.parametrize("is_watched", [False, True])
def test_an_effect_is_not_run_again_by_its_own_write(is_watched: bool) -> None:
    signal = lt.signal(0)
    seen: list[int] = []

    @lt.effect
    def reset() -> None:
        seen.append(signal.value)
        if signal.value == 1:
            signal.value = 0

    watcher = lt.effect(lambda: signal.value) if is_watched else None
    signal.value = 1
    assert (seen, signal.value) == ([0, 1], 0)
    signal.value = 1
    assert (seen, signal.value) == ([0, 1, 1], 0)
    reset.dispose()
    if watcher is not None:
        watcher.dispose()


def test_a_write_through_a_memo_is_what_the_next_write_is_compared_with() -> None:
    signal = lt.signal(0)
    same = lt.memo(lambda: signal.value)

    @lt.effect
    def reset() -> None:
        if same() > 0:
            signal.value = 0

    for runs in (2, 3, 4):
        signal.value = 3
        assert (signal.value, same(), reset.runs) == (0, 0, runs)


def test_an_effect_of_a_memo_does_not_run_before_the_memo_that_will_dispose_it() -> None:
    source = lt.signal(0)
    inner: list[int] = []

    @lt.memo
    def outer() -> int:
        lt.effect(lambda: inner.append(source.value))
        return source.value

    watcher = lt.effect(lambda: outer())
    source.value = 1
    assert inner == [0, 1]
    watcher.dispose()
