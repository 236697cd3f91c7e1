#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bench harness: Lattice and its rivals in turns, medians, one table, one JSON file.

`./run bench [NAME] [--quick | --full]`. A bench is a folder bench/<name> with a bench.toml that
says what to build, which rivals run, and the question. Every program runs in its own process and
prints one JSON line per case, {"case": "kairo/deep", "ns": 12.5}; ours and the rivals alternate,
so that a slow minute of the machine hits both. The figure of a row is the median over the rounds.

ratio = rival / ours: above 1, Lattice is better. bench/budgets.toml holds what each row must
reach; a row that misses it is marked, and so is one whose rival did not install or run.
Writes build/bench/<name>.json. Wall time informs and does not gate: the exit code is 1 only when
our own program does not build or run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
OUT = ROOT / "build" / "bench"
RIVALS = OUT / "rivals"
ROUNDS = {"quick": 3, "normal": 5, "full": 9}
PROGRAM_SECONDS_MAX = 900

Figures = dict[str, float]  # case -> value of one run


@dataclass
class Program:
    """One contestant: how to run it, and what it said in each round."""

    name: str
    version: str
    command: list[str] | None  # None: it could not be built or installed
    problem: str = ""
    rounds: list[Figures] = field(default_factory=list)

    def median(self, case: str) -> float | None:
        values = [figures[case] for figures in self.rounds if case in figures]
        return statistics.median(values) if values else None


