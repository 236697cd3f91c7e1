# SPDX-License-Identifier: MIT
"""Async memos under random changes, against what their sources give."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio
import gc
import random

import pytest

import lattice as lt
from lattice import _async
from waiting import turns


@pytest.mark.parametrize("seed", range(6))
async def test_a_hundred_async_memos_under_random_changes_agree_with_the_sources(seed):
    await change_at_random(seed)
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    assert not any(isinstance(o, _async._Run | _async.AsyncMemo) for o in gc.get_objects())


async def change_at_random(seed):
    """Random writes, refreshes, cancellations and disposals between any two turns of the loop.

    In the end every memo that is still read has the value that its sources give, every cancelled
    run has ended at its await, and nothing is left: no task, no complaint of asyncio.
    """
    rng = random.Random(seed)
    begun, ended = [0], [0]

    sources = [lt.signal(rng.randrange(5), name=f"s{i}") for i in range(20)]
    memos, expected, watched = [], [], []

    def make(index):
        early = rng.sample(range(20), rng.randrange(1, 3))
        late = rng.sample(range(20), rng.randrange(0, 3))
        below = rng.randrange(index) if index and rng.random() < 0.5 else None
        waits = rng.randrange(0, 4)

        async def body(track):
            begun[0] += 1
            try:
                total = sum(sources[i].value for i in early)
                for _ in range(waits):
                    await asyncio.sleep(0)
                for i in late:
                    total += track(sources[i])
                    await asyncio.sleep(0)
                if below is not None:
                    total += track(memos[below])
                return total
            finally:
                ended[0] += 1

        def value():
            own = sum(sources[i].peek() for i in early + late)
            return own + (expected[below]() if below is not None else 0)

        memos.append(lt.async_memo(body, name=f"m{index}"))
        expected.append(value)

    for index in range(100):
        make(index)
    seen = {}
    for index in range(0, 100, 2):

        def look(index=index):
            seen[index] = memos[index].value

        watched.append(lt.effect(look))
    for _ in range(400):
        action = rng.random()
        if action < 0.6:
            with lt.batch():
                for _ in range(rng.randrange(1, 4)):
                    rng.choice(sources).value = rng.randrange(5)
        elif action < 0.7:
            rng.choice(memos).refresh()
        elif action < 0.8:
            rng.choice(memos).cancel()
        else:
            rng.choice(memos).latest
        await turns(rng.randrange(0, 3))
    for memo in memos:
        memo.refresh()  # whatever was cancelled
    for index in range(100):
        assert await memos[index] == expected[index](), (seed, index)
    for index in range(0, 100, 2):
        assert seen[index] == expected[index](), (seed, index)
    for effect in watched:
        effect.dispose()
    for source in sources:
        source.value += 1
    for memo in memos:
        memo.latest
    for memo in memos:
        memo.dispose()
    await turns(10)
    assert begun == ended
