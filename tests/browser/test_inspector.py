# SPDX-License-Identifier: MIT
"""The inspector's page: it shows a session's graph, follows it, and is usable by keyboard."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

APP = """
@lt.component
def main():
    count = lt.signal(1)
    other = lt.signal(0)
    doubled = lt.memo(lambda: count.value * 2)
    parity = lt.memo(lambda: other.value % 2)
    return ui.main(ui.p(ui.text("{}", doubled)), ui.p(ui.text("{}", parity)),
                   ui.button("+1", on_click=add(count)), ui.button("+2", on_click=add(other, 2)))
"""


def open_inspector(open_page, server):
    page = open_page(server, "/_lattice/inspect", connected=False)
    expect(page.get_by_role("button", name="signal count")).to_be_visible()
    return page


def test_it_tells_why_a_memo_ran_and_follows_the_app(serve, open_page):
    server = serve(APP)
    app = open_page(server)
    inspector = open_inspector(open_page, server)
    app.bring_to_front()
    app.get_by_role("button", name="+1").click()
    inspector.bring_to_front()
    inspector.get_by_role("button", name=re.compile("^memo doubled, value 4")).click()
    expect(inspector.locator("#why")).to_have_text(
        re.compile(
            r"doubled \(served_0\.py:\d+\) was recomputed because count was written at .*2\)"
        )
    )
    details = inspector.get_by_role("region", name="Why did it run?")
    details.get_by_role("button", name="count").first.click()
    expect(details.get_by_role("heading", level=3)).to_have_text("count")


def test_looking_does_not_disturb_the_session(serve, open_page, settle):
    server = serve(APP)
    app = open_page(server)
    frames = app.evaluate("lattice.stats.frames")
    inspector = open_inspector(open_page, server)
    inspector.get_by_role("button", name=re.compile("^memo doubled")).click()
    expect(inspector.locator("#why")).to_be_visible()
    assert app.evaluate("lattice.stats.frames") == frames


def test_a_memo_that_stayed_equal_is_told(serve, open_page, settle):
    server = serve(APP)
    app = open_page(server)
    inspector = open_inspector(open_page, server)
    app.bring_to_front()
    app.get_by_role("button", name="+2").click()
    inspector.bring_to_front()
    inspector.get_by_role("button", name=re.compile("^memo parity")).click()
    expect(inspector.locator("#why")).to_contain_text("Its value stayed 0")


def test_the_graph_is_walked_with_arrow_keys_and_chosen_with_enter(serve, open_page):
    server = serve(APP)
    open_page(server)
    inspector = open_inspector(open_page, server)
    inspector.get_by_role("button", name=re.compile("^signal count")).focus()
    inspector.keyboard.press("ArrowRight")
    expect(inspector.get_by_role("button", name=re.compile("^memo doubled"))).to_be_focused()
    inspector.keyboard.press("Enter")
    chosen = inspector.get_by_role("button", name=re.compile("^memo doubled"))
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(chosen).to_be_focused()
    expect(inspector.get_by_role("status")).to_contain_text("doubled")


def test_names_are_found_and_a_neighbourhood_is_shown(serve, open_page):
    server = serve(APP)
    open_page(server)
    inspector = open_inspector(open_page, server)
    inspector.get_by_label("Find by name").fill("DOUB")
    rows = inspector.locator("#rows tr")
    expect(rows).to_have_count(1)
    rows.get_by_role("button", name="doubled").click()
    inspector.get_by_label("Find by name").fill("")
    inspector.get_by_role("button", name="Show only what is around it").click()
    expect(rows).to_have_count(3)  # the signal, the memo, the text on the page
    inspector.get_by_role("button", name="Show the whole graph").click()
    expect(inspector.get_by_role("button", name=re.compile("^memo parity"))).to_be_visible()


def test_names_and_values_are_text_and_not_markup(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            evil = lt.signal("<img src=x onerror=alert(1)>", name="<script>alert(2)</script>")
            return ui.p(evil)
    """)
    open_page(server)
    inspector = open_page(server, "/_lattice/inspect", connected=False)
    expect(inspector.get_by_role("button", name="signal <script>")).to_be_visible()
    assert inspector.locator("img").count() == 0
    assert inspector.evaluate("document.scripts.length") == 1


def test_without_a_page_it_says_what_to_do(serve, open_page):
    server = serve(APP)
    inspector = open_page(server, "/_lattice/inspect", connected=False)
    expect(inspector.get_by_text("Open one in another tab")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(serve, open_page, scheme):
    server = serve(APP)
    open_page(server)
    inspector = open_inspector(open_page, server)
    inspector.emulate_media(color_scheme=scheme)
    worst = inspector.evaluate("""() => {
        const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const light = rgb => 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) +
            0.0722 * channel(rgb[2]);
        const parse = text => text.match(/[\\d.]+/g).map(Number);
        const probe = document.createElement('i');
        document.body.append(probe);
        const colour = name => {
            probe.style.color = `var(--${name})`;
            return light(parse(getComputedStyle(probe).color));
        };
        const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const names = ['text', 'soft', 'signal', 'memo', 'effect', 'error', 'stale'];
        return Math.min(...names.flatMap(name => ['card', 'ground', 'mark'].map(
            ground => ratio(colour(name), colour(ground)))));
    }""")
    assert worst >= 4.5
