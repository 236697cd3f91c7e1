# SPDX-License-Identifier: MIT
"""Stores: dicts, lists, sets and dataclasses whose reads track per key.

`store` copies plain data into a tree of containers that look like the built-in ones. Whoever reads
an entry while it runs subscribes to that entry only; writes are ordinary Python. What must be fast
(item reads and writes, ``len``, ``in``, iteration, append) is native (``python/bindings/
store_node.cpp``); here is the rest of what dict, list and set can do, in terms of that.
"""

from __future__ import annotations

import dataclasses
import operator
import reprlib
import sys
import weakref
from collections.abc import (
    Callable,
    Hashable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    ValuesView,
)
from collections.abc import Set as AbstractSet
from typing import Any, Literal, TypeVar, cast

from lattice import _core, _state
from lattice._core import Batch, DictNode, LatticeError, ListNode, SetNode, StoreNode, Untracked

__all__ = ["StoreDict", "StoreList", "StoreSet", "is_store", "reconcile", "snapshot", "store"]

T = TypeVar("T")


def _rebuild(plain: T) -> T:
    """What a pickled container of a store is loaded as: plain data."""
    return plain


def _plain(other: Any) -> Any:
    """The data in a container of a store, read as a whole; anything else as it is."""
    return other._all() if isinstance(other, StoreNode) else other


class _Keys(KeysView[Any]):
    __slots__ = ()

    def __reversed__(self) -> Iterator[Any]:
        return reversed(cast("StoreDict", self._mapping))  # type: ignore[attr-defined]


# The views of a dict read it when they are iterated, so that an effect may be handed one.
class _Values(ValuesView[Any]):
    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._mapping._all().values())  # type: ignore[attr-defined]

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self._mapping._all().values())  # type: ignore[attr-defined]

    def __contains__(self, value: object) -> bool:
        return value in self._mapping._all().values()  # type: ignore[attr-defined]


class _Items(ItemsView[Any, Any]):
    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(self._mapping._all().items())  # type: ignore[attr-defined]

    def __reversed__(self) -> Iterator[tuple[Any, Any]]:
        return reversed(self._mapping._all().items())  # type: ignore[attr-defined]


def _repr_of(node: Any) -> str:
    try:
        return repr(node._all())
    except _core.DisposedError:
        return f"<{type(node).__name__}, disposed>"


class _Container:
    """What the dicts, lists and sets of a store share: to copy one deeply makes plain data."""

    __slots__ = ()
    __lattice_store__ = True

    def __deepcopy__(self, memo: Any) -> Any:
        return snapshot(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild, (snapshot(self),)

    __class_getitem__ = classmethod(lambda cls, item: cls)


class StoreDict(_Container, DictNode):
    """A dict of a store: reads track per key."""

    __slots__ = ("__weakref__",)
    __hash__ = None  # type: ignore[assignment]

    def keys(self) -> KeysView[Any]:
        return _Keys(cast("Any", self))

    def values(self) -> ValuesView[Any]:
        return _Values(cast("Any", self))

    def items(self) -> ItemsView[Any, Any]:
        return _Items(cast("Any", self))

    def pop(self, key: Any, *default: Any) -> Any:
        if len(default) > 1:
            raise TypeError(f"pop expected at most 2 arguments, got {1 + len(default)}")
        data = self._to_write()
        if key not in data and default:
            return default[0]
        value = data[key]
        del self[key]
        return value

    def popitem(self) -> tuple[Any, Any]:
        data = self._to_write()
        if not data:
            raise KeyError("popitem(): dictionary is empty")
        key = next(reversed(data))
        return key, self.pop(key)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        data = self._raw()
        if key not in data:
            self[key] = default
        return self[key]

    def update(self, other: Any = (), /, **more: Any) -> None:
        self._to_write()
        with Batch():
            if isinstance(other, Mapping) or hasattr(other, "keys"):
                keys = other.keys()
                for key in keys:
                    self[key] = other[key]
            else:
                for key, value in other:
                    self[key] = value
            for key, value in more.items():
                self[key] = value

    def copy(self) -> dict[Any, Any]:
        """A plain dict with the same entries; containers in it stay those of the store."""
        return dict(self._all())

    __copy__ = copy

    def __reversed__(self) -> Iterator[Any]:
        iter(self)
        return cast("Iterator[Any]", reversed(self._raw()))

    def __or__(self, other: Any) -> dict[Any, Any]:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self.copy() | dict(_plain(other))

    def __ror__(self, other: Any) -> dict[Any, Any]:
        return dict(other) | self.copy() if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Any) -> StoreDict:
        self.update(other)
        return self

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        other = _plain(other)
        return self._all() == other if isinstance(other, dict) else NotImplemented

    @reprlib.recursive_repr("{...}")
    def __repr__(self) -> str:
        return _repr_of(self)


