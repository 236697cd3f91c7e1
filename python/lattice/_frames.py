# SPDX-License-Identifier: MIT
"""Which frames of a traceback are the user's own: those that an error is told by."""

from __future__ import annotations

import os
import sys
import traceback
from types import FrameType, TracebackType

__all__ = ["is_foreign", "own_frames", "place_of"]

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STANDARD = os.path.dirname(os.__file__) + os.sep


def is_foreign(filename: str) -> bool:
    """Whether a file is of this package, of Python's library or of an installed package."""
    if filename.startswith((_PACKAGE, "<frozen", _STANDARD, sys.prefix + os.sep)):
        return True
    return "site-packages" in filename


def own_frames(tb: TracebackType | None) -> list[tuple[FrameType, int]]:
    """The user's frames with their lines, innermost first; all frames when none is the user's.

    It looks at nothing but the frames, since it is also called where the stack is nearly full.
    """
    frames = list(traceback.walk_tb(tb))[::-1]
    return [each for each in frames if not is_foreign(each[0].f_code.co_filename)] or frames


def place_of(error: BaseException) -> str:
    """``app.py:12 in load`` of the innermost one outside this package, "" without one."""
    for frame, line in own_frames(error.__traceback__):
        code = frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            return f"{os.path.basename(code.co_filename)}:{line} in {code.co_name}"
    return ""
