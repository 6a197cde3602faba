"""Runs the vendor's REST client and prints what its calls gave; started by test_other_clients.py."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import requests.adapters

BASE = os.environ["SANDBOX"]
_send = requests.adapters.HTTPAdapter.send


def send(self, request, **options):
    """What goes to the discovery service goes to the sandbox, everything else where it is addressed to."""
    parts = urlsplit(request.url)
    if parts.hostname == "discovery.iotconnect.io":
        request.url = f"{BASE}{parts.path}?{parts.query}"
    return _send(self, request, **options)


requests.adapters.HTTPAdapter.send = send

from avnet.iotconnect.restapi.lib import (  # noqa: E402
    apiurl,
    command,
    config,
    credentials,
    device,
    entity,
    firmware,
    ota,
    storage,
    telemetry,
    template,
    upgrade,
    user,
)
from avnet.iotconnect.restapi.lib.error import InvalidActionError  # noqa: E402

NOBODY = "00000000-0000-4000-8000-000000000000"
told: dict[str, object] = {}


def log_in() -> None:
    apiurl.configure_using_discovery()
    credentials.authenticate(os.environ["IOTC_USER"], os.environ["IOTC_PASS"])
    told["base"] = apiurl.ep_device
    told["own user"] = user.get_own_user().userId
    old = config.access_token
    credentials.refresh()
    told["refreshed"] = config.access_token != old


def devices() -> None:
    page = device.query(device.DeviceQuery(page_size=10))
    told["total"] = page.total_count
    told["devices"] = [one.uniqueId for one in page.all()]
    recency = device.DeviceQuery(sort_by=f"{device.SORT_LAST_COMMUNICATION} desc", page_size=100)
    told["by recency"] = [one.lastCommunication for one in device.query(recency)]
    told["one device"] = device.get_by_duid("gw-0001").uniqueId
    told["no device"] = device.get_by_duid("nobody")


def lists() -> None:
    told["template codes"] = sorted(one.templateCode for one in template.query().all())
    told["no template"] = template.get_by_template_code("NONE")
    told["no template guid"] = template.get_by_guid(NOBODY)
    found = template.get_by_template_code("CS20")
    told["attributes"] = [one.localName for one in template.get_attributes(found.guid)]
    told["root"] = entity.get_root_entity().name
    told["no entity"] = entity.get_by_guid(NOBODY)
    told["users"] = sorted(one.userId for one in user.query().all())
    told["no user"] = user.get_by_guid(NOBODY) or user.get_by_email("nobody@example.com")


def measured(duid: str, now: datetime) -> None:
    query = telemetry.TelemetryQuery(duid, from_time=now - timedelta(hours=1), to_time=now)
    told["history"] = len(telemetry.get_history(query))
    told["recent"] = len(telemetry.get_recent(duid, 20))
    told["latest"] = [one.attributeName for one in telemetry.get_latest_value(duid)]


def act(duid: str) -> None:
    found = device.get_by_duid(duid)
    commands = {one.command: one for one in command.get_all(found.deviceTemplateGuid)}
    command.send(commands["run"].guid, found.guid, "status")
    told["command sent"] = True
    made = firmware.create(found.deviceTemplateGuid, "VENDORFW", "1.0", "1.0")
    second = upgrade.create(made.newId, "2.0")
    Path("image.bin").write_bytes(b"\x00\x01")
    upgrade.upload(second.newId, "image.bin")
    upgrade.publish(second.newId)
    versions = firmware.get_by_guid(made.newId).Upgrades
    told["upgrades"] = sorted([one.software, one.isDraft] for one in versions)
    told["uploaded"] = upgrade.get_by_guid(second.newId).urls[0].name
    ota.push_to_device(second.newId, [found.guid])
    told["pushed"] = True
    firmware.deprecate_match_guid(made.newId)


def make() -> None:
    document = {"code": "VENDOR", "name": "Vendor's", "attributes": [{"name": "level", "type": "NUMBER"}]}
    Path("template.json").write_text(json.dumps(document))
    made = template.create("template.json")
    device.create(made.deviceTemplateGuid, "vendor-device", device_certificate=certificate())
    told["made"] = device.get_by_duid("vendor-device").uniqueId
    told["device config"] = json.loads(config.generate_device_json("vendor-device"))
    try:
        template.delete_match_guid(made.deviceTemplateGuid)
    except InvalidActionError as error:
        told["attached"] = error.status
    device.set_active_match_duid("vendor-device", active=False)
    device.delete_match_duid("vendor-device")
    told["gone"] = device.get_by_duid("vendor-device") is None
    template.delete_match_guid(made.deviceTemplateGuid)
    told["template gone"] = template.get_by_guid(made.deviceTemplateGuid) is None
    Path("file.txt").write_text("text")
    storage.create("custom", NOBODY, "file.txt")
    found = storage.get_files("custom", NOBODY)
    told["files"] = [one.name for one in found]
    storage.delete_match_guid("custom", found[0].guid)
    told["no files"] = storage.get_files("custom", NOBODY)


def certificate() -> str:
    _, text = config.generate_ec_cert_and_pkey("vendor-device")
    Path("certificate.pem").write_text(text)
    return "certificate.pem"


def main() -> None:
    duid, now = sys.argv[1], datetime.fromtimestamp(float(sys.argv[2]), UTC)
    log_in()
    devices()
    lists()
    measured(duid, now)
    act(duid)
    make()
    print(json.dumps(told))


main()
