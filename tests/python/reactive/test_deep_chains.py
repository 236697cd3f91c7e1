# SPDX-License-Identifier: MIT
"""Chains of memos that are longer than a stack is deep: first read, errors, cycles, the end."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt

NESTED_MAX = 10_000


def chain_on(first: Callable[[], Any], length: int) -> list[lt.Memo[Any]]:
    """Memo i reads memo i - 1; none is computed yet."""
    chain = [lt.memo(first, name="m0")]
    for i in range(1, length):
        last = chain[-1]
        chain.append(lt.memo(lambda last=last: last.value + 1, name=f"m{i}"))
    return chain


def error_of(memo: lt.Memo[Any], kind: type[BaseException]) -> BaseException:
    with pytest.raises(kind) as caught:
        _ = memo.value
    return caught.value


def test_first_read_of_ten_thousand_memos_computes_each_once() -> None:
    source = lt.signal(1)
    chain = chain_on(lambda: source.value, NESTED_MAX)
    assert sys.getrecursionlimit() < NESTED_MAX
    assert chain[-1].value == NESTED_MAX
    assert {memo.runs for memo in chain} == {1}
    source.value = 5
    assert chain[-1].value == NESTED_MAX + 4


def test_an_effect_reads_ten_thousand_memos_and_follows_them() -> None:
    source = lt.signal(1)
    chain = chain_on(lambda: source.value, NESTED_MAX)
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(chain[-1].value))
    source.value = 2
    assert seen == [NESTED_MAX, NESTED_MAX + 1]
    effect.dispose()


def test_first_read_works_in_a_thread_with_a_small_stack() -> None:
    results: list[int] = []

    def run() -> None:
        results.append(chain_on(lambda: 1, NESTED_MAX)[-1].value)

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert results == [NESTED_MAX]


def test_a_longer_chain_is_a_recursion_error_that_names_its_ends_and_leaves_all_stale() -> None:
    source = lt.signal(1)
    length = NESTED_MAX + 500
    chain = chain_on(lambda: source.value, length)
    message = str(error_of(chain[-1], RecursionError))
    assert f"'m{length - 1}' -> 'm{length - 2}'" in message
    assert f"-> 'm{length - 1 - NESTED_MAX}'" in message
    assert f"{NESTED_MAX + 2} memos" in message
    assert len(message) < 400
    assert chain[0].runs == 0
    assert chain[5000].value == 5001
    assert chain[-1].value == length
    source.value = 2
    assert chain[-1].value == length + 1


def test_memos_that_make_memos_without_end_are_a_recursion_error() -> None:
    def endless() -> int:
        return lt.memo(endless).value + 1

    with pytest.raises(RecursionError, match="endless"):
        endless()


def test_an_effect_on_a_chain_that_is_too_long_reports_and_recovers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = lt.signal(1)
    chain = chain_on(lambda: source.value, NESTED_MAX + 500)
    seen: list[int] = []
    effect = lt.effect(lambda: seen.append(chain[-1].value))
    assert seen == []
    assert "memos compute one another" in caplog.text
    for memo in chain:
        memo.peek()
    source.value = 3
    assert seen == [NESTED_MAX + 502]
    effect.dispose()


def test_an_error_at_the_far_end_reaches_the_reader_and_is_cached() -> None:
    broken = lt.signal(True)

    def first() -> int:
        if broken.value:
            raise ValueError("far end")
        return 1

    chain = chain_on(first, NESTED_MAX)
    assert str(error_of(chain[-1], ValueError)) == "far end"
    assert str(error_of(chain[-1], ValueError)) == "far end"
    assert chain[-1].runs == 1
    broken.value = False
    assert chain[-1].value == NESTED_MAX


def test_runaway_recursion_in_a_function_stays_a_recursion_error() -> None:
    def forever() -> int:
        return forever()

    def nested_repr() -> str:
        inner: list[Any] = []
        for _ in range(100_000):
            inner = [inner]
        return repr(inner)

    for first in (forever, nested_repr):
        chain = chain_on(first, 3000)
        assert "maximum recursion depth" in str(error_of(chain[-1], RecursionError))


def test_every_nested_run_has_the_whole_recursion_limit_and_no_more() -> None:
    def depth(n: int) -> int:
        return 0 if n == 0 else depth(n - 1)

    limit = sys.getrecursionlimit()
    chain = chain_on(lambda: depth(limit - 100), 2000)
    assert chain[-1].value == 1999
    with pytest.raises(RecursionError):
        depth(limit + 100)
    assert depth(limit // 2) == 0


def test_a_changed_recursion_limit_holds_after_nested_runs() -> None:
    limit = sys.getrecursionlimit()

    def first() -> int:
        sys.setrecursionlimit(limit + 500)
        return 1

    def depth(n: int) -> int:
        return 0 if n == 0 else depth(n - 1)

    try:
        assert chain_on(first, 50)[-1].value == 50
        assert depth(limit + 200) == 0
        with pytest.raises(RecursionError):
            depth(limit + 600)
    finally:
        sys.setrecursionlimit(limit)


def test_a_long_cycle_names_its_ends() -> None:
    closed = lt.signal(True)
    chain: list[lt.Memo[Any]] = []
    chain.extend(chain_on(lambda: chain[-1].value if closed.value else 1, 5000))
    message = str(error_of(chain[-1], lt.CycleError))
    assert "m4999 -> m4998" in message
    assert "more) ..." in message
    assert len(message) < 400
    closed.value = False
    assert chain[-1].value == 5000


@pytest.mark.parametrize("is_computed", [False, True])
def test_the_end_of_a_long_chain_is_a_loop(is_computed: bool) -> None:
    chain = chain_on(lambda: 1, 200_000)
    if is_computed:
        for memo in chain:
            memo.peek()
    last = chain[-1]
    chain.clear()
    del last
    gc.collect()


def test_disposing_the_scope_of_a_long_chain_is_a_loop() -> None:
    with lt.Scope() as scope:
        chain = chain_on(lambda: 1, 200_000)
        for memo in chain:
            memo.peek()
        effect = lt.effect(lambda: chain[-1].value)
    scope.dispose()
    assert not effect.alive
    with pytest.raises(lt.DisposedError):
        _ = chain[0].value


def test_a_long_chain_in_a_reference_cycle_is_collected() -> None:
    class Holder:
        memo: lt.Memo[Any]

    holder = Holder()
    ended = threading.Event()

    class Witness:
        def __del__(self) -> None:
            ended.set()

    witness = Witness()
    chain = chain_on(lambda held=(holder, witness): held and 1, 100_000)
    for memo in chain:
        memo.peek()
    holder.memo = chain[-1]
    chain.clear()
    del holder, witness, memo
    gc.collect()
    assert ended.is_set()


def test_deletion_hooks_that_read_long_chains_run() -> None:
    results: list[int] = []

    class Reader:
        def __init__(self, memo: lt.Memo[Any]) -> None:
            self.memo = memo

        def __del__(self) -> None:
            results.append(self.memo.value)

    inner = chain_on(lambda: 1, 3000)[-1]
    reader = Reader(inner)
    chain = chain_on(lambda held=reader: held and 1, 5000)
    assert chain[-1].value == 5000
    chain.clear()
    del reader, inner
    gc.collect()
    assert results == [3000]
