"""Data export: states, secrets, and messages that really arrive at a webhook."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

PREVIEW = "2022-10-31-preview"
DESTINATIONS, EXPORTS = "/dataExport/destinations", "/dataExport/exports"


class Hook:
    """A webhook on this machine."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {key.lower(): value for key, value in self.headers.items()}
                hook.got.append((self.path, headers, json.loads(body)))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def wait(self, check: Callable[[Any], bool] = bool) -> Any:
        for _ in range(400):
            for _path, _headers, body in tuple(self.got):
                if check(body):
                    return body
            time.sleep(0.02)
        raise AssertionError(f"nothing of the kind among {len(self.got)} messages")


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def exporter(rig: Any) -> Any:
    return rig.role(version=PREVIEW)


def status(caller: Any, path: str, wanted: str) -> Any:
    for _ in range(400):
        found = caller.get(path)
        if found["status"] == wanted:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{found['status']}, never {wanted}")


def begin(caller: Any, name: str, url: str, source: str = "telemetry", **more: Any) -> Any:
    target = {"displayName": "WebHook destination", "type": "webhook@v1", "url": url}
    caller.put(f"{DESTINATIONS}/{name}-dest", {**target, **more.pop("destination", {})})
    body = {"displayName": name, "enabled": True, "source": source, "destinations": [{"id": f"{name}-dest"}]}
    return caller.put(f"{EXPORTS}/{name}", {**body, **more})


def end(caller: Any, name: str) -> None:
    assert caller("DELETE", f"{EXPORTS}/{name}").status == 204
    assert caller("DELETE", f"{DESTINATIONS}/{name}-dest").status == 204


def test_an_export_starts_and_delivers_a_phones_telemetry(
    rig: Any, exporter: Any, hook: Hook, phone: Any
) -> None:
    device = phone("export-phone")
    device.register()
    rule = 'SELECT * FROM devices WHERE $id = "export-phone"'
    enrich = {
        "site": {"value": "north"},
        "kind": {"path": "$templateDisplayName"},
        "maker": {"path": "device_info.manufacturer"},
    }
    made = begin(exporter, "tele", hook.url, filter=rule, enrichments=enrich)
    assert made["status"] == "notStarted"
    seen = {exporter.get(f"{EXPORTS}/tele")["status"] for _ in range(3)}
    assert seen <= {"notStarted", "starting", "healthy"}
    assert exporter.get(f"{DESTINATIONS}/tele-dest")["status"] == "waiting"
    status(exporter, f"{EXPORTS}/tele", "healthy")
    values = {"accelerometer": {"x": 0.1, "y": 0.2, "z": 9.8}}
    assert device.send(values, **{"iothub-app-colour": "red"}).status == 204
    body = hook.wait(lambda one: one["telemetry"] == values)
    assert {key: body[key] for key in ("messageSource", "deviceId", "schema", "component", "templateId")} == {
        "messageSource": "telemetry",
        "deviceId": "export-phone",
        "schema": "default@v1",
        "component": "sensors",
        "templateId": "dtmi:azureiot:PhoneAsADevice;2",
    }
    assert body["applicationId"] == rig.info["application"]["id"]
    assert body["messageProperties"] == {"colour": "red"}
    assert body["enrichments"] == {"site": "north", "kind": "IoT Plug and Play mobile", "maker": "Contoso"}
    assert body["enqueuedTime"].endswith("Z")
    assert {one[2]["deviceId"] for one in hook.got} == {"export-phone"}
    found = status(exporter, f"{DESTINATIONS}/tele-dest", "healthy")
    assert found["lastExportTime"]
    assert exporter.get(f"{EXPORTS}/tele")["lastExportTime"]
    assert [one["id"] for one in exporter.get(f"{EXPORTS}/tele/destinations")["value"]] == ["tele-dest"]
    assert [one["id"] for one in exporter.get(f"{DESTINATIONS}/tele-dest/exports")["value"]] == ["tele"]
    assert exporter("DELETE", f"{DESTINATIONS}/tele-dest").code == "Conflict"
    end(exporter, "tele")


