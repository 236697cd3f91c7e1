# SPDX-License-Identifier: MIT
"""The chart: a drawing is a part of the page like any other, so signals move its marks."""

from __future__ import annotations

from cars import CARS, ORIGINS
from trend import trend

import lattice as lt
from lattice import ui

WIDTH, HEIGHT = 640, 470
LEFT, RIGHT, TOP, BOTTOM = 48, WIDTH - 14, 14, HEIGHT - 48
POWERS, ECONOMIES = range(0, 241, 40), range(0, 51, 10)  # where the grid has lines

# Each origin has a shape of its own: colour alone would not do.
SHAPES = {
    "Europe": "M0-5.6 5.6 0 0 5.6-5.6 0Z",
    "Japan": "M0-5 5.2 4.4-5.2 4.4Z",
    "USA": "M-4.4 0a4.4 4.4 0 1 0 8.8 0 4.4 4.4 0 1 0-8.8 0Z",
}


def x(power):
    return round(LEFT + power / POWERS[-1] * (RIGHT - LEFT), 1)


def y(mpg):
    return round(BOTTOM - mpg / ECONOMIES[-1] * (BOTTOM - TOP), 1)


def place(car):
    return f"translate({x(car.power)} {y(car.mpg)})"


def is_placed(car):
    return car.mpg is not None and car.power is not None


def path(places, *curves):
    """One closed outline through all curves, or the line of a single one."""
    points = [f"{x(power)} {y(mpg)}" for power, mpg in zip(places, curves[0], strict=True)]
    for curve in curves[1:]:
        back = zip(reversed(places), reversed(curve), strict=True)
        points += [f"{x(power)} {y(mpg)}" for power, mpg in back]
    return "M" + "L".join(points) + ("Z" if curves[1:] else "")


def mark(car):
    text = f"{car.name}, {car.origin} {car.year}: {car.mpg} mpg, {car.power:.0f} hp"
    shape = SHAPES[car.origin]
    return ui.path(ui.title(text), d=shape, transform=place(car), class_=car.origin.lower())


@lt.component
def chart(shown, mpg_min, picks, color):
    def legend(origin):
        count = ui.text("{} {}", origin, lambda: sum(car.origin == origin for car in shown()))
        key = ui.svg(ui.path(d=SHAPES[origin]), view_box="-8 -8 16 16", aria_hidden="true")
        return ui.li(key, count, class_=origin.lower())

    def marks():
        return [car for car in shown() if is_placed(car)]

    fitted = lt.memo(lambda: trend(marks()))

    def line():
        if fitted() is None:
            return ""
        places, middle, _, _ = fitted()
        return path(places.tolist(), middle.tolist())

    def band():
        if fitted() is None:
            return ""
        places, _, lower, upper = fitted()
        return path(places.tolist(), upper.tolist(), lower.tolist())

    def rings():
        picked = [(visitor, car) for visitor, car in picks.value.items() if car is not None]
        return [(visitor, CARS[car]) for visitor, car in picked if is_placed(CARS[car])]

    def ring(pick):
        visitor, car = pick
        return ui.circle(r=9, transform=place(car), style={"--hue": color(visitor)})

    return ui.section(
        ui.h2("Economy and power"),
        ui.ul(*map(legend, ORIGINS), class_="legend"),
        ui.svg(
            ui.title("Fuel economy in miles per gallon over power in horsepower", id="chart-title"),
            ui.desc(
                "One mark per car of the table: the stronger, the thirstier. A line shows the "
                "trend, a band around it where nine of ten resampled trends lie.",
                id="chart-desc",
            ),
            axes(),
            ui.path(d=band, class_="band"),
            ui.line(
                x1=LEFT,
                x2=RIGHT,
                class_="limit",
                transform=lambda: f"translate(0 {y(mpg_min.value)})",
            ),
            ui.g(ui.For(marks, key=lambda car: car.id, render=mark), class_="marks"),
            ui.path(d=line, class_="trend"),
            ui.g(ui.For(rings, key=lambda pick: pick[0], render=ring), class_="rings"),
            view_box=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_labelledby="chart-title chart-desc",
        ),
        ui.p(
            lambda: (
                "Line: the trend. Band: where nine of ten resampled trends lie."
                if fitted()
                else "Too few cars for a trend."
            ),
            class_="key",
        ),
        class_="chart",
    )


def axes():
    return ui.g(
        [ui.line(x1=x(n), x2=x(n), y1=TOP, y2=BOTTOM) for n in POWERS],
        [ui.line(x1=LEFT, x2=RIGHT, y1=y(n), y2=y(n)) for n in ECONOMIES],
        [ui.svg_text(n, x=x(n), y=BOTTOM + 20, class_="x") for n in POWERS],
        [ui.svg_text(n, x=LEFT - 8, y=y(n) + 5, class_="y") for n in ECONOMIES],
        ui.svg_text("Horsepower", x=(LEFT + RIGHT) / 2, y=HEIGHT - 6, class_="name"),
        ui.svg_text("Miles per gallon", x=LEFT + 8, y=TOP + 16, class_="name start"),
        class_="axes",
    )
