# SPDX-License-Identifier: MIT
"""When effects run: at once, or in the next callback of the loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import lattice as lt
from lattice import _core
from waiting import deferred


async def test_effects_run_once_after_the_callback_that_wrote():
    a, b, seen = lt.signal(0), lt.signal(0), []
    with deferred():
        log = lt.effect(lambda: seen.append((a.value, b.value)))
        assert seen == [(0, 0)]  # the first run is at once
        a.value = 1
        b.value = 1
        a.value = 2
        assert seen == [(0, 0)]
        await asyncio.sleep(0)
        assert seen == [(0, 0), (2, 1)]
        a.value = 3
        a.value = 2
        await asyncio.sleep(0)
        assert seen == [(0, 0), (2, 1)]
    log.dispose()


async def test_reads_never_wait():
    count = lt.signal(1)
    doubled = lt.memo(lambda: count.value * 2)
    with deferred():
        log = lt.effect(doubled)
        count.value = 5
        assert count.value == 5
        assert doubled() == 10
        log.dispose()


async def test_flush_runs_them_now():
    count, seen = lt.signal(1), []
    with deferred():
        log = lt.effect(lambda: seen.append(count.value))
        count.value = 2
        lt.flush()
        assert seen == [1, 2]
        await asyncio.sleep(0)
        assert seen == [1, 2]
        with lt.batch():
            count.value = 3
            lt.flush()
            assert seen == [1, 2]
        await asyncio.sleep(0)
        assert seen == [1, 2, 3]
    log.dispose()


async def test_a_batch_does_not_flush_by_itself_either():
    count, seen = lt.signal(1), []
    with deferred():
        log = lt.effect(lambda: seen.append(count.value))
        with lt.batch():
            count.value = 2
        assert seen == [1]
        await asyncio.sleep(0)
        assert seen == [1, 2]
    log.dispose()


async def test_what_effects_write_is_settled_in_the_same_callback():
    first, second, seen = lt.signal(0), lt.signal(0), []
    with deferred():
        copy = lt.effect(lambda: setattr(second, "value", first.value))
        log = lt.effect(lambda: seen.append(second.value))
        first.value = 5
        await asyncio.sleep(0)
        assert seen == [0, 5]
    copy.dispose()
    log.dispose()


async def test_the_callback_comes_in_the_order_of_the_loop():
    count, order = lt.signal(0), []
    loop = asyncio.get_running_loop()
    with deferred():
        log = lt.effect(lambda: order.append(("effect", count.value)))
        order.clear()
        loop.call_soon(order.append, "before")
        count.value = 1
        loop.call_soon(order.append, "after")
        await asyncio.sleep(0)
        assert order == ["before", ("effect", 1), "after"]
    log.dispose()


async def test_ending_it_runs_what_waits():
    count, seen = lt.signal(1), []
    log = lt.effect(lambda: seen.append(count.value))
    assert lt.flush_policy("asyncio") == "sync"
    assert lt.flush_policy() == "asyncio"
    count.value = 2
    assert lt.flush_policy("sync") == "asyncio"
    assert seen == [1, 2]
    count.value = 3
    assert seen == [1, 2, 3]
    assert lt.flush_policy() == "sync"
    log.dispose()


async def test_steps_of_async_effects_share_a_flush():
    count, seen = lt.signal(0), []
    with deferred():
        log = lt.effect(lambda: seen.append(count.value))

        async def add():
            await asyncio.sleep(0)
            count.value = count.peek() + 1

        both = [lt.effect(add), lt.effect(add)]
        for _ in range(4):
            await asyncio.sleep(0)
        assert seen == [0, 2]
        for effect in both:
            effect.dispose()
    log.dispose()


async def test_endless_effects_are_told_to_the_loop():
    a, b, told = lt.signal(0), lt.signal(0), []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: told.append(context["exception"])
    )
    is_endless = [False]
    with deferred():
        forth = lt.effect(lambda: setattr(b, "value", a.value + is_endless[0]))
        back = lt.effect(lambda: setattr(a, "value", b.value + is_endless[0]))
        is_endless[0] = True
        a.value = 100
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(told) == 1
        assert isinstance(told[0], lt.CycleError)
        is_endless[0] = False
        forth.dispose()
        back.dispose()


def test_it_needs_a_running_loop_and_no_session():
    with pytest.raises(lt.AccessError, match="needs a running asyncio loop"):
        lt.flush_policy("asyncio")
    with pytest.raises(ValueError, match="'sync' or 'asyncio'"):
        lt.flush_policy("frame")
    session = _core.SessionState()
    with session.enter(), pytest.raises(lt.AccessError, match="in a session"):
        lt.flush_policy("sync")
    session.dispose()


def test_after_the_loop_a_write_warns_and_flush_still_works():
    count, seen = lt.signal(0), []
    log = lt.effect(lambda: seen.append(count.value))

    async def main():
        lt.flush_policy("asyncio")

    asyncio.run(main())
    try:
        with pytest.warns(RuntimeWarning, match="its loop is closed"):
            count.value = 1
        assert seen == [0]
        lt.flush()
        assert seen == [0, 1]
    finally:
        lt.flush_policy("sync")
    log.dispose()


@pytest.mark.parametrize("policy", ["sync", "asyncio"])
async def test_writes_of_other_threads_wake_an_idle_loop(policy):
    count, arrived = lt.signal(0), asyncio.Event()
    lt.flush_policy("asyncio")  # from here on the loop is known
    lt.flush_policy(policy)
    try:

        @lt.effect
        def look():
            if count.value == 5:
                arrived.set()

        def write():
            time.sleep(0.05)
            count.value = 5

        thread = threading.Thread(target=write)
        thread.start()
        await asyncio.wait_for(arrived.wait(), 5)  # nothing else wakes the loop before
        thread.join()
        look.dispose()
    finally:
        lt.flush_policy("sync")


def test_writes_of_other_threads_arrive_after_the_loop_is_closed():
    count = lt.signal(0)

    async def main():
        lt.flush_policy("asyncio")
        lt.flush_policy("sync")

    asyncio.run(main())
    thread = threading.Thread(target=lambda: setattr(count, "value", 5))
    thread.start()
    thread.join()
    deadline = time.monotonic() + 5
    while count.value != 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert count.value == 5
