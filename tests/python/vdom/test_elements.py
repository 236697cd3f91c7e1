# SPDX-License-Identifier: MIT
"""Element builders: names, children, attributes, and the mistakes they name."""

from __future__ import annotations

import gc
import weakref
from decimal import Decimal

import pytest

from lattice import _core, _elements
from lattice._elements import (
    a,
    br,
    button,
    clip_path,
    del_,
    div,
    element,
    fragment,
    input_,
    label,
    li,
    p,
    raw_html,
    svg,
    svg_text,
    textarea,
    ul,
)

VNode = _core.VNode


def handler() -> None:
    pass


class Signal:
    """Stands in for a signal: bound to its place, shows what it holds."""

    __lattice_slot__ = True

    def __init__(self, value: object) -> None:
        self._value = value

    def peek(self) -> object:
        return self._value


def test_a_builder_makes_a_node_with_tag_attrs_children_and_key() -> None:
    node = div("a", p("b"), class_="note", key=7)
    assert node.tag == "div"
    assert node.attrs == {"class": "note"}
    assert node.children == ["a", p("b")]
    assert node.key == 7


def test_a_node_without_anything_has_empty_attrs_and_children() -> None:
    assert (div().attrs, div().children, div().key) == ({}, [], None)


def test_the_constructor_and_the_builder_agree() -> None:
    assert VNode("p", {"class_": "x"}, ["a"], 1) == p("a", class_="x", key=1)
    assert VNode("p") == p()


def test_every_builder_has_a_doc_and_its_tag() -> None:
    for name in _elements.__all__:
        builder = getattr(_elements, name)
        assert builder.__doc__, name
        if isinstance(builder, _core.ElementBuilder):
            assert builder().tag.lower() == builder.tag.lower()
            assert builder.__name__ == name


def test_names_that_python_has_taken_end_in_an_underscore() -> None:
    assert input_().tag == "input"
    assert del_().tag == "del"
    assert clip_path().tag == "clipPath"
    assert svg_text().tag == "text"
    assert element("wa-button", "x", variant="brand").tag == "wa-button"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("class_", "class"),
        ("for_", "for"),
        ("data_row_id", "data-row-id"),
        ("aria_label", "aria-label"),
        ("http_equiv", "http-equiv"),
        ("accept_charset", "accept-charset"),
        ("stroke_width", "stroke-width"),
        ("view_box", "viewBox"),
        ("viewBox", "viewBox"),
        ("gradient_units", "gradientUnits"),
        ("tab_index", "tabindex"),
        ("read_only", "readonly"),
        ("xlink_href", "xlink:href"),
        ("on_click", "on_click"),
        ("on_key_down", "on_keydown"),
        ("on_wa_show", "on_wa-show"),
    ],
)
def test_attribute_names_are_normalised(given: str, name: str) -> None:
    assert _core.normalize_attribute_name(given) == name
    value = handler if given.startswith("on_") else "x"
    assert list(svg(**{given: value}).attrs) == [name]


def test_a_style_dict_becomes_one_attribute_per_property() -> None:
    count = Signal(3)
    node = p(style={"background_color": "red", "zIndex": 2, "--accent": count, "float_": None})
    assert node.attrs == {
        "style.background-color": "red",
        "style.z-index": 2,
        "style.--accent": count,
        "style.float": None,
    }


def test_a_class_list_is_joined_and_a_class_dict_becomes_switches() -> None:
    done = Signal(True)
    assert p(class_=["a", None, "b c", False]).attrs == {"class": "a b c"}
    assert p(class_={"done": done, "a b": 1, "c": ""}).attrs == {
        "class.done": done,
        "class.a": True,
        "class.b": True,
        "class.c": False,
    }
    assert p(class_=["a", {"b": False}]).attrs == {"class.b": False, "class.a": True}


def test_signals_and_callables_are_kept_as_they_are() -> None:
    count = Signal(1)
    node = p(count, handler, title=count, hidden=handler)
    assert node.children == [count, handler]
    assert node.attrs == {"title": count, "hidden": handler}


def test_iterators_are_read_once_so_that_a_node_can_be_read_often() -> None:
    node = ul((li(str(i)) for i in range(2)), map(str, [1]))
    first = node.to_dict()
    assert first == node.to_dict()
    assert [child if isinstance(child, str) else child["tag"] for child in first["children"]] == [
        "li",
        "li",
        "1",
    ]


def test_to_dict_gives_plain_data() -> None:
    node = div(
        "a", 1, 2.0, None, False, True, [p("b", key="k"), ["c"]],
        Signal(5), handler, title=Signal("t"), on_click=handler, hidden=True,
    )  # fmt: skip
    assert node.to_dict() == {
        "tag": "div",
        "attrs": {"title": "t", "on_click": "<handler>", "hidden": True},
        "children": [
            "a",
            "1",
            "2.0",
            "True",
            {"tag": "p", "attrs": {}, "children": ["b"], "key": "k"},
            "c",
            "5",
            "<handler>",
        ],
        "key": None,
    }


