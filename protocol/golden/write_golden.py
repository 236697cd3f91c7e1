#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the golden files of this folder: a third, independent reading of ../README.md.

    python3 protocol/golden/write_golden.py

Meant for adding cases. The files are the contract: when a run changes the bytes of an existing
case, the protocol has changed, and its version must too. Standard library only.
"""

from __future__ import annotations

import json
import struct
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TABLE = tomllib.loads((HERE.parent / "opcodes.toml").read_text(encoding="utf-8"))
VERSION = TABLE["version"]
LITERAL_ATOM = 1 << 20
Json = Any


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def svarint(value: int) -> bytes:
    return varint(value * 2 if value >= 0 else -value * 2 - 1)


def string(text: str) -> bytes:
    raw = text.encode()
    return varint(len(raw)) + raw


def value(data: Json) -> bytes:
    tags = TABLE["value"]
    if data is None:
        return bytes([tags["NULL"]])
    if isinstance(data, bool):
        return bytes([tags["TRUE" if data else "FALSE"]])
    if isinstance(data, int):
        return bytes([tags["INT"]]) + svarint(data)
    if isinstance(data, dict):
        return bytes([tags["FLOAT"]]) + struct.pack("<d", float(data["f64"]))
    return bytes([tags["STRING"]]) + string(data)


def listen_options(options: Json) -> bytes:
    flags = TABLE["listen"]
    bits, tail = 0, b""
    for name in ("prevent_default", "stop_propagation", "debounce", "throttle", "keys", "two_way"):
        if not options.get(name):
            continue
        bits |= flags[name.upper()]
        if name in ("debounce", "throttle"):
            tail += varint(options[name])
        elif name == "keys":
            tail += varint(len(options[name])) + b"".join(map(string, options[name]))
    return bytes([bits]) + tail


class Connection:
    """The server's end of one connection: frames with a shared atom table."""

    def __init__(self) -> None:
        self.atoms: dict[str, int] = {}

    def atom(self, name: str) -> bytes:
        if name in self.atoms:
            return varint(self.atoms[name])
        self.atoms[name] = len(self.atoms) + 1
        return varint(0) + string(name)

    def frame(self, seq: int, ack: int, ops: list[Json]) -> bytes:
        return bytes([VERSION]) + varint(seq) + varint(ack) + b"".join(map(self.op, ops))

    def op(self, op: Json) -> bytes:
        name = op["op"]
        head = bytes([TABLE["op"][name]])
        if name in ("RESET",):
            return head
        if name in ("TITLE", "RELOAD"):
            return head + string(op["text"])
        if name == "INSERT":
            place = varint(op["parent"]) + varint(op["before"]) + varint(op["first"])
            return head + place + self.tree(op["tree"])
        head += varint(op["id"])
        if name == "TEXT":
            return head + string(op["text"])
        if name == "MOVE":
            return head + varint(op["parent"]) + varint(op["before"])
        if name == "UNLISTEN":
            return head + self.atom(op["name"])
        if name == "INPUT_VALUE":
            return head + varint(op["revision"]) + value(op["value"])
        if name == "ERROR":
            return head + string(op["title"]) + string(op["detail"])
        if name in ("REMOVE", "CLEAR_ERROR"):
            return head
        return head + self.attribute(op)

    def attribute(self, op: Json) -> bytes:
        head = self.atom(op["name"])
        if op["op"] == "SET_CLASS":
            return head + bytes([op["on"]])
        if op["op"] == "LISTEN":
            return head + listen_options(op["options"])
        return head + value(op["value"])

    def tree(self, tree: Json) -> bytes:
        kinds = TABLE["tree"]
        if "text" in tree:
            return bytes([kinds["TEXT"]]) + string(tree["text"])
        if "html" in tree:
            return bytes([kinds["RAW_HTML"]]) + string(tree["html"])
        out = bytes([kinds["ELEMENT"]]) + self.atom(tree["tag"]) + varint(len(tree["attrs"]))
        for attr in tree["attrs"]:
            out += bytes([TABLE["op"][attr["op"]]]) + self.attribute(attr)
        return out + varint(len(tree["children"])) + b"".join(map(self.tree, tree["children"]))


def element(tag: str, attrs: list[Json] | None = None, *children: Json) -> Json:
    return {"tag": tag, "attrs": attrs or [], "children": list(children)}


def text(data: str) -> Json:
    return {"text": data}


def set_attr(name: str, data: Json, op: str = "SET_ATTR") -> Json:
    return {"op": op, "name": name, "value": data}


