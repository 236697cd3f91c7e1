# SPDX-License-Identifier: MIT
"""Rewrites a function so that its control flow can be traced.

What Python decides by asking a value for its truth becomes a call of a hook (`lattice._jit.hooks`):
``if``, ternaries, ``and or not``, chained comparisons, ``while``, ``for``, ``assert``, ``raise``,
``match`` on constants, and every call. With plain values a hook does what Python does; with traced
ones it records both sides. Two steps:

1. `_Jumps` lowers ``return``, ``break`` and ``continue`` to flags. What follows a statement that
   may jump moves into the branch that does not (``if c: return a`` / ``return b`` becomes
   ``if c: r = a`` / ``else: r = b``) or under a test of the flags.
2. `_Hooks` turns each construct into functions of the names that it assigns, which go in and come
   out as a tuple, so that the hook can merge or carry them. Names only read are closed over.

Line and column numbers are those of the source, and the code keeps its file's name.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from lattice._jit.errors import SideEffectError, TraceError, UnsupportedError, told

__all__ = ["NoSource", "Rewritten", "definition", "rewrite"]

HOOKS = "__lattice_hooks__"
_RETURNED = "__returned"
_RESULT = "__result"


class NoSource(Exception):
    """The function's source text is not to be had."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A rewritten function that waits for its closure.

    Attributes
    ----------
    code : code object
        Of a factory that takes the values of `free` and returns the function.
    free : tuple of str
        Names of the closure's cells, in the factory's order.
    reads : tuple of tuple of str
        What it reads from outside: ``("rate",)`` or, with attributes, ``("params", "rate")``.
    is_straight : bool
        Without any control flow.
    """

    code: CodeType
    name: str
    free: tuple[str, ...]
    reads: tuple[tuple[str, ...], ...]
    is_straight: bool

    def bind(self, function: FunctionType, hooks: Any) -> Callable[..., Any]:
        """The function with the cells' values of now, and the hooks."""
        scope = dict(function.__globals__)
        scope[HOOKS] = hooks
        exec(self.code, scope)
        cells = function.__closure__ or ()
        by_name = dict(zip(function.__code__.co_freevars, cells, strict=True))
        values = []
        for name in self.free:
            try:
                values.append(by_name[name].cell_contents)
            except ValueError:
                values.append(hooks.undefined(name))
        made = scope["__lattice_factory"](*values)
        made.__defaults__ = function.__defaults__
        made.__kwdefaults__ = function.__kwdefaults__
        result: Callable[..., Any] = made
        return result


