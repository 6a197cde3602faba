"""A document's request sent by a client's login: to its own server, with its own credentials, or not."""

import email
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import iotnb
from iotnb import curl, replay
from iotnb.client import Client
from iotnb.errors import ConfigError


@pytest.fixture(scope="module")
def client(running: Any) -> Iterator[Client]:
    with iotnb.connect("cumulocity", **running["cumulocity"].connect) as made:
        yield made


def planned(line: str, client: Client, **values: Any) -> replay.Plan:
    return replay.plan(curl.parse(line), client, values)


def test_the_host_of_the_document_gives_way_to_the_client_s(client: Client) -> None:
    line = (
        "curl https://<tenant>.cumulocity.com/inventory/managedObjects/{id} -H 'Authorization: Basic <AUTH>'"
    )
    plan = planned(line, client, id="100003")
    answer = replay.send(plan)
    assert answer.url.startswith(client.session.base_url)
    assert replay.result(answer)["id"] == "100003"
    assert plan.line == "client.api.inventory.get('100003')"
    assert f"<tenant> was read as {client.host}" in plan.notes
    assert "Authorization" not in plan.headers


@pytest.mark.parametrize(
    "host",
    [
        "mytenant.cumulocity.com", "https://<tenant domain>", "https://{host}:8443", "https://[ENDPOINTS]",
        "$HOST", "https://example.com", "https://acme.example", "http://localhost:8243",
        "https://your-tenant.cumulocity.com",
    ],
)  # fmt: skip
def test_hosts_that_a_document_makes_up(client: Client, host: str) -> None:
    assert planned(f"curl {host}/user/currentUser", client).line == "client.api.users.current()"


@pytest.mark.parametrize(
    "host",
    [
        "https://api.github.com", "https://plant.cumulocity.com", "https://mytenant.cumulocity.com.evil.org",
        "https://myth.org", "https://10.0.0.7", "https://evil.org#.example.com",
    ],
)  # fmt: skip
def test_a_real_foreign_host_is_refused(client: Client, host: str) -> None:
    before = len(client.exchanges)
    with pytest.raises(ConfigError, match="another server than this client's"):
        planned(f"curl {host}/user/currentUser", client)
    assert len(client.exchanges) == before


def test_the_client_s_own_host_is_itself(client: Client) -> None:
    plan = planned(f"curl {client.session.base_url}/user/currentUser", client)
    assert not any("was read as" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("curl -k https://localhost:8243/x", "-k .* is refused"),
        (
            "curl -d 'grant_type=password&username=a&password=b' https://localhost/token",
            "this line is the login",
        ),
        ("curl https://localhost/inventory/managedObjects/<device id>", "<device id> has no value yet"),
        ("curl -H 'X-Thing: <thing>' https://localhost/user/currentUser", "<thing> has no value yet"),
        ('curl -d \'{"name": "<name>"}\' https://localhost/inventory/managedObjects', "<name> has no value"),
    ],
)
def test_what_is_not_sent(client: Client, line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        planned(line, client)


def test_a_value_is_one_segment_of_the_path(client: Client) -> None:
    plan = planned("curl https://localhost/inventory/managedObjects/{id}", client, id="1/../../user?x=1")
    assert plan.path == "/inventory/managedObjects/1%2F..%2F..%2Fuser%3Fx%3D1"


def test_a_request_that_no_method_sends_names_the_session(client: Client) -> None:
    plan = planned("curl -X PATCH -H 'X-A: b' -d '{\"a\": 1}' https://localhost/some/where?c=d", client)
    assert plan.line.startswith("client.session.request('PATCH', '/some/where?c=d', json={'a': 1}, headers=")
    assert "no method of client.api sends this" in plan.notes


def test_a_form_in_parts_with_a_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "pump.txt").write_text("hello")
    line = f"curl -F 'object={{\"name\":\"p\"}}' -F 'file=@{tmp_path}/pump.txt;type=text/plain' https://localhost/inventory/binaries"
    plan = planned(line, client)
    head = f"Content-Type: {plan.headers['Content-Type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + (plan.body or b"")).get_payload()
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["object", "file"]
    assert parts[1].get_filename() == "pump.txt"
    assert parts[1].get_content_type() == "text/plain"
    assert [part.get_payload() for part in parts] == ['{"name":"p"}', "hello"]
    assert replay.send(plan).status == 201


def test_a_secret_in_the_line_is_not_sent_and_not_shown(client: Client) -> None:
    line = "curl -u me:s3cret-word 'https://localhost/user/currentUser?access_token=s3cret-word'"
    plan = planned(line, client)
    assert "s3cret-word" not in plan.line
    assert not any("s3cret-word" in str(value) for value in plan.headers.values())


def test_json_as_a_table() -> None:
    page = {"statistics": {"pageSize": 2}, "items": [{"id": "1", "a": {"b": 2}}, {"id": "2"}], "few": [1]}
    assert replay.table(page)["id"].tolist() == ["1", "2"]
    assert replay.table([{"id": "1"}]).shape == (1, 1)
    assert replay.table({"id": "1", "name": "a"}).to_dict("records") == [{"id": "1", "name": "a"}]
    assert isinstance(replay.table([]), pd.DataFrame)


def test_all_hosts_of_a_login_are_its_own(running: Any) -> None:
    with iotnb.connect("tiothub", **running["tiothub"].connect) as hub:
        line = """curl 'https://myiot-t.com/api-gw/device-management-orchestrator/v3/<your_tenant_name>' \\
        -H 'Content-Type: application/json;ty=2' -H 'X-M2M-Origin: C<your_origin>' \\
        -H 'Authorization: Bearer <your_api_token>' \\
        -d '{"m2m:ae": {
            //N and a name
            "api": "N<your_application_type>", "rn": "documented"}}'"""
        plan = planned(line, hub)
        assert plan.headers["X-M2M-Origin"] == hub.api._dmo.origin
        answer = replay.send(plan)
        assert answer.status == 201
        assert replay.result(answer)["m2m:ae"]["rn"] == "documented"


@pytest.mark.parametrize(
    ("platform", "line", "python"),
    [
        ("cumulocity", "curl https://<tenant>/identity/externalIds/c8y_Serial/0", "client.api.identity.get("),
        (
            "tiothub",
            "curl https://myiot-t.com/api-gw/device-management-orchestrator/v3/<t>?fu=1",
            "client.api.tree.",
        ),
        ("iotcentral", "curl https://{subdomain}.{baseDomain}/api/devices/x", "client.api.devices.get('x')"),
        ("wso2", "curl https://localhost:8243/api/device-mgt/v1.0/devices", "client.api.devices."),
        (
            "iotconnect",
            'curl -X GET "[ENDPOINTS]/api/v1.1/Device"\n-H "accept: text/plain"',
            "client.api.devices.",
        ),
    ],
)
def test_a_line_of_each_vendor_finds_its_method(running: Any, platform: str, line: str, python: str) -> None:
    with iotnb.connect(platform, **running[platform].connect) as client:
        plan = planned(line, client)
        assert plan.line.startswith(python)
        assert plan.session in client.sessions