def _list_comparison(compare: Callable[[Any, Any], Any]) -> Callable[[StoreList, Any], bool]:
    def method(self: StoreList, other: Any) -> Any:
        other = _plain(other)
        return compare(self._all(), other) if isinstance(other, list) else NotImplemented

    return method


class StoreList(_Container, ListNode):
    """A list of a store: reads track per index."""

    __slots__ = ("__weakref__",)
    __hash__ = None  # type: ignore[assignment]

    def extend(self, values: Iterable[Any]) -> None:
        size = len(self._to_write())
        self._splice(size, size, _items_of(values))

    def remove(self, value: Any) -> None:
        data = self._to_write()
        with Untracked():
            index = _find(data, value)
        if index < 0:
            raise ValueError("list.remove(x): x not in list")
        self._splice(index, index + 1, ())

    def clear(self) -> None:
        self._splice(0, len(self._to_write()), ())

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        items = list(self._to_write())
        with Untracked():
            items.sort(key=key, reverse=reverse)
        self._reorder(items)

    def reverse(self) -> None:
        self._reorder(self._to_write()[::-1])

    def index(self, value: Any, start: int = 0, stop: int = sys.maxsize) -> int:
        return int(self._all().index(value, start, stop))

    def count(self, value: Any) -> int:
        return int(self._all().count(value))

    def copy(self) -> list[Any]:
        """A plain list with the same items; containers in it stay those of the store."""
        return list(self._all())

    __copy__ = copy

    def __reversed__(self) -> Iterator[Any]:
        return cast("Iterator[Any]", reversed(self._all()))

    def __add__(self, other: Any) -> list[Any]:
        other = _plain(other)
        return self._all() + other if isinstance(other, list) else NotImplemented

    def __radd__(self, other: Any) -> list[Any]:
        return other + self._all() if isinstance(other, list) else NotImplemented

    def __mul__(self, count: Any) -> list[Any]:
        return cast("list[Any]", self._all() * count)

    __rmul__ = __mul__

    def __iadd__(self, values: Iterable[Any]) -> StoreList:  # type: ignore[misc]
        self.extend(values)
        return self

    def __imul__(self, count: Any) -> StoreList:
        data = self._to_write()
        self._splice(0, len(data), data * operator.index(count))
        return self

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        other = _plain(other)
        return self._all() == other if isinstance(other, list) else NotImplemented

    __lt__ = _list_comparison(operator.lt)
    __le__ = _list_comparison(operator.le)
    __gt__ = _list_comparison(operator.gt)
    __ge__ = _list_comparison(operator.ge)

    @reprlib.recursive_repr("[...]")
    def __repr__(self) -> str:
        return _repr_of(self)


def _items_of(values: Iterable[Any]) -> Iterable[Any]:
    """What to put in, read without subscribing the writer to its own source."""
    return list(values._raw()) if isinstance(values, StoreNode) else values


def _find(data: list[Any], value: Any) -> int:
    """The index of the very object, else of the first equal one, else -1."""
    for index, item in enumerate(data):
        if item is value:
            return index
    try:
        return data.index(value)
    except ValueError:
        return -1


def _is_set(value: object) -> bool:
    return isinstance(value, AbstractSet)


def _as_set(values: Any) -> Any:
    values = _plain(values)
    return values if isinstance(values, set | frozenset) else set(values)


