# SPDX-License-Identifier: MIT
"""Claims about callbacks that do what they should not: they call back, raise, or dispose.

Wherever the graph calls the user's code (functions, equality, ``__eq__``, cleanups, ``__del__``),
that code may use the graph; and whatever it raises, at whichever of its calls, the graph is
consistent afterwards.
"""

from __future__ import annotations

import gc
import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt


@pytest.fixture(autouse=True)
def _no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="lattice")


def check_the_graph_works() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(doubled()))
    source.value = 1
    with lt.batch():
        source.value = 2
        source.value = 3
    assert seen == [0, 2, 6]
    effect.dispose()


# --- re-entrancy


class World:
    """Some nodes for a callback to play with."""

    def __init__(self) -> None:
        self.source = lt.signal(0)
        self.other = lt.signal(0)
        self.memo = lt.memo(lambda: self.source.value + self.other.value)
        self.seen: list[int] = []
        self.effect = lt.effect(self.look)
        self.victims = [lt.effect(lambda: self.source.value) for _ in range(3)]
        self.scope = lt.Scope()
        with self.scope:
            self.scoped = lt.effect(lambda: self.memo())
        self.made: list[Any] = []
        self.calls = 0

    def look(self) -> None:
        self.seen.append(self.memo())

    def check(self) -> None:
        """What was written is what readers see."""
        total = self.source.peek() + self.other.peek()
        assert self.memo() == total
        assert self.seen[-1] == total
        self.source.value += 1
        assert self.memo() == total + 1
        assert self.seen[-1] == total + 1


def write(world: World) -> None:
    if world.calls < 5:
        world.source.value += 1


def write_in_a_batch(world: World) -> None:
    if world.calls < 5:
        with lt.batch():
            world.source.value += 1
            world.other.value += 1


def read_all(world: World) -> None:
    _ = world.source.value + world.other.value + world.memo() + world.memo.peek()


def create(world: World) -> None:
    signal = lt.signal(0)
    memo = lt.memo(lambda: signal.value + world.source.value)
    memo()
    world.made += [signal, memo]
    if world.calls < 5:
        world.made.append(lt.effect(lambda: world.source.value))


def dispose_effects(world: World) -> None:
    while world.victims:
        world.victims.pop().dispose()


def dispose_scope(world: World) -> None:
    world.scope.dispose()


def flush(world: World) -> None:
    lt.flush()


def collect(world: World) -> None:
    gc.collect()


def register(world: World) -> None:
    if world.calls < 5:
        lt.on_cleanup(lambda: None)


def untrack(world: World) -> None:
    with lt.untracked():
        read_all(world)


ACTIONS = [
    read_all,
    write,
    write_in_a_batch,
    create,
    dispose_effects,
    dispose_scope,
    flush,
    collect,
    register,
    untrack,
]


class Value:
    """Compares and ends loudly."""

    def __init__(self, number: int, world: World, action: Callable[[World], None]) -> None:
        self.number = number
        self.world = world
        self.action = action

    def act(self) -> None:
        self.world.calls += 1
        self.action(self.world)


class LoudEq(Value):
    def __eq__(self, other: object) -> bool:
        self.act()
        return isinstance(other, LoudEq) and self.number == other.number

    __hash__ = None  # type: ignore[assignment]


class LoudDel(Value):
    def __del__(self) -> None:
        self.act()


