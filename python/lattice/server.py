# SPDX-License-Identifier: MIT
"""Serving an app: `LatticeApp` and `run_app`.

Each visitor's tab is a session with its own dependency graph; its handlers run on the server, one
at a time per session, on a pool of threads. Nothing starts before `LatticeApp.run`.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import signal as os_signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lattice import _core
from lattice._coroutine import AppLoop
from lattice.component import Component, ComponentElement

__all__ = ["LatticeApp", "Request", "Session", "loading_app", "run_app"]

_log = logging.getLogger("lattice")


@dataclass(frozen=True, slots=True)
class Request:
    """The request that opened a session: ``lt.session().request``.

    Attributes
    ----------
    path : str
        Decoded path of the URL.
    query : str
        Query as sent, without the question mark.
    address : str
        The peer's address.
    user_agent : str
    headers : dict of str to str
        As sent; names keep their case.
    """

    path: str
    query: str
    address: str
    user_agent: str
    headers: dict[str, str]


class Session:
    """One visitor's open page: what `lattice.session` returns.

    Attributes
    ----------
    id : str
        Random; not a secret.
    request : Request
        What opened the page.
    """

    __slots__ = ("_app_loop", "_rooms", "id", "request")

    def __init__(self, id: str, request: Request, app_loop: AppLoop | None = None) -> None:
        self.id = id
        self.request = request
        self._app_loop = app_loop
        self._rooms: dict[str, _core.Room] = {}  # its replicas, by name

    def _end(self) -> None:
        # At once, and not with the last reference: a view at module level may still hold one.
        for room in self._rooms.values():
            room.disconnect()
        self._rooms.clear()

    def __repr__(self) -> str:
        return f"<Session {self.id}>"


class LatticeApp:
    """An app: a root component and how it is served. ``lt.App`` is the same class.

    Parameters
    ----------
    root : Component, or a component element
        What every visitor sees.
    title : str, optional
        Title of the page; by default the root's name.
    static : path or dict, optional
        A folder whose files are served under ``/static``, or a dict of URL prefix to folder.
    language : str
        The page's language, for screen readers and hyphenation.

    Raises
    ------
    TypeError
        If `root` is not a component.
    """

    def __init__(
        self,
        root: Component[...] | ComponentElement,
        *,
        title: str | None = None,
        static: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None = None,
        language: str = "en",
    ) -> None:
        if isinstance(root, ComponentElement):
            self._element = root
        elif isinstance(root, Component):
            _check_needs_no_props(root)
            self._element = root()
        elif callable(root):
            raise TypeError(
                f"App() takes a component; decorate {getattr(root, '__name__', root)!r} with "
                "@lt.component"
            )
        else:
            raise TypeError(f"App() takes a component, not {type(root).__name__}")
        self.title = title if title is not None else _title_of(self._element.component)
        self.language = language
        self._static = _static_folders(static)
        self._server: _core.Server | None = None
        self._stop = threading.Event()

    def run(
        self,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        dev: bool = False,
        ssl_cert: str | os.PathLike[str] | None = None,
        ssl_key: str | os.PathLike[str] | None = None,
        allowed_hosts: tuple[str, ...] = (),
        handler_threads: int = 64,
        on_ready: Callable[[str], None] | None = None,
    ) -> None:
        """Serves until SIGTERM, SIGINT or `stop`; then sessions end and connections close.

        Parameters
        ----------
        host, port
            Where to listen; port 0 takes a free one.
        dev : bool
            Show errors with their frames in the page, and serve the inspector of the sessions'
            dependency graphs to this machine, at ``/_lattice/inspect``.
        ssl_cert, ssl_key : path, optional
            PEM files for HTTPS; both or neither.
        allowed_hosts : tuple of str
            Host names beside the bind address under which the app may be reached.
        handler_threads : int
            Most threads that run handlers at the same time.
        on_ready : callable, optional
            Called with the URL once the server listens; by default the URL is printed.

        Raises
        ------
        LatticeError
            If the port is in use or the certificate does not load; the message says what to do.
        """
        server = self.start(
            host,
            port,
            dev=dev,
            ssl_cert=ssl_cert,
            ssl_key=ssl_key,
            allowed_hosts=allowed_hosts,
            handler_threads=handler_threads,
        )
        previous = _install_signal_handlers(self._stop.set)
        try:
            if on_ready is not None:
                on_ready(server.url)
            else:
                print(f"Lattice {_core.__version__}  {server.url}", flush=True)
            while not self._stop.wait(0.5):  # a timeout, so that Python runs signal handlers
                pass
        finally:
            for number, handler in previous.items():
                os_signal.signal(number, handler)
            server.stop()
            self._server = None

    def start(
        self,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        dev: bool = False,
        ssl_cert: str | os.PathLike[str] | None = None,
        ssl_key: str | os.PathLike[str] | None = None,
        allowed_hosts: tuple[str, ...] = (),
        handler_threads: int = 64,
    ) -> _core.Server:
        """Like `run`, but returns the running server at once; call ``stop()`` on it."""
        if _loading.is_active:
            raise _core.LatticeError(
                "the file starts a server of its own while `lattice run` loads it; put that under "
                "`if __name__ == '__main__':`, or start the file with python instead"
            )
        if self._server is not None:
            raise _core.LatticeError("this app is being served already")
        self._stop.clear()
        client = Path(__file__).parent / "_client"
        inspector = Path(__file__).parent / "_inspector"
        app_loop = AppLoop()

        def make_session(id: str, request: Any) -> Session:
            return Session(id, request, app_loop)

        server = _core.Server(
            make_root=lambda: self._element,
            make_session=make_session,
            on_stop=app_loop.stop,
            title=self.title,
            language=self.language,
            host=host,
            port=port,
            dev=dev,
            ssl_cert=os.fspath(ssl_cert) if ssl_cert else "",
            ssl_key=os.fspath(ssl_key) if ssl_key else "",
            client_script=(client / "client.js").read_bytes(),
            client_style=(client / "client.css").read_bytes(),
            static=self._static,
            allowed_hosts=list(allowed_hosts),
            handler_threads=handler_threads,
            on_slow=_log_slow_handler,
            inspector_page=(inspector / "page.html").read_bytes() if dev else b"",
            inspector_script=(inspector / "page.js").read_bytes() if dev else b"",
        )
        server.start()
        self._server = server
        return server

    def stop(self) -> None:
        """Ends `run`. Thread-safe; also callable from a handler."""
        self._stop.set()


def run_app(root: Component[...] | ComponentElement, **options: Any) -> None:
    """Serves a component: ``LatticeApp(root).run(**options)``.

    Parameters
    ----------
    root : Component
    **options
        Those of `LatticeApp` (title, static, language) and of `LatticeApp.run`.
    """
    names = ("title", "static", "language")
    app_options = {name: options.pop(name) for name in names if name in options}
    LatticeApp(root, **app_options).run(**options)


@contextlib.contextmanager
def loading_app() -> Iterator[None]:
    """While a served app's file is imported: effects at module level wait for a session."""
    _loading.is_active = True
    try:
        with _core.loading():
            yield
    finally:
        _loading.is_active = False


