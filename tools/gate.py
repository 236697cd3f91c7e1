#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The gate: runs every check of the repository and sums them up in one line.

Called by `./run test`, which has set everything up. A stage is a function that returns an
Outcome; it writes what its tools print to build/log/test-<stage>.log and shows the end of it when
something fails. A failing stage never stops the next one. Counts are single test cases: GoogleTest
cases, pytest tests, client tests, cases of foreign suites; each lint tool counts as one.

The last line is always `N passed, N failed` (with `, N skipped` if any); exit 1 on a failure.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "log"
JOBS = max(2, os.cpu_count() or 2)
EXECUTABLE_SECONDS_MAX = 600
YJS_FUZZ_RUNS = 100
# What each sanitizer run covers: the pure cores under ASan + UBSan, what has threads under TSan.
SANITIZED_MODULES = {
    "asan": ("base", "reactive", "vdom", "ui", "net", "app"),
    "tsan": ("reactive", "net", "app"),
}


@dataclass
class Outcome:
    """What one stage found."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.notes += other.notes

    def fail(self, what: str, log: str = "") -> None:
        self.failed += 1
        self.failures.append(what)
        if log:
            print("\n".join("    | " + line for line in log.splitlines()[-60:]))

    @property
    def total(self) -> int:
        return self.passed + self.failed + self.skipped


@dataclass(frozen=True)
class Run:
    """A finished command."""

    code: int
    output: str


def run(
    command: Sequence[str | Path],
    *,
    log: str,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    timeout_s: float = 1800,
) -> Run:
    """Run a command to its end, keep its output in build/log/test-<log>.log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
        result = Run(done.returncode, done.stdout.decode("utf-8", "replace"))
    except subprocess.TimeoutExpired as error:
        so_far = (error.stdout or b"").decode("utf-8", "replace")
        result = Run(124, f"{so_far}\ntimed out after {timeout_s:.0f} s")
    except FileNotFoundError:
        result = Run(127, f"{words[0]}: not found")
    (LOGS / f"test-{log}.log").write_text(f"$ {' '.join(words)}\n{result.output}")
    return result


# --- C++ ---


def build(preset: str, targets: Iterable[str], log: str) -> Run:
    """Build targets; -k 0 so that one broken module does not hide the tests of the others."""
    return run(
        ["cmake", "--build", f"build/{preset}", "--target", *targets, "--", "-k", "0"], log=log
    )


def test_modules(preset: str) -> list[str]:
    listing = ROOT / "build" / preset / "tests.txt"
    return listing.read_text().split() if listing.exists() else []


def build_all() -> Outcome:
    """Everything the later stages run, in one go; what does not build fails in its own stage."""
    targets = ["_core", "_core_stub", "lattice_tests", "foreign_node", "foreign_yjs"]
    built = build("release", targets, "build")
    return Outcome(notes=[] if built.code == 0 else ["parts do not build, see below"])


def run_gtest(preset: str, module: str, prefix: Sequence[str]) -> Outcome:
    """Run one test executable and count its cases from the JSON report."""
    outcome = Outcome()
    executable = ROOT / "build" / preset / f"{module}_test"
    report = LOGS / f"{preset}-{module}.json"
    report.unlink(missing_ok=True)
    done = run(
        [*prefix, executable, f"--gtest_output=json:{report}", "--gtest_brief=1"],
        log=f"{preset}-{module}",
        env={
            "ASAN_OPTIONS": "detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
        },
        timeout_s=EXECUTABLE_SECONDS_MAX,
    )
    cases = gtest_cases(report)
    failed = [name for name, state in cases if state == "failed"]
    outcome.passed = sum(state == "passed" for _, state in cases)
    outcome.skipped = sum(state == "skipped" for _, state in cases)
    for name in failed:
        outcome.fail(f"C++ {name}")
    if failed:
        print("\n".join("    | " + line for line in done.output.splitlines()[-60:]))
    if done.code != 0 and not failed:
        outcome.fail(f"C++ {module}_test ({preset}) ended with code {done.code}", done.output)
    return outcome


def gtest_cases(report: Path) -> list[tuple[str, str]]:
    """(name, "passed" | "failed" | "skipped") of each case; empty when the program died."""
    try:
        suites = json.loads(report.read_text())["testsuites"]
    except (OSError, ValueError, KeyError):
        return []
    cases = []
    for case in (case for suite in suites for case in suite["testsuite"]):
        if case.get("failures"):
            state = "failed"
        elif case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
            state = "skipped"
        else:
            state = "passed"
        cases.append((f"{case['classname']}.{case['name']}", state))
    return cases


