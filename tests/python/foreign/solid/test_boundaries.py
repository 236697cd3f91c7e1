# SPDX-License-Identifier: MIT
"""What Solid 2's tests claim about boundaries around what loads or fails.

On the Python face a boundary is a memo that catches: `NotReady` for what loads, any exception for
what failed; resetting is reading again, or `.refresh()`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt
from waiting import turns


def loading_boundary(body: Callable[[], Any]) -> lt.Memo[Any]:
    def look() -> Any:
        try:
            return body()
        except lt.NotReady:
            return "loading"

    return lt.memo(look)


def error_boundary(body: Callable[[], Any]) -> lt.Memo[Any]:
    def look() -> Any:
        try:
            return body()
        except lt.NotReady:
            raise
        except Exception as error:
            return f"error: {error}"

    return lt.memo(look)


def watch(boundary: lt.Memo[Any]) -> list[Any]:
    seen: list[Any] = []
    lt.effect(lambda: seen.append(boundary()))
    return seen


def item(id: lt.Signal[Any]) -> lt.AsyncMemo[Any]:
    """Loads; fails unless the id is "1"."""

    async def load() -> str:
        asked = id.value
        await asyncio.sleep(0)
        if asked != "1":
            raise ValueError(f"Item {asked} not found")
        return "Test Item"

    return lt.async_memo(load)


def doubled(x: lt.Signal[int]) -> lt.AsyncMemo[int]:
    async def compute() -> int:
        value = x.value
        await asyncio.sleep(0)
        return value * 2

    return lt.async_memo(compute)


# --- loading


async def test_the_fallback_is_shown_while_it_loads() -> None:
    """createLoadingBoundary: "shows fallback while async projection is pending"."""
    data = doubled(lt.signal(5))
    seen = watch(loading_boundary(lambda: data.value))
    await turns()
    assert seen == ["loading", 10]


async def test_loading_ends_although_the_data_is_the_same() -> None:
    """createLoadingBoundary: "clears loading state even when data unchanged"."""

    @lt.async_memo
    async def data() -> None:
        await asyncio.sleep(0)

    seen = watch(loading_boundary(lambda: data.value))
    await turns()
    assert seen == ["loading", None]


async def test_all_effects_of_a_boundary_go_on() -> None:
    """createLoadingBoundary: "clears loading for multiple effects in same boundary"."""
    data = doubled(lt.signal(1))
    boundary = loading_boundary(lambda: data.value)
    first, second = watch(boundary), watch(boundary)
    await turns()
    assert first == second == ["loading", 2]


async def test_the_inner_boundary_catches() -> None:
    """createLoadingBoundary: "nested boundaries - inner catches async"."""
    data = doubled(lt.signal(1))
    inner = loading_boundary(lambda: data.value)
    seen = watch(loading_boundary(lambda: f"outer {inner()}"))
    await turns()
    assert seen == ["outer loading", "outer 2"]


async def test_a_failure_is_the_same_for_either_order_of_boundaries() -> None:
    """createLoadingBoundary: "surfaces async rejection consistently for Loading/Errored
    orderings"."""
    data = item(lt.signal("bad"))
    inside = loading_boundary(lambda: data.value)
    outside = error_boundary(lambda: data.value)
    first, second = watch(error_boundary(inside)), watch(loading_boundary(outside))
    await turns()
    assert first == second == ["loading", "error: Item bad not found"]


async def test_a_nested_boundary_hides_no_failure() -> None:
    """createLoadingBoundary: "nested Loading does not suppress eventual error fallback"."""
    data = item(lt.signal("bad"))
    inner = loading_boundary(lambda: data.value)
    seen = watch(error_boundary(loading_boundary(inner)))
    await turns()
    assert seen[-1] == "error: Item bad not found"


async def test_a_refresh_that_succeeds_clears_the_failure() -> None:
    """createLoadingBoundary: "clears held errors after a refresh resolves successfully"."""
    fails = [True]

    @lt.async_memo
    async def data() -> int:
        await asyncio.sleep(0)
        if fails[0]:
            raise ValueError("no")
        return 10

    seen = watch(error_boundary(loading_boundary(lambda: data.value)))
    await turns()
    assert seen[-1] == "error: no"
    fails[0] = False
    data.refresh()
    await turns()
    assert seen == ["loading", "error: no", "loading", 10]


