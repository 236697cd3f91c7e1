# SPDX-License-Identifier: MIT
"""Claims about memos: laziness, cut-off, dynamic sources, cached errors, cycles."""

from __future__ import annotations

import gc
import sys
import traceback
import weakref
from typing import Any

import pytest

import lattice as lt


def test_a_memo_computes_when_it_is_read_and_once() -> None:
    count = lt.signal(2)
    doubled = lt.memo(lambda: count.value * 2)
    assert doubled.runs == 0
    assert (doubled(), doubled.value, doubled.peek()) == (4, 4, 4)
    assert doubled.runs == 1
    count.value = 3
    assert doubled.runs == 1
    assert doubled() == 6


def test_decorator_forms() -> None:
    @lt.memo
    def plain() -> int:
        return 1

    @lt.memo(equals="is", name="other")
    def configured() -> int:
        return 2

    assert (plain(), configured()) == (1, 2)
    assert (plain.name, configured.name) == ("plain", "other")
    with pytest.raises(TypeError, match="takes no arguments"):
        plain(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="made of a function"):
        lt.memo(5)  # type: ignore[call-overload]


def test_equal_results_stop_propagation() -> None:
    count = lt.signal(1)
    parity = lt.memo(lambda: count.value % 2)
    label = lt.memo(lambda: "odd" if parity() else "even")
    effect = lt.effect(label)
    count.value = 3
    assert parity.runs == 2
    assert label.runs == 1
    assert effect.runs == 1


def test_a_memo_that_returns_the_same_list_counts_as_changed() -> None:
    rows = lt.signal([3, 1])

    @lt.memo
    def ordered() -> list[int]:
        rows.value.sort()
        return rows.value

    effect = lt.effect(lambda: ordered())
    rows.value += [2]
    assert effect.runs == 2


def test_a_diamond_has_no_glitch() -> None:
    a = lt.signal(1)
    b = lt.memo(lambda: a.value + 1)
    c = lt.memo(lambda: a.value * 10)
    seen = []
    effect = lt.effect(lambda: seen.append((b(), c())))
    a.value = 2
    assert seen == [(2, 10), (3, 20)]
    effect.dispose()


def test_sources_are_dynamic() -> None:
    use_a, a, b = lt.signal(True), lt.signal(1), lt.signal(2)
    chosen = lt.memo(lambda: a.value if use_a.value else b.value)
    effect = lt.effect(chosen)
    b.value = 3
    assert chosen.runs == 1
    use_a.value = False
    a.value = 9
    assert (chosen(), chosen.runs, effect.runs) == (3, 2, 2)


def test_an_exception_is_cached_and_raised_to_each_reader() -> None:
    count = lt.signal(0)

    @lt.memo
    def inverse() -> float:
        return 1 / count.value

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            inverse()
    assert inverse.runs == 1
    count.value = 4
    assert inverse() == 0.25
    count.value = 0
    with pytest.raises(ZeroDivisionError):
        inverse.peek()


def test_an_error_passes_through_memos_as_the_same_class() -> None:
    class Special(Exception):
        def __init__(self, code: int) -> None:
            super().__init__(f"code {code}", code)
            self.code = code

    @lt.memo
    def inner() -> int:
        raise Special(7) from KeyError("cause")

    outer = lt.memo(lambda: inner() + 1)
    with pytest.raises(Special, match="code 7") as caught:
        outer()
    assert caught.value.code == 7
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "gone", "file.txt"),
        KeyError("k"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        ImportError("no", name="mod"),
        StopIteration(5),
        ExceptionGroup("many", [ValueError(1)]),
    ],
)
def test_built_in_exceptions_keep_their_fields(error: BaseException) -> None:
    error.note = "mine"  # type: ignore[attr-defined]

    @lt.memo
    def fail() -> None:
        raise error

    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            fail()
        copy = caught.value
        assert str(copy) == str(error)
        assert copy.args == error.args
        fields = ["errno", "filename", "reason", "start", "name", "value", "exceptions", "note"]
        for field in fields:
            assert getattr(copy, field, None) == getattr(error, field, None)


def traceback_length(error: BaseException) -> int:
    return len(list(traceback.walk_tb(error.__traceback__)))


