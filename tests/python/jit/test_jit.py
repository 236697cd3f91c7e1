# SPDX-License-Identifier: MIT
"""What jit and vectorize promise besides results: errors, guards, signatures, threads."""

from __future__ import annotations

import math
import threading
import warnings

import numpy as np
import pytest

import lattice as lt
from lattice._jit.errors import UnsupportedError
from lattice.tracer import OpCode, TracedValue, trace

X = np.linspace(-2.0, 2.0, 9)


def test_the_original_tracer_records_inputs_operators_and_the_output():
    with trace() as t:
        t.set_output(TracedValue(5.0, "x") * 2 + 10)
    ir = t.to_ir()
    assert [item["name"] for item in ir["inputs"]] == ["x"]
    ops = [node["op"] for node in ir["nodes"]]
    assert ops[0] is OpCode.PARAM
    assert ops[-1] is OpCode.ADD
    assert OpCode.MUL in ops
    assert ir["outputs"] == [len(ir["nodes"]) - 1]


def test_a_traced_value_outside_of_a_trace_says_how():
    with pytest.raises(RuntimeError, match="with trace"):
        TracedValue(1.0)


def test_a_function_is_traced_once_for_each_signature():
    @lt.jit(strict=True)
    def f(x):
        return x * 2

    f(1.0), f(2.0), f(X), f(X[::2]), f(X.astype(np.float32)), f(3)
    assert f._impl.traces == 4


def test_an_if_on_an_array_names_the_line_and_the_cure():
    @lt.jit(strict=True)
    def f(x):
        if x > 0:
            return x
        return -x

    with pytest.raises(lt.TraceError) as caught:
        f(X)
    text = str(caught.value)
    line = f.__wrapped__.__code__.co_firstlineno + 2
    assert f"test_jit.py:{line}:" in text
    assert "vectorize" in text
    assert len(text.splitlines()) <= 12


def test_what_cannot_be_traced_runs_in_python_with_a_warning_of_line_and_reason():
    @lt.jit
    def f(x):
        try:
            return x + 1
        finally:
            pass

    with pytest.warns(RuntimeWarning, match=r"test_jit.py:\d+.*try cannot be native") as seen:
        results = f(X), f(1)
    assert (results[0] == X + 1).all()
    assert results[1] == 2
    assert f.fallback
    assert not f.compiled
    assert len({str(w.message) for w in seen}) == 1


def test_strict_refuses_side_effects():
    seen = []

    @lt.jit(strict=True)
    def f(x):
        seen.append(1)
        return x

    with pytest.raises(lt.TraceError, match="append"):
        f(1.0)

    @lt.jit(strict=True)
    def g(x):
        print(x)
        return x

    with pytest.raises(lt.TraceError, match="side effect"):
        g(1.0)
    assert seen == []


def test_an_argument_is_not_changed_in_place():
    @lt.jit(strict=True)
    def f(x):
        x += 1
        return x

    with pytest.raises(lt.TraceError, match="argument"):
        f(X.copy())


def test_recursion_is_refused_by_name():
    @lt.jit(strict=True)
    def f(n):
        return n if n < 2 else helper(n)

    def helper(n):
        return f.__wrapped__(n - 1)

    with pytest.raises(lt.TraceError, match="recursion"):
        f(5)


RATE = 2.0


def test_a_global_is_a_constant_until_it_is_bound_anew():
    global RATE

    @lt.jit(strict=True)
    def f(x):
        return x * RATE

    RATE = 2.0
    assert f(3.0) == 6.0
    RATE = 5.0
    assert f(3.0) == 15.0
    assert f(3.0) == 15.0
    assert f._impl.traces == 2


def test_a_closure_cell_is_guarded_and_a_captured_array_is_read_live():
    scale = 1.5
    table = np.array([1.0, 2.0, 3.0])

    @lt.jit(strict=True)
    def f(x):
        return x * scale + table

    assert (f(2.0) == 3.0 + table).all()
    scale = 2.0
    assert (f(2.0) == 4.0 + table).all()
    table[0] = 100.0
    assert f(2.0)[0] == 104.0


def test_a_list_that_changes_under_its_name_is_traced_anew():
    weights = [1.0, 2.0]

    @lt.jit(strict=True)
    def f(x):
        return x * weights[0] + weights[1]

    assert f(3.0) == 5.0
    weights[1] = 10.0
    assert f(3.0) == 13.0


def test_ints_beyond_64_bits_are_pythons():
    @lt.jit(strict=True)
    def f(a, b):
        return a * b + 1

    assert f(3, 4) == 13
    assert f(2**40, 2**40) == 2**80 + 1
    assert f(2**100, 1) == 2**100 + 1
    assert f(3, 4) == 13