def cpp(preset: str = "release", modules: Sequence[str] | None = None) -> Outcome:
    """GoogleTest cases of every module that has tests."""
    outcome = Outcome()
    chosen = [name for name in test_modules(preset) if modules is None or name in modules]
    if not chosen:
        outcome.notes.append("no C++ tests yet")
        return outcome
    built = build(preset, [f"{name}_test" for name in chosen], f"{preset}-build")
    if built.code != 0:
        outcome.fail(f"C++ build ({preset})", compiler_errors(built.output))
        chosen = [
            name for name in chosen if f"/{name}_test" not in built.output.partition("FAILED")[2]
        ]
    prefix = fixed_addresses() if preset == "tsan" else []
    with ThreadPoolExecutor(JOBS) as pool:
        for result in pool.map(lambda name: run_gtest(preset, name, prefix), chosen):
            outcome.add(result)
    return outcome


def compiler_errors(output: str) -> str:
    lines = [
        line for line in output.splitlines() if re.search(r"error|FAILED|undefined reference", line)
    ]
    return "\n".join(lines) or output


def fixed_addresses() -> list[str]:
    """`setarch -R` where it works: GCC 12's TSan cannot map its shadow under high-entropy ASLR."""
    command = ["setarch", os.uname().machine, "-R"]
    try:
        works = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        works = False
    return command if works else []


# --- Python, browser, package ---


def pytest(folder: str, *arguments: str, log: str, timeout_s: float = 1200) -> Outcome:
    """Run a folder of pytest tests; a folder without tests is noted, not failed."""
    outcome = Outcome()
    if not any((ROOT / folder).rglob("test_*.py")):
        outcome.notes.append(f"no tests in {folder} yet")
        return outcome
    report = LOGS / f"{log}.xml"
    report.unlink(missing_ok=True)
    done = run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-ra",
            "--tb=short",
            f"--junitxml={report}",
            folder,
            *arguments,
        ],
        log=log,
        timeout_s=timeout_s,
    )
    count_junit(report, outcome)
    if done.code not in (0, 5) and not outcome.failed:
        outcome.fail(f"pytest {folder} ended with code {done.code}")
    if outcome.failed:
        print("\n".join("    | " + line for line in done.output.splitlines()[-80:]))
    return outcome


def count_junit(report: Path, outcome: Outcome) -> None:
    try:
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return
    for case in cases:
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
            outcome.failures.append(name)
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1


def package_built(outcome: Outcome) -> bool:
    """The importable package in build/release/python."""
    built = build("release", ["_core", "_core_stub"], "package-build")
    if built.code != 0:
        outcome.fail("build of the Python package", compiler_errors(built.output))
    return built.code == 0


def python() -> Outcome:
    """tests/python with the package of build/release."""
    outcome = Outcome()
    if package_built(outcome):
        outcome.add(pytest("tests/python", log="python"))
    return outcome


def no_browser(outcome: Outcome) -> bool:
    if os.environ.get("LATTICE_CHROMIUM"):
        return False
    outcome.skipped += 1
    outcome.notes.append("skipped: no Chromium that starts on this system")
    return True


def browser() -> Outcome:
    """The client's own browser tests, and whole pages in headless Chromium (tests/browser)."""
    outcome = Outcome()
    if not no_browser(outcome):
        outcome.add(npm_tests("test:browser"))
        if package_built(outcome):
            outcome.add(pytest("tests/browser", log="browser"))
    return outcome


def demo() -> Outcome:
    """The demo's page against numbers computed by independent code."""
    outcome = Outcome()
    script = ROOT / "tests" / "browser" / "check_demo.py"
    if not script.exists():
        outcome.notes.append("no demo check yet")
    elif not no_browser(outcome) and package_built(outcome):
        done = run([sys.executable, script], log="demo", timeout_s=300)
        if done.code == 0:
            outcome.passed += 1
        else:
            outcome.fail("demo --check", done.output)
    return outcome


def package(*, full: bool = False) -> Outcome:
    """The wheel in a fresh venv and the find_package consumer (slow: only with --full)."""
    if full:
        return pytest("tests/package", log="package")
    return Outcome(notes=["wheel and find_package tests run with --full"])


# --- client ---


def npm_tests(script: str) -> Outcome:
    """One test script of client/package.json; it ends with `N passed, N failed`."""
    outcome = Outcome()
    package = ROOT / "client" / "package.json"
    if not package.exists() or script not in json.loads(package.read_text())["scripts"]:
        outcome.notes.append(f"no {script} in client/ yet")
        return outcome
    log = f"client-{script.replace(':', '-')}"
    command = ["npm", "run", "--silent", script]
    done = run(command, log=log, cwd=ROOT / "client", env={"NO_COLOR": "1"}, timeout_s=600)
    outcome.passed, failed, outcome.skipped = client_counts(done.output)
    outcome.failed = failed
    names = dict.fromkeys(re.findall(r"^\s*✖ (.*?)(?: \([\d.]+ms\))?$", done.output, re.MULTILINE))
    outcome.failures = [f"client: {name}" for name in names if name != "failing tests:"][:failed]
    if done.code != 0 and not failed:
        outcome.fail(f"npm run {script} ended with code {done.code}")
    if outcome.failed:
        print("\n".join("    | " + line for line in done.output.splitlines()[-80:]))
    return outcome