def down_connections() -> Json:
    def on(node: int, name: str, **options: Json) -> Json:
        return {"op": "LISTEN", "id": node, "name": name, "options": options}

    def attr(op: str, node: int, name: str, data: Json) -> Json:
        return {"op": op, "id": node, "name": name, "value": data}

    tree = element(
        "section",
        [
            set_attr("class", "card"),
            {"op": "SET_CLASS", "name": "open", "on": True},
            set_attr("color", "red", "SET_STYLE"),
            {"op": "LISTEN", "name": "click", "options": {}},
        ],
        element("h2", None, text("Größe")),
        text(""),
        {"html": "<b>bold</b><i>it</i>"},
        element("input", [set_attr("type", "checkbox"), set_attr("checked", True, "SET_PROP")]),
        element("svg", [set_attr("viewBox", "0 0 1 1")], element("path", [set_attr("d", "M0 0")])),
    )
    cases = {
        "text": [(1, 0, [{"op": "TEXT", "id": 1, "text": "42"}])],
        "text_unicode_and_empty": [
            (1, 7, [{"op": "TEXT", "id": 300, "text": "é日𝄞"}, {"op": "TEXT", "id": 2, "text": ""}])
        ],
        "set_attr_every_value": [
            (
                1,
                0,
                [
                    attr("SET_ATTR", 1, "title", None),
                    attr("SET_ATTR", 1, "hidden", False),
                    attr("SET_ATTR", 1, "hidden", True),
                    attr("SET_ATTR", 1, "tabindex", -1),
                    attr("SET_ATTR", 1, "max", 9007199254740991),
                    attr("SET_ATTR", 1, "data-x", ""),
                    attr("SET_ATTR", 1, "data-x", 'a "b" <c>'),
                ],
            )
        ],
        "set_prop": [
            (
                1,
                0,
                [
                    attr("SET_PROP", 4, "checked", True),
                    attr("SET_PROP", 4, "checked", False),
                    attr("SET_PROP", 5, "value", {"f64": 0.5}),
                    attr("SET_PROP", 5, "value", {"f64": "nan"}),
                    attr("SET_PROP", 5, "value", None),
                ],
            )
        ],
        "set_style": [
            (
                1,
                0,
                [
                    attr("SET_STYLE", 1, "color", "red"),
                    attr("SET_STYLE", 1, "--accent", "#fff"),
                    attr("SET_STYLE", 1, "z-index", 3),
                    attr("SET_STYLE", 1, "color", None),
                ],
            )
        ],
        "set_class": [
            (
                1,
                0,
                [
                    {"op": "SET_CLASS", "id": 1, "name": "done", "on": True},
                    {"op": "SET_CLASS", "id": 2, "name": "done", "on": False},
                ],
            )
        ],
        "insert_tree": [
            (1, 0, [{"op": "INSERT", "parent": 0, "before": 0, "first": 1, "tree": tree}])
        ],
        "insert_text_before": [
            (1, 0, [{"op": "INSERT", "parent": 1, "before": 2, "first": 9, "tree": text("new")}])
        ],
        "insert_raw_html": [
            (
                1,
                0,
                [{"op": "INSERT", "parent": 1, "before": 0, "first": 9, "tree": {"html": "<hr>"}}],
            )
        ],
        "remove_and_move": [
            (
                1,
                0,
                [
                    {"op": "REMOVE", "id": 3},
                    {"op": "MOVE", "id": 4, "parent": 1, "before": 2},
                    {"op": "MOVE", "id": 2, "parent": 1, "before": 0},
                ],
            )
        ],
        "listen_every_option": [
            (
                1,
                0,
                [
                    on(1, "click"),
                    on(1, "submit", prevent_default=True),
                    on(1, "click", stop_propagation=True),
                    on(2, "input", debounce=200),
                    on(2, "scroll", throttle=100),
                    on(2, "keydown", keys=["Enter", "Escape"]),
                    on(2, "input", two_way=True),
                    on(
                        2,
                        "keydown",
                        prevent_default=True,
                        stop_propagation=True,
                        debounce=1,
                        throttle=300,
                        keys=["a"],
                        two_way=True,
                    ),
                    {"op": "UNLISTEN", "id": 1, "name": "click"},
                ],
            )
        ],
        "input_value": [
            (
                1,
                3,
                [
                    {"op": "INPUT_VALUE", "id": 5, "revision": 0, "value": ""},
                    {"op": "INPUT_VALUE", "id": 5, "revision": 130, "value": "abc"},
                    {"op": "INPUT_VALUE", "id": 6, "revision": 2, "value": 17},
                    {"op": "INPUT_VALUE", "id": 6, "revision": 2, "value": None},
                ],
            )
        ],
        "control": [
            (1, 0, [{"op": "RESET"}, {"op": "TITLE", "text": "Weather"}]),
            (2, 0, [{"op": "RELOAD", "text": "the app has changed"}]),
        ],
        "errors": [
            (
                1,
                0,
                [
                    {"op": "ERROR", "id": 2, "title": "Something went wrong", "detail": ""},
                    {"op": "ERROR", "id": 2, "title": "ZeroDivisionError", "detail": "app.py:3"},
                    {"op": "CLEAR_ERROR", "id": 2},
                ],
            )
        ],
        "empty_frame_acknowledges": [(300, 129, [])],
        "atoms_live_across_frames": [
            (1, 0, [attr("SET_ATTR", 1, "title", "a"), attr("SET_STYLE", 1, "width", "1px")]),
            (2, 0, [attr("SET_STYLE", 1, "width", "2px"), attr("SET_ATTR", 2, "title", "b")]),
            (3, 0, [{"op": "SET_CLASS", "id": 1, "name": "title", "on": True}]),
        ],
    }
    out = []
    for name, frames in cases.items():
        connection = Connection()
        encoded = [
            {
                "hex": connection.frame(*frame).hex(),
                "seq": frame[0],
                "ack": frame[1],
                "ops": frame[2],
            }
            for frame in frames
        ]
        out.append({"name": name, "frames": encoded})
    return out


