# SPDX-License-Identifier: MIT
"""Claims about error boundaries: who gets an error, in which order."""

from __future__ import annotations

import pytest

import lattice as lt


class Caught(list[str]):
    def __call__(self, error: Exception) -> None:
        self.append(str(error))


def fail(message: str) -> None:
    raise ValueError(message)


def test_errors_of_effects_below_go_to_the_handler_at_first_and_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, caught = lt.signal(0), Caught()
    effect = lt.error_boundary(lambda: lt.effect(lambda: fail(f"run {source.value}")), caught)
    source.value = 1
    assert caught == ["run 0", "run 1"]
    assert caplog.text == ""
    assert effect is not None
    effect.dispose()


def test_the_nearest_boundary_takes_it_and_others_see_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outer, inner = Caught(), Caught()

    def body() -> None:
        lt.error_boundary(lambda: lt.effect(lambda: fail("deep")), inner)
        lt.effect(lambda: fail("beside"))

    lt.error_boundary(body, outer)
    lt.effect(lambda: fail("outside"))
    assert (inner, outer) == (["deep"], ["beside"])
    assert "outside" in caplog.text
    assert "beside" not in caplog.text


def test_the_result_is_the_bodys_and_none_when_it_raises() -> None:
    caught = Caught()
    assert lt.error_boundary(lambda: 5, caught) == 5
    assert lt.error_boundary(lambda: fail("body"), caught) is None
    assert caught == ["body"]


def test_what_a_handler_raises_goes_to_the_next_and_then_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outer = Caught()

    def failing(error: Exception) -> None:
        raise RuntimeError(f"handler of {error}")

    lt.error_boundary(
        lambda: lt.error_boundary(lambda: lt.effect(lambda: fail("deep")), failing), outer
    )
    assert outer == ["handler of deep"]
    lt.error_boundary(lambda: lt.effect(lambda: fail("last")), failing)
    assert "handler of last" in caplog.text


def test_errors_of_cleanups_on_re_run_and_at_the_end() -> None:
    source, caught = lt.signal(0), Caught()

    def run() -> None:
        value = source.value
        lt.on_cleanup(lambda: fail(f"cleanup {value}"))

    effect = lt.error_boundary(lambda: lt.effect(run), caught)
    source.value = 1
    assert effect is not None
    effect.dispose()
    assert caught == ["cleanup 0", "cleanup 1"]


def test_a_memos_error_is_seen_when_an_effect_reads_it() -> None:
    source, caught = lt.signal(0), Caught()

    def body() -> lt.Effect:
        broken = lt.memo(lambda: 1 // source.value)
        assert caught == []
        return lt.effect(lambda: broken.value)

    effect = lt.error_boundary(body, caught)
    source.value = 1
    assert caught == ["integer division or modulo by zero"]
    source.value = 0
    assert len(caught) == 2
    assert effect is not None
    effect.dispose()


def test_nested_effects_and_scopes_are_below_too() -> None:
    caught, source = Caught(), lt.signal(0)

    def outer() -> None:
        with lt.Scope():
            lt.effect(lambda: fail(f"nested {source.value}"))

    effect = lt.error_boundary(lambda: lt.effect(outer), caught)
    source.value = 1
    assert caught == ["nested 0", "nested 1"]
    assert effect is not None
    effect.dispose()


def test_the_handler_runs_untracked_and_may_write() -> None:
    source, failures, seen = lt.signal(0), lt.signal(0), Caught()

    def handler(error: Exception) -> None:
        seen(error)
        failures.value = failures.value + 1

    effect = lt.error_boundary(lambda: lt.effect(lambda: fail(str(source.value))), handler)
    source.value = 1
    assert (failures.value, list(seen)) == (2, ["0", "1"])
    assert effect is not None
    effect.dispose()


def test_interrupts_pass() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    caught = Caught()
    with pytest.raises(KeyboardInterrupt):
        lt.error_boundary(interrupt, caught)
    assert caught == []


def test_both_arguments_are_functions() -> None:
    with pytest.raises(TypeError, match="two functions"):
        lt.error_boundary(lambda: 1, 5)  # type: ignore[arg-type]
