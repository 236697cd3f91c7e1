# SPDX-License-Identifier: MIT
"""pycrdt in a room of ours, by its own provider, driven as tests/foreign/room/peer.mjs is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

import pycrdt
import websockets


class SocketChannel:
    """What pycrdt's provider sends and receives by."""

    def __init__(self, socket: Any, path: str) -> None:
        self._socket, self.path = socket, path

    def __aiter__(self) -> SocketChannel:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except websockets.ConnectionClosed:
            raise StopAsyncIteration from None

    async def send(self, message: bytes) -> None:
        await self._socket.send(message)

    async def recv(self) -> bytes:
        return bytes(await self._socket.recv())


async def main(address: str, name: str) -> None:
    doc: Any = pycrdt.Doc()
    body = doc.get("body", type=pycrdt.Text)
    notes = doc.get("notes", type=pycrdt.Array)
    signals = doc.get("signals", type=pycrdt.Map)
    connection: asyncio.Task[None] | None = None
    connected = asyncio.Event()

    async def stay() -> None:
        async with websockets.connect(f"{address}/{name}", max_size=None) as socket:
            async with pycrdt.Provider(doc, SocketChannel(socket, name)):
                connected.set()
                await socket.wait_closed()

    async def leave() -> None:
        nonlocal connection
        if connection is not None:
            connection.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await connection
        connection = None
        connected.clear()

    def clip(at: int) -> int:
        # pycrdt counts bytes of UTF-8; the test's letters are ASCII for it.
        return min(at, len(body))

    async def run(command: dict[str, Any]) -> dict[str, Any]:
        nonlocal connection
        match command["do"]:
            case "connect":
                await leave()
                connection = asyncio.create_task(stay())
                await asyncio.wait_for(connected.wait(), 10)
            case "disconnect" | "end":
                await leave()
            case "insert":
                body.insert(clip(command["at"]), command["text"])
            case "erase":
                at = clip(command["at"])
                if count := min(command["count"], len(body) - at):
                    del body[at : at + count]
            case "set":
                signals[command["key"]] = command["value"]
            case "push":
                notes.append(command["value"])
            case "read":
                return {
                    "body": str(body),
                    "notes": notes.to_py(),
                    "signals": signals.to_py(),
                    "connected": connected.is_set(),
                }
        return {}

    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        print(json.dumps(await run(command)), flush=True)
        if command["do"] == "end":
            return


asyncio.run(main(*sys.argv[1:]))
