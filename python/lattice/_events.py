# SPDX-License-Identifier: MIT
"""What a handler gets, how it asks for it, and how the user's edits become values."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Bound", "Event", "File", "Listener", "bind", "on"]


@dataclass(frozen=True, slots=True)
class File:
    """A file that the user chose; its contents stay in the browser.

    Attributes
    ----------
    name : str
    size : int
        In bytes.
    type : str
        MIME type as the browser guesses it, "" when unknown.
    """

    name: str
    size: int
    type: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened in the browser. Fields that do not fit the event are None or empty.

    Attributes
    ----------
    type : str
        DOM event type: "click", "input", "keydown" ...
    value : str or None
        Value of the field the event came from.
    checked : bool or None
        Of a check box or radio button.
    key : str or None
        ``KeyboardEvent.key``: "a", "Enter", "ArrowDown" ...
    alt, ctrl, meta, shift, repeat : bool
        Modifiers of a key or mouse event.
    x, y : int or None
        Mouse position in CSS pixels, from the top left of the visible page.
    button : int or None
        0 main, 1 middle, 2 secondary.
    files : tuple of File
    selected : tuple of str or None
        Values chosen in a ``<select multiple>``.
    form : dict of str to str
        Named fields of a submitted form (of several with one name, the last).
    open : bool or None
        Of a dialog or details element.
    scroll : tuple of int or None
        (left, top) in CSS pixels.
    """

    type: str
    value: str | None = None
    checked: bool | None = None
    key: str | None = None
    alt: bool = False
    ctrl: bool = False
    meta: bool = False
    shift: bool = False
    repeat: bool = False
    x: int | None = None
    y: int | None = None
    button: int | None = None
    files: tuple[File, ...] = ()
    selected: tuple[str, ...] | None = None
    form: dict[str, str] = field(default_factory=dict)
    open: bool | None = None
    scroll: tuple[int, int] | None = None


class Listener:
    """A handler with options. Made by `on`."""

    __slots__ = (
        "concurrent",
        "debounce_ms",
        "handler",
        "keys",
        "prevent_default",
        "stop_propagation",
        "throttle_ms",
    )

    def __init__(
        self,
        handler: Callable[..., Any],
        debounce_ms: int,
        throttle_ms: int,
        keys: tuple[str, ...],
        prevent_default: bool,
        stop_propagation: bool,
        concurrent: bool = False,
    ) -> None:
        self.concurrent = concurrent
        self.handler = handler
        self.debounce_ms = debounce_ms
        self.throttle_ms = throttle_ms
        self.keys = keys
        self.prevent_default = prevent_default
        self.stop_propagation = stop_propagation

    def __call__(self, *args: Any) -> Any:
        return self.handler(*args)


def on(
    handler: Callable[..., Any],
    *,
    debounce: float | None = None,
    throttle: float | None = None,
    keys: Sequence[str] = (),
    prevent_default: bool = False,
    stop_propagation: bool = False,
    concurrent: bool = False,
) -> Listener:
    """A handler with options, to be passed as an ``on_*`` attribute.

    Parameters
    ----------
    handler : callable
        Gets the `Event` when it has a required positional parameter, else nothing. It may be an
        ``async def``: each of its steps is one update of the page, and the page's next event waits
        for its end.
    debounce : float, optional
        Seconds without another such event before this one is sent.
    throttle : float, optional
        At most one event per so many seconds; the last one is always sent.
    keys : sequence of str, optional
        Only these keys, by ``KeyboardEvent.key``: ``("Enter", "Escape")``.
    prevent_default, stop_propagation : bool
        As in the DOM.
    concurrent : bool
        Of an async handler: the page's next event does not wait for its end.

    Raises
    ------
    TypeError
        If `handler` is not callable.
    ValueError
        If a time is negative.
    """
    if not callable(handler):
        raise TypeError(
            f"lt.on() got {handler!r}: pass the function itself (lt.on(add)), not its result"
        )
    if isinstance(keys, str):
        keys = (keys,)
    times = []
    for name, seconds in (("debounce", debounce), ("throttle", throttle)):
        if seconds is not None and not 0 <= seconds <= 3600:
            raise ValueError(f"{name} is in seconds, from 0 to 3600, not {seconds!r}")
        times.append(round((seconds or 0) * 1000))
    return Listener(
        handler, times[0], times[1], tuple(keys), prevent_default, stop_propagation, concurrent
    )


_NO_KEY = object()


