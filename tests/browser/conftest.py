# SPDX-License-Identifier: MIT
"""Pages of real servers in a real browser.

`serve` writes an app file and runs it by `python -m lattice run` in a process of its own;
`open_page` opens it in headless Chromium and waits until the page is connected. Whatever the
browser's console or a page's script calls an error fails the test, unless the test has allowed it.

The browser is $LATTICE_CHROMIUM, else the first Chromium that is found; without one, all tests
are skipped.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
Browser, BrowserContext, Page = sync_api.Browser, sync_api.BrowserContext, sync_api.Page

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 15
# Without these a browser as root does not start, or looks for hosts that no test needs.
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
# What every served app begins with; the last three make handlers.
HEAD = """from __future__ import annotations
import sys, time
import lattice as lt
from lattice import ui
def add(signal, n=1): return lambda: signal.update(lambda value: value + n)
def put(signal, value): return lambda: setattr(signal, "value", value)
def turn(signal): return lambda: signal.update(lambda value: not value)
"""
# What runs an app outside dev mode, as a script would.
PLAIN_TAIL = "\nif __name__ == '__main__':\n    lt.run_app(main, port=int(sys.argv[1]))\n"


def find_chromium() -> str | None:
    names = (os.environ.get("LATTICE_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Server:
    """A served app file; `lines` is what it has printed so far, both streams.

    Parameters
    ----------
    command : sequence of str
        Starts it, with ``{port}`` for the port.
    """

    def __init__(self, command: list[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self.lines: list[str] = []
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Starts it; again after a stop: on the same port."""
        self._ready = threading.Event()  # it listens, or has ended
        self._is_listening = False
        self._process = subprocess.Popen(
            [word.format(port=self.port) for word in self._command],
            cwd=self._folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ready.wait(START_SECONDS_MAX)
        if not self._is_listening:
            self.stop()
            pytest.fail(f"the server did not start:\n{self.output}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            address = re.search(r"https?://127\.0\.0\.1:(\d+)", line)
            if address and not self._ready.is_set():
                self.port = int(address[1])
                self._is_listening = True
                self._ready.set()
        self._ready.set()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends this one process; returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            code = self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join(STOP_SECONDS_MAX)
        return code

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def count(self, text: str) -> int:
        """How many of the printed lines hold `text`."""
        return sum(text in line for line in list(self.lines))

    def wait_for(self, text: str, seconds: float = 5) -> None:
        end = time.monotonic() + seconds
        while not self.count(text):
            assert time.monotonic() < end, f"no {text!r} in the server's output:\n{self.output}"
            time.sleep(0.02)


class Servers:
    """``serve(source, dev=True)``: an app file with `source`, or an existing file, being served."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Server] = []

    def __call__(
        self, source: str | Path, *, dev: bool = True, options: Sequence[str] = ()
    ) -> Server:
        file = source
        if isinstance(source, str):
            file = self._folder / f"served_{len(self._started)}.py"
            file.write_text(HEAD + textwrap.dedent(source) + ("" if dev else PLAIN_TAIL))
        command = ["-m", "lattice", "run", str(file), "--port"] if dev else [str(file)]
        self._started.append(Server([sys.executable, *command, "{port}", *options], self._folder))
        return self._started[-1]

    def stop(self) -> None:
        for server in self._started:
            server.stop()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def serve_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """`serve` for a server that the tests of a module share, since none changes anything in it."""
    servers = Servers(tmp_path_factory.mktemp("served"))
    yield servers
    servers.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium found; set LATTICE_CHROMIUM to one")
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_FLAGS])
        except sync_api.Error as error:  # Ubuntu's package is only a stub
            pytest.skip(f"{chromium} does not start: {error.message.splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One browser profile; its pages are tabs of one user."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    yield context
    context.close()


class Complaints:
    """What pages complained about; `allow` names what a test causes on purpose."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._allowed: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self._add(message.type, message.text))
        page.on("pageerror", lambda error: self._add("error", str(error)))

    def _add(self, kind: str, text: str) -> None:
        if kind == "error":
            self._seen.append(text)

    def allow(self, pattern: str) -> None:
        self._allowed.append(pattern)

    def unexpected(self) -> list[str]:
        return [
            text for text in self._seen if not any(re.search(each, text) for each in self._allowed)
        ]


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    found = Complaints()
    yield found
    assert found.unexpected() == []


def until(page: Page, expression: str, seconds: float = 15) -> None:
    """Waits until an expression is true in the page, even over a reload.

    Playwright's own wait_for_function calls eval in the page, which the page's policy forbids.
    """
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(sync_api.Error):  # the page is being loaded
            if page.evaluate(expression):
                return
        assert time.monotonic() < end, f"not in {seconds} s: {expression}"
        page.wait_for_timeout(5)


def wait_for_connection(page: Page) -> None:
    """Waits until the server has answered the page's HELLO."""
    until(page, "(window.lattice?.stats.frames ?? 0) > 0")


def settle(page: Page) -> None:
    """Waits until the server has dealt with every event that the page has sent.

    An event that changes nothing is acknowledged only with the next one that does.
    """
    until(page, "lattice.stats.eventsAcked === lattice.stats.eventsSent")


@pytest.fixture(name="settle")
def settle_fixture() -> Callable[[Page], None]:
    return settle


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until


@pytest.fixture
def open_page(context: BrowserContext, complaints: Complaints) -> Callable[..., Page]:
    """``open_page(server)``: a new tab, connected. `before(page)` runs before it loads."""

    def open_page(
        server: Server,
        path: str = "/",
        *,
        before: Callable[[Page], Any] | None = None,
        connected: bool = True,
    ) -> Page:
        page = context.new_page()
        complaints.watch(page)
        if before is not None:
            before(page)
        page.goto(server.url + path)
        if connected:
            wait_for_connection(page)
        return page

    return open_page
