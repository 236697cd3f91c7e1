# SPDX-License-Identifier: MIT
"""A served app and a visitor's page without a browser: real HTTP and WebSocket."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import struct
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest

import lattice as lt

TEXT, SET_ATTR, SET_PROP, SET_STYLE, SET_CLASS = 0x01, 0x02, 0x03, 0x04, 0x05
INSERT, REMOVE, MOVE, LISTEN, UNLISTEN, INPUT_VALUE = 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B
RESET, TITLE, ERROR, CLEAR_ERROR = 0x60, 0x61, 0x70, 0x71


class Reader:
    """Values of a frame, see protocol/README.md."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self) -> str:
        size = self.varint()
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def value(self) -> object:
        tag = self.byte()
        if tag < 3:
            return (None, False, True)[tag]
        if tag == 3:
            number = self.varint()
            return (number >> 1) ^ -(number & 1)
        if tag == 4:
            self.at += 8
            return struct.unpack("<d", self.data[self.at - 8 : self.at])[0]
        return self.text()


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def string(text: str) -> bytes:
    return varint(len(text.encode())) + text.encode()


class Node:
    def __init__(self, id: int, tag: str, text: str = "") -> None:
        self.id, self.tag, self.own_text = id, tag, text
        self.attributes: dict[str, object] = {}
        self.children: list[Node] = []
        self.parent: Node | None = None

    @property
    def text(self) -> str:
        return self.own_text + "".join(child.text for child in self.children)


