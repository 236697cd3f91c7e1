# SPDX-License-Identifier: MIT
"""Whose state is it: tabs, what they share, and what a restart of the server leaves."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

COUNTERS = """
module_count = lt.signal(0)
module_doubled = lt.memo(lambda: module_count.value * 2)
shared = lt.signal(0, scope="app")

@lt.component
def main():
    own = lt.signal(0)
    return ui.main(
        ui.p(lt.session().id, id="id"),
        ui.button("own ", own, on_click=add(own), id="own"),
        ui.button("module ", module_count, " ", module_doubled,
                  on_click=add(module_count), id="module"),
        ui.button("shared ", shared, on_click=add(shared), id="shared"))
"""


def test_two_tabs_have_component_state_of_their_own(serve, open_page):
    server = serve(COUNTERS)
    one, two = open_page(server), open_page(server)
    one.locator("#own").click()
    one.locator("#own").click()
    two.locator("#own").click()
    expect(one.locator("#own")).to_have_text("own 2")
    expect(two.locator("#own")).to_have_text("own 1")


def test_two_tabs_have_module_level_state_of_their_own(serve, open_page):
    server = serve(COUNTERS)
    one, two = open_page(server), open_page(server)
    one.locator("#module").click()
    one.locator("#module").click()
    two.locator("#module").click()
    expect(one.locator("#module")).to_have_text("module 2 4")
    expect(two.locator("#module")).to_have_text("module 1 2")
    expect(open_page(server).locator("#module")).to_have_text("module 0 0")


def test_app_scoped_state_is_seen_by_both_tabs_at_once(serve, open_page):
    server = serve(COUNTERS)
    one, two = open_page(server), open_page(server)
    one.locator("#shared").click()
    expect(one.locator("#shared")).to_have_text("shared 1")
    expect(two.locator("#shared")).to_have_text("shared 1")
    two.locator("#shared").click()
    expect(one.locator("#shared")).to_have_text("shared 2")
    expect(open_page(server).locator("#shared")).to_have_text("shared 2")


def test_concurrent_updates_of_app_scoped_state_lose_nothing(serve, open_page):
    server = serve(COUNTERS)
    tabs = [open_page(server) for _ in range(3)]
    for tab in tabs:
        tab.locator("#shared").evaluate(
            "button => { for (let i = 0; i < 20; ++i) button.click(); }"
        )
    for tab in tabs:
        expect(tab.locator("#shared")).to_have_text("shared 60")


def test_a_handler_reads_its_own_write_of_app_scoped_state(serve, open_page):
    server = serve("""
        shared = lt.signal(0, scope="app")

        @lt.component
        def main():
            seen = lt.signal("")
            def go():
                before = shared.value
                shared.update(lambda n: n + 5)
                seen.value = f"{before} {shared.value}"
            return ui.main(ui.p(seen), ui.button("go", on_click=go))
    """)
    page = open_page(server)
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text("0 5")
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text("5 10")


def test_a_memo_of_app_scoped_state_is_seen_by_both(serve, open_page):
    server = serve("""
        messages = lt.signal((), scope="app")
        count = lt.memo(lambda: len(messages.value), scope="app")

        @lt.component
        def main():
            def say():
                messages.update(lambda all: (*all, "hi"))
            return ui.main(ui.p(count), ui.button("say", on_click=say))
    """)
    one, two = open_page(server), open_page(server)
    for tab in (one, two, one):
        tab.get_by_role("button").click()
    for tab in (one, two):
        expect(tab.locator("p")).to_have_text("3")


def test_session_ids_differ(serve, open_page):
    server = serve(COUNTERS)
    ids = {open_page(server).locator("#id").inner_text() for _ in range(3)}
    assert len(ids) == 3
    assert all(ids)


def test_a_closed_tab_runs_the_cleanups_of_its_session(serve, open_page):
    server = serve("""
        present = lt.signal({}, scope="app")

        @lt.component
        def main():
            me = lt.session().id
            @lt.effect
            def join():
                present.update(lambda all: {**all, me: True})
                lt.on_cleanup(lambda: present.update(lambda all: {k: 1 for k in all if k != me}))
            return ui.main(ui.p(lambda: len(present.value)), ui.button("-", on_click=lambda: None))
    """)
    one = open_page(server)
    expect(one.locator("p")).to_have_text("1")
    two = open_page(server)
    expect(one.locator("p")).to_have_text("2")
    expect(two.locator("p")).to_have_text("2")
    two.close()
    expect(one.locator("p")).to_have_text("1")


def test_a_page_that_is_never_connected_runs_no_user_effect(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            @lt.effect
            def greet(): print("effect ran", flush=True)
            return ui.main(ui.p("text"), ui.button("-", on_click=lambda: None))
    """)
    open_page(
        server,
        before=lambda page: page.route(
            "**/_lattice/client-*.js",
            lambda route: route.fulfill(body="", content_type="text/javascript"),
        ),
        connected=False,
    )
    assert server.count("effect ran") == 0
    open_page(server)
    server.wait_for("effect ran")
    assert server.count("effect ran") == 1


