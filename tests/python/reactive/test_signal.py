# SPDX-License-Identifier: MIT
"""Claims about signals: values, equality policies, what they refuse, their representation."""

from __future__ import annotations

import array
import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import uuid
from collections import namedtuple
from typing import Any

import pytest

import lattice as lt
from lattice import _core


def runs_on_write(before: Any, after: Any, **options: Any) -> bool:
    """Whether writing `after` over `before` runs an effect that reads the signal."""
    signal = lt.signal(before, **options)
    effect = lt.effect(lambda: signal.value)
    runs = effect.runs
    signal.value = after
    effect.dispose()
    return effect.runs > runs


def test_value_is_read_and_written() -> None:
    count = lt.signal(0)
    count.value = 5
    assert count.value == 5
    count.value += 1
    assert count.peek() == 6


def test_update_passes_the_value_and_stores_the_result() -> None:
    count = lt.signal(2)
    assert count.update(lambda n: n * 10) is None
    assert count.value == 20


def test_update_does_not_subscribe() -> None:
    count = lt.signal(0)
    other = lt.signal(0)

    @lt.effect
    def add() -> None:
        count.update(lambda n: n + other.value)

    count.value = 5
    other.value = 1
    assert add.runs == 1


def test_an_update_function_that_raises_leaves_the_value() -> None:
    count = lt.signal(1)
    with pytest.raises(ZeroDivisionError):
        count.update(lambda n: n // 0)
    assert count.value == 1


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    y: tuple[int, ...]


@dataclasses.dataclass
class Open:
    x: int


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    "make",
    [
        lambda: 10**30,
        lambda: 0.5,
        lambda: math.nan,
        lambda: float("nan"),
        lambda: decimal.Decimal("nan"),
        lambda: 1 + 2j,
        lambda: "ab" + str(1),
        lambda: b"ab" * 2,
        lambda: None,
        lambda: datetime.date(2026, 1, 1),
        lambda: datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        lambda: datetime.timedelta(1),
        lambda: decimal.Decimal("1.5"),
        lambda: Colour.RED,
        lambda: uuid.UUID(int=5),
        lambda: pathlib.PurePosixPath("/a"),
        lambda: (1, ("x", float("nan"))),
        lambda: Pair(1, (2,)),
        lambda: Point(float("nan"), (1, 2)),
    ],
)
def test_auto_equality_compares_immutable_values(make: Any) -> None:
    assert not runs_on_write(make(), make())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, 1.0),
        (1, True),
        (0.0, 1.0),
        ("1", b"1"),
        ((1, 2), (1, 3)),
        ((1,), (True,)),
        ((1, 2), Pair(1, 2)),
        (Point(1.0, (1,)), Point(1.0, (2,))),
        ([1], [1]),
        ({1: 2}, {1: 2}),
        (([],), ([],)),
        (Open(1), Open(1)),
        (None, 0),
    ],
)
def test_auto_equality_sees_a_change(before: Any, after: Any) -> None:
    assert runs_on_write(before, after)


@pytest.mark.parametrize("value", [[1], {1: 2}, {1}, bytearray(b"a"), array.array("i", [1])])
def test_the_very_same_mutable_container_counts_as_a_change(value: Any) -> None:
    assert runs_on_write(value, value)
    assert _core.values_equal(value, value)


def test_the_very_same_other_object_is_no_change() -> None:
    thing, frozen = object(), frozenset([1])
    assert not runs_on_write(thing, thing)
    assert not runs_on_write(frozen, frozen)
    data = Open(1)
    assert not runs_on_write(data, data)


def test_augmented_assignment_of_a_list_notifies() -> None:
    items = lt.signal([1])
    seen = []
    effect = lt.effect(lambda: seen.append(len(items.value)))
    items.value += [2]
    effect.dispose()
    assert seen == [1, 2]


class Ambiguous:
    """Like an array: comparing gives no single truth."""

    __array_interface__ = None

    def __eq__(self, other: object) -> Any:
        raise AssertionError("asked for equality")

    def __bool__(self) -> bool:
        raise AssertionError("asked for its truth")

    __hash__ = object.__hash__


def test_an_array_is_never_asked_for_its_truth() -> None:
    a = Ambiguous()
    assert runs_on_write(a, Ambiguous())
    assert runs_on_write(a, a)


