# SPDX-License-Identifier: MIT
"""Claims about lifetimes: who keeps whom, cycles through closures, other threads' deallocation."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import lattice as lt
from lattice import _core


class Token:
    """Something that a closure captures, to see whether the closure lives."""


def live_nodes() -> int:
    gc.collect()
    return sum(isinstance(thing, lt.Signal | lt.Memo | lt.Effect) for thing in gc.get_objects())


def count_after(make: Callable[[], Any], rounds: int = 50) -> int:
    make()
    before = live_nodes()
    for _ in range(rounds):
        make()
    return live_nodes() - before


def test_signals_and_memos_end_with_their_last_reference() -> None:
    signals = [lt.signal(1)]
    memos = [lt.memo(lambda signal=signals[0]: signal.value)]
    memos[0]()
    refs = [weakref.ref(signals[0]), weakref.ref(memos[0])]
    memos.clear()
    assert refs[1]() is None
    signals.clear()
    assert refs[0]() is None


def test_a_cycle_closure_signal_subscriber_closure_is_collected() -> None:
    def make() -> None:
        signal = lt.signal(0)
        memo = lt.memo(lambda: (signal.value, memo.name))
        box: list[Any] = []
        box.append(lt.effect(lambda: (memo(), box), weak=True))
        signal.value = [signal, memo, box]  # type: ignore[assignment]
        memo()

    assert count_after(make) == 0


def test_an_effect_disposed_by_name_leaves_nothing() -> None:
    def make() -> None:
        signal = lt.signal(0)
        token = Token()
        effect = lt.effect(lambda: (signal.value, token))
        signal.value = 1
        effect.dispose()

    assert count_after(make) == 0


def test_a_scope_leaves_nothing() -> None:
    def make() -> None:
        with lt.Scope() as scope:
            signal = lt.signal(0)
            memo = lt.memo(lambda: signal.value)
            lt.effect(lambda: (memo(), lt.on_cleanup(lambda: memo)))
            lt.watch(signal, lambda new, old: None)
        scope.dispose()

    assert count_after(make) == 0


def test_nested_effects_and_cleanups_of_a_weak_effect_are_collected() -> None:
    cleaned = []

    def make() -> None:
        signal = lt.signal(0)
        box: list[Any] = []

        def outer() -> None:
            lt.effect(lambda: (signal.value, box))
            lt.on_cleanup(lambda: cleaned.append(box))

        box.append(lt.effect(outer, weak=True))

    before = live_nodes()
    make()
    gc.collect()
    assert len(cleaned) == 1
    cleaned.clear()
    assert live_nodes() == before


def test_a_memo_without_references_serves_its_subscribers() -> None:
    source = lt.signal(1)
    holder = {"memo": lt.memo(lambda: source.value * 2)}
    reader = lt.memo(lambda: holder["memo"].value if "memo" in holder else -1)
    effect = lt.effect(reader)
    ref = weakref.ref(holder["memo"])
    del holder["memo"]
    gc.collect()
    assert ref() is not None  # the subscriber keeps it
    source.value = 5
    assert reader() == -1
    assert ref() is None  # and lets go when it does not read it any more
    assert effect.runs == 2


def test_a_memo_made_inside_an_effect_works_without_a_reference() -> None:
    source, seen = lt.signal(1), []
    effect = lt.effect(lambda: seen.append(lt.memo(lambda: source.value * 2)()))
    source.value = 2
    assert seen == [2, 4]
    effect.dispose()


def test_a_memo_keeps_only_the_sources_that_it_read_last() -> None:
    switch = lt.signal(True)
    box = [lt.signal(1)]
    ref = weakref.ref(box[0])
    memo = lt.memo(lambda: box[0].value if switch.value else 0)
    memo()
    box.clear()
    assert ref() is not None
    switch.value = False
    memo()
    assert ref() is None


def test_weak_references_and_their_callbacks() -> None:
    called = []
    for make in (lambda: lt.signal(0), lambda: lt.memo(int), lambda: lt.effect(int, weak=True)):
        thing = make()
        ref = weakref.ref(thing, called.append)  # noqa: F841
        del thing
    assert len(called) == 3


def test_old_values_and_results_are_released() -> None:
    signal = lt.signal(Token())
    memo = lt.memo(lambda: [signal.value])
    memo()
    ref = weakref.ref(signal.value)
    signal.value = Token()
    memo()
    assert ref() is None


def test_a_finaliser_that_writes_during_a_flush_is_harmless() -> None:
    log = lt.signal(0)

    class Loud:
        def __del__(self) -> None:
            log.value += 1

    source = lt.signal(0)
    memo = lt.memo(lambda: (source.value, Loud()), equals="never")
    seen = []
    lt.effect(lambda: memo())
    lt.effect(lambda: seen.append(log.value))
    for value in range(1, 6):
        source.value = value
    lt.flush()
    assert seen[-1] == log.value == 5


def test_many_signals_freed_oldest_first() -> None:
    signals = {index: lt.signal(index) for index in range(20_000)}
    signals.clear()


def test_a_deallocation_on_another_thread_reaches_the_graph_later() -> None:
    with _core.SessionState().enter():
        source = lt.signal(0)
        box = [lt.memo(lambda: source.value), lt.signal(1)]
        box[0].value  # noqa: B018
        refs = [weakref.ref(thing) for thing in box]
        thread = threading.Thread(target=box.clear)
        thread.start()
        thread.join()
        assert [ref() for ref in refs] == [None, None]
        source.value = 1
        assert lt.signal(0).value == 0


def test_sessions_leave_nothing() -> None:
    template = lt.signal([1])
    doubled = lt.memo(lambda: template.value * 2)

    def make() -> None:
        session = _core.SessionState()
        with session.enter():
            own = lt.signal(0)
            lt.effect(lambda: (own.value, doubled(), own))
            template.value = [2]
        session.dispose()

    assert count_after(make) == 0


def test_objects_of_an_ended_thread_are_released() -> None:
    def work() -> None:
        signal = lt.signal(0)
        lt.effect(lambda: signal.value)

    def make() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    make()
    before = live_nodes()
    for _ in range(10):
        make()
    assert live_nodes() - before <= 4  # threads may still be ending
