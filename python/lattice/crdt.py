# SPDX-License-Identifier: MIT
"""Shared documents that merge without conflicts: Yjs's document model, native and byte-compatible.

>>> from lattice.crdt import Doc, Text
>>> ours, theirs = Doc(), Doc()
>>> ours["body"] = Text("Hello")
>>> theirs.apply_update(ours.get_update())
>>> str(theirs.get("body", type=Text))
'Hello'

A type is made alone (``Text("Hello")``) and becomes part of a document when it is put there; from
then on its changes travel in updates that any Yjs peer understands. Positions and lengths of text
count UTF-16 code units, as Yjs and browsers do: most characters are one, emoji are two.

A document belongs to one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast, overload

from lattice import _core

__all__ = [
    "Array",
    "ArrayEvent",
    "Doc",
    "Event",
    "Map",
    "MapEvent",
    "RelativePosition",
    "SharedType",
    "Snapshot",
    "Subscription",
    "Text",
    "TextEvent",
    "Transaction",
    "TransactionEvent",
    "UndoManager",
    "XmlElement",
    "XmlEvent",
    "XmlFragment",
    "XmlText",
    "convert_update",
    "diff_update",
    "get_state",
    "merge_updates",
]

_ARRAY, _MAP, _TEXT, _XML_ELEMENT, _XML_FRAGMENT, _XML_HOOK, _XML_TEXT, _UNDEFINED = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    15,
)
_MISSING: Any = object()


# --- events


@dataclass(frozen=True, slots=True)
class TransactionEvent:
    """What one transaction did to a document: what the function given to `Doc.observe` gets.

    Attributes
    ----------
    update : bytes
        For peers: apply it with `Doc.apply_update`.
    origin : object
        Of the transaction; None when it had none.
    local : bool
        Whether it was made here, not by applying an update.
    """

    update: bytes
    origin: Any
    local: bool


@dataclass(frozen=True, slots=True)
class Event:
    """What one transaction did to one shared type.

    Attributes
    ----------
    target : SharedType
        The type that changed.
    path : list of str or int
        From the observed type down to `target`: keys of maps and indices of arrays.
    origin, local
        As in `TransactionEvent`.
    """

    target: SharedType
    path: list[str | int]
    origin: Any
    local: bool


@dataclass(frozen=True, slots=True)
class TextEvent(Event):
    """A change of a `Text`.

    Attributes
    ----------
    delta : list of dict
        In Quill's form: ``{"retain": 3}``, ``{"insert": "abc", "attributes": {...}}``,
        ``{"delete": 2}``.
    """

    delta: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ArrayEvent(Event):
    """A change of an `Array`; `delta` inserts lists of values."""

    delta: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MapEvent(Event):
    """A change of a `Map`.

    Attributes
    ----------
    keys : dict of str to dict
        Per key ``{"action": "add" | "update" | "delete", "oldValue": ..., "newValue": ...}``.
    """

    keys: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class XmlEvent(Event):
    """A change of an `XmlFragment`, `XmlElement` or `XmlText`: children and attributes."""

    delta: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)


def _make_event(
    kind: int,
    target: SharedType,
    path: list[str | int],
    delta: list[dict[str, Any]],
    keys: dict[str, dict[str, Any]],
    origin: Any,
    local: bool,
) -> Event:
    if kind == _MAP:
        return MapEvent(target, path, origin, local, keys)
    if kind == _ARRAY:
        return ArrayEvent(target, path, origin, local, delta)
    if kind == _TEXT:
        return TextEvent(target, path, origin, local, delta)
    return XmlEvent(target, path, origin, local, delta, keys)


class Subscription:
    """An observer of a document or type; `drop` ends it."""

    __slots__ = ("_end",)

    def __init__(self, end: Callable[[], None]) -> None:
        self._end: Callable[[], None] | None = end

    def drop(self) -> None:
        """The observer is not called any more."""
        end, self._end = self._end, None
        if end is not None:
            end()


# --- transactions


class Transaction:
    """Groups changes: one update, one event per type. Made by `Doc.transaction`."""

    __slots__ = ("_native", "doc", "origin")

    def __init__(self, doc: Doc, origin: Any = None) -> None:
        self.doc = doc
        self.origin = origin
        self._native: _core.CrdtTransaction | None = None

    def __enter__(self) -> Transaction:
        if self._native is not None:
            raise _core.LatticeError("this transaction has begun already; make a new one")
        self._native = self.doc._native.begin(self.origin)
        self._native.enter()
        return self

    def __exit__(self, *_: object) -> None:
        native, self._native = self._native, None
        if native is not None:
            native.exit()


# --- types

_Self = TypeVar("_Self", bound="SharedType")
_Shared = TypeVar("_Shared", bound="SharedType")


class SharedType:
    """What `Text`, `Map`, `Array` and the XML types have in common."""

    __slots__ = ("__weakref__", "_content", "_native")
    _kind: ClassVar[int] = _UNDEFINED

    def __init__(self) -> None:
        self._native: _core.CrdtType | None = None
        self._content: Any = None

    @property
    def is_integrated(self) -> bool:
        """Whether it is part of a document."""
        return self._native is not None

    @property
    def doc(self) -> Doc | None:
        """The document that it is part of."""
        return wrap_doc(self._native.doc()) if self._native is not None else None

    @property
    def parent(self) -> SharedType | None:
        """The type that holds this one; None for a root."""
        return cast("SharedType | None", self._here().parent())

    def to_py(self) -> Any:
        """Its content as plain Python data."""
        return self._here().to_json()

    def observe(self, callback: Callable[[Any], None]) -> Subscription:
        """Calls `callback` with an event after each transaction that changed this type."""
        native = self._here()
        number = native.observe(callback, False)
        return Subscription(lambda: native.unobserve(number))

    def observe_deep(self, callback: Callable[[list[Any]], None]) -> Subscription:
        """Calls `callback` with the events of this type and of all below it, outermost first."""
        native = self._here()
        number = native.observe(callback, True)
        return Subscription(lambda: native.unobserve(number))

    def unobserve(self, subscription: Subscription) -> None:
        """Ends an observer: the same as ``subscription.drop()``."""
        subscription.drop()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SharedType):
            return NotImplemented
        if self._native is None or other._native is None:
            return self is other
        return bool(self._native.key() == other._native.key())

    def __hash__(self) -> int:
        return hash(self._native.key()) if self._native is not None else object.__hash__(self)

    def _here(self) -> _core.CrdtType:
        if self._native is None:
            raise _core.LatticeError(
                f"this {type(self).__name__} is not part of a document yet; put it into one first: "
                'doc["name"] = it'
            )
        return self._native

    def _check_new(self) -> None:
        if self._native is not None:
            raise _core.LatticeError(
                f"this {type(self).__name__} is part of a document already; a shared type has one "
                "place. Put a new one with its content there."
            )

    def _adopt(self, native: _core.CrdtType) -> None:
        """Becomes the shared type `native`, with what it was made with."""
        self._check_new()
        content, self._content = self._content, None
        self._native = native
        self._fill(content)

    def _fill(self, content: Any) -> None:
        raise NotImplementedError

    @property
    def _name(self) -> str:
        return ""

    def _transaction(self) -> Transaction:
        return Transaction(wrap_doc(self._here().doc()))


class Map(SharedType):
    """A shared dictionary with string keys. Of concurrent writes to a key one wins, the same on
    every peer.

    Parameters
    ----------
    init : mapping, optional
        Plain values and shared types.
    """

    __slots__ = ()
    _kind = _MAP

    def __init__(self, init: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._content = dict(init) if init is not None else None

    def _fill(self, content: Any) -> None:
        if content:
            self.update(content)

    def __setitem__(self, key: str, value: Any) -> None:
        native = self._native
        if native is None:
            native = self._here()
        if not native.map_set(key, value):
            _put(
                value,
                lambda kind, name: native.map_set_type(key, kind, name),
                lambda doc: native.map_set_doc(key, doc),
                self._transaction,
            )

    def __getitem__(self, key: str) -> Any:
        value = self._here().map_get(key, _MISSING)
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __delitem__(self, key: str) -> None:
        if not self._here().map_erase(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._here().map_has(key)

    def __len__(self) -> int:
        return self._here().map_size()

    def __iter__(self) -> Iterator[str]:
        return iter(self._here().map_keys())

    def __str__(self) -> str:
        return str(self.to_py())

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, or `default`."""
        return self._here().map_get(key, default)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Takes a key away and returns its value (a shared type as plain data)."""
        native = self._here()
        value = native.map_get(key, _MISSING)
        if value is _MISSING:
            if default is _MISSING:
                raise KeyError(key)
            return default
        if isinstance(value, SharedType):
            value = value.to_py()
        native.map_erase(key)
        return value

    def update(self, values: Mapping[str, Any]) -> None:
        """Sets many keys in one transaction."""
        plain = values if type(values) is dict else dict(values)
        if self._here().map_update(plain):
            return
        with self._transaction():
            for key, value in plain.items():
                self[key] = value

    def clear(self) -> None:
        """Takes all keys away."""
        self._here().map_clear()

    def keys(self) -> Iterable[str]:
        """Its keys."""
        return self._here().map_keys()

    def values(self) -> Iterable[Any]:
        """Its values."""
        return [value for _, value in self._here().map_items()]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Its keys and values."""
        return self._here().map_items()


