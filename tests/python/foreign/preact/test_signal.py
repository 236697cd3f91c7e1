# SPDX-License-Identifier: MIT
"""What @preact/signals-core claims about signals, on Lattice's Python face.

Each docstring quotes the title of the original case; "Policy:" says where Lattice decides
otherwise.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import lattice as lt


def test_a_signal_gives_back_the_very_object_that_it_got() -> None:
    """signal: "should return value"."""
    pair = [1, 2]
    assert lt.signal(pair).value is pair


def test_what_signal_makes_is_a_signal() -> None:
    """signal: "should inherit from Signal"."""
    assert isinstance(lt.signal(0), lt.Signal)


def test_text_of_a_signal_is_its_representation_and_formatting_is_refused() -> None:
    """signal: "should support .toString()".

    Policy: a signal is not its value; only the repr shows it, so that a forgotten .value is seen.
    """
    amount = lt.signal(123)
    assert str(amount) == repr(amount) == "<Signal amount=123>"
    with pytest.raises(TypeError, match=r"'amount' is a Signal; write amount\.value"):
        f"{amount}"


def test_a_signal_is_no_json_value() -> None:
    """signal: "should support .toJSON()".

    Policy: a signal is not its value; what is serialised is read first.
    """
    amount = lt.signal(123)
    with pytest.raises(TypeError, match="Signal"):
        json.dumps(amount)
    assert json.dumps(amount.value) == "123"


def test_a_signal_inside_data_is_no_json_value() -> None:
    """signal: "should support JSON.Stringify()".

    Policy: a signal is not its value, inside other data neither.
    """
    s = lt.signal(123)
    with pytest.raises(TypeError, match="Signal"):
        json.dumps({"s": s})
    assert json.dumps({"s": s}, default=lt.read) == json.dumps({"s": 123})


def test_arithmetic_with_a_signal_is_refused() -> None:
    """signal: "should support .valueOf()".

    Policy: a signal is not its value; arithmetic says where to write .value.
    """
    a = lt.signal(1)
    b = lt.signal(2)
    for use in (lambda: +a, lambda: a + b, lambda: a + 1, lambda: int(a)):  # type: ignore
        with pytest.raises(TypeError, match=r"is a Signal; write a\.value"):
            use()
    assert a.value + b.value == 3


def test_the_other_readers_still_hear_after_one_of_them_ended() -> None:
    """signal: "should notify other listeners of changes after one listener is disposed"."""
    s = lt.signal(0)
    first, second, third = (lt.effect(lambda: s.value) for _ in range(3))
    second.dispose()
    s.value = 1
    assert (first.runs, second.runs, third.runs) == (2, 1, 2)


# --- peek


def test_peek_gives_the_value() -> None:
    """signal .peek(): "should get value"."""
    assert lt.signal(1).peek() == 1


def test_peek_gives_the_newest_value() -> None:
    """signal .peek(): "should get the updated value after a value change"."""
    s = lt.signal(1)
    s.value = 2
    assert s.peek() == 2


def test_peek_does_not_subscribe_an_effect() -> None:
    """signal .peek(): "should not make surrounding effect depend on the signal"."""
    s = lt.signal(1)
    look = lt.effect(s.peek)
    s.value = 2
    assert look.runs == 1


def test_peek_does_not_subscribe_a_memo() -> None:
    """signal .peek(): "should not make surrounding computed depend on the signal"."""
    s = lt.signal(1)
    look = lt.memo(s.peek)
    assert look() == 1
    s.value = 2
    assert (look(), look.runs) == (1, 1)


# --- subscribe, which is watch here


def test_a_watcher_hears_of_changes_only() -> None:
    """signal .subscribe(): "should subscribe to a signal".

    Policy: watch does not run at first; an effect does.
    """
    a, seen = lt.signal(1), []
    lt.watch(a, lambda new, old: seen.append(new))
    assert seen == []
    lt.effect(lambda: seen.append(a.value))
    assert seen == [1]


def test_a_watcher_gets_the_new_value() -> None:
    """signal .subscribe(): "should run the callback when the signal value changes"."""
    a, seen = lt.signal(1), []
    lt.watch(a, lambda new, old: seen.append(new))
    a.value = 2
    assert seen == [2]


def test_a_disposed_watcher_hears_nothing() -> None:
    """signal .subscribe(): "should unsubscribe from a signal"."""
    a, seen = lt.signal(1), []
    lt.watch(a, lambda new, old: seen.append(new)).dispose()
    a.value = 2
    assert seen == []


def test_what_a_watchers_function_reads_does_not_wake_it() -> None:
    """signal .subscribe(): "should not start triggering on when a signal accessed in the callback
    changes"."""
    a, b, calls = lt.signal(0), lt.signal(0), []
    lt.watch(a, lambda new, old: calls.append(b.value))
    a.value = 1
    assert calls == [0]
    b.value += 1
    assert calls == [0]


def test_what_a_watchers_function_reads_does_not_wake_the_effect_that_made_it() -> None:
    """signal .subscribe(): "should not cause surrounding effect to subscribe to changes to a signal
    accessed in the callback"."""
    a, b, calls = lt.signal(0), lt.signal(0), []

    @lt.effect
    def outer() -> None:
        lt.watch(a, lambda new, old: calls.append(b.value))
        with lt.batch():
            a.update(lambda n: n + 1)

    assert calls == [0]
    b.value += 1
    assert outer.runs == 1
    assert calls == [0]


# --- brand


@pytest.mark.parametrize("make", [lambda: lt.signal(0), lambda: lt.signal("x", equals="never")])
def test_a_signal_is_recognised_by_its_class(make: Any) -> None:
    """signal: "signals should be identified with a symbol"."""
    assert type(make()) is lt.Signal
    assert not isinstance(make(), (lt.Memo, lt.Effect))


def test_a_memo_is_recognised_by_its_class() -> None:
    """signal: "should be identified with a symbol"."""
    nothing = lt.memo(lambda: None)
    assert type(nothing) is lt.Memo
    assert not isinstance(nothing, (lt.Signal, lt.Effect))