def rewrite(function: FunctionType) -> Rewritten:
    """Rewrite a function from its source.

    Raises
    ------
    NoSource
        The source cannot be found, or is not that of the function any more.
    TraceError
        A construct that cannot be traced, with its place.
    """
    code = function.__code__
    tree = _parse(code)
    node = _find(tree, code)
    file = code.co_filename
    if isinstance(node, ast.Lambda):
        statement = ast.Return(node.body)
        ast.copy_location(statement, node.body)
        body: list[ast.stmt] = [statement]
    else:
        body = node.body
    _refuse(body, file, node.name if isinstance(node, ast.FunctionDef) else "<lambda>")
    is_straight = not any(isinstance(item, _CONTROL) for part in body for item in ast.walk(part))
    reads = _outside_reads(body, code)
    name = code.co_name if code.co_name.isidentifier() else "lambda_"
    arguments = _without_annotations(node.args)
    _strip_defaults(arguments)
    body = _function_body(body, _argument_names(arguments), file)
    inner = ast.FunctionDef(
        name=name, args=arguments, body=body, decorator_list=[], returns=None, type_comment=None
    )
    inner.type_params = []  # type: ignore[attr-defined]
    factory = ast.FunctionDef(
        name="__lattice_factory",
        args=_positional(code.co_freevars),
        body=[inner, ast.Return(_load(name))],
        decorator_list=[],
        returns=None,
        type_comment=None,
    )
    factory.type_params = []  # type: ignore[attr-defined]
    module = ast.Module([factory], [])
    ast.copy_location(inner, node)
    ast.copy_location(factory, node)
    ast.fix_missing_locations(module)
    try:
        compiled = compile(module, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise NoSource(str(error)) from error
    return Rewritten(compiled, name, code.co_freevars, reads, is_straight)


# --- source


def definition(code: CodeType) -> ast.FunctionDef | ast.Lambda:
    """The parsed `def` or lambda of a code object; raises as `rewrite` does."""
    return _find(_parse(code), code)


def _parse(code: CodeType) -> ast.Module:
    """The lines of the function, parsed with their own line and column numbers.

    `inspect.getsource` reads and tokenises; the code object knows its last line already.
    """
    lines = linecache.getlines(code.co_filename)
    first = code.co_firstlineno
    if not lines or first > len(lines):
        return _parse_slowly(code)
    last = _last_line(code)
    is_indented = lines[first - 1][:1] in (" ", "\t")
    for end in range(last, min(last + 4, len(lines)) + 1):
        text = "".join(lines[first - 1 : end])
        try:
            # An indented function keeps its columns below a line of ours.
            tree = ast.parse("if 1:\n" + text if is_indented else text)
        except SyntaxError:
            continue
        ast.increment_lineno(tree, first - 1 - is_indented)
        return tree
    return _parse_slowly(code)


def _last_line(code: CodeType) -> int:
    last = code.co_firstlineno
    for _, end, _, _ in code.co_positions():
        if end is not None and end > last:
            last = end
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            last = max(last, _last_line(constant))
    return last


def _parse_slowly(code: CodeType) -> ast.Module:
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, IndentationError) as error:
        raise NoSource(str(error)) from error
    ast.increment_lineno(tree, max(first, 1) - 1)
    return tree


