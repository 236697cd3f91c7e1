# SPDX-License-Identifier: MIT
"""What the TC39 polyfill's graph tests (tests/behaviors/graph, first written for Solid) claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import lattice as lt

T = TypeVar("T")


class Order:
    """The names of the memos in the order in which they ran."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def memo(self, name: str, function: Callable[[], T], **options: Any) -> lt.Memo[T]:
        def run() -> T:
            self.names.append(name)
            return function()

        return lt.memo(run, **options)

    def take(self) -> str:
        names = " ".join(self.names)
        self.names.clear()
        return names


def test_a_value_that_arrives_twice_makes_one_run() -> None:
    """Graph: "should drop X->B->X updates"."""
    x = lt.signal(2)
    a = lt.memo(lambda: x.value - 1)
    b = lt.memo(lambda: x.value + a.value)
    c = lt.memo(lambda: f"c: {b.value}")
    assert c.value == "c: 3"
    x.value = 4
    assert (c.value, c.runs) == ("c: 7", 2)


def test_a_diamond_makes_one_run() -> None:
    """Graph: "should only update every signal once (diamond graph)"."""
    x = lt.signal("a")
    a, b = lt.memo(lambda: x.value), lt.memo(lambda: x.value)
    c = lt.memo(lambda: f"{a.value} {b.value}")
    assert c.value == "a a"
    x.value = "aa"
    assert (c.value, c.runs) == ("aa aa", 2)


def test_a_diamond_with_a_tail_makes_one_run() -> None:
    """Graph: "should only update every signal once (diamond graph + tail)"."""
    x = lt.signal("a")
    a, b = lt.memo(lambda: x.value), lt.memo(lambda: x.value)
    c = lt.memo(lambda: f"{a.value} {b.value}")
    d = lt.memo(lambda: c.value)
    assert d.value == "a a"
    x.value = "aa"
    assert (d.value, d.runs) == ("aa aa", 2)


def test_an_equal_result_ends_the_change() -> None:
    """Graph: "should bail out if result is the same"."""
    x = lt.signal("a")
    a = lt.memo(lambda: (x.value, "foo")[1])
    b = lt.memo(lambda: a.value)
    assert b.value == "foo"
    x.value = "aa"
    assert (b.value, b.runs) == ("foo", 1)


def test_a_jagged_diamond_with_two_tails_makes_one_run_each() -> None:
    """Graph: "should only update every signal once (jagged diamond graph + tails)"."""
    x = lt.signal("a")
    a, b = lt.memo(lambda: x.value), lt.memo(lambda: x.value)
    c = lt.memo(lambda: b.value)
    d = lt.memo(lambda: f"{a.value} {c.value}")
    e, f = lt.memo(lambda: d.value), lt.memo(lambda: d.value)
    assert (e.value, f.value) == ("a a", "a a")
    for runs, letter in ((2, "b"), (3, "c")):
        x.value = letter
        assert (d.value, e.value, f.value) == (f"{letter} {letter}",) * 3
        assert (d.runs, e.runs, f.runs) == (runs, runs, runs)


def test_a_constant_source_does_not_hide_another() -> None:
    """Graph: "should ensure subs update even if one dep is static"."""
    x = lt.signal("a")
    a, b = lt.memo(lambda: x.value), lt.memo(lambda: (x.value, "c")[1])
    c = lt.memo(lambda: f"{a.value} {b.value}")
    assert c.value == "a c"
    x.value = "aa"
    assert (c.value, c.runs) == ("aa c", 2)


def test_two_constant_sources_do_not_hide_another() -> None:
    """Graph: "should ensure subs update even if two deps mark it clean"."""
    x = lt.signal("a")
    b = lt.memo(lambda: x.value)
    c, d = lt.memo(lambda: (x.value, "c")[1]), lt.memo(lambda: (x.value, "d")[1])
    e = lt.memo(lambda: f"{b.value} {c.value} {d.value}")
    assert e.value == "a c d"
    x.value = "aa"
    assert (e.value, e.runs) == ("aa c d", 2)


