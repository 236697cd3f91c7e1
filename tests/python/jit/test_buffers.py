# SPDX-License-Identifier: MIT
"""Result arrays: aligned, and their memory is used again when they die."""

from __future__ import annotations

import gc
import pickle
import tracemalloc
from typing import Any

import numpy as np

import lattice as lt


@lt.jit(strict=True)
def axpy(a: Any, b: Any, c: Any) -> Any:
    return a * b + c * 2.0


def address(array: Any) -> int:
    return array.__array_interface__["data"][0]


def test_large_results_are_aligned_and_recycled() -> None:
    a, b, c = (np.full(1_000_000, value) for value in (2.0, 3.0, 4.0))
    first = axpy(a, b, c)
    assert first.flags.owndata
    assert first.flags.writeable
    assert first.base is None
    assert address(first) % 64 == 0
    where = address(first)
    second = axpy(a, b, c)  # while the first is alive
    assert address(second) != where
    first[:] = -1.0
    del first
    gc.collect()
    third = axpy(a, a, a)
    assert address(third) == where
    assert (third == 8.0).all()  # nothing of the first is to be seen
    assert (second == 14.0).all()


def test_views_and_slices_keep_the_memory() -> None:
    a = np.full(500_000, 1.5)
    tail = axpy(a, a, a)[-3:]
    others = [axpy(a, a, a * 0.0) for _ in range(4)]
    assert (tail == 5.25).all()
    assert all((other == 2.25).all() for other in others)


def test_results_can_be_resized_copied_and_pickled() -> None:
    a = np.full(300_000, 1.0)
    for size in (10, 299_999, 300_000, 2_000_000):
        result = axpy(a, a, a)
        result.resize(size, refcheck=False)
        kept = min(size, 300_000)
        assert (result[:kept] == 3.0).all()
        assert (result[kept:] == 0.0).all()
    result = axpy(a, a, a)
    assert np.array_equal(pickle.loads(pickle.dumps(result)), result)
    assert np.array_equal(result.copy(), result)


def test_results_count_as_numpy_memory() -> None:
    a = np.full(1_000_000, 1.0)
    axpy(a, a, a)
    tracemalloc.start()
    result = axpy(a, a, a)
    assert tracemalloc.get_traced_memory()[0] > result.nbytes
    del result
    assert tracemalloc.get_traced_memory()[0] < 1_000_000
    tracemalloc.stop()


def test_an_allocator_that_is_set_stays_set() -> None:
    a = np.full(500_000, 1.0)
    name = np._core.multiarray.get_handler_name
    before = name(np.empty(500_000))
    result = axpy(a, a, a)
    assert name(result) == "lattice"
    assert name(np.empty(500_000)) == before