def test_after_a_restart_the_page_comes_back_by_itself_and_fresh(serve, open_page, complaints):
    complaints.allow("ERR_CONNECTION_REFUSED")
    complaints.allow("WebSocket connection")
    server = serve(COUNTERS)
    page = open_page(server)
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")
    old_id = page.locator("#id").inner_text()
    page.evaluate("window.old = true")
    assert server.stop() == 0
    expect(page.get_by_role("status")).to_contain_text("Reconnecting")
    server.start()
    expect(page.locator("#own")).to_have_text("own 0", timeout=15_000)
    assert page.evaluate("window.old") is None
    assert page.locator("#id").inner_text() != old_id
    expect(page.get_by_role("status")).to_have_text("")
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_with_open_pages_is_quick_and_clean(serve, open_page, complaints, number):
    complaints.allow("ERR_CONNECTION_REFUSED")
    complaints.allow("WebSocket connection")
    server = serve(COUNTERS)
    open_page(server)
    open_page(server)
    started = time.monotonic()
    assert server.stop(number) == 0
    assert time.monotonic() - started < 5
    assert server.count("Traceback") == 0


def test_a_stop_waits_for_a_running_handler_and_runs_cleanups(serve, open_page, complaints):
    complaints.allow("ERR_CONNECTION_REFUSED")
    complaints.allow("WebSocket connection")
    server = serve("""
        @lt.component
        def main():
            @lt.effect
            def stay(): lt.on_cleanup(lambda: print("cleaned up", flush=True))
            def work():
                print("begun", flush=True)
                time.sleep(0.7)
                print("done", flush=True)
            return ui.main(ui.button("work", on_click=work))
    """)
    page = open_page(server)
    page.get_by_role("button").click()
    server.wait_for("begun")
    assert server.stop() == 0
    assert server.count("done") == 1
    assert server.count("cleaned up") == 1


def test_a_slow_handler_is_logged_with_its_stack_while_other_tabs_react(serve, open_page):
    server = serve("""
        def take_a_nap(): time.sleep(2.5)

        @lt.component
        def main():
            count = lt.signal(0)
            return ui.main(
                ui.p(count),
                ui.button("nap", on_click=take_a_nap),
                ui.button("+1", on_click=add(count)))
    """)
    one, two = open_page(server), open_page(server)
    one.get_by_role("button", name="nap").click()
    time.sleep(0.1)
    started = time.monotonic()
    two.get_by_role("button", name="+1").click()
    expect(two.locator("p")).to_have_text("1")
    assert time.monotonic() - started < 1
    server.wait_for("has been running for", 4)
    server.wait_for("take_a_nap", 1)
    one.get_by_role("button", name="+1").click()
    expect(one.locator("p")).to_have_text("1")


def test_another_thread_updates_a_page_through_in_session(serve, open_page):
    server = serve("""
        import threading

        @lt.component
        def main():
            count = lt.signal(0)
            def start():
                step = lt.in_session(add(count))
                threading.Thread(target=lambda: (time.sleep(0.1), step())).start()
            return ui.main(ui.p(count), ui.button("start", on_click=start))
    """)
    page = open_page(server)
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text("1")


