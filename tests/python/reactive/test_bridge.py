# SPDX-License-Identifier: MIT
"""Claims about memos and effects that read another thread's signals and memos."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lattice as lt
from lattice import _core


class Worker:
    """A thread that runs functions, one after another, when it is told to."""

    def __init__(self) -> None:
        self._tasks: queue.Queue[tuple[Callable[[], Any], queue.Queue[Any]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            function, answers = task
            try:
                answers.put((function(), None))
            except BaseException as error:
                answers.put((None, error))
            del task, function, answers

    def run(self, function: Callable[[], Any]) -> Any:
        answers: queue.Queue[Any] = queue.Queue()
        self._tasks.put((function, answers))
        result, error = answers.get(timeout=20)
        if error is not None:
            raise error
        return result

    def end(self) -> None:
        self._tasks.put(None)
        self._thread.join()


@pytest.fixture
def worker() -> Iterator[Worker]:
    one = Worker()
    yield one
    one.end()


def until(condition: Callable[[], bool]) -> None:
    """Lets this thread's mail be drained until the condition holds."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "nothing has come"
        lt.flush()
        time.sleep(0.001)


def test_an_effect_follows_a_signal_of_another_thread(worker: Worker) -> None:
    source = worker.run(lambda: lt.signal(1))
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(source.value))
    assert seen == [1]

    def write() -> None:
        source.value = 2

    worker.run(write)
    until(lambda: seen == [1, 2])
    effect.dispose()


def test_a_memo_of_this_thread_and_its_readers_follow(worker: Worker) -> None:
    source = worker.run(lambda: lt.signal(1))
    double = lt.memo(lambda: 2 * source.value)
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(double()))
    for value in (5, 5, 7):
        worker.run(lambda value=value: setattr(source, "value", value))
    until(lambda: seen[-1] == 14)
    assert double() == 14
    assert seen in ([2, 14], [2, 10, 14])
    effect.dispose()


def test_the_owner_needs_no_loop_for_its_signals(worker: Worker) -> None:
    source = lt.signal(0)
    seen: list[int] = []

    def read() -> Any:
        return lt.effect(lambda: seen.append(source.value))

    effect = worker.run(read)
    source.value = 3
    worker.run(lt.flush)  # a thread without a loop asks for its mail itself
    assert seen == [0, 3]
    worker.run(effect.dispose)


def test_what_one_batch_has_written_arrives_at_once(worker: Worker) -> None:
    left, right = worker.run(lambda: (lt.signal(0), lt.signal(0)))
    pairs: list[tuple[int, int]] = []
    effect = lt.effect(lambda: pairs.append((left.value, right.value)))

    def count() -> None:
        for value in range(1, 300):
            with lt.batch():
                left.value = value
                right.value = value

    worker._tasks.put((count, queue.Queue()))
    until(lambda: pairs[-1] == (299, 299))
    assert all(x == y for x, y in pairs)
    assert pairs == sorted(pairs)
    effect.dispose()


def test_a_memo_of_another_thread_is_computed_there(worker: Worker) -> None:
    threads: list[int] = []

    def make() -> Any:
        source = lt.signal(2)

        def square() -> int:
            threads.append(threading.get_ident())
            if source.value < 0:
                raise ValueError("negative")
            return source.value**2

        return source, lt.memo(square)

    source, square = worker.run(make)
    seen: list[Any] = []

    @lt.effect
    def look() -> None:
        try:
            seen.append(square())
        except ValueError as error:
            seen.append(str(error))

    assert seen == []  # not computed yet: the effect waits
    worker.run(lt.flush)
    until(lambda: seen == [4])
    worker.run(lambda: setattr(source, "value", -1))
    until(lambda: seen == [4, "negative"])
    worker.run(lambda: setattr(source, "value", 3))
    until(lambda: seen == [4, "negative", 9])
    assert set(threads).isdisjoint({threading.get_ident()})
    look.dispose()


def test_a_memo_that_gives_none_ends_the_wait(worker: Worker) -> None:
    nothing = worker.run(lambda: lt.memo(lambda: None))
    seen: list[Any] = []
    effect = lt.effect(lambda: seen.append(nothing()))
    worker.run(lt.flush)
    until(lambda: seen == [None])
    effect.dispose()


def test_a_read_outside_of_memos_and_effects_subscribes_nothing(worker: Worker) -> None:
    source = worker.run(lambda: lt.signal(1))
    assert source.value == 1
    effect = lt.effect(lambda: source.peek())
    worker.run(lambda: setattr(source, "value", 2))
    lt.flush()
    assert effect.runs == 1
    assert source.value == 2
    effect.dispose()