def test_division_by_zero_raises_for_python_numbers_and_warns_for_arrays():
    @lt.jit(strict=True)
    def f(a, b):
        return a / b

    with pytest.raises(ZeroDivisionError):
        f(1.0, 0.0)
    with pytest.raises(ZeroDivisionError):
        f(1, 0)
    with np.errstate(divide="ignore"):
        assert f(np.array([1.0]), np.array([0.0]))[0] == np.inf


def test_math_functions_raise_as_python_does():
    @lt.jit(strict=True)
    def f(x):
        return math.sqrt(x) + math.log(x)

    assert f(2.0) == pytest.approx(math.sqrt(2.0) + math.log(2.0), rel=1e-15)
    with pytest.raises(ValueError, match=r"math domain error|positive|nonnegative"):
        f(-1.0)


def test_an_exception_of_the_function_is_raised_by_python():
    @lt.jit(strict=True)
    def f(x):
        if x < 0:
            raise ValueError(f"{x} is negative")
        assert x != 3, "no threes"
        return x + 1

    assert f(1) == 2
    with pytest.raises(ValueError, match="-4 is negative"):
        f(-4)
    with pytest.raises(AssertionError, match="no threes"):
        f(3)


def test_keywords_and_defaults_reach_their_places():
    @lt.jit(strict=True)
    def f(a, b=10.0, *, c=1.0):
        return a * b + c

    assert f(2.0) == 21.0
    assert f(2.0, 3.0) == 7.0
    assert f(b=3.0, a=2.0, c=0.5) == 6.5
    with pytest.raises(TypeError):
        f()
    with pytest.raises(TypeError):
        f(1.0, d=2)


def test_out_takes_the_result_and_checks_it():
    @lt.jit(strict=True)
    def f(x):
        return x + 1

    out = np.empty_like(X)
    assert f(X, out=out) is out
    assert (out == X + 1).all()
    here = X.copy()
    f(here, out=here)
    assert (here == X + 1).all()
    with pytest.raises(ValueError, match="shape"):
        f(X, out=np.empty(3))
    with pytest.raises(TypeError, match="dtype"):
        f(X, out=np.empty(X.shape, np.int32))


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_small_calls_on_contiguous_arrays_agree_with_all_others(n, dtype):
    def axpy(a, b, c):
        return a * b + c * 2

    f = lt.jit(strict=True)(axpy)
    a, b, c = (np.arange(n).astype(dtype) * k + k for k in (1, 3, 5))
    want = axpy(a, b, c)
    for _ in range(4):  # machine code is there from the second run on
        out = np.full(n, 99, dtype)
        assert f(a, b, c, out=out) is out
        assert (out == want).all()
        fresh = f(a, b, c)
        assert fresh.dtype == want.dtype
        assert fresh.shape == want.shape
        assert (fresh == want).all()
    wide = np.full((3, 2 * n), 7, dtype)
    wide[0, ::2], wide[1, ::2], wide[2, ::2] = a, b, c
    spread = np.full(2 * n, 99, dtype)
    f(wide[0, ::2], wide[1, ::2], wide[2, ::2], out=spread[::2])
    assert (spread[::2] == want).all()
    assert (spread[1::2] == 99).all()
    assert (f(a[::-1], b[::-1], c[::-1]) == want[::-1]).all()
    same = a.copy()
    f(same, b, c, out=same)
    assert (same == want).all()
    same = c.copy()
    f(a, b, same, out=same)
    assert (same == want).all()
    for shift in (-1, 1):
        memory = np.zeros(n + 2, dtype)
        memory[1 : n + 1] = a
        out = memory[1 + shift : n + 1 + shift]
        f(memory[1 : n + 1], b, c, out=out)
        assert (out == want).all()
    assert f.fallback is None


