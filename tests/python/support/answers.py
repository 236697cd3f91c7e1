# SPDX-License-Identifier: MIT
"""What async functions await in tests: answers that the test gives when it wants to."""

from __future__ import annotations

import asyncio
from typing import Any

from waiting import turns


class Source:
    """Answers a call when it is told to; each call is kept with its question."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, asyncio.Future[Any]]] = []

    async def __call__(self, question: Any = None) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self.asked.append((question, answer))
        return await answer

    async def answer(self, value: Any, at: int = -1) -> None:
        self.asked[at][1].set_result(value)
        await turns()

    async def fail(self, error: BaseException, at: int = -1) -> None:
        self.asked[at][1].set_exception(error)
        await turns()
