# SPDX-License-Identifier: MIT
"""Random programs on a store and on plain data at once."""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Callable, MutableMapping, MutableSequence, MutableSet
from typing import Any

import pytest

import lattice as lt


@dataclasses.dataclass
class Reader:
    """What somebody looks at, by path, in a store and in plain data alike."""

    path: tuple[Any, ...]
    kind: str
    argument: Any

    def look(self, at: Any) -> Any:
        try:
            for step in self.path:
                at = at[step]
            if self.kind == "leaf":
                return at if isinstance(at, int) else word(at)
            if self.kind == "len":
                return len(at)
            if self.kind == "in":
                return self.argument in at
            if self.kind == "keys":
                return list(at) if isinstance(at, MutableMapping) else None
            return copy.deepcopy(at)
        except (KeyError, IndexError, TypeError) as error:
            return type(error).__name__

    def footprint(self, at: Any) -> list[Any]:
        """Everything that `look` depends on, with containers of a store by identity."""
        read: list[Any] = []
        for step in self.path:
            if isinstance(at, MutableSequence) and isinstance(step, int):
                if step < 0:
                    read.append(len(at))
                inside = -len(at) <= step < len(at)
            elif isinstance(at, MutableMapping):
                inside = step in at
            else:
                return read  # a mistake, whatever it holds
            if not inside:
                return [*read, "missing"]
            at = at[step]
            read.append(at if isinstance(at, int) else id(at))
        if isinstance(at, int) or self.kind == "leaf":
            return read
        if self.kind == "len":
            return [*read, len(at)]
        if self.kind == "in":
            is_list = isinstance(at, MutableSequence)
            return [*read, shallow(at) if is_list else self.argument in at]
        if self.kind == "keys":
            return [*read, list(at) if isinstance(at, MutableMapping) else None]
        return [*read, deep(at)]


def word(at: Any) -> str:
    kinds = {"dict": MutableMapping, "list": MutableSequence, "set": MutableSet}
    return next((name for name, kind in kinds.items() if isinstance(at, kind)), "leaf")


def shallow(at: Any) -> list[Any]:
    return [item if isinstance(item, int) else id(item) for item in at]


def deep(at: Any) -> Any:
    if isinstance(at, MutableMapping):
        return id(at), [(key, deep(item)) for key, item in at.items()]
    if isinstance(at, MutableSequence):
        return id(at), [deep(item) for item in at]
    return (id(at), sorted(at)) if isinstance(at, MutableSet) else at


def random_data(rng: random.Random, depth: int) -> Any:
    kind = rng.choice("dllsi" if depth else "i")
    if kind == "d":
        return {rng.choice("abc"): random_data(rng, depth - 1) for _ in range(rng.randrange(4))}
    if kind == "l":
        return [random_data(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind == "s":
        return {rng.randrange(6) for _ in range(rng.randrange(5))}
    return rng.randrange(4)


def random_change(rng: random.Random, plain: Any, live: Any) -> None:
    """The same random operation on both."""
    while isinstance(plain, dict | list) and plain and rng.random() < 0.6:
        step = rng.choice(list(plain)) if isinstance(plain, dict) else rng.randrange(len(plain))
        if not isinstance(plain[step], dict | list | set):
            break
        plain, live = plain[step], live[step]
    value = random_data(rng, 2)
    number = rng.randrange(4)
    index, other = rng.randrange(6), rng.randrange(6)
    name = rng.choice("abc")
    if isinstance(plain, dict):
        change: Callable[[Any], Any] = rng.choice(
            [
                lambda d: d.__setitem__(name, value),
                lambda d: d.__setitem__(name, number),
                lambda d: d.pop(name, None),
                lambda d: d.update({name: number, "b": 1}),
                lambda d: d.setdefault(name, number),
                lambda d: d.clear() if other == 0 else None,
                lambda d: d.popitem() if d else None,
            ]
        )
    elif isinstance(plain, set):
        change = rng.choice(
            [
                lambda s: s.add(index),
                lambda s: s.discard(index),
                lambda s: s.update({index, other}),
                lambda s: s.difference_update({index}),
                lambda s: s.symmetric_difference_update({index, other}),
            ]
        )
    else:
        change = rng.choice(
            [
                lambda q: q.append(value),
                lambda q: q.insert(index, number),
                lambda q: q.pop(index) if index < len(q) else None,
                lambda q: q.__setitem__(index, number) if index < len(q) else None,
                lambda q: q.__setitem__(slice(index, other), [number, value]),
                lambda q: q.__delitem__(slice(index, other)),
                lambda q: q.reverse(),
                lambda q: q.sort(key=repr),
                lambda q: q.extend([number, number]),
                lambda q: q.__setitem__(slice(None, None, 2), q[::2]),
            ]
        )
    with lt.untracked():
        change(plain)
        value = copy.deepcopy(value)
        change(live)


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_tell_exactly_the_readers_of_what_has_changed(seed):
    rng = random.Random(seed)
    plain = {"a": random_data(rng, 3), "b": random_data(rng, 3), "c": [1, 2, 3]}
    live = lt.store(copy.deepcopy(plain))
    readers = []
    for _ in range(25):
        path = tuple(rng.choice(["a", "b", "c", 0, 1, 2, -1]) for _ in range(rng.randrange(4)))
        kind = rng.choice(["leaf", "len", "in", "keys", "value"])
        readers.append(Reader(path, kind, rng.choice(["a", 1, 2])))
    seen: list[Any] = [None] * len(readers)
    runs = [0] * len(readers)

    def watch(at: int) -> None:
        def run() -> None:
            runs[at] += 1
            seen[at] = readers[at].look(live)

        lt.effect(run)

    for at in range(len(readers)):
        watch(at)
    told = 0
    for _ in range(150):
        kept = []  # so that no identity is used twice
        collect(live, kept)
        before = [reader.footprint(live) for reader in readers]
        runs[:] = [0] * len(readers)
        in_batch = rng.random() < 0.2
        if in_batch:
            with lt.batch():
                for _ in range(3):
                    random_change(rng, plain, live)
        else:
            random_change(rng, plain, live)
        assert lt.snapshot(live) == plain
        for at, reader in enumerate(readers):
            assert seen[at] == reader.look(plain), reader
            has_changed = reader.footprint(live) != before[at]
            # In a batch a container's own readers may run for what was undone.
            assert runs[at] == has_changed or (in_batch and runs[at] == 1), reader
            told += runs[at]
    assert told > 50


def collect(at: Any, kept: list[Any]) -> None:
    if isinstance(at, MutableMapping | MutableSequence):
        kept.append(at)
        for item in at.values() if isinstance(at, MutableMapping) else at:
            collect(item, kept)
    elif isinstance(at, MutableSet):
        kept.append(at)
