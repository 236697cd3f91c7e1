# SPDX-License-Identifier: MIT
"""Drives the demo's page and compares what it shows with what the data says.

    python tests/browser/check_demo.py [--url http://127.0.0.1:8000] [--picture build/demo.png]

Without --url it serves examples/dashboard itself. What must be shown is computed here, by pandas
from the raw file of the package; nothing of the app is imported. The chart is read back by its own
axes: the place of a mark, between the lines of the grid and their labels, must give the car's
figures.
One line per check; the exit code is 0 when all hold, else 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import vega_datasets
from conftest import CHROMIUM_FLAGS, ROOT, Complaints, Server, find_chromium, wait_for_connection
from playwright.sync_api import Error, Page, expect, sync_playwright

RAW = Path(vega_datasets.__file__).parent / "_data" / "cars.json"
ANSWER_SECONDS_MAX = 5
HEADERS = {
    "Car": "Name",
    "Origin": "Origin",
    "Year": "Year",
    "Cyl.": "Cylinders",
    "mpg": "Miles_per_Gallon",
    "hp": "Horsepower",
    "lb": "Weight_in_lbs",
}
# What the page shows, read in one go so that it is of one moment.
READ = """() => {
    const all = (selector, read) => [...document.querySelectorAll(selector)].map(read);
    const place = element => {
        const matrix = element.transform.baseVal.consolidate().matrix;
        return [matrix.e, matrix.f];
    };
    const ends = line => ['x1', 'y1', 'x2', 'y2'].map(name => line[name].baseVal.value);
    const mark = path => [
        path.querySelector('title').textContent, path.getAttribute('class'), ...place(path)];
    const lines = all('.axes line', ends);
    return {
        numbers: all('dl dd', e => e.textContent),
        rows: all('tbody tr', row => [...row.cells].map(cell => cell.textContent)),
        sorts: all('thead th', th => [th.textContent, th.getAttribute('aria-sort')]),
        legend: all('.legend li', e => e.textContent),
        marks: all('.marks path', mark),
        rings: all('.rings circle', place),
        limit: place(document.querySelector('.limit'))[1],
        trend: document.querySelector('.trend').getAttribute('d'),
        band: document.querySelector('.band').getAttribute('d'),
        acrossLines: lines.filter(([x1, , x2]) => x1 === x2).map(([x1]) => x1),
        upLines: lines.filter(([, y1, , y2]) => y1 === y2).map(([, y1]) => y1),
        across: all('.axes .x', e => Number(e.textContent)),
        up: all('.axes .y', e => Number(e.textContent)),
    };
}"""


class Expected:
    """The data, filtered and sorted as the controls say."""

    def __init__(self) -> None:
        self.cars = pandas.DataFrame(json.loads(RAW.read_text()))
        self.cars["Year"] = self.cars["Year"].str[:4].astype(int)
        self.name, self.origin, self.mpg_min = "", "All", 0
        self.sort, self.is_descending = "Car", False

    def shown(self) -> pandas.DataFrame:
        cars = self.cars
        for word in self.name.lower().split():
            cars = cars[cars["Name"].str.contains(word, regex=False)]
        if self.origin != "All":
            cars = cars[cars["Origin"] == self.origin]
        if self.mpg_min:
            cars = cars[cars["Miles_per_Gallon"] >= self.mpg_min]
        return cars

    def numbers(self) -> list[str]:
        cars = self.shown()
        economy, power = cars["Miles_per_Gallon"].mean(), cars["Horsepower"].mean()
        return [f"{len(cars)} of 406", f"{figure(economy, 1)} mpg", f"{figure(power)} hp"]

    def rows(self) -> list[list[str]]:
        cars = self.shown().sort_values(
            HEADERS[self.sort],
            ascending=not self.is_descending,
            kind="stable",
            na_position="last",
        )
        return [
            [
                car.Name,
                car.Origin,
                str(car.Year),
                str(car.Cylinders),
                figure(car.Miles_per_Gallon, 1),
                figure(car.Horsepower),
                figure(car.Weight_in_lbs),
            ]
            for car in cars.itertuples()
        ]

    def placed(self) -> pandas.DataFrame:
        return self.shown().dropna(subset=["Miles_per_Gallon", "Horsepower"])

    def marks(self) -> list[tuple[str, str, float, float]]:
        return sorted(
            (
                f"{car.Name}, {car.Origin} {car.Year}: {car.Miles_per_Gallon} mpg, "
                f"{figure(car.Horsepower)} hp",
                car.Origin.lower(),
                float(car.Horsepower),
                float(car.Miles_per_Gallon),
            )
            for car in self.placed().itertuples()
        )


def figure(value: float, digits: int = 0) -> str:
    return "–" if pandas.isna(value) else f"{value:,.{digits}f}"


def scale(places: list[float], values: list[float]) -> Callable[[float], float]:
    """From a place in the drawing to the value there; the axis must be linear."""
    (first, *_, last), (low, *_, high) = places, values
    per_unit = (high - low) / (last - first)
    for place, value in zip(places, values, strict=True):
        assert abs(low + (place - first) * per_unit - value) < 0.1, "the axis is not linear"
    return lambda place: low + (place - first) * per_unit


def differences(seen: dict[str, Any], expected: Expected) -> list[str]:
    """What the page shows and should not; empty when all is right."""
    found = []

    def compare(what: str, is_: Any, should: Any) -> None:
        if is_ != should:
            found.append(f"{what}: {str(is_)[:300]} instead of {str(should)[:300]}")

    compare("numbers", seen["numbers"], expected.numbers())
    rows = expected.rows()
    compare("number of rows", len(seen["rows"]), len(rows))
    wrong = [(a, b) for a, b in zip(seen["rows"], rows, strict=False) if a != b]
    compare("rows", wrong[:2], [])
    direction = "descending" if expected.is_descending else "ascending"
    sorts = [[name, direction if name == expected.sort else "none"] for name in HEADERS]
    compare("aria-sort", seen["sorts"], sorts)
    counts = expected.shown()["Origin"].value_counts()
    legend = [f"{origin} {counts.get(origin, 0)}" for origin in ("Europe", "Japan", "USA")]
    compare("legend", seen["legend"], legend)
    found += chart_differences(seen, expected)
    return found


def chart_differences(seen: dict[str, Any], expected: Expected) -> list[str]:
    power, mpg = scale(seen["acrossLines"], seen["across"]), scale(seen["upLines"], seen["up"])
    marks = sorted((title, css, power(x), mpg(y)) for title, css, x, y in seen["marks"])
    should = expected.marks()
    if [mark[:2] for mark in marks] != [mark[:2] for mark in should]:
        return [f"marks: {len(marks)} instead of {len(should)}, or with other titles"]
    # Places are rounded to a tenth of a unit: 0.02 hp or 0.007 mpg.
    off = [
        (a, b)
        for a, b in zip(marks, should, strict=True)
        if abs(a[2] - b[2]) > 0.1 or abs(a[3] - b[3]) > 0.03
    ]
    found = [f"place of a mark: {off[0][0]} instead of {off[0][1]}"] if off else []
    if abs(mpg(seen["limit"]) - expected.mpg_min) > 0.03:
        found.append(f"limit line: at {mpg(seen['limit'])} instead of {expected.mpg_min}")
    return found + trend_differences(seen, expected.placed(), power, mpg)


def trend_differences(
    seen: dict[str, Any], cars: pandas.DataFrame, power: Any, mpg: Any
) -> list[str]:
    """The line is numpy's weighted fit at each place; the band is checked with other samples."""
    x, y = cars["Horsepower"].to_numpy(float), cars["Miles_per_Gallon"].to_numpy(float)
    ends = np.quantile(x, (0.02, 0.98)) if len(x) >= 12 else (0, 0)
    if ends[1] - ends[0] < 14:
        return [] if seen["trend"] == seen["band"] == "" else ["a trend of too few cars"]
    line, band = outline(seen["trend"]), outline(seen["band"])
    if not len(line) == len(band) / 2 == 49:
        return [f"trend: a line of {len(line)} and a band of {len(band)} points"]
    places = np.linspace(*ends, 49)
    fitted = [local_fit(x, y, at) for at in places]
    off = max(
        max(abs(power(a) - at), 3 * abs(mpg(b) - value))
        for (a, b), at, value in zip(line, places, fitted, strict=True)
    )
    if off > 0.1:
        return [f"trend: {off} away from numpy's fit"]
    random = np.random.default_rng(7)
    some = range(6, 43, 12)  # few places, many samples: the band's width there
    samples = [random.integers(len(x), size=len(x)) for _ in range(200)]
    widths = [
        np.ptp(np.quantile([local_fit(x[s], y[s], places[i]) for s in samples], (0.05, 0.95)))
        for i in some
    ]
    upper, lower = band[:49], band[:48:-1]
    shown = [mpg(upper[i][1]) - mpg(lower[i][1]) for i in some]
    ratio = float(np.mean(shown) / np.mean(widths))
    return [] if 0.6 < ratio < 1.6 else [f"band: {ratio} times as wide as a bootstrap's"]