def shell(command: Sequence[str | Path], *, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def build_ours(spec: dict[str, Any]) -> Program:
    """Our program from the release build."""
    target = spec["ours"]["target"]
    done = shell(["cmake", "--build", "build/release", "--target", target])
    found = [ROOT / "build/release" / target, ROOT / "build/release/bench" / target]
    program = next((path for path in found if path.is_file()), None)
    if done.returncode != 0 or program is None:
        return Program("lattice", "", None, f"{target} does not build:\n{done.stdout[-2000:]}")
    return Program("lattice", commit(), [str(program)])


def install_npm_rivals() -> str:
    """What went wrong; empty when build/bench/rivals holds what the lock file says."""
    RIVALS.mkdir(parents=True, exist_ok=True)
    lock = (BENCH / "rivals" / "package-lock.json").read_bytes()
    stamp = RIVALS / "node_modules" / ".lattice-stamp"
    if stamp.exists() and stamp.read_bytes() == lock:
        return ""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(BENCH / "rivals" / name, RIVALS / name)
    done = shell(["npm", "ci", "--no-audit", "--no-fund"], cwd=RIVALS)
    if done.returncode != 0:
        return f"npm ci failed: {done.stdout[-800:]}"
    stamp.write_bytes(lock)
    return ""


def npm_rival(bench: str, spec: dict[str, Any]) -> Program:
    """A rival under node. Its program is copied beside the packages, where imports find them."""
    pinned = json.loads((BENCH / "rivals" / "package.json").read_text())["dependencies"]
    version = pinned[spec["npm"]]
    source = BENCH / bench / spec["program"]
    if not source.exists():
        problem = f"{source.relative_to(ROOT)} does not exist"
        return Program(spec["name"], version, None, problem)
    if problem := install_npm_rivals():
        return Program(spec["name"], version, None, problem)
    folder = RIVALS / bench
    folder.mkdir(exist_ok=True)
    for module in (BENCH / bench).glob("*.mjs"):
        shutil.copy(module, folder / module.name)
    return Program(
        spec["name"], version, ["node", *spec.get("flags", []), str(folder / source.name)]
    )


def run_once(program: Program, unit: str, quick: bool) -> None:
    """One process, one round; a crash is noted and ends the program's part."""
    assert program.command is not None
    environment = {**os.environ, "LATTICE_BENCH_QUICK": "1" if quick else "0"}
    try:
        done = subprocess.run(
            program.command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PROGRAM_SECONDS_MAX,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        program.problem = f"ran longer than {PROGRAM_SECONDS_MAX} s"
        program.command = None
        return
    if done.returncode != 0:
        program.problem = f"ended with code {done.returncode}: {done.stderr[-800:]}"
        program.command = None
        return
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    program.rounds.append({line["case"]: float(line[unit]) for line in lines})


def play(programs: list[Program], unit: str, rounds: int, quick: bool) -> None:
    """Rounds in turns, so that noise of the machine hits every contestant."""
    for number in range(rounds):
        print(f"    round {number + 1} of {rounds}", flush=True)
        for program in programs:
            if program.command is not None:
                run_once(program, unit, quick)


def rows_of(
    spec: dict[str, Any], ours: Program, rivals: list[Program], budgets: dict[str, Any]
) -> list[dict[str, Any]]:
    """One row per case and rival, in our program's order; then budgeted cases that never ran."""
    seen: dict[str, None] = {case: None for figures in ours.rounds for case in figures}
    cases = list(seen) + [case for case in budgets if case not in seen]
    rows = []
    for case in cases:
        for rival in rivals:
            mine, theirs = ours.median(case), rival.median(case)
            budget = budgets.get(case, {})
            rows.append(
                {
                    "case": case,
                    "unit": spec["unit"],
                    "ours": mine,
                    "rival": theirs,
                    "rival_name": rival.name,
                    "rival_version": rival.version,
                    "ratio": theirs / mine if mine and theirs else None,
                    "budget": budget.get("ratio", budget.get("bound")),
                }
            )
    return rows


def misses(row: dict[str, Any], budgets: dict[str, Any]) -> bool:
    """Whether a row falls short of its budget; one without a rival's figure does."""
    budget = budgets.get(row["case"], {})
    if "bound" in budget:
        return row["ours"] is None or row["ours"] > budget["bound"]
    if row["ratio"] is None:
        return True
    return "ratio" in budget and row["ratio"] < budget["ratio"]


def figure(value: float | None, suffix: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}{suffix}" if value >= 1000 else f"{value:,.2f}{suffix}"


def print_table(rows: list[dict[str, Any]], budgets: dict[str, Any], unit: str) -> None:
    head = ("case", f"lattice [{unit}]", f"rival [{unit}]", "rival", "ratio", "budget", "")
    lines = [head]
    for row in rows:
        lines.append(
            (
                row["case"],
                figure(row["ours"]),
                figure(row["rival"]),
                f"{row['rival_name']} {row['rival_version']}",
                figure(row["ratio"], "x"),
                "-" if row["budget"] is None else f"{row['budget']:g}",
                "MISSED" if misses(row, budgets) else "ok" if row["budget"] is not None else "",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = [
            text.rjust(width) if column in (1, 2, 4, 5) else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def commit() -> str:
    head = shell(["git", "rev-parse", "--short=12", "HEAD"]).stdout.strip()
    dirty = shell(["git", "status", "--porcelain", "--untracked-files=no"]).stdout.strip()
    return f"{head}+changes" if dirty else head


def machine() -> str:
    """What the figures were measured on: processor, cores, system, compilers."""
    cpu = platform.processor() or platform.machine()
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    ):
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    compiler = shell(["c++", "--version"]).stdout.splitlines()[:1]
    node = shell(["node", "--version"]).stdout.strip()
    parts = [cpu, f"{os.cpu_count()} cores", platform.platform(), *compiler, f"node {node}"]
    return "; ".join([*parts, f"Python {platform.python_version()}"])


def run_bench(name: str, mode: str) -> bool:
    """Run one bench, print and write its rows; False when our own program failed."""
    spec = tomllib.loads((BENCH / name / "bench.toml").read_text())
    every_budget = tomllib.loads((BENCH / "budgets.toml").read_text())
    budgets = every_budget.get(name, {})
    print(f"==> bench {name}: {spec['question']}", flush=True)
    ours = build_ours(spec)
    rivals = [npm_rival(name, rival) for rival in spec["rival"]]
    play([ours, *rivals], spec["unit"], ROUNDS[mode], mode == "quick")
    rows = rows_of(spec, ours, rivals, budgets)
    report = {"bench": name, "commit": commit(), "machine": machine(), "rows": rows}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"\n{report['machine']}\n")
    print_table(rows, budgets, spec["unit"])
    for program in (ours, *rivals):
        if program.problem:
            print(f"\n{program.name}: {program.problem}")
    if mode == "full":
        print_open(every_budget.get("open", {}).get(name, {}))
    missed = sum(misses(row, budgets) for row in rows)
    print(f"\n{len(rows)} rows, {missed} missed; written to build/bench/{name}.json")
    return bool(ours.rounds) and not ours.problem


def print_open(targets: dict[str, Any]) -> None:
    """Targets that no program measures yet."""
    if targets:
        print("\nOpen targets (not measured yet):")
    for case, target in targets.items():
        bound = f"ratio >= {target['ratio']:g}" if "ratio" in target else f"<= {target['bound']:g}"
        note = f"  ({target['note']})" if "note" in target else ""
        print(f"  {case}: {bound}{note}")


def main() -> int:
    benches = sorted(path.parent.name for path in BENCH.glob("*/bench.toml"))
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", choices=benches, help="all without a name")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="3 rounds, short programs")
    length.add_argument("--full", action="store_true", help="9 rounds, and the open targets")
    arguments = parser.parse_args()
    mode = "quick" if arguments.quick else "full" if arguments.full else "normal"
    chosen = [arguments.name] if arguments.name else benches
    results = [run_bench(name, mode) for name in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
