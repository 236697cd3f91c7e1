# SPDX-License-Identifier: MIT
"""What kind of value a type makes, for the ``equals="auto"`` policy of signals and memos.

Asked once per type by ``lattice._core``; the exact built-in types never get here.
"""

from __future__ import annotations

import array
import dataclasses
import datetime
import decimal
import enum
import numbers
import pathlib
import uuid
import weakref
from collections.abc import MutableMapping, MutableSequence, MutableSet
from typing import Any

# As in python/bindings/equality.cpp.
IDENTITY, ATOM, TUPLE, FROZEN_DATACLASS, CONTAINER, ARRAY, DATACLASS = range(7)

_ATOMS = (
    numbers.Number,
    decimal.Decimal,
    str,
    bytes,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.tzinfo,
    enum.Enum,
    uuid.UUID,
    pathlib.PurePath,
    range,
)
_CONTAINERS = (list, dict, set, bytearray, MutableSequence, MutableMapping, MutableSet)
_ARRAY_MARKS = (
    "__array_interface__",
    "__array_struct__",
    "__array__",
    "__dataframe__",
    "__arrow_c_stream__",
    "__arrow_c_array__",
    "__dlpack__",
)

_known: weakref.WeakKeyDictionary[type, int] = weakref.WeakKeyDictionary()


def classify(kind: type) -> int:
    """The class of values that `kind` makes: one of the constants of this module."""
    known = _known.get(kind)
    if known is None:
        known = _known[kind] = _classify(kind)
    return known


def _classify(kind: type) -> int:
    if hasattr(kind, "__lattice_store__"):  # changes inside are told to who reads them
        return IDENTITY
    if issubclass(kind, _ATOMS) or _is_numpy_scalar(kind):
        return ATOM
    if issubclass(kind, array.array) or any(hasattr(kind, mark) for mark in _ARRAY_MARKS):
        return ARRAY
    if issubclass(kind, tuple):
        return TUPLE
    if issubclass(kind, _CONTAINERS):
        return CONTAINER
    if dataclasses.is_dataclass(kind):
        params: Any = getattr(kind, "__dataclass_params__")  # noqa: B009 - not in typeshed
        return FROZEN_DATACLASS if params.frozen and params.eq else DATACLASS
    return IDENTITY


def _is_numpy_scalar(kind: type) -> bool:
    return any(base.__module__ == "numpy" and base.__name__ == "generic" for base in kind.__mro__)
