# SPDX-License-Identifier: MIT
"""What tests of stores look with: readers that say whether they were told, and a dataclass."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

import lattice as lt


class Reads:
    """An effect for each of several reads, with how often it ran since the last question."""

    def __init__(self, **reads: Callable[[], Any]) -> None:
        self.runs: collections.Counter[str] = collections.Counter()
        self.effects = [lt.effect(self.counting(name, read)) for name, read in reads.items()]
        self.runs.clear()

    def counting(self, name: str, read: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            self.runs[name] += 1
            read()

        return run

    def told(self) -> set[str]:
        told = {name for name, count in self.runs.items() if count}
        assert all(count <= 1 for count in self.runs.values()), self.runs
        self.runs.clear()
        return told


@dataclasses.dataclass
class Todo:
    title: str
    done: bool = False
    tags: list[str] = dataclasses.field(default_factory=list)
    count: collections.abc.Callable = None  # type: ignore[type-arg, assignment]

    def shout(self) -> str:
        return self.title.upper()

    @property
    def is_open(self) -> bool:
        return not self.done
