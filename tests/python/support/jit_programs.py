# SPDX-License-Identifier: MIT
"""Random numeric programs, as source text, with arguments; and the comparison to the bit.

A program is a function's text. It is given a file name of its own and its lines, so that tracing
finds the source as it does for a file.
"""

from __future__ import annotations

import linecache
import random
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float32", "float64"]
DTYPES = [*INTEGERS, *FLOATS, "bool"]
LENGTHS = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 127, 1000, 1023, 1025]
# Around the chunks of the reductions; few, because they are slow in the interpreter.
LONG = [8191, 8192, 8193, 20000]

_count = 0


class Settled:
    """NumPy, with one answer where NumPy's own depends on the place in the array or in memory.

    Which of two equal zeros of unlike signs `fmin`, `fmax` and the reductions `min`, `max` give
    differs between NumPy's vector loops and their remainders, which of two `clip` gives differs
    with strides of zero, and so does what a float cast to uint32 that it cannot hold becomes. Here
    it is always the second operand (the last element; the bound that is an array), and what
    conversion of one element at a time by way of int32 gives. All else is NumPy.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def fmin(x: Any, y: Any) -> Any:
        return second_of_zeros(np.fmin(x, y), x, y)

    @staticmethod
    def fmax(x: Any, y: Any) -> Any:
        return second_of_zeros(np.fmax(x, y), x, y)

    @staticmethod
    def min(x: Any) -> Any:
        return last_of_zeros(np.min(x), x)

    @staticmethod
    def max(x: Any) -> Any:
        return last_of_zeros(np.max(x), x)

    @staticmethod
    def clip(x: Any, low: Any, high: Any) -> Any:
        shape = np.broadcast_shapes(np.shape(x), np.shape(low), np.shape(high))
        low, high = (
            np.broadcast_to(bound, shape).copy() if np.ndim(bound) else bound
            for bound in (low, high)
        )
        return np.clip(x, low, high)


def second_of_zeros(result: Any, x: Any, y: Any) -> Any:
    if result.dtype.kind != "f":
        return result
    x, y = np.asarray(x), np.asarray(y)
    tied = np.broadcast_to((x == 0) & (y == 0), result.shape)
    return np.where(tied, y.astype(result.dtype), result)[()]


def last_of_zeros(result: Any, x: Any) -> Any:
    if np.asarray(result).dtype.kind != "f" or result != 0:
        return result
    elements = np.ravel(x)
    return elements[np.flatnonzero(elements == 0)[-1]]


def cast(x: Any, dtype: Any) -> Any:
    """x.astype(dtype), settled."""
    result = x.astype(dtype)
    if result.dtype == np.uint32 and x.dtype.kind == "f":
        upper = x >= 2.0**31
        lower = np.where(upper, x - x.dtype.type(2.0**31), x)
        held = (lower > -(2.0**31) - 1) & (lower < 2.0**31)
        signed = np.where(held, lower, -(2.0**31)).astype(np.int64)
        flip = np.where(upper, 2**31, 0)
        result = ((signed & 0xFFFFFFFF) ^ flip).astype(np.uint32)
    return result


def settled(text: str, name: str = "f") -> Callable[..., Any]:
    """The function of a text, on Settled instead of NumPy."""
    text = re.sub(r"\((\w+)\)\.astype\((np\.\w+)\)", r"cast(\1, \2)", text)
    scope: dict[str, Any] = {"np": Settled(), "math": __import__("math"), "cast": cast}
    exec(text, scope)
    function: Callable[..., Any] = scope[name]
    return function


def define(text: str, name: str = "f") -> Callable[..., Any]:
    """The function of a text."""
    global _count
    _count += 1
    file = f"<program {_count}>"
    lines = text.splitlines(keepends=True)
    linecache.cache[file] = (len(text), None, lines, file)
    scope: dict[str, Any] = {"np": np, "math": __import__("math")}
    exec(compile(text, file, "exec"), scope)
    function: Callable[..., Any] = scope[name]
    return function


def special(rng: random.Random, dtype: str, count: int) -> np.ndarray:
    """Values of a dtype, one in four of them special."""
    kind = np.dtype(dtype)
    if dtype == "bool":
        return np.array([rng.random() < 0.5 for _ in range(count)], dtype=bool)
    if kind.kind == "f":
        info = np.finfo(kind)
        edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 2.5, -2.5, float(info.max)]
        edges += [float(info.tiny), float(info.smallest_subnormal), 2.0**53 + 2, -(2.0**31), 1e-3]
        values = [
            rng.choice(edges) if rng.random() < 0.25 else rng.uniform(-100, 100)
            for _ in range(count)
        ]
        return np.array(values).astype(kind)
    limits = np.iinfo(kind)
    low, high = int(limits.min), int(limits.max)
    edges = [0, 1, 2, 3, low, high, high - 1, low + 1, 7, max(low, -1), max(low, -7)]
    values = [
        rng.choice(edges) if rng.random() < 0.25 else rng.randint(max(low, -50), min(high, 50))
        for _ in range(count)
    ]
    return np.array(values, dtype=kind)


def shaped(rng: random.Random, base: np.ndarray) -> np.ndarray:
    """The same values, in a memory layout of some kind."""
    form = rng.randrange(5)
    if form == 0 and base.size:
        wide = np.empty(base.size * 3, base.dtype)
        wide[::3] = base
        return wide[::3]
    if form == 1:
        return base[::-1].copy()[::-1]
    if form == 2 and base.size:
        return np.broadcast_to(base[:1], base.shape)
    return base


class Arrays:
    """Element-wise programs and reductions on whole arrays."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        rng = self.rng
        self.types = [rng.choice(DTYPES) for _ in range(rng.randint(1, 3))]
        self.lines: list[str] = []
        names = ["a", "b", "c"][: len(self.types)]
        values = list(names)
        for index in range(rng.randint(1, 8)):
            name = f"v{index}"
            self.lines.append(f"    {name} = {self.expression(values)}")
            values.append(name)
        result = values[-1]
        if rng.random() < 0.3:
            reduction = rng.choice(["np.sum", "np.min", "np.max", "np.prod", "np.mean"])
            self.lines.append(f"    r = {reduction}({result})")
            result = f"({result}, r)"
        self.text = f"def f({', '.join(names)}):\n" + "\n".join(self.lines)
        self.text += f"\n    return {result}\n"
        count = rng.choice(LENGTHS) if rng.random() < 0.95 else rng.choice(LONG)
        self.args: list[Any] = []
        for dtype in self.types:
            style = rng.random()
            if style < 0.8:
                self.args.append(shaped(rng, special(rng, dtype, count)))
            elif style < 0.9:
                self.args.append(special(rng, dtype, 1)[0])
            else:
                self.args.append(rng.choice([1, -2, 3, 0.5, 2.0, True]))

    def operand(self, values: list[str]) -> str:
        rng = self.rng
        if rng.random() < 0.2:
            return rng.choice(["2", "3", "1", "0", "-1", "7", "0.5", "2.0", "-1.5", "1e-3"])
        return rng.choice(values)

    def expression(self, values: list[str]) -> str:
        rng = self.rng
        x, y, z = (self.operand(values) for _ in range(3))
        if not any(item.isidentifier() for item in (x, y, z)):
            x = rng.choice(values)
        form = rng.randrange(14)
        if form >= 12:
            return f"np.{rng.choice(['floor', 'ceil', 'trunc', 'rint'])}({x} / {y})"
        if form < 5:
            return f"{x} {rng.choice(['+', '-', '*', '/', '//', '%'])} {y}"
        if form == 5:
            return f"{x} {rng.choice(['<', '<=', '>', '>=', '==', '!='])} {y}"
        if form == 6:
            return f"np.{rng.choice(['maximum', 'minimum', 'fmax', 'fmin'])}({x}, {y})"
        if form == 7:
            return f"np.where({x} {rng.choice(['<', '>='])} {y}, {y}, {z})"
        if form == 8:
            name = rng.choice(["abs", "floor", "ceil", "trunc", "sign", "isnan", "square"])
            return f"np.{name}({x})"
        if form == 9:
            return (
                f"({x}).astype(np.{rng.choice(DTYPES).replace('bool', 'bool_')})"
                if (x.isidentifier())
                else f"-({x})"
            )
        if form == 10:
            return f"np.clip({x}, {y}, {z})" if x.isidentifier() else f"{x} + {y}"
        return f"{x} {rng.choice(['&', '|', '^'])} {y}"


