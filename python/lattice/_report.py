# SPDX-License-Identifier: MIT
"""How errors of the user's functions are logged: one record, the user's own frame first."""

from __future__ import annotations

import logging
import os
import traceback

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep

logger = logging.getLogger("lattice")


def user_place(error: BaseException) -> str:
    """`app.py:12 in load`: the innermost frame outside this package, "" when there is none."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            place = f"{os.path.basename(code.co_filename)}:{line} in {code.co_name}"
    return place


def log_exception(error: BaseException, what: str) -> None:
    """Logs `error`, raised by `what` ("effect 'log'"), as one record of the logger "lattice"."""
    place = user_place(error)
    where = f"{place}: " if place else ""
    name = type(error).__name__
    logger.error("%s%s in %s: %s", where, name, what, error, exc_info=error)
