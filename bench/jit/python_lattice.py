# SPDX-License-Identifier: MIT
"""Lattice: the kernels as they stand, under ``@jit`` and ``@vectorize``."""

from __future__ import annotations

import importlib.util
import linecache
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jit_measure as measure
import kernels
import numpy as np

import lattice as lt

PARALLEL = measure.THREADS > 1


def compiled(case: str, kernel: Any) -> None:
    """Ends the program when a kernel fell back to Python: its figure would be of something else."""
    measure.check(kernel.compiled and not kernel.fallback, f"{case}: not compiled")


def fresh_modules(count: int) -> list[Any]:
    """Copies of kernels.py as modules of their own: nothing of an earlier copy can be reused."""
    source = Path(kernels.__file__).read_text()
    modules = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            path = Path(folder) / f"kernels_{number}.py"
            path.write_text(source)
            spec = importlib.util.spec_from_file_location(path.stem, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            linecache.getlines(str(path))  # an editor or an import has read the file as well
            modules.append(module)
    return modules


def first_call(case: str, name: str, data: tuple[Any, ...]) -> None:
    """From the decoration, or from the first call only, the fastest of some fresh functions."""
    decorated = case.endswith("decorated")
    lt.jit(lambda a, b: np.exp(a) - b)(data[0], data[1])
    best = float("inf")
    for module in fresh_modules(20):
        begin = time.perf_counter()
        kernel = lt.jit(getattr(module, name))
        if not decorated:
            kernel.explain()  # what the decoration puts off: reading and rewriting the source
            begin = time.perf_counter()
        kernel(*data)
        best = min(best, time.perf_counter() - begin)
        compiled(case, kernel)
    measure.say(case, "us", best * 1e6)


def first_axpy(case: str) -> None:
    first_call(case, "axpy", kernels.axpy_data(1000))


def first_black_scholes(case: str) -> None:
    first_call(case, "black_scholes", kernels.black_scholes_data(1000))


def call_scalar(case: str) -> None:
    f = lt.jit(kernels.poly)
    measure.check(f(1.25) == kernels.poly(1.25), case)
    compiled(case, f)
    body = measure.per_call("f(1.25)", {"f": kernels.poly})
    ns = measure.per_call("f(1.25)", {"f": f})
    measure.say(case, "ns", ns, reference=round(body, 4), reference_name="the CPython body")


def call_out(case: str) -> None:
    a, b, c = kernels.axpy_data(8)
    f = lt.jit(kernels.axpy)
    names = {"f": f, "a": a, "b": b, "c": c, "o": np.empty(8)}
    measure.say(case, "ns", measure.per_call("f(a, b, c, out=o)", names))
    compiled(case, f)


def elementwise(case: str) -> None:
    a, b, c = kernels.axpy_data(kernels.SIZES[case.split()[-1]])
    out = np.empty_like(a)
    f = lt.jit(kernels.axpy, parallel=PARALLEL)
    f(a, b, c, out=out)
    measure.check(np.array_equal(out, kernels.axpy(a, b, c)), case)
    compiled(case, f)
    measure.say(case, "us", measure.fastest(lambda: f(a, b, c, out=out)) * 1e6)


def fresh(case: str) -> None:
    a, b, c = kernels.axpy_data(10_000_000)
    f = lt.jit(kernels.axpy, parallel=PARALLEL)
    measure.say(case, "us", measure.fastest(lambda: f(a, b, c)) * 1e6)
    compiled(case, f)


def black_scholes(case: str) -> None:
    data = kernels.black_scholes_data(1_000_000)
    f = lt.jit(kernels.black_scholes, parallel=PARALLEL)
    call, put = f(*data)
    expected = kernels.black_scholes(*data)
    measure.check(np.allclose(call, expected[0]) and np.allclose(put, expected[1]), case)
    compiled(case, f)
    outs = (np.empty_like(call), np.empty_like(put))
    measure.say(case, "us", measure.fastest(lambda: f(*data, out=outs)) * 1e6)


def mandelbrot(case: str) -> None:
    re, im = kernels.mandelbrot_data()
    f = lt.vectorize(kernels.mandelbrot, parallel=PARALLEL)
    out = f(re, im)
    picks = [(0, 0), (256, 256), (100, 300), (255, 130)]
    measure.check(all(out[p] == kernels.mandelbrot(re[p], im[p]) for p in picks), case)
    compiled(case, f)
    measure.say(case, "us", measure.fastest(lambda: f(re, im, out=out)) * 1e6)


def blend(case: str) -> None:
    x, y = kernels.uniform(1_000_000, seed=1), kernels.uniform(1_000_000, seed=2)
    f = lt.vectorize(kernels.blend_element, parallel=PARALLEL)
    out = np.empty_like(x)
    measure.check(np.array_equal(f(x, y), kernels.blend(x, y)), case)
    compiled(case, f)
    measure.say(case, "us", measure.fastest(lambda: f(x, y, out=out)) * 1e6)


def function(case: str) -> None:
    name = case.split("/")[1].split()[0]
    x = kernels.uniform(1_000_000, *kernels.FUNCTIONS[name])
    out, ufunc = np.empty_like(x), getattr(np, name)
    f = lt.jit(lambda x: ufunc(x), parallel=PARALLEL)
    measure.check(np.allclose(f(x), ufunc(x), rtol=1e-14, atol=1e-15), case)
    compiled(case, f)
    measure.say(case, "us", measure.fastest(lambda: f(x, out=out)) * 1e6)


def total(case: str) -> None:
    x = kernels.uniform(1_000_000)
    ordered = "numpy order" in case
    f = lt.jit(lambda x: np.sum(x), reduce="numpy" if ordered else "fast", parallel=PARALLEL)
    measure.check(f(x) == np.sum(x) if ordered else np.isclose(f(x), np.sum(x)), case)
    compiled(case, f)
    measure.say(case, "us", measure.fastest(lambda: f(x)) * 1e6)


def memo_read(case: str) -> None:
    """Set, recompute, read: a native memo beside the same one in Python."""
    source = lt.signal(1.0)

    def body() -> float:
        x = source.value
        return ((0.5 * x - 1.25) * x + 3.0) * x - 0.75

    native = lt.memo(body, native=True)
    plain = lt.memo(body, native=False)
    for k in range(200):  # types are known after a run; by itself it would be tried every 64 runs
        source.value = k + 0.25
        measure.check(native.value == plain.value == body(), case)
    measure.check(native.native and not plain.native, case)
    figures = []
    for memo in (native, plain):
        statement = "s.value = i + 0.5; m.value"
        figures.append(measure.per_call(statement, {"s": source, "m": memo}))
    measure.say(
        case, "ns", figures[0], reference=round(figures[1], 4), reference_name="a Python memo"
    )


def memo_chain(case: str) -> None:
    source = lt.signal(0.0)
    chain: list[Any] = [source]
    for _ in range(100):
        chain.append(lt.memo(lambda before=chain[-1]: before.value + 1.0, native=True))
    last = chain[-1]
    for k in range(200):
        source.value = k + 0.25
        measure.check(last.value == k + 100.25, case)
    measure.check(all(memo.native for memo in chain[1:]), case)
    measure.say(
        case, "ns", measure.per_call("s.value = i + 0.5; m.value", {"s": source, "m": last}, 2_000)
    )


def size(case: str) -> None:
    core = sys.modules["lattice._core"].__file__
    assert core is not None
    stripped = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"lattice-core-{os.getpid()}.so")
    subprocess.run(["strip", "-o", stripped, core], check=True)
    measure.say(case, "MB", os.path.getsize(stripped) / 1e6)
    os.unlink(stripped)


