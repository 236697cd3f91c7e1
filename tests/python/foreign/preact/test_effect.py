# SPDX-License-Identifier: MIT
"""What @preact/signals-core claims about effects, on Lattice's Python face."""

from __future__ import annotations

import contextlib
import gc

import pytest

import lattice as lt


def test_an_effect_runs_at_once() -> None:
    """effect: "should run the callback immediately"."""
    s = lt.signal(123)
    assert lt.effect(lambda: s.value).runs == 1


def test_an_effect_runs_when_its_signal_changes() -> None:
    """effect: "should subscribe to signals"."""
    s = lt.signal(123)
    effect = lt.effect(lambda: s.value)
    s.value = 42
    assert effect.runs == 2


def test_an_effect_runs_for_each_of_its_signals() -> None:
    """effect: "should subscribe to multiple signals"."""
    a, b = lt.signal("a"), lt.signal("b")
    effect = lt.effect(lambda: (a.value, b.value))
    a.value = "aa"
    b.value = "bb"
    assert effect.runs == 3


def test_a_disposed_effect_runs_no_more() -> None:
    """effect: "should dispose of subscriptions"."""
    a, b = lt.signal("a"), lt.signal("b")
    effect = lt.effect(lambda: a.value + " " + b.value)
    effect.dispose()
    assert effect.runs == 1
    a.value = "aa"
    b.value = "bb"
    assert effect.runs == 1


def test_an_effect_may_dispose_itself_in_a_later_run() -> None:
    """effect: "should dispose of subscriptions"."""
    a, b, seen = lt.signal("a"), lt.signal("b"), []

    @lt.effect
    def watch_both() -> None:
        seen.append(a.value + b.value)
        if a.value == "aa":
            watch_both.dispose()

    a.value = "aa"
    a.value = "aaa"
    assert seen == ["ab", "aab"]


def test_an_effect_may_be_disposed_at_the_end_of_its_first_run() -> None:
    """effect: "should dispose of subscriptions immediately"."""
    a, b, seen = lt.signal("a"), lt.signal("b"), []
    with lt.Scope() as scope:

        @lt.effect
        def once() -> None:
            seen.append(a.value + b.value)
            scope.dispose()

    a.value = "aa"
    a.value = "aaa"
    assert seen == ["ab"]
    assert not once.alive


def test_an_effect_that_disposed_itself_may_be_disposed_again() -> None:
    """effect: "should dispose of subscriptions when called twice"."""
    a, seen = lt.signal("a"), []

    @lt.effect
    def until() -> None:
        seen.append(a.value)
        if a.value == "aa":
            until.dispose()

    a.value = "aa"
    until.dispose()
    a.value = "aaa"
    assert seen == ["a", "aa"]


def test_what_an_effect_reads_after_it_was_disposed_does_not_subscribe() -> None:
    """effect: "should dispose of subscriptions immediately and signals are read after
    disposing"."""
    a, b, seen = lt.signal("a"), lt.signal("b"), []
    with lt.Scope() as scope:

        @lt.effect
        def once() -> None:
            scope.dispose()
            seen.append(a.value + b.value)

    a.value = "aa"
    a.value = "aaa"
    assert seen == ["ab"]


def test_an_effect_disposed_in_its_first_run_may_be_disposed_again() -> None:
    """effect: "should dispose of subscriptions immediately when called twice (deferred)"."""
    a, seen = lt.signal("a"), []
    with lt.Scope() as scope:

        @lt.effect
        def once() -> None:
            seen.append(a.value)
            scope.dispose()

    a.value = "aa"
    once.dispose()
    a.value = "aaa"
    assert seen == ["a"]


def test_an_effect_leaves_its_signal_when_it_ends() -> None:
    """effect: "should unsubscribe from signal"."""
    s = lt.signal(123)
    effect = lt.effect(lambda: s.value)
    effect.dispose()
    s.value = 42
    assert effect.runs == 1


def test_an_effect_leaves_the_branch_that_it_did_not_take() -> None:
    """effect: "should conditionally unsubscribe from signals"."""
    a, b, take_a = lt.signal("a"), lt.signal("b"), lt.signal(True)
    effect = lt.effect(lambda: a.value if take_a.value else b.value)
    b.value = "bb"
    assert effect.runs == 1
    take_a.value = False
    assert effect.runs == 2
    a.value = "aaa"
    assert effect.runs == 2


def test_what_an_effect_writes_reaches_the_others_once() -> None:
    """effect: "should batch writes"."""
    a, seen = lt.signal("a"), []
    lt.effect(lambda: seen.append(a.value))

    @lt.effect
    def write() -> None:
        a.value = "aa"
        a.value = "aaa"

    assert seen == ["a", "aaa"]


