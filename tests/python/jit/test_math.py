# SPDX-License-Identifier: MIT
"""Library functions at their ends: NumPy's values, signs of zeros and floating-point warnings."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import jit_programs as programs
import lattice as lt

ONE = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan"]
ONE += ["sinh", "cosh", "tanh"]
ENDS = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 5e-324, 1e-310]
ENDS += [-1e-310, 1e-20, 1e308, -1e308, 709.7, 709.8, 711.0, -708.5, -745.2, 750.0, -750.0]
ENDS += [1.5e5, 1e10, 1e22, 0.9999999999999999, 1.0000000000000002]


def outcome(function: Any, *args: Any) -> tuple[np.ndarray, set[str]]:
    """The result, and the kinds of warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args)
    return result, {str(one.message).split(" encountered")[0] for one in caught}


def traced(name: str, count: int) -> Any:
    arguments = ", ".join("xyz"[:count])
    text = f"def f({arguments}):\n    return np.{name}({arguments})\n"
    return lt.jit(programs.define(text), strict=True)


def check(name: str, *args: np.ndarray) -> None:
    want, numpys = outcome(getattr(np, name), *args)
    got, own = outcome(traced(name, len(args)), *args)
    where = f"{name}{tuple(float(arg[0]) for arg in args)}"
    assert own == numpys, f"{where} warns of {own}, NumPy of {numpys}"
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-15 if want.dtype == np.float64 else 2e-7)
    plain = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[plain], np.signbit(want)[plain], where)


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("count", [1, 16])
def test_ends_are_numpys_with_numpys_warnings(name, count):
    for value in ENDS:
        check(name, np.full(count, value))


@pytest.mark.parametrize("name", ONE)
def test_one_rare_element_does_not_disturb_its_neighbours(name):
    rng = np.random.default_rng(7)
    for value in ENDS:
        x = rng.random(19)
        x[rng.integers(19)] = value
        check(name, x)


COMPARING = {
    "min": lambda x: x.min(),
    "max of an expression": lambda x: (2.0 * x).max(),
    "min of an axis": lambda x: x.reshape(2, -1).min(axis=0),
    "max of rows": lambda x: x.reshape(2, -1).max(axis=1),
    "argmin": lambda x: np.argmin(x),
    "argmax of an expression": lambda x: np.argmax(2.0 * x),
    "sign": lambda x: np.sign(x),
    "maximum": lambda x: np.maximum(x, 0.0),
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "less": lambda x: x < 0.25,
}


@pytest.mark.parametrize("name", COMPARING)
@pytest.mark.parametrize("count", [6, 1000, 400_000])
def test_a_nan_among_what_is_compared_is_no_invalid_operation(name, count):
    function = COMPARING[name]
    kernel = lt.jit(function, strict=True)
    x = np.linspace(-1, 1, count)
    x[3] = np.nan
    want, numpys = outcome(function, x)
    for _ in range(3):  # by the interpreter first
        got, own = outcome(kernel, x)
        assert own == numpys == set()
        np.testing.assert_array_equal(got, want)


def test_an_invalid_operation_before_the_comparison_is_told():
    kernel = lt.jit(lambda x: np.min(x / x), strict=True)
    with np.errstate(invalid="warn"), pytest.warns(RuntimeWarning, match="invalid value"):
        kernel(np.zeros(1000))


@pytest.mark.parametrize("name", ["fmod", "mod", "floor_divide", "divmod"])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_remainders_warn_as_numpys(name, dtype):
    kernel = traced(name, 2)
    ends = [0.0, -0.0, 1.0, -2.5, 3.0, 1e30, 1e-40, np.inf, -np.inf, np.nan]
    for a in ends:
        for b in ends:
            x, y = np.full(9, a).astype(dtype), np.full(9, b).astype(dtype)
            x[1:3], y[1:3] = 7.5, 2.0
            want, numpys = outcome(getattr(np, name), x, y)
            for _ in range(2):
                got, own = outcome(kernel, x, y)
                assert own == numpys, f"{name}({a}, {b}) warns of {own}, NumPy of {numpys}"
                np.testing.assert_array_equal(got, want)