class Bound:
    """A two-way binding with options. Made by `bind`."""

    __slots__ = ("format", "key", "parse", "target")

    def __init__(
        self,
        target: Any,
        key: Any,
        parse: Callable[[str], Any] | None,
        format: Callable[[Any], Any] | None,
    ) -> None:
        self.target = target
        self.key = key
        self.parse = parse
        self.format = format

    def read(self) -> Any:
        """What the element shows, tracked."""
        value = self._get()
        return value if self.format is None else self.format(value)

    def peek(self) -> Any:
        from lattice._core import Untracked

        with Untracked():
            return self._get()

    def write(self, value: Any) -> None:
        if self.key is _NO_KEY:
            self.target.value = value
        elif _is_indexed(self.target):
            self.target[self.key] = value
        else:
            setattr(self.target, self.key, value)

    def _get(self) -> Any:
        if self.key is _NO_KEY:
            return self.target.value
        if _is_indexed(self.target):
            return self.target[self.key]
        return getattr(self.target, self.key)


def _is_indexed(target: Any) -> bool:
    from lattice._core import StoreNode

    return isinstance(target, StoreNode)


def bind(
    target: Any,
    key: Any = _NO_KEY,
    *,
    parse: Callable[[str], Any] | None = None,
    format: Callable[[Any], Any] | None = None,
) -> Bound:
    """A two-way binding to ``value``, ``checked``, ``open`` or ``selected``.

    A signal passed directly binds both ways too; `bind` adds how text and value turn into each
    other, and binds entries of stores.

    Parameters
    ----------
    target : Signal, Linked, or a dict, list or dataclass of a store
    key : hashable, optional
        Which entry of a store: a key, an index, the name of a field.
    parse : callable, optional
        Text from the field to the value. A ValueError leaves the value alone.
    format : callable, optional
        The value to what the field shows.

    Raises
    ------
    TypeError
        If `target` cannot be bound, or a store is given without a key.

    Examples
    --------
    In a component: ``ui.input(type="checkbox", checked=lt.bind(item, "done"))``.
    """
    from lattice import _core
    from lattice._linked import Linked

    if isinstance(target, _core.Signal | Linked):
        if key is not _NO_KEY:
            raise TypeError("lt.bind() takes a key for an entry of a store; a signal has none")
        return Bound(target, _NO_KEY, parse, format)
    if getattr(type(target), "__lattice_store__", False) is not True or isinstance(
        target, _core.SetNode
    ):
        raise TypeError(
            "lt.bind() takes a signal, or a dict, list or dataclass of a store and a key; not "
            f"{type(target).__name__}"
        )
    if key is _NO_KEY:
        raise TypeError("lt.bind(item, key): name the entry of the store that is bound")
    return Bound(target, key, parse, format)


def wants_event(handler: Callable[..., Any]) -> bool:
    """Whether `handler` has a required positional parameter."""
    if isinstance(handler, Listener):
        handler = handler.handler
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(p.kind in positional and p.default is p.empty for p in parameters)


def write_edit(
    target: Any, kind: type | None, attribute: str, input_type: str, event: Event
) -> bool:
    """Writes what the user entered to what is bound; returns False when it does not parse.

    `kind` is the type of the bound values, by its last one that was not None.
    """
    parse = target.parse if isinstance(target, Bound) else None
    try:
        if attribute == "checked" or attribute == "open":
            value: Any = event.checked if attribute == "checked" else event.open
        elif event.selected is not None:
            value = list(event.selected)
        elif event.value is None:
            return False
        elif parse is not None:
            value = parse(event.value)
        else:
            value = _parse(event.value, input_type, kind)
    except ValueError:
        return False
    if isinstance(target, Bound):
        target.write(value)
    else:
        target.value = value
    return True


# HTML's grammar of a number: Python's would also take "nan", "1_0" and Arabic digits.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def _parse(text: str, input_type: str, kind: type | None) -> Any:
    is_number = kind is not None and issubclass(kind, int | float) and kind is not bool
    if input_type not in ("number", "range") and not is_number:
        return text
    if text.strip() == "":
        return None
    if _NUMBER.fullmatch(text.strip()) is None:
        raise ValueError(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    if (kind is not None and issubclass(kind, float)) or not number.is_integer():
        return number
    return int(text) if text.lstrip("+-").isdigit() else int(number)


def refuse_generator(handler: Callable[..., Any], generator: Any) -> None:
    """Says that a handler was a generator, which nothing would run."""
    if inspect.isgenerator(generator):
        generator.close()
    name = getattr(handler, "__qualname__", repr(handler))
    raise TypeError(f"the handler {name} is a generator (it has a yield); nothing would run it")
