# SPDX-License-Identifier: MIT
"""What Solid 2 claims about mapArray, said of lt.map_keyed."""

from __future__ import annotations

from typing import Any

import lattice as lt


class Mapping:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, item: Any) -> Any:
        self.calls += 1
        return [item]


def follow(source: Any, mapped: Any, mapping: Mapping) -> None:
    """The moves of the original, on a signal of lists of dicts."""
    a, b, c = mapped
    assert mapping.calls == 3
    one, two, three = source.value
    source.value = [two, one, three]
    assert [entry is old for entry, old in zip(mapped, [b, a, c], strict=True)] == [True] * 3
    source.value = [*source.value, {"id": "d"}]
    assert len(mapped) == 4
    assert mapped[-1][0]["id"] == "d"
    assert mapping.calls == 4
    source.value = source.value[1:]
    assert len(mapped) == 3
    assert mapped[0] is a
    source.value = []
    assert len(mapped) == 0
    assert mapping.calls == 4


def test_items_go_by_identity():
    """mapArray: "should compute keyed map"."""
    source, mapping = lt.signal([{"id": "a"}, {"id": "b"}, {"id": "c"}]), Mapping()
    follow(source, lt.map_keyed(source, mapping), mapping)


def test_who_reads_the_result_is_told():
    """mapArray: "should notify observer"."""
    source = lt.signal([{"id": "a"}, {"id": "b"}, {"id": "c"}])
    mapped = lt.map_keyed(source, Mapping())
    seen = []
    lt.effect(lambda: seen.append(len(mapped)))
    source.value = source.value[1:]
    assert seen == [3, 2]


def test_items_go_by_the_key_given():
    """mapArray: "should compute custom keyed map"."""
    source, mapping = lt.signal([{"id": "a"}, {"id": "b"}, {"id": "c"}]), Mapping()
    follow(source, lt.map_keyed(source, mapping, key=lambda item: item["id"]), mapping)


def test_an_equal_key_with_another_value_is_mapped_anew():
    """mapArray: "should compute map when key by index".

    Policy: the function gets the item, not an accessor of it, so another value at the same place is
    mapped anew; a value that only moves is not.
    """
    source, mapping = lt.signal([1, 2, 3]), Mapping()
    mapped = lt.map_keyed(source, mapping)
    first, second, third = mapped
    source.value = [3, 2, 1]
    assert [entry is old for entry, old in zip(mapped, [third, second, first], strict=True)] == [
        True
    ] * 3
    source.value = [3, 2, 1, 4]
    assert (len(mapped), mapping.calls) == (4, 4)
    source.value = [2, 1, 4]
    assert mapped[0] is second
    source.value = []
    assert (len(mapped), mapping.calls) == (0, 4)
