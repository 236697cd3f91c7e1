# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, equality: what is no change goes no further."""

from __future__ import annotations

import lattice as lt


def test_028_writing_the_same_number_is_no_change() -> None:
    source = lt.signal(1)
    memo = lt.memo(lambda: source.value)
    assert memo() == 1
    source.value = 1
    assert (memo(), memo.runs) == (1, 1)


def test_034_pruning_stops_at_the_first_unchanged_node() -> None:
    source = lt.signal(0)
    is_positive = lt.memo(lambda: source.value > 0)
    upper = lt.memo(lambda: is_positive())
    lower = lt.memo(lambda: upper())
    assert lower() is False
    source.value = 1
    assert lower() is True
    source.value = 2
    assert lower() is True
    assert (is_positive.runs, upper.runs, lower.runs) == (3, 2, 2)


def test_169_an_effect_does_not_run_when_a_memo_on_the_way_is_unchanged() -> None:
    source = lt.signal(0)
    copy = lt.memo(lambda: source.value)
    five = lt.memo(lambda: 5 + copy() * 0)
    effect = lt.effect(five)
    source.value = 1
    source.value = 2
    assert (copy.runs, five.runs, effect.runs) == (3, 3, 1)


def test_220_the_same_object_from_a_memo_is_no_change() -> None:
    class Thing:
        pass

    thing, source = Thing(), lt.signal(0)
    same = lt.memo(lambda: (source.value, thing)[1])
    reader = lt.memo(lambda: same())
    assert reader() is thing
    source.value = 1
    assert reader() is thing
    assert (same.runs, reader.runs) == (2, 1)


def test_220_the_same_dict_is_one_under_equals_is() -> None:
    # Under "auto" the very same container counts as changed, since it may have been changed in
    # place: that is how `items.value += [x]` works.
    thing, source = {"x": 1}, lt.signal(0)
    auto = lt.memo(lambda: (source.value, thing)[1])
    same = lt.memo(lambda: (source.value, thing)[1], equals="is")
    readers = [lt.memo(lambda: auto()), lt.memo(lambda: same())]
    assert [reader() for reader in readers] == [thing, thing]
    source.value = 1
    assert [reader() for reader in readers] == [thing, thing]
    assert [reader.runs for reader in readers] == [2, 1]
