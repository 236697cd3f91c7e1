# SPDX-License-Identifier: MIT
"""Diagnostics: why did this run, what does the graph look like.

The native core records and explains (``src/lattice/reactive/inspect.hpp``); here are the switch,
the objects that people get, and what the inspector's page asks for. While recording is off, nothing
of this costs anything.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from lattice import _core, _layout

__all__ = [
    "Cause",
    "Explanation",
    "Graph",
    "GraphNode",
    "Recording",
    "explain",
    "graph",
    "inspect",
    "session_view",
]

_EVENTS_MAX = 4096
_HOW_TO_RECORD = (
    " Turn recording on with lt.inspect() before it runs; or set LATTICE_INSPECT=1, or use "
    "`lattice run --debug` or `--reload`."
)


class Recording:
    """What `inspect` returns: a context manager that ends the recording."""

    __slots__ = ()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *args: object) -> None:
        _core.inspect_record(False, _EVENTS_MAX)

    def __repr__(self) -> str:
        return f"<Recording {'on' if _core.inspect_is_recording() else 'off'}>"


def inspect(on: bool = True, *, events_max: int = _EVENTS_MAX) -> Recording:
    """Turns recording on or off: what runs, why, how often and for how long.

    Off, which is the default, it costs nothing. On, each run takes about a microsecond more, and
    each session remembers its last `events_max` events. What was recorded stays until its session
    ends.

    Parameters
    ----------
    on : bool
    events_max : int
        How many writes and runs each session remembers.

    Returns
    -------
    Recording
        In a ``with`` statement it turns recording off at the end of the block.

    Examples
    --------
    >>> with inspect():
    ...     count = signal(5)
    ...     doubled = memo(lambda: count.value * 2)
    ...     log = effect(lambda: doubled.value and None, name="log")
    ...     count.value = 6
    >>> explain(log).causes[0].name
    'doubled'
    """
    if not isinstance(on, bool):
        raise TypeError(f"inspect() takes True or False, not {on!r}; to ask about a node: explain")
    _core.inspect_record(on, events_max)
    return Recording()


# --- why


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a run.

    Attributes
    ----------
    what : str
        ``"write"``: a signal was written. ``"changed"``: a memo changed; `causes` says why.
        ``"first"``: a new effect, or the first read of a memo. ``"unobserved"``: a memo that nobody
        observed was read again. ``"replaced"``: the function was replaced by a render.
        ``"asked"``: it was marked stale without a cause among its sources. ``"forgotten"``: no
        longer among the events that are kept.
    name, site : str
        Of the signal or memo; `site` is where it was written, for a write, else where it was made.
    before, after : str
        The values, shortened.
    by : str
        The effect or memo that wrote, or that read for the first time; "" when there is none.
    causes : tuple of Cause
        Why it changed; of a write by an effect: why that ran.
    """

    what: str
    name: str
    site: str
    before: str
    after: str
    by: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something last ran, or did not; its text is a sentence.

    Attributes
    ----------
    name, site, kind, value : str
        Of the signal, memo or effect; `site` is where it was made, "" when that is not known.
    recording : bool
        Whether runs are being recorded.
    has_run : bool
        Whether a run (of a signal: a write) was recorded.
    changed, failed : bool
        Whether the last run changed the value, and whether it raised.
    stale : bool
        Whether it will run again when it is read or flushed; `waiting` says why.
    runs : int
        Recorded runs.
    seconds : float
        How long the last one took.
    causes, waiting, cut_offs : tuple of Cause
        Of the last run; what has happened since then; memos that were recomputed to an equal value
        since then, so that this did not run.
    reads : tuple of str
        What it reads, as ``"count (signal, app.py:3)"``.
    """

    name: str
    site: str
    kind: str
    value: str
    alive: bool
    recording: bool
    has_run: bool
    changed: bool
    failed: bool
    stale: bool
    runs: int
    seconds: float
    causes: tuple[Cause, ...]
    waiting: tuple[Cause, ...]
    cut_offs: tuple[Cause, ...]
    reads: tuple[str, ...]
    text: str = field(repr=False)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def explain(node: Any) -> Explanation:
    """Why a memo or effect last ran, or who wrote a signal.

    Parameters
    ----------
    node : Signal, Memo or Effect
        Of the current session; of a module-level one: this session's.

    Returns
    -------
    Explanation
        ``str()`` of it is a sentence: *log (app.py:12) ran because doubled changed (10 -> 12),
        because count was written at app.py:30 (5 -> 6).* Without a recording it says how to turn
        one on, and what the node reads.

    Raises
    ------
    TypeError
        If `node` is none.
    AccessError
        If it belongs to another thread's session.
    """
    return _explanation(json.loads(_core.inspect_explain(_node_of(node))))


def _node_of(node: Any) -> Any:
    """The node behind an object that is made of one, by its method ``__lattice_node__``."""
    find = getattr(type(node), "__lattice_node__", None)
    return node if find is None else find(node)


def _explanation(found: dict[str, Any]) -> Explanation:
    text = found["text"]
    if not found["alive"]:
        name = found["name"] or f"This {found['kind']}"
        text = f"{name} has no node here: it was disposed, or this session has not used it yet."
    elif not found["has_run"] and not found["recording"]:
        text += _HOW_TO_RECORD
    names = ("name", "site", "kind", "value", "alive", "recording", "has_run", "changed", "failed")
    return Explanation(
        **{name: found[name] for name in (*names, "stale", "runs", "seconds")},
        causes=_causes(found["causes"]),
        waiting=_causes(found["waiting"]),
        cut_offs=_causes(found["cut_offs"]),
        reads=tuple(found["reads"]),
        text=text,
    )


def _causes(found: list[dict[str, Any]]) -> tuple[Cause, ...]:
    names = ("what", "name", "site", "before", "after", "by")
    return tuple(
        Cause(**{name: cause[name] for name in names}, causes=_causes(cause["causes"]))
        for cause in found
    )


# --- the graph

Order = Literal["runs", "time", "created"]


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A signal, memo or effect in a `Graph`.

    Attributes
    ----------
    id : str
        Unique within its session, and never given again.
    name, kind, site, value : str
    owner : str
        The id of what owns it: an effect, a memo, or an owner of the graph's ``owners``.
    flags : frozenset of str
        Of ``"stale"``, ``"queued"``, ``"running"``, ``"error"``.
    runs, changes : int
        Recorded runs; runs with another result, or writes.
    seconds, seconds_self, seconds_longest : float
        Of the recorded runs: all, without the runs inside them, the longest.
    """

    id: str
    name: str
    kind: str
    site: str
    value: str
    owner: str
    flags: frozenset[str]
    runs: int
    changes: int
    seconds: float
    seconds_self: float
    seconds_longest: float


