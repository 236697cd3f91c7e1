# SPDX-License-Identifier: MIT
"""Async memos of sessions and of components."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio
import functools

import lattice as lt
from lattice import _core
from waiting import turns


def test_at_module_level_each_session_has_its_own():
    query = lt.signal("nobody")

    @lt.async_memo
    async def rows(track):
        before = query.value
        await asyncio.sleep(0)
        return before, track(query)

    async def main():
        first, second = _core.SessionState(), _core.SessionState()
        try:
            with first.enter():
                query.value = "ada"
                assert rows.latest is None
            with second.enter():
                query.value = "grace"
                rows.latest
            await turns()
            with first.enter():
                assert rows.value == ("ada", "ada")
                query.value = "eve"
                assert rows.loading
            with second.enter():
                assert rows.value == ("grace", "grace")
                assert not rows.loading
                assert rows.runs == 1
        finally:
            first.dispose()
            second.dispose()
        await turns()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_step_is_in_its_session_and_its_end_cancels():
    events = []

    async def main():
        session = _core.SessionState()
        with session.enter():

            @lt.async_memo
            async def rows():
                await asyncio.sleep(0)
                events.append(lt.session() is session)
                try:
                    await asyncio.sleep(1000)
                finally:
                    events.append("cancelled")

            rows.latest
            assert lt.session() is session
        await turns()
        session.dispose()
        await turns()

    asyncio.run(main())
    assert events == [True, "cancelled"]


def test_in_a_component_it_is_kept_by_its_name():
    started = []

    @lt.component
    def page(limit):
        @lt.async_memo
        async def rows():
            started.append(limit)
            await asyncio.sleep(0)
            return limit

        return rows

    async def main():
        from lattice import _state

        with _core.Scope() as scope:
            state = _state.InstanceState("page")

            def render(limit):
                with _core.rendering("page"):
                    return state.render(functools.partial(page.function, limit))

            rows = render(1)
            assert await rows == 1
            assert render(1) is rows
            assert await rows == 1
            assert started == [1]
            assert render(2) is rows
            assert await rows == 2
            assert started == [1, 2]
        scope.dispose()

    asyncio.run(main())
