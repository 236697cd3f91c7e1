#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the house stands as ARCHITECTURE.md section 2 draws it.

1. C++: a file of a layer includes only the layers that the table allows; Boost and OpenSSL appear
   only in net, Python and nanobind only in python/bindings, AsmJit only in jit/codegen; a public
   header includes no third party at all; another layer's internal/ is out of bounds.
2. Python: no module of the package imports a private name (`_x`) of another one's module, or
   anything of lattice from outside the package that starts with an underscore.
3. Docs: every path in backquotes or links of README, ARCHITECTURE, CONTRIBUTING and docs/ exists.

Prints one line per finding, `file:line: what is wrong, what is allowed`; exit 1 when there is one.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Layer -> layers it may include besides itself. A layer is the longest folder name that matches.
ALLOWED: dict[str, set[str]] = {
    "base": set(),
    "reactive": {"base"},
    "net": {"base"},
    "roomlog": {"base"},
    "ui/vdom": {"base"},
    "ui": {"base", "reactive", "ui/vdom"},
    "collab/crdt": {"base"},
    "collab": {"base", "reactive", "collab/crdt"},
    "jit/ir": {"base"},
    "jit/passes": {"base", "jit/ir"},
    "jit/codegen": {"base", "jit/ir", "jit/passes"},
    "jit": {"base", "reactive", "jit/ir", "jit/passes", "jit/codegen"},
}
EVERYTHING = set(ALLOWED)
ALLOWED["app"] = EVERYTHING
ALLOWED["bindings"] = EVERYTHING | {"app"}

# Prefix of a third-party include -> the only layers that may use it.
THIRD_PARTY: dict[str, set[str]] = {
    "boost/": {"net"},
    "openssl/": {"net"},
    "nanobind/": {"bindings"},
    "Python.h": {"bindings"},
    "asmjit/": {"jit/codegen"},
    "sqlite3.h": {"roomlog"},
    "libpq-fe.h": {"roomlog"},
    "hiredis/": {"roomlog"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path: str) -> str | None:
    """Layer of a path below src/lattice ("ui/vdom/diff.hpp" -> "ui/vdom"); None for an umbrella."""
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        if (name := "/".join(parts[:length])) in ALLOWED:
            return name
    return None


def file_layer(file: str) -> str | None:
    if file.startswith("python/bindings/"):
        return "bindings"
    return layer_of(file.removeprefix("src/lattice/")) if file.startswith("src/lattice/") else None


def check_project_include(file: str, layer: str, included: str) -> str | None:
    """Why a file of a layer may not include "lattice/..."; None when it may."""
    target_path = included.removeprefix("lattice/")
    target = layer_of(target_path)
    if target is None:
        umbrella = f'umbrella "{included}" inside src/: include what you use'
        is_for_users = not file.startswith("src/") or file.endswith("_test.cpp")
        return None if is_for_users else umbrella
    if target == layer:
        return None
    if target not in ALLOWED[layer]:
        allowed = ", ".join(sorted(ALLOWED[layer])) or "nothing"
        return f"layer {layer} includes {included} of layer {target}; {layer} may include {allowed}"
    if "internal/" in target_path:
        return f"layer {layer} includes {included}, which is private to {target}"
    return None


def check_third_party(file: str, layer: str, included: str) -> str | None:
    for prefix, layers in THIRD_PARTY.items():
        if not included.startswith(prefix):
            continue
        if layer not in layers:
            return f"{included} may be included only by {', '.join(sorted(layers))}"
        is_public_header = (
            file.startswith("src/") and file.endswith(".hpp") and "/internal/" not in file
        )
        if is_public_header:
            return f"public header includes {included}; move it to internal/ or the .cpp"
    return None


def check_cpp(file: str, text: str) -> Iterator[str]:
    """Findings of one C++ file, given by its path from the root."""
    layer = file_layer(file)
    if layer is None:
        if file.startswith("src/lattice/") and "/" in file.removeprefix("src/lattice/"):
            folder = file.removeprefix("src/lattice/").split("/")[0]
            yield f"{file}:1: {folder} is no layer; add it to ARCHITECTURE.md and to ALLOWED here"
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, included = match.groups()
        if included.startswith("lattice/"):
            problem = check_project_include(file, layer, included)
        elif quote == '"' and layer == "bindings" and "/" not in included:
            problem = None  # python/bindings is no include root; its files lie side by side.
        elif quote == '"':
            problem = f'"{included}" is not spelled from the root (lattice/...)'
        else:
            problem = check_third_party(file, layer, included)
        if problem:
            yield f"{file}:{number}: {problem}"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def check_python(file: str, text: str) -> Iterator[str]:
    """Findings of one Python file: imports of what another module keeps private.

    Inside the package, private modules (`lattice._core`) are shared and private names are not.
    Outside, neither; tests may reach the modules, since they test them.
    """
    inside = file.startswith("python/lattice/")
    testing = file.startswith("tests/")
    for node in ast.walk(ast.parse(text, filename=file)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
            names: list[str] = []
        elif isinstance(node, ast.ImportFrom):
            modules = [("lattice." if node.level else "") + (node.module or "")]
            names = [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            if parts[0] != "lattice":
                continue
            if not (inside or testing) and any(is_private(part) for part in parts):
                yield f"{file}:{node.lineno}: {module} is private to the package"
            of_package = parts == ["lattice"] or parts == ["lattice", ""]
            for name in names:
                if (
                    is_private(name)
                    and not (of_package and (inside or testing))
                    and not is_private(parts[-1])
                ):
                    yield f"{file}:{node.lineno}: {name} is private to {module}"


PATH_LIKE = re.compile(r"^\.?/?[\w.@-]+(/[\w.@*{},-]+)+/?$")
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def doc_paths(text: str, top_level: set[str]) -> Iterator[tuple[int, str, bool]]:
    """(line, path, is a link) of what a document names as a file or folder of the repository."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if fenced:
            continue
        for code in CODE.findall(line):
            path = code.strip().removeprefix("./")
            first = path.split("/")[0]
            if PATH_LIKE.match(path) and first in top_level and not set(path) & set("*{},"):
                yield number, path, False
        for link in LINK.findall(line):
            if not re.match(r"[a-z]+:|/", link):
                yield number, link, True


def made_by_run(path: str) -> bool:
    """Paths that exist only after a build may be named."""
    return path.startswith(("build/", ".venv/", "client/dist", "client/node_modules", "../"))


def check_doc(file: str, text: str, top_level: set[str]) -> Iterator[str]:
    for number, path, is_link in doc_paths(text, top_level):
        base = (ROOT / file).parent if is_link else ROOT
        if not made_by_run(path) and not (base / path).exists():
            yield f"{file}:{number}: names {path}, which does not exist"


def files() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def check_repository() -> list[str]:
    names = files()
    top_level = {name.split("/")[0] for name in names} | {"build"}
    findings: list[str] = []
    for name in names:
        text = (ROOT / name).read_text(errors="replace")
        if name.endswith((".cpp", ".hpp")):
            findings += check_cpp(name, text)
        elif name.endswith(".py"):
            findings += check_python(name, text)
        elif name.endswith(".md") and ("/" not in name or name.startswith("docs/")):
            findings += check_doc(name, text, top_level)
    return findings


def main() -> int:
    findings = check_repository()
    print("\n".join(findings) if findings else "layers: as drawn")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
