"""The login panel without a browser, against the real sandbox."""

import asyncio
import base64
import hmac
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from forms import filled, settled

import iotnb
from iotnb import profiles
from iotnb.errors import ConfigError
from iotnb.widgets import LoginPanel

Wait = Callable[..., None]


def code_now(secret: str) -> str:
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), "sha1").digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def test_a_person_logs_in_and_out(page: Any, account: dict[str, str], running: Any, wait: Wait) -> None:
    panel = filled(page, account)
    panel.login.click()
    assert panel.state == "checking"
    settled(wait, panel, "logged_in")
    assert len(panel.client.devices()) > 0
    assert panel.status.tone == "good"
    assert account["username"] in panel.status.text
    assert "expires in" in panel.status.note
    client = panel.client
    panel.logout.click()
    assert panel.state == "logged_out"
    wait(lambda: not client.logged_in)
    with pytest.raises(iotnb.errors.LoggedOut):
        client.devices()


def test_no_secret_is_ever_sent_to_the_page(
    page: Any, account: dict[str, str], running: Any, wait: Wait
) -> None:
    panel = filled(page, account)
    panel.login.click()
    settled(wait, panel, "logged_in")
    panel.client.devices()
    panel._draw()
    shown = page.text() + repr(panel) + panel.code() + repr(panel._repr_mimebundle_())
    for secret in running.issued():
        assert secret not in shown
        assert base64.b64encode(f"{account['username']}:{secret}".encode()).decode() not in shown


def test_missing_fields_are_named_and_the_first_gets_the_focus(page: Any, wait: Wait) -> None:
    panel = LoginPanel("cumulocity")
    page.open(panel._guard, *panel.form.secrets.values())
    panel.login.click()
    settled(wait, panel)
    assert panel.state == "missing"
    assert panel.status.text == "Missing: Address, User, Password."
    wait(lambda: {"do": "focus"} in page.messages(panel.form.inputs["base_url"]))
    assert panel.form.secrets["password"].invalid


def test_without_a_browser_the_way_out_is_named_at_once(account: dict[str, str], wait: Wait) -> None:
    panel = LoginPanel("cumulocity", base_url=account["base_url"], username="admin")
    panel.submit()
    settled(wait, panel)
    assert panel.state == "missing"
    assert "IOTNB_CUMULOCITY_PASSWORD" in panel.status.text


def test_a_wrong_password(page: Any, account: dict[str, str], wait: Wait) -> None:
    panel = filled(page, account, password="wrong-sentinel-5")
    panel.login.click()
    settled(wait, panel)
    assert panel.state == "refused"
    assert panel.status.word == "Wrong credentials"
    assert "user or password was not accepted" in panel.status.text
    wait(lambda: {"do": "focus"} in page.messages(panel.form.secrets["password"]))
    assert "wrong-sentinel-5" not in page.text()
    assert panel._held == {}


def test_enter_in_the_secret_field_logs_in(page: Any, account: dict[str, str], wait: Wait) -> None:
    panel = filled(page, account, password="")
    password = panel.form.secrets["password"]
    page.say(password, {"kind": "submit", "view": "v1", "value": account["password"]})
    settled(wait, panel, "logged_in")


def test_enter_in_a_text_field_logs_in(page: Any, account: dict[str, str], wait: Wait) -> None:
    panel = filled(page, account)
    page.say(panel.form.inputs["username"], {"event": "submit"})
    settled(wait, panel, "logged_in")


def test_the_second_factor_asks_for_its_code_only(
    page: Any, running: Any, account: dict[str, str], wait: Wait
) -> None:
    user = running.info()["cumulocity"]["users"]["totp"]
    panel = filled(page, account, username=user["username"], password=user["password"])
    panel.login.click()
    settled(wait, panel)
    assert panel.state == "second_factor"
    assert panel.form.shown == ["tfa_code"]
    page.type(panel.form.secrets["tfa_code"], code_now(user["totp_secret"]))
    panel.login.click()
    settled(wait, panel, "logged_in")
    assert panel.client.user == "totp"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9", "refuses connections"),
        ("https://no-such-host.invalid", "no server of the name"),
    ],
)
def test_unreachable_hosts_are_told_apart(
    page: Any, account: dict[str, str], wait: Wait, address: str, words: str
) -> None:
    panel = filled(page, account, base_url=address)
    panel.login.click()
    settled(wait, panel)
    assert panel.state == "unreachable"
    assert words in panel.status.text
    assert "sandbox" in panel.status.text
    assert "kept for the next try" in panel.form.secrets["password"].placeholder


