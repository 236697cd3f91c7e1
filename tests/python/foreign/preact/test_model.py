# SPDX-License-Identifier: MIT
"""What @preact/signals-core claims about createModel, with what users of Lattice write instead:

a class that makes its signals, memos and effects in a scope of its own, and methods in a batch.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

import lattice as lt

Method = TypeVar("Method", bound=Callable[..., Any])


class Model:
    """Owns what `build` makes, and ends it with `dispose`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        with lt.Scope() as self.scope:
            self.build(*args, **options)

    def build(self, *args: Any, **options: Any) -> None:
        raise NotImplementedError

    def dispose(self) -> None:
        self.scope.dispose()


def action(method: Method) -> Method:
    """One batch, and nothing that it reads is tracked."""

    @functools.wraps(method)
    def run(*args: Any, **options: Any) -> Any:
        with lt.batch(), lt.untracked():
            return method(*args, **options)

    return run  # type: ignore[return-value]


class Counter(Model):
    def build(self, first: int = 0, step: int = 1) -> None:
        self.count = lt.signal(first)
        self.step = step

    @action
    def increment(self) -> None:
        self.count.value += self.step


class Tracked(Model):
    """A counter with an effect that counts its runs and cleanups."""

    def build(self) -> None:
        self.runs = 0
        self.cleanups = 0
        self.count = lt.signal(0)
        self.make_effects()

    def make_effects(self) -> None:
        lt.effect(self.look)

    def look(self) -> None:
        _ = self.count.value
        self.runs += 1
        lt.on_cleanup(self.clean)

    def clean(self) -> None:
        self.cleanups += 1


def test_a_model_has_signals_and_actions() -> None:
    """createModel: "should create a model with signals and actions"."""
    counter = Counter()
    assert counter.count.value == 0
    counter.increment()
    assert counter.count.value == 1


def test_a_model_has_memos() -> None:
    """createModel: "should create a model with computed properties"."""

    class Powers(Counter):
        def build(self) -> None:
            super().build()
            self.double = lt.memo(lambda: self.count.value * 2)
            self.quadruple = lt.memo(lambda: self.double.value * 2)

    model = Powers()
    assert (model.double.value, model.quadruple.value) == (0, 0)
    model.increment()
    assert (model.count.value, model.double.value, model.quadruple.value) == (1, 2, 4)


def test_a_model_takes_an_argument() -> None:
    """createModel: "should accept factory arguments"."""
    model = Counter(5)
    model.increment()
    assert model.count.value == 6


def test_a_model_takes_several_arguments() -> None:
    """createModel: "should accept multiple factory arguments"."""
    model = Counter(5, 2)
    model.increment()
    assert model.count.value == 7


def test_an_action_takes_arguments() -> None:
    """createModel: "should allow actions to receive parameters"."""

    class Adder(Counter):
        @action
        def add(self, amount: int) -> None:
            self.count.value += amount

    model = Adder()
    model.add(5)
    assert model.count.value == 5


def test_an_asynchronous_action_gives_a_result() -> None:
    """createModel: "should allow actions to return values"."""

    class Slow(Counter):
        async def increment_later(self) -> int:
            await asyncio.sleep(0)
            self.count.value += 1
            return self.count.value

    model = Slow()
    assert asyncio.run(model.increment_later()) == 1
    assert model.count.value == 1


def test_an_action_is_bound_to_its_model() -> None:
    """createModel: "should bind 'this' correctly in actions"."""
    counter = Counter()
    increment = counter.increment
    increment()
    assert counter.count.value == 1


def test_a_part_of_a_model_has_actions() -> None:
    """createModel: "should wrap nested object methods as actions"."""

    class Outer(Model):
        def build(self) -> None:
            self.counter = Counter()

    model = Outer()
    model.counter.increment()
    assert model.counter.count.value == 1


class Both(Model):
    """Two signals that an action writes together."""

    def build(self) -> None:
        self.first, self.second = lt.signal(0), lt.signal(0)

    @action
    def increment(self) -> None:
        self.first.value += 1
        self.second.value += 1


