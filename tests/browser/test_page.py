# SPDX-License-Identifier: MIT
"""The page itself: first paint and adoption, what one update costs, attributes, drawings, files."""

from __future__ import annotations

import http.client

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

# Deferred scripts run after the document has become interactive: this is before the client.
MARK_FIRST_PAINT = """
    document.addEventListener('readystatechange', () => {
        if (document.readyState !== 'interactive') return;
        for (const element of document.querySelectorAll('#lattice-root *')) element.mark = true;
    });
"""
UNMARKED = (
    "[...document.querySelectorAll('#lattice-root *')].filter(e => !e.mark).map(e => e.localName)"
)


def mark_first_paint(page):
    page.add_init_script(MARK_FIRST_PAINT)


def test_the_first_paint_is_adopted_and_not_built_again(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            count, empty = lt.signal(0), lt.signal("")
            def go():
                count.value += 1
                empty.value = "!"
            return ui.main(
                ui.h1("Title"), "text", " and ", "more", empty, ui.pre("\\nfirst line is empty"),
                ui.table(ui.thead(ui.tr(ui.th("a"))), ui.tbody(ui.tr(ui.td(count)))),
                ui.select(ui.option("a"), ui.option("b", value="2")), ui.textarea(value="t"),
                ui.svg(ui.g(ui.circle(r=3)), view_box="0 0 9 9"), ui.raw_html("<b>raw</b>"),
                ui.button("+1", on_click=go))
    """)
    page = open_page(server, before=mark_first_paint)
    page.get_by_role("button").click()
    expect(page.locator("td")).to_have_text("1")
    expect(page.locator("main")).to_contain_text("text and more!")
    assert page.evaluate(UNMARKED) == []


def test_wrong_nesting_still_makes_a_working_page(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            count = lt.signal(0)
            return ui.main(
                ui.table(ui.tr(ui.td("cell "), ui.td(count))),
                ui.p("outer", ui.div("inner", count)),
                ui.button("+1", on_click=add(count)))
    """)
    page = open_page(server)
    page.get_by_role("button").click()
    expect(page.locator("td").nth(1)).to_have_text("1")
    expect(page.locator("div", has_text="inner").last).to_have_text("inner1")


def test_the_first_paint_works_without_scripts(serve, browser):
    server = serve("""
        @lt.component
        def main(): return ui.main(ui.h1("Readable"), ui.input(value=lt.signal("text")))
    """)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.url)
    expect(page.locator("h1")).to_have_text("Readable")
    expect(page.locator("input")).to_have_value("text")
    context.close()


def test_one_bound_signal_on_a_page_of_10_000_nodes_is_one_small_frame_and_no_re_render(
    serve, open_page, settle
):
    server = serve("""
        @lt.component
        def main():
            print("body ran", flush=True)
            count = lt.signal(0)
            return ui.main(
                ui.ul([ui.li(f"row {i}") for i in range(5000)]),
                ui.p("Count: ", count),
                ui.button("+1", on_click=add(count)))
    """)
    page = open_page(server)
    assert page.evaluate("lattice.nodeCount()") >= 10_000
    for n in (1, 2):
        before = page.evaluate("({...lattice.stats})")
        page.get_by_role("button").click()
        expect(page.locator("p")).to_have_text(f"Count: {n}")
        settle(page)
        after = page.evaluate("({...lattice.stats})")
        assert after["frames"] - before["frames"] == 1
        assert after["ops"] - before["ops"] == 1
        assert after["lastBytes"] <= 16
    assert server.count("body ran") == 1


def test_a_read_in_the_body_runs_that_component_only(serve, open_page):
    server = serve("""
        count = lt.signal(0)

        @lt.component
        def reader():
            print("reader ran", flush=True)
            return ui.p(f"Count: {count.value}")

        @lt.component
        def main():
            print("main ran", flush=True)
            return ui.main(reader(), ui.button("+1", on_click=add(count)))
    """)
    page = open_page(server)
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text("Count: 1")
    assert (server.count("reader ran"), server.count("main ran")) == (2, 1)


def test_style_and_class_entries_are_bound_one_by_one(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            on = lt.signal(False)
            width = lt.memo(lambda: "200px" if on.value else None)
            return ui.main(
                ui.div("box", id="box",
                       class_={"fixed": True, "done": on, "open": lambda: not on.value},
                       style={"color": lambda: "rgb(255, 0, 0)" if on.value else "rgb(0, 0, 255)",
                              "width": width, "--depth": 3, "background_color": "rgb(1, 2, 3)"}),
                ui.button("turn", on_click=turn(on)))
    """)
    page = open_page(server)
    box = page.locator("#box")
    look = """box => { const style = getComputedStyle(box);
        return [[...box.classList].sort().join(' '), style.color, box.style.width,
                style.getPropertyValue('--depth').trim(), style.backgroundColor]; }"""
    assert box.evaluate(look) == ["fixed open", "rgb(0, 0, 255)", "", "3", "rgb(1, 2, 3)"]
    box.evaluate("box => box.classList.add('of-the-page')")
    page.get_by_role("button").click()
    expect(box).to_have_class("fixed of-the-page done")
    assert box.evaluate(look)[1:3] == ["rgb(255, 0, 0)", "200px"]
    page.get_by_role("button").click()
    expect(box).to_have_class("fixed of-the-page open")
    assert box.evaluate(look)[2] == ""


def test_attributes_take_true_false_none_and_numbers(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            on = lt.signal(True)
            return ui.main(
                ui.input(disabled=on, data_n=lambda: 7 if on.value else None,
                         aria_label="field", max_length=5),
                ui.button("turn", on_click=turn(on)))
    """)
    page = open_page(server)
    field = page.locator("input")
    expect(field).to_be_disabled()
    expect(field).to_have_attribute("data-n", "7")
    expect(field).to_have_attribute("maxlength", "5")
    page.get_by_role("button").click()
    expect(field).to_be_enabled()
    assert field.get_attribute("data-n") is None


