# SPDX-License-Identifier: MIT
"""Bad input on the wire: what is refused, and that nobody else notices."""

from __future__ import annotations

import http.client
import json

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

COUNTER = """
@lt.component
def main():
    count = lt.signal(0)
    return ui.main(ui.p(count), ui.button("+1", on_click=add(count)))
"""


@pytest.fixture(scope="module")
def server(serve_for_all):
    return serve_for_all(COUNTER)


KEEP_SOCKET = """
    const Real = WebSocket;
    window.WebSocket = class extends Real {
        constructor(url) { super(url); window.socket = this; }
    };
"""
# Opens a second socket from the page, sends one message; gives the code that it was closed with.
CLOSE_CODE = """message => new Promise(resolve => {
    const socket = new WebSocket(location.href.replace('http', 'ws') + '_lattice/ws');
    // Bytes, or so many of them.
    const data = typeof message === 'string' ? message : new Uint8Array(message);
    socket.onopen = () => socket.send(data);
    socket.onclose = event => resolve(event.code);
})"""


def works(page):
    before = int(page.locator("p").inner_text())
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text(str(before + 1))


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", 403), ("null", 403), ("http://127.0.0.1:1", 403), (None, 101)],
)
def test_a_socket_is_opened_only_for_pages_of_this_server(server, open_page, origin, status):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    if origin is not None:
        headers["Origin"] = origin
    connection.request("GET", "/_lattice/ws", headers=headers)
    assert connection.getresponse().status == status
    connection.close()
    works(open_page(server))


def test_a_name_that_someone_pointed_at_this_machine_is_refused(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", "/", headers={"Host": f"evil.example:{server.port}"})
    assert connection.getresponse().status == 421
    connection.close()


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ([], 1002),
        ([9, 9, 9], 1002),
        ([1, 1, 3, 0x61], 1002),
        ([1, 2, 1, 0, 1, 5, *b"click"], 1002),
        ([1, 99], 1002),
        ("text", 1003),
        ([1, 1, 2, 0xFF, 0xFE, 0], 1007),
        (2 << 20, 1009),
        ([1, 1, 4, *b"none", 0], 4001),
    ],
    ids=[
        "empty",
        "version",
        "truncated",
        "event before hello",
        "unknown kind",
        "text",
        "utf8",
        "oversized",
        "unknown token",
    ],
)
def test_a_malformed_message_closes_that_socket_with_its_code(server, open_page, message, code):
    page = open_page(server)
    assert page.evaluate(CLOSE_CODE, message) == code
    works(page)


def test_garbage_on_a_live_connection_ends_that_session_only(server, open_page, until):
    bystander = open_page(server)
    works(bystander)
    page = open_page(server, before=lambda page: page.add_init_script(KEEP_SOCKET))
    works(page)
    page.evaluate("window.old = true; socket.send(new Uint8Array([7, 7, 7]))")
    until(page, "window.old === undefined && window.lattice?.stats.frames > 0")
    expect(page.locator("p")).to_have_text("0")
    works(page)
    works(bystander)
    assert server.count("Traceback") == 0


def test_an_event_for_an_unknown_node_is_dropped_and_counted_on(server, open_page, settle):
    page = open_page(server, before=lambda page: page.add_init_script(KEEP_SOCKET))
    event = [1, 2, 1, 1, 0xFF, 0x7F, 5, *b"click"]
    page.evaluate(
        "bytes => { lattice.stats.eventsSent += 1; socket.send(new Uint8Array(bytes)); }", event
    )
    works(page)
    settle(page)


def test_a_token_is_good_for_one_connection(server, open_page):
    page = open_page(server)
    token = json.loads(page.locator("#lattice-boot").text_content())["token"]
    hello = [1, 1, len(token), *token.encode(), 0]
    assert page.evaluate(CLOSE_CODE, hello) == 4001
    works(page)


def test_healthz_answers(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    assert (answer.status, answer.read().strip()) == (200, b"ok")
    connection.close()
