# SPDX-License-Identifier: MIT
"""Random programs, native and in plain Python, agree to the bit.

A fixed number of seeds here; LATTICE_FUZZ_SECONDS=600 goes on with new ones for that long, from
LATTICE_FUZZ_SEED on (`./run fuzz jit`). A program that differs is shown with its seed and shrunk:
lines that it differs without are left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jit_programs as programs
import lattice as lt

SEEDS = int(os.environ.get("LATTICE_FUZZ_COUNT", "150"))
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


def shrunk(text: str, differs: Callable[[str], str | None]) -> str:
    """A program as short as leaving out lines makes it, and what is wrong with it."""
    lines = text.splitlines(keepends=True)
    problem = differs(text)
    shorter = True
    while shorter:
        shorter = False
        for k in range(len(lines) - 2, 0, -1):
            rest = [*lines[:k], *lines[k + 1 :]]
            try:
                found = differs("".join(rest))
            except SyntaxError:
                continue
            if found is not None:
                lines, problem, shorter = rest, found, True
                break
    return f"{''.join(lines)}{problem}"


def differs_on_arrays(text: str, args: tuple[Any, ...], count: list[int]) -> str | None:
    plain = programs.define(text)
    native = lt.jit(plain)
    want = programs.outcome(plain, args)
    got = programs.outcome(native, args)
    count[0] += native.fallback is not None
    if want[0] != got[0] or (want[0] == "raised" and want[1] is not got[1]):
        return f"{args}\nwant {want}\ngot  {got}"
    if want[0] == "value" and not programs.same(want[1], got[1]):
        return f"{args}\nwant {want[1]!r}\ngot  {got[1]!r}"
    return None


def differs_on_numbers(text: str, calls: list[tuple[Any, ...]], count: list[int]) -> str | None:
    plain = programs.define(text)
    native = lt.jit(plain)
    for args in calls:
        want = programs.outcome(plain, args)
        got = programs.outcome(native, args)
        if want[0] != got[0] or (want[0] == "raised" and want[1] is not got[1]):
            return f"{args}\nwant {want}\ngot  {got}"
        # A variable that is an int on one way and a float on another is a float.
        if want[0] == "value" and not programs.same(want[1], got[1], exact_types=False):
            return f"{args}\nwant {want[1]!r}\ngot  {got[1]!r}"
    count[0] += native.fallback is not None
    return None


def test_array_programs_give_numpys_bits():
    fell_back = [0]

    def check(seed: int) -> str | None:
        program = programs.Arrays(seed)
        args = tuple(program.args)
        if differs_on_arrays(program.text, args, fell_back) is None:
            return None
        return shrunk(program.text, lambda text: differs_on_arrays(text, args, [0]))

    report(seeds(check))
    # float16 and mistakes of type are NumPy's; most programs must have been native.
    assert SECONDS or fell_back[0] < SEEDS * 0.4


def test_programs_of_python_numbers_give_cpythons_results():
    fell_back = [0]

    def check(seed: int) -> str | None:
        program = programs.Scalars(seed)
        calls = [program.arguments() for _ in range(3)]
        if differs_on_numbers(program.text, calls, fell_back) is None:
            return None
        return shrunk(program.text, lambda text: differs_on_numbers(text, calls, [0]))

    report(seeds(check))
    assert SECONDS or fell_back[0] < SEEDS * 0.5


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
    assert SECONDS or fell_back < SEEDS * 0.5


@pytest.mark.parametrize("count", [3, 9, 200, 10000])
def test_reductions_walk_a_negative_stride_in_the_order_of_the_indices(count):
    values = np.random.default_rng(count).random(count) - 0.5
    functions = [lambda x: np.sum(x), lambda x: np.prod(x), lambda x: np.sum(x * 1.5)]
    for plain in functions:
        native = lt.jit(plain, strict=True)
        for view in (values[::-1], values[::-2], values[::-1].reshape(1, -1)):
            assert programs.same(plain(view), native(view))


PLANTED = [
    "add is sub",
    "lt is le",
    "eq is le",
    "min is max",
    "mod is fmod",
    "and is or",
    "abs is neg",
    "floor is ceil",
    "rint is trunc",
    "sum is max",
    "select is swapped",
]


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_miscompile_is_found_by_the_gates_runs(what, monkeypatch):
    from lattice._jit.compiler import Compiled

    record = Compiled.record

    def miscompiled(self: Any, *args: Any) -> Any:
        made = record(self, *args)
        if " = loop " not in str(made.ir):  # it might never end
            made.ir = made.ir._planted(what)
        return made

    monkeypatch.setattr(Compiled, "record", miscompiled)
    for seed in range(SEEDS):
        program = programs.Arrays(seed)
        if differs_on_arrays(program.text, tuple(program.args), [0]) is not None:
            return
        numbers = programs.Scalars(seed)
        calls = [numbers.arguments() for _ in range(3)]
        if differs_on_numbers(numbers.text, calls, [0]) is not None:
            return
    pytest.fail(f"{SEEDS} programs of each kind did not notice that {what}")
