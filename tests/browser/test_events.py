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


def test_typing_writes_a_two_way_bound_signal(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            name = lt.signal("Ada")
            return ui.main(ui.input(value=name), ui.p("Hello ", name))
    """)
    page = open_page(server)
    field = page.locator("input")
    expect(field).to_have_value("Ada")
    field.press("End")
    field.press_sequentially(" L.")
    expect(page.locator("p")).to_have_text("Hello Ada L.")
    expect(field).to_have_value("Ada L.")


@pytest.mark.parametrize(
    ("how", "attributes"),
    [
        ("handler", "value=text, on_input=slow"),
        ("keydown handler", "value=text, on_keydown=slow"),
        ("effect", "value=text"),
    ],
)
def test_fast_typing_into_a_slow_handler_loses_nothing(serve, open_page, settle, how, attributes):
    server = serve(f"""
        @lt.component
        def main():
            text = lt.signal("")
            def slow(): time.sleep(0.1)
            if {how == "effect"}:
                @lt.effect
                def follow():
                    text.value
                    time.sleep(0.1)
            return ui.main(ui.input({attributes}), ui.p(text))
    """)
    page = open_page(server)
    written = "The quick brown fox jumps over the lazy dog; 60 keys in all."
    page.locator("input").press_sequentially(written)
    settle(page)
    expect(page.locator("p")).to_have_text(written, timeout=15_000)
    expect(page.locator("input")).to_have_value(written)


def test_a_handler_that_rewrites_the_field_never_overwrites_newer_keystrokes(
    serve, open_page, settle
):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("")
            def shout():
                time.sleep(0.05)
                text.value = text.value.upper()
            return ui.main(ui.input(value=text, on_input=shout), ui.p(text))
    """)
    page = open_page(server)
    page.locator("input").press_sequentially("abcdefghijklmnopqrstuvwxyz", delay=15)
    settle(page)
    expect(page.locator("p")).to_have_text("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    expect(page.locator("input")).to_have_value("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_a_server_write_keeps_the_caret_where_it_was(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("bcd")
            def grow():
                text.value = "a" + text.value
            return ui.main(ui.input(value=text, on_keydown=lt.on(grow, keys=("F2",))))
    """)
    page = open_page(server)
    field = page.locator("input")
    field.focus()
    field.evaluate("field => field.setSelectionRange(1, 1)")
    field.press("F2")
    expect(field).to_have_value("abcd")
    assert field.evaluate("field => field.selectionStart") == 2


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


def test_a_checkbox_is_bound_both_ways(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            on = lt.signal(True)
            return ui.main(
                ui.label(ui.input(type="checkbox", checked=on), "on"),
                ui.p(lambda: "yes" if on.value else "no"),
                ui.button("turn", on_click=turn(on)))
    """)
    page = open_page(server)
    box, text = page.get_by_role("checkbox"), page.locator("p")
    expect(box).to_be_checked()
    box.uncheck()
    expect(text).to_have_text("no")
    page.get_by_role("button").click()
    expect(box).to_be_checked()
    expect(text).to_have_text("yes")


def test_a_select_is_bound_both_ways(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            size = lt.signal("M")
            return ui.main(
                ui.select(*[ui.option(s) for s in ("S", "M", "L")], value=size, aria_label="size"),
                ui.p(size),
                ui.button("large", on_click=put(size, "L")))
    """)
    page = open_page(server)
    select, text = page.get_by_role("combobox"), page.locator("p")
    expect(select).to_have_value("M")
    select.select_option("S")
    expect(text).to_have_text("S")
    page.get_by_role("button").click()
    expect(select).to_have_value("L")


def test_a_range_is_a_number(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            n = lt.signal(3)
            field = ui.input(type="range", min=0, max=10, value=n, aria_label="n")
            return ui.main(field, ui.p(lambda: repr(n.value)))
    """)
    page = open_page(server)
    page.locator("input").press("ArrowRight")
    expect(page.locator("p")).to_have_text("4")


def test_an_empty_number_field_is_none_and_nonsense_leaves_the_signal_alone(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            n = lt.signal(3)
            return ui.main(
                ui.input(type="number", value=n, aria_label="n"),
                ui.input(type="text", value=lt.bind(n, parse=int), aria_label="text"),
                ui.p(lambda: repr(n.value)))
    """)
    page = open_page(server)
    field, text = page.get_by_label("n", exact=True), page.locator("p")
    field.fill("41")
    expect(text).to_have_text("41")
    field.fill("")
    expect(text).to_have_text("None")
    page.get_by_label("text").fill("12")
    expect(text).to_have_text("12")
    page.get_by_label("text").fill("12x")
    expect(text).to_have_text("12")


def test_a_details_element_tells_that_it_is_open(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            is_open = lt.signal(False)
            more = ui.details(ui.summary("more"), "text", open=is_open)
            return ui.main(more, ui.p(lambda: str(is_open.value)))
    """)
    page = open_page(server)
    page.locator("summary").click()
    expect(page.locator("p")).to_have_text("True")
    page.locator("summary").click()
    expect(page.locator("p")).to_have_text("False")


HELD_SOCKET = """
    const Real = WebSocket;
    const released = new Promise(resolve => { window.release = resolve; });
    window.WebSocket = class extends Real {
        set onopen(listener) { super.onopen = event => released.then(() => listener(event)); }
    };
"""


def test_text_typed_before_the_socket_is_there_is_not_lost(serve, open_page, complaints):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("")
            return ui.main(ui.input(value=text), ui.p(text))
    """)
    page = open_page(server, before=lambda page: page.add_init_script(HELD_SOCKET), connected=False)
    page.locator("input").press_sequentially("early")
    expect(page.locator("p")).to_have_text("")
    page.evaluate("release()")
    expect(page.locator("p")).to_have_text("early")
    page.locator("input").press_sequentially(" bird")
    expect(page.locator("p")).to_have_text("early bird")
    expect(page.locator("input")).to_have_value("early bird")


def test_text_typed_before_the_client_has_loaded_is_not_lost(serve, context, complaints):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("")
            return ui.main(ui.input(value=text), ui.p(text))
    """)
    page = context.new_page()
    complaints.watch(page)
    held = []
    page.route("**/_lattice/client-*.js", lambda route: held.append(route))
    page.goto(server.url, wait_until="commit")
    page.locator("input").press_sequentially("early")
    held[0].continue_()
    expect(page.locator("p")).to_have_text("early")
    expect(page.locator("input")).to_have_value("early")


