"""Every operation that the vendor's public specification has an example of, in an order that makes sense.

The document holds what a request must look like, and the members and kinds of the answer.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

FILE = Path(__file__).parents[2] / "documents" / "iotcentral" / "operations.json"
EXAMPLES: dict[str, dict[str, Any]] = {each["name"]: each for each in json.loads(FILE.read_text("utf-8"))}
PREVIEW, ARM = "2022-10-31-preview", "2021-06-01"
ADMIN, BUILDER = "ca310b8d-2f4a-44e0-a36e-957c202cd8d4", "344138e9-8de4-4497-8c54-5237e96d6aaf"

NOBODY = "00000000-0000-0000-0000-000000000000"

DASHBOARDS = [name for name in EXAMPLES if name.startswith("dashboards_create_")]
DESTINATIONS = [name for name in EXAMPLES if name.startswith("dataexports_destinations_create_")]
ORDER = [
    *("Operations_List", "Apps_Templates", "Apps_CheckNameAvailability", "Apps_CheckSubdomainAvailability"),
    *("Apps_CreateOrUpdate", "Apps_Get", "Apps_Update", "Apps_ListByResourceGroup"),
    *("Apps_ListBySubscription", "Apps_Delete"),
    *("organizations_create", "organizations_get", "organizations_list"),
    *("roles_get", "roles_list", "users_set", "users_delete", "users_set_serviceprincipal"),
    *("users_get", "users_list", "apitoken_create", "apitoken_get", "apitoken_list", "apitoken_delete"),
    *("devicetemplates_create", "devicetemplates_get", "devicetemplates_list", "devicetemplates_update"),
    *("devices_create", "devices_get", "devices_list", "devices_delete", "devicecredentials_get"),
    *("devices_attestations_set_tpm", "devices_attestations_set_symmetricKey"),
    *("devices_attestations_set_x509", "devices_attestations_get", "devices_attestations_delete"),
    *("devices_components_get", "devices_modules_get", "devices_modules_components_get"),
    *("devices_properties_update", "devices_properties_components_set", "devices_properties_get"),
    *("devices_properties_components_get", "devices_telemetry_get", "devices_commands_send"),
    *("devices_commandshistory_get", "modules_properties_update", "modules_properties_components_set"),
    *("modules_properties_get", "modules_properties_components_get", "modules_telemetry_get"),
    *("modules_commands_send", "modules_commandshistory_get"),
    *("devices_relationships_create", "devices_relationships_get", "devices_relationships_list"),
    *("devices_relationships_update", "devices_relationships_delete", "query_run"),
    *("deploymentManifest_create", "deploymentManifest_get", "deploymentManifest_list"),
    *("deploymentManifest_update", "deploymentManifest_delete", "devices_applyDeploymentManifest"),
    *("devicegroups_create", "devicegroups_update", "devicegroups_get", "devicegroups_list"),
    *("devicegroups_getdevices", "jobs_create", "jobs_get", "jobs_list", "jobs_devices", "jobs_stop"),
    *("jobs_resume", "jobs_rerun", "scheduledjobs_create", "scheduledjobs_get", "scheduledjobs_list"),
    *("scheduledjobs_list_jobs", "scheduledjobs_update", "scheduledjobs_delete", "devicegroups_delete"),
    *("enrollmentgroups_create", "enrollmentgroups_get", "enrollmentgroups_list", "enrollmentgroups_update"),
    *("enrollmentgroups_setx509", "enrollmentgroups_getx509"),
    *("enrollmentgroups_generateverificationcodex509", "enrollmentgroups_verifyx509"),
    *("enrollmentgroups_removex509", "enrollmentgroups_delete"),
    *("fileUpload_update", "fileUpload_get", "fileUpload_delete"),
    *("dashboards_create", *DASHBOARDS, "dashboards_get", "dashboards_list", "dashboards_update"),
    *("dashboards_delete", *DESTINATIONS, "dataexports_destinations_get", "dataexports_destinations_list"),
    *("dataexports_destinations_update_webhook", "dataexports_exports_create", "dataexports_exports_get"),
    *("dataexports_exports_list", "dataexports_exports_update", "dataexports_exports_destinations_list"),
    *("dataexports_destinations_exports_list", "dataexports_exports_delete"),
    *("dataexports_destinations_delete", "devicetemplates_delete", "organizations_delete"),
]


CIRCUMSTANCES = {"key", "errors", "lastExportTime"}  # a tag, and what became of an export
VERSIONS = {"desiredVersion", "ackVersion", "ackDescription", "ackCode", "lastUpdateTime"}
LACKS: dict[str, set[str]] = {
    # a write is printed with all that is known for modules, with the wish alone for devices: so for both here
    "modules_properties_update": {"SensitivityDial", *VERSIONS},
    "modules_properties_components_set": {"SensitivityDial", *VERSIONS},
    # simulated devices report and send nothing for their modules
    "modules_properties_get": {"Status"},
    "modules_properties_components_get": {"Status"},
    "modules_telemetry_get": {"value", "timestamp"},
}
"""Example -> members that its printed answer has and the sandbox's has not."""
ANYTHING = frozenset({"request", "response", "value"})  # of any kind, as the template says


