# SPDX-License-Identifier: MIT
"""Async effects: tasks that are cancelled before the next run and at the end."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

import lattice as lt
from lattice import _core
from waiting import turns


async def test_it_runs_as_a_task_and_again_when_what_it_read_changes():
    name, seen = lt.signal("Ada"), []

    @lt.effect
    async def greet():
        asked = name.value
        seen.append(f"begin {asked}")
        await asyncio.sleep(0)
        seen.append(f"end {asked}")

    assert seen == ["begin Ada"]
    await turns()
    name.value = "Grace"
    assert seen == ["begin Ada", "end Ada", "begin Grace"]
    await turns()
    assert seen[-1] == "end Grace"
    greet.dispose()
    assert greet.runs == 2


async def test_the_next_run_and_the_end_cancel_it():
    name, seen = lt.signal("a"), []

    @lt.effect
    async def wait():
        asked = name.value
        lt.on_cleanup(lambda: seen.append(f"cleanup {asked}"))
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            seen.append(f"cancelled {asked}")
            raise

    await turns()
    name.value = "b"
    await turns()
    wait.dispose()
    await turns()
    assert seen == ["cleanup a", "cancelled a", "cleanup b", "cancelled b"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_track_subscribes_after_an_await():
    late, seen = lt.signal(1), []

    @lt.effect
    async def log(track):
        await asyncio.sleep(0)
        seen.append(track(late))
        await asyncio.sleep(0)

    await turns()
    late.value = 2
    await turns()
    late.value = 2
    await turns()
    assert seen == [1, 2]
    log.dispose()
    late.value = 3
    await turns()
    assert seen == [1, 2]


@pytest.mark.parametrize("waits", [0, 1])
async def test_what_it_raises_is_logged_and_it_stays_subscribed(waits, caplog):
    name, seen = lt.signal("a"), []

    @lt.effect
    async def shout():
        asked = name.value
        for _ in range(waits):
            await asyncio.sleep(0)
        if asked == "a":
            raise ValueError("too quiet")
        seen.append(asked.upper())

    await turns()
    name.value = "b"
    await turns()
    assert seen == ["B"]
    shout.dispose()
    records = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(records) == 1
    assert "ValueError in effect 'shout': too quiet" in records[0].getMessage()
    assert "test_async_effect.py" in records[0].getMessage()


async def test_it_waits_silently_for_what_is_not_ready():
    answer, seen = asyncio.get_running_loop().create_future(), []

    @lt.async_memo
    async def rows():
        return await answer

    @lt.effect
    async def early():
        seen.append(("early", rows.value))

    @lt.effect
    async def late(track):
        await asyncio.sleep(0)
        seen.append(("late", track(rows)))

    await turns()
    assert seen == []
    answer.set_result(3)
    await turns()
    assert sorted(seen) == [("early", 3), ("late", 3)]
    early.dispose()
    late.dispose()


async def test_its_writes_between_awaits_are_one_batch():
    a, b, seen = lt.signal(0), lt.signal(0), []
    log = lt.effect(lambda: seen.append((a.value, b.value)))

    @lt.effect
    async def work():
        await asyncio.sleep(0)
        a.value = b.value = 1
        await asyncio.sleep(0)
        a.value = b.value = 2

    await turns()
    assert seen == [(0, 0), (1, 1), (2, 2)]
    work.dispose()
    log.dispose()


async def test_phase_and_priority_are_as_for_other_effects():
    source, order = lt.signal(0), []

    def make(name, **options):
        async def body():
            source.value
            order.append(name)

        return lt.effect(body, **options)

    effects = [make("second", priority=2), make("first", priority=1), make("0", phase="render")]
    order.clear()
    source.value = 1
    assert order == ["0", "first", "second"]
    for effect in effects:
        effect.dispose()


async def test_its_owner_ends_it():
    seen = []

    async def wait(name):
        try:
            await asyncio.sleep(1000)
        finally:
            seen.append(name)

    with lt.Scope() as scope:
        lt.effect(lambda: None)

        @lt.effect
        async def inner():
            await wait("scope")

    outer_source = lt.signal(0)

    @lt.effect
    def outer():
        outer_source.value

        @lt.effect
        async def nested():
            await wait("parent")

    await turns()
    scope.dispose()
    outer_source.value = 1
    await turns()
    assert seen == ["scope", "parent"]
    outer.dispose()
    await turns()
    assert seen == ["scope", "parent", "parent"]


async def test_weak_ones_end_with_the_last_reference():
    seen = []

    async def wait():
        try:
            await asyncio.sleep(1000)
        finally:
            seen.append("ended")

    effect = lt.effect(wait, weak=True)
    await turns()
    del effect
    gc.collect()
    await turns()
    assert seen == ["ended"]


def test_without_a_running_loop_it_says_what_to_do(caplog):
    async def work():
        pass

    lt.effect(work).dispose()
    assert "'work' is async and needs a running asyncio loop" in caplog.text


def test_generators_are_refused():
    def steps():
        yield 1

    async def async_steps():
        yield 1

    for function in (steps, async_steps):
        with pytest.raises(TypeError, match="is a generator"):
            lt.effect(function)


def test_a_plain_effect_that_gives_a_coroutine_is_told_what_to_do(caplog):
    async def work():
        pass

    lt.effect(lambda: work()).dispose()
    assert "give lt.effect the async function itself" in caplog.text


def test_a_module_level_one_runs_in_each_session():
    seen = []
    user = lt.signal("nobody")

    async def main():
        with _core.loading():

            @lt.effect
            async def log(track):
                before = user.value
                await asyncio.sleep(0)
                seen.append((before, track(user)))

        sessions = [_core.SessionState(), _core.SessionState()]
        for session, name in zip(sessions, ("ada", "grace"), strict=True):
            with session.enter():
                user.value = name
                session.start()
        await turns()
        assert seen == [("ada", "ada"), ("grace", "grace")]
        with sessions[0].enter():
            user.value = "eve"
        await turns()
        assert seen[2:] == [("eve", "eve")]
        for session in sessions:
            session.dispose()
        await turns()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
