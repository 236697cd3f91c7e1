# SPDX-License-Identifier: MIT
"""lattice.crdt: documents and shared types from Python."""

from __future__ import annotations

import threading

import pytest

import lattice as lt
from lattice.crdt import (
    Array,
    ArrayEvent,
    Doc,
    Map,
    MapEvent,
    Text,
    TextEvent,
    XmlElement,
    XmlFragment,
    XmlText,
    convert_update,
    diff_update,
    get_state,
    merge_updates,
)


def pair() -> tuple[Doc, Doc]:
    """Two replicas that pass each other every update at once."""
    one, two = Doc(client_id=1), Doc(client_id=2)
    one.on_update(lambda update, origin, local: two.apply_update(update) if local else None)
    two.on_update(lambda update, origin, local: one.apply_update(update) if local else None)
    return one, two


def test_what_is_put_into_a_document_arrives_in_another() -> None:
    doc = Doc(
        {
            "text": Text("Hello"),
            "list": Array([1, 2.5, "a", None, True, b"bytes", [1, {"k": "v"}]]),
            "map": Map({"a": 1, "inner": Map({"b": Array([1, 2])})}),
        }
    )
    other = Doc()
    other.apply_update(doc.get_update())
    assert str(other.get("text", type=Text)) == "Hello"
    assert list(other.get("list", type=Array)) == [
        1,
        2.5,
        "a",
        None,
        True,
        b"bytes",
        [1, {"k": "v"}],
    ]
    assert other.get("map", type=Map).to_py() == {"a": 1, "inner": {"b": [1, 2]}}
    assert type(other.get("list", type=Array)[0]) is int
    inner = other.get("map", type=Map)["inner"]
    assert isinstance(inner, Map)
    assert isinstance(inner["b"], Array)


def test_both_encodings_carry_the_same() -> None:
    doc = Doc({"text": Text("Hello"), "map": Map({"a": [1, 2]})})
    other = Doc()
    other.apply_update(doc.get_update(version=2), version=2)
    assert other.get_update() == doc.get_update()
    assert convert_update(doc.get_update(), old=1, new=2) == doc.get_update(version=2)


def test_a_map_is_a_dictionary() -> None:
    doc = Doc()
    map_ = doc.get("m", type=Map)
    map_["a"] = 1
    map_.update({"b": 2, "c": {"d": 3}})
    assert len(map_) == 3
    assert "a" in map_
    assert "x" not in map_
    assert sorted(map_) == ["a", "b", "c"]
    assert map_.pop("a") == 1
    assert map_.get("a") is None
    assert map_.get("a", 7) == 7
    with pytest.raises(KeyError):
        map_["a"]
    with pytest.raises(KeyError):
        del map_["a"]
    del map_["b"]
    assert dict(map_.items()) == {"c": {"d": 3}}
    map_.clear()
    assert len(map_) == 0


def test_an_array_is_a_list() -> None:
    doc = Doc()
    doc["a"] = Array([0, 1, 2])
    array = doc["a"]
    array.append(3)
    array.extend([4, 5])
    array.insert(0, "first")
    assert list(array) == ["first", 0, 1, 2, 3, 4, 5]
    assert array[-1] == 5
    assert array[1:3] == [0, 1]
    assert len(array) == 7
    assert array.pop() == 5
    assert array.pop(0) == "first"
    array[1] = "one"
    array[2:4] = ["two", "three", "more"]
    assert list(array) == [0, "one", "two", "three", "more", 4]
    del array[0]
    del array[3:]
    assert list(array) == ["one", "two", "three"]
    assert "two" in array
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            array[wrong]


def test_text_is_edited_sliced_and_formatted() -> None:
    doc = Doc()
    doc["t"] = Text("Hello")
    text = doc["t"]
    text += ", world"
    text.insert(5, "!")
    assert str(text) == "Hello!, world"
    assert len(text) == 13
    assert "wor" in text
    del text[5]
    text[0:5] = "Good day"
    assert text[0:4] == "Good"
    assert text[-1] == "d"
    text.format(0, 4, {"bold": True})
    assert text.diff() == [("Good", {"bold": True}), (" day, world", None)]
    text.insert_embed(0, {"image": "a.png"})
    assert text.diff()[0] == ({"image": "a.png"}, None)