def test_numpy_values() -> None:
    np = pytest.importorskip("numpy")
    a = np.zeros(3)
    assert runs_on_write(a, np.zeros(3))
    assert runs_on_write(a, a)
    assert not runs_on_write(np.float64(1.5), np.float64(1.5))
    assert not runs_on_write(np.float32("nan"), np.float32("nan"))
    assert not runs_on_write(np.datetime64("2026-01-01"), np.datetime64("2026-01-01"))
    assert runs_on_write(np.int64(1), 1)


def test_identity_policy() -> None:
    value = [1]
    assert not runs_on_write(value, value, equals="is")
    assert runs_on_write(value, [1], equals="is")


def test_rich_equality_policy() -> None:
    assert not runs_on_write([1], [1], equals="==")
    assert not runs_on_write(1, 1.0, equals="==")
    assert runs_on_write([1], [2], equals="==")


def test_never_policy() -> None:
    assert runs_on_write(1, 1, equals="never")


def test_equality_function_gets_old_and_new_and_runs_untracked() -> None:
    calls = []
    tolerance = lt.signal(0.5)

    def close(old: float, new: float) -> bool:
        calls.append((old, new))
        return abs(old - new) < tolerance.value

    level = lt.signal(1.0, equals=close)

    @lt.effect
    def write() -> None:
        level.value = 1.2

    tolerance.value = 0.1
    assert write.runs == 1
    assert calls == [(1.0, 1.2)]
    assert level.value == 1.0


def test_an_equality_function_is_asked_about_identical_values_too() -> None:
    count = lt.signal(1, equals=lambda old, new: False)
    copy = lt.memo(lambda: count.value, equals=lambda old, new: False)
    effect = lt.effect(copy)
    count.value = 1
    assert (copy.runs, effect.runs) == (2, 2)


def test_an_equality_function_that_raises_fails_the_write() -> None:
    value = lt.signal(1, equals=lambda old, new: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        value.value = 2
    assert value.peek() == 1


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValueError, match="equals= is"):
        lt.signal(0, equals="sometimes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scope= is"):
        lt.signal(0, scope="world")  # type: ignore[arg-type]


def test_writing_and_writing_back_in_a_batch_runs_nothing() -> None:
    count = lt.signal(1)
    effect = lt.effect(lambda: count.value)
    with lt.batch():
        count.value = 2
        assert count.value == 2
        count.value = 1
    assert effect.runs == 1


@pytest.mark.parametrize(
    "use",
    [
        bool,
        len,
        iter,
        int,
        float,
        abs,
        lambda s: s + 1,
        lambda s: 1 + s,
        lambda s: s - 1,
        lambda s: 2 * s,
        lambda s: s / 2,
        lambda s: s // 2,
        lambda s: s % 2,
        lambda s: s**2,
        lambda s: -s,
        lambda s: ~s,
        lambda s: s & 1,
        lambda s: s | 1,
        lambda s: s << 1,
        lambda s: s @ s,
        lambda s: s < 1,
        lambda s: s >= 1,
        lambda s: s > s,
        lambda s: f"{s}",
        lambda s: f"{s:>3}",
        lambda s: s[0],
        lambda s: 1 in s,
        lambda s: list(s),
        lambda s: range(s),
    ],
)
def test_a_signal_is_not_its_value(use: Any) -> None:
    count = lt.signal(1)
    with pytest.raises(TypeError, match=r"^'count' is a Signal; write count\.value$"):
        use(count)


def test_augmented_assignment_of_a_signal_is_refused() -> None:
    count = lt.signal(1)
    with pytest.raises(TypeError, match="'count' is a Signal"):
        count += 1  # type: ignore[misc,operator,assignment]


def test_a_memo_is_not_its_value() -> None:
    @lt.memo
    def total() -> int:
        return 3

    with pytest.raises(TypeError, match=r"'total' is a Memo; write total\.value"):
        total + 1  # type: ignore[operator]


def test_a_signal_without_a_name_says_this_signal() -> None:
    with pytest.raises(TypeError, match="this signal is a Signal"):
        bool([lt.signal(1)][0])


