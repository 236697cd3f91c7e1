# SPDX-License-Identifier: MIT
"""The examples of docs/reactive/async.md run, and print what stands below them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[3] / "docs/reactive/async.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n(?:```text\n(.*?)```)?", PAGE, re.DOTALL)


@pytest.mark.parametrize(("code", "printed"), [e for e in EXAMPLES if e[1]])
def test_an_example_prints_what_stands_below_it(code, printed):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {"__name__": "example"})
    assert out.getvalue() == printed


def test_the_page_is_served():
    (code,) = [code for code, printed in EXAMPLES if not printed]
    names: dict[str, object] = {"__name__": "example"}
    exec(code, names)
    import lattice as lt

    server = lt.App(names["search"]).start(port=0)
    try:
        import urllib.request

        html = urllib.request.urlopen(server.url, timeout=10).read().decode()
    finally:
        server.stop()
    assert "<p>searching</p>" in html


def test_there_are_examples():
    assert len(EXAMPLES) == 5
