"""The login panel's rarer states and parts: keyring, renewal, steps, codes, scopes; against the sandbox."""

import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import keyring
import keyring.backend
import keyring.backends.fail
import pytest
from forms import filled, settled

import iotnb
from iotnb import profiles
from iotnb.widgets import LoginPanel
from iotnb.widgets.loginview import linked

Wait = Callable[..., None]


class Chest(keyring.backend.KeyringBackend):  # type: ignore[misc]
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def chest() -> Iterator[Chest]:
    before, made = keyring.get_keyring(), Chest()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def no_chest() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def test_the_empty_form_waits_for_no_heavy_library() -> None:
    code = "import sys, iotnb; iotnb.login(); print({'pandas', 'pyarrow', 'matplotlib'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


class TestKeyring:
    def test_a_profile_with_its_secrets_logs_in_without_typing(
        self, page: Any, account: dict[str, str], chest: Chest, wait: Wait
    ) -> None:
        panel = filled(page, account)
        panel.options.value = True
        wait(lambda: "By " in panel.keyring.value)
        panel.save_name.value, panel.keep.value = "plant-a", True
        panel.save.click()
        wait(lambda: "in the keyring: Password" in panel.note.value)
        assert chest.entries == {("iotnb", "cumulocity@plant-a/password"): account["password"]}
        assert account["password"] not in repr(profiles.load("plant-a"))
        assert panel.chosen_profile == "plant-a"
        assert account["password"] not in page.text()
        other = LoginPanel(profile="plant-a")
        assert "keyring" in other.form.secrets["password"].hint
        other.login.click()
        settled(wait, other, "logged_in")
        other.client.logout()

    def test_kept_secrets_can_be_forgotten(
        self, page: Any, account: dict[str, str], chest: Chest, wait: Wait
    ) -> None:
        chest.entries["iotnb", "cumulocity/password"] = account["password"]
        panel = LoginPanel("cumulocity")
        assert panel.forget.layout.display is None
        panel.forget.click()
        wait(lambda: "Forgotten: Password" in panel.note.value)
        assert chest.entries == {}
        assert panel.forget.layout.display == "none"

    def test_without_a_keyring_it_says_so_and_stores_no_secret(
        self, page: Any, account: dict[str, str], no_chest: None, wait: Wait
    ) -> None:
        panel = filled(page, account)
        assert panel.forget.layout.display == "none"
        panel.options.value = True
        wait(lambda: "No keyring here: this machine offers no keyring backend." in panel.keyring.value)
        assert panel.keep.disabled
        panel.save_name.value, panel.keep.value = "plant-b", True  # as a page that lags might send it
        panel.save.click()
        wait(lambda: "keyring is not available" in panel.status.text)
        assert account["password"] not in profiles.folder().joinpath("plant-b.toml").read_text()


SECRETS = [
    ("cumulocity", "password", "user or password was"),
    ("tiothub", "client_secret", "client ID or client secret was"),
    ("iotcentral", "client_secret", "client secret was"),
    ("wso2", "password", "user or password was"),
    ("iotconnect", "solution_key", "Solution key was"),
    ("iotconnect", "password", "password"),
]


@pytest.mark.parametrize(("platform", "name", "words"), SECRETS)
def test_wrong_credentials_and_which(
    page: Any, running: Any, wait: Wait, platform: str, name: str, words: str
) -> None:
    panel = filled(page, running[platform].connect, platform, **{name: "wrong-sentinel-77" * 2})
    panel.login.click()
    settled(wait, panel)
    assert panel.state == "refused"
    assert words in panel.status.text.splitlines()[0]
    field = panel.form.secrets[name]
    wait(lambda: field.invalid)
    assert "was not accepted" in field.hint
    secrets = [each for each in panel.form.secrets.values() if each.invalid]
    wait(lambda: any({"do": "focus"} in page.messages(each) for each in secrets))
    assert "wrong-sentinel-77" not in page.text()


