# SPDX-License-Identifier: MIT
"""`lt.grad`, `lt.value_and_grad` and `lt.jvp` against differences, complex steps and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

import lattice as lt


def differences(function, args, index, step=1e-6):
    """Central differences of a function of one number by one argument."""
    args = [np.array(value, dtype=float) for value in args]
    found = np.zeros_like(args[index])
    for place in np.ndindex(found.shape):
        before = float(args[index][place])
        args[index][place] = before + step
        above = float(function(*args))
        args[index][place] = before - step
        below = float(function(*args))
        args[index][place] = before
        found[place] = (above - below) / (2 * step)
    return found


def check(function, *args, rtol=2e-6, atol=1e-7):
    wrt = tuple(range(len(args)))
    value, gradients = lt.value_and_grad(function, wrt)(*args)
    np.testing.assert_allclose(value, function(*args), rtol=1e-12)
    for index, gradient in enumerate(gradients):
        assert np.shape(gradient) == np.shape(args[index])
        want = differences(function, args, index)
        np.testing.assert_allclose(gradient, want, rtol=rtol, atol=atol)
    # Forward mode agrees with reverse mode in a direction of all arguments.
    rng = np.random.default_rng(1)
    changes = tuple(
        rng.normal(size=np.shape(value)) if np.ndim(value) else float(rng.normal())
        for value in args
    )
    forward, change = lt.jvp(function, args, changes)
    np.testing.assert_allclose(forward, value, rtol=1e-12)
    total = sum(np.sum(g * c) for g, c in zip(gradients, changes, strict=True))
    np.testing.assert_allclose(change, total, rtol=1e-9, atol=1e-11)


RNG = np.random.default_rng(7)
ONE_ARGUMENT = {
    "exp": (np.exp, 0.3),
    "exp2": (np.exp2, 0.3),
    "expm1": (np.expm1, 0.3),
    "log": (np.log, 0.7),
    "log2": (np.log2, 0.7),
    "log10": (np.log10, 0.7),
    "log1p": (np.log1p, 0.7),
    "sin": (np.sin, 0.4),
    "cos": (np.cos, 0.4),
    "tan": (np.tan, 0.4),
    "arcsin": (np.arcsin, 0.4),
    "arccos": (np.arccos, 0.4),
    "arctan": (np.arctan, 0.4),
    "sinh": (np.sinh, 0.4),
    "cosh": (np.cosh, 0.4),
    "tanh": (np.tanh, 0.4),
    "arcsinh": (np.arcsinh, 0.4),
    "arccosh": (np.arccosh, 1.4),
    "arctanh": (np.arctanh, 0.4),
    "sqrt": (np.sqrt, 0.4),
}


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_a_function_against_its_complex_step(name):
    function, at = ONE_ARGUMENT[name]
    # f(x + ih) has the derivative as its imaginary part, with no subtraction.
    if name == "exp2":
        want = math.log(2.0) * 2.0**at
    else:
        want = function(at + 1e-30j).imag / 1e-30
    got = lt.grad(lambda x: function(x))(at)
    assert got == pytest.approx(want, rel=4e-15)


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (lambda x: math.erf(x) + math.erfc(x) * x + np.cbrt(x), 0.4),
        (lambda x: abs(x - 1.0) * x, 0.4),
        (lambda x: x**3 + x**0.5 + 2.0**x + x**x, 0.4),
        (lambda x: x % 0.3 + (x // 0.3) * x, 0.4),
        (lambda x: max(x, 0.1) * min(x, 0.1) + math.copysign(x, -1.0), 0.4),
        (lambda x: math.atan2(x, 2.0) + math.hypot(x, 2.0) + math.floor(x) * x, 1.4),
    ],
)
def test_a_function_against_differences(function, at):
    check(function, at)


def test_control_flow():
    def newton(a):
        x = a
        for _ in range(20):
            x = 0.5 * (x + a / x)
        return x

    assert lt.grad(newton)(2.0) == pytest.approx(0.5 / math.sqrt(2.0), rel=1e-14)

    def grows(a, b):
        x, rounds = 1.0, 0
        while x < 100.0:
            if rounds % 2 == 0:
                x = x * a
                x = x + b
            else:
                x = x + math.sin(x * b)
            rounds += 1
        return x * b

    check(grows, 1.5, 0.4)

    def nested(a, b):
        total = 0.0
        for i in range(7):
            inner = a
            for j in range(i):
                inner = inner * b + 0.01 * j
                if inner > 2.0:
                    break
            total = total + inner
        return total

    check(nested, 1.1, 1.05)

    def early(x, y):
        if x > y:
            return x * y
        for k in range(10):
            if x * k > y:
                return x * x * k
        return y

    check(early, 2.0, 1.0)
    check(early, 0.3, 1.0)
    check(early, 0.01, 1.0)


def test_a_long_loop_needs_no_tape():
    def walk(x):
        total = 0.0
        for i in range(1000):
            total = total + math.sin(x * i) * 0.001
        return total

    want = sum(math.cos(0.3 * i) * i * 0.001 for i in range(1000))
    assert lt.grad(walk)(0.3) == pytest.approx(want, rel=1e-12)


def test_arrays_reductions_and_broadcasting():
    w, b = RNG.normal(size=4), 0.3
    features, labels = RNG.normal(size=(20, 4)), (RNG.random(20) > 0.5) * 1.0

    def loss(w, b, features):
        p = 1.0 / (1.0 + np.exp(-((features * w).sum(axis=1) + b)))
        return -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p)) + 0.1 * np.sum(w**2)

    check(loss, w, b, features)
    check(lambda x, y: np.sum((x[:, None] - y[None, :]) ** 2), RNG.normal(size=3), w)
    check(lambda x: np.prod(x) + np.max(x) - np.min(x) * np.var(x) + np.std(x), w)
    check(lambda x: np.prod(np.array([1.0, 0.0, 1.0]) * x), RNG.normal(size=3))
    check(lambda x: np.sum(np.max(x, axis=0) * np.mean(x, axis=1)[:4]), RNG.normal(size=(5, 4)))
    check(lambda x: np.sum(np.where(x > 0, x * x, np.sin(x))), RNG.normal(size=6))
    check(lambda a, c: np.sum(a @ c), RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2)))
    check(lambda x: np.sum(np.cumsum(x) * np.cumprod(x + 3.0)), RNG.normal(size=5))
    check(lambda x: np.sum(x.T * x[::-1, :].T), RNG.normal(size=(3, 4)))


def test_slices_and_indices():
    def pieces(u):
        d = u[1:] - u[:-1]
        part = np.sum(d**2) + u[2] * u[-1] + np.sum(u[::2] ** 3) + np.sum(u[::-1] * u)
        return part + np.sum(u[-2:1:-2] ** 2)

    check(pieces, RNG.normal(size=9))

    def smooth(g):
        inner = g[1:-1, 1:-1] * 4 - g[:-2, 1:-1] - g[2:, 1:-1] - g[1:-1, :-2] - g[1:-1, 2:]
        return np.sum(inner**2) + np.sum(g[0] * g[:, 0])

    check(smooth, RNG.normal(size=(6, 6)))
    index = np.array([0, 3, 3, -1])
    check(lambda x: np.sum(x[index] ** 2), RNG.normal(size=5))

    def looped(x, y):
        total = 0.0
        for i in range(len(x)):
            total = total + x[i] * y[i] * y[0]
        return total

    check(looped, RNG.normal(size=6), RNG.normal(size=6))


def test_axes_of_length_one():
    def both(a, b):
        return np.sum(a * b)

    derived = lt.grad(both, (0, 1))
    a = RNG.normal(size=(3, 1))
    for shape in [(3, 4), (1, 4), (3, 1), (1, 1)]:
        b = RNG.normal(size=shape)
        got = derived(a, b)
        for index in (0, 1):
            assert got[index].shape == (a, b)[index].shape
            np.testing.assert_allclose(
                got[index], differences(both, (a, b), index), rtol=1e-6, atol=1e-8
            )


def test_a_loop_over_whole_arrays():
    def heat(u, k):
        for _ in range(8):
            u = u + k * np.sin(u) * np.mean(u)
        return np.sum(u * u)

    check(heat, RNG.normal(size=7), 0.1)


def test_vectorized_functions_are_derived_per_element():
    @lt.vectorize
    def payoff(s, k):
        if s > k:
            return s * s - k
        x = s
        while x < k:
            x = x * 1.5
        return x * k

    s = RNG.uniform(50, 150, 9)
    by_s, by_k = lt.grad(payoff, (0, 1))(s, 100.0)
    h = 1e-5
    np.testing.assert_allclose(by_s, (payoff(s + h, 100.0) - payoff(s - h, 100.0)) / 2 / h, 1e-6)
    np.testing.assert_allclose(by_k, (payoff(s, 100 + h) - payoff(s, 100 - h)) / 2 / h, 1e-6)
    assert lt.grad(payoff)(150.0, 100.0) == 300.0


def test_derivatives_inside_of_functions_and_of_derivatives():
    assert lt.grad(lt.grad(lambda x: x**4))(2.0) == 48.0
    assert lt.grad(lt.grad(lt.grad(lambda x: math.sin(x) * x)))(0.7) == pytest.approx(
        -3 * math.sin(0.7) - 0.7 * math.cos(0.7), rel=1e-13
    )

    def loss(w, x, y):
        return np.mean((x * w - y) ** 2)

    @lt.jit(strict=True)
    def descend(w, x, y):
        for _ in range(100):
            w = w - 0.1 * lt.grad(loss)(w, x, y)
        return w

    x = RNG.normal(size=30)
    assert descend(0.0, x, 3.0 * x) == pytest.approx(3.0, rel=1e-6)
    assert descend.compiled


def test_float32_stays_float32():
    x = RNG.normal(size=5).astype(np.float32)
    got = lt.grad(lambda x: np.sum(np.exp(x) * x))(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.exp(x) * (x + 1), rtol=1e-6)


def test_what_has_no_derivative_says_its_line():
    def gamma(x):
        y = x + 1.0
        return math.gamma(y)

    with pytest.raises(lt.TraceError, match=r"math\.gamma\(y\)") as caught:
        lt.grad(gamma)(2.0)
    assert "test_grad.py" in str(caught.value)
    with pytest.raises(lt.TraceError, match="returns an array"):
        lt.grad(lambda x: x * 2)(np.ones(3))
    with pytest.raises(lt.TraceError, match="more than one number"):
        lt.grad(lambda x: (x, x))(1.0)
    with pytest.raises(lt.TraceError, match=r"pass 3\.0 instead of 3"):
        lt.grad(lambda x: x * 2.0)(3)
    with pytest.raises(ValueError, match="argnums 2"):
        lt.grad(lambda x: x, 2)
    with pytest.raises(ZeroDivisionError):
        lt.grad(lambda x: 1.0 / x)(0.0)


def random_program(rng):
    """Text of a function of two vectors and a number, made of what has derivatives nearly
    everywhere."""
    names = ["x", "y", "c"]
    lines = []

    def operand():
        return str(rng.choice(names))

    for k in range(int(rng.integers(3, 9))):
        a, b = operand(), operand()
        form = rng.choice(
            [
                f"{a} + {b}",
                f"{a} - {b} * 0.5",
                f"np.sin({a}) * {b}",
                f"np.tanh({a} * {b})",
                f"{a} / (1.5 + np.cos({b}))",
                f"np.exp(-{a} ** 2) + {b}",
                f"np.sqrt(1.0 + {a} * {a}) * {b}",
                f"np.where({a} > {b}, {a} * 1.1, {b})",
                f"np.maximum({a}, {b}) * 0.7",
                f"np.arctan2({a}, 2.0 + {b} * {b})",
                f"np.mean({a}) + {b}",
                f"np.cumsum({a} + x) * 0.1 + {b}",
                f"({a} + y)[::-1] * {b}",
                f"np.log1p({a} * {a}) - {b}",
            ]
        )
        lines.append(f"    v{k} = {form}")
        names.append(f"v{k}")
    if rng.random() < 0.5:
        lines.append("    for i in range(6):")
        lines.append(f"        c = c * 0.9 + np.sum(np.sin(c * {operand()})) * 0.1")
    lines.append(f"    return np.sum({names[-1]} * x) + c * np.sum({operand()} + y)")
    return "def program(x, y, c):\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(30))
def test_random_programs(seed, tmp_path):
    rng = np.random.default_rng(seed)
    text = random_program(rng)
    file = tmp_path / f"program{seed}.py"
    file.write_text(text)
    scope = {"np": np}
    exec(compile(text, str(file), "exec"), scope)
    n = int(rng.integers(1, 12))
    args = (rng.normal(size=n), rng.normal(size=n), float(rng.normal()))
    try:
        check(scope["program"], *args, rtol=1e-4, atol=1e-5)
    except AssertionError as error:
        raise AssertionError(f"{text}{args}\n{error}") from None
