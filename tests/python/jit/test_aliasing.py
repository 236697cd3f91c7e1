# SPDX-License-Identifier: MIT
"""``out=`` that overlaps arguments: results are as if they had been computed first, then stored."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import lattice as lt


def scaled(x: Any, y: Any, n: int) -> Any:
    return x * (n * n) + y  # an int that outgrows 64 bits sends the call back to Python


def both(x: Any, y: Any, n: int) -> Any:
    return x + y * (7 // n), y - x


def swapped(x: Any, y: Any, n: int) -> Any:
    return y, x


def chosen(x: Any, y: Any, n: int) -> Any:
    return (x - y)[::-1] + np.sum(y) * n


def looked_up(x: Any, y: Any, n: int) -> Any:
    return x + y[(x * 0).astype(np.int64) + n]  # out of bounds for a large n


KERNELS = [(scaled, 1), (both, 2), (swapped, 2), (chosen, 1), (looked_up, 1)]


def random_view(memory: np.ndarray, length: int, pick: random.Random) -> np.ndarray:
    step = pick.choice([1, 1, 1, 2, -1, -2])
    start = pick.randrange(4)
    view = memory[start:][: length * abs(step) : abs(step)]
    return view if step > 0 else view[::-1]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("function", "results"), KERNELS, ids=lambda value: str(value)[:20])
def test_random_overlaps(function: Any, results: int) -> None:
    kernel = lt.jit(function)
    pick = random.Random(function.__name__)
    reached_python = 0
    for round_number in range(400):
        length = pick.choice([1, 3, 8, 17, 100, 3000])
        memory = np.arange(length * 2 + 8, dtype=float) % 97.0
        x = random_view(memory, length, pick)
        y = x if pick.randrange(3) == 0 else random_view(memory, length, pick)
        n = pick.choice([1, 1, 2, 0, 2**40])
        outs = tuple(pick.choice([x, y, random_view(memory, length, pick)]) for _ in range(results))
        expected = memory.copy()
        moved = [
            np.ndarray(
                a.shape,
                a.dtype,
                expected,
                a.__array_interface__["data"][0] - memory.__array_interface__["data"][0],
                a.strides,
            )
            for a in outs
        ]
        before = kernel._impl.runs_plain
        try:
            value = function(x.copy(), y.copy(), n)
        except (ZeroDivisionError, IndexError) as error:
            inputs = x.copy(), y.copy()
            with pytest.raises(type(error)):
                kernel(x, y, n, out=outs if results > 1 else outs[0])
            assert np.array_equal(x, inputs[0])
            assert np.array_equal(y, inputs[1])
        else:
            for target, part in zip(moved, value if results > 1 else (value,), strict=True):
                np.copyto(target, part, casting="unsafe")
            kernel(x, y, n, out=outs if results > 1 else outs[0])
            assert np.array_equal(memory, expected), round_number
        reached_python += kernel._impl.runs_plain - before
    assert kernel.compiled
    if function is not swapped and function is not chosen:
        assert reached_python > 20


def test_a_failed_assertion_of_one_lane_leaves_the_argument_alone() -> None:
    @lt.vectorize(strict=True)
    def inverse(x: float) -> float:
        assert x != 0.0
        return 1.0 / x

    values = np.arange(1.0, 5000.0)
    inverse(values, out=values)
    assert np.array_equal(values, 1.0 / np.arange(1.0, 5000.0))
    values[4000] = 0.0
    before = values.copy()
    with pytest.raises(AssertionError):
        inverse(values, out=values)
    assert np.array_equal(values, before)
