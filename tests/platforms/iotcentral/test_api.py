"""Each chapter of `client.api` on the wire: documents made, listed, read, changed, deleted, keys kept."""

from typing import Any

import pytest

from iotnb import errors
from iotnb.platforms.iotcentral import IotCentral

ADMINISTRATOR, OPERATOR = "ca310b8d-2f4a-44e0-a36e-957c202cd8d4", "ae2c9854-393b-4f97-8c42-479d70ce626e"
SENSOR, GATEWAY = "dtmi:iotnb:plant:ClimateSensor;1", "dtmi:iotnb:plant:Gateway;1"
GROUP = {"displayName": "Sensors", "filter": f'SELECT * FROM devices WHERE $template = "{SENSOR}"'}
WEBHOOK = {"displayName": "Mine", "type": "webhook@v1", "url": "http://127.0.0.1:9/hook"}
MODEL = {"@id": "dtmi:test:model;1", "@type": "Interface", "contents": []}
PERSON = {"type": "email", "email": "kim@example.com", "roles": [{"role": OPERATOR}]}
MANIFEST = {"displayName": "Mine", "data": {"modulesContent": {"$edgeAgent": {"properties.desired": {}}}}}

COLLECTIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "devices": ("api-test", {"displayName": "Mine", "enabled": True}, {"displayName": "Yours"}),
    "groups": ("api-test", GROUP, {"displayName": "Yours"}),
    "templates": (
        "dtmi:test:template;1",
        {"@type": ["ModelDefinition", "DeviceModel"], "displayName": "Mine", "capabilityModel": MODEL},
        {"displayName": "Yours"},
    ),
    "organizations": ("api-test", {"displayName": "Mine"}, {"displayName": "Yours"}),
    "users": ("api-test", PERSON, {"roles": [{"role": ADMINISTRATOR}]}),
    "enrollment_groups": (
        "api-test",
        {"displayName": "Mine", "enabled": True, "type": "iot", "attestation": {"type": "symmetricKey"}},
        {"displayName": "Yours"},
    ),
    "dashboards": ("api-test", {"displayName": "Mine", "tiles": []}, {"displayName": "Yours"}),
    "manifests": ("api-test", MANIFEST, {"displayName": "Yours"}),
    "destinations": ("api-test", WEBHOOK, {"displayName": "Yours"}),
    "exports": (
        "api-test",
        {"displayName": "Mine", "enabled": False, "source": "telemetry", "destinations": []},
        {"displayName": "Yours"},
    ),
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_document_is_made_listed_read_changed_and_deleted(client: IotCentral, name: str) -> None:
    chapter, (key, document, changes) = getattr(client.api, name), COLLECTIONS[name]
    made = chapter.create(key, document)
    assert (
        made.items()
        >= {member: value for member, value in document.items() if member != "attestation"}.items()
    )
    assert chapter.get(key) == chapter.find(key)
    assert key in {each.get("id") or each.get("@id") for each in chapter.list()}
    assert chapter.update(key, changes).items() >= changes.items()
    assert chapter.get(key).items() >= changes.items()
    chapter.delete(key)
    assert chapter.find(key) is None
    with pytest.raises(errors.NotFound, match="404 GET /api/"):
        chapter.get(key)


def test_a_change_may_ask_for_the_version_that_it_means(client: IotCentral) -> None:
    made = client.api.devices.create("api-etag", {"displayName": "Mine"})
    client.api.devices.update("api-etag", {"displayName": "Yours"}, etag=made["etag"])
    with pytest.raises(errors.RequestError, match="412"):
        client.api.devices.update("api-etag", {"displayName": "Ours"}, etag=made["etag"])
    assert client.api.devices.get("api-etag")["displayName"] == "Yours"
    client.api.devices.delete("api-etag")


def test_an_api_token_is_read_without_its_value_and_cannot_be_changed(client: IotCentral) -> None:
    made = client.api.api_tokens.create("api-test", {"roles": [{"role": OPERATOR}]})
    assert made["token"].startswith("SharedAccessSignature sr=")
    assert "token" not in client.api.api_tokens.get("api-test")
    with pytest.raises(errors.Invalid, match="405"):
        client.api.api_tokens.update("api-test", {})
    client.api.api_tokens.delete("api-test")


def test_roles_are_read_only(client: IotCentral) -> None:
    listed = client.api.roles.list()
    assert client.api.roles.get(ADMINISTRATOR)["displayName"] == "Administrator"
    assert len(listed) == 6


def test_a_device_proves_who_it_is_in_its_own_way(client: IotCentral) -> None:
    devices = client.api.devices
    devices.create("api-keys", {"displayName": "Mine"})
    shared = devices.credentials("api-keys")
    keys = {"primaryKey": "MDEyMzQ1Njc4OWFiY2RlZg==", "secondaryKey": "ZmVkY2JhOTg3NjU0MzIxMA=="}
    devices.set_attestation("api-keys", {"type": "symmetricKey", "symmetricKey": keys})
    assert devices.attestation("api-keys")["symmetricKey"] == keys
    assert devices.credentials("api-keys")["symmetricKey"] == keys
    devices.delete_attestation("api-keys")
    assert devices.credentials("api-keys") == shared
    devices.delete("api-keys")


