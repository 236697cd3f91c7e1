# SPDX-License-Identifier: MIT
"""Rooms: shared state as part of the reactive graph.

>>> import lattice as lt
>>> room = lt.Room("board")
>>> title = room.signal("title", "Untitled", type=str)
>>> shown = lt.memo(lambda: title.value.upper())
>>> title.value = "Plans"
>>> shown.value
'PLANS'

In a served app a `Room` is the server's room of that name, and every session has a replica of its
own: presence and undo belong to the session. Elsewhere a room is alone until
``await room.connect("ws://host/rooms/board")``. Either way writing shows at once, and merges with
what the others write. Everything written in one batch travels as one update.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from lattice import _core
from lattice._linked import Linked
from lattice.crdt import Doc, wrap_doc
from lattice.reactive import Effect, batch, watch

__all__ = [
    "CollaborativeSignal",
    "Counter",
    "Room",
    "SharedList",
    "SharedMap",
    "SharedText",
    "collaborative_signal",
]

T = TypeVar("T")
_MISSING: Any = object()


class Room:
    """A shared document with signals, text, lists, maps and counters, and who is in it.

    Parameters
    ----------
    room_id : str
        Its name on the server.
    client_id : int, optional
        Of this replica; random by default. Two replicas in use must not share one.

    Raises
    ------
    AccessError
        When it is used in a session or thread that it does not belong to.
    """

    __slots__ = ("__weakref__", "_client_id", "_own", "_views", "room_id")

    def __init__(self, room_id: str, *, client_id: int = 0) -> None:
        if not isinstance(room_id, str) or not room_id:
            raise TypeError("a room's name is a string that is not empty")
        self.room_id = room_id
        self._client_id = client_id
        self._own: _core.Room | None = None
        # Views by kind and key, so that one key is one object.
        self._views: dict[tuple[str, str], Any] = {}

    def __repr__(self) -> str:
        return f"<Room {self.room_id!r}>"

    def _native(self) -> _core.Room:
        """The replica of the session that is current, else this program's own."""
        session: Any = _core.current_session()
        if session is not None:
            return _replica_of(session, self.room_id)
        if self._own is None:
            self._own = _core.Room(self.room_id, self._client_id)
        return self._own

    # --- shared state

    @overload
    def signal(
        self, key: str, initial: T, *, type: type[T] | None = None
    ) -> CollaborativeSignal[T]: ...
    @overload
    def signal(self, key: str) -> CollaborativeSignal[Any]: ...
    def signal(self, key: str, initial: Any = None, *, type: Any = None) -> Any:
        """A shared value: the last writer wins, the same one for everybody.

        Parameters
        ----------
        key : str
        initial : object
            Shown while nobody has written the key; never written itself.
        type : type, optional
            ``bool``, ``int``, ``float``, ``str``, ``bytes``, ``list`` or ``dict``. Values of
            another type that others write are dropped and counted (`dropped`); writing one here
            raises TypeError.
        """
        view = self._views.get(("signal", key))
        if view is None:
            view = self._views["signal", key] = CollaborativeSignal(self, key, initial, type=type)
        return view

    get_signal = signal

    def counter(self, key: str) -> Counter:
        """A number that many count up at the same time; every increment counts."""
        return self._view("counter", key, Counter)

    def text(self, key: str) -> SharedText:
        """Shared text."""
        return self._view("text", key, SharedText)

    def list(self, key: str) -> SharedList:
        """A shared list of plain values."""
        return self._view("list", key, SharedList)

    def map(self, key: str) -> SharedMap:
        """A shared dictionary of plain values with string keys."""
        return self._view("map", key, SharedMap)

    def _view(self, kind: str, key: str, made: Callable[[Room, str], T]) -> T:
        view = self._views.get((kind, key))
        if view is None:
            view = self._views[kind, key] = made(self, key)
        return view

    @property
    def doc(self) -> Doc:
        """The document itself, for what has no view here: formatting, XML, positions."""
        return wrap_doc(self._native().doc())

    @property
    def client_id(self) -> int:
        """The id of this replica, under which `presence` has its own entry."""
        return self._native().client_id

    @property
    def dropped(self) -> int:
        """How many values of another type than their signal's were dropped."""
        return self._native().dropped()

    # --- who is here

    @property
    def presence(self) -> dict[int, Any]:
        """What everybody in the room shows of itself, by client id. Reading it subscribes."""
        return self._native().presence()

    def set_local_presence(self, state: Any) -> None:
        """What the others see of this session: any JSON, like ``{"name": "Ada"}``.

        None takes it away.

        Presence is not part of the document: it goes with its session.
        """
        self._native().set_presence(state)

    def on_presence_change(self, callback: Callable[[dict[int, Any]], object]) -> Effect:
        """Calls `callback` with `presence` whenever it has changed; ``dispose()`` ends that."""
        return watch(lambda: self.presence, lambda new, old: callback(new))

    # --- undo

    def undo(self) -> bool:
        """Takes back what this session wrote last. Returns whether anything changed."""
        return self._native().undo()

    def redo(self) -> bool:
        """Takes the last `undo` back. Returns whether anything changed."""
        return self._native().redo()

    def can_undo(self) -> bool:
        """Whether this session has written anything that can be undone."""
        return self._native().can_undo()

    def can_redo(self) -> bool:
        """Whether there is an `undo` to take back."""
        return self._native().can_redo()

    # --- the other end

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the server. Reading it subscribes."""
        return self._native().connected()

    @property
    def synced(self) -> bool:
        """Whether the exchange with the server is over since it is connected."""
        return self._native().synced()

    @property
    def trouble(self) -> str:
        """Why the connection ended, or what the server refused; empty when all is well."""
        return self._native().trouble()

    async def connect(
        self,
        url: str,
        *,
        timeout: float | None = 10.0,
        wait: bool = True,
        wait_max: float = 5.0,
    ) -> None:
        """Connects to a server and stays connected: what is lost is made anew.

        Parameters
        ----------
        url : str
            ``ws://host/rooms/name`` or ``wss://...``: a Lattice app, or any y-websocket server.
        timeout : float, optional
            Seconds for the first exchange; None waits for ever.
        wait : bool
            Return once the first exchange is over. Without it, return at once: writing works
            meanwhile.
        wait_max : float
            Most seconds between two attempts.

        Raises
        ------
        TimeoutError
            When the first exchange was not over in time; the message says why. The room is not
            connected then.
        LatticeError
            When `url` is no address of a WebSocket.
        """
        native = self._native()
        native.connect(url, wait_max)
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def drain() -> None:
            native.drain()
            arrived.set()

        # The descriptor is the room's own, and is watched until the loop is closed.
        loop.add_reader(native.wake_file(), drain)
        if not wait:
            return
        try:
            async with asyncio.timeout(timeout):
                while not native.peek_synced():
                    await arrived.wait()
                    arrived.clear()
        except TimeoutError:
            why = native.peek_trouble() or "the server did not answer"
            loop.remove_reader(native.wake_file())
            native.disconnect()
            raise TimeoutError(
                f"room {self.room_id!r} could not connect to {url} in {timeout} s: {why}"
            ) from None

    def disconnect(self) -> None:
        """Ends the connection; the room goes on alone."""
        native = self._native()
        with contextlib.suppress(RuntimeError, ValueError):  # no loop here, or it watched nothing
            asyncio.get_running_loop().remove_reader(native.wake_file())
        native.disconnect()

    def get_update(self, state: bytes | None = None) -> bytes:
        """What a peer with the state vector `state` lacks; everything without it."""
        return self._native().get_update(state)

    def apply_update(self, update: bytes) -> None:
        """Takes a peer's update, for transports of one's own.

        Raises
        ------
        DecodeError
            If the bytes are no update.
        """
        self._native().apply_update(update)


def _replica_of(session: Any, room_id: str) -> _core.Room:
    replica = session._rooms.get(room_id)
    if replica is None:
        replica = _core.Room(room_id)
        session._rooms[room_id] = replica
        if _core.is_serving_rooms():
            try:
                replica.join()
            except BaseException:
                del session._rooms[room_id]
                raise
    return replica  # type: ignore[no-any-return]


def collaborative_signal(room: Room, key: str, initial: T) -> CollaborativeSignal[T]:
    """The same as ``room.signal(key, initial)``."""
    return room.signal(key, initial)


class _View:
    """A part of a room: resolved anew in each session that uses it."""

    __slots__ = ("_cache", "_room", "key")
    _make: str

    def __init__(self, room: Room, key: str) -> None:
        self._room = room
        self.key = key
        self._cache: tuple[_core.Room, Any] | None = None

    def _here(self) -> Any:
        native = self._room._native()
        cache = self._cache
        if cache is not None and cache[0] is native:
            return cache[1]
        made = getattr(native, self._make)(self.key)
        self._cache = (native, made)
        return made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r} of room {self._room.room_id!r}>"


class CollaborativeSignal(Linked[T]):
    """A shared value that is read and written like a signal. Made by `Room.signal`.

    ``ui.input(value=it)`` binds it both ways.
    """

    __slots__ = ("_cache", "_initial", "_room", "_type", "key")

    def __init__(self, room: Room, key: str, initial: T, *, type: Any = None) -> None:
        self._room = room
        self.key = key
        self._initial = initial
        self._type = type
        self._cache: tuple[_core.Room, _core.RoomSignal] | None = None

    def _here(self) -> _core.RoomSignal:
        native = self._room._native()
        cache = self._cache
        if cache is not None and cache[0] is native:
            return cache[1]
        made = native.signal(self.key, self._initial, self._type)
        self._cache = (native, made)
        return made

    @property
    def value(self) -> T:
        """The value; the running memo or effect subscribes. Writing sends it to everybody."""
        return self._here().get()  # type: ignore[return-value]

    @value.setter
    def value(self, value: T) -> None:
        self._here().set(value)

    def __call__(self) -> T:
        return self._here().get()  # type: ignore[return-value]

    def peek(self) -> T:
        """The value, without subscribing."""
        return self._here().peek()  # type: ignore[return-value]

    def update(self, function: Callable[[T], T], /) -> None:
        """Sets the value to function(value). Of two at the same time one is lost: see `Counter`."""
        native = self._here()
        native.set(function(native.peek()))  # type: ignore[arg-type]

    def dispose(self) -> None:
        """Does nothing: the value is the room's."""

    @property
    def name(self) -> str:
        return self.key

    @property
    def runs(self) -> int:
        """Always 0: nothing is computed."""
        return 0

    def __repr__(self) -> str:
        return f"<CollaborativeSignal {self.key!r} of room {self._room.room_id!r}>"