def test_small_calls_check_their_arguments_each_time():
    @lt.jit(strict=True)
    def f(x, y):
        return x + y

    x = np.arange(8.0)
    out = np.empty(8)
    for _ in range(4):
        f(x, x, out=out)
    with pytest.raises(ValueError, match="shape"):
        f(x, x, out=np.empty(9))
    with pytest.raises(TypeError, match="dtype"):
        f(x, x, out=np.empty(8, np.float32))
    with pytest.raises(TypeError, match="dtype"):
        f(x, x, out=np.empty(8, ">f8"))
    with pytest.raises(TypeError, match="arrays"):
        f(x, x, out=[0.0] * 8)
    frozen = np.zeros(8)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        f(x, x, out=frozen)
    assert (frozen == 0).all()
    with pytest.raises(ValueError, match="broadcast"):
        f(x, np.arange(9.0), out=out)
    assert (f(x, np.arange(1.0, 2.0), out=out) == x + 1).all()
    with pytest.raises(UnsupportedError, match=">f8"):
        f(np.arange(8.0, dtype=">f8"), x)
    assert f(x, x, out=None) is not out
    assert (f(x, y=x, out=out) == x + x).all()
    plane = np.arange(16.0).reshape(2, 8)
    for _ in range(3):
        assert (f(plane, plane) == plane * 2).all()
        assert (f(plane.T, plane.T) == plane.T * 2).all()
        assert (f(plane, x) == plane + x).all()
        assert (f(x, 2.5) == x + 2.5).all()
        assert (f(x, np.float32(2.5)) == x + np.float32(2.5)).all()


