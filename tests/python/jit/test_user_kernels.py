# SPDX-License-Identifier: MIT
"""Kernels as people bring them along, under strict=True; element assignment; what is refused."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import jit_user_kernels
import lattice as lt
from lattice._jit.compiler import per_element

# Results of library functions that differ in the last place, through long sums.
CLOSE = {"rtol": 1e-11, "atol": 1e-13}


def close(want, got):
    if isinstance(want, dict):
        assert want.keys() == got.keys()
        want, got = tuple(want.values()), tuple(got.values())
    if isinstance(want, (tuple, list)):
        assert type(want) is type(got)
        assert len(want) == len(got)
        for a, b in zip(want, got, strict=True):
            close(a, b)
        return
    a, b = np.asarray(want), np.asarray(got)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    np.testing.assert_allclose(b, a, equal_nan=True, **CLOSE)


def test_there_are_forty_and_more():
    assert len(jit_user_kernels.KERNELS) >= 60


@pytest.mark.parametrize("name", jit_user_kernels.KERNELS)
def test_a_kernel_is_native_and_right(name):
    how, function, data = jit_user_kernels.KERNELS[name]
    args = data()
    native = (lt.vectorize if how == "element" else lt.jit)(strict=True)(function)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = native(*copy.deepcopy(args))
        plain = data()
        want = per_element(function, plain, {}) if how == "element" else function(*plain)
        close(want, got)
        for a, b in zip(args, plain, strict=True):
            np.testing.assert_array_equal(a, b)
        for _ in range(3):
            close(want, native(*args))
    assert native.compiled
    assert native._impl.runs_plain == 0


def native(function):
    return lt.jit(strict=True)(function)


def check(function, *args):
    want = function(*copy.deepcopy(args))
    got = native(function)(*args)
    if isinstance(want, tuple):
        for a, b in zip(want, got, strict=True):
            np.testing.assert_array_equal(a, b)
            assert np.asarray(a).dtype == np.asarray(b).dtype
        return
    np.testing.assert_array_equal(want, got)
    assert np.asarray(want).dtype == np.asarray(got).dtype


SLICES = [
    slice(None),
    slice(1, -1),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(-2, 0, -2),
    slice(5, 2),
    slice(-100, 100),
    slice(2, None, 3),
    3,
    -1,
]


@pytest.mark.parametrize("key", SLICES)
def test_assignment_to_slices_of_a_vector(key):
    def whole(x, v):
        y = x.copy()
        y[key] = v
        return y

    x = np.arange(8.0)
    check(whole, x, 7.5)
    if isinstance(key, slice):
        check(whole, x, x[key] * 10)
        check(whole, x, np.array([3.0]))
        check(whole, x.astype(np.int32), x[key] * 10)

    def added(x):
        y = x + 0
        y[key] += 100
        y[key] *= y[key]
        return y

    check(added, x)


@pytest.mark.parametrize("rows", SLICES)
@pytest.mark.parametrize("columns", SLICES)
def test_assignment_to_slices_of_a_matrix(rows, columns):
    def put(x, v):
        y = x.copy()
        y[rows, columns] = v
        return y

    x = np.arange(40.0).reshape(8, 5)
    columns = min(columns, 4) if isinstance(columns, int) else columns
    check(put, x, -1.0)
    value = x[rows, columns] * 10
    check(put, x, value)
    if value.ndim == 2:
        check(put, x, value[:1])
        check(put, x, value[:, :1])
        if value.shape[0]:
            check(put, x, value[0])


def test_names_of_one_array_see_its_changes():
    def aliases(x):
        y = x.copy()
        z = y
        y[0] = 10.0
        view = y[1:4]
        view[0] = 20.0
        y[2] = 30.0
        kept = view.copy()
        row = view[::-1]
        row += 1.0
        return z, view, kept, row, y.sum()

    check(aliases, np.arange(6.0))

    def changed_by_a_helper(x):
        def bump(a, k):
            a[k] += 1.0
            return a[k]

        y = x * 1.0
        total = 0.0
        for k in range(6):
            total += bump(y, k)
        return y, total

    check(changed_by_a_helper, np.arange(6.0))

    def in_branches(x, flag):
        y = x.copy()
        z = y
        if flag > 0:
            y[0] = 1.0
            if flag > 1:
                z[1] = y[0] + 1.0
        else:
            y[2] = 3.0
            y = y * 2.0
        return y, z

    for flag in (0, 1, 2):
        check(in_branches, np.arange(6.0) * 10, flag)

    def in_loops(x):
        y = x.copy()
        z = y
        before = 0.0
        for k in range(1, 6):
            before += z[k - 1]
            if k % 2 == 1:
                y[k] = before
            j = k
            while j > 0:
                y[j - 1] += 0.5
                j -= 2
        y += 1.0
        return y, z, before

    check(in_loops, np.arange(6.0) * 10)

    def swapped(x):
        a, b = x.copy(), np.zeros_like(x)
        for _ in range(7):
            b[1:-1] = a[2:] + a[:-2]
            b[0] = a[0]
            a, b = b, a
        return a, b

    check(swapped, np.arange(6.0))

    def conditional_expression(x):
        def cleared(a):
            a[0] = 0.0
            return 1.0

        y = x.copy()
        value = cleared(y) if x.sum() > 10 else 2.0
        return y, value

    check(conditional_expression, np.arange(6.0) + 1)
    check(conditional_expression, np.arange(3.0) + 1)


def test_assignment_by_arrays_and_masks():
    index = np.array([3, 1, 1])

    def by_index(x, v):
        y = x.copy()
        y[index] = v
        y[[0, 2]] = -v[:2]
        return y

    check(by_index, np.arange(5.0), np.array([7.0, 8.0, 9.0]))

    def by_mask(x):
        y = x.copy()
        y[x < 0] = 0
        y[x > 1] *= 2
        y[np.isnan(y)] = -1
        z = np.zeros_like(x)
        z[x > 0] = np.log(x[x > 0]) + y[x > 0]
        return y, z

    x = np.array([-1.0, 0.5, 2.0, np.nan, 3.0, 0.0])
    with np.errstate(all="raise"):
        got = native(by_mask)(x)
    np.testing.assert_array_equal(got[0], by_mask(x)[0])
    np.testing.assert_allclose(got[1], by_mask(x)[1], rtol=1e-15)

    def summed(x):
        chosen = x[x > 0]
        return chosen.sum(), chosen.mean(), chosen.max(), chosen.size, (2 * chosen + 1).prod()

    x = np.array([-1.0, 0.5, 2.0, 3.0, 0.0])
    np.testing.assert_allclose(native(summed)(x), summed(x), rtol=1e-15)


def test_computed_slices():
    def windows(x, n):
        out = np.zeros(len(x) - n + 1)
        for i in range(len(out)):
            out[i] = x[i : i + n].max() - x[i : i + n].min()
        return out

    x = np.random.default_rng(0).normal(size=20)
    check(windows, x, 4)

    def blocks(x, k):
        y = x.copy()
        y[k : k + 3] = x[:3]
        return y, x[k:], x[:k], x[k - 1 : -1]

    for k in (1, 3, 5):
        check(blocks, x, k)
    # A slice that leaves the array is Python's matter, and right.
    clipped = lt.jit(blocks)
    with pytest.raises(ValueError, match="broadcast"):
        clipped(x, 19)


def test_an_argument_is_not_changed():
    def sets(x):
        x[0] = 1.0
        return x

    def adds(x):
        for _ in range(9):
            x += 1.0
        return x

    def through_a_view(x):
        v = x[1:]
        v[:] = 0.0
        return x

    for function in (sets, adds, through_a_view):
        x = np.ones(4)
        with pytest.raises(lt.TraceError, match="argument"):
            native(function)(x)
        with pytest.warns(RuntimeWarning, match="argument"):
            got = lt.jit(function)(x)
        assert got is x
        np.testing.assert_array_equal(x, function(np.ones(4)))


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda x: np.sort(x), "np.sort"),
        (lambda x: np.median(x), "np.median"),
        (lambda x: x[x > 0], r"x\[mask\] as a result"),
        (lambda x: np.unique(x), "np.unique"),
        (lambda x: np.linalg.solve(x, x), "solve"),
        (lambda x: [v * 2 for v in x], "iterating"),
        (lambda x: np.reshape(x, (2, 2), order="F"), "reshaping"),
    ],
)
def test_what_has_no_native_form_says_so(function, match):
    with pytest.raises(lt.TraceError, match=match) as caught:
        native(function)(np.ones((4, 4)) if match == "solve" else np.ones(4))
    assert "cure:" in str(caught.value)
    assert "test_user_kernels.py" in str(caught.value)


def test_ints_that_are_settings_make_a_kernel_each():
    @lt.jit(strict=True)
    def lagged(x, lags):
        return np.array([np.sum(x[k:] * x[: x.size - k]) for k in range(lags)])

    x = np.arange(6.0)
    for lags in (1, 3, 2, 3):
        want = [np.sum(x[k:] * x[: 6 - k]) for k in range(lags)]
        np.testing.assert_array_equal(lagged(x, lags), want)
    assert lagged._impl.traces == 3


def test_vectorized_functions_in_functions_of_arrays():
    @lt.vectorize
    def clipped(x, low):
        return low if x < low else x

    def total(x):
        return np.sum(clipped(x, 0.0) * 2.0)

    x = np.array([-1.0, 2.0, 3.0])
    assert native(total)(x) == 10.0


def test_creation_agrees_with_numpy_to_the_bit():
    def ranges(n, a, b):
        return (
            np.arange(n),
            np.arange(2, n, 3),
            np.arange(n, 0, -2),
            np.arange(a, b, 0.3),
            np.linspace(a, b, n),
            np.linspace(a, b, 7, endpoint=False),
            np.linspace(b, a, n + 1),
            np.zeros((n, 2)),
            np.ones(n, dtype=np.int32),
            np.full((2, n), a),
            np.eye(n),
            np.eye(3, n, k=1, dtype=np.float32),
        )

    for n in (2, 3, 10, 33):
        check(ranges, n, 0.1, 1.7)


def test_rearranging_agrees_with_numpy_to_the_bit():
    def vectors(x, y):
        return (
            np.roll(x, 3), np.roll(x, -1), np.concatenate([x, y, x]), np.stack([x, x * 2]),
            np.hstack([x, y]), np.pad(x, 2), np.pad(x, (1, 3), mode="edge"),
            np.pad(x, 2, mode="reflect"),
        )  # fmt: skip

    def more_vectors(x, y):
        return (
            np.pad(x, 2, mode="wrap"), np.repeat(x, 3),
            np.tile(y, 2), np.flip(x), np.append(x, y), np.gradient(x), np.gradient(x, 0.5),
        )  # fmt: skip

    def most_vectors(x, y):
        return (
            np.diag(x), np.outer(x, y), np.searchsorted(np.cumsum(np.abs(x)), y, side="right"),
            np.digitize(x, np.linspace(-1.0, 1.0, 5)), x.reshape(3, 4), x.reshape((2, -1)),
            np.broadcast_to(x, (2, 12)), np.array([x[0], 1, x[2] * 2]), np.array([x, x]),
            np.count_nonzero(x > 0), np.allclose(x, x + 1e-12), np.array_equal(x, x),
        )  # fmt: skip

    rng = np.random.default_rng(2)
    for function in (vectors, more_vectors, most_vectors):
        check(function, rng.normal(size=12), rng.normal(size=5))

    def matrices(a, b):
        return (
            np.roll(a, 1, axis=1), np.roll(a, (1, 2), axis=(0, 1)), np.vstack([a, b]), a.ravel(),
            np.concatenate([a, b], axis=0), a.T.reshape(-1), np.diagonal(a), np.trace(a),
            np.tril(a), np.triu(a, 1), np.tril(a, -1), np.fliplr(a), np.flipud(a),
        )  # fmt: skip

    def more_matrices(a, b):
        return (
            np.swapaxes(a, 0, 1), np.moveaxis(a, 0, 1), np.stack([a, a], axis=2),
            np.expand_dims(a, 1), np.pad(a, 1), np.pad(a, ((0, 1), (2, 0)), mode="edge"),
            np.gradient(a, axis=0), a.flatten()[::3], np.meshgrid(a[0], b[:, 0])[0],
            np.meshgrid(a[0], b[:, 0], indexing="ij")[1],
        )  # fmt: skip

    for function in (matrices, more_matrices):
        check(function, rng.normal(size=(4, 5)), rng.normal(size=(3, 5)))


def test_sums_that_skip_nans():
    def skipping(x):
        return np.nansum(x), np.nanmean(x), np.nanmax(x), np.nanmin(x), np.nanstd(x)

    x = np.array([1.0, np.nan, 3.0, -2.0])
    np.testing.assert_allclose(native(skipping)(x), skipping(x), rtol=1e-15)
