# SPDX-License-Identifier: MIT
"""What Solid 2's tests claim about actions, for coroutines that write state.

An action is a generator that yields promises; here it is an ``async def``, run as an async effect
or handler. Its writes are seen at each await: nothing is held back until its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import lattice as lt
from waiting import turns


def start(action: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[lt.Effect, list[Any]]:
    """Runs it once; its result comes into the list."""
    results: list[Any] = []

    async def run() -> None:
        results.append(await action())

    return lt.effect(run), results


async def test_it_begins_at_once() -> None:
    """action: "should execute generator body synchronously for sync yields"."""
    log = []

    async def action() -> None:
        log.append(1)

    start(action)
    assert log == [1]


async def test_arguments_are_passed() -> None:
    """action: "should pass arguments through to the generator function"."""

    async def action(a: int, b: int) -> int:
        return a + b

    _, results = start(lambda: action(1, 2))
    assert results == [3]


async def test_its_result_can_be_waited_for() -> None:
    """action: "should return a Promise that resolves with the return value"."""

    async def action() -> str:
        await asyncio.sleep(0)
        return "done"

    _, results = start(action)
    await turns()
    assert results == ["done"]


async def test_steps_run_in_order() -> None:
    """generator control flow: "should step through multiple yield statements in sequence"."""
    log = []

    async def action() -> None:
        for step in range(3):
            log.append(step)
            await asyncio.sleep(0)

    start(action)
    await turns()
    assert log == [0, 1, 2]


async def test_without_an_await_it_is_over_at_once() -> None:
    """generator control flow: "should handle generators that complete immediately (no yields)"."""

    async def action() -> int:
        return 1

    _, results = start(action)
    assert results == [1]


async def test_awaiting_gives_the_value() -> None:
    """async handling: "should pass resolved promise value back to generator"."""

    async def action() -> str:
        return f"got {await asyncio.sleep(0, 'value')}"

    _, results = start(action)
    await turns()
    assert results == ["got value"]


async def test_it_waits_before_it_goes_on() -> None:
    """async handling: "should await yielded promises before continuing"."""
    log, gate = [], asyncio.get_running_loop().create_future()

    async def action() -> None:
        log.append("before")
        await gate
        log.append("after")

    start(action)
    await turns()
    assert log == ["before"]
    gate.set_result(None)
    await turns()
    assert log == ["before", "after"]


async def test_several_awaits_in_sequence() -> None:
    """async handling: "should handle multiple async yields in sequence"."""

    async def action() -> list[int]:
        return [await asyncio.sleep(0, n) for n in range(3)]

    _, results = start(action)
    await turns()
    assert results == [[0, 1, 2]]


async def test_writes_are_seen_at_each_await() -> None:
    """signal integration: "should hold regular signal updates during action".

    Policy: each step to the next await is a batch; a write is not held back until the action ends.
    """
    x, seen = lt.signal(0), []
    lt.effect(lambda: seen.append(x.value))

    async def action() -> None:
        x.value = 1
        x.value = 2
        await asyncio.sleep(0)
        x.value = 3
        await asyncio.sleep(0)
        x.value = 4

    with lt.batch():  # the first step runs inside the effect that begins it
        start(action)
    await turns()
    assert seen == [0, 2, 3, 4]


async def test_the_last_values_stay() -> None:
    """signal integration: "should commit final signal values when action completes"."""
    x = lt.signal(0)

    async def action() -> None:
        for value in (1, 2, 3):
            x.value = value
            await asyncio.sleep(0)

    start(action)
    await turns()
    assert x.value == 3


async def test_several_run_at_once() -> None:
    """multiple actions: "should allow multiple concurrent actions in same transition"."""
    x, y = lt.signal(0), lt.signal(0)

    async def action(target: lt.Signal[int], value: int) -> None:
        await asyncio.sleep(0)
        target.value = value

    start(lambda: action(x, 1))
    start(lambda: action(y, 2))
    await turns()
    assert (x.value, y.value) == (1, 2)


async def test_one_may_call_another() -> None:
    """multiple actions: "should merge actions when one action calls another"."""
    log = []

    async def inner() -> str:
        log.append("inner")
        await asyncio.sleep(0)
        return "result"

    async def outer() -> None:
        log.append("outer")
        log.append(await inner())

    start(outer)
    await turns()
    assert log == ["outer", "inner", "result"]


async def test_an_empty_one_is_fine() -> None:
    """edge cases: "should handle empty generator (immediate return)"."""

    async def action() -> None:
        pass

    _, results = start(action)
    assert results == [None]


async def test_it_may_run_several_times() -> None:
    """edge cases: "should handle action called multiple times"."""
    x = lt.signal(0)

    async def action() -> None:
        await asyncio.sleep(0)
        x.update(lambda n: n + 1)

    for _ in range(3):
        start(action)
    await turns()
    assert x.value == 3


async def test_it_may_take_from_an_async_generator() -> None:
    """edge cases: "should work with async generators"."""

    async def numbers() -> Any:
        for n in range(3):
            await asyncio.sleep(0)
            yield n

    async def action() -> list[int]:
        return [n async for n in numbers()]

    _, results = start(action)
    await turns()
    assert results == [[0, 1, 2]]


async def test_helpers_that_wait() -> None:
    """yield* with helper generators: "should support yield* with async helper generator"."""
    log = []

    async def helper(name: str) -> str:
        log.append(f"begin {name}")
        await asyncio.sleep(0)
        log.append(f"end {name}")
        return name.upper()

    async def action() -> str:
        return await helper("a") + await helper("b")

    _, results = start(action)
    await turns()
    assert results == ["AB"]
    assert log == ["begin a", "end a", "begin b", "end b"]


async def test_helpers_of_helpers() -> None:
    """yield* with helper generators: "should support nested yield* (helper uses yield* on another
    helper)"."""

    async def innermost() -> int:
        return await asyncio.sleep(0, 1)

    async def middle() -> int:
        return 10 * await innermost()

    _, results = start(middle)
    await turns()
    assert results == [10]


