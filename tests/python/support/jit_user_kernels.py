# SPDX-License-Identifier: MIT
"""Kernels as people bring them along: whole arrays, loops over indices, element assignment.

None of them was written with the tracer in mind. `KERNELS` is as in `jit_kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

KERNELS: dict[str, tuple[str, Callable[..., Any], Callable[[], tuple[Any, ...]]]] = {}
RATE = 0.05
WEIGHTS = np.array([0.25, 0.5, 0.25])
SETTINGS = {"gain": 1.5, "offset": -0.25}


def kernel(how: str, *data: Any) -> Callable[..., Any]:
    def note(function: Callable[..., Any]) -> Callable[..., Any]:
        KERNELS[function.__name__] = (how, function, lambda: tuple(map(made, data)))
        return function

    return note


def made(item: Any) -> Any:
    """An argument from its description: a number itself, or the shape of an array of normals."""
    if isinstance(item, str):
        shape = tuple(int(part) for part in item.split("x"))
        return np.random.default_rng(len(item)).normal(size=shape)
    if callable(item):
        return item()
    return item


def integers(low: int, high: int, *shape: int) -> Callable[[], Any]:
    return lambda: np.random.default_rng(3).integers(low, high, shape)


def positive(*shape: int) -> Callable[[], Any]:
    return lambda: np.random.default_rng(5).uniform(0.1, 3.0, shape)


# --- stencils and grids


@kernel("jit", "20x30", 0.1)
def heat_2d(u, k):
    new = u.copy()
    new[1:-1, 1:-1] = u[1:-1, 1:-1] + k * (
        u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
    )
    return new


@kernel("jit", "40", 25)
def heat_1d_loop(u, steps):
    u = u.copy()
    for _ in range(steps):
        u[1:-1] = u[1:-1] + 0.2 * (u[2:] - 2 * u[1:-1] + u[:-2])
    return u


@kernel("jit", "16x16")
def game_of_life(x):
    alive = (x > 0).astype(np.int64)
    n = np.zeros_like(alive)
    n[1:-1, 1:-1] = (
        alive[:-2, :-2] + alive[:-2, 1:-1] + alive[:-2, 2:]
        + alive[1:-1, :-2] + alive[1:-1, 2:]
        + alive[2:, :-2] + alive[2:, 1:-1] + alive[2:, 2:]
    )  # fmt: skip
    return ((n == 3) | ((alive == 1) & (n == 2))).astype(np.int64)


@kernel("jit", "24x24")
def sobel(image):
    gx = np.zeros_like(image)
    gy = np.zeros_like(image)
    gx[1:-1, 1:-1] = (
        (image[:-2, 2:] + 2 * image[1:-1, 2:] + image[2:, 2:])
        - (image[:-2, :-2] + 2 * image[1:-1, :-2] + image[2:, :-2])
    )  # fmt: skip
    gy[1:-1, 1:-1] = (
        (image[2:, :-2] + 2 * image[2:, 1:-1] + image[2:, 2:])
        - (image[:-2, :-2] + 2 * image[:-2, 1:-1] + image[:-2, 2:])
    )  # fmt: skip
    return np.hypot(gx, gy)


@kernel("jit", "30", "30", 0.5)
def wave_equation(u, before, c):
    after = np.zeros_like(u)
    after[1:-1] = 2 * u[1:-1] - before[1:-1] + c**2 * (u[2:] - 2 * u[1:-1] + u[:-2])
    after[0] = after[1]
    after[-1] = after[-2]
    return after


@kernel("jit", "20x20", "20x20")
def gray_scott(u, v):
    lu = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1) - 4 * u
    lv = np.roll(v, 1, 0) + np.roll(v, -1, 0) + np.roll(v, 1, 1) + np.roll(v, -1, 1) - 4 * v
    uvv = u * v * v
    return u + 0.16 * lu - uvv + 0.06 * (1 - u), v + 0.08 * lv + uvv - 0.122 * v


@kernel("jit", "50")
def smooth_by_weights(x):
    return WEIGHTS[0] * x[:-2] + WEIGHTS[1] * x[1:-1] + WEIGHTS[2] * x[2:]


@kernel("jit", "12x18")
def total_variation(image):
    dx = np.diff(image, axis=1)
    dy = np.diff(image, axis=0)
    return np.abs(dx).sum() + np.abs(dy).sum()


# --- loops over indices, element assignment


@kernel("jit", "60")
def exponential_smoothing(x):
    out = np.empty_like(x)
    out[0] = x[0]
    for i in range(1, len(x)):
        out[i] = 0.3 * x[i] + 0.7 * out[i - 1]
    return out


@kernel("jit", "60", 5)
def moving_average_loop(x, window):
    out = np.zeros(len(x))
    for i in range(window - 1, len(x)):
        total = 0.0
        for j in range(window):
            total += x[i - j]
        out[i] = total / window
    return out


@kernel("jit", integers(0, 8, 200), 8)
def histogram_loop(values, bins):
    counts = np.zeros(bins, dtype=np.int64)
    for v in values:
        counts[v] += 1
    return counts


@kernel("jit", "40")
def running_maximum(x):
    out = np.zeros_like(x)
    best = -np.inf
    for i in range(x.shape[0]):
        if x[i] > best:
            best = x[i]
        out[i] = best
    return out


@kernel("jit", "6x7", "7x5")
def matrix_product_loops(a, b):
    n, m = a.shape
    p = b.shape[1]
    c = np.zeros((n, p))
    for i in range(n):
        for j in range(p):
            s = 0.0
            for k in range(m):
                s += a[i, k] * b[k, j]
            c[i, j] = s
    return c


@kernel("jit", "10x3")
def pairwise_distances(points):
    n = points.shape[0]
    d = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(3):
                difference = points[i, k] - points[j, k]
                total += difference * difference
            d[i, j] = math.sqrt(total)
    return d


@kernel("jit", 30)
def sieve(n):
    flags = np.ones(n, dtype=bool)
    flags[0] = False
    flags[1] = False
    for i in range(2, n):
        if flags[i]:
            j = i * i
            while j < n:
                flags[j] = False
                j += i
    return flags


@kernel("jit", "25")
def bubble_sort(x):
    x = x.copy()
    n = len(x)
    for i in range(n):
        for j in range(n - 1 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
    return x


@kernel("jit", positive(40), 1.2)
def binary_search(x, target):
    ordered = np.cumsum(x)
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low


@kernel("jit", "30")
def local_maxima(x):
    count = 0
    for i in range(1, len(x) - 1):
        if x[i - 1] < x[i] and x[i] > x[i + 1]:
            count += 1
    return count


@kernel("jit", "40", 0.8)
def first_above(x, threshold):
    for i, value in enumerate(x):
        if value > threshold:
            return i
    return -1


@kernel("jit", "40", "40")
def dot_by_zip(x, y):
    total = 0.0
    for a, b in zip(x, y):  # noqa: B905
        total += a * b
    return total


@kernel("jit", 12)
def pascal_row(n):
    row = np.zeros(n + 1, dtype=np.int64)
    row[0] = 1
    for _ in range(n):
        for k in range(n, 0, -1):
            row[k] += row[k - 1]
    return row


@kernel("jit", positive(20), positive(20), 10.0)
def knapsack_greedy(value, weight, capacity):
    total = 0.0
    left = capacity
    for i in range(value.size):
        if weight[i] <= left:
            left -= weight[i]
            total += value[i]
        if left <= 0.0:
            break
    return total


# --- whole arrays


@kernel("jit", "50x4")
def standardize(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


@kernel("jit", "50x4")
def covariance(x):
    centred = x - np.mean(x, axis=0, keepdims=True)
    return centred.T @ centred / (x.shape[0] - 1)


@kernel("jit", "30x5")
def softmax_rows(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@kernel("jit", "20x4", "4x8", "8", "8x3", "3")
def two_layer_network(x, w1, b1, w2, b2):
    hidden = np.maximum(x @ w1 + b1, 0.0)
    scores = hidden @ w2 + b2
    return np.argmax(scores, axis=1)


@kernel("jit", "40", "40")
def relative_error(x, y):
    mask = np.abs(y) > 0.1
    error = np.where(mask, np.abs(x - y) / np.where(mask, np.abs(y), 1.0), 0.0)
    return error.max(), error.mean()


@kernel("jit", "60")
def winsorize(x):
    low, high = x.mean() - 2 * x.std(), x.mean() + 2 * x.std()
    return np.clip(x, low, high)


@kernel("jit", "60")
def clean(x):
    y = x.copy()
    y[y < 0] = 0.0
    y[y > 1.5] = 1.5
    return y


@kernel("jit", "60")
def scaled_where_positive(x):
    mask = x > 0
    out = np.zeros_like(x)
    out[mask] = np.sqrt(x[mask])
    return out


@kernel("jit", "60")
def mean_of_positive(x):
    return x[x > 0].mean(), x[x > 0].sum(), np.sum(x > 0)


@kernel("jit", "80")
def drawdown(returns):
    wealth = np.cumprod(1 + returns * 0.01)
    peak = np.maximum.accumulate(wealth)
    return np.min(wealth / peak - 1)


@kernel("jit", 0.0, 1.0, 101)
def trapezoid(a, b, n):
    x = np.linspace(a, b, n)
    y = np.exp(-(x**2))
    return np.sum((y[1:] + y[:-1]) * np.diff(x)) / 2


@kernel("jit", 50)
def leibniz_pi(n):
    k = np.arange(n)
    return 4 * np.sum((-1.0) ** k / (2 * k + 1))


@kernel("jit", 16, 12)
def gaussian_bump(n, m):
    y, x = np.meshgrid(np.arange(n), np.arange(m), indexing="ij")
    return np.exp(-((x - m / 2) ** 2 + (y - n / 2) ** 2) / 20.0)


@kernel("jit", "25")
def polynomial(x):
    result = np.zeros_like(x)
    for c in [1.0, -2.0, 0.5, 3.0]:
        result = result * x + c
    return result


@kernel("jit", "30x2")
def polygon_area(p):
    x, y = p[:, 0], p[:, 1]
    return 0.5 * np.abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))


@kernel("jit", "15x3", "15")
def least_squares_gradient(x, y):
    w = np.zeros(3)
    for _ in range(50):
        w = w - 0.05 * (x.T @ (x @ w - y)) / len(y)
    return w


@kernel("jit", "8x8")
def power_iteration(a):
    m = a @ a.T
    v = np.ones(m.shape[0])
    for _ in range(20):
        v = m @ v
        v = v / np.linalg.norm(v)
    return v @ (m @ v)


@kernel("jit", "9x9", "9")
def jacobi_iteration(a, b):
    m = a + np.eye(9) * 20.0
    d = np.diag(m)
    x = np.zeros(9)
    for _ in range(30):
        x = (b - m @ x + d * x) / d
    return x


@kernel("jit", "30", 4)
def autocorrelation(x, lags):
    centred = x - x.mean()
    return np.array([np.sum(centred[k:] * centred[: len(x) - k]) for k in range(lags)])


@kernel("jit", "40")
def rms_and_crest(x):
    rms = math.sqrt(np.mean(x**2))
    return {"rms": rms, "crest": np.max(np.abs(x)) / rms}


@kernel("jit", "30", "30")
def concatenated(x, y):
    both = np.concatenate([x, y[::-1]])
    return both.sum(), both[25:35]


@kernel("jit", "20", "20")
def stacked(x, y):
    return np.stack([x, y], axis=1).mean(axis=1), np.vstack((x, y)), np.column_stack((x, y))


@kernel("jit", "12x10")
def flattened(x):
    return x.ravel()[::7].sum() + x.reshape(-1).max(), x.reshape(10, 12)[2], x.flatten()


@kernel("jit", "33")
def median_of_three(x):
    a, b, c = x[:-2], x[1:-1], x[2:]
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


@kernel("jit", "50")
def quantised(x):
    return np.round(x * 4) / 4, np.floor(x), np.sign(x).astype(np.int32), x.astype(np.float32) * 2


@kernel("jit", positive(24), positive(24))
def entropy(p, q):
    p = p / p.sum()
    q = q / q.sum()
    return np.sum(p * np.log(p / q)), -np.sum(p * np.log2(p))


@kernel("jit", "10x10")
def trace_and_triangle(a):
    return np.trace(a), np.tril(a).sum(), np.triu(a, 1)[0], np.diagonal(a)


@kernel("jit", "50", "20")
def interpolated(x, at):
    grid = np.linspace(-3.0, 3.0, 50)
    return np.interp(at, grid, np.cumsum(x))


@kernel("jit", "60", "7")
def convolved(x, w):
    n = len(x) - len(w) + 1
    out = np.zeros(n)
    for k in range(len(w)):
        out += w[k] * x[k : k + n]
    return out


# --- single numbers and elements


def helper(x, scale=2.0, *, shift=0.0):
    return x * scale + shift


@kernel("element", "70", "70")
def uses_helpers(x, y):
    a = helper(x)
    b = helper(y, 3.0, shift=-1.0)
    return max(a, b) if a * b > 0 else abs(a - b) * SETTINGS["gain"] + SETTINGS["offset"]


@kernel("element", positive(50))
def bond_price(yield_):
    price = 0.0
    for year in range(1, 11):
        price += 5.0 / (1 + yield_ * RATE) ** year
    return price + 100.0 / (1 + yield_ * RATE) ** 10


@kernel("element", positive(50), positive(50))
def implied_volatility(s, k):
    target = max(s - k, 0.0) + 0.2
    sigma = 0.5
    for _ in range(30):
        d = (math.log(s / k) + 0.5 * sigma * sigma) / sigma
        price = s * 0.5 * (1 + math.erf(d / math.sqrt(2))) - k * 0.5 * (
            1 + math.erf((d - sigma) / math.sqrt(2))
        )
        vega = s * math.exp(-0.5 * d * d) / math.sqrt(2 * math.pi)
        if vega < 1e-8:
            break
        step = (price - target) / vega
        sigma = min(max(sigma - step, 0.01), 5.0)
        if abs(step) < 1e-10:
            break
    return sigma


@kernel("element", "60")
def piecewise(x):
    if x < -1:
        return -1.0
    elif x < 0:
        return x
    elif x < 0.5:
        return x * x
    return math.sqrt(x)


@kernel("element", integers(1, 1000, 60))
def digit_sum(n):
    total = 0
    while n > 0:
        total += n % 10
        n //= 10
    return total


@kernel("element", integers(1, 500, 40))
def divisor_count(n):
    count = 0
    d = 1
    while d * d <= n:
        if n % d == 0:
            count += 1 if d * d == n else 2
        d += 1
    return count


@kernel("element", "40", "40", "40")
def quadratic_roots(a, b, c):
    d = b * b - 4 * a * c
    if d < 0 or a == 0:
        return math.nan, math.nan
    root = math.sqrt(d)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


@kernel("element", positive(30))
def lambert_w(x):
    w = math.log1p(x)
    for _ in range(50):
        e = math.exp(w)
        delta = (w * e - x) / (e * (w + 1) - (w + 2) * (w * e - x) / (2 * w + 2))
        w -= delta
        if abs(delta) < 1e-14 * (1 + abs(w)):
            break
    return w


@kernel("element", integers(1900, 2100, 50))
def leap_year(year):
    return (year % 4 == 0 and year % 100 != 0) or year % 400 == 0


@kernel("element", integers(0, 2**16, 50))
def popcount(x):
    count = 0
    while x:
        x &= x - 1
        count += 1
    return count


@kernel("element", "50", "50")
def pendulum(theta, omega):
    dt = 0.01
    for _ in range(100):
        omega = omega - dt * 9.81 * math.sin(theta)
        theta = theta + dt * omega
    return theta, omega


@kernel("element", "30", "30")
def runge_kutta(x, v):
    def acceleration(x, v):
        return -x - 0.1 * v + 0.2 * x**3

    h = 0.05
    for _ in range(20):
        k1x, k1v = v, acceleration(x, v)
        k2x, k2v = v + h / 2 * k1v, acceleration(x + h / 2 * k1x, v + h / 2 * k1v)
        k3x, k3v = v + h / 2 * k2v, acceleration(x + h / 2 * k2x, v + h / 2 * k2v)
        k4x, k4v = v + h * k3v, acceleration(x + h * k3x, v + h * k3v)
        x = x + h / 6 * (k1x + 2 * k2x + 2 * k3x + k4x)
        v = v + h / 6 * (k1v + 2 * k2v + 2 * k3v + k4v)
    return x, v


@kernel("element", positive(40), positive(40))
def geometric_mean(a, b):
    while abs(a - b) > 1e-12 * a:
        a, b = (a + b) / 2, math.sqrt(a * b)
    return a


@kernel("element", "60")
def newton_sign(x):
    match (x > 0) + (x > 1):
        case 0:
            return -x
        case 1:
            return x * 0.5
        case _:
            return x - 1
