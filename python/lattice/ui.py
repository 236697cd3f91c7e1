# SPDX-License-Identifier: MIT
"""Building pages: a builder for every HTML and SVG tag, lists, conditions, formatted text.

``ui.div("a", ui.b("c"), class_="note")``: positional arguments are children, keywords attributes.
A child or an attribute may be a plain value, a signal, a memo, or a function without parameters;
the latter three are bound to their place, which then updates without a re-render.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Any

from lattice import _elements, _state
from lattice._elements import *  # noqa: F403
from lattice._events import Event, File
from lattice._store import is_store
from lattice.component import Component, ComponentElement, component
from lattice.reactive import read

input = _elements.input_

__all__ = [
    *_elements.__all__,
    "Event",
    "File",
    "For",
    "Show",
    "input",
    "text",
]


def text(template: str, *values: Any) -> Callable[[], str]:
    """Text with values in it, bound to one text node.

    Parameters
    ----------
    template : str
        A format string: ``"{} of {}"``, ``"{:.2f}"``.
    *values
        Plain values, signals, memos or functions; read anew when one of them changes.

    Examples
    --------
    >>> from lattice import signal
    >>> done = signal(3)
    >>> text("{} of {:.1f}", done, 5)()
    '3 of 5.0'
    """
    return lambda: template.format(*map(read, values))


@component
def _row(render: Callable[..., Any], item: Any, index: int | None) -> Any:
    return render(item) if index is None else render(item, index)


class _Rows:
    """The row elements of the last render by key: one whose item is the same is used again."""

    __slots__ = ("known", "render")

    def __init__(self) -> None:
        self.render: Any = None
        self.known: dict[str | int, tuple[Any, int, ComponentElement]] = {}


@component
def _for(
    each: Any,
    key: Callable[[Any], Hashable] | None,
    render: Callable[..., Any],
    wants_index: bool,
) -> Any:
    state = _state.current()
    kept = _Rows() if state is None else state.keep("rows", sys._getframe(), _Rows)
    before = kept.known if kept.render is render else {}
    known: dict[str | int, tuple[Any, int, ComponentElement]] = {}
    rows = []
    for index, item in enumerate(read(each)):
        identity = index if key is None else key(item)
        if not isinstance(identity, str | int):
            identity = repr(identity)
        found = before.get(identity)
        if (
            found is not None
            and found[0] is item
            and (not wants_index or found[1] == index)
            and (is_store(item) or _state._is_stable(item))
        ):
            row = found[2]
            known[identity] = found
        else:
            row = _row(render, item, index if wants_index else None)
            row.key = identity
            known[identity] = (item, index, row)
        rows.append(row)
    kept.known, kept.render = known, render
    return rows


_row.__name__ = "a row of For"
_for.__name__ = "For"


def For(
    each: Any,
    *,
    render: Callable[..., Any],
    key: Callable[[Any], Hashable] | None = None,
) -> ComponentElement:
    """A list whose rows keep their identity, state and focus when it changes.

    Parameters
    ----------
    each : iterable (such as a list of a store, or one made by `lattice.filter`), or a signal, memo
        or function that gives one
    render : callable
        ``render(item)`` or ``render(item, index)``: the row. Its body is a component of its own:
        what it reads re-renders this row only, and `lattice.signal` in it belongs to the row.
    key : callable, optional
        ``key(item)``: what identifies a row, unique in the list. Without it rows go by position.

    Raises
    ------
    LatticeError
        If two items have the same key; shown at the list's place.
    """
    if not callable(render):
        raise TypeError(f"ui.For(..., render=) takes a function, not {type(render).__name__}")
    return _for(each, key, render, _positional_count(render) >= 2)


def _positional_count(function: Callable[..., Any]) -> int:
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(1 for p in parameters if p.kind in kinds and p.default is p.empty)


@component
def _branch(build: Callable[[], Any]) -> Any:
    return build() if callable(build) else build


_branch.__name__ = "Show"


def Show(when: Any, then: Any, otherwise: Any = None) -> Callable[[], Any]:
    """One of two contents, built only while it is shown.

    Parameters
    ----------
    when : signal, memo, function or value
        Its truth decides.
    then, otherwise : callable or node
        A function is called when its turn comes, with state of its own that ends when it goes.
    """

    def content() -> Any:
        chosen, name = (then, "then") if read(when) else (otherwise, "otherwise")
        if chosen is None:
            return None
        if callable(chosen) and not isinstance(chosen, Component):
            shown = _branch(chosen)
            shown.key = name
            return shown
        return chosen

    return content