class Graph:
    """A dependency graph as it was when `graph` was called.

    A notebook draws it. Iterating gives its nodes.

    Attributes
    ----------
    nodes : tuple of GraphNode
    edges : tuple of (str, str)
        Ids of source and reader.
    owners : dict of str to str
        Names of the components and other owners, by id.
    nodes_total : int
        How many nodes the session has; `nodes` may be fewer.
    recording : bool
    """

    __slots__ = (
        "_dot",
        "_json",
        "_plain",
        "edges",
        "nodes",
        "nodes_total",
        "owners",
        "recording",
    )

    def __init__(self, snapshot: _core.GraphSnapshot) -> None:
        self._json = snapshot.json()
        self._dot = snapshot.dot()
        found = json.loads(self._json)
        self._plain = found["nodes"]
        names = [name for name in GraphNode.__slots__ if name != "flags"]
        self.nodes = tuple(
            GraphNode(**{name: node[name] for name in names}, flags=frozenset(node["flags"]))
            for node in found["nodes"]
        )
        self.edges = tuple((edge["source"], edge["reader"]) for edge in found["edges"])
        self.owners = {owner["id"]: owner["name"] for owner in found["owners"]}
        self.nodes_total: int = found["nodes_total"]
        self.recording: bool = found["recording"]

    def json(self) -> str:
        """As JSON; the schema is in ``docs/reactive/diagnostics.md``."""
        return self._json

    def dot(self) -> str:
        """For Graphviz; what one owner owns is a cluster."""
        return self._dot

    def svg(self) -> str:
        """A drawing, made without any other program."""
        return _layout.svg(self._plain, self.edges)

    def _repr_svg_(self) -> str:
        return self.svg()

    def __iter__(self) -> Iterator[GraphNode]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes and {len(self.edges)} edges>"


def graph(
    node: Any = None, *, nodes_max: int = 1000, order: Order = "runs", filter: str = ""
) -> Graph:
    """The dependency graph of the current session, or what is around one node.

    It is only looked at: nothing is computed and nothing subscribed.

    Parameters
    ----------
    node : Signal, Memo or Effect, optional
        Then: all that it depends on and all that depends on it, the nearest first.
    nodes_max : int
        The most nodes that are given.
    order : {"runs", "time", "created"}
        Which come first: those that ran most often, that took the longest, or the oldest.
    filter : str
        Only nodes whose name contains it.

    Returns
    -------
    Graph

    Examples
    --------
    >>> price = signal(3)
    >>> total = memo(lambda: price.value * 2, name="total")
    >>> total.value
    6
    >>> [(node.name, node.value) for node in graph(price)]
    [('price', '3'), ('total', '6')]
    """
    around = None if node is None else _node_of(node)
    return Graph(_core.inspect_snapshot(around, "", nodes_max, order, filter, True, False))


# --- the inspector's page

_PAGE_NODES_MAX = 400


def session_view(query: str) -> str:
    """What the inspector's page shows of the current session, as JSON.

    Asking turns recording on for this session. The query has ``limit``, ``order``, ``filter``,
    ``around`` (an id), ``explain`` (an id) and ``since`` (the ``events`` of an earlier answer to
    the same question: nothing is told when nothing has happened).
    """
    asked = dict(urllib.parse.parse_qsl(query, max_num_fields=20))
    _core.inspect_record_here()
    if asked.get("since") == str(_core.inspect_events_count()):
        return '{"unchanged":true}'
    try:
        limit = min(max(int(asked.get("limit", "60")), 1), _PAGE_NODES_MAX)
    except ValueError:
        limit = 60
    order = asked.get("order", "runs")
    if order not in ("runs", "time", "created"):
        order = "runs"
    snapshot = _core.inspect_snapshot(
        None, asked.get("around", ""), limit, order, asked.get("filter", ""), False, True
    )
    view = json.loads(snapshot.json())
    edges = [(edge["source"], edge["reader"]) for edge in view["edges"]]
    places = _layout.place([node["id"] for node in view["nodes"]], edges)
    for node in view["nodes"]:
        node["x"], node["y"] = places[node["id"]]
    view["node_width"], view["node_height"] = _layout.NODE_WIDTH, _layout.NODE_HEIGHT
    if "explain" in asked:
        view["explained"] = json.loads(_core.inspect_explain_id(asked["explain"]))
    return json.dumps(view)


if os.environ.get("LATTICE_INSPECT", "0") not in ("", "0"):
    inspect()