class TestWayThere:
    def test_a_proxy_that_is_not_there(
        self, page: Any, account: dict[str, str], wait: Wait, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        panel = filled(page, account, base_url="https://no-such-host.invalid")
        panel.login.click()
        settled(wait, panel)
        assert panel.state == "unreachable"
        assert "proxy" in panel.status.text
        assert "HTTPS_PROXY" in panel.status.text

    def test_a_server_that_never_answers(
        self, page: Any, account: dict[str, str], wait: Wait, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = iotnb.connect
        monkeypatch.setattr(
            iotnb, "connect", lambda *args, **more: real(*args, **{**more, "timeout": 0.3, "retries": 0})
        )
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)
            panel = filled(page, account, base_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
            panel.login.click()
            settled(wait, panel)
        assert panel.state == "unreachable"
        assert "not answer in time" in panel.status.text

    def test_each_request_is_a_step_and_cancel_ends_them(
        self, page: Any, account: dict[str, str], running: Any, wait: Wait
    ) -> None:
        running.faults.set("cumulocity", latency=0.3)
        panel = filled(page, account)
        panel.login.click()
        wait(lambda: "Request 2: POST /tenant/oauth/token" in panel.status.text)
        panel.cancel.click()
        time.sleep(0.8)
        assert panel.state == "cancelled"
        assert panel.status.text == "Nobody is logged in."
        before = len(running.requests())
        time.sleep(0.5)
        assert len(running.requests()) == before
        running.faults.clear()


class TestRenewal:
    def test_the_chip_says_renewing_while_a_token_is_fetched(
        self, page: Any, account: dict[str, str], running: Any, wait: Wait
    ) -> None:
        panel = LoginPanel("cumulocity", sandbox=True)
        panel.login.click()
        settled(wait, panel, "logged_in")
        with panel.client.session.auth._lock:  # type: ignore[attr-defined]
            panel.tick()
            assert panel.state == "renewing"
        panel.tick()
        assert panel.state == "logged_in"
        panel.client.logout()

    def test_a_renewal_that_failed_is_an_expired_login(
        self, page: Any, account: dict[str, str], running: Any, wait: Wait
    ) -> None:
        panel = filled(page, account)
        panel.login.click()
        settled(wait, panel, "logged_in")
        client = panel.client
        client.session.auth._password = None  # type: ignore[attr-defined]
        client.session.auth._failure = iotnb.errors.Unauthorized(401, "POST", "/token", "password changed")  # type: ignore[attr-defined]
        panel.tick()
        assert panel.state == "expired"
        assert "password changed" in panel.status.text
        assert panel.login.layout.display is None
        client.logout()


class TestDeviceCode:
    @pytest.fixture
    def central(self) -> Iterator[Any]:
        with iotnb.sandbox.start(
            "iotcentral", devices=3, switches={"iotcentral": {"approve_after": None}}
        ) as own:
            yield own

    def asking(self, page: Any, central: Any, wait: Wait) -> LoginPanel:
        fields = dict(central["iotcentral"].connect)
        panel = LoginPanel("iotcentral")
        page.open(panel._guard)
        panel.form.method.value = "device_code"
        for name, value in fields.items():
            if name in panel.form.inputs:
                panel.form.inputs[name].value = value
        panel.login.click()
        wait(lambda: "enter the code" in panel.todo.value)
        return panel

    def test_the_panel_shows_page_and_code_once_and_logs_in(
        self, page: Any, central: Any, wait: Wait
    ) -> None:
        panel = self.asking(page, central, wait)
        shown = panel.todo.value
        (address,) = re.findall(r'href="([^"]+)" target="_blank"', shown)
        code = re.search(r"[A-Z0-9]{4}-[A-Z0-9]{4}", shown)
        assert code is not None
        panel.tick()
        assert panel.todo.value == shown
        answer = urllib.parse.urlencode({"user_code": code[0]}).encode()
        urllib.request.urlopen(address, data=answer).close()
        settled(wait, panel, "logged_in")
        assert panel.todo.value == ""
        panel.client.logout()

    def test_cancel_ends_the_polling(self, page: Any, central: Any, wait: Wait) -> None:
        panel = self.asking(page, central, wait)
        panel.cancel.click()
        assert (panel.state, panel.todo.value) == ("cancelled", "")
        time.sleep(1.2)
        before = len(central.requests())
        time.sleep(1.2)
        assert len(central.requests()) == before


def test_addresses_in_a_message_become_links_and_the_rest_stays_text() -> None:
    made = linked("Open <b>https://sign.in/x?a=1&b=2, then javascript:alert(1).")
    assert '<a href="https://sign.in/x?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">' in made
    assert "&lt;b&gt;" in made
    assert made.count("<a ") == 1


class TestScopes:
    def test_what_is_chosen_is_asked_for_and_what_came_is_shown(
        self, page: Any, running: Any, wait: Wait
    ) -> None:
        user = running.info()["wso2"]["users"]["user111"]
        panel = filled(page, {**running["wso2"].connect, **user}, "wso2")
        field = panel.form.inputs["scopes"]
        page.say(field, {"kind": "take", "name": "explore"})
        page.say(field, {"kind": "set", "names": ["perm:admin-users:view"], "on": True})
        assert "'explore perm:admin-users:view'" in panel.code()
        panel.login.click()
        settled(wait, panel, "logged_in")
        wait(lambda: panel.granted is not None)
        page.say(panel.granted, {"kind": "open", "view": "v1"})
        (report,) = page.messages(panel.granted)
        marks = {name: mark for name, mark, _ in report["rows"]}
        assert marks["perm:devices:view"] == "granted"
        assert marks["perm:admin-users:view"] == "dropped"
        assert report["rows"][0][2].startswith("blocks ")
        panel.logout.click()
        wait(lambda: panel.granted is None)

    def test_platforms_without_scopes_show_none(self, page: Any, account: dict[str, str], wait: Wait) -> None:
        panel = filled(page, account)
        panel.login.click()
        settled(wait, panel, "logged_in")
        assert panel.granted is None
        assert panel.client.scopes is None
        panel.client.logout()