def test_a_drawing_is_drawn_painted_and_inserted(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            radii = lt.signal((5,))
            at = lt.signal(10)
            def go():
                radii.value = (5, 8)
                at.value = 40
            return ui.main(
                ui.svg(ui.title("dots"),
                       ui.For(radii, key=lambda r: r,
                              render=lambda r: ui.circle(cx=at, cy=20, r=r)),
                       ui.svg_text("label", x=5, y=50, text_anchor="middle", stroke_width=2),
                       view_box="0 0 60 60", width=60, height=60),
                ui.button("go", on_click=go))
    """)
    page = open_page(server, before=mark_first_paint)
    page.get_by_role("button").click()
    expect(page.locator("circle")).to_have_count(2)
    for circle in page.locator("circle").all():
        assert circle.evaluate(
            "c => [c.namespaceURI, c.getBBox().width > 0, c.cx.baseVal.value]"
        ) == [
            "http://www.w3.org/2000/svg",
            True,
            40,
        ]
    text = page.locator("svg text")
    assert text.evaluate(
        "t => [t.getAttribute('text-anchor'), t.getAttribute('stroke-width')]"
    ) == [
        "middle",
        "2",
    ]
    assert page.locator("svg").get_attribute("viewBox") == "0 0 60 60"
    assert page.evaluate(UNMARKED) == ["circle"]


def test_text_of_users_is_never_markup(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("<b>&amp;</b>")
            return ui.main(ui.p(text, title=text), ui.input(value=text, aria_label="text"))
    """)
    page = open_page(server)
    expect(page.locator("p")).to_have_text("<b>&amp;</b>")
    page.locator("input").fill("</p><img src=x onerror=alert(1)>\"'")
    expect(page.locator("p")).to_have_text("</p><img src=x onerror=alert(1)>\"'")
    expect(page.locator("p")).to_have_attribute("title", "</p><img src=x onerror=alert(1)>\"'")
    expect(page.locator("img")).to_have_count(0)


def test_values_show_as_python_shows_them(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            value = lt.signal(1.0)
            values = iter((0.1, 1e300, 12345678901234567890, True, None, "text"))
            def step(): value.value = next(values)
            return ui.main(ui.p("[", value, "]"), ui.button("next", on_click=step))
    """)
    page = open_page(server)
    expect(page.locator("p")).to_have_text("[1.0]")
    for shown in ("0.1", "1e+300", "12345678901234567890", "True"):
        page.get_by_role("button").click()
        expect(page.locator("p")).to_have_text(f"[{shown}]")
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text("[]")
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text("[text]")


def test_the_document_has_a_language_a_title_and_a_root(serve, open_page):
    server = serve("""
        @lt.component
        def page_body(): return ui.main(ui.h1("x"), ui.button("-", on_click=lambda: None))

        app = lt.App(page_body, title="Ein <Titel>", language="de")
    """)
    page = open_page(server)
    expect(page).to_have_title("Ein <Titel>")
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.evaluate("document.compatMode") == "CSS1Compat"


def fetch(server, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request(
        "GET", path, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_static_files_are_cached_by_their_tag(serve, open_page, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "page.css").write_text("h1 { color: rgb(1, 2, 3) }")
    (tmp_path / "secret.txt").write_text("secret")
    server = serve("""
        from pathlib import Path

        @lt.component
        def main():
            return ui.main(
                ui.link(rel="stylesheet", href="/static/page.css"),
                ui.h1("x"), ui.button("-", on_click=lambda: None))

        app = lt.App(main, static=Path(__file__).parent / "files")
    """)
    page = open_page(server)
    assert page.locator("h1").evaluate("h => getComputedStyle(h).color") == "rgb(1, 2, 3)"
    answer, body = fetch(server, "/static/page.css")
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/css; charset=utf-8")
    assert body == b"h1 { color: rgb(1, 2, 3) }"
    again, body = fetch(server, "/static/page.css", If_None_Match=answer.getheader("ETag"))
    assert (again.status, body) == (304, b"")
    for outside in ("/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static/none.css"):
        assert fetch(server, outside)[0].status == 404


def test_the_client_is_cached_for_good_and_the_page_never(serve, open_page):
    server = serve("""
        @lt.component
        def main(): return ui.main(ui.button("-", on_click=lambda: None))
    """)
    page = open_page(server)
    script = page.locator("script[type=module]").get_attribute("src")
    answer, _ = fetch(server, script)
    assert "immutable" in answer.getheader("Cache-Control")
    answer, _ = fetch(server, "/")
    assert answer.getheader("Cache-Control") == "no-store"
