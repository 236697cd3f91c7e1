# SPDX-License-Identifier: MIT
"""What reaktiv's tests claim about linked signals, on Lattice's linked memos."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest

import lattice as lt
from waiting import become, run_threads


def test_linked_decorates() -> None:
    """linked decorator: "test_linked_decorator_basic"."""
    source = lt.signal(5)

    @lt.linked
    def derived() -> int:
        return source.value * 2

    assert derived() == 10
    source.value = 10
    assert derived() == 20
    derived.value = 100
    assert derived() == 100
    source.value = 15
    assert derived() == 30


def test_linked_decorates_with_an_equality() -> None:
    """linked decorator: "test_linked_decorator_with_equality"."""
    source = lt.signal(5)

    @lt.linked(equals=lambda old, new: old == new)
    def derived() -> int:
        return source.value * 2

    effect = lt.effect(lambda: derived())
    derived.value = 10
    assert effect.runs == 1
    derived.value = 50
    assert (derived(), effect.runs) == (50, 2)


def test_linked_takes_a_function() -> None:
    """linked decorator: "test_linked_factory_basic"."""
    source = lt.signal(5)
    derived = lt.linked(lambda: source.value * 2)
    assert derived() == 10
    source.value = 10
    assert derived() == 20
    derived.value = 100
    assert derived() == 100


def test_linked_takes_a_function_and_an_equality() -> None:
    """linked decorator: "test_linked_factory_with_equality"."""
    source = lt.signal(5)
    derived = lt.linked(lambda: source.value * 2, equals="==")
    assert derived() == 10
    derived.value = 50
    assert derived() == 50


def test_an_effect_follows_a_linked_memo() -> None:
    """linked decorator: "test_linked_decorator_with_effect"."""
    source, seen = lt.signal(5), []
    derived = lt.linked(lambda: source.value * 2)
    lt.effect(lambda: seen.append(derived()))
    derived.value = 100
    source.value = 10
    assert seen == [10, 100, 20]


def test_what_was_written_stays_until_a_source_changes() -> None:
    """linked decorator: "test_linked_decorator_manual_override"."""
    source = lt.signal(0)
    counter = lt.linked(lambda: source.value)
    assert counter() == 0
    counter.value = 5
    assert (counter(), counter()) == (5, 5)
    source.value = 0  # no change
    assert counter() == 5
    source.value = 1
    assert counter() == 1


def test_a_linked_memo_follows_a_linked_memo() -> None:
    """linked decorator: "test_linked_decorator_chaining"."""
    base = lt.signal(1)
    first = lt.linked(lambda: base.value * 2)
    second = lt.linked(lambda: first() * 3)
    assert second() == 6
    first.value = 10
    assert second() == 30
    base.value = 2
    assert (first(), second()) == (4, 12)


def test_a_linked_memo_of_a_list() -> None:
    """linked decorator: "test_linked_decorator_complex_type"."""
    items = lt.signal([1, 2, 3])
    doubled = lt.linked(lambda: [item * 2 for item in items.value])
    assert doubled() == [2, 4, 6]
    doubled.value = [10, 20, 30]
    assert doubled() == [10, 20, 30]
    items.value = [5, 6]
    assert doubled() == [10, 12]


def test_a_linked_memo_of_a_text() -> None:
    """linked decorator: "test_linked_decorator_string_type"."""
    name = lt.signal("Ada")
    greeting = lt.linked(lambda: f"Hello, {name.value}!")
    assert greeting() == "Hello, Ada!"
    greeting.value = "Custom greeting"
    assert greeting() == "Custom greeting"
    name.value = "Grace"
    assert greeting() == "Hello, Grace!"


def test_update_of_a_linked_memo() -> None:
    """linked decorator: "test_linked_update_method"."""
    source = lt.signal(5)
    counter = lt.linked(lambda: source.value)
    assert counter() == 5
    counter.update(lambda n: n + 10)
    assert counter() == 15
    source.value = 0
    assert counter() == 0


def test_none_is_written_like_any_value() -> None:
    """linked decorator: "test_linked_decorator_none_return"."""
    trigger = lt.signal(0)
    nullable: Any = lt.linked(lambda: None if trigger.value < 2 else "two")
    assert nullable() is None
    nullable.value = "one"
    nullable.value = None
    assert nullable() is None
    trigger.value = 2
    assert nullable() == "two"
    nullable.value = None
    assert nullable() is None


def test_a_linked_memo_of_a_dict() -> None:
    """linked decorator: "test_linked_decorator_dict_return"."""
    x, y = lt.signal(1), lt.signal(2)
    point = lt.linked(lambda: {"x": x.value, "y": y.value})
    assert point() == {"x": 1, "y": 2}
    point.value = {"x": 10, "y": 20}
    assert point() == {"x": 10, "y": 20}
    x.value = 5
    assert point() == {"x": 5, "y": 2}


# --- test_linked_signal.py


def test_a_linked_memo_computes_is_written_and_falls_back() -> None:
    """linked signal: "test_linked_signal_basic"."""
    source = lt.signal("initial")
    linked = lt.linked(lambda: source.value.upper())
    assert linked() == "INITIAL"
    linked.value = "MANUAL"
    assert linked() == "MANUAL"
    source.value = "changed"
    assert linked() == "CHANGED"


def test_a_write_before_the_first_read_falls_back_too() -> None:
    """linked signal: "test_linked_signal_eager_initial_compute_behavior"."""
    page = lt.signal(1)
    selection = lt.linked(lambda: f"default for page {page.value}")
    selection.value = "custom choice"
    assert selection() == "custom choice"
    page.value = 2
    assert selection() == "default for page 2"


def test_write_and_update() -> None:
    """linked signal: "test_linked_signal_manual_operations"."""
    source = lt.signal(5)
    linked = lt.linked(lambda: source.value * 2)
    linked.value = 100
    assert linked() == 100
    linked.update(lambda n: n + 1)
    assert linked() == 101
    source.value = 3
    assert linked() == 6


def test_memos_and_effects_follow_a_linked_memo() -> None:
    """linked signal: "test_linked_signal_with_computed_and_effects"."""
    counter, seen = lt.signal(0), []
    doubled = lt.linked(lambda: counter.value * 2)
    shown = lt.memo(lambda: f"Value: {doubled()}")
    lt.effect(lambda: seen.append((doubled(), shown())))
    doubled.value = 99
    counter.value = 5
    assert seen == [(0, "Value: 0"), (99, "Value: 99"), (10, "Value: 10")]


def test_a_batch_and_a_linked_memo() -> None:
    """linked signal: "test_linked_signal_with_batching"."""
    source, seen = lt.signal(1), []
    linked = lt.linked(lambda: source.value * 10)
    lt.effect(lambda: seen.append(linked()))
    with lt.batch():
        linked.value = 50
        linked.update(lambda n: n + 1)
    assert seen == [10, 51]
    with lt.batch():
        source.value = 2
        source.value = 3
    assert seen == [10, 51, 30]


def test_each_source_makes_it_fall_back() -> None:
    """linked signal: "test_linked_signal_dependency_tracking"."""
    a, b = lt.signal(1), lt.signal(2)
    linked = lt.linked(lambda: a.value + b.value)
    effect = lt.effect(lambda: linked())
    assert linked() == 3
    a.value = 10
    assert (linked(), effect.runs) == (12, 2)
    b.value = 5
    assert (linked(), effect.runs) == (15, 3)
    linked.value = 99
    assert (linked(), effect.runs) == (99, 4)
    b.value = 6
    assert (linked(), effect.runs) == (16, 5)


def test_what_its_function_does_not_read_leaves_what_was_written() -> None:
    """linked signal: "test_linked_signal_advanced_dependency_tracking"."""
    source, other = lt.signal([1, 2, 3]), lt.signal(100)
    selected = lt.linked(lambda: source.value[0] + lt.untracked(lambda: 0 * other.value))
    effect = lt.effect(lambda: (selected(), other.value))
    selected.value = 99
    assert (selected(), effect.runs) == (99, 2)
    other.value = 200
    assert (selected(), effect.runs) == (99, 3)
    source.value = [4, 5, 6]
    assert (selected(), effect.runs) == (4, 4)


def test_an_error_is_raised_to_readers_until_it_is_written_or_a_source_changes() -> None:
    """linked signal: "test_linked_signal_computation_exceptions"."""
    source = lt.signal(1)

    @lt.linked
    def linked() -> int:
        if source.value == 0:
            raise ValueError("cannot be zero")
        return source.value * 10

    assert linked() == 10
    linked.value = 99
    assert linked() == 99
    source.value = 0
    with pytest.raises(ValueError, match="cannot be zero"):
        linked()
    linked.value = 7
    assert linked() == 7
    source.value = 2
    assert linked() == 20


def test_the_tolerance_of_a_linked_memo() -> None:
    """linked signal: "test_linked_signal_with_custom_equality"."""
    source = lt.signal(1.0)
    linked = lt.linked(lambda: source.value * 3.0, equals=lambda old, new: abs(old - new) < 0.1)
    effect = lt.effect(lambda: linked())
    source.value = 1.02
    assert effect.runs == 1
    source.value = 1.5
    assert (linked(), effect.runs) == (4.5, 2)


def test_untracked_and_a_linked_memo() -> None:
    """linked signal: "test_linked_signal_with_untracked"."""
    source, seen = lt.signal(1), []
    linked = lt.linked(lambda: source.value * 10)
    lt.effect(lambda: seen.append((linked(), lt.untracked(lambda: linked()))))
    only_untracked = lt.effect(lambda: lt.untracked(lambda: linked()))
    linked.value = 99
    source.value = 5
    assert seen == [(10, 10), (99, 99), (50, 50)]
    assert only_untracked.runs == 1


def test_a_linked_memo_of_a_memo() -> None:
    """linked signal: "test_linked_signal_nested_dependencies"."""
    base = lt.signal(1)
    middle = lt.memo(lambda: base.value + 10)
    linked = lt.linked(lambda: middle() * 2)
    assert linked() == 22
    linked.value = 100
    assert linked() == 100
    base.value = 5
    assert linked() == 30


def test_a_linked_memo_at_the_end_of_a_diamond() -> None:
    """linked signal: "test_linked_signal_diamond_dependency"."""
    base = lt.signal(1)
    a, b = lt.memo(lambda: base.value + 1), lt.memo(lambda: base.value * 2)
    linked = lt.linked(lambda: a() + b())
    assert linked() == 4
    linked.value = 99
    assert linked() == 99
    base.value = 3
    assert linked() == 10


def test_two_linked_memos_of_one_source() -> None:
    """linked signal: "test_linked_signal_multiple_linked_signals"."""
    source = lt.signal(5)
    a, b = lt.linked(lambda: source.value * 2), lt.linked(lambda: source.value + 10)
    assert (a(), b()) == (10, 15)
    a.value, b.value = 99, 88
    assert (a(), b()) == (99, 88)
    source.value = 3
    assert (a(), b()) == (6, 13)


def test_a_chain_of_linked_memos_falls_back_together() -> None:
    """linked signal: "test_linked_signal_chained_linked_signals"."""
    source = lt.signal(1)
    first = lt.linked(lambda: source.value * 10)
    second = lt.linked(lambda: first() + 100)
    assert (first(), second()) == (10, 110)
    first.value = 50
    assert (first(), second()) == (50, 150)
    second.value = 999
    assert second() == 999
    source.value = 2
    assert (first(), second()) == (20, 120)


def test_the_representation_of_a_linked_memo() -> None:
    """linked signal: "test_linked_signal_repr"."""
    source = lt.signal(42)
    linked = lt.linked(lambda: source.value * 2, name="doubled")
    assert linked() == 84
    assert "doubled" in repr(linked)
    assert "84" in repr(linked)


# --- what other files say of linked signals


def test_each_instance_has_its_own_linked_memo() -> None:
    """reactive model: "test_computed_and_linked_method_decorators_are_per_instance"."""

    class Cart:
        def __init__(self) -> None:
            self.price, self.quantity = lt.signal(10), lt.signal(2)
            self.subtotal = lt.memo(lambda: self.price.value * self.quantity.value)
            self.selected = lt.linked(lambda: self.quantity.value)

    left, right = Cart(), Cart()
    left.price.value, left.quantity.value = 20, 3
    left.selected.value = 99
    assert (left.subtotal(), right.subtotal()) == (60, 20)
    assert (left.selected(), right.selected()) == (99, 2)
    left.quantity.value = 4
    assert (left.selected(), right.selected()) == (4, 2)


def test_memos_and_linked_memos_keep_their_equality() -> None:
    """reactive model: "test_method_decorator_equality_options_are_preserved"."""
    asked: list[str] = []

    class Profile:
        def __init__(self) -> None:
            self.name = lt.signal("Ada")
            self.summary = lt.memo(lambda: {"length": len(self.name.value)}, equals=self.same)
            self.label = lt.linked(lambda: self.name.value, equals=self.same_label)

        def same(self, old: Any, new: Any) -> bool:
            asked.append("summary")
            return bool(old == new)

        def same_label(self, old: str, new: str) -> bool:
            asked.append("label")
            return old == new

    profile = Profile()
    effect = lt.effect(lambda: (profile.summary(), profile.label()))
    profile.label.value = "Custom"
    profile.label.value = "Custom"
    assert (profile.label(), effect.runs) == ("Custom", 2)
    profile.name.value = "Bob"
    assert profile.summary() == {"length": 3}
    assert {"summary", "label"} <= set(asked)


def test_a_value_is_given_by_position() -> None:
    """signals: "test_set_positional_only_and_protocol_conformance"."""
    plain, linked = lt.signal(0), lt.linked(lambda: 0)
    for writable in (plain, linked):
        writable.value = 1
        writable.update(lambda n: n + 41)
        assert writable.value == 42
        with pytest.raises(TypeError):
            writable.update(function=lambda n: n)  # type: ignore[call-arg]


async def test_an_async_effect_follows_a_linked_memo() -> None:
    """linked signal: "test_linked_signal_with_async_effects".

    Policy: a read after an await goes through the effect's parameter `track`.
    """
    source, seen = lt.signal(1), []
    linked = lt.linked(lambda: source.value + 100)

    @lt.effect
    async def look(track: Any) -> None:
        await asyncio.sleep(0)
        seen.append(track(linked))

    await become(lambda: seen == [101])
    linked.value = 200
    await become(lambda: seen == [101, 200])
    source.value = 3
    await become(lambda: seen == [101, 200, 103])
    assert look.runs == 3


async def test_many_writes_to_a_linked_memo() -> None:
    """linked signal: "test_linked_signal_performance"."""
    source, seen = lt.signal(1), []
    linked = lt.linked(lambda: source.value * 2)

    @lt.effect
    async def look() -> None:
        seen.append(linked())

    for value in range(10, 20):
        linked.value = value
        await asyncio.sleep(0)
    assert seen == [2, *range(10, 20)]
    seen.clear()
    for value in range(10):
        source.value = value
        await asyncio.sleep(0)
    assert seen == [value * 2 for value in range(10)]
    assert linked() == 18


async def test_a_loaded_value_is_replaced_until_the_next_is_loaded() -> None:
    """resource: "test_resource_local_set".

    Policy: an async memo is not written; a linked memo of it is, and falls back when it loads.
    """
    user_id = lt.signal("user1")

    @lt.async_memo
    async def load() -> dict[str, str]:
        now = user_id.value
        await asyncio.sleep(0)
        return {"id": now, "name": f"User {now}"}

    user = lt.linked(lambda: load.latest)
    assert user() is None
    assert await load == {"id": "user1", "name": "User user1"}
    assert user() == {"id": "user1", "name": "User user1"}
    user.value = {"id": "local", "name": "Local User"}
    assert user() == {"id": "local", "name": "Local User"}
    assert load.value["id"] == "user1"
    user_id.value = "user2"
    await load
    assert user() == {"id": "user2", "name": "User user2"}


async def test_a_loaded_value_is_updated_in_place() -> None:
    """resource: "test_resource_local_update".

    Policy: an async memo is not written; a linked memo of it is, and falls back when it loads.
    """

    @lt.async_memo
    async def load() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"id": "user1", "name": "User user1"}

    user: Any = lt.linked(lambda: load.latest)
    await load
    user.update(lambda now: {**now, "name": "Updated Name"})
    assert user() == {"id": "user1", "name": "Updated Name"}
    load.refresh()
    await load
    assert user() == {"id": "user1", "name": "User user1"}


def test_a_linked_memo_and_its_source_are_written_on_two_threads() -> None:
    """graph interactions: "test_linked_signals_manual_and_source_updates_are_thread_safe"."""
    source, seen = lt.signal(1), []
    linked = lt.linked(lambda: source.value * 10)
    shown = lt.memo(lambda: linked() + source.value)
    lt.effect(lambda: seen.append(shown()))

    def write_source() -> None:
        for value in range(2, 42):
            source.value = value
            time.sleep(0.0002)

    def write_linked() -> None:
        for value in range(100, 140):
            linked.value = value
            time.sleep(0.0002)

    run_threads(write_source, write_linked)
    assert source.value == 41
    assert linked() in (410, 139)
    assert seen[-1] == shown() == linked() + 41


def test_a_large_graph_agrees_after_three_writing_threads() -> None:
    """graph interactions: "test_ultimate_complex_threaded_signal_graph_stays_consistent"."""
    state, bonus, bias = lt.signal((0, 2, 3, 1, 0, 5)), lt.signal(0), lt.signal(0)
    note, independent = lt.signal("cold"), lt.signal(1)
    view = lt.memo(lambda: state.value)
    gross = lt.memo(lambda: view()[1] * view()[2])
    net = lt.memo(lambda: gross() + state.value[3] - state.value[4])
    left = lt.memo(lambda: net() * 2 + bonus.value)
    right = lt.memo(lambda: net() // 2 - bonus.value + state.value[5])
    total = lt.memo(lambda: left() + right())
    selected = lt.linked(lambda: (state.value[0], total())[1])
    editable = lt.linked(lambda: total() + bias.value)
    doubled = lt.memo(lambda: independent.value * 2)
    final = lt.memo(lambda: gross() + selected() + editable() + doubled())
    seen: list[tuple[int, int, str]] = []
    lt.effect(lambda: seen.append((state.value[0], final(), lt.untracked(lambda: note.value))))
    assert final() == 6 + 22 + 22 + 2

    def write_state() -> None:
        for version in range(1, 121):
            with lt.batch():
                state.value = (
                    version,
                    2 + version % 17,
                    1 + version % 9,
                    version % 13,
                    version % 7,
                    5 + version % 11,
                )
                if version % 3 == 0:
                    bonus.value = version % 19
                note.value = f"state {version}"

    def write_linked() -> None:
        for value in range(200, 320):
            selected.value = value
            editable.value = value + bias.value
            if value % 4 == 0:
                bias.value = value % 23

    def write_independent() -> None:
        for value in range(1, 181):
            independent.value = value

    failed: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(100):
                for node in (gross, net, left, right, total, selected, editable, doubled, final):
                    with contextlib.suppress(lt.AccessError):  # only its own thread computes it
                        assert isinstance(node(), int)
        except BaseException as error:
            failed.append(error)

    run_threads(write_state, write_linked, write_independent, read, read, read)
    assert failed == []
    with lt.batch():
        state.value = (1000, 13, 7, 4, 3, 9)
        bonus.value, bias.value, independent.value = 6, 8, 21
        note.value = "settled"
    gross_now = 13 * 7
    net_now = gross_now + 4 - 3
    total_now = (net_now * 2 + 6) + (net_now // 2 - 6 + 9)
    final_now = gross_now + total_now + (total_now + 8) + 42
    assert (gross(), net(), total()) == (gross_now, net_now, total_now)
    assert (selected(), editable(), doubled()) == (total_now, total_now + 8, 42)
    assert final() == final_now
    assert seen[-1] == (1000, final_now, "settled")


# --- with what was there before


def test_a_pick_stays_while_it_is_among_the_options() -> None:
    """linked signal: "test_linked_signal_advanced_pattern"."""
    options = lt.signal(["A", "B", "C"])
    selected = lt.linked(lambda old: old if old in options.value else options.value[0])
    assert selected() == "A"
    selected.value = "B"
    assert selected() == "B"
    options.value = ["X", "B", "Y"]
    assert selected() == "B"
    options.value = ["X", "Y", "Z"]
    assert selected() == "X"
    options.value = ["B", "X"]
    assert selected() == "X"


def test_linked_is_made_of_a_function_and_of_nothing_else() -> None:
    """linked signal: "test_linked_signal_initialization_patterns".

    Policy: its sources are what its function reads, not a parameter; other arguments raise.
    """
    items, make = lt.signal([1, 2, 3]), lt.linked
    doubled = make(lambda: [item * 2 for item in items.value])

    @make(name="first")
    def first() -> int | None:
        return items.value[0] if items.value else None

    assert (doubled(), first()) == ([2, 4, 6], 1)
    wrong: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((5,), {}),
        ((), {"source": items}),
        ((), {"computation": lambda new, old: new}),
    ]
    for args, options in wrong:
        with pytest.raises(TypeError):
            make(*args, **options)


def test_the_function_may_take_the_value_so_far() -> None:
    """linked signal: "test_linked_signal_previous_state".

    Policy: it gets the value so far, not what its sources were.
    """
    source, history = lt.signal(1), []

    @lt.linked
    def linked(old: int | None) -> int:
        history.append((source.value, old))
        return source.value * 10

    assert linked() == 10
    linked.value = 99
    assert linked() == 99
    source.value = 2
    assert linked() == 20
    source.value = 3
    assert linked() == 30
    assert history == [(1, None), (2, 99), (3, 20)]


def test_the_value_so_far_outlives_an_empty_list_of_options() -> None:
    """linked signal: "test_linked_signal_with_empty_source"."""
    options: lt.Signal[list[int]] = lt.signal([1, 2, 3])
    selected: Any = lt.linked(lambda old: options.value[0] if options.value else old)
    assert selected() == 1
    options.value = []
    assert selected() == 1
    selected.value = "manual"
    assert selected() == "manual"
    options.value = [10, 20]
    assert selected() == 10


def test_a_picked_item_is_found_again_by_its_id() -> None:
    """linked signal: "test_linked_signal_smart_selection_use_case"."""
    names = {1: "A", 2: "B", 3: "C", 4: "D", 5: "E"}

    def items(*ids: int) -> list[dict[str, Any]]:
        return [{"id": at, "name": names[at]} for at in ids]

    options = lt.signal(items(1, 2, 3))

    @lt.linked
    def selected(old: dict[str, Any] | None) -> dict[str, Any] | None:
        kept = [item for item in options.value if old is not None and item["id"] == old["id"]]
        return (kept or options.value or [None])[0]

    assert selected()["name"] == "A"
    selected.value = options.value[1]
    assert selected()["name"] == "B"
    options.value = items(2, 4, 1)
    assert selected() is options.value[0]
    assert selected()["name"] == "B"
    options.value = items(1, 5)
    assert selected()["name"] == "A"