class Counter(_View):
    """A number that many count up at the same time. Made by `Room.counter`."""

    __slots__ = ()
    _make = "counter"

    @property
    def value(self) -> int | float:
        """The sum; the running memo or effect subscribes."""
        return self._here().get()  # type: ignore[no-any-return]

    def __call__(self) -> int | float:
        return self.value

    def peek(self) -> int | float:
        """The sum, without subscribing."""
        return self._here().peek()  # type: ignore[no-any-return]

    def increment(self, by: float = 1) -> None:
        """Adds `by`; increments of others at the same time count as well."""
        self._here().increment(by)

    def decrement(self, by: float = 1) -> None:
        """Takes `by` away."""
        self._here().increment(-by)


class SharedText(Linked[str]):
    """Shared text. Made by `Room.text`. Positions count UTF-16 code units.

    ``ui.textarea(value=it)`` binds it both ways.
    """

    __slots__ = ("_cache", "_room", "key")

    def __init__(self, room: Room, key: str) -> None:
        self._room = room
        self.key = key
        self._cache: tuple[_core.Room, _core.RoomText] | None = None

    def _here(self) -> _core.RoomText:
        native = self._room._native()
        cache = self._cache
        if cache is not None and cache[0] is native:
            return cache[1]
        made = native.text(self.key)
        self._cache = (native, made)
        return made

    @property
    def value(self) -> str:
        """The text; the running memo or effect subscribes. Writing changes the fewest characters
        at one place, so that what others write elsewhere stays."""
        return self._here().get()

    @value.setter
    def value(self, text: str) -> None:
        self._here().set(text)

    def __call__(self) -> str:
        return self.value

    def __str__(self) -> str:
        return self.value

    def peek(self) -> str:
        """The text, without subscribing."""
        return self._here().peek()

    def update(self, function: Callable[[str], str], /) -> None:
        """Sets the text to function(text)."""
        self.value = function(self.peek())

    def __len__(self) -> int:
        return self._here().size()

    def insert(self, index: int, text: str) -> None:
        """Puts text before `index`."""
        self._here().insert(index, text)

    def append(self, text: str) -> None:
        """Puts text at the end."""
        native = self._here()
        native.insert(native.size(), text)

    def delete(self, index: int, count: int = 1) -> None:
        """Takes `count` code units away, from `index` on."""
        self._here().erase(index, count)

    def dispose(self) -> None:
        """Does nothing: the text is the room's."""

    @property
    def name(self) -> str:
        return self.key

    @property
    def runs(self) -> int:
        """Always 0: nothing is computed."""
        return 0

    def __repr__(self) -> str:
        return f"<SharedText {self.key!r} of room {self._room.room_id!r}>"


