# SPDX-License-Identifier: MIT
"""The row of docs/reactive/foreign_suites.md counts what is here, and its list what is not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = (HERE.parents[3] / "docs/reactive/foreign_suites.md").read_text(encoding="utf-8")
FILES = ("test_async.py", "test_boundaries.py", "test_actions.py")


def cases() -> list[str]:
    """The docstrings."""
    found = []
    for file in FILES:
        for node in ast.walk(ast.parse((HERE / file).read_text(encoding="utf-8"))):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and node.name.startswith("test_"):
                found.append(" ".join((ast.get_docstring(node) or "").split()))
    return found


def test_each_case_quotes_the_title_of_its_original_once() -> None:
    titles = [text.partition(" Policy: ")[0].rstrip(".") for text in cases()]
    assert all(re.fullmatch(r'.+: ".+"', title) for title in titles)
    assert len(set(titles)) == len(titles)


def test_the_row_counts_them() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| Solid 2 (async"))
    total, applicable, passing, by_policy = (int(n) for n in row.split("|")[3:7])
    assert applicable == passing == len(cases())
    assert by_policy == sum(" Policy: " in text for text in cases())
    left_out = PAGE.partition("## Solid 2")[2].partition("\n## ")[0]
    assert total - applicable == sum(int(n) for n in re.findall(r"^- (\d+) of ", left_out, re.M))
