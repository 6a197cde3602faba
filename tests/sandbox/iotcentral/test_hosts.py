"""Which plane a request is for, what is tolerated on the wire, faults, switches, reset, restart, proxy."""

import gzip
import json
import re
import socket
import ssl
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from iotnb import sandbox
from iotnb.sandbox import SandboxError, iotcentral
from iotnb.sandbox.iotcentral.app import target_of
from iotnb.sandbox.iotcentral.proxy import Proxy


@pytest.mark.parametrize(
    ("host", "path", "plane", "subdomain"),
    [
        ("management.azure.com", "/subscriptions/s", "arm", ""),
        ("my-app.azureiotcentral.com", "/api/devices", "data", "my-app"),
        ("login.microsoftonline.com", "/t/oauth2/v2.0/token", "entra", ""),
        ("global.azure-devices-provisioning.net", "/0ne/registrations/x/register", "dps", ""),
        ("iotc-1.azure-devices.net", "/devices/x/messages/events", "hub", ""),
        ("127.0.0.1", "/subscriptions/s", "arm", ""),
        ("127.0.0.1", "/providers/Microsoft.IoTCentral/operations", "arm", ""),
        ("localhost", "/api/devices", "data", ""),
        ("localhost", "/my-app/api/devices", "data", "my-app"),
        ("localhost", "/t/oauth2/v2.0/token", "entra", ""),
        ("localhost", "/t/v2.0/.well-known/openid-configuration", "entra", ""),
        ("localhost", "/0ne/registrations/x", "dps", ""),
        ("localhost", "/devices/x/messages/events", "hub", ""),
    ],
)
def test_requests_find_their_plane(host: str, path: str, plane: str, subdomain: str) -> None:
    found = target_of(host, tuple(path.strip("/").split("/")))
    assert found is not None
    assert (found.plane, found.subdomain) == (plane, subdomain)


def test_what_is_nowhere_is_404(rig: Any) -> None:
    caller = rig.caller(version="", prefix="")
    for path in ("/", "/favicon.ico", "/a/b/c"):
        assert caller("GET", path).status == 404
    assert caller("GET", "/", headers={"Host": "my-app.azureiotcentral.com"}).status == 404
    assert rig.role()("GET", "/nothing").code == "NotFound"
    refused = rig.role()("DELETE", "/devices")
    assert (refused.status, refused.code) == (405, "MethodNotAllowed")
    assert refused.headers["Allow"] == "GET"


def test_bodies_are_read_whatever_the_method(admin: Any) -> None:
    """What is left unread would be taken for the next request on the same connection."""
    for _ in range(3):
        assert admin("GET", "/devices/gw-0001", {"a": "b" * 10_000}).status == 200
        assert admin("DELETE", "/devices/none", {"a": "b"}).status == 404
        assert admin("HEAD", "/devices/gw-0001").body == b""
    made = admin("PUT", "/devices/crlf-1", '{\r\n  "displayName": "x",\r\n  "enabled": true\r\n}\r\n')
    assert made.json["displayName"] == "x"


def test_quotes_may_stand_in_a_filter_as_they_are(rig: Any) -> None:
    parts = urlsplit(rig.base)
    path = "/api/devices?api-version=2022-10-31-preview&filter=id%20eq%20'gw-0001'"
    token = rig.info["api_tokens"]["sandbox-administrator"]
    head = f"GET {path} HTTP/1.1\r\nhOST: x\r\nauthorization: {token}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as sock:
        sock.sendall(head.encode())
        answer = b"".join(iter(lambda: sock.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["value"][0]["id"] == "gw-0001"


def test_answers_are_compressed_for_those_who_ask(admin: Any) -> None:
    answer = admin("GET", "/devices", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.body))["value"]) == 25


def test_tokens_and_faults_of_the_core(make: Callable[..., Any]) -> None:
    rig = make()
    caller = rig.caller(f"Bearer {rig.info['bearer']}")
    rig.running.faults.set("iotcentral", fail_every=2)
    assert [caller("GET", "/roles").status for _ in range(4)] == [200, 503, 200, 503]
    rig.running.faults.set("iotcentral", fail_every=None, revoke_every=2)
    assert [caller("GET", "/roles").status for _ in range(3)] == [200, 401, 401]
    rig.running.faults.clear()
    rig.running.faults.set("iotcentral", token_seconds=5)
    assert rig.running["iotcentral"].info()["bearer"]


