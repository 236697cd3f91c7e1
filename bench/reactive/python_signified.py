# SPDX-License-Identifier: MIT
"""The cases of python_reactive.py with signified: new versions track reads, old ones push."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import signified  # type: ignore[import-not-found]
from python_measure import LOOPS, check, main, say, time_iterations, time_statement
from signified import Computed, Signal

FEWER = LOOPS // 10


TRACKS = hasattr(signified, "Effect")


def computed(function: Callable[[], Any], source: Any) -> Any:
    """The old versions are told what a function reads."""
    return Computed(function) if TRACKS else Computed(function, source)


class Observer:
    """What the old versions have for an effect."""

    def __init__(self, function: Callable[[], object], source: Any) -> None:
        self.update = function
        self.source = source
        source.subscribe(self)
        function()

    def dispose(self) -> None:
        self.source.unsubscribe(self)


def effect_of(function: Callable[[], object], source: Any) -> Any:
    return signified.Effect(function) if TRACKS else Observer(function, source)


def read(case: str) -> None:
    say(case, time_statement("s.value", {"s": Signal(12345)}))


def memo_read(case: str) -> None:
    signal = Signal(12345)
    memo = computed(lambda: signal.value * 2, signal)
    check(memo.value == 24690, case)
    say(case, time_statement("m.value", {"m": memo}))


def write(case: str) -> None:
    signal = Signal(0)
    say(case, time_statement("s.value = i", {"s": signal}))
    check(signal.value == LOOPS - 1, case)


def set_memo_read(case: str) -> None:
    signal = Signal(0)
    memo = computed(lambda: signal.value * 2, signal)
    ns = time_statement("s.value = i; m.value", {"s": signal, "m": memo}, loops=FEWER)
    check(memo.value == (FEWER - 1) * 2, case)
    say(case, ns, same=recomputed())


def recomputed() -> dict[str, float]:
    runs = {"recomputed": 0, "effects": 0}
    signal = Signal(0)

    def double() -> int:
        runs["recomputed"] += 1
        result: int = signal.value * 2
        return result

    def watch() -> None:
        runs["effects"] += 1
        memo.value  # noqa: B018

    memo = computed(double, signal)
    effect = effect_of(watch, memo)
    runs.update(recomputed=0, effects=0)
    for i in range(1, 101):
        signal.value = i
    effect.dispose()
    return {key: count / 100 for key, count in runs.items()}


def set_memo_effect(case: str) -> None:
    signal = Signal(0)
    memo = computed(lambda: signal.value * 2, signal)
    effect = effect_of(lambda: memo.value, memo)
    ns = time_statement("s.value = i", {"s": signal}, loops=FEWER)
    check(memo.value == (FEWER - 1) * 2, case)
    effect.dispose()
    say(case, ns, same=recomputed())


def deep(case: str) -> None:
    head: Any = Signal(0)
    current: Any = head
    for _ in range(50):
        current = computed(lambda before=current: before.value + 1, current)
    count = 0

    def watch() -> None:
        nonlocal count
        current.value  # noqa: B018
        count += 1

    effect = effect_of(watch, current)

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
    head: Any = Signal(0)
    count = 0
    effects = []
    last: Any = None

    def watching(last: Any) -> Callable[[], None]:
        def watch() -> None:
            nonlocal count
            last.value  # noqa: B018
            count += 1

        return watch

    for i in range(50):
        current: Any = computed(lambda i=i: head.value + i, head)
        last = computed(lambda current=current: current.value + 1, current)
        effects.append(effect_of(watching(last), last))

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
