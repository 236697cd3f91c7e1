# SPDX-License-Identifier: MIT
"""Jitted functions travel: pickle, copy, other processes, Dask; and np.errstate at the call."""

from __future__ import annotations

import contextlib
import copy
import math
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import jit_kernels
import lattice as lt

RATE = 0.25


@lt.jit
def at_the_top(x):
    return x * RATE


def local_function():
    offset = np.array([1.0, 2.0, 3.0])

    @lt.jit(strict=True)
    def inside(x, y=2.0):
        return {"sum": np.sum(x * y), "parts": (x + offset, [x - y])}

    return inside


def test_a_function_of_a_module_pickles_by_name():
    assert pickle.loads(pickle.dumps(at_the_top)) is at_the_top
    assert copy.copy(at_the_top) is at_the_top
    assert copy.deepcopy(at_the_top) is at_the_top


def test_a_function_without_a_name_pickles_as_its_kernels():
    inside = local_function()
    with pytest.raises(pickle.PicklingError, match="call it once"):
        pickle.dumps(inside)
    x = np.array([1.0, 4.0, 9.0])
    want = inside(x)
    inside(x, 3.0)
    data = pickle.dumps(inside)
    assert len(data) < 4000
    for other in (pickle.loads(data), copy.copy(inside), copy.deepcopy(inside)):
        got = other(x)
        assert got.keys() == want.keys()
        assert got["sum"] == want["sum"]
        np.testing.assert_array_equal(got["parts"][0], want["parts"][0])
        np.testing.assert_array_equal(got["parts"][1][0], want["parts"][1][0])
        assert other.ir() == inside.ir()
        assert other.__name__ == "inside"
        with pytest.raises(lt.TraceError, match="none is for"):
            other(1)
        # And once more from there.
        assert pickle.loads(pickle.dumps(other))(x, y=3.0)["sum"] == inside(x, 3.0)["sum"]


def test_derivatives_and_elements_travel_too():
    gradient = lt.value_and_grad(lambda x, y: np.sum(np.sin(x) * y), (0, 1))
    x, y = np.arange(3.0), np.ones(3)
    value, (by_x, by_y) = pickle.loads(pickle.dumps((gradient(x, y), gradient)[1]))(x, y)
    assert value == np.sum(np.sin(x))
    np.testing.assert_allclose(by_x, np.cos(x), rtol=1e-15)
    np.testing.assert_allclose(by_y, np.sin(x), rtol=1e-15)

    payoff = lt.vectorize(lambda s, k: s - k if s > k else 0.0)
    payoff(x, 1.0)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(payoff))(x, 1.0), [0.0, 0.0, 1.0])


def test_a_call_that_needs_python_says_so_where_there_is_none():
    divide = lt.jit(lambda a, b: a / b)
    assert divide(1.0, 4.0) == 0.25
    other = pickle.loads(pickle.dumps(divide))
    assert other(1.0, 8.0) == 0.125
    with pytest.raises(lt.TraceError, match="division by zero"):
        other(1.0, 0.0)


def test_what_was_tampered_with_is_refused():
    f = lt.jit(lambda x: x * 2.0)
    f(1.0)
    make, (state,) = f.__reduce__()
    with pytest.raises(lt.DecodeError, match="format 99"):
        make({**state, "format": 99})
    *head, data = state["kernels"][0]
    rng = np.random.default_rng(0)
    for _ in range(200):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            broken[int(rng.integers(len(broken)))] = int(rng.integers(256))
        with contextlib.suppress(lt.LatticeError, ValueError):
            make({**state, "kernels": [(*head, bytes(broken))]})
    refused = 0
    for cut in range(len(data)):
        try:  # the canonical part alone is whole: names and lines stand behind it
            make({**state, "kernels": [(*head, data[:cut])]})
        except lt.DecodeError:
            refused += 1
    assert refused > len(data) // 4


def run_there(data, args):
    function = pickle.loads(data)
    return function(*args), function.tier


def test_another_process_compiles_what_it_gets():
    kernels = ["black_scholes", "mandelbrot", "kepler", "heat_step"]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for name in kernels:
            how, function, data = jit_kernels.KERNELS[name]
            make = lt.vectorize if how == "element" else lt.jit
            native = make(strict=True)(function)
            args = data()
            want = native(*args)
            payload = pickle.dumps(native)
            got, tier = pool.submit(run_there, payload, args).result()
            if isinstance(want, tuple):
                for a, b in zip(want, got, strict=True):
                    np.testing.assert_array_equal(a, b)
            else:
                np.testing.assert_array_equal(want, got)
            assert tier >= 0


DASK = """
import dask.array as da
import numpy as np
import lattice as lt

if __name__ == "__main__":
    scale = 3.0

    @lt.vectorize(strict=True)
    def price(s, k):
        total = 0.0
        for year in range(1, 6):
            total += max(s - k, 0.0) / (1.0 + 0.05 * year)
        return total * scale

    x = np.linspace(50.0, 150.0, 1000)
    want = price(x, 100.0)
    blocks = da.from_array(x, chunks=100)
    lazy = blocks.map_blocks(price, 100.0, dtype=float, meta=np.empty(0))
    got = lazy.compute(scheduler="processes", num_workers=2)
    assert np.array_equal(got, want), abs(got - want).max()
    print("equal", len(got))
"""


def test_kernels_go_through_dask(tmp_path):
    pytest.importorskip("dask")
    script = tmp_path / "blocks.py"
    script.write_text(DASK)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.stdout.strip() == "equal 1000", done.stderr


def test_errstate_decides_about_warnings_at_the_line_of_the_call():
    @lt.jit(strict=True)
    def logs(x, y):
        return np.log(x) + x / y

    x, y = np.array([1.0, -1.0, 0.0, 2.0]), np.array([1.0, 0.0, 1.0, 2.0])
    for _ in range(3):  # in every tier
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error")
            logs(x, y)
        with np.errstate(all="warn"), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            logs(x, y)
        line = sys._getframe().f_lineno - 1
        assert {str(one.message) for one in caught} == {
            "divide by zero encountered in logs",
            "invalid value encountered in logs",
        }
        assert {(one.filename, one.lineno) for one in caught} == {(__file__, line)}
        with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="in logs"):
            logs(x, y)
        seen = []
        with np.errstate(all="call", call=lambda kind, flag, seen=seen: seen.append(kind)):
            logs(x, y)
        assert "divide by zero" in seen
        with np.errstate(divide="ignore", invalid="raise"), pytest.raises(FloatingPointError):
            logs(x, y)
        with np.errstate(all="raise"):
            np.testing.assert_allclose(logs(y + 1, y + 1), np.log(y + 1) + 1.0)


def test_python_numbers_raise_as_in_python():
    f = lt.jit(lambda a, b: math.log(a) / b)
    assert f(1.0, 2.0) == 0.0
    with np.errstate(all="ignore"):
        with pytest.raises(ZeroDivisionError):
            f(2.0, 0.0)
        with pytest.raises(ValueError, match=r"domain|positive"):
            f(-1.0, 2.0)
