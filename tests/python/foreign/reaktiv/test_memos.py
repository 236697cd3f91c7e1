# SPDX-License-Identifier: MIT
"""What reaktiv's test_computed_decorator.py and test_lazy_computed.py claim, on Lattice's memos."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import lattice as lt


def test_memo_decorates() -> None:
    """computed decorator: "test_decorator_basic"."""
    count = lt.signal(5)

    @lt.memo
    def double() -> int:
        return count.value * 2

    assert double() == 10
    count.value = 10
    assert double() == 20


def test_memo_decorates_with_an_equality() -> None:
    """computed decorator: "test_decorator_with_equality"."""
    count = lt.signal(5)

    @lt.memo(equals=lambda old, new: old == new)
    def double() -> int:
        return count.value * 2

    assert (double(), double.runs) == (10, 1)
    count.value = 5
    assert (double(), double.runs) == (10, 1)


def test_memo_takes_a_function() -> None:
    """computed decorator: "test_factory_basic"."""
    count = lt.signal(5)
    double = lt.memo(lambda: count.value * 2)
    assert double() == 10
    count.value = 10
    assert double() == 20


def test_memo_takes_a_function_and_an_equality() -> None:
    """computed decorator: "test_factory_with_equality"."""
    count, asked = lt.signal(5), []

    def same(old: int, new: int) -> bool:
        asked.append((old, new))
        return old == new

    half = lt.memo(lambda: count.value // 2, equals=same)
    label = lt.memo(lambda: f"<{half()}>")
    assert (label(), asked) == ("<2>", [])
    count.value = 4
    assert (label(), asked, label.runs) == ("<2>", [(2, 2)], 1)


def test_a_memo_follows_each_of_its_sources() -> None:
    """computed decorator: "test_decorator_with_multiple_dependencies"."""
    first, last = lt.signal("Ada"), lt.signal("Byron")

    @lt.memo
    def full_name() -> str:
        return f"{first.value} {last.value}"

    assert full_name() == "Ada Byron"
    first.value = "Augusta"
    assert full_name() == "Augusta Byron"
    last.value = "King"
    assert full_name() == "Augusta King"


def test_a_memo_follows_a_memo() -> None:
    """computed decorator: "test_decorator_chaining"."""
    count = lt.signal(5)

    @lt.memo
    def double() -> int:
        return count.value * 2

    @lt.memo
    def quadruple() -> int:
        return double() * 2

    assert quadruple() == 20
    count.value = 10
    assert quadruple() == 40


def test_an_effect_follows_a_decorated_memo() -> None:
    """computed decorator: "test_decorator_with_effect"."""
    count, seen = lt.signal(5), []

    @lt.memo
    def double() -> int:
        return count.value * 2

    lt.effect(lambda: seen.append(double()))
    count.value = 10
    assert seen == [10, 20]


def test_a_memo_gives_an_object_of_the_users_class() -> None:
    """computed decorator: "test_decorator_return_type_preservation"."""

    class Custom:
        def __init__(self, amount: int) -> None:
            self.amount = amount

    count = lt.signal(5)

    @lt.memo
    def custom() -> Custom:
        return Custom(count.value)

    assert type(custom()) is Custom
    assert custom() is custom()
    assert custom().amount == 5


def test_a_result_within_the_tolerance_is_not_taken_over() -> None:
    """computed decorator: "test_decorator_approximate_equality".

    Policy: a result that counts as equal is dropped; the memo keeps the value that readers know.
    """
    amount = lt.signal(1.0)

    @lt.memo(equals=lambda old, new: abs(old - new) < 0.0001)
    def doubled() -> float:
        return amount.value * 2.0

    assert doubled() == 2.0
    amount.value = 1.00001
    assert (doubled(), doubled.runs) == (2.0, 2)
    amount.value = 1.5
    assert doubled() == 3.0


def test_a_memo_may_give_none() -> None:
    """computed decorator: "test_decorator_with_none_return"."""
    trigger = lt.signal(0)

    @lt.memo
    def nothing() -> None:
        _ = trigger.value

    assert nothing() is None
    trigger.value = 1
    assert nothing() is None
    assert nothing.runs == 2


def test_a_memo_may_give_a_dict() -> None:
    """computed decorator: "test_decorator_complex_computation"."""
    numbers = lt.signal([1, 2, 3, 4, 5])

    @lt.memo
    def statistics() -> dict[str, float]:
        now = numbers.value
        return {"sum": sum(now), "mean": sum(now) / len(now), "low": min(now), "high": max(now)}

    assert statistics() == {"sum": 15, "mean": 3.0, "low": 1, "high": 5}
    numbers.value = [10, 20, 30]
    assert statistics() == {"sum": 60, "mean": 20.0, "low": 10, "high": 30}


# --- laziness


def test_a_memo_runs_at_its_first_read_only() -> None:
    """lazy computed: "test_lazy_initialization"."""
    answer = lt.memo(lambda: 42)
    assert answer.runs == 0
    assert (answer(), answer.runs) == (42, 1)
    assert (answer(), answer.runs) == (42, 1)


def test_a_memo_has_no_sources_before_its_first_read() -> None:
    """lazy computed: "test_dependency_tracking"."""
    source = lt.signal(10)
    holder: dict[str, Any] = {"source": source}
    doubled = lt.memo(lambda: holder["source"].value * 2)

    def holds() -> bool:
        return any(other is source for other in gc.get_referents(doubled))

    assert not holds()
    assert doubled() == 20
    assert holds()


def test_a_memo_computes_again_after_a_change() -> None:
    """lazy computed: "test_recomputation_on_dependency_change"."""
    source = lt.signal(5)
    tripled = lt.memo(lambda: source.value * 3)
    assert tripled() == 15
    source.value = 10
    assert tripled() == 30


def test_changes_between_two_reads_make_one_run() -> None:
    """lazy computed: "test_multiple_dependencies"."""
    a, b = lt.signal(1), lt.signal(2)
    total = lt.memo(lambda: a.value + b.value)
    assert (total.runs, total(), total.runs) == (0, 3, 1)
    a.value, b.value = 10, 20
    assert total.runs == 1
    assert (total(), total.runs) == (30, 2)


def test_an_error_reaches_each_reader_and_is_made_once() -> None:
    """lazy computed: "test_error_handling".

    Policy: what a memo raises is kept like a value, until a source changes.
    """

    @lt.memo
    def fail() -> int:
        raise RuntimeError("Oops")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="Oops"):
            fail()
    assert fail.runs == 1


def test_memos_of_a_chain_run_only_when_the_last_is_read() -> None:
    """lazy computed: "test_nested_computations"."""
    a = lt.signal(1)
    b = lt.memo(lambda: a.value * 2)
    c = lt.memo(lambda: b() + 5)
    assert (b.runs, c.runs) == (0, 0)
    assert (c(), b.runs, c.runs) == (7, 1, 1)
    a.value = 3
    assert (b.runs, c.runs) == (1, 1)
    assert (c(), b.runs, c.runs) == (11, 2, 2)