def test_an_embedded_type_takes_attributes_and_its_content() -> None:
    doc = Doc({"t": Text("ab")})
    text = doc["t"]
    text.insert_embed(1, Map({"k": 1}), {"bold": True})
    (before, _), (embedded, attributes), (behind, _) = text.diff()
    assert (before, behind) == ("a", "b")
    assert embedded.to_py() == {"k": 1}
    assert attributes == {"bold": True}
    with pytest.raises(lt.LatticeError, match="part of a document already"):
        text.insert_embed(0, embedded)


def test_positions_count_utf16_code_units() -> None:
    doc = Doc({"t": Text("a😀b")})
    text = doc["t"]
    assert len(text) == 4
    text.insert(3, "x")
    assert str(text) == "a😀xb"
    assert text[1:3] == "😀"


def test_edits_cross_in_one_call() -> None:
    doc = Doc()
    text = doc.get("t", type=Text)
    updates: list[bytes] = []
    doc.on_update(lambda update, origin, local: updates.append(update))
    text.edit([(0, 0, "abc"), (1, 1, "XY"), (0, 1, "")])
    assert str(text) == "XYc"
    assert len(updates) == 1
    text.edit([(0, 1, ""), (0, 0, "Z")], together=False)
    assert str(text) == "ZYc"
    assert len(updates) == 3


def test_a_transaction_is_one_update_with_its_origin() -> None:
    doc = Doc()
    events: list[tuple[object, bool]] = []
    doc.observe(lambda event: events.append((event.origin, event.local)))
    text, map_ = doc.get("t", type=Text), doc.get("m", type=Map)
    marker = object()
    with doc.transaction(origin=marker):
        text.insert(0, "a")
        with doc.transaction(origin="inner"):
            map_["k"] = 1
    assert events == [(marker, True)]
    other = Doc()
    seen: list[tuple[object, bool]] = []
    other.observe(lambda event: seen.append((event.origin, event.local)))
    other.apply_update(doc.get_update(), origin="net")
    assert seen == [("net", False)]


def test_an_exception_ends_the_transaction_and_keeps_what_was_done() -> None:
    doc = Doc()
    text = doc.get("t", type=Text)
    with pytest.raises(RuntimeError, match="mine"), doc.transaction():
        text.insert(0, "a")
        raise RuntimeError("mine")
    text.insert(1, "b")
    assert str(text) == "ab"


def test_observers_get_typed_events() -> None:
    one, two = pair()
    events: list[object] = []
    two.get("t", type=Text).observe(events.append)
    two.get("a", type=Array).observe(events.append)
    subscription = two.get("m", type=Map).observe(events.append)
    text, array, map_ = one.get("t", type=Text), one.get("a", type=Array), one.get("m", type=Map)
    text.insert(0, "hi", {"bold": True})
    array.extend([1, 2])
    map_["k"] = 1
    map_["k"] = 2
    del map_["k"]
    kinds = [type(event) for event in events]
    assert kinds == [TextEvent, ArrayEvent, MapEvent, MapEvent, MapEvent]
    assert events[0].delta == [{"insert": "hi", "attributes": {"bold": True}}]
    assert events[1].delta == [{"insert": [1, 2]}]
    assert [event.keys["k"]["action"] for event in events[2:]] == ["add", "update", "delete"]
    assert events[3].keys["k"] == {"action": "update", "oldValue": 1, "newValue": 2}
    assert events[0].target == two.get("t", type=Text)
    assert not events[0].local
    subscription.drop()
    map_["k"] = 3
    assert len(events) == 5


def test_deep_observers_get_paths() -> None:
    doc = Doc({"m": Map({"list": Array([Map({"x": 1})])})})
    paths: list[list[str | int]] = []
    doc["m"].observe_deep(lambda events: paths.extend(event.path for event in events))
    doc["m"]["list"][0]["x"] = 2
    assert paths == [["list", 0]]


def test_an_exception_of_an_observer_reaches_the_writer() -> None:
    doc = Doc()
    map_ = doc.get("m", type=Map)

    def fail(event: object) -> None:
        raise RuntimeError("observer")

    subscription = map_.observe(fail)
    with pytest.raises(RuntimeError, match="observer"):
        map_["a"] = 1
    subscription.drop()
    map_["b"] = 2
    assert map_.to_py() == {"a": 1, "b": 2}


