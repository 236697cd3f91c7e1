# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, stale evaluation order: sources first, readers after them."""

from __future__ import annotations

import lattice as lt


def test_094_a_stale_diamond_runs_each_node_once() -> None:
    source = lt.signal(0)
    moving = lt.memo(lambda: source.value)
    still = lt.memo(lambda: "c" * (source.value >= 0))
    join = lt.memo(lambda: f"{moving()} {still()}")
    assert join() == "0 c"
    source.value = 1
    assert join() == "1 c"
    assert (moving.runs, join.runs) == (2, 2)


def test_095_a_stale_source_runs_before_its_reader() -> None:
    source, order = lt.signal(0), []

    def noted(name: str, value: int) -> int:
        order.append((name, value))
        return value

    upper = lt.memo(lambda: noted("upper", source.value))
    lower = lt.memo(lambda: noted("lower", upper()))
    assert lower() == 0
    order.clear()
    source.value = 1
    assert lower() == 1
    assert order == [("upper", 1), ("lower", 1)]


def test_158_every_link_of_a_stale_chain_reads_fresh() -> None:
    source = lt.signal(0)
    b = lt.memo(lambda: source.value + 1)
    c = lt.memo(lambda: b() + 1)
    d = lt.memo(lambda: c() + 1)
    assert d() == 3
    source.value = 10
    assert [node() for node in (b, c, d)] == [11, 12, 13]


def test_159_a_memo_made_on_a_stale_one_follows() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    source.value = 5
    more = lt.memo(lambda: doubled() + 1)
    assert more() == 11
    source.value = 10
    assert more() == 21


def test_097_a_node_reads_its_source_directly_and_at_the_end_of_a_chain() -> None:
    source = lt.signal(0)
    b = lt.memo(lambda: source.value)
    c = lt.memo(lambda: b())
    both = lt.memo(lambda: source.value + c())
    assert both() == 0
    source.value = 1
    assert (both(), both.runs) == (2, 2)
