#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clang-tidy on changed files.

A file is changed when it, a project header it includes (transitively) or .clang-tidy is not what
it was at its last clean run; the proof of a clean run is an empty file build/tidy/<digest>. So
the first run in a clone looks at everything and later ones only at what one is working on, without
asking git what "changed" means on a branch, on main or in a fresh clone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMPS = ROOT / "build" / "tidy"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def closure(source: Path) -> list[Path]:
    """The file and every project header it reaches, in a fixed order."""
    seen: set[Path] = set()
    pending = [source]
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in INCLUDE.findall(path.read_text(errors="replace")):
            pending += [
                found for found in (path.parent / name, ROOT / "src" / name) if found.is_file()
            ]
    return sorted(seen)


def digest(source: Path, command: str) -> str:
    """Names one state of a file, all it includes, its compile command and the list of checks."""
    state = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    state.update(command.replace(str(ROOT), "").encode())
    for path in closure(source):
        state.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return state.hexdigest()[:32]


def project_files(build: Path) -> list[tuple[Path, str]]:
    """(file, digest) of our own sources in the compile database."""
    entries = json.loads((build / "compile_commands.json").read_text())
    files = {Path(entry["file"]): entry.get("command", "") for entry in entries}
    ours = [(path, command) for path, command in files.items() if path.is_relative_to(ROOT)]
    kept = [
        (path, command)
        for path, command in ours
        if path.exists()
        and path.relative_to(ROOT).parts[0] in {"src", "python", "bench", "examples", "fuzz"}
    ]
    return [(path, digest(path, command)) for path, command in sorted(kept)]


def tidy(tool: str, build: Path, path: Path, stamp: Path) -> str:
    """Empty when clean (and stamped), else what clang-tidy said."""
    done = subprocess.run(
        [
            tool,
            "--quiet",
            "-p",
            str(build),
            "--extra-arg=-Wno-everything",
            "--extra-arg=-Qunused-arguments",
            "--extra-arg=-Wno-unknown-warning-option",
            str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        stamp.touch()
        return ""
    return f"{path.relative_to(ROOT)}:\n{done.stdout}{done.stderr if not done.stdout else ''}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clang-tidy", default="clang-tidy-19")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    arguments = parser.parse_args()
    if not (arguments.build / "compile_commands.json").exists():
        print(f"{arguments.build} is not configured: run ./run build first", file=sys.stderr)
        return 1
    STAMPS.mkdir(parents=True, exist_ok=True)
    files = project_files(arguments.build)
    changed = [(path, STAMPS / name) for path, name in files if not (STAMPS / name).exists()]
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        reports = pool.map(lambda item: tidy(arguments.clang_tidy, arguments.build, *item), changed)
        complaints = [report for report in reports if report]
    print("\n".join(complaints))
    print(
        f"clang-tidy: {len(changed)} of {len(files)} files changed, {len(complaints)} with findings"
    )
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
