# SPDX-License-Identifier: MIT
"""Kernels on several threads, from Python."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np

import lattice as lt


def mixed(x: Any, y: Any) -> Any:
    return np.exp(x) * y - x, np.sum(x * y), np.max(x, axis=0)


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.uniform(-1, 1, (700, 1100)), rng.uniform(1, 2, 1100)


def test_threads_change_no_bit() -> None:
    x, y = data()
    alone = lt.jit(parallel=False)(mixed)(x, y)
    for parallel in (True, None):
        for one, other in zip(alone, lt.jit(parallel=parallel)(mixed)(x, y), strict=True):
            assert np.array_equal(one, other)
    assert np.sum(x * y) == alone[1]


def test_other_threads_of_python_run_meanwhile() -> None:
    f = lt.vectorize(strict=True)(count_rounds)
    x = np.full(200_000, 0.5)
    f(x)
    rounds = 0
    done = threading.Event()

    def count() -> None:
        nonlocal rounds
        while not done.is_set():
            rounds += 1

    other = threading.Thread(target=count)
    other.start()
    f(x)
    seen = rounds
    done.set()
    other.join()
    assert seen > 10


def count_rounds(x: Any) -> Any:
    n = 0.0
    while n < 400.0:
        x = x * 0.999 + 0.1
        n = n + 1.0
    return x


PROGRAM = """
import os, sys, threading
import numpy as np
import lattice as lt

@lt.jit(strict=True)
def f(x, y):
    return np.exp(x) * y + np.sum(x)

x, y = np.linspace(0, 1, 300_000), np.ones(300_000)
expected = f(x, y)
stop = False
def busy():
    while not stop:
        assert np.array_equal(f(x, y), expected)
others = [threading.Thread(target=busy) for _ in range(2)]
for other in others:
    other.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        ok = all(np.array_equal(f(x, y), expected) for _ in range(3))
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
stop = True
for other in others:
    other.join()
print("fine")
"""


def test_a_fork_while_the_threads_are_busy() -> None:
    environment = dict(os.environ, LATTICE_JIT_THREADS="3")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "fine", done.stderr
