# SPDX-License-Identifier: MIT
"""What reaktiv's tests claim about effects that are coroutines.

There the whole coroutine is tracked. Here what it reads before its first await is, and what it
reads later by its `track` parameter; and a run under way is cancelled before the next one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import lattice as lt
from waiting import become, turns

# --- test_signals.py


async def test_an_async_effect_runs_at_once_and_after_a_change() -> None:
    """signals: "test_basic_effect_execution"."""
    count, seen = lt.signal(0), []

    @lt.effect
    async def look() -> None:
        seen.append(count.value)

    await turns()
    count.value = 1
    await turns()
    assert seen == [0, 1]


async def test_an_async_effect_has_the_sources_of_its_last_run() -> None:
    """signals: "test_effect_dependency_tracking"."""
    first, second = lt.signal(0), lt.signal("test")

    @lt.effect
    async def look() -> None:
        if first.value > 0:
            _ = second.value

    await turns()
    second.value = "new"
    await turns()
    assert look.runs == 1
    first.value = 1
    await turns()
    assert look.runs == 2
    second.value = "another"
    await turns()
    assert look.runs == 3


async def test_a_disposed_async_effect_runs_no_more() -> None:
    """signals: "test_effect_disposal"."""
    count = lt.signal(0)

    @lt.effect
    async def look() -> None:
        _ = count.value

    await turns()
    count.value = 1
    await turns()
    look.dispose()
    count.value = 2
    await turns()
    assert look.runs == 2


async def test_two_async_effects_of_one_signal() -> None:
    """signals: "test_multiple_effects"."""
    count, seen = lt.signal(0), []

    def make(name: str) -> None:
        @lt.effect
        async def look() -> None:
            seen.append((name, count.value))

    make("a")
    make("b")
    await turns()
    count.value = 1
    await turns()
    assert sorted(seen) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


async def test_what_an_async_effect_reads_after_an_await_is_tracked_by_name() -> None:
    """signals: "test_async_effect".

    Policy: a read after an await goes through the effect's parameter `track`; else it warns.
    """
    count = lt.signal(0)
    seen: list[int] = []

    @lt.effect
    async def look(track: Any) -> None:
        await asyncio.sleep(0.001)
        seen.append(track(count))

    await become(lambda: seen == [0])
    count.value = 1
    await become(lambda: seen == [0, 1])

    @lt.effect
    async def careless() -> None:
        await asyncio.sleep(0)
        seen.append(count.value)

    with pytest.warns(RuntimeWarning, match="'count' is read after an await in 'careless'"):
        await become(lambda: seen == [0, 1, 1])
    count.value = 2
    await become(lambda: seen == [0, 1, 1, 2])
    await turns()
    assert careless.runs == 1


async def test_an_error_of_an_async_effect_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """signals: "test_effect_error_handling"."""
    count = lt.signal(0)

    @lt.effect
    async def fail() -> None:
        now = count.value
        await asyncio.sleep(0)
        raise ValueError(f"test error {now}")

    await turns()
    count.value = 1
    await turns()
    assert fail.runs == 2
    for text in ("ValueError", "test error 0", "test error 1", "'fail'"):
        assert text in caplog.text


async def test_an_async_effect_that_ended_leaves_the_others() -> None:
    """signals: "test_memory_management"."""
    count = lt.signal(0)

    async def look() -> None:
        _ = count.value

    ended, other = lt.effect(look), lt.effect(look)
    await turns()
    ended.dispose()
    count.value = 2
    await turns()
    assert (ended.runs, other.runs) == (1, 2)


async def test_an_async_effect_of_a_memo() -> None:
    """signals: "test_compute_signal_effect"."""
    source, seen = lt.signal(0), []
    squared = lt.memo(lambda: source.value**2)

    @lt.effect
    async def look() -> None:
        seen.append(squared())

    await turns()
    source.value = 2
    await turns()
    assert seen == [0, 4]


async def test_a_signal_and_its_memo_make_one_async_run() -> None:
    """signals: "test_signal_computed_async_effect_triggers_once"."""
    a, seen = lt.signal(1), []
    b = lt.memo(lambda: a.value + 10)

    @lt.effect
    async def look() -> None:
        now = a.value, b()
        await asyncio.sleep(0.001)
        seen.append(now)

    await become(lambda: len(seen) == 1)
    a.value = 2
    await become(lambda: len(seen) == 2)
    a.value = 5
    await become(lambda: len(seen) == 3)
    assert seen == [(1, 11), (2, 12), (5, 15)]
    assert look.runs == 3


async def test_nothing_runs_for_a_value_that_is_there_already() -> None:
    """signals: "test_no_redundant_triggers"."""
    a, b = lt.signal(0), lt.signal(10)
    total = lt.memo(lambda: a.value + b.value)
    plain = lt.effect(lambda: a.value)

    @lt.effect
    async def slow() -> None:
        _ = total()
        await asyncio.sleep(0.001)

    async def runs() -> tuple[int, int, int]:
        await asyncio.sleep(0.01)
        return plain.runs, slow.runs, total.runs

    assert await runs() == (1, 1, 1)
    a.value, b.value = 0, 10
    assert await runs() == (1, 1, 1)
    a.value = 1
    assert await runs() == (2, 2, 2)
    a.value = 1
    assert await runs() == (2, 2, 2)
    b.value = 11
    assert await runs() == (2, 3, 3)


async def test_slow_effects_see_every_value_that_stays_long_enough() -> None:
    """signals: "test_backpressure".

    Policy: a change during a run cancels it, so only the newest value is worked off.
    """
    a, b, plain, slow = lt.signal(0), lt.signal(0), [], []
    lt.effect(lambda: plain.append(b.value))

    @lt.effect
    async def work() -> None:
        now = a.value
        await asyncio.sleep(0.001)
        slow.append(now)

    await become(lambda: slow == [0])
    for value in (1, 2, 3):
        b.value = value
    assert plain == [0, 1, 2, 3]
    for value in (1, 2, 3):
        a.value = value
        await become(lambda value=value: slow[-1] == value)  # type: ignore[misc]
    for value in (4, 5, 6):  # without waiting
        a.value = value
        await asyncio.sleep(0)
    await become(lambda: slow[-1] == 6)
    assert slow == [0, 1, 2, 3, 6]


async def test_update_runs_an_async_effect() -> None:
    """signals: "test_signal_update_effect"."""
    count, seen = lt.signal(0), []

    @lt.effect
    async def look() -> None:
        seen.append(count.value)

    await turns()
    count.update(lambda n: n + 1)
    await turns()
    assert seen == [0, 1]


async def test_an_update_to_the_same_value_runs_nothing() -> None:
    """signals: "test_signal_update_no_change"."""
    count = lt.signal(5)

    @lt.effect
    async def look() -> None:
        _ = count.value

    await turns()
    count.update(lambda n: n)
    await turns()
    assert look.runs == 1


async def test_a_batch_makes_one_async_run() -> None:
    """signals: "test_batch_basic"."""
    a, b, seen = lt.signal(1), lt.signal(2), []
    c = lt.memo(lambda: a.value + b.value)

    @lt.effect
    async def look() -> None:
        seen.append((a.value, b.value))

    await turns()
    assert c() == 3
    with lt.batch():
        a.value = 2
        b.value = 3
    await turns()
    assert c() == 5
    assert seen == [(1, 2), (2, 3)]


async def test_nested_batches_make_one_async_run() -> None:
    """signals: "test_batch_nested"."""
    a, seen = lt.signal(1), []

    @lt.effect
    async def look() -> None:
        seen.append(a.value)

    await turns()
    with lt.batch():
        with lt.batch():
            a.value = 2
            a.value = 3
        a.value = 4
    await turns()
    assert seen == [1, 4]


async def test_a_batch_below_a_memo_makes_one_async_run() -> None:
    """signals: "test_batch_with_computed"."""
    a, seen = lt.signal(1), []
    b = lt.memo(lambda: a.value * 2)

    @lt.effect
    async def look() -> None:
        seen.append(b())

    await turns()
    with lt.batch():
        a.value = 2
        a.value = 3
    await turns()
    assert seen == [2, 6]


async def test_untracked_in_an_async_effect() -> None:
    """signals: "test_untracked"."""
    tracked, other, seen = lt.signal(1), lt.signal(10), []

    @lt.effect
    async def look() -> None:
        seen.append((tracked.value, lt.untracked(lambda: other.value)))

    await turns()
    tracked.value = 2
    await turns()
    other.value = 20
    await turns()
    assert seen == [(1, 10), (2, 10)]


async def test_an_async_effect_cleans_up_before_its_next_run() -> None:
    """signals: "test_effect_cleanup"."""
    a, log = lt.signal(0), []

    @lt.effect
    async def work() -> None:
        run = a.value
        log.append(f"run {run}")
        lt.on_cleanup(lambda: log.append(f"clean {run}, now {a.value}"))

    await turns()
    assert log == ["run 0"]
    a.value = 1
    await turns()
    assert log == ["run 0", "clean 0, now 1", "run 1"]
    work.dispose()
    await turns()
    assert log[3:] == ["clean 1, now 1"]


async def test_cleanups_of_an_async_effect_run_the_last_first() -> None:
    """signals: "test_multiple_cleanups".

    Policy: the cleanup that was registered last runs first.
    """
    a, log = lt.signal(0), []

    @lt.effect
    async def work() -> None:
        _ = a.value
        lt.on_cleanup(lambda: log.append(1))
        lt.on_cleanup(lambda: log.append(2))

    await turns()
    assert log == []
    a.value = 1
    await turns()
    assert log == [2, 1]
    work.dispose()
    assert log == [2, 1, 2, 1]


async def test_a_memos_tolerance_decides_for_an_async_effect() -> None:
    """signals: "test_compute_signal_equality_function"."""
    source = lt.signal(1.0)
    rough = lt.memo(lambda: source.value * 3.333, equals=lambda old, new: abs(old - new) < 0.5)

    @lt.effect
    async def look() -> None:
        _ = rough()

    await turns()
    source.value = 1.1
    await turns()
    assert look.runs == 1
    source.value = 1.5
    await turns()
    assert look.runs == 2


async def test_an_async_effect_that_catches_a_memos_error_goes_on() -> None:
    """signals: "test_async_effect_with_computed_exception".

    Policy: a read after an await goes through the effect's parameter `track`.
    """
    source, seen = lt.signal(1), []
    inverse = lt.memo(lambda: 10 / source.value)

    @lt.effect
    async def look(track: Any) -> None:
        await asyncio.sleep(0)
        try:
            seen.append(track(inverse))
        except ZeroDivisionError as error:
            seen.append(str(error))

    await become(lambda: len(seen) == 1)
    source.value = 0
    await become(lambda: len(seen) == 2)
    source.value = 2
    await become(lambda: len(seen) == 3)
    assert seen == [10.0, "division by zero", 5.0]


async def test_an_async_effect_of_a_view() -> None:
    """readonly: "test_readonly_signal_with_async_effect".

    Policy: a read after an await goes through the effect's parameter `track`.
    """
    amount, seen = lt.signal(0), []
    view = lt.memo(lambda: amount.value)

    @lt.effect
    async def look(track: Any) -> None:
        await asyncio.sleep(0)
        seen.append(track(view))

    for value in (0, 1, 2):
        amount.value = value
        await become(lambda value=value: bool(seen) and seen[-1] == value)  # type: ignore[misc]
    assert seen == [0, 1, 2]


async def test_an_async_effect_of_a_memo_of_a_view() -> None:
    """readonly: "test_readonly_signal_complex_dependency_chain"."""
    amount, seen = lt.signal(1), []
    view = lt.memo(lambda: amount.value)
    tenfold = lt.memo(lambda: view() * 10)

    @lt.effect
    async def look() -> None:
        seen.append(tenfold())

    await turns()
    amount.value = 2
    await turns()
    with lt.batch():
        amount.value = 3
        amount.value = 4
    await turns()
    assert seen == [10, 20, 40]


# --- test_batch_notifications.py, test_batch_performance.py


async def test_an_async_effect_of_two_memos_runs_once_per_batch() -> None:
    """batch notifications: "test_batch_effect_notifications"."""
    x, y, seen = lt.signal(5), lt.signal(10), []
    total, product = lt.memo(lambda: x.value + y.value), lt.memo(lambda: x.value * y.value)

    @lt.effect
    async def look() -> None:
        seen.append((total(), product()))

    await turns()
    for first, second in ((8, 20), (12, 30)):
        with lt.batch():
            x.value = first
            y.value = second
        await turns()
    assert seen == [(15, 50), (28, 160), (42, 360)]


async def test_a_batch_recomputes_only_what_it_concerns() -> None:
    """batch performance: "test_no_unnecessary_computations_in_batch"."""
    a, b, c = lt.signal(1), lt.signal(2), lt.signal(3)
    ab, bc = lt.memo(lambda: a.value + b.value), lt.memo(lambda: b.value + c.value)
    constant = lt.memo(lambda: 10)
    assert (ab(), bc(), constant()) == (3, 5, 10)
    with lt.batch():
        a.value = 5
    assert (ab(), bc(), constant()) == (7, 5, 10)
    assert (ab.runs, bc.runs, constant.runs) == (2, 1, 1)


async def test_a_batch_runs_only_the_async_effects_that_it_concerns() -> None:
    """batch performance: "test_no_unnecessary_effect_retriggers_in_batch"."""
    x, y, z = lt.signal(1), lt.signal(2), lt.signal(3)
    xy, doubled_z = lt.memo(lambda: x.value + y.value), lt.memo(lambda: z.value * 2)

    @lt.effect
    async def of_xy() -> None:
        _ = xy()

    @lt.effect
    async def of_z() -> None:
        _ = doubled_z()

    @lt.effect
    async def of_all() -> None:
        _ = xy(), doubled_z()

    await turns()
    with lt.batch():
        x.value = 5
    await turns()
    assert (of_xy.runs, of_z.runs, of_all.runs) == (2, 1, 2)


async def test_a_diamond_in_a_batch_makes_one_async_run() -> None:
    """batch performance: "test_no_duplicate_notifications_in_complex_batch"."""
    base, seen = lt.signal(1), []
    left, right = lt.memo(lambda: base.value + 1), lt.memo(lambda: base.value * 2)
    joined = lt.memo(lambda: left() + right())

    @lt.effect
    async def look() -> None:
        seen.append(joined())

    await turns()
    with lt.batch():
        base.value = 5
    await turns()
    assert seen == [4, 16]


async def test_a_memos_tolerance_holds_in_a_batch() -> None:
    """batch performance: "test_respect_custom_equality_in_batch"."""
    source = lt.signal(1.0)
    rough = lt.memo(lambda: source.value * 2.0, equals=lambda old, new: abs(old - new) < 0.1)

    @lt.effect
    async def look() -> None:
        _ = rough()

    await turns()
    with lt.batch():
        source.value = 1.02
    await turns()
    assert look.runs == 1
    with lt.batch():
        source.value = 1.1
    await turns()
    assert look.runs == 2


async def test_a_batch_recomputes_each_memo_of_a_chain_once() -> None:
    """batch performance: "test_no_redundant_recomputation_cascading_deps"."""
    base = lt.signal(1)
    first = lt.memo(lambda: base.value + 1)
    second = lt.memo(lambda: first() * 2)
    third = lt.memo(lambda: second() + 10)
    assert third() == 14
    with lt.batch():
        base.value = 5
    assert third() == 22
    assert (first.runs, second.runs, third.runs) == (2, 2, 2)


async def test_a_batch_leaves_what_it_does_not_concern() -> None:
    """batch performance: "test_no_computation_when_dependencies_unchanged_in_batch"."""
    still, moving = lt.signal(10), lt.signal(1)
    doubled, tripled = lt.memo(lambda: still.value * 2), lt.memo(lambda: moving.value * 3)
    assert (doubled(), tripled()) == (20, 3)
    with lt.batch():
        moving.value = 5
    assert (doubled(), tripled()) == (20, 15)
    assert (doubled.runs, tripled.runs) == (1, 2)


# --- test_custom_equality.py


async def test_a_signals_own_equality_decides_for_an_async_effect() -> None:
    """custom equality: "test_signal_custom_equality"."""
    data = lt.signal([1, 2, 3], equals=lambda old, new: len(old) == len(new))

    @lt.effect
    async def look() -> None:
        _ = data.value

    await turns()
    data.value = [4, 5, 6]
    await turns()
    assert look.runs == 1
    data.value = [7, 8, 9, 10]
    await turns()
    assert look.runs == 2


async def test_an_equal_list_is_a_change_and_the_very_same_one_too() -> None:
    """custom equality: "test_signal_default_equality".

    Policy: assigning the very same list again says that it was changed in place; equals="is" not.
    """
    data, by_identity = lt.signal([1, 2, 3]), lt.signal([1, 2, 3], equals="is")

    @lt.effect
    async def look() -> None:
        _ = data.value

    @lt.effect
    async def look_by_identity() -> None:
        _ = by_identity.value

    same = [4, 5, 6]
    for value, runs, runs_by_identity in (([1, 2, 3], 2, 2), (same, 3, 3), (same, 4, 3)):
        data.value = by_identity.value = value
        await turns()
        assert (look.runs, look_by_identity.runs) == (runs, runs_by_identity)


async def test_a_change_within_the_tolerance_is_dropped() -> None:
    """custom equality: "test_computed_signal_custom_equality".

    Policy: a result that counts as equal is dropped; the memo keeps the value that readers know.
    """
    base, seen = lt.signal(100), []
    tenth = lt.memo(lambda: base.value / 10, equals=lambda old, new: abs(old - new) <= 0.101)

    @lt.effect
    async def look() -> None:
        seen.append(tenth())

    await turns()
    base.value = 101
    await turns()
    assert (tenth(), seen) == (10.0, [10.0])
    base.value = 112
    await turns()
    assert (tenth(), seen) == (11.2, [10.0, 11.2])


async def test_an_equality_of_nested_data() -> None:
    """custom equality: "test_deep_equality_example"."""

    def user(mode: str) -> dict[str, Any]:
        return {"profile": {"name": "Ada", "preferences": [mode, "notifications"]}}

    names, profile = lt.signal(["test"], equals="=="), lt.signal(user("dark"), equals="==")

    @lt.effect
    async def look() -> None:
        _ = names.value

    @lt.effect
    async def look_at_profile() -> None:
        _ = profile.value

    await turns()
    names.value, profile.value = ["test"], user("dark")
    await turns()
    assert (look.runs, look_at_profile.runs) == (1, 1)
    names.value, profile.value = ["different"], user("light")
    await turns()
    assert (look.runs, look_at_profile.runs) == (2, 2)


# --- test_effect_triggers.py


async def test_two_memos_of_one_signal_make_one_async_run() -> None:
    """effect triggers: "test_async_effect_trigger_count"."""
    a, seen = lt.signal(1), []
    b, c = lt.memo(lambda: a.value + 1), lt.memo(lambda: a.value + 2)

    @lt.effect
    async def look() -> None:
        seen.append((b(), c()))

    await turns()
    a.value = 2
    await turns()
    assert seen == [(2, 3), (3, 4)]


async def test_five_memos_in_three_layers_make_one_async_run() -> None:
    """effect triggers: "test_async_complex_dependency_chain"."""
    a = lt.signal(1)
    b, c = lt.memo(lambda: a.value * 2), lt.memo(lambda: a.value + 10)
    d, e = lt.memo(lambda: b() + c()), lt.memo(lambda: c() * 2)

    @lt.effect
    async def look() -> None:
        _ = d(), e()

    await turns()
    a.value = 2
    await turns()
    assert look.runs == 2
    assert (b(), c(), d(), e()) == (4, 12, 16, 24)


async def test_two_writes_in_a_batch_make_one_async_run() -> None:
    """effect triggers: "test_async_batch_update_effect_trigger"."""
    a, b = lt.signal(1), lt.signal(10)
    c, d = lt.memo(lambda: a.value + b.value), lt.memo(lambda: a.value * 2)

    @lt.effect
    async def look() -> None:
        _ = c(), d()

    await turns()
    with lt.batch():
        a.value = 2
        b.value = 20
    await turns()
    assert (look.runs, c(), d()) == (2, 22, 4)


async def test_a_diamond_makes_one_async_run_per_write() -> None:
    """effect triggers: "test_async_diamond_dependency_effect_trigger"."""
    a, seen = lt.signal(1), []
    b, c = lt.memo(lambda: a.value + 1), lt.memo(lambda: a.value * 2)
    d = lt.memo(lambda: b() + c())

    @lt.effect
    async def look() -> None:
        seen.append(d())

    await turns()
    for value in (2, 3):
        a.value = value
        await turns()
    assert seen == [4, 7, 10]


async def test_a_total_reaches_an_async_effect() -> None:
    """effect triggers: "test_async_multiple_signal_chain_updates"."""
    price, quantity, tax_rate = lt.signal(10.0), lt.signal(2), lt.signal(0.1)
    subtotal = lt.memo(lambda: price.value * quantity.value)
    tax = lt.memo(lambda: subtotal() * tax_rate.value)
    total = lt.memo(lambda: subtotal() + tax())
    seen: list[float] = []

    @lt.effect
    async def look() -> None:
        seen.append(total())

    await turns()
    quantity.value = 3
    await turns()
    price.value = 12.0
    await turns()
    tax_rate.value = 0.15
    await turns()
    assert seen == pytest.approx([22.0, 33.0, 39.6, 41.4])


async def test_ten_memos_of_one_signal_make_one_async_run() -> None:
    """effect triggers: "test_async_effect_batching_stress_test"."""
    base, seen = lt.signal(1), []
    memos = [lt.memo(lambda i=i: base.value + i) for i in range(10)]  # type: ignore[misc]

    @lt.effect
    async def look() -> None:
        seen.append([memo() for memo in memos])

    await turns()
    base.value = 5
    await turns()
    assert seen == [list(range(1, 11)), list(range(5, 15))]


async def test_plain_and_async_effects_side_by_side() -> None:
    """effect triggers: "test_mixed_sync_and_async_effects"."""
    a = lt.signal(1)
    b, c = lt.memo(lambda: a.value * 2), lt.memo(lambda: a.value + 10)
    plain = lt.effect(lambda: (b(), c()))

    @lt.effect
    async def slow() -> None:
        _ = b(), c()

    await turns()
    assert (plain.runs, slow.runs) == (1, 1)
    a.value = 5
    await turns()
    assert (plain.runs, slow.runs) == (2, 2)
    assert (b(), c()) == (10, 15)


async def test_a_signal_and_the_memos_of_it_make_one_async_run() -> None:
    """effect triggers: "test_async_effect_subscribes_to_signal_and_dependent_computed"."""
    base, seen = lt.signal(10), []
    a, b = lt.memo(lambda: base.value * 2), lt.memo(lambda: base.value + 5)
    c = lt.memo(lambda: a() + b())

    @lt.effect
    async def look() -> None:
        seen.append((base.value, a(), b(), c()))

    await turns()
    base.value = 20
    await turns()
    assert seen == [(10, 20, 15, 35), (20, 40, 25, 65)]
