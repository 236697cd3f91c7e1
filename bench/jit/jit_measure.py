# SPDX-License-Identifier: MIT
"""What the programs of the bench jit share: options, threads, data, clocks, the line of a case.

A program is a table of cases; ``main()`` runs those that begin with the prefix given. The number
of threads is the part's (``1 thread/``, ``2 threads/``) and is set by the processor affinity of
the process before any library makes a pool, so import this module first.
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
SECONDS = 0.15 if QUICK else 0.6  # that one case is repeated for
CPU_CLOCK = os.environ.get("LATTICE_BENCH_CLOCK") == "cpu"


def _prefix() -> str:
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", default="", help="only the cases that begin so")
    prefix: str = parser.parse_args().case
    return prefix


PREFIX = _prefix()
THREADS = 2 if PREFIX.startswith("2 threads") else 1
if THREADS == 1:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for _variable in (
    "OMP_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "MKL_NUM_THREADS",
    "LATTICE_JIT_THREADS",
):
    os.environ[_variable] = str(THREADS)

# Processor time is of all threads together, so it says nothing about the use of two.
clock = time.process_time if CPU_CLOCK and THREADS == 1 else time.perf_counter

Case = Callable[[str], None]


def wanted(case: str) -> bool:
    return case.startswith(PREFIX)


def say(case: str, unit: str, value: float, **others: Any) -> None:
    print(json.dumps({"case": case, unit: round(value, 4), **others}), flush=True)


def check(held: object, what: str) -> None:
    """Ends the program when a result is wrong: a fast wrong answer is no figure."""
    if not held:
        sys.exit(f"wrong result in {what}")


def fastest(run: Callable[[], object], seconds: float = SECONDS) -> float:
    """Seconds of the fastest of the calls that fit into the time, five at least."""
    run()
    best = float("inf")
    end = time.perf_counter() + seconds
    count = 0
    while count < 5 or time.perf_counter() < end:
        begin = clock()
        run()
        best = min(best, clock() - begin)
        count += 1
    return best


def per_call(statement: str, names: dict[str, Any], loops: int = 20_000) -> float:
    """Nanoseconds of a statement, the loop's own cost taken off; the fastest of several loops."""
    source = (
        "def run(n, {0}):\n begin = clock()\n for i in range(n):\n  {1}\n return clock() - begin"
    )
    figures = []
    for text in (statement, "pass"):
        scope: dict[str, Any] = {"clock": clock}
        exec(source.format(", ".join(names), text), scope)
        loop = scope["run"]
        loop(loops, **names)
        figures.append(min(loop(loops, **names) for _ in range(5 if QUICK else 15)))
    return (figures[0] - figures[1]) / loops * 1e9


def main(cases: dict[str, Case]) -> None:
    for case, run in cases.items():
        if wanted(case):
            run(case)