def test_fragment_and_raw_html_are_nodes_without_an_element() -> None:
    assert fragment("a", p()).to_dict()["tag"] == "#fragment"
    assert raw_html("<b>").to_dict() == {
        "tag": "#html",
        "attrs": {},
        "children": ["<b>"],
        "key": None,
    }


def test_equality_looks_through_lists_and_none() -> None:
    assert div("a", None, ["b"]) == div(["a", "b"])
    assert div("a") != div("b")
    assert div(handler) == div(handler)
    assert div(lambda: 1) != div(lambda: 1)
    assert div() != "div"


def test_numbers_of_other_libraries_are_values() -> None:
    class Int64:
        def __index__(self) -> int:
            return 3

    assert p(Int64(), Decimal("1.50")).to_dict()["children"] == ["3", "1.50"]
    assert p(2**80).to_dict()["children"] == [str(2**80)]


def test_repr_shows_the_tree() -> None:
    assert repr(p("a", key=1)) == "VNode('p', {}, ['a'], key=1)"
    node = p()
    node.children.append(node)
    assert "VNode(...)" in repr(node)


@pytest.mark.parametrize("child", [{}, {1, 2}, object(), b"x", 1j])
def test_a_child_of_unknown_type_names_the_element_and_the_type(child: object) -> None:
    with pytest.raises(TypeError, match=rf"<div> got a child of type {type(child).__name__}"):
        div(child)
    with pytest.raises(TypeError, match="<p> got a child"):
        p(["a", ("b", child)])


def test_a_handler_that_was_called_is_named_with_the_cure() -> None:
    with pytest.raises(TypeError) as error:
        button("+", on_click=5)
    assert str(error.value) == (
        "on_click got 5: pass the function itself (on_click=add), not its result (add())"
    )
    assert button("+", on_click=None).attrs == {"on_click": None}


def test_attribute_values_of_unknown_type_name_the_element_and_the_attribute() -> None:
    with pytest.raises(TypeError, match=r"<p data-x=\.\.\.> got a list"):
        p(data_x=[1])
    with pytest.raises(TypeError, match=r"<p class_=\[\.\.\.\]> got a Signal"):
        p(class_=[Signal("a")])


@pytest.mark.parametrize("url", ["javascript:alert(1)", " JAVASCRIPT:x", "java\nscript:x"])
def test_script_urls_are_refused(url: str) -> None:
    with pytest.raises(_core.LatticeError, match="href"):
        a("x", href=url)


@pytest.mark.parametrize("name", ["onclick", "srcdoc", "a b", 'a"', "a>", "", "on_"])
def test_attribute_names_that_are_refused(name: str) -> None:
    with pytest.raises(_core.LatticeError):
        VNode("p", {name: handler if name.startswith("on_") else "x"})


@pytest.mark.parametrize("tag", ["", "a b", "a>", "<a", "1", "plaintext"])
def test_element_names_that_are_refused(tag: str) -> None:
    with pytest.raises(_core.LatticeError):
        element(tag)


def test_elements_without_content_refuse_children() -> None:
    with pytest.raises(TypeError, match="<br> takes no children"):
        br("x")
    with pytest.raises(TypeError, match="value="):
        textarea("x")


@pytest.mark.parametrize("key", [1.5, (1,), True, object(), 2**80])
def test_keys_are_text_or_integers(key: object) -> None:
    with pytest.raises(TypeError, match=r"<li key=\.\.\.>"):
        li(key=key)  # type: ignore[arg-type]


def test_raw_html_takes_only_text_or_what_gives_it() -> None:
    with pytest.raises(TypeError, match="raw_html got int"):
        raw_html(5)
    raw_html(lambda: "<b>")


def test_nodes_that_hold_themselves_are_collected() -> None:
    class Box:
        def __call__(self) -> None: ...

    box = Box()
    gone = weakref.ref(box)
    box.node = div(on_click=box)  # type: ignore[attr-defined]
    del box
    gc.collect()
    assert gone() is None


def test_a_deep_chain_of_nodes_is_freed_without_deep_recursion() -> None:
    node = div()
    for _ in range(100_000):
        node = div(node)
    with pytest.raises(_core.LatticeError, match="512"):
        node.to_dict()
    del node


def test_many_made_up_names_still_work() -> None:
    for i in range(5000):
        assert p(**{f"data_{i}": i}).attrs == {f"data-{i}": i}


def test_label_for_is_normalised_by_keyword() -> None:
    assert label("x", for_="y").attrs == {"for": "y"}


def test_lists_of_the_user_are_not_changed() -> None:
    mine = ["a", ("b", iter("c"))]
    node = p(mine)
    assert isinstance(mine[1], tuple)
    assert node.to_dict()["children"] == ["a", "b", "c"]
    assert node.to_dict()["children"] == ["a", "b", "c"]


def test_dates_and_times_show_as_text():
    import datetime

    day = datetime.date(2026, 11, 24)
    node = _elements.p(day, title=datetime.timedelta(minutes=5))
    assert node.to_dict()["children"] == ["2026-11-24"]
    assert node.to_dict()["attrs"] == {"title": "0:05:00"}
