# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, batching: one flush at the end, with the final values."""

from __future__ import annotations

import pytest

import lattice as lt


def test_066_the_outermost_batch_flushes() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)
    with lt.batch():
        source.value = 1
        with lt.batch():
            source.value = 2
        assert effect.runs == 1
        source.value = 3
    assert (effect.runs, source.value) == (2, 3)


def test_067_a_signal_reads_as_written_inside_a_batch() -> None:
    source = lt.signal(0)
    with lt.batch():
        for value in (1, 2):
            source.value = value
            assert source.value == value


def test_069_effects_run_although_the_batch_raised() -> None:
    source, seen = lt.signal(0), []
    lt.effect(lambda: seen.append(source.value))

    def body() -> None:
        source.value = 1
        raise KeyError("batch")

    with pytest.raises(KeyError, match="batch"):
        lt.batch(body)
    assert (seen, source.value) == ([0, 1], 1)


def test_070_the_first_run_of_an_effect_is_immediate_inside_a_batch() -> None:
    source = lt.signal(0)
    with lt.batch():
        assert lt.effect(lambda: source.value).runs == 1


def test_072_values_in_between_are_not_seen() -> None:
    source, seen = lt.signal(0), []
    lt.effect(lambda: seen.append(source.value))
    with lt.batch():
        for value in (1, 2, 3):
            source.value = value
    assert seen == [0, 3]


def test_119_no_run_when_the_memo_comes_out_the_same() -> None:
    a, b = lt.signal(0), lt.signal(0)
    total = lt.memo(lambda: a.value + b.value)
    effect = lt.effect(total)
    with lt.batch():
        a.value, b.value = 1, -1
    assert (total(), total.runs, effect.runs) == (0, 2, 1)


def test_120_what_a_cleanup_writes_comes_in_one_notification() -> None:
    a, b, c, seen = lt.signal(0), lt.signal(0), lt.signal(0), []

    @lt.effect
    def work() -> None:
        _ = a.value

        @lt.on_cleanup
        def _() -> None:
            b.value = c.value = a.value

    lt.effect(lambda: seen.append((b.value, c.value)))
    a.value = 1
    assert seen == [(0, 0), (1, 1)]


def test_121_effects_run_although_another_one_raised() -> None:
    source = lt.signal(0)
    good = lt.effect(lambda: source.value)
    bad = lt.effect(lambda: 1 // (1 - source.value))
    late = lt.effect(lambda: source.value)
    with lt.batch():
        source.value = 1
    assert (good.runs, bad.runs, late.runs) == (2, 2, 2)


def test_122_writes_after_a_batch_flush_one_by_one() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)
    with lt.batch():
        source.value = 1
    source.value = 2
    assert (effect.runs, source.value) == (3, 2)


def test_123_batches_without_a_net_change_run_nothing() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)
    for value in (1, 2, 3):
        with lt.batch():
            source.value = value
            source.value = 0
    assert effect.runs == 1


def test_124_triggered_disposed_and_triggered_again_in_one_batch() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)
    with lt.batch():
        source.value = 1
        effect.dispose()
        source.value = 2
    assert effect.runs == 1


def test_125_a_source_that_reverts_tells_nobody() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    effect = lt.effect(doubled)
    with lt.batch():
        source.value = 5
        source.value = 0
    assert (doubled(), effect.runs) == (0, 1)


def test_126_an_effect_made_after_the_write_sees_it() -> None:
    source, seen = lt.signal(0), []
    with lt.batch():
        source.value = 42
        lt.effect(lambda: seen.append(source.value))
    assert seen == [42]


def test_127_an_effect_disposed_in_the_batch_is_not_called_at_its_end() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)

    def body() -> None:
        source.value = 1
        effect.dispose()

    lt.batch(body)
    assert effect.runs == 1


def test_128_reading_a_memo_in_a_batch_computes_the_whole_chain() -> None:
    source = lt.signal(0)
    more = lt.memo(lambda: source.value + 1)
    doubled = lt.memo(lambda: more() * 2)
    with lt.batch():
        source.value = 5
        assert (doubled(), more()) == (12, 6)


def test_129_reading_one_memo_does_not_run_the_effect_on_another() -> None:
    source = lt.signal(0)
    more = lt.memo(lambda: source.value + 1)
    doubled = lt.memo(lambda: source.value * 2)
    effect = lt.effect(doubled)
    with lt.batch():
        source.value = 5
        assert (more(), effect.runs) == (6, 1)
    assert effect.runs == 2


def test_130_what_an_effect_writes_comes_in_one_notification() -> None:
    a, b, c, seen = lt.signal(0), lt.signal(0), lt.signal(0), []

    @lt.effect
    def fill() -> None:
        b.value = a.value + 1
        c.value = a.value + 2

    lt.effect(lambda: seen.append((b.value, c.value)))
    a.value = 10
    assert seen == [(1, 2), (11, 12)]


def test_131_one_source_reverts_and_another_changes() -> None:
    a, b = lt.signal(0), lt.signal(10)
    doubled = lt.memo(lambda: a.value * 2)
    total = lt.memo(lambda: doubled() + b.value)
    effect = lt.effect(total)
    with lt.batch():
        a.value = 5
        a.value = 0
        b.value = 20
    assert (total(), effect.runs) == (20, 2)
    assert doubled.runs == 1


def test_132_a_memo_does_not_run_when_its_source_reverts() -> None:
    source = lt.signal(0)
    doubled = lt.memo(lambda: source.value * 2)
    lt.effect(doubled)
    with lt.batch():
        source.value = 5
        source.value = 0
    assert (doubled(), doubled.runs) == (0, 1)


def test_074_two_signals_change_in_one_update() -> None:
    a, b = lt.signal(0), lt.signal(0)
    effect = lt.effect(lambda: (a.value, b.value))
    with lt.batch():
        a.value, b.value = 1, 1
    assert (effect.runs, a.value, b.value) == (2, 1, 1)
