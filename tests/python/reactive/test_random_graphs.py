# SPDX-License-Identifier: MIT
"""Random graphs against a naive oracle that recomputes everything."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

import lattice as lt


class Failed(Exception):
    pass


class Oracle:
    """The same graph without any caching: every read computes from the signals."""

    def __init__(self, inputs: list[int]) -> None:
        self.inputs = inputs
        self.formulas: list[Callable[[Callable[[int], int]], int]] = []

    def read(self, index: int) -> int:
        if index < len(self.inputs):
            return self.inputs[index]
        return self.formulas[index - len(self.inputs)](self.read)


def make_formula(rng: random.Random, available: int) -> Callable[[Callable[[int], int]], int]:
    sources = [rng.randrange(available) for _ in range(rng.randint(1, 4))]
    shape = rng.choice(["sum", "choose", "clamp", "fail"])

    def formula(read: Callable[[int], int]) -> int:
        first = read(sources[0])
        if shape == "sum":
            return sum(read(source) for source in sources)
        if shape == "choose":
            return read(sources[first % len(sources)])
        if shape == "fail" and first % 7 == 3:
            raise Failed(first)
        return first // 3

    return formula


def outcome(read: Callable[[], int]) -> object:
    try:
        return read()
    except Failed as error:
        return ("failed", error.args)


@pytest.mark.parametrize("seed", range(60))
def test_a_random_graph_agrees_with_the_oracle(seed: int) -> None:
    rng = random.Random(seed)
    signals = [lt.signal(rng.randrange(10)) for _ in range(rng.randint(1, 6))]
    oracle = Oracle([signal.peek() for signal in signals])
    nodes: list[lt.Signal[int] | lt.Memo[int]] = [*signals]
    for _ in range(rng.randint(1, 25)):
        formula = make_formula(rng, len(nodes))
        oracle.formulas.append(formula)
        nodes.append(lt.memo(lambda formula=formula: formula(lambda index: nodes[index].value)))
    watched = rng.sample(range(len(nodes)), min(len(nodes), 5))
    seen: dict[int, object] = {}

    def look(index: int) -> None:
        seen[index] = outcome(lambda: nodes[index].value)

    effects = [lt.effect(lambda index=index: look(index)) for index in watched]
    for _ in range(40):
        action = rng.random()
        if action < 0.6:
            index = rng.randrange(len(signals))
            oracle.inputs[index] = rng.randrange(10)
            signals[index].value = oracle.inputs[index]
        elif action < 0.85:
            with lt.batch():
                for _ in range(rng.randint(1, 4)):
                    index = rng.randrange(len(signals))
                    oracle.inputs[index] = rng.randrange(10)
                    signals[index].value = oracle.inputs[index]
                    probe = rng.randrange(len(nodes))
                    expected = outcome(lambda probe=probe: oracle.read(probe))
                    assert outcome(lambda probe=probe: nodes[probe].value) == expected
        elif action < 0.95:
            probe = rng.randrange(len(nodes))
            assert outcome(nodes[probe].peek) == outcome(lambda probe=probe: oracle.read(probe))
        elif effects:
            gone = rng.randrange(len(effects))
            effects.pop(gone).dispose()
            watched.pop(gone)
        for index in watched:
            expected = outcome(lambda index=index: oracle.read(index))
            assert seen[index] == expected, f"seed {seed}, node {index}"


@pytest.mark.parametrize("seed", range(10))
def test_no_memo_runs_twice_for_one_write(seed: int) -> None:
    rng = random.Random(seed)
    source = lt.signal(0)
    nodes: list[lt.Signal[int] | lt.Memo[int]] = [source]
    for _ in range(30):
        picks = rng.sample(nodes, min(len(nodes), rng.randint(1, 3)))
        nodes.append(lt.memo(lambda picks=picks: sum(pick.value for pick in picks)))
    memos = [node for node in nodes if isinstance(node, lt.Memo)]
    lt.effect(lambda: [memo.value for memo in memos])
    for value in range(1, 20):
        before = [memo.runs for memo in memos]
        source.value = value
        assert all(memo.runs - runs <= 1 for memo, runs in zip(memos, before, strict=True))
