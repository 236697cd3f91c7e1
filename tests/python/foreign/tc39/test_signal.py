# SPDX-License-Identifier: MIT
"""What the TC39 polyfill's tests claim about State, Computed, untrack and Watcher (tests/Signal).

A Watcher, which only notifies, is an effect here, which runs.
"""

from __future__ import annotations

import math
from typing import Any

import lattice as lt


def test_a_memo_follows_a_signal() -> None:
    """Computed: "should work"."""
    state = lt.signal(1)
    double = lt.memo(lambda: state.value * 2)
    assert double.value == 2
    state.value = 5
    assert (state.value, double.value) == (5, 10)


def test_a_memos_results_are_compared_and_nan_equals_itself() -> None:
    """Computed, comparison semantics: "should track Computed by Object.is"."""
    state = lt.signal(1)
    value = 5.0
    first = lt.memo(lambda: (state.value, value)[1])
    second = lt.memo(lambda: first.value)
    assert (second.value, second.runs) == (5.0, 1)
    state.value = 2
    assert (second.value, second.runs) == (5.0, 1)
    value = math.nan
    assert second.value == 5.0  # nothing that is tracked has changed
    state.value = 3
    assert math.isnan(second.value)
    assert second.runs == 2
    state.value = 4
    assert math.isnan(second.value)
    assert second.runs == 2


def test_a_memos_equality_function_is_asked_from_the_second_result_on() -> None:
    """Computed, comparison semantics: "applies custom equality in Computed"."""
    s, asked = lt.signal(5), []

    def never(old: int, new: int) -> bool:
        asked.append((old, new))
        return False

    first = lt.memo(lambda: 1 if s.value else 0, equals=never)
    second = lt.memo(lambda: first.value)
    assert second.value == 1
    assert asked == []
    s.value = 10
    assert (second.value, second.runs) == (1, 2)
    assert asked == [(1, 1)]


