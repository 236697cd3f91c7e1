# SPDX-License-Identifier: MIT
"""Dicts of a store: what a read of one subscribes to, and that it does what a dict does."""

from __future__ import annotations

import pytest

import lattice as lt
from stores import Reads


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