class SharedList(_View):
    """A shared list of plain values. Made by `Room.list`."""

    __slots__ = ()
    _make = "list"

    @property
    def value(self) -> list[Any]:
        """A copy of the list; the running memo or effect subscribes."""
        return self._here().get()  # type: ignore[no-any-return]

    def __call__(self) -> list[Any]:
        return self.value

    def __len__(self) -> int:
        return self._here().size()  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._here().get())

    def __contains__(self, value: object) -> bool:
        return value in self._here().get()

    def __getitem__(self, index: int) -> Any:
        native = self._here()
        return native.at(_index(index, native.size()))

    def __setitem__(self, index: int, value: Any) -> None:
        native = self._here()
        at = _index(index, native.size())
        with batch():
            native.erase(at, 1)
            native.insert(at, value)

    def __delitem__(self, index: int) -> None:
        native = self._here()
        native.erase(_index(index, native.size()), 1)

    def insert(self, index: int, value: Any) -> None:
        """Puts one value before `index`."""
        native = self._here()
        size = native.size()
        native.insert(max(0, index + size) if index < 0 else min(index, size), value)

    def append(self, value: Any) -> None:
        """Puts one value at the end."""
        native = self._here()
        native.insert(native.size(), value)

    def extend(self, values: Iterable[Any]) -> None:
        """Puts values at the end, in one update."""
        with batch():
            for value in values:
                self.append(value)

    def pop(self, index: int = -1) -> Any:
        """Takes one value away and returns it."""
        value = self[index]
        del self[index]
        return value

    def remove(self, value: Any) -> None:
        """Takes the first value away that is equal."""
        del self[self.value.index(value)]

    def clear(self) -> None:
        """Takes everything away."""
        native = self._here()
        if size := native.size():
            native.erase(0, size)