class Page:
    """One visitor's page: asks for the document, opens the socket, follows its frames."""

    def __init__(self, url: str) -> None:
        self.html = urllib.request.urlopen(url, timeout=10).read().decode()
        boot = json.loads(
            re.search(r'id="lattice-boot">(.*?)</script>', self.html, re.DOTALL).group(1)
        )
        self.root = Node(0, "root")
        self.nodes = {0: self.root}
        self.atoms: list[str] = []
        self.errors: dict[int, str] = {}
        self.frames = self.sent = self.seen = 0
        self.closed: int | None = None
        self.received = b""
        port = int(re.search(r":(\d+)", url).group(1))
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET {boot['socket']} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        while b"\r\n\r\n" not in self.received:
            self.received += self.socket.recv(4096)
        answer, self.received = self.received.split(b"\r\n\r\n", 1)
        assert b" 101 " in answer, answer
        self.send(b"\x01\x01" + string(boot["token"]) + varint(0))  # so the tree is sent
        self.wait_until(lambda: self.frames)

    # --- the socket

    def send(self, payload: bytes) -> None:
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([0x82, 0x80 | size]) if size < 126 else struct.pack(">BBH", 0x82, 0xFE, size)
        body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(head + mask + body)

    def take(self, count: int) -> bytes:
        while len(self.received) < count:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("closed")
            self.received += more
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def receive(self, seconds: float) -> bool:
        """One frame, if one comes in time."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            if not self.received:
                self.received = self.socket.recv(65536)
                if not self.received:
                    self.closed = self.closed or 1006
                    return False
        except TimeoutError:
            return False
        self.socket.settimeout(10)
        first, size = self.take(2)
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
        payload = self.take(size)
        if first & 15 == 8:
            self.closed = struct.unpack(">H", payload[:2])[0]
        elif first & 15 == 2:
            self.apply(Reader(payload))
        return True

    def wait_until(self, is_true: Callable[[], object], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not is_true():
            left = deadline - time.monotonic()
            if left <= 0 or self.closed:
                raise AssertionError(f"not in time: {self.text!r} {self.errors} {self.closed}")
            self.receive(min(left, 0.05))

    def settle(self, seconds: float = 0.2) -> None:
        while self.receive(seconds):
            pass

    def close(self) -> None:
        self.socket.close()

    # --- frames

    def apply(self, frame: Reader) -> None:
        assert frame.byte() == 1
        self.seen = frame.varint()
        frame.varint()
        self.frames += 1
        while frame.at < len(frame.data):
            self.operation(frame)

    def atom(self, frame: Reader) -> str:
        number = frame.varint()
        if number == 0:
            self.atoms.append(frame.text())
            return self.atoms[-1]
        return self.atoms[number - 1]

    def operation(self, frame: Reader) -> None:
        code = frame.byte()
        if code in (RESET, TITLE):
            if code == RESET:
                self.root.children, self.nodes = [], {0: self.root}
            else:
                frame.text()
            return
        node = self.nodes[frame.varint()]
        if code == TEXT:
            node.own_text = frame.text()
        elif code in (SET_ATTR, SET_PROP, SET_STYLE, SET_CLASS, LISTEN):
            self.data(frame, code, node)
        elif code == INSERT:
            before = frame.varint()
            tree, _ = self.tree(frame, frame.varint())
            self.place(tree, node, before)
        elif code == REMOVE:
            node.parent.children.remove(node)
        elif code == MOVE:
            node.parent.children.remove(node)
            parent = self.nodes[frame.varint()]
            self.place(node, parent, frame.varint())
        elif code == UNLISTEN:
            self.atom(frame)
        elif code == INPUT_VALUE:
            frame.varint()
            node.attributes["value"] = frame.value()
        elif code == ERROR:
            self.errors[node.id] = frame.text() + frame.text()
        elif code == CLEAR_ERROR:
            self.errors.pop(node.id, None)
        else:
            raise AssertionError(f"opcode {code}")

    def data(self, frame: Reader, code: int, node: Node) -> None:
        name = self.atom(frame)
        if code in (SET_ATTR, SET_PROP):
            node.attributes[name] = frame.value()
        elif code == SET_STYLE:
            frame.value()
        elif code == SET_CLASS:
            frame.byte()
        else:
            flags = frame.byte()
            for flag in (4, 8):
                if flags & flag:
                    frame.varint()
            if flags & 16:
                for _ in range(frame.varint()):
                    frame.text()

    def tree(self, frame: Reader, id: int) -> tuple[Node, int]:
        kind = frame.byte()
        node = self.nodes[id] = Node(id, "#text" if kind == 1 else "lattice-html")
        next_id = id + 1
        if kind != 0:
            node.own_text = frame.text()
            return node, next_id
        node.tag = self.atom(frame)
        for _ in range(frame.varint()):
            self.data(frame, frame.byte(), node)
        for _ in range(frame.varint()):
            child, next_id = self.tree(frame, next_id)
            self.place(child, node, 0)
        return node, next_id

    def place(self, node: Node, parent: Node, before: int) -> None:
        node.parent = parent
        if before == 0:
            parent.children.append(node)
        else:
            parent.children.insert(parent.children.index(self.nodes[before]), node)

    # --- what a test says

    @property
    def text(self) -> str:
        return self.root.text

    def find(self, tag: str, text: str | None = None) -> Node:
        todo = [self.root]
        while todo:
            node = todo.pop(0)
            if node.tag == tag and (text is None or node.text == text):
                return node
            todo = node.children + todo
        raise AssertionError(f"no <{tag}> with {text!r} in {self.text!r}")

    def fire(self, node: Node, kind: str, fields: bytes = b"") -> None:
        self.sent += 1
        head = b"\x01\x02" + varint(self.sent) + varint(self.seen) + varint(node.id)
        self.send(head + string(kind) + fields)

    def click(self, text: str) -> None:
        self.fire(self.find("button", text), "click", b"\x04\x00\x00\x00\x00")

    def shows(self, text: str, seconds: float = 10) -> None:
        """Waits until the page's text contains `text`."""
        self.wait_until(lambda: text in self.text, seconds)


@pytest.fixture
def serve() -> Iterator[Callable[..., Callable[[], Page]]]:
    """``visit = serve(component)``; each ``visit()`` is a new visitor's page."""
    servers, pages = [], []

    def start(component: object, **options: object) -> Callable[[], Page]:
        server = lt.App(component).start(port=0, dev=True, **options)
        servers.append(server)

        def visit() -> Page:
            pages.append(Page(server.url))
            return pages[-1]

        visit.server = server
        return visit

    yield start
    for page in pages:
        page.close()
    for server in servers:
        server.stop()
