# SPDX-License-Identifier: MIT
"""State of a component is found again by its name, and only by its name."""

from __future__ import annotations

import pytest

import lattice as lt
from lattice import ui

# ruff: noqa: RET504 - what is tested is the assignment


def rendered(component, *args, **kwargs):
    """An element of the component, rendered once."""
    element = component(*args, **kwargs)
    element.render()
    return element


def collect(body):
    """A component that records what `body` returns in each render, and its element."""
    seen = []

    @lt.component
    def probe():
        seen.append(body())

    return seen, probe()


def test_an_assigned_signal_is_the_same_in_every_render():
    def body():
        count = lt.signal(0)
        return count

    seen, element = collect(body)
    element.render()
    element.render()
    assert seen[0] is seen[1]


def test_a_new_initial_value_is_ignored():
    initial = [1]

    def body():
        count = lt.signal(initial[0])
        return count

    seen, element = collect(body)
    element.render()
    initial[0] = 2
    element.render()
    assert seen[1].value == 1


@pytest.mark.parametrize("form", ["plain", "annotated", "walrus", "attribute", "cell"])
def test_every_form_of_assignment_gives_the_name(form):
    class Box:
        pass

    def body(extra=False):
        if form == "plain":
            if extra:
                other = lt.signal("other")
                assert other.value == "other"
            count = lt.signal(0)
        elif form == "annotated":
            if extra:
                other: lt.Signal[str] = lt.signal("other")
                assert other.value == "other"
            count: lt.Signal[int] = lt.signal(0)
        elif form == "walrus":
            if extra and (other := lt.signal("other")):
                pass
            if (count := lt.signal(0)) is None:
                raise AssertionError
        elif form == "attribute":
            box = Box()
            if extra:
                box.other = lt.signal("other")
            box.count = lt.signal(0)
            count = box.count
        else:
            if extra:
                other = lt.signal("other")
                (lambda: other)()
            count = lt.signal(0)
            (lambda: count)()
        return count

    extras = iter([False, True, False])
    if form == "walrus":
        extras = iter([False, False, False])
    seen, element = collect(lambda: body(next(extras)))
    for _ in range(3):
        element.render()
    assert seen[0] is seen[1] is seen[2]


def test_two_unassigned_signals_in_one_expression_differ():
    seen, element = collect(lambda: (lt.signal(1), lt.signal(2)))
    element.render()
    element.render()
    assert seen[0][0] is not seen[0][1]
    assert seen[0] == seen[1]


def test_a_helper_called_at_two_places_has_two_states():
    def use_counter():
        count = lt.signal(0)
        return count

    def body():
        left = use_counter()
        right = use_counter()
        return left, right

    seen, element = collect(body)
    element.render()
    element.render()
    assert seen[0][0] is not seen[0][1]
    assert seen[0][0] is seen[1][0]
    assert seen[0][1] is seen[1][1]


def test_state_in_a_loop_is_lt101_and_names_line_and_cure():
    @lt.component
    def rows():
        return [ui.p(lt.signal(0)) for _ in range(3)]

    with pytest.raises(lt.LatticeError, match=r"LT101: test_state\.py:\d+.*key="):
        rendered(rows)


def test_a_helper_in_a_loop_is_lt101_too():
    def use_counter():
        count = lt.signal(0)
        return count

    @lt.component
    def rows():
        return [ui.p(use_counter()) for _ in range(2)]

    with pytest.raises(lt.LatticeError, match="LT101"):
        rendered(rows)


def test_keys_tell_the_passes_of_a_loop_apart():
    names = ["a", "b"]

    def body():
        return {name: lt.signal(0, key=name) for name in names}

    seen, element = collect(body)
    element.render()
    names.reverse()
    element.render()
    assert seen[0]["a"] is seen[1]["a"]
    assert seen[0]["a"] is not seen[0]["b"]


def test_a_repeated_key_is_lt101():
    @lt.component
    def rows():
        return [ui.p(lt.signal(0, key="same")) for _ in range(2)]

    with pytest.raises(lt.LatticeError, match=r"LT101.*key='same'"):
        rendered(rows)


def test_a_slot_that_a_render_does_not_reach_is_disposed():
    show = [True]
    ended = []

    def body():
        if show[0]:

            @lt.memo
            def doubled():
                lt.on_cleanup(lambda: ended.append("memo"))
                return 2

            return doubled.value
        return None

    _, element = collect(body)
    element.render()
    show[0] = False
    element.render()
    assert ended == ["memo"]


def test_a_kept_memo_uses_the_new_function_when_a_captured_value_changed():
    factor = [2]

    def body():
        by = factor[0]
        count = lt.signal(10)
        scaled = lt.memo(lambda: count.value * by)
        return scaled, scaled.value

    seen, element = collect(body)
    element.render()
    factor[0] = 3
    element.render()
    assert [value for _, value in seen] == [20, 30]
    assert seen[0][0] is seen[1][0]


def test_a_kept_memo_does_not_recompute_when_nothing_it_captures_changed():
    def body():
        count = lt.signal(10)
        scaled = lt.memo(lambda: count.value * 2)
        assert scaled.value == 20
        return scaled

    seen, element = collect(body)
    element.render()
    element.render()
    assert seen[1].runs == 1


def test_state_of_two_elements_is_separate():
    seen = []

    @lt.component
    def counter():
        count = lt.signal(0)
        seen.append(count)

    rendered(counter)
    rendered(counter)
    assert seen[0] is not seen[1]


def test_a_render_outside_a_page_refuses_writes_as_one_in_a_page_does():
    count = lt.signal(0)

    @lt.component
    def writes():
        count.value = 1

    with pytest.raises(lt.LatticeError, match=r"LT102.*'count' is written while 'writes' renders"):
        writes.render()
    assert count.value == 0


def test_a_render_inside_of_an_effect_finds_its_state():
    def body():
        count = lt.signal(0)
        return count

    seen, element = collect(body)
    effect = lt.effect(lambda: [element.render() for _ in range(2)])
    effect.dispose()
    assert seen[0] is seen[1]
