# SPDX-License-Identifier: MIT
"""Exceptions of the app's own code: where the page shows them, what the log says, what goes on."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect

HANDLER = """
@lt.component
def main():
    count = lt.signal(0)
    def fail():
        count.value += 1
        raise ValueError("the secret detail")
    return ui.main(
        ui.p(count),
        ui.div(ui.button("fail", on_click=fail), id="place"),
        ui.button("+1", on_click=add(count)))
"""


def test_a_handler_that_raises_shows_a_box_with_the_users_frame_in_dev_mode(serve, open_page):
    server = serve(HANDLER)
    page = open_page(server)
    page.get_by_role("button", name="fail").click()
    box = page.get_by_role("alert")
    expect(box).to_contain_text("ValueError: the secret detail")
    expect(box).to_contain_text("in fail")
    expect(page.locator("#place").get_by_role("alert")).to_have_count(1)
    box.get_by_role("button", name="Dismiss this error").click()
    expect(box).to_have_count(0)


def test_outside_dev_mode_the_box_is_neutral(serve, open_page):
    server = serve(HANDLER, dev=False)
    page = open_page(server)
    page.get_by_role("button", name="fail").click()
    box = page.get_by_role("alert")
    expect(box).to_be_visible()
    assert "secret" not in box.inner_text()
    assert "ValueError" not in box.inner_text()
    assert ".py" not in box.inner_text()
    server.wait_for("the secret detail")


@pytest.mark.parametrize("dev", [True, False])
def test_after_an_error_this_page_and_the_others_go_on(serve, open_page, dev):
    server = serve(HANDLER, dev=dev)
    one, two = open_page(server), open_page(server)
    one.get_by_role("button", name="fail").click()
    expect(one.get_by_role("alert")).to_be_visible()
    one.get_by_role("button", name="+1").click()
    expect(one.locator("p")).to_have_text("2")
    two.get_by_role("button", name="+1").click()
    expect(two.locator("p")).to_have_text("1")
    expect(two.get_by_role("alert")).to_have_count(0)


def test_an_error_is_one_log_record_with_the_users_own_frame_first(serve, open_page):
    server = serve(HANDLER)
    open_page(server).get_by_role("button", name="fail").click()
    server.wait_for("the secret detail")
    server.wait_for("in fail")
    assert server.count("_core") == 0
    [at] = [i for i, line in enumerate(server.lines) if "ValueError: the secret detail" in line]
    assert "in fail" in server.lines[at + 1]


def test_a_body_that_raises_at_the_first_paint_leaves_the_rest_of_the_page(serve, open_page):
    server = serve("""
        @lt.component
        def broken(): return ui.p(1 // 0)

        @lt.component
        def main():
            count = lt.signal(0)
            return ui.main(ui.div(broken(), id="place"), ui.button(count, on_click=add(count)))
    """)
    page = open_page(server)
    expect(page.locator("#place").get_by_role("alert")).to_contain_text("ZeroDivisionError")
    button = page.locator("main > button")
    button.click()
    expect(button).to_have_text("1")


def test_a_root_body_that_raises_shows_its_error_and_the_server_stays(serve, open_page, complaints):
    complaints.allow("status of 500")
    server = serve("""
        runs = 0

        @lt.component
        def main():
            global runs
            runs += 1
            if runs == 1: raise RuntimeError("not today")
            return ui.main(ui.p("fine"), ui.button("-", on_click=lambda: None))
    """)
    page = open_page(server, connected=False)
    expect(page.get_by_role("alert")).to_contain_text("RuntimeError: not today")
    page.reload()
    expect(page.locator("p")).to_have_text("fine")


def test_a_body_that_raises_in_a_re_render_recovers(serve, open_page):
    server = serve("""
        @lt.component
        def ratio(n): return ui.p(f"ratio {10 / n.value}")

        @lt.component
        def main():
            n = lt.signal(1)
            return ui.main(
                ui.div(ratio(n), id="place"),
                ui.button("zero", on_click=put(n, 0)),
                ui.button("two", on_click=put(n, 2)))
    """)
    page = open_page(server)
    expect(page.locator("p")).to_have_text("ratio 10.0")
    page.get_by_role("button", name="zero").click()
    expect(page.locator("#place").get_by_role("alert")).to_contain_text("ZeroDivisionError")
    page.get_by_role("button", name="two").click()
    expect(page.locator("p")).to_have_text("ratio 5.0")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_memo_that_raises_shows_a_box_at_its_place_and_recovers(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            n = lt.signal(1)
            ratio = lt.memo(lambda: 10 / n.value)
            return ui.main(
                ui.p("ratio ", ratio),
                ui.button("zero", on_click=put(n, 0)),
                ui.button("two", on_click=put(n, 2)))
    """)
    page = open_page(server)
    expect(page.locator("p")).to_have_text("ratio 10.0")
    page.get_by_role("button", name="zero").click()
    expect(page.get_by_role("alert")).to_contain_text("ZeroDivisionError")
    page.get_by_role("button", name="two").click()
    expect(page.locator("p")).to_have_text("ratio 5.0")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_memo_that_raises_at_the_first_paint_shows_a_box_and_recovers(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            n = lt.signal(0)
            ratio = lt.memo(lambda: 10 / n.value)
            return ui.main(ui.p("ratio ", ratio), ui.button("two", on_click=put(n, 2)))
    """)
    page = open_page(server)
    expect(page.get_by_role("alert")).to_contain_text("ZeroDivisionError")
    page.get_by_role("button", name="two").click()
    expect(page.locator("p")).to_have_text("ratio 5.0")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_attribute_that_raises_shows_a_box_and_recovers(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            n = lt.signal(1)
            return ui.main(
                ui.p("text", title=lambda: str(10 / n.value)),
                ui.button("zero", on_click=put(n, 0)),
                ui.button("two", on_click=put(n, 2)))
    """)
    page = open_page(server)
    page.get_by_role("button", name="zero").click()
    expect(page.get_by_role("alert")).to_contain_text("ZeroDivisionError")
    page.get_by_role("button", name="two").click()
    expect(page.locator("p")).to_have_attribute("title", "5.0")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_effect_that_raises_is_shown_and_runs_again(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            n, seen = lt.signal(1), lt.signal("")
            @lt.effect
            def follow(): seen.value = str(10 // n.value)
            return ui.main(
                ui.p(seen),
                ui.button("zero", on_click=put(n, 0)),
                ui.button("two", on_click=put(n, 2)))
    """)
    page = open_page(server)
    expect(page.locator("p")).to_have_text("10")
    page.get_by_role("button", name="zero").click()
    expect(page.get_by_role("alert")).to_contain_text("ZeroDivisionError")
    page.get_by_role("button", name="two").click()
    expect(page.locator("p")).to_have_text("5")


def test_a_cycle_of_memos_is_an_error_that_names_its_path(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            on = lt.signal(False)
            @lt.memo
            def egg(): return hen() if on.value else 0
            @lt.memo
            def hen(): return egg() + 1
            return ui.main(ui.p(hen), ui.button("turn", on_click=turn(on)))
    """)
    page = open_page(server)
    expect(page.locator("p")).to_have_text("1")
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("egg")
    expect(page.get_by_role("alert")).to_contain_text("hen")
    page.get_by_role("button", name="turn").click()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_write_while_rendering_is_lt102(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            count = lt.signal(0)
            def add(): count.value += 1
            return ui.main(ui.p(count), ui.button("+1", on_click=add()))
    """)
    page = open_page(server, connected=False)
    expect(page.get_by_role("alert")).to_contain_text("LT102")


def test_state_in_a_loop_is_lt101(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            return ui.main([ui.p(lt.signal(n)) for n in range(3)])
    """)
    page = open_page(server, connected=False)
    expect(page.get_by_role("alert")).to_contain_text("LT101")


def test_text_of_an_error_is_never_markup(serve, open_page):
    server = serve("""
        @lt.component
        def main():
            def fail(): raise ValueError("<img src=x onerror=alert(1)>")
            return ui.main(ui.button("fail", on_click=fail))
    """)
    page = open_page(server)
    page.get_by_role("button", name="fail").click()
    expect(page.get_by_role("alert")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("img")).to_have_count(0)
