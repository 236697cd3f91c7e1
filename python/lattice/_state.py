# SPDX-License-Identifier: MIT
"""State of a component instance, kept across re-renders by its name.

A component's body may run again and again; `count = lt.signal(0)` in it must give the same signal
each time. What identifies it is not the line but the name: the path of helper functions from the
body to the call, each with the name that its result is assigned to, and the name that the state
itself is assigned to or decorated with. Two places with the same name are told apart by the order
in which the render first reaches them. So an edit of the file, or a new line above, loses nothing.

A place that is reached twice in one render is a loop, where names cannot tell the passes apart:
that is LT101, unless each pass gives its own ``key=``.
"""

from __future__ import annotations

import datetime
import dis
import enum
import os
import sys
import threading
from collections.abc import Callable, Hashable
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any

__all__ = [
    "InstanceState",
    "assigned_name",
    "captured_changed",
    "current",
    "same_prop",
    "where",
]

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


class _Rendering(threading.local):
    state: InstanceState | None = None


_rendering = _Rendering()

# (code, offset of the call) -> the name that its result is stored under, "" when there is none.
_names: dict[tuple[CodeType, int], str] = {}


def current() -> InstanceState | None:
    """The instance whose body runs right now on this thread, if any."""
    return _rendering.state


def assigned_name(frame: FrameType) -> str:
    """The name under which the result of the call that `frame` is making will be stored."""
    return name_at(frame.f_code, frame.f_lasti)


def name_at(code: CodeType, offset: int) -> str:
    """As `assigned_name`, of the call at `offset` in `code`."""
    name = _names.get((code, offset))
    if name is None:
        name = _names[code, offset] = _find_name(code, offset)
    return name


def _find_name(code: CodeType, offset: int) -> str:
    instructions = [i for i in dis.get_instructions(code) if i.opname not in _NEUTRAL]
    # In some versions the offset is that of the call, in others of its last cache entry.
    later = (i for i in instructions if i.offset > offset)
    depth = 0  # how many values lie above the result on the interpreter's stack
    for at in later:
        operation, argument = at.opname, at.arg or 0
        stored = at.argval if isinstance(at.argval, tuple) else (at.argval,)
        if operation == "STORE_ATTR":  # the object lies above its new attribute
            if depth < 2:
                return str(at.argval) if depth == 1 else ""
            depth -= 2
        elif operation in _STORES:
            # Since 3.13 one instruction may store two values, or one and then load another.
            names = stored if operation.count("STORE_") == 2 else stored[:1]
            if depth < len(names):
                return str(names[depth])
            depth += operation.count("LOAD_") - len(names)
        elif operation == "SWAP":  # of the top with what lies argument - 1 below it
            depth = {0: argument - 1, argument - 1: 0}.get(depth, depth)
        elif operation == "COPY":  # the walrus operator, a = b = ...
            depth = 0 if depth == argument - 1 else depth + 1
        elif operation == "POP_TOP" and depth > 0:
            depth -= 1
        elif operation == "BUILD_TUPLE" and depth < argument:
            # a, b, c, d = ...: taken apart again, the first on top
            unpack = next(later, None)
            if unpack is None or (unpack.opname, unpack.arg) != ("UNPACK_SEQUENCE", argument):
                return ""
            depth = argument - 1 - depth
        elif at.opcode in dis.hasjrel or at.opcode in dis.hasjabs:
            return ""
        else:
            pushed, popped = _effect(at)
            if depth < popped:
                return ""
            depth += pushed - popped
    return ""


_NEUTRAL = ("CACHE", "NOP", "EXTENDED_ARG", "PRECALL", "KW_NAMES", "RESUME")
_STORES = (
    "STORE_FAST",
    "STORE_NAME",
    "STORE_GLOBAL",
    "STORE_DEREF",
    "STORE_FAST_STORE_FAST",
    "STORE_FAST_LOAD_FAST",
)


def _effect(at: dis.Instruction) -> tuple[int, int]:
    """How many values an operation of an expression leaves and takes; others take all."""
    operation, argument = at.opname, at.arg or 0
    if operation == "CALL":  # the effect of 3.11 is shared with PRECALL
        return 1, argument + 2
    net = dis.stack_effect(at.opcode, at.arg)
    if operation in ("LOAD_ATTR", "LOAD_METHOD"):
        return net + 1, 1
    if operation.startswith("LOAD_SUPER_ATTR"):
        return net + 3, 3
    if operation.startswith("LOAD_") or operation == "PUSH_NULL":
        return net, 0
    if operation in ("LIST_EXTEND", "SET_UPDATE", "DICT_UPDATE", "DICT_MERGE"):
        return 0, -net
    if operation.startswith(_OF_EXPRESSIONS):
        return 1, 1 - net
    return 0, sys.maxsize


