# SPDX-License-Identifier: MIT
"""Async memos: errors of a run, for its readers and for the memos above."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio

import pytest

import lattice as lt
from answers import Source
from waiting import turns


async def test_an_error_is_kept_for_every_reader_and_cleared_by_the_next_run():
    source, query, seen = Source(), lt.signal("a"), []

    @lt.async_memo
    async def rows():
        return await source(query.value)

    log = lt.effect(lambda: seen.append((rows.latest, type(rows.error).__name__, rows.loading)))
    await turns()
    await source.fail(ValueError("no"))
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            rows.value
    assert str(rows.error) == "no"
    assert not rows.loading
    assert rows.latest is None
    query.value = "b"
    assert rows.error is None
    with pytest.raises(lt.NotReady):
        rows.value
    await turns()
    await source.answer("B")
    assert rows.value == "B"
    query.value = "c"
    await turns()
    await source.fail(KeyError("c"))
    assert rows.latest == "B"
    with pytest.raises(KeyError):
        rows.value
    rows.refresh()
    assert rows.value == "B"  # the newest value, while the next is loaded
    await turns()
    await source.answer("C")
    assert seen == [
        (None, "NoneType", True),
        (None, "ValueError", False),
        (None, "NoneType", True),
        ("B", "NoneType", False),
        ("B", "NoneType", True),
        ("B", "KeyError", False),
        ("B", "NoneType", True),
        ("C", "NoneType", False),
    ]
    log.dispose()


async def test_an_error_before_the_first_await_is_kept_as_well():
    count = lt.signal(0)

    @lt.async_memo
    async def inverse():
        return 1 / count.value

    with pytest.raises(ZeroDivisionError):
        inverse.value
    assert isinstance(inverse.error, ZeroDivisionError)
    count.value = 2
    assert inverse.value == 0.5


async def test_the_traceback_of_an_error_does_not_grow():
    @lt.async_memo
    async def rows():
        await asyncio.sleep(0)
        raise ValueError("no")

    def depth(error):
        count, entry = 0, error.__traceback__
        while entry is not None:
            count, entry = count + 1, entry.tb_next
        return count

    depths = []
    for _ in range(5):
        try:
            await rows
        except ValueError as error:
            depths.append(depth(error))
        try:
            rows.value
        except ValueError as error:
            depths.append(depth(error))
    assert len(set(depths[0::2])) == 1
    assert len(set(depths[1::2])) == 1


async def test_a_timeout_inside_is_an_error_like_any_other():
    @lt.async_memo
    async def rows():
        async with asyncio.timeout(0.001):
            await asyncio.sleep(1000)

    with pytest.raises(TimeoutError):
        await rows


async def test_an_error_passes_through_async_memos():
    source = Source()
    first = lt.async_memo(source.__call__, name="first")

    @lt.async_memo
    async def second():
        return first.value

    log = lt.effect(lambda: second.error)
    await turns()
    await source.fail(ValueError("no"))
    assert isinstance(second.error, ValueError)
    log.dispose()


async def test_awaiting_another_that_fails_subscribes_too():
    source, query = Source(), lt.signal(0)

    @lt.async_memo
    async def user():
        query.value
        return await source()

    @lt.async_memo
    async def greeting():
        try:
            return f"hello {await user}"
        except ValueError as error:
            return f"nobody: {error}"

    log = lt.effect(lambda: greeting.latest)
    await turns()
    await source.fail(ValueError("offline"))
    assert greeting.value == "nobody: offline"
    query.value = 1
    await turns()
    await source.answer("ada")
    assert greeting.value == "hello ada"
    log.dispose()
