#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bench harness: Lattice and its rivals in turns, medians, one table, one JSON file.

`./run bench [NAME] [--quick | --full]`. A bench is a folder bench/<name> with a bench.toml that
says what to build, which rivals run, and the question. Every program runs in its own process and
prints one JSON line per case, {"case": "kairo/deep", "ns": 12.5}; ours and the rivals alternate,
so that a slow minute of the machine hits both. The figure of a row is the median over the rounds.

ratio = rival / ours: above 1, Lattice is better. bench/budgets.toml holds what each row must
reach; a row that misses it is marked, and so is one whose rival did not install or run, or whose
contestants did not do the same work. Writes build/bench/<name>.json. Wall time informs and does
not gate: the exit code is 1 only when our own program does not build or run, or when the work
differs.
How to read the table, and the format of the lines and of bench.toml: bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
OUT = ROOT / "build" / "bench"
RIVALS = OUT / "rivals"
ROUNDS = {"quick": 3, "normal": 5, "full": 9}
PROGRAM_SECONDS_MAX = 900

NOT_FIGURES = {"case", "reference", "reference_name", "same", "beside"}


@dataclass
class Line:
    """What a program says of one case in one round."""

    value: float
    unit: str = "ns"
    reference: float | None = None  # measured by the same program, where no rival does the same
    reference_name: str = ""
    same: dict[str, float] = field(default_factory=dict)  # what every contestant must agree on
    beside: dict[str, float] = field(default_factory=dict)  # printed beside the figure

    @staticmethod
    def parse(said: dict[str, Any]) -> Line:
        (unit,) = said.keys() - NOT_FIGURES
        reference = said.get("reference")
        return Line(
            float(said[unit]),
            unit,
            None if reference is None else float(reference),
            said.get("reference_name", ""),
            said.get("same", {}),
            said.get("beside", {}),
        )


Round = dict[str, Line]  # case -> what was said of it


@dataclass
class Program:
    """One contestant: how to run it, and what it said in each round."""

    name: str
    version: str
    command: list[str] | None  # None: it could not be built or installed
    problem: str = ""
    parts: list[str] = field(default_factory=list)  # that it plays; empty: all
    cases: list[str] = field(default_factory=lambda: ["*"])  # patterns of those that it has
    suffix: str = ""  # of its case names: another way to run the same program
    environment: dict[str, str] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)

    def plays(self, part: str) -> bool:
        return not self.parts or any(
            part.startswith(own) or own.startswith(part) for own in self.parts
        )

    def has(self, case: str) -> bool:
        return any(fnmatchcase(case, pattern) for pattern in self.cases) and (
            not self.parts or any(case.startswith(part) for part in self.parts)
        )

    def lines(self, case: str) -> list[Line]:
        return [said[case] for said in self.rounds if case in said]

    def median(self, case: str) -> float | None:
        values = [line.value for line in self.lines(case)]
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


def build(targets: Sequence[str]) -> str:
    """What went wrong with building these in the release tree."""
    done = shell(["cmake", "--build", "build/release", "--target", *targets])
    if done.returncode == 0:
        return ""
    return f"{' '.join(targets)} does not build:\n{done.stdout[-2000:]}"


def build_ours(bench: str, spec: dict[str, Any]) -> Program:
    """One of our programs, in one of the ways in which it is to be run."""
    environment = dict(spec.get("environment", {}))
    if "python" in spec:
        problem = build(spec["targets"])
        folders = [ROOT / "build/release/python", ROOT / "build/release/bench"]
        environment["PYTHONPATH"] = os.pathsep.join(map(str, folders))
        command = [sys.executable, str(BENCH / bench / spec["python"])]
    else:
        target = spec["target"]
        problem = build([target])
        found = [ROOT / "build/release" / target, ROOT / "build/release/bench" / target]
        command = [str(path) for path in found if path.is_file()][:1]
        problem = problem or ("" if command else f"{target} is not where it should be")
    return Program(
        "lattice",
        commit(),
        None if problem else command,
        problem,
        spec.get("parts", []),
        suffix=spec.get("suffix", ""),
        environment=environment,
    )


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
    command = ["node", *spec.get("flags", []), str(folder / source.name)]
    return Program(spec["name"], version, command)


