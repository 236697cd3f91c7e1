# SPDX-License-Identifier: MIT
"""The first room: peers of four kinds edit one document, are cut off and come back.

Two processes with `lattice.Room`, a node process with npm's y-websocket, one with pycrdt's own
provider, and two tabs of a page. The seed of the edits is printed; LATTICE_SEED sets it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PEERS = Path(__file__).resolve().parents[1] / "rooms" / "peers"
PATIENCE_SECONDS = 30
STEPS = 120

APP = """
room = lt.Room("board")

@lt.component
def main():
    room.set_local_presence({"name": "tab"})
    body, notes, color = room.text("body"), room.list("notes"), room.signal("color", "none")
    return ui.div(
        ui.textarea(value=body, id="body"),
        ui.ul(ui.For(lambda: list(enumerate(notes.value)), key=lambda pair: pair[0],
                     render=lambda pair: ui.li(str(pair[1])))),
        ui.button("note", on_click=lambda: notes.append("tab")),
        ui.input(value=color, id="color"),
        ui.p(lambda: str(len(room.presence)), id="here"),
    )
"""


class Peer:
    """A process that takes commands as JSON lines."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, do: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the {self.name} peer ended at {do}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


def eventually(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"did not happen in {PATIENCE_SECONDS} s: {what()}")
        time.sleep(0.05)


@pytest.fixture
def peers() -> Iterator[Callable[[str, str], Peer]]:
    started: list[Peer] = []

    def start(name: str, address: str) -> Peer:
        if name == "node":
            if shutil.which("node") is None or not (PEERS / "node_modules").is_dir():
                pytest.skip("the npm packages of tests/rooms/peers are not installed")
            command = ["node", str(PEERS / "peer.mjs"), address, "board"]
        else:
            if name == "pycrdt" and importlib.util.find_spec("pycrdt") is None:
                pytest.skip("pycrdt is not installed")
            file = "pycrdt_peer.py" if name == "pycrdt" else "lattice_peer.py"
            command = [sys.executable, str(PEERS / file), address, "board"]
        started.append(Peer(name, command))
        return started[-1]

    yield start
    for peer in started:
        peer.end()


def edit(peer: Peer, choose: random.Random, step: int) -> None:
    kind = choose.randrange(8)
    if kind < 4:
        peer("insert", at=choose.randrange(200), text=choose.choice("abcdefgh") * 3)
    elif kind < 6:
        peer("erase", at=choose.randrange(200), count=choose.randrange(1, 4))
    elif kind == 6:
        peer("push", value=f"{peer.name}{step}")
    else:
        peer("set", key="color", value=f"{peer.name}{step}")


def test_peers_of_four_kinds_end_with_one_document(
    serve: Any, open_page: Any, peers: Callable[[str, str], Peer]
) -> None:
    seed = int(os.environ.get("LATTICE_SEED", "20261124"))
    print(f"LATTICE_SEED={seed}")
    choose = random.Random(seed)
    server = serve(APP)
    address = f"ws://127.0.0.1:{server.port}/rooms"
    tabs = [open_page(server), open_page(server)]
    kinds = ("lattice", "lattice", "node", "pycrdt")
    everyone = [peers(name, address) for name in kinds]
    for peer in everyone:
        peer("connect")
        if peer.name != "pycrdt":
            peer("presence", state={"name": peer.name})
    away: set[int] = set()
    for step in range(STEPS):
        number = choose.randrange(len(everyone))
        edit(everyone[number], choose, step)
        if step % 10 == 4:
            # Out, or in again.
            number = choose.randrange(len(everyone))
            everyone[number]("connect" if number in away else "disconnect")
            away ^= {number}
        if step % 10 == 7:
            tab = choose.choice(tabs)
            field = tab.locator("#body")
            field.focus()
            tab.keyboard.press("End")
            tab.keyboard.type("T")
            tab.get_by_role("button", name="note").click()
        if step == STEPS // 2:
            tabs[0].reload()
    for number in sorted(away):
        everyone[number]("connect")

    def contents() -> list[Any]:
        found = []
        for peer in everyone:
            state = peer("read")
            found.append((state["body"], state["notes"], state["signals"].get("color")))
        for tab in tabs:
            items = tab.get_by_role("listitem").all_inner_texts()
            found.append(
                (tab.locator("#body").input_value(), items, tab.locator("#color").input_value())
            )
        return found

    eventually(lambda: all(one == contents()[0] for one in contents()), contents)
    body, notes, color = contents()[0]
    assert color
    assert "T" in body
    assert "tab" in notes

    def presences() -> list[int]:
        counts = [len(peer("read")["presence"]) for peer in everyone if peer.name != "pycrdt"]
        return counts + [int(tab.locator("#here").inner_text()) for tab in tabs]

    # Three peers with presence, two tabs; whoever has gone is not shown.
    eventually(lambda: all(count == 5 for count in presences()), presences)
    everyone[2]("end")
    eventually(
        lambda: int(tabs[0].locator("#here").inner_text()) == 4,
        lambda: tabs[0].locator("#here").inner_text(),
    )


def test_malformed_and_oversized_messages_close_that_peer_only(
    serve: Any, open_page: Any, peers: Callable[[str, str], Peer]
) -> None:
    server = serve(APP)
    address = f"ws://127.0.0.1:{server.port}/rooms"
    node, other = peers("node", address), peers("lattice", address)
    node("connect")
    other("connect")
    node("insert", at=0, text="fine")
    eventually(lambda: other("read")["body"] == "fine", lambda: other("read"))
    malformed = [
        [0],  # says nothing
        [0, 2, 200, 1],  # shorter than it says
        [0, 2, 3, 255, 255, 255],  # no update
        [0, 0, 2, 255, 255],  # no state vector
        [1, 3, 255, 255, 255],  # no awareness
        [1, 8, 1, 1, 0, 4, 123, 123, 123, 123],  # a state that is no JSON
        [0, 2, 1, 0, 9, 9],  # bytes after the end
    ]
    for message in malformed:
        assert node("raw", bytes=message)["code"] == 1003, message
    assert node("raw", size=2_000_000)["code"] == 1009
    node("insert", at=4, text=" still")
    eventually(lambda: other("read")["body"] == "fine still", lambda: other("read"))
    assert other("read")["connected"]
    tab = open_page(server)
    eventually(lambda: tab.locator("#body").input_value() == "fine still", lambda: "the tab")


def test_a_server_that_restarts_gets_the_room_back_from_its_peers(
    serve: Any, peers: Callable[[str, str], Peer]
) -> None:
    server = serve(APP)
    address = f"ws://127.0.0.1:{server.port}/rooms"
    node, other = peers("node", address), peers("lattice", address)
    for peer in (node, other):
        peer("connect")
    node("insert", at=0, text="before")
    eventually(lambda: other("read")["body"] == "before", lambda: other("read"))
    server.stop()
    eventually(lambda: not other("read")["connected"], lambda: other("read"))
    other("insert", at=6, text=" and while it was gone")
    server.start()
    expected = "before and while it was gone"
    eventually(lambda: node("read")["body"] == expected, lambda: node("read"))
    assert re.fullmatch(r"\w+( \w+)*", other("read")["body"])
