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


def test_array_programs_give_numpys_bits():
    fell_back = 0

    def check(seed: int) -> str | None:
        nonlocal fell_back
        program = programs.Arrays(seed)
        plain = programs.define(program.text)
        native = lt.jit(plain)
        args = tuple(program.args)
        want = programs.outcome(programs.settled(program.text), args)
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


def test_the_settled_numpy_differs_from_numpy_only_in_what_numpy_leaves_open():
    """Otherwise the test above would compare with a NumPy of our own."""
    rng = programs.random.Random(5)
    own = programs.Settled()
    for dtype in ("float32", "float64"):
        for count in [1, 2, 3, 7, 8, 9, 16, 17, 31, 33, 100]:
            x, y, z = (programs.special(rng, dtype, count) for _ in range(3))
            x[rng.randrange(count)] = y[rng.randrange(count)] = -0.0
            pairs = [(np.fmin(x, y), own.fmin(x, y)), (np.fmax(x, y), own.fmax(x, y))]
            pairs += [(np.min(x), own.min(x)), (np.max(x), own.max(x))]
            pairs += [(np.clip(x, y, z), own.clip(x, y, z))]
            for numpys, settled in pairs:
                assert np.shape(numpys) == np.shape(settled)
                assert numpys.dtype == settled.dtype
                np.testing.assert_array_equal(numpys, settled)  # 0.0 equals -0.0 here
            first, second = np.zeros(count, dtype), np.full(count, -0.0, dtype)
            # A vector is long enough for the loop that says which operand is the second.
            if count in (16, 100):
                assert np.signbit(np.fmin(first, second)[:16]).all()
                assert not np.signbit(np.fmax(second, first)[:16]).any()
            assert programs.same(np.clip(first, second, second), own.clip(first, second, second))
            with np.errstate(all="ignore"):
                held = x[(x > -1) & (x < 2.0**32)]
                assert programs.same(held.astype("uint32"), programs.cast(held, "uint32"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 17, 33])
def test_of_two_equal_zeros_minimum_maximum_and_clip_take_numpys(dtype, count):
    zero, minus = np.zeros(count, dtype), np.full(count, -0.0, dtype)
    minimum = lt.jit(lambda x, y: np.minimum(x, y), strict=True)
    maximum = lt.jit(lambda x, y: np.maximum(x, y), strict=True)
    clip = lt.jit(lambda x, low, high: np.clip(x, low, high), strict=True)
    for x, y in [(zero, minus), (minus, zero)]:
        assert programs.same(np.minimum(x, y), minimum(x, y))
        assert programs.same(np.maximum(x, y), maximum(x, y))
        for low, high in [(y, y), (y[0], y[0]), (y[0], y), (y, y[0])]:
            assert programs.same(np.clip(x, low, high), clip(x, low, high)), (low, high)
        nan = y[0] * np.nan
        for low, high in [(nan, y[0]), (y[0], nan), (nan, nan)]:
            assert programs.same(np.clip(x, low, high), clip(x, low, high)), (low, high)


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


@pytest.mark.parametrize("count", [3, 9, 200, 10000])
def test_reductions_walk_a_negative_stride_in_the_order_of_the_indices(count):
    values = np.random.default_rng(count).random(count) - 0.5
    functions = [lambda x: np.sum(x), lambda x: np.prod(x), lambda x: np.sum(x * 1.5)]
    for plain in functions:
        native = lt.jit(plain, strict=True)
        for view in (values[::-1], values[::-2], values[::-1].reshape(1, -1)):
            assert programs.same(plain(view), native(view))
