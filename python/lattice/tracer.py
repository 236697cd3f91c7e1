# SPDX-License-Identifier: MIT
"""Recording by hand: inputs, operators, an output, and the IR that they make.

>>> from lattice.tracer import TracedValue, trace
>>> with trace() as t:
...     t.set_output(TracedValue(5.0, "x") * 2 + 10)
>>> [node["op"] for node in t.to_ir()["nodes"]][-2:]
[<OpCode.MUL: 'mul'>, <OpCode.ADD: 'add'>]
"""

from __future__ import annotations

from enum import Enum
from types import TracebackType
from typing import Any

from lattice._core import TracedValue, Tracer, jit_opcodes

__all__ = ["OpCode", "TraceContext", "TracedValue", "trace"]

OpCode = Enum("OpCode", {name.upper(): name for name in jit_opcodes()}, module=__name__)  # type: ignore[misc]
OpCode.__doc__ = "The operations of the IR."


class TraceContext:
    """An open recording; `with` opens it on this thread and closes it again."""

    def __init__(self, name: str = "kernel") -> None:
        self._tracer: Any = Tracer(name)
        self._outputs: list[Any] | None = None
        self._ir: Any = None

    def __enter__(self) -> TraceContext:
        self._tracer.enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None and self._outputs is not None:
                self._ir = self._tracer.finish(self._outputs)
        finally:
            self._tracer.close()

    def set_output(self, *values: Any) -> None:
        """Say what the recording computes: traced values, or plain numbers.

        Parameters
        ----------
        *values : TracedValue or number
        """
        self._outputs = [self._tracer.value(value) for value in values]

    def to_ir(self) -> dict[str, Any]:
        """The recording as plain data.

        Returns
        -------
        dict
            ``"inputs"``: name and type of each; ``"nodes"``: ``{"id", "op", "type", "operands",
            "value"}`` in order of execution; ``"outputs"``: ids; ``"text"``: the IR as it prints.
        """
        if self._ir is None:
            raise RuntimeError("nothing is recorded yet: call set_output() inside `with trace()`")
        data: dict[str, Any] = self._ir.describe()
        for node in data["nodes"]:
            node["op"] = OpCode(node["op"])
        data["text"] = str(self._ir)
        return data


def trace(name: str = "kernel") -> TraceContext:
    """Open a recording: ``with trace() as t:``.

    Parameters
    ----------
    name : str
        Name of the function that is recorded.
    """
    return TraceContext(name)
