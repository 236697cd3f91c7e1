# SPDX-License-Identifier: MIT
"""Async memos: which functions they take, and what they show of themselves."""
# ruff: noqa: B018

from __future__ import annotations

import functools

import pytest

import lattice as lt


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: 1, "a plain function is a memo: @lt.memo"),
        (3, "async_memo takes an `async def` function"),
    ],
)
def test_what_is_not_async_is_refused(function, message):
    with pytest.raises(TypeError, match=message):
        lt.async_memo(function)


def test_an_async_generator_and_other_parameters_are_refused():
    async def many():
        yield 1

    with pytest.raises(TypeError, match="generator gives many values"):
        lt.async_memo(many)

    async def two(track, more):
        pass

    with pytest.raises(TypeError, match="takes nothing, or `track`"):
        lt.async_memo(two)


def test_a_memo_refuses_an_async_function():
    async def load():
        pass

    with pytest.raises(TypeError, match=r"'load'.*@lt\.async_memo"):
        lt.memo(load)
    with pytest.raises(TypeError, match=r"@lt\.async_memo"):
        lt.memo(lambda: load()).value


async def test_callables_that_are_async_are_taken():
    class Loader:
        async def __call__(self):
            return 1

    async def add(a, b):
        return a + b

    assert await lt.async_memo(Loader()) == 1
    assert await lt.async_memo(functools.partial(add, 1, 2), name="sum") == 3


def test_it_shows_its_name_and_is_no_truth_value():
    @lt.async_memo
    async def rows():
        pass

    assert repr(rows) == "<AsyncMemo rows>"
    with pytest.raises(TypeError, match=r"rows\.value"):
        bool(rows)
