# SPDX-License-Identifier: MIT
"""The layer checker reports what breaks ARCHITECTURE section 2, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import load_script

TOOLS = Path(__file__).resolve().parents[3] / "tools"


layers = load_script("tools/check_layers.py", "check_layers")


def findings(file: str, line: str) -> list[str]:
    return list(layers.check_cpp(file, line))


@pytest.mark.parametrize(
    ("file", "included"),
    [
        ("src/lattice/ui/session.cpp", "lattice/ui/vdom/diff.hpp"),
        ("src/lattice/ui/session.cpp", "lattice/reactive/signal.hpp"),
        ("src/lattice/ui/vdom/diff.cpp", "lattice/base/error.hpp"),
        ("src/lattice/reactive/graph.cpp", "lattice/reactive/internal/pool.hpp"),
        ("src/lattice/app/server.cpp", "lattice/net/listener.hpp"),
        ("python/bindings/app.cpp", "lattice/app/server.hpp"),
    ],
)
def test_an_include_that_the_table_allows_is_silent(file: str, included: str) -> None:
    assert findings(file, f'#include "{included}"') == []


@pytest.mark.parametrize(
    ("file", "included"),
    [
        ("src/lattice/base/bytes.cpp", "lattice/reactive/signal.hpp"),
        ("src/lattice/ui/vdom/diff.cpp", "lattice/reactive/signal.hpp"),
        ("src/lattice/reactive/graph.cpp", "lattice/app/server.hpp"),
        ("src/lattice/ui/session.cpp", "lattice/net/listener.hpp"),
        ("src/lattice/ui/session.cpp", "lattice/reactive/internal/pool.hpp"),
        ("src/lattice/app/server.cpp", "lattice/reactive.hpp"),
        ("src/lattice/ui/session.cpp", "session.hpp"),
    ],
)
def test_an_include_across_a_wall_is_one_finding_with_its_line(file: str, included: str) -> None:
    found = findings(file, f'\n#include "{included}"')
    assert len(found) == 1
    assert found[0].startswith(f"{file}:2: ")
    assert included in found[0]


@pytest.mark.parametrize(
    ("file", "included", "count"),
    [
        ("src/lattice/net/listener.cpp", "boost/asio.hpp", 0),
        ("src/lattice/net/internal/socket.hpp", "boost/asio.hpp", 0),
        ("src/lattice/net/listener.hpp", "boost/asio.hpp", 1),
        ("src/lattice/app/server.cpp", "boost/asio.hpp", 1),
        ("python/bindings/app.cpp", "nanobind/nanobind.h", 0),
        ("src/lattice/app/server.cpp", "Python.h", 1),
        ("src/lattice/base/error.hpp", "string", 0),
    ],
)
def test_third_parties_stay_in_their_layer_and_out_of_public_headers(
    file: str, included: str, count: int
) -> None:
    assert len(findings(file, f"#include <{included}>")) == count


def test_a_folder_that_is_no_layer_is_a_finding() -> None:
    assert len(findings("src/lattice/utils/strings.hpp", "")) == 1


def test_an_umbrella_header_may_include_its_own_module() -> None:
    assert findings("src/lattice/reactive.hpp", '#include "lattice/reactive/signal.hpp"') == []


@pytest.mark.parametrize(
    ("file", "line", "count"),
    [
        ("python/lattice/server.py", "from lattice import _core", 0),
        ("python/lattice/server.py", "from . import _core", 0),
        ("python/lattice/server.py", "from lattice._state import loading", 0),
        ("python/lattice/server.py", "from lattice.component import _render", 1),
        ("tests/python/test_x.py", "from lattice import _core", 0),
        ("examples/counter.py", "from lattice import _core", 1),
        ("examples/counter.py", "import lattice._core", 1),
        ("examples/counter.py", "import lattice as lt\nfrom lattice import ui", 0),
    ],
)
def test_private_python_names_stay_in_their_module(file: str, line: str, count: int) -> None:
    assert len(list(layers.check_python(file, line))) == count


def test_a_dead_path_in_a_document_is_a_finding() -> None:
    text = "See `tools/check_layers.py`, `tools/gone.py` and [the run](run).\n[x](docs/gone.md)"
    found = list(layers.check_doc("README.md", text, {"tools", "docs"}))
    assert [finding.split(":")[1] for finding in found] == ["1", "2"]
    assert "tools/gone.py" in found[0]


def test_code_fences_urls_globs_and_built_files_are_no_paths() -> None:
    text = "```\n`tools/gone.py`\n```\n`tools/*.py` `build/demo.png` [a](https://x.example/y) `a/b`"
    assert list(layers.check_doc("README.md", text, {"tools", "build"})) == []