def malformed_down() -> Json:
    op = TABLE["op"]
    head = bytes([VERSION, 1, 0])
    title = bytes([0]) + string("title")
    cases: list[tuple[str, bytes]] = [
        ("empty message", b""),
        ("unknown version", bytes([VERSION + 1, 1, 0])),
        ("op code 0", head + bytes([0])),
        ("unknown op code", head + bytes([0x7E + 1])),
        ("op code beyond the table", head + bytes([0xFF])),
        ("first reserved template op", head + bytes([TABLE["reserved"]["TEMPLATES"][0], 1])),
        ("last reserved room op", head + bytes([TABLE["reserved"]["ROOMS"][1], 1])),
        ("text without its string", head + bytes([op["TEXT"], 1])),
        ("string longer than the frame", head + bytes([op["TEXT"], 1, 5]) + b"abc"),
        ("string that is not UTF-8", head + bytes([op["TEXT"], 1, 2]) + b"\xc3\x28"),
        ("endless varint", head + bytes([op["TEXT"]]) + b"\xff" * 11),
        ("atom never defined", head + bytes([op["SET_ATTR"], 1, 1, 0])),
        ("unknown value tag", head + bytes([op["SET_ATTR"], 1]) + title + bytes([6])),
        ("short float", head + bytes([op["SET_ATTR"], 1]) + title + bytes([4, 0, 0])),
        ("class switch of 2", head + bytes([op["SET_CLASS"], 1]) + title + bytes([2])),
        ("unknown listen flag", head + bytes([op["LISTEN"], 1]) + title + bytes([64])),
        ("unknown tree kind", head + bytes([op["INSERT"], 0, 0, 1, 3, 0])),
        ("TEXT as an attribute op", head + bytes([op["INSERT"], 0, 0, 1, 0]) + title + b"\x01\x01"),
        (
            "more children than bytes",
            head + bytes([op["INSERT"], 0, 0, 1, 0]) + title + b"\x00\x7f",
        ),
    ]
    return [{"name": name, "hex": data.hex()} for name, data in cases]


def field(tag: str, *parts: bytes) -> bytes:
    return bytes([TABLE["field"][tag]]) + b"".join(parts)


def event(seq: int, ack: int, node: int, kind: str, *fields: bytes) -> bytes:
    head = bytes([VERSION, TABLE["client"]["EVENT"]])
    return head + varint(seq) + varint(ack) + varint(node) + string(kind) + b"".join(fields)


