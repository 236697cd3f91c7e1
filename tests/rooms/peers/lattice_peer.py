# SPDX-License-Identifier: MIT
"""A `lattice.Room` of a process of its own, driven as tests/foreign/room/peer.mjs is."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import lattice as lt


async def main(address: str, name: str) -> None:
    room = lt.Room(name)
    body, notes = room.text("body"), room.list("notes")
    written: dict[str, Any] = {}

    def state() -> dict[str, Any]:
        return {
            "body": body.peek(),
            "notes": lt.untracked(lambda: notes.value),
            "signals": room.doc.to_py().get("signals", {}),
            "presence": {str(client): shown for client, shown in room.presence.items()},
            "client": room.client_id,
            "synced": room.synced,
            "connected": room.connected,
        }

    async def run(command: dict[str, Any]) -> dict[str, Any]:
        match command["do"]:
            case "connect":
                await room.connect(f"{address}/{name}", wait_max=0.2)
            case "disconnect":
                room.disconnect()
            case "insert":
                body.insert(min(command["at"], len(body)), command["text"])
            case "erase":
                at = min(command["at"], len(body))
                if count := min(command["count"], len(body) - at):
                    body.delete(at, count)
            case "set":
                signal = written.setdefault(command["key"], room.signal(command["key"]))
                signal.value = command["value"]
            case "push":
                notes.append(command["value"])
            case "presence":
                room.set_local_presence(command["state"])
            case "read":
                return state()
        return {}

    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        print(json.dumps(await run(command)), flush=True)
        if command["do"] == "end":
            room.disconnect()
            return


asyncio.run(main(*sys.argv[1:]))
