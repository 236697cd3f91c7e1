# SPDX-License-Identifier: MIT
"""Apps that go too far: endless recursion and effects, odd exceptions. The server outlives them."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect


def serves_on(server, open_page):
    """Whether a page opened now works as on the first day."""
    page = open_page(server)
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")
    page.close()


COUNTER = """
def counter():
    count = lt.signal(0)
    return ui.div(ui.span(count, id="count"), ui.button("+1", on_click=add(count)))
"""


ENDLESS = {
    "components": ("@lt.component\ndef again(n): return ui.div(again(n + 1))", "again(0)"),
    "bound functions": ("def again(): return lambda: again()", "again()"),
    "calls": ("def again(): return again()", "again()"),
    "a memo of itself": ("again = lt.memo(lambda: again())", "again"),
}


@pytest.mark.parametrize(("setup", "child"), ENDLESS.values(), ids=ENDLESS)
def test_recursion_without_end_is_an_error_at_its_place(serve, open_page, setup, child):
    server = serve(
        COUNTER
        + f"""
{setup}
@lt.component
def part(): return ui.p({child})
@lt.component
def main():
    on = lt.signal(False)
    return ui.main(counter(), ui.Show(on, part), ui.button("start", on_click=turn(on)))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="start").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")
    serves_on(server, open_page)


def test_a_tree_of_2_000_levels_is_shown_or_refused(serve, open_page):
    server = serve(
        COUNTER
        + """
@lt.component
def deep():
    tree = ui.b("bottom")
    for _ in range(2000): tree = ui.div(tree)
    return tree
@lt.component
def main():
    on = lt.signal(False)
    return ui.main(counter(), ui.Show(on, deep), ui.button("start", on_click=turn(on)))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="start").click()
    expect(page.locator("b").or_(page.get_by_role("alert")).first).to_be_attached()
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")
    serves_on(server, open_page)


@pytest.mark.parametrize(
    "effect",
    [
        "n.value += 1",
        "n.update(lambda v: v + 1)",
        "m.value = n.value + 1; n.value = m.value",
    ],
)
def test_an_effect_that_writes_what_it_reads_ends(serve, open_page, effect):
    server = serve(
        COUNTER
        + f"""
@lt.component
def part():
    n, m = lt.signal(0), lt.signal(0)
    @lt.effect
    def spin():
        n.value
        {effect}
    return ui.p(n)
@lt.component
def main():
    on = lt.signal(False)
    return ui.main(counter(), ui.Show(on, part), ui.button("start", on_click=turn(on)))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="start").click()
    expect(page.get_by_role("paragraph")).to_have_text("1")  # its own write does not run it again
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")
    serves_on(server, open_page)


def test_effects_that_feed_each_other_are_stopped(serve, open_page):
    server = serve(
        COUNTER
        + """
@lt.component
def part():
    n, m = lt.signal(0), lt.signal(0)
    @lt.effect
    def there():
        m.value = n.value + 1
    @lt.effect
    def back():
        n.value = m.value + 1
    return ui.p(n)
@lt.component
def main():
    on = lt.signal(False)
    return ui.main(counter(), ui.Show(on, part), ui.button("start", on_click=turn(on)))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="start").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")
    serves_on(server, open_page)


@pytest.mark.parametrize(
    "raised", ["SystemExit(3)", "KeyboardInterrupt()", "BaseException('b')", "StopIteration()"]
)
def test_no_exception_of_a_handler_ends_the_server(serve, open_page, raised):
    server = serve(
        COUNTER
        + f"""
@lt.component
def main():
    def fail(): raise {raised}
    return ui.main(counter(), ui.button("fail", on_click=fail))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="fail").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")
    serves_on(server, open_page)


def test_an_exception_that_cannot_be_shown_is_still_an_error_box(serve, open_page):
    server = serve(
        COUNTER
        + """
class Odd(Exception):
    def __str__(self): raise RuntimeError("no text")
@lt.component
def main():
    def fail(): raise Odd
    return ui.main(counter(), ui.button("fail", on_click=fail))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="fail").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")


def test_a_cleanup_that_raises_keeps_neither_its_row_nor_its_session(serve, open_page):
    server = serve(
        COUNTER
        + """
@lt.component
def part():
    @lt.effect
    def stay():
        def fail(): raise ValueError("in the cleanup")
        lt.on_cleanup(fail)
    return ui.p("part")
@lt.component
def main():
    on = lt.signal(True)
    return ui.main(counter(), ui.Show(on, part), ui.button("turn", on_click=turn(on)))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="turn").click()
    expect(page.locator("p")).to_have_count(0)
    server.wait_for("in the cleanup")
    page.get_by_role("button", name="turn").click()
    expect(page.locator("p")).to_have_count(1)
    page.close()
    serves_on(server, open_page)


@pytest.mark.parametrize("child", ["object()", "b'bytes'", "{'a': 1}", "print"])
def test_what_no_page_can_show_is_an_error_that_names_its_type(serve, open_page, child):
    server = serve(
        COUNTER
        + f"""
@lt.component
def part(): return ui.p({child})
@lt.component
def main():
    on = lt.signal(False)
    return ui.main(counter(), ui.Show(on, part), ui.button("start", on_click=turn(on)))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="start").click()
    settled = page.get_by_role("alert").or_(page.locator("p"))
    expect(settled.first).to_be_attached()
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")


def test_half_a_surrogate_is_replaced_and_not_fatal(serve, open_page):
    server = serve(
        COUNTER
        + """
@lt.component
def main():
    text = lt.signal("whole")
    return ui.main(counter(), ui.p(text), ui.button("half", on_click=put(text, "half \\ud83d!")))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="half").click()
    expect(page.get_by_role("alert").or_(page.locator("p", has_text="half"))).to_have_count(1)
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")


def test_one_update_may_be_a_megabyte(serve, open_page):
    server = serve(
        COUNTER
        + """
@lt.component
def main():
    text = lt.signal("")
    return ui.main(counter(), ui.button("much", on_click=put(text, "x" * 3_000_000)), ui.pre(text))
"""
    )
    page = open_page(server)
    page.get_by_role("button", name="much").click()
    expect(page.locator("pre")).not_to_be_empty()
    assert page.evaluate("document.querySelector('pre').textContent.length") == 3_000_000
    page.get_by_role("button", name="+1").click()
    expect(page.locator("#count")).to_have_text("1")
