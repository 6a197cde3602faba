"""A service that takes nothing that is not documented, limits the rate and repeats rows on its pages."""

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from urllib.parse import urlsplit

import numpy as np
import pytest

from iotnb import errors, sandbox, times
from iotnb.platforms.iotcentral import IotCentral, address
from iotnb.sandbox.iotcentral.proxy import Proxy
from iotnb.sandbox.running import Sandbox
from iotnb.session import Settings

HOURS = 3_600_000
Start = Callable[..., tuple[Sandbox, IotCentral]]


@pytest.fixture
def start() -> Iterator[Start]:
    opened: list[Sandbox | IotCentral] = []
    module: ModuleType = import_module("iotnb.sandbox.iotcentral")

    def start(devices: int = 12, **switches: object) -> tuple[Sandbox, IotCentral]:
        running = sandbox.start(
            {"iotcentral": module}, seed=5, devices=devices, days=2, switches={"iotcentral": switches}
        )
        pace = 19 if switches.get("rate") else None  # without one given, a server on this machine has none
        settings = Settings(backoff=0.05, retries=8, timeout=(5, 20), rate=pace)
        client = IotCentral.login(running["iotcentral"].connect, settings=settings)
        opened.extend([client, running])
        return running, client

    yield start
    for each in opened:
        each.close()


def test_every_verb_is_within_what_is_documented(start: Start) -> None:
    running, client = start(strict=True)
    device = client.devices().dropna(subset=["type"])["device"].iloc[0]
    assert len(client.measurements(device, since="2h"))
    assert len(client.measurements([device], since="2h", aggregate="1h"))
    assert len(client.latest(device))
    assert len(client.series(device))
    client.operations(device, since="24h")
    client.events(device, since="24h")
    client.devices(text="Gateway", query="provisioned eq true")
    client.properties(device)
    refused = [each for each in client.exchanges if each.status and each.status >= 400]
    assert not refused, refused[:3]
    assert not running.errors


def test_the_rate_of_queries_is_kept_without_a_refusal(start: Start) -> None:
    _, client = start(rate=True)
    listed = client.devices().dropna(subset=["type"])
    devices = listed.drop_duplicates("type")["device"].tolist()[:3]
    began = time.monotonic()
    client.measurements(devices, since="1h")
    queries = [each for each in client.exchanges if "/api/query" in each.url]
    assert len(queries) == 3
    assert {each.status for each in client.exchanges} == {200}
    assert time.monotonic() - began > len(queries) - 1.2


def test_a_limit_that_the_client_does_not_know_is_waited_for(start: Start) -> None:
    _, client = start(rate=True, retry_after=True)
    client.query_rate(None)
    question = "SELECT TOP 1 $id AS d FROM dtmi:iotnb:plant:Gateway;1"
    assert client.api.query.run(question) == client.api.query.run(question)
    assert [each.status for each in client.exchanges if "/api/query" in each.url] == [200, 429, 200]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # the certificate names this machine
def test_the_service_itself_is_asked_at_its_own_addresses_and_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    module: ModuleType = import_module("iotnb.sandbox.iotcentral")
    with sandbox.start({"iotcentral": module}, tls=True, devices=5, days=2) as running:
        fields = running.info()["iotcentral"]["connect"]
        given = {name: value for name, value in fields.items() if not name.endswith("_url")}
        with Proxy(running["iotcentral"]) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            client = IotCentral.login(
                {**given, "app_url": "plant-explorer"}, settings=Settings(verify=False, retries=0)
            )
            assert client.host == "plant-explorer.azureiotcentral.com"
            assert client.session.settings.rate == 20
            began = time.monotonic()
            for _ in range(2):
                client.api.query.run("SELECT TOP 1 $id AS d FROM dtmi:iotnb:plant:Gateway;1")
            assert time.monotonic() - began > 1.0
            assert client.api.apps.list()
            hosts = {urlsplit(each.url).netloc for each in client.exchanges}
            client.close()
    own = {"plant-explorer.azureiotcentral.com", "management.azure.com"}
    assert own <= hosts <= own | {"login.microsoftonline.com"}


def test_pages_that_overlap_give_every_device_once(start: Start) -> None:
    running, client = start(devices=130, overlap_rows=7)
    frame = client.devices()
    assert frame["device"].is_unique
    assert set(frame["name"]) >= {device.name for device in running.fleet}


def test_a_page_that_leads_back_to_itself_ends_with_an_error(start: Start) -> None:
    _, client = start(devices=130, loop_page=True)
    with pytest.raises(errors.BadAnswer, match="leads back"):
        client.devices()


def test_more_devices_than_a_query_can_name_are_read_together(start: Start) -> None:
    running, client = start(devices=130)
    client.query_rate(None)
    end = running.clock.now() // 1000 * 1000
    begin = end - HOURS
    frame = client.measurements(since=times.from_ms(begin), until=times.from_ms(end))
    names = client.devices().set_index("name")["device"]
    for device in running.fleet:
        expected = 0
        for group, listed in running.fleet.groups(device.index).items():
            at = running.fleet.times(device.index, group, begin, end)
            expected += at.size * sum(series.kind == "number" for series in listed)
        got = frame[(frame["device"] == names[device.name]) & frame["value"].notna()]
        assert len(got) == expected, device.name
    assert np.isfinite(frame["value"].dropna()).all()
    assert not frame.duplicated(["device", "series", "time"]).any()


def test_next_links_are_followed_under_the_name_of_the_application(start: Start) -> None:
    running, client = start(devices=12)
    other = client.enter(running.info()["iotcentral"]["application"]["subdomain"])
    assert len(other.api.devices.list(maxpagesize=5)) == len(client.api.devices.list())
    assert any("skiptoken" in each.url for each in other.exchanges)
    other.close()


def test_after_a_logout_nothing_is_sent(start: Start) -> None:
    _, client = start()
    client.logout()
    for ask in (client.devices, client.api.roles.list, client.api.apps.list):
        with pytest.raises(errors.LoggedOut):
            ask()
    with pytest.raises(errors.ConfigError):
        client.enter("plant-explorer")
    assert "logged out" in repr(client)


def test_an_application_may_be_named_by_its_subdomain() -> None:
    assert address.application("my-app") == "https://my-app.azureiotcentral.com"
    assert address.application("my-app.azureiotcentral.com/devices") == "https://my-app.azureiotcentral.com"
    assert address.application("http://127.0.0.1:80/my-app") == "http://127.0.0.1:80/my-app"
    assert address.application("localhost:80/my-app/") == "http://localhost:80/my-app"


def test_a_wrong_address_is_named_with_its_field() -> None:
    with pytest.raises(errors.ConfigError, match=r"^app_url=.*https://host"):
        address.application("my app")
    with pytest.raises(errors.ConfigError, match=r"^app_url .*tokens in their own fields"):
        address.application("https://admin:verysecret@my-app.azureiotcentral.com")
    with pytest.raises(errors.ConfigError, match=r"write https://x\.example\.com"):
        address.checked("http://x.example.com", name="login_url")
    with pytest.raises(errors.ConfigError, match="dps_url="):
        IotCentral.login({"app_url": "https://[::1", "dps_url": "[::1", "api_token": "any"})
