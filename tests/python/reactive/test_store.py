# SPDX-License-Identifier: MIT
"""Claims about stores: what a read subscribes to, what a write tells, what containers can do."""

from __future__ import annotations

import array
import collections
import contextlib
import copy
import dataclasses
import gc
import io
import json
import pickle
import random
import re
import weakref
from collections.abc import Callable, MutableMapping, MutableSequence, MutableSet
from pathlib import Path
from typing import Any

import pytest

import lattice as lt
from lattice import _core, _state


class Reads:
    """An effect for each of several reads, with how often it ran since the last question."""

    def __init__(self, **reads: Callable[[], Any]) -> None:
        self.runs: collections.Counter[str] = collections.Counter()
        self.effects = [lt.effect(self.counting(name, read)) for name, read in reads.items()]
        self.runs.clear()

    def counting(self, name: str, read: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            self.runs[name] += 1
            read()

        return run

    def told(self) -> set[str]:
        told = {name for name, count in self.runs.items() if count}
        assert all(count <= 1 for count in self.runs.values()), self.runs
        self.runs.clear()
        return told


@dataclasses.dataclass
class Todo:
    title: str
    done: bool = False
    tags: list[str] = dataclasses.field(default_factory=list)
    count: collections.abc.Callable = None  # type: ignore[type-arg, assignment]

    def shout(self) -> str:
        return self.title.upper()

    @property
    def is_open(self) -> bool:
        return not self.done


# --- dict


def test_a_write_tells_the_readers_of_its_key_and_of_the_whole():
    s = lt.store({"a": 1, "b": 2})
    reads = Reads(
        a=lambda: s["a"],
        b=lambda: s["b"],
        get=lambda: s.get("c"),
        has_a=lambda: "a" in s,
        has_c=lambda: "c" in s,
        length=lambda: len(s),
        keys=lambda: list(s),
        values=lambda: list(s.values()),
        items=lambda: dict(s.items()),
        equal=lambda: s == {"a": 1},
        shown=lambda: repr(s),
    )
    whole = {"values", "items", "equal", "shown"}
    s["a"] = 5
    assert reads.told() == {"a"} | whole
    s["a"] = 5
    assert reads.told() == set()
    s["c"] = 1
    assert reads.told() == {"get", "has_c", "length", "keys"} | whole
    del s["a"]
    assert reads.told() == {"a", "has_a", "length", "keys"} | whole - {"items"} | {"items"}


def test_a_missing_key_is_waited_for():
    s = lt.store({})
    seen = []
    lt.effect(lambda: seen.append(s.get("x", "none")))
    s["x"] = 1
    s.pop("x")
    assert seen == ["none", 1, "none"]


def test_a_key_that_raised_is_waited_for():
    s = lt.store({})
    total = lt.memo(lambda: s["x"] + 1)
    with pytest.raises(KeyError):
        total()
    s["x"] = 1
    assert total() == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.update(a=9, z=1), {"a": 9, "b": 2, "z": 1}),
        (lambda d: d.update({"a": 9}), {"a": 9, "b": 2}),
        (lambda d: d.update([("q", 1)]), {"a": 1, "b": 2, "q": 1}),
        (lambda d: d.setdefault("a", 4), {"a": 1, "b": 2}),
        (lambda d: d.setdefault("n", 4), {"a": 1, "b": 2, "n": 4}),
        (lambda d: d.pop("a"), {"b": 2}),
        (lambda d: d.pop("q", None), {"a": 1, "b": 2}),
        (lambda d: d.popitem(), {"a": 1}),
        (lambda d: d.clear(), {}),
        (lambda d: d.__ior__({"b": 3}), {"a": 1, "b": 3}),
        (lambda d: d.__delitem__("b"), {"a": 1}),
    ],
)
def test_dict_methods_change_it_like_a_dict_and_flush_once(change, expected):
    s, plain = lt.store({"a": 1, "b": 2}), {"a": 1, "b": 2}
    reads = Reads(all=lambda: dict(s.items()))
    result = change(s)
    assert result == change(plain) or result is s
    assert s == plain == expected
    assert list(s) == list(plain)
    assert reads.told() == ({"all"} if expected != {"a": 1, "b": 2} else set())


def test_dict_operators_give_plain_dicts():
    s = lt.store({"a": 1})
    assert type(s | {"b": 2}) is dict
    assert s | {"b": 2} == {"a": 1, "b": 2} == {"b": 2} | s | {}
    assert list(reversed(s)) == ["a"]
    assert s.keys() & {"a", "q"} == {"a"}
    assert ("a", 1) in s.items()
    assert 1 in s.values()
    with pytest.raises(TypeError, match="unhashable"):
        hash(s)