def test_an_error_caught_by_a_memo_stays_there() -> None:
    """Ported - Preact: "should not leak errors raised by dependencies"."""
    a = lt.signal(0)
    b = lt.memo(lambda: 1 // (a.value * 0))

    @lt.memo
    def c() -> str:
        try:
            return str(b.value)
        except ZeroDivisionError:
            return "ok"

    assert c.value == "ok"
    a.value = 1
    assert (c.value, b.runs) == ("ok", 2)


def test_a_memo_gives_the_updated_value() -> None:
    """Ported - Preact: "should return updated value"."""
    a, b = lt.signal("a"), lt.signal("b")
    c = lt.memo(lambda: a.value + b.value)
    assert c.value == "ab"
    a.value = "aa"
    assert c.value == "aab"


def test_a_memo_computes_on_demand() -> None:
    """Ported - Preact: "should be lazily computed on demand"."""
    a, b = lt.signal("a"), lt.signal("b")
    c = lt.memo(lambda: a.value + b.value)
    assert c.runs == 0
    lt.read(c)
    a.value, b.value = "x", "y"
    assert c.runs == 1
    lt.read(c)
    assert c.runs == 2


def test_a_memo_computes_after_a_change_only() -> None:
    """Ported - Preact: "should be computed only when a dependency has changed at some point"."""
    a = lt.signal("a")
    c = lt.memo(lambda: a.value)
    lt.read(c)
    a.value = "a"
    lt.read(c)
    assert c.runs == 1


def test_a_memo_reads_a_lazy_branch() -> None:
    """Ported - Preact: "should support lazy branches"."""
    a = lt.signal(0)
    b = lt.memo(lambda: a.value)
    c = lt.memo(lambda: a.value if a.value > 0 else b.value)
    seen = [c.value]
    for value in (1, 0):
        a.value = value
        seen.append(c.value)
    assert seen == [0, 1, 0]


def test_a_memo_of_a_missing_key_follows_the_next_dict() -> None:
    """Ported - Vue: "should return updated value"."""
    s: lt.Signal[dict[str, int]] = lt.signal({})
    c = lt.memo(lambda: s.value.get("foo"))
    assert c.value is None
    s.value = {"foo": 1}
    assert c.value == 1


def test_a_memo_neither_computes_too_early_nor_twice() -> None:
    """Ported - Vue: "should compute lazily"."""
    s: lt.Signal[dict[str, int]] = lt.signal({})
    c = lt.memo(lambda: s.value.get("foo"))
    assert c.runs == 0
    assert (c.value, c.runs) == (None, 1)
    assert (c.value, c.runs) == (None, 1)
    s.value = {"foo": 1}
    assert c.runs == 1
    assert (c.value, c.runs) == (1, 2)
    assert (c.value, c.runs) == (1, 2)


def test_what_a_memo_writes_reaches_a_reader_that_read_it_before_at_the_next_read() -> None:
    """Ported - Vue: "should work when chained(ref+computed)".

    Policy: as in Vue. A source that changed while the memo ran makes it stale for the next read.
    """
    v = lt.signal(0)

    @lt.memo
    def c1() -> str:
        if v.value == 0:
            v.value = 1
        return "foo"

    c2 = lt.memo(lambda: f"{v.value}{c1.value}")
    assert c2.value == "0foo"
    assert c2.value == "1foo"
    assert c2.value == "1foo"


def test_what_a_memo_writes_is_settled_after_two_reads() -> None:
    """Ported - Vue: "should be recomputed without being affected by side effects".

    Policy: as in Vue. A source that changed while the memo ran makes it stale for the next read.
    """
    v = lt.signal(0)

    @lt.memo
    def c1() -> int:
        v.value = 1
        return 0

    c2 = lt.memo(lambda: f"{v.value},{c1.value}")
    assert c2.value == "0,0"
    v.value = 1
    assert c2.value == "1,0"
    assert (c2.value, c1.runs) == ("1,0", 1)


def test_a_signal_is_read_and_written() -> None:
    """Signal.State: "should work"."""
    state = lt.signal(0)
    assert state.value == 0
    state.value = 10
    assert state.value == 10


def test_writing_nan_over_nan_is_no_change() -> None:
    """Signal.State, comparison semantics: "should cache State by Object.is"."""
    state = lt.signal(math.nan)
    c = lt.memo(lambda: state.value)
    assert math.isnan(c.value)
    state.value = float("nan")
    assert math.isnan(c.value)
    assert c.runs == 1


def test_a_signals_equality_function_is_asked_at_each_write() -> None:
    """Signal.State, comparison semantics: "applies custom equality in State"."""
    asked: list[tuple[int, int]] = []

    def never(old: int, new: int) -> bool:
        asked.append((old, new))
        return False

    state = lt.signal(1, equals=never)
    c = lt.memo(lambda: state.value)
    assert (c.value, c.runs) == (1, 1)
    assert asked == []
    state.value = 1
    assert asked == [(1, 1)]
    assert (c.value, c.runs) == (1, 2)


def test_an_untracked_read_keeps_the_memo_as_it_is() -> None:
    """Untrack: "works"."""
    state = lt.signal(1)
    c = lt.memo(lambda: lt.untracked(lambda: state.value))
    assert c.value == 1
    state.value = 2
    assert c.value == 1


def test_a_tracked_read_does_not() -> None:
    """Untrack: "works differently without untrack"."""
    state = lt.signal(1)
    c = lt.memo(lambda: state.value)
    assert c.value == 1
    state.value = 2
    assert c.value == 2


def test_each_of_several_sources_wakes_an_effect_while_it_reads_it() -> None:
    """watch and unwatch: "handles multiple watchers well"."""
    s, s2, reads_s = lt.signal(1), lt.signal(2), lt.signal(True)
    effect = lt.effect(lambda: (s.value if reads_s.value else None, s2.value))
    runs = [effect.runs]
    for write in (
        lambda: setattr(s, "value", 4),
        lambda: setattr(s2, "value", 8),
        lambda: setattr(reads_s, "value", False),
        lambda: setattr(s, "value", 3),  # not read any more
        lambda: setattr(s2, "value", 3),
        lambda: setattr(s, "value", 2),
    ):
        write()
        runs.append(effect.runs)
    assert runs == [1, 2, 3, 4, 4, 5, 5]


def test_what_a_memo_read_last_is_what_wakes_its_effect() -> None:
    """watch and unwatch: "understands dynamic dependency sets"."""
    s1, s2, seen = lt.signal(1), lt.signal(2), []
    source: Any = s1
    c = lt.memo(lambda: lt.read(source))
    lt.effect(lambda: seen.append(c.value))
    assert (seen, c.runs) == ([1], 1)
    s2.value = 20  # nobody reads it yet
    assert c.runs == 1
    s1.value = 3
    assert (seen, c.runs) == ([1, 3], 2)
    source = s2
    s1.value = 4
    assert (seen, c.runs) == ([1, 3, 20], 3)
    s1.value = 5  # nobody reads it any more
    assert c.runs == 3
    source = 10
    s2.value = 0
    assert (seen, c.runs) == ([1, 3, 20, 10], 4)
    s1.value, s2.value = 6, 7  # it reads nothing now
    assert (c.value, c.runs) == (10, 4)


def test_ending_some_watchers_leaves_the_others() -> None:
    """watch and unwatch: "can unwatch multiple signals"."""
    signals, heard = [lt.signal(i) for i in range(7)], []
    watchers = [
        lt.watch(signal, lambda new, old, i=i: heard.append(i))  # type: ignore[misc]
        for i, signal in enumerate(signals)
    ]
    for i in (0, 3, 4, 6):
        watchers[i].dispose()
    for signal in signals:
        signal.value += 1
    assert heard == [1, 2, 5]


def test_an_effect_built_on_a_signal_and_a_memo() -> None:
    """Watcher: "should work"."""
    state, seen, log = lt.signal(1), [], []
    state.value = 100
    state.value = 5
    double = lt.memo(lambda: state.value * 2)
    assert double.runs == 0

    @lt.effect
    def note() -> None:
        seen.append((state.value, double.value))
        lt.on_cleanup(lambda: log.append("clean"))

    assert seen == [(5, 10)]
    state.value = 10
    state.value = 20
    assert seen == [(5, 10), (10, 20), (20, 40)]
    with lt.untracked():  # concerns reads, not writes
        state.value = 999
    assert seen[-1] == (999, 1998)
    note.dispose()
    assert log == ["clean"] * 4
    state.value = 200
    assert len(seen) == 4
    assert double.runs == 4
    other = lt.effect(lambda: seen.append((state.value, 0)))
    state.value = 300
    assert seen[-1] == (300, 0)
    assert other.runs == 2


def test_an_effects_function_can_use_the_effect_from_its_closure() -> None:
    """Watcher: "can be closed in if needed in notify as an arrow function"."""
    s, seen = lt.signal(0), []
    effect = lt.effect(lambda: seen.append(effect.alive) if s.value else None)
    s.value = 1
    assert seen == [True]


def test_subscribing_to_a_stale_memo_does_not_break_it() -> None:
    """Watcher: "should not break a computed signal to watch it before getting its value"."""
    s = lt.signal(0)
    c = lt.memo(lambda: s.value)
    assert c.value == 0
    s.value = 1
    effect = lt.effect(lambda: c.value)
    assert c.value == 1
    assert c.runs == 2
    effect.dispose()
    assert c.value == 1
