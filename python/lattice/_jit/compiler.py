# SPDX-License-Identifier: MIT
"""What stands behind a function of `lt.jit` or `lt.vectorize`: traces it, explains it, falls back.

The C type `Dispatcher` answers calls whose kernel is there. It asks the `Compiled` beside it for
the rest: a signature that is new (`specialise`), a call that only Python can answer (`plain`),
constants that have changed (`guards_broken`), IEEE flags (`flags`).
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import CellType, FunctionType, ModuleType
from typing import Any

from lattice import _core
from lattice._core import Dispatcher, TracedValue, Tracer
from lattice._jit import arrays, hooks
from lattice._jit.errors import ConcreteValueError, TraceError, UnsupportedError, told
from lattice._jit.rewrite import NoSource, Rewritten

__all__ = ["Compiled", "compile_function"]

_PATHS_MAX = 64
_SETTINGS_MAX = 64
"""Kernels of a function from which on ints that turn out to be settings no longer make one each."""
_FLOAT, _INT, _BOOL, _SCALAR, _ARRAY, _STATIC, _OTHER = range(7)
_STATIC_TYPES = (type(None), str, bytes, tuple, frozenset, type, FunctionType, Dispatcher)
_FP = (
    (32 | 2, "divide", "divide by zero"),
    (64, "over", "overflow"),
    (128, "under", "underflow"),
    (16, "invalid", "invalid value"),
)


def load_numpy() -> None:
    """Lets the C side know NumPy, once the program has imported it."""
    if "numpy" in sys.modules:
        _core.load_numpy()


@dataclass(slots=True)
class Recorded:
    """A function's IR, and how its outputs become its result.

    Attributes
    ----------
    outputs : list
        Type, rank, and whether it is a Python number, of each.
    captured : list of arrays
        Behind the arguments.
    build : callable or None
        Makes the result of the outputs; None for one output, or for the tuple of all.
    """

    ir: Any
    outputs: list[tuple[str, int, bool]]
    captured: list[Any]
    build: Callable[[Any], Any] | None
    is_tuple: bool
    guards: Guards


class Compiled:
    """The slow side of one jitted function."""

    def __init__(
        self,
        function: FunctionType,
        *,
        lanes: bool,
        strict: bool,
        fp: str,
        parallel: bool | None,
        reduce: str,
        static: tuple[str, ...],
    ) -> None:
        self.function = function
        self.lanes = lanes
        self.strict = strict
        self.fp = fp
        self.parallel = parallel
        self.fast_reduce = reduce == "fast"
        self.static = frozenset(static)
        self.dispatcher: Any = None
        self.directional: Any = None
        self.failed: dict[Any, TraceError] = {}
        self.irs: list[Any] = []
        self.kernels: list[tuple[Any, Any, Recorded]] = []
        self.error: TraceError | None = None
        self.traces = 0
        self.runs_plain = 0
        self._busy = False

    # What users see through the function

    @property
    def compiled(self) -> bool:
        """Whether there is a kernel, and no signature had to fall back."""
        return bool(self.irs) and self.error is None

    @property
    def fallback(self) -> str | None:
        """Why (some) calls run in Python, with the line; None when none does."""
        return str(self.error) if self.error is not None else None

    def ir(self) -> str:
        """The optimised IR of each specialisation, newest first."""
        return "\n".join(kernel[0] for kernel in self.dispatcher._kernels())

    def asm(self) -> str:
        """The machine code of each specialisation, newest first; empty in the interpreter."""
        return "\n".join(kernel[1] for kernel in self.dispatcher._kernels())

    def explain(self) -> str:
        """What runs natively, how, and what does not."""
        lines = [self.describe()]
        for text, _, why, tier, calls in self.dispatcher._kernels():
            head = text.splitlines()[0] if text else ""
            lines.append(f"kernel: {('interpreter', 'machine code')[tier]}, {calls} calls  {head}")
            if why:
                lines += ["  " + line for line in why.splitlines()]
        if self.error is not None:
            lines.append(f"in Python: {self.error}")
        if self.runs_plain:
            lines.append(f"calls answered by Python: {self.runs_plain}")
        return "\n".join(lines)

    @property
    def tier(self) -> int:
        """1 when the newest kernel is machine code, 0 for the interpreter, -1 without one."""
        kernels = self.dispatcher._kernels()
        return int(kernels[0][3]) if kernels else -1

    def describe(self) -> str:
        kind = "vectorize" if self.lanes else "jit"
        state = f"{len(self.irs)} kernels" if self.irs else "not compiled yet"
        return f"<lattice.{kind} {self.function.__qualname__}: {state}>"

    def reduce(self) -> Any:
        """What the function pickles as: its name where that can be imported, else its kernels."""
        from lattice._jit import shipping

        return shipping.reduce(self)

    # What the dispatcher asks

    def specialise(self, placed: tuple[Any, ...]) -> bool:
        """Trace and compile for arguments like these; False when Python has to answer."""
        load_numpy()
        keys, statics = [], []
        names = self.dispatcher._impl.names
        for name, value in zip(names, placed, strict=True):
            key = Dispatcher._key(value)
            static = None
            if name in self.static or (key[0] == _OTHER and isinstance(value, _STATIC_TYPES)):
                key, static = (_STATIC, "void", 0), value
            keys.append(key)
            statics.append(static)
        signature = (tuple(keys), tuple(map(_hashable, statics)))
        known = self.failed.get(signature)
        if known is not None:
            if self.strict:
                raise known
            return False
        if self._busy:
            return False  # a call of itself while it is traced
        self._busy = True
        try:
            for name, value, key in zip(names, placed, keys, strict=True):
                if key[0] == _OTHER:
                    raise told(
                        UnsupportedError,
                        f"argument '{name}' is a {_kind_of(value)}, which has no native form",
                        cure="pass numbers and NumPy arrays of bool, integers or floats; "
                        f"name it in static=('{name}',) when it is a setting",
                        at=self.place(),
                    )
            try:
                self.trace(tuple(keys), tuple(statics), placed)
            except ConcreteValueError:
                # A Python int may be a setting (how many, which axis): once more, as a constant.
                ints = [k for k, key in enumerate(keys) if key[0] in (_INT, _BOOL)]
                if not ints or self.traces >= _SETTINGS_MAX:
                    raise
                for k in ints:
                    keys[k], statics[k] = (_STATIC, "void", 0), placed[k]
                self.trace(tuple(keys), tuple(statics), placed)
                self.static |= {names[k] for k in ints}
        except TraceError as error:
            self.give_up(signature, error)
            return False
        except _core.LatticeError as error:
            self.give_up(
                signature,
                told(
                    UnsupportedError,
                    f"{self.function.__qualname__} does not compile: {error}",
                    cure="report it, with the function",
                    at=self.place(),
                ),
            )
            return False
        except Exception as error:
            # The function raises for such arguments: Python shall do so itself.
            if self.strict and not isinstance(error, (TypeError, ValueError, ArithmeticError)):
                raise
            self.give_up(
                signature,
                told(
                    UnsupportedError,
                    f"tracing ended with {type(error).__name__}: {error}",
                    cure="call it in plain Python to see whether it works there",
                    at=_place_in(error, self.place()),
                ),
            )
            return False
        finally:
            self._busy = False
        return True

    def give_up(self, signature: Any, error: TraceError) -> None:
        self.failed[signature] = error
        self.error = error
        if self.strict:
            raise error
        place = (getattr(error, "filename", ""), getattr(error, "lineno", 0))
        warnings.warn_explicit(
            f"{self.function.__qualname__} runs in Python: {error}",
            RuntimeWarning,
            place[0] or self.function.__code__.co_filename,
            place[1] or self.function.__code__.co_firstlineno,
            module=self.function.__module__,
        )

    def plain(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """The call in Python."""
        self.runs_plain += 1
        out = None
        if "out" in keywords and "out" not in self.function.__code__.co_varnames:
            out = keywords.pop("out")
        if self.lanes:
            value = per_element(self.function, args, keywords)
        else:
            value = self.function(*args, **keywords)
        if out is None:
            return value
        import numpy as np

        if isinstance(out, tuple):
            # One part may be a view of what another's target is.
            parts = [np.array(part) if np.ndim(part) else part for part in value]
            for target, part in zip(out, parts, strict=True):
                np.copyto(target, part)
        else:
            np.copyto(out, value)
        return out

    def guards_broken(self) -> None:
        """A constant of the trace has another value now: everything is traced anew."""
        self.dispatcher._reset()
        self.irs.clear()
        self.kernels.clear()
        self.failed.clear()
        self.error = None

    def flags(self, status: int) -> None:
        """Warnings or errors for IEEE flags, as np.errstate asks."""
        import numpy as np

        wanted: dict[str, Any] = dict(np.geterr())
        for bits, kind, what in _FP:
            if not status & bits or wanted[kind] == "ignore":
                continue
            message = f"{what} encountered in {self.function.__name__}"
            if wanted[kind] == "warn":
                # Frame 2 is the caller's: this one was called from C.
                warnings.warn(message, RuntimeWarning, stacklevel=2)
            elif wanted[kind] == "raise":
                raise FloatingPointError(message)
            elif wanted[kind] == "print":
                print(f"Warning: {message}", file=sys.stderr)
            else:
                handler: Any = np.geterrcall()
                if wanted[kind] == "call" and callable(handler):
                    handler(what, status)
                elif handler is not None:
                    handler.write(f"Warning: {message}\n")

    # Tracing

    def place(self) -> tuple[str, int, int, str]:
        code = self.function.__code__
        return code.co_filename, code.co_firstlineno, 0, code.co_name

    def trace(
        self, keys: tuple[Any, ...], statics: tuple[Any, ...], placed: tuple[Any, ...]
    ) -> None:
        """Record the function for one signature and add its kernel."""
        made = self.record(keys, statics, placed)
        threads = 1 if self.parallel is False else 0
        self.dispatcher._add(
            made.ir,
            keys,
            statics,
            tuple(made.outputs),
            made.captured,
            made.build,
            made.is_tuple,
            threads,
            self.fp,
        )
        for holder, key, value in made.guards.found.values():
            self.dispatcher._guard(holder, key, value)
        self.irs.insert(0, made.ir)
        self.kernels.insert(0, (keys, statics, made))
        self.traces += 1

    def record(
        self, keys: tuple[Any, ...], statics: tuple[Any, ...], placed: tuple[Any, ...]
    ) -> Recorded:
        """The function's IR for one signature; `placed` are arguments like those to come."""
        guards = Guards()
        tracer = Tracer(self.function.__name__, self.lanes)
        arrays.set_fast_reduce(tracer, self.fast_reduce)
        context = hooks.context
        before = (context.outer, context.functions, context.notes)
        context.outer, context.functions = guards.outer, [self.function.__code__]
        context.notes = guards.note
        outer = Tracer.current()
        if outer is not None:
            outer.leave()
        tracer.enter()
        try:
            values = []
            for name, key, static in zip(self.names, keys, statics, strict=True):
                if key[0] == _STATIC:
                    values.append(static)
                else:
                    values.append(tracer.param(key[1], key[2], key[0] <= _BOOL, name))
            self.prepare(tracer)
            result = self.run(tracer, guards, values)
            leaves: list[Any] = []
            build, is_tuple = _structure(result, leaves)
            outputs = [tracer.value(leaf) for leaf in leaves]
            if self.lanes:
                outputs = [tracer.cover(value) for value in outputs]
            described = [(value._type, value.ndim, value._weak) for value in outputs]
            captured = list(tracer.captured)
            ir = tracer.finish(outputs)
        finally:
            tracer.close()
            if outer is not None:
                outer.enter()
            arrays.set_fast_reduce(tracer, False)
            context.outer, context.functions, context.notes = before
        return Recorded(ir, described, captured, build, is_tuple, guards)

    def prepare(self, tracer: Any) -> None:
        """Before the function is recorded: parameters that it does not see."""

    def run(self, tracer: Any, guards: Guards, values: list[Any]) -> Any:
        count = self.positional
        keywords = dict(zip(self.names[count:], values[count:], strict=True))
        try:
            rewritten = hooks.rewritten_of(self.function)
        except NoSource:
            guards.note(self.function, None)
            return _replay(tracer, self.function, values[:count], keywords)
        guards.note(self.function, rewritten)
        return rewritten.bind(self.function, hooks)(*values[:count], **keywords)

    names: tuple[str, ...] = ()
    defaults: tuple[Any, ...] = ()
    positional: int = 0


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _kind_of(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    if dtype is not None:
        return f"{type(value).__name__} of dtype {dtype}"
    return type(value).__name__


def _place_in(
    error: BaseException, default: tuple[str, int, int, str]
) -> tuple[str, int, int, str]:
    at = error.__traceback__
    found = default
    while at is not None:
        code = at.tb_frame.f_code
        if "/lattice/_jit/" not in code.co_filename:
            found = (code.co_filename, at.tb_lineno, 0, code.co_name)
        at = at.tb_next
    return found


# --- constants of a trace


class Guards:
    """What a trace read from outside: to be looked at again at each call."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, str | None], tuple[Any, str | None, Any]] = {}
        self.outer: set[int] = set()

    def note(self, function: FunctionType, rewritten: Rewritten | None) -> None:
        code = function.__code__
        if rewritten is not None:
            reads = rewritten.reads
        else:
            reads = tuple((name,) for name in (*code.co_names, *code.co_freevars))
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        for chain in reads:
            name = chain[0]
            if name in cells:
                self.cell(cells[name], chain[1:])
            elif name in function.__globals__:
                value = function.__globals__[name]
                self.add(function.__globals__, name, value)
                self.attributes(value, chain[1:])
        for name, cell in cells.items():
            if (name,) not in reads:
                self.cell(cell, ())

    def cell(self, cell: CellType, rest: tuple[str, ...]) -> None:
        try:
            value = cell.cell_contents
        except ValueError:
            return
        self.add(cell, None, value)
        self.attributes(value, rest)

    def add(self, holder: Any, name: str | None, value: Any) -> None:
        self.found[(id(holder), name)] = (holder, name, value)
        if isinstance(value, (list, dict, set, bytearray)):
            self.outer.add(id(value))
            if isinstance(value, list):
                # The list may change under its name.
                self.found[(id(value), None)] = (value, None, tuple(value))
            elif isinstance(value, dict) and not isinstance(holder, ModuleType):
                for key, item in value.items():
                    if type(key) is str:
                        self.found[(id(value), key)] = (value, key, item)

    def attributes(self, value: Any, rest: tuple[str, ...]) -> None:
        for name in rest:
            if isinstance(value, (ModuleType, FunctionType, TracedValue)):
                if not isinstance(value, ModuleType):
                    return
                if value.__name__.partition(".")[0] in ("numpy", "math", "lattice", "operator"):
                    return
                inside = vars(value)
            else:
                inside = getattr(value, "__dict__", {})
                if type(inside) is not dict:
                    return
            if name not in inside:
                if isinstance(getattr(type(value), name, None), property):
                    raise told(
                        UnsupportedError,
                        f"the attribute '{name}' is computed by a property; recorded, it would be "
                        "a constant",
                        cure="pass its value as an argument",
                    )
                return
            self.add(inside, name, inside[name])
            value = inside[name]


# --- results


def _structure(result: Any, leaves: list[Any]) -> tuple[Callable[[Any], Any] | None, bool]:
    """How outputs become the result: (None, False) one value, (None, True) a tuple, or a maker."""
    if hooks._is_number(result):
        leaves.append(result)
        return None, False
    if type(result) is tuple and result and all(hooks._is_number(part) for part in result):
        leaves.extend(result)
        return None, True

    def plan(value: Any) -> _Plan:
        if hooks._is_number(value) or hasattr(value, "__array_interface__"):
            leaves.append(value)
            return _Plan("leaf", len(leaves) - 1)
        if isinstance(value, hooks.Undefined):
            value.refuse()
        if isinstance(value, (tuple, list)):
            return _Plan("sequence", type(value), [plan(part) for part in value])
        if type(value) is dict:
            return _Plan("dict", list(value), [plan(part) for part in value.values()])
        if value is None or isinstance(value, (str, bytes)):
            return _Plan("constant", value)
        if type(value).__name__ == "Selection":
            raise told(
                UnsupportedError,
                "x[mask] as a result has a length that only the run knows",
                cure="return np.where(mask, x, other), or x and the mask",
            )
        raise told(
            UnsupportedError,
            f"a result of type {type(value).__name__} has no native form",
            cure="return numbers, arrays, and tuples, lists or dicts of them",
        )

    return plan(result), False


@dataclass(slots=True)
class _Plan:
    """How a result is made of outputs; plain data, so that it pickles."""

    kind: str
    what: Any = None
    parts: Any = ()

    def __call__(self, outputs: Any) -> Any:
        if self.kind == "leaf":
            return outputs[self.what]
        if self.kind == "constant":
            return self.what
        parts = [part(outputs) for part in self.parts]
        if self.kind == "dict":
            return dict(zip(self.what, parts, strict=True))
        if self.what in (tuple, list):
            return self.what(parts)
        return self.what(*parts)  # a named tuple


def per_element(
    function: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    """A function of elements on broadcast arrays, in Python."""
    values = [*args, *keywords.values()]
    if "numpy" not in sys.modules:
        return function(*args, **keywords)
    import numpy as np

    places = [k for k, value in enumerate(values) if isinstance(value, np.ndarray) and value.ndim]
    if not places:
        return function(*args, **keywords)
    spread = np.broadcast_arrays(*(values[k] for k in places))
    names = list(keywords)
    found = []
    for index in np.ndindex(spread[0].shape):
        for k, array in zip(places, spread, strict=True):
            values[k] = array[index]
        named = dict(zip(names, values[len(args) :], strict=True))
        found.append(function(*values[: len(args)], **named))
    shape = spread[0].shape
    if found and isinstance(found[0], tuple):
        return tuple(
            np.array([item[k] for item in found]).reshape(shape) for k in range(len(found[0]))
        )
    return np.array(found).reshape(shape) if found else np.empty(shape)


# --- without source


class _Raised:
    """A way through the function that ends with an exception: Python raises it."""


def _replay(tracer: Any, function: FunctionType, args: list[Any], keywords: dict[str, Any]) -> Any:
    """Run once for each way that the truths of traced values can lead; at most 64 ways."""
    paths = 0

    def run(prefix: list[bool]) -> tuple[list[Any], list[bool], Any]:
        nonlocal paths
        paths += 1
        if paths > _PATHS_MAX:
            raise told(
                UnsupportedError,
                f"without its source, {function.__qualname__} has more than {_PATHS_MAX} ways",
                cure="define it in a file, so that its if and while can be recorded",
                at=(function.__code__.co_filename, function.__code__.co_firstlineno, 0, ""),
            )
        asked: list[Any] = []
        taken: list[bool] = []

        def decide(value: Any) -> bool:
            answer = prefix[len(taken)] if len(taken) < len(prefix) else True
            asked.append(tracer.truth(value))
            taken.append(answer)
            if len(taken) > 200:
                raise told(
                    UnsupportedError,
                    "a loop asks a traced value for its truth, and the source is not to be had",
                    cure="define the function in a file",
                )
            return answer

        tracer.decide = decide
        try:
            result = function(*args, **keywords)
        except TraceError:
            raise
        except Exception:
            here: Any = True
            for condition, answer in zip(asked, taken, strict=True):
                here = tracer.both(here, condition if answer else tracer.not_(condition), False)
            if here is True:
                raise
            tracer.guard(tracer.not_(here))
            result = _Raised
        finally:
            tracer.decide = None
        return asked, taken, result

    def build(prefix: list[bool]) -> Any:
        asked, taken, value = run(prefix)
        for index in range(len(taken) - 1, len(prefix) - 1, -1):
            other = build([*taken[:index], False])
            value = merge(asked[index], value, other)
        return value

    def merge(condition: Any, yes: Any, no: Any) -> Any:
        if yes is _Raised or no is _Raised:
            return no if yes is _Raised else yes
        pairs = hooks._Merge()
        place = pairs.pair(yes, no, "the result")
        merged = [tracer.select(condition, a, b) for a, b in zip(pairs.yes, pairs.no, strict=True)]
        return place(merged)

    return build([])


# --- the decorators


def compile_function(
    function: Callable[..., Any],
    *,
    lanes: bool,
    strict: bool,
    fp: str,
    parallel: bool | None,
    reduce: str,
    static: tuple[str, ...],
    kind: Callable[..., Compiled] | None = None,
) -> Any:
    """A Dispatcher for a function; `kind` makes its slow side."""
    if isinstance(function, Dispatcher):
        function = function.__wrapped__
    kind = kind or Compiled
    if not isinstance(function, FunctionType):
        raise TypeError(f"jit takes a Python function, not {type(function).__name__}")
    if fp not in ("strict", "contract", "fast"):
        raise ValueError(f"fp is 'strict', 'contract' or 'fast', not {fp!r}")
    if reduce not in ("numpy", "fast"):
        raise ValueError(f"reduce is 'numpy' or 'fast', not {reduce!r}")
    load_numpy()
    code = function.__code__
    compiled = kind(
        function,
        lanes=lanes,
        strict=strict,
        fp=fp,
        parallel=parallel,
        reduce=reduce,
        static=static,
    )
    count = code.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    if unknown := compiled.static - set(names):
        raise ValueError(f"static names no argument: {', '.join(sorted(unknown))}")
    defaults: list[Any] = [...] * len(names)
    given = function.__defaults__ or ()
    if given:
        defaults[count - len(given) : count] = given
    for place, name in enumerate(names[count:], count):
        defaults[place] = (function.__kwdefaults__ or {}).get(name, ...)
    compiled.names = names
    compiled.defaults = tuple(defaults)
    compiled.positional = count
    made = Dispatcher(
        function,
        compiled,
        tuple(sys.intern(name) for name in names),
        tuple(defaults),
        count,
        b"",
        lanes,
    )
    compiled.dispatcher = made
    refused = None
    if code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        refused = ("*args and **keywords have no native form", "name the arguments")
    elif code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        refused = ("a generator or coroutine cannot be native", "return an array or a tuple")
    elif len(names) > 32:
        refused = ("more than 32 arguments", "pass arrays")
    if refused is not None:
        error = told(UnsupportedError, refused[0], cure=refused[1], at=compiled.place())
        made._fall_back()
        compiled.give_up(None, error)
    return made
