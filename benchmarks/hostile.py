"""Rows returned of rows stored under hostile conditions: iotnb beside a loop as notebooks have it.

Every row of the table is one condition on the sandbox, whose fleet says what is stored. A result is all rows,
or a loud error; fewer or more rows without an error are what must never happen.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import common
import pandas as pd
import requests

import iotnb
from iotnb import sandbox
from iotnb.errors import Incomplete, IotnbError

TIMEOUT = 10
DST = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin"))  # a day of 25 hours


@dataclass
class Scene:
    """A running sandbox, a login for the loop, and the devices that are looked at."""

    running: sandbox.Sandbox
    numbers: list[int]
    ids: list[str]
    start: datetime
    until: datetime

    @property
    def base(self) -> str:
        return str(self.running["cumulocity"].base_url)

    def stored(self) -> int:
        """How many values the fleet has of these devices in the window."""
        begin, end = (int(at.timestamp() * 1000) for at in (self.start, self.until))
        fleet = self.running.fleet
        return sum(
            fleet.count(i, group, begin, end) * len(series)
            for i in self.numbers
            for group, series in fleet.groups(i).items()
        )

    def client(self, **options: Any) -> Any:
        return iotnb.connect("cumulocity", **{**self.running["cumulocity"].connect, **options})

    def loop_session(self) -> requests.Session:
        """Logged in once, with a token, as the vendor's document shows it."""
        connect = self.running["cumulocity"].connect
        session = requests.Session()
        answer = session.post(
            f"{self.base}/tenant/oauth?tenant_id={connect['tenant']}",
            data={"grant_type": "PASSWORD", "username": connect["username"], "password": connect["password"]},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        session.headers["X-XSRF-TOKEN"] = session.cookies.get("XSRF-TOKEN") or ""
        return session


def ours(scene: Scene, **options: Any) -> int:
    with scene.client(**options) as client:
        return len(client.measurements(scene.ids, since=scene.start, until=scene.until))


def pages(session: requests.Session, url: str, name: str, **params: Any) -> Iterator[dict[str, Any]]:
    """Page by page until one is empty, which is how the loop knows that it has everything."""
    number = 1
    while True:
        answer = session.get(url, params={"pageSize": 2000, "currentPage": number, **params}, timeout=TIMEOUT)
        found = answer.json()[name]
        if not found:
            return
        yield from found
        number += 1


def values(document: dict[str, Any]) -> int:
    """How many values a measurement holds."""
    return sum(
        isinstance(series, dict) and "value" in series
        for fragment in document.values()
        if isinstance(fragment, dict)
        for series in fragment.values()
    )


def loop(scene: Scene) -> int:
    session = scene.loop_session()
    window = {"dateFrom": scene.start.isoformat(), "dateTo": scene.until.isoformat()}
    url = f"{scene.base}/measurement/measurements"
    return sum(
        values(each)
        for device in scene.ids
        for each in pages(session, url, "measurements", source=device, **window)
    )


def loop_series(scene: Scene) -> int:
    """The document's advice for charts: one request for a device's series."""
    session = scene.loop_session()
    found = 0
    for device in scene.ids:
        window = {"dateFrom": scene.start.isoformat(), "dateTo": scene.until.isoformat()}
        answer = session.get(
            f"{scene.base}/measurement/measurements/series",
            params={"source": device, **window},
            timeout=TIMEOUT,
        ).json()
        found += sum(each is not None for row in answer["values"].values() for each in row)
    return found


def loop_days(scene: Scene) -> int:
    """A request for each day of 24 hours, as one writes it who forgets that days differ."""
    session = scene.loop_session()
    url = f"{scene.base}/measurement/measurements"
    found = 0
    for device in scene.ids:
        at = scene.start
        while at < scene.until:
            window = {
                "dateFrom": at.isoformat(),
                "dateTo": (at.astimezone(UTC) + timedelta(hours=24)).isoformat(),
            }
            found += sum(
                values(each) for each in pages(session, url, "measurements", source=device, **window)
            )
            at = datetime.combine(at.date() + timedelta(days=1), at.timetz())
    return found


def outcome(stored: int, work: Callable[[], int]) -> str:
    """All rows, an error by name, or the words for what is worse."""
    try:
        found = work()
    except Incomplete as error:
        return f"Incomplete, {len(error.gaps)} gaps named"
    except (IotnbError, requests.RequestException, KeyError, ValueError) as error:
        return f"error: {type(error).__name__}"
    if found == stored:
        return f"all {found:,}"
    return f"{found:,} of {stored:,}, {'short' if found < stored else 'doubled'} without a word"


@contextlib.contextmanager
def scene(
    devices: int, *, hours: float, until: datetime | None = None, frozen: bool = True
) -> Iterator[Scene]:
    moment = until or datetime.now(UTC).replace(microsecond=0)
    clock = sandbox.Clock(int(moment.timestamp() * 1000) + 60_000, frozen=frozen)
    with sandbox.start("cumulocity", seed=3, days=int(hours / 24) + 3, devices=12, clock=clock) as running:
        with iotnb.connect("cumulocity", **running["cumulocity"].connect) as client:
            inventory = client.devices()
        by_name = dict(zip(inventory["name"], inventory["device"], strict=True))
        numbers = [1, 2, 3, 4, 5][:devices]
        ids = [by_name[running.fleet[i].name] for i in numbers]
        yield Scene(running, numbers, ids, moment - timedelta(hours=hours), moment)


Result = tuple[str, str, str]


def under(
    condition: str,
    *,
    devices: int = 2,
    hours: float = 48,
    with_loop: Any = loop,
    frozen: bool = True,
    **faults: Any,
) -> Result:
    """One condition that is a fault of the sandbox, from the first request on."""
    with scene(devices, hours=hours, frozen=frozen) as found:
        stored = found.stored()
        found.running.faults.set("cumulocity", **faults)
        mine = outcome(stored, lambda: ours(found))
        found.running.faults.set("cumulocity", **faults)
        theirs = outcome(stored, lambda: with_loop(found))
    return condition, mine, theirs


def restricted() -> Result:
    """A user who may see a small part of the inventory, far behind: whole pages of the list are empty."""
    switches = {"cumulocity": {"scan_budget": 3}}
    with sandbox.start("cumulocity", seed=7, devices=45, days=1, switches=switches) as running:
        connect = running["cumulocity"].connect
        password = "Only-for-this-run-1"
        with iotnb.connect("cumulocity", **connect) as admin:
            last = admin.devices()["device"].sort_values().tail(5)
            site = admin.api.inventory.create({"type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}})["id"]
            admin.api.inventory.add_children(site, last, kind="childAssets")
            user = {"userName": "few", "password": password, "email": "few@example.com"}
            admin.api.users.create(connect["tenant"], user)
            role = {"managedObject": site, "roles": [{"id": 1}]}
            admin.session.post(f"/user/{connect['tenant']}/users/few/roles/inventory", json=role)
        auth = (f"{connect['tenant']}/few", password)

        def mine() -> int:
            with iotnb.connect("cumulocity", **{**connect, "username": "few", "password": password}) as few:
                return len(set(few.devices()["device"]) & set(last))

        def theirs() -> int:
            session = requests.Session()
            session.auth = auth
            url = f"{running['cumulocity'].base_url}/inventory/managedObjects"
            found = pages(session, url, "managedObjects", fragmentType="c8y_IsDevice", pageSize=5)
            return len({each["id"] for each in found} & set(last))

        return "a restricted user's empty pages", outcome(len(last), mine), outcome(len(last), theirs)


def arriving() -> Result:
    """New data comes in while the pages are read, newest first as the server lists them by default."""
    with scene(1, hours=48) as found:
        stored = found.stored()
        ended = threading.Event()

        def go_on() -> None:
            while not ended.wait(0.01):
                found.running.clock.advance(60_000)

        def newest_first(scene: Scene) -> int:
            session = scene.loop_session()
            url = f"{scene.base}/measurement/measurements"
            params = {"source": scene.ids[0], "dateFrom": scene.start.isoformat(), "revert": "true"}
            seen = pages(session, url, "measurements", pageSize=500, **params)
            return sum(values(each) for each in seen if pd.Timestamp(each["time"]) < found.until)

        def watched(work: Callable[[], int]) -> Callable[[], int]:
            def run() -> int:
                ended.clear()
                thread = threading.Thread(target=go_on)
                thread.start()
                try:
                    return work()
                finally:
                    ended.set()
                    thread.join()

            return run

        mine = outcome(stored, watched(lambda: ours(found)))
        return "data arriving while paging", mine, outcome(stored, watched(lambda: newest_first(found)))


def daylight() -> Result:
    """Three days of Berlin's time, the second of which has 25 hours."""
    first, last = DST - timedelta(days=1), DST + timedelta(days=2)
    with scene(2, hours=1, until=last) as found:
        whole = Scene(found.running, found.numbers, found.ids, first, last)
        stored = whole.stored()
        return "a DST change", outcome(stored, lambda: ours(whole)), outcome(stored, lambda: loop_days(whole))


def huge(devices: int) -> Result:
    """An inventory of many devices."""
    with common.server(devices=devices) as server:

        def mine() -> int:
            with common.connect(server.url) as client:
                return len(client.devices())

        def theirs() -> int:
            url = f"{server.url}/inventory/managedObjects"
            return sum(1 for _ in pages(requests.Session(), url, "managedObjects"))

        return f"{devices:,} devices", outcome(devices, mine), outcome(devices, theirs)


def main() -> None:
    options = common.options(__doc__, devices=100_000)
    began = time.perf_counter()
    table = [
        under("more than 5,000 points in a series", hours=120, with_loop=loop_series),
        under("one page answering 503", hours=96, fail_page=2),
        restricted(),
        daylight(),
        under("sparse series with nulls", devices=5, hours=24, with_loop=loop_series),
        under("a 429 burst", rate_limit=6, retry_after="seconds", devices=3, hours=120),
        under(
            "a token that expires every 5 s", token_seconds=5, latency=0.4, hours=120, devices=3, frozen=False
        ),
        under("dropped connections in mid-body", drop_every=3, path="/measurement/"),
        arriving(),
        huge(options.devices),
    ]
    print(f"\nRows returned of rows stored, {time.perf_counter() - began:.0f} s\n")
    print("| condition | iotnb | loop as notebooks have it |\n|---|---|---|")
    for row in table:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
