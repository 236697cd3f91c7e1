# SPDX-License-Identifier: MIT
"""From the browser to the handler: which events arrive, and what they carry."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

REPORT = """
@lt.component
def main():
    seen = lt.signal("")
    def report(event):
        seen.value = " ".join(f"{name}={getattr(event, name)!r}" for name in FIELDS)
    return ui.main(ui.pre(seen), BODY)
"""


def reporting(fields: str, body: str) -> str:
    """An app that shows some fields of the last event which `report` got."""
    return REPORT.replace("FIELDS", repr(fields.split())).replace("BODY", body)


def test_a_click_runs_the_handler(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            count = lt.signal(0)
            return ui.main(ui.h1(count), ui.button("+1", on_click=add(count)))
    """)
    page = open_page(server)
    button = page.get_by_role("button", name="+1")
    button.click()
    button.click()
    expect(page.locator("h1")).to_have_text("2")


def test_a_handler_without_parameters_gets_no_event(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            said = lt.signal("")
            def none(): said.value += "none "
            def default(n=7): said.value += f"default={n} "
            def needs(event): said.value += f"needs={event.type} "
            buttons = [ui.button(f.__name__, on_click=f) for f in (none, default, needs)]
            return ui.main(ui.p(said), buttons)
    """)
    page = open_page(server)
    for name in ("none", "default", "needs"):
        page.get_by_role("button", name=name).click()
    expect(page.locator("p")).to_have_text("none default=7 needs=click")


def test_an_input_event_carries_the_value(serve, open_page):
    server = serve(reporting("type value", "ui.textarea(on_input=report)"))
    page = open_page(server)
    page.locator("textarea").fill("two\nlines")
    expect(page.locator("pre")).to_have_text("type='input' value='two\\nlines'")


def test_a_change_event_carries_checked(serve, open_page):
    server = serve(
        reporting("type checked", "ui.input(type='checkbox', aria_label='a', on_change=report)")
    )
    page = open_page(server)
    page.get_by_role("checkbox").check()
    expect(page.locator("pre")).to_have_text("type='change' checked=True")
    page.get_by_role("checkbox").uncheck()
    expect(page.locator("pre")).to_have_text("type='change' checked=False")


def test_a_key_event_carries_the_key_and_its_modifiers(serve, open_page):
    server = serve(reporting("type key shift ctrl alt meta repeat", "ui.input(on_keydown=report)"))
    page = open_page(server)
    page.locator("input").press("Control+Shift+ArrowDown")
    expect(page.locator("pre")).to_have_text(
        "type='keydown' key='ArrowDown' shift=True ctrl=True alt=False meta=False repeat=False"
    )


def test_a_mouse_event_carries_place_button_and_modifiers(serve, open_page):
    style = "'position: absolute; left: 100px; top: 50px; width: 80px; height: 40px'"
    server = serve(
        reporting("x y button shift", f"ui.div('here', style={style}, on_mousedown=report)")
    )
    page = open_page(server)
    page.locator("div div").click(position={"x": 30, "y": 10}, button="right", modifiers=["Shift"])
    expect(page.locator("pre")).to_have_text("x=130 y=60 button=2 shift=True")


def test_a_file_field_tells_names_sizes_and_types(serve, open_page):
    server = serve(
        reporting(
            "files", "ui.input(type='file', multiple=True, aria_label='files', on_change=report)"
        )
    )
    page = open_page(server)
    page.locator("input").set_input_files(
        [
            {"name": "a.txt", "mimeType": "text/plain", "buffer": b"abc"},
            {"name": "ü.png", "mimeType": "image/png", "buffer": b"12345"},
        ]
    )
    expect(page.locator("pre")).to_have_text(
        "files=(File(name='a.txt', size=3, type='text/plain'), "
        "File(name='ü.png', size=5, type='image/png'))"
    )


def test_a_submit_carries_the_form_and_does_not_navigate(serve, open_page):
    fields = "ui.input(name='who', value='Ada'), ui.input(name='n', type='number', value=3)"
    server = serve(
        reporting("type form", f"ui.form({fields}, ui.button('Send'), on_submit=report)")
    )
    page = open_page(server)
    page.evaluate("window.stayed = true")
    page.locator("input[name=who]").fill("Grace")
    page.locator("input[name=who]").press("Enter")
    expect(page.locator("pre")).to_have_text("type='submit' form={'who': 'Grace', 'n': '3'}")
    assert page.evaluate("window.stayed") is True
    assert page.url == server.url + "/"


def test_a_submit_never_overtakes_a_debounced_edit(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            last, sent = lt.signal(""), lt.signal("")
            def edit(event): last.value = event.value
            field = ui.input(on_input=lt.on(edit, debounce=5))
            def send(): sent.value = last.value
            return ui.main(ui.form(field, on_submit=send), ui.p(sent))
    """)
    page = open_page(server)
    page.locator("input").press_sequentially("now")
    page.locator("input").press("Enter")
    expect(page.locator("p")).to_have_text("now")


