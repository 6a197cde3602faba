"""The tutorial, request by request: the client sends what the vendor's document prints."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from iotnb.exchange import Exchange
from iotnb.inbox import Inbox
from iotnb.platforms.iotcentral import IotCentral, Phone
from iotnb.secret import Secret
from iotnb.session import Settings

FOLDER = Path(__file__).parents[2] / "documents" / "iotcentral"
QUICK = Settings(backoff=0.01, retries=4, timeout=(5, 20), rate=500)
APP = "tutorial-app-documents"
ROLES = {
    "operator-token": "ae2c9854-393b-4f97-8c42-479d70ce626e",
    "admin-token": "ca310b8d-2f4a-44e0-a36e-957c202cd8d4",
}
WRAPPED = "commands/lightOn"  # the printed body lacks the wrapper that the platform needs
PAGED = "/api/deviceTemplates"  # asked for in pages of 100, which only the preview knows


@pytest.fixture(scope="module")
def sent(served) -> Iterator[list[Exchange]]:
    """Every exchange of a run through the tutorial."""
    info = served.info()["iotcentral"]
    fields = {"bearer": info["bearer"], "management_bearer": info["management_bearer"], "method": "bearer"}
    client = IotCentral.login({**info["connect"], **fields}, settings=QUICK)
    client.api.apps.create_group()
    properties = {
        "displayName": "Contoso REST API tutorial app",
        "subdomain": APP,
        "template": "iotc-pnp-preview@1.0.0",
    }
    document = {"location": "eastus", "sku": {"name": "ST2"}, "properties": properties}
    client.api.apps.create(APP, {**document, "identity": {"type": "SystemAssigned"}})
    app = client.api.apps.wait(APP, every=0.1)
    person = client.enter(app)
    tokens = {
        name: Secret(person.api.api_tokens.create(name, {"roles": [{"role": role}]})["token"])
        for name, role in ROLES.items()
    }
    operator, admin = (client.enter(app, api_token=tokens[name]) for name in ROLES)
    api = operator.api
    api.devices.create("phone-001", {"displayName": "My phone app", "simulated": False, "enabled": True})
    credentials = api.devices.credentials("phone-001")
    key = Secret(credentials["symmetricKey"]["primaryKey"])
    phone = Phone(
        "phone-001",
        id_scope=credentials["idScope"],
        key=key,
        dps_url=client.dps_url,
        interval=0.1,
        settings=QUICK,
    )
    phone.register(every=0.1)
    with phone, Inbox() as inbox:
        while phone.sent < 3:
            time.sleep(0.05)
        template = api.devices.get("phone-001")["template"]
        api.templates.list()
        api.query.run(
            f"SELECT $id as ID, $ts as timestamp, sensors.accelerometer FROM {template} "
            "WHERE WITHIN_WINDOW(P1D) AND sensors.accelerometer <> NULL"
        )
        api.properties.get("phone-001", component="device_info")
        api.commands.call("phone-001", "lightOn", {"duration": 3, "delay": 1, "pulses": 2})
        destination = {"id": "webhookdest", "displayName": "WebHook destination", "type": "webhook@v1"}
        admin.api.destinations.create("webhookdest", {**destination, "url": inbox.url})
        export = {
            "id": "telemetryexport",
            "displayName": "Telemetry export",
            "enabled": True,
            "source": "telemetry",
            "filter": 'SELECT * FROM devices WHERE $id = "phone-001"',
            "destinations": [{"id": "webhookdest"}],
        }
        admin.api.exports.create("telemetryexport", export)
        admin.api.exports.get("telemetryexport")
    client.api.apps.delete(APP)
    yield [*client.exchanges, *person.exchanges, *operator.exchanges, *admin.exchanges, *phone.exchanges]
    for each in (client, person, operator, admin):
        each.close()


def pattern(text: str) -> re.Pattern[str]:
    """A text of the document; what stands in braces may be anything."""
    return re.compile(".+".join(re.escape(part) for part in re.split(r"\{\w+\}", text)))


def alike(printed: Any, given: Any) -> bool:
    """Whether a body is the printed one, except for what stands in braces or angle brackets there."""
    if isinstance(printed, dict):
        return (
            isinstance(given, dict)
            and printed.keys() == given.keys()
            and all(alike(value, given[name]) for name, value in printed.items())
        )
    if isinstance(printed, list):
        return isinstance(given, list) and len(given) > 0 and all(alike(printed[0], each) for each in given)
    if isinstance(printed, str):
        return bool(re.fullmatch(r"<.*>", printed)) or bool(pattern(printed).fullmatch(str(given)))
    return isinstance(given, int | float) if isinstance(printed, float) else bool(printed == given)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("[0-9]*.json")), ids=lambda path: path.stem)
def test_the_client_sends_what_is_printed(path: Path, sent: list[Exchange]) -> None:
    document = json.loads(path.read_text())
    request = document["request"]
    url = urlsplit(request["url"])
    wanted = pattern(unquote(url.path))
    found = [
        each
        for each in sent
        if each.method == request["method"]
        and wanted.fullmatch(unquote(urlsplit(each.url).path))
        and each.status in document["answer"]["status"]
    ]
    assert found, f"{request['method']} {url.path} was not sent"
    version = parse_qs(url.query)["api-version"]
    if url.path != PAGED:
        assert any(parse_qs(urlsplit(each.url).query)["api-version"] == version for each in found)
    printed = request.get("body")
    if isinstance(printed, dict) and printed and "messages/events" not in url.path:
        printed = {"request": printed} if url.path.endswith(WRAPPED) else printed
        bodies = [json.loads(each.request_body or "null") for each in found]
        assert any(alike(printed, body) for body in bodies), bodies


def test_all_of_it_is_there() -> None:
    assert len(list(FOLDER.glob("[0-9]*.json"))) >= 14