def test_sources_run_before_who_reads_them() -> None:
    """Graph: "propagates in topological order"."""
    done: list[str] = []
    a1 = lt.signal(False)

    def finishing(name: str, *sources: Any) -> lt.Memo[None]:
        return lt.memo(
            lambda: done.append(str([lt.read(source) for source in sources]) and name),
            equals="never",
        )

    b1, b2 = finishing("b1", a1), finishing("b2", a1)
    c1 = finishing("c1", b1, b2)
    lt.read(c1)
    done.clear()
    a1.value = True
    lt.read(c1)
    assert done == ["b1", "b2", "c1"]


def test_five_paths_make_one_run() -> None:
    """Graph: "only propagates once with linear convergences"."""
    d = lt.signal(0)
    fs = [lt.memo(lambda: d.value) for _ in range(5)]
    g = lt.memo(lambda: sum(f.value for f in fs))
    assert g.value == 0
    d.value = 1
    assert (g.value, g.runs) == (5, 2)


def test_nine_paths_make_one_run() -> None:
    """Graph: "only propagates once with exponential convergence"."""
    d = lt.signal(0)
    fs = [lt.memo(lambda: d.value) for _ in range(3)]
    gs = [lt.memo(lambda: sum(f.value for f in fs)) for _ in range(3)]
    h = lt.memo(lambda: sum(g.value for g in gs))
    assert h.value == 0
    d.value = 1
    assert (h.value, h.runs) == (9, 2)


def test_only_a_changed_result_goes_on() -> None:
    """Graph: "does not trigger downstream computations unless changed"."""
    order, s1 = Order(), lt.signal(1, equals="never")
    t1 = order.memo("t1", lambda: s1.value)
    t2 = order.memo("c1", lambda: (t1.value, None)[1])
    lt.read(t2)
    assert order.take() == "c1 t1"
    s1.value = 1
    lt.read(t2)
    assert order.take() == "t1"
    s1.value = 2
    lt.read(t2)
    assert order.take() == "t1 c1"


def test_memos_run_when_they_are_asked_and_not_before() -> None:
    """Graph: "applies updates to changed dependees in same order as new Signal.Computed"."""
    order, s1 = Order(), lt.signal(0)
    t1 = order.memo("t1", lambda: s1.value == 0)
    t2 = order.memo("c1", lambda: s1.value)
    t3 = order.memo("c2", lambda: t1.value)
    lt.read(t2)
    lt.read(t3)
    assert order.take() == "c1 c2 t1"
    s1.value = 1
    lt.read(t2)
    lt.read(t3)
    assert order.take() == "c1 t1 c2"


def test_a_memo_may_make_a_memo() -> None:
    """Graph: "updates downstream pending computations"."""
    order, s1, s2 = Order(), lt.signal(0), lt.signal(0)
    t1 = order.memo("t1", lambda: s1.value == 0)
    t2 = order.memo("c1", lambda: s1.value)

    def make() -> lt.Memo[int]:
        lt.read(t1)
        return order.memo("c2_1", lambda: s2.value)

    t3 = order.memo("c2", make)
    s1.value = 1
    lt.read(t2)
    assert t3.value.value == 0
    assert order.take() == "c1 c2 t1 c2_1"


class Switch:
    """A memo that reads one of two signals."""

    def __init__(self) -> None:
        self.first, self.then, self.otherwise = lt.signal(True), lt.signal(1), lt.signal(2)
        self.chosen = lt.memo(self.choose)
        lt.read(self.chosen)

    def choose(self) -> int:
        return self.then.value if self.first.value else self.otherwise.value


def test_a_source_in_use_makes_it_run() -> None:
    """Graph, changing dependencies: "updates on active dependencies"."""
    switch = Switch()
    switch.then.value = 5
    assert (switch.chosen.value, switch.chosen.runs) == (5, 2)


def test_a_source_not_in_use_does_not() -> None:
    """Graph, changing dependencies: "does not update on inactive dependencies"."""
    switch = Switch()
    switch.otherwise.value = 5
    assert (switch.chosen.value, switch.chosen.runs) == (1, 1)