def test_a_reload_gives_a_fresh_session(serve, open_page):
    server = serve(COUNTERS)
    page = open_page(server)
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")
    page.reload()
    expect(page.locator("#own")).to_have_text("own 0")


def test_a_page_whose_session_is_unknown_loads_itself_anew(serve, context, complaints, until):
    complaints.allow("ERR_CONNECTION_REFUSED")
    server = serve(COUNTERS)
    page = context.new_page()
    complaints.watch(page)
    held = []
    page.route("**/_lattice/client-*.js", lambda route: held.append(route), times=1)
    page.goto(server.url, wait_until="commit")
    old_id = page.locator("#id").inner_text()
    server.stop()
    server.start()
    held[0].continue_()
    until(page, "(window.lattice?.stats.frames ?? 0) > 0")
    assert page.locator("#id").inner_text() != old_id
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")


def test_after_a_kill_the_page_comes_back_too(serve, open_page, complaints):
    complaints.allow("ERR_CONNECTION_REFUSED")
    complaints.allow("WebSocket connection")
    server = serve(COUNTERS)
    page = open_page(server)
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")
    server.stop(signal.SIGKILL)
    server.start()
    expect(page.locator("#own")).to_have_text("own 0", timeout=15_000)
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")


def test_going_away_and_back_gives_a_working_page(serve, open_page, until):
    server = serve(COUNTERS)
    page = open_page(server)
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")
    page.goto(server.url + "/healthz")
    page.go_back()
    expect(page.locator("#own")).to_have_text("own 0")
    until(page, "(window.lattice?.stats.frames ?? 0) > 0")
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")


def live_sessions(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", "/healthz", headers={"Accept": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer["sessions_live"]


def test_closed_and_reloaded_tabs_leave_no_session_behind(serve, open_page, until):
    server = serve(COUNTERS)
    keep, page = open_page(server), open_page(server)
    for _ in range(10):
        page.reload()
        until(page, "(window.lattice?.stats.frames ?? 0) > 0")
    page.close()
    end = time.monotonic() + 5
    while live_sessions(server) != 1:
        assert time.monotonic() < end
        time.sleep(0.02)
    keep.locator("#own").click()
    expect(keep.locator("#own")).to_have_text("own 1")


def test_a_session_may_not_be_read_from_another_thread_by_accident(serve, open_page):
    server = serve("""
        import threading

        @lt.component
        def main():
            count, seen = lt.signal(0), lt.signal("")
            def start():
                told = lt.in_session(lambda text: setattr(seen, "value", text))
                def work():
                    try:
                        count.value += 1
                        told("written")
                    except Exception as error:
                        told(type(error).__name__ + ": " + str(error))
                threading.Thread(target=work).start()
            return ui.main(ui.p(seen), ui.button("start", on_click=start), ui.b(count))
    """)
    page = open_page(server)
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text(re.compile("in_session|written"))
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text(re.compile("in_session|written"))


def test_a_page_is_served_over_tls(serve, browser, tmp_path, until):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make a certificate with")
    subprocess.run([*make, *names], check=True, capture_output=True)
    server = serve(COUNTERS, options=["--ssl-cert", str(certificate), "--ssl-key", str(key)])
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"https://127.0.0.1:{server.port}")
    until(page, "(window.lattice?.stats.frames ?? 0) > 0")
    page.locator("#own").click()
    expect(page.locator("#own")).to_have_text("own 1")
    context.close()


def test_an_edit_of_the_app_file_reaches_the_open_page(serve, open_page, complaints, tmp_path):
    complaints.allow("ERR_CONNECTION_REFUSED")
    complaints.allow("WebSocket connection")
    source = """
        @lt.component
        def main(): return ui.main(ui.h1("before"), ui.button("-", on_click=lambda: None))
    """
    with socket.socket() as probe:  # a port of its own: 0 would be another one after the reload
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = serve(source, options=["--reload", "--port", str(port)])
    page = open_page(server)
    expect(page.locator("h1")).to_have_text("before")
    [file] = tmp_path.glob("served_*.py")
    file.write_text(file.read_text().replace("before", "after"))
    expect(page.locator("h1")).to_have_text("after", timeout=15_000)