def test_views_are_live_and_tracked_where_they_are_iterated():
    s = lt.store({"a": 1})
    values = s.values()
    seen = []
    lt.effect(lambda: seen.append(list(values)))
    s["b"] = 2
    assert seen == [[1], [1, 2]]
    assert len(values) == 2


# --- list


def test_a_write_tells_the_readers_of_its_index_and_of_the_whole():
    s = lt.store([10, 20, 30])
    reads = Reads(
        first=lambda: s[0],
        last=lambda: s[-1],
        third=lambda: s[2],
        length=lambda: len(s),
        whole=lambda: list(s),
        slice=lambda: s[0:1],
        has=lambda: 20 in s,
        truth=lambda: bool(s),
    )
    whole = {"whole", "slice", "has"}
    s[0] = 11
    assert reads.told() == {"first"} | whole
    s[0] = 11
    assert reads.told() == set()
    s.append(40)
    assert reads.told() == {"last", "length", "truth"} | whole
    s.insert(0, 0)
    assert reads.told() == {"first", "last", "third", "length", "truth"} | whole
    s.pop()
    assert reads.told() == {"last", "length", "truth"} | whole
    s[1], s[2] = s[1], s[2]
    assert reads.told() == set()


def test_an_index_that_does_not_exist_is_waited_for():
    s = lt.store([])
    first = lt.memo(lambda: s[0])
    with pytest.raises(IndexError):
        first()
    s.append("a")
    assert first() == "a"


LIST_CHANGES: list[Callable[[Any], Any]] = [
    lambda q: q.append(5),
    lambda q: q.extend([7, 8]),
    lambda q: q.extend(q),
    lambda q: q.insert(1, 9),
    lambda q: q.insert(-1, 9),
    lambda q: q.insert(99, 9),
    lambda q: q.pop(),
    lambda q: q.pop(0),
    lambda q: q.remove(2),
    lambda q: q.clear(),
    lambda q: q.sort(reverse=True),
    lambda q: q.sort(key=lambda n: -n),
    lambda q: q.reverse(),
    lambda q: q.__iadd__([4]),
    lambda q: q.__imul__(2),
    lambda q: q.__imul__(0),
    lambda q: q.__setitem__(slice(0, 2), [8]),
    lambda q: q.__setitem__(slice(1, 1), [8, 9]),
    lambda q: q.__setitem__(slice(None, None, 2), [8, 9]),
    lambda q: q.__setitem__(-1, 6),
    lambda q: q.__delitem__(0),
    lambda q: q.__delitem__(slice(0, 2)),
    lambda q: q.__delitem__(slice(None, None, 2)),
]


@pytest.mark.parametrize("change", LIST_CHANGES)
def test_list_methods_change_it_like_a_list_and_flush_once(change):
    s, plain = lt.store([3, 1, 2]), [3, 1, 2]
    reads = Reads(all=lambda: list(s))
    result = change(s)
    assert result == change(plain) or result is s
    assert s == plain
    assert reads.told() == ({"all"} if plain != [3, 1, 2] else set())


@pytest.mark.parametrize(
    "mistake",
    [
        lambda q: q[9],
        lambda q: q.__setitem__(9, 1),
        lambda q: q.__delitem__(-9),
        lambda q: q.pop(9),
        lambda q: q.remove("absent"),
        lambda q: q.index("absent"),
        lambda q: q["a"],
        lambda q: q.__setitem__("a", 1),
        lambda q: q.__setitem__(slice(None, None, 2), [1]),
        lambda q: q.extend(5),
        lambda q: q + 5,
    ],
)
def test_a_mistake_raises_what_a_list_raises_and_changes_nothing(mistake):
    s, plain = lt.store([1, 2, 3]), [1, 2, 3]
    with pytest.raises(Exception) as expected:
        mistake(plain)
    with pytest.raises(type(expected.value)):
        mistake(s)
    assert s == [1, 2, 3]


def test_list_operators_give_plain_lists():
    s = lt.store([1, 2])
    three, zero = [3], [0]
    assert type(s + three) is list
    assert s + three == [1, 2, 3]
    assert zero + s == [0, 1, 2]
    assert s * 2 == 2 * s == [1, 2, 1, 2]
    assert s[::-1] == list(reversed(s)) == [2, 1]
    assert s < [1, 3]
    assert s >= lt.store([1, 2])
    assert s.index(2) == 1
    assert s.count(1) == 1
    assert type(s.copy()) is list


def test_a_sort_that_raises_leaves_the_list_alone():
    s = lt.store([2, "a", 1])
    with pytest.raises(TypeError):
        s.sort()
    assert s == [2, "a", 1]


def test_remove_takes_the_very_item_before_an_equal_one():
    s = lt.store([{"n": 1}, {"n": 1}])
    first, second = s
    s.remove(second)
    assert s[0] is first