def client_counts(output: str) -> tuple[int, int, int]:
    """Passed, failed, skipped of the last sum in the output; zeros without one."""
    sums = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output, re.MULTILINE)
    if not sums:
        return 0, 0, 0
    passed, failed, skipped = sums[-1]
    return int(passed), int(failed), int(skipped or 0)


def foreign() -> Outcome:
    """Test suites of other projects, unmodified, and their libraries as peers (tests/foreign)."""
    outcome = Outcome()
    built = build("release", ["foreign_node", "foreign_yjs"], "foreign-build")
    if built.code != 0:
        outcome.fail("build of the Node-API addons", compiler_errors(built.output))
        return outcome
    folder = ROOT / "build" / "release" / "foreign"
    done = run(
        ["node", "run.mjs", folder / "lattice.node", folder],
        log="foreign",
        cwd=ROOT / "tests" / "foreign" / "node",
        timeout_s=300,
    )
    outcome.add(count_foreign(done, "tests/foreign/node/run.mjs"))
    outcome.add(yjs("fuzz.mjs", "--runs", str(YJS_FUZZ_RUNS)))
    return outcome


def yjs(program: str, *arguments: str | Path, timeout_s: float = 900) -> Outcome:
    """A program of tests/foreign/yjs with the CRDT engine's addon."""
    built = build("release", ["foreign_yjs"], "yjs-build")
    if built.code != 0:
        outcome = Outcome()
        outcome.fail("build of the CRDT engine's Node-API addon", compiler_errors(built.output))
        return outcome
    addon = ROOT / "build" / "release" / "foreign" / "lattice_crdt.node"
    folder = ROOT / "tests" / "foreign" / "yjs"
    done = run(
        ["node", folder / program, addon, *arguments],
        log=f"yjs-{Path(program).stem}",
        timeout_s=timeout_s,
    )
    outcome = count_foreign(done, f"tests/foreign/yjs/{program}")
    outcome.notes += re.findall(r"^.* of Yjs's own tests pass$", done.output, re.MULTILINE)
    return outcome


def yjs_suite(checkout: str | None) -> Outcome:
    """Yjs's own test suite, which is in no npm package: from a checkout of its sources."""
    if checkout is None:
        return Outcome(skipped=1, notes=["skipped: Yjs's own suite runs with --yjs-suite CHECKOUT"])
    return yjs("suite.mjs", Path(checkout).resolve(), timeout_s=7200)


def count_foreign(done: Run, program: str) -> Outcome:
    """The cases of a program: a FAIL line for each that failed, and the sum at the end."""
    outcome = Outcome()
    outcome.passed, outcome.failed, outcome.skipped = client_counts(done.output)
    outcome.failures += re.findall(r"^FAIL (.*)$", done.output, re.MULTILINE)
    if (done.code != 0 and not outcome.failed) or not outcome.total:
        outcome.fail(f"{program} ended with code {done.code}")
    if outcome.failed:
        print("\n".join("    | " + line for line in done.output.splitlines()[-60:]))
    return outcome


def bundle_size() -> str:
    """Bytes of the client's script as it is and gzipped, so that a change of size is seen."""
    script = ROOT / "client" / "dist" / "client.js"
    if not script.exists():
        return "client.js is not built"
    code = script.read_bytes()
    return f"client.js: {len(code)} bytes, {len(gzip.compress(code, 9, mtime=0))} gzipped"


def client() -> Outcome:
    """The browser client's unit tests under node."""
    outcome = npm_tests("test")
    outcome.notes.append(bundle_size())
    return outcome


# --- lint ---


