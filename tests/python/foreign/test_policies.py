# SPDX-License-Identifier: MIT
"""The page of policies says what the recorded answers say, and names tests that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reactive/policies.md").read_text(encoding="utf-8")


def test_the_sixteen_cases_are_listed_with_the_answers_on_record() -> None:
    recorded = json.loads((ROOT / "tests/foreign/node/policies.json").read_text(encoding="utf-8"))
    listed = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.fullmatch(r"#\d+", cells[4]):
            listed[cells[4]] = cells[1]
    assert listed == {name.split()[0]: answer for name, answer in recorded.items()}
    assert len(listed) == 16


def test_each_test_that_pins_a_policy_exists() -> None:
    tests = set()
    for file in (ROOT / "src/lattice/reactive").glob("*_test.cpp"):
        found = re.findall(r"^TEST\((\w+),\s*(\w+)\)", file.read_text(encoding="utf-8"), re.M)
        tests |= {f"{suite}.{name}" for suite, name in found}
    named = set(re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", PAGE))
    assert len(named) > 30
    assert named - tests == set()
