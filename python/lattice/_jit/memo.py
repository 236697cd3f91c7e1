# SPDX-License-Identifier: MIT
"""Which memos become native, and the program that such a memo runs.

A memo's function is read as source and walked symbolically with the values that its sources have
now: locals and constants are Python's, what a signal or memo holds is a `TracedValue`. A branch on
a traced value forks the walk, so that the program is a tree: each step reads sources in Python's
order, computes, and branches or returns. What reads and runs is thereby what Python would read and
run. Where Python would raise, the program leaves the run to Python.

A function is walked only when nothing in its source can have a side effect (`_Purity`): what is
allowed is listed, everything else keeps the memo in Python, with a reason that names the line.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Callable
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, NoReturn

from lattice import _core
from lattice._core import Memo, Signal, TracedValue, Tracer
from lattice._jit import hooks
from lattice._jit.errors import SideEffectError, TraceError, UnsupportedError, told
from lattice._jit.rewrite import NoSource, definition

__all__ = ["check", "consider"]

_STEPS_MAX = 48
_READS_MAX = 40
_ROUNDS_MAX = 2000
_DEPTH_MAX = 8

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.inv,
}
_NEVER_RAISE = (ast.Add, ast.Sub, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_KINDS = {float: "f64", int: "i64", bool: "bool"}
_NUMBERS = (bool, int, float)
# Of module math, those that call the C library's function of that name, or are exact.
_MATH = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
        "exp",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "sqrt",
        "fabs",
        "floor",
        "ceil",
        "trunc",
        "isnan",
        "isinf",
        "isfinite",
        "pow",
        "atan2",
        "copysign",
        "fmod",
        "degrees",
        "radians",
        "exp2",
        "cbrt",
    ]
)
_PURE: dict[Any, str] = {
    function: name for name, function in vars(math).items() if name in _MATH and callable(function)
}
_PURE |= {
    abs: "abs",
    min: "min",
    max: "max",
    round: "round",
    int: "int",
    float: "float",
    bool: "bool",
    pow: "pow",
    divmod: "divmod",
}


# --- what may have side effects

_ALLOWED: tuple[type[ast.AST], ...] = (
    ast.Return,
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.If,
    ast.For,
    ast.While,
    ast.Break,
    ast.Continue,
    ast.Pass,
    ast.Expr,
    ast.Assert,
    ast.Raise,
    ast.BoolOp,
    ast.BinOp,
    ast.UnaryOp,
    ast.IfExp,
    ast.Compare,
    ast.Call,
    ast.Constant,
    ast.Attribute,
    ast.Name,
    ast.Tuple,
    ast.NamedExpr,
    ast.keyword,
    ast.expr_context,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
)
_WHY: dict[type[ast.AST], str] = {
    ast.Global: "writing a global is a side effect",
    ast.Nonlocal: "writing an outer variable is a side effect",
    ast.Yield: "a generator has no native form",
    ast.YieldFrom: "a generator has no native form",
    ast.Await: "await has no native form",
    ast.With: "a with statement has no native form",
    ast.Try: "a try statement has no native form",
    ast.Import: "an import is a side effect",
    ast.ImportFrom: "an import is a side effect",
    ast.Delete: "del has no native form",
    ast.Subscript: "a subscript has no native form in a memo",
    ast.Lambda: "a function made inside has no native form",
    ast.FunctionDef: "a function made inside has no native form",
    ast.JoinedStr: "text has no native form",
    ast.List: "a list has no native form",
    ast.Dict: "a dict has no native form",
    ast.ListComp: "a comprehension has no native form in a memo",
    ast.GeneratorExp: "a generator has no native form",
}
_CURE = "keep the memo in Python (leave out native=True), or take this part out of it"
_EFFECTS = (ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom)


class _Source:
    """A function's parsed body, and the mistake that keeps it in Python, if there is one."""

    __slots__ = ("body", "file", "mistake", "name", "parameters")

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        self.file, self.name = code.co_filename, code.co_name
        # Kind, what, cure, place: errors are made anew, so that none keeps frames alive.
        self.mistake: tuple[type[TraceError], str, str, tuple[str, int, int, str]] | None = None
        self.body: list[ast.stmt] = []
        self.parameters: list[str] = []
        try:
            node = definition(code)
        except NoSource as error:
            self.mistake = (
                UnsupportedError,
                f"the source of {self.name} cannot be read: {error}",
                "define it in a file, one lambda to a line",
                (self.file, code.co_firstlineno, 0, self.name),
            )
            return
        except TraceError as error:
            line = getattr(error, "lineno", code.co_firstlineno)
            reason = getattr(error, "reason", str(error))
            self.mistake = (UnsupportedError, reason, _CURE, (self.file, line, 0, self.name))
            return
        if isinstance(node, ast.Lambda):
            self.body = [ast.copy_location(ast.Return(node.body), node.body)]
        else:
            self.body = node.body
        arguments = node.args
        self.parameters = [item.arg for item in (*arguments.posonlyargs, *arguments.args)]
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            self.refuse(node, UnsupportedError, "*args, **kwargs or keyword-only parameters")
        for part in self.body:
            self.look_at(part)

    def look_at(self, node: ast.AST) -> None:
        if isinstance(node, _ALLOWED):
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.For, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    self.check_target(target)
            if isinstance(node, (ast.For, ast.While)) and node.orelse:
                self.refuse(node, UnsupportedError, "else after a loop has no native form")
            for child in ast.iter_child_nodes(node):
                self.look_at(child)
            return
        kind = type(node)
        for known, why in _WHY.items():
            if isinstance(node, known):
                self.refuse(node, SideEffectError if kind in _EFFECTS else UnsupportedError, why)
                return
        self.refuse(node, UnsupportedError, f"{kind.__name__} has no native form in a memo")

    def check_target(self, target: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            for item in target.elts:
                self.check_target(item)
        elif not isinstance(target, ast.Name):
            self.refuse(
                target, SideEffectError, f"assigning to {ast.unparse(target)} is a side effect"
            )

    def refuse(self, node: ast.AST, kind: type[TraceError], why: str) -> None:
        if self.mistake is None:
            self.mistake = (kind, why, _CURE, self.place(node))

    def place(self, node: ast.AST) -> tuple[str, int, int, str]:
        return self.file, getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1, self.name

    def told(self, node: ast.AST, kind: type[TraceError], why: str) -> TraceError:
        return told(kind, why, cure=_CURE, at=self.place(node))

    def check(self) -> None:
        if self.mistake is not None:
            kind, why, cure, place = self.mistake
            raise told(kind, why, cure=cure, at=place)


_sources: dict[CodeType, _Source] = {}


def _source_of(function: FunctionType) -> _Source:
    found = _sources.get(function.__code__)
    if found is None:
        if len(_sources) > 4096:
            _sources.clear()
        found = _sources[function.__code__] = _Source(function)
    return found


# --- the walk


class _Fork(Exception):
    """The walk has come to a branch that it has no decision for."""

    def __init__(self, kind: str, condition: Any, checked: int = 0) -> None:
        self.kind = kind
        self.condition = condition
        self.checked = checked


class _Leave(Exception):
    """Python raises here, or may: it has to run."""


class _Later(Exception):
    """A memo that is read has no value yet."""


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Shared:
    """What all walks of one memo have in common."""

    def __init__(self, is_demanded: bool) -> None:
        self.is_demanded = is_demanded
        self.sources: list[Any] = []
        self.index: dict[int, int] = {}
        self.cells: dict[int, tuple[Any, Any]] = {}
        self.names: dict[tuple[int, str], tuple[Any, Any, str, Any]] = {}
        self.codes: dict[int, tuple[Any, Any, Any]] = {}

    def source(self, node: Any) -> int:
        found = self.index.get(id(node))
        if found is None:
            found = self.index[id(node)] = len(self.sources)
            self.sources.append(node)
        return found


class _Walk:
    """One way through the function: forks follow `decisions`."""

    def __init__(self, shared: _Shared, decisions: tuple[Any, ...]) -> None:
        self.shared = shared
        self.decisions = decisions
        self.taken = 0
        self.reads: list[tuple[int, str]] = []  # since the last decision
        self.last = -1
        self.slots = 0
        self.values: dict[int, Any] = {}
        self.may_raise = False
        self.rounds = 0
        self.depth = 0
        self.tracer: Any = Tracer("memo")

    # Decisions

    def next_decision(self) -> Any:
        if self.taken == len(self.decisions):
            return None
        self.taken += 1
        self.reads = []
        return self.decisions[self.taken - 1]

    def holds(self, value: Any, at: _Frame, node: ast.AST) -> bool:
        """What Python's test of a value says; on a traced value, the decision."""
        if not isinstance(value, TracedValue):
            if not isinstance(value, (*_NUMBERS, str, tuple, type(None))):
                at.refuse(node, f"the truth of {_described(value)} is not known to be pure")
            return bool(value)
        truth = self.tracer.truth(value)
        decision = self.next_decision()
        if decision is None:
            raise _Fork("branch", truth)
        self.may_raise = False
        return bool(decision)

    def read(self, node: Any, at: _Frame, where: ast.AST) -> Any:
        index = self.shared.source(node)
        known = self.values.get(index)
        if known is not None:
            if index != self.last:  # the graph keeps links for that too, in some orders
                self.reads.append((index, ""))
                self.last = index
            return known
        is_memo = type(node) is Memo
        if is_memo and self.may_raise:
            if self.next_decision() is None:
                raise _Fork("check", self.tracer.value(True), index)
            self.may_raise = False
        is_known, value = _core.native_value(node)
        if not is_known:
            raise _Later
        kind = _KINDS.get(type(value))
        if kind is None:
            at.refuse(where, f"{_name_of(node)} holds {_described(value)}, which is no number")
        if kind == "i64" and not -(2**63) <= value < 2**63:
            at.refuse(where, f"{_name_of(node)} holds an integer of more than 64 bits")
        if self.slots == _READS_MAX:
            at.refuse(where, f"it reads more than {_READS_MAX} values on one way")
        self.reads.append((index, kind))
        self.last = index
        traced = self.tracer.param(kind, 0, True, f"v{self.slots}")
        self.slots += 1
        if is_memo:
            self.values.clear()  # computing it may have written
        self.values[index] = traced
        return traced

    def run(self, function: FunctionType) -> Any:
        """What the function returns on this way: raises _Fork, _Leave, TraceError."""
        self.tracer.enter()
        return self.call(function, [], None, None)

    def call(
        self, function: FunctionType, arguments: list[Any], caller: _Frame | None, node: Any
    ) -> Any:
        source = _source_of(function)
        source.check()
        self.shared.codes[id(function)] = (function, function.__code__, function.__defaults__)
        defaults = function.__defaults__ or ()
        missing = len(source.parameters) - len(arguments)
        if missing < 0 or missing > len(defaults):
            assert caller is not None
            caller.refuse(node, f"{function.__name__}() gets another number of arguments")
        given = list(arguments) + list(defaults[len(defaults) - missing :] if missing else ())
        if self.depth == _DEPTH_MAX:
            assert caller is not None
            caller.refuse(node, "calls nest too deep")
        self.depth += 1
        frame = _Frame(self, function, source, dict(zip(source.parameters, given, strict=True)))
        try:
            for statement in source.body:
                frame.execute(statement)
        except _Returned as returned:
            return returned.value
        finally:
            self.depth -= 1
        return None


def _described(value: Any) -> str:
    kind = type(value)
    return f"a value of type {kind.__module__}.{kind.__qualname__}".replace("builtins.", "")


def _name_of(node: Any) -> str:
    return f"{'the memo' if type(node) is Memo else 'the signal'} {node.name or '(no name)'!r}"


class _Frame:
    """A function's locals on the way that a walk goes."""

    def __init__(
        self, walk: _Walk, function: FunctionType, source: _Source, local: dict[str, Any]
    ) -> None:
        self.walk = walk
        self.function = function
        self.source = source
        self.local = local

    def refuse(
        self, node: ast.AST, why: str, kind: type[TraceError] = UnsupportedError
    ) -> NoReturn:
        raise self.source.told(node, kind, why)

    # Names

    def lookup(self, node: ast.Name) -> Any:
        name = node.id
        if name in self.local:
            return self.local[name]
        code = self.function.__code__
        if name in code.co_varnames or name in code.co_cellvars:
            raise _Leave  # UnboundLocalError
        shared = self.walk.shared
        if name in code.co_freevars:
            cell = (self.function.__closure__ or ())[code.co_freevars.index(name)]
            try:
                value = cell.cell_contents
            except ValueError:
                raise _Leave from None
            shared.cells[id(cell)] = (cell, value)
            return value
        scope = self.function.__globals__
        inner: dict[str, Any] = getattr(self.function, "__builtins__")  # noqa: B009 - not in typeshed
        if name in scope:
            value = scope[name]
        elif name in inner:
            value = inner[name]
        else:
            raise _Leave
        shared.names[id(scope), name] = (scope, inner, name, value)
        return value

    def attribute(self, node: ast.Attribute) -> Any:
        owner = self.evaluate(node.value)
        kind = type(owner)
        if kind is Signal or kind is Memo:
            if node.attr == "value":
                return self.walk.read(owner, self, node)
            self.refuse(node, f".{node.attr} of a signal or memo has no native form")
        if kind is ModuleType:
            scope = vars(owner)
            if node.attr in scope:
                value = scope[node.attr]
                self.walk.shared.names[id(scope), node.attr] = (scope, None, node.attr, value)
                return value
        why = f"the attribute .{node.attr} of {_described(owner)} may run anything"
        raise self.source.told(node, UnsupportedError, why)

    # Statements

    def execute(self, node: ast.stmt) -> None:
        match node:
            case ast.Return():
                raise _Returned(self.evaluate(node.value) if node.value is not None else None)
            case ast.Assign():
                value = self.evaluate(node.value)
                for target in node.targets:
                    self.assign(target, value)
            case ast.AnnAssign():
                if node.value is not None:
                    self.assign(node.target, self.evaluate(node.value))
            case ast.AugAssign():
                assert isinstance(node.target, ast.Name)
                before = self.lookup(node.target)
                self.local[node.target.id] = self.binary(
                    node, node.op, before, self.evaluate(node.value)
                )
            case ast.If():
                taken = self.walk.holds(self.evaluate(node.test), self, node.test)
                for statement in node.body if taken else node.orelse:
                    self.execute(statement)
            case ast.Expr():
                self.evaluate(node.value)
            case ast.Assert():
                if not self.walk.holds(self.evaluate(node.test), self, node.test):
                    raise _Leave
            case ast.Raise():
                raise _Leave
            case ast.While():
                while self.walk.holds(self.evaluate(node.test), self, node.test):
                    if self.round(node):
                        break
            case ast.For():
                items = self.evaluate(node.iter)
                if not isinstance(items, (range, tuple)):
                    self.refuse(node, f"a loop over {_described(items)} has no native form")
                for item in items:
                    self.assign(node.target, item)
                    if self.round(node):
                        break
            case ast.Break():
                raise _Break
            case ast.Continue():
                raise _Continue
            case _:
                pass

    def round(self, node: ast.For | ast.While) -> bool:
        """One round of a loop; whether it ended the loop."""
        self.walk.rounds += 1
        if self.walk.rounds > _ROUNDS_MAX:
            self.refuse(node, "the loop has too many rounds to be unrolled")
        try:
            for statement in node.body:
                self.execute(statement)
        except _Break:
            return True
        except _Continue:
            pass
        return False

    def assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.local[target.id] = value
            return
        assert isinstance(target, ast.Tuple)
        if not isinstance(value, tuple) or any(isinstance(x, ast.Starred) for x in target.elts):
            self.refuse(target, f"unpacking {_described(value)} has no native form")
        if len(value) != len(target.elts):
            raise _Leave
        for item, part in zip(target.elts, value, strict=True):
            self.assign(item, part)

    # Expressions

    def evaluate(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self.lookup(node)
            case ast.Attribute():
                return self.attribute(node)
            case ast.BinOp():
                left = self.evaluate(node.left)
                return self.binary(node, node.op, left, self.evaluate(node.right))
            case ast.UnaryOp():
                return self.unary(node)
            case ast.BoolOp():
                return self.short_circuit(node)
            case ast.IfExp():
                taken = self.walk.holds(self.evaluate(node.test), self, node.test)
                return self.evaluate(node.body if taken else node.orelse)
            case ast.Compare():
                return self.compare(node)
            case ast.Call():
                return self.call(node)
            case ast.Tuple():
                return tuple(self.evaluate(item) for item in node.elts)
            case ast.NamedExpr():
                value = self.local[node.target.id] = self.evaluate(node.value)
                return value
            case _:
                why = f"{type(node).__name__} has no native form in a memo"
                raise self.source.told(node, UnsupportedError, why)

    def number(self, value: Any, node: ast.AST) -> Any:
        if not isinstance(value, TracedValue) and type(value) not in _NUMBERS:
            self.refuse(node, f"{_described(value)} is computed with, which is no number")
        return value

    def applied(self, node: ast.AST, function: Callable[..., Any], *values: Any) -> Any:
        """An operation that is recorded, or done at once when all its values are known."""
        try:
            result = function(*values)
        except TraceError as error:
            raise self.source.told(
                node, UnsupportedError, getattr(error, "reason", str(error))
            ) from None
        except (ArithmeticError, ValueError, TypeError):
            raise _Leave from None  # Python raises the same, at each run
        if isinstance(result, TracedValue) and result._mixed:
            self.refuse(node, "a value that is an int on one way and a float on another")
        return result

    def binary(self, node: ast.AST, op: ast.operator, left: Any, right: Any) -> Any:
        function = _BINARY.get(type(op))
        if function is None:
            self.refuse(node, f"{type(op).__name__} has no native form")
        self.number(left, node)
        self.number(right, node)
        if isinstance(left, TracedValue) or isinstance(right, TracedValue):
            if not isinstance(op, _NEVER_RAISE):
                self.walk.may_raise = True
            if isinstance(op, ast.Pow) and type(right) in (int, float) and right == 2:
                right = self.square_by_libm(left, right)
            return self.applied(node, function, self.fits(left, node), self.fits(right, node))
        if isinstance(op, (ast.Pow, ast.LShift)) and abs(right) > 1000:
            self.refuse(node, "a constant power is too large")
        return self.applied(node, function, left, right)

    def as_int(self, value: Any) -> Any:
        if isinstance(value, TracedValue) and value._type == "bool":
            return self.walk.tracer.cast(value, "i64", True)
        return value

    def square_by_libm(self, base: Any, exponent: Any) -> Any:
        """The exponent 2 of a float, as what is no constant: pow() does not always give x * x."""
        if _type_of(base) != "f64" and type(exponent) is int:
            return exponent
        return self.walk.tracer.abs(self.walk.tracer.value(float(exponent)))

    def fits(self, value: Any, node: ast.AST) -> Any:
        if type(value) is int and not -(2**63) <= value < 2**63:
            self.refuse(node, "an integer of more than 64 bits has no native form")
        return value

    def unary(self, node: ast.UnaryOp) -> Any:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not):
            if isinstance(value, TracedValue):
                return self.applied(node, self.walk.tracer.not_, value)
            return not self.walk.holds(value, self, node)
        value = self.as_int(self.number(value, node))
        return self.applied(node, _UNARY[type(node.op)], value)

    def short_circuit(self, node: ast.BoolOp) -> Any:
        stops_at = isinstance(node.op, ast.Or)
        value: Any = None
        for item in node.values:
            value = self.evaluate(item)
            if item is not node.values[-1] and self.walk.holds(value, self, item) == stops_at:
                return value
        return value

    def compare(self, node: ast.Compare) -> Any:
        left = self.evaluate(node.left)
        result: Any = True
        for k, (op, part) in enumerate(zip(node.ops, node.comparators, strict=True)):
            right = self.evaluate(part)
            if isinstance(op, (ast.Is, ast.IsNot)):
                plain = (type(None), *_NUMBERS)
                if isinstance(left, TracedValue) and right is None:
                    result = isinstance(op, ast.IsNot)
                elif isinstance(left, plain) and isinstance(right, plain):
                    result = (left is right) == isinstance(op, ast.Is)
                else:
                    self.refuse(node, "`is` has a native form for None only")
            else:
                function = _COMPARE.get(type(op))
                if function is None:
                    self.refuse(node, f"{type(op).__name__} has no native form in a memo")
                self.number(left, node)
                self.number(right, node)
                result = self.applied(node, function, self.fits(left, node), self.fits(right, node))
            is_last = k == len(node.ops) - 1
            if not is_last and not self.walk.holds(result, self, node):
                return result
            left = right
        return result

    def call(self, node: ast.Call) -> Any:
        function = self.evaluate(node.func)
        kind = type(function)
        is_plain = not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
        if not is_plain and self.may_be_called(function):
            self.refuse(node, "a call with * or keywords has no native form in a memo")
        arguments = [self.evaluate(item) for item in node.args] if is_plain else []
        if not self.may_be_called(function):
            name = ast.unparse(node.func)
            why = f"{name}() is not known to be free of side effects"
            if function in (print, input, open, setattr, exec, eval):
                why = f"{name}() is a side effect"
            self.refuse(node, why, SideEffectError)
        if kind is Memo:
            if arguments:
                raise _Leave
            return self.walk.read(function, self, node)
        if function is range:
            if any(type(item) not in (int, bool) for item in arguments):
                self.refuse(node, "a range whose length depends on values has no native form")
            return self.applied(node, range, *arguments)
        if kind is FunctionType:
            return self.walk.call(function, arguments, self, node)
        if kind is _core.Dispatcher:
            return self.walk.call(function.__wrapped__, arguments, self, node)
        return self.call_pure(node, function, arguments)

    def may_be_called(self, function: Any) -> bool:
        kind = type(function)
        if kind is _core.Dispatcher:  # its own results are within an ULP of Python's
            return self.walk.shared.is_demanded
        if kind is FunctionType or kind is Memo or function is range:
            return True
        return kind in (type, BuiltinFunctionType) and function in _PURE

    def call_pure(self, node: ast.Call, function: Any, arguments: list[Any]) -> Any:
        for value in arguments:
            if isinstance(value, tuple):
                for item in value:
                    self.number(item, node)
            else:
                self.number(value, node)
        if function is min or function is max:
            return self.extreme(node, function is max, arguments)
        if not any(isinstance(value, TracedValue) for value in arguments):
            return self.applied(node, function, *arguments)
        if function not in (abs, float, bool):
            self.walk.may_raise = True
        if function is abs or function is round:
            arguments = [self.as_int(value) for value in arguments]
        if function is pow and len(arguments) == 2:
            return self.binary(node, ast.Pow(), *arguments)
        if function is round and len(arguments) == 2 and type(arguments[1]) is not int:
            self.refuse(node, "round() to a number of digits that varies has no native form")
        return self.applied(node, hooks.call, function, *(self.fits(v, node) for v in arguments))

    def extreme(self, node: ast.Call, is_max: bool, arguments: list[Any]) -> Any:
        """Python's order of asking: the first of equals wins, and what nan is compared with."""
        values: Any = arguments[0] if len(arguments) == 1 else arguments
        if len(arguments) == 1 and not isinstance(values, tuple):
            raise _Leave
        if not values:
            raise _Leave
        best = values[0]
        for value in values[1:]:
            better = self.applied(
                node,
                operator.gt if is_max else operator.lt,
                self.fits(value, node),
                self.fits(best, node),
            )
            if (
                isinstance(better, TracedValue)
                and _type_of(value) == _type_of(best)
                and _type_of(best) != "bool"
            ):
                best = self.applied(node, self.walk.tracer.select, better, value, best)
            elif self.walk.holds(better, self, node):
                best = value
        return best


def _type_of(value: Any) -> str:
    return str(value._type) if isinstance(value, TracedValue) else _KINDS[type(value)]


# --- the program


def _build(function: FunctionType, shared: _Shared) -> list[tuple[Any, ...]]:
    """The steps: (kind, reads, IR, checked source, step if true, step if false)."""
    steps: list[Any] = []

    def build(decisions: tuple[Any, ...]) -> int:
        place = len(steps)
        if place == _STEPS_MAX:
            source = _source_of(function)
            node = source.body[0]
            raise source.told(node, UnsupportedError, "it has too many ways to go")
        steps.append(None)
        walk = _Walk(shared, decisions)
        try:
            try:
                value = walk.run(function)
                ir = _returned(walk, function, value)
                steps[place] = ("return", walk.reads, ir, 0, 0, 0)
            except _Leave:
                steps[place] = ("leave", walk.reads, None, 0, 0, 0)
            except _Fork as fork:
                ir = walk.tracer.finish([fork.condition])
                reads = walk.reads
                yes = build((*decisions, True))
                no = build((*decisions, False)) if fork.kind == "branch" else 0
                steps[place] = (fork.kind, reads, ir, fork.checked, yes, no)
        finally:
            walk.tracer.close()
        return place

    build(())
    return steps


def _returned(walk: _Walk, function: FunctionType, value: Any) -> Any:
    if not isinstance(value, TracedValue) and type(value) not in _NUMBERS:
        source = _source_of(function)
        raise source.told(
            source.body[-1],
            UnsupportedError,
            f"it returns {_described(value)}, which is no number",
        )
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise _Leave
    return walk.tracer.finish([walk.tracer.value(value)])


def check(function: Any) -> None:
    """Raises TraceError when the source of a memo's function says that it cannot be native."""
    if type(function) is not FunctionType:
        raise told(
            UnsupportedError,
            f"native=True: {_described(function)} is not a plain function",
            cure="give a def or lambda",
            at=("<memo>", 0, 0, "<memo>"),
        )
    _source_of(function).check()


def consider(function: Any, is_demanded: bool) -> Any:
    """The program of a memo with this function, for the types that its sources have now.

    Returns
    -------
    tuple or str or None
        ``(steps, sources, cells, names, codes)``; why it stays in Python; None when that is not
        known yet.

    Raises
    ------
    TraceError
        Instead of a reason, when `is_demanded`.
    """
    shared = _Shared(is_demanded)
    try:
        check(function)
        before = Tracer.current()
        if before is not None:
            return None
        steps = _build(function, shared)
        if not any(step[0] == "return" for step in steps):
            return None  # now it raises
        if len(shared.sources) == 0:
            source = _source_of(function)
            raise source.told(source.body[0], UnsupportedError, "it reads no signal or memo")
    except _Later:
        return None
    except TraceError as error:
        if is_demanded:
            raise
        return str(error)
    except (RecursionError, _core.LatticeError) as error:
        if is_demanded:
            raise
        return f"it does not compile: {error}"
    return (
        steps,
        shared.sources,
        list(shared.cells.values()),
        list(shared.names.values()),
        list(shared.codes.values()),
    )


assert builtins.abs in _PURE
