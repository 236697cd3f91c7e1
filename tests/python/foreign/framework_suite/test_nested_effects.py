# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, nested effects and their order."""

from __future__ import annotations

import lattice as lt


def test_043_the_outer_effect_runs_before_the_inner_one() -> None:
    source, order = lt.signal(0), []

    @lt.effect
    def outer() -> None:
        order.append(("outer", source.value))
        lt.effect(lambda: order.append(("inner", source.value)))

    source.value = 1
    assert order == [("outer", 0), ("inner", 0), ("outer", 1), ("inner", 1)]


def test_045_an_effect_made_untracked_subscribes_itself_only() -> None:
    source, inner = lt.signal(0), []

    @lt.effect
    def outer() -> None:
        with lt.untracked():
            inner.append(lt.effect(lambda: source.value))

    source.value = 1
    assert outer.runs == 1
    assert inner[0].runs == 2


def test_046_reading_twice_notifies_once() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: (source.value, source.value))
    source.value = 1
    assert effect.runs == 2


def test_047_an_effect_writes_its_source_in_its_first_run() -> None:
    source, seen = lt.signal(0), []

    @lt.effect
    def work() -> None:
        if not seen:
            source.value = 1
        seen.append(source.value)

    assert source.value == 1
    assert seen == [1]  # written before it was read: no change for this run


def test_163_the_parent_does_not_run_for_its_childs_signal() -> None:
    source = lt.signal(0)

    @lt.effect
    def parent() -> None:
        _ = source.value
        own = lt.signal(0)
        lt.effect(lambda: own.value)
        own.value = 1

    assert parent.runs == 1
    source.value = 1
    assert parent.runs == 2


def test_164_an_inner_effect_has_its_own_sources() -> None:
    a, b, inner = lt.signal(0), lt.signal(0), []

    @lt.effect
    def outer() -> None:
        _ = a.value
        inner.append(lt.effect(lambda: b.value))

    b.value = 1
    assert inner[0].runs == 2
    assert outer.runs == 1


def test_170_an_inner_effect_does_not_run_for_an_unchanged_memo() -> None:
    source, inner = lt.signal(0), []
    parity = lt.memo(lambda: source.value % 2)
    lt.effect(lambda: inner.append(lt.effect(parity)))
    source.value = 2
    assert (parity.runs, inner[0].runs) == (2, 1)


def test_209_disposing_three_levels_from_the_top() -> None:
    source, runs = lt.signal(0), []

    def outer() -> None:
        _ = source.value
        lt.effect(middle)

    def middle() -> None:
        runs.append(("middle", source.value))
        lt.effect(lambda: runs.append(("inner", source.value)))

    effect = lt.effect(outer)
    assert runs == [("middle", 0), ("inner", 0)]
    source.value = 1
    assert runs[2:] == [("middle", 1), ("inner", 1)]
    effect.dispose()
    source.value = 2
    assert len(runs) == 4


def test_210_a_new_outer_run_ends_all_inner_effects_of_the_last() -> None:
    a, b, c, log = lt.signal(0), lt.signal(0), lt.signal(0), []

    @lt.effect
    def outer() -> None:
        _ = a.value
        lt.effect(lambda: log.append(("b", b.value)))
        lt.effect(lambda: log.append(("c", c.value)))

    a.value = 1
    log.clear()
    b.value = 1
    c.value = 1
    assert log == [("b", 1), ("c", 1)]


def test_048_an_inner_effect_sees_what_the_outer_run_read() -> None:
    source, seen = lt.signal(0), []

    @lt.effect
    def outer() -> None:
        value = source.value
        lt.effect(lambda: seen.append((value, source.value)))

    source.value = 1
    assert seen == [(0, 0), (1, 1)]  # never (0, 1): the old inner effect ended first