# --- set


def test_membership_is_tracked_per_item():
    s = lt.store({1, 2})
    reads = Reads(one=lambda: 1 in s, three=lambda: 3 in s, size=lambda: len(s), all=lambda: set(s))
    s.add(3)
    assert reads.told() == {"three", "size", "all"}
    s.add(3)
    assert reads.told() == set()
    s.discard(1)
    assert reads.told() == {"one", "size", "all"}
    s |= {3, 4, 5}
    assert reads.told() == {"size", "all"}
    s &= {3}
    assert s == {3}
    s ^= {3, 9}
    s -= {8}
    assert s == {9}
    assert s.pop() == 9
    with pytest.raises(KeyError):
        s.remove(9)
    s.update([1], [2])
    s.intersection_update([2, 3])
    assert s == {2}
    s.clear()
    assert not s


def test_set_operators_give_plain_sets():
    s = lt.store({1, 2})
    assert type(s | {3}) is set
    assert s | {3} == {3} | s == {1, 2, 3}
    assert s & {2} == {2} & s == {2}
    assert s - {2} == {1}
    assert {1, 5} - s == {5}
    assert s ^ {2, 3} == {1, 3}
    assert s < {1, 2, 3}
    assert s.issubset([1, 2])
    assert s.isdisjoint([3])
    assert frozenset(s) == s
    with pytest.raises(TypeError):
        s | [1]


# --- dataclass


def test_attributes_of_a_dataclass_are_tracked_one_by_one():
    s = lt.store(Todo("milk"))
    reads = Reads(
        title=lambda: s.title,
        done=lambda: s.done,
        method=lambda: s.shout(),
        prop=lambda: s.is_open,
        tags=lambda: list(s.tags),
        equal=lambda: s == Todo("x"),
    )
    s.title = "tea"
    assert reads.told() == {"title", "method", "equal"}
    s.done = True
    assert reads.told() == {"done", "prop", "equal"}
    s.tags.append("x")
    assert reads.told() == {"tags", "equal"} - {"equal"} | (reads.told() & {"equal"})
    assert isinstance(s, Todo)
    assert dataclasses.is_dataclass(s)
    assert dataclasses.replace(s, title="new").title == "new"
    assert type(lt.snapshot(s)) is Todo
    assert s == Todo("tea", True, ["x"])
    assert "title='tea'" in repr(s)
    with pytest.raises(AttributeError):
        s.absent  # noqa: B018


def test_a_dataclass_with_slots_works_and_a_frozen_one_is_a_leaf():
    @dataclasses.dataclass(slots=True)
    class Point:
        x: int
        y: int = 0

    @dataclasses.dataclass(frozen=True)
    class Fixed:
        x: int

    s = lt.store({"p": Point(1), "f": Fixed(2)})
    reads = Reads(x=lambda: s["p"].x, f=lambda: s["f"])
    s["p"].x = 5
    assert reads.told() == {"x"}
    assert lt.snapshot(s) == {"p": Point(5), "f": Fixed(2)}
    assert type(s["f"]) is Fixed
    s["f"] = Fixed(2)
    assert reads.told() == set()


def test_fields_that_are_not_set_yet_and_other_attributes_behave():
    @dataclasses.dataclass
    class Lazy:
        a: int
        b: int = dataclasses.field(init=False)

    plain = Lazy(1)
    plain.note = "kept"  # type: ignore[attr-defined]
    s = lt.store(plain)
    assert s.note == "kept"
    with pytest.raises(AttributeError, match="b"):
        s.b  # noqa: B018
    s.b = 3
    assert lt.snapshot(s).b == 3
    del s.b
    assert not hasattr(s, "b")


# --- nesting, aliasing, leaves


def test_a_deep_write_tells_only_readers_of_that_leaf():
    s = lt.store({"user": {"name": {"first": "Ada", "last": "L"}}, "todos": [{"done": False}]})
    reads = Reads(
        first=lambda: s["user"]["name"]["first"],
        last=lambda: s["user"]["name"]["last"],
        done=lambda: s["todos"][0]["done"],
        user=lambda: s["user"],
        user_items=lambda: list(s["user"].items()),
    )
    s["user"]["name"]["first"] = "Grace"
    assert reads.told() == {"first"}
    s["todos"][0]["done"] = True
    assert reads.told() == {"done"}
    s["user"] = {"name": {"first": "Grace", "last": "H"}}
    assert reads.told() == {"first", "last", "user", "user_items"}