def newest_python(names: Sequence[str]) -> str | None:
    """The first of these interpreters that is here and can make a venv: on the path or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for name in names:
        for found in (shutil.which(name), *sorted(pyenv.glob(f"*/bin/{name}"), reverse=True)):
            if found and shell([found, "-c", "import ensurepip, venv"]).returncode == 0:
                return str(found)
    return None


def install_pip_rival(python: str, package: str, folder: Path) -> str:
    """A venv that holds a package as bench/rivals/requirements.txt pins it; what went wrong."""
    pins = BENCH / "rivals" / "requirements.txt"
    made_for = f"{shell([python, '--version']).stdout}{pins.read_text()}"
    stamp = folder / "lattice-stamp"
    if stamp.exists() and stamp.read_text() == made_for:
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    done = shell([python, "-m", "venv", folder])
    if done.returncode == 0:
        pip = [folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = shell([*pip, "--constraint", pins, package])
    if done.returncode != 0:
        return f"{package} could not be installed: {done.stdout[-800:]}"
    stamp.write_text(made_for)
    return ""


def pip_rival(bench: str, spec: dict[str, Any]) -> Program | None:
    """A Python rival in a venv of its own; None when it asks for a Python that is not here."""
    python = newest_python(spec["interpreters"]) if "interpreters" in spec else sys.executable
    if python is None:
        return None
    folder = OUT / "python" / spec["name"].replace(" ", "-")
    if problem := install_pip_rival(python, spec["pip"], folder):
        return Program(spec["name"], "", None, problem)
    ask = (
        "import importlib.metadata as m, platform, sys;"
        "print(m.version(sys.argv[1]), platform.python_version())"
    )
    own = str(folder / "bin" / "python")
    version, _, python_version = shell([own, "-c", ask, spec["pip"]]).stdout.strip().partition(" ")
    if python_version != platform.python_version():
        version += f" (Python {python_version})"
    return Program(spec["name"], version, [own, str(BENCH / bench / spec["program"])])


def cargo_rival(bench: str, spec: dict[str, Any]) -> Program:
    """A Rust rival: one program of bench/<name>/rust, which takes the rival's name."""
    source = BENCH / bench / "rust"
    pinned = tomllib.loads((source / "Cargo.toml").read_text())
    version = pinned["dependencies"][spec["cargo"]].removeprefix("=")
    if shutil.which("cargo") is None:
        return Program(spec["name"], version, None, "cargo is not installed")
    # Built from a copy: the lock file that cargo writes stays out of the tree.
    copy = OUT / "rust" / bench
    shutil.copytree(source, copy, dirs_exist_ok=True)
    done = shell(["cargo", "build", "--release", "--quiet"], cwd=copy)
    if done.returncode != 0:
        return Program(spec["name"], version, None, f"cargo build failed: {done.stdout[-800:]}")
    program = copy / "target" / "release" / pinned["package"]["name"]
    return Program(spec["name"], version, [str(program), spec["cargo"]])


def make_rival(bench: str, spec: dict[str, Any]) -> Program | None:
    """A rival that could not be installed stays a contestant: its rows are marked."""
    rival: Program | None
    if "cargo" in spec:
        rival = cargo_rival(bench, spec)
    else:
        rival = pip_rival(bench, spec) if "pip" in spec else npm_rival(bench, spec)
    if rival is not None:
        rival.parts = spec.get("parts", [])
        rival.cases = spec.get("cases", ["*"])
    return rival


def run_once(program: Program, part: str, quick: bool) -> Round:
    """One process, one part of one round; a crash is noted and ends the program's part."""
    assert program.command is not None
    environment = {
        **os.environ,
        "LATTICE_BENCH_QUICK": "1" if quick else "0",
        **program.environment,
    }
    try:
        done = subprocess.run(
            [*program.command, *(["--case", part] if part else [])],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PROGRAM_SECONDS_MAX,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        program.problem = f"{part} ran longer than {PROGRAM_SECONDS_MAX} s"
        program.command = None
        return {}
    if done.returncode != 0:
        program.problem = f"{part} ended with code {done.returncode}: {done.stderr[-800:]}"
        program.command = None
        return {}
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["case"] + program.suffix: Line.parse(line) for line in said}


