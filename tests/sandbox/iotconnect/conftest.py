"""A running IoTConnect sandbox whose clock stands still, and people who speak plain HTTP to it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import requests

import iotnb.sandbox.iotconnect as platform
from iotnb import sandbox

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_781_700_000_000  # a Wednesday in June 2026
PREFIX = {"v1.1": "v1.1", "az": "v2", "aws": "v2.1"}
ADMIN, INSPECTOR = "jo@example.com", "kim@example.com"


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(ms: int) -> str:
    """A time as the telemetry path wants it."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class Person:
    """Somebody who is logged in: `person("GET", path, edition=..., name=value)`."""

    def __init__(self, site: "Site", token: str, answer: dict[str, Any]) -> None:
        self.site, self.token, self.answer = site, token, answer

    def __call__(
        self, method: str, path: str, body: Any = None, *, edition: str = "az", **query: Any
    ) -> requests.Response:
        url = f"{self.site.base}/api/{PREFIX[edition]}{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.site.http.request(method, url, json=body, params=query, headers=headers, timeout=20)

    def data(self, path: str, **more: Any) -> Any:
        """`data` of a GET that must succeed; [] for 204."""
        answer = self("GET", path, **more)
        if answer.status_code == 204:
            assert answer.content == b""
            return []
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()["data"]

    def one(self, path: str, **more: Any) -> Any:
        """The single object of a GET that must succeed."""
        (found,) = self.data(path, **more)
        return found

    def do(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """`data` of a call that must succeed."""
        answer = self(method, path, body, **more)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()["data"]

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, set[str]]:
        """Status and names of the parameters of a call that must fail, its body in the usual shape."""
        answer = self(method, path, body, **more)
        found = answer.json()
        assert found["status"] == answer.status_code >= 400, answer.text
        assert isinstance(found["message"], str)
        assert all(isinstance(one["message"], str) for one in found["error"])
        return answer.status_code, {one["param"] for one in found["error"]}

    def devices(self, **query: Any) -> dict[str, Any]:
        """Own id to row of every device."""
        rows = self.data("/Device", pageSize=-1, pageNumber=-1, **query)
        return {row["uniqueId"]: row for row in rows}

    def history(self, unique: str, start: int, end: int, *, edition: str = "az", **query: Any) -> list[Any]:
        """The feed of a window by path, every page of it."""
        device = f"/Telemetry/attribute-history/device/{quote(unique, safe='')}"
        path = f"{device}/from/{moment(start)}/to/{moment(end)}"
        items: list[Any] = []
        while True:
            answer = self("GET", path, edition=edition, **query)
            if answer.status_code == 204:
                return items
            assert answer.status_code == 200, answer.text
            found = answer.json()["data"]
            assert found["count"] == len(found["feed"])
            items += found["feed"]
            if not found["continuationToken"]:
                return items
            query["continuationToken"] = found["continuationToken"]


class Site:
    """A sandbox with what its tests ask of it."""

    def __init__(self, running: sandbox.Sandbox) -> None:
        self.running = running
        self.service = running["iotconnect"]
        self.base = self.service.base_url
        self.world = running.world("iotconnect")
        self.http = requests.Session()
        self.http.trust_env = False
        self.info = self.service.info()
        self.key = self.info["connect"]["solution_key"]
        self._people: dict[str, Person] = {}

    @property
    def fleet(self) -> Any:
        return self.running.fleet

    @property
    def clock(self) -> Any:
        return self.running.clock

    @property
    def switches(self) -> dict[str, Any]:
        return self.world.switches

    def discover(self, key: str | None = None, env: str = "poc", **query: Any) -> requests.Response:
        url = f"{self.base}/api/uisdk/solutionkey/{self.key if key is None else key}/env/{env}"
        return self.http.get(url, params=query, timeout=10)

    def basic(self) -> str:
        return str(self.http.get(f"{self.base}/api/v2/Auth/basic-token", timeout=10).json()["data"])

    def log_in(
        self, body: Any = None, *, edition: str = "az", path: str = "/Auth/login", **headers: Any
    ) -> Any:
        """The answer to a log-in; headers by name with _ for -, None leaves one out."""
        if body is None:
            body = {"username": ADMIN, "password": self.info["users"][ADMIN]["password"]}
        sent = {"Authorization": "Basic " + self.basic(), "solution-key": self.key}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.base}/api/{PREFIX[edition]}{path}"
        return self.http.post(
            url, json=body, headers={n: v for n, v in sent.items() if v is not None}, timeout=10
        )

    def person(self, email: str = ADMIN) -> Person:
        """Somebody who has logged in just now."""
        answer = self.log_in({"username": email, "password": self.info["users"][email]["password"]}).json()
        return Person(self, answer["access_token"], answer)

    def member(self, email: str = ADMIN) -> Person:
        """Somebody who stays logged in for a module."""
        if email not in self._people or self._people[email]("GET", "/Auth/verify-token").status_code != 200:
            self._people[email] = self.person(email)
        return self._people[email]

    def index(self, kind: str, *, online: bool | None = None) -> int:
        """The first fleet device of a kind (that is on line now or not)."""
        fleet, now = self.fleet, self.clock.now()
        return next(
            i for i in range(len(fleet)) if fleet.kind(i) == kind and online in (None, fleet.online(i, now))
        )

    def close(self) -> None:
        self.http.close()


def start(**options: Any) -> sandbox.Sandbox:
    switches = {"iotconnect": options.pop("switches", {})}
    options.setdefault("clock", sandbox.Clock(NOW, frozen=True))
    return sandbox.start({"iotconnect": platform}, switches=switches, **options)


@pytest.fixture(scope="session")
def shared() -> Iterator[Site]:
    """One sandbox for all tests; each finds it as it was at the start."""
    with start(seed=7, devices=34, days=16) as running:
        site = Site(running)
        yield site
        site.close()
        running.raise_errors()


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    yield shared
    shared.running.faults.clear()
    shared.switches.clear()
    shared.clock.set(NOW)
    if shared.world.store.version != getattr(shared, "version", None):
        shared.running.reset()
        shared.version = shared.world.store.version  # type: ignore[attr-defined]
    shared.running.raise_errors()


@pytest.fixture
def admin(site: Site) -> Person:
    return site.member()


@pytest.fixture
def make() -> Iterator[Callable[..., Site]]:
    """Starts sandboxes with options of their own."""
    made: list[Site] = []

    def begin(**options: Any) -> Site:
        made.append(Site(start(**options)))
        return made[-1]

    yield begin
    for one in made:
        one.close()
        one.running.raise_errors()
        one.running.stop()


@pytest.fixture(scope="session")
def helpers() -> SimpleNamespace:
    """What the tests of this folder share."""
    return SimpleNamespace(
        iso=iso,
        moment=moment,
        ms_of=ms_of,
        NOW=NOW,
        ADMIN=ADMIN,
        INSPECTOR=INSPECTOR,
        PREFIX=PREFIX,
        json=json,
    )