def outline(path: str) -> list[tuple[float, float]]:
    points = path.strip("MZ").split("L") if path else []
    return [(float(point.split()[0]), float(point.split()[1])) for point in points]


def local_fit(x: Any, y: Any, at: float) -> float:
    """The value at `at` of the line through the points, weighted by a normal curve of 14 hp."""
    if np.ptp(x) == 0:
        return float("nan")
    weight = np.exp(-(((x - at) / 14) ** 2) / 4)  # polyfit squares its weights
    return float(np.polyfit(x - at, y, 1, w=weight)[1])


class Check:
    """Runs checks and tells of each in one line."""

    def __init__(self, page: Page, expected: Expected) -> None:
        self.page, self.expected = page, expected
        self.failed = 0

    def tell(self, name: str, problems: list[str]) -> None:
        self.failed += bool(problems)
        print(("ok      " if not problems else "FAILED  ") + name)
        for problem in problems:
            print("        " + problem)

    def same(self, name: str) -> None:
        """Compares all that the page shows, until it is right or too late."""
        end = time.monotonic() + ANSWER_SECONDS_MAX
        while problems := differences(self.page.evaluate(READ), self.expected):
            if time.monotonic() > end:
                break
            self.page.wait_for_timeout(10)
        self.tell(name, problems)

    def holds(self, name: str, claim: Callable[[], Any]) -> None:
        try:
            claim()
        except AssertionError as error:
            self.tell(name, [" ".join(str(error).split())[:400]])
        else:
            self.tell(name, [])