def test_a_certificate_that_is_not_trusted(page: Any, account: dict[str, str], wait: Wait) -> None:
    with iotnb.sandbox.start("cumulocity", tls=True, devices=3, seed=9) as safe:
        fields = dict(safe["cumulocity"].connect)
        ca_file = fields.pop("ca_file", None) or safe.info()["cumulocity"]["ca_file"]
        panel = filled(page, fields)
        panel.login.click()
        settled(wait, panel)
        assert panel.state == "unreachable"
        assert "CA file" in panel.status.text
        panel.ca_file.value = ca_file
        page.type(panel.form.secrets["password"], fields["password"])
        panel.login.click()
        settled(wait, panel, "logged_in")
        panel.leave()


def test_switching_the_check_off_is_always_visible(page: Any) -> None:
    panel = LoginPanel("cumulocity")
    panel.verify.value = False
    assert "not checked" in panel.warning.value
    assert panel.warning.layout.display is None
    assert panel.code().endswith("verify=False)")


def test_cancel_drops_a_late_success(page: Any, account: dict[str, str], running: Any, wait: Wait) -> None:
    running.faults.set("cumulocity", latency=0.4)
    panel = filled(page, account)
    panel.login.click()
    time.sleep(0.5)
    panel.cancel.click()
    assert panel.state == "cancelled"
    time.sleep(2.5)
    assert panel.state == "cancelled"
    with pytest.raises(ConfigError, match="nobody is logged in"):
        _ = panel.client


def test_a_rate_limit_counts_down_and_keeps_the_secret(
    page: Any, account: dict[str, str], running: Any, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = iotnb.connect
    monkeypatch.setattr(iotnb, "connect", lambda *args, **more: real(*args, **{**more, "retries": 0}))
    running.faults.set("cumulocity", rate_limit=0.001, retry_after="seconds")
    panel = filled(page, account)
    panel.login.click()
    settled(wait, panel)
    if panel.state == "logged_in":  # the first request is within the rate
        pytest.fail("the sandbox did not limit the rate")
    assert panel.state == "rate_limited"
    panel.tick()
    assert panel.status.note.startswith("in ")
    running.faults.clear()
    panel.login.click()
    settled(wait, panel, "logged_in")


@pytest.mark.parametrize("platform", iotnb.platform_names())
def test_the_sandbox_needs_no_typing(wait: Wait, platform: str) -> None:
    panel = LoginPanel(platform, sandbox=True)
    assert panel._slot.children == ()
    panel.login.click()
    settled(wait, panel, "logged_in")
    assert panel.code() == f"client = iotnb.connect('{platform}', sandbox=True)"
    panel.client.logout()


@pytest.mark.parametrize("platform", iotnb.platform_names())
def test_the_form_of_each_platform_logs_in(page: Any, running: Any, wait: Wait, platform: str) -> None:
    panel = filled(page, running[platform].connect, platform)
    panel.login.click()
    settled(wait, panel, "logged_in")
    assert panel.client.platform == platform
    assert len(panel.client.devices()) > 0
    panel.client.logout()


def test_without_a_name_the_first_platform_is_shown_and_each_can_be_chosen() -> None:
    panel = LoginPanel()
    assert panel.name == "cumulocity"
    for name in iotnb.platform_names():
        panel.platform.value = name
        fields = {field.name for field in iotnb.platform_class(name).FIELDS}
        assert {*panel.form.inputs, *panel.form.secrets} <= fields | {"ca_file"}
        assert set(panel.form.shown) <= fields


def test_expiry_by_the_clock_then_renewal(page: Any, account: dict[str, str], wait: Wait) -> None:
    moment = [datetime.now(UTC)]
    panel = LoginPanel("cumulocity", sandbox=True, clock=lambda: moment[0])
    panel.login.click()
    settled(wait, panel, "logged_in")
    moment[0] += timedelta(days=400)
    panel.tick()
    assert panel.state == "renewing"
    moment[0] = datetime.now(UTC)
    panel.tick()
    assert panel.state == "logged_in"
    panel.client.logout()
    panel.tick()
    assert panel.state == "logged_out"


def test_a_given_token_expires_for_good(page: Any, account: dict[str, str], wait: Wait) -> None:
    first = iotnb.connect("cumulocity", **account)
    token = first.session.auth.token.value.reveal()  # type: ignore[attr-defined]
    moment = [datetime.now(UTC)]
    panel = LoginPanel("cumulocity", clock=lambda: moment[0], base_url=account["base_url"])
    panel.form.method.value = "token"
    assert panel.form.shown[:2] == ["base_url", "token"] or "token" in panel.form.shown
    page.type(panel.form.secrets["token"], token)
    panel.login.click()
    settled(wait, panel, "logged_in")
    assert token not in page.text()
    moment[0] += timedelta(days=400)
    panel.tick()
    assert panel.state == "expired"
    assert "log in again" in panel.status.text
    first.logout()


def test_known_values_name_their_source_and_secrets_stay_unknown(
    page: Any, account: dict[str, str], monkeypatch: pytest.MonkeyPatch, wait: Wait
) -> None:
    monkeypatch.setenv("C8Y_BASEURL", account["base_url"])
    monkeypatch.setenv("C8Y_USER", account["username"])
    monkeypatch.setenv("C8Y_PASSWORD", account["password"])
    panel = LoginPanel("cumulocity")
    assert "environment C8Y_USER" in panel.form.hints["username"].value
    assert "environment C8Y_PASSWORD" in panel.form.secrets["password"].hint
    assert account["password"] not in page.text() + panel.sent.value
    panel.login.click()
    settled(wait, panel, "logged_in")
    assert panel.client.sources["username"] == "environment C8Y_USER"


def test_running_the_cell_again_keeps_what_was_typed(page: Any, account: dict[str, str]) -> None:
    filled(page, account).close()
    again = LoginPanel("cumulocity")
    assert again.form.inputs["base_url"].value == account["base_url"]
    assert again.form.inputs["username"].value == account["username"]
    assert account["password"] not in page.text()


def test_a_profile_is_saved_without_secrets_and_loaded(page: Any, account: dict[str, str]) -> None:
    panel = filled(page, account)
    panel.save_name.value = "plant-a"
    panel.save.click()
    assert "plant-a" in panel.profile.options
    stored = profiles.load("plant-a")
    assert stored.values["base_url"] == account["base_url"]
    assert account["password"] not in repr(stored)
    other = LoginPanel(profile="plant-a")
    assert other.form.inputs["username"].value == account["username"]
    assert "profile plant-a" in other.form.hints["username"].value
    panel.save_name.value = "not/a/name"
    panel.save.click()
    assert "no name for a profile" in panel.status.text


def test_addresses_are_checked_while_typing(page: Any) -> None:
    panel = LoginPanel("cumulocity")
    address, hint = panel.form.inputs["base_url"], panel.form.hints["base_url"]
    address.value = "ftp://t1.example"
    assert "no web address" in hint.value
    address.value = "http://t1.example"
    assert "unencrypted" in hint.value
    address.value = "t1.example"
    assert "https://" in hint.value
    address.value = "http://127.0.0.1:8000"
    assert "unencrypted" not in hint.value


def test_values_in_a_form_are_escaped(page: Any) -> None:
    panel = LoginPanel("cumulocity", base_url="<img src=x onerror=alert(1)>")
    assert "<img" not in panel.sent.value
    assert "&lt;img" in panel.sent.value


def test_the_client_before_the_login_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"press Log in in the panel.*iotnb\.connect"):
        _ = LoginPanel("cumulocity").client