def test_a_cleanup_runs_before_each_next_run() -> None:
    """effect: "should call the cleanup callback before the next run"."""
    a, log = lt.signal(0), []

    @lt.effect
    def work() -> None:
        run = a.value
        log.append(f"run {run}")
        lt.on_cleanup(lambda: log.append(f"clean {run}"))

    assert log == ["run 0"]
    a.value = 1
    a.value = 2
    assert log == ["run 0", "clean 0", "run 1", "clean 1", "run 2"]


def test_only_the_cleanup_of_the_last_run_is_called() -> None:
    """effect: "should call only the callback from the previous run"."""
    log: list[str] = []
    name = lt.signal("first")

    @lt.effect
    def work() -> None:
        now = name.value
        lt.on_cleanup(lambda: log.append(now))

    assert log == []
    name.value = "second"
    assert log == ["first"]
    name.value = "third"
    assert log == ["first", "second"]


def test_a_cleanup_runs_when_the_effect_ends() -> None:
    """effect: "should call the cleanup callback function when disposed"."""
    log: list[str] = []
    effect = lt.effect(lambda: lt.on_cleanup(lambda: log.append("clean")))
    assert log == []
    effect.dispose()
    assert log == ["clean"]


def test_an_effect_does_not_run_when_its_memo_gives_the_same() -> None:
    """effect: "should not recompute if the effect has been notified about changes, but no direct
    dependency has actually changed"."""
    s = lt.signal(0)
    constant = lt.memo(lambda: s.value * 0)
    effect = lt.effect(lambda: constant.value)
    s.value = 1
    assert (constant.runs, effect.runs) == (2, 1)


def test_a_memo_that_only_the_old_branch_read_is_not_recomputed() -> None:
    """effect: "should not recompute dependencies unnecessarily"."""
    a, b = lt.signal(0), lt.signal(0)
    c = lt.memo(lambda: b.value)
    lt.effect(lambda: c.value if a.value == 0 else None)
    with lt.batch():
        b.value = 1
        a.value = 1
    assert c.runs == 1


def test_sources_are_checked_in_the_order_in_which_they_were_read() -> None:
    """effect: "should not recompute dependencies out of order"."""
    a, b, c = lt.signal(1), lt.signal(1), lt.signal(1)
    d = lt.memo(lambda: c.value)
    lt.effect(lambda: (b.value, d.value) if a.value > 0 else b.value)

    def write(value: int) -> None:
        with lt.batch():
            a.value = b.value = c.value = value

    write(2)
    assert d.runs == 2
    write(-1)
    assert d.runs == 2


def test_an_effect_is_not_run_again_by_its_own_write() -> None:
    """effect: "should recompute if a dependency changes during computation after becoming a
    dependency".

    Policy: what an effect writes does not wake the effect itself; the others see it.
    """
    a = lt.signal(0)

    @lt.effect
    def bump() -> None:
        if a.value == 0:
            a.value += 1

    assert (bump.runs, a.value) == (1, 1)
    a.value = 0
    assert (bump.runs, a.value) == (2, 1)


def test_the_writes_of_a_cleanup_and_of_the_run_after_it_are_one_batch() -> None:
    """effect: "should run the cleanup in an implicit batch"."""
    a, b, c, seen = lt.signal(0), lt.signal("a"), lt.signal("b"), []
    lt.effect(lambda: seen.append(b.value + c.value))

    @lt.effect
    def work() -> None:
        def clean() -> None:
            b.value = "x"
            c.value = "y"

        lt.on_cleanup(clean)
        return a.value

    assert seen == ["ab"]
    a.value = 1
    assert seen == ["ab", "xy"]


def test_a_cleanup_that_writes_its_effects_source_does_not_run_it_again() -> None:
    """effect: "should not retrigger the effect if the cleanup modifies one of the dependencies"."""
    a, seen = lt.signal(0), []

    @lt.effect
    def work() -> None:
        seen.append(a.value)
        lt.on_cleanup(lambda: setattr(a, "value", 2))

    a.value = 1
    assert seen == [0, 2]


def test_the_cleanup_of_an_effect_that_disposes_itself_runs() -> None:
    """effect: "should run the cleanup if the effect disposes itself"."""
    a, log = lt.signal(0), []

    @lt.effect
    def work() -> None:
        if a.value > 0:
            work.dispose()
            lt.on_cleanup(lambda: log.append(a.value))

    assert log == []
    a.value = 1
    assert log == [1]
    a.value = 2
    assert log == [1]


def test_an_effect_does_not_run_when_its_cleanup_disposes_it() -> None:
    """effect: "should not run the effect if the cleanup function disposes it"."""
    a = lt.signal(0)

    @lt.effect
    def work() -> None:
        lt.on_cleanup(lambda: work.dispose())
        return a.value

    a.value = 1
    assert work.runs == 1
    assert not work.alive


