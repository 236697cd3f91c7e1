# SPDX-License-Identifier: MIT
"""The cases of python_cases.py with reaktiv, as it comes (its locks are on).

Its signals are read by a call and written by `set`. The cases are translated before they are
compiled, so that what is timed is what somebody who uses reaktiv would write.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

from python_measure import main
from reaktiv import Computed, Effect, Signal  # type: ignore[import-not-found]


class InCalls(ast.NodeTransformer):
    """`node.value` becomes `node()`, and `node.value = x` becomes `node.set(x)`."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(node.value, [], []) if node.attr == "value" else node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        (target,) = node.targets
        if not (isinstance(target, ast.Attribute) and target.attr == "value"):
            return self.generic_visit(node)
        setter = ast.Attribute(target.value, "set", ast.Load())
        return ast.Expr(ast.Call(setter, [self.visit(node.value)], []))


def cases_in_calls() -> Any:
    path = Path(__file__).with_name("python_cases.py")
    tree = InCalls().visit(ast.parse(path.read_text(encoding="utf-8")))
    names: dict[str, Any] = {"__name__": "python_cases_in_calls"}
    exec(compile(ast.fix_missing_locations(tree), str(path), "exec"), names)
    return names["Cases"]


class Reaktiv(cases_in_calls()):  # type: ignore[misc]
    make_signal = Signal
    make_memo = Computed

    def effect(self, function: Callable[[], object], source: Any) -> Any:
        return Effect(function)

    def reading(self, name: str) -> str:
        return f"{name}()"

    def writing(self, signal: Any) -> tuple[str, dict[str, Any]]:
        return "put(i)", {"put": signal.set}


if __name__ == "__main__":
    main(Reaktiv().table())