class SharedMap(_View):
    """A shared dictionary of plain values. Made by `Room.map`. Readers of one key are told of that
    key alone."""

    __slots__ = ()
    _make = "map"

    @property
    def value(self) -> dict[str, Any]:
        """A copy of the dictionary; the running memo or effect subscribes to all of it."""
        return dict(self.items())

    def __call__(self) -> dict[str, Any]:
        return self.value

    def __len__(self) -> int:
        return self._here().size()  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter(self._here().keys())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._here().get(key, _MISSING) is not _MISSING

    def __getitem__(self, key: str) -> Any:
        value = self._here().get(key, _MISSING)
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._here().set(key, value)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._here().erase(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, or `default`."""
        return self._here().get(key, default)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Takes a key away and returns its value."""
        value = self.get(key, default)
        if value is _MISSING:
            raise KeyError(key)
        self._here().erase(key)
        return value

    def update(self, values: Mapping[str, Any]) -> None:
        """Sets many keys, in one update."""
        with batch():
            for key, value in values.items():
                self[key] = value

    def keys(self) -> list[str]:
        """Its keys."""
        return self._here().keys()  # type: ignore[no-any-return]

    def values(self) -> list[Any]:
        """Its values."""
        return [value for _, value in self.items()]

    def items(self) -> list[tuple[str, Any]]:
        """Its keys and values."""
        native = self._here()
        keys = native.keys()
        return [(key, native.get(key, None)) for key in keys]


def _index(index: int, size: int) -> int:
    at = index + size if index < 0 else index
    if not 0 <= at < size:
        raise IndexError(f"index {index} of a list of {size}")
    return at
