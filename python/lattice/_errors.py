# SPDX-License-Identifier: MIT
"""How an exception of user code is told to people: the user's own frames, innermost first."""

from __future__ import annotations

import os
import traceback

from lattice._frames import own_frames

__all__ = ["describe"]

_FRAMES_MAX = 20


def describe(error: BaseException) -> tuple[str, str]:
    """Title and detail of an error: what happened, and where in the user's code.

    Parameters
    ----------
    error : exception

    Returns
    -------
    title : str
        One line: type and message.
    detail : str
        A line per frame, ``file.py:12 in add: source line``; the user's frames come first, from the
        innermost out; frames of installed packages follow only when there is no user frame.
    """
    try:
        message = str(error).strip()
    except Exception as failure:
        message = f"<its message cannot be shown: {type(failure).__name__}>"
    title = f"{type(error).__name__}: {message}" if message else type(error).__name__
    frames = own_frames(error.__traceback__)[:_FRAMES_MAX]
    lines = [_line(frame) for frame in traceback.StackSummary.extract(iter(frames))]
    if isinstance(error, SyntaxError) and error.filename:
        lines.insert(0, f"{error.filename}:{error.lineno}")
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        lines.append(f"caused by {type(cause).__name__}: {cause}")
    return _encodable(title), _encodable("\n".join(lines))


def _encodable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _line(frame: traceback.FrameSummary) -> str:
    source = f": {frame.line}" if frame.line else ""
    return f"{_short(frame.filename)}:{frame.lineno} in {frame.name}{source}"


def _short(filename: str) -> str:
    try:
        relative = os.path.relpath(filename)
    except ValueError:  # another drive
        return filename
    return filename if relative.startswith("..") else relative