def test_an_effect_whose_first_run_raises_is_logged_and_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """effect: "should not subscribe to anything if first run throws".

    Policy: an effect's error is logged, not raised to its maker, and it stays subscribed.
    """
    s = lt.signal(0)

    @lt.effect
    def fail() -> None:
        raise ValueError(f"no {s.value}")

    assert fail.alive
    s.value += 1
    assert fail.runs == 2
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == [
        "no 0",
        "no 1",
    ]


def test_the_cleanup_before_a_run_that_raises_runs_once(caplog: pytest.LogCaptureFixture) -> None:
    """effect: "should reset the cleanup if the effect throws".

    Policy: the error is logged, not raised to the writer.
    """
    a, log = lt.signal(0), []

    @lt.effect
    def work() -> None:
        if a.value != 0:
            raise ValueError("hello")
        lt.on_cleanup(lambda: log.append("clean"))

    a.value = 1
    assert "hello" in caplog.text
    assert log == ["clean"]
    a.value = 0
    assert log == ["clean"]
    assert work.runs == 3


def test_a_cleanup_that_raises_is_logged_and_the_effect_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """effect: "should dispose the effect if the cleanup callback throws".

    Policy: an error of a cleanup is logged; the effect goes on.
    """
    a, seen = lt.signal(0), []

    def fail() -> None:
        raise ValueError("hello")

    @lt.effect
    def work() -> None:
        if a.value == 0:
            lt.on_cleanup(fail)
        else:
            seen.append(a.value)

    a.value += 1
    assert "hello" in caplog.text
    a.value += 1
    assert seen == [1, 2]
    assert work.alive


def test_what_a_cleanup_reads_does_not_subscribe_who_causes_it() -> None:
    """effect: "should run cleanups outside any evaluation context"."""
    a, b = lt.signal(0), lt.signal(0)

    @lt.memo
    def c() -> int:
        if a.value == 0:
            lt.effect(lambda: lt.on_cleanup(lambda: b.value))
        return a.value

    reader = lt.effect(lambda: c.value)
    a.value = 1
    assert reader.runs == 2
    b.value = 1
    assert (reader.runs, c.runs) == (2, 2)


def test_effects_that_wake_each_other_for_ever_raise() -> None:
    """effect: "should throw on cycles".

    Policy: an effect's write does not wake itself, so it takes two to run away.
    """
    a = lt.signal(0)

    @lt.effect
    def alone() -> None:
        a.value = a.value + 1

    assert alone.runs == 1
    with pytest.raises(lt.CycleError, match="keep triggering one another"):

        @lt.effect
        def other() -> None:
            a.value = a.value + 1

    alone.dispose()


def test_a_memo_that_changes_its_own_source_does_not_run_away() -> None:
    """effect: "should throw on indirect cycles".

    Policy: a memo may write. Writing its own source makes it stale for the next read, no more.
    """
    a = lt.signal(0)

    @lt.memo(equals="never")
    def c() -> int:
        a.value = a.value + 1
        return a.peek()

    reader = lt.effect(lambda: c.value)
    assert (reader.runs, c.runs, a.value) == (1, 1, 1)
    a.value = 5
    assert reader.runs == 2
    assert c.runs <= 3


def test_an_effect_may_be_disposed_twice() -> None:
    """effect: "should allow disposing the effect multiple times"."""
    effect = lt.effect(lambda: None)
    effect.dispose()
    effect.dispose()
    assert not effect.alive


def test_an_effect_ends_with_a_block() -> None:
    """effect: "should support resource management disposal"."""
    a, log = lt.signal(0), []
    with contextlib.ExitStack() as stack:
        effect = lt.effect(lambda: (a.value, lt.on_cleanup(lambda: log.append("clean"))))
        stack.callback(effect.dispose)
        assert log == []
    assert log == ["clean"]


def test_a_running_effect_may_be_disposed() -> None:
    """effect: "should allow disposing a running effect"."""
    a, log = lt.signal(0), []

    @lt.effect
    def work() -> None:
        if a.value == 1:
            work.dispose()
            log.append("disposed")

    a.value = 1
    a.value = 2
    assert log == ["disposed"]


def test_an_effect_that_a_batch_woke_and_disposed_does_not_run() -> None:
    """effect: "should not run if it's first been triggered and then disposed in a batch"."""
    a = lt.signal(0)
    effect = lt.effect(lambda: a.value)
    with lt.batch():
        a.value = 1
        effect.dispose()
    assert effect.runs == 1


