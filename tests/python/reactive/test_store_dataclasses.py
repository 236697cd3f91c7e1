# SPDX-License-Identifier: MIT
"""Dataclasses of a store: tracked fields, slots, frozen ones, other attributes."""

from __future__ import annotations

import dataclasses

import pytest

import lattice as lt
from stores import Reads, Todo


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