def test_a_click_before_the_socket_is_there_is_made_up_for(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            count = lt.signal(0)
            return ui.main(ui.p(count), ui.button("+1", on_click=add(count)))
    """)
    page = open_page(server, before=lambda page: page.add_init_script(HELD_SOCKET), connected=False)
    page.get_by_role("button").click()
    page.evaluate("release()")
    expect(page.locator("p")).to_have_text("1")


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


def test_a_field_written_by_its_re_rendered_component_loses_nothing(serve, open_page, settle):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("")
            def keep(event):
                time.sleep(0.03)
                text.value = event.value
            return ui.main(ui.input(value=text.value, on_input=keep), ui.p(text.value))
    """)
    page = open_page(server)
    written = "typed faster than it is answered"
    page.locator("input").press_sequentially(written, delay=10)
    expect(page.locator("p")).to_have_text(written)
    expect(page.locator("input")).to_have_value(written)


def test_a_handler_that_takes_an_edit_back_takes_it_out_of_the_field(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            digits = lt.signal("")
            def only_digits():
                digits.value = "".join(c for c in digits.value if c.isdigit())
            return ui.main(ui.input(value=digits, on_input=only_digits), ui.p(digits))
    """)
    page = open_page(server)
    page.locator("input").press_sequentially("a", delay=50)
    expect(page.locator("input")).to_have_value("")
    page.locator("input").press_sequentially("1b2", delay=50)
    expect(page.locator("p")).to_have_text("12")
    expect(page.locator("input")).to_have_value("12")


def test_a_handler_that_refuses_a_check_unchecks_the_box(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            agreed = lt.signal(False)
            return ui.main(ui.label(
                ui.input(type="checkbox", checked=agreed, on_change=put(agreed, False)), "agree"))
    """)
    page = open_page(server)
    page.get_by_role("checkbox").click()
    expect(page.get_by_role("checkbox")).not_to_be_checked()


def test_options_that_come_with_their_value_are_selected(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            names, chosen = lt.signal(("a", "b")), lt.signal("b")
            def more():
                names.value = ("x", "y", "z")
                chosen.value = "y"
            return ui.main(
                ui.select(ui.For(names, key=lambda n: n, render=lambda n: ui.option(n)),
                          value=chosen, aria_label="names"),
                ui.button("more", on_click=more), ui.p(chosen))
    """)
    page = open_page(server)
    select = page.get_by_role("combobox")
    expect(select).to_have_value("b")
    page.get_by_role("button").click()
    expect(select).to_have_value("y")
    select.select_option("z")
    expect(page.locator("p")).to_have_text("z")


def test_a_multiple_select_gives_a_list(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            chosen = lt.signal(["b"])
            return ui.main(
                ui.select(*map(ui.option, "abc"), multiple=True, value=chosen, aria_label="x"),
                ui.p(lambda: repr(chosen.value)))
    """)
    page = open_page(server)
    select = page.get_by_label("x")
    expect(select).to_have_values(["b"])
    select.select_option(["a", "c"])
    expect(page.locator("p")).to_have_text("['a', 'c']")


def test_radio_buttons_work_with_handlers(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            size = lt.signal("M")
            def radio(name):
                return ui.label(ui.input(
                    type="radio", name="size", value=name, checked=lambda: size.value == name,
                    on_change=put(size, name)), name)
            return ui.main(*map(radio, "SML"), ui.p(size), ui.button("S", on_click=put(size, "S")))
    """)
    page = open_page(server)
    expect(page.get_by_role("radio", name="M")).to_be_checked()
    page.get_by_role("radio", name="L").check()
    expect(page.locator("p")).to_have_text("L")
    page.get_by_role("button").click()
    expect(page.get_by_role("radio", name="S")).to_be_checked()


def test_letters_outside_the_basic_plane_arrive_whole(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("")
            return ui.main(ui.input(value=text), ui.p(text, " ", lambda: len(text.value)))
    """)
    page = open_page(server)
    page.locator("input").fill("ä\u0301😀𝔘")
    expect(page.locator("p")).to_have_text("ä\u0301😀𝔘 4")


def test_an_async_handler_is_refused_in_words(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            async def later(): pass
            return ui.main(ui.p("text"), ui.button("go", on_click=later))
    """)
    page = open_page(server, connected=False)
    if not page.get_by_role("alert").count():
        page.get_by_role("button", name="go").click()
    expect(page.get_by_role("alert")).to_contain_text("async")