async def test_an_effect_runs_for_the_fallback_and_for_the_value() -> None:
    """createLoadingBoundary: "side effect only runs when no longer pending"."""
    data = doubled(lt.signal(1))
    seen = watch(loading_boundary(lambda: data.value))
    assert len(seen) == 1
    await turns()
    assert len(seen) == 2


async def test_changes_while_it_loads_end_in_the_newest_value() -> None:
    """createLoadingBoundary: "handles rapid signal changes while pending"."""
    x = lt.signal(1)
    data = doubled(x)
    seen = watch(loading_boundary(lambda: data.value))
    x.value = 2
    assert seen == ["loading"]
    await turns()
    assert seen == ["loading", 4]


async def test_reading_what_loads_inside_a_memo_raises_nothing_to_the_reader_outside() -> None:
    """createLoadingBoundary: "does not throw dev error when pending async value is read inside a
    tracking scope"."""
    data = doubled(lt.signal(1))
    boundary = loading_boundary(lambda: data.value)
    assert boundary() == "loading"
    await turns()
    assert boundary() == 2


async def test_reading_what_loads_outside_raises() -> None:
    """createLoadingBoundary: "throws dev error when pending async value is read outside tracking
    scope with strictRead"."""
    data = doubled(lt.signal(1))
    with pytest.raises(lt.NotReady):
        lt.untracked(lambda: data.value)


async def test_another_value_passes_the_boundary() -> None:
    """createLoadingBoundary: "different value resolves through boundary"."""
    x = lt.signal(50)
    data = doubled(x)
    seen = watch(loading_boundary(lambda: data.value))
    await turns()
    x.value = 51
    await turns()
    assert seen == ["loading", 100, 102]


async def test_the_same_value_passes_the_boundary_without_another_run_of_readers() -> None:
    """createLoadingBoundary: "same value resolves through boundary"."""
    x = lt.signal(1)

    @lt.async_memo
    async def data() -> int:
        x.value  # noqa: B018
        await asyncio.sleep(0)
        return 100

    seen = watch(loading_boundary(lambda: data.value))
    await turns()
    x.value = 2
    await turns()
    assert seen == ["loading", 100]


async def test_resolving_runs_the_function_no_second_time() -> None:
    """createLoadingBoundary: "does not re-run compute when resolving same value"."""
    data = doubled(lt.signal(1))
    watch(loading_boundary(lambda: data.value))
    await turns()
    assert data.runs == 1


async def test_what_is_not_shown_any_more_does_not_keep_it_loading() -> None:
    """createLoadingBoundary: "stops loading when a pending child is disposed before its promise
    settles"."""
    shows, events = lt.signal(True), []

    def child() -> Any:
        @lt.async_memo
        async def data() -> str:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                events.append("cancelled")
                raise
            return "async"

        return data.value

    seen = watch(loading_boundary(lambda: child() if shows.value else "sync"))
    await turns()
    shows.value = False
    assert seen == ["loading", "sync"]
    await turns()
    assert events == ["cancelled"]


async def test_what_loads_without_a_boundary_is_no_error(caplog: Any) -> None:
    """enforceLoadingBoundary: "does not throw when disabled"."""
    data = doubled(lt.signal(1))
    seen: list[int] = []
    lt.effect(lambda: seen.append(data.value))
    await turns()
    assert seen == [2]
    assert caplog.records == []


async def test_a_boundary_around_what_loads_is_enough() -> None:
    """enforceLoadingBoundary: "does not throw when createLoadingBoundary catches the pending"."""
    data = doubled(lt.signal(1))
    assert loading_boundary(lambda: data.value)() == "loading"


# --- errors


async def test_an_error_that_nobody_handles_is_reported(caplog: Any) -> None:
    """createErrorBoundary: "should let errors bubble up when not handled".

    Policy: an effect's error is logged, not raised to its maker.
    """

    @lt.effect
    def fails() -> None:
        raise ValueError("no")

    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "ValueError in effect 'fails': no" in record.getMessage()


def test_a_boundary_handles_an_error() -> None:
    """createErrorBoundary: "should handle error"."""

    def fails() -> None:
        raise ValueError("no")

    assert error_boundary(fails)() == "error: no"


