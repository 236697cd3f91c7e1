# SPDX-License-Identifier: MIT
"""Lattice: reactive data applications in plain Python on a C++ core.

>>> import lattice as lt
>>> count = lt.signal(1)
>>> doubled = lt.memo(lambda: count.value * 2)
>>> count.value = 4
>>> doubled.value
8

``import lattice`` starts no thread and opens no socket. What not every program uses (asyncio, the
server, rooms, the inspector) is loaded when its name is first asked for.
"""

from __future__ import annotations

import sys as _sys
import types as _types
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

import lattice.component  # before the functions of the same name are bound
import lattice.diff
import lattice.jit  # noqa: F401
from lattice._context import Context, context, error_boundary
from lattice._core import __version__
from lattice._events import Event, bind, on
from lattice._linked import Linked, linked
from lattice._store import reconcile, snapshot, store
from lattice.component import VNode, component
from lattice.diff import diff
from lattice.jit import grad, jit, jvp, value_and_grad, vectorize
from lattice.reactive import (
    AccessError,
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
    batch,
    effect,
    flush,
    in_session,
    memo,
    on_cleanup,
    read,
    session,
    signal,
    untracked,
    watch,
)

from lattice import ui  # isort: skip

if _TYPE_CHECKING:
    from lattice._async import AsyncMemo, async_memo, flush_policy
    from lattice._columns import Column, ColumnMemo, Columns, columns, memo_columns
    from lattice._incremental import DerivedList, filter, map_keyed, sort
    from lattice._inspect import Explanation, Graph, explain, graph, inspect
    from lattice.collab import CollaborativeSignal, Room, collaborative_signal
    from lattice.server import LatticeApp, run_app

    App = LatticeApp

_ON_DEMAND = {
    "lattice._async": ("AsyncMemo", "async_memo", "flush_policy"),
    "lattice._columns": ("Column", "ColumnMemo", "Columns", "columns", "memo_columns"),
    "lattice._incremental": ("DerivedList", "filter", "map_keyed", "sort"),
    "lattice._inspect": ("Explanation", "Graph", "explain", "graph", "inspect"),
    "lattice.collab": ("CollaborativeSignal", "Room", "collaborative_signal"),
    "lattice.server": ("App", "LatticeApp", "run_app"),
}
_MODULE_OF = {name: module for module, names in _ON_DEMAND.items() for name in names}
_SUBMODULES = ("collab", "crdt", "server", "tracer")

__all__ = [
    "AccessError",
    "App",
    "AsyncMemo",
    "CollaborativeSignal",
    "Column",
    "ColumnMemo",
    "Columns",
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
    "columns",
    "component",
    "context",
    "diff",
    "effect",
    "error_boundary",
    "explain",
    "filter",
    "flush",
    "flush_policy",
    "grad",
    "graph",
    "in_session",
    "inspect",
    "jit",
    "jvp",
    "linked",
    "map_keyed",
    "memo",
    "memo_columns",
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
    "value_and_grad",
    "vectorize",
    "watch",
]


def __getattr__(name: str) -> _Any:
    """Loads what `_ON_DEMAND` names, and the public submodules."""
    from importlib import import_module

    if name in _SUBMODULES:
        return import_module(f"lattice.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lattice' has no attribute {name!r}")
    module = import_module(_MODULE_OF[name])
    value = globals()[name] = getattr(module, "LatticeApp" if name == "App" else name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})


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