def drive_filters(check: Check) -> None:
    page, expected = check.page, check.expected
    name, origin = page.get_by_label("Name"), page.get_by_label("Origin")
    check.same("first paint: all cars")
    for choice in ("Japan", "Europe", "USA"):
        origin.select_option(choice)
        expected.origin = choice
        check.same(f"select: {choice}")
    for value in (15, 45, 20):
        page.get_by_role("slider").fill(str(value))
        expected.mpg_min = value
        check.same(f"slider: at least {value} mpg, {expected.origin}")
    name.focus()
    for letter in "ford w":
        page.keyboard.type(letter)
        expected.name += letter
        check.same(f"search while typing: {expected.name!r}")
    name.fill("no such car")
    expected.name = "no such car"
    check.same("search: nothing is left")
    check.holds(
        "nothing is left: it says so", lambda: expect(page.locator(".scroll p")).to_be_visible()
    )
    page.get_by_role("button", name="Clear").click()
    expected.name, expected.origin, expected.mpg_min = "", "All", 0
    check.same("clear: all cars again")
    check.holds("clear: the controls follow", lambda: controls_are_clear(page))


def controls_are_clear(page: Page) -> None:
    expect(page.get_by_label("Name")).to_have_value("")
    expect(page.get_by_label("Origin")).to_have_value("All")
    expect(page.get_by_role("slider")).to_have_value("0")


def drive_sorting(check: Check) -> None:
    page, expected = check.page, check.expected
    for header in [*list(HEADERS)[1:], "Car"]:
        button = page.locator("thead").get_by_role("button", name=header, exact=True)
        expected.sort = header
        for expected.is_descending in (False, True):
            button.click()
            check.same(f"sort: {header}, {'descending' if expected.is_descending else 'ascending'}")
    page.get_by_label("Name").fill("buick")
    expected.name = "buick"
    check.same("search in a sorted table")


