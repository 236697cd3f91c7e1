# SPDX-License-Identifier: MIT
"""The names of the package, and the three that are both a function and a submodule."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

FORMS = {
    "attribute": "import lattice as lt; component = lt.component; VNode = lt.component.VNode",
    "from package": "from lattice import component; VNode = component.VNode",
    "from module": "from lattice.component import component, VNode",
    "module": "import lattice.component; component = lattice.component; VNode = component.VNode",
    "importlib": (
        "import importlib; m = importlib.import_module('lattice.component'); "
        "component = m.component; VNode = m.VNode"
    ),
}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
def test_every_import_form_in_every_order_gives_the_same_objects(first, second):
    run(f"""
{FORMS[first]}
one = (component, VNode)
{FORMS[second]}
two = (component, VNode)
assert one[0] is two[0] and one[1] is two[1], (one, two)
assert callable(component)
@component
def page(): return VNode("p", {{}}, ["x"])
assert page.render().to_dict()["children"] == ["x"]
""")


def test_diff_is_a_function_with_the_names_of_its_module():
    run("""
import lattice.diff
import lattice as lt
from lattice.diff import Patch, PatchType, diff
assert lt.diff is diff and lt.diff.Patch is Patch and lt.diff.PatchType is PatchType
""")


def test_the_names_of_the_original_design_are_importable():
    run("""
from lattice import signal, Signal, memo, Memo, effect, Effect
from lattice.component import (VNode, component, div, span, p, h1, h2, h3, h4, button, input_)
from lattice.component import (label,
    form, table, thead, tbody, tr, th, td, ul, ol, li, a, img, br, hr)
from lattice.diff import diff, Patch, PatchType
for name in ("CREATE", "REMOVE", "REPLACE", "UPDATE", "TEXT", "REORDER"):
    assert hasattr(PatchType, name)
from lattice.server import LatticeApp, run_app
import lattice
assert lattice.App is LatticeApp
""")


def test_all_names_exist_and_none_is_private():
    import lattice

    for module in (lattice, lattice.ui, lattice.server, sys.modules["lattice.component"]):
        for name in module.__all__:
            assert hasattr(module, name), (module.__name__, name)
            assert not name.startswith("_") or name == "__version__"


def test_importing_starts_no_thread_and_opens_no_socket():
    out = run("""
import threading, os
before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
import lattice
assert threading.active_count() == 1
tasks = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
print(tasks)
sockets = [fd for fd in os.listdir("/proc/self/fd") if fd not in before
           and os.path.exists(f"/proc/self/fd/{fd}")
           and os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")]
assert not sockets
""")
    assert out.strip() == "1"


@pytest.mark.parametrize(
    "code",
    [
        """
        import lattice as lt
        from lattice import ui

        count = lt.signal(0)
        total: int = count.value + 1
        doubled = lt.memo(lambda: count.value * 2)
        twice: int = doubled.value

        @lt.memo
        def name() -> str:
            return f"{count.value}"

        shown: str = name()

        @lt.component
        def page(title: str = "x") -> object:
            return ui.div(ui.h1(title), ui.p(count), class_="note")

        page(title="y")
        app = lt.App(page)
        """,
        """
        from lattice.component import component, div
        import lattice.component
        import lattice as lt

        @component
        def one() -> object:
            return div("x")

        @lt.component
        def two() -> object:
            return one()
        """,
    ],
)
def test_user_code_passes_a_strict_type_checker(code, tmp_path):
    pytest.importorskip("mypy")
    file = tmp_path / "user.py"
    file.write_text(textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(file)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout


def test_a_wrong_type_is_told_by_the_type_checker(tmp_path):
    pytest.importorskip("mypy")
    file = tmp_path / "user.py"
    file.write_text("import lattice as lt\ncount = lt.signal(0)\nname: str = count.value\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(file)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert "Incompatible types in assignment" in done.stdout


def test_what_not_every_program_uses_is_loaded_when_it_is_asked_for():
    out = run("""
import sys
import lattice as lt

late = ("asyncio", "ssl", "socket", "numpy", "lattice._async", "lattice.server", "lattice.crdt")
print([name for name in late if name in sys.modules])
count = lt.signal(1)
doubled = lt.memo(lambda: count.value * 2)
seen = []
watcher = lt.effect(lambda: seen.append(doubled.value))
count.value = 2
assert seen == [2, 4] and lt.read(doubled) == 4
print([name for name in late if name in sys.modules])
assert lt.crdt.Doc and lt.collab.Room is lt.Room and lt.App is lt.LatticeApp
assert lt.async_memo is lt.reactive.async_memo
from lattice import *
assert Room is lt.Room
assert all(getattr(lt, name) is not None for name in lt.__all__)
assert set(lt.__all__) <= set(dir(lt))
try:
    lt.no_such_name
except AttributeError as error:
    assert "no_such_name" in str(error)
else:
    raise AssertionError("a name that does not exist was found")
""")
    assert out.splitlines() == ["[]", "[]"]
