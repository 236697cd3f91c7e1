# SPDX-License-Identifier: MIT
"""--reload restarts its child at a change, and stops it at the end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

PARENT = """
import sys
from pathlib import Path
from lattice._reload import serve_reloading
child = [sys.executable, "-u", "page.py"]
print("watching", flush=True)
sys.exit(serve_reloading(child, Path.cwd(), lambda text: print(text, flush=True)))
"""
CHILD = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("child stopped"), sys.exit(0)))
print("child one")
while True:
    time.sleep(0.05)
"""
LINES_MAX = 50


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "page.py").write_text(CHILD)
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    timer = threading.Timer(30, process.kill)
    timer.start()
    yield process
    timer.cancel()
    process.kill()
    process.wait()


def read_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """Lines up to the wanted one; the fixture's timer ends a process that never says it."""
    assert process.stdout is not None
    lines: list[str] = []
    while len(lines) < LINES_MAX:
        line = process.stdout.readline().rstrip()
        lines.append(line)
        if line == wanted or not process.stdout.readable():
            return lines
        assert line, f"ended before {wanted!r}: {lines}"
    raise AssertionError(lines)


def keep_writing(file: Path, text: str, enough: threading.Event) -> None:
    """Write again and again: the first write may come before the parent watches."""
    while not enough.wait(0.3):
        file.write_text(text)


def test_a_changed_file_restarts_the_child(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    read_until(parent, "child one")
    enough = threading.Event()
    changed = CHILD.replace("child one", "child two")
    writer = threading.Thread(target=keep_writing, args=(tmp_path / "page.py", changed, enough))
    writer.start()
    lines = read_until(parent, "child two")
    enough.set()
    writer.join()
    assert "Reloading: page.py changed" in lines
    assert "child stopped" in lines


def test_sigterm_stops_the_child_first(parent: subprocess.Popen[str]) -> None:
    read_until(parent, "child one")
    parent.send_signal(signal.SIGTERM)
    read_until(parent, "child stopped")
    assert parent.wait(10) == 0


def test_port_0_is_chosen_once_for_all_children(monkeypatch: pytest.MonkeyPatch) -> None:
    from lattice import _reload, cli

    commands: list[list[str]] = []
    monkeypatch.setattr(
        _reload, "serve_reloading", lambda command, *_, **__: commands.append(list(command)) or 0
    )
    monkeypatch.setattr("sys.argv", ["lattice", "run", "app.py", "--reload", "--port", "0"])
    with pytest.raises(SystemExit):
        cli.run_reloading(Path("app.py"), "127.0.0.1", 0)
    assert commands[0][-2] == "--port"
    assert 0 < int(commands[0][-1]) < 65536
