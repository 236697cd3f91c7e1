# SPDX-License-Identifier: MIT
"""The Python of the README and of the pages in docs/ runs, and does what the page says.

An example with a text block right below it is a program of its own and prints that text. On the
other pages one example goes on from the one before, and comments say what is printed.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lattice as lt

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = re.compile(r"```python\n((?:(?!```).)*)```\n```text\n(.*?)```", re.DOTALL)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL)


def lines_printed(code: str, names: dict[str, Any]) -> list[str]:
    return printed(code, names).splitlines()


def printed(code: str, names: dict[str, Any]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "page.py", "exec"), names)
    return out.getvalue()


PAGES = [
    str(page.relative_to(ROOT))
    for page in sorted((ROOT / "docs").rglob("*.md"))
    if "```python" in page.read_text(encoding="utf-8")
]


def test_each_page_with_examples_is_tested_here() -> None:
    others = {"docs/errors/LT101.md", "docs/errors/LT102.md"}  # they show what goes wrong
    assert set(PAGES) - others == {
        "docs/jit.md",
        "docs/reactive/README.md",
        "docs/reactive/async.md",
        "docs/reactive/bad_input.md",
        "docs/reactive/diagnostics.md",
        "docs/reactive/ownership_and_errors.md",
        "docs/reactive/stores.md",
        "docs/rooms.md",
    }


@pytest.mark.parametrize(
    ("code", "expected"), [example for page in PAGES for example in PROGRAM.findall(text_of(page))]
)
def test_a_program_prints_what_stands_below_it(code: str, expected: str) -> None:
    assert printed(code, {"__name__": "example"}) == expected


@pytest.mark.parametrize("name", ["README", "ownership_and_errors"])
def test_all_examples_of_a_page_are_programs(name: str) -> None:
    page = f"docs/reactive/{name}.md"
    assert len(PROGRAM.findall(text_of(page))) == len(blocks_of(page)) > 0


def test_the_one_page_app_of_async_is_served() -> None:
    page = "docs/reactive/async.md"
    programs = {code for code, _ in PROGRAM.findall(text_of(page))}
    (code,) = set(blocks_of(page)) - programs
    assert len(programs) == 4
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)
    server = lt.App(names["search"]).start(port=0)
    try:
        html = urllib.request.urlopen(server.url, timeout=10).read().decode()
    finally:
        server.stop()
    assert "<p>searching</p>" in html


def test_bad_input_prints_what_its_comments_say() -> None:
    blocks = blocks_of("docs/reactive/bad_input.md")
    names: dict[str, Any] = {}
    assert len(blocks) == 5
    for block in blocks:
        assert lines_printed(block, names) == re.findall(r"^# (.*)$", block, re.MULTILINE)


def test_stores_prints_what_its_comments_say() -> None:
    names: dict[str, Any] = {}
    found = [lines_printed(block, names) for block in blocks_of("docs/reactive/stores.md")]
    assert found[0] == ["first: milk", "first: oat milk"]
    assert found[0] == re.findall(r"# (first: .*)$", blocks_of("docs/reactive/stores.md")[0], re.M)
    assert found[1:] == [[]] * (len(found) - 1)  # these assert


def test_the_code_of_the_page_of_stores_runs_and_holds() -> None:
    blocks = blocks_of("docs/reactive/stores.md")
    assert len(blocks) >= 6
    names: dict[str, Any] = {}
    printed_lines = [line for block in blocks for line in lines_printed(block, names)]
    assert printed_lines == ["first: milk", "first: oat milk"]


def test_diagnostics_prints_what_its_comments_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = tmp_path / "app.py"
    code = "".join(blocks_of("docs/reactive/diagnostics.md"))
    app.write_text(code, encoding="utf-8")
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(app), "exec"), {"__name__": "app"})
    finally:
        lt.inspect(False)
    said = re.findall(r"^(?:print.*?)?# (.*\.|\[.*\])$", code, re.MULTILINE)
    assert out.getvalue().splitlines() == said
    assert len(said) == 4
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8").startswith("<svg")


def test_rooms_prints_what_its_comments_say() -> None:
    names: dict[str, Any] = {}
    for block in blocks_of("docs/rooms.md"):
        said = re.findall(r"print\(.*?\)  # (.*)$", block, re.MULTILINE)
        assert lines_printed(block, names) == said
    tree = names["page"].render().to_dict()
    assert [child["tag"] for child in tree["children"]] == ["textarea", "button", "p", "p"]


def test_the_kernels_of_the_jit_page_are_compiled_and_right(tmp_path: Path) -> None:
    # As a file: a function whose source cannot be read is recorded in another way.
    script = tmp_path / "page.py"
    script.write_text("".join(blocks_of("docs/jit.md")), encoding="utf-8")
    names = runpy.run_path(str(script))
    x, v = np.linspace(0.0, 3.0, 100), np.linspace(-1.0, 1.0, 100)
    assert names["energy"](x, v) == pytest.approx(0.5 * np.sum(v * v) + np.sum(np.cos(x)))
    assert np.array_equal(names["payoff"](x, 1.0), np.where(x <= 1.0, 0.0, x - 1.0))
    assert names["energy"].compiled
    assert names["payoff"].compiled
    assert {"mul", "add"} <= {node["op"].value for node in names["t"].to_ir()["nodes"]}


def test_the_readme_prints_what_its_comments_say() -> None:
    block = blocks_of("README.md")[1]
    assert lines_printed(block, {}) == re.findall(r"# ((?:total|open) .*)", block)


def test_the_kernel_of_the_readme_is_compiled_and_right(tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text(blocks_of("README.md")[2], encoding="utf-8")
    names = runpy.run_path(str(script))
    assert names["escape_time"].compiled
    assert names["times"].shape == (400, 500)
    points = {(0.0, 0.0): 256, (2.0, 2.0): 1, (-2.0, 0.0): 256, (0.5, 0.5): 5}
    assert {point: int(names["escape_time"](*point)) for point in points} == points


def test_the_app_of_the_readme_renders() -> None:
    names: dict[str, Any] = {}
    exec(blocks_of("README.md")[0], names)
    tree = names["counter"].render().to_dict()
    assert [child["tag"] for child in tree["children"]] == ["h1", "p", "button"]


REACTIVE = sorted((ROOT / "docs/reactive").glob("*.md"))


@pytest.mark.parametrize("page", REACTIVE, ids=lambda page: page.name)
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text)
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_first_page_leads_to_all_others() -> None:
    linked = set(re.findall(r"\]\(([a-z_]+\.md)\)", text_of("docs/reactive/README.md")))
    assert {page.name for page in REACTIVE} - {"README.md"} == linked
