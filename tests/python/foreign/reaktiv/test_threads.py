# SPDX-License-Identifier: MIT
"""What reaktiv's test_thread_safety.py and test_thread_graph_interactions.py claim.

There a graph is shared by all threads, under locks. Here each thread has a graph of its own: what
another thread writes waits in the owner's mailbox, and only the owner runs memos and effects. So
"Policy:" says that often; what both promise is that nothing is lost, torn or stale in the end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import lattice as lt
from waiting import PATIENCE, run_threads


def await_event(event: threading.Event) -> None:
    assert event.wait(PATIENCE)


def spin_until(event: threading.Event) -> int:
    """Computes until it is set; how often it looked."""
    end, turns = time.monotonic() + PATIENCE, 0
    while not event.is_set():
        assert time.monotonic() < end
        turns += sum(i * i % 97 for i in range(1000)) > 0
    return turns


def try_read(memo: lt.Memo[Any]) -> Any:
    """Its value, or None while only its own thread could compute it."""
    try:
        return memo()
    except lt.AccessError:
        return None


# --- signals


def test_other_threads_read_a_signal_while_it_is_written() -> None:
    """signal thread safety: "test_concurrent_signal_reads"."""
    count = lt.signal(0)
    seen: list[int] = []
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            seen.append(count.value)
            time.sleep(0.0002)

    readers = [threading.Thread(target=read) for _ in range(5)]
    for reader in readers:
        reader.start()
    for value in range(1, 50):
        count.value = value
        time.sleep(0.001)
    is_done.set()
    for reader in readers:
        reader.join(PATIENCE)
    assert set(seen) <= set(range(50))
    assert len(set(seen)) > 1


def test_of_the_writes_of_several_threads_one_is_the_last() -> None:
    """signal thread safety: "test_concurrent_signal_writes"."""
    count = lt.signal(-1)

    def write(start: int) -> None:
        for value in range(start, start + 10):
            count.value = value

    run_threads(*(lambda start=start: write(start) for start in range(0, 50, 10)))  # type: ignore
    assert count.value in range(9, 50, 10)  # the last write of one of them


def test_readers_and_writers_on_other_threads() -> None:
    """signal thread safety: "test_read_write_interference"."""
    count = lt.signal(0)
    seen: list[int] = []

    def read() -> None:
        for _ in range(20):
            seen.append(count.value)
            time.sleep(0.0005)

    def write(base: int) -> None:
        for value in range(base, base + 20):
            count.value = value
            time.sleep(0.0005)

    run_threads(read, read, read, lambda: write(100), lambda: write(1000))
    assert len(seen) == 60
    assert set(seen) <= {0, *range(100, 120), *range(1000, 1020)}
    assert count.value in (119, 1019)


# --- memos


def test_other_threads_read_a_memo_that_is_up_to_date() -> None:
    """computed thread safety: "test_computed_signal_concurrent_reads".

    Policy: only its own thread computes a memo; another one reads it while it is up to date.
    """
    base, seen = lt.signal(10), []
    doubled = lt.memo(lambda: base.value * 2)

    def read() -> None:
        for _ in range(20):
            seen.append(doubled())

    with pytest.raises(lt.AccessError, match="'doubled' is a memo of another thread"):
        _raise_from(doubled)
    assert doubled() == 20
    run_threads(*[read] * 10)
    assert seen == [20] * 200
    assert doubled.runs == 1


def _raise_from(memo: lt.Memo[Any]) -> None:
    """Raises what reading it on another thread raises."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(memo).result(PATIENCE)


def test_other_threads_never_read_a_stale_memo() -> None:
    """computed thread safety: "test_computed_signal_with_changing_dependency".

    Policy: a stale memo of another thread raises AccessError instead of computing there.
    """
    base, seen = lt.signal(0), []
    tripled = lt.memo(lambda: base.value * 3)
    lt.effect(tripled)

    def read() -> None:
        for _ in range(30):
            seen.append(try_read(tripled))
            time.sleep(0.0005)

    def write() -> None:
        for value in range(1, 31):
            base.value = value
            time.sleep(0.0005)

    run_threads(read, write)
    values = [value for value in seen if value is not None]
    assert len(seen) == 30
    assert values == sorted(values)  # as the owner computed them, none older than the one before
    assert all(value % 3 == 0 for value in values)
    assert tripled() == 90


