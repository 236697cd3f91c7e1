# SPDX-License-Identifier: MIT
"""What reaktiv's test_resource.py claims, on async memos.

A resource has a function for its parameters and a loader; an async memo is one coroutine, which
reads its parameters before its first await. A status is what `loading`, `error` and `latest` say.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import lattice as lt
from waiting import become

User = dict[str, Any]


class Users:
    """A user whose id is a signal, and what was loaded."""

    def __init__(self, first: str | None = "user1") -> None:
        self.user_id: lt.Signal[str | None] = lt.signal(first)
        self.loads: list[str] = []
        self.user = lt.async_memo(self.load, name="user")

    async def load(self) -> User | None:
        user_id = self.user_id.value
        if user_id is None:
            return None
        self.loads.append(user_id)
        await asyncio.sleep(0.001)
        if user_id == "error":
            raise ValueError("user not found")
        return {"id": user_id, "name": f"User {user_id}", "load": len(self.loads)}

    async def loaded(self) -> None:
        await become(lambda: not self.user.loading)


async def test_an_async_memo_loads() -> None:
    """resource: "test_resource_basic_loading".

    Policy: it starts with its first read, not when it is made; until then nothing is loaded.
    """
    users = Users("user123")
    await asyncio.sleep(0)
    assert users.loads == []
    assert users.user.loading
    assert users.user.latest is None
    with pytest.raises(lt.NotReady):
        _ = users.user.value
    await users.loaded()
    assert users.user.value == {"id": "user123", "name": "User user123", "load": 1}
    assert users.user.error is None
    assert users.loads == ["user123"]


async def test_it_loads_again_when_its_parameter_changes() -> None:
    """resource: "test_resource_params_change"."""
    users = Users()
    assert (await users.user)["id"] == "user1"
    users.user_id.value = "user2"
    assert users.user.loading
    await users.loaded()
    assert users.user.value["id"] == "user2"
    assert users.loads == ["user1", "user2"]


async def test_it_loads_for_each_change_beside_another_subscriber() -> None:
    """resource: "test_resource_reloads_for_each_param_change_with_async_iterator_subscriber"."""
    price, quantity, tax = lt.signal(1), lt.signal(2), lt.signal(1)  # other work, before
    total = lt.memo(lambda: price.value * quantity.value + tax.value)
    with lt.Scope() as scope:
        lt.effect(lambda: total())
        price.value = 2
        quantity.update(lambda n: n + 1)
    scope.dispose()

    project, loads, seen = lt.signal("project-0"), [], []

    @lt.async_memo
    async def loaded() -> str:
        name = project.value
        loads.append(name)
        await asyncio.sleep(0)
        return name

    lt.watch(project, lambda new, old: seen.append(new))
    assert await loaded == "project-0"
    for i in range(1, 26):
        project.value = f"project-{i}"
        assert await loaded == f"project-{i}"
    assert loads == [f"project-{i}" for i in range(26)]
    assert seen == loads[1:]


async def test_it_is_refreshed_by_hand() -> None:
    """resource: "test_resource_manual_reload"."""
    users = Users()
    assert (await users.user)["load"] == 1
    users.user.refresh()
    assert users.user.loading
    assert users.user.value["load"] == 1  # the value stays meanwhile
    await users.loaded()
    assert users.user.value["load"] == 2
    assert users.loads == ["user1", "user1"]


async def test_a_change_cancels_the_run_under_way() -> None:
    """resource: "test_resource_abort_on_params_change"."""
    users = Users()
    completed: list[str] = []
    cancelled: list[str] = []

    @lt.async_memo
    async def slow() -> str:
        name = str(users.user_id.value)
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise
        completed.append(name)
        return name

    for name in ("user1", "user2", "user3"):
        users.user_id.value = name
        assert slow.loading
        await asyncio.sleep(0)
    assert await slow == "user3"
    await asyncio.sleep(0.02)
    assert (completed, cancelled) == (["user3"], ["user1", "user2"])


async def test_an_error_is_kept_and_raised_to_readers() -> None:
    """resource: "test_resource_error_handling".

    Policy: `latest` still has the last good value after an error; `value` raises it.
    """
    users = Users()
    await users.user
    users.user_id.value = "error"
    await users.loaded()
    assert isinstance(users.user.error, ValueError)
    assert users.user.latest is not None
    assert users.user.latest["id"] == "user1"
    for _ in range(2):
        with pytest.raises(ValueError, match="user not found"):
            _ = users.user.value
    assert users.loads == ["user1", "error"]


async def test_a_run_without_an_await_loads_nothing() -> None:
    """resource: "test_resource_idle_state".

    Policy: there is no idle status; a coroutine that returns before its first await is not loading.
    """
    users = Users(None)
    assert users.user.value is None
    assert not users.user.loading
    users.user_id.value = "user1"
    assert users.user.loading
    await users.loaded()
    assert users.user.value["id"] == "user1"
    users.user_id.value = None
    assert (users.user.value, users.user.loading) == (None, False)
    assert users.loads == ["user1"]


async def test_a_memo_of_it_shows_what_is_there() -> None:
    """resource: "test_resource_with_computed"."""
    users = Users()

    @lt.memo
    def shown() -> str:
        user = users.user.latest
        return "Loading..." if user is None else f"{user['name']}!"

    assert shown() == "Loading..."
    await users.loaded()
    assert shown() == "User user1!"


async def test_the_run_learns_that_it_is_cancelled() -> None:
    """resource: "test_resource_abort_signal_usage"."""
    users = Users()
    log: list[str] = []

    @lt.async_memo
    async def steps() -> str:
        name = str(users.user_id.value)
        try:
            for step in range(1000):
                log.append(f"{name} {step}")
                await asyncio.sleep(0 if name != "user1" or step < 3 else 20)
                if name != "user1":
                    return name
        finally:
            log.append(f"{name} ends")
        return "all"

    assert steps.loading
    await become(lambda: "user1 3" in log)
    users.user_id.value = "user2"
    assert await steps == "user2"
    await become(lambda: "user1 ends" in log)
    of_first = ["user1 0", "user1 1", "user1 2", "user1 3", "user1 ends"]
    assert [entry for entry in log if entry.startswith("user1")] == of_first
    assert [entry for entry in log if entry.startswith("user2")] == ["user2 0", "user2 ends"]


async def test_a_run_reads_the_value_before() -> None:
    """resource: "test_resource_previous_state".

    Policy: a run has no parameter for what was before; it keeps that itself, where it needs it.
    """
    users, previous = Users(), []
    seen: list[str | None] = [None]

    @lt.async_memo
    async def follow() -> str:
        name = str(users.user_id.value)
        previous.append(seen[-1])
        await asyncio.sleep(0)
        seen.append(name)
        return name

    assert await follow == "user1"
    users.user_id.value = "user2"
    assert await follow == "user2"
    follow.refresh()
    assert await follow == "user2"
    assert previous == [None, "user1", "user2"]


async def test_a_memo_takes_a_snapshot_of_its_state() -> None:
    """resource: "test_resource_snapshot"."""
    users = Users()
    user = users.user
    state = lt.memo(lambda: (user.loading, user.latest and user.latest["id"], repr(user.error)))
    assert state() == (True, None, "None")
    await users.loaded()
    assert state() == (False, "user1", "None")
    users.user_id.value = "error"
    assert state() == (True, "user1", "None")
    await users.loaded()
    assert state() == (False, "user1", "ValueError('user not found')")


async def test_whether_there_is_a_value() -> None:
    """resource: "test_resource_has_value".

    Policy: while another one is loaded after an error, the value is the last good one again.
    """
    users = Users()

    @lt.memo
    def shown() -> str:
        try:
            return str(users.user.value["id"])
        except (lt.NotReady, ValueError) as error:
            return type(error).__name__

    shows: list[str] = []
    lt.effect(lambda: shows.append(shown()))
    await users.loaded()
    users.user_id.value = "error"
    await users.loaded()
    users.user_id.value = "user2"
    await users.loaded()
    assert shows == ["NotReady", "user1", "ValueError", "user1", "user2"]


def test_without_a_loop_it_says_so() -> None:
    """resource: "test_resource_requires_asyncio_context".

    Policy: it may be made anywhere, at module level too; reading it needs a running loop.
    """
    users = Users()
    with pytest.raises(lt.AccessError, match="'user' is async and needs a running asyncio loop"):
        _ = users.user.value
    assert users.loads == []


async def test_each_instance_of_a_model_has_its_own() -> None:
    """reactive model: "test_resource_method_decorator_is_per_instance_and_disposed"."""
    with lt.Scope() as scope:
        left, right = Users("ada"), Users("ada")
        right.user_id.value = "grace"
        assert (await left.user)["id"] == "ada"
        assert (await right.user)["id"] == "grace"
        assert left.user is not right.user
        assert left.loads == ["ada"]
    scope.dispose()
    with pytest.raises(lt.DisposedError):
        _ = left.user.value
