# SPDX-License-Identifier: MIT
"""Random programs, native and in plain Python, agree to the bit.

A fixed number of seeds here; LATTICE_FUZZ_SECONDS=600 goes on with new ones for that long.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import pytest

import jit_programs as programs
import lattice as lt

SEEDS = 150
SECONDS = float(os.environ.get("LATTICE_FUZZ_SECONDS", "0"))
FIRST = int(os.environ.get("LATTICE_FUZZ_SEED", "0"))


def seeds(check: Callable[[int], str | None]) -> list[str]:
    """What went wrong, with the seed and the program."""
    wrong = []
    end = time.monotonic() + SECONDS
    seed = FIRST
    while seed < FIRST + SEEDS or time.monotonic() < end:
        problem = check(seed)
        if problem is not None:
            wrong.append(f"seed {seed}: {problem}")
        seed += 1
    return wrong


def report(wrong: list[str]) -> None:
    assert not wrong, f"{len(wrong)} programs differ; the first:\n" + "\n".join(wrong[:3])


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def test_array_programs_give_numpys_bits():
    fell_back = 0

    def check(seed: int) -> str | None:
        nonlocal fell_back
        program = programs.Arrays(seed)
        plain = programs.define(program.text)
        native = lt.jit(plain)
        args = tuple(program.args)
        want = programs.outcome(plain, args)
        got = programs.outcome(native, args)
        fell_back += native.fallback is not None
        if want[0] != got[0] or (want[0] == "raised" and want[1] is not got[1]):
            return f"{program.text}{args}\nwant {want}\ngot  {got}"
        if want[0] == "value" and not programs.same(want[1], got[1]):
            return f"{program.text}{args}\nwant {want[1]!r}\ngot  {got[1]!r}"
        return None

    report(seeds(check))
    # float16 and mistakes of type are NumPy's; most programs must have been native.
    assert fell_back < SEEDS * 0.4


def test_programs_of_python_numbers_give_cpythons_results():
    fell_back = 0

    def check(seed: int) -> str | None:
        nonlocal fell_back
        program = programs.Scalars(seed)
        plain = programs.define(program.text)
        native = lt.jit(plain)
        for _ in range(3):
            args = program.arguments()
            want = programs.outcome(plain, args)
            got = programs.outcome(native, args)
            if want[0] != got[0] or (want[0] == "raised" and want[1] is not got[1]):
                return f"{program.text}{args}\nwant {want}\ngot  {got}"
            # A variable that is an int on one way and a float on another is a float.
            if want[0] == "value" and not programs.same(want[1], got[1], exact_types=False):
                return f"{program.text}{args}\nwant {want[1]!r}\ngot  {got[1]!r}"
        fell_back += native.fallback is not None
        return None

    report(seeds(check))
    assert fell_back < SEEDS * 0.5


def test_programs_per_element_give_what_python_gives_for_each():
    fell_back = 0

    def check(seed: int) -> str | None:
        nonlocal fell_back
        program = programs.Scalars(seed, lanes=True)
        plain = programs.define(program.text)
        native = lt.vectorize(plain)
        args = program.arguments()
        each = [programs.outcome(plain, pair) for pair in zip(*args, strict=True)]
        kind, got = programs.outcome(native, args)
        fell_back += native.fallback is not None
        if any(one[0] == "raised" for one in each):
            return None if kind == "raised" else f"{program.text}{args}\nwant an exception"
        if native.fallback is not None:
            return None
        if kind == "raised":
            return f"{program.text}{args}\nraised {got}"
        for index, (_, want) in enumerate(each):
            mine = tuple(part[index] for part in got) if isinstance(got, tuple) else got[index]
            if not programs.same(want, mine, exact_types=False):
                return f"{program.text}{args}\nat {index} want {want!r}\ngot  {mine!r}"
        return None

    report(seeds(check))
    assert fell_back < SEEDS * 0.5
