# SPDX-License-Identifier: MIT
"""Components: functions that describe a part of a page, and the elements they are made of.

``@component`` turns a function into a `Component`. Calling that makes an element; its body runs
when the element is mounted in a page, and again when a signal that it read changes. State that the
body creates (`lattice.signal`, `lattice.memo`, `lattice.effect`) is kept by its name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable
from typing import Any, Generic, ParamSpec

from lattice import _core, _state
from lattice._elements import (
    a,
    br,
    button,
    div,
    form,
    h1,
    h2,
    h3,
    h4,
    hr,
    img,
    input_,
    label,
    li,
    ol,
    p,
    span,
    table,
    tbody,
    td,
    th,
    thead,
    tr,
    ul,
)

VNode = _core.VNode

__all__ = [
    "Component",
    "ComponentElement",
    "VNode",
    "a",
    "br",
    "button",
    "component",
    "div",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "hr",
    "img",
    "input_",
    "label",
    "li",
    "ol",
    "p",
    "span",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
]

P = ParamSpec("P")


class ComponentElement:
    """A component with its props: what a call of a component gives, to be put into a tree.

    Parameters
    ----------
    component : Component
        What will be mounted.
    args, kwargs
        The props, handed to the body as they are.
    key : str or int, optional
        Identity among siblings.
    """

    __slots__ = ("_state", "args", "component", "key", "kwargs")

    def __init__(
        self,
        component: Component[...],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: Hashable = None,
    ) -> None:
        self.component = component
        self.args = args
        self.kwargs = kwargs
        self.key = key
        self._state: _state.InstanceState | None = None

    def render(self) -> Any:
        """Runs the body once, outside any page, and returns its tree.

        Calling it again on the same element finds the state of the call before.
        """
        if self._state is None:
            self._state = _state.InstanceState(self.component.__name__)
        with _core.rendering(self.component.__name__):
            return self._render(self._state)

    def _render(self, state: _state.InstanceState) -> Any:
        return state.render(functools.partial(self.component.function, *self.args, **self.kwargs))

    def _new_state(self) -> _state.InstanceState:
        return _state.InstanceState(self.component.__name__)

    def _same_props(self, other: ComponentElement) -> bool:
        """Whether `other`, an element of the same component, would render the same."""
        if len(self.args) != len(other.args) or self.kwargs.keys() != other.kwargs.keys():
            return False
        same = _state.same_prop
        return all(map(same, self.args, other.args)) and all(
            same(value, other.kwargs[name]) for name, value in self.kwargs.items()
        )

    def __repr__(self) -> str:
        shown = [repr(arg) for arg in self.args]
        shown += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"<{self.component.__name__}({', '.join(shown)})>"


class Component(Generic[P]):
    """A function that describes a part of a page. Made by `component`.

    Parameters
    ----------
    function : callable
        The body. Its parameters are the props; it returns an element, a component element, text,
        a list of these, or None.
    """

    __lattice_component__ = True

    def __init__(self, function: Callable[P, Any]) -> None:
        if not callable(function):
            raise TypeError(f"@component takes a function, not {type(function).__name__}")
        if inspect.iscoroutinefunction(function):
            raise TypeError(
                f"the component {function.__name__!r} is an async function; its body must be a "
                "plain function. Load data in a handler or an effect and write it to a signal."
            )
        self.function = function
        self._takes_key = _takes_key(function)
        functools.update_wrapper(self, function)
        self.__name__: str = getattr(function, "__name__", type(function).__name__)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> ComponentElement:
        key = None if self._takes_key else kwargs.pop("key", None)
        return ComponentElement(self, args, kwargs, key)

    def render(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Runs the body once with these props, outside any page, and returns its tree."""
        return self(*args, **kwargs).render()

    def __repr__(self) -> str:
        return f"<component {self.__name__}>"


def _takes_key(function: Callable[..., Any]) -> bool:
    try:
        return "key" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def component(function: Callable[P, Any]) -> Component[P]:
    """Makes a component of a function.

    Parameters
    ----------
    function : callable
        The body; see `Component`.

    Returns
    -------
    Component
        Call it to make an element. An extra keyword ``key=`` sets the element's identity among
        its siblings.

    Examples
    --------
    >>> @component
    ... def greeting(name):
    ...     return p(f"Hello {name}")
    >>> greeting("Ada").render().to_dict()["children"]
    ['Hello Ada']
    """
    return Component(function)
