# SPDX-License-Identifier: MIT
"""Claims about callbacks that free what the core is just looking at.

Each of them lets the user's code run in the middle of an operation (a comparison, a hash lookup, a
warning) and there takes away the object that the operation began with. A core that borrowed it
would go on with freed memory; run this file with the extension under AddressSanitizer and
PYTHONMALLOC=malloc to see that it does not.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import logging
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt
from lattice import _core


@pytest.fixture(autouse=True)
def _no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="lattice")


class Left(str):
    """Without a say of its own: whoever it is compared with is asked next."""

    __slots__ = ()
    on_compare: Callable[[], object] | None = None

    def __eq__(self, other: object) -> Any:
        action, Left.on_compare = Left.on_compare, None
        if action is not None:
            action()
        return NotImplemented

    __hash__ = str.__hash__


class Right(str):
    """Looks at what it is compared with."""

    __slots__ = ()

    def __eq__(self, other: object) -> Any:
        return len(str(other)) == len(self) and str.__eq__(str(self), str(other))

    __hash__ = str.__hash__


@pytest.fixture(autouse=True)
def _no_action_is_left() -> None:
    Left.on_compare = None


def text(kind: type[str], number: int) -> str:
    return kind(f"a value of some length, {number}")


# --- what a signal or a memo held before


@pytest.mark.parametrize("take", ["write", "dispose"])
def test_a_comparison_that_replaces_the_value_it_compares(take: str) -> None:
    level: lt.Signal[Any] = lt.signal(text(Left, 1), equals="==")
    Left.on_compare = lambda: (
        level.dispose() if take == "dispose" else setattr(level, "value", text(Right, 3))
    )
    if take == "dispose":
        with pytest.raises(lt.DisposedError):
            level.value = text(Right, 2)
    else:
        level.value = text(Right, 2)
        assert level.value == text(str, 2)
    assert Left.on_compare is None


def test_a_comparison_that_disposes_the_memo_whose_value_it_compares() -> None:
    number = lt.signal(1)
    kinds = {1: Left, 2: Right}
    label: lt.Memo[Any] = lt.memo(lambda: text(kinds[number.value], number.value), equals="==")
    assert label() == text(str, 1)
    Left.on_compare = label.dispose
    number.value = 2
    with pytest.raises(lt.DisposedError):
        label()
    assert Left.on_compare is None


@dataclasses.dataclass(frozen=True)
class Loud:
    """Its fields are compared one by one; reading one of them runs code."""

    name: str
    number: int

    def __getattribute__(self, name: str) -> Any:
        if name == "name":
            action, Left.on_compare = Left.on_compare, None
            if action is not None:
                action()
        return object.__getattribute__(self, name)


def test_a_field_that_replaces_the_tuple_in_which_it_is_compared() -> None:
    level: lt.Signal[Any] = lt.signal((Loud("a", 1), Loud("b", 1)))
    lt.effect(lambda: level.value)

    def replace() -> None:
        level.value = None

    Left.on_compare = replace
    level.value = (Loud("a", 1), Loud("b", 2))
    assert level.value[1].number == 2


@pytest.mark.parametrize("through_memo", [False, True])
@pytest.mark.parametrize("equals", [None, "==", lambda a, b: a == b])
def test_an_equality_that_disposes_a_signal_when_it_is_committed(
    equals: Any, through_memo: bool
) -> None:
    asked: list[int] = []

    @dataclasses.dataclass(frozen=True)
    class Number:
        number: int

        def __eq__(self, other: object) -> bool:
            asked.append(self.number)
            if len(asked) == 2:
                level.dispose()
            return False

        def __hash__(self) -> int:
            return 0

    level: lt.Signal[Any] = lt.signal(Number(1), equals=equals)
    reader = lt.memo(lambda: level.value)
    reader()
    errors: list[Exception] = []

    def read() -> None:
        try:
            if through_memo:
                reader()
            level.value  # noqa: B018
        except lt.DisposedError as error:
            errors.append(error)

    with lt.batch():
        level.value = Number(2)
        lt.effect(read)
    if equals is not None:
        assert len(asked) >= 2
        assert errors
    with pytest.raises(lt.DisposedError):
        level.dispose()
        level.value  # noqa: B018


@pytest.mark.parametrize("kind", ["signal", "memo", "memo with an error"])
def test_a_warning_about_a_late_read_that_disposes_what_is_read(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise ValueError("no")

    target: Any = {"signal": lambda: lt.signal([1]), "memo": lambda: lt.memo(lambda: [1])}.get(
        kind, lambda: lt.memo(fail)
    )()
    seen: list[Any] = []

    async def run() -> None:
        await asyncio.sleep(0)
        try:
            seen.append(target.value)
        except (lt.DisposedError, ValueError) as error:
            seen.append(error)

    def dispose(*_: Any, **__: Any) -> None:
        target.dispose()

    async def main() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            monkeypatch.setattr(warnings, "showwarning", dispose)
            effect = lt.effect(run)
            for _ in range(5):
                await asyncio.sleep(0)
            effect.dispose()

    asyncio.run(main())
    assert len(seen) == 1
    assert isinstance(seen[0], (lt.DisposedError, ValueError)) or seen[0] == [1]


# --- stores


class Key:
    """Collides with every other one; a comparison may run code."""

    countdown = 0
    action: Callable[[], object] | None = None

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def arm(cls, comparison: int, action: Callable[[], object]) -> None:
        """Run `action` in the given comparison from now on, counted from one."""
        cls.countdown, cls.action = comparison, action

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        Key.countdown -= 1
        if Key.countdown == 0 and Key.action is not None:
            Key.action()
        return isinstance(other, Key) and self.name == other.name


def test_a_value_that_goes_while_it_is_compared() -> None:
    rows: Any = lt.store({"row": Loud("a", 1)})
    Left.on_compare = lambda: rows.pop("row")
    rows["row"] = Loud("a", 2)
    assert rows["row"] == Loud("a", 2)
    Left.on_compare = rows.clear
    rows["row"] = Loud("a", 3)
    assert rows["row"] == Loud("a", 3)


@pytest.mark.parametrize("change", ["clear", "replace"])
def test_a_list_that_shrinks_while_its_items_are_compared(change: str) -> None:
    rows: Any = lt.store([Loud("a", n) for n in range(40)])
    lt.effect(lambda: len(rows))
    new = [Loud("a", n) for n in range(40)]

    def shrink() -> None:
        if change == "clear":
            rows.clear()
        else:
            rows[:] = [Loud("z", 0)]

    Left.on_compare = shrink
    rows[:] = new
    assert list(rows) == new
    Left.on_compare = shrink
    rows[3] = Loud("a", 100)
    assert len(rows) <= 1 or rows[3] == Loud("a", 100)


@pytest.mark.parametrize("comparison", range(1, 8))
def test_a_key_that_removes_the_entry_while_its_reader_subscribes(comparison: int) -> None:
    rows: Any = lt.store({Key("a"): [1], Key("b"): text(str, 1), Key("c"): text(str, 2)})
    seen: list[Any] = []

    def read() -> None:
        for name in "abcab":
            seen.append(rows.get(Key(name)))
            seen.append(Key(name) in rows)

    lt.effect(read)
    assert len(seen) == 10
    Key.arm(comparison, rows._raw().clear)
    lt.effect(read)
    assert Key.countdown <= 0
    assert not rows
    Key.arm(0, read)
    rows[Key("b")] = 1
    assert len(seen) >= 30


@pytest.mark.parametrize("comparison", range(1, 6))
def test_a_store_of_a_session_that_ends_while_it_is_used(comparison: int) -> None:
    uses: list[Callable[[Any], object]] = [
        lambda s: s.__setitem__(Key("b"), 1),
        lambda s: s.__delitem__(Key("b")),
        lambda s: s[Key("b")],
        lambda s: s.get(Key("b")),
        lambda s: Key("b") in s,
        lambda s: s.__setitem__(Key("b"), {Key("c"): 1, Key("d"): 2}),
        lambda s: Key("b") in s[Key("b")],
        lambda s: s[Key("b")].add(Key("e")),
        lambda s: s[Key("b")].discard(Key("e")),
        lambda s: s.clear(),
    ]
    for use in uses:
        for is_watched in (False, True):
            shared: Any = lt.store({Key("a"): [1], Key("b"): {Key("c"), Key("d")}})
            session = _core.SessionState()
            with session.enter():
                here = weakref.ref(shared._here())
                if is_watched:
                    lt.effect(lambda s=shared: (lt.snapshot(s), [k in s for k in list(s)]))
                Key.arm(comparison, lambda here=here: here()._dispose_store())
                with contextlib.suppress(lt.DisposedError, KeyError):
                    use(shared)
                Key.arm(0, lambda: None)
            session.dispose()


def test_a_store_that_an_effect_ends_while_it_tells_its_readers() -> None:
    changes: list[Callable[[Any], object]] = [
        lambda s: s["dict"].__setitem__("a", 2),
        lambda s: s["dict"].__setitem__("new", 2),
        lambda s: s["dict"].clear(),
        lambda s: s["list"].append(1),
        lambda s: s["list"].__setitem__(0, 7),
        lambda s: s["list"].reverse(),
        lambda s: s["list"].clear(),
        lambda s: s["set"].add(7),
        lambda s: s["set"].clear(),
    ]
    for change in changes:
        shared: Any = lt.store({"dict": {"a": 1, "b": 2}, "list": [1, 2, 3], "set": {1, 2}})
        session = _core.SessionState()
        with session.enter():
            runs: list[int] = []

            def read(shared: Any = shared, runs: list[int] = runs) -> None:
                lt.snapshot(shared)
                runs.append(1)
                if len(runs) == 2:
                    shared._here()._dispose_store()

            lt.effect(read)
            with contextlib.suppress(lt.DisposedError):
                change(shared)
            assert len(runs) == 2
        session.dispose()


def test_data_that_changes_while_it_is_put_into_a_store() -> None:
    plain: dict[str, Any] = {}

    @dataclasses.dataclass
    class Row:
        name: str = "a"
        rest: Any = None

        def __getattribute__(self, name: str) -> Any:
            if name == "rest" and plain:
                plain["list"].clear()
                plain.clear()
            return object.__getattribute__(self, name)

    items = [Row(), Row(), [1, 2], Row()]
    plain.update(list=items, more={"deep": [Row()]}, last=[3])
    rows: Any = lt.store(plain)
    assert "list" in rows
    assert not plain
    assert not items


def test_a_copy_for_a_session_that_ends_it() -> None:
    class Box(collections.deque[int]):
        def __deepcopy__(self, _memo: object) -> Box:
            action, Left.on_compare = Left.on_compare, None
            if action is not None:
                action()
            return Box(self)

    for _ in range(3):
        shared: Any = lt.store({"first": [Box([1])], "more": [{"n": n} for n in range(20)]})
        anchors: list[Any] = []
        session = _core.SessionState()
        with session.enter():
            Left.on_compare = lambda shared=shared, anchors=anchors: anchors.append(
                shared._here()._dispose_store()
            )
            with pytest.raises((lt.DisposedError, RecursionError)):
                len(shared["more"])
        assert anchors
        session.dispose()