def test_one_container_at_two_places_is_one():
    shared = {"n": 1}
    s = lt.store({"a": shared, "b": shared, "list": [shared]})
    assert s["a"] is s["b"] is s["list"][0]
    reads = Reads(b=lambda: s["b"]["n"])
    s["a"]["n"] = 2
    assert reads.told() == {"b"}
    s["c"] = s["a"]
    assert s["c"] is s["a"]
    plain = lt.snapshot(s)
    assert plain["a"] is plain["b"] is plain["list"][0]


def test_what_is_put_in_is_copied():
    row = {"n": 1}
    s = lt.store([row])
    s.append(row)
    row["n"] = 2
    assert s == [{"n": 1}, {"n": 1}]
    assert s[0] is not s[1]
    assert row == {"n": 2}


def test_cycles_are_fine():
    plain: dict[str, Any] = {"name": "root", "children": []}
    plain["children"].append({"parent": plain})
    s = lt.store(plain)
    assert s["children"][0]["parent"] is s
    assert "..." in repr(s)
    copied = lt.snapshot(s)
    assert copied["children"][0]["parent"] is copied
    again = pickle.loads(pickle.dumps(s))
    assert again["children"][0]["parent"] is again
    s["self"] = s
    seen = weakref.ref(s)
    del s
    gc.collect()
    assert seen() is None


def test_arrays_and_other_objects_are_leaves():
    numpy = pytest.importorskip("numpy")
    a = numpy.zeros(3)
    counts = collections.Counter("aab")
    s = lt.store({"a": a, "counts": counts, "t": (1, [2])})
    reads = Reads(a=lambda: s["a"], counts=lambda: s["counts"])
    assert s["a"] is a
    assert s["counts"] is counts
    s["a"] = a  # changed in place, says the writer
    assert reads.told() == {"a"}
    s["counts"] = collections.Counter("b")
    assert reads.told() == {"counts"}
    assert type(s["t"][1]) is list
    typed = array.array("i", [1])
    s["typed"] = typed
    assert s["typed"] is typed


def test_equality_of_values_is_that_of_auto():
    s = lt.store({"x": 1, "nan": float("nan"), "none": None})
    reads = Reads(x=lambda: s["x"], nan=lambda: s["nan"], none=lambda: s["none"])
    s["x"] = True
    assert reads.told() == {"x"}
    s["x"] = 1.0
    assert reads.told() == {"x"}
    s["nan"] = float("nan")
    s["none"] = None
    assert reads.told() == set()


def test_augmented_assignment_of_a_list_in_a_dict_tells_once():
    s = lt.store({"items": [1]})
    reads = Reads(field=lambda: s["items"], content=lambda: list(s["items"]))
    s["items"] += [2]
    assert reads.told() == {"content"}
    assert s == {"items": [1, 2]}


# --- batch, memo, untracked


def test_a_batch_flushes_once_and_write_and_write_back_runs_nothing():
    s = lt.store({"a": 1, "b": 2})
    reads = Reads(a=lambda: s["a"], both=lambda: (s["a"], s["b"]))
    with lt.batch():
        s["a"] = 2
        s["b"] = 3
    assert reads.told() == {"a", "both"}
    with lt.batch():
        s["a"] = 9
        assert s["a"] == 9
        s["a"] = 2
    assert reads.told() == set()


def test_a_memo_reads_what_a_batch_has_written_so_far():
    s = lt.store([1, 2])
    total = lt.memo(lambda: sum(s))
    assert total() == 3
    with lt.batch():
        s.append(3)
        assert total() == 6
        s[0] = 10
        assert total() == 15
    assert total.runs == 3


def test_untracked_reads_subscribe_nothing_and_make_no_signals():
    s = lt.store({"a": 1})
    runs = []
    lt.effect(lambda: runs.append(lt.untracked(lambda: s["a"])))
    s["a"] = 2
    assert runs == [1]


def test_who_no_longer_reads_is_no_longer_told():
    s = lt.store({"on": True, "x": 1})
    reads = Reads(x=lambda: s["on"] and s["x"])
    s["on"] = False
    assert reads.told() == {"x"}
    s["x"] = 2
    assert reads.told() == set()
    s["on"] = True
    assert reads.told() == {"x"}
    s["x"] = 3
    assert reads.told() == {"x"}


def test_an_effect_may_write_what_others_read():
    s = lt.store({"a": 1, "double": 0})
    seen = []
    lt.effect(lambda: seen.append(s["double"]))
    lt.effect(lambda: s.__setitem__("double", s["a"] * 2))
    s["a"] = 5
    assert seen == [0, 2, 10]


def test_a_reader_that_raises_leaves_the_store_usable():
    s = lt.store({"a": 1})
    value = lt.memo(lambda: 1 / s["a"])
    s["a"] = 0
    with pytest.raises(ZeroDivisionError):
        value()
    s["a"] = 2
    assert value() == 0.5


# --- copies, pickling, json, types


