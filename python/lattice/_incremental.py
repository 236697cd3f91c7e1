# SPDX-License-Identifier: MIT
"""Lists made of other lists, kept up to date by what has changed: `map_keyed`, `filter`, `sort`.

A store's list, and every list made here, tells what was spliced since a given version ("deltas"):
(start, removed items, added items). A `DerivedList` follows its source's deltas, does work for what
they name, and emits deltas of its own. When the log was cut, or the source is a signal, memo or
function that gives plain lists, the difference is found by comparing the two lists' ends, and what
lies between is matched by key.

What depends on the contents of items (a predicate, a sort key) is a memo per item. A tree of memos
over them, 32 children each, finds those that have changed without asking all: a change reruns one
path of it.

::

    source --deltas--> entries (one per item, in source order) --+--> output, log of deltas
                          one memo each <-- tree of memos -------+

Where it lives: the state of a derived list is the value of a memo, so that at module level of a
served app every session has its own, and a component's ends with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, cast, overload

from lattice import _core, _state
from lattice._core import ListNode, Memo, Scope, Signal, Untracked
from lattice._functions import check_call, check_plain
from lattice._store import is_store

__all__ = ["DerivedList", "filter", "map_keyed", "sort"]

T = TypeVar("T")
R = TypeVar("R")
Delta = tuple[int, list[Any], list[Any]]

_LOG_MAX = 1024
_FAN_OUT = 32
_GAP = 1 << 128  # between the order labels of neighbours


class _Log:
    """The newest splices of a list."""

    __slots__ = ("begin", "deltas", "items", "version")

    def __init__(self) -> None:
        self.version = 0
        self.begin = 0  # the version before the first of `deltas`
        self.deltas: list[Delta] = []
        self.items = 0

    def add(self, delta: Delta, size: int) -> None:
        self.version += 1
        self.items += len(delta[1]) + len(delta[2])
        if len(self.deltas) >= _LOG_MAX or self.items > 2 * max(_LOG_MAX, size):
            self.deltas = []
            self.items = 0
            self.begin = self.version
        else:
            self.deltas.append(delta)

    def since(self, version: int) -> list[Delta] | None:
        return self.deltas[version - self.begin :] if version >= self.begin else None


class _Source:
    """Where a derived list's items come from."""

    __slots__ = ("followed", "given", "version")

    def __init__(self, given: Any) -> None:
        self.given = given
        self.followed: Any = None  # the list whose deltas count
        self.version = -1

    def pull(self) -> tuple[Sequence[Any], list[Delta] | None]:
        """The items now, tracked, and what changed since the last call, when that is known."""
        given = self.given
        if isinstance(given, Signal | Memo):
            given = given.value
        elif callable(given) and not is_store(given):
            given = given()
        if isinstance(given, ListNode):
            items: Sequence[Any] = given._all()
            version, deltas = given._version, given._deltas(self._seen(given))
        elif isinstance(given, DerivedList):
            state = given._pull()
            items, version = state.items, state.log.version
            deltas = state.log.since(self._seen(given))
        else:
            self.followed = None
            if not isinstance(given, Iterable):
                raise TypeError(
                    "lt.map_keyed(), lt.filter() and lt.sort() take a list of a store, or a signal,"
                    f" memo or function that gives a list, not {type(given).__name__}"
                )
            return list(given), None
        self.followed, self.version = given, version
        return items, deltas

    def _seen(self, given: Any) -> int:
        return self.version if self.followed is given else -1

    def forget(self) -> None:
        self.followed = None


class _Entry:
    """An item of the source."""

    __slots__ = ("item", "key", "memo", "order", "result", "scope", "slot")

    def __init__(self, item: Any, key: Any) -> None:
        self.item = item
        self.key = key
        self.result: Any = None  # what the output shows for it, or is ordered by
        self.scope: Scope | None = None
        self.memo: Any = None
        self.order = 0
        self.slot = -1