def test_what_a_device_consists_of(client: IotCentral) -> None:
    gateway = next(each for each in client.api.devices.list() if each.get("template") == GATEWAY)
    parts = {each["name"] for each in client.api.devices.components(gateway["id"])}
    modules = {each["name"] for each in client.api.devices.modules(gateway["id"])}
    assert parts or modules
    for name in modules:
        client.api.devices.components(gateway["id"], module=name)


def test_devices_are_put_behind_a_gateway_and_taken_away(client: IotCentral) -> None:
    devices = client.api.devices
    gateway = next(each["id"] for each in devices.list() if each.get("template") == GATEWAY)
    devices.create("api-leaf", {"displayName": "Leaf"})
    devices.relate(gateway, "api-relation", {"source": gateway, "target": "api-leaf"})
    assert ("api-relation", gateway) in {
        (one["id"], one["source"]) for one in devices.relationships("api-leaf")
    }
    assert client.devices().set_index("device").loc["api-leaf", "parent"] == gateway
    devices.unrelate(gateway, "api-relation")
    assert not devices.relationships("api-leaf")
    devices.delete("api-leaf")


def test_properties_can_be_replaced(client: IotCentral) -> None:
    client.api.devices.create("api-twin", {"template": "dtmi:com:example:Thermostat;1", "simulated": True})
    client.api.properties.replace("api-twin", {"targetTemperature": 21.5})
    held = client.api.properties.get("api-twin")
    assert held["$metadata"]["targetTemperature"]["desiredValue"] == 21.5
    assert list(client.journal)[-1].kind == "property"
    client.api.devices.delete("api-twin")


def test_a_job_is_stopped_resumed_and_run_again(client: IotCentral) -> None:
    api = client.api
    api.groups.create("api-job", GROUP)
    members = [each["id"] for page in api.groups.devices("api-job") for each in page.items]
    command = next(each for each in client.fleet.models()[SENSOR].commands if not each.module)
    data = [{"type": "command", "target": SENSOR, "path": command.name, "value": {}}]
    api.jobs.create("api-job", {"displayName": "Try", "group": "api-job", "data": data})
    api.jobs.stop("api-job")
    assert api.jobs.get("api-job")["status"] == "stopped"
    api.jobs.resume("api-job")
    assert sorted(each["id"] for each in api.jobs.devices("api-job")) == sorted(members)
    assert api.jobs.rerun("api-job", "api-job-2")["id"] == "api-job-2"
    with pytest.raises(errors.Invalid, match="405"):
        api.jobs.update("api-job", {})


def test_jobs_are_scheduled(client: IotCentral) -> None:
    client.api.groups.create("api-scheduled", GROUP)
    command = next(each for each in client.fleet.models()[SENSOR].commands if not each.module)
    document = {
        "displayName": "Nightly",
        "group": "api-scheduled",
        "data": [{"type": "command", "target": SENSOR, "path": command.name, "value": {}}],
        "schedule": {"start": "2099-01-01T00:00:00Z", "recurrence": "daily"},
    }
    scheduled = client.api.scheduled_jobs
    assert scheduled.create("api-nightly", document)["enabled"]
    assert scheduled.jobs("api-nightly") == []
    assert scheduled.update("api-nightly", {"displayName": "Later"})["displayName"] == "Later"
    assert "api-nightly" in {each["id"] for each in scheduled.list()}
    scheduled.delete("api-nightly")
    client.api.groups.delete("api-scheduled")


def test_exports_and_destinations_know_each_other(client: IotCentral) -> None:
    client.api.destinations.create("api-there", WEBHOOK)
    document = {
        "displayName": "Mine",
        "enabled": False,
        "source": "audit",
        "destinations": [{"id": "api-there"}],
    }
    client.api.exports.create("api-audit", document)
    assert [each["id"] for each in client.api.exports.destinations("api-audit")] == ["api-there"]
    assert [each["id"] for each in client.api.destinations.exports("api-there")] == ["api-audit"]
    client.api.exports.delete("api-audit")
    client.api.destinations.delete("api-there")


def test_the_control_plane(client: IotCentral) -> None:
    apps = client.api.apps
    apps.create_group()
    assert apps.name_available("api-test-app")["nameAvailable"]
    document = {"location": "eastus", "sku": {"name": "ST2"}, "properties": {"subdomain": "api-test-app"}}
    apps.create("api-test-app", document)
    assert not apps.subdomain_available("api-test-app")["nameAvailable"]
    assert apps.update("api-test-app", {"tags": {"a": "b"}})["tags"] == {"a": "b"}
    assert "api-test-app" in {each["name"] for each in apps.list(group="IOTC")}
    assert any(each["manifestId"] == "iotc-pnp-preview" for each in apps.templates())
    assert apps.operations()
    apps.delete("api-test-app")
    assert apps.find("api-test-app") is None


def test_what_there_is_no_way_to_ask_is_told_before_anything_is_sent(client: IotCentral) -> None:
    sent = client.session.counters.requests
    for wrong in (
        lambda: client.api.users.list(filter="x"),
        lambda: client.api.devices.list(colour="red"),
        lambda: client.api.devices.get(""),
        lambda: client.api.devices.get(".."),
        lambda: client.api.query.run("SELECT " + "x" * 350),
        lambda: client.api.commands.call("a", "b", connection_timeout=31),
    ):
        with pytest.raises(errors.ConfigError):
            wrong()
    assert client.session.counters.requests == sent
