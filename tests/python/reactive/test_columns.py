# SPDX-License-Identifier: MIT
"""Column memos: equal memos over a table's columns, computed as lanes."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

import lattice as lt


def test_rows_are_computed_when_they_are_read() -> None:
    table = lt.columns(price=np.arange(5.0), count=[2.0] * 5)
    total = lt.memo_columns(lambda price, count: price * count + 1.0, table)
    assert total.runs == 0
    assert total.native_reason == "not computed yet"
    assert total.value.tolist() == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert (total.runs, total.computed, total.native, total.native_reason) == (1, 5, True, None)
    table["price"][3] = 10.0
    table["price"][-1] = 4.0  # as it was
    assert total[3] == 21.0
    assert total.runs == 2
    with pytest.raises(ValueError, match="read-only"):
        total.value[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        table["price"].value[0] = 1.0


def test_work_is_in_proportion_to_what_changed() -> None:
    rows = 1000
    table = lt.columns({"x": np.zeros(rows), "y": np.ones(rows), "z": np.ones(rows)})
    memo = lt.memo_columns(lambda x, y: x + y, table)
    assert memo.value.sum() == rows
    table["z"][5] = 3.0
    memo.peek()
    assert (memo.runs, memo.computed) == (1, rows), "it does not look at z"
    with lt.batch():
        table["x"][[1, 2, 3]] = 5.0
        table["y"][2] = 2.0
        table["y"][10:13] = 1.0  # no change
    assert memo.value[:5].tolist() == [1.0, 6.0, 7.0, 6.0, 1.0]
    assert memo.computed == rows + 3
    table["x"][:500] = 1.0
    memo.peek()
    assert memo.computed == 2 * rows + 3, "many at once: all in one pass"


def test_readers_run_for_changes_only() -> None:
    table = lt.columns(x=np.arange(100.0))
    half = lt.memo_columns(lambda x: math.floor(x / 2) * 1.0, table)
    third = half.row(3)
    log: list[Any] = []
    whole = lt.effect(lambda: log.append(float(half.value.sum())))
    one = lt.effect(lambda: log.append(("row", third.value)))
    assert log == [2450.0, ("row", 1.0)]
    table["x"][8] = 9.0  # floor(4.5) is 4, as before
    assert log == [2450.0, ("row", 1.0)]
    table["x"][50] = 52.0
    assert log[2:] == [2451.0]
    table["x"][3] = 20.0
    assert sorted(map(str, log[3:])) == ["('row', 10.0)", "2460.0"]
    whole.dispose()
    one.dispose()


def test_memos_of_memos_and_shared_columns() -> None:
    table = lt.columns(x=np.arange(200.0))
    double = lt.memo_columns(lambda x: x * 2.0, table)
    other = lt.columns(d=double, x=table["x"])
    total = lt.memo_columns(lambda d, x: d + x, other, name="total")
    assert total.value.tolist() == (np.arange(200.0) * 3).tolist()
    table["x"][7] = 100.0
    assert total[7] == 300.0
    assert (double.computed, total.computed) == (201, 201)
    assert repr(total) == "<ColumnMemo total: 200 rows>"


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        lt.columns(x=[1.0], y=[1.0, 2.0])
    with pytest.raises(TypeError, match="one row of numbers"):
        lt.columns(x=["a"])
    table = lt.columns(x=[1.0])
    with pytest.raises(TypeError, match="are columns of the table"):
        lt.memo_columns(lambda y: y, table)
    memo = lt.memo_columns(lambda x: x, table)
    memo.dispose()
    with pytest.raises(lt.DisposedError):
        memo.value  # noqa: B018


def test_random_writes_agree_with_numpy() -> None:
    rng = random.Random(11)
    for rows in (1, 7, 64, 1000):
        table = lt.columns(a=np.zeros(rows), b=np.ones(rows, dtype=np.int64))
        first = lt.memo_columns(lambda a, b: a * b - 1.0 if a > 2.0 else a + b, table)
        second = lt.memo_columns(lambda f, a: f * a, {"f": first, "a": table["a"]})
        a, b = np.zeros(rows), np.ones(rows, dtype=np.int64)
        for _ in range(200):
            for _ in range(rng.randrange(4)):
                column, array = rng.choice([(table["a"], a), (table["b"], b)])
                draw = rng.random()
                key: Any = rng.randrange(rows)
                if draw < 0.2:
                    key = slice(rng.randrange(rows), rng.randrange(rows + 1), rng.randrange(1, 4))
                elif draw < 0.3:
                    key = np.array([rng.randrange(rows) for _ in range(rng.randrange(1, 5))])
                elif draw < 0.35:
                    key = array > 1
                value = rng.choice([0, 1, 5, -3])
                column[key] = value
                array[key] = value
            if rng.random() < 0.7:
                expected = np.where(a > 2.0, a * b - 1.0, a + b)
                assert np.array_equal(first.value, expected)
            assert np.array_equal(second.value, np.where(a > 2.0, a * b - 1.0, a + b) * a)
