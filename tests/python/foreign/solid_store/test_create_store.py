# SPDX-License-Identifier: MIT
"""What Solid 2 claims about createStore, said of lt.store.

Solid writes through a setter with a draft; here writes are ordinary, so a setter call is a
statement. Objects with getters are dataclasses with properties.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

import lattice as lt


def values_of(read: Callable[[], Any]) -> list[Any]:
    """What an effect has read so far, one entry per run."""
    seen: list[Any] = []
    lt.effect(lambda: seen.append(read()))
    return seen


@dataclasses.dataclass
class Person:
    name: str

    @property
    def greeting(self) -> str:
        return f"Hi, {self.name}"


# --- State immutability


def test_setting_a_property():
    """createStore: "Setting a property".

    Policy: a store is written where it is; there is no separate setter to keep.
    """
    state = lt.store({"name": "John"})
    state["name"] = "Jake"
    assert state["name"] == "Jake"


def test_deleting_a_property():
    """createStore: "Deleting a property".

    Policy: a store is written where it is; there is no separate setter to keep.
    """
    state = lt.store({"name": "John"})
    del state["name"]
    assert "name" not in state


def test_the_outside_is_no_other_side():
    """createStore objects: "is immutable from the outside".

    Policy: whoever has a store may write to it, and readers are told.
    """
    state = lt.store({"foo": "foo"})
    seen = values_of(lambda: state["foo"])
    state["foo"] = "bar"
    assert seen == ["foo", "bar"]


# --- State getters


def test_a_property_reads_fields_of_the_store():
    """createStore State Getters (getter): "Testing an update from state"."""
    state = lt.store(Person("John"))
    assert state.greeting == "Hi, John"
    state.name = "Jake"
    assert state.greeting == "Hi, Jake"


def test_a_property_reads_a_memo_of_the_store():
    """createStore State Getters (memo): "Testing an update from state"."""

    @dataclasses.dataclass
    class Greeter:
        name: str

        @property
        def greeting(self) -> str:
            return greeting()

    state = lt.store(Greeter("John"))
    greeting = lt.memo(lambda: f"Hi, {state.name}")
    assert state.greeting == "Hi, John"
    state.name = "Jake"
    assert state.greeting == "Hi, Jake"


def test_a_property_may_return_something_frozen():
    """createStore getters: "supports getters that return frozen objects"."""

    @dataclasses.dataclass
    class Holder:
        n: int = 0

        @property
        def foo(self) -> Any:
            return MappingProxyType({"foo": "foo"})

    assert lt.store(Holder()).foo["foo"] == "foo"


# --- simple writes


def test_a_key_is_set():
    """createStore Simple setState modes: "Simple Key Value"."""
    state = lt.store({"key": ""})
    state["key"] = "value"
    assert state["key"] == "value"


def test_a_list_at_the_top():
    """createStore Simple setState modes: "Test Array"."""
    todos = lt.store([{"id": 1, "done": True}, {"id": 2, "done": False}])
    todos[1]["done"] = True
    todos.append({"id": 3, "done": False})
    todos.pop(0)
    assert [todo["id"] for todo in todos] == [2, 3]
    assert todos[0]["done"] is True


def test_a_list_inside():
    """createStore Simple setState modes: "Test Array Nested"."""
    state = lt.store({"todos": [{"id": 1, "done": True}, {"id": 2, "done": False}]})
    state["todos"][1]["done"] = True
    state["todos"].append({"id": 3, "done": False})
    assert state["todos"][1]["done"] is True
    assert state["todos"][2]["id"] == 3


# --- unwrapping


@dataclasses.dataclass(frozen=True)
class Frozen:
    user: dict[str, str]


def test_a_snapshot_goes_past_a_frozen_object():
    """createStore Unwrapping Edge Cases: "Unwrap nested frozen state object"."""
    state = lt.store({"data": Frozen({"first": "John"})})
    plain = lt.snapshot(state)
    assert type(plain["data"]) is Frozen
    assert type(plain["data"].user) is dict


def test_a_snapshot_of_plain_data_that_holds_a_part_of_a_store():
    """createStore Unwrapping Edge Cases: "Unwrap nested frozen array".

    Policy: what is no store is returned as it is; only stores are unwrapped.
    """
    state = lt.store({"data": [{"user": 1}]})
    outer = {"data": state["data"]}
    assert lt.snapshot(outer) is outer
    assert type(lt.snapshot(outer["data"])[0]) is dict


def test_a_snapshot_goes_past_a_tuple():
    """createStore Unwrapping Edge Cases: "Unwrap nested frozen state array"."""
    state = lt.store({"data": ({"user": {"first": "John"}},)})
    plain = lt.snapshot(state)
    assert type(plain["data"]) is tuple
    assert type(plain["data"][0]["user"]) is dict


# --- tracking


def test_a_change_is_tracked_and_the_same_value_is_none():
    """createStore Tracking State changes: "Track a state change"."""
    state = lt.store({"data": 2})
    seen = values_of(lambda: state["data"])
    state["data"] = 5
    state["data"] = 5
    assert seen == [2, 5]


def test_a_nested_change_is_tracked():
    """createStore Tracking State changes: "Track a nested state change"."""
    state = lt.store({"user": {"first": "John", "last": "Smith"}})
    seen = values_of(lambda: state["user"]["first"])
    state["user"]["first"] = "Jake"
    assert seen == ["John", "Jake"]


def test_an_item_that_is_removed_tells_its_reader():
    """createStore Tracking State changes: "Track array item on removal"."""
    state = lt.store([1])

    def first() -> Any:
        try:
            return state[0]
        except IndexError:
            return None

    seen = values_of(first)
    state.pop()
    assert seen == [1, None]


def test_every_way_of_iterating_a_list_is_tracked():
    """createStore Tracking State changes: "Tracking Top-Level Array iteration"."""
    state = lt.store(["hi"])
    by_index = values_of(lambda: [state[i] for i in range(len(state))])
    by_item = values_of(lambda: list(state))
    mapped = values_of(lambda: list(map(str, state)))
    state.insert(1, "item")
    state[1] = "new"
    state.pop()
    expected = [["hi"], ["hi", "item"], ["hi", "new"], ["hi"]]
    assert by_index == by_item == mapped == expected


def test_iterating_a_nested_dict_follows_its_keys():
    """createStore Tracking State changes: "Tracking iteration Object key addition/removal"."""
    state = lt.store({"obj": {}})
    keys = values_of(lambda: list(state["obj"].keys()))
    loops = values_of(lambda: [key for key in state["obj"]])  # noqa: C416 - iteration is meant
    state["obj"]["item"] = 5
    del state["obj"]["item"]
    assert keys == loops == [[], ["item"], []]


def test_a_snapshot_follows_what_is_in_it():
    """createStore Tracking State changes: "Doesn't trigger object on addition/removal".

    Policy: taking a snapshot reads everything in it, as Solid's deep() does; untracked() is there
    for the other case.
    """
    state = lt.store({"obj": {}})
    obj = state["obj"]
    seen = values_of(lambda: lt.snapshot(obj))
    silent = values_of(lambda: lt.untracked(lambda: lt.snapshot(obj)))
    obj["item"] = 5
    del obj["item"]
    assert seen == [{}, {"item": 5}, {}]
    assert silent == [{}]


def test_iterating_the_top_dict_follows_its_keys():
    """createStore Tracking State changes: "Tracking Top level iteration Object key addition/removal"."""  # noqa: E501
    state = lt.store({})
    keys = values_of(lambda: list(state))
    state["item"] = 5
    state["item"] = 10
    del state["item"]
    assert keys == [[], ["item"], []]


def test_the_reader_of_one_key_is_not_told_of_others():
    """createStore Tracking State changes: "Not Tracking Top level key addition/removal"."""
    state = lt.store({})
    seen = values_of(lambda: state.get("item2"))
    state["item"] = 5
    del state["item"]
    assert seen == [None]


# --- functions as values


def test_a_list_is_filtered():
    """createStore Handling functions in state: "Array Native Methods: Array.Filter"."""
    state = lt.store({"list": [0, 1, 2]})
    odd = lt.memo(lambda: [n for n in state["list"] if n % 2])
    assert odd() == [1]


def test_a_function_is_a_value_like_others():
    """createStore Handling functions in state: "Track function change"."""
    state = lt.store({"fn": lambda: 1})
    value = lt.memo(lambda: state["fn"]())
    assert value() == 1
    state["fn"] = lambda: 2
    assert value() == 2


# --- writes from elsewhere


def test_an_effect_writes_a_signal_into_a_store():
    """createStore Setting state from Effects: "Setting state from signal"."""
    data, state = lt.signal("init"), lt.store({"data": ""})
    lt.effect(lambda: state.__setitem__("data", data.value))
    data.value = "signal"
    assert state["data"] == "signal"


async def test_a_coroutine_writes_when_it_has_waited():
    """createStore Setting state from Effects: "Select Promise"."""
    state = lt.store({"data": ""})

    async def load() -> None:
        await asyncio.sleep(0)
        state["data"] = "promised"

    await load()
    assert state["data"] == "promised"


# --- wrapping


def test_a_dict_inside_is_not_the_one_that_was_put_in():
    """createStore State wrapping: "Setting plain object"."""
    data = {"with": "y"}
    state = lt.store({"data": data})
    assert state["data"] is not data
    assert state["data"] == data


def test_a_list_inside_is_not_the_one_that_was_put_in():
    """createStore State wrapping: "Setting plain array"."""
    data = [1, 2, 3]
    state = lt.store({"data": data})
    assert state["data"] is not data
    assert state["data"] == data


# --- length


def test_the_length_is_tracked_by_itself():
    """createStore Array length: "Setting plain object"."""
    state = lt.store({"list": []})
    items = state["list"]
    seen = values_of(lambda: len(items))
    state["list"].insert(0, 1)
    state["list"][0] = 2
    assert seen == [0, 1]


def test_the_length_is_up_to_date_inside_a_batch():
    """createStore Array length: "direct array index extension updates length immediately".

    Policy: as in any Python list an index beyond the end is an error; append extends.
    """
    state = lt.store([10, 11, 12])
    with lt.batch():
        with pytest.raises(IndexError):
            state[3] = 20
        state.append(20)
        assert len(state) == 4
        assert state[3] == 20
    assert len(state) == 4


def test_none_is_an_item_like_others():
    """createStore Array length: "direct array index extension to undefined still updates length"."""  # noqa: E501
    state = lt.store([10, 11, 12])
    with lt.batch():
        state.append(None)
        assert len(state) == 4
    assert state[3] is None


def test_a_cycle_is_no_endless_loop():
    """createStore State recursion: "there is no infinite loop"."""
    x: dict[str, Any] = {"a": 1}
    x["b"] = x
    state = lt.store(x)
    assert state["a"] == state["b"]["b"]["a"]


# --- objects of classes


@dataclasses.dataclass
class Custom:
    a: int
    b: int = 10


def follow_sum(state: Any) -> None:
    seen = values_of(lambda: state["inner"].a + state["inner"].b)
    state["inner"].a = 10
    state["inner"].b = 5
    assert seen == [11, 20, 15]


def test_a_store_inside_another_store():
    """createStore Nested Classes: "wrapped nested class"."""
    inner = lt.store(Custom(1))
    state = lt.store({"inner": inner})
    assert state["inner"] is inner
    follow_sum(state)


def test_a_dataclass_that_was_no_store_yet():
    """createStore Nested Classes: "not wrapped nested class"."""
    follow_sum(lt.store({"inner": Custom(1)}))


def test_other_objects_are_leaves():
    """createStore Nested Classes: "does not wrap Node instances"."""

    class Node:
        pass

    node, state = Node(), lt.store({})
    state["inner"] = node
    assert state["inner"] is node


def test_in_asks_for_the_key_and_not_for_the_value():
    """createStore In Operator: "wrapped nested class"."""
    state = lt.store({"a": 1, "b": 2})
    a, b, c = (lt.memo(lambda key=key: key in state) for key in "abc")
    assert (a(), b(), c()) == (True, True, False)
    state["c"] = 3
    state["b"] = 7
    assert (a(), b(), c()) == (True, True, True)
    assert b.runs == 1
    del state["a"]
    assert (a(), b(), c()) == (False, True, True)


def test_an_effect_follows_a_key():
    """createStore objects: "updates"."""
    state = lt.store({"foo": "foo"})
    seen = values_of(lambda: state["foo"])
    state["foo"] = "bar"
    assert seen == ["foo", "bar"]


def test_an_effect_follows_a_nested_key():
    """createStore objects: "updates with nested object"."""
    state = lt.store({"foo": {"bar": "bar"}})
    seen = values_of(lambda: state["foo"]["bar"])
    state["foo"]["bar"] = "baz"
    assert seen == ["bar", "baz"]


def test_presence_is_told_apart_from_the_value():
    """createStore objects: "has properties"."""
    state = lt.store({})
    seen = values_of(lambda: "foo" in state)
    state["foo"] = "bar"
    state["foo"] = None
    del state["foo"]
    assert seen == [False, True, False]


def test_rows_are_followed_one_by_one():
    """createStore arrays: "supports arrays"."""
    state = lt.store([{"i": 1}, {"i": 2}, {"i": 3}])
    sums = values_of(lambda: sum(row["i"] for row in state))
    outer: list[Any] = []
    inner: list[int] = []

    def follow() -> None:
        row = state[0]
        outer.append(row)
        lt.effect(lambda: inner.append(row["i"]))

    lt.effect(follow)
    state[0]["i"] = 2
    assert (sums, len(outer), inner) == ([6, 7], 1, [1, 2])
    state.append({"i": 4})
    assert (sums, len(outer), inner) == ([6, 7, 11], 1, [1, 2])
