# SPDX-License-Identifier: MIT
"""Sets of a store: what a test for an item subscribes to, and that it does what a set does."""

from __future__ import annotations

import pytest

import lattice as lt
from stores import Reads


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