@pytest.mark.parametrize("equals", ["==", "function"])
@pytest.mark.parametrize("action", ACTIONS)
def test_an_equality_that_uses_the_graph(action: Callable[[World], None], equals: str) -> None:
    world = World()

    def same(old: LoudEq, new: LoudEq) -> bool:
        return old == new

    policy: Any = same if equals == "function" else "=="
    level = lt.signal(LoudEq(0, world, action), equals=policy)
    copied = lt.memo(lambda: LoudEq(level.value.number // 2, world, action), equals=policy)
    seen: list[int] = []
    lt.effect(lambda: seen.append(copied().number))
    for number in range(1, 7):
        if number % 3 == 0:
            with lt.batch():
                level.value = LoudEq(number, world, action)
                level.value = LoudEq(number - 1, world, action)
                level.value = LoudEq(number, world, action)
        else:
            level.value = LoudEq(number, world, action)
        assert level.value.number == number
        assert copied().number == seen[-1] == number // 2
        world.check()
    assert world.calls > 0
    check_the_graph_works()


def test_an_equality_that_writes_the_signal_being_written() -> None:
    class Number:
        def __init__(self, number: int) -> None:
            self.number = number

        def __eq__(self, other: object) -> bool:
            if self.number == 1:
                level.value = Number(50)
            return isinstance(other, Number) and self.number == other.number

        __hash__ = None  # type: ignore[assignment]

    level = lt.signal(Number(1), equals="==")
    seen: list[int] = []
    lt.effect(lambda: seen.append(level.value.number))
    with pytest.raises(RecursionError):
        level.value = Number(2)  # 1 == 2 writes 50, and 1 == 50 writes 50, and ...
    check_the_graph_works()
    assert seen[-1] == level.value.number


@pytest.mark.parametrize("what", ["signal", "memo", "effect", "reader"])
def test_an_equality_that_disposes_what_is_compared(what: str) -> None:
    class Number:
        def __init__(self, number: int) -> None:
            self.number = number

        def __eq__(self, other: object) -> bool:
            {"signal": level, "memo": memo, "effect": effect, "reader": reader}[what].dispose()
            return False

        __hash__ = None  # type: ignore[assignment]

    level = lt.signal(Number(0), equals="==")
    memo = lt.memo(lambda: Number(level.value.number), equals="==")
    reader = lt.memo(lambda: memo().number)
    effect = lt.effect(reader)
    for number in (1, 2):
        try:
            level.value = Number(number)
        except lt.DisposedError:
            assert what == "signal"
        for node in (level, memo, reader):
            try:
                node.value  # noqa: B018
            except lt.DisposedError:
                assert what != "effect"
    check_the_graph_works()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_finaliser_that_uses_the_graph(action: Callable[[World], None]) -> None:
    world = World()
    level: lt.Signal[Any] = lt.signal(LoudDel(0, world, action))
    made = lt.memo(lambda: LoudDel(level.value.number, world, action))
    seen: list[int] = []
    lt.effect(lambda: seen.append(made().number))
    for number in range(1, 5):
        level.value = LoudDel(number, world, action)
        with lt.batch():
            level.value = LoudDel(number + 100, world, action)
            level.value = LoudDel(number, world, action)
        lt.flush()
        assert seen[-1] == made().number == level.value.number == number
        world.check()
    assert world.calls >= 8
    level.dispose()
    made.dispose()
    check_the_graph_works()
    level.dispose()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_finaliser_of_what_a_node_captures(action: Callable[[World], None]) -> None:
    world = World()
    for kind in ("memo", "effect", "weak effect", "equals", "cleanup", "error"):
        loud = LoudDel(0, world, action)
        if kind == "memo":
            node: Any = lt.memo(lambda loud=loud: loud.number)
            node()
        elif kind == "effect":
            node = lt.effect(lambda loud=loud: loud.number)
        elif kind == "weak effect":
            node = lt.effect(lambda loud=loud: loud.number, weak=True)
        elif kind == "equals":
            node = lt.signal(0, equals=lambda old, new, loud=loud: False)
        elif kind == "cleanup":
            node = lt.effect(lambda loud=loud: lt.on_cleanup(lambda: loud.number))
        else:

            def fail(loud: LoudDel = loud) -> None:
                raise KeyError(loud)

            node = lt.memo(fail)
            with pytest.raises(KeyError):
                node()
            del fail
        del loud
        before = world.calls
        if kind in ("effect", "cleanup"):
            node.dispose()
        del node
        gc.collect()
        assert world.calls > before, kind
        world.check()
    check_the_graph_works()


def dispose_parent(world: World) -> None:
    world.effect.dispose()
    world.effect = lt.effect(world.look)


@pytest.mark.parametrize("action", [*ACTIONS, dispose_parent])
@pytest.mark.parametrize("of", ["effect", "memo", "scope", "nested"])
def test_a_cleanup_that_uses_the_graph(action: Callable[[World], None], of: str) -> None:
    world = World()
    trigger = lt.signal(0)

    def act() -> None:
        world.calls += 1
        action(world)

    def work() -> int:
        value = trigger.value
        lt.on_cleanup(act)
        lt.effect(lambda: world.other.value)
        lt.on_cleanup(act)
        return value

    if of == "scope":
        for _ in range(4):
            with lt.Scope() as scope:
                work()
            scope.dispose()
            world.check()
    else:
        memo = lt.memo(work)
        if of == "memo":
            lt.effect(memo)
        elif of == "effect":
            lt.effect(work)
        else:
            lt.effect(lambda: (trigger.value, lt.effect(work)))
        for value in range(1, 5):
            trigger.value = value
            world.check()
    assert world.calls >= 8
    check_the_graph_works()


def test_a_cleanup_that_disposes_its_own_effect_memo_or_scope() -> None:
    trigger = lt.signal(0)
    made: dict[str, Any] = {}
    calls: list[str] = []

    def work(name: str) -> Callable[[], None]:
        def run() -> None:
            _ = trigger.value

            def end() -> None:
                calls.append(name)
                made[name].dispose()

            lt.on_cleanup(end)

        return run

    made["effect"] = lt.effect(work("effect"))
    made["memo"] = lt.memo(work("memo"))
    lt.effect(lambda: made["memo"]() if trigger.value < 2 else None)
    with lt.Scope() as scope:
        work("scope")()
    made["scope"] = scope
    for value in (1, 2, 3):
        trigger.value = value
    scope.dispose()
    assert sorted(set(calls)) == ["effect", "memo", "scope"]
    assert calls.count("effect") == 1
    check_the_graph_works()


def test_a_cleanup_may_register_another_one() -> None:
    log: list[str] = []

    def work() -> None:
        lt.on_cleanup(lambda: (log.append("first"), lt.on_cleanup(lambda: log.append("second"))))

    with lt.Scope() as scope:
        effect = lt.effect(work)
    effect.dispose()
    scope.dispose()
    assert log[0] == "first"
    assert log.count("second") <= 1
    check_the_graph_works()


@pytest.mark.parametrize("action", [read_all, create, dispose_effects, flush, collect, untrack])
def test_a_memo_function_that_uses_the_graph(action: Callable[[World], None]) -> None:
    world = World()
    trigger = lt.signal(0)

    @lt.memo
    def memo() -> int:
        world.calls += 1
        with lt.untracked():
            action(world)
        return trigger.value

    lt.effect(memo)
    for value in range(1, 5):
        trigger.value = value
        assert memo() == value
        world.check()
    check_the_graph_works()


# --- raising at the n-th callback, for all n


class Boom(Exception):
    pass


class Bang(BaseException):
    """No Exception, as KeyboardInterrupt is none."""


class Fuse:
    """Counts the calls of user code and raises at one of them."""

    def __init__(self, at: int, error: type[BaseException]) -> None:
        self.at = at
        self.error = error
        self.count = 0

    def burn(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise self.error(f"at {self.at}")


class Fragile:
    """A value whose comparison may raise."""

    def __init__(self, number: int, fuse: Fuse) -> None:
        self.number = number
        self.fuse = fuse

    def __eq__(self, other: object) -> bool:
        self.fuse.burn()
        return isinstance(other, Fragile) and self.number == other.number

    __hash__ = None  # type: ignore[assignment]


class Machine:
    """A graph in which every kind of callback runs, and what it must show in the end."""

    def __init__(self, fuse: Fuse) -> None:
        self.fuse = fuse
        self.problems: list[BaseException] = []
        self.scope = lt.Scope()
        with self.scope:
            self.attempt(self.build)

    def attempt(self, step: Callable[[], object]) -> None:
        try:
            step()
        except self.fuse.error as error:
            self.problems.append(error)

    def build(self) -> None:
        fuse = self.fuse
        self.beat = lt.signal(0)
        self.a = lt.signal(1)
        self.b = lt.signal(2, equals=self.close)
        self.fragile = lt.signal(Fragile(0, fuse), equals="==")
        self.is_on = lt.signal(True)
        self.copy = lt.signal(0)
        self.seen: dict[str, Any] = {}
        self.total = lt.memo(self.guarded(lambda: self.a.value + self.b.value))
        self.rounded = lt.memo(self.guarded(lambda: self.total() // 2), equals=self.close)
        self.wrapped = lt.memo(
            self.guarded(lambda: Fragile(self.fragile.value.number, fuse)), equals="=="
        )
        self.chosen = lt.memo(
            self.guarded(lambda: self.rounded() if self.is_on.value else self.wrapped().number)
        )
        self.counted = lt.memo(self.with_cleanup(lambda: self.a.value))
        self.effects = []
        for name, body in {
            "total": lambda: self.total(),
            "chosen": lambda: self.chosen(),
            "counted": lambda: self.counted(),
            "nested": self.nested,
            "copy": self.write_copy,
            "copied": lambda: self.copy.value,
        }.items():
            self.effects.append(lt.effect(self.noting(name, body), name=name))
        self.seen["watch"] = 1
        self.effects.append(lt.watch(self.a, self.watched))

    # --- callbacks

    def close(self, old: int, new: int) -> bool:
        self.fuse.burn()
        return old == new

    # Each function reads `beat` first: what raises before it read anything is never asked again.

    def guarded(self, body: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            _ = self.beat.value
            self.fuse.burn()
            value = body()
            self.fuse.burn()
            return value

        return run

    def with_cleanup(self, body: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            _ = self.beat.value
            lt.on_cleanup(self.fuse.burn)
            self.fuse.burn()
            value = body()
            lt.on_cleanup(self.fuse.burn)
            return value

        return run

    def noting(self, name: str, body: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            _ = self.beat.value
            lt.on_cleanup(self.fuse.burn)
            self.fuse.burn()
            self.seen[name] = body()
            self.fuse.burn()

        return run

    def nested(self) -> int:
        lt.effect(self.noting("inner", lambda: self.b.value))
        return self.a.value

    def write_copy(self) -> int:
        self.copy.value = self.a.value * 10
        return self.a.value

    def watched(self, new: int, old: int) -> None:
        self.fuse.burn()
        self.seen["watch"] = new

    def bump(self, value: int) -> int:
        self.fuse.burn()
        return value + 1

    def leave_a_batch(self) -> None:
        with lt.batch():
            self.a.value = 7
            self.fuse.burn()
            self.b.value = 8

    def several(self) -> None:
        def body() -> None:
            self.fuse.burn()
            self.a.value = 9
            self.total()
            self.fragile.value = Fragile(3, self.fuse)
            self.is_on.value = True

        lt.batch(body)

    def steps(self) -> list[Callable[[], object]]:
        return [
            lambda: setattr(self.a, "value", 5),
            lambda: setattr(self.b, "value", 6),
            lambda: setattr(self.fragile, "value", Fragile(1, self.fuse)),
            lambda: setattr(self.is_on, "value", False),
            lambda: self.a.update(self.bump),
            lambda: setattr(self.fragile, "value", Fragile(2, self.fuse)),
            self.leave_a_batch,
            self.several,
            lambda: self.chosen(),
            lambda: self.chosen.peek(),
            lambda: lt.untracked(lambda: self.counted()),
            lambda: self.effects[-1].dispose(),
            lambda: self.effects[2].dispose(),
        ]

    def run(self) -> None:
        with self.scope:
            for step in self.steps():
                self.attempt(step)

    def check_final_state(self) -> None:
        """With every input written anew, nothing of what went wrong is left."""
        self.fuse.at = 0
        a, b, number = self.a.peek() + 10, self.b.peek() + 10, 40
        for is_on in (True, False, True):
            a, b, number = a + 1, b + 3, number + 1
            with lt.batch():
                self.beat.value += 1
                self.a.value = a
                self.b.value = b
                self.fragile.value = Fragile(number, self.fuse)
                self.is_on.value = is_on
            expected = (a + b) // 2 if is_on else number
            assert self.total() == a + b
            assert (self.chosen(), self.wrapped().number) == (expected, number)
            assert self.counted() == a
            assert self.copy.value == a * 10
            alive = {effect.name for effect in self.effects if effect.alive}
            for name, value in {
                "total": a + b,
                "chosen": expected,
                "counted": a,
                "nested": a,
                "inner": b,
                "copy": a,
                "copied": a * 10,
            }.items():
                if name in alive or (name == "inner" and "nested" in alive):
                    assert self.seen[name] == value, name
        runs = [effect.runs for effect in self.effects]
        with lt.batch():
            self.a.value += 1
            self.a.value -= 1
        assert [effect.runs for effect in self.effects] == runs
        self.scope.dispose()
        assert not any(effect.alive for effect in self.effects)


def test_no_fault_no_problem() -> None:
    machine = Machine(Fuse(0, Boom))
    machine.run()
    assert machine.problems == []
    assert machine.seen["watch"] == 9
    machine.check_final_state()
    assert machine.fuse.count > 100


def count_of_callbacks() -> int:
    machine = Machine(Fuse(0, Boom))
    machine.run()
    machine.scope.dispose()
    return machine.fuse.count


@pytest.mark.parametrize("error", [Boom, Bang, RecursionError, MemoryError])
def test_raising_at_the_nth_callback_leaves_the_graph_consistent(
    error: type[BaseException],
) -> None:
    total = count_of_callbacks()
    fired = 0
    for at in range(1, total + 1):
        fuse = Fuse(at, error)
        machine = Machine(fuse)
        if machine.problems:
            machine.scope.dispose()  # building it failed; what there is goes away
        else:
            machine.run()
            machine.check_final_state()
        fired += fuse.count >= at
        check_the_graph_works()
    assert fired == total


def test_interrupts_reach_the_program() -> None:
    source = lt.signal(0)

    @lt.memo
    def memo() -> int:
        if source.value == 1:
            raise KeyboardInterrupt
        return source.value

    assert memo() == 0
    source.value = 1
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            memo()
    assert memo.runs == 3  # it is not kept
    source.value = 2
    assert memo() == 2
    check_the_graph_works()


def test_an_interrupt_in_an_effect_reaches_the_program() -> None:
    source = lt.signal(0)

    @lt.effect
    def stop() -> None:
        if source.value == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source.value = 1
        for _ in range(1000):  # raised at a safe point soon after
            pass
    source.value = 2
    assert stop.runs == 3
    check_the_graph_works()


# --- values, names and exceptions with a will of their own


def test_a_repr_that_disposes_or_raises() -> None:
    class Ends:
        def __repr__(self) -> str:
            signal.dispose()
            return "ends"

    class Raises:
        def __repr__(self) -> str:
            raise KeyError("repr")

    signal: lt.Signal[Any] = lt.signal(Ends())
    assert repr(signal) == "<Signal signal=ends>"
    assert "disposed" in repr(signal)
    memo = lt.memo(lambda: Raises())
    memo()
    for thing in (lt.signal(Raises()), memo):
        with pytest.raises(KeyError):
            repr(thing)
    with pytest.raises(KeyError):
        lt.memo(Raises())  # type: ignore[call-overload]
    check_the_graph_works()


def test_an_update_function_that_writes_or_disposes_its_signal() -> None:
    signal = lt.signal(1)

    def write(value: int) -> int:
        signal.value = 10
        return value + 1

    signal.update(write)
    assert signal.value == 2  # the function got 1, and its result is written last

    def end(value: int) -> int:
        signal.dispose()
        return 5

    with pytest.raises(lt.DisposedError):
        signal.update(end)
    check_the_graph_works()


def test_a_class_whose_metaclass_raises_is_compared_by_identity() -> None:
    class Meta(type):
        def __hash__(cls) -> int:
            raise KeyError

        def __eq__(cls, other: object) -> bool:
            raise KeyError

    class Thing(metaclass=Meta):
        pass

    first, second = Thing(), Thing()
    signal = lt.signal(first)
    effect = lt.effect(lambda: signal.value)
    signal.value = first
    signal.value = second
    assert signal.value is second
    assert effect.runs == 2


def test_values_that_are_deep_circular_or_refuse_to_be_compared() -> None:
    def nest(depth: int) -> tuple[Any, ...]:
        value: tuple[Any, ...] = ()
        for _ in range(depth):
            value = (value,)
        return value

    circular: list[Any] = []
    circular.append(circular)

    class Refuses:
        def __eq__(self, other: object) -> bool:
            raise ValueError

        __hash__ = None  # type: ignore[assignment]

    for before, after in [
        (nest(100_000), nest(100_000)),
        ((circular,), (circular,)),
        (Refuses(), Refuses()),
        ((Refuses(),), (Refuses(),)),
    ]:
        signal: lt.Signal[Any] = lt.signal(before)
        signal.value = after
        assert signal.peek() is not None
    check_the_graph_works()


def test_exceptions_that_resist_being_kept() -> None:
    class NotCopied(Exception):
        def __new__(cls, *args: object) -> NotCopied:
            raise TypeError("no")

    class NoArgs(Exception):
        @property
        def args(self) -> Any:
            raise KeyError

    class Frozen(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise KeyError

    own_cause = ValueError("own")
    own_cause.__cause__ = own_cause
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    for error in (Exception.__new__(NotCopied), NoArgs(), Frozen(), own_cause, first):

        @lt.memo
        def fail(error: Exception = error) -> None:
            raise error

        for _ in range(3):
            with pytest.raises(type(error)):
                fail()
        assert fail.runs == 1
        fail.dispose()
    check_the_graph_works()


def test_names_that_are_no_plain_text() -> None:
    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            raise KeyError

    for name, shown in [(Name("own"), "own"), ("\udc80", ""), ("a\0b", "a"), ("", "")]:
        signal = lt.signal(1, name=name)
        assert signal.name == shown
        assert "=1>" in repr(signal) or repr(signal) == "<Signal 1>"
        signal.dispose()
        with pytest.raises(lt.DisposedError):
            signal.value  # noqa: B018


def test_the_locals_of_a_kept_error_can_be_looked_at() -> None:
    captured = object()

    @lt.memo
    def fail() -> None:
        inner = [captured]
        raise ValueError((lambda: inner)())

    for _ in range(2):
        with pytest.raises(ValueError) as caught:
            fail()
        traceback = caught.value.__traceback__
        names = []
        while traceback is not None:
            names.append(traceback.tb_frame.f_code.co_name)
            assert isinstance(dict(traceback.tb_frame.f_locals), dict)
            traceback = traceback.tb_next
        assert names[-1] == "fail"


def test_effects_that_make_effects_without_end() -> None:
    made: list[int] = []

    def more() -> None:
        made.append(1)
        lt.effect(more)

    effect = lt.effect(more)
    assert len(made) > 50  # until the interpreter's stack ended, which was logged
    effect.dispose()
    check_the_graph_works()


def test_an_interrupt_inside_a_comparison_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: uuid.UUID, other: object) -> bool:
        raise KeyboardInterrupt

    signal = lt.signal(uuid.UUID(int=1))
    with monkeypatch.context() as patch:
        patch.setattr(uuid.UUID, "__eq__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            signal.value = uuid.UUID(int=2)
            for _ in range(1000):  # raised at a safe point soon after
                pass
    assert signal.peek() == uuid.UUID(int=2)
    check_the_graph_works()
