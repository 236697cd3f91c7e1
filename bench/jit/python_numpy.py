# SPDX-License-Identifier: MIT
"""NumPy, as a user writes it: whole arrays, ``out=`` where one call has it."""

from __future__ import annotations

import jit_measure as measure
import kernels
import numpy as np


def call_out(case: str) -> None:
    a, b, c = kernels.axpy_data(8)
    out, scratch = np.empty(8), np.empty(8)
    names = {"a": a, "b": b, "c": c, "o": out, "t": scratch, "m": np.multiply, "p": np.add}
    measure.say(case, "ns", measure.per_call("m(a, b, o); m(c, 2, t); p(o, t, o)", names))


def elementwise(case: str) -> None:
    a, b, c = kernels.axpy_data(kernels.SIZES[case.split()[-1]])
    out, scratch = np.empty_like(a), np.empty_like(a)

    def run() -> None:
        np.multiply(a, b, out)
        np.multiply(c, 2, scratch)
        np.add(out, scratch, out)

    measure.say(case, "us", measure.fastest(run) * 1e6)


def fresh(case: str) -> None:
    a, b, c = kernels.axpy_data(10_000_000)
    measure.say(case, "us", measure.fastest(lambda: kernels.axpy(a, b, c)) * 1e6)


def black_scholes(case: str) -> None:
    data = kernels.black_scholes_data(1_000_000)
    measure.say(case, "us", measure.fastest(lambda: kernels.black_scholes(*data)) * 1e6)


def blend(case: str) -> None:
    x, y = kernels.uniform(1_000_000, seed=1), kernels.uniform(1_000_000, seed=2)
    measure.say(case, "us", measure.fastest(lambda: kernels.blend(x, y)) * 1e6)


def function(case: str) -> None:
    name = case.split("/")[1].split()[0]
    x = kernels.uniform(1_000_000, *kernels.FUNCTIONS[name])
    out, ufunc = np.empty_like(x), getattr(np, name)
    measure.say(case, "us", measure.fastest(lambda: ufunc(x, out)) * 1e6)


def total(case: str) -> None:
    x = kernels.uniform(1_000_000)
    measure.say(case, "us", measure.fastest(lambda: np.sum(x)) * 1e6)


CASES: dict[str, measure.Case] = {"call/three arrays of 8, out": call_out}
for _threads in ("1 thread", "2 threads"):
    CASES |= {f"{_threads}/elementwise {size}": elementwise for size in kernels.SIZES}
    CASES |= {
        f"{_threads}/elementwise 1e7, fresh result": fresh,
        f"{_threads}/black-scholes 1e6": black_scholes,
        f"{_threads}/blend 1e6": blend,
        f"{_threads}/sum, numpy order 1e6": total,
    }
    CASES |= {f"{_threads}/{name} 1e6": function for name in kernels.FUNCTIONS}

if __name__ == "__main__":
    measure.main(CASES)
