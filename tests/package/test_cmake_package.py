# SPDX-License-Identifier: MIT
"""`cmake --install` gives headers, libraries and a LatticeConfig.cmake that others can use."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = Path(__file__).parent / "consumer"


def shell(*command: object) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def prefix() -> Path:
    """An install tree of the release build, made anew."""
    folder = ROOT / "build" / "package" / "prefix"
    shutil.rmtree(folder, ignore_errors=True)
    shell("cmake", "--build", "build/release", "--target", "lattice_modules")
    shell("cmake", "--install", "build/release", "--component", "cpp", "--prefix", folder)
    return folder


def test_a_consumer_builds_and_runs_with_find_package(prefix: Path) -> None:
    build = ROOT / "build" / "package" / "consumer"
    shutil.rmtree(build, ignore_errors=True)
    shell("cmake", "-S", CONSUMER, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    shell("cmake", "--build", build)
    assert shell(build / "consumer") == "42\n"


def test_installed_headers_show_no_third_party(prefix: Path) -> None:
    foreign = ("boost/", "openssl/", "nanobind/", "Python.h", "gtest/")
    for header in prefix.rglob("*.hpp"):
        if "internal" not in header.parts:
            text = header.read_text()
            assert not any(f"#include <{name}" in text for name in foreign), header
