# SPDX-License-Identifier: MIT
"""Linked memos, context and error boundaries in the components of a served app."""

from __future__ import annotations

import lattice as lt
from lattice import ui

theme = lt.context("light")
query = lt.signal("cats")


@lt.component
def leaf():
    return ui.p(theme.use())


@lt.component
def board():
    theme.provide("dark")
    draft = lt.linked(lambda: query.value.upper())
    renders = lt.signal(0)
    return ui.div(
        ui.input(value=draft),
        ui.b(draft),
        leaf(),
        ui.i(f"render {renders.value}"),
        ui.button("next", on_click=lambda: setattr(query, "value", "dogs")),
        ui.button("again", on_click=lambda: renders.update(lambda n: n + 1)),
    )


def test_an_input_writes_a_linked_memo_until_its_source_changes(serve):
    visit = serve(board)
    page = visit()
    assert 'value="CATS"' in page.html
    assert "<p>dark</p>" in page.html
    page.shows("CATSdark")
    page.fire(page.find("input"), "input", b"\x01\x04mice\x06\x01")
    page.shows("micedark")
    page.click("again")
    page.shows("render 1")
    assert "micedark" in page.text  # found again by its name
    page.click("next")
    page.shows("DOGSdark")
    assert page.errors == {}
    other = visit()
    assert 'value="CATS"' in other.html


def test_errors_of_effects_in_a_component_go_to_its_boundary(serve):
    caught: list[str] = []

    @lt.component
    def guarded():
        step = lt.signal(0)

        def work():
            if step.value:
                raise ValueError("broken")

        seen = step.value  # renders again
        lt.error_boundary(
            lambda: lt.effect(work), lambda error: caught.append(f"{error} after {seen}")
        )
        return ui.div(ui.p(seen), ui.button("go", on_click=lambda: setattr(step, "value", 1)))

    page = serve(guarded)()
    page.click("go")
    page.shows("1")
    page.settle()
    assert caught == ["broken after 1"]  # found again, with the handler of this render
    assert page.errors == {}
