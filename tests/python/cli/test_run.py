# SPDX-License-Identifier: MIT
"""`lattice run`: which object is served, and what a mistake gets: one line and exit code 2."""

from __future__ import annotations

import errno
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lattice import _core
from lattice.cli import main

HEAD = "from fake import App, component\n"


def write_app(folder: Path, text: str, name: str = "page.py") -> Path:
    file = folder / name
    file.write_text(HEAD + dedent(text))
    return file


def lattice(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def served(fake_server: Any) -> str:
    ((root, _options),) = fake_server.runs
    return str(root.__name__)


def mistake(result: Result) -> str:
    """The one line on stderr of a run that ended with code 2."""
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line


TWO = """
    @component
    def counter(): ...
    @component
    def todo(): ...
"""


def test_the_only_component_is_served(fake_server: Any, tmp_path: Path) -> None:
    result = lattice("run", write_app(tmp_path, "@component\ndef counter(): ..."))
    assert result.exit_code == 0, result.output
    assert served(fake_server) == "counter"


def test_the_only_output_is_name_version_and_address(fake_server: Any, tmp_path: Path) -> None:
    result = lattice("run", write_app(tmp_path, "@component\ndef counter(): ..."), "--port", 8123)
    assert result.stdout == "Lattice 0.1.0  http://127.0.0.1:8123\n"
    assert result.stderr == ""


def test_an_app_object_comes_before_components(fake_server: Any, tmp_path: Path) -> None:
    lattice("run", write_app(tmp_path, TWO + "    app = App(todo)\n"))
    assert served(fake_server) == "todo"


def test_main_is_served_among_several_components(fake_server: Any, tmp_path: Path) -> None:
    lattice("run", write_app(tmp_path, TWO + "    @component\n    def main(): ...\n"))
    assert served(fake_server) == "main"


def test_a_name_after_the_colon_is_served(fake_server: Any, tmp_path: Path) -> None:
    lattice("run", f"{write_app(tmp_path, TWO)}:todo")
    assert served(fake_server) == "todo"


def test_imported_components_do_not_count_beside_own_ones(fake_server: Any, tmp_path: Path) -> None:
    write_app(tmp_path, TWO, name="parts_of_page.py")
    file = write_app(
        tmp_path, "from parts_of_page import counter, todo\n@component\ndef page(): ..."
    )
    lattice("run", file)
    assert served(fake_server) == "page"


def test_an_app_file_may_be_named_like_a_loaded_module(fake_server: Any, tmp_path: Path) -> None:
    lattice("run", write_app(tmp_path, "@component\ndef page(): ...", name="json.py"))
    assert served(fake_server) == "page"


def test_options_reach_the_server(fake_server: Any, tmp_path: Path) -> None:
    lattice("run", write_app(tmp_path, TWO + "    app = todo\n"), "--host", "0.0.0.0")
    ((_root, options),) = fake_server.runs
    assert options["host"] == "0.0.0.0"
    assert options["dev"] is False


def test_a_missing_file_says_so(fake_server: Any, tmp_path: Path) -> None:
    line = mistake(lattice("run", tmp_path / "gone.py"))
    assert "gone.py does not exist" in line


def test_several_components_without_main_are_listed(fake_server: Any, tmp_path: Path) -> None:
    line = mistake(lattice("run", write_app(tmp_path, TWO)))
    assert "counter, todo" in line
    assert "page.py:counter" in line


def test_a_file_without_a_component_lists_what_it_defines(fake_server: Any, tmp_path: Path) -> None:
    line = mistake(lattice("run", write_app(tmp_path, "def counter(): ...")))
    assert "@lattice.component" in line
    assert "counter" in line


def test_an_unknown_name_lists_the_components(fake_server: Any, tmp_path: Path) -> None:
    line = mistake(lattice("run", f"{write_app(tmp_path, TWO)}:gone"))
    assert "gone does not exist; there is counter, todo" in line


def test_a_syntax_error_names_file_line_and_message(fake_server: Any, tmp_path: Path) -> None:
    line = mistake(lattice("run", write_app(tmp_path, "x = 1\ndef broken(:\n")))
    assert "page.py:3: invalid syntax: def broken(:" in line


def test_an_exception_names_the_users_innermost_line(fake_server: Any, tmp_path: Path) -> None:
    write_app(tmp_path, "import json\ndef read():\n    json.loads('{')\n", name="rows_of_page.py")
    line = mistake(lattice("run", write_app(tmp_path, "import rows_of_page\nrows_of_page.read()")))
    assert "rows_of_page.py:4: JSONDecodeError: " in line


def test_a_port_in_use_names_the_port_and_another(fake_server: Any, tmp_path: Path) -> None:
    fake_server.error = OSError(errno.EADDRINUSE, "Address already in use")
    line = mistake(lattice("run", write_app(tmp_path, TWO + "    app = todo\n")))
    assert "port 8000 is in use" in line
    assert "--port 8001" in line


@pytest.mark.parametrize("option", ["--ssl-cert", "--ssl-key"])
def test_half_of_a_certificate_pair_is_refused(
    fake_server: Any, tmp_path: Path, option: str
) -> None:
    file = write_app(tmp_path, TWO + "    app = todo\n")
    assert "go together" in mistake(lattice("run", file, option, file))


def test_version_is_one_line() -> None:
    assert lattice("--version").output == "Lattice 0.1.0\n"


def test_new_makes_an_app_file_and_says_what_to_type(tmp_path: Path) -> None:
    result = lattice("new", tmp_path / "site")
    assert result.exit_code == 0
    assert "@lt.component" in (tmp_path / "site" / "app.py").read_text()
    assert f"lattice run {tmp_path / 'site' / 'app.py'}" in result.output


def test_new_leaves_a_folder_with_files_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert "not empty" in mistake(lattice("new", tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_an_error_of_the_servers_start_is_one_line(fake_server: Any, tmp_path: Path) -> None:
    fake_server.error = _core.LatticeError("cannot listen on 203.0.113.9:8000")
    line = mistake(lattice("run", write_app(tmp_path, TWO + "    app = todo\n")))
    assert line == "lattice: cannot listen on 203.0.113.9:8000"
