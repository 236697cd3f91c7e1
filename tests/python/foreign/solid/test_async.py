# SPDX-License-Identifier: MIT
"""What Solid 2's tests claim about memos that wait.

There every memo may give a promise, is computed eagerly, and a change whose consequences load is
held back as a transition. Here an async memo is a kind of its own and lazy, and a change is seen at
once. `isPending(a)` is `a.loading`, `latest(a)` is `a.latest`, `resolve(a)` is `await a`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt
from answers import Source
from waiting import deferred, turns


def times_ten(x: lt.Signal[int]) -> lt.AsyncMemo[int]:
    async def compute() -> int:
        value = x.value
        await asyncio.sleep(0)
        return value * 10

    return lt.async_memo(compute, name="times_ten")


def answered(x: lt.Signal[int], source: Source) -> lt.AsyncMemo[Any]:
    """Loads for each value of x, until the test answers."""

    async def load() -> Any:
        x.value  # noqa: B018
        return await source()

    return lt.async_memo(load, name="answered")


async def test_a_value_that_is_not_there_raises_outside_of_effects_too() -> None:
    """async compute: "should throw when reading uninitialized async computed outside reactive
    scope"."""
    a = times_ten(lt.signal(4))
    with pytest.raises(lt.NotReady):
        _ = a.value
    await turns()
    assert a.value == 40


async def test_while_it_loads_again_a_read_gives_the_old_value() -> None:
    """async compute: "should return stale value when reading re-pending async computed outside
    reactive scope"."""
    x = lt.signal(1)
    a = times_ten(x)
    lt.effect(lambda: a.latest)
    await turns()
    x.value = 2
    assert a.value == 10
    await turns()
    assert a.value == 20


async def test_two_that_are_read_together_wait_together() -> None:
    """async compute: "diamond should not cause waterfalls on read".

    Policy: an async memo starts when it is read, so whoever wants two at once reads `.loading` or
    `.latest` of both before the value of one.
    """
    s, runs, seen = lt.signal(1), [0, 0], []

    def make(index: int) -> lt.AsyncMemo[int]:
        async def compute() -> int:
            runs[index] += 1
            value = s.value
            await asyncio.sleep(0)
            return value

        return lt.async_memo(compute)

    b, c = make(0), make(1)

    @lt.effect
    def join() -> None:
        if not (b.loading | c.loading):
            seen.append((b.value, c.value))

    assert runs == [1, 1]
    await turns()
    assert seen == [(1, 1)]
    s.value = 2
    assert runs == [2, 2]
    await turns()
    assert runs == [2, 2]
    assert seen == [(1, 1), (2, 2)]


async def test_what_depends_on_two_has_its_value_when_both_have_settled() -> None:
    """async compute: "keeps shared downstream pending after one async source settles unchanged"."""
    first, second = Source(), Source()
    trigger, tick = lt.signal(0), lt.signal(0)

    a = answered(trigger, first)
    b = answered(trigger, second)
    shared = lt.memo(lambda: a.value + b.value)
    middle = lt.memo(lambda: shared() * 2)
    pending = lt.memo(lambda: a.loading | b.loading)
    values: list[int] = []
    states: list[bool] = []
    lt.effect(lambda: states.append(pending()))

    @lt.effect
    def downstream() -> None:
        tick.value  # noqa: B018
        if not pending():
            values.append(middle())

    await turns()
    await first.answer(1)
    assert values == []
    await second.answer(1)
    assert values == [4]
    trigger.value = 1
    await turns()
    await first.answer(1)
    assert values == [4]
    tick.value = 1
    assert values == [4]
    await second.answer(3)
    assert values == [4, 8]
    assert states == [True, False, True, False]


async def test_one_that_needs_another_runs_again_when_that_has_come() -> None:
    """async compute: "should waterfall when dependent on another async with shared source"."""
    s, runs, seen = lt.signal(1), [0, 0], []

    @lt.async_memo
    async def a() -> int:
        runs[0] += 1
        value = s.value
        await asyncio.sleep(0)
        return value

    @lt.async_memo
    async def b() -> int:
        runs[1] += 1
        total = s.value + a.value
        for _ in range(2):
            await asyncio.sleep(0)
        return total

    lt.effect(lambda: seen.append(b.value))
    assert runs == [1, 1]
    await turns()
    assert runs == [1, 2]
    assert seen == [2]
    s.value = 2
    assert runs == [2, 3]
    await turns()
    assert runs == [2, 4]
    assert seen == [2, 4]


