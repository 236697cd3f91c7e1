# SPDX-License-Identifier: MIT
"""Published numeric kernels as people write them, with data: what `jit` and `vectorize` must take.

`KERNELS` maps a name to (how, function, arguments): how is "jit" for whole arrays, "element" for
functions of single elements, "number" for functions of Python numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
KERNELS: dict[str, tuple[str, Callable[..., Any], Callable[[], tuple[Any, ...]]]] = {}


def kernel(how: str, data: Callable[[], tuple[Any, ...]]) -> Callable[..., Any]:
    def note(function: Callable[..., Any]) -> Callable[..., Any]:
        KERNELS[function.__name__] = (how, function, data)
        return function

    return note


def uniform(*ranges: tuple[float, float], n: int = 257) -> Callable[[], tuple[Any, ...]]:
    def make() -> tuple[Any, ...]:
        rng = np.random.default_rng(7)
        return tuple(rng.uniform(low, high, n) for low, high in ranges)

    return make


def normal_cdf(x: float) -> float:
    k = 1.0 / (1.0 + 0.2316419 * abs(x))
    series = k * (
        0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429)))
    )
    tail = 0.3989422804014327 * math.exp(-0.5 * x * x) * series
    return tail if x < 0.0 else 1.0 - tail


@kernel("element", uniform((80, 120), (80, 120), (0.1, 2.0)))
def black_scholes(s, k, t):
    root = math.sqrt(t)
    d1 = (math.log(s / k) + (0.02 + 0.5 * 0.3 * 0.3) * t) / (0.3 * root)
    d2 = d1 - 0.3 * root
    discounted = k * math.exp(-0.02 * t)
    call = s * normal_cdf(d1) - discounted * normal_cdf(d2)
    return call, call - s + discounted


@kernel("element", uniform((-2, 1), (-1.2, 1.2)))
def mandelbrot(cr, ci):
    zr = zi = 0.0
    for n in range(200):
        if zr * zr + zi * zi > 4.0:
            return n
        zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
    return 200


@kernel("element", uniform((-1.5, 1.5), (-1.5, 1.5)))
def julia(x, y):
    n = 0
    while n < 100 and x * x + y * y < 4.0:
        x, y = x * x - y * y - 0.8, 2.0 * x * y + 0.156
        n += 1
    return n


@kernel("element", uniform((-2, 2), (-2, 2)))
def burning_ship(cx, cy):
    x = y = 0.0
    for n in range(60):  # noqa: B007
        if x * x + y * y > 4.0:
            break
        x, y = x * x - y * y + cx, abs(2.0 * x * y) + cy
    else:
        n = 60
    return n


@kernel("element", uniform((0.0, 0.9), (0.0, 6.28)))
def kepler(e, m):
    """Eccentric anomaly by Newton's method."""
    anomaly = m + e * math.sin(m)
    for _ in range(30):
        step = (anomaly - e * math.sin(anomaly) - m) / (1.0 - e * math.cos(anomaly))
        anomaly -= step
        if abs(step) < 1e-13:
            break
    return anomaly


@kernel("jit", uniform((-90, 90), (-180, 180), (-90, 90), (-180, 180)))
def haversine(lat1, lon1, lat2, lon2):
    lat1, lon1, lat2, lon2 = (np.radians(v) for v in (lat1, lon1, lat2, lon2))
    a = np.sin((lat2 - lat1) / 2) ** 2
    a = a + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * np.arcsin(np.sqrt(a))


@kernel("number", lambda: (0.3, 0.1, 0.99, 0.01))
def sir(beta, gamma, s, i):
    """The epidemic model of Kermack and McKendrick, by Euler's method."""
    r = 0.0
    for _ in range(200):
        infected = beta * s * i
        recovered = gamma * i
        s -= infected * 0.5
        i += (infected - recovered) * 0.5
        r += recovered * 0.5
    return s, i, r


