# SPDX-License-Identifier: MIT
"""A to-do list with a keyed list and two-way bound fields: lattice run examples/todo.py"""

from typing import NamedTuple

import lattice as lt
from lattice import ui


class Item(NamedTuple):
    id: str
    title: str
    done: bool = False


@lt.component
def todo(title: str = "To do"):
    items = lt.signal(())
    draft = lt.signal("")
    is_short = lt.signal(False)

    @lt.memo
    def shown():
        return tuple(item for item in items.value if not (is_short.value and item.done))

    @lt.memo
    def open_count():
        return sum(not item.done for item in items.value)

    def add():
        if draft.value.strip():
            items.value += (Item(lt.unique_id(), draft.value.strip()),)
            draft.value = ""

    def turn(item):
        new = item._replace(done=not item.done)
        items.value = tuple(new if old.id == item.id else old for old in items.value)

    def remove(item):
        items.value = tuple(old for old in items.value if old.id != item.id)

    def row(item):  # runs again only for the row whose item has changed
        return ui.li(
            ui.label(
                ui.input(type="checkbox", checked=item.done, on_change=lambda: turn(item)),
                ui.s(item.title) if item.done else item.title,
            ),
            ui.button("×", on_click=lambda: remove(item), aria_label=f"Remove {item.title}"),
        )

    return ui.main(
        ui.h1(title),
        ui.form(
            ui.input(
                value=draft,  # both ways
                aria_label="What next?",
                placeholder="What next?",
                on_keydown=lt.on(lambda: draft.update(lambda _: ""), keys=("Escape",)),
            ),
            ui.button("Add"),
            on_submit=add,
        ),
        ui.label(ui.input(type="checkbox", checked=is_short), "Hide what is done"),
        ui.ul(ui.For(shown, key=lambda item: item.id, render=row)),
        ui.Show(lambda: not shown(), lambda: ui.p("Nothing to do.")),
        ui.p(ui.text("{} open", open_count)),
    )