_ATOMS = (str, int, float, bytes, bool, type(None))


def _default_key(item: Any) -> Hashable:
    """Equal values of immutable types are the same item; everything else goes by identity."""
    if isinstance(item, _ATOMS):
        return type(item), item
    if isinstance(item, tuple):
        try:
            hash(item)
        except TypeError:
            pass
        else:
            return tuple, item
    return id(item)


def _is_same(a: Any, b: Any) -> bool:
    return a is b or bool(_core.values_equal(a, b))


class _ListState:
    """What a derived list is in one session: its entries and its output."""

    def __init__(self, given: Any, key: Callable[[Any], Hashable] | None) -> None:
        self.source = _Source(given)
        self.key = key or _default_key
        self.entries: list[_Entry] = []
        self.items: list[Any] = []  # the output
        self.log = _Log()
        self.scope = Scope()
        self.pool: dict[Hashable, list[_Entry]] = {}
        self.is_broken = False  # a function of the user's raised on the way

    def update(self) -> int:
        """Follows the source; returns the version of the output."""
        items, deltas = self.source.pull()
        try:
            # What is made here belongs to this list, not to the memo that runs.
            with self.scope:
                if deltas is None or self.is_broken:
                    self._follow(_differences(self.entries, items))
                else:
                    self._follow(deltas)
                self._settle()
        except BaseException:
            self.is_broken = True
            raise
        self.is_broken = False
        return self.log.version

    def _follow(self, deltas: Iterable[Delta]) -> None:
        made: list[_Entry] = []
        try:
            for start, removed, added in deltas:
                stop = start + len(removed)
                gone = self.entries[start:stop]
                for entry in gone:
                    self.pool.setdefault(entry.key, []).append(entry)
                made = []
                with Untracked():
                    for item in added:
                        made.append(self._entry_for(item))
                self.entries[start:stop] = made
                self._spliced(start, gone, made)
        except BaseException:
            staying = set(map(id, self.entries))
            self._empty_pool(staying)
            for entry in made:
                if id(entry) not in staying:
                    self._drop(entry)
            raise
        self._empty_pool(set())

    def _empty_pool(self, staying: set[int]) -> None:
        pool, self.pool = self.pool, {}
        for entries in pool.values():
            for entry in entries:
                if id(entry) not in staying:
                    self._drop(entry)

    def _entry_for(self, item: Any) -> _Entry:
        key = self.key(item)
        pooled = self.pool.get(key)
        while pooled:
            entry = pooled.pop()
            if _is_same(entry.item, item):
                return entry
            self._drop(entry)
        entry = _Entry(item, key)
        self._begin(entry)
        return entry

    def _emit(self, start: int, stop: int, added: list[Any]) -> None:
        removed = self.items[start:stop]
        self.items[start:stop] = added
        self.log.add((start, removed, added), len(self.items))

    def _begin(self, entry: _Entry) -> None:
        raise NotImplementedError

    def _drop(self, entry: _Entry) -> None:
        raise NotImplementedError

    def _spliced(self, start: int, gone: list[_Entry], made: list[_Entry]) -> None:
        raise NotImplementedError

    def _settle(self) -> None:
        """Follows changes inside items."""


def _differences(entries: list[_Entry], items: Sequence[Any]) -> list[Delta]:
    """The splice that makes the items of `entries` to `items`; none when they are the same."""
    start, old_stop, new_stop = 0, len(entries), len(items)
    while start < min(old_stop, new_stop) and _is_same(entries[start].item, items[start]):
        start += 1
    while (
        old_stop > start
        and new_stop > start
        and _is_same(entries[old_stop - 1].item, items[new_stop - 1])
    ):
        old_stop -= 1
        new_stop -= 1
    if start == old_stop and start == new_stop:
        return []
    return [(start, [e.item for e in entries[start:old_stop]], list(items[start:new_stop]))]