def test_small_calls_warn_and_see_changed_globals():
    scale = 2.0

    @lt.jit(strict=True)
    def f(x):
        return scale / x

    x = np.arange(1.0, 9.0)
    for _ in range(4):
        assert (f(x) == 2.0 / x).all()
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        f(np.zeros(8))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        f(np.zeros(8), out=np.empty(8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(x)
    scale = 3.0
    assert (f(x) == 3.0 / x).all()


def test_an_argument_named_out_is_an_argument():
    @lt.jit(strict=True)
    def f(x, out):
        return x + out

    x = np.arange(8.0)
    for _ in range(4):
        assert (f(x, out=x) == x + x).all()
        assert (f(x, x) == x + x).all()
    with pytest.raises(TypeError):
        f(x, x, out=x)


def test_several_results_keep_their_form():
    @lt.jit(strict=True)
    def f(x):
        return {"sum": np.sum(x), "both": [x, x * 2]}

    result = f(X)
    assert result["sum"] == X.sum()
    assert (result["both"][1] == X * 2).all()

    @lt.jit(strict=True)
    def g(x):
        return x, 2 * x

    assert isinstance(g(X), tuple)


def test_lengths_that_do_not_fit_raise_as_in_numpy():
    @lt.jit(strict=True)
    def f(a, b):
        return a + b

    assert (f(X, X) == 2 * X).all()
    with pytest.raises(ValueError, match="broadcast"):
        f(X, X[:3])


def test_results_of_elements_that_ignore_an_argument_have_its_shape():
    @lt.vectorize(strict=True)
    def f(x, y):
        return 1.0

    assert f(X, X[:, None]).shape == (9, 9)


def test_errstate_is_honoured():
    @lt.jit(strict=True)
    def f(x):
        return 1.0 / x

    zero = np.zeros(3)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        f(zero)
    with np.errstate(divide="warn"), pytest.warns(RuntimeWarning, match="divide by zero"):
        f(zero)
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (f(zero) == np.inf).all()


def test_a_lambda_and_code_without_source_are_traced():
    square = (
        lt.jit(lambda x: x * x if x > 0 else -x, strict=True)
        if False
        else lt.jit(strict=True)(lambda x: x * x if x > 0 else -x)
    )
    assert square(3.0) == 9.0
    assert square(-3.0) == 3.0
    scope: dict = {}
    exec("def f(x):\n    if x > 1 and x < 5:\n        return x + 1\n    return x - 1\n", scope)
    f = lt.jit(strict=True)(scope["f"])
    assert [f(x) for x in (0.0, 2.0, 7.0)] == [-1.0, 3.0, 6.0]
    assert f._impl.traces == 1


def test_threads_call_the_same_kernel():
    @lt.jit(strict=True)
    def f(x):
        return np.sum(x * x)

    data = np.arange(50_000.0)
    want = f(data)
    wrong = []

    def work():
        for _ in range(20):
            if f(data) != want:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nep_50_python_numbers_are_weak_and_numpys_are_not():
    @lt.jit(strict=True)
    def f(x, y):
        return x * y + 1

    single = np.ones(3, np.float32)
    assert f(single, 2.0).dtype == np.float32
    assert f(single, np.float64(2)).dtype == np.float64
    assert f(np.ones(3, np.int8), 2).dtype == np.int8
    with pytest.raises(OverflowError):
        f(np.ones(3, np.int8), 300)


def test_explain_and_ir_show_what_was_made():
    @lt.jit(strict=True)
    def f(x):
        return x + 1

    f(X)
    assert "add" in f.ir()
    assert "kernel" in f.explain()
    assert isinstance(f.asm(), str)
    assert "f" in repr(f)


def test_a_method_is_bound():
    class Model:
        @lt.jit
        def area(self, r):
            return 3.0 * r * r

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert Model().area(2.0) == 12.0


LARGE = 2**62 + 1


def test_a_large_int_that_merges_with_a_float_is_not_rounded():
    # float64 does not hold LARGE; each of these merges an int with a float in another way.
    def one_side(a, b):
        x = a
        if b > 0:
            x = 0.5
            b = b * 3
        return (x, b)

    def other_side(a, b):
        x = 0.5
        if b < 0:
            b = b * 3
            x = a
        return (x, b)

    def expression(a, b):
        return a if b < 0 else 0.5

    def before_a_loop(a, b):
        x = a
        k = 0
        while k < b:
            x = x * 0.5
            k += 1
        return x

    def in_a_loop(a, b):
        x = 0.5
        for k in range(-b):
            x = a + k
        return x

    def constant(a, b):
        return 4611686018427387905 if b < 0 else a * 0.5

    for plain in (one_side, other_side, expression, before_a_loop, in_a_loop, constant):
        native = lt.jit(plain, strict=True)
        for args in [(5, -1), (5, 2), (LARGE, -1), (-LARGE, -1), (LARGE, 2)]:
            assert native(*args) == plain(*args), (plain.__name__, args)


def test_square_of_bools_is_int8():
    @lt.jit(strict=True)
    def native(x):
        return np.square(x > 0)

    got = native(X)
    assert got.dtype == np.int8
    assert np.array_equal(got, np.square(X > 0))


CLIPS = [
    (np.array([True, False]), 7, np.array([3, -4], np.int8), np.int8),
    (np.array([True, False]), False, True, np.bool_),
    (np.array([True, False]), 0, 1, np.int64),
    (np.array([3, 9], np.uint16), 1e-3, np.array([2.5, 70], np.float32), np.float32),
    (np.array([3, -9], np.int16), np.uint16(4), np.array([5, 6], np.float32), np.float32),
    (np.array([3, -9], np.int8), -300, 300, np.int8),
    (np.array([3, 200], np.uint8), -1, np.array([100, -5], np.int16), np.int16),
    (np.array([3, 200], np.uint64), np.int8(-1), 7, np.float64),
    (np.array([3, 200], np.uint8), None, 300, np.uint8),
    (2, np.array([3, 1], np.int8), np.array([3, 1], np.int8), np.int64),
]


@pytest.mark.parametrize(("x", "low", "high", "dtype"), CLIPS)
def test_clip_promotes_its_three_operands_at_once(x, low, high, dtype):
    def plain(x, low, high):
        return np.clip(x, low, high)

    arrays = [value if isinstance(value, np.ndarray) else None for value in (low, high)]

    @lt.jit(strict=True)
    def native(x, low_array, high_array):
        return np.clip(
            x,
            low if low_array is None else low_array,
            high if high_array is None else high_array,
        )

    got, want = native(x, *arrays), plain(x, low, high)
    assert got.dtype == want.dtype == dtype
    assert np.array_equal(got, want)


def test_clip_refuses_a_python_int_on_the_wrong_side_as_numpy_does():
    native = lt.jit(lambda x: np.clip(x, 300, 400))
    with pytest.raises(OverflowError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        native(np.array([1], np.int8))


def test_a_float_that_may_be_an_int_does_not_round_a_large_int():
    # x is a float natively because of one way, and an int in Python on the way that is taken.
    def added_to_a_large_one(a, b):
        x = 1 if b < 0 else 0.5
        return x + a

    def grown(a, b):
        x = a
        if b > 1000:
            x = 0.5
        return x * x * x + 1

    def raised(a, b):
        x = a if b < 0 else a * 0.5
        return x**3 + 1

    def in_a_loop(a, b):
        x = 0.5
        for k in range(4):
            y = x + a
            x = k
        return y

    for plain in (added_to_a_large_one, grown, raised, in_a_loop):
        native = lt.jit(plain, strict=True)
        for args in [(5, -1), (LARGE, -1), (-LARGE, -1), (3**20 + 2, -1), (2.5, -1), (1e300, 2)]:
            try:
                want = plain(*args)
            except OverflowError:
                with pytest.raises(OverflowError):
                    native(*args)
                continue
            assert native(*args) == want, (plain.__name__, args)


def test_a_sum_that_starts_at_the_int_0_needs_no_guard_of_its_range():
    @lt.jit(strict=True)
    def total(n):
        s = 0
        for k in range(n):
            s = s + k * 0.5
        return s

    assert total(10) == 22.5
    assert "abs" not in total.ir()
