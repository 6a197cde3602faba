"""A WSO2 sandbox behind plain HTTP calls, the way anybody's client makes them."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from iotnb import sandbox
from iotnb.sandbox import Clock
from iotnb.sandbox import wso2 as module

NOON = 1_795_176_000_000  # 20 November 2026, 12:00 UTC: every run sees the same fleet
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MGT = "/api/device-mgt/v1.0"
ANDROID = "/api/device-mgt/android/v1.0"
EVERYTHING = re.sub(
    r"(\S+)\s*",
    r"perm:\1 ",
    """\
devices:view devices:details devices:update devices:delete devices:search devices:features
devices:applications devices:operations devices:effective-policy devices:compliance-data
devices:change-status admin:devices:view device:enroll device:disenroll device:modify
device:operations device:publish-event device-types:types device-types:features device-types:events
device-types:events:view admin:device-type get-activity notifications:view
notifications:mark-checked groups:groups groups:groups-view groups:count groups:add groups:update
groups:remove groups:share groups:roles groups:device groups:devices groups:devices-count
groups:devices-add groups:devices-remove groups:assign admin-groups:view admin-groups:count
users:details users:count users:roles users:user-details users:search users:is-exist users:add
users:update users:delete users:send-invitation users:credentials admin-users:view roles:view
roles:details roles:permissions roles:add roles:add-users roles:update roles:delete
roles:create-combined-role policies:get-details policies:get-policy-details
policies:effective-policy policies:manage policies:update policies:remove policies:activate
policies:deactivate policies:changes policies:priorities view-configuration manage-configuration
android:view-configuration android:manage-configuration admin:certificates:add
admin:certificates:delete admin:certificates:details admin:certificates:view
admin:certificates:verify geo-service:analytics-view geo-service:alerts-manage android:enroll
android:disenroll android:ring android:mute android:reboot android:location android:info
android:applications android:logcat android:clear-password android:enterprise-wipe
android:unlock-devices android:lock-devices android:wipe android:control-camera
android:send-notification android:configure-wifi android:configure-vpn android:encrypt-storage
android:change-lock-code android:set-password-policy android:set-webclip android:install-application
android:update-application android:uninstall-application android:blacklist-applications
android:upgrade-firmware android:file-transfer""",
).strip()


class Hub:
    """One sandbox, a connection, and a token for everything."""

    def __init__(self, running: sandbox.Sandbox) -> None:
        self.running = running
        self.service = running["wso2"]
        self.base = self.service.base_url
        self.clock = running.clock
        self.fleet = running.fleet
        self.session = requests.Session()
        self._tokens: dict[str, tuple[int, str]] = {}

    def register(
        self, user: str = "admin", name: str = "test", tags: list[str] | None = None
    ) -> tuple[str, str]:
        body = {
            "applicationName": name,
            "tags": ["device_management", "device_agent"] if tags is None else tags,
        }
        answer = self.send("POST", "/api-application-registration/register", json=body, auth=(user, user))
        assert answer.status_code == 201, answer.text
        found = answer.json()
        return found["client_id"], found["client_secret"]

    def ask(self, client: tuple[str, str], **fields: str) -> requests.Response:
        return self.send("POST", "/token", data=fields, auth=client)

    def login(self, client: tuple[str, str], user: str = "admin", scope: str = EVERYTHING) -> dict[str, Any]:
        answer = self.ask(client, grant_type="password", username=user, password=user, scope=scope)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def token(self, user: str = "admin") -> str:
        at, token = self._tokens.get(user, (0, ""))
        if not token or not 0 <= self.clock.now() - at < 3_000_000:
            token = str(self.login(self.register(user), user)["access_token"])
            self._tokens[user] = self.clock.now(), token
        return token

    def forget(self) -> None:
        self._tokens.clear()

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.base + path, timeout=30, **options)

    def __call__(
        self, method: str, path: str, body: Any = None, *, by: str = "admin", **options: Any
    ) -> requests.Response:
        """A call below the device management API, or below the root for a path that begins with /api."""
        headers = {"Authorization": f"Bearer {self.token(by)}", **options.pop("headers", {})}
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            options["data"] = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.send(method, path if path.startswith("/api") else MGT + path, headers=headers, **options)

    def get(self, path: str, *, by: str = "admin", **query: Any) -> Any:
        answer = self("GET", path, by=by, params=query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def switch(self, **changes: Any) -> None:
        answer = self.send("POST", "/.sandbox/switches", json=changes)
        assert answer.status_code == 200, answer.text

    def devices(self, **query: Any) -> list[dict[str, Any]]:
        """All rows of the device list, page by page."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self.get("/devices", limit=100, offset=len(rows), **query)
            rows += page["devices"]
            if len(page["devices"]) < 100:
                assert len(rows) == page["count"]
                return rows


Start = Callable[..., Hub]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts sandboxes and ends them after the module; frozen clock unless told otherwise."""
    made: list[Hub] = []

    def make(**options: Any) -> Hub:
        options = {"devices": 25, "days": 3, "clock": Clock(NOON, frozen=True), **options}
        switches = options.pop("switches", {})
        running = sandbox.start({"wso2": module}, switches={"wso2": switches}, **options)
        made.append(Hub(running))
        return made[-1]

    yield make
    for hub in made:
        hub.session.close()
        hub.running.stop()
    for hub in made:
        hub.running.raise_errors()


@pytest.fixture(scope="module")
def hub(start: Start) -> Hub:
    return start()


@pytest.fixture(scope="module")
def fresh(start: Start) -> Hub:
    return start(switches={"start": "fresh"})