def test_a_source_no_longer_in_use_does_not() -> None:
    """Graph, changing dependencies: "deactivates obsolete dependencies"."""
    switch = Switch()
    switch.first.value = False
    assert (switch.chosen.value, switch.chosen.runs) == (2, 2)
    switch.then.value = 5
    assert (switch.chosen.value, switch.chosen.runs) == (2, 2)


def test_a_source_that_came_into_use_does() -> None:
    """Graph, changing dependencies: "activates new dependencies"."""
    switch = Switch()
    switch.first.value = False
    switch.otherwise.value = 5
    assert (switch.chosen.value, switch.chosen.runs) == (5, 2)
    switch.otherwise.value = 6
    assert (switch.chosen.value, switch.chosen.runs) == (6, 3)


def test_a_source_that_comes_into_use_is_fresh() -> None:
    """Graph, changing dependencies: "ensures that new dependencies are updated before dependee"."""
    order, a = Order(), lt.signal(0)
    b = order.memo("b", lambda: a.value + 1)
    c = order.memo("c", lambda: b.value or e.value)
    d = lt.memo(lambda: a.value)
    e: lt.Memo[int] = order.memo("d", lambda: d.value + 10)
    lt.read(c)
    lt.read(e)
    assert order.take() == "c b d"
    a.value = -1
    lt.read(c)
    lt.read(e)
    assert order.take() == "b c d"
    assert c.value == 9
    a.value = 0
    lt.read(c)
    lt.read(e)
    assert order.take() == "b c d"
    assert c.value == 1


def test_one_run_for_sources_of_which_some_are_unchanged() -> None:
    """Graph: "does not update subsequent pending computations after stale invocations"."""
    s1, s2 = lt.signal(1), lt.signal(False)
    t1, t2 = lt.memo(lambda: s1.value > 0), lt.memo(lambda: s1.value > 0)
    c1 = lt.memo(lambda: s1.value)
    t3 = lt.memo(lambda: (s1.value, s2.value)[1])
    c3 = lt.memo(lambda: (t1.value, t2.value, c1.value, t3.value))
    lt.read(c3)
    s2.value = True
    lt.read(c3)
    assert c3.runs == 2
    s1.value = 2
    lt.read(c3)
    assert c3.runs == 3


def test_sources_are_asked_until_one_has_changed() -> None:
    """Graph: "evaluates stale computations before dependees when trackers stay unchanged"."""
    order, s1 = Order(), lt.signal(1, equals="never")
    t1 = order.memo("t1", lambda: s1.value > 2)
    t2 = order.memo("t2", lambda: s1.value > 2)
    c1 = order.memo("c1", lambda: (s1.value, None)[1], equals="never")
    c2 = order.memo("c2", lambda: (t1.value, t2.value, c1.value, None)[3])
    lt.read(c2)
    order.take()
    s1.value = 1
    lt.read(c2)
    assert order.take() == "t1 t2 c1 c2"
    s1.value = 3
    lt.read(c2)
    assert order.take() == "t1 c2 t2 c1"


def test_a_change_goes_down_a_chain() -> None:
    """Graph: "correctly marks downstream computations as stale on change"."""
    order, s1 = Order(), lt.signal(1)
    t1 = order.memo("t1", lambda: s1.value)
    c1 = order.memo("c1", lambda: t1.value)
    c2 = order.memo("c2", lambda: c1.value)
    c3 = order.memo("c3", lambda: c2.value)
    lt.read(c3)
    order.take()
    s1.value = 2
    assert c3.value == 2
    assert order.take() == "t1 c1 c2 c3"


def test_no_run_when_all_sources_are_unchanged() -> None:
    """Graph: "should not update a sub if all deps unmark it"."""
    a = lt.signal("a")
    b, c = lt.memo(lambda: (a.value, "b")[1]), lt.memo(lambda: (a.value, "c")[1])
    d = lt.memo(lambda: f"{b.value} {c.value}")
    assert d.value == "b c"
    a.value = "aa"
    assert (d.value, d.runs) == ("b c", 1)
