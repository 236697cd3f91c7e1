# SPDX-License-Identifier: MIT
"""Claims about diagnostics: explanations, graphs, recording on and off."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import pytest

import lattice as lt
from lattice import _core, _frames, _inspect, _layout


@pytest.fixture
def recording() -> Iterator[None]:
    with lt.inspect():
        yield


def line() -> int:
    """The caller's line."""
    return sys._getframe(1).f_lineno


def node(graph: lt.Graph, name: str) -> Any:
    return next(each for each in graph if each.name == name)


@pytest.mark.usefixtures("recording")
class TestExplain:
    def test_it_names_the_chain_with_lines_and_values(self) -> None:
        count = lt.signal(5)
        made = line() + 2

        @lt.memo
        def doubled() -> int:
            return count.value * 2

        @lt.effect
        def log() -> None:
            doubled()

        count.value = 6
        written = line() - 1
        assert str(lt.explain(log)) == (
            f"log (test_inspect.py:{made + 4}) ran because doubled changed (10 -> 12), because "
            f"count was written at test_inspect.py:{written} (5 -> 6)."
        )
        told = lt.explain(log)
        assert (told.kind, told.runs, told.has_run, told.failed) == ("effect", 2, True, False)
        (cause,) = told.causes
        assert (cause.what, cause.name, cause.before, cause.after) == (
            "changed",
            "doubled",
            "10",
            "12",
        )
        (write,) = cause.causes
        assert (write.what, write.name, write.site) == (
            "write",
            "count",
            f"test_inspect.py:{written}",
        )

    def test_a_signal_says_who_wrote_it(self) -> None:
        typed = lt.signal("a")
        saved = lt.signal("")
        save = lt.effect(lambda: setattr(saved, "value", typed.value), name="save")
        shown = lt.effect(lambda: saved.value and None, name="shown")
        typed.value = "b"
        text = str(lt.explain(saved))
        assert text.startswith("saved ")
        assert "('a' -> 'b') by save, which ran because typed was written at" in text
        assert lt.explain(shown).causes[0].by == "save"
        save.dispose()

    def test_a_memo_that_stayed_equal_says_so_and_why_its_reader_did_not_run(self) -> None:
        count = lt.signal(4)
        parity = lt.memo(lambda: count.value % 2, name="parity")
        log = lt.effect(lambda: parity.value and None, name="log")
        count.value = 6
        assert "Its value stayed 0, so its readers did not run." in str(lt.explain(parity))
        told = lt.explain(log)
        assert "It did not run since: parity was recomputed to an equal value (0)" in str(told)
        assert [cause.name for cause in told.cut_offs] == ["parity"]
        assert told.runs == 1

    def test_a_memo_that_raised_says_so(self) -> None:
        count = lt.signal(1)
        inverse = lt.memo(lambda: 1 // count.value, name="inverse")
        assert inverse.value == 1
        count.value = 0
        with pytest.raises(ZeroDivisionError):
            inverse.value  # noqa: B018
        told = lt.explain(inverse)
        assert told.failed
        assert "Its function raised an error." in str(told)
        assert told.value == "<ZeroDivisionError>"

    def test_a_stale_memo_says_what_it_waits_for(self) -> None:
        count = lt.signal(1)
        doubled = lt.memo(lambda: count.value * 2)
        assert doubled.value == 2
        count.value = 2
        told = lt.explain(doubled)
        assert told.stale
        assert [cause.name for cause in told.waiting] == ["count"]

    def test_what_was_disposed_is_told_by_name(self) -> None:
        gone = lt.effect(lambda: None, name="gone")
        gone.dispose()
        told = lt.explain(gone)
        assert not told.alive
        assert str(told).startswith("gone has no node here")

    def test_update_tells_the_place_of_the_call(self) -> None:
        count = lt.signal(1)
        log = lt.effect(lambda: count.value and None, name="log")
        count.update(lambda value: value + 1)
        assert lt.explain(log).causes[0].site == f"test_inspect.py:{line() - 1}"

    def test_asking_changes_nothing(self) -> None:
        count = lt.signal(1)
        doubled = lt.memo(lambda: count.value * 2)
        runs = []

        @lt.effect
        def asks() -> None:
            runs.append(str(lt.explain(doubled)) + lt.graph().dot())

        count.value = 2
        assert doubled.runs == 0
        assert len(runs) == 1


class TestOff:
    def test_the_sources_and_the_way_to_turn_it_on_are_told(self) -> None:
        count = lt.signal(1)
        log = lt.effect(lambda: count.value and None, name="log")
        told = lt.explain(log)
        assert not told.recording
        assert not told.has_run
        assert told.reads == (f"count (signal, test_inspect.py:{line() - 5})",)
        for way in ("lt.inspect()", "LATTICE_INSPECT=1", "--debug"):
            assert way in str(told)

    def test_only_nodes_are_explained(self) -> None:
        with pytest.raises(TypeError, match="signal, memo or effect"):
            lt.explain(3)

    def test_an_object_made_of_a_node_may_stand_for_it(self) -> None:
        class Wrapped:
            def __init__(self) -> None:
                self.inner = lt.signal(1, name="inner")

            def __lattice_node__(self) -> Any:
                return self.inner

        assert lt.explain(Wrapped()).name == "inner"
        assert [each.name for each in lt.graph(Wrapped())] == ["inner"]

    def test_linked_and_async_memos_are_explained(self) -> None:
        query = lt.signal("a")
        page = lt.linked(lambda: query.value, name="page")

        async def load() -> str:
            return query.value

        rows = lt.async_memo(load, name="rows")
        assert page.value == "a"
        assert lt.explain(page).name == "page"
        assert lt.explain(rows).kind == "memo"
        assert "query" in [each.name for each in lt.graph(page)]

    def test_recording_ends_with_the_block_and_keeps_what_it_knows(self) -> None:
        count = lt.signal(1)
        log = lt.effect(lambda: count.value and None, name="log")
        with lt.inspect() as recording:
            assert repr(recording) == "<Recording on>"
            count.value = 2
        count.value = 3
        told = lt.explain(log)
        assert not told.recording
        assert told.runs == 1
        assert "(1 -> 2)" in str(told)

    def test_the_environment_turns_it_on(self) -> None:
        code = "import lattice as lt; print(lt.inspect.__module__, lt.graph().recording)"
        for setting, on in (("1", "True"), ("0", "False"), ("", "False")):
            done = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "LATTICE_INSPECT": setting},
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.split() == ["lattice._inspect", on]