def play(programs: list[Program], parts: list[str], rounds: int, quick: bool) -> None:
    """Rounds in turns, part by part, so that noise of the machine hits every contestant.

    Every part is a process of its own: what one family of cases leaves behind (a heap, what a
    JIT has learned) does not weigh on the next.
    """
    for number in range(rounds):
        print(f"    round {number + 1} of {rounds}", flush=True)
        said: list[Round] = [{} for _ in programs]
        for part in parts:
            for program, so_far in zip(programs, said, strict=True):
                if program.command is not None and program.plays(part):
                    so_far |= run_once(program, part, quick)
        for program, whole in zip(programs, said, strict=True):
            if whole:
                program.rounds.append(whole)


def merged(ours: list[Program]) -> Program:
    """Our programs as one contestant: what all of them said, round by round."""
    count = max(len(program.rounds) for program in ours)
    whole = Program("lattice", ours[0].version, ours[0].command)
    for number in range(count):
        said: Round = {}
        for program in ours:
            if number < len(program.rounds):
                said |= program.rounds[number]
        whole.rounds.append(said)
    whole.problem = "\n".join(dict.fromkeys(one.problem for one in ours if one.problem))
    return whole


def plain(case: str, suffixes: Sequence[str]) -> str:
    """The rivals' name of a case: they know nothing of the ways in which ours can be run."""
    for suffix in suffixes:
        if suffix and case.endswith(suffix):
            return case.removesuffix(suffix)
    return case


def rows_of(
    spec: dict[str, Any], ours: Program, rivals: list[Program], budgets: dict[str, Any]
) -> list[dict[str, Any]]:
    """One row per case and rival, in our programs' order, with the geometric means behind the cases
    that they are of; then budgeted cases that never ran."""
    suffixes = [one.get("suffix", "") for one in spec.get("ours", [])]
    seen: dict[str, None] = {case: None for said in ours.rounds for case in said}
    means = spec.get("geomean", [])
    of_means = {mean["case"] for mean in means}
    rows: list[dict[str, Any]] = []
    for case in [*seen, *(case for case in budgets if case not in seen and case not in of_means)]:
        rows += rows_of_case(case, plain(case, suffixes), ours, rivals, budgets.get(case, {}))
    for mean in means:
        rows += rows_of_mean(mean, rows, budgets.get(mean["case"], {}))
    return rows


def row_of(
    case: str, unit: str, ours: float | None, rival: float | None, name: str, version: str
) -> dict[str, Any]:
    ratio = rival / ours if ours and rival else None
    return {
        "case": case,
        "unit": unit,
        "ours": ours,
        "rival": rival,
        "rival_name": name,
        "rival_version": version,
        "ratio": ratio,
        "budget": None,
    }


def rows_of_case(
    case: str, rival_case: str, ours: Program, rivals: list[Program], budget: dict[str, Any]
) -> list[dict[str, Any]]:
    lines = ours.lines(case)
    unit = lines[0].unit if lines else "ns"
    mine = ours.median(case)
    rows = []
    paired = [line for line in lines if line.reference is not None]
    if paired:  # both figures are of the same minute: the ratio is the median of the ratios
        theirs = statistics.median(line.reference or 0.0 for line in paired)
        row = row_of(case, unit, mine, theirs, paired[0].reference_name, "same run")
        ratios = [line.reference / line.value for line in paired if line.reference and line.value]
        row["ratio"] = statistics.median(ratios) if ratios else None
        rows.append(row)
    for rival in rivals:
        if rival.has(rival_case):
            theirs_median = rival.median(rival_case)
            rows.append(row_of(case, unit, mine, theirs_median, rival.name, rival.version))
    rows = rows or [row_of(case, unit, mine, None, "", "")]
    for row in rows:
        row["budget"] = budget_figure(budget_of(budget, row["rival_name"]))
    return rows


