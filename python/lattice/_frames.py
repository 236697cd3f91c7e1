# SPDX-License-Identifier: MIT
"""Which frames of a traceback are the user's own: those that an error is told by."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType

__all__ = ["is_foreign", "own_frames", "place_of"]

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STANDARD = os.path.dirname(os.__file__) + os.sep


def is_foreign(filename: str) -> bool:
    """Whether a file is of this package, of Python's library or of an installed package."""
    if filename.startswith((_PACKAGE, "<frozen", _STANDARD, sys.prefix + os.sep)):
        return True
    return "site-packages" in filename


def own_frames(tb: TracebackType | None) -> list[traceback.FrameSummary]:
    """The user's frames, innermost first; all frames when none is the user's."""
    frames = list(reversed(traceback.extract_tb(tb)))
    return [frame for frame in frames if not is_foreign(frame.filename)] or frames


def place_of(error: BaseException) -> str:
    """``app.py:12 in load`` of the innermost one outside this package, "" without one."""
    for frame in own_frames(error.__traceback__):
        if not frame.filename.startswith(_PACKAGE):
            return f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}"
    return ""
