# SPDX-License-Identifier: MIT
"""Random programs against a naive oracle that recomputes everything.

A program is a row of nodes, each reading earlier ones: inputs, memos, and sinks, which an effect
writes. Phases in which only inputs change (long ones, for whatever the engine prepares for a stable
topology) alternate with changes of the topology: other sources, new nodes, disposals.

More seeds than the gate's: ``LATTICE_RANDOM_SEEDS=5000 LATTICE_RANDOM_START=1000 pytest ...``.
"""

from __future__ import annotations

import gc
import logging
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt

FIRST_SEED = int(os.environ.get("LATTICE_RANDOM_START", "0"))
SEED_COUNT = int(os.environ.get("LATTICE_RANDOM_SEEDS", "120"))

Read = Callable[[int], Any]
Formula = Callable[[Read], Any]


class Failed(Exception):
    pass


class Rolled(Exception):
    """Leaves a batch half-way."""


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Failed as error:
        return ("failed", *error.args)


STABLE_SHAPES = ("sum", "clamp", "parity", "constant", "catch", "pair")
MOVING_SHAPES = (*STABLE_SHAPES, "choose", "fail", "wired", "gated")


def make_formula(rng: random.Random, shape: str, sources: list[int], wiring: int) -> Formula:
    """What a memo computes of numbers; `wiring` is the signal with the indices to read."""
    divisor, bad = rng.choice([2, 3, 5]), rng.randrange(7)

    def caught(read: Read, source: int) -> Any:
        try:
            return read(source)
        except Failed:
            return -1

    def formula(read: Read) -> Any:
        match shape:
            case "wired":
                return sum(read(source) for source in read(wiring))
            case "catch":
                return sum(caught(read, source) for source in sources)
            case "sum":
                return sum(read(source) for source in sources)
        first = read(sources[0])
        match shape:
            case "clamp":
                return min(first // divisor, 4)
            case "parity":
                return first % divisor
            case "constant":
                return first * 0
            case "pair":
                return first + 2 * read(sources[-1])
            case "choose":
                return read(sources[first % len(sources)])
            case "gated":
                return read(sources[-1]) if first % 2 else bad
            case "fail":
                if first % 7 == bad:
                    raise Failed(first)
        return first // 3

    return formula


class Node:
    """A signal, memo or sink, and what the oracle knows of it."""

    def __init__(self, real: Any, formula: Formula | None = None, value: Any = None) -> None:
        self.real = real
        self.formula = formula  # of a memo, or of the effect that writes a sink
        self.value = value  # of an input or sink
        self.writer: lt.Effect | None = None
        self.is_number = True
        self.is_memo = formula is not None
        self.is_volatile = False  # equals="never", or reads one that is
        self.readers = 0  # formulas and effects that may read it


class Look:
    """An effect that notes the outcomes of some nodes."""

    def __init__(self, program: Program, picks: list[int], kind: str) -> None:
        self.program = program
        self.picks = picks
        self.kind = kind
        self.seen: dict[int, Any] = {}
        self.cleanups = 0
        rng = program.rng
        self.real = lt.effect(
            self.run,
            phase=rng.choice(["user", "render"]),
            priority=rng.choice([0, 0, -1, 2]),
        )

    def run(self) -> None:
        lt.on_cleanup(self.count_cleanup)
        self.seen = {}
        for pick in self.picks:
            self.note(pick)
        if self.kind == "nested":
            inner = self.picks[abs(hash(self.seen[self.picks[0]])) % len(self.picks)]
            lt.effect(lambda: self.note(inner))
        elif self.kind == "raising":
            raise RuntimeError("an effect that raises stays subscribed")

    def count_cleanup(self) -> None:
        self.cleanups += 1

    def note(self, pick: int) -> None:
        self.seen[pick] = outcome(lambda: self.program.nodes[pick].real.value)
        if self.seen[pick] != self.program.live_outcomes()[pick]:
            self.program.glitches.append((pick, self.seen[pick]))


class Program:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.nodes: list[Node] = []
        self.looks: list[Look] = []
        self.glitches: list[tuple[int, Any]] = []
        self.log: list[str] = []
        self.shapes = self.rng.choice([STABLE_SHAPES, MOVING_SHAPES])
        self.has_writers = self.rng.random() < 0.5
        for _ in range(self.rng.randint(1, 6)):
            self.add_input(self.rng.randrange(10))
        wiring = self.add_input(self.some_inputs())
        self.wiring = wiring
        self.nodes[wiring].is_number = False
        for _ in range(self.rng.randint(2, 30)):
            self.add_node()
        for _ in range(self.rng.randint(1, 6)):
            self.add_look()

    # --- building

    def inputs(self) -> list[int]:
        return [i for i, node in enumerate(self.nodes) if node.formula is None and node.is_number]

    def some_inputs(self) -> tuple[int, ...]:
        inputs = self.inputs()
        return tuple(self.rng.choice(inputs) for _ in range(self.rng.randint(1, 3)))

    def readable(self) -> list[int]:
        return [i for i, n in enumerate(self.nodes) if n.is_number and n.real is not None]

    def add_input(self, value: Any) -> int:
        self.nodes.append(Node(lt.signal(value), value=value))
        return len(self.nodes) - 1

    def add_node(self) -> None:
        rng = self.rng
        sources = rng.choices(self.readable(), k=rng.randint(1, 4))
        formula = make_formula(rng, rng.choice(self.shapes), sources, self.wiring)
        for source in sources:
            self.nodes[source].readers += 1
        node = Node(None, formula)
        read_real = self.read_real
        if self.has_writers and rng.random() < 0.2:
            node.is_memo = False
            node.value = 0
            node.real = lt.signal(0)

            def write(sink: Any = node.real) -> None:
                result = outcome(lambda: formula(read_real))
                sink.value = result if isinstance(result, int) else -1

            node.writer = lt.effect(write)
        else:
            equals: Any = rng.choice(["auto", "auto", "auto", "==", "is", "never"])
            node.is_volatile = equals == "never"
            node.real = lt.memo(lambda: formula(read_real), equals=equals)
        self.nodes.append(node)
        self.settle()

    def add_look(self) -> None:
        available = self.readable()
        picks = sorted(set(self.rng.choices(available, k=self.rng.randint(1, 4))))
        for pick in picks:
            self.nodes[pick].readers += 1
        kind = self.rng.choice(["plain", "plain", "nested", "raising"])
        self.looks.append(Look(self, picks, kind))

    def read_real(self, index: int) -> Any:
        return self.nodes[index].real.value

    # --- the oracle

    def compute(self, value_of: Callable[[Node, Read], Any]) -> list[Any]:
        """The outcome of every node, in order, nothing kept from before."""
        results: list[Any] = []

        def read(index: int) -> Any:
            if isinstance(results[index], tuple) and results[index][:1] == ("failed",):
                raise Failed(*results[index][1:])
            return results[index]

        for node in self.nodes:
            results.append(outcome(lambda node=node: value_of(node, read)))
        return results

    def expected(self) -> list[Any]:
        return self.compute(
            lambda node, read: (
                node.formula(read) if node.is_memo and node.formula is not None else node.value
            )
        )

    def live_outcomes(self) -> list[Any]:
        """As `expected`, of what the signals hold now, in the middle of a flush."""
        return self.compute(
            lambda node, read: (
                node.formula(read)
                if node.is_memo and node.formula is not None
                else node.real.peek()
                if node.real is not None
                else None
            )
        )

    def settle(self) -> None:
        """What the effects that write will have written."""

        def value_of(node: Node, read: Read) -> Any:
            if node.formula is None:
                return node.value
            if node.is_memo:
                return node.formula(read)
            if node.writer is not None:
                result = outcome(lambda: node.formula(read))
                node.value = result if isinstance(result, int) else -1
            return node.value

        self.compute(value_of)

    # --- what happens

    def write(self) -> None:
        if self.rng.random() < 0.1 and self.shapes is MOVING_SHAPES:
            node, value = self.nodes[self.wiring], self.some_inputs()
        else:
            node, value = self.nodes[self.rng.choice(self.inputs())], self.rng.randrange(10)
        node.value = value
        node.real.value = value

    def write_number(self) -> None:
        node, value = self.nodes[self.rng.choice(self.inputs())], self.rng.randrange(10)
        node.value = value
        node.real.value = value

    def batch(self) -> None:
        """Writes with reads in between, perhaps nested, perhaps left with an exception."""
        rng = self.rng
        try:
            with lt.batch():
                for _ in range(rng.randint(1, 5)):
                    self.write()
                    if rng.random() < 0.3:
                        self.probe()
                    if rng.random() < 0.1:
                        with lt.batch():
                            self.write()
                if rng.random() < 0.2:
                    raise Rolled
        except Rolled:
            pass

    def revert(self) -> None:
        """A batch without a net change runs no effect."""
        before = [look.real.runs for look in self.looks]
        with lt.batch():
            for index in self.rng.sample(self.inputs(), self.rng.randint(1, len(self.inputs()))):
                self.nodes[index].real.value = self.nodes[index].value + 1
                self.nodes[index].real.value = self.nodes[index].value
        assert [look.real.runs for look in self.looks] == before, self.story()

    def probe(self) -> None:
        pick = self.rng.choice(self.readable())
        real = self.nodes[pick].real
        read = self.rng.choice([lambda: real.value, real.peek])
        assert outcome(read) == self.expected()[pick], self.story(pick)

    def change_topology(self) -> None:
        rng = self.rng
        match rng.choice(["rewire", "node", "look", "unlook", "unsink", "dispose", "drop"]):
            case "rewire":
                node = self.nodes[self.wiring]
                node.value = node.real.value = self.some_inputs()
            case "node":
                self.add_node()
            case "look":
                self.add_look()
            case "unlook" if len(self.looks) > 1:
                look = self.looks.pop(rng.randrange(len(self.looks)))
                look.real.dispose()
                assert look.cleanups == look.real.runs, self.story()
                for pick in look.picks:
                    self.nodes[pick].readers -= 1
            case "unsink":
                sinks = [node for node in self.nodes if node.writer is not None]
                if sinks:
                    sink = rng.choice(sinks)
                    assert sink.writer is not None
                    sink.writer.dispose()
                    sink.writer = None  # it keeps its last value
            case "dispose" | "drop" as how:
                unread = [
                    n for n in self.nodes if n.is_memo and n.readers == 0 and n.real is not None
                ]
                if unread:
                    node = rng.choice(unread)
                    if how == "dispose":
                        node.real.dispose()
                    node.real = None
                    gc.collect(0)

    # --- what must hold after each flush

    def check(self) -> None:
        self.settle()
        expected = self.expected()
        assert not self.glitches, self.story(self.glitches[0])
        for look in self.looks:
            for pick, seen in look.seen.items():
                assert seen == expected[pick], self.story(pick)
            assert look.cleanups == look.real.runs - 1, self.story()
        for index, node in enumerate(self.nodes):
            if node.real is not None and not node.is_memo:
                assert node.real.peek() == expected[index], self.story(index)

    def stable_phase(self) -> None:
        """Single writes and small batches; here every run is accounted for."""
        is_exact = not self.has_writers
        for _ in range(self.rng.randint(20, 32)):
            before = self.expected()
            memo_runs = [n.real.runs if n.is_memo and n.real is not None else 0 for n in self.nodes]
            look_runs = [look.real.runs for look in self.looks]
            if self.rng.random() < 0.7:
                self.write_number()
            else:
                with lt.batch():
                    self.write_number()
                    self.write_number()
            self.check()
            if not is_exact:
                continue
            after = self.expected()
            for node, runs in zip(self.nodes, memo_runs, strict=True):
                if node.is_memo and node.real is not None:
                    assert node.real.runs - runs <= 1, self.story()
            for look, runs in zip(self.looks, look_runs, strict=True):
                delta = look.real.runs - runs
                if any(before[pick] != after[pick] for pick in look.picks):
                    assert delta == 1, self.story(look.picks)
                elif not any(self.may_tell_anyway(pick, after) for pick in look.picks):
                    assert delta == 0, self.story(look.picks)

    def may_tell_anyway(self, pick: int, after: list[Any]) -> bool:
        return self.nodes[pick].is_volatile or isinstance(after[pick], tuple)

    def run(self) -> None:
        self.check()
        for _ in range(3):
            self.stable_phase()
            for _ in range(self.rng.randint(1, 4)):
                self.change_topology()
                self.check()
            for _ in range(self.rng.randint(0, 12)):
                self.rng.choice([self.write, self.batch, self.batch, self.revert, self.probe])()
                self.check()
        for index in self.readable():
            real = self.nodes[index].real
            assert outcome(lambda real=real: real.value) == self.expected()[index], self.story()

    def story(self, *what: Any) -> str:
        return f"seed {self.seed}: {what}"


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEED_COUNT))
def test_a_random_program_agrees_with_the_oracle(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="lattice")  # effects that raise are logged
    Program(seed).run()


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
