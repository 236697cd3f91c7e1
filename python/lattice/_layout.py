# SPDX-License-Identifier: MIT
"""Places the nodes of a dependency graph in layers, from signals on the left to effects.

A node's layer is the longest path from a source without sources. Within a layer nodes are ordered
by the mean place of their neighbours, in a few sweeps back and forth (Sugiyama's method without the
search for fewest crossings): enough for the few hundred nodes that a person can look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["NODE_HEIGHT", "NODE_WIDTH", "place", "svg"]

NODE_WIDTH = 168
NODE_HEIGHT = 46
COLUMN = 236
ROW = 62
MARGIN = 14
SWEEPS = 4

Place = tuple[int, int]


def place(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, Place]:
    """The upper left corner of each node, in pixels.

    Parameters
    ----------
    nodes : sequence of str
        Ids.
    edges : iterable of (str, str)
        Source and reader; edges of a cycle that would close it are left out of account.
    """
    sources: dict[str, list[str]] = {node: [] for node in nodes}
    readers: dict[str, list[str]] = {node: [] for node in nodes}
    for source, reader in edges:
        if source in sources and reader in sources:
            sources[reader].append(source)
            readers[source].append(reader)
    linked = [node for node in nodes if sources[node] or readers[node]]
    layers = _layers(linked, sources, readers)
    for sweep in range(SWEEPS):
        towards = sources if sweep % 2 == 0 else readers
        order = layers if sweep % 2 == 0 else layers[::-1]
        ranks = {node: rank for layer in layers for rank, node in enumerate(layer)}
        for layer in order:
            layer.sort(key=lambda node: _mean(ranks, towards[node], ranks[node]))
            ranks.update((node, rank) for rank, node in enumerate(layer))
    tallest = max((len(layer) for layer in layers), default=0)
    places: dict[str, Place] = {}
    for column, layer in enumerate(layers):
        top = MARGIN + (tallest - len(layer)) * ROW // 2
        for row, node in enumerate(layer):
            places[node] = (MARGIN + column * COLUMN, top + row * ROW)
    _place_alone([node for node in nodes if node not in places], len(layers), tallest, places)
    return places


def _place_alone(
    nodes: Sequence[str], columns: int, rows_above: int, places: dict[str, Place]
) -> None:
    """Nodes without edges: in rows below the others."""
    columns = max(columns, 4)
    top = MARGIN + rows_above * ROW + (ROW // 2 if rows_above else 0)
    for at, node in enumerate(nodes):
        places[node] = (MARGIN + at % columns * COLUMN, top + at // columns * ROW)


def _mean(ranks: Mapping[str, float], neighbours: Sequence[str], otherwise: float) -> float:
    if not neighbours:
        return otherwise
    return sum(ranks[node] for node in neighbours) / len(neighbours)


def _layers(
    nodes: Sequence[str],
    sources: Mapping[str, Sequence[str]],
    readers: Mapping[str, Sequence[str]],
) -> list[list[str]]:
    layer_of = dict.fromkeys(nodes, 0)
    waiting = {node: len(sources[node]) for node in nodes}
    ready = [node for node in nodes if not waiting[node]]
    for node in ready:  # grows
        for reader in readers[node]:
            layer_of[reader] = max(layer_of[reader], layer_of[node] + 1)
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    layers: list[list[str]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for node in nodes:
        layers[layer_of[node]].append(node)
    return layers


_STYLE = """
.lt-graph{font:12px system-ui,sans-serif;color-scheme:light dark}
.lt-graph text{fill:#1c2430}.lt-graph .v{fill:#5a6675;font:11px ui-monospace,monospace}
.lt-graph path{fill:none;stroke:#9aa5b1;stroke-width:1.2}
.lt-graph rect{fill:#fff;stroke:#3565d8;stroke-width:1.3}
.lt-graph .memo rect{stroke:#0f7f6a}.lt-graph .effect rect{stroke:#9a4fc4}
.lt-graph .stale rect{stroke-dasharray:4 3}.lt-graph .error rect{stroke:#c62f38;stroke-width:2}
@media (prefers-color-scheme:dark){.lt-graph text{fill:#e6eaf0}.lt-graph .v{fill:#a3adba}
.lt-graph rect{fill:#1d232c;stroke:#7ea2ff}.lt-graph .memo rect{stroke:#4fc3ac}
.lt-graph .effect rect{stroke:#cf95f2}.lt-graph .error rect{stroke:#ff8088}}
"""


def svg(nodes: Sequence[Mapping[str, Any]], edges: Sequence[tuple[str, str]]) -> str:
    """A drawing of nodes (``id, name, kind, value, runs, flags, site``) and their edges."""
    places = place([node["id"] for node in nodes], edges)
    width = max((x for x, _ in places.values()), default=0) + NODE_WIDTH + MARGIN
    height = max((y for _, y in places.values()), default=0) + NODE_HEIGHT + MARGIN
    count = f"{len(nodes)} nodes, {len(edges)} edges"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lt-graph" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Dependency graph: {count}"><style>{_STYLE}</style>'
    ]
    for source, reader in edges:
        if source in places and reader in places:
            parts.append(f'<path d="{_curve(places[source], places[reader])}"/>')
    parts.extend(_box(node, places[node["id"]]) for node in nodes)
    return "".join(parts) + "</svg>"


def _curve(source: Place, reader: Place) -> str:
    x1, y1 = source[0] + NODE_WIDTH, source[1] + NODE_HEIGHT // 2
    x2, y2 = reader[0], reader[1] + NODE_HEIGHT // 2
    bend = max(24, (x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _box(node: Mapping[str, Any], at: Place) -> str:
    x, y = at
    classes = " ".join([node["kind"], *(f for f in node["flags"] if f in ("stale", "error"))])
    shape = {"signal": 6, "memo": NODE_HEIGHT // 2, "effect": 0}[node["kind"]]
    runs = f" · {node['runs']} runs" if node["runs"] else ""
    title = f"{node['kind']} {node['name']} {node['site']}".strip()
    return (
        f'<g class="{classes}"><title>{escape(title)}</title>'
        f'<rect x="{x}" y="{y}" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="{shape}"/>'
        f'<text x="{x + 14}" y="{y + 19}">{escape(_cut(node["name"], 22))}</text>'
        f'<text class="v" x="{x + 14}" y="{y + 35}">{escape(_cut(node["value"] + runs, 22))}</text>'
        "</g>"
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