class Scalars:
    """Programs of Python numbers with control flow."""

    def __init__(self, seed: int, lanes: bool = False) -> None:
        self.rng = random.Random(seed)
        self.lanes = lanes
        self.depth = 0
        rng = self.rng
        body = ["    x = a", "    y = b", "    n = 0"]
        for _ in range(rng.randint(2, 5)):
            body += self.statement("    ", False)
        body.append(f"    return {rng.choice(['x', 'x + y', '(x, y)', 'n', '(x, n)'])}")
        self.text = "def f(a, b):\n" + "\n".join(body) + "\n"

    def number(self) -> str:
        if self.lanes:
            return self.rng.choice(["0.5", "2.0", "-1.5", "3.0", "0.25"])
        return self.rng.choice(["2", "3", "-1", "7", "0.5", "2.0", "-1.5", "0"])

    def term(self) -> str:
        rng = self.rng
        name = rng.choice(["x", "y", "n", "a", "b"])
        form = rng.randrange(7)
        if form < 3:
            return f"{name} {rng.choice(['+', '-', '*'])} {self.number()}"
        if form == 3:
            return f"{name} {rng.choice(['+', '-', '*'])} {rng.choice(['x', 'y', 'n'])}"
        if form == 4:
            return f"({name} if {self.test()} else {self.number()})"
        if form == 5:
            return f"{rng.choice(['min', 'max'])}({name}, {self.number()})"
        operator = rng.choice(["/", "//", "%"]) if not self.lanes else "/"
        return f"{name} {operator} {self.number()}"

    def test(self) -> str:
        rng = self.rng
        name = rng.choice(["x", "y", "n", "a"])
        plain = f"{name} {rng.choice(['<', '<=', '>', '>=', '!='])} {self.number()}"
        form = rng.randrange(5)
        if form == 0:
            return f"{plain} and y < {self.number()}"
        if form == 1:
            return f"{plain} or not x > {self.number()}"
        if form == 2:
            return f"{self.number()} < {name} <= y"
        return plain

    def statement(self, indent: str, in_loop: bool) -> list[str]:
        rng = self.rng
        if self.depth >= 3:
            return [f"{indent}{rng.choice(['x', 'y'])} = {self.term()}"]
        form = rng.randrange(10)
        self.depth += 1
        inner = indent + "    "
        try:
            if form < 3:
                return [f"{indent}{rng.choice(['x', 'y'])} = {self.term()}"]
            if form < 6:
                made = [f"{indent}if {self.test()}:", *self.statement(inner, in_loop)]
                if in_loop and rng.random() < 0.4:
                    made.append(f"{inner}{rng.choice(['break', 'continue'])}")
                elif rng.random() < 0.2:
                    made.append(f"{inner}return {rng.choice(['x', 'y', '(x, y)', 'x + 1'])}")
                if rng.random() < 0.6:
                    made += [f"{indent}else:", *self.statement(inner, in_loop)]
                return made
            if form < 8:
                count = rng.choice(["3", "6", "10", "2, 9, 2"])
                made = [f"{indent}for i in range({count}):"]
                for _ in range(rng.randint(1, 2)):
                    made += self.statement(inner, True)
                made.append(f"{inner}n = n + 1")
                if rng.random() < 0.3:
                    made += [f"{indent}else:", f"{inner}y = y - 1"]
                return made
            k = f"k{self.depth}"
            head = f"{indent}while {k} < {rng.randint(2, 9)} and ({self.test()}):"
            made = [f"{indent}{k} = 0", head, f"{inner}{k} += 1"]
            made += self.statement(inner, True)
            made.append(f"{inner}n += {k}")
            return made
        finally:
            self.depth -= 1

    def arguments(self) -> tuple[Any, Any]:
        rng = self.rng
        if self.lanes:
            count = rng.choice([1, 2, 5, 8, 17, 33])
            return (
                np.array([rng.uniform(-5, 5) for _ in range(count)]),
                np.array([rng.uniform(-5, 5) for _ in range(count)]),
            )
        choices: list[Any] = [0, 1, -1, 2, 5, -7, 0.5, -2.5, 3.0, 1e3, 2**62, True]
        return rng.choice(choices), rng.choice(choices)


def outcome(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[str, Any]:
    """("value", result) or ("raised", type)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return "value", function(*args)
        except RecursionError:
            raise
        except Exception as error:
            return "raised", type(error)


def same(a: Any, b: Any, *, exact_types: bool = True) -> bool:
    """Equal to the bit; any nan equals any nan."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        return (
            type(a) is type(b)
            and len(a) == len(b)
            and all(same(x, y, exact_types=exact_types) for x, y in zip(a, b, strict=True))
        )
    if isinstance(a, (np.ndarray, np.generic)) or isinstance(b, (np.ndarray, np.generic)):
        left, right = np.asarray(a), np.asarray(b)
        if exact_types and left.dtype != right.dtype:
            return False
        if left.shape != right.shape:
            return False
        if left.dtype.kind == "f":
            nan = np.isnan(left) & np.isnan(right)
            signs = np.signbit(left) == np.signbit(right)
            return bool(np.all(nan | ((left == right) & signs)))
        return bool(np.all(left == right))
    if exact_types and type(a) is not type(b):
        return False
    if isinstance(a, float) and isinstance(b, float) and (a != a or a == 0):
        return (a != a) == (b != b) and (a != a or repr(a) == repr(b))
    return bool(a == b)
