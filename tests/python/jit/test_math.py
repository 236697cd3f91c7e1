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