def test_debounce_sends_the_last_of_a_burst_once(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            said = lt.signal("")
            def say(event): said.value += f"[{event.value}]"
            return ui.main(ui.input(on_input=lt.on(say, debounce=0.3)), ui.p(said))
    """)
    page = open_page(server)
    page.locator("input").press_sequentially("burst", delay=20)
    assert page.evaluate("lattice.stats.eventsSent") == 0
    expect(page.locator("p")).to_have_text("[burst]")
    page.locator("input").press_sequentially("!")
    expect(page.locator("p")).to_have_text("[burst][burst!]")


def test_throttle_bounds_the_rate_and_sends_the_last(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            said = lt.signal("")
            def say(event): said.value += f"[{event.value}]"
            return ui.main(ui.input(on_input=lt.on(say, throttle=0.25)), ui.p(said))
    """)
    page = open_page(server)
    page.locator("input").press_sequentially("abcdefghij", delay=40)
    expect(page.locator("p")).to_have_text(re.compile(r"^\[a\].*\[abcdefghij\]$"))
    assert page.locator("p").inner_text().count("[") <= 4


def test_only_the_named_keys_are_sent(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            said = lt.signal("")
            def say(event): said.value += event.key + " "
            field = ui.input(on_keydown=lt.on(say, keys=("Enter", "Escape")))
            return ui.main(field, ui.p(said))
    """)
    page = open_page(server)
    for key in ("a", "Enter", "b", "Escape"):
        page.locator("input").press(key)
    expect(page.locator("p")).to_have_text("Enter Escape")
    assert page.evaluate("lattice.stats.eventsSent") == 2
    expect(page.locator("input")).to_have_value("ab")


def test_stop_propagation_and_prevent_default_hold(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            said = lt.signal("")
            link = lt.on(add(said, "link "), prevent_default=True, stop_propagation=True)
            return ui.main(
                ui.div(ui.a("away", href="/elsewhere", on_click=link), on_click=add(said, "div ")),
                ui.p(said))
    """)
    page = open_page(server)
    page.get_by_role("link").click()
    expect(page.locator("p")).to_have_text("link")
    assert page.url == server.url + "/"


def test_an_event_for_a_node_that_is_gone_is_dropped(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            count, shown = lt.signal(0), lt.signal(True)
            def once():
                time.sleep(0.2)
                count.value += 1
                shown.value = False
            return ui.main(
                ui.p(count),
                ui.Show(shown, lambda: ui.button("once", on_click=once)),
                ui.button("more", on_click=add(count, 10)))
    """)
    page = open_page(server)
    page.get_by_role("button", name="once").evaluate(
        "button => { button.click(); button.click(); }"
    )
    expect(page.get_by_role("button", name="once")).to_have_count(0)
    page.get_by_role("button", name="more").click()
    expect(page.locator("p")).to_have_text("11")


def test_one_handler_is_one_frame(serve, open_page, settle):
    server = serve("""
        @lt.component
        def main():
            a, b, c = lt.signal(0), lt.signal(0), lt.signal(0)
            def all():
                for each in (a, b, c):
                    each.value += 1
                    each.value += 1
            return ui.main(ui.p(a, b, c), ui.button("go", on_click=all))
    """)
    page = open_page(server)
    before = page.evaluate("({...lattice.stats})")
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text("222")
    settle(page)
    after = page.evaluate("({...lattice.stats})")
    assert after["frames"] - before["frames"] == 1
    assert after["ops"] - before["ops"] == 3


def test_an_async_handler_updates_the_page_at_each_await(serve, open_page):
    server = serve("""
        import asyncio
        @lt.component
        def main():
            text = lt.signal("text")
            async def later():
                text.value = "waiting"
                await asyncio.sleep(0.2)
                text.value = "done"
            return ui.main(ui.p(text), ui.button("go", on_click=later))
    """)
    page = open_page(server)
    page.get_by_role("button", name="go").click()
    expect(page.locator("p")).to_have_text("waiting")
    expect(page.locator("p")).to_have_text("done")


def test_events_bubble_from_the_inside_out(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            said = lt.signal("")
            return ui.main(
                ui.div(ui.button("go", on_click=add(said, "button ")), on_click=add(said, "div ")),
                ui.p(said))
    """)
    page = open_page(server)
    page.get_by_role("button").click()
    expect(page.locator("p")).to_have_text("button div")


def test_500_clicks_in_a_burst_are_all_counted(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            count = lt.signal(0)
            return ui.main(ui.p(count), ui.button("+1", on_click=add(count)))
    """)
    page = open_page(server)
    page.get_by_role("button").evaluate("b => { for (let i = 0; i < 500; ++i) b.click(); }")
    expect(page.locator("p")).to_have_text("500")


def test_the_handler_of_the_newest_render_runs(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            n, said = lt.signal(0), lt.signal("")
            seen = n.value
            def say():
                said.value += f"{seen} "
                n.value += 1
            return ui.main(ui.button(f"say {seen}", on_click=say), ui.p(said))
    """)
    page = open_page(server)
    for n in range(3):
        page.get_by_role("button", name=f"say {n}").click()
    expect(page.locator("p")).to_have_text("0 1 2")


def test_a_listener_comes_and_goes_with_its_attribute(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            on, count = lt.signal(True), lt.signal(0)
            return ui.main(
                ui.button("count", on_click=add(count) if on.value else None),
                ui.button("turn", on_click=turn(on)), ui.p(count))
    """)
    page = open_page(server)
    count, switch = (page.get_by_role("button", name=name) for name in ("count", "turn"))
    count.click()
    switch.click()
    count.click()
    switch.click()
    count.click()
    expect(page.locator("p")).to_have_text("2")