class _Loading(threading.local):
    is_active = False


_loading = _Loading()


def _check_needs_no_props(root: Component[...]) -> None:
    try:
        inspect.signature(root.function).bind()
    except TypeError as missing:
        raise TypeError(
            f"the page's component {root.__name__!r} cannot be called without props ({missing}); "
            f"give them defaults, or pass an element: lt.App({root.__name__}(...))"
        ) from None
    except ValueError:
        pass  # a builtin without a signature


def _title_of(root: Component[...]) -> str:
    return root.__name__.replace("_", " ").strip().capitalize()


def _static_folders(
    static: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None,
) -> list[tuple[str, str]]:
    if static is None:
        return []
    folders = static if isinstance(static, Mapping) else {"/static": static}
    result = []
    for prefix, folder in folders.items():
        if not prefix.startswith("/") or prefix.startswith("/_lattice"):
            raise ValueError(
                f"a static prefix starts with '/' and not with '/_lattice': {prefix!r}"
            )
        path = Path(folder).resolve()
        if not path.is_dir():
            raise FileNotFoundError(f"the static folder {path} does not exist")
        result.append((prefix, str(path)))
    return result


def _install_signal_handlers(stop: Callable[[], None]) -> dict[int, Any]:
    """SIGTERM and SIGINT call `stop`; returns what was there. Only the main thread may do that."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    previous: dict[int, Any] = {}
    for number in (os_signal.SIGTERM, os_signal.SIGINT):
        previous[number] = os_signal.signal(number, lambda *_: stop())
    return previous


def _log_slow_handler(session_id: str, thread: int, elapsed: float) -> None:
    frame = sys._current_frames().get(thread)
    stack = "".join(traceback.format_stack(frame)) if frame is not None else "(no Python frame)\n"
    _log.warning(
        "a handler of session %s has been running for %.1f s; "
        "meanwhile that page does not react:\n%s",
        session_id,
        elapsed,
        stack.rstrip(),
    )
