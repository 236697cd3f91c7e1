# SPDX-License-Identifier: MIT
"""Tables of numbers whose rows are computed as lanes: `columns` and `memo_columns`.

A column is one array and one signal, which says that rows have changed; a journal says which. A
column memo keeps its own array and the places up to which it has read its columns' journals. When
it is read it computes the rows in question: all of them in one pass of the kernel over the columns,
or the few that changed, gathered. What it changes stands in a journal of its own, so that memos of
memos work in proportion too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lattice._core import Memo
from lattice.jit import vectorize
from lattice.reactive import memo, signal

__all__ = ["Column", "ColumnMemo", "Columns", "columns", "memo_columns"]

_ENTRIES_MAX = 4096
# Above this part of the rows one pass over all of them is cheaper than gathering and scattering.
_PART = 0.125


def _numpy() -> Any:
    import numpy

    return numpy


class _Journal:
    """Which rows have changed: entries (a row, or an array of rows), oldest first."""

    __slots__ = ("entries", "rows", "start")

    def __init__(self) -> None:
        self.start = 0  # number of the first entry that is kept
        self.entries: list[Any] = []
        self.rows = 0

    @property
    def end(self) -> int:
        return self.start + len(self.entries)

    def add(self, rows: Any, count: int, total: int) -> None:
        self.entries.append(rows)
        self.rows += count
        if len(self.entries) > _ENTRIES_MAX or self.rows > total:
            self.everything()

    def everything(self) -> None:
        """All rows have changed; who has read less reads all."""
        self.start = self.end + 1
        self.entries = []
        self.rows = 0

    def since(self, place: int) -> list[Any] | None:
        """The entries from a place on; None when all rows are meant."""
        return self.entries[place - self.start :] if place >= self.start else None


class Column:
    """One column of a table: reads subscribe, writes tell which rows changed."""

    __slots__ = ("_array", "_journal", "_version", "name")

    def __init__(self, name: str, values: Any) -> None:
        np = _numpy()
        array = np.array(values)
        if array.ndim != 1 or array.dtype.kind not in "bifu" or array.dtype.itemsize > 8:
            raise TypeError(
                f"the column {name!r} is one row of numbers, not an array of shape {array.shape} "
                f"and dtype {array.dtype}"
            )
        self.name = name
        self._array = array
        self._journal = _Journal()
        self._version = signal(0, name=name)

    def __len__(self) -> int:
        return len(self._array)

    @property
    def value(self) -> Any:
        """The column as an array that cannot be written; later writes show in it."""
        self._version.value  # noqa: B018 - subscribes
        view = self._array.view()
        view.flags.writeable = False
        return view

    def __getitem__(self, key: Any) -> Any:
        found = self.value[key]
        return found.copy() if found.ndim else found.item()

    def __setitem__(self, key: Any, values: Any) -> None:
        np = _numpy()
        array = self._array
        if isinstance(key, slice) and key == slice(None):
            old = array.copy()
            array[:] = values
            if np.array_equal(old, array, equal_nan=array.dtype.kind == "f"):
                return
            self._journal.everything()
            self._version.update(lambda version: version + 1)
            return
        before = array[key]
        if before.ndim == 0:  # one row
            array[key] = values
            after = array[key]
            if before == after or (before != before and after != after):
                return
            row = int(key)
            self._journal.add(row + len(array) if row < 0 else row, 1, len(array))
        else:
            rows = np.arange(len(array))[key].ravel()
            before = before.copy().ravel()
            array[key] = values
            after = array[rows]
            rows = rows[(before != after) & ((before == before) | (after == after))]
            if not len(rows):
                return
            self._journal.add(rows, len(rows), len(array))
        self._version.update(lambda version: version + 1)

    def __repr__(self) -> str:
        return f"<Column {self.name}: {len(self._array)} rows of {self._array.dtype}>"

    # What column memos ask
    def _current(self) -> Any:
        self._version.value  # noqa: B018 - subscribes
        return self._array


class Columns(Mapping[str, Any]):
    """A table: columns of equal length by name. Made by `columns`."""

    def __init__(self, by_name: Mapping[str, Any]) -> None:
        self._columns: dict[str, Any] = {}
        for name, values in by_name.items():
            own = isinstance(values, (Column, ColumnMemo))
            self._columns[name] = values if own else Column(name, values)
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns of a table have one length, not {lengths}")

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        rows = len(next(iter(self._columns.values()))) if self._columns else 0
        return f"<Columns {', '.join(self._columns)}: {rows} rows>"


def columns(table: Mapping[str, Any] | None = None, /, **more: Any) -> Columns:
    """Makes a table of numbers, for `memo_columns`.

    Parameters
    ----------
    table, **more : mapping, array_like
        Columns by name: arrays or sequences of equal length, which are copied; columns of other
        tables and column memos, which are shared.

    Returns
    -------
    Columns
        ``table["price"][7] = 3.5`` writes a row, ``[2:5]`` or an array of rows several;
        ``table["price"].value`` reads. It belongs to the session that makes it.

    Examples
    --------
    >>> table = columns(price=[2.5, 4.0, 1.0], count=[2.0, 1.0, 10.0])
    >>> total = memo_columns(lambda price, count: price * count, table)
    >>> total.value
    array([ 5.,  4., 10.])
    >>> table["count"][1] = 3.0
    >>> total[1]
    12.0
    """
    return Columns({**(table or {}), **more})


class ColumnMemo:
    """Equal memos, one for each row of a table. Made by `memo_columns`."""

    __slots__ = (
        "__weakref__",
        "_array",
        "_journal",
        "_kernel",
        "_memo",
        "_places",
        "_sources",
        "computed",
        "name",
    )

    def __init__(self, function: Callable[..., Any], sources: list[Any], name: str | None) -> None:
        self.name = name or getattr(function, "__name__", "") or "columns"
        self._kernel = vectorize(function)
        self._sources = sources
        self._places: list[int] | None = None  # in the sources' journals; None: never computed
        self._array: Any = None
        self._journal = _Journal()
        self.computed = 0
        self._memo: Memo[int] = memo(self._refresh, name=self.name, native=False)

    def __len__(self) -> int:
        return len(self._sources[0])

    @property
    def value(self) -> Any:
        """The results as an array that cannot be written; later runs show in it."""
        view = self._current().view()
        view.flags.writeable = False
        return view

    def peek(self) -> Any:
        """The results, without subscribing."""
        self._memo.peek()
        view = self._array.view()
        view.flags.writeable = False
        return view

    def __getitem__(self, key: Any) -> Any:
        found = self._current()[key]
        return found.copy() if found.ndim else found.item()

    def row(self, index: int) -> Memo[Any]:
        """A memo of one row: its readers run only when that row has changed."""
        return memo(
            lambda: self._current()[index].item(), name=f"{self.name}[{index}]", native=False
        )

    @property
    def runs(self) -> int:
        """How often rows were computed; `computed` counts the rows."""
        return self._memo.runs

    @property
    def native(self) -> bool:
        """Whether the function runs as machine code."""
        return bool(self._kernel.compiled)

    @property
    def native_reason(self) -> str | None:
        """Why it does not."""
        if self._places is None:
            return "not computed yet"
        return None if self.native else str(self._kernel.fallback)

    def dispose(self) -> None:
        """Ends it; later use raises DisposedError."""
        self._memo.dispose()

    def __repr__(self) -> str:
        return f"<ColumnMemo {self.name}: {len(self)} rows>"

    def _current(self) -> Any:
        self._memo.value  # noqa: B018 - computes and subscribes
        return self._array

    def _refresh(self) -> int:
        arrays = [source._current() for source in self._sources]
        journals = [source._journal for source in self._sources]
        rows = self._changed(journals)
        if rows is None:
            self._compute_all(arrays)
        elif len(rows):
            self._compute_some(arrays, rows)
        self._places = [journal.end for journal in journals]
        return self._journal.end

    def _changed(self, journals: list[_Journal]) -> Any:
        """The rows to compute; None when all."""
        if self._places is None:
            return None
        np = _numpy()
        single: list[int] = []
        parts: list[Any] = []
        for journal, place in zip(journals, self._places, strict=True):
            entries = journal.since(place)
            if entries is None:
                return None
            for entry in entries:
                if type(entry) is int:
                    single.append(entry)
                else:
                    parts.append(entry)
        if sum(map(len, parts)) + len(single) > _PART * len(self):
            return None
        return np.unique(np.concatenate([*parts, np.array(single, dtype=np.intp)]))

    def _compute_all(self, arrays: list[Any]) -> None:
        np = _numpy()
        self.computed += len(self)
        self._journal.everything()
        if self._array is not None and self._kernel.compiled:
            self._kernel(*arrays, out=self._array)
            return
        made = np.asarray(self._kernel(*arrays))
        if made.ndim == 0:  # it looks at no column
            made = np.full(len(self), made)
        self._array = made if made.flags.owndata else made.copy()

    def _compute_some(self, arrays: list[Any], rows: Any) -> None:
        np = _numpy()
        self.computed += len(rows)
        made = np.asarray(self._kernel(*[array[rows] for array in arrays]))
        if made.dtype != self._array.dtype:
            return self._compute_all(arrays)
        before = self._array[rows]
        is_changed = (before != made) & ((before == before) | (made == made))
        if not is_changed.any():
            return None
        rows = rows[is_changed]
        self._array[rows] = made[is_changed]
        self._journal.add(rows, len(rows), len(self))
        return None


def memo_columns(
    function: Callable[..., Any],
    table: Columns | Mapping[str, Any],
    *,
    name: str | None = None,
) -> ColumnMemo:
    """Makes equal memos, one for each row of a table, which run as lanes of one kernel.

    Reading the result computes the rows whose columns have changed since it was last read: a few
    by themselves, many in one pass.

    Parameters
    ----------
    function : callable
        Computes a row. Its parameters are names of the table's columns; others are not looked at.
        It is compiled as by `vectorize`: numbers are elements of NumPy's types, and what cannot be
        compiled runs in Python row by row, with a warning.
    table : Columns or mapping
        Made by `columns`; a mapping of arrays, columns and column memos is made into one.
    name : str, optional
        For messages; otherwise the function's name.

    Returns
    -------
    ColumnMemo
        ``.value`` is the array of results, ``[5]`` one of them, ``.row(5)`` a memo of one row.

    Raises
    ------
    TypeError
        A parameter is no column.
    """
    given = table if isinstance(table, Columns) else Columns(table)
    names = list(inspect.signature(function).parameters)
    missing = [item for item in names if item not in given]
    if missing or not names:
        raise TypeError(
            f"memo_columns: the parameters of {getattr(function, '__name__', function)!r} are "
            f"columns of the table ({', '.join(given)}), not {', '.join(missing) or 'nothing'}"
        )
    return ColumnMemo(function, [given[item] for item in names], name)