def test_many_reads_on_many_threads_compute_nothing() -> None:
    """computed thread safety: "test_computed_signal_stress_test"."""
    base, seen = lt.signal(5), []
    quadruple = lt.memo(lambda: base.value * 4)
    assert quadruple() == 20

    def read() -> None:
        for _ in range(50):
            seen.append(quadruple())

    run_threads(*[read] * 10)
    assert seen == [20] * 500
    assert quadruple.runs == 1


# --- effects


def test_effects_run_on_their_own_thread() -> None:
    """effect thread safety: "test_effect_execution_with_concurrent_updates".

    Policy: an effect runs on the thread that made it, whoever writes; waiting writes are coalesced.
    """
    count, seen = lt.signal(0), []
    lt.effect(lambda: seen.append((count.value, threading.get_ident())))

    def write() -> None:
        for value in range(1, 11):
            count.value = value
            time.sleep(0.0005)

    run_threads(write, write)
    assert {ident for _, ident in seen} == {threading.get_ident()}
    assert seen[-1][0] == count.value == 10
    assert {value for value, _ in seen} <= set(range(11))


def test_writes_to_two_signals_reach_the_effect_of_their_memo() -> None:
    """concurrent scenarios: "test_simple_dependency_graph"."""
    a, b, seen = lt.signal(1), lt.signal(2), []
    total = lt.memo(lambda: a.value + b.value)
    lt.effect(lambda: seen.append(total()))

    def write(signal: lt.Signal[int], factor: int) -> None:
        for value in range(10):
            signal.value = value * factor
            time.sleep(0.0005)

    run_threads(lambda: write(a, 1), lambda: write(b, 2))
    assert seen[0] == 3
    assert seen[-1] == total() == 9 + 18


def test_several_memos_on_several_threads() -> None:
    """concurrent scenarios: "test_multiple_computed_signals"."""
    bases = [lt.signal(i) for i in range(5)]
    doubles = [lt.memo(lambda base=base: base.value * 2) for base in bases]  # type: ignore[misc]
    assert [double() for double in doubles] == [0, 2, 4, 6, 8]
    seen: list[list[int]] = []

    def read() -> None:
        for _ in range(10):
            seen.append([double() for double in doubles])

    run_threads(read, read, read)
    assert seen == [[0, 2, 4, 6, 8]] * 30


# --- stress


def increment_on_threads(threads: int, times: int, *, pause: float = 0.0) -> tuple[int, int]:
    """The sum that was reached, and how many increments were made."""
    count = lt.signal(0)
    made: list[int] = []

    def work() -> None:
        for _ in range(times):
            count.update(lambda n: n + 1)
            if pause:
                time.sleep(pause)
        made.append(times)

    run_threads(*[work] * threads)
    return count.value, sum(made)


def test_no_update_of_twenty_threads_is_lost() -> None:
    """stress: "test_atomic_increment_stress"."""
    assert increment_on_threads(20, 100) == (2000, 2000)


def test_no_update_of_ten_threads_is_lost() -> None:
    """stress: "test_manual_increment_race_detection"."""
    assert increment_on_threads(10, 50) == (500, 500)


def test_no_update_is_lost_between_pauses() -> None:
    """stress: "test_delayed_operations_stress"."""
    assert increment_on_threads(15, 20, pause=0.001) == (300, 300)