def test_signals_compare_and_hash_by_identity() -> None:
    a, b = lt.signal(1), lt.signal(1)
    assert a == a
    assert a != b
    assert len({a, b}) == 2


def test_name_is_given_or_found_where_it_is_assigned() -> None:
    class Holder:
        pass

    holder = Holder()
    holder.level = lt.signal(0)  # type: ignore[attr-defined]
    assert holder.level.name == "level"  # type: ignore[attr-defined]
    assert lt.signal(0, name="speed").name == "speed"
    (walrus := lt.signal(0)).value = 1
    assert walrus.name == "walrus"


def test_repr_shows_the_value_and_does_not_track() -> None:
    count = lt.signal(3)
    effect = lt.effect(lambda: repr(count))
    count.value = 4
    assert repr(count) == "<Signal count=4>"
    assert effect.runs == 1
    nested = lt.signal([count])
    assert repr(nested) == "<Signal nested=[<Signal count=4>]>"
    nested.value.append(nested)  # type: ignore[arg-type]
    assert "<Signal ...>" in repr(nested)


def test_a_signal_is_generic_at_run_time() -> None:
    assert lt.Signal[int].__origin__ is lt.Signal  # type: ignore[attr-defined]
    assert lt.Memo[str].__args__ == (str,)  # type: ignore[attr-defined]


def test_value_is_an_ordinary_attribute_too() -> None:
    count = lt.signal(1)
    name = "".join(["val", "ue"])
    assert getattr(count, name) == 1
    setattr(count, name, 2)
    assert count.value == 2
    with pytest.raises(AttributeError):
        del count.value
    with pytest.raises(AttributeError):
        count.valeu = 3  # type: ignore[attr-defined]
    assert "value" in dir(count)


def test_a_disposed_signal_says_so() -> None:
    with lt.Scope() as scope:
        count = lt.signal(1)
    scope.dispose()
    for use in (lambda: count.value, count.peek, lambda: setattr(count, "value", 2)):
        with pytest.raises(lt.DisposedError, match="'count' was disposed"):
            use()
    assert "disposed" in repr(count)


def test_errors_are_lattice_errors() -> None:
    for error in (
        lt.CycleError,
        lt.DisposedError,
        lt.AccessError,
        lt.DecodeError,
        lt.NotReady,
        lt.TraceError,
    ):
        assert issubclass(error, lt.LatticeError)
        assert error.__module__ == "lattice"
    assert lt.LatticeError.__bases__ == (Exception,)


# --- mutate


def test_mutate_tells_once_whatever_the_equality_says():
    for equals in ("auto", "is", "==", "never"):
        s = lt.signal({"a": 1}, equals=equals)
        seen: list[int] = []
        e = lt.effect(lambda s=s, seen=seen: seen.append(len(s.value)))
        with s.mutate() as value:
            value["b"] = 2
            value["c"] = 3
        assert seen == [1, 3]
        with lt.batch(), s.mutate() as value:
            value.clear()
            assert seen == [1, 3]
        assert seen == [1, 3, 0]
        e.dispose()


def test_mutate_tells_of_objects_that_are_compared_by_identity():
    class Model:
        weight = 1

    s = lt.signal(Model())
    doubled = lt.memo(lambda: s.value.weight * 2)
    assert doubled() == 2
    with lt.batch():
        with s.mutate() as model:
            model.weight = 5
        assert doubled() == 10
    with s.mutate() as model:
        model.weight = 6
    assert doubled() == 12


def test_mutate_tells_also_when_its_block_raises():
    s = lt.signal([1])
    seen: list[list[int]] = []
    lt.effect(lambda: seen.append(list(s.value)))
    with pytest.raises(RuntimeError, match="half way"), s.mutate() as value:
        value.append(2)
        raise RuntimeError("half way")
    assert seen == [[1], [1, 2]]


def test_mutate_refuses_what_signals_refuse():
    s = lt.signal([1], name="s")
    with pytest.raises(lt.LatticeError, match="LT102"), _core.rendering("page"), s.mutate():
        pass
    block = s.mutate()
    with block, pytest.raises(lt.LatticeError, match="in use"):
        block.__enter__()
    s.dispose()
    with pytest.raises(lt.DisposedError), s.mutate():
        pass
