# SPDX-License-Identifier: MIT
"""Memos and effects that end, or lose their last reference, while their own function runs."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt


def by_dispose(held: list[Any]) -> None:
    held[0].dispose()


def by_last_reference(held: list[Any]) -> None:
    held.clear()
    gc.collect()


@pytest.mark.parametrize("end", [by_dispose, by_last_reference])
@pytest.mark.parametrize("result", [7, "text", [1], None])
def test_a_memo_that_ends_while_it_is_read(end: Callable[[list[Any]], None], result: Any) -> None:
    source = lt.signal(0)
    held: list[Any] = []

    def compute() -> Any:
        if source.value == 3:
            end(held)
        return [source.value] if isinstance(result, list) else result

    held.append(lt.memo(compute))
    for i in range(3):
        source.value = i
        assert held[0].value == ([i] if isinstance(result, list) else result)
    source.value = 3
    if end is by_dispose:
        with pytest.raises(lt.DisposedError):
            held[0].value  # noqa: B018
    else:
        memo = held[0].__wrapped__  # keeps the function, not the memo
        assert held[0].value == ([3] if isinstance(result, list) else result)
        assert held == []
        assert memo is compute
    source.value = 4


@pytest.mark.parametrize("end", [by_dispose, by_last_reference])
@pytest.mark.parametrize("ends", ["number", "text", "error"])
def test_a_memo_that_ends_in_a_flush(end: Callable[[list[Any]], None], ends: str) -> None:
    source = lt.signal(0)
    held: list[Any] = []
    seen: list[Any] = []

    def compute() -> Any:
        value = source.value
        if value == 3:
            end(held)
            if ends == "error":
                raise ValueError("after its end")
        return value if ends == "number" else str(value)

    held.append(lt.memo(compute))
    effect = lt.effect(lambda: seen.append(held[0].value if held else "gone"))
    for i in range(1, 6):
        source.value = i
    first = [0, 1, 2] if ends == "number" else ["0", "1", "2"]
    assert seen[:3] == first
    effect.dispose()
    held.clear()
    gc.collect()


@pytest.mark.parametrize("end", [by_dispose, by_last_reference])
def test_an_effect_that_ends_while_it_runs(end: Callable[[list[Any]], None]) -> None:
    source = lt.signal(0)
    held: list[Any] = []
    seen: list[int] = []

    def watch() -> None:
        seen.append(source.value)
        if source.value == 2:
            end(held)

    held.append(lt.effect(watch, weak=True))
    for i in range(1, 5):
        source.value = i
    assert seen == [0, 1, 2]
    assert source.value == 4


def test_an_equality_function_that_ends_the_memo() -> None:
    source = lt.signal(0)
    held: list[Any] = []

    def equals(before: object, after: object) -> bool:
        held.clear()
        gc.collect()
        return False

    held.append(lt.memo(lambda: source.value, equals=equals))
    effect = lt.effect(lambda: held[0].value if held else None)
    source.value = 1
    source.value = 2
    assert held == []
    effect.dispose()
