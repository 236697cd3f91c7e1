# SPDX-License-Identifier: MIT
"""The table in docs/reactive/foreign_suites.md says what is really there.

A case is a function whose name begins with test_; its docstring quotes the original's title, and
has a paragraph "Policy:" where Lattice decides otherwise.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "reactive" / "foreign_suites.md"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str  # 'effect: "should ..."'
    policy: str  # empty when it does as the original does
    is_expected_to_fail: bool


@dataclasses.dataclass(frozen=True)
class Row:
    suite: str
    cases: int
    applicable: int
    passing: int
    by_policy: int


def cases_in(directory: Path) -> list[Case]:
    found: list[Case] = []
    for file in sorted(directory.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            if node.name.startswith("test_"):
                text = " ".join((ast.get_docstring(node) or "").split())
                title, _, policy = text.partition(" Policy: ")
                marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
                skips = bool(re.search("xfail|skip", marks))
                found.append(Case(node.name, title.rstrip("."), policy, skips))
    return found


def sections() -> dict[str, str]:
    """What the page says below each heading."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows() -> dict[str, Row]:
    """The lines of the table, by the directory that they name."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[2].isdigit() and cells[3].isdigit():
            found[cells[6].strip("`")] = Row(cells[0], *(int(cell) for cell in cells[2:6]))
    return found


SUITES = {
    "tests/python/foreign/preact": "Preact signals-core",
    "tests/python/foreign/tc39": "TC39 signal-polyfill",
    "tests/python/foreign/reaktiv": "reaktiv",
    "tests/python/foreign/solid_store": "Solid 2: stores",
}


@pytest.mark.parametrize("directory", SUITES)
def test_the_table_counts_what_is_there(directory: str) -> None:
    cases, row = cases_in(HERE / Path(directory).name), rows()[directory]
    assert row.applicable == len(cases)
    assert row.passing == sum(not case.is_expected_to_fail for case in cases)
    assert row.by_policy == sum(case.policy != "" for case in cases)


@pytest.mark.parametrize("directory", SUITES)
def test_what_is_left_out_is_named_and_at_most_a_tenth(directory: str) -> None:
    row, section = rows()[directory], sections()[SUITES[directory]]
    left_out = section.partition("### Left out")[2].partition("###")[0]
    named = re.findall(r'^- .*".+": .+', left_out, re.MULTILINE)
    assert len(named) == row.cases - row.applicable
    assert len(named) * 10 <= row.cases


@pytest.mark.parametrize("directory", SUITES)
def test_what_differs_by_policy_is_listed(directory: str) -> None:
    section = sections()[SUITES[directory]].partition("### Differs by policy")[2]
    listed = re.findall(r"^- (.+)$", section, re.MULTILINE)
    cases = cases_in(HERE / Path(directory).name)
    differing = [f"{case.title}: {case.policy}" for case in cases if case.policy]
    assert Counter(listed) == Counter(differing)


@pytest.mark.parametrize("directory", SUITES)
def test_each_case_quotes_the_title_of_its_original(directory: str) -> None:
    for case in cases_in(HERE / Path(directory).name):
        assert re.fullmatch(r'.+: ".+"', case.title), case.name


def test_the_cases_of_the_framework_suite_are_counted_too() -> None:
    row = rows()["tests/python/foreign/framework_suite"]
    numbers = {  # some cases have two tests
        number
        for file in (HERE / "framework_suite").glob("test_*.py")
        for number in re.findall(r"^def test_(\d{3})_", file.read_text("utf-8"), re.MULTILINE)
    }
    assert row.cases == row.applicable == row.passing == len(numbers)


def test_no_file_of_cases_is_expected_to_fail_as_a_whole() -> None:
    for directory in SUITES:
        for file in (HERE / Path(directory).name).glob("test_*.py"):
            assert "pytestmark" not in file.read_text(encoding="utf-8"), file