def test_an_action_of_a_deep_part_is_one_batch() -> None:
    """createModel: "should batch updates from deeply nested object methods"."""

    class Inner(Model):
        def build(self) -> None:
            self.counts = Both()

    class Outer(Model):
        def build(self) -> None:
            self.stats = Inner()

    counts = Outer().stats.counts
    effect = lt.effect(lambda: (counts.first.value, counts.second.value))
    counts.increment()
    assert effect.runs == 2
    assert (counts.first.value, counts.second.value) == (1, 1)


def test_an_action_is_one_batch() -> None:
    """createModel: "should automatically batch signal updates within actions"."""

    class Watched(Both):
        def build(self) -> None:
            super().build()
            self.effect = lt.effect(lambda: (self.first.value, self.second.value))

    model = Watched()
    model.increment()
    assert model.effect.runs == 2
    assert (model.first.value, model.second.value) == (1, 1)


def test_the_effects_of_a_model_run() -> None:
    """createModel: "should run effects defined in the model"."""

    class Two(Tracked):
        def make_effects(self) -> None:
            self.effects = [lt.effect(self.look), lt.effect(self.look)]

    model = Two()
    assert [effect.runs for effect in model.effects] == [1, 1]
    model.count.value = 1
    assert [effect.runs for effect in model.effects] == [2, 2]


def test_the_cleanups_of_a_model_run_when_it_ends() -> None:
    """createModel: "should call effect's cleanup functions when the model is disposed".

    Policy: the model's signals end with it; a later write raises and names the signal.
    """

    class Two(Tracked):
        def make_effects(self) -> None:
            lt.effect(self.look)
            lt.effect(self.look)

    model = Two()
    assert (model.runs, model.cleanups) == (2, 0)
    model.count.value = 1
    assert (model.runs, model.cleanups) == (4, 2)
    model.dispose()
    assert (model.runs, model.cleanups) == (4, 4)
    with pytest.raises(lt.DisposedError, match="'count' was disposed"):
        model.count.value = 2
    assert (model.runs, model.cleanups) == (4, 4)


def test_an_effect_that_reads_nothing_cleans_up_once_at_the_end() -> None:
    """createModel: "should call correctly cleanup effects without signals but with a cleanup
    fn"."""
    log: list[str] = []

    class Mixed(Tracked):
        def make_effects(self) -> None:
            super().make_effects()
            self.still = lt.effect(lambda: lt.on_cleanup(lambda: log.append("clean")))

    model = Mixed()
    model.count.value += 1
    assert (model.runs, model.cleanups) == (2, 1)
    assert (model.still.runs, log) == (1, [])
    model.dispose()
    assert model.cleanups == 2
    assert log == ["clean"]


def test_a_model_may_be_disposed_twice() -> None:
    """createModel: "should allow multiple disposal calls without errors"."""
    model = Tracked()
    model.dispose()
    model.dispose()
    assert (model.runs, model.cleanups) == (1, 1)


def test_two_instances_of_a_model_share_nothing() -> None:
    """createModel: "allows creating mutliple instances of the same model"."""
    one, other = Counter(), Counter()
    one.increment()
    assert (one.count.value, other.count.value) == (1, 0)
    other.increment()
    other.increment()
    assert (one.count.value, other.count.value) == (1, 2)


def test_a_model_has_actions_of_many_kinds() -> None:
    """createModel: "should allow multiple types of actions on a single model"."""

    class Many(Counter):
        @action
        def add(self, amount: int) -> None:
            self.count.value += amount

        @action
        def add_then_multiply(self, amount: int, factor: int) -> None:
            self.count.value = (self.count.value + amount) * factor

        async def increment_later(self) -> None:
            self.count.value += 1

        @action
        def log(self, message: str) -> str:
            return message

    model = Many()
    model.increment()
    model.add(5)
    assert model.count.value == 6
    model.add_then_multiply(4, 2)
    assert model.count.value == 20
    asyncio.run(model.increment_later())
    assert model.count.value == 21
    assert model.log("Hello") == "Hello"


class Failing(Model):
    """Raises after it has made an effect."""

    def build(self) -> None:
        self.effect = lt.effect(lambda: None)
        made.append(self)
        raise ValueError("factory error")


