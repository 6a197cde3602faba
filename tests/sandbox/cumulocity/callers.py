"""Users of a running Cumulocity sandbox who speak plain HTTP to it."""

from collections.abc import Mapping
from typing import Any

import requests

from iotnb import sandbox

VENDOR = "application/vnd.com.nsn.cumulocity."
NOON = 1_767_268_800_000  # 1 January 2026, 12:00 UTC
DEVICE = "100001"  # the first climate sensor of the fleet
GATEWAY = "100000"


class Api:
    """One user of the sandbox; every call says which status it expects."""

    def __init__(
        self, base: str, user: tuple[str, str] | None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.base = base
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.auth = user
        self.http.headers.update({"Accept": "application/json", **(headers or {})})

    def __call__(self, method: str, path: str, status: int = 200, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self.base + path
        headers = dict(options.pop("headers", {}))
        answer = self.http.request(method, url, headers=headers, timeout=30, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        return answer

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        answer = self("GET", path, status, params=params or None)
        return answer.json()

    def post(self, path: str, body: Any, status: int = 201, **headers: str) -> Any:
        answer = self("POST", path, status, json=body, headers=headers)
        return answer.json() if answer.content else None

    def put(self, path: str, body: Any, status: int = 200, **headers: str) -> Any:
        answer = self("PUT", path, status, json=body, headers=headers)
        return answer.json() if answer.content else None

    def delete(self, path: str, status: int = 204, **params: Any) -> None:
        self("DELETE", path, status, params=params or None)

    def device(self, name: str = "probe", **fragments: Any) -> str:
        """A new device of one's own; gives its id."""
        body = {"name": name, "type": "c8y_Probe", "c8y_IsDevice": {}, "com_cumulocity_model_Agent": {}}
        made: str = self.post("/inventory/managedObjects", {**body, **fragments})["id"]
        return made

    def pages(self, path: str, key: str, **params: Any) -> list[Any]:
        """Every item, by following next to the first empty page."""
        page = self.get(path, **params)
        found: list[Any] = []
        while page[key]:
            found += page[key]
            page = self.get(page["next"])
        return found


class World:
    """A sandbox with everything that a test may want to turn."""

    def __init__(self, running: sandbox.Sandbox) -> None:
        self.sandbox = running
        self.info = running.info()["cumulocity"]
        self.base: str = self.info["base_url"]
        self.fleet = running.fleet
        self.made: list[Api] = []

    def user(self, name: str, **headers: str) -> Api:
        held = self.info["bootstrap"] if name == "bootstrap" else self.info["users"][name]
        return self.login(f"{held['tenant']}/{held['username']}", held["password"], **headers)

    def login(self, name: str, password: str, **headers: str) -> Api:
        self.made.append(Api(self.base, (name, password), headers))
        return self.made[-1]

    def anybody(self) -> Api:
        self.made.append(Api(self.base, None))
        return self.made[-1]

    def switch(self, **values: Any) -> None:
        self.sandbox.world("cumulocity").switches.update(values)

    def close(self) -> None:
        for one in self.made:
            one.http.close()