def test_reads_writes_and_updates_from_threads() -> None:
    """stress: "test_mixed_operations_stress"."""
    amount = lt.signal(100)
    seen: list[int] = []

    def read() -> None:
        for _ in range(50):
            seen.append(amount.value)
            time.sleep(0.0001)

    def write(base: int) -> None:
        for i in range(25):
            amount.value = base + i
            time.sleep(0.0001)

    def update() -> None:
        for _ in range(25):
            amount.update(lambda n: n + 1)
            time.sleep(0.0001)

    run_threads(read, read, read, lambda: write(1000), lambda: write(2000), update, update)
    assert len(seen) == 150
    assert all(100 <= value <= 150 or 1000 <= value <= 2074 for value in seen)
    assert amount.value >= 1024
    # The order of one thread's writes and updates is kept.
    only: list[int] = []
    last = lt.signal(0)

    def in_order() -> None:
        last.value = 5
        last.update(lambda n: n * 2)
        last.value = 7
        last.update(lambda n: only.append(n) or n + 1)  # type: ignore[func-returns-value]

    run_threads(in_order)
    assert (last.value, only) == (8, [7])


def test_no_update_of_fifty_threads_is_lost() -> None:
    """stress: "test_high_contention_stress"."""
    assert increment_on_threads(50, 20) == (1000, 1000)


def test_a_memo_is_never_torn() -> None:
    """stress: "test_computed_signal_stress".

    Policy: what another thread reads of a memo is what the owner computed, or AccessError.
    """
    base, seen = lt.signal(0), []
    odd = lt.memo(lambda: base.value * 2 + 1)
    lt.effect(odd)

    def read() -> None:
        for _ in range(100):
            seen.append(try_read(odd))

    def write() -> None:
        for value in range(50):
            base.value = value
            time.sleep(0.0005)

    run_threads(write, *[read] * 5)
    values = {value for value in seen if value is not None}
    assert len(seen) == 500
    assert values <= set(range(1, 100, 2))
    assert odd() == 99


def test_each_delivery_makes_one_consistent_run() -> None:
    """stress: "test_threaded_sets_trigger_effect_once_with_consistent_computed_values".

    Policy: effects run on the owner's thread, once per delivery; writes that wait are coalesced.
    """
    source = lt.signal(0)
    first = lt.memo(lambda: source.value * 2)
    second = lt.memo(lambda: first() + 10)
    third = lt.memo(lambda: second() * first())
    seen: list[tuple[int, ...]] = []
    threads: set[int] = set()

    @lt.effect
    def look() -> None:
        seen.append((source.value, first(), second(), third()))
        threads.add(threading.get_ident())

    written, one_at_a_time = [0], threading.Lock()

    def write(start: int) -> None:
        for value in range(start, start + 20):
            with one_at_a_time:
                source.value = value
                written.append(value)
            time.sleep(0.0005)

    run_threads(*(lambda at=at: write(at) for at in (1, 21, 41, 61)))  # type: ignore[misc]
    assert threads == {threading.get_ident()}
    order = [values[0] for values in seen]
    assert len(set(order)) == len(order)  # never twice for one write
    assert [value for value in written if value in set(order)] == order  # and in their order
    assert order[-1] == written[-1]
    assert all(c == b * a and b == a + 10 and a == s * 2 for s, a, b, c in seen)


def test_three_inputs_three_memos_and_two_effects_agree_in_the_end() -> None:
    """stress: "test_complex_reactive_system_stress"."""
    a, b, c = lt.signal(0), lt.signal(0), lt.signal(10)
    total = lt.memo(lambda: a.value + b.value)
    product = lt.memo(lambda: a.value * b.value)
    final = lt.memo(lambda: total() + c.value)
    totals, inputs, reads = [], [], []
    lt.effect(lambda: totals.append(total()))
    lt.effect(lambda: inputs.append(c.value))
    lt.effect(lambda: (product(), final()))

    def write_a() -> None:
        for _ in range(10):
            a.update(lambda n: (n + 1) % 50)
            time.sleep(0.001)

    def write_b() -> None:
        for i in range(8):
            b.value = i * 2
            time.sleep(0.001)

    def write_c() -> None:
        for _ in range(5):
            c.update(lambda n: n + 2)
            time.sleep(0.001)

    def read_memos() -> None:
        for _ in range(15):
            reads.append((try_read(total), try_read(product), try_read(final)))

    def read_signals() -> None:
        for _ in range(12):
            reads.append((a.value, b.value, c.value))

    run_threads(write_a, write_b, write_c, read_memos, read_memos, read_signals)
    assert (a.value, b.value, c.value) == (10, 14, 20)
    assert (total(), product(), final()) == (24, 140, 44)
    assert (totals[0], totals[-1], inputs[0], inputs[-1]) == (0, 24, 10, 20)
    assert totals == sorted(totals)
    assert len(reads) == 42
    assert all(value is None or value >= 0 for read in reads for value in read)