def sources(*suffixes: str) -> list[str]:
    """Tracked and new files (nothing that .gitignore hides) with one of the suffixes."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [name for name in listing if name.endswith(suffixes) and (ROOT / name).exists()]


def tool_19(name: str) -> str | None:
    """The LLVM tool of the one major version whose output the repository follows."""
    for candidate in (f"{name}-19", name):
        path = shutil.which(candidate)
        if (
            path
            and b"version 19."
            in subprocess.run([path, "--version"], capture_output=True, check=False).stdout
        ):
            return path
    return None


def check(
    outcome: Outcome, name: str, command: Sequence[str | Path] | None, **options: object
) -> None:
    """One lint tool, one check; None says that the tool is not to be had here."""
    if command is None:
        outcome.skipped += 1
        outcome.notes.append(f"{name}: skipped, version 19 is not installed")
        return
    started = time.monotonic()
    done = run(command, log=f"lint-{name.replace(' ', '-')}", **options)  # type: ignore[arg-type]
    if done.code == 0:
        outcome.passed += 1
        print(f"    {name}: ok ({time.monotonic() - started:.1f} s)")
    else:
        outcome.fail(f"lint: {name}", done.output)


def lint() -> Outcome:
    """Format, clang-tidy, ruff, mypy, tsc, layers, generated files."""
    outcome = Outcome()
    python_files = sources(".py")
    cpp_files = sources(".cpp", ".hpp")
    clang_format, clang_tidy = tool_19("clang-format"), tool_19("clang-tidy")
    check(outcome, "layers", [sys.executable, "tools/check_layers.py"])
    if cpp_files:
        check(
            outcome,
            "clang-format",
            clang_format and [clang_format, "--dry-run", "-Werror", *cpp_files],
        )
        tidy = clang_tidy and [sys.executable, "tools/tidy.py", "--clang-tidy", clang_tidy]
        check(outcome, "clang-tidy", tidy or None)
    if python_files:
        check(
            outcome,
            "ruff check",
            [sys.executable, "-m", "ruff", "check", "--no-cache", *python_files],
        )
        check(
            outcome,
            "ruff format",
            [sys.executable, "-m", "ruff", "format", "--no-cache", "--check", *python_files],
        )
    if (ROOT / "python/lattice/__init__.py").exists() and package_built(outcome):
        check(outcome, "mypy", [sys.executable, "-m", "mypy", "-p", "lattice"])
    if (ROOT / "client/tsconfig.json").exists():
        check(outcome, "tsc", ["npm", "run", "--silent", "check"], cwd=ROOT / "client")
    if (ROOT / "tools/generate_protocol.py").exists():
        check(outcome, "protocol tables", [sys.executable, "tools/generate_protocol.py", "--check"])
    return outcome


# --- the whole ---


def stages(arguments: argparse.Namespace) -> dict[str, Callable[[], Outcome]]:
    if arguments.sanitizer:
        preset = arguments.sanitizer
        modules = arguments.stage or SANITIZED_MODULES[preset]
        return {f"cpp ({preset})": lambda: cpp(preset, modules)}
    every: dict[str, Callable[[], Outcome]] = {
        "build": build_all,
        "lint": lint,
        "client": client,
        "cpp": cpp,
        "foreign": foreign,
        "yjs suite": lambda: yjs_suite(arguments.yjs_suite),
        "python": python,
        "browser": browser,
        "demo": demo,
        "package": lambda: package(full=arguments.full or "package" in arguments.stage),
    }
    unknown = set(arguments.stage) - every.keys()
    if unknown:
        sys.exit(
            f"error: no such stage: {', '.join(sorted(unknown))}; there are {', '.join(every)}"
        )
    return {
        name: stage
        for name, stage in every.items()
        if (not arguments.stage and not arguments.yjs_suite)
        or name in arguments.stage
        or (name == "yjs suite" and arguments.yjs_suite)
    }


def summary(outcome: Outcome) -> str:
    skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
    return f"{outcome.passed} passed, {outcome.failed} failed{skipped}"


def run_stage(name: str, stage: Callable[[], Outcome]) -> Outcome:
    print(f"==> {name} ...", flush=True)
    started = time.monotonic()
    try:
        outcome = stage()
    except Exception as error:
        outcome = Outcome()
        outcome.fail(f"stage {name}: {type(error).__name__}: {error}")
    for note in outcome.notes:
        print(f"    {note}")
    print(f"    {summary(outcome)} ({time.monotonic() - started:.1f} s)", flush=True)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "stage", nargs="*", help="stages to run (with --sanitizer: modules); all without any"
    )
    parser.add_argument("--full", action="store_true", help="the slow package tests too")
    parser.add_argument(
        "--yjs-suite", metavar="CHECKOUT", help="Yjs's own tests, from its sources, 13.6"
    )
    parser.add_argument("--sanitizer", choices=sorted(SANITIZED_MODULES))
    arguments = parser.parse_args()
    whole = Outcome()
    for name, stage in stages(arguments).items():
        whole.add(run_stage(name, stage))
    if whole.failures:
        print("\nFailures:")
        print("\n".join(f"  {failure}" for failure in whole.failures))
    print(f"\n{summary(whole)}")
    return 1 if whole.failed else 0


if __name__ == "__main__":
    sys.exit(main())
