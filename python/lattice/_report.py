# SPDX-License-Identifier: MIT
"""How errors of the user's functions are logged: one record, the user's own frame first."""

from __future__ import annotations

import logging

from lattice._frames import place_of

logger = logging.getLogger("lattice")


def log_exception(error: BaseException, what: str) -> None:
    """Logs `error`, raised by `what` ("effect 'log'"), as one record of the logger "lattice"."""
    place = place_of(error)
    where = f"{place}: " if place else ""
    name = type(error).__name__
    logger.error("%s%s in %s: %s", where, name, what, error, exc_info=error)
