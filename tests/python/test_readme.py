# SPDX-License-Identifier: MIT
"""The README's Python runs, and does what its comments say."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_app_of_the_readme_renders(blocks):
    names: dict[str, object] = {}
    exec(blocks[0], names)
    tree = names["counter"].render().to_dict()
    assert [child["tag"] for child in tree["children"]] == ["h1", "p", "button"]


def test_the_reactive_example_prints_what_its_comments_say(blocks):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(blocks[1], {})
    assert out.getvalue().splitlines() == re.findall(r"# (total .*)", blocks[1])