made: list[Failing] = []


def test_an_error_while_a_model_is_made_is_raised() -> None:
    """createModel: "should handle errors thrown during model factory execution"."""
    made.clear()
    with pytest.raises(ValueError, match="factory error"):
        Failing()
    (model,) = made
    assert model.effect.runs == 1
    model.dispose()
    assert not model.effect.alive
    assert lt.effect(lambda: None).alive  # the broken scope is not current any more


def test_untracked_does_not_change_who_owns() -> None:
    """createModel: "does not capture effects created inside untracked callbacks".

    Policy: untracked stops tracking only; what is made inside still belongs to the scope.
    """

    class Untracked(Tracked):
        def make_effects(self) -> None:
            with lt.untracked():
                lt.effect(self.look)

    model = Untracked()
    model.count.value += 1
    assert (model.runs, model.cleanups) == (2, 1)
    model.dispose()
    assert (model.runs, model.cleanups) == (2, 2)


def test_an_action_does_not_change_who_owns() -> None:
    """createModel: "does not capture effects created inside action callbacks".

    Policy: neither a batch nor untracked changes the owner; a scope made outside does.
    """
    outside = lt.Scope()

    class Acting(Tracked):
        def make_effects(self) -> None:
            self.make_inside()
            with outside:
                self.kept = lt.effect(lambda: None)

        @action
        def make_inside(self) -> None:
            lt.effect(self.look)

    model = Acting()
    model.dispose()
    assert (model.runs, model.cleanups) == (1, 1)
    assert model.kept.alive
    outside.dispose()
    assert not model.kept.alive


def test_a_model_made_inside_another_ends_with_it_even_when_made_untracked() -> None:
    """createModel: "lets nested models created inside untracked capture their own effects without
    promoting them to the outer model".

    Policy: the inner model belongs to the outer one's scope and ends with it, its effects once.
    """

    class Outer(Tracked):
        def build(self) -> None:
            super().build()
            self.inner = lt.untracked(Tracked)

    outer = Outer()
    outer.inner.count.value += 1
    assert (outer.runs, outer.inner.runs) == (1, 2)
    outer.inner.dispose()
    assert (outer.cleanups, outer.inner.cleanups) == (0, 2)
    outer.dispose()
    assert (outer.cleanups, outer.inner.cleanups) == (1, 2)


