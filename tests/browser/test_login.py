"""The login panel in a real JupyterLab: typing, clicking, and a search for secrets in every file."""

import base64
import hmac
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from cells import IMPORTS
from playwright.sync_api import expect
from rig import Lab, Notebook

Open = Callable[..., Notebook]

SENTINEL = "sentinel-0815-Ünïcode&/+="


def panel(open_notebook: Open, *more: str) -> Notebook:
    book = open_notebook(f"{IMPORTS}\npanel = iotnb.login('cumulocity')\npanel", *more).run()
    book.field("Password").wait_for()
    return book


def fill(book: Notebook, account: dict[str, str], *, view: int = 0) -> None:
    root = book.panel(view)
    for label, name in (("Address", "base_url"), ("Tenant ID", "tenant"), ("User", "username")):
        root.get_by_label(label, exact=True).fill(account[name])
    root.get_by_label("Password", exact=True).fill(account["password"])


def nowhere(lab: Lab, running: Any) -> None:
    for secret, what in running.issued().items():
        found = lab.search(secret, user="admin") + lab.search(secret, user="test/admin")
        assert not found, f"{what} is in {found}"


def code_now(secret: str) -> str:
    """What an authenticator shows now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), "sha1").digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


@pytest.fixture
def account(running: Any) -> dict[str, str]:
    return dict(running["cumulocity"].connect)


def test_typed_in_the_second_of_two_views(
    open_notebook: Open, lab: Lab, running: Any, account: dict[str, str]
) -> None:
    book = panel(open_notebook, "panel")
    fill(book, account, view=1)
    book.panel(1).get_by_role("button", name="Log in", exact=True).click()
    book.says("admin on 127.0.0.1")
    expect(book.page.locator(".iotnb-chip").first).to_have_text("Logged in")
    expect(book.panel(0).get_by_role("button", name="Log out")).to_be_visible()
    assert int(book.ask("print(len(panel.client.devices()))")) > 5
    book.panel(0).get_by_text("What was sent").click()
    expect(book.panel(0)).to_contain_text("POST http://127.0.0.1")
    book.button("Log out").click()
    book.says("The login has been ended.")
    assert book.field("Password").input_value() == ""
    book.save()
    nowhere(lab, running)


def test_typed_and_left_there_a_secret_reaches_no_file(open_notebook: Open, lab: Lab) -> None:
    book = panel(open_notebook)
    book.field("Password").fill(SENTINEL)
    book.panel().get_by_role("button", name="Show", exact=False).click()
    expect(book.field("Password")).to_have_attribute("type", "text")
    saved = book.save()
    assert "widgets" in saved["metadata"]
    assert lab.search(SENTINEL) == []
    assert book.field("Password").input_value() == SENTINEL


def test_the_search_finds_what_a_core_password_field_leaks(open_notebook: Open, lab: Lab) -> None:
    book = open_notebook("import ipywidgets\nipywidgets.Password(description='Control')").run()
    book.field("Control").fill("control-4711-leaks")
    book.field("Control").press("Tab")
    time.sleep(0.3)
    book.save()
    assert any(found.endswith(book.name) for found in lab.search("control-4711-leaks"))
    book.path.unlink()


def test_a_wrong_password_by_enter(open_notebook: Open, lab: Lab, account: dict[str, str]) -> None:
    book = panel(open_notebook)
    fill(book, {**account, "password": SENTINEL})
    book.field("Password").press("Enter")
    book.says("401")
    expect(book.field("Password")).to_be_focused()
    assert book.field("Password").input_value() == ""
    book.panel().get_by_text("Details").click()
    book.save()
    assert lab.search(SENTINEL, user="admin") == []


def test_missing_fields_and_sources(open_notebook: Open) -> None:
    book = panel(open_notebook)
    expect(book.panel()).to_contain_text("Set from environment C8Y_TENANT.")
    book.button("Log in").click()
    book.says("Missing: Address, User, Password.")
    expect(book.field("Address")).to_be_focused()
    expect(book.field("Password")).to_have_attribute("aria-invalid", "true")


def test_the_sandbox_takes_one_click_and_no_typing(open_notebook: Open) -> None:
    book = panel(open_notebook, "client = panel.client\nclient.devices().head(3)")
    book.panel().get_by_label("Use the local sandbox", exact=False).check()
    expect(book.field("Password")).to_have_count(0)
    book.button("Log in").click()
    book.says("on 127.0.0.1", timeout=15_000)
    book.start(1)
    book.join()
    assert "Gateway" in book.page.locator(".jp-OutputArea").last.inner_text()


def test_scopes_are_searched_chosen_and_reported(open_notebook: Open, lab: Lab, running: Any) -> None:
    fields = {**running["wso2"].connect, **running.info()["wso2"]["users"]["user111"]}
    book = open_notebook(f"{IMPORTS}\npanel = iotnb.login('wso2')\npanel").run()
    for label, name in (("Address", "base_url"), ("User", "username"), ("Password", "password")):
        book.field(label).fill(fields[name])
    keyboard = book.page.keyboard
    book.button("Choose: Scopes").click()
    expect(book.field("Search scopes")).to_be_focused()
    keyboard.type("admin-users")
    option = book.page.get_by_role("option", name="perm:admin-users:view")
    expect(option).to_have_attribute("aria-selected", "false")
    keyboard.press("ArrowDown")
    keyboard.press("Space")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(book.panel().locator(".iotnb-choices-words")).to_have_text("explore perm:admin-users:view (20)")
    book.field("Search scopes").fill("no.such:scope")
    keyboard.press("Enter")
    expect(book.panel().locator(".iotnb-choices-words")).to_contain_text("(21)")
    book.panel().get_by_role("button", name="tutorial", exact=False).click()
    expect(book.panel().locator(".iotnb-choices-words")).to_have_text("tutorial (154)")
    book.button("Log in").click()
    book.says("on 127.0.0.1", timeout=15_000)
    book.button("Show list: Scopes").click()
    report = book.page.get_by_role("list", name="Scopes")
    expect(report.get_by_role("listitem").first).to_contain_text("dropped")
    book.field("Search scopes").fill("admin-users")
    expect(report.get_by_role("listitem")).to_have_count(1)
    expect(report).to_contain_text("blocks POST /admin/users/{name}/credentials")
    book.button("Log out").click()
    book.says("The login has been ended.")
    assert len(book.ask("print(panel.form.inputs['scopes'].value)")) > 0
    book.save()


def test_the_second_factor_is_a_step_of_its_own(open_notebook: Open, lab: Lab, running: Any) -> None:
    user = running.info()["cumulocity"]["users"]["totp"]
    account = {**running["cumulocity"].connect, **{k: user[k] for k in ("username", "password")}}
    book = panel(open_notebook)
    fill(book, account)
    book.button("Log in").click()
    book.says("Enter the code of your second factor.")
    expect(book.field("Second factor")).to_be_focused()
    expect(book.field("Password")).to_have_count(0)
    book.field("Second factor").fill(code_now(user["totp_secret"]))
    book.field("Second factor").press("Enter")
    book.says("totp on 127.0.0.1")
    book.save()
    assert lab.search(user["password"], user="totp") == []


def test_cancel_while_the_server_is_slow(open_notebook: Open, running: Any, account: dict[str, str]) -> None:
    book = panel(open_notebook)
    running.faults.set("cumulocity", latency=4)
    try:
        fill(book, account)
        book.button("Log in").click()
        expect(book.page.locator(".iotnb-chip").first).to_have_text("Checking")
        assert book.ask("print(6 * 7)") == "42"
        assert book.page.locator(".iotnb-chip").first.inner_text() == "Checking"
        book.button("Cancel").click()
        expect(book.page.locator(".iotnb-chip").first).to_have_text("Cancelled")
        time.sleep(5)  # the answer comes after all, and is not heard
        expect(book.page.locator(".iotnb-chip").first).to_have_text("Cancelled")
    finally:
        running.faults.clear()


def test_a_click_during_a_blocking_cell_is_served_when_it_can_be(
    open_notebook: Open, account: dict[str, str]
) -> None:
    book = panel(open_notebook, "import time\ntime.sleep(2)")
    fill(book, account)
    book.start(1)
    time.sleep(0.5)
    book.button("Log in").click()
    book.join()
    book.says("admin on 127.0.0.1", timeout=10_000)


def test_awaiting_the_panel_gives_the_client(open_notebook: Open, account: dict[str, str]) -> None:
    book = open_notebook(
        f"{IMPORTS}\npanel = iotnb.login('cumulocity')\npanel", "client = await panel\nclient.user"
    )
    book.start(0)
    book.join()
    book.field("Password").wait_for()
    book.start(1)
    fill(book, account)
    book.button("Log in").click()
    book.join()
    assert "admin" in book.page.locator(".jp-OutputArea").last.inner_text()


def test_progress_and_exchanges_stay_in_the_file(open_notebook: Open) -> None:
    book = open_notebook(
        f"{IMPORTS}\nclient = iotnb.connect('cumulocity', sandbox=True)",
        "iotnb.sandbox.current('cumulocity').faults.set('cumulocity', latency=0.15)",
        "with iotnb.ExchangeView(client) as view:\n    m = client.measurements(since='2h')\nview",
    ).run()
    outputs = book.save()["cells"][2]["outputs"]
    shown = ["".join(each["data"].get("text/html", "")) for each in outputs if "data" in each]
    assert any('value="1.000"' in text or "25 of 25 items" in text for text in shown[:-1])
    assert "<details" in shown[-1]
    assert "/measurement/measurements" in shown[-1]
    assert "<script" not in "".join(shown)
    expect(book.page.locator(".jp-OutputArea details").first).to_be_visible()