_OF_EXPRESSIONS = (
    "BINARY_",
    "BUILD_",
    "CALL_",
    "COMPARE_",
    "CONTAINS_",
    "FORMAT_",
    "IS_OP",
    "LIST_TO_TUPLE",
    "MAKE_FUNCTION",
    "SET_FUNCTION_ATTRIBUTE",
    "UNARY_",
)


def where(frame: FrameType) -> str:
    """`file.py:12`, as messages show a place in the user's code."""
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


class InstanceState:
    """What one mounted component keeps: its named slots.

    Parameters
    ----------
    name : str
        The component's name, for messages.
    """

    __slots__ = ("_name", "_order", "_reached", "_sites", "_slots")

    def __init__(self, name: str) -> None:
        self._name = name
        self._slots: dict[Hashable, Any] = {}
        self._sites: set[Hashable] = set()
        self._order: dict[Hashable, dict[Hashable, int]] = {}
        self._reached: set[Hashable] = set()

    def render(self, body: Callable[[], Any]) -> Any:
        """Runs `body` with this instance's state; ends what a complete render did not reach."""
        outer = _rendering.state
        _rendering.state = self
        self._sites.clear()
        self._order.clear()
        self._reached.clear()
        try:
            result = body()
        finally:
            _rendering.state = outer
        if len(self._reached) < len(self._slots):
            for slot in [slot for slot in self._slots if slot not in self._reached]:
                _end(self._slots.pop(slot))
        return result

    def keep(
        self,
        kind: str,
        frame: FrameType,
        create: Callable[[], Any],
        *,
        key: Hashable = None,
        update: Callable[[Any], None] | None = None,
    ) -> Any:
        """The state that this call made in an earlier render, else `create()`.

        Parameters
        ----------
        kind : str
            "signal", "memo", ...: states of different kinds never share a name.
        frame : frame
            The user's frame that makes the call.
        create : callable
            Makes the state, at its first render.
        key : hashable, optional
            Tells apart the passes of a loop.
        update : callable, optional
            Called with the kept state at every later render.

        Raises
        ------
        LatticeError
            LT101, when the place is reached a second time in one render without a new key.
        """
        names, site = self._path(frame)
        slot: Hashable
        if key is not None:
            slot = (kind, names, "key", key)
            repeated = slot in self._reached
        else:
            repeated = site in self._sites
            self._sites.add(site)
            passes = self._order.setdefault((kind, names), {})
            slot = (kind, names, passes.setdefault(site, len(passes)))
        if repeated:
            raise _loop_error(kind, names, frame, key)
        self._reached.add(slot)
        if slot in self._slots:
            state = self._slots[slot]
            if update is not None:
                update(state)
            return state
        state = self._slots[slot] = create()
        return state

    def dispose(self) -> None:
        """Ends all state, last first."""
        for slot in reversed(list(self._slots)):
            _end(self._slots.pop(slot))

    def _path(self, frame: FrameType) -> tuple[Hashable, Hashable]:
        names: list[tuple[str, str]] = []
        site: list[tuple[CodeType, int]] = []
        at: FrameType | None = frame
        while at is not None and at.f_code is not _RENDER_CODE:
            if not at.f_code.co_filename.startswith(_PACKAGE + os.sep):
                names.append((at.f_code.co_name, assigned_name(at)))
                site.append((at.f_code, at.f_lasti))
            at = at.f_back
        if names:  # the body itself goes by any name: hot reload may rename it
            names[-1] = ("", names[-1][1])
        return tuple(names), tuple(site)


_RENDER_CODE = InstanceState.render.__code__


def _end(state: Any) -> None:
    dispose = getattr(state, "dispose", None)
    if dispose is not None:
        dispose()


