# SPDX-License-Identifier: MIT
"""Arrays that loops assign to, element by element: who else holds the array must not see it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lattice as lt


def smoothed(x, share):
    out = np.zeros_like(x)
    out[0] = x[0]
    for i in range(1, len(x)):
        out[i] = share * x[i] + (1 - share) * out[i - 1]
    return out


def exchanged(x, _):
    a, b = x * 1.0, x * 2.0
    for i in range(len(x)):
        a[i] = b[i] + i
        a, b = b, a
    return a, b


def seen_by_a_view(x, _):
    a = x * 1.0
    total = 0.0
    for i in range(len(x) - 1):
        rest = a[1:]
        a[i + 1] = a[i] + 1.0
        total = total + rest[i]
    return a, total


def in_branches_and_inner_loops(x, share):
    a, b = np.zeros_like(x), np.zeros_like(x)
    for i in range(len(x)):
        if x[i] > share:
            a[i] = x[i]
        else:
            b[i] = -x[i]
        for j in range(7):
            a[i] = a[i] + j * x[i]
    return a, b


def read_after(x, _):
    a = x * 1.0
    last = x * 1.0
    for i in range(len(x)):
        last = a + 0.0
        a[i] = 0.5 * last[i] + i
    return a, last


def of_outside(x, _):
    fixed = x * 3.0
    last = fixed + 0.0
    for i in range(len(x)):
        last = fixed + 0.0
        last[i] = i
    return fixed, last


LOOPS = [smoothed, exchanged, seen_by_a_view, in_branches_and_inner_loops, read_after, of_outside]


def tuple_of(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("function", LOOPS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("length", [2, 7, 1000])
def test_assignment_to_elements_in_a_loop_is_numpys(function, length):
    kernel = lt.jit(function, strict=True)
    x = np.random.default_rng(length).random(length)
    given = x.copy()
    want = tuple_of(function(x.copy(), 0.3))
    for _ in range(3):
        got = tuple_of(kernel(given, 0.3))
        np.testing.assert_array_equal(given, x)
        for one, other in zip(got, want, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_long_loop_is_numpys():
    kernel = lt.jit(smoothed, strict=True)
    x = np.random.default_rng(0).random(100_000)
    np.testing.assert_allclose(kernel(x, 0.5), smoothed(x, 0.5), rtol=1e-12)
