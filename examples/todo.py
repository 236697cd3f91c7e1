# SPDX-License-Identifier: MIT
"""A to-do list in a store, with rows bound to its items: lattice run examples/todo.py"""

import lattice as lt
from lattice import ui


@lt.component
def todo(title: str = "To do"):
    items = lt.store([])  # reads track per key, writes are ordinary
    draft = lt.signal("")
    is_short = lt.signal(False)
    shown = lt.filter(items, lambda item: not (is_short.value and item["done"]))

    def add():
        if draft.value.strip():
            items.append({"id": lt.unique_id(), "title": draft.value.strip(), "done": False})
            draft.value = ""

    def row(item):  # item is live: a write to it updates what shows it, and nothing else
        return ui.li(
            ui.label(
                ui.input(type="checkbox", checked=lt.bind(item, "done")),
                lambda: ui.s(item["title"]) if item["done"] else item["title"],
            ),
            ui.button(
                "×", on_click=lambda: items.remove(item), aria_label=f"Remove {item['title']}"
            ),
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
        ui.ul(ui.For(shown, key=lambda item: item["id"], render=row)),
        ui.Show(lambda: not shown, lambda: ui.p("Nothing to do.")),
        ui.p(ui.text("{} open", lambda: sum(not item["done"] for item in items))),
    )
