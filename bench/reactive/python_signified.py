# SPDX-License-Identifier: MIT
"""The cases of python_cases.py with signified: new versions track reads, old ones push."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import signified  # type: ignore[import-not-found]
from python_cases import Cases
from python_measure import main
from signified import Computed, Signal

TRACKS = hasattr(signified, "Effect")


class Observer:
    """What the old versions have for an effect."""

    def __init__(self, function: Callable[[], object], source: Any) -> None:
        self.update = function
        self.source = source
        source.subscribe(self)
        function()

    def dispose(self) -> None:
        self.source.unsubscribe(self)


class Signified(Cases):
    make_signal = Signal
    make_memo = Computed

    def memo(self, function: Callable[[], Any], source: Any) -> Any:
        """The old versions are told what a function reads."""
        return Computed(function) if TRACKS else Computed(function, source)

    def effect(self, function: Callable[[], object], source: Any) -> Any:
        return signified.Effect(function) if TRACKS else Observer(function, source)


if __name__ == "__main__":
    main(Signified().table())