async def test_loading_is_told_to_memos() -> None:
    """async compute: "should should show stale state with `isPending` in graph".

    Policy: `.loading` is true during the first run as well; `.latest` is None until it is over.
    """
    x = lt.signal(1)
    a = times_ten(x)
    lt.effect(lambda: a.latest)
    state = lt.memo(lambda: "stale" if a.loading else "not stale")
    assert state() == "stale"
    await turns()
    assert state() == "not stale"
    x.value = 2
    assert state() == "stale"
    await turns()
    assert state() == "not stale"


async def test_loading_is_told_outside_as_well() -> None:
    """async compute: "should should show stale state with `isPending` out of graph".

    Policy: as above, true during the first run as well.
    """
    x = lt.signal(1)
    a = times_ten(x)
    lt.effect(lambda: a.latest)
    states = [a.loading]
    await turns()
    states.append(a.loading)
    x.value = 2
    states.append(a.loading)
    await turns()
    states.append(a.loading)
    assert states == [True, False, True, False]


async def test_a_refresh_shows_stale_and_then_the_new_value() -> None:
    """async compute: "should handle refreshes"."""
    count, seen = [0], []

    @lt.async_memo
    async def a() -> int:
        count[0] += 1
        await asyncio.sleep(0)
        return count[0]

    lt.effect(lambda: seen.append("stale" if a.loading else a.value))
    await turns()
    for _ in range(2):
        a.refresh()
        await turns()
    assert seen == ["stale", 1, "stale", 2, "stale", 3]


async def test_a_signal_that_starts_loading_has_its_new_value_in_effects_at_once() -> None:
    """async compute: "should should show pending state in graph"."""
    x, seen = lt.signal(1), []
    a = times_ten(x)
    lt.effect(lambda: a.latest)
    lt.effect(lambda: seen.append(x.value))
    await turns()
    x.value = 2
    assert seen == [1, 2]
    await turns()
    assert seen == [1, 2]


async def test_a_signal_that_starts_loading_has_its_new_value_outside_at_once() -> None:
    """async compute: "should should show pending state outside of graph"."""
    x = lt.signal(1)
    a = times_ten(x)
    lt.effect(lambda: a.latest)
    await turns()
    x.value = 2
    assert x.value == 2
    await turns()
    assert x.value == 2


async def test_the_value_asked_for_is_shown_while_it_loads() -> None:
    """async compute: "should track pending value changes for loading indicator pattern"."""
    id, shown = lt.signal(0), []
    data = times_ten(id)
    lt.effect(lambda: shown.append((id.value, data.latest)))
    await turns()
    id.value = 1
    assert shown[-1] == (1, 0)
    await turns()
    assert shown[-1] == (1, 10)


async def test_await_gives_the_value() -> None:
    """async compute: "should resolve to a value with resolveAsync"."""
    x = lt.signal(1)
    a = times_ten(x)
    seen = []

    async def once() -> None:
        seen.append(await a)

    task = asyncio.ensure_future(once())
    await turns()
    assert seen == [10]
    x.value = 2
    await turns()
    assert seen == [10]
    await task


async def test_await_in_a_memo_is_refused() -> None:
    """async compute: "should throw when resolve is used in a tracking scope"."""
    a = times_ten(lt.signal(1))
    invalid = lt.memo(lambda: a._wait())
    with pytest.raises(TypeError, match="async_memo"):
        invalid()


async def test_an_untracked_read_waits_for_the_first_value_only() -> None:
    """async compute: "should still resolve in untracked scopes".

    Policy: what is read untracked wakes nobody, also when it is not ready.
    """
    x, seen = lt.signal(1), []
    a = times_ten(x)
    lt.effect(lambda: seen.append(lt.untracked(lambda: a.value)))
    await turns()
    assert seen == []
    lt.effect(lambda: seen.append(lt.untracked(lambda: a.value)))
    x.value = 2
    await turns()
    assert seen == [10]


