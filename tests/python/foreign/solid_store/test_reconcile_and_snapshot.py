# SPDX-License-Identifier: MIT
"""What Solid 2 claims about reconcile, snapshot, deep and tracking by cloning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import lattice as lt

JOHN = {"id": 1, "first": "John"}
NED = {"id": 2, "first": "Ned"}
BRANDON = {"id": 3, "first": "Brandon"}
ARYA = {"id": 4, "first": "Arya"}


def values_of(read: Callable[[], Any]) -> list[Any]:
    seen: list[Any] = []
    lt.effect(lambda: seen.append(read()))
    return seen


# --- reconcile


def test_a_dict_gets_new_values_and_loses_old_keys():
    """reconcile: "Reconcile a simple object"."""
    state = lt.store({"data": 2, "missing": "soon"})
    lt.reconcile(state, {"data": 5})
    assert state == {"data": 5}


def test_a_list_with_none():
    """reconcile: "Reconcile array with nulls"."""
    state = lt.store([None, "a"])
    lt.reconcile(state, ["b", None])
    assert state == ["b", None]


def test_a_part_of_a_store():
    """reconcile: "Reconcile a simple object on a nested path"."""
    state = lt.store({"data": {"user": {"first": "John", "middle": "", "last": "Snow"}}})
    user = state["data"]["user"]
    lt.reconcile(user, {"first": "Jake", "middle": "R"})
    assert state["data"]["user"] is user
    assert user == {"first": "Jake", "middle": "R"}


def test_a_keyed_list_is_reordered():
    """reconcile: "Reconcile reorder a keyed array"."""
    state = lt.store({"users": [JOHN, NED, BRANDON]})
    users = state["users"]
    john, ned, brandon = users
    for order, items in (
        ([NED, JOHN, BRANDON], [ned, john, brandon]),
        ([NED, BRANDON, JOHN], [ned, brandon, john]),
        ([NED, BRANDON, JOHN, ARYA], [ned, brandon, john]),
        ([BRANDON, JOHN, ARYA], [brandon, john]),
    ):
        lt.reconcile(users, order)
        assert users == order
        assert all(a is b for a, b in zip(users, items, strict=False))


def test_without_keys_items_are_overwritten_in_place():
    """reconcile: "Reconcile overwrite in non-keyed merge mode"."""
    state = lt.store({"users": [JOHN, NED, BRANDON]})
    before = list(state["users"])
    lt.reconcile(state["users"], [NED, JOHN, BRANDON], key=None)
    assert state["users"] == [NED, JOHN, BRANDON]
    assert all(a is b for a, b in zip(state["users"], before, strict=True))


def test_the_target_itself_may_get_another_key():
    """reconcile: "Reconcile top level key mismatch".

    Policy: the target is what the caller names, so it becomes the new value whatever its key;
    keys identify the items inside.
    """
    user = lt.store(dict(JOHN))
    lt.reconcile(user, NED)
    assert user == NED


def test_a_nested_target_may_get_another_key():
    """reconcile: "Reconcile nested top level key mismatch".

    Policy: as for the top; below the target another key makes another object.
    """
    state = lt.store({"user": JOHN})
    user = state["user"]
    lt.reconcile(user, NED)
    assert state["user"] == NED
    lt.reconcile(state, {"user": ARYA})
    assert state["user"] is not user
    assert user == NED


def test_the_target_may_lose_its_key():
    """reconcile: "Reconcile top level key missing".

    Policy: as above.
    """
    state = lt.store({"id": 0, "value": "value"})
    lt.reconcile(state, {})
    assert state == {}


def test_a_dict_inside_is_overwritten():
    """reconcile: "Reconcile overwrite an object with an array"."""
    state = lt.store({"value": {"a": {"b": 1}}})
    lt.reconcile(state, {"value": {"c": [1, 2, 3]}})
    assert state == {"value": {"c": [1, 2, 3]}}


def test_a_list_becomes_a_dict_and_a_list_again():
    """reconcile: "Reconcile overwrite an array with an object"."""
    state = lt.store({"value": [1, 2, 3]})
    for value in ({"name": "John"}, [1, 2, 3], {"q": "aa"}):
        lt.reconcile(state, {"value": value})
        assert state["value"] == value
        assert type(lt.snapshot(state["value"])) is type(value)


# --- deep: a snapshot is a tracked read of everything


def test_a_deep_read_subscribes_once_per_container():
    """utilities deep: "subscribes to $TRACK at each level"."""
    state = lt.store({"list": [{"a": 1}, {"b": 2}]})
    effect = lt.effect(lambda: lt.snapshot(state))
    nodes = [state, state["list"], *state["list"]]
    runs = effect.runs
    for change in (
        lambda: state.__setitem__("x", 1),
        lambda: state["list"].append(0),
        lambda: nodes[2].__setitem__("a", 2),
        lambda: nodes[3].__setitem__("b", 3),
    ):
        change()
        runs += 1
        assert effect.runs == runs


def test_a_deep_read_follows_changes_at_any_depth():
    """utilities deep: "tests tracks deep updates"."""
    state = lt.store({"list": [{"a": 1}, {"b": 2}]})
    seen = values_of(lambda: lt.snapshot(state))
    state["list"][0]["a"] = 2
    state["list"].append({"c": 3})
    state["list"] = [{"d": 4}]
    assert seen[1:] == [
        {"list": [{"a": 2}, {"b": 2}]},
        {"list": [{"a": 2}, {"b": 2}, {"c": 3}]},
        {"list": [{"d": 4}]},
    ]


def test_a_container_at_two_places_is_followed_from_both():
    """utilities deep: "handles shared references"."""
    shared = {"a": 1, "b": 2}
    state = lt.store({"first": {"shared": shared}, "second": {"shared": shared}})
    seen = values_of(lambda: lt.snapshot(state["first"]))
    state["second"]["shared"]["b"] = 3
    assert len(seen) == 2
    with lt.batch():
        state["first"]["shared"] = {"a": 1, "b": 2}
        state["second"]["shared"] = state["first"]["shared"]
    assert len(seen) == 3
    state["second"]["shared"]["b"] = 4
    assert len(seen) == 4


def test_a_deep_read_gives_plain_data():
    """utilities deep: "returns plain (non-proxy) data"."""
    state = lt.store({"a": {"b": 1}, "c": [2, 3]})
    plain = lt.snapshot(state)
    assert plain == {"a": {"b": 1}, "c": [2, 3]}
    assert [type(plain), type(plain["a"]), type(plain["c"])] == [dict, dict, list]


def test_a_deep_read_sees_one_reconcile_as_one_change():
    """utilities deep: "works with reconcile"."""
    state = lt.store({"list": [{"id": 1, "v": 10}, {"id": 2, "v": 20}]})
    seen = values_of(lambda: lt.snapshot(state))
    new = {"list": [{"id": 1, "v": 99}, {"id": 2, "v": 20}, {"id": 3, "v": 30}]}
    lt.reconcile(state, new)
    assert seen[1:] == [new]


# --- snapshot


def test_a_snapshot_is_not_the_original():
    """utilities snapshot: "returns same object if unchanged".

    Policy: a snapshot is the caller's own, since plain data may be changed: nothing is shared.
    """
    ref = {"a": 1, "b": 2}
    state = lt.store(ref)
    first, second = lt.snapshot(state), lt.snapshot(state)
    assert first == second == ref
    assert first is not ref
    assert first is not second


def test_a_snapshot_after_a_change_is_another():
    """utilities snapshot: "returns new object if changed"."""
    state = lt.store({"a": 1, "b": 2})
    before = lt.snapshot(state)
    state["a"] = 3
    assert before == {"a": 1, "b": 2}
    assert lt.snapshot(state) == {"a": 3, "b": 2}


def test_a_snapshot_after_a_nested_change_is_another():
    """utilities snapshot: "returns new object if nested changed"."""
    state = lt.store({"a": 1, "b": {"c": 2}})
    before = lt.snapshot(state)
    state["b"]["c"] = 3
    assert before == {"a": 1, "b": {"c": 2}}
    assert lt.snapshot(state) == {"a": 1, "b": {"c": 3}}


def test_unchanged_parts_are_equal():
    """utilities snapshot: "returns existing object if nested unchanged".

    Policy: as above; unchanged parts are equal, not identical.
    """
    state = lt.store({"a": 1, "b": {"c": 2}})
    before = lt.snapshot(state)
    state["a"] = 3
    after = lt.snapshot(state)
    assert after["b"] == before["b"]
    after["b"]["c"] = 9
    assert before["b"]["c"] == state["b"]["c"] == 2


def test_a_snapshot_after_a_change_of_a_nested_list_is_another():
    """utilities snapshot: "returns new object if nested array changed"."""
    state = lt.store({"a": 1, "b": [2, 3]})
    before = lt.snapshot(state)
    state["b"][0] = 4
    assert (before["b"], lt.snapshot(state)["b"]) == ([2, 3], [4, 3])


# --- recursive effects


def test_copying_tracks_everything():
    """recursive effects: "can track deeply with cloning"."""
    state = lt.store({"foo": "foo", "bar": {"baz": "baz"}})
    seen = values_of(lambda: copy.deepcopy(state))
    with lt.batch():
        state["foo"] = "1"
        state["bar"]["baz"] = "2"
    assert seen == [
        {"foo": "foo", "bar": {"baz": "baz"}},
        {"foo": "1", "bar": {"baz": "2"}},
    ]


def test_what_is_read_untracked_is_not_followed():
    """recursive effects: "respects untracked"."""
    state = lt.store({"foo": "foo", "bar": {"baz": "baz"}})
    seen = values_of(lambda: copy.deepcopy(lt.untracked(lambda: state["bar"])))
    state["foo"] = "1"
    assert len(seen) == 1
    state["bar"]["baz"] = "2"
    assert len(seen) == 2
    state["bar"] = {"baz": "3"}
    assert len(seen) == 2


def test_a_copy_of_a_copy_is_plain():
    """recursive effects: "supports unwrapped values"."""
    state = lt.store({"foo": "foo", "bar": {"baz": "baz"}})
    seen = values_of(lambda: lt.snapshot(copy.deepcopy(state)))
    with lt.batch():
        state["foo"] = "1"
        state["bar"]["baz"] = "2"
    assert len(seen) == 2
    assert seen[0] is not seen[1]


def test_a_parent_runs_before_its_child():
    """recursive effects: "runs parent effects before child effects"."""
    x = lt.signal(0)
    simple = lt.memo(lambda: x.value)
    calls = []

    def parent() -> None:
        lt.effect(lambda: calls.append(x.value))
        simple()

    lt.effect(parent)
    x.value = 1
    assert calls == [0, 1]
