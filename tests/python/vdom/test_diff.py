# SPDX-License-Identifier: MIT
"""The pure diff: what is emitted, and that applying it gives the new tree."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lattice import _core
from lattice._elements import div, fragment, li, p, raw_html, ul
from lattice.diff import Patch, PatchType, apply, diff

VNode = _core.VNode


def rows(keys: str) -> VNode:
    return ul([li(key, key=key) for key in keys])


def types(patches: list[Patch]) -> list[PatchType]:
    return [patch.type for patch in patches]


def test_equal_trees_need_no_patch() -> None:
    assert diff(rows("abc"), rows("abc")) == []


def test_swapping_two_keyed_rows_emits_one_reorder_of_two_moves_and_no_create() -> None:
    patches = diff(rows("abcde"), rows("adcbe"))
    assert types(patches) == [PatchType.REORDER]
    assert patches[0].path == ()
    assert len(patches[0].data) == 2


def test_moving_the_last_row_to_the_front_emits_one_move() -> None:
    (patch,) = diff(rows("abcd"), rows("dabc"))
    assert patch == Patch(PatchType.REORDER, (), [(3, 0)])


def test_a_new_row_is_one_create_at_its_place() -> None:
    assert diff(rows("ac"), rows("abc")) == [Patch(PatchType.CREATE, (1,), li("b", key="b"))]


def test_a_row_that_is_gone_is_one_remove() -> None:
    assert diff(rows("abc"), rows("ac")) == [Patch(PatchType.REMOVE, (1,))]


def test_a_changed_text_is_one_text_patch() -> None:
    assert diff(div(p("a"), p("b")), div(p("a"), p("c"))) == [Patch(PatchType.TEXT, (1, 0), "c")]


def test_changed_attributes_are_one_update() -> None:
    old = p(title="a", class_="x", style={"color": "red"})
    new = p(title="b", class_="x", hidden=True)
    assert diff(old, new) == [
        Patch(
            PatchType.UPDATE,
            (),
            {"set": {"title": "b", "hidden": True}, "remove": ["style.color"]},
        )
    ]


def test_another_element_at_the_root_is_a_replace() -> None:
    assert diff(p("a"), div("a")) == [Patch(PatchType.REPLACE, (), div("a"))]


def test_paths_count_what_shows() -> None:
    old = div(None, ["a", False], "b")
    new = div(["a"], None, "c")
    assert diff(old, new) == [Patch(PatchType.TEXT, (1,), "c")]


def test_callables_compare_by_identity() -> None:
    def first() -> None: ...

    def second() -> None: ...

    assert diff(p(on_click=first), p(on_click=first)) == []
    assert diff(p(on_click=first), p(on_click=second)) == [
        Patch(PatchType.UPDATE, (), {"set": {"on_click": second}, "remove": []})
    ]
    assert types(diff(p(first), p(second))) == [PatchType.REPLACE]


def test_duplicate_keys_raise_and_name_the_key() -> None:
    with pytest.raises(_core.LatticeError, match="duplicate key 'b'"):
        diff(rows("a"), rows("abb"))


def test_trees_that_are_too_deep_raise() -> None:
    def chain() -> VNode:
        node = div()
        for _ in range(600):
            node = div(node)
        return node

    with pytest.raises(_core.LatticeError, match="512"):
        diff(chain(), chain())


def test_a_patch_that_does_not_fit_raises() -> None:
    for patch in (
        Patch(PatchType.REMOVE, (9,)),
        Patch(PatchType.CREATE, (9,), "x"),
        Patch(PatchType.TEXT, (), "x"),
        Patch(PatchType.REORDER, (), [(0, 7)]),
    ):
        with pytest.raises(_core.LatticeError, match="fit"):
            apply(div("a"), [patch])


def test_apply_leaves_the_old_tree_as_it_is() -> None:
    old = rows("ab")
    apply(old, diff(old, rows("ba")))
    assert old == rows("ab")


def random_tree(rng: random.Random, depth: int) -> VNode:
    attrs: dict[str, Any] = {}
    for name in ("class_", "title", "data_x", "hidden", "on_click"):
        if rng.random() < 0.4:
            attrs[name] = (
                random_tree if name == "on_click" else rng.choice(["x", 1, 0.5, True, None])
            )
    children: list[Any] = []
    keys = rng.sample("abcdefgh", 8)
    for _ in range(rng.randrange(6) if depth else 0):
        kind = rng.random()
        if kind < 0.3:
            children.append(rng.choice(["a", "", 3, 1.5, None, random_tree]))
        elif kind < 0.4:
            children.append(raw_html(rng.choice(["<b>", "<i>"])))
        elif kind < 0.5:
            children.append(fragment(*random_tree(rng, depth - 1).children))
        else:
            child = random_tree(rng, depth - 1)
            key = keys.pop() if rng.random() < 0.5 else None
            children.append(VNode(child.tag, child.attrs, child.children, key))
    return VNode(rng.choice(["div", "p", "ul"]), attrs, children)


@pytest.mark.parametrize("seed", range(300))
def test_applying_the_diff_of_random_trees_gives_the_new_one(seed: int) -> None:
    rng = random.Random(seed)
    old, new = random_tree(rng, 3), random_tree(rng, 3)
    new = VNode(old.tag, new.attrs, new.children)
    assert apply(old, diff(old, new)) == new
