# SPDX-License-Identifier: MIT
"""Memos that become native: nothing but their speed may differ from Python's run of the function.

The differential test builds random programs (signals of mixed types, memos with pure and impure
bodies, batches, exceptions, changes of type, rebinding of captured values) and runs each twice,
with native memos and without. Values, exceptions, run counts and the order of notifications must
agree. ``LATTICE_NATIVE_SECONDS=3600`` runs it for an hour.
"""

from __future__ import annotations

import gc
import linecache
import math
import os
import random
import struct
import time
import weakref
from typing import Any

import pytest

import lattice as lt
from lattice import _core

RUNS = 70  # more than the runs after which a memo is considered


def warm(signal: lt.Signal[Any], memo: lt.Memo[Any], values: Any = None) -> None:
    """Runs the memo often enough to become native."""
    first = signal.value
    for k in range(2 * RUNS):
        signal.value = values(k) if values else type(first)(k + 2)
        memo.peek()
    signal.value = first
    memo.peek()


def test_a_hot_memo_of_numbers_becomes_native_by_itself() -> None:
    price, count = lt.signal(2.5), lt.signal(4)
    total = lt.memo(lambda: price.value * count.value)
    assert total.native is False
    assert "not tried yet" in str(total.native_reason)
    warm(price, total)
    assert total.native is True
    assert total.native_reason is None
    assert total.value == 10.0
    count.value = 5
    assert total.value == 12.5
    assert repr(total) == "<Memo total=12.5>"
    assert total.runs == 2 * RUNS + 2


def test_native_false_forbids_and_native_true_demands() -> None:
    x = lt.signal(1.0)
    python = lt.memo(lambda: x.value + 1, native=False)
    warm(x, python)
    assert (python.native, python.native_reason) == (False, "native=False")

    native = lt.memo(lambda: x.value + 1, native=True)
    assert native.value == 2.0
    assert native.native
    assert native.runs == 1

    with pytest.raises(
        lt.TraceError, match=r"test_native_memo.py:\d+:\d+: print\(\) is a side"
    ) as e:

        @lt.memo(native=True)
        def loud() -> float:
            print("run")
            return x.value

        loud()
    assert 'print("run")' in str(e.value)
    text = lt.memo(lambda: str(x.value), native=True)
    with pytest.raises(lt.TraceError, match=r"str\(\) is not known to be free of side effects"):
        text()
    with pytest.raises(lt.TraceError, match="equals= is given"):
        lt.memo(lambda: x.value, native=True, equals="is")
    listed = lt.signal([1])
    with pytest.raises(lt.TraceError, match="'listed' holds a value of type list"):
        lt.memo(lambda: listed.value, native=True).value  # noqa: B018
    with pytest.raises(lt.TraceError, match="reads no signal or memo"):
        lt.memo(lambda: 1, native=True).value  # noqa: B018


class Box:
    rate = 2.0


BOX = Box()
RUN_COUNT = 0
LOG: list[float] = []
X = lt.signal(1.0)


def counts() -> float:
    global RUN_COUNT
    RUN_COUNT += 1
    return X.value


def logs() -> float:
    LOG.append(X.value)
    return X.value


def prints() -> float:
    print("", end="")
    return X.value


def reads_attribute() -> float:
    return X.value * BOX.rate


def random_number() -> float:
    return X.value * random.random()


def writes() -> float:
    X.value = 3.0
    return 1.0


def reads_item() -> float:
    return X.value + LOG[0]


def walrus_of_call() -> float:
    return (y := X.value) + time.time() * 0 + y


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (counts, "writing a global is a side effect"),
        (logs, "the attribute .append of a value of type list may run anything"),
        (prints, "print() is a side effect"),
        (reads_attribute, "the attribute .rate of"),
        (random_number, "random.random() is not known to be free of side effects"),
        (writes, "assigning to X.value is a side effect"),
        (reads_item, "a subscript has no native form"),
        (walrus_of_call, "time.time() is not known"),
    ],
)
def test_what_may_have_side_effects_stays_in_python(function: Any, reason: str) -> None:
    LOG[:] = [1.0]
    memo = lt.memo(function)
    source = lt.signal(1.0)
    trigger = lt.memo(lambda: source.value)
    trigger.peek()
    for k in range(2 * RUNS):
        X.value = float(k)
        memo.peek()
    X.value = 1.0
    assert not memo.native
    if memo.runs >= RUNS:
        assert reason in str(memo.native_reason)
        assert f"test_native_memo.py:{function.__code__.co_firstlineno + 1}" in str(
            memo.native_reason
        ) or "test_native_memo.py:" in str(memo.native_reason)


