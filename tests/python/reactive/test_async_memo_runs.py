# SPDX-License-Identifier: MIT
"""Async memos: what begins a run, what a step of it is part of, and what needs a loop."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio
import contextvars

import pytest

import lattice as lt
from answers import Source
from waiting import turns

# --- when it runs


async def test_one_batch_starts_one_run():
    source, a, b = Source(), lt.signal(1), lt.signal(1)

    @lt.async_memo
    async def rows():
        return await source((a.value, b.value))

    log = lt.effect(lambda: rows.latest)
    with lt.batch():
        a.value = 2
        b.value = 2
    with lt.batch():
        a.value = 3
        a.value = 2
    await turns()
    assert [asked for asked, _ in source.asked] == [(1, 1), (2, 2)]
    log.dispose()
    rows.dispose()
    await turns()


async def test_without_subscribers_a_change_starts_nothing_before_the_next_read():
    source, query = Source(), lt.signal("a")

    @lt.async_memo
    async def rows():
        return await source(query.value)

    rows.latest
    await turns()
    query.value = "b"
    await turns()
    assert len(source.asked) == 1
    await source.answer("A")  # not cancelled: nobody has asked for another
    assert rows.latest == "A"
    await turns()
    assert len(source.asked) == 2
    assert rows.loading
    await source.answer("B")
    assert rows.value == "B"


async def test_refresh_runs_again_and_keeps_the_value_meanwhile():
    source = Source()
    rows = lt.async_memo(source.__call__, name="rows")
    seen = []
    log = lt.effect(lambda: seen.append((rows.latest, rows.loading)))
    await turns()
    await source.answer(1)
    rows.refresh()
    assert rows.value == 1
    await turns()
    await source.answer(2)
    assert seen == [(None, True), (1, False), (1, True), (2, False)]
    log.dispose()
    rows.refresh()  # without subscribers too
    await turns()
    assert len(source.asked) == 3
    rows.dispose()
    await turns()


async def test_refresh_of_a_run_under_way_replaces_it():
    source = Source()
    rows = lt.async_memo(source.__call__)
    rows.refresh()
    await turns()
    rows.refetch()
    await turns()
    assert len(source.asked) == 2
    assert source.asked[0][1].cancelled()
    await source.answer(1)
    assert rows.value == 1
    assert rows.runs == 2


async def test_a_run_may_cancel_refresh_or_dispose_its_own_memo():
    order = []

    @lt.async_memo
    async def once():
        order.append(once.runs)
        await asyncio.sleep(0)
        if once.runs == 1:
            once.refresh()
            order.append("refreshed")
        return once.runs

    assert await once == 2
    assert order == [1, 2, "refreshed"]

    @lt.async_memo
    async def gone():
        await asyncio.sleep(0)
        gone.dispose()
        return 1

    gone.latest
    await turns()
    with pytest.raises(lt.DisposedError):
        gone.value


async def test_a_step_is_one_batch():
    a, b, seen = lt.signal(0), lt.signal(0), []
    log = lt.effect(lambda: seen.append((a.value, b.value)))

    @lt.async_memo
    async def work():
        await asyncio.sleep(0)
        a.value = 1
        b.value = 1
        await asyncio.sleep(0)
        a.value = 2
        b.value = 2
        return "done"

    @lt.effect
    def result():
        seen.append(work.value)

    await turns()
    assert seen == [(0, 0), (1, 1), (2, 2), "done"]
    log.dispose()
    result.dispose()


async def test_context_variables_are_those_of_the_first_read():
    user = contextvars.ContextVar("user", default="nobody")

    @lt.async_memo
    async def who():
        before = user.get()
        await asyncio.sleep(0)
        user.set("inside")
        await asyncio.sleep(0)
        return before, user.get()

    user.set("ada")
    who.latest
    user.set("grace")
    assert await who == ("ada", "inside")
    assert user.get() == "grace"


async def test_the_first_step_is_part_of_its_task_already():
    @lt.async_memo
    async def rows():
        task = asyncio.current_task()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            part = group.create_task(asyncio.sleep(0, "part"))
        return part.result(), asyncio.current_task() is task, task.get_name()

    outside = asyncio.current_task()
    rows.latest
    assert asyncio.current_task() is outside
    assert await rows == ("part", True, "lattice rows")


# --- where there is no loop


def test_without_a_running_loop_a_read_says_what_to_do():
    @lt.async_memo
    async def rows():
        await asyncio.sleep(0)
        return 1

    doubled = lt.memo(lambda: rows.value * 2)
    for read in (lambda: rows.value, doubled, rows.refresh):
        with pytest.raises(lt.AccessError, match=r"'rows'.*asyncio\.run\(main\(\)\)"):
            read()
    assert rows.latest is None
    assert not rows.loading
    assert rows.error is None

    async def main():
        assert await rows == 1
        assert doubled() == 2

    asyncio.run(main())
    assert rows.value == 1


def test_a_run_whose_loop_is_closed_is_closed_with_the_next_one():
    events, query = [], lt.signal(0)

    @lt.async_memo
    async def rows():
        asked = query.value
        try:
            await asyncio.sleep(1000)
        finally:
            events.append(asked)

    loop = asyncio.new_event_loop()

    async def start():
        rows.latest

    loop.run_until_complete(start())
    loop.close()
    query.value = 1
    rows.cancel()
    assert events == [0]
