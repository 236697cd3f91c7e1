# SPDX-License-Identifier: MIT
"""What one operation on a signal costs from Python, next to plain Python's floor for it.

Prints one JSON line per case: {"case", "unit", "ours", "floor", "floor_name"}, nanoseconds per
operation, the minimum over `--repeats` runs with the loop's own cost taken off. The floors: a
``__slots__`` attribute for reads and writes, the call of the same lambda for recomputation.
Machine load shows in all columns alike; compare ours with the floor of the same run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import lattice as lt


class Slot:
    """The fastest attribute that Python has."""

    __slots__ = ("value",)


def time_statement(statement: str, count: int, repeats: int, **names: Any) -> float:
    """Nanoseconds per execution of `statement`, the empty loop included."""
    parameters = ", ".join(["n", *names])
    source = (
        f"def run({parameters}):\n start = clock()\n"
        f" for i in range(n):\n  {statement}\n return clock() - start"
    )
    scope: dict[str, Any] = {"clock": time.thread_time}
    exec(source, scope)
    run: Callable[..., float] = scope["run"]
    return min(run(count, **names) for _ in range(repeats)) / count * 1e9


def cases() -> list[tuple[str, str, dict[str, Any], str, str, dict[str, Any]]]:
    slot = Slot()
    slot.value = 1
    at = {"slot": slot}
    read, write, lone = lt.signal(1), lt.signal(1), lt.signal(1)
    doubled = lt.memo(lambda: read.value * 2)
    doubled()
    source = lt.signal(1)
    recomputed = lt.memo(lambda: source.value * 2)
    watched = lt.signal(1)
    root = lt.signal(1)
    chain: Any = root
    for _ in range(50):
        chain = lt.memo(lambda below=chain: below.value + 1)
    lt.effect(lambda: write.value)
    lt.effect(lambda: watched.value)
    call = {"call": lambda: slot.value * 2}
    return [
        ("signal/get", "s.value", {"s": read}, "slot.value", "slot read", at),
        ("memo/get", "m.value", {"m": doubled}, "slot.value", "slot read", at),
        ("memo/call", "m()", {"m": doubled}, "call()", "lambda call", call),
        ("signal/set", "s.value = i", {"s": lone}, "slot.value = i", "slot write", at),
        (
            "signal/set_memo_get",
            "s.value = i; m.value",
            {"s": source, "m": recomputed},
            "slot.value = i; call()",
            "slot write + lambda call",
            {**at, **call},
        ),
        (
            "signal/set_effect",
            "s.value = i",
            {"s": watched},
            "slot.value = i; call()",
            "slot write + lambda call",
            {**at, **call},
        ),
        (
            "chain50/set_get",
            "s.value = i; m.value",
            {"s": root, "m": chain},
            "for _ in r: call()",
            "50 lambda calls",
            {"r": range(50), **call},
        ),
        ("signal/create", "make(i)", {"make": lt.signal}, "make()", "Slot()", {"make": Slot}),
        ("memo/create", "make(f)", {"make": lt.memo, "f": int}, "make()", "Slot()", {"make": Slot}),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    repeats = 3 if arguments.quick else arguments.repeats
    count = 20_000 if arguments.quick else 200_000
    empty = time_statement("pass", count * 5, repeats)
    for case, statement, names, floor_statement, floor_name, floor_names in cases():
        n = count // 20 if "50" in case or "create" in case else count
        ours = time_statement(statement, n, repeats, **names) - empty
        floor = time_statement(floor_statement, n, repeats, **floor_names) - empty
        row = {"case": case, "unit": "ns", "ours": round(ours, 1), "floor": round(floor, 1)}
        print(json.dumps({**row, "floor_name": floor_name}))


if __name__ == "__main__":
    main()
