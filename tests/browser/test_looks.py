"""Accessibility and colours: axe-core on each panel in each state, light and dark."""

from collections.abc import Callable
from typing import Any

import pytest
from cells import FAMILY, IMPORTS
from rig import Notebook

Open = Callable[..., Notebook]


def check(book: Notebook, state: str) -> None:
    for theme in ("Light", "Dark"):
        book.theme(theme)
        found = book.axe()
        assert not found, f"{state}, {theme}:\n" + "\n".join(found)
    book.theme("Light")


@pytest.fixture
def account(running: Any) -> dict[str, str]:
    return dict(running["cumulocity"].connect)


def test_the_login_panel_in_each_state(open_notebook: Open, account: dict[str, str]) -> None:
    book = open_notebook(f"{IMPORTS}\npanel = iotnb.login('cumulocity')\npanel").run()
    book.field("Password").wait_for()
    check(book, "logged out")
    book.button("Log in").click()
    book.says("Missing")
    book.panel().get_by_text("What is sent").click()
    check(book, "missing fields")
    book.button("More options").click()
    book.panel().get_by_label("Check the server's certificate (TLS)").uncheck()
    check(book, "more options, certificate not checked")
    for label, name in (("Address", "base_url"), ("Tenant ID", "tenant"), ("User", "username")):
        book.field(label).fill(account[name])
    book.field("Password").fill("wrong")
    book.button("Log in").click()
    book.says("401")
    book.panel().get_by_text("Details").click()
    check(book, "wrong credentials")
    book.field("Password").fill(account["password"])
    book.button("Log in").click()
    book.says("admin on")
    book.panel().get_by_text("What was sent").click()
    check(book, "logged in")


def test_the_picker_in_each_state(open_notebook: Open) -> None:
    book = open_notebook(
        IMPORTS + FAMILY,
        "picker = DevicePicker(family(137))\npicker.select(picker.devices['device'][:3])\npicker",
    ).run()
    book.page.wait_for_selector('.iotnb-grid[data-n="137"]')
    check(book, "ready")
    book.page.get_by_role("button", name="Type: all").click()
    check(book, "types open")
    book.page.keyboard.press("Escape")
    book.page.locator(".iotnb-scroll").focus()
    book.page.keyboard.press("ArrowDown")
    check(book, "a row is active")
    book.button("Tree").click()
    book.button("Unfold all").click()
    book.page.wait_for_selector('.iotnb-grid[data-n="137"]')
    book.page.keyboard.press("Tab")
    book.page.locator(".iotnb-canvas [data-i='1'] .iotnb-info").click()
    book.page.wait_for_selector(".iotnb-inspect[data-document='shown']")
    check(book, "a tree, with details open")
    book.page.get_by_label("Search devices").fill("zzz")
    book.page.wait_for_selector('.iotnb-grid[data-n="0"]')
    check(book, "no match")


def test_the_scopes_before_and_after_the_login(open_notebook: Open, running: Any) -> None:
    fields = {**running["wso2"].connect, **running.info()["wso2"]["users"]["user111"]}
    book = open_notebook(f"{IMPORTS}\npanel = iotnb.login('wso2')\npanel").run()
    for label, name in (("Address", "base_url"), ("User", "username"), ("Password", "password")):
        book.field(label).fill(fields[name])
    book.button("Choose: Scopes").click()
    book.page.locator(".iotnb-choice").nth(3).click()
    check(book, "choosing scopes")
    book.field("Search scopes").fill("zzz")
    check(book, "no scope matches")
    book.button("Log in").click()
    book.says("on 127.0.0.1", timeout=15_000)
    book.button("Show list: Scopes").click()
    check(book, "what came of the scopes")


def test_representations_without_a_widget(open_notebook: Open) -> None:
    book = open_notebook(
        f"{IMPORTS}\nclient = iotnb.connect('cumulocity', sandbox=True)\nclient",
        "iotnb.provenance(client.devices())",
        "client.job('devices')",
    ).run()
    for number in range(3):
        book.page.locator(".jp-OutputArea-output").nth(number).wait_for()
    book.page.locator(".jp-OutputArea summary").first.click()
    for theme in ("Light", "Dark"):
        book.theme(theme)
        found = book.axe(".jp-OutputArea")
        assert not found, f"{theme}:\n" + "\n".join(found)
    saved = "".join(map(str, book.save()["cells"]))
    assert "<script" not in saved
    assert "devices() of cumulocity" in saved
