# SPDX-License-Identifier: MIT
"""Claims about nodes as Python objects: copies, subclasses, use after the end, wrong arguments."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import threading
import traceback
import weakref
from collections.abc import Callable, Generator
from typing import Any

import pytest

import lattice as lt
from lattice import _core

# --- copies, pickles, subclasses


COPIERS: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    lambda node: copy.deepcopy({"deep": [node]}),
    *(lambda node, protocol=protocol: pickle.dumps(node, protocol) for protocol in range(6)),
]


@pytest.mark.parametrize("copier", COPIERS)
def test_a_node_is_neither_copied_nor_pickled(copier: Callable[[Any], Any]) -> None:
    count = lt.signal(1)
    doubled = lt.memo(lambda: count.value * 2)
    log = lt.effect(lambda: doubled.value)
    with pytest.raises(TypeError, match=r"'count' is a Signal: .*; copy its value, count\.value"):
        copier(count)
    with pytest.raises(TypeError, match=r"'doubled' is a Memo: .*; copy its value, doubled\.value"):
        copier(doubled)
    with pytest.raises(TypeError, match="'log' is an Effect: it belongs to its runtime"):
        copier(log)
    for other in (lt.Scope(), lt.batch(), lt.untracked()):
        with pytest.raises(TypeError, match="cannot pickle"):
            copier(other)
    count.value = 3
    assert (doubled(), log.runs) == (6, 2)


@pytest.mark.parametrize("base", [lt.Signal, lt.Memo, lt.Effect])
def test_node_types_are_not_subclassed_and_not_changed(base: type) -> None:
    with pytest.raises(TypeError, match="is not an acceptable base type"):
        type("Own", (base,), {})
    with pytest.raises(TypeError, match="immutable type"):
        base.extra = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="not safe"):
        object.__new__(base)
    with pytest.raises(TypeError, match="missing required argument"):
        base()


def test_a_node_has_no_fields_of_ones_own() -> None:
    for node in (lt.signal(0), lt.memo(int), lt.effect(int)):
        with pytest.raises(AttributeError):
            node.extra = 1  # type: ignore[union-attr]
        assert not hasattr(node, "__dict__")


def test_a_subclass_of_scope_works() -> None:
    class Own(lt.Scope):
        def __init__(self) -> None:
            super().__init__()
            self.label = "mine"

    with Own() as scope:
        effect = lt.effect(lambda: None)
    assert scope.label == "mine"
    scope.dispose()
    assert not effect.alive


# --- use after the end


def used_after_dispose() -> list[tuple[str, Any, Callable[[Any], Any]]]:
    def write(node: Any) -> None:
        node.value = 5

    return [
        ("read", "signal", lambda node: node.value),
        ("write", "signal", write),
        ("peek", "signal", lambda node: node.peek()),
        ("update", "signal", lambda node: node.update(lambda value: value)),
        ("lt.read", "signal", lt.read),
        ("memo.value", "memo", lambda node: node.value),
        ("memo()", "memo", lambda node: node()),
        ("memo.peek", "memo", lambda node: node.peek()),
        ("lt.read", "memo", lt.read),
        ("memo on it", "memo", lambda node: lt.memo(node)()),
    ]


@pytest.mark.parametrize("how", ["dispose", "scope", "effect"])
@pytest.mark.parametrize(
    ("use", "kind", "action"), used_after_dispose(), ids=lambda value: str(value)[:12]
)
def test_use_after_the_end_names_both_places(
    how: str, use: str, kind: str, action: Callable[[Any], Any]
) -> None:
    made: list[Any] = []

    def make() -> None:
        node: Any
        if kind == "signal":  # noqa: SIM108 (each assignment gives its node a name)
            node = lt.signal(1)
        else:
            node = lt.memo(lambda: 1)
        node.value  # noqa: B018
        made.append(node)

    line = make.__code__.co_firstlineno + (3 if kind == "signal" else 5)
    if how == "dispose":
        make()
        made[0].dispose()
    elif how == "scope":
        with lt.Scope() as scope:
            make()
        scope.dispose()
    else:
        lt.effect(make).dispose()
    (node,) = made
    for _ in range(2):
        with pytest.raises(lt.DisposedError) as caught:
            action(node)
        assert str(caught.value).startswith("'node' was disposed and cannot be used any more: ")
        assert f"made at test_node_protocol.py:{line}, " in str(caught.value)
        assert "used at test_node_protocol.py:" in str(caught.value)
    node.dispose()  # once more is no error
    assert "disposed" in repr(node)
    assert node.name == "node"


def test_a_reader_of_a_disposed_source_gets_the_error_and_recovers() -> None:
    use_old, old, new = lt.signal(True), lt.signal(1), lt.signal(2)
    chosen = lt.memo(lambda: old.value if use_old.value else new.value)
    seen = []

    @lt.effect
    def look() -> None:
        try:
            seen.append(chosen())
        except lt.DisposedError:
            seen.append("gone")

    old.dispose()
    new.value = 3
    use_old.value = False
    assert seen == [1, 3]
    use_old.value = True
    assert seen == [1, 3, "gone"]


def test_disposing_a_source_in_every_state_of_its_reader() -> None:
    for state in ("unread", "clean", "stale", "watched", "in a batch", "inside the reader"):
        source = lt.signal(1)
        doomed = state == "inside the reader"

        @lt.memo
        def reader(source: lt.Signal[int] = source, doomed: bool = doomed) -> int:
            value = source.value
            if doomed:
                source.dispose()
            return value

        effect = lt.effect(reader) if state == "watched" else None
        if state in ("clean", "stale", "in a batch"):
            assert reader() == 1
        if state == "stale":
            source.value = 2
        if state == "in a batch":
            with lt.batch():
                source.value = 2
                source.dispose()
        elif not doomed:
            source.dispose()
        try:
            assert reader() in (1, 2)
        except lt.DisposedError:
            assert state in ("unread", "stale", "in a batch")
        reader.dispose()
        if effect is not None:
            assert effect.runs == 1
            effect.dispose()
    assert lt.signal(1).value == 1


def test_a_scope_after_its_end() -> None:
    scope = lt.Scope()
    scope.dispose()
    scope.dispose()
    assert not scope.alive
    with pytest.raises(lt.DisposedError, match="this scope was disposed"):
        with scope:
            raise AssertionError


# --- blocks that end in unusual places


@pytest.mark.parametrize("make", [lt.batch, lt.untracked, lt.Scope])
def test_a_block_ends_once_and_only_where_it_began(make: Callable[[], Any]) -> None:
    with pytest.raises(lt.LatticeError, match="is not open here"):
        make().__exit__(None, None, None)
    block = make()
    with block:
        pass
    with pytest.raises(lt.LatticeError, match="is not open here"):
        block.__exit__(None, None, None)
    block.__enter__()
    failed: list[BaseException] = []

    def leave() -> None:
        try:
            block.__exit__(None, None, None)
        except lt.LatticeError as error:
            failed.append(error)

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    assert len(failed) == 1
    block.__exit__(None, None, None)
    check_nothing_is_open()


def check_nothing_is_open() -> None:
    """No batch, no untracked block and no scope is left over."""
    source = lt.signal(0)
    effect = lt.effect(lambda: source.value)
    source.value = 1
    assert effect.runs == 2
    effect.dispose()


@pytest.mark.parametrize("make", [lt.batch, lt.untracked, lt.Scope])
def test_one_block_object_may_be_entered_again_inside_itself(make: Callable[[], Any]) -> None:
    source, block = lt.signal(0), make()
    effect = lt.effect(lambda: source.value)
    with block:
        with block:
            source.value = 1
        source.value = 2
    assert source.value == 2
    assert effect.runs == (2 if make is lt.batch else 3)
    with block:
        source.value = 3
    assert effect.runs == (3 if make is lt.batch else 4)
    check_nothing_is_open()


def holding(make: Callable[[], Any], note: Callable[[], object]) -> Generator[None, None, None]:
    with make():
        note()
        yield


def test_an_untracked_block_that_outlives_its_run_changes_no_other_run() -> None:
    source, other = lt.signal(0), lt.signal(0)
    held: list[Generator[None, None, None]] = []

    @lt.memo
    def memo() -> int:
        generator = holding(lt.untracked, lambda: None)
        next(generator)
        held.append(generator)
        return other.value  # untracked: the block is still open

    effect = lt.effect(lambda: (memo(), source.value))
    held.pop().close()
    assert lt.untracked(lambda: source.value) == 0
    _ = other.value  # no run is going on here, so nothing may subscribe
    other.value = 1
    assert (memo.runs, effect.runs) == (1, 1)
    source.value = 1
    assert effect.runs == 2


def test_an_untracked_block_left_in_an_inner_run_ends_for_the_outer_one() -> None:
    a, b = lt.signal(0), lt.signal(0)
    held: list[Generator[None, None, None]] = []
    inner = lt.memo(lambda: held.pop().close() if held else None)

    @lt.effect
    def outer() -> None:
        held.append(holding(lt.untracked, lambda: a.value))
        next(held[0])
        inner()
        _ = b.value

    a.value = 1
    assert outer.runs == 1
    b.value = 1
    assert outer.runs == 2


def test_scopes_that_end_in_the_order_of_their_beginning() -> None:
    made: list[lt.Effect] = []
    first_scope, second_scope = lt.Scope(), lt.Scope()

    def note() -> None:
        made.append(lt.effect(lambda: None))

    first = holding(lambda: first_scope, note)
    second = holding(lambda: second_scope, note)
    next(first)
    next(second)
    first.close()
    note()  # belongs to the second, which is still open
    second.close()
    note()  # to none of the two
    first_scope.dispose()
    assert [effect.alive for effect in made] == [False, True, True, True]
    second_scope.dispose()
    assert [effect.alive for effect in made] == [False, False, False, True]


def test_a_scope_disposed_before_an_older_one_ends() -> None:
    outer, inner = lt.Scope(), lt.Scope()
    generators = [holding(lambda: outer, int), holding(lambda: inner, int)]
    for generator in generators:
        next(generator)
    outer.dispose()
    inner.dispose()
    for generator in generators:
        generator.close()
    check_nothing_is_open()


def test_a_block_that_outlives_its_session() -> None:
    for make in (lt.untracked, lt.Scope):
        session = _core.SessionState()
        with session.enter():
            generator = holding(make, lambda: lt.signal(0))
            next(generator)
        session.dispose()
        del session
        gc.collect()
        generator.close()
        check_nothing_is_open()


def test_a_scope_keeps_to_its_session() -> None:
    session = _core.SessionState()
    with session.enter():
        with lt.Scope() as scope:
            effect = lt.effect(lambda: None)
    with pytest.raises(lt.AccessError, match="belongs to another session or thread"):
        with scope:
            raise AssertionError
    scope.dispose()  # asks the session to
    with session.enter():
        assert not effect.alive
    session.dispose()


def test_a_program_inside_one_scope_does_not_grow() -> None:
    def rss_pages() -> int:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1])

    source = lt.signal(0)
    with lt.Scope():
        for round_index in range(6):
            for _ in range(20_000):
                lt.effect(lambda: source.value).dispose()
            if round_index == 1:
                before = rss_pages()
        grown = rss_pages() - before
    assert grown < 500  # 80,000 nodes of 64 B and as many links would take 1,700 pages


# --- wrong arguments


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


WRONG: list[Any] = [5, "text", None, Odd(), [1], 2.5]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda wrong: lt.Memo(wrong), "a memo is made of a function without arguments, not"),
        (lambda wrong: lt.Effect(wrong), "an effect is made of a function without arguments, not"),
        (lambda wrong: lt.memo()(wrong), "a memo is made of a function without arguments, not"),
        (lambda wrong: lt.effect()(wrong), "an effect is made of a function without arguments"),
        (lambda wrong: lt.on_cleanup(wrong), r"on_cleanup\(\) takes a function without arguments"),
        (lambda wrong: lt.in_session(wrong), r"in_session\(\) wraps a function, not"),
        (
            lambda wrong: lt.watch(wrong, print),
            "what is watched is a signal, a memo, a store or a callable",
        ),
        (lambda wrong: lt.watch(lt.signal(0), wrong), r"watch\(\) calls a function of the new"),
        (lambda wrong: lt.signal(0).update(wrong), r"update\(\) takes a function of the value"),
        (lambda wrong: lt.memo(lambda: 1)(wrong), "takes no arguments"),
        (lambda wrong: lt.Signal(0, bad=wrong), "'bad' is an invalid keyword argument"),
        (lambda wrong: lt.signal(0, bad=wrong), "unexpected keyword argument"),
        (lambda wrong: lt.effect(int, priority=wrong or "x"), "interpreted as an integer"),
        (lambda wrong: lt.effect(int, name=wrong or 5), "name= is a string"),
        (lambda wrong: lt.memo(int, name=wrong or 5), "name= is a string"),
        (lambda wrong: lt.signal(0, name=wrong or 5), "name= is a string"),
    ],
)
def test_a_wrong_type_is_a_type_error(call: Callable[[Any], Any], message: str, wrong: Any) -> None:
    if ("name=" in message and wrong == "text") or ("integer" in message and wrong == 5):
        return
    with pytest.raises(TypeError, match=message):
        call(wrong)
    check_nothing_is_open()


@pytest.mark.parametrize("wrong", [wrong for wrong in WRONG if wrong is not None], ids=repr)
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda wrong: lt.batch(wrong), TypeError, r"batch\(\) takes a function"),
        (lambda wrong: lt.untracked(wrong), TypeError, r"untracked\(\) takes a function"),
        (lambda wrong: lt.signal(0, equals=wrong), ValueError, "equals= is 'auto', 'is'"),
        (lambda wrong: lt.memo(int, equals=wrong), ValueError, "equals= is 'auto', 'is'"),
        (lambda wrong: lt.signal(0, scope=wrong), ValueError, "scope= is 'session' or 'app'"),
        (lambda wrong: lt.memo(int, scope=wrong), ValueError, "scope= is 'session' or 'app'"),
        (lambda wrong: lt.effect(int, phase=wrong), ValueError, "phase= is 'user' or 'render'"),
        (lambda wrong: lt.memo(int, native=wrong), lt.TraceError, "native=True"),
    ],
)
def test_a_wrong_option_says_what_is_possible(
    call: Callable[[Any], Any], error: type[Exception], message: str, wrong: Any
) -> None:
    with pytest.raises(error, match=message):
        call(wrong)
    check_nothing_is_open()


def test_a_priority_out_of_range_is_an_error() -> None:
    for priority in (2**31, -(2**31) - 1, 10**30):
        with pytest.raises(OverflowError):
            lt.effect(int, priority=priority)
    order: list[int] = []
    source = lt.signal(0)
    for priority in (2**31 - 1, 0, -(2**31)):
        lt.effect(
            lambda priority=priority: (source.value, order.append(priority)), priority=priority
        )
    order.clear()
    source.value = 1
    assert order == sorted(order)


class Method:
    def nothing(self) -> int:
        return 1

    def one(self, x: int) -> int:
        return x


async def coroutine() -> None: ...


def generator() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lt.memo(lambda x: x), r"called with no argument, but '<lambda>' .* \(x\).*linked"),
        (lambda: lt.memo(Method().one), r"but 'one' has the parameters \(x\)"),
        (lambda: lt.memo(lambda *, x: x), r"\(x\)"),
        (lambda: lt.memo(generator), "generator .* list"),
        (lambda: lt.effect(lambda x: x), "an effect's function is called with no argument"),
        (lambda: lt.watch(lt.signal(0), lambda: 1), r"\(\); it gets \(new, old\)"),
        (lambda: lt.watch(lt.signal(0), lambda x: 1), r"\(x\); it gets \(new, old\)"),
        (lambda: lt.watch(lt.signal(0), coroutine), "'coroutine' is async; .*async effect"),
        (lambda: lt.watch([lt.signal(0)], print), r"for several: lambda: \(a.value, b.value\)"),
        (lambda: lt.batch(coroutine), "'coroutine' is async"),
        (lambda: lt.batch(generator), "'generator' is a generator"),
        (lambda: lt.untracked(coroutine), "'coroutine' is async"),
        (lambda: lt.on_cleanup(coroutine), "'coroutine' is async"),
        (lambda: lt.on_cleanup(lambda x: x), r"\(x\)"),
        (lambda: lt.linked(coroutine), "'coroutine' is async; .*async_memo"),
        (lambda: lt.error_boundary(coroutine, print), "'coroutine' is async"),
        (lambda: lt.error_boundary(int, lambda: 1), "it gets the exception"),
        (lambda: lt.error_boundary(int, coroutine), "'coroutine' is async"),
        (lambda: lt.map_keyed([], lambda: 1), "it gets the item"),
        (lambda: lt.filter([], coroutine), "'coroutine' is async"),
        (lambda: lt.sort([], key=lambda a, b: 1), "it gets the item"),
        (lambda: list(lt.map_keyed(5, str)), "not int"),
        (lambda: lt.signal(0).update(lambda _: coroutine()), "gave a coroutine"),
        (lambda: lt.inspect("x"), "takes True or False"),  # type: ignore[arg-type]
    ],
)
def test_a_function_that_can_never_work_is_refused_where_it_is_given(
    call: Callable[[], Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        call()
    check_nothing_is_open()


def test_functions_that_can_be_called_are_taken() -> None:
    functions = [
        Method().nothing,
        lambda x=1: x,
        lambda *rest: 1,
        lambda *, x=1: x,
        functools.partial(Method().one, 1),
        int,
    ]
    assert [lt.memo(function)() for function in functions] == [1, 1, 1, 1, 1, 0]
    seen: list[Any] = []
    count = lt.signal(0)
    for function in (lambda *values: seen.append(values), lambda a, b, c=3: seen.append((a, b, c))):
        lt.watch(count, function)
    count.value = 1
    assert seen == [(1, 0), (1, 0, 3)]


def test_the_repr_of_what_has_ended_or_fails_is_a_repr() -> None:
    with lt.Scope() as scope:
        store = lt.store({"items": [1], "tags": {1}})
        inner, tags = store["items"], store["tags"]
        failing = lt.map_keyed(inner, lambda item: item / 0)
        assert repr(failing) == "<DerivedList, ZeroDivisionError>"
    scope.dispose()
    assert repr(store) == "<StoreDict, disposed>"
    assert repr(inner) == "<StoreList, disposed>"
    assert repr(tags) == "<StoreSet, disposed>"
    assert repr(failing) == "<DerivedList, DisposedError>"
    assert repr(lt.context("light")) == "<Context, default 'light'>"


def test_what_map_keyed_raises_is_raised_until_the_list_changes() -> None:
    rows = lt.store([{"n": 0}])
    inverse = lt.map_keyed(rows, lambda row: 1 / row["n"])
    for n in (0, 1):
        rows[0]["n"] = n
        with pytest.raises(ZeroDivisionError):
            list(inverse)
    rows.append({"n": 2})
    assert list(inverse) == [1, 0.5]


def test_an_effect_without_a_name_is_reported_as_one(caplog: pytest.LogCaptureFixture) -> None:
    lt.effect(lambda: 1 / 0)
    assert "ZeroDivisionError in an effect: division by zero" in caplog.text


@pytest.mark.parametrize("make", [lt.Signal, lt.Memo, lt.Effect])
def test_a_constructor_that_fails_leaves_nothing(make: Any) -> None:
    gc.collect()
    function = Odd
    for _ in range(3):
        with pytest.raises((TypeError, ValueError)):
            make(function, name=5)
    ref = weakref.ref(function)
    assert ref() is Odd
    check_nothing_is_open()


# --- errors that are kept


def depth(error: BaseException | None) -> int:
    return len(list(traceback.walk_tb(error.__traceback__))) if error is not None else 0


def test_a_cached_error_read_a_thousand_times_stays_small() -> None:
    source = lt.signal(0)
    memos = [lt.memo(lambda: 1 // source.value)]
    for _ in range(4):
        memos.append(lt.memo(lambda before=memos[-1]: before() + 1))
    depths, contexts = set(), set()
    for _ in range(1000):
        try:
            memos[-1]()
        except ZeroDivisionError as error:
            depths.add(depth(error))
            contexts.add(error.__context__)
    assert contexts == {None}
    assert len(depths) == 1
    assert depths.pop() <= 2 + len(memos)
    assert [memo.runs for memo in memos] == [1] * 5


def test_a_reader_that_changes_the_error_changes_no_others() -> None:
    memo = lt.memo(lambda: 1 // 0)
    errors = []
    for index in range(3):
        with pytest.raises(ZeroDivisionError) as caught:
            memo()
        error = caught.value
        assert not hasattr(error, "mark")
        assert not getattr(error, "__notes__", [])
        error.mark = index  # type: ignore[attr-defined]
        error.add_note(f"note {index}")
        errors.append(error)
    assert len({id(error) for error in errors}) == 3


def test_errors_of_a_loop_keep_no_frames_and_no_values() -> None:
    class Big:
        pass

    source = lt.signal(0)
    refs: list[weakref.ref[Big]] = []

    @lt.memo
    def fail() -> None:
        local = Big()
        refs.append(weakref.ref(local))
        raise ValueError(source.value)

    for value in range(50):
        source.value = value
        with pytest.raises(ValueError):
            fail()
    gc.collect()
    assert fail.runs == 50
    assert not any(ref() for ref in refs)


# --- leaks


class Token:
    pass


def leaked(make: Callable[[Token], Any], rounds: int = 30) -> int:
    """How many of the tokens that `make` got are still there after a collection."""
    refs = []
    for _ in range(rounds):
        token = Token()
        refs.append(weakref.ref(token))
        make(token)
        del token
    gc.collect()
    return sum(ref() is not None for ref in refs)


def cycle_in_value(token: Token) -> None:
    signal: lt.Signal[Any] = lt.signal(None)
    signal.value = (signal, token)


def cycle_in_pending_value(token: Token) -> None:
    signal: lt.Signal[Any] = lt.signal(None)
    lt.memo(lambda: (signal.value, token))()
    with lt.batch():
        signal.value = (signal, token)


def cycle_in_memo_value(token: Token) -> None:
    box: list[Any] = []
    memo = lt.memo(lambda: (box, token))
    box.append(memo)
    memo()


def cycle_in_equality(token: Token) -> None:
    box: list[Any] = []
    box.append(lt.signal(0, equals=lambda old, new: (box, token) is None))
    box[0].value = 1


def cycle_in_error(token: Token) -> None:
    class Kept(Exception):
        pass

    box: list[Any] = []

    @lt.memo
    def memo() -> None:
        raise Kept(box, token)

    box.append(memo)
    with pytest.raises(Kept):
        memo()


def cycle_in_cleanup(token: Token) -> None:
    box: list[Any] = []
    box.append(lt.effect(lambda: lt.on_cleanup(lambda: (box, token)), weak=True))


def cycle_in_memo_cleanup(token: Token) -> None:
    box: list[Any] = []

    @lt.memo
    def memo() -> None:
        lt.on_cleanup(lambda: (box, token))

    box.append(memo)
    memo()


def cycle_between_nested_effects(token: Token) -> None:
    box: list[Any] = []
    box.append(lt.effect(lambda: lt.effect(lambda: (box, token)), weak=True))


def cycle_in_watch(token: Token) -> None:
    signal: lt.Signal[Any] = lt.signal(0)
    box: list[Any] = [signal]
    box.append(lt.watch(signal, lambda new, old: (box, token), weak=True))
    signal.value = box


def disposed_effect_in_a_cycle(token: Token) -> None:
    box: list[Any] = []
    box.append(lt.effect(lambda: (box, token)))
    box[0].dispose()


def scope_in_a_cycle(token: Token) -> None:
    box: list[Any] = []
    with lt.Scope() as scope:
        box.append(lt.effect(lambda: (box, token, scope)))
    scope.dispose()


@pytest.mark.parametrize(
    "make",
    [
        cycle_in_value,
        cycle_in_pending_value,
        cycle_in_memo_value,
        cycle_in_equality,
        cycle_in_error,
        cycle_in_cleanup,
        cycle_in_memo_cleanup,
        cycle_between_nested_effects,
        cycle_in_watch,
        disposed_effect_in_a_cycle,
        scope_in_a_cycle,
    ],
)
def test_a_cycle_is_collected(make: Callable[[Token], None]) -> None:
    assert leaked(make) == 0


def test_what_is_not_garbage_is_kept() -> None:
    # The counter-example: an effect of the runtime lives, and what it captures with it.
    effects = []
    assert leaked(lambda token: effects.append(lt.effect(lambda: token)), rounds=3) == 3
    for effect in effects:
        effect.dispose()
