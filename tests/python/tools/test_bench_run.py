# SPDX-License-Identifier: MIT
"""The bench harness: rows in the agreed form, and misses that cannot hide."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_run", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_run"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


bench = load(ROOT / "bench" / "run.py")
BUDGETS = {"kairo/deep": {"ratio": 2.0}, "kairo/broad": {"ratio": 2.0}}


def contestant(name: str, *rounds: dict[str, float]) -> Any:
    return bench.Program(name, "1.0", ["run"], rounds=list(rounds))


def rows(ours: Any, rival: Any) -> dict[str, dict[str, Any]]:
    found = bench.rows_of({"unit": "ns"}, ours, [rival], BUDGETS)
    return {row["case"]: row for row in found}


def test_a_row_has_exactly_the_agreed_fields() -> None:
    row = rows(contestant("lattice", {"kairo/deep": 10}), contestant("r", {"kairo/deep": 25}))
    assert row["kairo/deep"] == {
        "case": "kairo/deep",
        "unit": "ns",
        "ours": 10,
        "rival": 25,
        "rival_name": "r",
        "rival_version": "1.0",
        "ratio": 2.5,
        "budget": 2.0,
    }


def test_figures_are_medians_over_the_rounds() -> None:
    ours = contestant("lattice", *({"kairo/deep": value} for value in (9, 10, 90)))
    rival = contestant("r", *({"kairo/deep": value} for value in (30, 1, 20)))
    assert rows(ours, rival)["kairo/deep"]["ratio"] == 2.0


def test_a_rival_without_figures_is_a_missed_row_not_an_absent_one() -> None:
    row = rows(contestant("lattice", {"kairo/deep": 10}), contestant("r"))["kairo/deep"]
    assert row["rival"] is None
    assert bench.misses(row, BUDGETS)


def test_a_budgeted_case_that_never_ran_is_a_missed_row() -> None:
    found = rows(contestant("lattice", {"kairo/deep": 10}), contestant("r", {"kairo/deep": 25}))
    assert bench.misses(found["kairo/broad"], BUDGETS)
    assert not bench.misses(found["kairo/deep"], BUDGETS)


def test_a_case_without_a_budget_is_reported_and_misses_nothing() -> None:
    row = rows(contestant("lattice", {"x": 10}), contestant("r", {"x": 5}))["x"]
    assert row["budget"] is None
    assert not bench.misses(row, BUDGETS)


def test_every_kairo_case_of_the_reactive_bench_has_to_be_twice_as_fast() -> None:
    budgets = bench.tomllib.loads((ROOT / "bench" / "budgets.toml").read_text())["reactive"]
    kairo = {"deep", "broad", "diamond", "triangle", "mux", "repeated", "unstable", "avoidable"}
    assert {f"kairo/{case}" for case in kairo} <= set(budgets)
    assert all(budgets[f"kairo/{case}"]["ratio"] >= 2.0 for case in kairo)
