# SPDX-License-Identifier: MIT
"""JAX on the processor, in double precision; results are waited for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import jit_measure as measure

if measure.THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import kernels
import numpy as np

jax.config.update("jax_enable_x64", True)


def with_jnp(function: Callable[..., Any]) -> Callable[..., Any]:
    """A fresh copy of a kernel that says np for jax.numpy."""
    scope = dict(kernels.__dict__, np=jnp)
    cdf = kernels.normal_cdf
    scope["normal_cdf"] = type(cdf)(cdf.__code__, scope, cdf.__name__)
    return type(function)(function.__code__, scope, function.__name__)  # type: ignore[no-any-return, call-arg]


def first_call(function: Callable[..., Any], data: tuple[Any, ...]) -> float:
    arrays = [jnp.asarray(one) for one in data]
    jax.block_until_ready(jax.jit(lambda a, b: jnp.exp(a) - b)(arrays[0], arrays[1]))
    best = float("inf")
    for _ in range(3):
        copy = with_jnp(function)
        begin = time.perf_counter()
        jax.block_until_ready(jax.jit(copy)(*arrays))
        best = min(best, time.perf_counter() - begin)
    return best


def first_axpy(case: str) -> None:
    measure.say(case, "us", first_call(kernels.axpy, kernels.axpy_data(1000)) * 1e6)


def first_black_scholes(case: str) -> None:
    data = kernels.black_scholes_data(1000)
    measure.say(case, "us", first_call(kernels.black_scholes, data) * 1e6)


def timed(case: str, function: Callable[..., Any], data: tuple[Any, ...]) -> None:
    arrays = [jnp.asarray(one) for one in data]
    f = jax.jit(function)
    measure.say(case, "us", measure.fastest(lambda: jax.block_until_ready(f(*arrays))) * 1e6)


def elementwise(case: str) -> None:
    timed(case, with_jnp(kernels.axpy), kernels.axpy_data(kernels.SIZES[case.split()[-1]]))


def fresh(case: str) -> None:
    timed(case, with_jnp(kernels.axpy), kernels.axpy_data(10_000_000))


def black_scholes(case: str) -> None:
    data = kernels.black_scholes_data(1_000_000)
    f = with_jnp(kernels.black_scholes)
    measure.check(np.allclose(jax.jit(f)(*data)[0], kernels.black_scholes(*data)[0]), case)
    timed(case, f, data)


def blend(case: str) -> None:
    data = kernels.uniform(1_000_000, seed=1), kernels.uniform(1_000_000, seed=2)
    timed(case, with_jnp(kernels.blend), data)


def mandelbrot(case: str) -> None:
    re, im = kernels.mandelbrot_data()

    def whole(cr: Any, ci: Any) -> Any:
        def go_on(state: Any) -> Any:
            step, zr, zi, _ = state
            return (step < kernels.ITERATIONS) & jnp.any(zr * zr + zi * zi < 4.0)

        def body(state: Any) -> Any:
            step, zr, zi, n = state
            inside = zr * zr + zi * zi < 4.0
            nr = jnp.where(inside, zr * zr - zi * zi + cr, zr)
            ni = jnp.where(inside, 2.0 * zr * zi + ci, zi)
            return step + 1, nr, ni, n + inside

        zero = jnp.zeros_like(cr)
        return jax.lax.while_loop(go_on, body, (0, zero, zero, zero.astype(jnp.int64)))[3]

    timed(case, whole, (re, im))


def function(case: str) -> None:
    name = case.split("/")[1].split()[0]
    x = kernels.uniform(1_000_000, *kernels.FUNCTIONS[name])
    timed(case, getattr(jnp, name), (x,))


def total(case: str) -> None:
    timed(case, jnp.sum, (kernels.uniform(1_000_000),))


CASES: dict[str, measure.Case] = {
    "first call/a*b+c*2, traced": first_axpy,
    "first call/a*b+c*2, decorated": first_axpy,
    "first call/black-scholes, traced": first_black_scholes,
    "first call/black-scholes, decorated": first_black_scholes,
}
for _threads in ("1 thread", "2 threads"):
    CASES |= {f"{_threads}/elementwise {size}": elementwise for size in kernels.SIZES}
    CASES |= {
        f"{_threads}/elementwise 1e7, fresh result": fresh,
        f"{_threads}/black-scholes 1e6": black_scholes,
        f"{_threads}/mandelbrot 512": mandelbrot,
        f"{_threads}/blend 1e6": blend,
        f"{_threads}/sum, any order 1e6": total,
    }
    CASES |= {f"{_threads}/{name} 1e6": function for name in kernels.FUNCTIONS}

if __name__ == "__main__":
    measure.main(CASES)
