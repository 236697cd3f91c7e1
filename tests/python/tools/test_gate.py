# SPDX-License-Identifier: MIT
"""The gate counts single cases, and nothing that broke counts as passed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import load_script

FILE = Path(__file__).resolve().parents[3] / "tools" / "gate.py"


gate = load_script("tools/gate.py", "gate")


def test_googletest_cases_are_counted_one_by_one(tmp_path: Path) -> None:
    cases = [
        {"classname": "Memo", "name": "A", "status": "RUN", "result": "COMPLETED"},
        {"classname": "Memo", "name": "B", "status": "RUN", "failures": [{"failure": "x"}]},
        {"classname": "Memo", "name": "C", "status": "RUN", "result": "SKIPPED"},
        {"classname": "Memo", "name": "DISABLED_D", "status": "NOTRUN"},
    ]
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"testsuites": [{"testsuite": cases}]}))
    states = [state for _, state in gate.gtest_cases(report)]
    assert states == ["passed", "failed", "skipped", "skipped"]


def test_a_test_program_that_left_no_report_has_no_cases(tmp_path: Path) -> None:
    assert gate.gtest_cases(tmp_path / "gone.json") == []


def test_junit_errors_count_as_failures(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite><testcase classname='a' name='ok'/>"
        "<testcase classname='a' name='bad'><failure/></testcase>"
        "<testcase classname='a' name='worse'><error/></testcase>"
        "<testcase classname='a' name='later'><skipped/></testcase></testsuite></testsuites>"
    )
    outcome = gate.Outcome()
    gate.count_junit(report, outcome)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (1, 2, 1)
    assert outcome.failures == ["a::bad", "a::worse"]


def test_the_clients_last_sum_counts() -> None:
    assert gate.client_counts("1 passed, 0 failed\nx\n7 passed, 2 failed, 1 skipped\n") == (7, 2, 1)
    assert gate.client_counts("crashed") == (0, 0, 0)


def test_each_case_of_a_foreign_suite_is_counted_and_failures_are_named() -> None:
    output = "FAIL Batching: #131 revert: ran twice\n178 passed, 1 failed\n"
    outcome = gate.count_foreign(gate.Run(1, output), "run.mjs")
    assert (outcome.passed, outcome.failed) == (178, 1)
    assert outcome.failures == ["Batching: #131 revert: ran twice"]


@pytest.mark.parametrize(
    "done",
    [
        gate.Run(139, "Segmentation fault\n"),
        gate.Run(0, ""),
        gate.Run(1, "179 passed, 0 failed\n"),
        gate.Run(127, "node: not found"),
    ],
)
def test_a_foreign_suite_that_does_not_end_well_is_a_failure(done: gate.Run) -> None:
    outcome = gate.count_foreign(done, "run.mjs")
    assert outcome.failed == 1


def test_an_addon_that_does_not_build_is_one_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "build", lambda *_: gate.Run(1, "addon.cpp:3: error: gone"))
    outcome = gate.foreign()
    assert outcome.failures == ["build of the Node-API addons"]


def test_a_stage_that_raises_is_one_failure(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise OSError("no disk")

    outcome = gate.run_stage("broken", broken)
    assert outcome.failures == ["stage broken: OSError: no disk"]
    assert "0 passed, 1 failed" in capsys.readouterr().out


def test_the_sum_names_skips_only_when_there_are_some() -> None:
    assert gate.summary(gate.Outcome(passed=3)) == "3 passed, 0 failed"
    assert gate.summary(gate.Outcome(passed=3, skipped=1)) == "3 passed, 0 failed, 1 skipped"