def test_a_cached_error_neither_grows_its_traceback_nor_pins_frames() -> None:
    class Local:
        pass

    @lt.memo
    def fail() -> int:
        raise ValueError("no")

    def read() -> tuple[int, weakref.ref[Local]]:
        local = Local()
        try:
            fail()
        except ValueError as error:
            return traceback_length(error), weakref.ref(local)
        raise AssertionError

    lengths, refs = zip(*[read() for _ in range(20)], strict=True)
    assert set(lengths) == {2}  # this reader, the memo's function
    gc.collect()
    assert all(ref() is None for ref in refs)


def test_the_traceback_ends_in_the_memos_function() -> None:
    @lt.memo
    def fail() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no") as caught:
            fail()
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
        assert frames[-1].f_code.co_name == "fail"


def test_running_out_of_stack_is_not_cached() -> None:
    limit = sys.getrecursionlimit()

    def depth(n: int) -> int:
        return 0 if n == 0 else 1 + depth(n - 1)

    deep = lt.memo(lambda: depth(limit))
    with pytest.raises(RecursionError):
        deep()
    try:
        sys.setrecursionlimit(limit * 2)
        assert deep() == limit
    finally:
        sys.setrecursionlimit(limit)
    assert deep.runs == 2


def test_a_cycle_error_names_the_path() -> None:
    first = lt.memo(lambda: second())
    second = lt.memo(lambda: third())

    @lt.memo
    def third() -> Any:
        return first()

    with pytest.raises(lt.CycleError, match=r"^cycle: first -> second -> third -> first$"):
        first()


def test_a_cycle_through_a_write_can_be_left_again() -> None:
    use = lt.signal(False)
    a: Any = lt.memo(lambda: b() if use.value else 1)
    b: Any = lt.memo(lambda: a() + 1)
    assert (a(), b()) == (1, 2)
    use.value = True
    with pytest.raises(lt.CycleError):
        b()
    use.value = False
    assert (a(), b()) == (1, 2)


def test_equality_function_of_a_memo() -> None:
    count = lt.signal(0)
    rounded = lt.memo(lambda: count.value, equals=lambda old, new: old // 10 == new // 10)
    effect = lt.effect(rounded)
    count.value = 5
    assert (rounded(), effect.runs) == (0, 1)
    count.value = 12
    assert (rounded(), effect.runs) == (12, 2)


def test_repr_of_a_memo_does_not_compute() -> None:
    count = lt.signal(1)

    @lt.memo
    def doubled() -> int:
        return count.value * 2

    assert repr(doubled) == "<Memo doubled, not computed>"
    doubled()
    assert repr(doubled) == "<Memo doubled=2>"
    count.value = 2
    assert repr(doubled) == "<Memo doubled, not computed>"
    assert doubled.runs == 1


def test_a_write_inside_a_memo_is_seen_by_later_reads() -> None:
    source, log = lt.signal(1), lt.signal(0)

    @lt.memo
    def copy() -> int:
        log.value = source.value
        return source.value

    effect = lt.effect(lambda: log.value)
    assert copy() == 1
    assert log.value == 1
    assert effect.runs == 2


def test_replacing_the_function_of_a_memo() -> None:
    memo = lt.memo(lambda: 1)
    effect = lt.effect(lambda: memo())
    memo._replace(lambda: 2, False)
    assert memo() == 1
    memo._replace(lambda: 3, True)
    lt.flush()
    assert (memo(), effect.runs) == (3, 2)


def test_cleanup_of_a_memo_runs_before_it_recomputes() -> None:
    count, log = lt.signal(0), []

    @lt.memo
    def tracked() -> int:
        value = count.value
        lt.on_cleanup(lambda: log.append(value))
        return value

    tracked()
    count.value = 1
    assert log == []
    tracked()
    assert log == [0]
    tracked.dispose()
    assert log == [0, 1]


def test_a_cached_traceback_of_a_closure_can_be_asked_for_its_variables():
    zero = lt.signal(0)
    ratio = lt.memo(lambda: 1 / zero.value)
    with pytest.raises(ZeroDivisionError) as raised:
        ratio()
    assert [entry.frame.f_locals for entry in raised.traceback][-1] == {}
