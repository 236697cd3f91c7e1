# SPDX-License-Identifier: MIT
"""The bench harness: rows in the agreed form, and misses that cannot hide."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import load_script

ROOT = Path(__file__).resolve().parents[3]


bench = load_script("bench/run.py", "bench_run")
BUDGETS = {"kairo/deep": {"ratio": 2.0}, "kairo/broad": {"ratio": 2.0}}


def contestant(name: str, *rounds: dict[str, float], **others: Any) -> Any:
    said = [{case: bench.Line(value) for case, value in one.items()} for one in rounds]
    return bench.Program(name, "1.0", ["run"], rounds=said, **others)


def rows(
    ours: Any, *rivals: Any, spec: dict[str, Any] | None = None, budgets: Any = BUDGETS
) -> dict[str, dict[str, Any]]:
    return {row["case"]: row for row in bench.rows_of(spec or {}, ours, list(rivals), budgets)}


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


def test_a_line_names_its_unit_and_may_carry_what_it_was_measured_against() -> None:
    said = {"case": "x", "bytes": 192, "reference": 200, "reference_name": "struct"}
    line = bench.Line.parse(said)
    assert (line.value, line.unit, line.reference) == (192, "bytes", 200)
    assert bench.Line.parse({"case": "x", "ns": 1.5}).reference is None
    with pytest.raises(ValueError, match="unpack"):
        bench.Line.parse({"case": "x"})


def test_a_reference_of_the_same_run_is_a_row_of_paired_ratios() -> None:
    lines = [(10.0, 9.0), (40.0, 40.0), (20.0, 10.0)]
    ours = contestant("lattice")
    ours.rounds = [{"x": bench.Line(a, "ns", b, "spin loop")} for a, b in lines]
    row = rows(ours, contestant("r", parts=["other/"]), budgets={})["x"]
    assert (row["ours"], row["rival"], row["ratio"]) == (20, 10, 0.9)
    assert (row["rival_name"], row["rival_version"]) == ("spin loop", "same run")


@pytest.mark.parametrize(
    ("budget", "ours", "rival", "missed"),
    [
        ({"ratio": 2}, 10, 20, False),
        ({"ratio": 2}, 10, 19, True),
        ({"ratio": 2}, 10, None, True),
        ({"bound": 9}, 9, None, False),
        ({"bound": 9}, 10, 100, True),
        ({"times": 1.2}, 12, 10, False),
        ({"times": 1.2}, 13, 10, True),
        ({"times": 1.2}, 13, None, True),
        ({"plus": 8}, 18, 10, False),
        ({"plus": 8}, 19, 10, True),
        ({"plus": 8}, 19, None, True),
        ({"plus": 8}, None, 10, True),
        ({"r": {"times": 1.2}, "ratio": 40}, 12, 10, False),
        ({"other": {"ratio": 40}}, 12, 10, False),
    ],
)
def test_kinds_of_budget(budget: Any, ours: Any, rival: Any, missed: bool) -> None:
    row = bench.row_of("x", "ns", ours, rival, "r", "1.0")
    assert bench.misses(row, {"x": budget}) == missed


def test_another_way_to_run_ours_is_compared_with_the_same_case_of_the_rival() -> None:
    ours = bench.merged(
        [
            contestant("lattice", {"kairo/deep": 10}),
            contestant("lattice", {"kairo/deep (plans off)": 20}),
        ]
    )
    spec = {"ours": [{}, {"suffix": " (plans off)"}]}
    found = rows(ours, contestant("r", {"kairo/deep": 60}), spec=spec)
    assert found["kairo/deep"]["ratio"] == 6
    assert found["kairo/deep (plans off)"]["ratio"] == 3


def test_a_geometric_mean_is_one_of_medians_and_absent_while_a_case_is() -> None:
    spec = {"geomean": [{"case": "mean", "of": ["a", "b"]}]}
    ours = contestant("lattice", {"a": 1, "b": 4}, {"a": 3, "b": 12}, {"a": 2, "b": 8})
    row = rows(ours, contestant("r", {"a": 8, "b": 50}), spec=spec, budgets={})["mean"]
    assert row["ours"] == pytest.approx(4)
    assert row["rival"] == pytest.approx(20)
    assert row["ratio"] == pytest.approx(5)
    row = rows(ours, contestant("r", {"a": 8}), spec=spec, budgets={"mean": {"ratio": 2}})["mean"]
    assert row["ratio"] is None
    assert bench.misses(row, {"mean": {"ratio": 2}})


def test_a_rival_has_rows_only_for_the_cases_that_it_has() -> None:
    ours = contestant("lattice", {"python/read": 1, "python/deep": 1, "kairo/deep": 1})
    rival = contestant("r", {"python/read": 4}, parts=["python/"], cases=["python/r*"])
    found = rows(ours, rival, budgets={})
    assert found["python/read"]["ratio"] == 4
    assert found["kairo/deep"]["rival_name"] == found["python/deep"]["rival_name"] == ""
    assert not bench.misses(found["kairo/deep"], {})


def test_contestants_that_did_other_work_are_found() -> None:
    ours, rival = contestant("lattice"), contestant("r")
    ours.rounds = [{"x": bench.Line(1, same={"sum": 3, "ours alone": 1})}] * 2
    rival.rounds = [{"x": bench.Line(1, same={"sum": 3})}, {"x": bench.Line(1, same={"sum": 4})}]
    assert bench.differences(ours, [rival], []) == ["x: sum is 3 in lattice and 4 in r"]
    assert bench.besides(ours) == {"x": {"sum": 3, "ours alone": 1}}


def test_every_part_is_a_process_and_a_crash_ends_the_contestants_part(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import json, os, sys\n"
        "part = sys.argv[2]\n"
        "if part == 'b/' and 'CRASH' in os.environ: sys.exit('no way')\n"
        "print(json.dumps({'case': part + os.environ['LATTICE_BENCH_QUICK'], 'ns': 1}))\n"
    )
    command = [sys.executable, str(program)]
    good = bench.Program("good", "1", command, suffix=" (x)")
    bad = bench.Program("bad", "1", command, environment={"CRASH": "1"})
    away = bench.Program("away", "1", command, parts=["b/"])
    bench.play([good, bad, away], ["a/", "b/"], rounds=2, quick=True)
    assert [list(said) for said in good.rounds] == [["a/1 (x)", "b/1 (x)"]] * 2
    assert [list(said) for said in bad.rounds] == [["a/1"]]
    assert "no way" in bad.problem
    assert [list(said) for said in away.rounds] == [["b/1"]] * 2


def test_a_prefix_narrows_the_parts() -> None:
    spec = {"parts": ["kairo/", "create/"]}
    assert bench.parts_of(spec, "") == ["kairo/", "create/"]
    assert bench.parts_of(spec, "kairo") == ["kairo/"]
    assert bench.parts_of(spec, "kairo/deep") == ["kairo/deep"]
    assert bench.Program("r", "1", [], parts=["kairo/"]).plays("kairo/deep")


def test_a_python_rival_that_does_not_install_is_a_contestant_with_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_index(command: list[Any], **_: Any) -> subprocess.CompletedProcess[str]:
        code = 1 if "pip" in command else 0
        return subprocess.CompletedProcess(command, code, stdout="no index")

    monkeypatch.setattr(bench, "OUT", tmp_path)
    monkeypatch.setattr(bench, "shell", no_index)
    spec = {"name": "no such rival", "pip": "no-such-rival-of-lattice", "program": "x.py"}
    rival = bench.make_rival("reactive", {**spec, "parts": ["python/"]})
    assert rival.command is None
    assert rival.problem == "no-such-rival-of-lattice could not be installed: no index"
    ours = contestant("lattice", {"python/read": 1, "kairo/deep": 1})
    found = rows(ours, rival, budgets={})
    assert bench.misses(found["python/read"], {})
    assert found["kairo/deep"]["rival_name"] == ""


def test_a_rival_for_an_interpreter_that_is_not_here_has_no_rows() -> None:
    spec = {"name": "r", "pip": "r", "program": "x.py", "interpreters": ["python9.9"]}
    assert bench.make_rival("reactive", spec) is None


def test_the_report_says_which_clock_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATTICE_BENCH_CLOCK", raising=False)
    assert bench.clock() == "wall"
    monkeypatch.setenv("LATTICE_BENCH_CLOCK", "cpu")
    assert bench.clock() == "processor"


def test_a_part_is_played_by_who_has_some_of_its_cases() -> None:
    rival = bench.Program("r", "1", [], parts=["python/kairo"])
    assert rival.plays("python/")
    assert not rival.plays("kairo/")
    assert rival.has("python/kairo deep")
    assert not rival.has("python/read")


def reactive() -> tuple[dict[str, Any], dict[str, Any]]:
    budgets = bench.tomllib.loads((ROOT / "bench" / "budgets.toml").read_text())
    spec = bench.tomllib.loads((ROOT / "bench" / "reactive" / "bench.toml").read_text())
    return spec, budgets["reactive"]


def test_every_kairo_case_of_the_reactive_bench_has_the_budgets_of_the_issue() -> None:
    spec, budgets = reactive()
    kairo = {"deep", "broad", "diamond", "triangle", "mux", "repeated", "unstable", "avoidable"}
    assert all(budgets[f"kairo/{case}"]["ratio"] >= 2.5 for case in kairo)
    assert all(budgets[f"kairo/{case} (plans off)"]["ratio"] >= 2.3 for case in kairo)
    assert budgets["kairo/deep"]["ratio"] >= 20
    assert budgets["kairo/broad"]["ratio"] >= 15
    means = {mean["case"]: set(mean["of"]) for mean in spec["geomean"]}
    assert means["kairo/geomean (as shipped)"] == {f"kairo/{case}" for case in kairo}
    assert means["kairo/geomean (plans off)"] == {f"kairo/{case} (plans off)" for case in kairo}
    assert budgets["kairo/geomean (as shipped)"]["ratio"] >= 7
    assert budgets["kairo/geomean (plans off)"]["ratio"] >= 3.5


def test_the_dynamic_graphs_publish_the_same_sums_and_counts_in_both_languages() -> None:
    published = {
        "2-10x5 lazy80": ("19199968", "3480000"),
        "6-10x10 dyn25 lazy80": ("302310782860", "1155000"),
        "4-1000x12 dyn5": ("29355933696000", "1463000"),
        "25-1000x5": ("1171484375000", "732000"),
        "3-5x500": ("3.0239642676898464e241", "1246500"),
        "6-100x15 dyn50": ("15664996402790400", "1078000"),
    }
    for program in ("dynamic.cpp", "dynamic_alien.mjs"):
        text = (ROOT / "bench" / "reactive" / program).read_text()
        for name, figures in published.items():
            row = next(line for line in text.splitlines() if f"dynamic/{name}" in line)
            said = row.replace("'", "").replace("_", "").replace("}", "").replace("]", "")
            assert [word.strip() for word in said.rstrip(",").split(",")][-2:] == list(figures)


def test_every_budget_is_of_a_case_that_a_part_covers_and_of_a_rival_that_exists() -> None:
    spec, budgets = reactive()
    means = {mean["case"] for mean in spec["geomean"]}
    rivals = {rival["name"] for rival in spec["rival"]} | {"slot read", "floor"}
    for case, budget in budgets.items():
        assert case in means or any(case.startswith(part) for part in spec["parts"]), case
        assert budget.keys() <= rivals | set(bench.BUDGET_KINDS), case
        for figures in (budget, *(value for value in budget.values() if isinstance(value, dict))):
            assert any(key in figures for key in (*bench.BUDGET_KINDS, *rivals)), case


def test_rivals_are_pinned() -> None:
    spec, _ = reactive()
    pins = (ROOT / "bench" / "rivals" / "requirements.txt").read_text()
    lines = [line for line in pins.splitlines() if line and not line.startswith("#")]
    assert all("==" in line for line in lines)
    pinned = {line.partition("==")[0] for line in lines}
    assert {rival["pip"] for rival in spec["rival"] if "pip" in rival} <= pinned