def test_effects_at_each_level_end_with_the_same_write() -> None:
    """stress: "test_cascading_effects_stress"."""
    source = lt.signal(0)
    first = lt.memo(lambda: source.value * 2)
    second = lt.memo(lambda: first() + 10)
    third = lt.memo(lambda: second() * first())
    levels: list[Any] = [lambda: source.value, first, second, third]
    seen: list[list[int]] = [[] for _ in levels]
    for level, values in zip(levels, seen, strict=True):
        lt.effect(lambda level=level, values=values: values.append(level()))  # type: ignore[misc]

    def write() -> None:
        for value in range(20):
            source.value = value
            time.sleep(0.0005)

    reads: list[list[int | None]] = []

    def read() -> None:
        for _ in range(50):
            reads.append([source.value, *(try_read(memo) for memo in (first, second, third))])
            time.sleep(0.0002)

    run_threads(write, write, read, read, read)
    possible: dict[int, Any] = {0: range(20), 1: range(0, 40, 2), 2: range(10, 50, 2)}
    possible[3] = [second_value * (second_value - 10) for second_value in possible[2]]
    assert len(reads) == 150
    for read_at_once in reads:  # each is right by itself; together they are no snapshot
        for level_at, value in enumerate(read_at_once):
            assert value is None or value in possible[level_at]
    assert [values[-1] for values in seen] == [19, 38, 48, 48 * 38]
    assert [level() for level in levels] == [19, 38, 48, 48 * 38]


def test_updates_of_a_thread_pool() -> None:
    """thread pool: "test_thread_pool_signal_updates"."""
    count = lt.signal(0)
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(count.update, lambda n: n + 1) for _ in range(20)]
        assert [future.result(PATIENCE) for future in futures] == [None] * 20
    lt.flush()
    assert count.value == 20


def test_reads_of_a_thread_pool() -> None:
    """thread pool: "test_thread_pool_computed_signals"."""
    base = lt.signal(5)
    square = lt.memo(lambda: base.value**2)
    assert square() == 25
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(square) for _ in range(50)]
        assert [future.result(PATIENCE) for future in futures] == [25] * 50


# --- graphs of several threads


def effect_beside_one_that_waits(wait: Callable[[threading.Event], object]) -> list[int]:
    """What an effect sees on one thread while an effect of another thread waits for it."""
    left_waits, right_is_done = threading.Event(), threading.Event()
    seen: list[int] = []

    def left() -> None:
        count = lt.signal(0)

        @lt.effect
        def hold() -> None:
            if count.value == 1:
                left_waits.set()
                wait(right_is_done)

        count.value = 1
        assert hold.runs == 2

    def right() -> None:
        await_event(left_waits)
        count = lt.signal(0)
        lt.effect(lambda: seen.append(count.value))
        count.value = 1
        right_is_done.set()

    run_threads(left, right)
    return seen


def test_an_effect_that_blocks_does_not_block_another_threads_graph() -> None:
    """graph interactions:
    "test_independent_graph_effect_flush_is_not_blocked_by_other_graph_effect"."""
    assert effect_beside_one_that_waits(await_event) == [0, 1]


