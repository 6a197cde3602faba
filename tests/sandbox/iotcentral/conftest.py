"""A running IoT Central sandbox, and callers that speak plain HTTP to it."""

import base64
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

import iotnb.sandbox.iotcentral as platform
from iotnb import sandbox

GA, PREVIEW, ARM = "2022-07-31", "2022-10-31-preview", "2021-06-01"
PHONE = "dtmi:azureiot:PhoneAsADevice;2"
SENSOR, GATEWAY, PUMP = (f"dtmi:iotnb:plant:{name};1" for name in ("ClimateSensor", "Gateway", "Pump"))


class Answer(SimpleNamespace):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, which must be in the header too."""
        found = self.json["error"]
        assert self.headers["x-ms-error-code"] == found["code"]
        assert found["message"]
        return str(found["code"])


class Caller:
    """Sends requests with one credential; every call on a keep-alive connection of its own."""

    def __init__(self, base: str, token: str = "", version: str = GA, prefix: str = "/api") -> None:
        parts = urlsplit(base)
        self.base, self.token, self.version, self.prefix = base, token, version, prefix
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        version: str | None = None,
        **query: Any,
    ) -> Answer:
        """path below the prefix; a whole URL (a next link) is taken as it is."""
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", self.token)
        if body is not None and not isinstance(body, bytes | str):
            body = json.dumps(body)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        if path.startswith("http"):
            parts = urlsplit(path)
            target = f"{parts.path}?{parts.query}"
        else:
            chosen = self.version if version is None else version
            pairs = ({"api-version": chosen} if chosen else {}) | query
            target = self.prefix + path + (("&" if "?" in path else "?") + urlencode(pairs) if pairs else "")
        self.connection.request(method, target, body, sent)
        answer = self.connection.getresponse()
        return Answer(status=answer.status, headers=answer.headers, body=answer.read())

    def get(self, path: str, **more: Any) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self("GET", path, **more)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json

    def put(self, path: str, body: Any, **more: Any) -> Any:
        """The JSON of a PUT that must succeed."""
        answer = self("PUT", path, body, **more)
        assert answer.status in (200, 201), (answer.status, answer.body)
        return answer.json

    def all(self, path: str, **more: Any) -> list[Any]:
        """Every row of a list, by next links."""
        found = self.get(path, **more)
        rows = list(found["value"])
        while "nextLink" in found:
            found = self.get(found["nextLink"])
            rows += found["value"]
        return rows

    def query(self, text: str) -> list[dict[str, Any]]:
        """The rows of a query that must succeed."""
        answer = self("POST", "/query", {"query": text}, version=PREVIEW)
        assert answer.status == 200, answer.body
        found: list[dict[str, Any]] = answer.json["results"]
        return found

    def refused(self, text: str) -> str:
        """The words with which a query is refused."""
        answer = self("POST", "/query", {"query": text}, version=PREVIEW)
        assert (answer.status, answer.code) == (400, "InvalidQuery")
        return str(answer.json["error"]["message"])


class Rig:
    """A sandbox of its own clock with callers for every role."""

    def __init__(self, running: sandbox.Sandbox) -> None:
        self.running = running
        self.world = running.world("iotcentral")
        self.base = running["iotcentral"].base_url
        self.info = running["iotcentral"].info()
        self._made: list[Caller] = []

    @property
    def fleet(self) -> Any:
        return self.running.fleet

    @property
    def clock(self) -> Any:
        return self.running.clock

    def caller(self, token: str = "", **more: Any) -> Caller:
        made = Caller(self.base, token, **more)
        self._made.append(made)
        return made

    def role(self, name: str = "administrator", **more: Any) -> Caller:
        return self.caller(self.info["api_tokens"][f"sandbox-{name}"], **more)

    def arm(self, prefix: str = "") -> Caller:
        subscription = f"/subscriptions/{self.info['connect']['subscription']}"
        token = f"Bearer {self.info['management_bearer']}"
        return self.caller(token, version=ARM, prefix=subscription + prefix)

    def close(self) -> None:
        for one in self._made:
            one.connection.close()


def sas(resource: str, key: str, *, skn: str = "", expires: int | None = None, raw: bool = False) -> str:
    """A device's signature, over the resource as it stands."""
    sr = resource if raw else quote(resource, safe="")
    se = int(time.time()) + 3600 if expires is None else expires
    made = hmac.new(base64.b64decode(key), f"{sr}\n{se}".encode(), hashlib.sha256).digest()
    text = f"SharedAccessSignature sr={sr}&sig={quote(base64.b64encode(made).decode(), safe='')}&se={se}"
    return text + (f"&skn={skn}" if skn else "")


