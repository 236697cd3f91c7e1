# SPDX-License-Identifier: MIT
"""Lattice: reactive data applications in plain Python on a C++ core.

>>> import lattice as lt
>>> count = lt.signal(1)
>>> doubled = lt.memo(lambda: count.value * 2)
>>> count.value = 4
>>> doubled.value
8

``import lattice`` starts no thread and opens no socket.
"""

from __future__ import annotations

import sys as _sys
import types as _types
from typing import Any as _Any

import lattice.component  # before the functions of the same name are bound
import lattice.diff
import lattice.jit  # noqa: F401
from lattice._context import Context, context, error_boundary
from lattice._core import __version__
from lattice._events import Event, bind, on
from lattice._incremental import DerivedList, filter, map_keyed, sort
from lattice._inspect import Explanation, Graph, explain, graph, inspect
from lattice._linked import Linked, linked
from lattice._store import reconcile, snapshot, store
from lattice.collab import CollaborativeSignal, Room, collaborative_signal
from lattice.component import VNode, component
from lattice.diff import diff
from lattice.jit import jit, vectorize
from lattice.reactive import (
    AccessError,
    AsyncMemo,
    CycleError,
    DecodeError,
    DisposedError,
    Effect,
    LatticeError,
    Memo,
    NotReady,
    Scope,
    Signal,
    TraceError,
    async_memo,
    batch,
    effect,
    flush,
    flush_policy,
    in_session,
    memo,
    on_cleanup,
    read,
    session,
    signal,
    untracked,
    watch,
)
from lattice.server import LatticeApp, run_app

from lattice import ui  # isort: skip

App = LatticeApp

__all__ = [
    "AccessError",
    "App",
    "AsyncMemo",
    "CollaborativeSignal",
    "Context",
    "CycleError",
    "DecodeError",
    "DerivedList",
    "DisposedError",
    "Effect",
    "Event",
    "Explanation",
    "Graph",
    "LatticeApp",
    "LatticeError",
    "Linked",
    "Memo",
    "NotReady",
    "Room",
    "Scope",
    "Signal",
    "TraceError",
    "VNode",
    "__version__",
    "async_memo",
    "batch",
    "bind",
    "collaborative_signal",
    "component",
    "context",
    "diff",
    "effect",
    "error_boundary",
    "explain",
    "filter",
    "flush",
    "flush_policy",
    "graph",
    "in_session",
    "inspect",
    "jit",
    "linked",
    "map_keyed",
    "memo",
    "on",
    "on_cleanup",
    "read",
    "reconcile",
    "run_app",
    "session",
    "signal",
    "snapshot",
    "sort",
    "store",
    "ui",
    "unique_id",
    "untracked",
    "vectorize",
    "watch",
]


def unique_id() -> str:
    """A random identifier, for keys of new items: 22 characters, URL-safe."""
    import base64
    import uuid

    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def _carry_names(function: _Any, module: _types.ModuleType) -> None:
    """Lets a function that has its module's name stand for that module as well.

    ``lattice.component`` is both. The submodule is loaded before the function is bound over it, and
    an import of a loaded submodule binds nothing, so every import form in any order finds the
    function; with this it also has the module's public names.
    """
    for name in module.__all__:
        setattr(function, name, getattr(module, name))


_carry_names(component, _sys.modules["lattice.component"])
_carry_names(diff, _sys.modules["lattice.diff"])
_carry_names(jit, _sys.modules["lattice.jit"])
