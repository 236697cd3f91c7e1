# SPDX-License-Identifier: MIT
"""The cases of python_reactive.py with reaktiv, as it comes (its locks are on)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from python_measure import LOOPS, check, main, say, time_iterations, time_statement
from reaktiv import Computed, Effect, Signal  # type: ignore[import-not-found]

FEWER = LOOPS // 10


def read(case: str) -> None:
    say(case, time_statement("s()", {"s": Signal(12345)}))


def memo_read(case: str) -> None:
    signal = Signal(12345)
    memo = Computed(lambda: signal() * 2)
    check(memo() == 24690, case)
    say(case, time_statement("m()", {"m": memo}))


def write(case: str) -> None:
    signal = Signal(0)
    say(case, time_statement("put(i)", {"put": signal.set}))
    check(signal() == LOOPS - 1, case)


def set_memo_read(case: str) -> None:
    signal = Signal(0)
    memo = Computed(lambda: signal() * 2)
    ns = time_statement("put(i); m()", {"put": signal.set, "m": memo}, loops=FEWER)
    check(memo() == (FEWER - 1) * 2, case)
    say(case, ns, same=recomputed())


def recomputed() -> dict[str, float]:
    runs = {"recomputed": 0, "effects": 0}
    signal = Signal(0)

    def double() -> int:
        runs["recomputed"] += 1
        result: int = signal() * 2
        return result

    def watch() -> None:
        runs["effects"] += 1
        memo()

    memo = Computed(double)
    effect = Effect(watch)
    runs.update(recomputed=0, effects=0)
    for i in range(1, 101):
        signal.set(i)
    effect.dispose()
    return {key: count / 100 for key, count in runs.items()}


def set_memo_effect(case: str) -> None:
    signal = Signal(0)
    memo = Computed(lambda: signal() * 2)
    effect = Effect(lambda: memo())
    ns = time_statement("put(i)", {"put": signal.set}, loops=FEWER)
    check(memo() == (FEWER - 1) * 2, case)
    effect.dispose()
    say(case, ns, same=recomputed())


def deep(case: str) -> None:
    head: Any = Signal(0)
    current: Any = head
    for _ in range(50):
        current = Computed(lambda before=current: before() + 1)
    count = 0

    def watch() -> None:
        nonlocal count
        current()
        count += 1

    effect = Effect(watch)

    def iterate() -> None:
        nonlocal count
        head.set(1)
        count = 0
        for i in range(50):
            head.set(i)
            check(current() == 50 + i, case)
        check(count == 50, case)

    say(case, time_iterations(iterate, 51), same={"effects": count})
    effect.dispose()


def broad(case: str) -> None:
    head: Any = Signal(0)
    count = 0
    effects = []
    last: Any = None

    def watching(last: Any) -> Callable[[], None]:
        def watch() -> None:
            nonlocal count
            last()
            count += 1

        return watch

    for i in range(50):
        current: Any = Computed(lambda i=i: head() + i)
        last = Computed(lambda current=current: current() + 1)
        effects.append(Effect(watching(last)))

    def iterate() -> None:
        nonlocal count
        head.set(1)
        count = 0
        for i in range(50):
            head.set(i)
            check(last() == i + 50, case)
        check(count == 50 * 50, case)

    say(case, time_iterations(iterate, 51), same={"effects": count})
    for effect in effects:
        effect.dispose()


def create_signal(case: str) -> None:
    say(case, time_statement("make(i)", {"make": Signal}, loops=FEWER))


def create_memo(case: str) -> None:
    say(case, time_statement("make(lambda: i)", {"make": Computed}, loops=FEWER))


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
