# SPDX-License-Identifier: MIT
"""Those cases of python_reactive.py that psygnal has: it tells of changes and derives nothing.

What a memo is elsewhere is here a cell that a slot writes whenever the cell before it changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psygnal import Signal  # type: ignore[import-not-found]
from python_measure import LOOPS, check, main, say, time_iterations, time_statement

FEWER = LOOPS // 10


class Cell:
    """A value that tells of its changes."""

    changed = Signal(int)

    def __init__(self, value: int) -> None:
        self.value = value

    def set(self, value: int) -> None:
        if value != self.value:
            self.value = value
            self.changed.emit(value)


def derived(source: Cell, function: Callable[[int], int]) -> Cell:
    cell = Cell(function(source.value))
    source.changed.connect(lambda value: cell.set(function(value)))
    return cell


def write(case: str) -> None:
    cell = Cell(0)
    say(case, time_statement("put(i)", {"put": cell.set}))
    check(cell.value == LOOPS - 1, case)


def set_memo_effect(case: str) -> None:
    head = Cell(0)
    double = derived(head, lambda value: value * 2)
    effects = 0
    seen = 0

    def watch(value: int) -> None:
        nonlocal effects, seen
        effects += 1
        seen = value

    double.changed.connect(watch)
    ns = time_statement("put(i)", {"put": head.set}, loops=FEWER)
    check(seen == (FEWER - 1) * 2, case)
    effects = 0
    for i in range(100):
        head.set(i)
    say(case, ns, same={"effects": effects / 100})


def deep(case: str) -> None:
    head: Any = Cell(0)
    current = head
    for _ in range(50):
        current = derived(current, lambda value: value + 1)
    count = 0

    def watch(value: int) -> None:
        nonlocal count
        count += 1

    current.changed.connect(watch)

    def iterate() -> None:
        nonlocal count
        head.set(1)
        count = 0
        for i in range(50):
            head.set(i)
            check(current.value == 50 + i, case)
        check(count == 50, case)

    say(case, time_iterations(iterate, 51), same={"effects": count})


def broad(case: str) -> None:
    head: Any = Cell(0)
    count = 0
    last: Any = None

    def watch(value: int) -> None:
        nonlocal count
        count += 1

    for i in range(50):
        current = derived(head, lambda value, i=i: value + i)
        last = derived(current, lambda value: value + 1)
        last.changed.connect(watch)

    def iterate() -> None:
        nonlocal count
        head.set(1)
        count = 0
        for i in range(50):
            head.set(i)
            check(last.value == i + 50, case)
        check(count == 50 * 50, case)

    say(case, time_iterations(iterate, 51), same={"effects": count})


def create_signal(case: str) -> None:
    say(case, time_statement("make(i).changed", {"make": Cell}, loops=FEWER))


if __name__ == "__main__":
    main(
        {
            "python/set": write,
            "python/set, memo, effect": set_memo_effect,
            "python/kairo deep": deep,
            "python/kairo broad": broad,
            "python/create signal": create_signal,
        }
    )