async def test_memos_before_and_after_it_during_a_load() -> None:
    """async compute: "latest() on upstream vs downstream of async".

    Policy: a change is not held back while its consequences load: what comes before the async memo
    is new at once, what comes after it is old until it has loaded.
    """
    x = lt.signal(1)
    before = lt.memo(lambda: x.value * 2)

    @lt.async_memo
    async def waits() -> int:
        value = before()
        await asyncio.sleep(0)
        return value * 10

    lt.effect(lambda: waits.latest)
    await turns()
    assert (before(), waits.value) == (2, 20)
    x.value = 2
    assert (x.value, before(), waits.latest, waits.value) == (2, 4, 20, 20)
    await turns()
    assert waits.value == 40


async def test_a_source_is_new_at_once() -> None:
    """async compute: "latest() on upstream signal during transition".

    Policy: as above: no change is held back.
    """
    x = lt.signal(1)
    a = times_ten(x)
    lt.effect(lambda: a.latest)
    await turns()
    x.value = 2
    assert x.value == 2
    await turns()
    assert (x.value, a.value) == (2, 20)


async def test_only_what_loads_is_loading() -> None:
    """async compute: "isPending and latest on upstream signal that triggers async memo".

    Policy: as above; a signal is never loading, the async memo is.
    """
    x = lt.signal(1)
    a = times_ten(x)
    lt.effect(lambda: a.latest)
    await turns()
    x.value = 2
    assert a.loading
    await turns()
    assert not a.loading
    assert a.value == 20


async def test_each_update_of_a_list_loads() -> None:
    """async compute: "isPending sees the first async update for a writable memo signal"."""
    items: lt.Signal[list[str]] = lt.signal([])

    @lt.async_memo
    async def count() -> str:
        size = len(items.value)
        await asyncio.sleep(0)
        return f"async: {size}"

    lt.effect(lambda: count.latest)
    await turns()
    for step in (1, 2):
        items.update(lambda old: [*old, "more"])
        assert count.loading
        await turns()
        assert count.value == f"async: {step}"
        assert not count.loading


async def test_a_chain_loads_link_by_link() -> None:
    """async compute: "isPending with chained async memos".

    Policy: `.loading` tells of the memo's own run. While the first loads again, the second still
    has a value that belongs to the first's, and begins when that changes.
    """
    x = lt.signal(1)
    a = times_ten(x)

    @lt.async_memo
    async def b() -> int:
        value = a.value
        await asyncio.sleep(0)
        return value + 1

    lt.effect(lambda: b.latest)
    assert (a.loading, b.loading) == (True, True)
    await turns()
    assert (a.value, b.value) == (10, 11)
    x.value = 2
    assert (a.loading, b.loading) == (True, False)
    await turns()
    assert (a.value, b.value, a.loading, b.loading) == (20, 21, False, False)


async def test_a_plain_memo_of_it_follows() -> None:
    """async compute: "isPending with sync memo depending on async memo"."""
    x = lt.signal(1)
    a = times_ten(x)
    plus = lt.memo(lambda: a.value + 1)
    pending = lt.memo(lambda: a.loading)
    lt.effect(lambda: plus())
    await turns()
    assert plus() == 11
    x.value = 2
    assert (plus(), pending()) == (11, True)
    await turns()
    assert (plus(), pending()) == (21, False)


async def test_loading_from_begin_to_end() -> None:
    """async compute: "isPending full lifecycle - false to true to false".

    Policy: true during the first run as well.
    """
    x, states = lt.signal(1), []
    a = times_ten(x)
    lt.effect(lambda: states.append((a.loading, a.latest)))
    await turns()
    x.value = 2
    await turns()
    assert states == [(True, None), (False, 10), (True, 10), (False, 20)]


async def test_loading_read_in_a_memo() -> None:
    """async compute: "isPending read inside reactive context (memo)"."""
    x, states = lt.signal(1), []
    a = times_ten(x)
    pending = lt.memo(lambda: a.loading)
    lt.effect(lambda: states.append(pending()))
    await turns()
    x.value = 2
    assert pending()
    await turns()
    assert states == [True, False, True, False]