def rows_of_mean(
    mean: dict[str, Any], rows: list[dict[str, Any]], budget: dict[str, Any]
) -> list[dict[str, Any]]:
    """The geometric means of the medians of some cases, by rival; none while one is missing."""
    names = dict.fromkeys((row["rival_name"], row["rival_version"]) for row in rows)
    found = []
    for name, version in names:
        of = [row for row in rows if row["case"] in mean["of"] and row["rival_name"] == name]
        if not of:
            continue
        whole = len(of) == len(mean["of"]) and all(row["ours"] and row["rival"] for row in of)
        mine = statistics.geometric_mean(row["ours"] for row in of) if whole else None
        theirs = statistics.geometric_mean(row["rival"] for row in of) if whole else None
        row = row_of(mean["case"], of[0]["unit"], mine, theirs, name, version)
        row["budget"] = budget_figure(budget_of(budget, name))
        found.append(row)
    return found or [row_of(mean["case"], "ns", None, None, "", "")]


BUDGET_KINDS = ("ratio", "bound", "times", "plus")


def budget_of(budget: dict[str, Any], rival: str) -> dict[str, Any]:
    """What a row must reach: the case's own figures, else those for this rival."""
    return budget.get(rival, {key: budget[key] for key in BUDGET_KINDS if key in budget})


def budget_figure(budget: dict[str, Any]) -> float | None:
    return next((float(budget[kind]) for kind in BUDGET_KINDS if kind in budget), None)


def misses(row: dict[str, Any], budgets: dict[str, Any]) -> bool:
    """Whether a row falls short of its budget; one without a rival's figure does."""
    budget = budget_of(budgets.get(row["case"], {}), row["rival_name"])
    ours, rival = row["ours"], row["rival"]
    if ours is None:
        return True
    if "bound" in budget and ours > budget["bound"]:
        return True
    if not row["rival_name"]:
        return bool(budget.keys() - {"bound"})
    if rival is None or row["ratio"] is None:
        return "bound" not in budget or len(budget) > 1
    return (
        row["ratio"] < budget.get("ratio", -math.inf)
        or row["ratio"] < 1 / budget.get("times", math.inf)
        or ours - rival > budget.get("plus", math.inf)
    )


def differences(ours: Program, rivals: list[Program], suffixes: Sequence[str]) -> list[str]:
    """Where contestants did not do the same work: sums, counts of runs."""
    found = []
    for case in dict.fromkeys(case for said in ours.rounds for case in said):
        expected = ours.lines(case)[0].same
        for other in (ours, *rivals):
            for line in other.lines(case if other is ours else plain(case, suffixes)):
                for key in expected.keys() & line.same.keys():
                    if line.same[key] != expected[key]:
                        found.append(
                            f"{case}: {key} is {expected[key]:.17g} in lattice and "
                            f"{line.same[key]:.17g} in {other.name}"
                        )
    return list(dict.fromkeys(found))


def besides(ours: Program) -> dict[str, dict[str, float]]:
    """What our programs counted, case by case: medians over the rounds."""
    found: dict[str, dict[str, float]] = {}
    for case in dict.fromkeys(case for said in ours.rounds for case in said):
        said = [{**line.same, **line.beside} for line in ours.lines(case)]
        if said[0]:
            found[case] = {key: statistics.median(one[key] for one in said) for key in said[0]}
    return found


def figure(value: float | None, suffix: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}{suffix}" if value >= 1000 else f"{value:,.2f}{suffix}"


def budget_text(budget: dict[str, Any]) -> str:
    texts = {
        "ratio": ">= {:g}x",
        "bound": "<= {:g}",
        "times": "<= {:g}x of it",
        "plus": "<= it + {:g}",
    }
    return ", ".join(texts[kind].format(budget[kind]) for kind in BUDGET_KINDS if kind in budget)