@kernel("number", lambda: (1.0, 1.0, 1.0))
def lorenz(x, y, z):
    for _ in range(500):
        dx, dy, dz = 10.0 * (y - x), x * (28.0 - z) - y, x * y - (8.0 / 3.0) * z
        x, y, z = x + 0.01 * dx, y + 0.01 * dy, z + 0.01 * dz
    return x, y, z


@kernel("number", lambda: (10.0, 5.0))
def lotka_volterra(prey, hunters):
    for _ in range(300):
        a = prey * (1.1 - 0.4 * hunters)
        b = hunters * (0.1 * prey - 0.4)
        prey, hunters = prey + 0.005 * a, hunters + 0.005 * b
    return prey, hunters


@kernel("jit", lambda: (np.sin(np.linspace(0, 3, 200)),))
def heat_step(u):
    """One explicit step of the heat equation in one dimension, between fixed ends."""
    return u[1:-1] + 0.1 * (u[2:] - 2.0 * u[1:-1] + u[:-2])


@kernel("jit", lambda: (np.random.default_rng(1).random((20, 30)),))
def laplace_step(u):
    return 0.25 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2])


@kernel("jit", uniform((-1, 1), (-1, 1), (0.1, 1), n=40))
def n_body_energy(x, y, m):
    dx = x[:, None] - x[None, :]
    dy = y[:, None] - y[None, :]
    r = np.sqrt(dx * dx + dy * dy + 1e-4)
    return np.sum(m[:, None] * m[None, :] / r)


@kernel("jit", uniform((-1, 1), (-1, 1), (0.1, 1), n=30))
def n_body_forces(x, y, m):
    dx = x[None, :] - x[:, None]
    dy = y[None, :] - y[:, None]
    r2 = dx * dx + dy * dy + 1e-3
    weight = m[None, :] / (r2 * np.sqrt(r2))
    return np.sum(weight * dx, axis=1), np.sum(weight * dy, axis=1)


@kernel("jit", lambda: (np.random.default_rng(2).random((50, 4)), np.arange(50) % 2.0, np.ones(4)))
def logistic_regression_step(x, y, w):
    p = 1.0 / (1.0 + np.exp(-np.sum(x * w, axis=1)))
    gradient = np.sum((p - y)[:, None] * x, axis=0) / y.shape[0]
    return w - 0.1 * gradient


@kernel(
    "jit",
    lambda: (np.random.default_rng(3).random((40, 2)), np.random.default_rng(4).random((3, 2))),
)
def k_means_assign(points, centres):
    gaps = points[:, None, :] - centres[None, :, :]
    return np.argmin(np.sum(gaps * gaps, axis=2), axis=1)


@kernel("jit", uniform((-5, 5)))
def rolling_mean(x):
    total = np.cumsum(x)
    return (total[10:] - total[:-10]) / 10.0


@kernel("jit", uniform((-5, 5)))
def z_score(x):
    return (x - np.mean(x)) / np.std(x)


@kernel("jit", uniform((-3, 3), n=500))
def monte_carlo_price(z):
    """A European call from given normal draws."""
    end = 100.0 * np.exp((0.03 - 0.5 * 0.2 * 0.2) * 1.0 + 0.2 * z)
    return np.exp(-0.03) * np.mean(np.maximum(end - 105.0, 0.0))


@kernel("element", lambda: (np.arange(1, 60), np.full(59, 97)))
def collatz_steps(n, most):
    steps = 0
    while n != 1 and steps < most:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


@kernel("number", lambda: (1071, 462))
def greatest_common_divisor(a, b):
    while b:
        a, b = b, a % b
    return a


@kernel("number", lambda: (91,))
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


@kernel("number", lambda: (10007,))
def is_prime(n):
    if n < 2:
        return False
    i = 2
    while i * i <= n:
        if n % i == 0:
            return False
        i += 1
    return True


@kernel("number", lambda: (2.0, 1e-12))
def square_root(x, tolerance):
    """Heron's method."""
    guess = x
    while abs(guess * guess - x) > tolerance:
        guess = 0.5 * (guess + x / guess)
    return guess


