# SPDX-License-Identifier: MIT
"""What can go wrong while a function is traced, told in terms of the user's own lines."""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

from lattice.reactive import TraceError

__all__ = [
    "ConcreteValueError",
    "SideEffectError",
    "TraceError",
    "TypeConflictError",
    "UnsupportedError",
    "locate",
    "no_derivative",
    "place_of",
    "told",
]

_HERE = __file__.rpartition("/")[0] + "/"


class UnsupportedError(TraceError):
    """A construct that has no native form; `jit` runs the function as plain Python instead."""


class ConcreteValueError(TraceError):
    """A value that is known only when the kernel runs is needed while it is traced."""


class TypeConflictError(TraceError):
    """A variable has types that do not unify, from two branches or from one round to the next."""


class SideEffectError(TraceError):
    """A traced function does something besides computing its result."""


def _is_own(code: CodeType) -> bool:
    return code.co_filename.startswith(_HERE)


def locate(frame: FrameType | None = None) -> tuple[str, int, int, str]:
    """File, line, column and function of the innermost frame that is not the tracer's.

    Columns count from 1; 0 when unknown.
    """
    here = frame if frame is not None else sys._getframe(1)
    at: FrameType | None = here
    while at is not None and _is_own(at.f_code):
        at = at.f_back
    if at is None:
        return "<unknown>", 0, 0, "<unknown>"
    return place_of(at)


def place_of(frame: FrameType) -> tuple[str, int, int, str]:
    """File, line, column and function of a frame."""
    code = frame.f_code
    column = 0
    index = frame.f_lasti // 2
    for position, (_, _, start, _) in enumerate(code.co_positions()):
        if position == index:
            column = (start or 0) + 1 if start is not None else 0
            break
    return code.co_filename, frame.f_lineno, column, code.co_name


def told(
    kind: type[TraceError],
    what: str,
    *,
    cure: str,
    at: tuple[str, int, int, str] | None = None,
) -> TraceError:
    """An error of a kind: place, what happened, cure. Three lines, and the source line."""
    file, line, column, _ = at if at is not None else locate(sys._getframe(1))
    where = f"{file}:{line}:{column}" if column else f"{file}:{line}"
    source = _source_line(file, line)
    shown = f"\n    {source}" if source else ""
    error = kind(f"{where}: {what}{shown}\n  cure: {cure}")
    error.filename = file  # type: ignore[attr-defined]
    error.lineno = line  # type: ignore[attr-defined]
    error.column = column  # type: ignore[attr-defined]
    error.reason = what  # type: ignore[attr-defined]
    return error


def no_derivative(what: str, file: str, line: int) -> TraceError:
    """The error of a function that cannot be differentiated, at the line of the operation."""
    at = (file, line, 0, "") if file else None
    reason = what.partition(" (")[0] if file else what
    return told(
        UnsupportedError,
        reason,
        cure="write this part with functions that have one, or keep it out of what is derived",
        at=at,
    )


def _source_line(file: str, line: int) -> str:
    import linecache

    text: Any = linecache.getline(file, line)
    return str(text).strip()