class Phone:
    """A device that speaks HTTPS to provisioning and hub."""

    def __init__(self, rig: Rig, name: str, scope: str, key: str) -> None:
        self.name, self.scope, self.key = name, scope, key
        self.caller = rig.caller(version="", prefix="")

    def dps(self, method: str, tail: str, body: Any = None, *, raw: bool = False) -> Answer:
        resource = f"{self.scope}/registrations/{self.name}"
        headers = {"Authorization": sas(resource, self.key, skn="registration", raw=raw)}
        path = f"/{resource}{tail}?api-version=2019-03-31"
        return self.caller(method, path, body, headers=headers)

    def register(self, model: str | None = PHONE) -> Any:
        """Register, poll, give the final answer."""
        payload = {"payload": {"modelId": model}} if model else {}
        started = self.dps("PUT", "/register", {"registrationId": self.name, **payload})
        assert started.status == 202, started.body
        assert started.json["status"] == "assigning"
        for _ in range(100):
            found = self.dps("GET", f"/operations/{started.json['operationId']}", {}, raw=True)
            assert found.status == 200
            if found.json["status"] == "assigned":
                self.hub = found.json["registrationState"]["assignedHub"]
                return found.json
            time.sleep(0.02)
        raise AssertionError("never assigned")

    def send(self, values: Any, component: str = "sensors", **headers: str) -> Answer:
        signed = sas(f"{self.hub}/devices/{self.name}", self.key)
        sent = {"Authorization": signed, "iothub-contenttype": "application/json", **headers}
        if component:
            sent["iothub-app-$.sub"] = component
        path = f"/devices/{self.name}/messages/events?api-version=2021-04-12"
        return self.caller("POST", path, values, headers=sent)

    def bound(self, method: str = "GET", tail: str = "") -> Answer:
        headers = {"Authorization": sas(f"{self.hub}/devices/{self.name}", self.key)}
        path = f"/devices/{self.name}/messages/devicebound{tail}?api-version=2021-04-12"
        return self.caller(method, path, headers=headers)


def start(**options: Any) -> sandbox.Sandbox:
    switches = {"iotcentral": options.pop("switches", {})}
    return sandbox.start({"iotcentral": platform}, switches=switches, **options)


@pytest.fixture(scope="module")
def shared() -> Iterator[Rig]:
    """One sandbox for a module's tests: they make things of their own names."""
    quick = {"ack_seconds": 0.0, "job_seconds": 0.2, "export_seconds": 0.1, "export_period": 0.2}
    quick |= {"assign_seconds": 0.05, "command_wait": 0.05, "approve_after": 0.1}
    with start(devices=34, days=9, switches=quick) as running:
        rig = Rig(running)
        yield rig
        rig.close()
        running.raise_errors()


@pytest.fixture
def rig(shared: Rig) -> Rig:
    return shared


@pytest.fixture
def admin(rig: Rig) -> Caller:
    return rig.role()


@pytest.fixture
def make() -> Iterator[Callable[..., Rig]]:
    """Starts sandboxes with options of their own."""
    made: list[tuple[sandbox.Sandbox, Rig]] = []

    def begin(**options: Any) -> Rig:
        running = start(**{"devices": 12, "days": 3, **options})
        made.append((running, Rig(running)))
        return made[-1][1]

    yield begin
    for running, rig in made:
        rig.close()
        running.raise_errors()
        running.stop()


@pytest.fixture
def phone(rig: Rig, admin: Caller) -> Callable[..., Phone]:
    """Creates a device over REST and gives its phone."""

    def create(name: str, **members: Any) -> Phone:
        admin.put(f"/devices/{name}", {"displayName": name, **members})
        found = admin.get(f"/devices/{name}/credentials")
        return Phone(rig, name, found["idScope"], found["symmetricKey"]["primaryKey"])

    return create


def until(check: Callable[[], Any], seconds: float = 5.0) -> Any:
    """What a check gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never happened")


@pytest.fixture(scope="session")
def helpers() -> SimpleNamespace:
    """The classes of this file, for modules that start a sandbox of their own."""
    return SimpleNamespace(Rig=Rig, Phone=Phone, Caller=Caller, sas=sas, start=start, until=until)