class _MapState(_ListState):
    def __init__(self, given: Any, key: Any, function: Callable[[Any], Any]) -> None:
        super().__init__(given, key)
        self.function = function

    def _begin(self, entry: _Entry) -> None:
        entry.scope = scope = Scope()
        try:
            with scope:
                entry.result = self.function(entry.item)
        except BaseException:
            scope.dispose()
            raise

    def _drop(self, entry: _Entry) -> None:
        if entry.scope is not None:
            entry.scope.dispose()

    def _spliced(self, start: int, gone: list[_Entry], made: list[_Entry]) -> None:
        self._emit(start, start + len(gone), [entry.result for entry in made])


class _Tree:
    """Finds which of many memos have changed, by a tree of memos over them.

    A leaf of the tree reads up to 32 entries' memos, an inner node 32 nodes. A node whose roster
    changes is made anew with the path above it, so nothing is written while a memo runs.
    """

    __slots__ = ("changed", "free", "levels", "slots", "touched")

    def __init__(self) -> None:
        self.slots: list[_Entry | None] = []
        self.free: list[int] = []
        self.levels: list[list[Any]] = []  # memos: leaves first, the root alone on the last
        self.touched: set[int] = set()  # leaves with another roster
        self.changed: list[_Entry] = []

    def add(self, entry: _Entry) -> None:
        if self.free:
            entry.slot = self.free.pop()
            self.slots[entry.slot] = entry
        else:
            entry.slot = len(self.slots)
            self.slots.append(entry)
        self.touched.add(entry.slot // _FAN_OUT)

    def remove(self, entry: _Entry) -> None:
        self.slots[entry.slot] = None
        self.free.append(entry.slot)
        self.touched.add(entry.slot // _FAN_OUT)
        entry.slot = -1

    def collect(self) -> list[_Entry]:
        """Entries whose memo may say something new. Tracked: subscribes to all of them."""
        self._repair()
        if self.levels:
            _ = self.levels[-1][0].value
        changed, self.changed = self.changed, []
        return changed

    def _repair(self) -> None:
        touched, self.touched = self.touched, set()
        depth = 0
        size = (len(self.slots) + _FAN_OUT - 1) // _FAN_OUT
        while size > 0:
            if depth == len(self.levels):
                self.levels.append([])
                touched = set(range(size))  # a new root over all that there is
            level = self.levels[depth]
            level.extend([None] * (size - len(level)))
            for index in touched:
                level[index] = Memo(self._reader(depth, index), name="items", equals="never")
            if size == 1:
                break
            touched = {index // _FAN_OUT for index in touched}
            size = (size + _FAN_OUT - 1) // _FAN_OUT
            depth += 1

    def _reader(self, depth: int, index: int) -> Callable[[], None]:
        begin, end = index * _FAN_OUT, (index + 1) * _FAN_OUT

        def read_entries() -> None:
            changed = self.changed
            for entry in self.slots[begin:end]:
                if entry is not None and entry.memo.value is not entry.result:
                    changed.append(entry)

        def read_nodes() -> None:
            for node in self.levels[depth - 1][begin:end]:
                _ = node.value

        return read_nodes if depth else read_entries


class _OrderedState(_ListState):
    """A part of the source's items, in an order that may be another."""

    def __init__(self, given: Any, key: Any, function: Callable[[Any], Any]) -> None:
        super().__init__(given, key)
        self.function = function
        self.tree = _Tree()
        self.shown: list[_Entry] = []  # the entries of the output

    def _begin(self, entry: _Entry) -> None:
        entry.memo = Memo(self._question(entry.item), name="item")
        entry.result = _UNKNOWN
        self.tree.add(entry)

    def _question(self, item: Any) -> Callable[[], Any]:
        function = self.function
        return lambda: function(item)

    def _drop(self, entry: _Entry) -> None:
        if entry.slot >= 0:
            self.tree.remove(entry)

    def _spliced(self, start: int, gone: list[_Entry], made: list[_Entry]) -> None:
        for entry in gone:
            self._hide(entry)
            entry.result = _UNKNOWN
        self._label(start, made)
        for entry in made:  # one that moves comes back as if it had changed
            self.tree.touched.add(entry.slot // _FAN_OUT)

    def _label(self, start: int, made: list[_Entry]) -> None:
        """Gives entries order labels between those of their neighbours."""
        count, entries = len(made), self.entries
        if not count:
            return
        stop = start + count
        before = entries[start - 1].order if start else None
        after = entries[stop].order if stop < len(entries) else None
        if before is None:
            first, step = (0 if after is None else after - count * _GAP), _GAP
        elif after is None:
            first, step = before + _GAP, _GAP
        else:
            step = (after - before) // (count + 1)
            first = before + step
            if step == 0:
                for index, entry in enumerate(entries):  # the order of all stays as it is
                    entry.order = index * _GAP
                return
        for index, entry in enumerate(made):
            entry.order = first + index * step

    def _settle(self) -> None:
        changed = self.tree.collect()
        if self.is_broken:
            self._settle_many(self.entries)
            return
        if len(changed) > 32 and len(changed) * 8 > len(self.shown):
            self._settle_many(changed)
            return
        for entry in changed:
            if entry.slot < 0:
                continue
            self._hide(entry)
            entry.result = _UNKNOWN
            entry.result = entry.memo.peek()
            if self._is_shown(entry):
                at = self._position(entry)
                self.shown.insert(at, entry)
                self._emit(at, at, [entry.item])

    def _settle_many(self, changed: list[_Entry]) -> None:
        """Orders everything anew, in one delta."""
        for entry in changed:
            if entry.slot >= 0:
                entry.result = entry.memo.peek()
        shown = [entry for entry in self.entries if self._is_shown(entry)]
        self._arrange(shown)
        start, old_stop, new_stop = 0, len(self.shown), len(shown)
        while start < min(old_stop, new_stop) and self.shown[start] is shown[start]:
            start += 1
        while (
            old_stop > start
            and new_stop > start
            and self.shown[old_stop - 1] is shown[new_stop - 1]
        ):
            old_stop -= 1
            new_stop -= 1
        self.shown = shown
        if start < old_stop or start < new_stop:
            self._emit(start, old_stop, [entry.item for entry in shown[start:new_stop]])

    def _hide(self, entry: _Entry) -> None:
        if self.is_broken or entry.result is _UNKNOWN or not self._is_shown(entry):
            return  # what is broken is arranged anew in the end
        at = self._position(entry)
        if at >= len(self.shown) or self.shown[at] is not entry:  # an order that is none, as NaN's
            at = self.shown.index(entry)
        del self.shown[at]
        self._emit(at, at + 1, [])

    def _is_shown(self, entry: _Entry) -> bool:
        raise NotImplementedError

    def _arrange(self, shown: list[_Entry]) -> None:
        raise NotImplementedError

    def _position(self, entry: _Entry) -> int:
        """Where the entry is in the output, or would be."""
        shown, is_before = self.shown, self._is_before
        low, high = 0, len(shown)
        while low < high:
            middle = (low + high) // 2
            if is_before(shown[middle], entry):
                low = middle + 1
            else:
                high = middle
        return low

    def _is_before(self, a: _Entry, b: _Entry) -> bool:
        raise NotImplementedError


class _Unknown:
    __slots__ = ()


_UNKNOWN = _Unknown()


class _FilterState(_OrderedState):
    def _question(self, item: Any) -> Callable[[], bool]:
        function = self.function
        return lambda: bool(function(item))

    def _is_shown(self, entry: _Entry) -> bool:
        return entry.result is True

    def _is_before(self, a: _Entry, b: _Entry) -> bool:
        return a.order < b.order

    def _arrange(self, shown: list[_Entry]) -> None:
        pass


class _SortState(_OrderedState):
    def __init__(self, given: Any, key: Any, function: Any, reverse: bool) -> None:
        super().__init__(given, key, function)
        self.reverse = reverse

    def _is_shown(self, entry: _Entry) -> bool:
        return entry.result is not _UNKNOWN

    def _is_before(self, a: _Entry, b: _Entry) -> bool:
        x, y = a.result, b.result
        if x < y:
            return not self.reverse
        if y < x:
            return self.reverse
        return a.order < b.order

    def _arrange(self, shown: list[_Entry]) -> None:
        shown.sort(key=lambda entry: entry.result, reverse=self.reverse)


class DerivedList(Sequence[T], Generic[T]):
    """A read-only list that follows another one. Made by `map_keyed`, `filter` and `sort`.

    Reading it (an item, a slice, its length, iteration, ``==``) subscribes to the list as a whole.
    It is up to date whenever it is read, also inside a batch, and computes nothing while nobody
    reads it.
    """

    __slots__ = ("__weakref__", "_memo", "_parts", "_state")
    __lattice_store__ = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, kind: type[_ListState], parts: tuple[Any, ...], name: str) -> None:
        self._parts = (kind, *parts)
        self._state: Memo[_ListState] = Memo(self._maker(), name=name, equals="is")
        self._memo: Memo[int] = Memo(self._updater(), name=name)

    def _maker(self) -> Callable[[], _ListState]:
        kind, *parts = self._parts

        def make() -> _ListState:
            with Untracked():
                return cast("_ListState", kind(*parts))

        return make

    def _updater(self) -> Callable[[], int]:
        state = self._state
        return lambda: state.value.update()

    def _pull(self) -> _ListState:
        _ = self._memo.value
        return self._state.peek()

    def _renew(self, kind: type[_ListState], parts: tuple[Any, ...]) -> None:
        """For a later render, whose functions may have captured other values."""
        new = (kind, *parts)
        if any(_state._differs(a, b, 4) for a, b in zip(self._parts, new, strict=True)):
            self._parts = new
            self._state._replace(self._maker(), True)
            self._memo._replace(self._updater(), True)

    def dispose(self) -> None:
        """Ends it, and what `map_keyed` made for its items."""
        self._memo.dispose()
        self._state.dispose()

    def __len__(self) -> int:
        return len(self._pull().items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._pull().items[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self._pull().items)

    def __reversed__(self) -> Iterator[T]:
        return cast("Iterator[T]", reversed(self._pull().items))

    def __contains__(self, value: object) -> bool:
        return value in self._pull().items

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, DerivedList):
            other = other._pull().items
        elif isinstance(other, ListNode):
            other = other._all()
        return self._pull().items == other if isinstance(other, list) else NotImplemented

    def __repr__(self) -> str:
        try:
            return repr(self._pull().items)
        except Exception as error:  # a function of the user's, or it was disposed
            return f"<DerivedList, {type(error).__name__}>"

    def copy(self) -> list[T]:
        """A plain list of the same items."""
        return list(self._pull().items)

    def __reduce_ex__(self, protocol: Any) -> Any:
        from lattice._store import _rebuild, snapshot

        return _rebuild, ([snapshot(item) for item in self],)

    def __deepcopy__(self, memo: Any) -> Any:
        from lattice._store import snapshot

        return [snapshot(item) for item in self]

    __copy__ = copy


def _make(word: str, kind: type[_ListState], parts: tuple[Any, ...], place: Hashable) -> Any:
    state = _state.current()
    if state is None or not _core.in_component_body():
        return DerivedList(kind, parts, word)
    return state.keep(
        word,
        sys._getframe(2),
        lambda: DerivedList(kind, parts, word),
        key=place,
        update=lambda kept: kept._renew(kind, parts),
    )


def map_keyed(
    source: Any,
    function: Callable[[Any], R],
    *,
    key: Callable[[Any], Hashable] | None = None,
    place: Hashable = None,
) -> DerivedList[R]:
    """A list of ``function(item)`` for each item of `source`, called once while the item is there.

    Effects, memos and cleanups that `function` makes belong to the item: they end when it leaves.

    Parameters
    ----------
    source : list of a store, DerivedList, or a signal, memo or function that gives a list
    function : callable
        Gets the item. What it reads is not tracked; use effects and memos inside it. What it
        raises every reader gets, until the list changes.
    key : callable, optional
        ``key(item)`` identifies an item when it moves, or when a signal gives a new list. By
        default items of a store go by identity and plain values by value. An item that is another
        object under the same key is mapped anew.
    place : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    DerivedList
        Read-only, with one entry per item, in the order of `source`.

    Examples
    --------
    >>> from lattice import store
    >>> words = store(["a", "b"])
    >>> upper = map_keyed(words, lambda word: print("maps", word) or word.upper())
    >>> list(upper)
    maps a
    maps b
    ['A', 'B']
    >>> words.insert(0, "c")
    >>> list(upper)
    maps c
    ['C', 'A', 'B']
    """
    _require(function, "map_keyed")
    return cast("DerivedList[R]", _make("map_keyed", _MapState, (source, key, function), place))


def filter(
    source: Any,
    predicate: Callable[[Any], object],
    *,
    place: Hashable = None,
) -> DerivedList[Any]:
    """A list of the items of `source` for which `predicate` is true.

    The predicate is asked again only about items in which what it read has changed.

    Parameters
    ----------
    source : list of a store, DerivedList, or a signal, memo or function that gives a list
    predicate : callable
        Gets the item; what it reads is tracked per item.
    place : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    DerivedList

    Examples
    --------
    >>> from lattice import store
    >>> todos = store([{"title": "a", "done": True}, {"title": "b", "done": False}])
    >>> still_open = filter(todos, lambda item: not item["done"])
    >>> [item["title"] for item in still_open]
    ['b']
    >>> todos[0]["done"] = False
    >>> [item["title"] for item in still_open]
    ['a', 'b']
    """
    _require(predicate, "filter")
    return cast("DerivedList[Any]", _make("filter", _FilterState, (source, None, predicate), place))


def sort(
    source: Any,
    *,
    key: Callable[[Any], Any] | None = None,
    reverse: bool = False,
    place: Hashable = None,
) -> DerivedList[Any]:
    """The items of `source` in ascending order, stable like `sorted`.

    Parameters
    ----------
    source : list of a store, DerivedList, or a signal, memo or function that gives a list
    key : callable, optional
        ``key(item)`` is what items are compared by, with ``<``; what it reads is tracked per item.
    reverse : bool
        Descending; equal items keep their order, as in `sorted`.
    place : hashable, optional
        In a component, tells apart the passes of a loop.

    Returns
    -------
    DerivedList

    Examples
    --------
    >>> from lattice import store
    >>> scores = store([{"n": 2}, {"n": 3}, {"n": 1}])
    >>> best = sort(scores, key=lambda row: row["n"], reverse=True)
    >>> [row["n"] for row in best]
    [3, 2, 1]
    >>> scores[2]["n"] = 9
    >>> [row["n"] for row in best]
    [9, 3, 2]
    """
    if key is not None:
        _require(key, "sort")
    parts = (source, None, key or _itself, bool(reverse))
    return cast("DerivedList[Any]", _make("sort", _SortState, parts, place))


def _itself(item: Any) -> Any:
    return item


def _require(function: Any, name: str) -> None:
    if not callable(function):
        raise TypeError(f"lt.{name}() takes a function of an item, not {type(function).__name__}")
    check_plain(function, f"what lt.{name}() calls", "it gives its result when it is called")
    check_call(function, 1, f"what lt.{name}() calls", "it gets the item")
