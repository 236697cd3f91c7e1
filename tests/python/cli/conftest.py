# SPDX-License-Identifier: MIT
"""A stand-in for lattice.server, so that finding the app is tested without a server."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest


class FakeApp:
    """Remembers how it was run instead of serving."""

    runs: list[tuple[Any, dict[str, Any]]]
    error: Exception | None = None

    def __init__(self, root: Any, **_options: Any) -> None:
        self.root = root

    def run(self, *, on_ready: Any, **options: Any) -> None:
        if FakeApp.error is not None:
            raise FakeApp.error
        FakeApp.runs.append((self.root, options))
        on_ready(f"http://{options['host']}:{options['port']}")


class FakeComponent:
    __lattice_component__ = True

    def __init__(self, function: Any) -> None:
        self.__wrapped__ = function
        self.__name__ = function.__name__


@pytest.fixture
def fake_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeApp]]:
    """lattice.server as a stub; app files find FakeApp and component in the module `fake`."""
    server = ModuleType("lattice.server")
    server.__dict__.update(LatticeApp=FakeApp, loading_app=contextlib.nullcontext)
    fake = ModuleType("fake")
    fake.__dict__.update(App=FakeApp, component=FakeComponent)
    monkeypatch.setitem(sys.modules, "lattice.server", server)
    monkeypatch.setitem(sys.modules, "fake", fake)
    monkeypatch.setattr(sys, "path", list(sys.path))
    FakeApp.runs, FakeApp.error = [], None
    before = set(sys.modules)
    yield FakeApp
    for name in set(sys.modules) - before:
        del sys.modules[name]
