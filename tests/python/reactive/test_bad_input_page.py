# SPDX-License-Identifier: MIT
"""The examples of docs/reactive/bad_input.md run and print what their comments say."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reactive" / "bad_input.md"


def test_the_examples_print_what_their_comments_say() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, Any] = {}
    for block in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, "page.py", "exec"), names)
        expected = re.findall(r"^# (.*)$", block, re.MULTILINE)
        assert out.getvalue().splitlines() == expected