def client_frames() -> Json:
    kinds = TABLE["client"]
    hello = bytes([VERSION, kinds["HELLO"]])
    acknowledge = bytes([VERSION, kinds["ACK"]])
    every = {
        "value": "a é",
        "checked": True,
        "key": {"key": "Enter", "modifiers": 10},
        "mouse": {"x": -3, "y": 470, "button": 2, "modifiers": 1},
        "files": [{"name": "a.csv", "bytes": 70000, "type": "text/csv"}],
        "revision": 12,
        "selected": ["a", ""],
        "form": [["q", "x"], ["q", "y"]],
        "open": False,
        "scroll": {"left": 0, "top": 1280},
    }
    encoded = {
        "value": field("VALUE", string("a é")),
        "checked": field("CHECKED", b"\x01"),
        "key": field("KEY", string("Enter"), bytes([10])),
        "mouse": field("MOUSE", svarint(-3), svarint(470), bytes([2, 1])),
        "files": field("FILES", varint(1), string("a.csv"), varint(70000), string("text/csv")),
        "revision": field("REVISION", varint(12)),
        "selected": field("SELECTED", varint(2), string("a"), string("")),
        "form": field("FORM", varint(2), *map(string, ("q", "x", "q", "y"))),
        "open": field("OPEN", b"\x00"),
        "scroll": field("SCROLL", varint(0), varint(1280)),
    }
    cases: list[tuple[str, bytes, Json]] = [
        (
            "hello",
            hello + string("t0k3n") + varint(131),
            {"kind": "HELLO", "token": "t0k3n", "nodes": 131},
        ),
        (
            "hello that could not adopt",
            hello + string("t") + varint(0),
            {"kind": "HELLO", "token": "t", "nodes": 0},
        ),
        ("acknowledgement", acknowledge + varint(16), {"kind": "ACK", "ack": 16}),
    ]

    def event_case(name: str, seq: int, ack: int, node: int, kind: str, names: list[str]) -> None:
        meaning = {"kind": "EVENT", "seq": seq, "ack": ack, "id": node, "type": kind}
        meaning["fields"] = {key: every[key] for key in names}
        data = event(seq, ack, node, kind, *(encoded[key] for key in names))
        cases.append((name, data, meaning))

    event_case("event without fields", 1, 0, 7, "click", [])
    for key in every:
        event_case(f"event with {key}", 2, 1, 300, "wa-show", [key])
    event_case("event with every field", 128, 129, 4294967295, "input", list(every))
    return [{"name": name, "hex": data.hex(), "frame": meaning} for name, data, meaning in cases]


def malformed_client() -> Json:
    kinds = TABLE["client"]
    hello = bytes([VERSION, kinds["HELLO"]])
    click = event(1, 0, 7, "click")
    bad_utf8 = b"\x02\xc3\x28"
    cases: list[tuple[str, int, bytes]] = [
        ("empty message", 1002, b""),
        ("only a version", 1002, bytes([VERSION])),
        ("unknown version", 1002, bytes([VERSION + 1, kinds["ACK"], 1])),
        ("unknown kind", 1002, bytes([VERSION, 0x04, 1])),
        ("kind 0", 1002, bytes([VERSION, 0x00])),
        ("hello without a node count", 1002, hello + string("t")),
        ("hello with a token that is too long", 1002, hello + string("t" * 129) + b"\x00"),
        ("hello with bytes after it", 1002, hello + string("t") + b"\x00\x00"),
        ("hello with a token that is not UTF-8", 1007, hello + bad_utf8 + b"\x00"),
        ("acknowledgement without a number", 1002, bytes([VERSION, kinds["ACK"]])),
        (
            "acknowledgement with an endless varint",
            1002,
            bytes([VERSION, kinds["ACK"]]) + b"\xff" * 11,
        ),
        ("acknowledgement with bytes after it", 1002, bytes([VERSION, kinds["ACK"], 1, 1])),
        ("event with seq 0", 1002, event(0, 0, 7, "click")),
        ("event without a type", 1002, event(1, 0, 7, "")),
        ("event with a type that is too long", 1002, event(1, 0, 7, "x" * 65)),
        ("event for a node id over 32 bits", 1002, event(1, 0, 1 << 32, "click")),
        (
            "event type that is not UTF-8",
            1007,
            bytes([VERSION, kinds["EVENT"], 1, 0, 7]) + bad_utf8,
        ),
        ("unknown field", 1002, click + bytes([0x0B])),
        ("field 0", 1002, click + bytes([0x00])),
        ("field twice", 1002, click + field("OPEN", b"\x01") * 2),
        ("value longer than the frame", 1002, click + field("VALUE", b"\x05abc")),
        ("value that is not UTF-8", 1007, click + field("VALUE", bad_utf8)),
        ("overlong UTF-8", 1007, click + field("VALUE", b"\x02\xc0\xaf")),
        ("surrogate in UTF-8", 1007, click + field("VALUE", b"\x03\xed\xa0\x80")),
        ("checked that is 2", 1002, click + field("CHECKED", b"\x02")),
        ("unknown modifier bit", 1002, click + field("KEY", string("a"), b"\x20")),
        ("key name that is too long", 1002, click + field("KEY", string("k" * 65), b"\x00")),
        ("mouse x over 32 bits", 1002, click + field("MOUSE", svarint(1 << 31), b"\x00\x00\x00")),
        ("more files than bytes", 1002, click + field("FILES", varint(100))),
        (
            "more selected values than allowed",
            1002,
            click + field("SELECTED", varint(4097), b"\x00" * 4097),
        ),
        ("form entry without its value", 1002, click + field("FORM", varint(1), string("q"))),
        ("scroll without top", 1002, click + field("SCROLL", b"\x01")),
    ]
    return [{"name": name, "close": code, "hex": data.hex()} for name, code, data in cases]


