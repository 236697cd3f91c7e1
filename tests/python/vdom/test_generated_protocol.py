# SPDX-License-Identifier: MIT
"""The opcode tables of both sides and the golden frames are what their generators write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_opcode_tables_are_up_to_date() -> None:
    tool = ROOT / "tools" / "generate_protocol.py"
    done = subprocess.run(
        [sys.executable, str(tool), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_golden_frames_are_what_their_writer_writes(tmp_path: Path) -> None:
    golden = ROOT / "protocol" / "golden"
    copy = tmp_path / "golden"
    copy.mkdir()
    (tmp_path / "opcodes.toml").write_bytes((ROOT / "protocol" / "opcodes.toml").read_bytes())
    (copy / "write_golden.py").write_bytes((golden / "write_golden.py").read_bytes())
    subprocess.run([sys.executable, str(copy / "write_golden.py")], check=True)
    for path in sorted(copy.glob("*.json")):
        assert path.read_bytes() == (golden / path.name).read_bytes(), path.name