def test_what_the_inner_boundary_raises_goes_to_the_outer() -> None:
    """createErrorBoundary: "should forward error to another handler"."""

    def fails() -> None:
        raise ValueError("first")

    def inner() -> Any:
        try:
            fails()
        except ValueError as error:
            raise KeyError("second") from error

    assert error_boundary(lt.memo(inner))() == "error: 'second'"


def test_a_boundary_that_runs_again_handles_each_error_once() -> None:
    """createErrorBoundary: "should not duplicate error handler"."""
    x, handled = lt.signal(0), []

    def look() -> None:
        try:
            if x.value:
                raise ValueError(str(x.value))
        except ValueError as error:
            handled.append(str(error))

    lt.effect(look)
    x.value = 1
    x.value = 2
    assert handled == ["1", "2"]


def test_only_the_boundary_above_handles() -> None:
    """createErrorBoundary: "should not trigger wrong handler"."""
    x = lt.signal(0)

    def fails() -> int:
        if x.value:
            raise ValueError("no")
        return 0

    first, second = watch(error_boundary(fails)), watch(error_boundary(lambda: 1))
    x.value = 1
    assert first == [0, "error: no"]
    assert second == [1]


def test_an_error_in_the_fallback_goes_up() -> None:
    """createErrorBoundary: "should throw error if there are no handlers left"."""

    def look() -> None:
        try:
            raise ValueError("first")
        except ValueError:
            raise KeyError("in the fallback") from None

    with pytest.raises(KeyError):
        lt.memo(look)()


async def test_an_effect_outside_sees_the_fallback_and_then_the_value() -> None:
    """createErrorBoundary: "should handle errors when the effect is on the outside"."""
    x = lt.signal(0)

    def body() -> str:
        if x.value == 0:
            raise ValueError("first")
        return "success"

    seen = watch(error_boundary(body))
    x.value = 1
    x.value = 0
    assert seen == ["error: first", "success", "error: first"]


async def test_the_same_with_a_memo_in_the_middle() -> None:
    """createErrorBoundary: "should handle errors when the effect is on the outside and memo in the
    middle"."""
    x = lt.signal(0)

    @lt.memo
    def middle() -> str:
        if x.value == 0:
            raise ValueError("first")
        return "success"

    seen = watch(error_boundary(middle))
    x.value = 1
    assert seen == ["error: first", "success"]


async def test_a_failed_load_recovers_with_its_source() -> None:
    """createErrorBoundary: "should recover when async memo errors then dependency changes and
    boundary resets"."""
    id = lt.signal("bad")
    data = item(id)
    seen = watch(error_boundary(loading_boundary(lambda: data.value)))
    await turns()
    id.value = "1"
    await turns()
    assert seen == ["loading", "error: Item bad not found", "loading", "Test Item"]


def test_a_failed_memo_recovers_with_its_source() -> None:
    """createErrorBoundary: "should recover when sync memo errors then dependency changes and
    boundary resets"."""
    id = lt.signal("bad")

    @lt.memo
    def data() -> str:
        if id.value != "1":
            raise ValueError("not found")
        return "ok"

    seen = watch(error_boundary(data))
    id.value = "1"
    assert seen == ["error: not found", "ok"]


async def test_a_failed_load_that_is_read_and_written_in_one_batch_settles() -> None:
    """createErrorBoundary: "should not infinite loop when errored async memo is heap-queued and
    then re-read"."""
    id = lt.signal("bad")
    data = item(id)
    seen = watch(error_boundary(loading_boundary(lambda: data.value)))
    await turns()
    with lt.batch():
        id.value = "1"
        with pytest.raises(lt.NotReady):
            _ = data.value
    await turns()
    assert seen[-1] == "Test Item"
    assert data.runs == 2


def test_an_effect_that_failed_goes_on_after_a_change(caplog: Any) -> None:
    """createErrorBoundary: "should recover from effect callback error after reset"."""
    x, seen = lt.signal(0), []

    @lt.effect
    def look() -> None:
        if x.value == 0:
            raise ValueError("no")
        seen.append(x.value)

    x.value = 1
    assert seen == [1]
    assert len(caplog.records) == 1
