# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, effect lifecycle: first run, re-runs, cleanups, disposal."""

from __future__ import annotations

import lattice as lt


def test_035_an_effect_runs_when_it_is_made() -> None:
    source = lt.signal(0)
    assert lt.effect(lambda: source.value).runs == 1


def test_036_an_effect_runs_again_when_its_source_changes() -> None:
    source, seen = lt.signal("a"), []
    lt.effect(lambda: seen.append(source.value))
    source.value = "b"
    source.value = "c"
    assert seen == ["a", "b", "c"]


def test_038_the_cleanup_comes_before_each_further_run() -> None:
    source, log = lt.signal(0), []

    @lt.effect
    def work() -> None:
        value = source.value
        log.append(f"run:{value}")
        lt.on_cleanup(lambda: log.append(f"cleanup:{value}"))

    assert log == ["run:0"]
    source.value = 1
    assert log == ["run:0", "cleanup:0", "run:1"]
    source.value = 2
    assert log == ["run:0", "cleanup:0", "run:1", "cleanup:1", "run:2"]


def test_039_the_cleanup_comes_with_the_disposal() -> None:
    source, log = lt.signal(0), []
    effect = lt.effect(lambda: lt.on_cleanup(lambda: log.append(source.value)))
    assert log == []
    effect.dispose()
    assert log == [0]


def test_040_what_a_cleanup_reads_is_no_source() -> None:
    source, other = lt.signal(0), lt.signal(100)
    effect = lt.effect(lambda: (source.value, lt.on_cleanup(lambda: other.value)))
    source.value = 1
    assert effect.runs == 2
    other.value = 200
    assert effect.runs == 2


def test_042_an_effect_disposed_inside_the_batch_does_not_run() -> None:
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)
    with lt.batch():
        source.value = 1
        effect.dispose()
    assert effect.runs == 1


def test_108_an_effect_may_dispose_itself() -> None:
    source = lt.signal(0)

    @lt.effect
    def work() -> None:
        if source.value == 1:
            work.dispose()

    source.value = 1
    assert work.runs == 2
    source.value = 2
    assert (work.runs, work.alive) == (2, False)


def test_110_disposing_twice_is_harmless() -> None:
    cleaned = []
    effect = lt.effect(lambda: lt.on_cleanup(lambda: cleaned.append(1)))
    effect.dispose()
    effect.dispose()
    assert cleaned == [1]


def test_111_a_cleanup_that_disposes_its_effect_prevents_the_run() -> None:
    source = lt.signal(0)

    @lt.effect
    def work() -> None:
        _ = source.value
        lt.on_cleanup(lambda: work.dispose())

    source.value = 1
    source.value = 2
    assert (work.runs, work.alive) == (1, False)


def test_141_reads_after_the_own_disposal_subscribe_nothing() -> None:
    a, b = lt.signal(0), lt.signal(0)

    @lt.effect
    def work() -> None:
        if a.value == 1:
            work.dispose()
        _ = b.value

    a.value = 1
    assert work.runs == 2
    b.value = 1
    a.value = 2
    assert work.runs == 2


def test_143_a_disposed_effect_is_never_scheduled_again() -> None:
    a, b = lt.signal(0), lt.signal(0)
    effect = lt.effect(lambda: (a.value, b.value))
    effect.dispose()
    for value in (1, 2):
        a.value = b.value = value
    assert effect.runs == 1


def test_178_what_the_cleanup_of_a_disposed_effect_reads_is_not_its_disposers_source() -> None:
    a, b = lt.signal(0), lt.signal(100)
    inner = lt.effect(lambda: (a.value, lt.on_cleanup(lambda: b.value)))

    @lt.effect
    def outer() -> None:
        if a.value == 1:
            inner.dispose()

    a.value = 1
    assert outer.runs == 2
    b.value = 200
    assert outer.runs == 2


def test_214_a_memo_made_anew_by_each_run_reads_the_newest_value() -> None:
    source, made = lt.signal(1), []

    @lt.effect
    def work() -> None:
        _ = source.value
        made.append(lt.memo(lambda: source.value))

    assert made[-1]() == 1
    for value in (2, 3):
        source.value = value
        assert made[-1]() == value
    assert len(made) == 3


def test_201_a_memo_disposes_the_effect_that_reads_it() -> None:
    source, doomed = lt.signal(0), []

    @lt.memo
    def guarded() -> int:
        if source.value == 1:
            doomed[0].dispose()
        return source.value

    doomed.append(lt.effect(guarded))
    lt.effect(guarded)  # keeps the memo in use
    source.value = 1
    assert doomed[0].runs == 1
    source.value = 2
    source.value = 3
    assert doomed[0].runs == 1


def test_202_the_sibling_of_an_effect_disposed_by_a_memo_is_told() -> None:
    source, doomed, seen = lt.signal(0), [], []

    @lt.memo
    def guarded() -> int:
        if source.value == 1:
            doomed[0].dispose()
        return source.value

    doomed.append(lt.effect(guarded))
    lt.effect(lambda: seen.append(guarded()))
    source.value = 1
    assert seen == [0, 1]


def test_203_a_memo_disposes_the_effect_while_its_sibling_is_unchanged() -> None:
    source, doomed = lt.signal(0), []
    still = lt.memo(lambda: source.value * 0)
    lethal = lt.memo(lambda: (source.value and doomed[0].dispose(), source.value)[1])
    join = lt.memo(lambda: (still(), lethal())[0])
    doomed.append(lt.effect(join))
    source.value = 1
    assert (doomed[0].runs, doomed[0].alive) == (1, False)
    assert (join(), lethal()) == (0, 1)


def test_216_effects_on_one_signal_run_in_creation_order() -> None:
    source, order = lt.signal(0), []
    for name in (1, 2, 3):
        lt.effect(lambda name=name: (source.value, order.append(name)))
    for value in (1, 2):
        order.clear()
        source.value = value
        assert order == [1, 2, 3]


def test_217_a_new_effect_after_a_disposed_one() -> None:
    source = lt.signal(0)
    first = lt.effect(lambda: source.value)
    first.dispose()
    source.value = 1
    second = lt.effect(lambda: source.value)
    source.value = 2
    assert (first.runs, second.runs) == (1, 2)


def test_222_an_effect_made_inside_a_cleanup_has_its_own_sources() -> None:
    a, b, made = lt.signal(0), lt.signal(0), []

    @lt.effect
    def outer() -> None:
        _ = a.value
        lt.on_cleanup(lambda: made.append(lt.effect(lambda: b.value)))

    assert made == []
    a.value = 1
    (inner,) = made
    assert inner.runs == 1
    b.value = 1
    assert inner.runs == 2
    assert outer.runs == 2