def print_columns(lines: Sequence[Sequence[str]], right: set[int]) -> None:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def print_table(rows: list[dict[str, Any]], budgets: dict[str, Any]) -> None:
    lines = [("case", "lattice", "rival", "", "rival", "ratio", "budget", "")]
    for row in rows:
        budget = budget_of(budgets.get(row["case"], {}), row["rival_name"])
        missed = misses(row, budgets)
        lines.append(
            (
                row["case"],
                figure(row["ours"]),
                figure(row["rival"]),
                row["unit"],
                f"{row['rival_name']} {row['rival_version']}".strip(),
                figure(row["ratio"], "x"),
                budget_text(budget) or "-",
                "MISSED" if missed else "ok" if budget else "",
            )
        )
    print_columns(lines, {1, 2, 5})


def print_besides(found: dict[str, dict[str, float]]) -> None:
    """What was counted in our programs, beside the times: {"recomputed": ...} and the like."""
    if not found:
        return
    print("\nCounted beside the times:")
    print_columns(
        [
            (case, ", ".join(f"{key} {value:.6g}" for key, value in counts.items()))
            for case, counts in found.items()
        ],
        set(),
    )


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


def clock() -> str:
    """What the programs were told to measure with (bench/README.md)."""
    return "processor" if os.environ.get("LATTICE_BENCH_CLOCK") == "cpu" else "wall"


def parts_of(spec: dict[str, Any], only: str) -> list[str]:
    """The prefixes of cases that get a process of their own, narrowed to what is wanted."""
    parts: list[str] = spec.get("parts", [""])
    wanted = [part for part in parts if part.startswith(only)]
    return wanted or [only for part in parts if only.startswith(part)]


def run_bench(name: str, mode: str, only: str) -> bool:
    """Run one bench, print and write its rows; False when our own program failed."""
    spec = tomllib.loads((BENCH / name / "bench.toml").read_text())
    every_budget = tomllib.loads((BENCH / "budgets.toml").read_text())
    budgets = every_budget.get(name, {})
    parts = parts_of(spec, only)
    budgets = {case: budget for case, budget in budgets.items() if case.startswith(only)}
    means = spec.get("geomean", [])
    spec["geomean"] = [mean for mean in means if all(of.startswith(only) for of in mean["of"])]
    print(f"==> bench {name}: {spec['question']}", flush=True)
    ours = [build_ours(name, one) for one in spec["ours"]]
    rivals = []
    for one in spec["rival"]:
        rival = make_rival(name, one)
        if rival is None:
            print(f"    without {one['name']}: none of {', '.join(one['interpreters'])} is here")
        else:
            rivals.append(rival)
    play([*ours, *rivals], parts, ROUNDS[mode], mode == "quick")
    whole = merged(ours)
    rows = rows_of(spec, whole, rivals, budgets)
    differing = differences(whole, rivals, [one.get("suffix", "") for one in spec["ours"]])
    counted = besides(whole)
    report = {
        "bench": name,
        "commit": commit(),
        "machine": machine(),
        "clock": clock(),
        "rows": rows,
        "counted": counted,
        "differences": differing,
    }
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"\n{report['machine']}\n{report['clock']} time, medians of {ROUNDS[mode]} rounds\n")
    print_table(rows, budgets)
    print_besides(counted)
    for program in (whole, *rivals):
        if program.problem:
            print(f"\n{program.name}: {program.problem}")
    if differing:
        print("\nNOT THE SAME WORK:", *differing, sep="\n  ")
    if mode == "full":
        print_open(every_budget.get("open", {}).get(name, {}))
    missed = sum(misses(row, budgets) for row in rows)
    print(f"\n{len(rows)} rows, {missed} missed; written to build/bench/{name}.json")
    return bool(whole.rounds) and not whole.problem and not differing


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
    parser.add_argument("--case", default="", metavar="PREFIX", help="only these cases")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="3 rounds, short programs")
    length.add_argument("--full", action="store_true", help="9 rounds, and the open targets")
    arguments = parser.parse_args()
    mode = "quick" if arguments.quick else "full" if arguments.full else "normal"
    chosen = [arguments.name] if arguments.name else benches
    results = [run_bench(name, mode, arguments.case) for name in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
