# SPDX-License-Identifier: MIT
"""How jitted functions travel: by name where they can be imported, else as canonical IR.

A function without a name to import (a lambda, a function inside of another one, one of the main
script) pickles as the IR of its kernels, what they are for, and the arrays that they captured. It
is compiled where it arrives, for the machine there. It has no Python body then: a call for which no
kernel came along raises.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from types import CodeType, FunctionType
from typing import Any

from lattice._core import DecodeError, Dispatcher, Ir
from lattice._jit.compiler import Compiled, Guards, Recorded
from lattice._jit.errors import UnsupportedError, told

__all__ = ["arrived", "reduce"]

_FORMAT = 1


def reduce(compiled: Compiled) -> Any:
    """For `__reduce__`."""
    function = compiled.function
    if _importable(function.__module__, function.__qualname__) is compiled.dispatcher:
        return function.__qualname__
    if not compiled.kernels:
        raise pickle.PicklingError(
            f"{function.__qualname__} cannot be imported by name and has no kernel yet; call it "
            "once with arguments like those to come, or define it at the top of a module"
        )
    kernels = [
        (keys, statics, made.outputs, made.captured, made.build, made.is_tuple, bytes(made.ir))
        for keys, statics, made in compiled.kernels
    ]
    state = {
        "format": _FORMAT,
        "name": function.__name__,
        "qualname": function.__qualname__,
        "module": function.__module__,
        "doc": function.__doc__,
        "place": compiled.place(),
        "lanes": compiled.lanes,
        "fp": compiled.fp,
        "parallel": compiled.parallel,
        "fast_reduce": compiled.fast_reduce,
        "static": tuple(sorted(compiled.static)),
        "names": compiled.names,
        "positional": compiled.positional,
        "defaults": compiled.defaults,
        "kernels": kernels,
    }
    return arrived, (state,)


def _importable(module: str | None, qualname: str) -> Any:
    if module in (None, "__main__") or "<" in qualname:
        return None
    found: Any = sys.modules.get(str(module))
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


class Shipped(Compiled):
    """The slow side of a function that came without its Python body."""

    def specialise(self, placed: tuple[Any, ...]) -> bool:
        kinds = ", ".join(
            f"{name}: {type(value).__name__}"
            for name, value in zip(self.names, placed, strict=True)
        )
        raise told(
            UnsupportedError,
            f"{self.function.__qualname__} came here as kernels, and none is for ({kinds})",
            cure="call it with such arguments before it is pickled, or import it by name",
            at=self.origin,
        )

    def plain(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        raise told(
            UnsupportedError,
            f"{self.function.__qualname__} came here as kernels; this call needs its Python body "
            "(an int outgrew 64 bits, a division by zero, an index out of bounds, wrong arguments)",
            cure="import it by name",
            at=self.origin,
        )

    def place(self) -> tuple[str, int, int, str]:
        return self.origin

    origin: tuple[str, int, int, str] = ("<unknown>", 0, 0, "<unknown>")


def _body(*_: Any, **__: Any) -> Any:
    raise NotImplementedError


def _named(state: dict[str, Any]) -> FunctionType:
    code: CodeType = _body.__code__.replace(co_name=state["name"])
    made = FunctionType(code, {"NotImplementedError": NotImplementedError}, state["name"])
    made.__qualname__, made.__module__ = state["qualname"], state["module"]
    made.__doc__ = state["doc"]
    return made


def arrived(state: dict[str, Any]) -> Any:
    """The function of a pickle."""
    if state.get("format") != _FORMAT:
        raise DecodeError(
            f"a jitted function pickled in format {state.get('format')!r}; this Lattice reads "
            f"{_FORMAT}: use one version on both sides"
        )
    compiled = Shipped(
        _named(state),
        lanes=state["lanes"],
        strict=True,
        fp=state["fp"],
        parallel=state["parallel"],
        reduce="fast" if state["fast_reduce"] else "numpy",
        static=state["static"],
    )
    compiled.origin = state["place"]
    compiled.names = tuple(sys.intern(name) for name in state["names"])
    compiled.positional = state["positional"]
    compiled.defaults = state["defaults"]
    if any(made[3] for made in state["kernels"]) or any(
        key[0] == 4 for made in state["kernels"] for key in made[0]
    ):
        importlib.import_module("numpy")
    from lattice._jit.compiler import load_numpy

    load_numpy()
    made = Dispatcher(
        compiled.function,
        compiled,
        compiled.names,
        compiled.defaults,
        compiled.positional,
        b"",
        compiled.lanes,
    )
    compiled.dispatcher = made
    threads = 1 if compiled.parallel is False else 0
    for keys, statics, outputs, captured, build, is_tuple, data in reversed(state["kernels"]):
        ir = Ir.decode(data)
        captured = list(captured)
        made._add(
            ir, keys, statics, tuple(outputs), captured, build, is_tuple, threads, compiled.fp
        )
        compiled.irs.insert(0, ir)
        record = Recorded(ir, outputs, captured, build, is_tuple, Guards())
        compiled.kernels.insert(0, (keys, statics, record))
    return made
