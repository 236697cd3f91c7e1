# SPDX-License-Identifier: MIT
"""Claims about map_keyed, filter and sort: what they give, and how little work a change costs."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

import lattice as lt
from lattice import _core, _incremental, _state


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, item: Any) -> Any:
        self.calls += 1
        return self.function(item)

    def since(self) -> int:
        calls, self.calls = self.calls, 0
        return calls


def rows(count: int) -> Any:
    return lt.store([{"id": i, "n": i, "on": i % 2 == 0} for i in range(count)])


# --- map_keyed


def test_an_item_is_mapped_once_while_it_is_there():
    s = rows(100)
    double = Counted(lambda row: (row["id"], object()))
    mapped = lt.map_keyed(s, double)
    first = list(mapped)
    assert double.since() == 100
    s.append({"id": 100, "n": 0, "on": True})
    s.insert(50, {"id": 101, "n": 0, "on": True})
    assert len(mapped) == 102
    assert double.since() == 2
    s.reverse()
    assert mapped[-1] is first[0]
    s.sort(key=lambda row: row["id"])
    assert mapped[0] is first[0]
    del s[10:20]
    assert len(mapped) == 92
    s[0]["n"] = 99  # what the function read is not tracked
    assert mapped[0] is first[0]
    assert double.since() == 0
    assert [pair[0] for pair in mapped] == [row["id"] for row in s]


def test_what_a_mapping_made_ends_with_its_item():
    s = lt.store(["a", "b"])
    log: list[str] = []

    def follow(name: str) -> str:
        lt.effect(lambda: log.append(f"{name} sees {lag.value}"))
        lt.on_cleanup(lambda: log.append(f"{name} ends"))
        return name

    lag = lt.signal(0)
    mapped = lt.map_keyed(s, follow)
    assert list(mapped) == ["a", "b"]
    assert log == ["a sees 0", "b sees 0"]
    log.clear()
    s.remove("a")
    assert list(mapped) == ["b"]
    lag.value = 1
    assert log == ["a ends", "b sees 1"]
    log.clear()
    mapped.dispose()
    lag.value = 2
    assert log == ["b ends"]
    with pytest.raises(lt.DisposedError):
        list(mapped)


def test_a_signal_of_lists_is_diffed_by_key():
    s = lt.signal([{"id": 1}, {"id": 2}, {"id": 3}])
    one, two, three = s.value
    mapping = Counted(lambda item: [item["id"]])
    mapped = lt.map_keyed(s, mapping, key=lambda item: item["id"])
    before = list(mapped)
    assert mapping.since() == 3
    s.value = [three, one, {"id": 4}, two]
    after = list(mapped)
    assert mapping.since() == 1
    assert [after[1], after[3], after[0]] == before
    assert all(a is b for a, b in zip([after[1], after[3], after[0]], before, strict=True))
    s.value = [{"id": 1}]  # another object: mapped anew
    assert list(mapped) == [[1]]
    assert mapping.since() == 1


def test_equal_plain_values_are_the_same_item_and_may_repeat():
    s = lt.signal(["a", "b", "a"])
    mapping = Counted(str.upper)
    mapped = lt.map_keyed(lambda: s.value, mapping)
    assert list(mapped) == ["A", "B", "A"]
    s.value = ["b", "a", "a", "a"]
    assert list(mapped) == ["B", "A", "A", "A"]
    assert mapping.since() == 4
    s.value = []
    assert list(mapped) == []


def test_a_mapping_that_raises_is_raised_to_readers_and_recovers():
    s = lt.store([1, 0, 2])
    ended: list[int] = []

    def invert(n: int) -> float:
        lt.on_cleanup(lambda: ended.append(n))
        return 1 / n

    mapped = lt.map_keyed(s, invert)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            list(mapped)
    s[1] = 4
    assert list(mapped) == [1, 0.25, 0.5]
    ended.clear()
    s.append(0)
    with pytest.raises(ZeroDivisionError):
        list(mapped)
    s.pop()
    assert list(mapped) == [1, 0.25, 0.5]
    assert ended == [0]
    s.clear()
    assert list(mapped) == []
    assert sorted(ended) == [0, 1, 2, 4]


# --- filter and sort


def test_a_filter_asks_only_about_items_that_have_changed():
    s = rows(1000)
    is_on = Counted(lambda row: row["on"])
    on = lt.filter(s, is_on)
    runs: list[int] = []
    lt.effect(lambda: runs.append(len(on)))
    assert is_on.since() == 1000
    s[1]["on"] = True
    assert (is_on.since(), runs) == (1, [500, 501])
    s[1]["n"] = 7
    assert is_on.since() == 0
    s.append({"id": 1000, "n": 0, "on": False})
    assert (is_on.since(), runs) == (1, [500, 501])
    s.insert(0, {"id": -1, "n": 0, "on": True})
    assert is_on.since() == 1
    assert on[0] is s[0]
    del s[0]
    assert is_on.since() == 0
    with lt.batch():
        for row in s[10:20]:
            row["on"] = False
    assert is_on.since() == 5
    assert [row["id"] for row in on] == [row["id"] for row in s if row["on"]]


def test_a_filter_depends_on_what_its_predicate_reads():
    s = rows(10)
    least = lt.signal(5)
    big = lt.filter(s, lambda row: row["n"] >= least.value)
    assert len(big) == 5
    least.value = 8
    assert [row["n"] for row in big] == [8, 9]
    least.value = 0
    assert big == s


def test_a_change_reruns_one_path_of_memos():
    s = rows(5000)
    on = lt.filter(s, lambda row: row["on"])
    lt.effect(lambda: len(on))
    state = on._state.peek()
    nodes = [memo for level in state.tree.levels for memo in level]
    runs = sum(memo.runs for memo in nodes)
    s[2500]["on"] = not s[2500]["on"]
    assert sum(memo.runs for memo in nodes) - runs == len(state.tree.levels) == 3


def test_a_sort_moves_what_has_changed_and_is_stable():
    s = lt.store([{"k": k, "at": at} for at, k in enumerate([3, 1, 2, 1, 3])])
    key = Counted(lambda row: row["k"])
    up = lt.sort(s, key=key)
    down = lt.sort(s, key=lambda row: row["k"], reverse=True)

    def check() -> None:
        plain = lt.snapshot(s)
        assert lt.snapshot(list(up)) == sorted(plain, key=lambda row: row["k"])
        assert lt.snapshot(list(down)) == sorted(plain, key=lambda row: row["k"], reverse=True)

    assert [row["at"] for row in up] == [1, 3, 2, 0, 4]
    assert [row["at"] for row in down] == [0, 4, 2, 1, 3]
    assert key.since() == 5
    s[0]["k"] = 0
    check()
    assert key.since() == 1
    s.insert(1, {"k": 1, "at": 9})
    check()
    assert key.since() == 1
    s.reverse()
    check()
    assert key.since() == 0


def test_plain_values_sort_without_a_key():
    s = lt.store([3, 1, 2])
    ordered = lt.sort(s)
    assert ordered == [1, 2, 3]
    s.append(0)
    s[0] = 9
    assert ordered == [0, 1, 2, 9]
    assert lt.sort(lambda: {"b": 1, "a": 2}) == ["a", "b"]


def test_a_key_that_cannot_be_compared_is_raised_and_recovers():
    s = lt.store([2, "a", 1])
    ordered = lt.sort(s)
    with pytest.raises(TypeError):
        list(ordered)
    s[1] = 0
    assert ordered == [0, 1, 2]


def test_a_predicate_that_raises_is_raised_and_recovers():
    s = lt.store([{"n": 1}, {"n": 0}])
    good = lt.filter(s, lambda row: 1 / row["n"] > 0)
    with pytest.raises(ZeroDivisionError):
        len(good)
    s[1]["n"] = -1
    assert len(good) == 1
    s[0]["n"] = 0
    with pytest.raises(ZeroDivisionError):
        len(good)
    del s[0]
    assert list(good) == []
    s[0]["n"] = 5
    assert len(good) == 1


def test_they_follow_each_other():
    s = rows(100)
    mapping = Counted(lambda row: row["id"])
    best = lt.map_keyed(
        lt.sort(lt.filter(s, lambda row: row["on"]), key=lambda row: -row["n"]), mapping
    )
    assert list(best) == list(range(98, -1, -2))
    assert mapping.since() == 50
    s[1]["on"] = True
    assert list(best) == [*range(98, 0, -2), 1, 0]
    s[1]["n"] = 1000
    assert best[0] == 1
    assert mapping.since() == 1


def test_a_source_function_may_switch_between_stores():
    a, b = lt.store([1, 2]), lt.store([2, 3])
    which = lt.signal(True)
    mapping = Counted(lambda n: n * 10)
    mapped = lt.map_keyed(lambda: a if which.value else b, mapping)
    assert list(mapped) == [10, 20]
    which.value = False
    assert list(mapped) == [20, 30]
    b.append(4)
    assert list(mapped) == [20, 30, 40]
    a.append(9)
    assert list(mapped) == [20, 30, 40]
    assert mapping.since() == 4


# --- how they behave as lists


def test_derived_lists_are_read_only_sequences():
    s = lt.store([3, 1, 2])
    d = lt.sort(s)
    assert (len(d), d[0], d[-1], d[1:], list(reversed(d))) == (3, 1, 3, [2, 3], [3, 2, 1])
    assert 2 in d
    assert d.index(3) == 2
    assert repr(d) == "[1, 2, 3]"
    assert d == lt.store([1, 2, 3]) == [1, 2, 3]
    assert type(d.copy()) is list
    with pytest.raises(TypeError):
        d[0] = 1  # type: ignore[index]
    with pytest.raises(TypeError, match=r"lt\.filter\(\) takes a function"):
        lt.filter(s, 5)  # type: ignore[arg-type]


def test_readers_run_only_when_the_result_changes():
    s = lt.store([1, 2, 3, 4])
    even = lt.filter(s, lambda n: n % 2 == 0)
    seen: list[list[int]] = []
    lt.effect(lambda: seen.append(list(even)))
    s.append(5)
    s[0] = 7
    assert seen == [[2, 4]]
    s.append(6)
    assert seen == [[2, 4], [2, 4, 6]]


def test_they_are_up_to_date_inside_a_batch():
    s = lt.store([1, 2, 3])
    even = lt.filter(s, lambda n: n % 2 == 0)
    with lt.batch():
        s.append(4)
        assert even == [2, 4]
        s.pop(0)
        s[0] = 8
        assert even == [8, 4]


def test_nothing_is_computed_while_nobody_reads():
    s = lt.store([1])
    mapping = Counted(lambda n: n)
    mapped = lt.map_keyed(s, mapping)
    s.append(2)
    assert mapping.since() == 0
    assert list(mapped) == [1, 2]


def test_a_cut_log_falls_back_to_a_comparison():
    s = lt.store(list(range(100)))
    mapping = Counted(lambda n: n)
    mapped = lt.map_keyed(s, mapping)
    assert len(mapped) == 100
    mapping.since()
    for n in range(3000):
        s.append(n + 1000)
        s.pop(0)
    assert list(mapped) == list(s)
    assert mapping.since() == 100
    even = lt.filter(mapped, lambda n: n % 2 == 0)
    assert len(even) == 50
    for n in range(3000):
        s[0] = n + 9000
        assert mapped[0] == n + 9000
    assert list(even) == [n for n in s if n % 2 == 0]


def test_a_component_keeps_its_derived_lists():
    state = _state.InstanceState("page")
    made: list[Any] = []
    calls: list[int] = []

    def body(factor: int) -> None:
        items = lt.store([1, 2])
        scaled = lt.map_keyed(items, lambda n: calls.append(n) or n * factor)
        made.append((items, scaled))

    state.render(lambda: body(10))
    assert list(made[0][1]) == [10, 20]
    state.render(lambda: body(10))
    assert made[1][1] is made[0][1]
    assert list(made[1][1]) == [10, 20]
    assert calls == [1, 2]
    state.render(lambda: body(100))
    assert list(made[0][1]) == [100, 200]
    state.dispose()
    with pytest.raises(lt.DisposedError):
        len(made[0][1])


def test_each_session_has_its_own_module_level_derived_list():
    s = lt.store([1, 2, 3])
    even = lt.filter(s, lambda n: n % 2 == 0)
    sessions = [_core.SessionState(), _core.SessionState()]
    with sessions[0].enter():
        s.append(4)
        assert even == [2, 4]
    with sessions[1].enter():
        assert even == [2]
        s.clear()
        assert even == []
    with sessions[0].enter():
        assert even == [2, 4]
    assert even == [2]
    for session in sessions:
        session.dispose()


# --- random programs against plain Python


@pytest.mark.parametrize("seed", range(30))
def test_random_changes_give_what_plain_python_gives(seed):
    rng = random.Random(seed)
    serial = iter(range(10**6))

    def row() -> dict[str, int]:
        return {"id": next(serial), "n": rng.randrange(5)}

    live = lt.store([row() for _ in range(rng.randrange(40))])
    limit = lt.signal(2)
    mapping = Counted(lambda item: item["id"])
    big = lt.filter(live, lambda item: item["n"] > limit.value)
    ordered = lt.sort(live, key=lambda item: item["n"], reverse=seed % 2 == 0)
    ids = lt.map_keyed(live, mapping)
    chain = lt.map_keyed(lt.sort(big, key=lambda item: item["n"]), lambda item: item["id"])
    runs = [0]
    if seed % 3:
        lt.effect(lambda: runs.__setitem__(0, runs[0] + len(big) * 0 + 1))
        lt.effect(lambda: list(chain))
        lt.effect(lambda: list(ordered))
    seen = set()

    def change() -> None:
        size = len(live)
        at = rng.randrange(size) if size else 0
        kind = rng.randrange(11)
        if kind == 0 or not size:
            live.insert(rng.randrange(size + 1), row())
        elif kind == 1:
            live.pop(at)
        elif kind <= 4:
            live[at]["n"] = rng.randrange(5)
        elif kind == 5:
            live[at] = row()
        elif kind == 6:
            stop = min(size, at + rng.randrange(6))
            live[at:stop] = [row() for _ in range(rng.randrange(6))]
        elif kind == 7:
            live.reverse()
        elif kind == 8:
            live.sort(key=lambda item: rng.random())
        elif kind == 9:
            live.append(live.pop(at))
        else:
            limit.value = rng.randrange(5)

    for _ in range(120):
        if rng.random() < 0.3:
            with lt.batch():
                for _ in range(rng.randrange(4)):
                    change()
                    if rng.random() < 0.3:
                        assert len(ids) == len(live)
        else:
            change()
        if rng.random() < 0.7:
            plain = lt.snapshot(live)
            seen.update(item["id"] for item in plain)
            expected = [item for item in plain if item["n"] > limit.peek()]
            assert lt.snapshot(list(big)) == expected, f"seed {seed}"
            by_n = sorted(plain, key=lambda item: item["n"], reverse=seed % 2 == 0)
            assert lt.snapshot(list(ordered)) == by_n, f"seed {seed}"
            assert list(ids) == [item["id"] for item in plain]
            assert list(chain) == [i["id"] for i in sorted(expected, key=lambda item: item["n"])]
    assert mapping.calls <= next(serial)


@pytest.mark.parametrize("seed", range(10))
def test_deltas_replay_to_the_same_list(seed):
    rng = random.Random(seed)
    live = lt.store([rng.randrange(10) for _ in range(20)])
    small = lt.filter(live, lambda n: n < 5)
    lt.effect(lambda: len(small))
    state = small._state.peek()
    copy, version = list(small), state.log.version
    for _ in range(300):
        at = rng.randrange(len(live) + 1)
        live[at : at + rng.randrange(3)] = [rng.randrange(10) for _ in range(rng.randrange(3))]
        for start, removed, added in state.log.since(version):
            assert copy[start : start + len(removed)] == removed
            copy[start : start + len(removed)] = added
        version = state.log.version
        assert copy == list(small) == [n for n in live if n < 5]


def test_labels_are_made_anew_when_a_gap_is_used_up(monkeypatch):
    monkeypatch.setattr(_incremental, "_GAP", 4)
    s = lt.store(list(range(10)))
    odd = lt.filter(s, lambda n: n % 2)
    assert len(odd) == 5
    for n in range(100):
        s.insert(1 + n // 3, 11 + n)
        assert odd == [n for n in s if n % 2]
