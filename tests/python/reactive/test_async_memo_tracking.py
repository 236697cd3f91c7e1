# SPDX-License-Identifier: MIT
"""Async memos: which reads subscribe, before an await and after one."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio
import warnings

import pytest

import lattice as lt
from answers import Source
from waiting import turns


async def test_reads_before_the_first_await_are_tracked_also_in_what_it_calls():
    source, first, last = Source(), lt.signal("Ada"), lt.signal("Byron")
    full = lt.memo(lambda: f"{first.value} {last.value}")

    @lt.async_memo
    async def shown():
        return await source(full())

    log = lt.effect(lambda: shown.latest)
    await turns()
    last.value = "Lovelace"
    await turns()
    assert [asked for asked, _ in source.asked] == ["Ada Byron", "Ada Lovelace"]
    log.dispose()


async def test_track_subscribes_after_an_await():
    source, limit = Source(), lt.signal(10)

    @lt.async_memo
    async def rows(track):
        rows = await source()
        return rows[: track(limit)]

    seen = []
    log = lt.effect(lambda: seen.append(rows.value))
    await turns()
    await source.answer("abcdef")
    limit.value = 2
    await turns()
    assert len(source.asked) == 2
    await source.answer("abcdef")
    assert seen == ["abcdef", "ab"]
    log.dispose()


@pytest.mark.parametrize(
    "make",
    [
        lambda limit: limit,
        lambda limit: lt.memo(lambda: limit.value),
        lambda limit: lambda: limit.value,
    ],
    ids=["signal", "memo", "function"],
)
async def test_track_takes_signals_memos_and_functions(make):
    limit = lt.signal(1)
    source = make(limit)
    given = []

    @lt.async_memo
    async def rows(track):
        given.append(track(source))
        await asyncio.sleep(0)
        given.append(track(source))
        given.append(track(source))
        return given[-1]

    assert await rows == 1
    limit.value = 2
    assert await rows == 2
    assert given == [1, 1, 1, 2, 2, 2]
    limit.value = 2
    assert await rows == 2
    assert rows.runs == 2


async def test_track_of_a_function_counts_its_result():
    items, other = lt.signal([1, 2]), lt.signal(0)

    @lt.async_memo
    async def count(track):
        await asyncio.sleep(0)
        return track(lambda: len(items.value) + 0 * other.value)

    assert await count == 2
    other.value = 1
    assert await count == 2
    assert count.runs == 1
    items.value = [1]
    assert await count == 1
    assert count.runs == 2


async def test_a_change_between_the_tracked_read_and_the_end_of_the_run_is_not_missed():
    source, limit = Source(), lt.signal(1)

    @lt.async_memo
    async def rows(track):
        await source("a")
        n = track(limit)
        await source("b")
        return n

    rows.latest
    await turns()
    await source.answer(None)
    limit.value = 2
    assert rows.latest is None  # reading begins the next run
    await turns()
    assert [asked for asked, _ in source.asked] == ["a", "b", "a"]
    await source.answer(None)
    await source.answer(None)
    assert rows.value == 2


async def test_only_the_sources_of_the_last_run_count():
    which, a, b = lt.signal("a"), lt.signal(1), lt.signal(1)

    @lt.async_memo
    async def chosen(track):
        await asyncio.sleep(0)
        return track(a) if track(which) == "a" else track(b)

    assert await chosen == 1
    which.value = "b"
    assert await chosen == 1
    a.value = 2
    assert await chosen == 1
    assert chosen.runs == 2
    b.value = 3
    assert await chosen == 3
    assert chosen.runs == 3


async def test_tracking_the_same_again_and_again_keeps_one_node():
    tick = lt.signal(0)

    @lt.async_memo
    async def poll(track):
        for _ in range(100):
            await asyncio.sleep(0)
            track(tick)
            track(lambda: tick.value)
        return len(poll._late.tracked().stamps)

    assert await poll == 2


async def test_track_of_what_is_no_source_says_so():
    count = lt.signal(1)

    @lt.async_memo
    async def rows(track):
        await asyncio.sleep(0)
        return track(count.peek())

    with pytest.raises(TypeError, match=r"track\(count\), not track\(count\.value\)"):
        await rows


def test_an_untracked_read_after_an_await_warns_once_with_its_place():
    async def main():
        query = lt.signal("a")
        ready, done = lt.signal(0), lt.signal(0)

        @lt.async_memo
        async def rows(track):
            ready.value
            for _ in range(3):
                await asyncio.sleep(0)
                query.value  # the line of the warning
            ready.value  # read before the first await
            query.peek()
            track(done)
            done.value  # tracked
            done.value += 0
            with lt.untracked():
                query.value
            return 1

        await rows
        assert rows.runs == 1

    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        asyncio.run(main())
    assert len(noted) == 1
    assert noted[0].category is RuntimeWarning
    assert "'query' is read after an await in 'rows'" in str(noted[0].message)
    assert "track(query)" in str(noted[0].message)
    assert noted[0].filename == __file__
    with open(__file__) as file:
        assert "the line of the warning" in file.read().splitlines()[noted[0].lineno - 1]


def test_the_warning_may_be_an_error():
    async def main():
        query = lt.signal("a")

        @lt.async_memo
        async def rows():
            await asyncio.sleep(0)
            return query.value

        with pytest.raises(RuntimeWarning, match="'query' is read after an await"):
            await rows

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
