# SPDX-License-Identifier: MIT
"""Where a store lives and ends: scopes, components, sessions, threads; what is refused."""

from __future__ import annotations

import collections
import gc
import weakref
from typing import Any

import pytest

import lattice as lt
from lattice import _core, _state
from stores import Todo


def test_what_is_no_container_is_refused_with_the_cure():
    for wrong in (5, "text", None, (1, 2), collections.OrderedDict(), frozenset()):
        with pytest.raises(TypeError, match=r"lt\.signal\(\)"):
            lt.store(wrong)
    with pytest.raises(lt.LatticeError, match=r'lt\.signal\(\.\.\., scope="app"\)'):
        lt.store({}, scope="app")
    with pytest.raises(ValueError, match="scope="):
        lt.store({}, scope="all")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"lt\.store"):
        type(lt.store({}))()


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.__setitem__("x", 1),
        lambda s: s.update(x=1),
        lambda s: s["list"].append(1),
        lambda s: s["list"].sort(),
        lambda s: s["list"].clear(),
        lambda s: s["set"].add(1),
        lambda s: s["todo"].__setattr__("title", "b"),
        lambda s: s.pop("list"),
        lambda s: lt.reconcile(s, {}),
    ],
)
def test_a_write_while_a_component_renders_is_lt102_and_changes_nothing(write):
    s = lt.store({"list": [2, 1], "set": set(), "todo": Todo("a")}, name="s")
    before = lt.snapshot(s)
    with _core.rendering("page"), pytest.raises(lt.LatticeError, match=r"LT102.*'s' is written"):
        write(s)
    assert s == before


def test_a_store_ends_with_its_scope():
    with lt.Scope() as scope:
        s = lt.store({"list": [1]})
        inner = s["list"]
    scope.dispose()
    for use in (lambda: s["list"], lambda: inner[0], lambda: inner.append(1), lambda: len(s)):
        with pytest.raises(lt.DisposedError, match="'s' was disposed"):
            use()


def test_a_component_keeps_its_store_by_name():
    state = _state.InstanceState("page")
    made = []

    def body() -> None:
        items = lt.store([])
        made.append(items)

    state.render(body)
    made[0].append(1)
    state.render(body)
    assert made[0] is made[1]
    assert made[1] == [1]
    state.dispose()
    with pytest.raises(lt.DisposedError):
        made[0].append(2)


def test_a_store_in_a_loop_of_a_component_needs_a_key():
    state = _state.InstanceState("page")

    def body() -> None:
        for _ in range(2):
            items = lt.store([])  # noqa: F841

    with pytest.raises(lt.LatticeError, match="LT101"):
        state.render(body)


def test_each_session_has_its_own_copy_of_a_module_level_store():
    s = lt.store({"rows": [{"n": 1}], "todo": Todo("a", tags=["x"]), "box": collections.deque([1])})
    s["alias"] = s["rows"][0]
    nested = s["rows"]
    sessions = [_core.SessionState(), _core.SessionState()]
    seen: list[list[int]] = [[], []]
    for session, log in zip(sessions, seen, strict=True):
        with session.enter():
            lt.effect(lambda log=log: log.append(s["rows"][0]["n"]))
            assert s["alias"] is s["rows"][0]
            assert nested._here() is s["rows"]
            s["box"].append(2)
    with sessions[0].enter():
        nested[0]["n"] = 5
        s["todo"].title = "b"
        s["todo"].tags.append("y")
        assert s["rows"] == [{"n": 5}]
    assert seen == [[1, 5], [1]]
    with sessions[1].enter():
        assert s["todo"] == Todo("a", tags=["x"])
        assert list(s["box"]) == [1, 2]
    assert s["rows"] == [{"n": 1}]
    assert list(s["box"]) == [1]
    for session in sessions:
        session.dispose()


def test_a_store_of_another_session_is_refused():
    first, second = _core.SessionState(), _core.SessionState()
    with first.enter():
        s = lt.store({"a": 1})
    with second.enter():
        for use in (lambda: s["a"], lambda: s.update(a=2), lambda: lt.store({"b": s})):
            with pytest.raises(lt.AccessError, match="another session"):
                use()
    first.dispose()
    second.dispose()


def test_another_thread_may_read_and_is_told_how_to_write():
    import threading

    s = lt.store({"a": [1]})
    result: list[Any] = []

    def run() -> None:
        result.append(lt.snapshot(s))
        try:
            s["a"].append(2)
        except lt.AccessError as error:
            result.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert result[0] == {"a": [1]}
    assert "lt.in_session(fn)" in result[1]
    assert s == {"a": [1]}


def test_stores_are_freed_with_their_last_reference():
    class Leaf:
        pass

    leaf = Leaf()
    seen = weakref.ref(leaf)
    s = lt.store({"rows": [{"leaf": leaf}]})
    e = lt.effect(lambda s=s: s["rows"][0]["leaf"])
    del leaf
    e.dispose()
    del s, e
    gc.collect()
    assert seen() is None