def test_a_branch_reads_what_python_reads() -> None:
    switch, left, right = lt.signal(True), lt.signal(1.0), lt.signal(2)
    memo = lt.memo(lambda: left.value if switch.value else right.value)
    warm(left, memo)
    assert memo.native
    runs = memo.runs
    right.value = 7
    assert (memo.value, memo.runs) == (1.0, runs), "it has not read `right`"
    switch.value = False
    assert (memo.value, type(memo.value), memo.runs) == (7, int, runs + 1)
    left.value = 5.0
    assert (memo.value, memo.runs) == (7, runs + 1), "nor does it read `left` any more"
    assert memo.native


def test_short_circuits_and_chains_read_what_python_reads() -> None:
    a, b, c = lt.signal(1), lt.signal(2), lt.signal(3)
    memo = lt.memo(lambda: a.value < b.value < c.value and (a.value or b.value))
    warm(a, memo)
    assert memo.native
    a.value = 10
    assert memo.value is False
    runs = memo.runs
    c.value = 30
    assert (memo.value, memo.runs) == (False, runs)
    b.value, a.value = 20, 0
    assert memo.value == 20
    assert memo.native


def test_a_memo_behind_what_raises_is_not_computed() -> None:
    top, bottom, other = lt.signal(1.0), lt.signal(2.0), lt.signal(1.0)
    costly = lt.memo(lambda: other.value * 2.0)
    memo = lt.memo(lambda: top.value / bottom.value + costly.value)
    warm(top, memo)
    assert memo.native
    runs = costly.runs
    with lt.batch():
        other.value = 5.0
        bottom.value = 0.0
    with pytest.raises(ZeroDivisionError, match="float division by zero"):
        memo.value  # noqa: B018
    assert costly.runs == runs
    bottom.value = 4.0
    assert memo.value == 10.25
    assert costly.runs == runs + 1
    assert memo.native


def test_errors_and_large_integers_are_pythons() -> None:
    n = lt.signal(3)
    square = lt.memo(lambda: n.value * n.value)
    root = lt.memo(lambda: math.sqrt(n.value))
    warm(n, square)
    warm(n, root)
    assert square.native
    assert root.native
    n.value = 2**40
    assert square.value == 2**80
    n.value = 3
    assert square.value == 9
    n.value = -1
    with pytest.raises(ValueError, match="math domain error"):
        root.value  # noqa: B018
    n.value = 16
    assert root.value == 4.0
    assert square.native
    assert root.native
    n.value = 2**70
    assert square.value == 2**140
    n.value = 5
    assert square.value == 25


def test_another_type_is_traced_anew_and_too_many_are_not() -> None:
    x = lt.signal(1)
    memo = lt.memo(lambda: x.value + 1)
    warm(x, memo)
    assert memo.native
    x.value = 1.5  # type: ignore[assignment]
    assert memo.value == 2.5
    assert not memo.native
    x.value = 2.5  # type: ignore[assignment]
    assert memo.value == 3.5
    x.value = 3.5  # type: ignore[assignment]
    assert (memo.value, memo.native) == (4.5, True)
    for k in range(20 * RUNS):
        x.value = k if k % 2 else k + 0.5  # type: ignore[assignment]
        assert memo.value == x.value + 1
    assert not memo.native
    assert "several times" in str(memo.native_reason)


RATE = 2.0


def test_captured_values_may_be_rebound() -> None:
    global RATE
    x, factor = lt.signal(1.0), 3.0

    def scaled() -> float:
        return x.value * RATE * factor

    memo = lt.memo(scaled)
    warm(x, memo)
    assert memo.native
    RATE = 5.0
    assert memo.value == 6.0, "rebinding tells nobody"
    x.value = 2.0
    assert memo.value == 30.0
    factor = 1.0
    x.value = 3.0
    assert memo.value == 15.0
    RATE = 2.0


