# SPDX-License-Identifier: MIT
"""What reaktiv's test_reactive_model.py claims, with what users of Lattice write instead: a class

that makes its signals, memos and effects in a scope of its own.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import lattice as lt


def test_effect_decorates_a_function() -> None:
    """reactive model: "test_effect_free_function_decorator_creates_effect"."""
    count, seen = lt.signal(0), []

    @lt.effect
    def track() -> None:
        seen.append(count.value)

    assert isinstance(track, lt.Effect)
    count.value = 1
    assert seen == [0, 1]
    track.dispose()


def test_each_instance_has_its_own_signals() -> None:
    """reactive model: "test_reactive_model_fields_are_per_instance"."""

    class Counter:
        def __init__(self) -> None:
            self.count = lt.signal(0)
            self.items: lt.Signal[list[str]] = lt.signal([])

    left, right = Counter(), Counter()
    left.count.value = 10
    left.items.value = ["left"]
    assert (left.count.value, left.items.value) == (10, ["left"])
    assert (right.count.value, right.items.value) == (0, [])


def test_signals_take_their_first_values_from_arguments() -> None:
    """reactive model: "test_typed_fields_support_defaults_and_factories"."""

    class Profile:
        def __init__(self, name: str = "", age: int = 0) -> None:
            self.seen: list[tuple[str, int]] = []
            self.name, self.age = lt.signal(name), lt.signal(age)
            self.tags: lt.Signal[list[str]] = lt.signal([])
            self.nickname: lt.Signal[str | None] = lt.signal(None)
            lt.effect(self.observe)

        def observe(self) -> None:
            self.seen.append((self.name.value, self.age.value))

    profile = Profile("Ada", age=37)
    assert (profile.name.value, profile.age.value) == ("Ada", 37)
    assert (profile.tags.value, profile.nickname.value) == ([], None)
    assert profile.seen == [("Ada", 37)]


def test_a_signal_needs_a_first_value() -> None:
    """reactive model: "test_fields_require_a_default_or_factory"."""
    with pytest.raises(TypeError):
        lt.signal()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        lt.Signal()  # type: ignore[call-arg]


def test_a_signal_refuses_unknown_options() -> None:
    """reactive model: "test_reactive_model_rejects_unknown_fields"."""
    with pytest.raises(TypeError, match="nmae"):
        lt.signal("Ada", nmae="Grace")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="nmae"):
        lt.Signal("Ada", nmae="Grace")  # type: ignore[call-arg]


def test_a_subclass_may_replace_a_signal_by_a_plain_value() -> None:
    """reactive model: "test_subclass_attribute_can_override_inherited_field"."""

    class Base:
        def __init__(self) -> None:
            self.amount: Any = lt.signal(1)
            self.doubled = lt.memo(lambda: lt.read(self.amount) * 2)

    class Fixed(Base):
        def __init__(self) -> None:
            super().__init__()
            self.amount = 21

    base, fixed = Base(), Fixed()
    base.amount.value = 2
    assert (base.doubled(), fixed.doubled()) == (4, 42)


def test_each_instance_has_its_own_memos() -> None:
    """reactive model: "test_typed_computed_decorator_does_not_require_return_annotation"."""

    class Search:
        def __init__(self) -> None:
            self.query = lt.signal(" Notebook ")
            self.normalized = lt.memo(lambda: self.query.value.strip().lower())
            self.label = lt.memo(lambda: self.query.value.strip(), equals="==")

    search, other = Search(), Search()
    assert (search.normalized(), search.label()) == ("notebook", "Notebook")
    search.query.value = " Desk "
    assert (search.normalized(), search.label()) == ("desk", "Desk")
    assert other.label() == "Notebook"


def test_an_effect_of_an_instance_ends_with_its_scope() -> None:
    """reactive model: "test_effect_method_decorator_is_owned_and_disposed"."""

    class Counter:
        def __init__(self) -> None:
            self.seen: list[int] = []
            self.count = lt.signal(0)
            with lt.Scope() as self.scope:
                lt.effect(lambda: self.seen.append(self.count.value))

    counter = Counter()
    counter.count.value = 1
    assert counter.seen == [0, 1]
    counter.scope.dispose()
    counter.count.value = 2
    assert counter.seen == [0, 1]


def test_an_effect_of_an_instance_cleans_up() -> None:
    """reactive model: "test_effect_method_can_return_cleanup"."""

    class Counter:
        def __init__(self) -> None:
            self.seen: list[int] = []
            self.cleaned: list[int] = []
            self.count = lt.signal(0)
            with lt.Scope() as self.scope:
                lt.effect(self.track)

        def track(self) -> None:
            now = self.count.value
            self.seen.append(now)
            lt.on_cleanup(lambda: self.cleaned.append(now))

    counter = Counter()
    counter.count.value = 1
    assert (counter.seen, counter.cleaned) == ([0, 1], [0])
    counter.scope.dispose()
    assert counter.cleaned == [0, 1]


def test_memos_do_not_keep_their_instance_alive() -> None:
    """reactive model: "test_descriptor_cache_does_not_keep_instances_alive"."""

    class Counter:
        def __init__(self) -> None:
            self.count = lt.signal(1)
            self.doubled = lt.memo(lambda: self.count.value * 2)

    counter = Counter()
    assert counter.doubled() == 2
    ref = weakref.ref(counter)
    del counter
    gc.collect()
    assert ref() is None