async def test_latest_read_in_a_memo() -> None:
    """async compute: "latest read inside reactive context (memo)"."""
    x, values = lt.signal(1), []
    a = times_ten(x)
    newest = lt.memo(lambda: a.latest)
    lt.effect(lambda: values.append(newest()))
    await turns()
    x.value = 2
    assert newest() == 10
    await turns()
    assert values == [None, 10, 20]


async def load_ten_and_twenty(
    look: Callable[[lt.AsyncMemo[Any]], tuple[bool, Any]],
) -> list[tuple[bool, Any]]:
    """What an effect sees with `look` while an async memo gets 10, and then 20."""
    x, source, seen = lt.signal(1), Source(), []
    a = answered(x, source)
    lt.effect(lambda: seen.append(look(a)))
    await turns()
    await source.answer(10)
    x.value = 2
    await turns()
    await source.answer(20)
    return seen


async def test_loading_and_value_change_together() -> None:
    """isPending and latest: "single async - [isPending(x), x()] pairs update atomically"."""
    pairs = await load_ten_and_twenty(lambda a: (a.loading, a.value))
    assert pairs == [(False, 10), (True, 10), (False, 20)]


async def test_loading_and_latest_change_together() -> None:
    """isPending and latest: "single async - [isPending(() => latest(x)), latest(x)] pairs update
    atomically"."""
    pairs = await load_ten_and_twenty(lambda a: (a.loading, a.latest))
    assert pairs == [(True, None), (False, 10), (True, 10), (False, 20)]


async def test_each_link_of_a_chain_changes_by_itself() -> None:
    """isPending and latest: "chained async - [isPending(() => latest(x)), latest(x)] pairs track
    each node's own resolution"."""
    x, first, second = lt.signal(1), Source(), Source()

    a = answered(x, first)

    @lt.async_memo
    async def b() -> Any:
        return a.value + await second()

    pairs_a: list[Any] = []
    pairs_b: list[Any] = []
    lt.effect(lambda: pairs_a.append((a.loading, a.latest)))
    lt.effect(lambda: pairs_b.append((b.loading, b.latest)))
    await turns()
    await first.answer(10)
    await second.answer(1)
    assert (pairs_a[-1], pairs_b[-1]) == ((False, 10), (False, 11))
    x.value = 2
    await turns()
    await first.answer(20)
    assert (pairs_a[-1], pairs_b[-1]) == ((False, 20), (True, 11))
    await second.answer(1)
    assert pairs_b[-1] == (False, 21)


async def test_independent_ones_settle_one_by_one() -> None:
    """isPending and latest: "multiple independent async - [isPending(() => latest(x)), latest(x)]
    pairs with progressive resolution"."""
    x, sources = lt.signal(1), [Source(), Source(), Source()]
    pairs: list[list[Any]] = [[], [], []]

    def make(index: int) -> None:
        one = answered(x, sources[index])
        lt.effect(lambda: pairs[index].append((one.loading, one.latest)))

    for index in range(3):
        make(index)
    for value in (1, 2):
        x.value = value
        await turns()
        for index in (1, 0, 2):
            await sources[index].answer(value * 10 + index)
            assert pairs[index][-1] == (False, value * 10 + index)
    for index in range(3):
        old, new = 10 + index, 20 + index
        assert pairs[index] == [(True, None), (False, old), (True, old), (False, new)]


async def test_children_of_a_memo_end_when_the_value_becomes_falsy() -> None:
    """createMemo: "should dispose all sibling children when async memo resolves to falsy value"."""
    id, errors, seen = lt.signal(1), [], []

    @lt.async_memo
    async def item() -> Any:
        value = id.value
        await asyncio.sleep(0)
        return {"id": value} if value else None

    condition = lt.memo(lambda: bool(item.value))

    @lt.memo
    def outer() -> str:
        if not condition():
            return "fallback"

        def read() -> Any:
            if not condition.peek():
                errors.append("stale read")
            return item.value["id"]

        for _ in range(2):
            inner = lt.memo(read)
            lt.effect(lambda inner=inner: seen.append(inner()))
        return "children"

    lt.effect(lambda: outer())
    await turns()
    assert outer() == "children"
    id.value = 0
    await turns()
    assert outer() == "fallback"
    assert errors == []
    assert seen == [1, 1]


