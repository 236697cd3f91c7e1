# SPDX-License-Identifier: MIT
"""What signals cost from Python, next to plain Python's floor for the same work.

The floors are measured in the same run, in turns with ours: an attribute of a class with
``__slots__`` for reads and writes; and for a recomputation the slot's write and read plus the call
of the same function from C, without a loop of the interpreter around it. ``python_reaktiv.py`` and
the others do the same cases with their libraries; ``bench_alien.mjs`` does deep and broad.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench_python_floor import seconds_of_calls  # type: ignore[import-not-found]
from python_measure import (
    LOOPS,
    Slot,
    check,
    fastest_together,
    loop_of,
    main,
    say,
    time_against,
    time_iterations,
    time_statement,
)

import lattice as lt


def say_against(case: str, figures: tuple[float, float], name: str, **others: Any) -> None:
    ours, floor = figures
    say(case, ours, reference=round(floor, 3), reference_name=name, **others)


def read(case: str) -> None:
    slot, signal = Slot(12345), lt.signal(12345)
    figures = time_against("s.value", {"s": signal}, "slot.value", {"slot": slot}, copies=10)
    say_against(case, figures, "slot read")


def memo_read(case: str) -> None:
    slot, signal = Slot(12345), lt.signal(12345)
    memo = lt.memo(lambda: signal.value * 2)
    check(memo.value == 24690, case)
    figures = time_against("m.value", {"m": memo}, "slot.value", {"slot": slot}, copies=10)
    say_against(case, figures, "slot read")


def write(case: str) -> None:
    slot, signal = Slot(0), lt.signal(0)
    figures = time_against("s.value = i", {"s": signal}, "slot.value = i", {"slot": slot})
    check(signal.value == LOOPS - 1, case)
    say_against(case, figures, "slot write")


def calls_from_c(function: Callable[[], object]) -> Callable[[int], float]:
    """Calls a function so many times with no interpreter loop around it."""
    return lambda n: seconds_of_calls(function, n)


def set_memo_read(case: str) -> None:
    slot, signal = Slot(12345), lt.signal(0)
    memo = lt.memo(lambda: signal.value * 2)
    ours, store_and_read, call, empty = fastest_together(
        (loop_of("s.value = i; m.value", {"s": signal, "m": memo}), LOOPS),
        (loop_of("s.value = i; s.value", {"s": Slot()}), LOOPS),
        (calls_from_c(lambda: slot.value * 2), LOOPS),
        (loop_of("pass", {}), LOOPS),
    )
    check(memo.value == (LOOPS - 1) * 2, case)
    floor = store_and_read - empty + call
    beside = {"slot write and read": store_and_read - empty, "call from C": call}
    say_against(case, (ours - empty, floor), "floor", beside=beside, same=recomputed())


def recomputed() -> dict[str, float]:
    """Runs of the memo and of the effect per write, counted apart so that it costs no time."""
    runs = {"recomputed": 0, "effects": 0}
    signal = lt.signal(0)

    def double() -> int:
        runs["recomputed"] += 1
        return signal.value * 2

    def watch() -> None:
        runs["effects"] += 1
        memo.value  # noqa: B018

    memo = lt.memo(double)
    effect = lt.effect(watch)
    runs.update(recomputed=0, effects=0)
    for i in range(1, 101):
        signal.value = i
    effect.dispose()
    return {key: count / 100 for key, count in runs.items()}


def set_memo_effect(case: str) -> None:
    signal = lt.signal(0)
    memo = lt.memo(lambda: signal.value * 2)
    effect = lt.effect(lambda: memo.value)
    ns = time_statement("s.value = i", {"s": signal})
    check(memo.value == (LOOPS - 1) * 2, case)
    effect.dispose()
    say(case, ns, same=recomputed())


def deep(case: str) -> None:
    """kairo deep: a chain of 50 memos with an effect at its end."""
    head: Any = lt.signal(0)
    current: Any = head
    for _ in range(50):
        current = lt.memo(lambda before=current: before.value + 1)
    count = 0

    def watch() -> None:
        nonlocal count
        current.value  # noqa: B018
        count += 1

    effect = lt.effect(watch)

    def iterate() -> None:
        nonlocal count
        head.value = 1
        count = 0
        for i in range(50):
            head.value = i
            check(current.value == 50 + i, case)
        check(count == 50, case)

    say(case, time_iterations(iterate, 51), same={"effects": count})
    effect.dispose()


def broad(case: str) -> None:
    """kairo broad: 50 chains of two memos and an effect on one signal."""
    head: Any = lt.signal(0)
    count = 0
    effects = []
    last: Any = None
    for i in range(50):
        current: Any = lt.memo(lambda i=i: head.value + i)
        last = lt.memo(lambda current=current: current.value + 1)

        def watch(last: Any = last) -> None:
            nonlocal count
            last.value  # noqa: B018
            count += 1

        effects.append(lt.effect(watch))

    def iterate() -> None:
        nonlocal count
        head.value = 1
        count = 0
        for i in range(50):
            head.value = i
            check(last.value == i + 50, case)
        check(count == 50 * 50, case)

    say(case, time_iterations(iterate, 51), same={"effects": count})
    for effect in effects:
        effect.dispose()


def create_signal(case: str) -> None:
    say(case, time_statement("make(i)", {"make": lt.signal}, loops=LOOPS // 5))


def create_memo(case: str) -> None:
    say(case, time_statement("make(lambda: i)", {"make": lt.memo}, loops=LOOPS // 5))


if __name__ == "__main__":
    main(
        {
            "python/read": read,
            "python/memo read": memo_read,
            "python/set": write,
            "python/set, memo, read": set_memo_read,
            "python/set, memo, effect": set_memo_effect,
            "python/kairo deep": deep,
            "python/kairo broad": broad,
            "python/create signal": create_signal,
            "python/create memo": create_memo,
        }
    )
