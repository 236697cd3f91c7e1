# SPDX-License-Identifier: MIT
"""Context and error boundaries: what belongs to everything below a place in the ownership tree."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

from lattice import _core, _state
from lattice._functions import check_call, check_plain

T = TypeVar("T")


class Context(Generic[T]):
    """A value that everything below an owner finds. Made by `context`."""

    __slots__ = ("_default", "_key")

    def __init__(self, default: T) -> None:
        self._key = _core.new_context()
        self._default = default

    def __repr__(self) -> str:
        return f"<Context, default {self._default!r}>"

    def provide(self, value: T) -> None:
        """Leaves `value` for the current component, scope, effect or memo and what it makes later.

        What an effect or memo has provided is gone with its next run.

        Raises
        ------
        LatticeError
            At module level of a served app, whose sessions would not see it.
        """
        _core.provide(self._key, value)

    def use(self) -> T:
        """The value of the nearest provider above, else the default. Not tracked."""
        return cast("T", _core.provided(self._key, self._default))


def context(default: T) -> Context[T]:
    """Makes a context: hands a value down without passing it through every function between.

    Parameters
    ----------
    default : object
        What `use` gives where nobody has provided anything.

    Returns
    -------
    Context
        ``provide(value)`` in a component, scope, effect or memo; ``use()`` below it. Provide a
        signal when users should follow a value that changes.

    Examples
    --------
    >>> theme = context("light")
    >>> with lt.Scope():
    ...     theme.provide("dark")
    ...     shown = lt.effect(lambda: print(theme.use()))
    dark
    >>> theme.use()
    'light'
    """
    return Context(default)


def error_boundary(
    function: Callable[[], T], handler: Callable[[Exception], object], *, key: Hashable = None
) -> T | None:
    """Calls `function`; errors of what it makes, and its own, go to `handler`.

    An error of an effect, cleanup or equality function below goes to the nearest boundary, and what
    its handler raises to the next one above; without any it is logged. A memo keeps its error for
    its readers: the boundary gets it when an effect below has read it. An effect that failed stays
    subscribed.

    Parameters
    ----------
    function : callable
        Without arguments.
    handler : callable
        Gets the exception. It runs untracked.
    key : hashable, optional
        In a component, where the boundary is found again, tells apart the passes of a loop.

    Returns
    -------
    object
        The result of `function`, None when it raised.

    Examples
    --------
    >>> ratio = lt.signal(1)
    >>> watched = error_boundary(
    ...     lambda: lt.effect(lambda: print(1 / ratio.value)),
    ...     lambda error: print("caught", error),
    ... )
    1.0
    >>> ratio.value = 0
    caught division by zero
    """
    check_plain(function, "what error_boundary() calls", "its errors would come later")
    check_call(function, 0, "what error_boundary() calls", "bind them (lambda: f(x))")
    check_plain(handler, "an error handler", "it would not run")
    check_call(handler, 1, "an error handler", "it gets the exception")
    state = _state._rendering.state
    if state is None or not _core.in_component_body():
        return cast("T | None", _core.Boundary(handler).run(function))
    boundary = state.keep(
        "error_boundary",
        sys._getframe(1),
        lambda: _core.Boundary(handler),
        key=key,
        update=lambda kept: kept.replace(handler),
    )
    return cast("T | None", boundary.run(function))