@kernel("number", lambda: (0.0, 2.0, 200))
def simpson(a, b, n):
    h = (b - a) / n
    total = math.exp(-a * a) + math.exp(-b * b)
    for i in range(1, n):
        x = a + i * h
        total += (4.0 if i % 2 else 2.0) * math.exp(-x * x)
    return total * h / 3.0


@kernel("element", uniform((0.5, 3.0)))
def bisection(target):
    """The cube root by halving."""
    low, high = 0.0, 3.0
    while high - low > 1e-10:
        middle = 0.5 * (low + high)
        if middle * middle * middle < target:
            low = middle
        else:
            high = middle
    return low


@kernel("element", uniform((0, 255), (0, 255), (0, 255)))
def rgb_to_hsv(r, g, b):
    high, low = max(r, g, b), min(r, g, b)
    spread = high - low
    if spread == 0.0:
        hue = 0.0
    elif high == r:
        hue = 60.0 * ((g - b) / spread)
    elif high == g:
        hue = 60.0 * ((b - r) / spread) + 120.0
    else:
        hue = 60.0 * ((r - g) / spread) + 240.0
    if hue < 0.0:
        hue += 360.0
    return hue, (spread / high if high > 0.0 else 0.0), high / 255.0


@kernel("element", uniform((0, 1)))
def srgb_to_linear(c):
    return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4


@kernel("element", uniform((-100, 100)))
def income_tax(x):
    if x <= 0.0:
        return 0.0
    if x <= 10.0:
        return 0.1 * x
    if x <= 40.0:
        return 1.0 + 0.2 * (x - 10.0)
    return 7.0 + 0.4 * (x - 40.0)


@kernel("element", uniform((-8, 8)))
def huber_loss(x):
    a = abs(x)
    return 0.5 * x * x if a <= 1.0 else a - 0.5


@kernel("jit", uniform((-8, 8)))
def softplus(x):
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


@kernel("jit", lambda: (np.random.default_rng(5).normal(size=(6, 9)),))
def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


@kernel("jit", uniform((-2, 2), (-2, 2)))
def rosenbrock(x, y):
    return np.sum((1 - x) ** 2 + 100 * (y - x**2) ** 2)


@kernel("jit", uniform((-5, 5), (-5, 5)))
def pearson(x, y):
    a, b = x - np.mean(x), y - np.mean(y)
    return np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))


@kernel("jit", lambda: (np.random.default_rng(6).random(64) > 0.5, np.arange(64, dtype=np.int32)))
def masked_count(mask, values):
    return np.sum(np.where(mask, values, 0)), np.sum(mask), np.max(np.where(mask, values, -1))


@kernel("element", lambda: (np.arange(256, dtype=np.uint8),))
def gray_code(n):
    return n ^ (n >> 1)


@kernel("element", lambda: (np.arange(64), np.arange(64)[::-1].copy()))
def life_rule(alive, neighbours):
    if alive % 2 == 1 and (neighbours == 2 or neighbours == 3):
        return 1
    return 1 if neighbours == 3 else 0


@kernel("jit", uniform((0, 6.28), n=64))
def dft_power(x):
    n = np.arange(64.0)
    angles = -2.0 * np.pi * n[:, None] * n[None, :] / 64.0
    real = np.sum(np.cos(angles) * x, axis=1)
    imag = np.sum(np.sin(angles) * x, axis=1)
    return real * real + imag * imag


@kernel("jit", lambda: (np.linspace(0.1, 5, 33), np.array([3, 0, 32, 7])))
def lookup(values, indices):
    return values[indices] * 2.0


@kernel("number", lambda: (3.9, 0.4))
def logistic_map(r, x):
    for _ in range(100):
        x = r * x * (1.0 - x)
    return x


@kernel("element", uniform((-3, 3)))
def sine_series(x):
    term = total = x
    for k in range(1, 15):
        term = -term * x * x / ((2 * k) * (2 * k + 1))
        total += term
    return total