def _loop_error(kind: str, names: Any, frame: FrameType, key: Hashable) -> Exception:
    from lattice._core import LatticeError

    name = names[0][1] if names and names[0][1] else f"a {kind}"
    if key is not None:
        return LatticeError(
            f"LT101: {where(frame)}: {name!r} is created twice with key={key!r} in one render. "
            "Each pass of a loop needs a key of its own."
        )
    return LatticeError(
        f"LT101: {where(frame)}: {name!r} is created in a loop, or by a helper that is called in "
        f"one, so its state cannot be told apart from one pass to the next. Give every pass a key "
        f"(lt.{kind}(..., key=item_id)), or make the row a component and render the list with "
        "ui.For(items, key=..., render=row)."
    )


def captured_changed(old: FunctionType, new: FunctionType, *, depth: int = 4) -> bool:
    """Whether `new`, the same function from a later render, captures other plain values than `old`.

    Signals, memos and other kept state are the same objects in both renders; inner functions are
    compared by what they capture in turn.
    """
    if old is new:
        return False
    if not (isinstance(old, FunctionType) and isinstance(new, FunctionType)):
        return True
    if old.__code__ is not new.__code__ and old.__code__ != new.__code__:
        return True
    pairs = list(zip(old.__closure__ or (), new.__closure__ or (), strict=False))
    pairs_of_values = [(_contents(a), _contents(b)) for a, b in pairs]
    pairs_of_values += zip(old.__defaults__ or (), new.__defaults__ or (), strict=False)
    old_keywords, new_keywords = old.__kwdefaults__ or {}, new.__kwdefaults__ or {}
    pairs_of_values += [(old_keywords[k], new_keywords.get(k)) for k in old_keywords]
    return any(_differs(a, b, depth) for a, b in pairs_of_values)


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return _UNSET


_UNSET = object()


def _differs(a: Any, b: Any, depth: int) -> bool:
    if a is b:
        return False
    if isinstance(a, FunctionType) and isinstance(b, FunctionType):
        return depth == 0 or captured_changed(a, b, depth=depth - 1)
    from lattice._core import values_equal

    return not values_equal(a, b)


def same_prop(a: Any, b: Any) -> bool:
    """Whether a component that got `a` would render the same with `b`.

    Only what cannot change behind our back counts as the same: equal immutable values, the same
    signals, memos and components, and functions that capture nothing but such. A list that was
    changed in place and handed down again is a new value.
    """
    if isinstance(a, FunctionType) and isinstance(b, FunctionType):
        return _is_stable(a) and not captured_changed(a, b)
    if a is b:
        return _is_stable(a)
    from lattice._core import values_equal

    return type(a) is type(b) and _is_stable(a) and values_equal(a, b)


_IMMUTABLE = (
    datetime.date,
    datetime.time,
    datetime.timedelta,
    enum.Enum,
)
# Of modules that we do not load: where nobody has loaded one, no value has its type.
_IMMUTABLE_ELSEWHERE = (("decimal", "Decimal"), ("pathlib", "PurePath"), ("uuid", "UUID"))
_ATOMS = (type(None), bool, int, float, complex, str, bytes, CodeType, type)


def is_async_memo(value: object) -> bool:
    """Whether `value` is an `AsyncMemo`; none exists before its module is loaded."""
    module = sys.modules.get("lattice._async")
    return module is not None and isinstance(value, module.AsyncMemo)


def _is_stable(value: Any, depth: int = 4) -> bool:
    if isinstance(value, _ATOMS):
        return True
    if isinstance(value, tuple | frozenset):
        return depth > 0 and all(_is_stable(item, depth - 1) for item in value)
    if isinstance(value, FunctionType):
        captured = [_contents(cell) for cell in value.__closure__ or ()]
        captured += value.__defaults__ or ()
        captured += (value.__kwdefaults__ or {}).values()
        return depth > 0 and all(_is_stable(item, depth - 1) for item in captured)
    from lattice import _core
    from lattice.component import Component

    if isinstance(value, _core.Signal | _core.Memo | _core.Effect | Component):
        return True
    if is_async_memo(value):
        return True
    if getattr(type(value), "__lattice_store__", False) is True:  # its readers are told of changes
        return True
    if isinstance(value, _IMMUTABLE):
        return True
    for module, name in _IMMUTABLE_ELSEWHERE:
        if module in sys.modules and isinstance(value, getattr(sys.modules[module], name)):
            return True
    parameters = getattr(type(value), "__dataclass_params__", None)
    if parameters is not None and parameters.frozen:
        fields = type(value).__dataclass_fields__
        return all(_is_stable(getattr(value, name)) for name in fields)
    return False
