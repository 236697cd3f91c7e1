# SPDX-License-Identifier: MIT
"""Async memos of async memos: waiting for what is not ready, and cycles of awaits."""

from __future__ import annotations

import asyncio

import pytest

import lattice as lt
from answers import Source
from waiting import turns

# --- not ready, through memos and effects


async def test_a_memo_of_what_is_not_ready_is_computed_again_when_it_is():
    source = Source()
    rows = lt.async_memo(source.__call__, name="rows")
    count = lt.memo(lambda: len(rows.value))
    described = lt.memo(lambda: f"{count()} rows")
    for _ in range(2):
        with pytest.raises(lt.NotReady):
            described()
    await turns()
    await source.answer("abc")
    assert described() == "3 rows"


async def test_an_effect_waits_silently_for_what_is_not_ready():
    source, query, seen = Source(), lt.signal("a"), []
    rows = lt.async_memo(source.__call__, name="rows")
    described = lt.memo(lambda: f"{len(rows.value)} rows")

    @lt.effect
    def log():
        seen.append(query.value)
        seen.append(described())

    assert seen == ["a"]
    query.value = "b"
    assert seen == ["a", "b"]
    await turns()
    await source.answer("abc")
    assert seen == ["a", "b", "b", "3 rows"]
    log.dispose()


async def test_an_async_memo_of_what_is_not_ready_loads_until_it_is():
    first, second = Source(), Source()
    user = lt.async_memo(first.__call__, name="user")

    @lt.async_memo
    async def posts():
        return await second(user.value)

    @lt.async_memo
    async def shown(track):
        await asyncio.sleep(0)
        return f"{track(posts)}!"

    log = lt.effect(lambda: shown.latest)
    await turns()
    assert posts.loading
    assert shown.loading
    assert posts.error is None
    assert second.asked == []
    await first.answer("ada")
    assert [asked for asked, _ in second.asked] == ["ada"]
    assert shown.loading
    await second.answer("hello")
    assert posts.value == "hello"
    assert shown.value == "hello!"
    log.dispose()


async def test_awaiting_another_async_memo_inside_waits_and_subscribes():
    source, runs_seen = Source(), []
    user = lt.async_memo(source.__call__, name="user")

    @lt.async_memo
    async def greeting():
        runs_seen.append(1)
        return f"hello {await user}"

    waiting = asyncio.ensure_future(greeting._wait())
    await turns()
    await source.answer("ada")
    assert await waiting == "hello ada"
    assert runs_seen == [1]
    user.refresh()
    await turns()
    await source.answer("ada")
    assert await greeting == "hello ada"
    assert runs_seen == [1]  # the same value
    user.refresh()
    await turns()
    assert greeting.value == "hello ada"
    await source.answer("grace")
    assert await greeting == "hello grace"
    assert runs_seen == [1, 1]


# --- cycles of awaits


async def test_an_async_memo_that_awaits_itself_is_a_cycle():
    @lt.async_memo
    async def itself():
        return await itself

    with pytest.raises(lt.CycleError, match="cycle: itself -> itself"):
        await asyncio.wait_for(itself, 5)


@pytest.mark.parametrize("pause", [False, True])
async def test_async_memos_that_await_one_another_are_a_cycle(pause):
    @lt.async_memo
    async def first():
        if pause:
            await asyncio.sleep(0)
        return await second

    @lt.async_memo
    async def second():
        if pause:
            await asyncio.sleep(0)
        return await third

    @lt.async_memo
    async def third():
        await asyncio.sleep(0)
        return await first

    with pytest.raises(lt.CycleError, match=r"cycle: (\w+) -> \w+ -> \w+ -> \1"):
        await asyncio.wait_for(first, 5)
    with pytest.raises(lt.CycleError):
        await asyncio.wait_for(third, 5)


async def test_two_that_await_the_same_are_none():
    @lt.async_memo
    async def source():
        await asyncio.sleep(0)
        return 1

    @lt.async_memo
    async def left():
        return await source + await source

    @lt.async_memo
    async def both():
        return await left + await source

    assert await asyncio.wait_for(both, 5) == 3