def test_an_unknown_switch_is_named(make: Callable[..., Any]) -> None:
    rig = make()
    rig.world.switches["colour"] = "red"
    with pytest.raises(SandboxError, match="colour"):
        rig.running["iotcentral"].info()
    rig.world.switches.clear()
    rig.world.switches["edition"] = "silver"
    with pytest.raises(SandboxError, match="silver"):
        rig.running["iotcentral"].info()
    rig.world.switches.clear()


def test_reset_forgets_what_users_made_and_keeps_the_tokens(make: Callable[..., Any]) -> None:
    rig = make()
    admin, arm = rig.role(), rig.arm()
    path = "/resourceGroups/IOTC/providers/Microsoft.IoTCentral/iotApps/gone-app"
    assert arm("PUT", path, {"location": "x", "sku": {"name": "ST2"}}).status == 201
    admin.put("/devices/gone", {})
    admin("PATCH", "/devices/gw-0001", {"displayName": "Changed"})
    rig.running.reset()
    assert admin("GET", "/devices/gone").status == 404
    assert admin.get("/devices/gw-0001")["displayName"] == rig.fleet[0].name
    assert arm("GET", path).status == 404
    rig.running.seed(7, devices=3)
    assert len(rig.running.fleet) == 3
    fresh = rig.running["iotcentral"].info()["api_tokens"]["sandbox-administrator"]
    assert len(rig.caller(fresh).all("/devices")) == 3


def test_what_users_made_survives_in_a_file(tmp_path: Path, helpers: Any) -> None:
    file = tmp_path / "sandbox.db"
    with helpers.start(devices=5, days=2, data=file) as running:
        rig = helpers.Rig(running)
        admin = rig.role()
        token = admin.put("/apiTokens/kept", {"roles": [{"role": "ae2c9854-393b-4f97-8c42-479d70ce626e"}]})[
            "token"
        ]
        admin.put("/devices/kept", {"displayName": "Kept", "template": "dtmi:com:example:Thermostat;1"})
        key = admin.get("/devices/kept/credentials")
        rig.close()
    with helpers.start(devices=5, days=2, data=file) as running:
        rig = helpers.Rig(running)
        caller = rig.caller(token)
        assert caller.get("/devices/kept")["displayName"] == "Kept"
        assert caller.get("/devices/kept/credentials") == key
        rig.close()


def test_a_world_with_tls_and_a_proxy_for_hard_coded_hosts(helpers: Any) -> None:
    with (
        sandbox.start({"iotcentral": iotcentral}, tls=True, devices=5, days=2) as running,
        Proxy(running["iotcentral"]) as proxy,
    ):
        info = running["iotcentral"].info()
        context = ssl.create_default_context(cafile=str(running["iotcentral"].ca_file))
        context.check_hostname = False  # the certificate is for this machine's own names
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": proxy.url}), urllib.request.HTTPSHandler(context=context)
        )
        for host, path, token in (
            ("plant-explorer.azureiotcentral.com", "/api/devices?api-version=2022-07-31", info["bearer"]),
            (
                "management.azure.com",
                f"/subscriptions/{info['connect']['subscription']}/resourceGroups?api-version=2021-04-01",
                info["management_bearer"],
            ),
        ):
            request = urllib.request.Request(
                f"https://{host}{path}", headers={"Authorization": f"Bearer {token}"}
            )
            with opener.open(request, timeout=5) as answer:
                assert json.load(answer)["value"]
        plain = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy.url}))
        with pytest.raises(urllib.error.HTTPError, match="405"):
            plain.open("http://example.com/", timeout=5)


def test_every_endpoint_of_the_service_is_served() -> None:
    """120 operations on 61 paths in the preview, 96 of them in the general version; 27 paths in 1.0."""
    routes = [route for chapter in iotcentral._CHAPTERS for route in chapter.ROUTES]
    assert len({(route.method, route.path) for route in routes}) == len(routes) == 120
    assert sum(not route.preview for route in routes) == 96
    shapes = {re.sub(r"\{\w+\}", "{}", route.path) for route in routes}
    assert len(shapes) == 61