async def test_an_error_is_caught_inside() -> None:
    """error handling: "should allow try/catch inside generator for yielded promise rejections"."""
    gate = asyncio.get_running_loop().create_future()

    async def action() -> str:
        try:
            await gate
        except ValueError as error:
            return f"caught {error}"
        return "not reached"

    _, results = start(action)
    gate.set_exception(ValueError("no"))
    await turns()
    assert results == ["caught no"]


async def test_an_error_that_is_not_caught_is_reported(caplog: Any) -> None:
    """error handling: "should reject the promise when generator throws after yield"."""

    async def action() -> None:
        await asyncio.sleep(0)
        raise ValueError("after")

    start(action)
    await turns()
    assert "ValueError in effect 'run': after" in caplog.text


async def test_an_error_before_the_first_await_is_reported(caplog: Any) -> None:
    """error handling: "should reject the promise when generator throws synchronously"."""

    async def action() -> None:
        raise ValueError("before")

    start(action)
    assert "ValueError in effect 'run': before" in caplog.text


async def test_one_that_failed_leaves_the_others_alone(caplog: Any) -> None:
    """error handling: "should remove action from transition on error but let transition
    continue"."""
    x = lt.signal(0)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def works() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        x.value = 1

    start(fails)
    start(works)
    await turns()
    assert x.value == 1


async def test_it_goes_on_after_an_error_that_it_caught() -> None:
    """error handling: "should allow recovery and continuation after caught error"."""
    x = lt.signal(0)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def action() -> None:
        try:
            await fails()
        except ValueError:
            x.value = -1
        await asyncio.sleep(0)
        x.value += 2

    start(action)
    await turns()
    assert x.value == 1


async def test_an_error_of_a_helper_comes_up() -> None:
    """error handling: "should handle errors in yield* delegated generators"."""

    async def helper() -> None:
        await asyncio.sleep(0)
        raise ValueError("in the helper")

    async def action() -> str:
        try:
            await helper()
        except ValueError as error:
            return str(error)
        return "not reached"

    _, results = start(action)
    await turns()
    assert results == ["in the helper"]


async def test_parallel_ones_can_be_gathered() -> None:
    """promise return: "should support Promise.all for parallel actions"."""

    async def action(n: int) -> int:
        await asyncio.sleep(0)
        return n * 10

    async def both() -> list[int]:
        return list(await asyncio.gather(action(1), action(2)))

    _, results = start(both)
    await turns()
    assert results == [[10, 20]]
