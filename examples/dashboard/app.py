# SPDX-License-Identifier: MIT
"""A live dashboard over 406 cars: lattice run examples/dashboard/app.py

The page is described once. What changes hangs on signals (what the visitor sets) and on memos (what
follows from them); each is handed to the place that shows it, and only that place is updated.
Open the page in two windows and pick a car in one of them: `picks` is shared by everyone. So is the
note below, letter by letter: it is text of a room, which merges what many write at the same time.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from statistics import fmean

from cars import CARS, ORIGINS
from chart import chart

import lattice as lt
from lattice import ui

COLUMNS = {
    "name": "Car",
    "origin": "Origin",
    "year": "Year",
    "cylinders": "Cyl.",
    "mpg": "mpg",
    "power": "hp",
    "weight": "lb",
}
GUESTS = (
    "Badger",
    "Crane",
    "Dolphin",
    "Falcon",
    "Heron",
    "Ibis",
    "Lynx",
    "Otter",
    "Panda",
    "Robin",
)

room = lt.Room("cars")
picks = lt.signal({}, scope="app")  # of every visitor: session id -> the id of a car, or None


@lt.component
def dashboard():
    origin = lt.signal("All")
    mpg_min = lt.signal(0)
    query = lt.signal("")
    order = lt.signal(("name", False))  # by which column, and whether the largest comes first
    me = lt.session().id

    @lt.memo
    def shown():
        words = query.value.casefold().split()
        return tuple(
            car
            for car in CARS
            if origin.value in ("All", car.origin)
            and (car.mpg or 0) >= (mpg_min.value or 0)
            and all(word in car.name for word in words)
        )

    @lt.memo
    def rows():
        column, is_descending = order.value
        known = [car for car in shown() if getattr(car, column) is not None]
        unknown = [car for car in shown() if getattr(car, column) is None]
        known.sort(key=lambda car: getattr(car, column), reverse=is_descending)
        return (*known, *unknown)

    def mean(column, digits):
        values = [getattr(car, column) for car in shown()]
        known = [value for value in values if value is not None]
        return number(fmean(known) if known else None, digits)

    def clear():  # three writes, one frame
        origin.value, mpg_min.value, query.value = "All", 0, ""

    @lt.effect  # runs when the page is connected; its cleanup when the page is closed
    def join():
        picks.update(lambda all: {**all, me: None})
        lt.on_cleanup(lambda: picks.update(lambda all: {k: all[k] for k in all if k != me}))

    return ui.main(
        ui.link(rel="stylesheet", href="/static/dashboard.css"),
        ui.header(
            ui.h1("Cars, 1970 to 1982"),
            ui.p("What they drank, and how strong they were."),
            guests(me),
        ),
        ui.search(
            ui.label("Name", ui.input(type="search", value=query, placeholder="toyota wagon")),
            ui.label("Origin", ui.select(*map(ui.option, ("All", *ORIGINS)), value=origin)),
            ui.label(
                ui.span("At least ", ui.b(ui.text("{} mpg", mpg_min))),
                ui.input(type="range", min=0, max=45, value=mpg_min),
            ),
            ui.button("Clear", on_click=clear),
            aria_label="Filters",
        ),
        ui.dl(
            stat("Cars", ui.text("{} of {}", lambda: len(shown()), len(CARS))),
            stat("Mean economy", ui.text("{} mpg", lambda: mean("mpg", 1))),
            stat("Mean power", ui.text("{} hp", lambda: mean("power", 0))),
            aria_live="polite",
        ),
        chart(shown, mpg_min, picks, hue),
        table(rows, order, me),
        note(me),
    )


def number(value, digits=0):
    return "–" if value is None else f"{value:,.{digits}f}"


def stat(label, value):
    return ui.div(ui.dt(label), ui.dd(value))


def hue(session):
    return zlib.crc32(session.encode()) % 360


def name_of(session):
    return GUESTS[hue(session) % len(GUESTS)]


@lt.component
def guests(me):
    def guest(pick):
        session, car = pick
        name = "You" if session == me else name_of(session)
        return ui.li(
            name,
            ui.small(CARS[car].name) if car is not None else None,
            style={"--hue": hue(session)},
        )

    everyone = ui.For(lambda: picks.value.items(), key=lambda pick: pick[0], render=guest)
    return ui.ul(everyone, class_="guests", aria_label="Connected now")


@lt.component
def table(rows, order, me):
    picked = lt.memo(lambda: picks.value.get(me))

    def header(column, label):
        def sort():
            last, is_descending = order.value
            order.value = (column, column == last and not is_descending)

        def direction():
            last, is_descending = order.value
            return "none" if column != last else "descending" if is_descending else "ascending"

        button = ui.button(label, on_click=sort)
        return ui.th(button, scope="col", class_=column, aria_sort=direction)

    def row(car):  # runs once per car; what changes later is bound to its place
        def pick():
            picks.update(lambda all: {**all, me: None if all.get(me) == car.id else car.id})

        def is_pressed():
            return "true" if picked() == car.id else "false"

        figures = (car.cylinders, number(car.mpg, 1), number(car.power), number(car.weight))
        cells = zip(list(COLUMNS)[1:], (car.origin, car.year, *figures), strict=True)
        return ui.tr(
            ui.th(ui.button(car.name, on_click=pick, aria_pressed=is_pressed), scope="row"),
            [ui.td(text, class_=column) for column, text in cells],
        )

    return ui.section(
        ui.h2("The cars"),
        ui.div(
            ui.table(
                ui.thead(ui.tr(*[header(*column) for column in COLUMNS.items()])),
                ui.tbody(ui.For(rows, key=lambda car: car.id, render=row)),
            ),
            ui.Show(lambda: not rows(), lambda: ui.p("No car is like that.")),
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label="The cars",
        ),
        class_="cars",
    )


@lt.component
def note(me):
    room.set_local_presence({"name": name_of(me), "hue": hue(me)})
    text = room.text("note")

    def reader(entry):
        client, shown = entry
        name = "You" if client == room.client_id else shown["name"]
        return ui.li(name, style={"--hue": shown["hue"]})

    def here():  # peers of other programs may show nothing that has a name
        known = sorted(room.presence.items())
        return [(client, shown) for client, shown in known if {"name", "hue"} <= shown.keys()]

    return ui.section(
        ui.h2("A note for everybody"),
        ui.ul(
            ui.For(here, key=lambda entry: entry[0], render=reader),
            class_="guests",
            aria_label="Reading the note",
        ),
        ui.textarea(
            value=text, rows=3, placeholder="Write here", aria_label="A note for everybody"
        ),
        class_="note",
    )


app = lt.App(dashboard, title="Cars, 1970 to 1982", static=Path(__file__).parent / "static")