def test_equal_results_stop_propagation_also_with_nan_and_zeros() -> None:
    x = lt.signal(2.0)
    memo = lt.memo(lambda: x.value * 0.0)
    reader = lt.memo(lambda: memo.value + 1.0)
    effect = lt.effect(lambda: reader.value)
    warm(x, reader)
    assert memo.native
    runs = reader.runs
    x.value = -1.0
    assert math.copysign(1.0, memo.value) == 1.0, "-0.0 equals 0.0: the old value stays"
    assert reader.runs == runs
    x.value = math.inf
    assert math.isnan(memo.value)
    assert reader.runs == runs + 1
    x.value = -math.inf
    assert reader.runs == runs + 1, "nan is no change from nan"
    effect.dispose()


def test_a_chain_and_its_reader() -> None:
    source = lt.signal(1.0)
    memos = [lt.memo(lambda: source.value + 1.0)]
    for _ in range(20):
        memos.append(lt.memo(lambda before=memos[-1]: before.value * 1.5 - 0.25))
    seen: list[float] = []
    effect = lt.effect(lambda: seen.append(memos[-1].value))
    for k in range(2 * RUNS):
        source.value = float(k)
    assert all(memo.native for memo in memos)
    expected = 2 * RUNS + 0.0
    for _ in range(20):
        expected = expected * 1.5 - 0.25
    assert seen[-1] == expected
    assert {memo.runs for memo in memos} == {2 * RUNS + 1}
    effect.dispose()


def test_memos_that_are_dropped_are_collected() -> None:
    x = lt.signal(1.0)

    def make() -> weakref.ref[Any]:
        memo = lt.memo(lambda: x.value * 2.0)
        warm(x, memo)
        assert memo.native
        return weakref.ref(memo)

    ended = make()
    gc.collect()
    assert ended() is None


def test_a_disposed_native_memo_is_disposed() -> None:
    x = lt.signal(1.0)
    memo = lt.memo(lambda: x.value * 2.0)
    warm(x, memo)
    memo.dispose()
    with pytest.raises(lt.DisposedError):
        memo.value  # noqa: B018
    assert memo.native is False


def test_a_function_that_it_calls_is_walked_too() -> None:
    def clamp(value: float, high: float = 10.0) -> float:
        if value > high:
            return high
        return value

    x = lt.signal(1.0)
    memo = lt.memo(lambda: clamp(x.value * 4) + clamp(x.value, 2.0))
    warm(x, memo)
    assert memo.native
    x.value = 2.75
    assert memo.value == 12.0


def test_libm_gives_cpythons_bits() -> None:
    x, y = lt.signal(1.0), lt.signal(1.5)

    def body() -> float:
        a = x.value
        return (
            math.sin(a)
            + math.exp(-a * a)
            + math.log1p(a * a)
            + math.atan2(a, y.value)
            + (a * a + 1.0) ** y.value
            + a**2
            + math.tanh(a)
        )

    memo = lt.memo(body)
    warm(x, memo)
    assert memo.native
    rng = random.Random(3)
    for _ in range(300):
        x.value = rng.uniform(-20.0, 20.0)
        assert struct.pack("d", memo.value) == struct.pack("d", body())
    assert memo.native


def test_the_environment_turns_it_off() -> None:
    assert isinstance(_core.native_value(lt.signal(3)), tuple)
    assert _core.native_value(lt.signal(3)) == (True, 3)
    assert _core.native_value(lt.memo(lambda: 3)) == (False, None)
    with pytest.raises(TypeError, match="a signal or memo is wanted"):
        _core.native_value(3)


# --- the differential test

VALUES: dict[str, list[Any]] = {
    "int": [0, 1, -1, 2, 7, -13, 2**31, 2**53 + 1, 2**62, -(2**63), 2**63, 2**70],
    "float": [0.0, -0.0, 1.0, -2.5, 1e300, -1e-300, math.inf, -math.inf, math.nan, 0.1, 3.0],
    "bool": [True, False],
}
OTHERS: list[Any] = ["text", None, (1, 2), [1]]