def test_the_fleets_telemetry_is_exported_from_now_on(make: Callable[..., Any], hook: Hook) -> None:
    rig = make(switches={"export_seconds": 0.05, "export_period": 0.1})
    exporter = rig.role(version=PREVIEW)
    begin(exporter, "fleet", hook.url)
    status(exporter, f"{EXPORTS}/fleet", "healthy")
    enabled = rig.clock.now()
    time.sleep(0.2)
    rig.clock.advance(180_000)
    hook.wait(lambda one: one.get("component") == "environment" and "temperature" in one["telemetry"])
    times = {one[2]["enqueuedTime"] for one in hook.got}
    assert min(times) >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(enabled / 1000 - 1))
    assert {one[2]["deviceId"] for one in hook.got} <= {device.key for device in rig.fleet}
    keys = [(one[2]["deviceId"], one[2].get("component"), one[2]["enqueuedTime"]) for one in hook.got]
    assert len(set(keys)) == len(keys)


def test_a_webhook_that_answers_4xx_is_an_error(exporter: Any, hook: Hook, phone: Any) -> None:
    device = phone("export-bad")
    device.register()
    hook.status = 410
    begin(exporter, "bad", hook.url, filter='$id == "export-bad"')
    status(exporter, f"{EXPORTS}/bad", "healthy")
    device.send({"battery": 50})
    found = status(exporter, f"{EXPORTS}/bad", "error")
    assert found["errors"] == [
        {"code": "InvalidResponse", "message": "The webhook returned a 4xx status code."}
    ]
    assert status(exporter, f"{DESTINATIONS}/bad-dest", "error")["errors"]
    hook.status = 200
    device.send({"battery": 49})
    assert "errors" not in status(exporter, f"{EXPORTS}/bad", "healthy")
    end(exporter, "bad")


def test_nobody_beyond_this_machine_is_called(exporter: Any, phone: Any) -> None:
    device = phone("export-far")
    device.register()
    begin(exporter, "far", "https://webhook.example.com/x", filter='CONTAINS($displayName, "export-far")')
    status(exporter, f"{EXPORTS}/far", "healthy")
    device.send({"battery": 50})
    assert status(exporter, f"{EXPORTS}/far", "error")["errors"][0]["code"] == "ConnectionFailed"
    end(exporter, "far")


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("deviceLifecycle", {"registered", "disabled", "displayNameChanged", "deleted"}),
        ("properties", {"devicePropertyDesiredChange"}),
    ],
)
def test_other_sources(exporter: Any, hook: Hook, source: str, kinds: set[str]) -> None:
    name = f"src-{source}"
    begin(exporter, name, hook.url, source)
    status(exporter, f"{EXPORTS}/{name}", "healthy")
    path = f"/devices/{name}-dev"
    exporter.put(path, {"displayName": "A", "template": "dtmi:com:example:Thermostat;1", "simulated": True})
    exporter("PATCH", f"{path}/properties", {"targetTemperature": 20})
    exporter("PATCH", path, {"enabled": False, "displayName": "B"})
    exporter("DELETE", path)
    for kind in kinds:
        body = hook.wait(lambda one, kind=kind: one["messageType"] == kind)
        assert body["messageSource"] == source
        assert body["deviceId"] == f"{name}-dev"
        if source == "properties":
            assert body["properties"] == [{"name": "targetTemperature", "value": 20}]
    end(exporter, name)


def test_changes_of_templates_and_of_everything_are_told(exporter: Any, hook: Hook) -> None:
    begin(exporter, "audit", hook.url, "audit")
    begin(exporter, "models", hook.url, "deviceTemplateLifecycle")
    for name in ("audit", "models"):
        status(exporter, f"{EXPORTS}/{name}", "healthy")
    kind = ["ModelDefinition", "DeviceModel"]
    path = "/deviceTemplates/dtmi:told:x;1"
    exporter.put(path, {"@type": kind, "capabilityModel": {"@id": "dtmi:told:x;1", "contents": []}})
    exporter("DELETE", path)
    for wanted in ("created", "deleted"):
        found = hook.wait(
            lambda one, wanted=wanted: (
                one["messageSource"] == "deviceTemplateLifecycle" and one["messageType"] == wanted
            )
        )
        assert found["templateId"] == "dtmi:told:x;1"
    found = hook.wait(lambda one: one["messageSource"] == "audit" and one["messageType"] == "deleted")
    assert found["resource"] == {"type": "deviceTemplates", "id": "dtmi:told:x;1"}
    assert found["actor"]["type"] == "apiToken"
    for name in ("audit", "models"):
        end(exporter, name)


def test_connectivity_is_told(exporter: Any, hook: Hook, phone: Any) -> None:
    device = phone("export-link")
    device.register()
    begin(exporter, "link", hook.url, "deviceConnectivity")
    status(exporter, f"{EXPORTS}/link", "healthy")
    device.send({"battery": 1})
    assert hook.wait(lambda one: one["deviceId"] == "export-link")["messageType"] == "connected"
    end(exporter, "link")


