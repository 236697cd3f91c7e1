# SPDX-License-Identifier: MIT
"""Async memos and effects in a served app: whose thread, whose session, one frame per step."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import time

import pytest

import lattice as lt
from lattice import _coroutine, ui


def loop_threads():
    return [t for t in threading.enumerate() if t.name == "lattice asyncio"]


@lt.component
def search():
    query = lt.signal("a")

    @lt.async_memo
    async def rows(track):
        asked = query.value
        await asyncio.sleep(0.01)
        return f"rows of {asked}"

    return ui.div(
        ui.p(lambda: "loading" if rows.loading else "ready"),
        ui.p(lambda: rows.latest or "nothing"),
        ui.button("b", on_click=lambda: setattr(query, "value", "b")),
    )


def test_the_page_shows_loading_then_the_value(serve):
    visit = serve(search)
    page = visit()
    assert "<p>loading</p><p>nothing</p>" in page.html
    page.shows("readyrows of a")
    frames = page.frames
    page.click("b")
    page.shows("loadingrows of a")
    page.shows("readyrows of b")
    assert page.frames == frames + 2  # one for the change, one for the value
    assert page.errors == {}


def test_no_thread_starts_before_the_first_use_and_it_ends_with_the_server(serve):
    @lt.component
    def plain():
        return ui.p("hello")

    visit = serve(plain)
    visit()
    assert loop_threads() == []
    other = serve(search)
    other().shows("ready")
    assert len(loop_threads()) == 1
    other.server.stop()
    assert loop_threads() == []


def test_steps_run_on_the_loop_and_in_the_session(serve):
    seen = []

    @lt.component
    def page():
        @lt.async_memo
        async def rows():
            for _ in range(3):
                seen.append((threading.current_thread().name, lt.session().id))
                assert asyncio.get_running_loop() is asyncio.current_task().get_loop()
                await asyncio.sleep(0)
            return lt.session().request.path

        return ui.p(lambda: rows.latest or "-")

    visit = serve(page)
    visit().shows("/")
    visit().shows("/")
    assert {name for name, _ in seen} == {"lattice asyncio"}
    ids = [id for _, id in seen]
    assert len(set(ids)) == 2
    assert all(ids.count(id) == 3 for id in ids)


def test_one_step_is_one_frame(serve):
    @lt.component
    def page():
        a, b = lt.signal(0), lt.signal(0)
        go = lt.signal(0)

        @lt.effect
        async def count():
            if go.value == 0:
                return
            for step in range(1, 4):
                await asyncio.sleep(0.02)
                a.value = step
                b.value = step

        return ui.div(ui.p(a), ui.p(b), ui.button("go", on_click=lambda: setattr(go, "value", 1)))

    page = serve(page)()
    frames = page.frames
    page.click("go")
    page.shows("33")
    assert page.frames == frames + 3


def test_a_step_waits_for_its_session_and_others_go_on(serve):
    release, order = threading.Event(), []

    @lt.component
    def page():
        ready = lt.signal(0)
        name = lt.signal("?")

        @lt.async_memo
        async def rows():
            asked = ready.value
            await asyncio.sleep(0.01)
            order.append(f"step {asked}")
            return asked

        def block():
            ready.value = 1
            assert rows.loading
            order.append("blocked")
            release.wait(10)
            order.append("released")

        return ui.div(
            ui.p(lambda: f"value {rows.latest}"),
            ui.button("block", on_click=block),
            ui.button("other", on_click=lambda: setattr(ready, "value", 7)),
            ui.p(name),
        )

    visit = serve(page)
    blocked, other = visit(), visit()
    blocked.shows("value 0")
    other.shows("value 0")
    blocked.click("block")
    while "blocked" not in order:
        time.sleep(0.005)
    time.sleep(0.05)
    other.click("other")
    other.shows("value 7")  # while the first session's thread blocks
    assert order == ["step 0", "step 0", "blocked", "step 7"]
    release.set()
    blocked.shows("value 1")
    assert order[-2:] == ["released", "step 1"]


def test_the_end_of_a_session_cancels_what_runs_in_it(serve):
    events = []

    @lt.component
    def page():
        started = lt.signal("no")

        @lt.effect
        async def work():
            await asyncio.sleep(0)
            started.value = "yes"
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                events.append("cancelled")
                raise
            finally:
                await asyncio.sleep(0.01)
                events.append("closed")

        return ui.p(started)

    visit = serve(page)
    page = visit()
    page.shows("yes")
    page.close()
    deadline = time.monotonic() + 10
    while len(events) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert events == ["cancelled", "closed"]


def test_the_end_of_the_server_cancels_and_waits_for_the_cleanup(serve, caplog):
    events = []

    @lt.component
    def page():
        state = lt.signal("no")

        @lt.async_memo
        async def rows():
            state.peek()
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(0.1)
                state.value = "gone"  # its session has ended: an error that nobody needs to see
                events.append("never")

        @lt.effect
        async def work():
            await asyncio.sleep(0)
            state.value = "yes"
            try:
                await asyncio.sleep(1000)
            finally:
                await asyncio.sleep(0.1)
                events.append("closed")

        return ui.p(state, lambda: rows.loading)

    visit = serve(page)
    visit().shows("yes")
    visit().shows("yes")
    visit.server.stop()
    assert events == ["closed", "closed"]
    assert loop_threads() == []
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_errors_are_shown_where_the_component_is(serve):
    @lt.component
    def page():
        go = lt.signal(0)

        @lt.effect
        async def fails():
            if go.value:
                await asyncio.sleep(0)
                raise ValueError("no such row")

        @lt.async_memo
        async def rows():
            asked = go.value
            await asyncio.sleep(0)
            if asked:
                raise KeyError("k")

        return ui.div(
            ui.p(lambda: f"error {rows.error!r}"),
            ui.button("go", on_click=lambda: setattr(go, "value", 1)),
        )

    page = serve(page)()
    page.shows("error None")
    page.click("go")
    page.shows("error KeyError('k')")
    page.wait_until(lambda: page.errors)
    (shown,) = page.errors.values()
    assert "ValueError: no such row" in shown
    assert "test_async.py" in shown


def test_module_level_ones_are_per_session(serve):
    name = lt.signal("nobody")

    @lt.async_memo
    async def greeting(track):
        await asyncio.sleep(0)
        return f"hello {track(name)}"

    @lt.component
    def page():
        return ui.div(
            ui.p(lambda: greeting.latest or "-"),
            ui.button("ada", on_click=lambda: setattr(name, "value", "ada")),
        )

    visit = serve(page)
    first, second = visit(), visit()
    first.shows("hello nobody")
    second.shows("hello nobody")
    first.click("ada")
    first.shows("hello ada")
    second.settle()
    assert "hello nobody" in second.text


def test_app_scoped_state_is_read_and_written_from_steps(serve):
    visits = lt.signal(0, scope="app")

    @lt.component
    def page():
        @lt.effect
        async def count():
            await asyncio.sleep(0)
            visits.update(lambda n: n + 1)

        @lt.async_memo
        async def shown(track):
            await asyncio.sleep(0)
            return f"visits {track(visits)}"

        return ui.p(lambda: shown.latest or "-")

    visit = serve(page)
    first = visit()
    first.shows("visits 1")
    visit().shows("visits 2")
    first.shows("visits 2")


def test_context_variables_and_await_of_another_memo(serve):
    user = contextvars.ContextVar("user", default="nobody")

    @lt.component
    def page():
        @lt.async_memo
        async def slow():
            await asyncio.sleep(0.01)
            return user.get()

        @lt.async_memo
        async def shout():
            return (await slow).upper()

        return ui.p(lambda: shout.latest or "-")

    serve(page)().shows("NOBODY")


def test_state_in_a_child_task_is_refused_by_name(serve):
    @lt.component
    def page():
        count = lt.signal(3)
        module_level.peek()

        @lt.async_memo
        async def rows():
            async def child(read):
                await asyncio.sleep(0)
                try:
                    return read()
                except lt.AccessError as error:
                    return str(error)

            return await asyncio.gather(child(count.peek), child(module_level.peek))

        return ui.p(lambda: "|".join(rows.latest or []))

    module_level = lt.signal(1)
    page = serve(page)()
    page.wait_until(lambda: page.text.count("asyncio loop outside of any session") == 2)
    assert "'count' is used on the app's asyncio loop" in page.text


def test_in_session_works_from_a_child_task(serve):
    @lt.component
    def page():
        seen = lt.signal("-")

        @lt.effect
        async def work():
            show = lt.in_session(lambda text: setattr(seen, "value", text))

            async def child():
                await asyncio.sleep(0)
                show("from the child")

            await asyncio.create_task(child())

        return ui.p(seen)

    serve(page)().shows("from the child")


def test_many_sessions_and_steps_at_once(serve):
    @lt.component
    def page():
        limit = lt.signal(0)
        total = lt.signal(0)

        @lt.async_memo
        async def rows(track):
            for _ in range(3):
                await asyncio.sleep(0)
            return track(limit) * 10

        @lt.effect
        async def add():
            step = limit.value
            await asyncio.sleep(0)
            total.value = total.peek() + step

        def more():
            limit.value += 1

        return ui.div(ui.p(lambda: f"<{rows.latest}>"), ui.button("more", on_click=more))

    visit = serve(page)
    pages = [visit() for _ in range(12)]
    for page in pages:
        page.shows("<0>")
    for _ in range(5):
        for page in pages:
            page.click("more")
    for page in pages:
        page.shows("<50>")
        assert page.errors == {}


def test_visitors_that_come_and_go_leave_no_run_behind(serve):
    @lt.component
    def page():
        @lt.async_memo
        async def rows():
            await asyncio.sleep(0.005)
            return "there"

        @lt.effect
        async def forever():
            while True:
                await asyncio.sleep(0.001)

        return ui.p(lambda: rows.latest or "-")

    visit = serve(page)
    for _ in range(5):
        page = visit()
        page.shows("there")
        page.close()
    visit.server.stop()
    gc.collect()
    assert not any(isinstance(o, _coroutine.CoroutineRun) for o in gc.get_objects())
    assert not _coroutine._tasks


def test_after_the_stop_nothing_starts(serve):
    loop = _coroutine.AppLoop()
    loop.loop()
    loop.stop()
    loop.stop()
    with pytest.raises(lt.AccessError, match="the app is stopping"):
        loop.loop()


# --- async handlers


def test_an_async_handler_updates_the_page_at_each_step(serve):
    seen = []

    @lt.component
    def page():
        state = lt.signal("idle")

        async def save(event):
            state.value = f"saving after {event.type}"
            seen.append((threading.current_thread().name, lt.session() is not None))
            await asyncio.sleep(0.03)
            state.value = "half"
            await asyncio.sleep(0.03)
            state.value = "saved"

        return ui.div(ui.p(state), ui.button("save", on_click=save))

    page = serve(page)()
    frames = page.frames
    page.click("save")
    page.shows("saving after click")
    page.shows("half")
    page.shows("saved")
    assert page.frames == frames + 3
    assert seen == [("lattice asyncio", True)]


def test_the_next_event_waits_for_an_async_handler(serve):
    @lt.component
    def page():
        log = lt.signal("")

        async def slow():
            log.value += "("
            await asyncio.sleep(0.05)
            log.value += ")"

        def quick():
            log.value += "."

        return ui.div(
            ui.p(log),
            ui.button("slow", on_click=slow),
            ui.button("quick", on_click=quick),
            ui.button("both", on_click=lt.on(slow, concurrent=True)),
            ui.button("lambda", on_click=lambda: slow()),
        )

    visit = serve(page)
    page = visit()
    for name in ("slow", "quick", "slow", "lambda", "quick"):
        page.click(name)
    page.shows("().()().")
    other = visit()
    for name in ("both", "quick", "both", "quick"):
        other.click(name)
    other.shows("(.(.))")


def test_other_sessions_do_not_wait(serve):
    @lt.component
    def page():
        log = lt.signal("-")

        async def slow():
            log.value = "begun"
            await asyncio.sleep(1000)

        return ui.div(
            ui.p(log),
            ui.button("slow", on_click=slow),
            ui.button("quick", on_click=lambda: setattr(log, "value", "quick")),
        )

    visit = serve(page)
    first, second = visit(), visit()
    first.click("slow")
    first.shows("begun")
    first.click("quick")
    second.click("quick")
    second.shows("quick", seconds=5)
    first.settle()
    assert "begun" in first.text


@pytest.mark.parametrize("waits", [0, 1])
def test_what_an_async_handler_raises_is_shown_at_its_place(serve, waits):
    @lt.component
    def page():
        count = lt.signal(0)

        async def fail():
            for _ in range(waits):
                await asyncio.sleep(0)
            raise ValueError("cannot save")

        return ui.div(
            ui.p(count),
            ui.button("fail", on_click=fail),
            ui.button("more", on_click=lambda: setattr(count, "value", count.value + 1)),
        )

    page = serve(page)()
    page.click("fail")
    page.wait_until(lambda: page.errors)
    ((node, shown),) = page.errors.items()
    assert node == page.find("button", "fail").id
    assert "ValueError: cannot save" in shown
    assert "in fail: raise ValueError" in shown
    page.click("more")
    page.shows("1")


def test_the_end_of_the_session_cancels_its_handlers(serve):
    events = []

    @lt.component
    def page():
        state = lt.signal("-")

        async def work():
            state.value = "working"
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                events.append("cancelled")
                raise

        return ui.div(ui.p(state), ui.button("work", on_click=work))

    visit = serve(page)
    page = visit()
    page.click("work")
    page.shows("working")
    page.close()
    deadline = time.monotonic() + 10
    while not events and time.monotonic() < deadline:
        time.sleep(0.01)
    assert events == ["cancelled"]


def test_more_events_than_the_socket_takes_at_once_wait_in_order(serve):
    @lt.component
    def page():
        log = lt.signal(0)

        async def slow():
            await asyncio.sleep(0.2)
            log.value = 1

        def quick():
            log.value = log.value * 2 % 1_000_003

        return ui.div(
            ui.p(log), ui.button("slow", on_click=slow), ui.button("quick", on_click=quick)
        )

    page = serve(page)()
    page.click("slow")
    for _ in range(300):
        page.click("quick")
    page.shows(str(pow(2, 300, 1_000_003)))


# --- not ready


def test_what_is_not_ready_is_not_shown_yet(serve):
    @lt.component
    def part():
        @lt.async_memo
        async def title():
            await asyncio.sleep(0.02)
            return "Part"

        return ui.h2(title.value.upper())  # the body runs again when it is there

    @lt.component
    def page():
        @lt.async_memo
        async def name():
            await asyncio.sleep(0.02)
            return "Ada"

        return ui.div(
            ui.p("hello ", name),
            ui.p(lambda: f"{len(name.value)} letters", title=lambda: name.value),
            part(),
        )

    page = serve(page)()
    assert "<p>hello " in page.html
    assert "lattice-error" not in page.html
    page.shows("hello Ada3 lettersPART")
    assert page.find("p", "3 letters").attributes["title"] == "Ada"
    assert page.errors == {}
