# SPDX-License-Identifier: MIT
"""Claims about linked memos: a write stands until a source changes."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

import lattice as lt


def test_it_is_the_functions_until_written_and_again_when_a_source_changes() -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value * 10)
    assert page.runs == 0
    assert (page.value, page(), page.peek()) == (10, 10, 10)
    page.value = 7
    assert page.value == 7
    page.update(lambda value: value + 1)
    assert page() == 8
    source.value = 2
    assert page.value == 20
    assert page.runs == 2


def test_decorator_and_name() -> None:
    @lt.linked
    def page() -> int:
        return 1

    numbered = lt.linked(lambda: 2)
    named = lt.linked(lambda: 3, name="given")
    assert (page.name, numbered.name, named.name) == ("page", "numbered", "given")
    assert numbered.value == 2
    assert repr(numbered) == "<Linked numbered=2>"


def test_a_write_before_the_first_read_stands() -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value)
    page.value = 7
    assert page.value == 7
    source.value = 2
    assert page.value == 2


def test_any_source_that_was_read_voids_a_write_though_the_result_is_the_same() -> None:
    source = lt.signal(1)
    positive = lt.linked(lambda: source.value > 0)
    assert positive.value
    positive.value = False
    source.value = 2
    assert positive.value


def test_only_changes_after_the_write_void_it() -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value)
    assert page.value == 1
    source.value = 2
    page.value = 7
    assert page.value == 7
    with lt.batch():
        source.value = 3
        page.value = 8
    assert page.value == 8
    with lt.batch():
        page.value = 9
        source.value = 4
    assert page.value == 4


def test_readers_run_once_per_change() -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value)
    seen: list[int] = []
    reader = lt.effect(lambda: seen.append(page.value))
    page.value = 1
    page.value = 5
    with lt.batch():
        page.value = 6
        page.value = 5
    with lt.batch():
        source.value = 2
        page.value = 7
    source.value = 3
    assert seen == [1, 5, 7, 3]
    reader.dispose()


def test_a_write_survives_the_end_of_its_last_reader() -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value)
    reader = lt.effect(lambda: page.value)
    page.value = 7
    reader.dispose()
    assert page.value == 7
    assert page.runs == 1
    source.value = 2
    assert page.value == 2


def test_the_function_may_take_the_previous_value() -> None:
    source = lt.signal(1)
    seen: list[int | None] = []

    def total(previous: int | None) -> int:
        seen.append(previous)
        return source.value + (previous or 0)

    kept = lt.linked(total)
    assert kept.value == 1
    source.value = 2
    assert kept.value == 3
    kept.value = 100
    source.value = 3
    assert kept.value == 103
    assert seen == [None, 1, 100]


def test_a_parameter_with_a_default_is_not_the_previous_value() -> None:
    assert lt.linked(lambda bound=5: bound).value == 5


def test_equality_is_that_of_the_result() -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value, equals=lambda a, b: a % 10 == b % 10)
    seen: list[int] = []
    reader = lt.effect(lambda: seen.append(page.value))
    page.value = 11
    page.value = 12
    assert seen == [1, 12]
    reader.dispose()


def test_a_write_stands_above_an_error_until_the_next_run() -> None:
    source = lt.signal(0)

    @lt.linked
    def page() -> int:
        if source.value % 2 == 0:
            raise ValueError("even")
        return source.value

    with pytest.raises(ValueError, match="even"):
        _ = page.value
    page.value = 7
    assert page.value == 7
    source.value = 1
    assert page.value == 1
    source.value = 2
    with pytest.raises(ValueError, match="even"):
        page()


def test_a_write_by_its_own_function_is_an_error() -> None:
    def own() -> int:
        page.value = 5
        return 1

    page = lt.linked(own)
    with pytest.raises(lt.CycleError):
        _ = page.value


def test_it_is_not_its_value() -> None:
    page = lt.linked(lambda: 1)
    for use in (bool, len, iter, int, lambda x: x + 1, lambda x: x < 2, lambda x: f"{x}"):
        with pytest.raises(TypeError, match=r"'page' is a Linked; write page\.value"):
            use(page)  # type: ignore[operator]
    assert page == page
    assert {page: 1}[page] == 1
    with pytest.raises(TypeError, match="made of a function"):
        lt.linked(5)  # type: ignore[call-overload]


def test_it_can_be_watched_read_and_bound() -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value)
    seen: list[tuple[int, int]] = []
    watcher = lt.watch(page, lambda new, old: seen.append((new, old)))
    page.value = 5
    source.value = 2
    assert seen == [(5, 1), (2, 5)]
    assert lt.read(page) == 2
    bound = lt.bind(page)
    bound.write(9)
    assert (page.value, bound.peek()) == (9, 9)
    watcher.dispose()


def test_after_dispose_it_raises() -> None:
    page = lt.linked(lambda: 1)
    page.dispose()
    with pytest.raises(lt.DisposedError):
        _ = page.value
    with pytest.raises(lt.DisposedError):
        page.value = 1


def test_what_nobody_holds_is_collected() -> None:
    class Witness:
        def __init__(self, ended: list[int]) -> None:
            self.ended = ended

        def __del__(self) -> None:
            self.ended.append(1)

    ended: list[int] = []
    source = lt.signal(1)
    for _ in range(10):
        witness = Witness(ended)
        page = lt.linked(lambda held=witness: held and source.value)
        page.value = page.value + 1
        assert page.value == 2
    del page, witness
    gc.collect()
    assert len(ended) == 10
    source.value = 2


def test_a_write_from_another_thread_arrives_through_the_mailbox() -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value)
    assert page.value == 1

    def write() -> None:
        page.value = 9

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    lt.flush()
    assert page.value == 9


def test_a_module_level_one_is_per_session(sessions: list[Any]) -> None:
    source = lt.signal(1)
    page = lt.linked(lambda: source.value)
    total = lt.linked(lambda previous: (previous or 0) + source.value)
    first, second = sessions
    with first.enter():
        page.value = 7
        assert (page.value, total.value) == (7, 1)
        source.value = 5
        assert (page.value, total.value) == (5, 6)
        page.value = 8
    with second.enter():
        assert (page.value, total.value) == (1, 1)
        source.value = 2
        assert (page.value, total.value) == (2, 3)
    with first.enter():
        assert page.value == 8