class TestGraph:
    def test_it_has_names_values_flags_and_counts(self) -> None:
        count = lt.signal(2)
        with lt.inspect():
            doubled = lt.memo(lambda: count.value * 2)
            log = lt.effect(lambda: doubled.value and None, name="log")
            count.value = 3
            unread = lt.memo(lambda: count.value, name="unread")
            graph = lt.graph(count)
        assert {each.name for each in graph} == {"count", "doubled", "log"}
        assert node(graph, "doubled").value == "6"
        assert node(graph, "doubled").runs == 2
        assert node(graph, "log").seconds > 0
        assert node(graph, "count").changes == 1
        assert node(lt.graph(unread), "unread").flags == {"stale"}
        by_id = {each.id: each.name for each in graph}
        edges = {(by_id[source], by_id[reader]) for source, reader in graph.edges}
        assert edges == {("count", "doubled"), ("doubled", "log")}
        log.dispose()

    def test_json_follows_the_documented_schema(self) -> None:
        count = lt.signal('a"\n\ud800'[:-1], name='na"me\u20ac')
        found = json.loads(lt.graph(count).json())
        assert found["version"] == 1
        assert set(found) == {
            "version",
            "recording",
            "nodes_total",
            "matches",
            "events",
            "nodes",
            "edges",
            "owners",
        }
        (only,) = found["nodes"]
        assert only["name"] == 'na"me\u20ac'
        assert only["kind"] == "signal"

    def test_dot_is_read_by_a_parser_of_its_quotes(self) -> None:
        count = lt.signal(1, name='a"b\\')
        log = lt.effect(lambda: count.value and None, name="log")
        dot = lt.graph(log).dot()
        assert dot.startswith("digraph lattice {")
        assert dot.rstrip().endswith("}")
        assert r'label="a\"b\\\n1"' in dot
        assert dot.count(" -> ") == 1

    def test_what_an_effect_owns_is_a_cluster(self) -> None:
        count = lt.signal(1)

        @lt.effect
        def outer() -> None:
            lt.effect(lambda: count.value and None, name="inner")

        graph = lt.graph(count)
        inner = node(graph, "inner")
        assert graph.owners[inner.owner] == "outer"
        assert "subgraph cluster_" in graph.dot()

    def test_a_notebook_gets_a_drawing(self) -> None:
        count = lt.signal("<b>&", name="<count>")
        log = lt.effect(lambda: count.value and None, name="log")
        drawing = ElementTree.fromstring(lt.graph(log)._repr_svg_())
        texts = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
        assert "<count>" in texts
        assert "'<b>&'" in texts

    def test_the_number_of_nodes_is_bounded(self) -> None:
        signals = [lt.signal(at, name=f"signal_{at}") for at in range(50)]
        graph = lt.graph(nodes_max=5, filter="SIGNAL_")
        assert len(graph) == 5
        assert graph.nodes_total >= len(signals)
        with pytest.raises(ValueError, match="order="):
            lt.graph(order="size")  # type: ignore[arg-type]

    def test_long_values_are_cut_and_arrays_are_not_printed(self) -> None:
        class Frame:
            shape = (1000, 3)

            def __repr__(self) -> str:
                raise AssertionError("never printed")

        values = {
            "text": ("x" * 10_000, "'" + "x" * 60),
            "items": (list(range(100)), "[0, 1, 2, 3, 4, 5, … 100 items]"),
            "number": (10**1000, "<int, 3322 bits>"),
            "frame": (Frame(), "<Frame (1000, 3)>"),
            "nested": ([[[[1]]]], "[[[…]]]"),
            "pair": ((1,), "(1,)"),
            "flags": ({1, 2}, "<set, 2 items>"),
            "none": (None, "None"),
        }
        for name, (value, wanted) in values.items():
            shown = lt.graph(lt.signal(value, name=name)).nodes[0].value
            assert shown.startswith(wanted), name
            assert len(shown.encode()) < 200

    def test_a_repr_that_fails_or_reads_signals_does_no_harm(self) -> None:
        other = lt.signal(1)

        class Odd:
            def __repr__(self) -> str:
                return f"Odd({other.value})"

        class Broken:
            def __repr__(self) -> str:
                raise ValueError

        odd, broken = lt.signal(Odd()), lt.signal(Broken())
        runs = []

        @lt.effect
        def look() -> None:
            runs.append([lt.graph(each).nodes[0].value for each in (odd, broken)])

        other.value = 2
        assert runs == [["Odd(1)", ""]]

    @pytest.mark.usefixtures("recording")
    def test_no_code_of_the_users_runs_inside_a_write(self) -> None:
        class Value:
            def __repr__(self) -> str:
                raise AssertionError("asked in the middle of a write")

        box = lt.signal(Value())
        log = lt.effect(lambda: box.value and None, name="log")
        box.value = Value()
        assert lt.explain(log).causes[0].after == "<Value>"


