# SPDX-License-Identifier: MIT
"""Memos, effects, batches, watch and bind over a store."""

from __future__ import annotations

from typing import Any

import pytest

import lattice as lt
from stores import Reads, Todo


def test_a_batch_flushes_once_and_write_and_write_back_runs_nothing():
    s = lt.store({"a": 1, "b": 2})
    reads = Reads(a=lambda: s["a"], both=lambda: (s["a"], s["b"]))
    with lt.batch():
        s["a"] = 2
        s["b"] = 3
    assert reads.told() == {"a", "both"}
    with lt.batch():
        s["a"] = 9
        assert s["a"] == 9
        s["a"] = 2
    assert reads.told() == set()


def test_a_memo_reads_what_a_batch_has_written_so_far():
    s = lt.store([1, 2])
    total = lt.memo(lambda: sum(s))
    assert total() == 3
    with lt.batch():
        s.append(3)
        assert total() == 6
        s[0] = 10
        assert total() == 15
    assert total.runs == 3


def test_untracked_reads_subscribe_nothing_and_make_no_signals():
    s = lt.store({"a": 1})
    runs = []
    lt.effect(lambda: runs.append(lt.untracked(lambda: s["a"])))
    s["a"] = 2
    assert runs == [1]


def test_who_no_longer_reads_is_no_longer_told():
    s = lt.store({"on": True, "x": 1})
    reads = Reads(x=lambda: s["on"] and s["x"])
    s["on"] = False
    assert reads.told() == {"x"}
    s["x"] = 2
    assert reads.told() == set()
    s["on"] = True
    assert reads.told() == {"x"}
    s["x"] = 3
    assert reads.told() == {"x"}


def test_an_effect_may_write_what_others_read():
    s = lt.store({"a": 1, "double": 0})
    seen = []
    lt.effect(lambda: seen.append(s["double"]))
    lt.effect(lambda: s.__setitem__("double", s["a"] * 2))
    s["a"] = 5
    assert seen == [0, 2, 10]


def test_a_reader_that_raises_leaves_the_store_usable():
    s = lt.store({"a": 1})
    value = lt.memo(lambda: 1 / s["a"])
    s["a"] = 0
    with pytest.raises(ZeroDivisionError):
        value()
    s["a"] = 2
    assert value() == 0.5


def test_watch_takes_a_store_or_a_function():
    s = lt.store({"a": 1, "list": [1]})
    seen: list[Any] = []
    lt.watch(s, lambda new, old: seen.append((new, old)))
    lt.watch(lambda: s["a"], lambda new, old: seen.append((new, old)))
    s["list"].append(2)
    assert seen == [({"a": 1, "list": [1, 2]}, {"a": 1, "list": [1]})]
    seen.clear()
    s["a"] = 2
    assert (2, 1) in seen
    assert len(seen) == 2


def test_bind_reads_and_writes_an_entry():
    from lattice._events import Event, write_edit

    s = lt.store([{"done": False, "n": 1}, Todo("a")])
    done = lt.bind(s[0], "done")
    reads = Reads(done=lambda: done.read())
    assert write_edit(done, bool, "checked", "checkbox", Event("change", checked=True))
    assert reads.told() == {"done"}
    assert s[0]["done"] is True
    assert write_edit(lt.bind(s[0], "n"), int, "value", "number", Event("input", value="7"))
    assert s[0]["n"] == 7
    title = lt.bind(s[1], "title", parse=str.upper, format=str.lower)
    assert write_edit(title, str, "value", "text", Event("input", value="b"))
    assert (s[1].title, title.read(), title.peek()) == ("B", "b", "B")
    for wrong in (
        lambda: lt.bind(s[0]),
        lambda: lt.bind({}, "a"),
        lambda: lt.bind(lt.signal(1), "a"),
    ):
        with pytest.raises(TypeError, match=r"lt\.bind\(\)|name the entry"):
            wrong()