def test_a_write_after_the_disposal_does_not_wake_it_either() -> None:
    """effect: "should not run if it's been triggered, disposed and then triggered again in a
    batch"."""
    a = lt.signal(0)
    effect = lt.effect(lambda: a.value)
    with lt.batch():
        a.value = 1
        effect.dispose()
        a.value = 2
    assert effect.runs == 1


def test_writing_and_writing_back_runs_nothing() -> None:
    """effect: "should not rerun an effect for a no-op batch assignment"."""
    answer = lt.signal(42)
    effect = lt.effect(lambda: answer.value)
    with lt.batch():
        answer.value = 0
        answer.value = 42
    assert effect.runs == 1


def test_writing_back_runs_nothing_every_time() -> None:
    """effect: "should not rerun an effect for repeated no-op top-level batches"."""
    answer = lt.signal(42)
    effect = lt.effect(lambda: answer.value)
    for other in (0, -1):
        with lt.batch():
            answer.value = other
            answer.value = 42
        assert effect.runs == 1


def test_writing_back_below_a_memo_runs_nothing() -> None:
    """effect: "should not rerun an effect subscribed through a computed for a no-op batch
    assignment"."""
    answer = lt.signal(42)
    double = lt.memo(lambda: answer.value * 2)
    effect = lt.effect(lambda: double.value)
    with lt.batch():
        answer.value = 0
        answer.value = 42
    assert (effect.runs, double.runs) == (1, 1)


def test_a_memo_read_in_a_reverted_batch_is_not_stale_later() -> None:
    """effect: "should keep unsubscribed computeds coherent when they are read during a reverted
    batch"."""
    letter = lt.signal("A")
    loud = lt.memo(lambda: letter.value + "!")
    assert loud.value == "A!"
    with lt.batch():
        letter.value = "B"
        assert loud.value == "B!"
        letter.value = "A"
    assert loud.value == "A!"
    letter.value = "C"
    assert loud.value == "C!"


def test_a_memo_peeked_in_a_reverted_batch_is_not_stale_later() -> None:
    """effect: "should keep unsubscribed computeds coherent when they are peeked during a reverted
    batch"."""
    n = lt.signal(1)
    double = lt.memo(lambda: n.value * 2)
    assert double.peek() == 2
    with lt.batch():
        n.value = 2
        assert double.peek() == 4
        n.value = 1
    n.value = 3
    assert double.peek() == 6


def test_an_inner_effects_signal_does_not_run_the_outer_effect() -> None:
    """effect: "should not rerun parent effect if a nested child effect's signal's value
    changes"."""
    for_parent, for_child, log = lt.signal(0), lt.signal(0), []

    @lt.effect
    def parent() -> None:
        log.append(("parent", for_parent.value))
        lt.effect(lambda: log.append(("child", for_child.value)))

    for_child.value = 1
    for_parent.value = 1
    assert log == [("parent", 0), ("child", 0), ("child", 1), ("parent", 1), ("child", 1)]


# --- what integrations lean on


def test_an_effects_function_reaches_the_effect_by_its_name() -> None:
    """effect internals: "should pass in the effect instance in callback's `this`"."""
    a, seen = lt.signal(0), []

    @lt.effect
    def itself() -> None:
        if a.value > 0:
            itself.dispose()
            seen.append((itself.name, itself.alive))

    a.value = 1
    a.value = 2
    assert seen == [("itself", False)]
    assert not itself.alive


def test_the_function_of_an_effect_can_be_replaced() -> None:
    """effect internals: "should allow setting _callback that replaces the default
    functionality"."""
    a, log = lt.signal(0), []
    effect = lt.effect(lambda: log.append(("old", a.value)))
    effect._replace(lambda: log.append(("new", a.value)), False)
    a.value = 1
    assert log == [("old", 0), ("new", 1)]


def test_dispose_ends_an_effect_whose_function_was_replaced() -> None:
    """effect internals: "should dispose the effect on _dispose"."""
    s, log = lt.signal(0), []
    effect = lt.effect(lambda: None)
    effect._replace(lambda: log.append(s.value), True)
    lt.flush()
    s.value = 2
    assert log == [0, 2]
    effect.dispose()
    s.value = 3
    assert log == [0, 2]


def test_an_effect_holds_exactly_what_it_read_last() -> None:
    """effect internals: "should have property _sources that is undefined when and only when the
    effect has no sources"."""
    s, reads = lt.signal(0), lt.signal(False)
    effect = lt.effect(lambda: s.value if reads.value else None)

    def holds() -> bool:
        # The function itself refers to a cell, not to the signal.
        return any(other is s for other in gc.get_referents(effect))

    assert not holds()
    reads.value = True
    assert holds()
    reads.value = False
    assert not holds()
    reads.value = True
    assert holds()
    effect.dispose()
    assert not holds()
