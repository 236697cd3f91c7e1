# SPDX-License-Identifier: MIT
"""Claims about context: the nearest provider up the ownership tree."""

from __future__ import annotations

import weakref

import pytest

import lattice as lt
from lattice import _core


def test_the_default_stands_where_nobody_provides() -> None:
    assert lt.context("light").use() == "light"


def test_the_nearest_scope_wins_and_its_value_ends_with_its_block() -> None:
    theme = lt.context("light")
    with lt.Scope():
        theme.provide("dark")
        with lt.Scope():
            assert theme.use() == "dark"
            theme.provide("blue")
            assert theme.use() == "blue"
        assert theme.use() == "dark"
        theme.provide("grey")
        assert theme.use() == "grey"
    assert theme.use() == "light"


def test_contexts_are_independent_and_none_is_a_value() -> None:
    first: lt.Context[int | None] = lt.context(1)
    second = lt.context(2)
    with lt.Scope():
        first.provide(None)
        assert (first.use(), second.use()) == (None, 2)


def test_effects_and_memos_find_it_when_they_run_later() -> None:
    theme = lt.context("light")
    trigger = lt.signal(0)
    seen: list[str] = []
    with lt.Scope() as scope:
        theme.provide("dark")
        shown = lt.memo(lambda: f"{theme.use()} {trigger.value}")
        lt.effect(lambda: seen.append(shown.value))
    trigger.value = 1
    assert seen == ["dark 0", "dark 1"]
    scope.dispose()


def test_what_an_effect_provides_is_seen_below_it_and_gone_with_its_next_run() -> None:
    theme = lt.context("light")
    provides = lt.signal(True)
    seen: list[str] = []

    def outer() -> None:
        if provides.value:
            theme.provide("dark")
        lt.effect(lambda: seen.append(theme.use()))

    effect = lt.effect(outer)
    provides.value = False
    assert seen == ["dark", "light"]
    assert theme.use() == "light"
    effect.dispose()


def test_it_may_hold_a_signal_that_users_follow() -> None:
    level = lt.context(lt.signal(0))
    seen: list[int] = []
    with lt.Scope() as scope:
        level.provide(lt.signal(5))
        lt.effect(lambda: seen.append(level.use().value))
        level.use().value = 6
    assert seen == [5, 6]
    scope.dispose()


def test_the_value_is_released_with_its_owner() -> None:
    class Value:
        pass

    held: lt.Context[Value | None] = lt.context(None)
    value = Value()
    weak = weakref.ref(value)
    with lt.Scope() as scope:
        held.provide(value)
    del value
    assert weak() is not None
    scope.dispose()
    assert weak() is None


def test_a_memo_below_sees_what_its_reader_does_not_provide() -> None:
    theme = lt.context("light")
    shown = lt.memo(theme.use)
    with lt.Scope():
        theme.provide("dark")
        assert shown.value == "light"


def test_providing_while_a_served_app_loads_is_an_error() -> None:
    theme = lt.context("light")
    with _core.loading(), pytest.raises(lt.LatticeError, match="reaches no session"):
        theme.provide("dark")