def _find(tree: ast.Module, code: CodeType) -> ast.FunctionDef | ast.Lambda:
    """The node of the code object; a lambda by the columns of its body."""
    if code.co_name != "<lambda>":
        for node in ast.walk(tree):
            if isinstance(node, ast.AsyncFunctionDef) and node.name == code.co_name:
                raise told(
                    UnsupportedError,
                    "an async function cannot be native",
                    cure="take the computation out into a plain function",
                    at=(code.co_filename, node.lineno, node.col_offset + 1, node.name),
                )
            if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
                first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
                if first == code.co_firstlineno and _same_arguments(node.args, code):
                    return node
        raise NoSource("the source file has changed")
    lambdas = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda) and _same_arguments(node.args, code)
    ]
    starts = {(a, c) for a, _, c, _ in code.co_positions() if a is not None and c is not None}
    exact = [
        node
        for node in lambdas
        if any((n.lineno, n.col_offset) in starts for n in _expressions(node.body))
    ]
    if len(exact) == 1:
        return exact[0]
    if len(lambdas) == 1 and not exact:
        return lambdas[0]
    raise NoSource("several lambdas on one line")


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """An expression's nodes that belong to it and not to a lambda inside."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.expr):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _expressions(child)


def _same_arguments(arguments: ast.arguments, code: CodeType) -> bool:
    names = [item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return tuple(names) == code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


# --- what has no native form

_CONTROL = (
    ast.If,
    ast.IfExp,
    ast.While,
    ast.For,
    ast.BoolOp,
    ast.Match,
    ast.Assert,
    ast.Raise,
    ast.Try,
)
_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Yield: ("a generator cannot be native", "return an array or a tuple"),
    ast.YieldFrom: ("a generator cannot be native", "return an array or a tuple"),
    ast.Await: ("await cannot be native", "take the computation out into a plain function"),
    ast.AsyncFor: ("async for cannot be native", "take the computation out"),
    ast.AsyncWith: ("async with cannot be native", "take the computation out"),
    ast.With: ("with cannot be native", "put the with statement around the call"),
    ast.Try: ("try cannot be native", "put the try statement around the call"),
    ast.Global: ("writing a global is a side effect", "return the value"),
    ast.Nonlocal: ("writing an outer variable is a side effect", "return the value"),
    ast.Import: ("an import cannot be native", "import at the head of the file"),
    ast.ImportFrom: ("an import cannot be native", "import at the head of the file"),
    ast.ClassDef: ("a class cannot be made natively", "define it outside"),
    ast.Delete: ("del cannot be native", "leave it out"),
    ast.AsyncFunctionDef: ("an async function cannot be native", "take the computation out"),
}
if hasattr(ast, "TryStar"):
    _REFUSED[ast.TryStar] = _REFUSED[ast.Try]


def _refuse(body: list[ast.stmt], file: str, name: str) -> None:
    for statement in body:
        for node in ast.walk(statement):
            if reason := _REFUSED.get(type(node)):
                raise _unsupported(node, reason, file, name)
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For)):
                _refuse_target(node, file, name)


def _refuse_target(
    node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For, file: str, name: str
) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        for part in ast.walk(target):
            if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
                what = (f"'{ast.unparse(part)} = ...' is a side effect", "return the value")
                raise _unsupported(part, what, file, name, SideEffectError)


def _unsupported(
    node: ast.AST,
    reason: tuple[str, str],
    file: str,
    name: str,
    kind: type[TraceError] = UnsupportedError,
) -> TraceError:
    line = getattr(node, "lineno", 0)
    column = getattr(node, "col_offset", -1) + 1
    return told(kind, reason[0], cure=reason[1], at=(file, line, column, name))


def _outside_reads(body: list[ast.stmt], code: CodeType) -> tuple[tuple[str, ...], ...]:
    """Names and attribute chains that the function reads from outside, each once."""
    local = set(code.co_varnames) | set(code.co_cellvars)
    found: dict[tuple[str, ...], None] = {}

    def visit(node: ast.AST, inner: set[str]) -> None:
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            inner = inner | set(_argument_names(node.args))
            if isinstance(node, ast.FunctionDef):
                inner |= assigned(node.body)
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            inner = inner | {
                name.id
                for part in node.generators
                for name in ast.walk(part.target)
                if isinstance(name, ast.Name)
            }
        chain = _chain(node)
        if chain is not None:
            if chain[0] not in inner:
                found[chain] = None
            return
        for child in ast.iter_child_nodes(node):
            visit(child, inner)

    for statement in body:
        visit(statement, local)
    return tuple(found)


def _chain(node: ast.AST) -> tuple[str, ...] | None:
    names: list[str] = []
    at = node
    while isinstance(at, ast.Attribute) and isinstance(at.ctx, ast.Load):
        names.append(at.attr)
        at = at.value
    if not isinstance(at, ast.Name) or not isinstance(at.ctx, ast.Load):
        return None
    return (at.id, *reversed(names))


# --- names and small nodes


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _store(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())


def _hook(name: str) -> ast.Attribute:
    return ast.Attribute(_load(HOOKS), name, ast.Load())


def _positional(names: tuple[str, ...] | list[str]) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


def _thunk(value: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Lambda(_positional(()), value), value)


def _call(hook: str, *values: ast.expr) -> ast.Call:
    return ast.Call(_hook(hook), list(values), [])


def _at(node: ast.AST, made: Any) -> Any:
    """`made` with the place of `node`, in those of its parts that have none."""
    for part in ast.walk(made):
        if "lineno" in part._attributes and not hasattr(part, "lineno"):
            ast.copy_location(part, node)
    return made


def _tuple_load(names: list[str]) -> ast.Tuple:
    return ast.Tuple([_load(name) for name in names], ast.Load())


def _tuple_store(names: list[str]) -> ast.Tuple:
    return ast.Tuple([_store(name) for name in names], ast.Store())


def _set_flag(name: str, node: ast.AST, value: bool = True) -> ast.stmt:
    made: ast.stmt = _at(node, ast.Assign([_store(name)], ast.Constant(value)))
    return made


def _argument_names(arguments: ast.arguments) -> list[str]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    found += [item for item in (arguments.vararg, arguments.kwarg) if item is not None]
    return [item.arg for item in found]


def _without_annotations(arguments: ast.arguments) -> ast.arguments:
    for item in ast.walk(arguments):
        if isinstance(item, ast.arg):
            item.annotation = None
    return arguments


def _strip_defaults(arguments: ast.arguments) -> None:
    """Defaults come from the function object: they were computed when it was made."""
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    arguments.kw_defaults = [
        None if item is None else ast.Constant(None) for item in arguments.kw_defaults
    ]


def assigned(body: list[ast.stmt]) -> set[str]:
    """Names that statements bind in their own scope."""
    found: set[str] = set()
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
            found |= {
                part.target.id
                for part in ast.walk(node)
                if isinstance(part, ast.NamedExpr) and isinstance(part.target, ast.Name)
            }
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.MatchAs) and node.name is not None:
            found.add(node.name)
        todo.extend(ast.iter_child_nodes(node))
    return found


# --- step 1: jumps become flags


@dataclass(slots=True)
class _Loop:
    """The flags of the loop that is being lowered."""

    broken: str
    skipped: str
    may_break: bool = False
    may_skip: bool = False


class _Jumps:
    """Lowers return, break and continue of one function."""

    def __init__(self) -> None:
        self.loops = 0

    def function(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return self.block(body, None)

    def block(self, body: list[ast.stmt], loop: _Loop | None) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for index, node in enumerate(body):
            rest = body[index + 1 :]
            if isinstance(node, ast.Return):
                value = node.value if node.value is not None else ast.Constant(None)
                done.append(_at(node, ast.Assign([_store(_RESULT)], value)))
                done.append(_set_flag(_RETURNED, node))
                return done
            if isinstance(node, ast.Raise):
                done.append(node)
                done.append(_set_flag(_RETURNED, node))
                return done
            if isinstance(node, ast.Break) and loop is not None:
                loop.may_break = True
                done.append(_set_flag(loop.broken, node))
                return done
            if isinstance(node, ast.Continue) and loop is not None:
                loop.may_skip = True
                done.append(_set_flag(loop.skipped, node))
                return done
            if isinstance(node, ast.Match):
                node = _match_to_if(node)
            if isinstance(node, ast.If) and _jumps(node):
                self.branch(node, rest, loop, done)
                return done
            if isinstance(node, (ast.While, ast.For)):
                returns = _returns(node)
                self.loop(node, rest, loop, done)
                if returns:
                    return done
                continue
            if isinstance(node, ast.If):
                node.body = self.block(node.body, loop)
                node.orelse = self.block(node.orelse, loop)
            done.append(node)
        return done

    def branch(
        self, node: ast.If, rest: list[ast.stmt], loop: _Loop | None, done: list[ast.stmt]
    ) -> None:
        ends, else_ends = _ends(node.body), _ends(node.orelse)
        if rest and ends and not else_ends:
            node.orelse, rest = [*node.orelse, *rest], []
        elif rest and else_ends and not ends:
            node.body, rest = [*node.body, *rest], []
        elif ends and else_ends:
            rest = []
        flags = self.flags(node, loop)
        node.body = self.block(node.body, loop)
        node.orelse = self.block(node.orelse, loop)
        done.append(node)
        if rest:
            done.append(self.unless(flags, node, self.block(rest, loop)))

    def loop(
        self,
        node: ast.While | ast.For,
        rest: list[ast.stmt],
        outer: _Loop | None,
        done: list[ast.stmt],
    ) -> None:
        self.loops += 1
        flags = _Loop(f"__broken{self.loops}", f"__skipped{self.loops}")
        returns = _returns(node)
        body = self.block(node.body, flags)
        if flags.may_skip:
            body.insert(0, _set_flag(flags.skipped, node, False))
        node.body = body
        stops = [flags.broken] if flags.may_break else []
        if returns:
            stops.append(_RETURNED)
        node.stops = stops  # type: ignore[union-attr]
        orelse, node.orelse = node.orelse, []
        if flags.may_break:
            done.append(_set_flag(flags.broken, node, False))
        if flags.may_skip:
            done.append(_set_flag(flags.skipped, node, False))
        done.append(node)
        if orelse:
            after = self.block(orelse, outer)
            done.append(self.unless(stops, node, after) if stops else _always(node, after))
        if returns and rest:
            done.append(self.unless([_RETURNED], node, self.block(rest, outer)))

    def flags(self, node: ast.If, loop: _Loop | None) -> list[str]:
        found = [_RETURNED] if _returns(node) else []
        if loop is not None:
            kinds = {type(item) for item in _jumps(node)}
            if ast.Break in kinds:
                found.append(loop.broken)
            if ast.Continue in kinds:
                found.append(loop.skipped)
        return found

    def unless(self, flags: list[str], node: ast.AST, body: list[ast.stmt]) -> ast.stmt:
        tests = [ast.UnaryOp(ast.Not(), _load(name)) for name in flags]
        test: ast.expr = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), list(tests))
        made: ast.stmt = _at(node, ast.If(test, body, []))
        return made


def _always(node: ast.AST, body: list[ast.stmt]) -> ast.stmt:
    made: ast.stmt = _at(node, ast.If(ast.Constant(True), body, []))
    return made


def _jumps(node: ast.AST) -> list[ast.stmt]:
    """The jumps in a statement that leave it: those of loops inside only when they return."""
    found: list[ast.stmt] = []

    def visit(at: ast.AST, depth: int) -> None:
        if isinstance(at, (ast.FunctionDef, ast.Lambda)):
            return
        if isinstance(at, (ast.Return, ast.Raise)) or (
            isinstance(at, (ast.Break, ast.Continue)) and depth == 0
        ):
            found.append(at)
        inner = depth + isinstance(at, (ast.For, ast.While))
        for child in ast.iter_child_nodes(at):
            visit(child, inner)

    visit(node, 0)
    return found


def _returns(node: ast.AST) -> bool:
    return any(isinstance(item, (ast.Return, ast.Raise)) for item in _jumps(node))


def _ends(body: list[ast.stmt]) -> bool:
    """Whether every way through the statements jumps."""
    for node in body:
        if isinstance(node, (ast.Return, ast.Raise, ast.Break, ast.Continue)):
            return True
        if isinstance(node, ast.If) and _ends(node.body) and _ends(node.orelse):
            return True
    return False


def _match_to_if(node: ast.Match) -> ast.stmt:
    """`match` on constants as a chain of tests."""
    subject = f"__subject{node.lineno}_{node.col_offset}"

    def test(pattern: ast.pattern) -> ast.expr | None:
        if isinstance(pattern, ast.MatchValue):
            return ast.Compare(_load(subject), [ast.Eq()], [pattern.value])
        if isinstance(pattern, ast.MatchSingleton):
            return ast.Compare(_load(subject), [ast.Is()], [ast.Constant(pattern.value)])
        if isinstance(pattern, ast.MatchOr):
            parts = [test(item) for item in pattern.patterns]
            known = [item for item in parts if item is not None]
            return ast.BoolOp(ast.Or(), known) if len(known) == len(parts) else None
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name is None:
            return ast.Constant(True)
        return None

    chain: list[ast.stmt] = []
    for case in reversed(node.cases):
        condition = test(case.pattern)
        if condition is None:
            return node
        if case.guard is not None:
            condition = ast.BoolOp(ast.And(), [condition, case.guard])
        chain = [_at(case.pattern, ast.If(condition, case.body, chain))]
    first = chain[0]
    assign: ast.stmt = _at(node, ast.Assign([_store(subject)], node.subject))
    return _always(node, [assign, first])


# --- step 2: control flow becomes hooks


def _function_body(body: list[ast.stmt], arguments: list[str], file: str) -> list[ast.stmt]:
    returns = any(_returns(node) for node in body)
    anchor = body[0]
    lowered = _Jumps().function(body)
    hooks = _Hooks(file)
    statements = hooks.block(lowered)
    head: list[ast.stmt] = []
    names = sorted(hooks.carried - set(arguments) - {_RETURNED})
    for name in names:
        made = ast.Assign([_store(name)], _call("undefined", ast.Constant(_plain(name))))
        head.append(_at(anchor, made))
    tail: list[ast.stmt] = []
    if returns:
        if _RETURNED in hooks.carried:
            head.append(_set_flag(_RETURNED, anchor, False))
            value: ast.expr = _call("result", _load(_RESULT), _load(_RETURNED))
            tail.append(_at(body[-1], ast.Return(value)))
        else:
            tail.append(_at(body[-1], ast.Return(_load(_RESULT))))
    return [*head, *statements, *tail] or [_at(anchor, ast.Pass())]


def _names(names: list[str]) -> ast.expr:
    plain: list[ast.expr] = [ast.Constant(_plain(name)) for name in names]
    return ast.Tuple(plain, ast.Load())


def _plain(name: str) -> str:
    return "the result" if name == _RESULT else name


class _Hooks(ast.NodeTransformer):
    """Replaces control flow by hooks, inside out."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.carried: set[str] = set()
        self.count = 0

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for node in body:
            made = self.visit(node)
            if isinstance(made, list):
                done += made
            elif made is not None:
                done.append(made)
        return done

    def fresh(self, what: str) -> str:
        self.count += 1
        return f"__{what}{self.count}"

    def function(
        self, name: str, arguments: list[str], body: list[ast.stmt], names: list[str], node: ast.AST
    ) -> ast.stmt:
        last = ast.Return(_tuple_load(names))
        made = ast.FunctionDef(
            name=name,
            args=_positional(arguments),
            body=[*body, last],
            decorator_list=[],
            returns=None,
            type_comment=None,
        )
        made.type_params = []  # type: ignore[attr-defined]
        result: ast.stmt = _at(node, made)
        return result

    def state(self, *bodies: list[ast.stmt]) -> list[str]:
        names = sorted({name for body in bodies for name in assigned(body)})
        self.carried.update(names)
        return names

    # Statements

    def visit_If(self, node: ast.If) -> list[ast.stmt]:
        names = self.state(node.body, node.orelse)
        test = self.visit(node.test)
        body, orelse = self.block(node.body), self.block(node.orelse)
        then_name, else_name = self.fresh("then"), self.fresh("else")
        made = ast.Assign(
            [_tuple_store(names)],
            _call(
                "if_",
                test,
                _load(then_name),
                _load(else_name),
                _tuple_load(names),
                _names(names),
            ),
        )
        return [
            self.function(then_name, names, body, names, node),
            self.function(else_name, names, orelse, names, node),
            _at(node.test, made if names else ast.Expr(made.value)),
        ]

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        stops: list[str] = getattr(node, "stops", [])
        names = self.state(node.body)
        test_name, body_name = self.fresh("test"), self.fresh("body")
        test = self.with_stops(self.visit(node.test), stops, node)
        body = self.block(node.body)
        test_def = ast.FunctionDef(
            name=test_name,
            args=_positional(names),
            body=[_at(node.test, ast.Return(test))],
            decorator_list=[],
            returns=None,
            type_comment=None,
        )
        test_def.type_params = []  # type: ignore[attr-defined]
        made = ast.Assign(
            [_tuple_store(names)],
            _call(
                "while_",
                _load(test_name),
                _load(body_name),
                _tuple_load(names),
                _names(names),
            ),
        )
        return [
            _at(node, test_def),
            self.function(body_name, names, body, names, node),
            _at(node.test, made if names else ast.Expr(made.value)),
        ]

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        stops: list[str] = getattr(node, "stops", [])
        item = self.fresh("item")
        take: ast.stmt = _at(node.target, ast.Assign([node.target], _load(item)))
        names = self.state([take, *node.body])
        body_name, stop_name = self.fresh("body"), self.fresh("stop")
        body = [take, *self.block(node.body)]
        iterable = self.visit(node.iter)
        # Whether to go on is asked of the state that the body left.
        stop: ast.expr = _thunk_of(names, self.any_of(stops, node)) if stops else ast.Constant(None)
        made = ast.Assign(
            [_tuple_store(names)],
            _call(
                "for_",
                iterable,
                _load(body_name),
                _load(stop_name),
                _tuple_load(names),
                _names(names),
            ),
        )
        return [
            self.function(body_name, [item, *names], body, names, node),
            _at(node, ast.Assign([_store(stop_name)], stop)),
            _at(node.iter, made),
        ]

    def any_of(self, flags: list[str], node: ast.AST) -> ast.expr:
        value: ast.expr = _load(flags[0])
        for name in flags[1:]:
            value = _call("or_", value, ast.Lambda(_positional(()), _load(name)))
        made: ast.expr = _at(node, value)
        return made

    def with_stops(self, test: ast.expr, stops: list[str], node: ast.AST) -> ast.expr:
        for name in stops:
            test = _call("and_", _call("not_", _load(name)), ast.Lambda(_positional(()), test))
        made: ast.expr = _at(node, test)
        return made

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        message = self.visit(node.msg) if node.msg is not None else ast.Constant(None)
        made: ast.stmt = _at(
            node, ast.Expr(_call("assert_", self.visit(node.test), _thunk(_at(node, message))))
        )
        return made

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        error = self.visit(node.exc) if node.exc is not None else ast.Constant(None)
        made: ast.stmt = _at(node, ast.Expr(_call("raise_", _thunk(_at(node, error)))))
        return made

    def visit_Match(self, node: ast.Match) -> ast.stmt:
        raise _unsupported(
            node,
            ("match on patterns cannot be native", "match constants, or write if and elif"),
            self.file,
            "",
        )

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        node.args = _without_annotations(node.args)
        node.returns = None
        node.args.defaults = [self.visit(item) for item in node.args.defaults]
        node.body = _function_body(node.body, _argument_names(node.args), self.file)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if node.value is None:
            return None
        made: ast.stmt = _at(node, ast.Assign([node.target], self.visit(node.value)))
        return made

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        node.value = self.visit(node.value)
        if not isinstance(node.target, ast.Subscript):
            return node
        # Not x[i] = x[i].__iadd__(v): of arrays that are traced, x[i] is a view.
        operation = ast.Lambda(_positional(("a", "b")), ast.BinOp(_load("a"), node.op, _load("b")))
        target, key = self.visit(node.target.value), self.visit(node.target.slice)
        if isinstance(key, ast.Slice) or (
            isinstance(key, ast.Tuple) and any(isinstance(p, ast.Slice) for p in key.elts)
        ):
            key = _as_value(key)
        made: ast.stmt = _at(
            node, ast.Expr(_call("assign_item", target, key, operation, node.value))
        )
        return made

    # Expressions

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test, body, orelse = (self.visit(part) for part in (node.test, node.body, node.orelse))
        made: ast.expr = _at(node, _call("ternary", test, _thunk(body), _thunk(orelse)))
        return made

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        values = [self.visit(item) for item in node.values]
        hook = "and_" if isinstance(node.op, ast.And) else "or_"
        made = values[-1]
        for value in reversed(values[:-1]):
            made = _at(node, _call(hook, value, _thunk(made)))
        result: ast.expr = made
        return result

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        node.operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            made: ast.expr = _at(node, _call("not_", node.operand))
            return made
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        values = [self.visit(item) for item in (node.left, *node.comparators)]
        if len(node.ops) == 1:
            operator = node.ops[0]
            if isinstance(operator, (ast.In, ast.NotIn)):
                made: ast.expr = _call("in_", values[0], values[1])
                if isinstance(operator, ast.NotIn):
                    made = _call("not_", made)
                located: ast.expr = _at(node, made)
                return located
            node.left, node.comparators = values[0], [values[1]]
            return node
        steps = ast.Tuple(
            [
                ast.Lambda(
                    _positional(("a", "b")), ast.Compare(_load("a"), [operator], [_load("b")])
                )
                for operator in node.ops
            ],
            ast.Load(),
        )
        rest = [_thunk(value) for value in values[1:]]
        chained: ast.expr = _at(node, _call("chain", steps, values[0], *rest))
        return chained

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.args = [self.visit(item) for item in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        function = self.visit(node.func)
        node.args = [function, *node.args]
        node.func = _at(node, _hook("call"))
        return node


def _as_value(key: ast.expr) -> ast.expr:
    """A subscript's slices as calls of `slice`."""
    if isinstance(key, ast.Tuple):
        return ast.Tuple([_as_value(part) for part in key.elts], ast.Load())
    if not isinstance(key, ast.Slice):
        return key
    parts = (part or ast.Constant(None) for part in (key.lower, key.upper, key.step))
    return ast.Call(_hook("make_slice"), list(parts), [])


def _thunk_of(names: list[str], value: ast.expr) -> ast.expr:
    return ast.Lambda(_positional(names), value)
