# SPDX-License-Identifier: MIT
"""Containers in containers of a store: deep writes, aliases, cycles, leaves."""

from __future__ import annotations

import array
import collections
import gc
import pickle
import weakref
from typing import Any

import pytest

import lattice as lt
from stores import Reads


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