class Array(SharedType):
    """A shared list.

    Parameters
    ----------
    init : iterable, optional
        Plain values and shared types.
    """

    __slots__ = ()
    _kind = _ARRAY

    def __init__(self, init: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._content = list(init) if init is not None else None

    def _fill(self, content: Any) -> None:
        if content:
            self.extend(content)

    def _insert_many(self, index: int, values: list[Any]) -> None:
        native = self._here()
        if not values or native.array_insert(index, values):
            return
        with self._transaction():
            for offset, value in enumerate(values):
                self._insert_one(index + offset, value)

    def _insert_one(self, index: int, value: Any) -> None:
        native = self._here()
        if not native.array_insert(index, [value]):
            _put(
                value,
                lambda kind, name: native.array_insert_type(index, kind, name),
                lambda doc: native.array_insert_doc(index, doc),
                self._transaction,
            )

    def insert(self, index: int, value: Any) -> None:
        """Puts one value before `index`."""
        self._insert_many(_place(index, len(self)), [value])

    def append(self, value: Any) -> None:
        """Puts one value at the end."""
        native = self._here()
        self._insert_many(native.array_size(), [value])

    def extend(self, values: Iterable[Any]) -> None:
        """Puts values at the end, in one transaction."""
        self._insert_many(self._here().array_size(), list(values))

    def pop(self, index: int = -1) -> Any:
        """Takes one value away and returns it (a shared type as plain data)."""
        at = _index(index, len(self), "pop")
        value = self[at]
        if isinstance(value, SharedType):
            value = value.to_py()
        self._here().array_erase(at, 1)
        return value

    def clear(self) -> None:
        """Takes everything away."""
        native = self._here()
        native.array_erase(0, native.array_size())

    def __len__(self) -> int:
        return self._here().array_size()

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        native = self._here()
        size = native.array_size()
        if isinstance(index, slice):
            start, stop, step = index.indices(size)
            if step == 1:
                return native.array_slice(start, max(start, stop))
            return native.array_slice(0, size)[index]
        return native.array_get(_index(index, size, "read"))

    def __setitem__(self, index: int | slice, value: Any) -> None:
        size = len(self)
        with self._transaction():
            if isinstance(index, slice):
                start, stop, step = index.indices(size)
                if step != 1:
                    raise ValueError("only slices with step 1 can be assigned to")
                if stop > start:
                    self._here().array_erase(start, stop - start)
                self._insert_many(start, list(value))
            else:
                at = _index(index, size, "set")
                self._here().array_erase(at, 1)
                self._insert_many(at, [value])

    def __delitem__(self, index: int | slice) -> None:
        size = len(self)
        if isinstance(index, slice):
            start, stop, step = index.indices(size)
            if step != 1:
                raise ValueError("only slices with step 1 can be deleted")
            if stop > start:
                self._here().array_erase(start, stop - start)
        else:
            self._here().array_erase(_index(index, size, "delete"), 1)

    def __iter__(self) -> Iterator[Any]:
        native = self._here()
        return iter(native.array_slice(0, native.array_size()))

    def __contains__(self, value: object) -> bool:
        return any(item == value for item in self)

    def __iadd__(self, values: Iterable[Any]) -> Array:
        self.extend(values)
        return self

    def __str__(self) -> str:
        return str(self.to_py())


class _TextMethods(SharedType):
    __slots__ = ()

    def insert(self, index: int, text: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Puts text before `index`.

        Parameters
        ----------
        index : int
            In UTF-16 code units.
        text : str
        attributes : mapping, optional
            Formatting, like ``{"bold": True}``. Without it the text takes that of its place.
        """
        native = self._here()
        if index < 0:
            index = _place(index, native.text_size())
        native.text_insert(index, text, attributes)

    def append(self, text: str) -> None:
        """Puts text at the end."""
        native = self._here()
        native.text_insert(native.text_size(), text, None)

    def edit(self, edits: Sequence[tuple[int, int, str]], *, together: bool = True) -> None:
        """Makes many edits in one call.

        Parameters
        ----------
        edits : sequence of (position, deleted, inserted)
            Each in the text that the ones before it have left.
        together : bool
            One transaction for all of them, or one for each.
        """
        self._here().text_edit(edits if isinstance(edits, list) else list(edits), together)

    def insert_embed(
        self, index: int, value: Any, attributes: Mapping[str, Any] | None = None
    ) -> None:
        """Puts something that is no text (an image's address, say) before `index`; counts as 1."""
        native = self._here()
        if native.text_embed(index, value, attributes):
            return
        made = _shared(value)
        with self._transaction():
            made._check_new()
            native.text_embed_type(index, made._kind, made._name, attributes, made._adopt)

    def format(self, start: int, stop: int, attributes: Mapping[str, Any]) -> None:
        """Formats the text from `start` to before `stop`; a value of None takes one away."""
        native = self._here()
        start, stop, _ = slice(start, stop).indices(native.text_size())
        if stop > start:
            native.text_format(start, stop - start, dict(attributes))

    def apply_delta(self, delta: Iterable[dict[str, Any]]) -> None:
        """Applies a Quill delta, in one transaction."""
        self._here().text_apply_delta(list(delta))

    def diff(self) -> list[tuple[Any, dict[str, Any] | None]]:
        """The text in pieces of equal formatting: ``[("Hello", {"bold": True}), ...]``."""
        return self._here().text_diff()

    def clear(self) -> None:
        """Takes all text away."""
        native = self._here()
        native.text_erase(0, native.text_size())

    def to_py(self) -> str:
        """The text without formatting."""
        return self._here().text()

    def __len__(self) -> int:
        return self._here().text_size()

    def __getitem__(self, index: int | slice) -> str:
        units = self._here().text().encode("utf-16-le", "surrogatepass")
        size = len(units) // 2
        if isinstance(index, slice):
            start, stop, step = index.indices(size)
            if step != 1:
                raise ValueError("only slices with step 1 can be read")
            piece = units[2 * start : 2 * max(start, stop)]
        else:
            at = _index(index, size, "read")
            piece = units[2 * at : 2 * at + 2]
        return piece.decode("utf-16-le", "surrogatepass")

    def __setitem__(self, index: int | slice, text: str) -> None:
        native = self._here()
        start, stop = _range(index, native.text_size())
        with self._transaction():
            if stop > start:
                native.text_erase(start, stop - start)
            if text:
                native.text_insert(start, text, None)

    def __delitem__(self, index: int | slice) -> None:
        native = self._here()
        start, stop = _range(index, native.text_size())
        if stop > start:
            native.text_erase(start, stop - start)

    def __iter__(self) -> Iterator[str]:
        return iter(self._here().text())

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and text in self._here().text()

    def __iadd__(self: _Self, text: str) -> _Self:
        cast("_TextMethods", self).append(text)
        return self


class Text(_TextMethods):
    """Shared text with formatting, for editors.

    Parameters
    ----------
    init : str, optional
    """

    __slots__ = ()
    _kind = _TEXT

    def __init__(self, init: str | None = None) -> None:
        super().__init__()
        self._content = init

    def _fill(self, content: Any) -> None:
        if content:
            self._here().text_insert(self._here().text_size(), content, None)

    def __str__(self) -> str:
        return self._here().text()


# --- XML


class _Attributes:
    """The attributes of an XML element, as a mapping."""

    __slots__ = ("_owner",)

    def __init__(self, owner: SharedType) -> None:
        self._owner = owner

    def __getitem__(self, key: str) -> Any:
        return self._owner._here().xml_attributes()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not self._owner._here().xml_set_attribute(key, value):
            raise TypeError("an attribute is a plain value")

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._owner._here().xml_erase_attribute(key)

    def __contains__(self, key: object) -> bool:
        return key in self._owner._here().xml_attributes()

    def __len__(self) -> int:
        return len(self._owner._here().xml_attributes())

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self._owner._here().xml_attributes().items())

    def get(self, key: str, default: Any = None) -> Any:
        return self._owner._here().xml_attributes().get(key, default)


class _Children:
    """The children of an XML element or fragment, as a list."""

    __slots__ = ("_owner",)

    def __init__(self, owner: SharedType) -> None:
        self._owner = owner

    def __len__(self) -> int:
        return self._owner._here().xml_size()

    def __getitem__(self, index: int) -> SharedType:
        native = self._owner._here()
        return cast(SharedType, native.xml_get(_index(index, native.xml_size(), "read")))

    def __delitem__(self, index: int | slice) -> None:
        native = self._owner._here()
        start, stop = _range(index, native.xml_size())
        if stop > start:
            native.xml_erase(start, stop - start)

    def __iter__(self) -> Iterator[SharedType]:
        return iter(self._owner._here().xml_children())

    def insert(self, index: int, element: _Shared | str) -> _Shared:
        """Puts an element or text before `index` and returns it."""
        child = XmlText(element) if isinstance(element, str) else element
        if not isinstance(child, (XmlElement, XmlText)):
            raise TypeError("a child is an XmlElement, an XmlText or a string")
        native = self._owner._here()
        at = _place(index, native.xml_size())
        with self._owner._transaction():
            child._adopt(native.xml_insert(at, child._kind, child._name))
        return cast(_Shared, child)

    def append(self, element: _Shared | str) -> _Shared:
        """Puts an element or text at the end and returns it."""
        return self.insert(len(self), element)


class XmlFragment(SharedType):
    """A list of XML elements and texts.

    Parameters
    ----------
    contents : iterable, optional
        `XmlElement`, `XmlText` and strings.
    """

    __slots__ = ()
    _kind = _XML_FRAGMENT

    def __init__(self, contents: Iterable[SharedType | str] | None = None) -> None:
        super().__init__()
        self._content = list(contents) if contents is not None else None

    def _fill(self, content: Any) -> None:
        for child in content or ():
            self.children.append(child)

    @property
    def children(self) -> _Children:
        """Its children, as a list that can be changed."""
        return _Children(self)

    def __str__(self) -> str:
        return self._here().markup()

    def to_py(self) -> str:
        """Its markup."""
        return str(self)


class XmlElement(XmlFragment):
    """An XML element: tag, attributes, children."""

    __slots__ = ("_tag",)
    _kind = _XML_ELEMENT

    def __init__(
        self,
        tag: str,
        attributes: Mapping[str, Any] | None = None,
        contents: Iterable[SharedType | str] | None = None,
    ) -> None:
        super().__init__(contents)
        self._tag = tag
        self._content = (dict(attributes or {}), self._content)

    def _fill(self, content: Any) -> None:
        attributes, children = content or ({}, None)
        for key, value in attributes.items():
            self.attributes[key] = value
        super()._fill(children)

    @property
    def tag(self) -> str:
        """The element's name."""
        return self._native.xml_tag() if self._native is not None else self._tag

    @property
    def attributes(self) -> _Attributes:
        """Its attributes, as a mapping that can be changed."""
        return _Attributes(self)

    @property
    def _name(self) -> str:
        return self._tag


class XmlText(_TextMethods):
    """Text within XML, with formatting."""

    __slots__ = ()
    _kind = _XML_TEXT

    def __init__(
        self, init: str | None = None, attributes: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self._content = (init, dict(attributes or {}))

    def _fill(self, content: Any) -> None:
        text, attributes = content or (None, {})
        if text:
            self.append(text)
        for key, value in attributes.items():
            self.attributes[key] = value

    @property
    def attributes(self) -> _Attributes:
        """Its attributes, as a mapping that can be changed."""
        return _Attributes(self)

    def __str__(self) -> str:
        return self._here().markup()


_CLASSES: dict[int, type[SharedType]] = {
    _ARRAY: Array,
    _MAP: Map,
    _TEXT: Text,
    _XML_ELEMENT: XmlElement,
    _XML_FRAGMENT: XmlFragment,
    _XML_HOOK: Map,
    _XML_TEXT: XmlText,
    _UNDEFINED: SharedType,
}


def _wrap_type(native: _core.CrdtType, kind: int) -> SharedType:
    wrapped = _CLASSES[kind].__new__(_CLASSES[kind])
    wrapped._native = native
    wrapped._content = None
    return wrapped


def _put(
    value: Any,
    put_type: Callable[[int, str], _core.CrdtType],
    put_doc: Callable[[_core.CrdtDoc], None] | None,
    transaction: Callable[[], Transaction],
) -> None:
    """Puts what is no plain value into a document: a shared type, a document, or lists and dicts
    that hold some."""
    if isinstance(value, Doc) and put_doc is not None:
        put_doc(value._native)
        return
    made = _shared(value)
    with transaction():
        made._check_new()
        made._adopt(put_type(made._kind, made._name))


def _shared(value: Any) -> SharedType:
    """The value, which must be a shared type."""
    if not isinstance(value, SharedType) or value._kind == _UNDEFINED:
        raise TypeError(
            f"a {type(value).__name__} has no place in a shared document: use None, bool, int, "
            "float, str, bytes, lists and dicts of those, or a type of lattice.crdt"
        )
    return value


# --- documents


class Doc:
    """A shared document.

    Parameters
    ----------
    init : mapping, optional
        Shared types by name.
    client_id : int, optional
        Of this replica, below 2**53; a random one by default. Two replicas that are used at the
        same time must not share one.
    gc : bool
        Forget the content of what was deleted. Snapshots need ``gc=False``.
    """

    __slots__ = ("__weakref__", "_native")

    def __init__(
        self,
        init: Mapping[str, SharedType] | None = None,
        *,
        client_id: int | None = None,
        guid: str = "",
        gc: bool = True,
    ) -> None:
        self._native = _core.CrdtDoc(client_id or 0, guid, gc)
        for name, value in (init or {}).items():
            self[name] = value

    @property
    def client_id(self) -> int:
        """The id under which this replica writes."""
        return self._native.client_id

    @property
    def guid(self) -> str:
        """The document's own name, random by default."""
        return self._native.guid

    def transaction(self, origin: Any = None) -> Transaction:
        """Groups changes: ``with doc.transaction(origin="me"): ...``.

        Parameters
        ----------
        origin : object, optional
            Passed to observers; `UndoManager` tracks by it.
        """
        return Transaction(self, origin)

    def get(self, name: str, *, type: type[_Shared]) -> _Shared:
        """The shared type of that name, made on first use.

        Raises
        ------
        LatticeError
            If the name has another type.
        """
        return cast(_Shared, _wrap_type(self._native.root(name, type._kind), type._kind))

    def __getitem__(self, name: str) -> Any:
        for root, native, kind in self._native.roots():
            if root == name:
                return _wrap_type(native, kind)
        raise KeyError(name)

    def __setitem__(self, name: str, value: SharedType) -> None:
        if not isinstance(value, SharedType):
            raise TypeError("a document holds shared types: Text, Map, Array or an XML type")
        with self.transaction():
            value._adopt(self._native.root(name, value._kind))

    def __contains__(self, name: object) -> bool:
        return any(root == name for root, _, _ in self._native.roots())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._native.roots())

    def keys(self) -> list[str]:
        """The names of its shared types."""
        return [name for name, _, _ in self._native.roots()]

    def values(self) -> list[SharedType]:
        """Its shared types."""
        return [_wrap_type(native, kind) for _, native, kind in self._native.roots()]

    def items(self) -> list[tuple[str, SharedType]]:
        """Names and shared types."""
        return [(name, _wrap_type(native, kind)) for name, native, kind in self._native.roots()]

    def to_py(self) -> dict[str, Any]:
        """All of it as plain data."""
        return cast("dict[str, Any]", self._native.to_json())

    def get_state(self) -> bytes:
        """The state vector: what this replica knows, for a peer's `get_update`."""
        return self._native.get_state()

    def get_update(self, state: bytes | None = None, *, version: int = 1) -> bytes:
        """What a peer with `state` lacks; everything without it.

        Parameters
        ----------
        state : bytes, optional
            The peer's `get_state`.
        version : int
            Of Yjs's encoding, 1 or 2.
        """
        return self._native.get_update(state, version)

    def apply_update(self, update: bytes, *, version: int = 1, origin: Any = None) -> None:
        """Takes a peer's update. Applying one twice, or out of order, does no harm.

        Raises
        ------
        DecodeError
            If the bytes are no update.
        """
        self._native.apply_update(update, version, origin)

    def apply_updates(
        self, updates: Iterable[bytes], *, version: int = 1, origin: Any = None
    ) -> None:
        """Takes many updates in one transaction and one call."""
        self._native.apply_updates(list(updates), version, origin)

    def observe(
        self, callback: Callable[[TransactionEvent], None], *, version: int = 1
    ) -> Subscription:
        """Calls `callback` with a `TransactionEvent` after each transaction that changed it."""

        def call(update: bytes, origin: Any, local: bool) -> None:
            callback(TransactionEvent(update, origin, local))

        number = self._native.observe(call, version)
        return Subscription(lambda: self._native.unobserve(number))

    def on_update(
        self, callback: Callable[[bytes, Any, bool], None], *, version: int = 1
    ) -> Subscription:
        """Like `observe`, but fast: the callback gets ``(update, origin, local)``."""
        number = self._native.observe(callback, version)
        return Subscription(lambda: self._native.unobserve(number))

    def observe_subdocs(
        self, callback: Callable[[list[Doc], list[Doc], list[Doc]], None]
    ) -> Subscription:
        """Calls `callback` with the sub-documents that were added, removed and loaded."""
        number = self._native.observe_subdocs(callback)
        return Subscription(lambda: self._native.unobserve(number))

    def unobserve(self, subscription: Subscription) -> None:
        """Ends an observer: the same as ``subscription.drop()``."""
        subscription.drop()

    @property
    def has_pending(self) -> bool:
        """Whether updates wait for others that they build on."""
        return self._native.has_pending()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Doc) and self._native.same(other._native)

    def __hash__(self) -> int:
        return hash(self._native.key())


def wrap_doc(native: _core.CrdtDoc) -> Doc:
    """The public face of a native document."""
    doc = Doc.__new__(Doc)
    doc._native = native
    return doc


_core.crdt_classes(_wrap_type, wrap_doc, _make_event)


# --- undo, positions, snapshots


class UndoManager:
    """Undo and redo of what this replica did, whatever others did meanwhile.

    Parameters
    ----------
    doc : Doc, optional
        Track all of it.
    scopes : sequence of SharedType
        Track these types and what is below them.
    capture_timeout_millis : int
        Transactions closer than this are undone together.
    origins : sequence
        Origins that are tracked beside transactions without one.
    timestamp : callable, optional
        Milliseconds of a clock; for tests.
    """

    __slots__ = ("_doc", "_native")

    def __init__(
        self,
        doc: Doc | None = None,
        scopes: Sequence[SharedType] = (),
        *,
        capture_timeout_millis: int = 500,
        origins: Sequence[Any] = (),
        timestamp: Callable[[], int] | None = None,
    ) -> None:
        if doc is None:
            if not scopes:
                raise TypeError("UndoManager() takes a document or the types to track")
            doc = wrap_doc(scopes[0]._here().doc())
        self._doc = doc
        self._native = _core.CrdtUndoManager(
            doc._native,
            [scope._here() for scope in scopes],
            capture_timeout_millis,
            timestamp,
            list(origins),
        )

    def expand_scope(self, scope: SharedType) -> None:
        """Tracks one more type."""
        self._native.add_scope(scope._here())

    def include_origin(self, origin: Any) -> None:
        """Tracks transactions of that origin too."""
        self._native.include_origin(origin)

    def exclude_origin(self, origin: Any) -> None:
        """Does not track transactions of that origin any more."""
        self._native.exclude_origin(origin)

    def undo(self) -> bool:
        """Takes the newest tracked change back. Returns whether anything changed."""
        return self._native.undo()

    def redo(self) -> bool:
        """Takes the newest `undo` back. Returns whether anything changed."""
        return self._native.redo()

    def can_undo(self) -> bool:
        """Whether there is anything to undo."""
        return self._native.can_undo()

    def can_redo(self) -> bool:
        """Whether there is anything to redo."""
        return self._native.can_redo()

    def clear(self) -> None:
        """Forgets what could be undone and redone."""
        self._native.clear()

    def stop_capturing(self) -> None:
        """What comes next is undone by itself, however soon it comes."""
        self._native.stop_capturing()


class RelativePosition:
    """A position that stays beside the same characters or items while others edit.

    Parameters
    ----------
    type : Text, XmlText, Array or an XML type
    index : int
    assoc : int
        0 or more: stay with what is on the right; below 0: with what is on the left.
    """

    __slots__ = ("_bytes",)

    def __init__(self, type: SharedType, index: int, assoc: int = 0) -> None:
        self._bytes = _core.crdt_position(type._here(), index, assoc)

    def resolve(self, doc: Doc) -> tuple[SharedType, int] | None:
        """Where it is now: type and index. None when its type is unknown or gone."""
        found: Any = _core.crdt_resolve(doc._native, self._bytes)
        return (found[0], found[1]) if found is not None else None

    def encode(self) -> bytes:
        """As Yjs encodes it."""
        return self._bytes

    @staticmethod
    def decode(encoded: bytes) -> RelativePosition:
        """Of bytes that any Yjs peer made."""
        _core.crdt_position_json(encoded)  # raises DecodeError for what is none
        position = RelativePosition.__new__(RelativePosition)
        position._bytes = encoded
        return position

    def to_json(self) -> dict[str, Any]:
        """As Yjs's relativePositionToJSON gives it."""
        return cast("dict[str, Any]", _core.crdt_position_json(self._bytes))

    @staticmethod
    def from_json(json: Mapping[str, Any]) -> RelativePosition:
        """Of what `to_json`, or Yjs, gave."""
        return RelativePosition.decode(_core.crdt_position_from_json(dict(json)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RelativePosition) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)


class Snapshot:
    """A moment of a document that was made with ``gc=False``.

    Parameters
    ----------
    doc : Doc
    """

    __slots__ = ("_bytes",)

    def __init__(self, doc: Doc) -> None:
        self._bytes = _core.crdt_snapshot(doc._native, 1)

    def restore(self, doc: Doc) -> Doc:
        """A new document that is as `doc` was then.

        Raises
        ------
        LatticeError
            If `doc` forgets what is deleted.
        """
        return wrap_doc(_core.crdt_restore(doc._native, self._bytes, 1))

    def encode(self) -> bytes:
        """As Yjs encodes it."""
        return self._bytes

    @staticmethod
    def decode(encoded: bytes) -> Snapshot:
        """Of bytes that any Yjs peer made; what is wrong with them shows in `restore`."""
        snapshot = Snapshot.__new__(Snapshot)
        snapshot._bytes = encoded
        return snapshot

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)