def test_copies_and_pickles_are_plain_data():
    s = lt.store({"a": [1, {2}], "t": Todo("x")})
    expected = {"a": [1, {2}], "t": Todo("x")}
    for made in (copy.deepcopy(s), pickle.loads(pickle.dumps(s)), lt.snapshot(s)):
        assert made == expected
        assert type(made) is dict
        assert type(made["a"]) is list
        assert type(made["a"][1]) is set
        assert type(made["t"]) is Todo
    assert type(copy.copy(s)) is dict
    assert copy.copy(s)["a"] is s["a"]
    assert copy.copy(s["t"]) == Todo("x")
    assert type(copy.copy(s["a"])) is list


def test_json_takes_a_snapshot():
    s = lt.store({"a": [1, 2]})
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(s)
    assert json.dumps(lt.snapshot(s)) == json.dumps(s, default=lt.snapshot) == '{"a": [1, 2]}'


def test_the_abstract_types_of_containers_know_them():
    assert isinstance(lt.store({}), MutableMapping)
    assert isinstance(lt.store([]), MutableSequence)
    assert isinstance(lt.store(set()), MutableSet)
    assert not isinstance(lt.store({}), dict)
    match lt.store({"kind": "a", "rest": [1, 2]}):
        case {"kind": "a", "rest": [first, *_]}:
            assert first == 1
        case _:
            pytest.fail("patterns do not match")


def test_a_snapshot_is_tracked_and_no_longer_linked():
    s = lt.store({"a": [1], "b": {"c": 1}})
    reads = Reads(all=lambda: lt.snapshot(s))
    s["b"]["c"] = 2
    assert reads.told() == {"all"}
    plain = lt.snapshot(s)
    plain["a"].append(2)
    assert s["a"] == [1]
    assert lt.snapshot(5) == 5


def test_watch_takes_a_store_or_a_function():
    s = lt.store({"a": 1, "list": [1]})
    seen: list[Any] = []
    lt.watch(s, lambda new, old: seen.append((new, old)))
    lt.watch(lambda: s["a"], lambda new, old: seen.append((new, old)))
    s["list"].append(2)
    assert seen == [({"a": 1, "list": [1, 2]}, {"a": 1, "list": [1]})]
    seen.clear()
    s["a"] = 2
    assert (2, 1) in seen
    assert len(seen) == 2


# --- reconcile


def test_reconcile_keeps_items_by_key_and_tells_only_what_differs():
    s = lt.store([{"id": 1, "n": "a"}, {"id": 2, "n": "b"}, {"id": 3, "n": "c"}])
    one, two, three = s
    reads = Reads(one=lambda: one["n"], two=lambda: two["n"], three=lambda: three["n"])
    whole = Reads(list=lambda: list(s), length=lambda: len(s))
    lt.reconcile(s, [{"id": 1, "n": "a"}, {"id": 2, "n": "B"}, {"id": 3, "n": "c"}])
    assert reads.told() == {"two"}
    assert whole.told() == set()
    lt.reconcile(s, [{"id": 3, "n": "c"}, {"id": 1, "n": "a"}, {"id": 4, "n": "d"}])
    assert s[0] is three
    assert s[1] is one
    assert reads.told() == set()
    assert whole.told() == {"list"}
    assert lt.snapshot(s) == [{"id": 3, "n": "c"}, {"id": 1, "n": "a"}, {"id": 4, "n": "d"}]


def test_reconcile_goes_into_dicts_sets_and_dataclasses():
    s = lt.store({"a": {"x": 1, "y": 2}, "s": {1, 2}, "t": Todo("a"), "gone": 1, "l": [1, 2]})
    inner, tags, todo, numbers = s["a"], s["s"], s["t"], s["l"]
    reads = Reads(x=lambda: inner["x"], y=lambda: inner["y"], title=lambda: todo.title)
    new = {"a": {"x": 1, "y": 3}, "s": {2, 3}, "t": Todo("a", True), "l": [1, 2, 3], "new": []}
    lt.reconcile(s, new)
    assert reads.told() == {"y"}
    assert s == new
    assert (s["a"], s["s"], s["t"], s["l"]) == (inner, tags, todo, numbers)
    assert s["a"] is inner
    assert s["t"] is todo
    lt.reconcile(s, new)
    assert reads.told() == set()


def test_reconcile_without_keys_goes_by_position_and_other_keys_can_be_named():
    s = lt.store([{"n": 1}, {"n": 2}])
    first = s[0]
    lt.reconcile(s, [{"n": 7}], key=None)
    assert s[0] is first
    people = lt.store([Todo("a"), Todo("b")])
    b = people[1]
    lt.reconcile(people, [Todo("b", True)], key="title")
    assert people[0] is b
    lt.reconcile(people, [Todo("c"), Todo("b")], key=lambda todo: todo.title)
    assert people[1] is b


