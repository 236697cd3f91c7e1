# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, computed evaluation: memos are lazy, cached and cut off."""

from __future__ import annotations

import lattice as lt


def test_018_a_memo_is_cached_while_nothing_changes() -> None:
    source = lt.signal(0)
    memo = lt.memo(lambda: source.value)
    assert [memo(), memo()] == [0, 0]
    assert memo.runs == 1


def test_019_a_memo_follows_its_source() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    seen = [doubled()]
    for value in (1, 5):
        source.value = value
        seen.append(doubled())
    assert seen == [0, 2, 10]


def test_021_a_chain_gets_other_sources_after_a_write() -> None:
    a, b = lt.signal(0), lt.signal(0)
    copy = lt.memo(lambda: a.value)
    chosen = lt.memo(lambda: b.value if a.value == 0 else copy())
    assert chosen() == 0
    a.value = 1
    assert chosen() == 1
    b.value = 10
    assert (chosen(), chosen.runs) == (1, 2)


def test_022_a_chain_runs_every_link_once() -> None:
    source = lt.signal(0)
    b = lt.memo(lambda: source.value)
    c = lt.memo(lambda: b())
    d = lt.memo(lambda: c())
    assert d() == 0
    source.value = 1
    assert d() == 1
    assert (b.runs, c.runs, d.runs) == (2, 2, 2)


def test_023_reading_the_end_of_a_chain_right_after_a_write() -> None:
    source = lt.signal(0)
    upper = lt.memo(lambda: source.value)
    lower = lt.memo(lambda: upper())
    effect = lt.effect(lower)
    source.value = 1
    assert (lower(), effect.runs) == (1, 2)


def test_024_memos_run_in_the_order_in_which_they_are_read() -> None:
    source, order = lt.signal(0), []
    first = lt.memo(lambda: (order.append("first"), source.value))
    second = lt.memo(lambda: (order.append("second"), source.value))
    first(), second()
    source.value = 1
    second(), first()
    assert order == ["first", "second", "second", "first"]


def test_025_a_memo_without_sources_runs_once() -> None:
    memo = lt.memo(lambda: 42)
    assert [memo(), memo()] == [42, 42]
    assert memo.runs == 1
    lt.signal(0).value = 1
    assert (memo(), memo.runs) == (42, 1)


def test_026_a_memo_that_lost_its_readers_stays_right() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    lt.effect(doubled).dispose()
    for value in (5, 10):
        source.value = value
        assert doubled() == value * 2


def test_145_none_is_a_value_like_any_other() -> None:
    source = lt.signal(0)
    memo = lt.memo(lambda: source.value or None)
    assert memo() is None
    assert (memo(), memo.runs) == (None, 1)
    source.value = 1
    assert memo() == 1
    source.value = 0
    assert memo() is None


def test_147_write_and_revert_in_a_batch() -> None:
    source = lt.signal(0)
    memo = lt.memo(lambda: source.value)
    memo()
    with lt.batch():
        source.value = 5
        source.value = 0
    assert (memo(), memo.runs) == (0, 1)


def test_149_a_batch_runs_a_chain_in_order() -> None:
    source, order = lt.signal(0), []

    def noted(name: str, value: int) -> int:
        order.append(name)
        return value

    upper = lt.memo(lambda: noted("upper", source.value))
    lower = lt.memo(lambda: noted("lower", upper()))
    lt.effect(lower)
    order.clear()
    with lt.batch():
        source.value = 1
    assert order == ["upper", "lower"]


def test_115_a_memo_may_make_a_signal() -> None:
    source = lt.signal(0)
    memo = lt.memo(lambda: lt.signal(source.value * 10).value)
    assert memo() == 0
    source.value = 3
    assert memo() == 30


def test_027_a_reader_runs_only_when_the_value_changed() -> None:
    source = lt.signal(0)
    clamped = lt.memo(lambda: min(10, max(0, source.value)))
    reader = lt.memo(lambda: clamped())
    assert (reader(), reader.runs) == (0, 1)
    for value, expected, runs in [(-1, 0, 1), (5, 5, 2), (11, 10, 3), (20, 10, 3)]:
        source.value = value
        assert (reader(), reader.runs) == (expected, runs)