# --- updates without a document


def merge_updates(*updates: bytes, version: int = 1) -> bytes:
    """One update with what all of them hold. Linear; makes no document."""
    return _core.crdt_merge(list(updates), version)


def diff_update(update: bytes, state: bytes, *, version: int = 1) -> bytes:
    """What of `update` a peer with the state vector `state` lacks."""
    return _core.crdt_diff(update, state, version)


def get_state(update: bytes, *, version: int = 1) -> bytes:
    """The state vector of a document that applies nothing but `update`."""
    return _core.crdt_state_of(update, version)


def convert_update(update: bytes, *, old: int, new: int) -> bytes:
    """The update in another version of Yjs's encoding."""
    return _core.crdt_convert(update, old, new)


# --- indices


def _index(index: int, size: int, verb: str) -> int:
    at = index + size if index < 0 else index
    if not 0 <= at < size:
        raise IndexError(f"cannot {verb} index {index} of {size}")
    return at


def _place(index: int, size: int) -> int:
    """Where list.insert would put it."""
    return max(0, index + size) if index < 0 else index


def _range(index: int | slice, size: int) -> tuple[int, int]:
    if isinstance(index, slice):
        start, stop, step = index.indices(size)
        if step != 1:
            raise ValueError("only slices with step 1 can be changed")
        return start, stop
    at = _index(index, size, "change")
    return at, at + 1