def test_reconcile_refuses_what_does_not_fit():
    with pytest.raises(TypeError, match="cannot become a list"):
        lt.reconcile(lt.store({}), [])
    with pytest.raises(TypeError, match="changes a store"):
        lt.reconcile({}, {})


@pytest.mark.parametrize("seed", range(20))
def test_reconcile_makes_random_data_equal(seed):
    rng = random.Random(seed)

    def data(depth: int) -> Any:
        kind = rng.choice("dlis" if depth else "i")
        if kind == "d":
            return {rng.choice("abcd"): data(depth - 1) for _ in range(rng.randrange(4))}
        if kind == "l":
            rows = [data(depth - 1) for _ in range(rng.randrange(5))]
            for row in rows:
                if isinstance(row, dict) and rng.random() < 0.7:
                    row["id"] = rng.randrange(6)
            return rows
        return rng.randrange(5) if kind == "i" else {rng.randrange(5) for _ in range(3)}

    s = lt.store({"root": data(3)})
    reads = Reads(all=lambda: lt.snapshot(s))
    for _ in range(30):
        new = {"root": data(3)}
        before = lt.snapshot(s)
        lt.reconcile(s, new)
        assert s == new
        assert lt.snapshot(s) == new
        assert (reads.told() == set()) == (repr(before) == repr(new)) or before == new


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


# --- misuse, components, sessions


def test_what_is_no_container_is_refused_with_the_cure():
    for wrong in (5, "text", None, (1, 2), collections.OrderedDict(), frozenset()):
        with pytest.raises(TypeError, match=r"lt\.signal\(\)"):
            lt.store(wrong)
    with pytest.raises(lt.LatticeError, match=r'lt\.signal\(\.\.\., scope="app"\)'):
        lt.store({}, scope="app")
    with pytest.raises(ValueError, match="scope="):
        lt.store({}, scope="all")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"lt\.store"):
        type(lt.store({}))()


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.__setitem__("x", 1),
        lambda s: s.update(x=1),
        lambda s: s["list"].append(1),
        lambda s: s["list"].sort(),
        lambda s: s["list"].clear(),
        lambda s: s["set"].add(1),
        lambda s: s["todo"].__setattr__("title", "b"),
        lambda s: s.pop("list"),
        lambda s: lt.reconcile(s, {}),
    ],
)
def test_a_write_while_a_component_renders_is_lt102_and_changes_nothing(write):
    s = lt.store({"list": [2, 1], "set": set(), "todo": Todo("a")}, name="s")
    before = lt.snapshot(s)
    with _core.rendering("page"), pytest.raises(lt.LatticeError, match=r"LT102.*'s' is written"):
        write(s)
    assert s == before


def test_a_store_ends_with_its_scope():
    with lt.Scope() as scope:
        s = lt.store({"list": [1]})
        inner = s["list"]
    scope.dispose()
    for use in (lambda: s["list"], lambda: inner[0], lambda: inner.append(1), lambda: len(s)):
        with pytest.raises(lt.DisposedError, match="'s' was disposed"):
            use()


def test_a_component_keeps_its_store_by_name():
    state = _state.InstanceState("page")
    made = []

    def body() -> None:
        items = lt.store([])
        made.append(items)

    state.render(body)
    made[0].append(1)
    state.render(body)
    assert made[0] is made[1]
    assert made[1] == [1]
    state.dispose()
    with pytest.raises(lt.DisposedError):
        made[0].append(2)


def test_a_store_in_a_loop_of_a_component_needs_a_key():
    state = _state.InstanceState("page")

    def body() -> None:
        for _ in range(2):
            items = lt.store([])  # noqa: F841

    with pytest.raises(lt.LatticeError, match="LT101"):
        state.render(body)


def test_each_session_has_its_own_copy_of_a_module_level_store():
    s = lt.store({"rows": [{"n": 1}], "todo": Todo("a", tags=["x"]), "box": collections.deque([1])})
    s["alias"] = s["rows"][0]
    nested = s["rows"]
    sessions = [_core.SessionState(), _core.SessionState()]
    seen: list[list[int]] = [[], []]
    for session, log in zip(sessions, seen, strict=True):
        with session.enter():
            lt.effect(lambda log=log: log.append(s["rows"][0]["n"]))
            assert s["alias"] is s["rows"][0]
            assert nested._here() is s["rows"]
            s["box"].append(2)
    with sessions[0].enter():
        nested[0]["n"] = 5
        s["todo"].title = "b"
        s["todo"].tags.append("y")
        assert s["rows"] == [{"n": 5}]
    assert seen == [[1, 5], [1]]
    with sessions[1].enter():
        assert s["todo"] == Todo("a", tags=["x"])
        assert list(s["box"]) == [1, 2]
    assert s["rows"] == [{"n": 1}]
    assert list(s["box"]) == [1]
    for session in sessions:
        session.dispose()


