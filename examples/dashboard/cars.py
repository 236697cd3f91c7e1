# SPDX-License-Identifier: MIT
"""The data: 406 cars of the years 1970 to 1982, as the package vega_datasets ships them."""

from __future__ import annotations

from typing import NamedTuple

from vega_datasets import data

ORIGINS = ("Europe", "Japan", "USA")
FIELDS = ("Name", "Origin", "Year", "Cylinders", "Miles_per_Gallon", "Horsepower", "Weight_in_lbs")


class Car(NamedTuple):
    id: int
    name: str
    origin: str
    year: int
    cylinders: int
    mpg: float | None  # not known of 8 cars
    power: float | None  # in horsepower; not known of 6
    weight: int  # in pounds


def load() -> tuple[Car, ...]:
    frame = data.cars()
    frame["Year"] = frame["Year"].dt.year
    frame = frame[[*FIELDS]].astype(object)
    known = frame.where(frame.notna(), None)
    return tuple(Car(*row) for row in known.itertuples(name=None))


CARS = load()