class TestSessions:
    @pytest.mark.usefixtures("recording")
    def test_each_session_is_explained_by_its_own_runs(self) -> None:
        with _core.loading():
            count = lt.signal(0)
            log = lt.effect(lambda: count.value and None, name="log")
        first, second = _core.SessionState(), _core.SessionState()
        for session in (first, second):
            session.start()
        with first.enter():
            count.value = 7
            assert "(0 -> 7)" in str(lt.explain(log))
            assert [each.name for each in lt.graph(count)] == ["count", "log"]
        with second.enter():
            assert "it was made" in str(lt.explain(log))
        first.dispose()
        second.dispose()

    def test_the_page_of_the_inspector_gets_places_and_only_what_is_new(self) -> None:
        session = _core.SessionState()
        with session.enter():
            count = lt.signal(0)
            log = lt.effect(lambda: count.value and None, name="log")
            view = json.loads(_inspect.session_view("limit=10&filter=o"))
            assert {each["name"] for each in view["nodes"]} == {"count", "log"}
            assert all("x" in each and "y" in each for each in view["nodes"])
            count.value = 1
            view = json.loads(_inspect.session_view("limit=junk&order=junk"))
            (shown,) = (each for each in view["nodes"] if each["name"] == "log")
            assert "count was written" in shown["why"]
            again = _inspect.session_view(f"since={view['events']}")
            assert json.loads(again) == {"unchanged": True}
            told = json.loads(_inspect.session_view(f"explain={shown['id']}"))["explained"]
            assert told["name"] == "log"
            ended = json.loads(_inspect.session_view("explain=1.1&around=zzz"))
            assert not ended["explained"]["alive"]
            log.dispose()
        session.dispose()
        lt.inspect(False)


