# SPDX-License-Identifier: MIT
"""Lists of a store: what a read of one subscribes to, and that it does what a list does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt
from stores import Reads


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
