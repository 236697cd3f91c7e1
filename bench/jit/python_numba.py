# SPDX-License-Identifier: MIT
"""Numba: explicit loops where those are its fastest form, array expressions where users write them.

With ``NUMBA_BENCH_FASTMATH=1`` the same with ``fastmath=True``. Whether it found Intel's SVML is
printed on standard error.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import jit_measure as measure
import kernels
import numba
import numpy as np
from numba import njit, prange

FASTMATH = os.environ.get("NUMBA_BENCH_FASTMATH") == "1"
PARALLEL = measure.THREADS > 1
OPTIONS: dict[str, Any] = {"fastmath": FASTMATH, "parallel": PARALLEL}


def loop_axpy(a: Any, b: Any, c: Any, out: Any) -> None:
    for i in prange(a.size):
        out[i] = a[i] * b[i] + c[i] * 2


def warm_up() -> None:
    """The compiler's own start is not the user's first call: something else was compiled before."""
    x = np.ones(3)
    njit(lambda a, b: a - b)(x, x)
    njit(lambda a: np.exp(a) + np.log(a))(x)


def first_call(function: Callable[..., Any], data: tuple[Any, ...]) -> float:
    """Seconds from the decoration to the first result, the fastest of three fresh compilations."""
    warm_up()
    best = float("inf")
    for _ in range(3):
        # A new function object each time, since Numba keeps what it has compiled of one.
        copy = type(function)(function.__code__, function.__globals__, function.__name__)
        begin = time.perf_counter()
        njit(copy)(*data)
        best = min(best, time.perf_counter() - begin)
    return best


def first_axpy(case: str) -> None:
    measure.say(case, "us", first_call(kernels.axpy, kernels.axpy_data(1000)) * 1e6)


def first_black_scholes(case: str) -> None:
    scope = dict(kernels.__dict__)
    scope["normal_cdf"] = njit(kernels.normal_cdf)
    source = kernels.black_scholes
    function = type(source)(source.__code__, scope, source.__name__)
    measure.say(case, "us", first_call(function, kernels.black_scholes_data(1000)) * 1e6)


def call_scalar(case: str) -> None:
    f = njit(kernels.poly)
    measure.check(f(1.25) == kernels.poly(1.25), case)
    measure.say(case, "ns", measure.per_call("f(1.25)", {"f": f}))


def call_out(case: str) -> None:
    a, b, c = kernels.axpy_data(8)
    f = njit(loop_axpy)
    names = {"f": f, "a": a, "b": b, "c": c, "o": np.empty(8)}
    measure.say(case, "ns", measure.per_call("f(a, b, c, o)", names))


def elementwise(case: str) -> None:
    a, b, c = kernels.axpy_data(kernels.SIZES[case.split()[-1]])
    out = np.empty_like(a)
    f = njit(loop_axpy, **OPTIONS)
    f(a, b, c, out)
    measure.check(np.allclose(out, kernels.axpy(a, b, c)), case)
    measure.say(case, "us", measure.fastest(lambda: f(a, b, c, out)) * 1e6)


def fresh(case: str) -> None:
    a, b, c = kernels.axpy_data(10_000_000)
    f = njit(kernels.axpy, **OPTIONS)
    measure.say(case, "us", measure.fastest(lambda: f(a, b, c)) * 1e6)


cdf = njit(kernels.normal_cdf_element, fastmath=FASTMATH)


def loop_black_scholes(s: Any, k: Any, t: Any, call: Any, put: Any) -> None:
    for i in prange(s.size):
        root = np.sqrt(t[i])
        d1 = (np.log(s[i] / k[i]) + (0.02 + 0.5 * 0.3 * 0.3) * t[i]) / (0.3 * root)
        d2 = d1 - 0.3 * root
        discounted = k[i] * np.exp(-0.02 * t[i])
        cdf1 = cdf(d1)
        cdf2 = cdf(d2)
        call[i] = s[i] * cdf1 - discounted * cdf2
        put[i] = discounted * (1.0 - cdf2) - s[i] * (1.0 - cdf1)


def black_scholes(case: str) -> None:
    data = kernels.black_scholes_data(1_000_000)
    call, put = np.empty(1_000_000), np.empty(1_000_000)
    f = njit(loop_black_scholes, **OPTIONS)
    f(*data, call, put)
    measure.check(np.allclose(call, kernels.black_scholes(*data)[0]), case)
    measure.say(case, "us", measure.fastest(lambda: f(*data, call, put)) * 1e6)


escape = njit(kernels.mandelbrot, fastmath=FASTMATH)


def loop_mandelbrot(re: Any, im: Any, out: Any) -> None:
    for i in prange(re.shape[0]):
        for j in range(re.shape[1]):
            out[i, j] = escape(re[i, j], im[i, j])


def mandelbrot(case: str) -> None:
    re, im = kernels.mandelbrot_data()
    out = np.empty(re.shape, dtype=np.int64)
    f = njit(loop_mandelbrot, **OPTIONS)
    f(re, im, out)
    picks = [(0, 0), (256, 256), (100, 300)]
    held = all(out[p] == kernels.mandelbrot(re[p], im[p]) for p in picks)
    measure.check(held or FASTMATH, case)
    measure.say(case, "us", measure.fastest(lambda: f(re, im, out)) * 1e6)


def blend(case: str) -> None:
    x, y = kernels.uniform(1_000_000, seed=1), kernels.uniform(1_000_000, seed=2)
    f = njit(kernels.blend, **OPTIONS)
    measure.check(np.array_equal(f(x, y), kernels.blend(x, y)), case)
    measure.say(case, "us", measure.fastest(lambda: f(x, y)) * 1e6)


def function(case: str) -> None:
    name = case.split("/")[1].split()[0]
    x = kernels.uniform(1_000_000, *kernels.FUNCTIONS[name])
    out = np.empty_like(x)
    scope: dict[str, Any] = {"np": np, "prange": prange}
    exec(f"def f(x, out):\n for i in prange(x.size):\n  out[i] = np.{name}(x[i])", scope)
    f = njit(scope["f"], **OPTIONS)
    f(x, out)
    measure.check(np.allclose(out, getattr(np, name)(x)), case)
    measure.say(case, "us", measure.fastest(lambda: f(x, out)) * 1e6)


def loop_sum(x: Any) -> float:
    total = 0.0
    for i in prange(x.size):
        total += x[i]
    return total


def total(case: str) -> None:
    x = kernels.uniform(1_000_000)
    f = njit(loop_sum, **OPTIONS)
    measure.check(np.isclose(f(x), np.sum(x)), case)
    measure.say(case, "us", measure.fastest(lambda: f(x)) * 1e6)


def size(case: str) -> None:
    import llvmlite

    folder = os.path.dirname(llvmlite.__file__)
    total_bytes = sum(
        os.path.getsize(os.path.join(place, name))
        for place, _, names in os.walk(folder)
        for name in names
        if ".so" in name
    )
    measure.say(case, "MB", total_bytes / 1e6)


CASES: dict[str, measure.Case] = {
    "first call/a*b+c*2, traced": first_axpy,
    "first call/a*b+c*2, decorated": first_axpy,
    "first call/black-scholes, traced": first_black_scholes,
    "first call/black-scholes, decorated": first_black_scholes,
    "call/scalar": call_scalar,
    "call/three arrays of 8, out": call_out,
    "size/extension": size,
}
for _threads in ("1 thread", "2 threads"):
    CASES |= {f"{_threads}/elementwise {size_name}": elementwise for size_name in kernels.SIZES}
    CASES |= {
        f"{_threads}/elementwise 1e7, fresh result": fresh,
        f"{_threads}/black-scholes 1e6": black_scholes,
        f"{_threads}/mandelbrot 512": mandelbrot,
        f"{_threads}/blend 1e6": blend,
        f"{_threads}/sum, any order 1e6": total,
    }
    CASES |= {f"{_threads}/{name} 1e6": function for name in kernels.FUNCTIONS}


def run() -> None:
    svml = bool(getattr(numba.config, "USING_SVML", False))
    print(f"numba {numba.__version__}, SVML {'found' if svml else 'absent'}", file=sys.stderr)
    measure.main(CASES)


if __name__ == "__main__":
    run()