async def test_latest_and_value_agree_when_it_resolves() -> None:
    """createEffect: "should see consistent values with latest() and direct read on async
    resolve"."""
    seen = []
    a = times_ten(lt.signal(1))
    lt.effect(lambda: seen.append((a.latest, a.value)))
    await turns()
    assert seen == [(10, 10)]


async def test_a_value_that_needs_no_waiting_is_there_at_once() -> None:
    """sync thenable: "should resolve sync thenable immediately without NotReadyError"."""

    @lt.async_memo
    async def value() -> int:
        return 42

    assert value.value == 42


async def test_what_waits_is_not_there_at_once() -> None:
    """sync thenable: "should still handle native Promises as async"."""
    seen = []
    a = times_ten(lt.signal(4))
    lt.effect(lambda: seen.append(a.value))
    assert seen == []
    await turns()
    assert seen == [40]


async def test_an_object_is_given_as_it_is() -> None:
    """sync thenable: "should handle sync thenable that resolves with complex value"."""
    thing = {"foo": "bar"}

    @lt.async_memo
    async def value() -> Any:
        return thing

    assert value.value is thing


async def test_a_memo_of_one_that_needs_no_waiting_needs_none() -> None:
    """sync thenable: "should handle chained sync thenables"."""

    @lt.async_memo
    async def base() -> int:
        return 10

    assert lt.memo(lambda: base.value * 2)() == 20


async def test_none_is_a_value() -> None:
    """sync thenable: "should handle sync thenable returning undefined"."""

    @lt.async_memo
    async def value() -> None:
        pass

    assert value.value is None
    assert not value.loading


async def test_what_a_cleanup_answers_comes_too_late() -> None:
    """sync thenable: "should ignore stale thenable resolution during invalidation cleanup"."""
    source, seen = lt.signal(0), []
    pending = asyncio.get_running_loop().create_future()

    @lt.async_memo
    async def value() -> Any:
        if source.value == 0:
            lt.on_cleanup(lambda: pending.set_result(999))
            return await pending
        return 2

    lt.effect(lambda: seen.append(value.value))
    source.value = 1
    await turns()
    assert value.value == 2
    assert seen == [2]


async def test_an_effect_waits_until_it_has_settled() -> None:
    """onSettled: "should wait for async to settle before running"."""
    source, log = Source(), []
    a = lt.async_memo(source.__call__)
    lt.effect(lambda: log.append(f"settled: {a.value}"))
    await turns()
    assert log == []
    await source.answer("resolved")
    assert log == ["settled: resolved"]


async def test_a_cleanup_registered_before_the_wait_runs_before_the_next_try() -> None:
    """onSettled: "should call cleanup on re-run after async settles".

    Policy: a cleanup is registered when on_cleanup is called, also by a run that then waits.
    """
    source, log = Source(), []
    a = lt.async_memo(source.__call__)

    @lt.effect
    def look() -> None:
        lt.on_cleanup(lambda: log.append("cleanup"))
        log.append(a.value)

    await turns()
    assert log == []
    await source.answer("done")
    assert log == ["cleanup", "done"]


async def test_with_the_asyncio_policy_updates_are_batched() -> None:
    """flush: "should batch updates"."""
    a, b, seen = lt.signal(1), lt.signal(2), []
    with deferred():
        lt.effect(lambda: seen.append(a.value + b.value))
        a.value = 10
        b.value = 20
        assert seen == [3]
        lt.flush()
        assert seen == [3, 30]


async def test_with_the_asyncio_policy_effects_wait_for_the_flush() -> None:
    """flush: "should wait for queue to flush"."""
    a, seen = lt.signal(1), []
    with deferred():
        lt.effect(lambda: seen.append(a.value))
        a.value = 2
        assert seen == [1]
        lt.flush()
        a.value = 3
        assert seen == [1, 2]
        lt.flush()
        assert seen == [1, 2, 3]


async def test_flush_inside_a_flush_is_harmless() -> None:
    """flush: "should not fail if called while flushing"."""
    a, seen = lt.signal(1), []
    with deferred():

        @lt.effect
        def log() -> None:
            lt.flush()
            seen.append(a.value)

        a.value = 2
        lt.flush()
        assert seen == [1, 2]
