# SPDX-License-Identifier: MIT
"""Serving, as far as it needs no browser: starting, stopping, and what is refused."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

import lattice as lt
from lattice import _errors, _events, server, ui


@lt.component
def page():
    return ui.main(ui.h1("Hello"))


def get(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


@pytest.fixture
def url():
    running = lt.App(page, title="Greeting").start(port=0)
    yield running.url
    running.stop()


def test_a_page_is_html_before_any_script(url):
    status, html = get(url)
    assert status == 200
    assert "<main><h1>Hello</h1></main>" in html
    assert "<title>Greeting</title>" in html


def test_health_is_told(url):
    assert get(url + "/healthz")[0] == 200
    status, counts = get(url + "/healthz", Accept="application/json")
    assert status == 200
    assert isinstance(json.loads(counts), dict)


def test_an_unknown_path_is_404(url):
    assert get(url + "/nowhere")[0] == 404


def test_a_port_in_use_is_told_with_the_cure(url):
    port = int(url.rsplit(":", 1)[1])
    with pytest.raises(lt.LatticeError, match=rf"port {port} is in use"):
        lt.App(page).start(port=port)


def test_a_server_can_be_stopped_twice_and_started_again():
    app = lt.App(page)
    for _ in range(2):
        running = app.start(port=0)
        assert get(running.url)[0] == 200
        running.stop()
        running.stop()
        app._server = None


def test_starting_a_server_while_an_app_file_is_loaded_is_refused():
    with server.loading_app(), pytest.raises(lt.LatticeError, match="__main__"):
        lt.run_app(page, port=0)


def test_a_page_with_required_props_is_refused_at_once():
    @lt.component
    def needs(name):
        return ui.p(name)

    with pytest.raises(TypeError, match=r"needs.*props.*lt\.App\(needs\(\.\.\.\)\)"):
        lt.App(needs)
    lt.App(needs("Ada"))


@pytest.mark.parametrize("root", [lambda: None, 3, "page"])
def test_what_is_no_component_is_refused(root):
    with pytest.raises(TypeError, match="component"):
        lt.App(root)


def test_an_error_whose_text_cannot_be_encoded_or_made_is_still_described():
    title, _ = _errors.describe(ValueError("a\ud800"))
    assert title == "ValueError: a\\ud800"

    class Broken(Exception):
        def __str__(self):
            raise RuntimeError("no")

    assert _errors.describe(Broken())[0].startswith("Broken: ")


def edit(value: str) -> _events.Event:
    return _events.Event("input", value=value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("-2", -2), ("1.5", 1.5), ("1e3", 1000), (".5", 0.5), ("", None)],
)
def test_a_number_field_gives_numbers(text, value):
    target = lt.signal(0)
    assert _events.write_edit(target, int, "value", "number", edit(text))
    assert target.value == value


@pytest.mark.parametrize("text", ["nan", "inf", "1_0", "\u0663", "1e999", "-", "5x", "0x10"])
def test_what_is_no_number_leaves_the_signal_alone(text):
    target = lt.signal(7)
    assert not _events.write_edit(target, int, "value", "number", edit(text))
    assert target.value == 7


def test_a_generator_is_refused_as_a_handler_by_name():
    def clicked():
        yield 1

    with pytest.raises(TypeError, match=r"clicked is a generator"):
        _events.refuse_generator(clicked, clicked())


INSPECTOR = "/_lattice/inspect"


@pytest.fixture
def dev_url():
    running = lt.App(page).start(port=0, dev=True)
    yield running.url
    running.stop()
    lt.inspect(False)


def test_the_inspector_is_there_in_dev_mode_and_shows_a_session(dev_url):
    status, html = get(dev_url + INSPECTOR)
    assert status == 200
    assert "<title>Lattice inspector</title>" in html
    assert "http" not in html.replace("http-equiv", "")  # nothing is fetched from elsewhere
    assert get(dev_url + INSPECTOR + "/inspector.js")[0] == 200
    assert json.loads(get(dev_url + INSPECTOR + "/sessions")[1]) == {"sessions": []}
    get(dev_url)
    (session,) = json.loads(get(dev_url + INSPECTOR + "/sessions")[1])["sessions"]
    assert (session["path"], session["live"]) == ("/", False)
    status, view = get(f"{dev_url}{INSPECTOR}/session/{session['id']}")
    assert status == 200
    assert "page" in [node["name"] for node in json.loads(view)["nodes"]]
    assert json.loads(view)["recording"]


@pytest.mark.parametrize(
    "path", ["", "/", "/inspector.js", "/sessions", "/session/x", "/session/", "/other"]
)
def test_there_is_no_inspector_outside_dev_mode(url, path):
    assert get(url + INSPECTOR + path)[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"Forwarded": "for=192.0.2.1"},
    ],
)
def test_the_inspector_answers_neither_other_sites_nor_proxies(dev_url, headers):
    assert get(dev_url + INSPECTOR + "/sessions", **headers)[0] == 404
    assert get(dev_url + INSPECTOR, **headers)[0] == 404


def test_a_session_that_has_ended_is_404_for_the_inspector(dev_url):
    assert get(dev_url + INSPECTOR + "/session/nobody")[0] == 404
    assert get(dev_url + INSPECTOR + "/nothing")[0] == 404