def test_customizations_and_authorization_reach_the_webhook(exporter: Any, hook: Hook, phone: Any) -> None:
    device = phone("export-head")
    device.register()
    extra = {
        "headerCustomizations": {
            "x-region": {"value": "west", "secret": False},
            "x-key": {"value": "k3y", "secret": True},
        },
        "queryCustomizations": {"q": {"value": "a b"}},
        "authorization": {"type": "header", "value": "Bearer hidden"},
    }
    begin(exporter, "head", hook.url, filter='$id = "export-head"', destination=extra)
    shown = exporter.get(f"{DESTINATIONS}/head-dest")
    assert shown["headerCustomizations"]["x-region"]["value"] == "west"
    assert shown["headerCustomizations"]["x-key"]["value"] == "*****"
    assert shown["authorization"]["value"] == "*****"
    status(exporter, f"{EXPORTS}/head", "healthy")
    device.send({"battery": 5})
    hook.wait()
    path, headers, _ = hook.got[0]
    assert path == "/hook?q=a+b"
    assert (headers["x-region"], headers["x-key"], headers["authorization"]) == (
        "west",
        "k3y",
        "Bearer hidden",
    )
    end(exporter, "head")


def test_a_disabled_export_stays_where_it_is(exporter: Any, hook: Hook) -> None:
    made = begin(exporter, "off", hook.url, enabled=False)
    time.sleep(0.4)
    assert exporter.get(f"{EXPORTS}/off")["status"] == "notStarted"
    changed = exporter("PATCH", f"{EXPORTS}/off", {"enabled": True}, headers={"If-Match": "*"})
    assert changed.json["enabled"] is True
    status(exporter, f"{EXPORTS}/off", "healthy")
    assert exporter("PATCH", f"{EXPORTS}/off", {}, headers={"If-Match": '"x"'}).status == 412
    assert made["enabled"] is False
    end(exporter, "off")


def test_the_switch_that_makes_exports_fail(make: Callable[..., Any], hook: Hook) -> None:
    rig = make(switches={"export_seconds": 0.0, "export_error": True, "export_period": 0.1})
    exporter = rig.role(version=PREVIEW)
    begin(exporter, "fails", hook.url)
    status(exporter, f"{EXPORTS}/fails", "healthy")
    rig.clock.advance(120_000)
    assert status(exporter, f"{EXPORTS}/fails", "error")["errors"][0]["code"] == "InvalidResponse"


def test_bad_destinations_and_exports(rig: Any, exporter: Any) -> None:
    good = {"displayName": "x", "type": "webhook@v1", "url": "http://127.0.0.1:9/"}
    for change in (
        {"url": "See the tutorial instructions"},
        {"url": None},
        {"url": "ftp://x/"},
        {"type": "pigeon@v1"},
        {"displayName": ""},
        {"status": "healthy"},
    ):
        assert exporter("PUT", f"{DESTINATIONS}/no", {**good, **change}).code == "InvalidBody"
    exporter.put(f"{DESTINATIONS}/good", good)
    export = {"displayName": "x", "enabled": False, "source": "telemetry", "destinations": [{"id": "good"}]}
    for more in (
        {"source": "rumours"},
        {"destinations": [{"id": "unknown"}]},
        {"destinations": "good"},
        {"filter": "SELECT nothing"},
        {"enabled": "yes"},
        {"displayName": None},
    ):
        assert exporter("PUT", f"{EXPORTS}/no", {**export, **more}).code == "InvalidBody"
    assert rig.role("operator", version=PREVIEW)("PUT", f"{EXPORTS}/no", export).code == "Forbidden"
    assert exporter("GET", f"{EXPORTS}/no").code == "NotFound"
    exporter("DELETE", f"{DESTINATIONS}/good")


def test_at_most_ten_destinations(make: Callable[..., Any]) -> None:
    exporter = make().role(version=PREVIEW)
    blob = {
        "displayName": "x",
        "type": "blobstorage@v1",
        "authorization": {
            "type": "connectionString",
            "connectionString": "AccountKey=abc;x=y",
            "containerName": "c",
        },
    }
    for n in range(10):
        made = exporter.put(f"{DESTINATIONS}/d{n}", blob)
    assert made["authorization"]["connectionString"] == "AccountKey=*****;x=y"
    assert exporter("PUT", f"{DESTINATIONS}/d10", blob).status == 422
    assert exporter("PUT", f"{DESTINATIONS}/d1", blob).status == 200