class Writer:
    """Writes the source of a random program: functions `m0`, `m1`, ... over signals `s0`, ..."""

    def __init__(self, rng: random.Random, signals: int, memos: int) -> None:
        self.rng = rng
        self.signals = signals
        self.lines: list[str] = []
        for k in range(memos):
            self.memo(k)

    def leaf(self, k: int, names: list[str]) -> str:
        choice = self.rng.random()
        if choice < 0.5 or (choice < 0.75 and k == 0):
            return f"s{self.rng.randrange(self.signals)}.value"
        if choice < 0.75:
            name = f"m{self.rng.randrange(k)}"
            return self.rng.choice([f"{name}.value", f"{name}()"])
        if choice < 0.85 and names:
            return self.rng.choice(names)
        return self.rng.choice(["1", "2", "3", "0.5", "-1.5", "True", "RATE", "7", "cell", "0"])

    def expression(self, k: int, names: list[str], depth: int) -> str:
        if depth == 0:
            return self.leaf(k, names)

        def sub() -> str:
            return self.expression(k, names, depth - 1 if self.rng.random() < 0.7 else 0)

        choice = self.rng.randrange(15)
        if choice < 5:
            op = self.rng.choice(["+", "-", "*", "/", "//", "%", "+", "-", "*"])
            return f"({sub()} {op} {sub()})"
        if choice < 6:
            if self.rng.random() < 0.5:  # the right side is small: Python's integers grow
                power = self.rng.choice(
                    ["** 2", "** 3", "** 0.5", "<< 3", ">> 2", "** -1", "** 2.0"]
                )
                return f"({sub()} {power})"
            return f"({sub()} {self.rng.choice(['&', '|', '^'])} {sub()})"
        if choice < 8:
            return f"({sub()} {self.rng.choice(['<', '<=', '==', '!=', '>', '>='])} {sub()})"
        if choice < 9:
            return f"({sub()} if {sub()} else {sub()})"
        if choice < 10:
            return f"({sub()} {self.rng.choice(['and', 'or'])} {sub()})"
        if choice < 11:
            return f"({self.rng.choice(['-', 'not ', '+', '~', 'not '])}({sub()}))"
        if choice < 12:
            return f"{self.rng.choice(['min', 'max'])}({sub()}, {sub()})"
        if choice < 13:
            return f"{self.rng.choice(['abs', 'float', 'int', 'bool', 'round'])}({sub()})"
        if choice < 14:
            function = self.rng.choice(
                ["sin", "exp", "sqrt", "floor", "log", "tanh", "fabs", "isnan", "cos", "ceil"]
            )
            return f"math.{function}({sub()})"
        return f"({sub()} < {sub()} <= {sub()})"

    def memo(self, k: int) -> None:
        rng = self.rng
        self.lines.append(f"def f{k}():")
        names: list[str] = []
        for at in range(rng.randrange(3)):
            name = f"v{at}"
            if names and rng.random() < 0.3:
                self.lines.append(f"    {names[-1]} += {self.expression(k, names, 1)}")
            self.lines.append(f"    {name} = {self.expression(k, names, 2)}")
            names.append(name)
        choice = rng.random()
        if choice < 0.1:
            self.lines.append(f"    log.append({k})")
        elif choice < 0.15:
            self.lines.append(f"    tick({k})")
        elif choice < 0.2:
            self.lines.append(f"    if {self.expression(k, names, 1)}: raise KeyError({k})")
        elif choice < 0.3:
            self.lines.append(f"    for i in range({rng.randrange(4)}):")
            self.lines.append(f"        v9 = {self.expression(k, [*names, 'i'], 1)}")
            self.lines.append("        if v9: break")
        if choice > 0.5:
            self.lines.append(f"    if {self.expression(k, names, 1)}:")
            self.lines.append(f"        return {self.expression(k, names, 2)}")
            if rng.random() < 0.3:
                self.lines.append(f"    else: v0 = {self.expression(k, names, 1)}")
                names = [*names, "v0"]
        self.lines.append(f"    return {self.expression(k, names, 3)}")


def shown(value: Any) -> Any:
    if type(value) is float:
        return ("float", struct.pack("d", value) if value == value else b"nan")
    return (type(value).__name__, value)


def outcome(read: Any) -> Any:
    try:
        return shown(read())
    except Exception as error:
        return (type(error).__name__, str(error))


