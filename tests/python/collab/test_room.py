# SPDX-License-Identifier: MIT
"""lattice.Room: shared state in the reactive graph; rooms of a served app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

import lattice as lt
from lattice import ui
from lattice.crdt import Doc, Map, Text


def exchange(*rooms: lt.Room) -> None:
    for one in rooms:
        for other in rooms:
            if one is not other:
                other.apply_update(one.get_update())


def test_the_names_of_the_original_design() -> None:
    from lattice.collab import CollaborativeSignal, Room, collaborative_signal

    room = Room("board")
    assert room.room_id == "board"
    assert room.connected is False
    assert room.presence == {}
    signal = collaborative_signal(room, "count", 0)
    assert isinstance(signal, CollaborativeSignal)
    assert room.get_signal("count") is signal is room.signal("count")
    assert lt.Room is Room
    assert lt.collaborative_signal is collaborative_signal


def test_a_signal_shows_what_others_wrote() -> None:
    ada, ben = lt.Room("board"), lt.Room("board")
    title, theirs = ada.signal("title", "Untitled"), ben.signal("title", "Untitled")
    seen: list[str] = []
    lt.effect(lambda: seen.append(theirs.value))
    title.value = "Plans"
    exchange(ada, ben)
    assert theirs.value == "Plans"
    assert seen == ["Untitled", "Plans"]
    theirs.update(str.upper)
    exchange(ada, ben)
    assert title.value == "PLANS"


def test_the_initial_value_is_never_written() -> None:
    ada, ben = lt.Room("board"), lt.Room("board")
    mine = ada.signal("title", "mine")
    theirs = ben.signal("title", "theirs")
    exchange(ada, ben)
    assert (mine.value, theirs.value) == ("mine", "theirs")


def test_concurrent_writes_end_with_one_value_everywhere() -> None:
    rooms = [lt.Room("board") for _ in range(4)]
    for number, room in enumerate(rooms):
        room.signal("n", 0).value = number
    exchange(*rooms)
    exchange(*rooms)
    assert len({room.signal("n", 0).value for room in rooms}) == 1


def test_values_of_another_type_are_dropped_and_counted() -> None:
    ada, ben = lt.Room("board"), lt.Room("board")
    typed = ada.signal("n", 0, type=int)
    anything = ben.signal("n", None)
    anything.value = "text"
    exchange(ada, ben)
    assert typed.value == 0
    assert ada.dropped == 1
    anything.value = 7
    exchange(ada, ben)
    assert typed.value == 7
    assert ada.dropped == 1
    with pytest.raises(TypeError, match="'n' of the room"):
        typed.value = "text"


def test_every_increment_of_a_counter_counts() -> None:
    rooms = [lt.Room("board") for _ in range(3)]
    for room in rooms:
        for _ in range(5):
            room.counter("votes").increment()
    rooms[0].counter("votes").decrement(2)
    exchange(*rooms)
    assert [room.counter("votes").value for room in rooms] == [13, 13, 13]


def test_a_batch_is_one_update_and_one_flush() -> None:
    room = lt.Room("board")
    updates: list[bytes] = []
    room.doc.on_update(lambda update, origin, local: updates.append(update))
    title, count, notes = room.signal("title", ""), room.counter("n"), room.list("notes")
    seen: list[tuple[str, int | float, int]] = []
    lt.effect(lambda: seen.append((title.value, count.value, len(notes))))
    with lt.batch():
        title.value = "a"
        count.increment(2)
        notes.extend([1, 2, 3])
        # One's own writes show within the batch.
        assert (title.value, count.value, list(notes)) == ("a", 2, [1, 2, 3])
    assert len(updates) == 1
    assert seen == [("", 0, 0), ("a", 2, 3)]
    title.value = "b"
    assert len(updates) == 2


def test_an_error_within_a_batch_ends_its_transaction() -> None:
    room = lt.Room("board")
    body = room.text("body")
    updates: list[bytes] = []
    room.doc.on_update(lambda update, origin, local: updates.append(update))

    def write_and_fail() -> None:
        with lt.batch():
            body.insert(0, "a")
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        write_and_fail()
    assert len(updates) == 1
    assert body.value == "a"
    body.insert(1, "c")
    assert len(updates) == 2


def test_lists_and_maps_follow_others() -> None:
    ada, ben = lt.Room("board"), lt.Room("board")
    notes, cells = ada.list("notes"), ada.map("cells")
    seen: list[object] = []
    lt.effect(lambda: seen.append(ben.list("notes").value))
    readings: list[object] = []
    lt.effect(lambda: readings.append(ben.map("cells").get("a")))
    notes.extend(["x", "y"])
    cells["a"] = 1
    exchange(ada, ben)
    cells["b"] = 2
    notes.insert(0, "w")
    del notes[1]
    exchange(ada, ben)
    assert ben.list("notes").value == ["w", "y"]
    assert seen == [[], ["x", "y"], ["w", "y"]]
    assert ben.map("cells").value == {"a": 1, "b": 2}
    assert readings == [None, 1], "the reader of one key hears of that key alone"
    notes[0] = "v"
    notes.remove("y")
    assert notes.value == ["v"]
    assert notes.pop() == "v"
    assert len(notes) == 0
    del cells["a"]
    assert "a" not in cells
    assert cells.pop("b") == 2
    assert cells.keys() == []


def test_setting_a_text_keeps_what_others_write_elsewhere() -> None:
    ada, ben = lt.Room("board"), lt.Room("board")
    ada.text("body").value = "one two three"
    exchange(ada, ben)
    ada.text("body").value = "one 2 three"
    ben.text("body").value = "one two three four"
    exchange(ada, ben)
    assert ada.text("body").value == ben.text("body").value == "one 2 three four"
    for text in ("", "é", "ê", "😀", "😁", "a😁b", "a😀b", "ab"):
        ada.text("body").value = text
        assert ada.text("body").value == text


def test_undo_takes_back_ones_own_writes_only() -> None:
    ada, ben = lt.Room("board"), lt.Room("board")
    ada.text("body").insert(0, "mine")
    exchange(ada, ben)
    ben.text("body").insert(4, " and theirs")
    exchange(ada, ben)
    assert ada.can_undo()
    assert ada.undo()
    assert ada.text("body").value == " and theirs"
    assert ada.redo()
    assert ada.text("body").value == "mine and theirs"
    assert not lt.Room("other").undo()


def test_presence_is_reactive() -> None:
    room = lt.Room("board")
    changes: list[dict[int, object]] = []
    watcher = room.on_presence_change(changes.append)
    room.set_local_presence({"name": "Ada"})
    assert room.presence == {room.client_id: {"name": "Ada"}}
    room.set_local_presence(None)
    assert room.presence == {}
    assert len(changes) == 2
    watcher.dispose()
    with pytest.raises(TypeError):
        room.set_local_presence({"not": object()})


def test_malformed_updates_raise_and_change_nothing() -> None:
    room = lt.Room("board")
    room.text("body").insert(0, "a")
    with pytest.raises(lt.DecodeError):
        room.apply_update(b"\xff\xff\xff")
    assert room.text("body").value == "a"


# --- with a server


@pytest.fixture
def app() -> lt.App:
    @lt.component
    def main() -> object:
        room = lt.Room("board")
        room.set_local_presence({"name": "page"})
        return ui.div(
            ui.p(lambda: room.text("body").value), ui.p(lambda: str(room.signal("n", 0).value))
        )

    return lt.App(main)


@pytest.fixture
def address(app: lt.App) -> Iterator[str]:
    server = app.start(port=0)
    yield server.url.replace("http", "ws") + "/rooms/"
    server.stop()
    app._server = None


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)


async def test_two_rooms_meet_on_a_server(address: str) -> None:
    ada, ben = lt.Room("board"), lt.Room("board")
    ada.text("body").insert(0, "offline")
    await ada.connect(address + "board")
    await ben.connect(address + "board")
    assert ada.connected
    assert ben.synced
    assert ben.text("body").value == "offline"
    ben.text("body").insert(7, " and on")
    ada.set_local_presence({"name": "Ada"})
    await until(lambda: ada.text("body").value == "offline and on")
    await until(lambda: ben.presence == {ada.client_id: {"name": "Ada"}})
    ada.disconnect()
    await until(lambda: ben.presence == {})
    assert not ada.connected
    ben.disconnect()


async def test_what_was_written_offline_arrives_on_reconnect(address: str) -> None:
    ada, ben = lt.Room("b"), lt.Room("b")
    await ada.connect(address + "b")
    await ben.connect(address + "b")
    ada.text("body").insert(0, "start ")
    await until(lambda: ben.text("body").value == "start ")
    ada.disconnect()
    ada.text("body").append("ada ")
    ben.text("body").append("ben ")
    await ada.connect(address + "b")
    await until(lambda: ada.text("body").value == ben.text("body").value)
    assert sorted(ada.text("body").value.split()) == ["ada", "ben", "start"]
    ada.disconnect()
    ben.disconnect()


async def test_an_address_that_nobody_serves_is_a_timeout_with_the_reason() -> None:
    room = lt.Room("board")
    with pytest.raises(TimeoutError, match="cannot connect"):
        await room.connect("ws://127.0.0.1:9/rooms/board", timeout=0.3)
    assert not room.connected
    with pytest.raises(lt.LatticeError, match="expected ws://"):
        await room.connect("http://127.0.0.1/rooms/board")


async def test_a_page_that_is_gone_has_left_the_room() -> None:
    import urllib.request

    shared = lt.Room("board")
    body = shared.text("body")
    body.insert(0, "before serving: of nobody's session")

    @lt.component
    def main() -> object:
        shared.set_local_presence({"name": "page"})
        return ui.p(body)

    app = lt.App(main)
    server = app.start(port=0)
    watcher = lt.Room("board")
    await watcher.connect(server.url.replace("http", "ws") + "/rooms/board")
    page = await asyncio.to_thread(lambda: urllib.request.urlopen(server.url).read().decode())
    assert "nobody" not in page
    await until(lambda: len(watcher.presence) == 1)
    # Its socket never comes, so its session is disposed.
    await until(lambda: watcher.presence == {})
    watcher.disconnect()
    await asyncio.to_thread(server.stop)


async def test_a_pages_session_is_in_the_servers_room(address: str) -> None:
    import urllib.request

    room = lt.Room("board")
    await room.connect(address + "board")
    room.text("body").insert(0, "from outside")
    room.signal("n", 0).value = 41
    url = address.replace("ws", "http").removesuffix("/rooms/")
    watcher = lt.Room("board")
    await watcher.connect(address + "board")
    assert watcher.text("body").value == "from outside"
    page = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
    assert "from outside" in page
    assert "41" in page
    await until(lambda: {"name": "page"} in room.presence.values())
    room.disconnect()
    watcher.disconnect()


def test_a_room_is_a_document_that_yjs_clients_find() -> None:
    room = lt.Room("board")
    room.text("body").insert(0, "hi")
    room.signal("title", "").value = "Plans"
    doc = Doc()
    doc.apply_update(room.get_update())
    assert str(doc.get("body", type=Text)) == "hi"
    assert doc.get("signals", type=Map).to_py() == {"title": "Plans"}