def test_memos_of_two_threads_compute_at_the_same_time() -> None:
    """graph interactions: "test_independent_complex_graphs_can_recompute_in_parallel"."""
    entered = [threading.Event(), threading.Event()]
    results: dict[int, tuple[int, int]] = {}

    def graph(at: int, first: int, then: int) -> None:
        base = lt.signal(first)
        middle = lt.memo(lambda: base.value * 2)

        @lt.memo
        def final() -> int:
            if base.value == then:
                entered[at].set()
                await_event(entered[1 - at])
            return middle() + 3

        before = final()
        base.value = then
        results[at] = (before, final())

    run_threads(lambda: graph(0, 1, 2), lambda: graph(1, 10, 20))
    assert results == {0: (5, 7), 1: (23, 43)}


def shared_memo(started: threading.Event, finish: threading.Event) -> tuple[Any, Any, list[int]]:
    """A signal, a memo of it that blocks for the value 1, and the runs it made."""
    base, runs = lt.signal(0), []

    @lt.memo
    def shared() -> int:
        runs.append(base.value)
        if base.value == 1:
            started.set()
            await_event(finish)
        return base.value * 10

    return base, shared, runs


def test_a_memo_that_computes_is_computed_by_no_other_thread() -> None:
    """graph interactions: "test_shared_subgraph_computed_recomputation_is_serialized_per_computed".

    Policy: while its thread computes it, another thread gets AccessError instead of waiting.
    """
    started, finish = threading.Event(), threading.Event()
    base, shared, runs = shared_memo(started, finish)
    seen: list[int | None] = []
    assert shared() == 0

    def read() -> None:
        await_event(started)
        seen.append(try_read(shared))
        finish.set()

    other = threading.Thread(target=read)
    other.start()
    base.value = 1
    assert shared() == 10
    other.join(PATIENCE)
    assert (seen, runs) == ([None], [0, 1])
    run_threads(lambda: seen.append(try_read(shared)))
    assert (seen, runs) == ([None, 10], [0, 1])


def test_memos_above_a_memo_that_computes_wait_for_their_own_thread() -> None:
    """graph interactions: "test_dependent_graphs_should_serialize_at_shared_dependency_boundary".

    Policy: memos that share a source belong to one thread, which computes the source once.
    """
    started, finish = threading.Event(), threading.Event()
    base, shared, runs = shared_memo(started, finish)
    left, right = lt.memo(lambda: shared() + 1), lt.memo(lambda: shared() + 100)
    assert (left(), right()) == (1, 100)
    seen: list[int | None] = []

    def read() -> None:
        await_event(started)
        seen.extend([try_read(left), try_read(right)])
        finish.set()

    other = threading.Thread(target=read)
    other.start()
    base.value = 1
    assert (left(), right()) == (11, 110)
    other.join(PATIENCE)
    assert seen == [None, None]
    assert runs == [0, 1]


def test_busy_memos_of_two_threads_overlap() -> None:
    """graph interactions: "test_cpu_heavy_independent_computed_graphs_can_enter_concurrently"."""
    entered = [threading.Event(), threading.Event()]
    results: list[int] = []

    def graph(at: int) -> None:
        base = lt.signal(0)

        @lt.memo
        def busy() -> int:
            if base.value == 1:
                entered[at].set()
                spin_until(entered[1 - at])
            return base.value

        assert busy() == 0
        base.value = 1
        results.append(busy())

    run_threads(lambda: graph(0), lambda: graph(1))
    assert results == [1, 1]


def test_a_busy_effect_does_not_hold_up_another_threads_writes() -> None:
    """graph interactions:
    "test_cpu_heavy_effect_does_not_block_unrelated_effect_flush_or_signal_write"."""
    assert effect_beside_one_that_waits(spin_until) == [0, 1]


