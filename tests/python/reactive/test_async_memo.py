# SPDX-License-Identifier: MIT
"""Async memos: what they read, when they run, what readers see meanwhile."""
# ruff: noqa: B018

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import logging
import random
import warnings
import weakref

import pytest

import lattice as lt
from lattice import _async, _core
from waiting import turns


class Source:
    """What an async memo awaits in these tests: answers when it is told to."""

    def __init__(self):
        self.asked = []

    async def __call__(self, question=None):
        answer = asyncio.get_running_loop().create_future()
        self.asked.append((question, answer))
        return await answer

    async def answer(self, value, at=-1):
        self.asked[at][1].set_result(value)
        await turns()

    async def fail(self, error, at=-1):
        self.asked[at][1].set_exception(error)
        await turns()


# --- reading


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


# --- tracking


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


# --- when it runs


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


async def test_a_timeout_inside_is_an_error_like_any_other():
    @lt.async_memo
    async def rows():
        async with asyncio.timeout(0.001):
            await asyncio.sleep(1000)

    with pytest.raises(TimeoutError):
        await rows


# --- errors


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


# --- ownership


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


# --- what it is made of


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 1, "a plain function is a memo: @lt.memo"),
        (3, "async_memo takes an `async def` function"),
    ],
)
def test_what_is_not_async_is_refused(function, message):
    with pytest.raises(TypeError, match=message):
        lt.async_memo(function)


def test_an_async_generator_and_other_parameters_are_refused():
    async def many():
        yield 1

    with pytest.raises(TypeError, match="generator gives many values"):
        lt.async_memo(many)

    async def two(track, more):
        pass

    with pytest.raises(TypeError, match="takes nothing, or `track`"):
        lt.async_memo(two)


def test_a_memo_refuses_an_async_function():
    async def load():
        pass

    with pytest.raises(TypeError, match=r"'load'.*@lt\.async_memo"):
        lt.memo(load)
    with pytest.raises(TypeError, match=r"@lt\.async_memo"):
        lt.memo(lambda: load()).value


async def test_callables_that_are_async_are_taken():
    class Loader:
        async def __call__(self):
            return 1

    async def add(a, b):
        return a + b

    assert await lt.async_memo(Loader()) == 1
    assert await lt.async_memo(functools.partial(add, 1, 2), name="sum") == 3


def test_it_shows_its_name_and_is_no_truth_value():
    @lt.async_memo
    async def rows():
        pass

    assert repr(rows) == "<AsyncMemo rows>"
    with pytest.raises(TypeError, match=r"rows\.value"):
        bool(rows)


# --- sessions


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


# --- stress


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
