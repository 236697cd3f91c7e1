# SPDX-License-Identifier: MIT
"""What signals cost from Python, next to plain Python's floor for the same work.

The floors are measured in the same run, in turns with ours: an attribute of a class with
``__slots__`` for reads and writes; and for a recomputation the slot's write and read plus the call
of the same function from C, without a loop of the interpreter around it. The cases without a floor
are in ``python_cases.py``; ``python_reaktiv.py`` and the others do all of them with their
libraries, ``bench_alien.mjs`` does deep and broad.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench_python_floor import seconds_of_calls  # type: ignore[import-not-found]
from python_cases import Cases
from python_measure import (
    LOOPS,
    Slot,
    check,
    fastest_together,
    loop_of,
    main,
    say,
    time_against,
)

import lattice as lt


def say_against(case: str, figures: tuple[float, float], name: str, **others: Any) -> None:
    ours, floor = figures
    say(case, ours, reference=round(floor, 3), reference_name=name, **others)


def calls_from_c(function: Callable[[], object]) -> Callable[[int], float]:
    """Calls a function so many times with no interpreter loop around it."""
    return lambda n: seconds_of_calls(function, n)


class Lattice(Cases):
    make_signal = staticmethod(lt.signal)
    make_memo = staticmethod(lt.memo)
    loops_of_updates = LOOPS
    loops_of_creations = LOOPS // 5

    def effect(self, function: Callable[[], object], source: Any) -> Any:
        return lt.effect(function)

    def read(self, case: str) -> None:
        slot, signal = Slot(12345), lt.signal(12345)
        figures = time_against("s.value", {"s": signal}, "slot.value", {"slot": slot}, copies=10)
        say_against(case, figures, "slot read")

    def memo_read(self, case: str) -> None:
        slot, signal = Slot(12345), lt.signal(12345)
        memo = lt.memo(lambda: signal.value * 2)
        check(memo.value == 24690, case)
        figures = time_against("m.value", {"m": memo}, "slot.value", {"slot": slot}, copies=10)
        say_against(case, figures, "slot read")

    def write(self, case: str) -> None:
        slot, signal = Slot(0), lt.signal(0)
        figures = time_against("s.value = i", {"s": signal}, "slot.value = i", {"slot": slot})
        check(signal.value == LOOPS - 1, case)
        say_against(case, figures, "slot write")

    def set_memo_read(self, case: str) -> None:
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
        say_against(case, (ours - empty, floor), "floor", beside=beside, same=self.recomputed())


if __name__ == "__main__":
    main(Lattice().table())
