# SPDX-License-Identifier: MIT
"""numexpr: the expression as a string."""

from __future__ import annotations

import jit_measure as measure
import kernels
import numexpr as ne
import numpy as np

ne.set_num_threads(measure.THREADS)


def elementwise(case: str) -> None:
    a, b, c = kernels.axpy_data(kernels.SIZES[case.split()[-1]])
    out, names = np.empty_like(a), {"a": a, "b": b, "c": c}
    ne.evaluate("a*b + c*2", names, out=out)
    measure.check(np.allclose(out, kernels.axpy(a, b, c)), case)
    measure.say(case, "us", measure.fastest(lambda: ne.re_evaluate(names)) * 1e6)


def fresh(case: str) -> None:
    a, b, c = kernels.axpy_data(10_000_000)
    names = {"a": a, "b": b, "c": c}
    measure.say(case, "us", measure.fastest(lambda: ne.evaluate("a*b + c*2", names)) * 1e6)


def blend(case: str) -> None:
    x, y = kernels.uniform(1_000_000, seed=1), kernels.uniform(1_000_000, seed=2)
    low = "where(x < 0.25, x * 2.0, y)"
    high = f"where(y > 0.75, y - x, {low} * 0.5)"
    text = f"where((x > y) & ({low} < 0.9), {high} + {low}, where(x < 0.5, {high}, {low}))"
    names = {"x": x, "y": y}
    measure.check(np.array_equal(ne.evaluate(text, names), kernels.blend(x, y)), case)
    measure.say(case, "us", measure.fastest(lambda: ne.re_evaluate(names)) * 1e6)


CASES: dict[str, measure.Case] = {}
for _threads in ("1 thread", "2 threads"):
    CASES |= {f"{_threads}/elementwise {size}": elementwise for size in kernels.SIZES}
    CASES |= {f"{_threads}/elementwise 1e7, fresh result": fresh, f"{_threads}/blend 1e6": blend}

if __name__ == "__main__":
    measure.main(CASES)
