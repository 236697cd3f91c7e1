# SPDX-License-Identifier: MIT
"""What the Python programs of this bench share: options, the clock, loops, the line of a case.

``measure.hpp`` for Python. A program is a table of cases; its ``main()`` runs those that the
options ask for. Figures are the fastest of several repetitions, with the loop's own cost taken
off where one operation is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

QUICK = os.environ.get("LATTICE_BENCH_QUICK") == "1"
REPETITIONS = 3 if QUICK else 10
LOOPS = 5_000 if QUICK else 50_000
# Processor time of this thread for figures on a machine that does other things as well.
clock = time.thread_time if os.environ.get("LATTICE_BENCH_CLOCK") == "cpu" else time.perf_counter

Iterate = Callable[[], None]


class Slot:
    """The fastest attribute that Python has."""

    __slots__ = ("value",)

    def __init__(self, value: object = None) -> None:
        self.value = value


def check(held: object, what: str) -> None:
    """Ends the program when a result is wrong: a fast wrong answer is no figure."""
    if not held:
        sys.exit(f"wrong result in {what}")


def say(case: str, ns: float, **others: Any) -> None:
    print(json.dumps({"case": case, "ns": round(ns, 3), **others}), flush=True)


def loop_of(statement: str, names: dict[str, Any], copies: int = 1) -> Callable[[int], float]:
    """A function that runs a statement in a loop, several copies in a row, and says the seconds."""
    lines = f"  {statement}\n" * copies
    source = f"def run(n, {', '.join(names)}):\n begin = clock()\n for i in range(n):\n{lines}"
    scope: dict[str, Any] = {"clock": clock}
    exec(f"{source} return clock() - begin", scope)
    run: Callable[..., float] = scope["run"]
    return lambda n: run(n, **names)


def fastest_together(*loops: tuple[Callable[[int], float], int]) -> list[float]:
    """Nanoseconds of one pass of each loop, in turns, so that noise hits all of them."""
    best = [float("inf")] * len(loops)
    for _ in range(REPETITIONS):
        for index, (loop, count) in enumerate(loops):
            best[index] = min(best[index], loop(count) / count * 1e9)
    return best


def time_statement(
    statement: str, names: dict[str, Any], *, copies: int = 1, loops: int = LOOPS
) -> float:
    """Nanoseconds of one statement, without the loop."""
    both = fastest_together(
        (loop_of(statement, names, copies), loops), (loop_of("pass", {}), loops)
    )
    return (both[0] - both[1]) / copies


def time_against(
    statement: str, names: dict[str, Any], other: str, other_names: dict[str, Any], copies: int = 1
) -> tuple[float, float]:
    """The same of two statements in turns: ours and what it is compared with."""
    ours, theirs, empty = fastest_together(
        (loop_of(statement, names, copies), LOOPS),
        (loop_of(other, other_names, copies), LOOPS),
        (loop_of("pass", {}), LOOPS),
    )
    return (ours - empty) / copies, (theirs - empty) / copies


def time_iterations(iterate: Iterate, writes: int) -> float:
    """Nanoseconds per signal write of a kairo case, for as many iterations as make 20 ms."""
    for _ in range(3):
        iterate()
    begin = clock()
    iterate()
    once = max(clock() - begin, 1e-6)
    count = max(1, round((0.005 if QUICK else 0.02) / once))

    def loop(n: int) -> float:
        begin = clock()
        for _ in range(n):
            iterate()
        return clock() - begin

    return fastest_together((loop, count))[0] / writes


def main(cases: dict[str, Callable[[str], None]]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", default="", help="only cases that begin with it")
    prefix = parser.parse_args().case
    for case, run in cases.items():
        if case.startswith(prefix):
            run(case)