def _in_place(change: Callable[[StoreSet, Any], None]) -> Callable[[StoreSet, Any], StoreSet]:
    def method(self: StoreSet, other: Any) -> Any:
        if not _is_set(other):
            return NotImplemented
        change(self, other)
        return self

    return method


def _set_comparison(compare: Callable[[Any, Any], Any]) -> Callable[[StoreSet, Any], bool]:
    def method(self: StoreSet, other: Any) -> Any:
        return compare(self._all(), _as_set(other)) if _is_set(other) else NotImplemented

    return method


class StoreSet(_Container, SetNode):
    """A set of a store: membership tests track per item."""

    __slots__ = ("__weakref__",)
    __hash__ = None  # type: ignore[assignment]

    def pop(self) -> Any:
        for item in self._to_write():
            self.discard(item)
            return item
        raise KeyError("pop from an empty set")

    def clear(self) -> None:
        self.difference_update(list(self._to_write()))

    def update(self, *others: Iterable[Any]) -> None:
        self._to_write()
        with Batch():
            for other in others:
                for item in list(other):
                    self.add(item)

    def difference_update(self, *others: Iterable[Any]) -> None:
        self._to_write()
        with Batch():
            for other in others:
                for item in list(other):
                    self.discard(item)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        kept = self._to_write().intersection(*map(_as_set, others))
        self.difference_update(self._raw() - kept)

    def symmetric_difference_update(self, other: Iterable[Any]) -> None:
        data, other = self._to_write(), set(other)
        both = data & other
        with Batch():
            self.update(other - both)
            self.difference_update(both)

    def copy(self) -> set[Any]:
        """A plain set with the same items."""
        return set(self._all())

    __copy__ = copy

    def union(self, *others: Iterable[Any]) -> set[Any]:
        return cast("set[Any]", self._all().union(*others))

    def intersection(self, *others: Iterable[Any]) -> set[Any]:
        return cast("set[Any]", self._all().intersection(*others))

    def difference(self, *others: Iterable[Any]) -> set[Any]:
        return cast("set[Any]", self._all().difference(*others))

    def symmetric_difference(self, other: Iterable[Any]) -> set[Any]:
        return cast("set[Any]", self._all().symmetric_difference(other))

    def isdisjoint(self, other: Iterable[Any]) -> bool:
        return bool(self._all().isdisjoint(other))

    def issubset(self, other: Iterable[Any]) -> bool:
        return bool(self._all().issubset(other))

    def issuperset(self, other: Iterable[Any]) -> bool:
        return bool(self._all().issuperset(other))

    def __or__(self, other: Any) -> set[Any]:
        return self.union(other) if _is_set(other) else NotImplemented

    __ror__ = __or__

    def __and__(self, other: Any) -> set[Any]:
        return self.intersection(other) if _is_set(other) else NotImplemented

    __rand__ = __and__

    def __sub__(self, other: Any) -> set[Any]:
        return self.difference(other) if _is_set(other) else NotImplemented

    def __rsub__(self, other: Any) -> set[Any]:
        return set(other) - self._all() if _is_set(other) else NotImplemented

    def __xor__(self, other: Any) -> set[Any]:
        return self.symmetric_difference(other) if _is_set(other) else NotImplemented

    __rxor__ = __xor__

    __ior__ = _in_place(update)
    __iand__ = _in_place(intersection_update)
    __isub__ = _in_place(difference_update)
    __ixor__ = _in_place(symmetric_difference_update)

    __eq__ = _set_comparison(operator.eq)
    __le__ = _set_comparison(operator.le)
    __lt__ = _set_comparison(operator.lt)
    __ge__ = _set_comparison(operator.ge)
    __gt__ = _set_comparison(operator.gt)

    def __repr__(self) -> str:
        return _repr_of(self)


MutableMapping.register(StoreDict)
MutableSequence.register(StoreList)
MutableSet.register(StoreSet)


# --- dataclasses

_wrappers: weakref.WeakKeyDictionary[type, type | None] = weakref.WeakKeyDictionary()