def drive_by_keyboard(check: Check) -> None:
    page, expected = check.page, check.expected
    page.get_by_label("Name").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("datsun")
    page.keyboard.press("Tab")
    page.keyboard.type("Japan")
    page.keyboard.press("Tab")
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    expected.name, expected.origin, expected.mpg_min = "datsun", "Japan", 25
    check.same("by keyboard: all three filters")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expected.name, expected.origin, expected.mpg_min = "", "All", 0
    check.same("by keyboard: clear")
    page.keyboard.press("Tab")  # the scrolling table
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expected.sort, expected.is_descending = "mpg", False
    check.same("by keyboard: sort")


def drive_visitors(check: Check, open_page: Callable[[], Page]) -> None:
    page = check.page
    here = page.get_by_role("list", name="Connected now").get_by_role("listitem")
    check.holds("visitors: only me", lambda: expect(here).to_have_text(["You"]))
    other = open_page()
    there = other.get_by_role("list", name="Connected now").get_by_role("listitem")
    check.holds("visitors: two here", lambda: expect(here).to_have_count(2))
    check.holds("visitors: two there", lambda: expect(there).to_have_count(2))
    car = check.expected.cars.dropna().iloc[100]
    other.get_by_label("Name").fill(car["Name"])
    picked = other.locator("tbody").get_by_role("button").first
    expect(picked).to_contain_text(car["Name"])
    picked.click()

    def ring_is_at_its_car() -> None:
        expect(page.locator(".rings circle")).to_have_count(1)
        seen = page.evaluate(READ)
        [[x, y]] = seen["rings"]
        power, mpg = scale(seen["acrossLines"], seen["across"]), scale(seen["upLines"], seen["up"])
        cars = check.expected.cars
        first = cars[cars["Name"].str.contains(car["Name"], regex=False)].sort_values(
            "Name", kind="stable"
        )
        assert abs(power(x) - first["Horsepower"].iloc[0]) < 0.1
        assert abs(mpg(y) - first["Miles_per_Gallon"].iloc[0]) < 0.03

    check.holds("visitors: a pick there is a ring here", ring_is_at_its_car)
    other.close()
    check.holds("visitors: gone when closed", lambda: expect(here).to_have_text(["You"]))
    check.holds(
        "visitors: the ring is gone too",
        lambda: expect(page.locator(".rings circle")).to_have_count(0),
    )


def take_picture(page: Page, file: Path) -> None:
    page.get_by_label("Origin").select_option("All")
    page.get_by_role("slider").fill("14")
    expect(page.locator("dd").first).not_to_have_text("406 of 406")
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file)


def run(url: str, picture: Path, chromium: str) -> int:
    complaints = Complaints()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_FLAGS])
        context = browser.new_context(viewport={"width": 1280, "height": 800})

        def open_page() -> Page:
            page = context.new_page()
            complaints.watch(page)
            page.goto(url)
            wait_for_connection(page)
            return page

        check = Check(open_page(), Expected())
        try:
            drive_visitors(check, open_page)
            drive_filters(check)
            drive_sorting(check)
            drive_by_keyboard(check)
        except Error as error:
            check.tell("the page can be driven to the end", [error.message])
        take_picture(check.page, picture)
        check.tell("no error in the browser's console", complaints.unexpected())
        browser.close()
    print(
        f"{'all checks hold' if not check.failed else f'{check.failed} checks failed'}; {picture}"
    )
    return 1 if check.failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="a demo that is being served already")
    parser.add_argument("--picture", type=Path, default=ROOT / "build" / "demo.png")
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print("no Chromium found; set LATTICE_CHROMIUM to one")
        return 1
    if options.url:
        return run(options.url, options.picture, chromium)
    app = ROOT / "examples" / "dashboard" / "app.py"
    server = Server([sys.executable, "-m", "lattice", "run", str(app), "--port", "{port}"], ROOT)
    try:
        return run(server.url, options.picture, chromium)
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