def test_a_shared_type_has_one_place() -> None:
    text = Text("a")
    with pytest.raises(lt.LatticeError, match="not part of a document yet"):
        text.insert(0, "b")
    doc = Doc({"t": text})
    text.insert(1, "b")
    assert str(doc["t"]) == "ab"
    assert text == doc["t"]
    with pytest.raises(lt.LatticeError, match="one"):
        doc.get("m", type=Map)["again"] = text


def test_what_has_no_place_in_a_document_is_refused() -> None:
    map_ = Doc().get("m", type=Map)
    with pytest.raises(TypeError, match="no place in a shared document"):
        map_["a"] = object()
    with pytest.raises(OverflowError):
        map_["a"] = 2**70
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="nested"):
        map_["a"] = loop
    with pytest.raises(TypeError, match="keys"):
        map_["a"] = {1: 2}
    assert len(map_) == 0


def test_malformed_updates_raise_and_change_nothing() -> None:
    doc = Doc({"t": Text("a")})
    before = doc.get_update()
    for wrong in (b"", b"\xff" * 20, before[:-1], b"\x01\x01"):
        with pytest.raises(lt.DecodeError):
            doc.apply_update(wrong)
    with pytest.raises(lt.DecodeError):
        doc.get_update(b"\xff\xff")
    assert doc.get_update() == before


def test_updates_apply_in_any_order_and_twice() -> None:
    doc = Doc(client_id=1)
    text = doc.get("t", type=Text)
    updates: list[bytes] = []
    doc.on_update(lambda update, origin, local: updates.append(update))
    for letter in "abcdef":
        text.append(letter)
    other = Doc()
    for update in reversed(updates):
        other.apply_update(update)
        other.apply_update(update)
    assert not other.has_pending
    assert str(other.get("t", type=Text)) == "abcdef"
    third = Doc()
    third.apply_updates(reversed(updates))
    assert str(third.get("t", type=Text)) == "abcdef"


def test_functions_on_updates_need_no_document() -> None:
    doc = Doc(client_id=1)
    text = doc.get("t", type=Text)
    updates: list[bytes] = []
    doc.on_update(lambda update, origin, local: updates.append(update))
    text.insert(0, "a")
    state = doc.get_state()
    text.insert(1, "b")
    merged = merge_updates(*updates)
    other = Doc()
    other.apply_update(merged)
    assert str(other.get("t", type=Text)) == "ab"
    assert get_state(merged) == doc.get_state()
    rest = Doc()
    rest.apply_update(updates[0])
    rest.apply_update(diff_update(merged, state))
    assert str(rest.get("t", type=Text)) == "ab"


def test_xml_is_built_and_printed() -> None:
    doc = Doc()
    doc["x"] = XmlFragment([XmlElement("p", {"class": "a"}, ["Hello", XmlElement("br")])])
    fragment = doc["x"]
    paragraph = fragment.children[0]
    assert isinstance(paragraph, XmlElement)
    assert paragraph.tag == "p"
    assert paragraph.attributes["class"] == "a"
    assert len(paragraph.children) == 2
    assert isinstance(paragraph.children[0], XmlText)
    paragraph.attributes["id"] = "x"
    paragraph.children.append(XmlElement("hr"))
    del paragraph.children[1]
    assert str(fragment) == '<p class="a" id="x">Hello<hr></hr></p>'
    other = Doc()
    other.apply_update(doc.get_update())
    assert str(other.get("x", type=XmlFragment)) == str(fragment)


def test_large_updates_are_applied_while_other_threads_run() -> None:
    doc = Doc()
    doc.get("a", type=Array).extend(["x" * 100] * 20_000)
    update = doc.get_update()
    turns = 0
    done = threading.Event()

    def count() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1

    thread = threading.Thread(target=count)
    thread.start()
    other = Doc()
    other.apply_update(update)
    done.set()
    thread.join()
    assert len(other.get("a", type=Array)) == 20_000
    assert turns > 0


def test_handles_keep_their_document() -> None:
    text = Doc({"t": Text("a")})["t"]
    text.append("b")
    assert str(text) == "ab"
    assert str(text.doc["t"]) == "ab"
