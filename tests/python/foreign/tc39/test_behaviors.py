# SPDX-License-Identifier: MIT
"""What the TC39 polyfill's tests claim about equality, cycles, errors, types (tests/behaviors)."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import lattice as lt


def test_a_signals_equality_decides_whether_a_write_counts() -> None:
    """Custom equality: "works for State"."""
    answer = True
    s = lt.signal(1, equals=lambda old, new: answer)
    c = lt.memo(lambda: s.value)
    assert (c.value, c.runs) == (1, 1)
    s.value = 2
    assert (s.value, c.value, c.runs) == (1, 1, 1)
    answer = False
    s.value = 2
    assert (s.value, c.value, c.runs) == (2, 2, 2)
    s.value = 2
    assert (s.value, c.value, c.runs) == (2, 2, 3)


def test_a_memos_equality_decides_whether_a_result_counts() -> None:
    """Custom equality: "works for Computed"."""
    answer, value = True, 1
    u = lt.signal(1)
    s = lt.memo(lambda: (u.value, value)[1], equals=lambda old, new: answer)
    c = lt.memo(lambda: s.value)
    assert (c.value, c.runs) == (1, 1)
    u.value, value = 2, 2
    assert (s.value, c.value, c.runs) == (1, 1, 1)
    answer = False
    u.value = 3
    assert (s.value, c.value, c.runs) == (2, 2, 2)
    u.value = 4
    assert (s.value, c.value, c.runs) == (2, 2, 3)


def test_what_an_equality_function_reads_reaches_neither_the_memo_nor_its_reader() -> None:
    """Custom equality: "does not leak tracking information".

    Policy: an equality function runs untracked, so what it reads does not make the memo stale.
    """
    exact, epsilon, counter, asked = lt.signal(1), lt.signal(0.1), lt.signal(1), []

    def is_close(old: float, new: float) -> bool:
        asked.append((old, new))
        return abs(old - new) < epsilon.value

    inner = lt.memo(lambda: exact.value, equals=is_close)
    outer = lt.memo(lambda: (counter.value, inner.value))
    lt.read(outer)
    assert (inner.runs, outer.runs, asked) == (1, 1, [])
    exact.value = counter.value = 2
    lt.read(outer)
    assert (inner.runs, outer.runs, asked) == (2, 2, [(1, 2)])
    epsilon.value = 0.2
    lt.read(outer)
    assert (inner.runs, outer.runs, len(asked)) == (2, 2, 1)


def test_a_memo_of_itself_raises() -> None:
    """Cycles: "detects trivial cycles"."""
    c: Any = lt.memo(lambda: c.value)
    with pytest.raises(lt.CycleError):
        lt.read(c)


def test_a_memo_above_a_cycle_raises() -> None:
    """Cycles: "detects slightly larger cycles"."""
    c: Any = lt.memo(lambda: c2.value)
    c2: Any = lt.memo(lambda: c.value)
    c3: Any = lt.memo(lambda: c2.value)
    with pytest.raises(lt.CycleError, match="c2 -> c -> c2"):
        lt.read(c3)


def _sources(node: Any, among: list[Any]) -> list[Any]:
    """What `node` holds of `among`: exactly what it read in its last run."""
    held = {id(other) for other in gc.get_referents(node)}
    return [source for source in among if id(source) in held]


def _check_dynamic_sources(*, is_live: bool) -> None:
    states = [lt.signal(letter) for letter in "abcdefgh"]
    shown = lt.signal(list(states))
    text = lt.memo(lambda: "".join(state.value for state in shown.value))
    effect = lt.effect(lambda: text.value) if is_live else None
    assert text.value == "abcdefgh"
    assert _sources(text, states) == states
    shown.value = states[:5]
    assert text.value == "abcde"
    assert _sources(text, states) == states[:5]
    shown.value = states[3:]
    assert text.value == "defgh"
    assert _sources(text, states) == states[3:]
    runs = text.runs
    states[0].value = "A"  # not read any more
    assert (text.value, text.runs) == ("defgh", runs)
    states[7].value = "H"
    assert (text.value, text.runs) == ("defgH", runs + 1)
    assert effect is None or effect.runs == 4


def test_the_sources_of_a_memo_with_an_effect_are_those_of_its_last_run() -> None:
    """Dynamic dependencies: "works live"."""
    _check_dynamic_sources(is_live=True)


def test_the_sources_of_a_memo_without_an_effect_are_those_of_its_last_run() -> None:
    """Dynamic dependencies: "works not live"."""
    _check_dynamic_sources(is_live=False)


def test_an_error_is_kept_at_each_memo_of_a_chain() -> None:
    """Errors: "are cached by computed signals"."""
    s = lt.signal("first")

    @lt.memo
    def c() -> str:
        raise ValueError(s.value)

    c2 = lt.memo(lambda: c.value)
    for text, runs in (("first", 1), ("second", 2)):
        s.value = text
        for _ in range(2):
            for memo in (c, c2):
                with pytest.raises(ValueError, match=text):
                    lt.read(memo)
        assert (c.runs, c2.runs) == (runs, runs)
    s.value = "second"
    with pytest.raises(ValueError, match="second"):
        lt.read(c2)
    assert (c.runs, c2.runs) == (2, 2)


def test_an_error_is_kept_while_an_effect_subscribes() -> None:
    """Errors: "are cached by computed signals when watched"."""
    s, caught = lt.signal("first"), []

    @lt.memo
    def c() -> str:
        raise ValueError(s.value)

    @lt.effect
    def look() -> None:
        try:
            lt.read(c)
        except ValueError as error:
            caught.append(str(error))

    assert (caught, c.runs) == (["first"], 1)
    with pytest.raises(ValueError, match="first"):
        lt.read(c)
    assert c.runs == 1
    s.value = "second"
    with pytest.raises(ValueError, match="second"):
        lt.read(c)
    assert (caught, c.runs) == (["first", "second"], 2)
    s.value = "second"
    assert (c.runs, look.runs) == (2, 2)


def test_an_error_of_an_equality_function_is_kept() -> None:
    """Errors: "are cached by computed signals when equals throws"."""

    def fail(old: int, new: int) -> bool:
        raise ValueError("equals")

    s = lt.signal(0)
    c = lt.memo(lambda: s.value, equals=fail)
    assert c.value == 0
    s.value = 1
    for _ in range(2):
        with pytest.raises(ValueError, match="equals"):
            lt.read(c)
        assert c.runs == 2


def test_signals_and_memos_are_told_apart_by_class() -> None:
    """Guards: "should work with Signals"."""
    state = lt.signal(1)
    double = lt.memo(lambda: state.value * 2)
    assert isinstance(state, lt.Signal)
    assert not isinstance(state, lt.Memo)
    assert isinstance(double, lt.Memo)
    assert not isinstance(double, lt.Signal)
    assert double.runs == 0  # asking does not compute


def test_plain_values_are_neither() -> None:
    """Guards: "shouldn't error with values"."""
    for value in (1, 2, {}, None, lt.Signal, lambda: 1):
        assert not isinstance(value, (lt.Signal, lt.Memo, lt.Effect))


def test_a_memo_may_write_what_it_reads() -> None:
    """Prohibited contexts: "allows writes during computed".

    Policy: a memo that changed its own source is stale for the next read, instead of clean.
    """
    s = lt.signal(1)

    @lt.memo
    def c() -> int:
        s.value = s.value + 1
        return s.value

    assert (c.value, s.value) == (2, 2)
    assert (c.value, s.value) == (3, 3)
    s.value = 3
    assert c.value == 4
    assert s.value == 4


def test_an_effect_may_read_and_write() -> None:
    """Prohibited contexts: "disallows reads and writes during watcher notify".

    Policy: an effect runs when the graph has settled; it may read and write what it likes.
    """
    s, seen = lt.signal(1), []
    reader = lt.watch(s, lambda new, old: seen.append(s.value))
    s.value = 2
    assert seen == [2]
    reader.dispose()
    s.value = 3
    writer = lt.watch(s, lambda new, old: setattr(s, "value", 4))
    s.value = 5
    assert s.value == 4
    writer.dispose()
    s.value = 3
    assert (s.value, seen) == (3, [2])


def test_recomputing_stops_where_a_result_is_equal() -> None:
    """Pruning: "only recalculates until things are equal"."""
    s = lt.signal(0)
    c = lt.memo(lambda: s.value)
    c2 = lt.memo(lambda: (c.value, 5)[1])
    c3 = lt.memo(lambda: c2.value)
    assert (c.runs, c2.runs, c3.runs) == (0, 0, 0)
    assert c3.value == 5
    s.value = 1
    assert (c.runs, c2.runs, c3.runs) == (1, 1, 1)
    assert c3.value == 5
    assert (c.runs, c2.runs, c3.runs) == (2, 2, 1)


def test_recomputing_stops_where_a_result_is_equal_below_an_effect_too() -> None:
    """Pruning: "does similar pruning for live signals"."""
    s = lt.signal(0)
    c = lt.memo(lambda: s.value)
    c2 = lt.memo(lambda: (c.value, 5)[1])
    c3 = lt.memo(lambda: c2.value)
    effect = lt.effect(lambda: c3.value)
    assert (c.runs, c2.runs, c3.runs, effect.runs) == (1, 1, 1, 1)
    s.value = 1
    assert (c.runs, c2.runs, c3.runs, effect.runs) == (2, 2, 1, 1)
    assert c3.value == 5
    assert (c.runs, c2.runs, c3.runs, effect.runs) == (2, 2, 1, 1)


def test_the_types_have_their_methods() -> None:
    """Expected class shape: "should be on the prototype"."""
    for method in ("peek", "update", "dispose"):
        assert callable(getattr(lt.Signal, method))
    for method in ("peek", "dispose", "__call__"):
        assert callable(getattr(lt.Memo, method))
    assert callable(lt.Effect.dispose)


def test_methods_refuse_an_object_of_another_type() -> None:
    """type checks: "checks types in methods"."""
    s: Any = lt.signal(1)
    c: Any = lt.memo(lambda: None)
    e: Any = lt.effect(lambda: None)
    nodes = {lt.Signal: s, lt.Memo: c, lt.Effect: e}
    methods: list[tuple[Any, str, tuple[Any, ...]]] = [
        (lt.Signal, "peek", ()),
        (lt.Signal, "update", (lambda n: n,)),
        (lt.Signal, "dispose", ()),
        (lt.Memo, "peek", ()),
        (lt.Memo, "__call__", ()),
        (lt.Memo, "dispose", ()),
        (lt.Effect, "dispose", ()),
    ]
    for owner, method, args in methods:
        for kind, node in {**nodes, object: object()}.items():
            if kind is not owner:
                with pytest.raises(TypeError, match=r"doesn't apply to|requires a"):
                    getattr(owner, method)(node, *args)
    assert lt.Signal.peek(s) == 1
    assert lt.Signal.update(s, lambda n: n + 1) is None
    assert lt.Memo.__call__(c) is None
    assert e.alive