def _field(name: str, original: type) -> property:
    """A field of a wrapped dataclass: an entry of the node that it holds."""

    def read(self: Any) -> Any:
        try:
            return self._lattice_fields[name]
        except KeyError:
            raise AttributeError(
                f"{original.__name__!r} object has no attribute {name!r}"
            ) from None

    def write(self: Any, value: Any) -> None:
        self._lattice_fields[name] = value

    def delete(self: Any) -> None:
        try:
            del self._lattice_fields[name]
        except KeyError:
            raise AttributeError(name) from None

    return property(read, write, delete)


def _wrapper_of(original: type) -> type | None:
    """The subclass of a dataclass whose instances live in stores; None when there can be none."""
    if original in _wrappers:
        return _wrappers[original]
    names = [field.name for field in dataclasses.fields(original)]
    body: dict[str, Any] = {name: _field(name, original) for name in names}
    body |= {
        "__slots__": ("_lattice_fields",) + (() if _has_weakref(original) else ("__weakref__",)),
        "__lattice_store__": True,
        "__module__": original.__module__,
        "__qualname__": original.__qualname__,
        "__doc__": original.__doc__,
        "__class__": property(lambda self: original),  # what isinstance and type-aware code sees
        "__copy__": lambda self: dataclasses.replace(snapshot(self)),
        "__deepcopy__": lambda self, memo: snapshot(self),
        "__reduce_ex__": lambda self, protocol: (_rebuild, (snapshot(self),)),
    }
    try:
        wrapper: type | None = type(original)(original.__name__, (original,), body)
    except TypeError:  # final, or a metaclass that wants more
        wrapper = None
    _wrappers[original] = wrapper
    return wrapper


def _has_weakref(kind: type) -> bool:
    return getattr(kind, "__weakrefoffset__", 0) != 0


def _original_of(value: Any) -> type:
    """The dataclass that the user wrote."""
    kind = type(value)
    return kind.__bases__[0] if "_lattice_fields" in kind.__dict__ else kind


def _new_wrapper(value: Any) -> tuple[Any, tuple[str, ...]] | None:
    original = _original_of(value)
    wrapper_type = _wrapper_of(original)
    if wrapper_type is None:
        return None
    names = tuple(field.name for field in dataclasses.fields(original))
    wrapper: Any = object.__new__(wrapper_type)
    _copy_attributes(value, wrapper, names)
    return wrapper, names


def _new_plain(wrapper: Any) -> Any:
    original = _original_of(wrapper)
    plain: Any = object.__new__(original)
    _copy_attributes(wrapper, plain, tuple(field.name for field in dataclasses.fields(original)))
    return plain


def _copy_attributes(source: Any, target: Any, names: tuple[str, ...]) -> None:
    """Attributes that are not fields: plain ones, which nobody tracks."""
    attributes = getattr(source, "__dict__", None)
    if attributes and hasattr(target, "__dict__"):
        target.__dict__.update((k, v) for k, v in attributes.items() if k not in names)


_core.set_store_face(StoreDict, StoreList, StoreSet, _new_wrapper, _new_plain)


# --- what users call


def is_store(value: object) -> bool:
    """Whether `value` is a dict, list, set or dataclass of a store."""
    return getattr(type(value), "__lattice_store__", False) is True