def first_paint() -> Json:
    def attr(name: str, data: Json) -> Json:
        return {"name": name, "value": data}

    cases: list[tuple[str, Json, str]] = [
        ("text", element("p", None, text("a < b & c > d")), "<p>a &lt; b &amp; c &gt; d</p>"),
        ("adjacent texts", element("p", None, text("a"), text("b")), "<p>a<!---->b</p>"),
        ("empty text", element("p", None, text("")), "<p><!--e--></p>"),
        (
            "empty text between texts",
            element("p", None, text("a"), text(""), text("b"), text("c")),
            "<p>a<!--e-->b<!---->c</p>",
        ),
        (
            "element between texts",
            element("p", None, text("a"), element("b", None), text("c")),
            "<p>a<b></b>c</p>",
        ),
        (
            "void element",
            element("div", None, element("br"), element("img")),
            "<div><br><img></div>",
        ),
        ("newline after pre", element("pre", None, text("\nx")), "<pre>\n\nx</pre>"),
        ("carriage return", element("p", None, text("a\r\nb")), "<p>a&#13;\nb</p>"),
        (
            "nul",
            element("p", [attr("title", "a\0b")], text("\0")),
            '<p title="a\ufffdb">\ufffd</p>',
        ),
        (
            "attributes",
            element(
                "a", [attr("title", 'a "b" <c> & d'), attr("hidden", True), attr("lang", None)]
            ),
            '<a title="a &quot;b&quot; &lt;c&gt; &amp; d" hidden=""></a>',
        ),
        (
            "classes and styles",
            element(
                "p",
                [
                    attr("class", "a"),
                    attr("class.b", True),
                    attr("class.c", False),
                    attr("style.color", "red"),
                    attr("style.z-index", 3),
                ],
            ),
            '<p class="a b" style="color: red; z-index: 3"></p>',
        ),
        (
            "raw html",
            element("p", None, text("a"), {"html": "<b>x</b>"}, text("c")),
            '<p>a<lattice-html style="display:contents"><b>x</b></lattice-html>c</p>',
        ),
        (
            "input",
            element("input", [attr("value", 'a"b'), attr("checked", True)]),
            '<input value="a&quot;b" checked="">',
        ),
        (
            "textarea",
            element("textarea", [attr("value", "\na</textarea>")]),
            "<textarea>\n\na&lt;/textarea&gt;</textarea>",
        ),
        (
            "select",
            element(
                "select",
                [attr("value", "b")],
                element("option", [attr("value", "a")], text("A")),
                element("option", [attr("value", "b")], text("B")),
            ),
            '<select><option value="a">A</option><option value="b" selected="">B</option></select>',
        ),
        (
            "svg",
            element(
                "svg",
                [attr("viewBox", "0 0 1 1")],
                element("title", None, text("a"), text("b")),
                element("foreignObject", None, element("br")),
            ),
            '<svg viewBox="0 0 1 1"><title>a<!---->b</title>'
            "<foreignObject><br></foreignObject></svg>",
        ),
    ]
    return [
        {"name": name, "tree": tree, "html": html, "nodes": list(numbered(tree))}
        for name, tree, html in cases
    ]


def numbered(tree: Json) -> list[str]:
    """What ids 1, 2, 3 ... stand for: a tag, or `#text`."""
    if "text" in tree:
        return ["#text"]
    if "html" in tree:
        return ["lattice-html"]
    return [tree["tag"], *(name for child in tree["children"] for name in numbered(child))]


def write(name: str, data: Json) -> None:
    (HERE / name).write_text(json.dumps(data, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write("down.json", down_connections())
    write("down_malformed.json", malformed_down())
    write("client.json", client_frames())
    write("client_malformed.json", malformed_client())
    write("first_paint.json", first_paint())
