# SPDX-License-Identifier: MIT
"""What reaktiv's test_circular_dependency.py claims, on Lattice's Python face."""

from __future__ import annotations

from typing import Any

import pytest

import lattice as lt


def chain(*names: str) -> list[lt.Memo[int]]:
    """Memos of which each reads the next, and the last reads the first."""
    memos: list[lt.Memo[int]] = []
    for i, name in enumerate(names):
        follower = (i + 1) % len(names)
        memos.append(lt.memo(lambda at=follower: memos[at]() + 1, name=name))  # type: ignore
    return memos


def test_two_memos_that_read_each_other() -> None:
    """circular: "test_simple_circular_dependency"."""
    a, b = chain("a", "b")
    with pytest.raises(lt.CycleError, match="cycle: a -> b -> a"):
        a()
    with pytest.raises(lt.CycleError):
        b()


def test_three_memos_in_a_ring() -> None:
    """circular: "test_three_way_circular_dependency"."""
    for memo in chain("a", "b", "c"):
        with pytest.raises(lt.CycleError, match="cycle: a -> b -> c -> a"):
            memo()


def test_a_memo_that_reads_itself() -> None:
    """circular: "test_self_referencing_dependency"."""
    (itself,) = chain("itself")
    with pytest.raises(lt.CycleError, match="cycle: itself -> itself"):
        itself()


def test_a_cycle_beside_what_is_sound() -> None:
    """circular: "test_indirect_circular_dependency"."""
    base = lt.signal(10)
    doubled = lt.memo(lambda: base.value * 2)
    more = lt.memo(lambda: doubled() + 5)
    one: Any = lt.memo(lambda: more() + other() + 1)
    other: Any = lt.memo(lambda: one() + 1)
    assert (doubled(), more()) == (20, 25)
    for memo in (one, other):
        with pytest.raises(lt.CycleError):
            memo()
    assert (doubled.runs, more.runs) == (1, 1)


def test_effects_beside_a_cycle() -> None:
    """circular: "test_circular_dependency_with_effect"."""
    source, seen = lt.signal(5), []
    doubled = lt.memo(lambda: source.value * 2)
    a, _ = chain("a", "b")
    lt.effect(lambda: seen.append(doubled()))
    source.value = 10
    assert seen == [10, 20]
    with pytest.raises(lt.CycleError):
        a()
    source.value = 11
    assert seen == [10, 20, 22]


def test_a_cycle_is_found_again() -> None:
    """circular: "test_detect_cycle_method"."""
    a, b = chain("a", "b")
    messages = []
    for _ in range(3):
        with pytest.raises(lt.CycleError) as caught:
            a()
        messages.append(str(caught.value))
    assert messages == ["cycle: a -> b -> a"] * 3
    assert (a.runs, b.runs) == (1, 1)  # the error is kept like any other


def test_a_chain_is_no_cycle() -> None:
    """circular: "test_no_false_positive_cycle_detection"."""
    base = lt.signal(1)
    first = lt.memo(lambda: base.value + 1)
    second = lt.memo(lambda: first() + 1)
    third = lt.memo(lambda: second() + 1)
    assert (base.value, first(), second(), third()) == (1, 2, 3, 4)
    base.value = 5
    assert (first(), second(), third()) == (6, 7, 8)


def test_the_message_names_the_path() -> None:
    """circular: "test_circular_dependency_error_message"."""
    price, tax = chain("price", "tax")
    with pytest.raises(lt.CycleError) as caught:
        tax()
    assert str(caught.value) == "cycle: tax -> price -> tax"
    assert isinstance(caught.value, lt.LatticeError)
    assert price.runs == 1


def test_a_cycle_inside_a_diamond() -> None:
    """circular: "test_circular_dependency_with_multiple_paths"."""
    base = lt.signal(1)
    left: Any = lt.memo(lambda: base.value + join())
    right: Any = lt.memo(lambda: base.value + join())
    join: Any = lt.memo(lambda: left() + right() + 1)
    for memo in (left, right, join):
        with pytest.raises(lt.CycleError):
            memo()


def test_a_ring_of_five_from_any_of_them() -> None:
    """circular: "test_deep_circular_dependency_chain"."""
    for start in range(5):
        memos = chain(*"abcde")
        with pytest.raises(lt.CycleError) as caught:
            memos[start]()
        ring = "abcde"[start:] + "abcde"[: start + 1]
        assert str(caught.value) == "cycle: " + " -> ".join(ring)


def test_a_cycle_that_reads_sound_memos_stays_one_when_they_change() -> None:
    """circular: "test_circular_dependency_mixed_with_valid_dependencies"."""
    x, y = lt.signal(10), lt.signal(20)
    total, product = lt.memo(lambda: x.value + y.value), lt.memo(lambda: x.value * y.value)
    a: Any = lt.memo(lambda: total() + b() + 1)
    b: Any = lt.memo(lambda: product() + a() + 1)
    for _ in range(2):
        for memo in (a, b):
            with pytest.raises(lt.CycleError):
                memo()
        x.value, y.value = 5, 15
    assert (total(), product()) == (20, 75)
