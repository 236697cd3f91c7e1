# SPDX-License-Identifier: MIT
"""The name that the result of a call is assigned to, read from the caller's bytecode."""

from __future__ import annotations

import dis
from types import CodeType

__all__ = ["find_assigned_name"]


def find_assigned_name(code: CodeType, offset: int) -> str:
    """The name that the call at `offset` of `code` is stored under, "" when there is none.

    Parameters
    ----------
    code : code
        Of the frame that makes the call.
    offset : int
        The frame's ``f_lasti``. While a Python function runs that the frame has called, this is the
        last cache entry of the call and not the call itself.
    """
    loaded = False
    for instruction in dis.get_instructions(code):
        if instruction.offset <= offset or instruction.opname in ("CACHE", "COPY", "NOP"):
            continue  # COPY: the walrus operator
        if instruction.opname == "STORE_ATTR" or (
            instruction.opname.startswith("STORE_")
            and instruction.opname not in ("STORE_SUBSCR", "STORE_SLICE")
            and not loaded
        ):
            value = instruction.argval
            # Since 3.13 one instruction may store this value and then do something else.
            return str(value[0] if isinstance(value, tuple) else value)
        if not instruction.opname.startswith("LOAD_") or instruction.opname == "LOAD_CONST":
            return ""
        loaded = True  # the object whose attribute it becomes
    return ""
