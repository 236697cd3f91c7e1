# SPDX-License-Identifier: MIT
"""Stores that `reconcile` makes equal to new data."""

from __future__ import annotations

import random
from typing import Any

import pytest

import lattice as lt
from stores import Reads, Todo


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