COUNTER = iter(range(10**9))


def run_program(seed: int, native: bool | None) -> tuple[list[Any], int]:
    """What a program shows, and how many memos were native, summed over its events."""
    rng = random.Random(seed)
    signals = rng.randrange(2, 6)
    memos = rng.randrange(2, 8)
    lines = [
        "def make(cell):",
        *("    " + line for line in Writer(rng, signals, memos).lines),
        "    def rebind(value):",
        "        nonlocal cell",
        "        cell = value",
        f"    return rebind, [{', '.join(f'f{k}' for k in range(memos))}]",
    ]
    text = "\n".join(lines)
    file = f"<native memo {next(COUNTER)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    trail: list[Any] = []
    scope: dict[str, Any] = {
        "math": math,
        "RATE": 2.5,
        "log": trail,
        "tick": lambda k: trail.append(("tick", k)),
        "__builtins__": __builtins__,
    }
    kinds = [rng.choice(list(VALUES)) for _ in range(signals)]

    def any_value(at: int) -> Any:
        draw = rng.random()
        if draw < 0.04:
            return rng.choice(OTHERS)
        if draw < 0.1:
            kinds[at] = rng.choice(list(VALUES))
        if kinds[at] == "float" and draw < 0.6:
            return rng.uniform(-10, 10)
        if kinds[at] == "int" and draw < 0.6:
            return rng.randrange(-20, 20)
        return rng.choice(VALUES[kinds[at]])

    for k in range(signals):
        scope[f"s{k}"] = lt.signal(any_value(k), name=f"s{k}")
    exec(compile(text, file, "exec"), scope)
    rebind, functions = scope["make"](1.25)
    made = []
    for k, function in enumerate(functions):
        scope[f"m{k}"] = memo = lt.memo(function, name=f"m{k}", native=native)
        made.append(memo)
    effects = []
    for k in range(rng.randrange(1, 4)):
        watched = rng.choice(made)
        effects.append(
            lt.effect(lambda w=watched, k=k: trail.append(("effect", k, outcome(lambda: w.value))))
        )
    count = 0
    for _ in range(rng.randrange(150, 260)):
        draw = rng.random()
        if draw < 0.7:
            at = rng.randrange(signals)
            scope[f"s{at}"].value = any_value(at)
        elif draw < 0.8:
            with lt.batch():
                for _ in range(rng.randrange(1, 5)):
                    at = rng.randrange(signals)
                    scope[f"s{at}"].value = any_value(at)
                    if rng.random() < 0.3:
                        trail.append(outcome(rng.choice(made).peek))
        elif draw < 0.82:
            scope["RATE"] = rng.choice([2.5, 3, True, 0.0])
        elif draw < 0.84:
            rebind(rng.choice([1.25, 4, False]))
        elif draw < 0.845 and effects:
            effects.pop().dispose()
        else:
            trail.append(outcome(rng.choice(made).peek))
        count += sum(memo.native for memo in made)
    trail.append([memo.runs for memo in made])
    trail.append([outcome(memo.peek) for memo in made])
    for effect in effects:
        effect.dispose()
    linecache.cache.pop(file, None)
    return trail, count


def check_program(seed: int) -> int:
    native, count = run_program(seed, None)
    python, _ = run_program(seed, False)
    for at, (one, other) in enumerate(zip(native, python, strict=False)):
        assert one == other, f"seed {seed}, event {at}: native {one}, Python {other}"
    assert len(native) == len(python), f"seed {seed}"
    return count


def test_random_programs_do_the_same_natively() -> None:
    first = int(os.environ.get("LATTICE_NATIVE_SEED", "1"))
    seconds = float(os.environ.get("LATTICE_NATIVE_SECONDS", "0"))
    programs = int(os.environ.get("LATTICE_NATIVE_PROGRAMS", "120"))
    end = time.monotonic() + seconds
    seed, count = first, 0
    before = _core.native_run_mask(3)  # every fourth run is a try
    try:
        while seed < first + programs or time.monotonic() < end:
            count += check_program(seed)
            seed += 1
    finally:
        _core.native_run_mask(before)
    assert count > 30 * programs, "hardly any memo became native: the test compares little"