def covers(wanted: Any, found: Any, lacks: set[str], place: str = "answer") -> None:
    """The answer has all that the printed one has: members, and kinds of values."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), place
        for name in wanted.keys() - CIRCUMSTANCES - lacks:
            assert name in found, f"{place} lacks {name}"
            if name not in ANYTHING:
                covers(wanted[name], found[name], lacks, f"{place}.{name}")
    elif isinstance(wanted, list):
        assert isinstance(found, list), place
        if wanted and isinstance(wanted[0], dict) and place == "answer.value":
            assert any(like(wanted[0], each) for each in found), f"{place}: nothing like {wanted[0]}"
    elif wanted is not None and not isinstance(wanted, bool):
        kinds = (int, float) if isinstance(wanted, int | float) else type(wanted)
        assert isinstance(found, kinds), place


def like(wanted: Any, found: Any) -> bool:
    try:
        covers(wanted, found, set())
    except AssertionError:
        return False
    return True


def interface(name: str, *contents: dict[str, Any]) -> dict[str, Any]:
    return {"@id": f"dtmi:example:{name};1", "@type": "Interface", "contents": list(contents)}


def held(kind: str, name: str, schema: Any = "double", **more: Any) -> dict[str, Any]:
    return {"@type": kind, "name": name, "schema": schema, **more}


def component(name: str, *contents: dict[str, Any]) -> dict[str, Any]:
    schema = interface(name, *contents)
    return {"@type": "Component", "name": name, "displayName": name, "schema": schema}


def module(name: str, *contents: dict[str, Any]) -> dict[str, Any]:
    target = [interface(f"{name}Module", *contents)]
    return {"@type": ["Relationship", "EdgeModule"], "name": name, "target": target}


def command(name: str) -> dict[str, Any]:
    return {"@type": "Command", "name": name, "request": {"name": "given", "schema": "double"}}


def template(name: str, *contents: dict[str, Any]) -> dict[str, Any]:
    model = {**interface(name, *contents), "displayName": name}
    return {"@type": ["ModelDefinition", "DeviceModel"], "displayName": name, "capabilityModel": model}


def group(kind: str) -> dict[str, Any]:
    return {
        "displayName": kind,
        "description": "All of them.",
        "filter": f'SELECT * FROM devices WHERE $template = "{kind}"',
        "organizations": ["seattle"],
    }


DIAL = held("Property", "SensitivityDial", writable=True)
SETTINGS = [
    held("Property", name, "boolean" if name == "irSwitch" else "double", writable=True)
    for name in ("fanSpeed", "voltage", "current", "irSwitch")
]
INFO = [held("Property", name, "string") for name in ("manufacturer", "model", "swVersion")]
MX1 = template(
    "mx1",
    command("CoolDown"),
    held("Telemetry", "temperature"),
    component("Thermostat_1o", command("CoolDown")),
    component("settings", *SETTINGS),
    component("deviceinfo", *INFO),
    component("sensors", held("Telemetry", "temperature")),
    module("Camera", command("Reboot"), component("componentA", command("Reboot"))),
    module("camera", command("AdjustFrameRate"), component("componentA", command("AdjustFrameRate"))),
    module("module_env", component("componentA", DIAL)),
    module(
        "environment", held("Telemetry", "ambient"), component("componentA", held("Telemetry", "ambient"))
    ),
)
EDGE = template(
    "edge",
    component("LocationTracking"),
    component("EnvironmentSensing"),
    *(module(name, component("interfaceA")) for name in ("Environment", "Camera", "edgemodule")),
)
RAW = "dtmi:modelDefinition:y5zk2yqblv:en9xfxjif"
MIXED = "dtmi:contoso:testDeviceTemplate;1"
JOBS = "dtmi:modelDefinition:test;1"
KEY = base64.b64encode(bytes(32)).decode()
STANDS_FOR = {
    "c7be2c6b-797e-4551-bb24-33709f6b2e20": BUILDER,  # a role that somebody made
    "<primary key>": KEY,
    "<secondary key>": KEY,
    "urn:1dgygpt7t:modelDefinition:02uwtefvdy": "dtmi:example:mx1;1",
    "componentName.propertyName": "settings.fanSpeed",
    '"updated value"': "25",
}
BEFORE: dict[str, list[tuple[str, str, Any]]] = {
    "Apps_CreateOrUpdate": [
        ("PUT", "/subscriptions/{subscriptionId}/resourcegroups/resRg", {"location": "westus"})
    ],
    "organizations_create": [("PUT", "/organizations/washington", {"displayName": "Washington"})],
    "users_delete": [
        ("PUT", "/users/abc", {"type": "email", "email": "a@b.example", "roles": [{"role": ADMIN}]})
    ],
    "users_get": [
        ("PUT", "/users/abc", {"type": "email", "email": "a@b.example", "roles": [{"role": ADMIN}]})
    ],
    "devices_create": [
        ("PUT", "/deviceTemplates/dtmi:example:mx1;1", MX1),
        ("PUT", "/deviceTemplates/dtmi:example:edge;1", EDGE),
        ("PUT", f"/deviceTemplates/{RAW}", template("raw", held("Telemetry", "RootTelemetry"))),
        ("PUT", f"/deviceTemplates/{JOBS}", template("jobs", command("Reboot"))),
        *(
            ("PUT", f"/devices/{name}", {"template": kind, "simulated": True})
            for kind, names in (
                ("dtmi:example:mx1;1", ("mx1",)),
                ("dtmi:example:edge;1", ("device1", "device2", "device3", "edgedevice1")),
                (RAW, ("raw1",)),
            )
            for name in names
        ),
        ("PUT", "/devices/Checkout4", {}),
        (
            "PUT",
            "/devices/CheckoutThermostat",
            {"template": MIXED, "simulated": True, "organizations": ["seattle"]},
        ),
    ],
    "devices_attestations_delete": [
        (
            "PUT",
            "/devices/Checkout4/attestation",
            {"type": "symmetricKey", "symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}},
        )
    ],
    "modules_commandshistory_get": [
        ("POST", "/devices/mx1/modules/camera/commands/AdjustFrameRate", {"request": 20}),
        (
            "POST",
            "/devices/mx1/modules/camera/components/componentA/commands/AdjustFrameRate",
            {"request": 20},
        ),
    ],
    "devicegroups_get": [
        ("PUT", "/deviceGroups/475cad48-b7ff-4a09-b51e-1a9021385453", group("dtmi:example:mx1;1"))
    ],
    "devicegroups_getdevices": [("PUT", "/deviceGroups/myGroupId", group(MIXED))],
    "scheduledjobs_create": [("PUT", "/deviceGroups/ad86219f-d224-48ad-a29b-b593a4e4bb38", group(JOBS))],
    "scheduledjobs_list_jobs": [
        (
            "PUT",
            "/scheduledJobs/7d8f04b8-72d0-4c6e-a3ef-85ae2f398528",
            EXAMPLES["scheduledjobs_create"]["body"],
        )
    ],
    "devicetemplates_delete": [("DELETE", "/devices/CheckoutThermostat", None)],
    "organizations_delete": [
        *(
            ("DELETE", f"/deviceGroups/{name}", None)
            for name in ("group1", "myGroupId", "ad86219f-d224-48ad-a29b-b593a4e4bb38")
        ),
        ("DELETE", "/users/123", None),
    ],
    "enrollmentgroups_setx509": [
        (
            "PUT",
            "/enrollmentGroups/myEnrollmentGroupId",
            {"displayName": "x", "enabled": True, "type": "iot", "attestation": {"type": "x509"}},
        )
    ],
    "dataexports_exports_create": [
        (
            "PUT",
            "/dataExport/destinations/fa5792a4-ead3-41dc-a972-fbeed33d46ae",
            EXAMPLES["dataexports_destinations_create_webhook"]["body"],
        )
    ],
}


def standing(body: Any) -> Any:
    """A printed body, with something that is in place of what its authors left out or only they have."""
    text = json.dumps(body)
    for printed, there in STANDS_FOR.items():
        text = text.replace(printed, there)
    return json.loads(text)


class Player:
    """Sends examples to an application in which everything is that they take for granted."""

    def __init__(self, rig: Any) -> None:
        self.callers = {
            "data": rig.role(version=PREVIEW),
            "management": rig.caller(f"Bearer {rig.info['management_bearer']}", version=ARM, prefix=""),
        }

    def play(self, name: str) -> None:
        example = EXAMPLES[name]
        for method, path, body in BEFORE.get(name, ()):
            there = path.format(**example["parameters"])
            answer = self.callers[example["plane"]](method, quote(there, safe="/"), body)
            assert answer.status < 300, answer.body
        for request in example["requests"]:
            method, path = request.split(" ")
            there = re.sub(r"\{(\w+)\}", lambda match: self.part(example, match[1]), path)
            answer = self.callers[example["plane"]](method, there, standing(example.get("body")))
            assert str(answer.status) in example["answers"], (request, answer.status, answer.body)
            wanted = example["answers"][str(answer.status)]
            if wanted is None:
                assert not answer.body
            else:
                covers(wanted, answer.json, LACKS.get(name, set()))

    def part(self, example: dict[str, Any], name: str) -> str:
        return quote(str(example["parameters"][name]), safe="")


@pytest.fixture(scope="module")
def player(helpers: Any) -> Iterator[Player]:
    with helpers.start(
        devices=5, days=2, switches={"command_wait": 0.05, "subscription": NOBODY, "ack_seconds": 0.0}
    ) as running:
        rig = helpers.Rig(running)
        yield Player(rig)
        rig.close()
        running.raise_errors()


def test_every_example_is_sent() -> None:
    assert sorted(ORDER) == sorted(EXAMPLES)


@pytest.mark.parametrize("name", ORDER)
def test_an_example(player: Player, name: str) -> None:
    player.play(name)
