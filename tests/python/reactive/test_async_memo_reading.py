# SPDX-License-Identifier: MIT
"""Async memos: what their readers see before, between and after the runs, and await."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio

import pytest

import lattice as lt
from answers import Source
from waiting import turns


async def test_the_first_value_is_waited_for():
    source = Source()

    @lt.async_memo
    async def rows():
        return await source()

    assert rows.loading
    assert rows.latest is None
    assert rows.error is None
    with pytest.raises(lt.NotReady, match=r"'rows' is being loaded.*rows\.latest"):
        rows.value
    await turns()
    await source.answer([1])
    assert rows.value == [1]
    assert rows() == [1]
    assert rows.peek() == [1]
    assert rows.latest == [1]
    assert not rows.loading
    assert rows.runs == 1


async def test_nothing_runs_before_the_first_read():
    source = Source()
    rows = lt.async_memo(source.__call__)
    await turns()
    assert source.asked == []
    rows.latest
    await turns()
    assert len(source.asked) == 1


async def test_a_function_that_awaits_nothing_gives_its_value_at_once():
    count = lt.signal(2)

    @lt.async_memo
    async def doubled():
        return count.value * 2

    assert doubled.value == 4
    assert not doubled.loading
    count.value = 5
    assert doubled.value == 10


async def test_while_a_later_run_loads_the_value_is_the_one_before():
    source, query = Source(), lt.signal("a")

    @lt.async_memo
    async def rows():
        return await source(query.value)

    states = []

    @lt.effect
    def log():
        states.append((rows.value, rows.loading))

    assert states == []
    await turns()
    await source.answer("A")
    query.value = "b"
    assert states == [("A", False), ("A", True)]
    assert rows.value == "A"
    assert rows.latest == "A"
    await turns()
    await source.answer("B")
    assert states == [("A", False), ("A", True), ("B", False)]
    log.dispose()


async def test_readers_of_the_value_do_not_run_when_it_is_loaded_again_unchanged():
    source, query = Source(), lt.signal(1)

    @lt.async_memo
    async def sign():
        return await source(query.value)

    seen = []
    log = lt.effect(lambda: seen.append(sign.value))
    await turns()
    await source.answer("+")
    query.value = 2
    await turns()
    await source.answer("+")
    assert seen == ["+"]
    query.value = -1
    await turns()
    await source.answer("-")
    assert seen == ["+", "-"]
    log.dispose()


async def test_equals_decides_what_is_a_new_value():
    source, query = Source(), lt.signal(0)

    @lt.async_memo(equals=lambda a, b: a["id"] == b["id"])
    async def row():
        return await source(query.value)

    seen = []
    log = lt.effect(lambda: seen.append(row.value["text"]))
    await turns()
    await source.answer({"id": 1, "text": "a"})
    query.value = 1
    await turns()
    await source.answer({"id": 1, "text": "b"})
    assert seen == ["a"]
    log.dispose()


async def test_await_gives_the_value_that_is_being_loaded():
    source = Source()

    @lt.async_memo
    async def rows():
        return await source()

    waiting = [asyncio.ensure_future(rows._wait()) for _ in range(2)]
    await turns()
    await source.answer(7)
    assert await asyncio.gather(*waiting) == [7, 7]
    assert await rows == 7
    assert rows.runs == 1


async def test_await_goes_on_with_the_run_that_replaces_the_one_awaited():
    source, query = Source(), lt.signal("a")

    @lt.async_memo
    async def rows():
        return await source(query.value)

    waiting = asyncio.ensure_future(rows._wait())
    await turns()
    query.value = "b"
    await turns()
    assert [asked for asked, _ in source.asked] == ["a", "b"]
    await source.answer("B")
    assert await waiting == "B"


async def test_await_raises_when_the_memo_ends_meanwhile():
    source = Source()
    with lt.Scope() as scope:

        @lt.async_memo
        async def rows():
            return await source()

    waiting = asyncio.ensure_future(rows._wait())
    await turns()
    scope.dispose()
    with pytest.raises(lt.DisposedError, match="'rows' was disposed while it was awaited"):
        await waiting
