# SPDX-License-Identifier: MIT
"""reactive-framework-test-suite, dynamic dependencies: a run's reads are its sources, no others."""

from __future__ import annotations

import lattice as lt


def test_012_the_branch_taken_triggers_and_the_other_does_not() -> None:
    a, b, is_a = lt.signal("a"), lt.signal("b"), lt.signal(True)
    chosen = lt.memo(lambda: a.value if is_a.value else b.value)
    assert (chosen(), chosen.runs) == ("a", 1)
    b.value = "bb"
    assert (chosen(), chosen.runs) == ("a", 1)
    a.value = "aa"
    assert (chosen(), chosen.runs) == ("aa", 2)


def test_013_switching_the_branch_lets_the_old_source_go() -> None:
    a, b, is_a = lt.signal("a"), lt.signal("b"), lt.signal(True)
    chosen = lt.memo(lambda: a.value if is_a.value else b.value)
    assert chosen() == "a"
    is_a.value = False
    assert (chosen(), chosen.runs) == ("b", 2)
    a.value = "aa"
    assert (chosen(), chosen.runs) == ("b", 2)
    b.value = "bb"
    assert (chosen(), chosen.runs) == ("bb", 3)


def test_014_a_new_source_is_current_when_it_is_first_read() -> None:
    a, b, through_memo = lt.signal(1), lt.signal(10), lt.signal(False)
    copy = lt.memo(lambda: a.value)
    chosen = lt.memo(lambda: copy() if through_memo.value else b.value)
    assert chosen() == 10
    through_memo.value = True
    a.value = 2
    assert chosen() == 2


def test_016_a_lazy_branch_is_taken_back_and_forth() -> None:
    a = lt.signal(0)
    copy = lt.memo(lambda: a.value)
    chosen = lt.memo(lambda: a.value if a.value > 0 else copy())
    assert chosen() == 0
    a.value = 1
    assert chosen() == 1
    assert copy.runs == 1  # no longer read
    a.value = 0
    assert chosen() == 0


def test_165_letting_a_source_go_leaves_the_subscription_of_a_sibling() -> None:
    is_shown, state = lt.signal(True), lt.signal(1)
    gated = lt.memo(lambda: state.value if is_shown.value else 111)
    plain = lt.memo(lambda: state.value)
    lt.effect(gated)
    assert plain() == 1
    is_shown.value = False
    assert gated() == 111
    state.value = 2
    assert plain() == 2


def test_166_a_source_dropped_and_read_again_is_current() -> None:
    flag, source, seen = lt.signal(True), lt.signal(1), []
    memo = lt.memo(lambda: source.value if flag.value else 0)
    lt.effect(lambda: seen.append(memo()))
    flag.value = False
    source.value = 2
    flag.value = True
    source.value = 3
    assert seen == [1, 0, 2, 3]


def test_193_a_check_in_read_order_leaves_the_unreachable_alone() -> None:
    box = lt.signal(("v", 1))
    copy = lt.memo(lambda: box.value)
    field = lt.memo(lambda: copy()[1])
    chosen = lt.memo(lambda: field() if copy() else 0)
    assert chosen() == 1
    assert field.runs == 1
    box.value = None
    assert chosen() == 0
    assert field.runs == 1  # run, it would have raised: None[1]


def test_194_a_chain_watched_by_an_effect_is_dirtied_again_and_again() -> None:
    items, seen = lt.signal(None), []
    is_loaded = lt.memo(lambda: items.value is not None)
    message = lt.memo(lambda: "loaded" if is_loaded() else "not loaded")
    lt.effect(lambda: seen.append(message()))
    items.value = [1, 2, 3]
    assert seen[-1] == "loaded"
    items.value = [4, 5]
    assert seen[-1] == "loaded"
    items.value = None
    assert seen == ["not loaded", "loaded", "not loaded"]


def test_195_a_chain_read_by_hand_is_dirtied_again_and_again() -> None:
    items = lt.signal(None)
    is_loaded = lt.memo(lambda: items.value is not None)
    message = lt.memo(lambda: "loaded" if is_loaded() else "not loaded")
    assert message() == "not loaded"
    items.value = [1, 2, 3]
    assert is_loaded()  # the middle first
    assert message() == "loaded"
    items.value = None
    assert message() == "not loaded"


def test_196_the_first_source_is_clean_and_the_second_is_not() -> None:
    x, y = lt.signal(0), lt.signal(0)
    first = lt.memo(lambda: x.value)
    second = lt.memo(lambda: x.value % 2 + y.value)
    join = lt.memo(lambda: first() + second())
    assert (join(), join.runs) == (0, 1)
    x.value = 2
    assert (join(), join.runs) == (2, 2)
    y.value = 1
    assert (join(), join.runs) == (3, 3)


def test_197_equal_results_stop_a_series_of_writes() -> None:
    source = lt.signal(0)
    parity = lt.memo(lambda: source.value % 2)
    after = lt.memo(lambda: parity() + 1)
    effect = lt.effect(after)
    for value in (2, 4, 6):
        source.value = value
    assert parity.runs == 4
    assert (after.runs, effect.runs) == (1, 1)


def test_198_an_effect_finds_the_sources_of_a_new_branch() -> None:
    is_open, text, seen = lt.signal(False), lt.signal("value"), []
    lt.effect(lambda: seen.append(text.value if is_open.value else "other"))
    text.value = "Hi"
    assert seen == ["other"]
    is_open.value = True
    text.value = "World"
    assert seen == ["other", "Hi", "World"]


def test_199_an_effect_ignores_the_source_of_a_branch_it_left() -> None:
    is_open, text, seen = lt.signal(True), lt.signal("value"), []
    lt.effect(lambda: seen.append(text.value if is_open.value else "other"))
    is_open.value = False
    text.value = "changed"
    assert seen == ["value", "other"]


def test_200_two_effects_whose_sources_shift_with_a_third_signal() -> None:
    a, b, c = lt.signal(1), lt.signal(2), lt.signal(0)
    first_out, second_out = lt.signal(0), lt.signal(0)

    @lt.effect
    def first() -> None:
        total = 0
        if c.value < 2:
            total += a.value
        if c.value > 1:
            total += b.value
        first_out.value = total

    @lt.effect
    def second() -> None:
        total = 0
        if c.value > 1:
            total += a.value
        if c.value < 3:
            total += b.value
        second_out.value = total + first_out.value

    assert (first_out.value, second_out.value) == (1, 3)
    runs = (first.runs, second.runs)
    b.value = 3
    assert (first_out.value, second_out.value) == (1, 4)
    assert (first.runs, second.runs) == (runs[0], runs[1] + 1)
    c.value = 2
    assert (first_out.value, second_out.value) == (3, 7)