def import_time(case: str) -> None:
    def seconds(statement: str) -> float:
        timed = f"b = time.perf_counter(); {statement}; print(time.perf_counter() - b)"
        text = f"import time, numpy; {timed}"
        said = [
            float(
                subprocess.run([sys.executable, "-c", text], capture_output=True, check=True).stdout
            )
            for _ in range(5)
        ]
        return min(said)

    measure.say(case, "ms", (seconds("import lattice") - seconds("pass")) * 1e3)


CASES: dict[str, measure.Case] = {
    "first call/a*b+c*2, traced": first_axpy,
    "first call/a*b+c*2, decorated": first_axpy,
    "first call/black-scholes, traced": first_black_scholes,
    "first call/black-scholes, decorated": first_black_scholes,
    "call/scalar": call_scalar,
    "call/three arrays of 8, out": call_out,
    "memo/set, recompute, read": memo_read,
    "memo/chain of 100": memo_chain,
    "size/extension": size,
    "size/import": import_time,
}
for _threads in ("1 thread", "2 threads"):
    CASES |= {f"{_threads}/elementwise {size_name}": elementwise for size_name in kernels.SIZES}
    CASES |= {
        f"{_threads}/elementwise 1e7, fresh result": fresh,
        f"{_threads}/black-scholes 1e6": black_scholes,
        f"{_threads}/mandelbrot 512": mandelbrot,
        f"{_threads}/blend 1e6": blend,
        f"{_threads}/sum, numpy order 1e6": total,
        f"{_threads}/sum, any order 1e6": total,
    }
    CASES |= {f"{_threads}/{name} 1e6": function for name in kernels.FUNCTIONS}

if __name__ == "__main__":
    measure.main(CASES)