def test_awaiting_gives_the_client(page: Any, account: dict[str, str]) -> None:
    panel = filled(page, account)

    async def flow() -> Any:
        panel.login.click()
        return await panel

    assert asyncio.run(flow()).user == account["username"]


def test_awaiting_a_panel_that_nobody_sees_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iotnb.widgets.login.UNSEEN", 0.2)
    with pytest.raises(ConfigError, match="IOTNB_CUMULOCITY_PASSWORD"):
        asyncio.run(LoginPanel("cumulocity").ready())
    with pytest.raises(TimeoutError, match=r"0\.1 s"):
        asyncio.run(LoginPanel("cumulocity").ready(0.1))


def test_bad_arguments() -> None:
    with pytest.raises(ConfigError, match="use one of"):
        LoginPanel("nonsense")
    with pytest.raises(ConfigError, match="is a secret"):
        LoginPanel("cumulocity", password="literal")
    with pytest.raises(ConfigError, match="no field 'usr'"):
        LoginPanel("cumulocity", usr="x")
    with pytest.raises(ConfigError, match="no profile"):
        LoginPanel(profile="missing")


def test_every_platform_has_a_form() -> None:
    for name in iotnb.platform_names():
        panel = LoginPanel(name)
        for method in panel.form.methods:
            panel.form.method.value = method.name
            assert set(method.needs) <= set(panel.form.active)
        panel.close()


def test_the_face_shows_no_values(page: Any, account: dict[str, str]) -> None:
    bundle = filled(page, account)._repr_mimebundle_()
    face = bundle["text/plain"] + bundle["text/html"]
    assert "Cumulocity: Logged out" in face
    assert account["base_url"] not in face
    assert account["username"] not in face
