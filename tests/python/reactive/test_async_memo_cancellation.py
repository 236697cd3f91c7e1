# SPDX-License-Identifier: MIT
"""Async memos: runs that are cancelled, and what ends with a run, a scope or its memo."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

import lattice as lt
from answers import Source
from waiting import turns

# --- cancelled runs


async def test_a_change_cancels_the_run_where_it_waits():
    source, query, events = Source(), lt.signal("a"), []

    @lt.async_memo
    async def rows():
        asked = query.value
        try:
            return await source(asked)
        except asyncio.CancelledError:
            events.append(f"cancelled {asked}")
            raise
        finally:
            await asyncio.sleep(0)
            events.append(f"end {asked}")

    log = lt.effect(lambda: rows.latest)
    await turns()
    query.value = "b"
    await turns()
    assert events == ["cancelled a", "end a"]
    await source.answer("B")
    assert rows.value == "B"
    log.dispose()


async def test_a_run_cancelled_before_its_task_had_a_turn_is_cancelled_at_its_await():
    query, events = lt.signal(0), []

    @lt.async_memo
    async def rows():
        asked = query.value
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            events.append(asked)
            raise

    log = lt.effect(lambda: rows.loading)
    query.value = 1
    query.value = 2
    await turns()
    assert events == [0, 1]
    log.dispose()
    rows.dispose()
    await turns()
    assert events == [0, 1, 2]


async def test_the_result_of_a_run_that_swallows_its_cancellation_is_dropped():
    source, query = Source(), lt.signal("a")

    @lt.async_memo
    async def rows():
        asked = query.value
        try:
            return await source(asked)
        except asyncio.CancelledError:
            return "late"

    seen = []
    log = lt.effect(lambda: seen.append(rows.latest))
    await turns()
    query.value = "b"
    await turns()
    await source.answer("B")
    assert seen == [None, "B"]
    log.dispose()


async def test_cancel_ends_the_run_and_keeps_the_value():
    source, query, seen = Source(), lt.signal("a"), []

    @lt.async_memo
    async def rows():
        return await source(query.value)

    rows.cancel()  # nothing runs yet
    log = lt.effect(lambda: seen.append((rows.latest, rows.loading)))
    await turns()
    rows.cancel()
    assert not rows.loading
    with pytest.raises(lt.NotReady, match=r"'rows' was cancelled.*rows\.refresh\(\)"):
        rows.value
    await turns()
    assert source.asked[0][1].cancelled()
    query.value = "b"
    await turns()
    await source.answer("B")
    query.value = "c"
    rows.cancel()
    rows.cancel()
    assert rows.value == "B"
    assert seen[:3] == [(None, True), (None, False), (None, True)]
    assert seen[3:] == [("B", False), ("B", True), ("B", False)]
    log.dispose()


async def test_a_run_that_is_cancelled_from_inside_ends_like_one_by_cancel():
    @lt.async_memo
    async def rows():
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    assert rows.loading
    await turns()
    assert not rows.loading
    assert rows.error is None
    with pytest.raises(lt.NotReady):
        rows.value


async def test_an_error_in_the_cleanup_of_a_cancelled_run_is_logged():
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger("lattice").addHandler(handler)
    try:

        @lt.async_memo
        async def rows():
            try:
                await asyncio.sleep(1000)
            finally:
                raise ValueError("while ending")

        rows.latest
        rows.cancel()
        await turns()
    finally:
        logging.getLogger("lattice").removeHandler(handler)
    assert len(records) == 1
    assert "ValueError in the cancelled run of 'rows': while ending" in records[0].getMessage()


@pytest.mark.parametrize("turn", range(8))
async def test_cancellation_at_every_await_leaves_nothing_behind(turn):
    events = []

    query = lt.signal(0)

    @lt.async_memo
    async def rows(track):
        asked = query.value
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))
                await asyncio.sleep(0)
                track(query)
            await asyncio.shield(asyncio.sleep(0))
            await asyncio.wait_for(asyncio.sleep(0), 10)
            return asked
        finally:
            events.append(asked)
            await asyncio.sleep(0)

    log = lt.effect(lambda: rows.latest)
    await turns(turn)
    query.value = 1
    assert await rows == 1
    log.dispose()
    rows.dispose()
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert events == [0, 1]


# --- what ends with it


async def test_cleanups_run_before_the_next_run_and_at_the_end():
    query, events = lt.signal(0), []

    @lt.async_memo
    async def rows():
        asked = query.value
        lt.on_cleanup(lambda: events.append(f"first {asked}"))
        await asyncio.sleep(0)
        lt.on_cleanup(lambda: events.append(f"second {asked}"))
        lt.effect(lambda: events.append(f"inner {asked}"))
        return asked

    assert await rows == 0
    query.value = 1
    assert await rows == 1
    rows.dispose()
    assert events == ["inner 0", "second 0", "first 0", "inner 1", "second 1", "first 1"]


async def test_what_a_cancelled_run_still_makes_ends_with_its_step():
    query, events = lt.signal(0), []

    @lt.async_memo
    async def rows():
        query.value
        try:
            await asyncio.sleep(1000)
        finally:
            lt.on_cleanup(lambda: events.append("cleaned"))
            events.append("ending")

    log = lt.effect(lambda: rows.loading)
    query.value = 1
    await turns()
    assert events == ["ending", "cleaned"]
    log.dispose()
    rows.dispose()
    await turns()


async def test_the_end_of_the_scope_cancels():
    source = Source()
    with lt.Scope() as scope:
        rows = lt.async_memo(source.__call__, name="rows")
    rows.latest
    await turns()
    scope.dispose()
    await turns()
    assert source.asked[0][1].cancelled()
    for read in (lambda: rows.value, lambda: rows.loading, lambda: rows.latest):
        with pytest.raises(lt.DisposedError):
            read()


async def test_one_that_nobody_refers_to_is_collected_and_cancelled():
    source, events = Source(), []

    async def load():
        try:
            return await source()
        except asyncio.CancelledError:
            events.append("cancelled")
            raise

    rows = lt.async_memo(load)
    rows.latest
    await turns()
    gone = weakref.ref(rows)
    del rows
    gc.collect()
    await turns()
    assert gone() is None
    assert events == ["cancelled"]


async def test_no_task_outlives_its_run():
    async def load():
        await asyncio.sleep(0)

    for _ in range(20):
        rows = lt.async_memo(load)
        await rows
        rows.refresh()
        rows.dispose()
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}