def test_an_error_inside_untracked_leaves_the_owner_as_it_was() -> None:
    """createModel: "restores model effect capture when untracked callbacks throw inside model
    factories"."""

    class Careless(Tracked):
        def make_effects(self) -> None:
            with pytest.raises(ZeroDivisionError):
                lt.untracked(lambda: 1 // 0)
            super().make_effects()

    model = Careless()
    model.count.value += 1
    assert model.runs == 2
    model.dispose()
    assert (model.runs, model.cleanups) == (2, 2)


# --- models inside models


def test_a_model_uses_another() -> None:
    """createModel composition: "allows instantiating a model within another model"."""

    class Inner(Model):
        def build(self) -> None:
            self.count = lt.signal(10)

        @action
        def double(self) -> None:
            self.count.value *= 2

    class Outer(Model):
        def build(self) -> None:
            self.inner = Inner()

        @action
        def increment_inner(self) -> None:
            self.inner.count.value += 1

    outer = Outer()
    outer.increment_inner()
    assert outer.inner.count.value == 11
    outer.inner.double()
    assert outer.inner.count.value == 22


def test_models_nest_three_deep() -> None:
    """createModel composition: "supports deep nesting (3+ levels)"."""

    class Third(Model):
        def build(self) -> None:
            self.amount = lt.signal(1)

    class Second(Model):
        def build(self) -> None:
            self.third = Third()
            self.multiplier = lt.signal(2)

    class First(Model):
        def build(self) -> None:
            self.second = Second()
            self.offset = lt.signal(10)

    model = First()
    assert model.second.third.amount.value == 1
    assert (model.second.multiplier.value, model.offset.value) == (2, 10)
    model.second.third.amount.value = 5
    assert model.second.third.amount.value == 5


def test_the_effects_of_all_levels_end_together() -> None:
    """createModel composition: "captures and disposes effects at all nesting levels"."""

    class Level(Tracked):
        def build(self, depth: int = 1) -> None:
            self.inner = Level(depth + 1) if depth < 3 else None
            super().build()
            if self.inner is not None:
                self.count = self.inner.count

        def make_effects(self) -> None:
            if self.inner is not None:
                self.count = self.inner.count
            super().make_effects()

    first = Level()
    second = first.inner
    assert second is not None
    third = second.inner
    assert third is not None
    levels = [first, second, third]
    assert [level.runs for level in levels] == [1, 1, 1]
    third.count.value = 1
    assert [level.runs for level in levels] == [2, 2, 2]
    first.dispose()
    assert [level.cleanups for level in levels] == [2, 2, 2]
    with pytest.raises(lt.DisposedError):
        third.count.value = 2
    assert [level.runs for level in levels] == [2, 2, 2]


def test_an_inner_model_ends_although_only_its_parts_are_kept() -> None:
    """createModel composition: "disposes of models created within other models and spread onto
    returned model"."""
    inners: list[Tracked] = []

    class Outer(Model):
        def build(self) -> None:
            inner = Tracked()
            inners.append(inner)
            self.count = inner.count

        @action
        def increment(self) -> None:
            self.count.value += 1

    outer = Outer()
    outer.increment()
    (inner,) = inners
    assert (outer.count.value, inner.runs, inner.cleanups) == (1, 2, 1)
    outer.dispose()
    assert (inner.runs, inner.cleanups) == (2, 2)


def test_an_error_in_an_inner_model_is_raised_through_the_outer_one() -> None:
    """createModel composition: "should handle errors thrown during nested model factory
    execution"."""
    made.clear()

    class Outer(Model):
        def build(self) -> None:
            self.effect = lt.effect(lambda: None)
            Failing()

    with pytest.raises(ValueError, match="factory error"):
        Outer()
    made[0].dispose()
    assert lt.effect(lambda: None).alive


# --- what the original's types promise and running shows


def test_what_a_model_does_not_have_raises() -> None:
    """createModel Typescript Types: "fail if trying to access non-existing property on model"."""
    counter: Any = Counter()
    with pytest.raises(AttributeError):
        counter.missing.value += 1
    with pytest.raises(AttributeError):
        counter.decrement()
    with pytest.raises(AttributeError):
        counter.count.valeu = 1  # nodes themselves take no other attributes


def test_arguments_of_a_model_may_be_optional() -> None:
    """createModel Typescript Types: "createModel type params should validate various TFactoryArgs
    values"."""
    for args, first, after in [((), 0, 1), ((1,), 1, 2), ((5, 2), 5, 7)]:
        model = Counter(*args)
        assert model.count.value == first
        model.increment()
        assert model.count.value == after
    with pytest.raises(TypeError):
        Counter(1, 2, 3)


def test_arguments_of_a_model_may_be_named() -> None:
    """createModel Typescript Types: "ModelConstructor type params should validate various
    TFactoryArgs values"."""
    make: Callable[..., Counter] = Counter
    model = make(first=10, step=5)
    assert model.count.value == 10
    model.increment()
    assert model.count.value == 15
    with pytest.raises(TypeError):
        make(start=1)


def test_a_family_of_models_may_demand_its_arguments() -> None:
    """createModel Typescript Types: "allows building custom createModel functions that enforces
    specific arguments"."""

    class OfUser(Model):
        def __init__(self, context: dict[str, str]) -> None:
            super().__init__(context)

    class User(OfUser):
        def build(self, context: dict[str, str]) -> None:
            self.user_id = lt.signal(context["user_id"])

        @action
        def set_user_id(self, user_id: str) -> None:
            self.user_id.value = user_id

    user = User({"user_id": "user_1"})
    assert user.user_id.value == "user_1"
    user.set_user_id("user_2")
    assert user.user_id.value == "user_2"
    with pytest.raises(TypeError):
        User()  # type: ignore[call-arg]