def test_eight_threads_with_a_diamond_each() -> None:
    """graph interactions: "test_many_independent_diamond_graphs_update_correctly_in_parallel"."""
    seen: dict[int, list[int]] = {}

    def graph(at: int) -> None:
        source = lt.signal(-1)
        left, right = lt.memo(lambda: source.value + 1), lt.memo(lambda: source.value * 2)
        total = lt.memo(lambda: left() + right())
        values = seen[at] = []
        lt.effect(lambda: values.append(total()))
        for value in range(at * 1000, at * 1000 + 50):
            source.value = value
            assert total() == value * 3 + 1

    run_threads(*(lambda at=at: graph(at) for at in range(8)))  # type: ignore[misc]
    for at in range(8):
        assert seen[at] == [-2, *(value * 3 + 1 for value in range(at * 1000, at * 1000 + 50))]


def fan_out() -> tuple[lt.Signal[int], lt.Signal[int], list[lt.Memo[int]]]:
    source, factor = lt.signal(0), lt.signal(2)
    shared = lt.memo(lambda: source.value * factor.value)
    left, right = lt.memo(lambda: shared() + source.value), lt.memo(lambda: shared() - source.value)
    return source, factor, [shared, left, right, lt.memo(lambda: left() + right())]


def test_a_fan_out_agrees_after_parallel_readers() -> None:
    """graph interactions:
    "test_shared_source_fanout_graphs_remain_consistent_under_parallel_readers"."""
    source, factor, memos = fan_out()
    seen: list[int] = []
    lt.effect(lambda: seen.append(memos[3]()))
    is_done = threading.Event()
    errors: list[BaseException] = []

    def read() -> None:
        try:
            while not is_done.is_set():
                _ = source.value + factor.value
                for memo in memos:
                    try_read(memo)
                time.sleep(0)
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for value in range(1, 80):
        source.value = value
        if value % 7 == 0:
            factor.value = 2 + value % 5
        time.sleep(0)
    is_done.set()
    for reader in readers:
        reader.join(PATIENCE)
    assert errors == []
    shared = source.value * factor.value
    assert [memo() for memo in memos] == [shared, shared + 79, shared - 79, shared * 2]
    assert seen[-1] == shared * 2


def test_reading_a_memo_in_the_middle_leaves_nothing_stale() -> None:
    """graph interactions:
    "test_shared_source_fanout_effect_observes_final_public_value_after_updates"."""
    source, factor, memos = fan_out()
    seen: list[int] = []
    lt.effect(lambda: seen.append(memos[3]()))
    source.value = 78
    factor.value = 4
    assert memos[0]() == 312
    source.value = 79
    assert [memo() for memo in memos] == [316, 395, 237, 632]
    assert seen[-1] == 632


def test_batches_of_several_threads_do_not_mix() -> None:
    """graph interactions:
    "test_thread_local_batches_do_not_coalesce_unrelated_thread_effects"."""
    seen: dict[int, list[int]] = {}

    def work(at: int) -> None:
        count = lt.signal(0)
        values = seen[at] = []
        lt.effect(lambda: values.append(count.value))
        for value in range(10, 210, 10):
            with lt.batch():
                count.value = value
                count.value = value + 1

    run_threads(*(lambda at=at: work(at) for at in range(4)))  # type: ignore[misc]
    assert seen == {at: [0, *range(11, 211, 10)] for at in range(4)}


def test_an_effect_disposed_between_writes_of_another_thread_runs_no_more() -> None:
    """graph interactions:
    "test_effect_dispose_during_concurrent_updates_stops_future_notifications"."""
    source, seen = lt.signal(0), []
    effect = lt.effect(lambda: seen.append(source.value))
    is_done = threading.Event()

    def write() -> None:
        value = 0
        while not is_done.is_set():
            value += 1
            source.value = value
            time.sleep(0.0002)

    writer = threading.Thread(target=write)
    writer.start()
    end = time.monotonic() + PATIENCE
    while len(seen) < 10:
        assert time.monotonic() < end
        lt.flush()
    effect.dispose()
    runs = len(seen)
    for _ in range(50):
        lt.flush()
        time.sleep(0.0002)
    is_done.set()
    writer.join(PATIENCE)
    for value in range(10):
        source.value = -value
    assert len(seen) == runs == effect.runs
