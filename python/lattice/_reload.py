# SPDX-License-Identifier: MIT
"""`lattice run --reload`: a parent that watches the app's folder and restarts a child.

The child is the same command without --reload. It is always ended by its own process handle:
SIGTERM first, so that it drains, SIGKILL when it has not gone in STOP_SECONDS_MAX. A child that
ended by itself (a syntax error) is started again at the next change. Browsers reconnect by
themselves and get a fresh page.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import watchfiles

STOP_SECONDS_MAX = 5.0
WATCHED_SUFFIXES = {".py", ".css", ".html", ".js", ".json", ".toml", ".csv", ".svg"}


class AppFiles(watchfiles.DefaultFilter):
    """Source and data files; not caches, virtual environments or editors' leftovers."""

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        return Path(path).suffix in WATCHED_SUFFIXES and super().__call__(change, path)


def serve_reloading(
    command: Sequence[str],
    folder: Path,
    report: Callable[[str], None],
    *,
    first_only: Sequence[str] = (),
) -> int:
    """Run `command`, again after each change below `folder`, until SIGINT or SIGTERM.

    The words of `first_only` are added the first time alone.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    child = start([*command, *first_only])
    try:
        for changes in watchfiles.watch(
            folder, watch_filter=AppFiles(), stop_event=stopped, raise_interrupt=False
        ):
            names = sorted({Path(path).name for _, path in changes})
            report(f"Reloading: {', '.join(names)} changed")
            stop(child)
            child = start(command)
    finally:
        stop(child)
    return 0


def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # Own session: Ctrl-C in the terminal reaches only the parent, which stops the child in order.
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={"LATTICE_INSPECT": "1", **os.environ},  # so that it can say why something ran
    )


def stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
