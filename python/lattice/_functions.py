# SPDX-License-Identifier: MIT
"""Checks of the functions that users give: what could never work is refused where it is given."""

from __future__ import annotations

import inspect
from types import FunctionType, MethodType

_NUMBERS = ("no argument", "one argument", "two arguments")
_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def _plain_function(function: object) -> tuple[FunctionType | None, int]:
    """The Python function behind `function`, and how many of its arguments are bound."""
    if isinstance(function, MethodType) and isinstance(function.__func__, FunctionType):
        return function.__func__, 1
    return (function, 0) if isinstance(function, FunctionType) else (None, 0)


def is_async(function: object) -> bool:
    """Whether calling `function` gives a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )


def check_call(function: object, arguments: int, what: str, cure: str = "") -> None:
    """Raises TypeError when `function` cannot be called with so many arguments.

    Only Python functions and methods are looked at; the call of anything else will tell.
    """
    plain, bound = _plain_function(function)
    if plain is None:
        return
    code = plain.__code__
    given = arguments + bound
    required = code.co_argcount - len(plain.__defaults__ or ())
    keywords = code.co_kwonlyargcount - len(plain.__kwdefaults__ or ())
    takes_more = code.co_flags & inspect.CO_VARARGS
    if required <= given and (takes_more or given <= code.co_argcount) and keywords <= 0:
        return
    names = code.co_varnames[bound : code.co_argcount + code.co_kwonlyargcount]
    raise TypeError(
        f"{what} is called with {_NUMBERS[arguments]}, but {plain.__name__!r} has the parameters "
        f"({', '.join(names)}){'; ' if cure else ''}{cure}"
    )


def check_plain(function: object, what: str, cure: str) -> None:
    """Raises TypeError for an async function or a generator, whose call does nothing by itself."""
    plain, _ = _plain_function(function)
    if plain is None:
        return
    flags = plain.__code__.co_flags
    if flags & inspect.CO_COROUTINE:
        raise TypeError(f"{what} is a plain function, but {plain.__name__!r} is async; {cure}")
    if flags & _GENERATOR:
        raise TypeError(
            f"{what} is a plain function, but {plain.__name__!r} is a generator (it has a yield), "
            f"which would not run; {cure}"
        )