def test_a_store_of_another_session_is_refused():
    first, second = _core.SessionState(), _core.SessionState()
    with first.enter():
        s = lt.store({"a": 1})
    with second.enter():
        for use in (lambda: s["a"], lambda: s.update(a=2), lambda: lt.store({"b": s})):
            with pytest.raises(lt.AccessError, match="another session"):
                use()
    first.dispose()
    second.dispose()


def test_another_thread_may_read_and_is_told_how_to_write():
    import threading

    s = lt.store({"a": [1]})
    result: list[Any] = []

    def run() -> None:
        result.append(lt.snapshot(s))
        try:
            s["a"].append(2)
        except lt.AccessError as error:
            result.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert result[0] == {"a": [1]}
    assert "lt.in_session(fn)" in result[1]
    assert s == {"a": [1]}


def test_bind_reads_and_writes_an_entry():
    from lattice._events import Event, write_edit

    s = lt.store([{"done": False, "n": 1}, Todo("a")])
    done = lt.bind(s[0], "done")
    reads = Reads(done=lambda: done.read())
    assert write_edit(done, bool, "checked", "checkbox", Event("change", checked=True))
    assert reads.told() == {"done"}
    assert s[0]["done"] is True
    assert write_edit(lt.bind(s[0], "n"), int, "value", "number", Event("input", value="7"))
    assert s[0]["n"] == 7
    title = lt.bind(s[1], "title", parse=str.upper, format=str.lower)
    assert write_edit(title, str, "value", "text", Event("input", value="b"))
    assert (s[1].title, title.read(), title.peek()) == ("B", "b", "B")
    for wrong in (
        lambda: lt.bind(s[0]),
        lambda: lt.bind({}, "a"),
        lambda: lt.bind(lt.signal(1), "a"),
    ):
        with pytest.raises(TypeError, match=r"lt\.bind\(\)|name the entry"):
            wrong()


def test_stores_are_freed_with_their_last_reference():
    class Leaf:
        pass

    leaf = Leaf()
    seen = weakref.ref(leaf)
    s = lt.store({"rows": [{"leaf": leaf}]})
    e = lt.effect(lambda s=s: s["rows"][0]["leaf"])
    del leaf
    e.dispose()
    del s, e
    gc.collect()
    assert seen() is None


# --- random programs against plain data


@dataclasses.dataclass
class Reader:
    """What somebody looks at, by path, in a store and in plain data alike."""

    path: tuple[Any, ...]
    kind: str
    argument: Any

    def look(self, at: Any) -> Any:
        try:
            for step in self.path:
                at = at[step]
            if self.kind == "leaf":
                return at if isinstance(at, int) else word(at)
            if self.kind == "len":
                return len(at)
            if self.kind == "in":
                return self.argument in at
            if self.kind == "keys":
                return list(at) if isinstance(at, MutableMapping) else None
            return copy.deepcopy(at)
        except (KeyError, IndexError, TypeError) as error:
            return type(error).__name__

    def footprint(self, at: Any) -> list[Any]:
        """Everything that `look` depends on, with containers of a store by identity."""
        read: list[Any] = []
        for step in self.path:
            if isinstance(at, MutableSequence) and isinstance(step, int):
                if step < 0:
                    read.append(len(at))
                inside = -len(at) <= step < len(at)
            elif isinstance(at, MutableMapping):
                inside = step in at
            else:
                return read  # a mistake, whatever it holds
            if not inside:
                return [*read, "missing"]
            at = at[step]
            read.append(at if isinstance(at, int) else id(at))
        if isinstance(at, int) or self.kind == "leaf":
            return read
        if self.kind == "len":
            return [*read, len(at)]
        if self.kind == "in":
            is_list = isinstance(at, MutableSequence)
            return [*read, shallow(at) if is_list else self.argument in at]
        if self.kind == "keys":
            return [*read, list(at) if isinstance(at, MutableMapping) else None]
        return [*read, deep(at)]


def word(at: Any) -> str:
    kinds = {"dict": MutableMapping, "list": MutableSequence, "set": MutableSet}
    return next((name for name, kind in kinds.items() if isinstance(at, kind)), "leaf")


def shallow(at: Any) -> list[Any]:
    return [item if isinstance(item, int) else id(item) for item in at]


def deep(at: Any) -> Any:
    if isinstance(at, MutableMapping):
        return id(at), [(key, deep(item)) for key, item in at.items()]
    if isinstance(at, MutableSequence):
        return id(at), [deep(item) for item in at]
    return (id(at), sorted(at)) if isinstance(at, MutableSet) else at