def store(
    initial: T,
    *,
    name: str | None = None,
    scope: Literal["session", "app"] = "session",
    key: Hashable = None,
) -> T:
    """Makes a store: plain data that tells the readers of each entry when that changes.

    Parameters
    ----------
    initial : dict, list, set or dataclass instance
        It is copied, with the dicts, lists, sets and dataclasses in it; what is put in later is
        copied too. Everything else in it (tuples, arrays, frames, other objects, subclasses of
        dict, list and set, frozen dataclasses) is a leaf and kept as it is.
    name : str, optional
        For messages; otherwise the name that the store is assigned to.
    scope : {"session"}
        At module level of a served app every session has its own copy. ``"app"`` is refused:
        share plain data through ``lt.signal(..., scope="app")``.
    key : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    dict-like, list-like, set-like or an instance of the dataclass
        Reads subscribe to what they read: one key, one index, one attribute, the length, or the
        whole container (iteration, ``==``, slices). One write notifies the readers of what it
        changed; an identical value is no change.

    Raises
    ------
    TypeError
        If `initial` is none of these.
    LatticeError
        For ``scope="app"``; LT101 in a loop without a key.

    Examples
    --------
    >>> from lattice import effect
    >>> todos = store([{"title": "milk", "done": False}])
    >>> show = effect(lambda: print("done" if todos[0]["done"] else "open"))
    open
    >>> todos[0]["title"] = "oat milk"
    >>> todos[0]["done"] = True
    done
    """
    if scope != "session":
        if scope != "app":
            raise ValueError(f"scope= is 'session' or 'app', not {scope!r}")
        raise LatticeError(
            'lt.store(scope="app") is not available: sessions on several threads would change one '
            "container at a time each, with nothing in order between them. Share plain data "
            'through lt.signal(..., scope="app") and change it with .update(lambda old: new), or '
            "keep a store per session."
        )
    state = _state.current()
    if state is None or not _core.in_component_body():
        return cast("T", _make(initial, name))
    kept = state.keep("store", sys._getframe(1), lambda: _Kept(_make(initial, name)), key=key)
    return cast("T", kept.root)


def _make(initial: Any, name: str | None) -> Any:
    root = _core.make_store(initial, name)
    if not is_store(root):
        raise TypeError(
            f"lt.store() takes a dict, list, set or dataclass instance, not "
            f"{type(initial).__name__}; for a single value use lt.signal()"
        )
    return root


class _Kept:
    """A store as a component keeps it."""

    __slots__ = ("root",)

    def __init__(self, root: Any) -> None:
        self.root = root

    def dispose(self) -> None:
        (
            self.root if isinstance(self.root, StoreNode) else self.root._lattice_fields
        )._dispose_store()


def snapshot(value: T) -> T:
    """Plain data again: a deep copy of a store, or of a part of it, as dicts, lists and sets.

    Leaves are not copied. Reading is tracked: who takes a snapshot subscribes to every container
    in it, so ``lt.watch(lambda: lt.snapshot(todos), save)`` saves after each change; use
    `untracked` where that is not wanted. What is no store is returned as it is.

    Examples
    --------
    >>> cart = store({"items": [1, 2]})
    >>> snapshot(cart)
    {'items': [1, 2]}
    >>> type(snapshot(cart["items"]))
    <class 'list'>
    """
    return cast("T", _core.snapshot(value))


def reconcile(target: Any, new: Any, *, key: str | Callable[[Any], Hashable] | None = "id") -> None:
    """Makes a store, or a part of it, equal to `new` with as few changes as possible.

    Containers that are in both stay the same objects, so rows, effects and references on them
    live on; only entries that differ notify their readers.

    Parameters
    ----------
    target : dict, list, set or dataclass of a store
    new : plain data of the same kind
    key : str, callable or None
        What identifies an item of a list, at any depth: the name of an entry (or attribute), or a
        function of the item. Items without it (for which the function raises AttributeError,
        LookupError or TypeError), and all items for None, are matched by position.

    Raises
    ------
    TypeError
        If `target` is no part of a store or `new` is of another kind.

    Examples
    --------
    >>> people = store([{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}])
    >>> grace = people[1]
    >>> reconcile(people, [{"id": 2, "name": "Grace H."}])
    >>> people[0] is grace, grace["name"]
    (True, 'Grace H.')
    """
    if not is_store(target):
        raise TypeError(
            f"lt.reconcile() changes a store or a part of one, not {type(target).__name__}"
        )
    with Batch(), Untracked():
        if not _merge(target, new, _key_function(key), set()):
            raise TypeError(
                f"lt.reconcile(): a {_kind(target)} cannot become a {type(new).__name__}"
            )


def _kind(target: Any) -> str:
    for node, word in ((DictNode, "dict"), (ListNode, "list"), (SetNode, "set")):
        if isinstance(target, node):
            return word
    return _original_of(target).__name__


