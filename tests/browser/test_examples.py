# SPDX-License-Identifier: MIT
"""The examples as a visitor meets them: by mouse, by keyboard, on a phone, in the dark."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILES = ["counter.py", "todo.py", "dashboard/app.py"]

# Controls and images without a name that a screen reader can say, and ids that are there twice.
NAMELESS = """() => {
    const visibleText = e => [...e.childNodes].map(n => n.nodeType === 3 ? n.data
        : n.ariaHidden === 'true' ? '' : visibleText(n)).join('');
    const referred = e => (e.getAttribute('aria-labelledby') || '').split(' ')
        .map(id => document.getElementById(id)?.textContent || '').join('');
    const name = e => e.getAttribute('aria-label') || referred(e)
        || [...(e.labels || [])].map(visibleText).join('').trim()
        || (e.matches('button,a,summary') ? visibleText(e).trim() : '') || e.title || e.alt;
    const found = [...document.querySelectorAll(
        'input,select,textarea,button,a[href],summary,[role=img],img,[role=region],[tabindex]')]
        .filter(e => !name(e)).map(e => e.outerHTML.slice(0, 120));
    const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
    return found.concat(ids.filter((id, at) => ids.indexOf(id) !== at));
}"""

# Texts below WCAG AA: 4.5:1, or 3:1 for large ones. Backgrounds are those of the nearest ancestor
# that has an opaque one; the examples have neither gradients nor pictures.
LOW_CONTRAST = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgb = color => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    document.documentElement.style.backgroundColor = 'canvas';
    const bare = rgb(getComputedStyle(document.documentElement).backgroundColor);
    const linear = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = e => {
        const color = e ? rgb(getComputedStyle(e).backgroundColor) : bare;
        return color[3] === 255 ? color : behind(e.parentElement);
    };
    const found = new Set();
    const root = document.getElementById('lattice-root');
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const e = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !e.checkVisibility()) continue;
        if (e.closest('title,desc,option')) continue;
        const style = getComputedStyle(e);
        const ink = rgb(e.closest('svg') ? style.fill : style.color);
        const [a, b] = [luminance(ink), luminance(behind(e))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        if (ratio >= (isLarge ? 3 : 4.5)) continue;
        found.add(`${ratio.toFixed(2)}: ${e.outerHTML.slice(0, 80)}`);
    }
    return [...found];
}"""


@pytest.fixture(scope="module", params=FILES)
def example(request, serve_for_all):
    return serve_for_all(EXAMPLES / request.param)


def test_every_control_has_a_name(example, open_page):
    page = open_page(example)
    assert page.evaluate(NAMELESS) == []
    assert page.locator("main").count() == 1
    assert page.locator("h1").count() == 1
    assert page.title()
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(example, open_page, scheme):
    page = open_page(example, before=lambda page: page.emulate_media(color_scheme=scheme))
    assert page.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_of_the_page(example, open_page, width):
    page = open_page(
        example, before=lambda page: page.set_viewport_size({"width": width, "height": 800})
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_first_paint_is_adopted(example, open_page):
    page = open_page(
        example,
        before=lambda page: page.add_init_script("""
            document.addEventListener('readystatechange', () => {
                if (document.readyState !== 'interactive') return;
                document.body.firstChild.firstChild.mark = 1;
            });"""),
    )
    assert page.locator("main").evaluate("main => main.mark") == 1


def test_the_counter_counts(serve, open_page):
    page = open_page(serve(EXAMPLES / "counter.py"))
    page.get_by_role("button", name="+1").click()
    page.get_by_role("button", name="+1").click()
    page.get_by_role("button", name="−1").click()
    expect(page.get_by_role("heading")).to_have_text("Count: 1")
    expect(page.locator("p")).to_have_text("Doubled: 2")


def test_the_to_do_list_works_by_keyboard_alone(serve, open_page):
    page = open_page(serve(EXAMPLES / "todo.py"))
    rows = page.get_by_role("listitem")
    expect(page.get_by_text("Nothing to do.")).to_be_visible()
    page.keyboard.press("Tab")
    for title in ("milk", "bread", "tea"):
        page.keyboard.type(title)
        page.keyboard.press("Enter")
        expect(page.get_by_label("What next?")).to_have_value("")
    expect(rows).to_have_text(["milk×", "bread×", "tea×"])
    page.keyboard.type("not this")
    page.keyboard.press("Escape")
    expect(page.get_by_label("What next?")).to_have_value("")
    for _ in range(3):  # Add, the filter, the first box
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_text("2 open")).to_be_visible()
    expect(page.get_by_role("checkbox", name="milk")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # removes bread
    expect(rows).to_have_text(["milk×", "tea×"])
    page.get_by_label("Hide what is done").press("Space")
    expect(rows).to_have_text(["tea×"])
    expect(page.get_by_text("1 open")).to_be_visible()


def test_the_dashboard_keeps_the_focus_in_a_row_that_is_sorted_away(serve, open_page, settle):
    page = open_page(serve(EXAMPLES / "dashboard" / "app.py"))
    row = page.get_by_role("button", name="audi 5000", exact=True)
    row.focus()
    page.locator("thead").get_by_role("button", name="mpg").evaluate("button => button.click()")
    settle(page)
    assert page.evaluate("document.activeElement.textContent") == "audi 5000"


def test_the_dashboard_re_renders_nothing_when_a_car_is_picked(serve, open_page, settle):
    page = open_page(serve(EXAMPLES / "dashboard" / "app.py"))
    before = page.evaluate("lattice.stats.ops")
    page.locator("tbody button").first.click()
    expect(page.locator("tbody button").first).to_have_attribute("aria-pressed", "true")
    settle(page)
    # One attribute, the name of the car among the visitors, and the ring in the chart.
    assert page.evaluate("lattice.stats.ops") - before <= 4


def test_the_dashboard_clears_its_filters_in_one_frame(serve, open_page, settle):
    page = open_page(serve(EXAMPLES / "dashboard" / "app.py"))
    page.get_by_label("Name").fill("toyota")
    page.get_by_label("Origin").select_option("Japan")
    page.get_by_role("slider").fill("30")
    expect(page.locator("dd").first).to_have_text("10 of 406")
    before = page.evaluate("lattice.stats.frames")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("dd").first).to_have_text("406 of 406")
    settle(page)
    assert page.evaluate("lattice.stats.frames") - before == 1
