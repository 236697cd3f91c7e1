# SPDX-License-Identifier: MIT
"""Keyed lists, conditions and components: which DOM nodes stay the same ones."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

ROWS = """
@lt.component
def main():
    order = lt.signal(tuple("abcdef"))
    def reverse(): order.value = order.value[::-1]
    def first_last(): order.value = (*order.value[1:], order.value[0])
    def drop(): order.value = tuple(c for c in order.value if c != "c")
    def add(): order.value = ("x", *order.value)
    def row(name):
        note = lt.signal("")
        keys = {"F2": reverse, "F3": first_last, "F4": drop, "F6": add}
        return ui.li(name, ui.input(value=note, aria_label=name, on_keydown=lt.on(
            lambda event: keys[event.key](), keys=tuple(keys))), ui.b(note))
    return ui.ul(ui.For(order, key=lambda name: name, render=row))
"""
MARK_ROWS = "for (const row of document.querySelectorAll('li')) row.mark = row.firstChild.data;"
SHOWN_ROWS = (
    "[...document.querySelectorAll('li')].map(row => [row.firstChild.data, row.mark ?? null])"
)


def test_a_reorder_keeps_focus_text_and_the_identity_of_every_row(serve, open_page, settle):
    page = open_page(serve(ROWS))
    page.evaluate(MARK_ROWS)
    field = page.get_by_label("b", exact=True)
    field.press_sequentially("typed")
    expect(page.locator("li", has_text="b").locator("b")).to_have_text("typed")
    field.press("F2")
    settle(page)
    assert page.evaluate(SHOWN_ROWS) == [[c, c] for c in "fedcba"]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "b"
    field.press("F3")
    settle(page)
    assert page.evaluate(SHOWN_ROWS) == [[c, c] for c in "edcbaf"]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "b"
    page.keyboard.type(" on")
    expect(page.get_by_label("b", exact=True)).to_have_value("typed on")
    expect(page.locator("li", has_text="b").locator("b")).to_have_text("typed on")


def test_the_focused_row_itself_moves_and_keeps_focus_and_caret(serve, open_page, settle):
    page = open_page(serve(ROWS))
    page.evaluate(MARK_ROWS)
    field = page.get_by_label("a", exact=True)
    field.fill("12345")
    field.evaluate("field => field.setSelectionRange(2, 4)")
    field.press("F3")
    settle(page)
    assert page.evaluate(SHOWN_ROWS) == [[c, c] for c in "bcdefa"]
    assert page.evaluate("document.activeElement.ariaLabel") == "a"
    caret = "[document.activeElement.selectionStart, document.activeElement.selectionEnd]"
    assert page.evaluate(caret) == [2, 4]


def test_removing_and_adding_rows_touches_no_other_row(serve, open_page, settle):
    page = open_page(serve(ROWS))
    page.evaluate(MARK_ROWS)
    page.get_by_label("a", exact=True).focus()
    page.keyboard.press("F4")
    page.keyboard.press("F6")
    settle(page)
    assert page.evaluate(SHOWN_ROWS) == [["x", None], *([c, c] for c in "abdef")]


def test_a_move_of_one_row_is_one_operation(serve, open_page, settle):
    page = open_page(serve(ROWS))
    page.get_by_label("d", exact=True).focus()
    before = page.evaluate("lattice.stats.ops")
    page.keyboard.press("F3")
    settle(page)
    assert page.evaluate("lattice.stats.ops") - before == 1


def test_duplicate_keys_are_an_error_that_names_the_key(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            items = lt.signal(("a", "b"))
            return ui.main(
                ui.ul(ui.For(items, key=lambda item: item, render=lambda item: ui.li(item))),
                ui.button("twice", on_click=put(items, ("a", "b", "a"))),
                ui.button("again", on_click=put(items, ("b", "c"))))
    """)
    page = open_page(server)
    page.get_by_role("button", name="twice").click()
    expect(page.get_by_role("alert")).to_contain_text("a")
    page.get_by_role("button", name="again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("li")).to_have_text(["b", "c"])


def test_show_builds_its_branches_only_while_shown(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            on = lt.signal(False)
            def inner():
                print("built", flush=True)
                count = lt.signal(0)
                return ui.button(count, on_click=add(count), id="inner")
            return ui.main(
                ui.Show(on, inner, lambda: ui.p("hidden")),
                ui.button("turn", on_click=turn(on)))
    """)
    page = open_page(server)
    inner, turn = page.locator("#inner"), page.get_by_role("button", name="turn")
    expect(page.locator("p")).to_have_text("hidden")
    assert server.count("built") == 0
    turn.click()
    inner.click()
    expect(inner).to_have_text("1")
    turn.click()
    expect(inner).to_have_count(0)
    turn.click()
    expect(inner).to_have_text("0")
    assert server.count("built") == 2


def test_named_state_survives_a_re_render(serve, open_page):
    server = serve("""
        @lt.component
        def child(label):
            count = lt.signal(0)
            return ui.button(f"{label}: {count.value}", on_click=add(count), class_="child")

        @lt.component
        def main():
            turns = lt.signal(0)
            return ui.main(
                ui.h1(f"{turns.value} turns"),
                child("a"), child(f"b{turns.value}"),
                ui.button("turn", on_click=add(turns)))
    """)
    page = open_page(server)
    children = page.locator(".child")
    children.nth(0).click()
    children.nth(1).click()
    children.nth(1).click()
    page.get_by_role("button", name="turn").click()
    expect(page.locator("h1")).to_have_text("1 turns")
    expect(children).to_have_text(["a: 1", "b1: 2"])


def test_a_changed_prop_reaches_a_handler_that_was_bound_before(serve, open_page):
    server = serve("""
        @lt.component
        def child(n, said):
            return ui.button("say", on_click=put(said, n))

        @lt.component
        def main():
            n, said = lt.signal(1), lt.signal(0)
            return ui.main(child(n.value, said), ui.button("next", on_click=add(n)), ui.p(said))
    """)
    page = open_page(server)
    page.get_by_role("button", name="next").click()
    page.get_by_role("button", name="say").click()
    expect(page.locator("p")).to_have_text("2")


def test_a_row_that_raises_leaves_the_other_rows(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            items = lt.signal((1, 2, 4))
            return ui.main(
                ui.div(ui.For(items, key=lambda n: n, render=lambda n: ui.p(8 // n))),
                ui.button("zero", on_click=put(items, (1, 0, 4))),
                ui.button("well", on_click=put(items, (4, 1))))
    """)
    page = open_page(server)
    expect(page.locator("p")).to_have_text(["8", "4", "2"])
    page.get_by_role("button", name="zero").click()
    expect(page.get_by_role("alert")).to_contain_text("ZeroDivisionError")
    expect(page.locator("p")).to_have_text(["8", "2"])
    page.get_by_role("button", name="well").click()
    expect(page.locator("p")).to_have_text(["2", "8"])
    expect(page.get_by_role("alert")).to_have_count(0)


def test_rows_may_be_fragments_and_lists_may_nest(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            groups = lt.signal((("a", (1, 2)), ("b", (3,))))
            def group(item):
                name, numbers = item
                rows = ui.For(numbers, key=lambda n: n, render=lambda n: ui.p(n))
                return [ui.h2(name), rows, " end"]
            return ui.main(
                ui.section(ui.For(groups, key=lambda item: item[0], render=group)),
                ui.button("swap", on_click=put(groups, (("b", (4, 3)), ("c", ()), ("a", (2,))))))
    """)
    page = open_page(server)
    read = "document.querySelector('section').textContent"
    assert page.evaluate(read) == "a12 endb3 end"
    page.evaluate("document.querySelectorAll('p')[2].mark = 3")
    page.get_by_role("button").click()
    expect(page.locator("section")).to_have_text("b43 endc enda2 end")
    assert page.evaluate("[...document.querySelectorAll('p')].map(p => p.mark ?? 0)") == [0, 3, 0]


def test_a_removed_rows_effects_and_cleanups_end(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            items, tick = lt.signal(("a", "b")), lt.signal(0)
            def row(name):
                @lt.effect
                def follow():
                    print(name, "sees", tick.value, flush=True)
                    lt.on_cleanup(lambda: print(name, "cleaned", flush=True))
                return ui.li(name)
            return ui.main(
                ui.ul(ui.For(items, key=lambda n: n, render=row)),
                ui.button("drop", on_click=put(items, ("a",))),
                ui.button("tick", on_click=add(tick)))
    """)
    page = open_page(server)
    server.wait_for("b sees 0")
    page.get_by_role("button", name="drop").click()
    expect(page.locator("li")).to_have_count(1)
    server.wait_for("b cleaned")
    page.get_by_role("button", name="tick").click()
    server.wait_for("a sees 1")
    assert server.count("b sees") == 1


def test_a_list_of_2_000_rows_is_filled_turned_and_emptied(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            items = lt.signal(())
            def turn_round(): items.value = items.value[::-1]
            return ui.main(
                ui.button("fill", on_click=put(items, tuple(range(2000)))),
                ui.button("turn", on_click=turn_round),
                ui.button("empty", on_click=put(items, ())),
                ui.ul(ui.For(items, key=lambda n: n, render=lambda n: ui.li(n))))
    """)
    page = open_page(server)
    numbers = "[...document.querySelectorAll('li')].map(li => Number(li.textContent))"
    page.get_by_role("button", name="fill").click()
    expect(page.locator("li")).to_have_count(2000)
    page.get_by_role("button", name="turn").click()
    expect(page.locator("li").first).to_have_text("1999")
    assert page.evaluate(numbers) == list(range(1999, -1, -1))
    page.get_by_role("button", name="empty").click()
    expect(page.locator("li")).to_have_count(0)


STORE = """
rows = lt.store([{"id": n, "title": f"row {n}", "done": False} for n in range(10_000)])
made = []
@lt.component
def main():
    def row(item):
        made.append(item["id"])
        return ui.li(ui.input(type="checkbox", checked=lt.bind(item, "done")),
                     lambda: item["title"], class_={"done": lambda: item["done"]})
    def append(): rows.append({"id": len(rows), "title": "new", "done": False})
    def insert(): rows.insert(0, {"id": -1, "title": "first", "done": False})
    def rename(): rows[5]["title"] = "renamed"
    def drop(): del rows[3]
    def show(): print("made", len(made), flush=True)
    return ui.main(
        *(ui.button(f.__name__, on_click=f) for f in (append, insert, rename, drop, show)),
        ui.p(ui.text("{} done", lambda: sum(row["done"] for row in rows))),
        ui.ul(ui.For(rows, key=lambda item: item["id"], render=row)))
"""


def test_one_change_of_ten_thousand_rows_makes_one_row_and_sends_one_change(
    serve, open_page, settle
):
    server = serve(STORE)
    sizes: list[int] = []
    page = open_page(
        server,
        before=lambda page: page.on(
            "websocket",
            lambda socket: socket.on("framereceived", lambda frame: sizes.append(len(frame))),
        ),
    )
    rows = page.locator("li")
    expect(rows).to_have_count(10_000)
    page.get_by_role("button", name="show").click()
    server.wait_for("made 10000")
    page.get_by_role("checkbox").first.check()
    expect(page.locator("p")).to_have_text("1 done")
    sizes.clear()
    for name, shown in (("append", "new"), ("insert", "first"), ("rename", "renamed")):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_text(shown, exact=True)).to_have_count(1)
        settle(page)
    page.get_by_role("button", name="drop").click()
    expect(rows).to_have_count(10_001)
    expect(rows.first).to_have_text("first")
    expect(rows.last).to_have_text("new")
    expect(rows.nth(3)).to_have_text("row 3")
    page.get_by_role("button", name="show").click()
    server.wait_for("made 10002")
    assert max(sizes) < 200, sizes
