# SPDX-License-Identifier: MIT
"""Fields of forms: what is bound both ways, and that nothing that was typed is ever lost."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect


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
    ("how", "attributes", "times"),
    [
        ("handler", "value=text, on_input=slow", 3),
        ("keydown handler", "value=text, on_keydown=slow", 1),
        ("effect", "value=text", 1),
    ],
)
def test_fast_typing_into_a_slow_handler_loses_nothing(
    serve, open_page, settle, how, attributes, times
):
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
    written = "Jackdaws love quartz" * times
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


@pytest.mark.parametrize("typed", ["1.5", "-3", "0.05", "1e3", "100.250"])
@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_number_is_typed_key_by_key_without_being_rewritten(serve, open_page, kind, typed):
    server = serve(f"""
        @lt.component
        def main():
            n = lt.signal(7.0)
            return ui.main(
                ui.input(type="{kind}", value=n, step="any", aria_label="n"),
                ui.p(lambda: repr(n.value)))
    """)
    page = open_page(server)
    field = page.get_by_label("n")
    field.press("Control+a")
    field.press_sequentially(typed, delay=60)
    expect(page.locator("p")).to_have_text(repr(float(typed)))
    expect(field).to_have_value(typed)


def test_a_long_text_is_pasted_whole(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("")
            field = ui.textarea(value=text, aria_label="text")
            return ui.main(field, ui.p(lambda: len(text.value)))
    """)
    page = open_page(server)
    page.get_by_label("text").evaluate("""field => {
        field.value = '0123456789abcdef\\n'.repeat(12_000);
        field.dispatchEvent(new Event('input', { bubbles: true }));
    }""")
    expect(page.locator("p")).to_have_text("204000")


def test_a_textarea_keeps_its_line_breaks(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("\\nfirst line is empty\\n\\nend\\n")
            field = ui.textarea(value=text, aria_label="text")
            return ui.main(field, ui.p(lambda: repr(text.value)))
    """)
    page = open_page(server)
    field = page.get_by_label("text")
    expect(field).to_have_value("\nfirst line is empty\n\nend\n")
    field.press("Control+End")
    field.press_sequentially("more")
    expect(page.locator("p")).to_have_text(r"'\nfirst line is empty\n\nend\nmore'")


def test_a_field_in_a_re_rendered_component_keeps_focus_and_caret(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("")
            return ui.main(
                ui.h1(f"{len(text.value)} letters"),
                ui.p("long") if len(text.value) > 3 else None,
                ui.input(value=text, aria_label="text"))
    """)
    page = open_page(server)
    field = page.get_by_label("text")
    field.press_sequentially("abXY", delay=30)
    field.press("ArrowLeft")
    field.press("ArrowLeft")
    field.press_sequentially("cd", delay=30)
    expect(page.locator("h1")).to_have_text("6 letters")
    expect(page.locator("p")).to_have_text("long")
    expect(field).to_have_value("abcdXY")
    expect(field).to_be_focused()


def test_two_fields_on_one_signal_follow_each_other(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            text = lt.signal("")
            return ui.main(*[ui.input(value=text, aria_label=name) for name in ("left", "right")])
    """)
    page = open_page(server)
    page.get_by_label("left").press_sequentially("one")
    expect(page.get_by_label("right")).to_have_value("one")
    page.get_by_label("right").press("End")
    page.get_by_label("right").press_sequentially(" two")
    expect(page.get_by_label("left")).to_have_value("one two")


def test_a_dialog_that_is_closed_in_the_browser_tells_its_signal(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            is_open = lt.signal(False)
            return ui.main(
                ui.dialog("hello", ui.form(ui.button("close"), method="dialog"), open=is_open),
                ui.button("open", on_click=put(is_open, True)), ui.p(lambda: str(is_open.value)))
    """)
    page = open_page(server)
    page.get_by_role("button", name="open").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="close").click()
    expect(page.locator("p")).to_have_text("False")
    page.get_by_role("button", name="open").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_text_typed_early_survives_a_change_that_others_made_meanwhile(serve, open_page):
    server = serve("""
        shared = lt.signal(0, scope="app")

        @lt.component
        def main():
            text = lt.signal("")
            more = ui.button("shared ", shared, on_click=add(shared))
            return ui.main(ui.p(text), ui.input(value=text), more)
    """)
    page = open_page(server, before=lambda page: page.add_init_script(HELD_SOCKET), connected=False)
    other = open_page(server)
    page.locator("input").press_sequentially("early")
    other.get_by_role("button").click()
    expect(other.get_by_role("button")).to_have_text("shared 1")
    page.evaluate("release()")
    expect(page.get_by_role("button")).to_have_text("shared 1")
    expect(page.locator("p")).to_have_text("early")
    expect(page.locator("input")).to_have_value("early")
    expect(page.locator("input")).to_be_focused()
