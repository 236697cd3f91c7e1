# SPDX-License-Identifier: MIT
"""Ways to wait, for tests of what takes turns of an event loop or other threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import lattice as lt

PATIENCE = 20.0


async def turns(count: int = 8) -> None:
    """Lets what is ready run, `count` turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def become(condition: Callable[[], bool], seconds: float = 0.001) -> None:
    """Waits until it holds, looking every `seconds`."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(seconds)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Effects wait for the end of the loop's callback, or for a flush."""
    lt.flush_policy("asyncio")
    try:
        yield
    finally:
        lt.flush_policy("sync")


def run_threads(*functions: Callable[[], object]) -> None:
    """Runs each on a thread of its own while this thread takes its mail."""
    raised: list[BaseException] = []

    def guarded(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE
    while any(thread.is_alive() for thread in threads):
        assert time.monotonic() < end, "a thread hangs"
        lt.flush()
        time.sleep(0.0005)
    lt.flush()
    assert raised == []
