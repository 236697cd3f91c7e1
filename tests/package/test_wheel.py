# SPDX-License-Identifier: MIT
"""`pip install .` gives a typed package with everything in it.

The wheel is built offline from the pinned tools of .venv and installed into a fresh venv that
sees click and watchfiles of .venv through a path file (path files of that folder are not followed,
so the package under test can only come from the wheel).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "package"


def shell(*command: object, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel() -> Path:
    shutil.rmtree(OUT / "dist", ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel"]
    shell(*pip, "--no-build-isolation", "--no-deps", "--no-index", "-w", OUT / "dist", ".")
    (file,) = (OUT / "dist").glob("*.whl")
    return file


@pytest.fixture(scope="module")
def python(wheel: Path) -> Path:
    """The interpreter of a fresh venv that holds the wheel."""
    venv = OUT / "venv"
    shutil.rmtree(venv, ignore_errors=True)
    shell(sys.executable, "-m", "venv", "--without-pip", venv)
    (site,) = venv.glob("lib/python3*/site-packages")
    shell(
        sys.executable, "-m", "pip", "--disable-pip-version-check", "install",
        "--no-deps", "--no-index", "--target", site, wheel,
    )  # fmt: skip
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return venv / "bin" / "python"


def test_the_wheel_holds_extension_stub_types_client_and_template(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("_core.pyi", "py.typed", "_client/client.js", "_client/client.css"):
        assert f"lattice/{wanted}" in names
    assert "lattice/_templates/app/app.py" in names
    assert any(name.startswith("lattice/_core.") and name.endswith(".so") for name in names)
    assert not any(name.startswith(("include/", "lib/", "src/", "tests/")) for name in names)


def test_the_installed_package_is_imported_from_the_wheel(python: Path, tmp_path: Path) -> None:
    code = "import lattice, lattice._core; print(lattice.__file__, lattice._core.__version__)"
    file, version = shell(python, "-c", code, cwd=tmp_path).split()
    assert Path(file).is_relative_to(OUT / "venv")
    assert version == "0.1.0"


def test_the_command_of_the_installed_package_makes_an_app(python: Path, tmp_path: Path) -> None:
    assert shell(python, "-m", "lattice", "--version", cwd=tmp_path) == "Lattice 0.1.0\n"
    shell(python, "-m", "lattice", "new", tmp_path / "site", cwd=tmp_path)
    assert (tmp_path / "site" / "app.py").is_file()
