# SPDX-License-Identifier: MIT
"""The kernels of the bench jit, their data, and what NumPy and CPython say of them.

Each is written once as a user would write it for arrays (``np.where``, whole arrays) and, where it
has control flow, once per element. A contestant decorates them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = Any
SIZES = {"1e3": 1_000, "1e6": 1_000_000, "1e7": 10_000_000}
SIDE = 512
ITERATIONS = 256


def axpy(a: Array, b: Array, c: Array) -> Array:
    return a * b + c * 2


def poly(x: float) -> float:
    return ((0.5 * x - 1.25) * x + 3.0) * x - 0.75


def normal_cdf(x: Array) -> Array:
    """Abramowitz and Stegun 26.2.17, as published Black-Scholes kernels have it."""
    k = 1.0 / (1.0 + 0.2316419 * np.abs(x))
    series = k * (
        0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429)))
    )
    tail = 0.3989422804014327 * np.exp(-0.5 * x * x) * series
    return np.where(x < 0.0, tail, 1.0 - tail)


def black_scholes(s: Array, k: Array, t: Array) -> tuple[Array, Array]:
    root = np.sqrt(t)
    d1 = (np.log(s / k) + (0.02 + 0.5 * 0.3 * 0.3) * t) / (0.3 * root)
    d2 = d1 - 0.3 * root
    discounted = k * np.exp(-0.02 * t)
    cdf1 = normal_cdf(d1)
    cdf2 = normal_cdf(d2)
    call = s * cdf1 - discounted * cdf2
    put = discounted * (1.0 - cdf2) - s * (1.0 - cdf1)
    return call, put


def normal_cdf_element(x: float) -> float:
    k = 1.0 / (1.0 + 0.2316419 * abs(x))
    series = k * (
        0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429)))
    )
    tail = 0.3989422804014327 * math.exp(-0.5 * x * x) * series
    return tail if x < 0.0 else 1.0 - tail


def mandelbrot(cr: float, ci: float) -> int:
    zr = 0.0
    zi = 0.0
    n = 0
    while n < 256 and zr * zr + zi * zi < 4.0:
        t = zr * zr - zi * zi + cr
        zi = 2.0 * zr * zi + ci
        zr = t
        n += 1
    return n


def blend(x: Array, y: Array) -> Array:
    low = np.where(x < 0.25, x * 2.0, y)
    high = np.where(y > 0.75, y - x, low * 0.5)
    return np.where((x > y) & (low < 0.9), high + low, np.where(x < 0.5, high, low))


def blend_element(x: float, y: float) -> float:
    low = x * 2.0 if x < 0.25 else y
    high = y - x if y > 0.75 else low * 0.5
    return high + low if x > y and low < 0.9 else (high if x < 0.5 else low)


def uniform(count: int, low: float = 0.0, high: float = 1.0, seed: int = 7) -> Array:
    return np.random.default_rng(seed).uniform(low, high, count)


def axpy_data(count: int) -> tuple[Array, Array, Array]:
    return uniform(count, seed=1), uniform(count, seed=2), uniform(count, seed=3)


def black_scholes_data(count: int) -> tuple[Array, Array, Array]:
    return (
        uniform(count, 10.0, 100.0, seed=1),
        uniform(count, 10.0, 100.0, seed=2),
        uniform(count, 0.1, 2.0, seed=3),
    )


def mandelbrot_data() -> tuple[Array, Array]:
    re, im = np.meshgrid(np.linspace(-2.0, 0.6, SIDE), np.linspace(-1.3, 1.3, SIDE))
    return np.ascontiguousarray(re), np.ascontiguousarray(im)


# function -> range of its argument
FUNCTIONS: dict[str, tuple[float, float]] = {
    "exp": (-10.0, 10.0),
    "log": (1e-3, 1e3),
    "sin": (-10.0, 10.0),
    "cos": (-10.0, 10.0),
    "tanh": (-3.0, 3.0),
}