class TestLayout:
    def test_readers_stand_to_the_right_of_what_they_read(self) -> None:
        edges = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]
        places = _layout.place(["d", "c", "b", "a", "alone"], edges)
        assert all(places[source][0] < places[reader][0] for source, reader in edges)
        assert len(set(places.values())) == 5

    def test_a_cycle_and_nothing_are_laid_out_too(self) -> None:
        assert _layout.place([], []) == {}
        places = _layout.place(["a", "b"], [("a", "b"), ("b", "a"), ("x", "a")])
        assert len(set(places.values())) == 2


class TestFrames:
    def test_an_error_is_told_by_the_innermost_frame_of_the_users(self) -> None:
        try:
            json.loads("{")
        except json.JSONDecodeError as error:
            place = _frames.place_of(error)
            frames = _frames.own_frames(error.__traceback__)
        assert place.startswith("test_inspect.py:")
        assert [frame.f_code.co_name for frame, _ in frames] == [place.rsplit(" ", 1)[1]]

    def test_an_error_without_frames_has_no_place(self) -> None:
        assert _frames.place_of(ValueError()) == ""


def test_nodes_that_the_package_makes_are_told_of_by_the_users_names_and_places() -> None:
    with lt.inspect():
        rows = lt.store([1, 2, 3])
        page = lt.linked(lambda: len(rows))
        even = lt.filter(rows, lambda n: n % 2 == 0)
        shown = lt.effect(lambda: page.value and None)
        listed = lt.effect(lambda: list(even) and None)
        rows.append(4)
    assert "because (length) was written at test_inspect.py:" in str(lt.explain(shown))
    assert "because (all items) was written at test_inspect.py:" in str(lt.explain(listed))
    assert re.match(r"page \(test_inspect\.py:\d+\)", str(lt.explain(page)))
    made_by_linked = [node.site for node in lt.graph(shown) if node.name == "page"]
    assert len(made_by_linked) == 3
    assert all(re.fullmatch(r"test_inspect\.py:\d+", site) for site in made_by_linked)


def test_naming_a_node_may_collect_what_is_being_named() -> None:
    # Under the debug allocator freed memory is overwritten, so that a use of it shows.
    code = """
import gc, lattice as lt
gc.disable()
for _ in range(200):
    garbage = lt.store({"a": 1})
    cycle = [garbage]
    cycle.append(cycle)
del garbage, cycle
gc.enable(); gc.set_threshold(1, 1, 1)
lt.inspect()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONMALLOC": "debug"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
