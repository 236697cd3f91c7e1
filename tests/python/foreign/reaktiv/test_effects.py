# SPDX-License-Identifier: MIT
"""What reaktiv's test_effect_triggers.py and test_batch_notifications.py claim of plain effects."""

from __future__ import annotations

import pytest

import lattice as lt


def test_two_memos_of_one_signal_make_one_run() -> None:
    """effect triggers: "test_effect_trigger_count"."""
    a, seen = lt.signal(1), []
    b, c = lt.memo(lambda: a.value + 1), lt.memo(lambda: a.value + 2)
    lt.effect(lambda: seen.append((b(), c())))
    assert seen == [(2, 3)]
    a.value = 2
    assert seen == [(2, 3), (3, 4)]


def test_each_write_outside_a_batch_makes_a_run() -> None:
    """effect triggers: "test_sync_effect_runs_once_for_every_successful_set_outside_batch"."""
    source, seen = lt.signal(0), []
    lt.effect(lambda: seen.append(source.value))
    for value in range(1, 6):
        source.value = value
    assert seen == [0, 1, 2, 3, 4, 5]


def test_five_memos_in_three_layers_make_one_run() -> None:
    """effect triggers: "test_complex_dependency_chain"."""
    a = lt.signal(1)
    b, c = lt.memo(lambda: a.value * 2), lt.memo(lambda: a.value + 10)
    d, e = lt.memo(lambda: b() + c()), lt.memo(lambda: c() * 2)
    effect = lt.effect(lambda: (d(), e()))
    a.value = 2
    assert effect.runs == 2
    assert (b(), c(), d(), e()) == (4, 12, 16, 24)
    assert [memo.runs for memo in (b, c, d, e)] == [2, 2, 2, 2]


def test_two_writes_in_a_batch_make_one_run() -> None:
    """effect triggers: "test_batch_update_effect_trigger"."""
    a, b = lt.signal(1), lt.signal(10)
    c, d = lt.memo(lambda: a.value + b.value), lt.memo(lambda: a.value * 2)
    effect = lt.effect(lambda: (c(), d()))
    with lt.batch():
        a.value = 2
        b.value = 20
    assert (effect.runs, c(), d()) == (2, 22, 4)


def test_a_diamond_makes_one_run_per_write() -> None:
    """effect triggers: "test_diamond_dependency_effect_trigger"."""
    a, seen = lt.signal(1), []
    b, c = lt.memo(lambda: a.value + 1), lt.memo(lambda: a.value * 2)
    d = lt.memo(lambda: b() + c())
    lt.effect(lambda: seen.append(d()))
    for value in (2, 3):
        a.value = value
    assert seen == [4, 7, 10]
    assert (b(), c(), d()) == (4, 6, 10)


def test_effects_on_each_level_of_a_diamond_run_once_each() -> None:
    """effect triggers: "test_diamond_dependency_with_intermediate_effects"."""
    a, log = lt.signal(1), []
    b = lt.memo(lambda: a.value * 2)
    c = lt.memo(lambda: b() + 10)
    d = lt.memo(lambda: b() + c())
    for name, memo in (("b", b), ("c", c), ("d", d)):
        lt.effect(lambda name=name, memo=memo: log.append((name, memo())))  # type: ignore[misc]
    assert log == [("b", 2), ("c", 12), ("d", 14)]
    for value, expected in ((5, [10, 20, 30]), (3, [6, 16, 22])):
        log.clear()
        a.value = value
        assert sorted(log) == list(zip("bcd", expected, strict=True))


def test_a_total_follows_price_quantity_and_tax() -> None:
    """effect triggers: "test_multiple_signal_chain_updates"."""
    price, quantity, tax_rate = lt.signal(10.0), lt.signal(2), lt.signal(0.1)
    subtotal = lt.memo(lambda: price.value * quantity.value)
    tax = lt.memo(lambda: subtotal() * tax_rate.value)
    total = lt.memo(lambda: subtotal() + tax())
    seen: list[float] = []
    lt.effect(lambda: seen.append(total()))
    quantity.value = 3
    price.value = 12.0
    tax_rate.value = 0.15
    assert seen == pytest.approx([22.0, 33.0, 39.6, 41.4])


def test_a_signal_and_the_memos_of_it_make_one_run() -> None:
    """effect triggers: "test_effect_subscribes_to_signal_and_dependent_computed"."""
    base, seen = lt.signal(10), []
    a, b = lt.memo(lambda: base.value * 2), lt.memo(lambda: base.value + 5)
    c = lt.memo(lambda: a() + b())
    lt.effect(lambda: seen.append((base.value, a(), b(), c())))
    base.value = 20
    assert seen == [(10, 20, 15, 35), (20, 40, 25, 65)]


def test_a_batch_makes_one_run() -> None:
    """batch notifications: "test_batch_sync_effect_notifications"."""
    a, b, seen = lt.signal(1), lt.signal(2), []
    total, difference = lt.memo(lambda: a.value + b.value), lt.memo(lambda: a.value - b.value)
    lt.effect(lambda: seen.append((total(), difference())))
    for first, second in ((5, 3), (10, 4)):
        with lt.batch():
            a.value = first
            b.value = second
    assert seen == [(3, -1), (8, 2), (14, 6)]