def random_data(rng: random.Random, depth: int) -> Any:
    kind = rng.choice("dllsi" if depth else "i")
    if kind == "d":
        return {rng.choice("abc"): random_data(rng, depth - 1) for _ in range(rng.randrange(4))}
    if kind == "l":
        return [random_data(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind == "s":
        return {rng.randrange(6) for _ in range(rng.randrange(5))}
    return rng.randrange(4)


def random_change(rng: random.Random, plain: Any, live: Any) -> None:
    """The same random operation on both."""
    while isinstance(plain, dict | list) and plain and rng.random() < 0.6:
        step = rng.choice(list(plain)) if isinstance(plain, dict) else rng.randrange(len(plain))
        if not isinstance(plain[step], dict | list | set):
            break
        plain, live = plain[step], live[step]
    value = random_data(rng, 2)
    number = rng.randrange(4)
    index, other = rng.randrange(6), rng.randrange(6)
    name = rng.choice("abc")
    if isinstance(plain, dict):
        change: Callable[[Any], Any] = rng.choice(
            [
                lambda d: d.__setitem__(name, value),
                lambda d: d.__setitem__(name, number),
                lambda d: d.pop(name, None),
                lambda d: d.update({name: number, "b": 1}),
                lambda d: d.setdefault(name, number),
                lambda d: d.clear() if other == 0 else None,
                lambda d: d.popitem() if d else None,
            ]
        )
    elif isinstance(plain, set):
        change = rng.choice(
            [
                lambda s: s.add(index),
                lambda s: s.discard(index),
                lambda s: s.update({index, other}),
                lambda s: s.difference_update({index}),
                lambda s: s.symmetric_difference_update({index, other}),
            ]
        )
    else:
        change = rng.choice(
            [
                lambda q: q.append(value),
                lambda q: q.insert(index, number),
                lambda q: q.pop(index) if index < len(q) else None,
                lambda q: q.__setitem__(index, number) if index < len(q) else None,
                lambda q: q.__setitem__(slice(index, other), [number, value]),
                lambda q: q.__delitem__(slice(index, other)),
                lambda q: q.reverse(),
                lambda q: q.sort(key=repr),
                lambda q: q.extend([number, number]),
                lambda q: q.__setitem__(slice(None, None, 2), q[::2]),
            ]
        )
    with lt.untracked():
        change(plain)
        value = copy.deepcopy(value)
        change(live)


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_tell_exactly_the_readers_of_what_has_changed(seed):
    rng = random.Random(seed)
    plain = {"a": random_data(rng, 3), "b": random_data(rng, 3), "c": [1, 2, 3]}
    live = lt.store(copy.deepcopy(plain))
    readers = []
    for _ in range(25):
        path = tuple(rng.choice(["a", "b", "c", 0, 1, 2, -1]) for _ in range(rng.randrange(4)))
        kind = rng.choice(["leaf", "len", "in", "keys", "value"])
        readers.append(Reader(path, kind, rng.choice(["a", 1, 2])))
    seen: list[Any] = [None] * len(readers)
    runs = [0] * len(readers)

    def watch(at: int) -> None:
        def run() -> None:
            runs[at] += 1
            seen[at] = readers[at].look(live)

        lt.effect(run)

    for at in range(len(readers)):
        watch(at)
    told = 0
    for _ in range(150):
        kept = []  # so that no identity is used twice
        collect(live, kept)
        before = [reader.footprint(live) for reader in readers]
        runs[:] = [0] * len(readers)
        in_batch = rng.random() < 0.2
        if in_batch:
            with lt.batch():
                for _ in range(3):
                    random_change(rng, plain, live)
        else:
            random_change(rng, plain, live)
        assert lt.snapshot(live) == plain
        for at, reader in enumerate(readers):
            assert seen[at] == reader.look(plain), reader
            has_changed = reader.footprint(live) != before[at]
            # In a batch a container's own readers may run for what was undone.
            assert runs[at] == has_changed or (in_batch and runs[at] == 1), reader
            told += runs[at]
    assert told > 50


def collect(at: Any, kept: list[Any]) -> None:
    if isinstance(at, MutableMapping | MutableSequence):
        kept.append(at)
        for item in at.values() if isinstance(at, MutableMapping) else at:
            collect(item, kept)
    elif isinstance(at, MutableSet):
        kept.append(at)


# --- the page


def test_the_code_of_the_page_runs_and_holds():
    page = Path(__file__).resolve().parents[3] / "docs" / "reactive" / "stores.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 6
    names: dict[str, Any] = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for block in blocks:
            exec(block, names)
    assert out.getvalue().splitlines() == ["first: milk", "first: oat milk"]
