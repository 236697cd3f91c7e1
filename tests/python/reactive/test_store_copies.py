# SPDX-License-Identifier: MIT
"""Snapshots, copies, pickles, JSON and the abstract types of a store."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import MutableMapping, MutableSequence, MutableSet

import pytest

import lattice as lt
from stores import Reads, Todo


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