def test_the_bridge_ends_with_its_last_reader(worker: Worker) -> None:
    def make() -> Any:
        source = lt.signal(1)
        return source, lt.memo(lambda: source.value + 1)

    source, memo = worker.run(make)
    effects = [lt.effect(lambda: (source.value, memo.value)) for _ in range(2)]
    worker.run(lt.flush)
    lt.flush()
    runs = memo.runs
    assert runs == 1
    for effect in effects:
        effect.dispose()
    lt.flush()
    worker.run(lt.flush)
    worker.run(lambda: setattr(source, "value", 5))
    assert memo.runs == runs  # nobody watches it over there
    kept = weakref.ref(source)
    worker.run(lt.flush)
    source = memo = effects = effect = None
    gc.collect()
    worker.run(gc.collect)
    assert kept() is None


def test_when_the_owner_has_ended_its_readers_keep_the_last_value() -> None:
    worker = Worker()
    source = worker.run(lambda: lt.signal(1))
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(source.value))
    worker.run(lambda: setattr(source, "value", 2))
    worker.end()
    until(lambda: seen[-1] == 2 and effect.runs >= 2)
    # What a thread leaves behind belongs to who reads it first.
    until(lambda: (setattr(source, "value", source.peek() + 1), seen[-1] > 2)[1])
    assert seen[-1] == source.value
    effect.dispose()


def test_a_disposed_source_is_an_error_of_its_readers(worker: Worker) -> None:
    source = worker.run(lambda: lt.signal(1))
    seen: list[Any] = []

    @lt.effect
    def look() -> None:
        try:
            seen.append(source.value)
        except lt.DisposedError:
            seen.append("ended")

    worker.run(source.dispose)
    until(lambda: seen == [1, "ended"])
    look.dispose()


def test_a_reader_that_ends_first_disturbs_nobody() -> None:
    source = lt.signal(0)

    def read() -> None:
        lt.effect(lambda: source.value)

    reader = Worker()
    reader.run(read)
    source.value = 1
    reader.end()
    for value in range(2, 5):
        source.value = value
    assert source.value == 4


def test_own_writes_come_back_through_the_owner(worker: Worker) -> None:
    source = worker.run(lambda: lt.signal(1))
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(source.value))
    source.value = 5
    assert seen == [1]
    worker.run(lt.flush)
    until(lambda: seen == [1, 5])
    effect.dispose()


def test_a_value_that_is_mutated_in_place_arrives(worker: Worker) -> None:
    class Box:
        content = 0

    source = worker.run(lambda: lt.signal(Box()))
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(source.value.content))

    def change() -> None:
        with source.mutate() as box:
            box.content = 7

    worker.run(change)
    until(lambda: seen == [0, 7])
    effect.dispose()


def test_mail_for_a_reader_that_never_asks_is_bounded(worker: Worker) -> None:
    source = lt.signal(0)
    alive: list[weakref.ref[Any]] = []

    class Value:
        pass

    effect = worker.run(lambda: lt.effect(lambda: source.value))
    for _ in range(1000):
        value = Value()
        alive.append(weakref.ref(value))
        source.value = value
    del value
    assert sum(each() is not None for each in alive) <= 2
    worker.run(effect.dispose)


async def test_an_asyncio_loop_is_woken(worker: Worker) -> None:
    source = worker.run(lambda: lt.signal(1))
    arrived = asyncio.Event()
    seen: list[int] = []

    @lt.effect
    async def look() -> None:
        seen.append(source.value)
        if source.value == 2:
            arrived.set()

    await asyncio.sleep(0)
    worker._tasks.put((lambda: setattr(source, "value", 2), queue.Queue()))
    await asyncio.wait_for(arrived.wait(), 20)
    assert seen[-1] == 2
    look.dispose()
    await asyncio.sleep(0)


def test_a_session_is_read_from_a_plain_thread(worker: Worker) -> None:
    session = _core.SessionState()
    with session.enter():
        source = lt.signal(1)
    seen: list[int] = []
    effect = worker.run(lambda: lt.effect(lambda: seen.append(source.value)))
    with session.enter():
        source.value = 2
    worker.run(lt.flush)
    assert seen == [1, 2]
    worker.run(effect.dispose)
    session.dispose()


def test_many_threads_read_one_another() -> None:
    count, last = 4, 100
    workers = [Worker() for _ in range(count)]
    signals = [worker.run(lambda: lt.signal(0)) for worker in workers]
    totals: list[Any] = [
        worker.run(lambda: lt.memo(lambda: sum(each.value for each in signals)))
        for worker in workers
    ]
    seen: list[list[int]] = [[] for _ in workers]

    def watch(which: int) -> Any:
        return lt.effect(lambda: seen[which].append(totals[which].value))

    effects = [worker.run(lambda i=i: watch(i)) for i, worker in enumerate(workers)]

    def write(which: int) -> None:
        for value in range(1, last + 1):
            signals[which].value = value
            lt.flush()

    for i, worker in enumerate(workers):
        worker._tasks.put((lambda i=i: write(i), queue.Queue()))
    end = time.monotonic() + 20
    while not all(each[-1] == count * last for each in seen):
        assert time.monotonic() < end
        for worker in workers:
            worker.run(lt.flush)
    assert all(each == sorted(each) for each in seen)
    for worker, effect in zip(workers, effects, strict=True):
        worker.run(effect.dispose)
        worker.end()
