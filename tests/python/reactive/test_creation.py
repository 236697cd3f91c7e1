# SPDX-License-Identifier: MIT
"""Making signals and memos: the quick way for the usual call, and the names that they find."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import pydoc
import types
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt
from lattice import _core, _state, reactive


@pytest.mark.parametrize("function", [lt.signal, lt.memo])
def test_the_quick_functions_look_like_functions(function: Any) -> None:
    plain = inspect.unwrap(function)
    assert isinstance(plain, types.FunctionType)
    assert inspect.isroutine(function)
    assert inspect.signature(function) == inspect.signature(plain)
    assert function.__name__ == plain.__name__
    assert function.__module__ == "lattice.reactive"
    assert function.__doc__ == plain.__doc__
    assert repr(function) == repr(plain)
    text = pydoc.render_doc(function, renderer=pydoc.plaintext)
    assert f"{function.__name__}(" in text
    assert "key: 'Hashable' = None" in text
    assert "Parameters" in text
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function
    with pytest.raises(AttributeError, match="nothing_of_it"):
        function.nothing_of_it  # noqa: B018


def test_as_an_attribute_of_a_class_it_stays_a_function() -> None:
    class Maker:
        make = lt.signal

    assert Maker().make(3).value == 3


def test_wrong_arguments_are_refused_as_by_the_function() -> None:
    with pytest.raises(TypeError, match=r"signal\(\) missing 1 required positional argument"):
        lt.signal()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"signal\(\) takes 1 positional argument but 2 were given"):
        lt.signal(1, 2)  # type: ignore[misc]
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        lt.memo(lambda: 1, other=2)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="made of a function"):
        lt.memo(5)  # type: ignore[call-overload]


async def later() -> int:
    return 1


def generator() -> Any:
    yield 1


def with_parameter(x: int) -> int:
    return x


def with_keyword(*, x: int) -> int:
    return x


@pytest.mark.parametrize("function", [later, generator, with_parameter, with_keyword])
def test_functions_that_cannot_work_are_refused_on_the_quick_way_too(
    function: Callable[..., Any],
) -> None:
    with pytest.raises(TypeError):
        lt.memo(function)


def test_functions_of_all_plain_kinds_make_memos() -> None:
    @functools.cache
    def cached() -> int:
        return 4

    def marked() -> int:
        return 5

    marked.mark = True  # type: ignore[attr-defined]

    class Callee:
        def __call__(self) -> int:
            return 6

        def method(self) -> int:
            return 7

    made = [
        lt.memo(lambda x=3: x),
        lt.memo(cached),
        lt.memo(marked),
        lt.memo(Callee()),
        lt.memo(Callee().method),
        lt.memo(lambda *args, **kwargs: 8 + len(args)),
        lt.memo(name="nine")(lambda: 9),
    ]
    assert [m.value for m in made] == [3, 4, 5, 6, 7, 8, 9]


def test_both_ways_to_the_same_node() -> None:
    plain: Any = inspect.unwrap(reactive.signal)
    quick_one = lt.signal(1)
    plain_one = plain(1)
    quick_one.value = plain_one.value = 2
    assert repr(quick_one) == "<Signal quick_one=2>"
    assert repr(plain_one) == "<Signal plain_one=2>"


def test_unpacking_gives_each_its_name() -> None:
    a, b = lt.signal(0), lt.signal(1)
    c, d, e, f = lt.signal(2), lt.memo(lambda: 3), 4, lt.signal([5])
    assert [x.name for x in (a, b, c, d, f)] == ["a", "b", "c", "d", "f"]
    assert e == 4


def test_attributes_and_values_between_do_not_mislead() -> None:
    class Box:
        first: Any
        second: Any

    box = Box()
    box.first, box.second = lt.signal(0), lt.signal(1)
    one, _other = lt.signal(2, name=None), len([3]) + 4
    last = again = lt.signal(5)
    listed = [lt.signal(6)]
    nested, (_inner, _more) = lt.signal(7), (lt.signal(8), 9)
    assert [x.name for x in (box.first, box.second, one, last, again)] == [
        "first",
        "second",
        "one",
        "last",
        "last",
    ]
    assert [x.name for x in (listed[0], nested)] == ["", "nested"]


def test_unpacked_state_of_a_component_is_kept_by_its_names() -> None:
    state = _state.InstanceState("pair")

    def body() -> Any:
        left, right = lt.signal(1), lt.signal(2)
        return left, right

    with _core.rendering("pair"):
        first = state.render(body)
        second = state.render(body)
    assert first[0] is second[0]
    assert first[1] is second[1]
    assert first[0] is not first[1]
    assert [x.name for x in first] == ["left", "right"]