_NO_KEY = object()


def _key_function(key: str | Callable[[Any], Hashable] | None) -> Callable[[Any], Any]:
    if key is None:
        return lambda item: _NO_KEY
    if callable(key):
        function = key

        def call(item: Any) -> Any:
            try:
                return function(item)
            except (AttributeError, LookupError, TypeError):  # an item of another list, deeper in
                return _NO_KEY

        return call
    name = key

    def key_of(item: Any) -> Any:
        if isinstance(item, Mapping):
            return item.get(name, _NO_KEY)
        return getattr(item, name, _NO_KEY) if dataclasses.is_dataclass(item) else _NO_KEY

    return key_of


def _merge(target: Any, new: Any, key_of: Callable[[Any], Any], seen: set[int]) -> bool:
    """Changes `target` to `new` in place; False when they are of different kinds."""
    if new is target:
        return True
    if id(target) in seen:  # a cycle, or one container at two places
        return True
    if isinstance(target, ListNode):
        if not isinstance(new, list | ListNode):
            return False
        seen.add(id(target))
        _merge_list(target, list(new), key_of, seen)
    elif isinstance(target, DictNode):
        if not isinstance(new, dict | DictNode):
            return False
        seen.add(id(target))
        _merge_dict(target, new, key_of, seen)
    elif isinstance(target, SetNode):
        if not isinstance(new, set | SetNode):
            return False
        present = set(new)
        cast("StoreSet", target).difference_update(target._raw() - present)
        cast("StoreSet", target).update(present - target._raw())
    else:
        if not dataclasses.is_dataclass(new) or _original_of(new) is not _original_of(target):
            return False
        seen.add(id(target))
        names = [field.name for field in dataclasses.fields(_original_of(target))]
        fields = {name: getattr(new, name) for name in names if hasattr(new, name)}
        _merge_dict(target._lattice_fields, fields, key_of, seen)
    return True


def _same_identity(old: Any, new: Any, key_of: Callable[[Any], Any]) -> bool:
    """Whether an old item may become a new one: they have the same key, or none."""
    before, after = key_of(old), key_of(new)
    return before is after or bool(before == after)


def _merge_dict(target: Any, new: Any, key_of: Callable[[Any], Any], seen: set[int]) -> None:
    data = target._to_write()
    for name in [name for name in data if name not in new]:
        del target[name]
    for name in new:
        value = new[name]
        old = data.get(name)
        if not (
            is_store(old)
            and _same_identity(old, value, key_of)
            and _merge(old, value, key_of, seen)
        ):
            target[name] = value


def _merge_list(target: Any, new: list[Any], key_of: Callable[[Any], Any], seen: set[int]) -> None:
    old = list(target._to_write())
    by_key: dict[Any, list[Any]] = {}
    for item in old:
        if is_store(item) and (identity := key_of(item)) is not _NO_KEY:
            by_key.setdefault(identity, []).append(item)
    for same in by_key.values():
        same.reverse()
    result = []
    for index, value in enumerate(new):
        identity = key_of(value)
        if identity is not _NO_KEY:
            found = by_key.get(identity)
            candidate = found.pop() if found else None
        else:
            candidate = old[index] if index < len(old) else None
            if is_store(candidate) and key_of(candidate) is not _NO_KEY:
                candidate = None
        stays = (is_store(candidate) and _merge(candidate, value, key_of, seen)) or (
            candidate is not None and _core.values_equal(candidate, value)
        )
        result.append(candidate if stays else value)
    _replace_differing(target, old, result)


def _replace_differing(target: Any, old: list[Any], new: list[Any]) -> None:
    """Splices the part between the common beginning and end."""
    start, old_stop, new_stop = 0, len(old), len(new)
    while start < min(old_stop, new_stop) and old[start] is new[start]:
        start += 1
    while old_stop > start and new_stop > start and old[old_stop - 1] is new[new_stop - 1]:
        old_stop -= 1
        new_stop -= 1
    if start < old_stop or start < new_stop:
        target._splice(start, old_stop, new[start:new_stop])
