# SPDX-License-Identifier: MIT
"""The trend of the chart: how economy falls with power, and how sure one can be of it.

The line is a local linear regression. The band is a bootstrap: the same line for 200 samples that
are drawn from the cars shown, of which it holds nine in ten at each place. That is 200 x 49 x 406
weights for each move of a slider: `fit` is recorded once and runs as machine code.
"""

from __future__ import annotations

import numpy as np
from cars import CARS

import lattice as lt

PLACES, SAMPLES, CARS_MIN = 49, 200, 12
SPAN = 14.0  # in horsepower: how far a car is heard, as the deviation of a normal curve

# How often a sample has each car (a Poisson bootstrap); the first sample is the cars as they are.
DRAWN = np.random.default_rng(1970).poisson(1.0, (SAMPLES + 1, len(CARS))).astype(float)
DRAWN[0] = 1.0


@lt.jit(strict=True)
def fit(places, power, mpg, drawn):
    """The lines through (`power`, `mpg`) at `places`: one column for each row of `drawn`."""
    away = (power - places[:, None, None]) / SPAN
    weight = drawn * np.exp(-0.5 * away * away)
    s0 = np.sum(weight, axis=-1)
    s1 = np.sum(weight * away, axis=-1)
    s2 = np.sum(weight * away * away, axis=-1)
    t0 = np.sum(weight * mpg, axis=-1)
    t1 = np.sum(weight * away * mpg, axis=-1)
    return (s2 * t0 - s1 * t1) / (s0 * s2 - s1 * s1)


def trend(cars):
    """Places in horsepower, and there the line, the band's lower and its upper edge in mpg.

    None where there are too few cars, or where they all have one power, so that no line is told.
    """
    if len(cars) < CARS_MIN:
        return None
    power = np.array([car.power for car in cars])
    mpg = np.array([car.mpg for car in cars])
    low, high = np.quantile(power, (0.02, 0.98))  # beyond, single cars pull the line
    if high - low < SPAN:
        return None
    places = np.linspace(low, high, PLACES)
    with np.errstate(divide="ignore", invalid="ignore"):  # a sample may have no car near a place
        lines = fit(places, power, mpg, DRAWN[:, [car.id for car in cars]])
    lower, upper = np.nanquantile(lines[:, 1:], (0.05, 0.95), axis=1)
    return places, lines[:, 0], lower, upper
