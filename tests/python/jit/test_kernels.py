# SPDX-License-Identifier: MIT
"""Published kernels under strict=True against plain Python and NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import jit_kernels
import lattice as lt
from lattice._jit.compiler import per_element


def close(a, b):
    """Equal but for the last digits of library functions, which differ by machine."""
    if isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            close(x, y)
        return
    left, right = np.asarray(a), np.asarray(b)
    assert left.shape == right.shape
    if left.dtype.kind == "f":
        np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-13)
    else:
        assert (left == right).all()


def test_there_are_thirty():
    assert len(jit_kernels.KERNELS) >= 30


@pytest.mark.parametrize("name", jit_kernels.KERNELS)
def test_a_published_kernel_is_native_and_right(name):
    how, function, data = jit_kernels.KERNELS[name]
    args = data()
    make = lt.vectorize if how == "element" else lt.jit
    native = make(strict=True)(function)
    got = native(*args)
    assert native.compiled
    assert native.fallback is None
    want = per_element(function, args, {}) if how == "element" else function(*args)
    close(got, want)
    # A second call takes the kernel that is there.
    close(native(*args), want)
    assert native._impl.traces == 1
    assert native._impl.runs_plain == 0


@pytest.mark.parametrize("name", [k for k, v in jit_kernels.KERNELS.items() if v[0] == "element"])
def test_a_kernelper_element_takes_python_numbers(name):
    _, function, data = jit_kernels.KERNELS[name]
    args = tuple(array[3].item() for array in data())
    native = lt.vectorize(strict=True)(function)
    close(native(*args), function(*args))
