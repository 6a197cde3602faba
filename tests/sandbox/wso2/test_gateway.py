"""The gateway in front: who may call what, its faults in XML and JSON, paths, throttling, TLS."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import requests

from iotnb import sandbox
from iotnb.sandbox import wso2 as module

MGT = "/api/device-mgt/v1.0"
ENDPOINTS = json.loads((Path(__file__).parents[2] / "documents" / "wso2" / "endpoints.json").read_text())
AMS = "{http://wso2.org/apimanager/security}"


def fault(answer):
    """Code and message of a fault in XML."""
    assert answer.headers["content-type"] == "application/xml"
    root = ET.fromstring(answer.text)
    assert root.tag == f"{AMS}fault"
    return int(root.findtext(f"{AMS}code")), root.findtext(f"{AMS}message")


def bearer(word):
    return {"Authorization": f"Bearer {word}"}


def test_without_a_token(hub):
    for headers in ({}, {"Authorization": "Basic YWRtaW46YWRtaW4="}, {"Authorization": "Bearer "}):
        answer = hub.send("GET", f"{MGT}/devices", headers=headers)
        assert answer.status_code == 401
        assert fault(answer) == (900902, "Missing Credentials")


def test_with_a_token_that_nobody_issued(hub):
    answer = hub.send("GET", f"{MGT}/devices", headers=bearer("237bfc64-9567-3edf-9ad6-3795d37fa368"))
    assert answer.status_code == 401
    assert fault(answer)[0] == 900901
    assert answer.headers["www-authenticate"].startswith("OAuth2")


def test_faults_have_a_twin_in_json(hub):
    hub.switch(fault_format="json")
    try:
        answer = hub.send("GET", f"{MGT}/devices", headers=bearer("nonsense"))
    finally:
        hub.switch(fault_format=None)
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()["fault"]
    assert (found["code"], found["message"]) == (900901, "Invalid Credentials")
    assert found["description"].startswith(f"Access failure for API: {MGT}/devices")


def test_all_tokens_can_expire_at_once(start):
    hub = start(devices=1)
    headers = bearer(hub.token())
    assert hub.send("POST", "/.sandbox/tokens", json={"action": "expire"}).status_code == 200
    assert fault(hub.send("GET", f"{MGT}/devices", headers=headers))[0] == 900903
    hub.forget()
    assert hub("GET", "/devices").status_code == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e['method']} {e['path']}")
def test_a_call_needs_its_scope_and_no_other(hub, endpoint):
    path = re.sub(r"\{[^}]+\}", "x", endpoint["path"])
    others = next(one["scope"] for one in ENDPOINTS if one["scope"] != endpoint["scope"])
    poor = hub.login(hub.register(), scope=others)["access_token"]
    answer = hub.send(endpoint["method"], path, headers=bearer(poor))
    assert answer.status_code == 403
    assert fault(answer)[0] == 900910
    rich = hub.login(hub.register(), scope=endpoint["scope"])
    assert rich["scope"] == endpoint["scope"]
    answer = hub.send(endpoint["method"], path, headers=bearer(rich["access_token"]))
    assert "90090" not in answer.text
    assert "am:fault" not in answer.text
    assert answer.status_code < 600


def test_some_calls_need_no_scope(hub):
    word = hub.login(hub.register(), scope="")["access_token"]
    there = hub.send("GET", f"{MGT}/devices/firealarm/123422/status", headers=bearer(word))
    gone = hub.send("GET", f"{MGT}/devices/firealarm/none/status", headers=bearer(word))
    assert (there.status_code, gone.status_code) == (200, 204)


def test_what_no_api_serves(hub):
    for method in ("GET", "DELETE"):
        answer = hub.send(method, "/api/device-mgt/v1.0/nonsense", headers=bearer(hub.token()))
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/xml"
        assert answer.text == (
            '<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code>'
            "<am:type>Status report</am:type><am:message>Not Found</am:message><am:description>"
            "The requested resource (/api/device-mgt/v1.0/nonsense) is not available."
            "</am:description></am:fault>"
        )
    posted = hub.send("POST", "/nonsense", json={})
    assert posted.status_code == 404
    assert posted.json()["fault"]["type"] == "Status report"
    plain = hub.send("POST", "/nonsense", data="x", headers={"Content-Type": "text/plain"})
    assert plain.text.startswith("<am:fault")


def test_a_path_that_the_api_does_not_have(hub):
    answer = hub("GET", "/devices/a/b/c/d/e")
    assert answer.status_code == 403
    assert fault(answer)[0] == 900906
    assert fault(hub("PUT", "/activities"))[0] == 900906


@pytest.mark.parametrize(
    "path",
    [
        "/api/device-mgt/v1.0/devices",
        "/api/device-mgt/v1.0/devices/",
        "/api/device-mgt/v1.0/devices/1.0.0",
        "/api/device-mgt/v1.0/devices/1.0.0/",
        "//api//device-mgt/v1.0//devices",
    ],
)
def test_the_version_and_spare_slashes_do_not_matter(hub, path):
    prepared = requests.Request("GET", hub.base + "/x", headers=bearer(hub.token())).prepare()
    prepared.url = hub.base + path + "?limit=1&roleName=unknown"
    answer = hub.session.send(prepared)
    assert answer.status_code == 200
    assert answer.json()["count"] == 57


def test_the_version_after_longer_contexts(hub):
    assert hub("GET", "/admin/devices/1.0.0?limit=1").status_code == 200
    assert hub("GET", "/device/agent/1.0.0/pending/operations/firealarm/123422").status_code == 200


def test_throttled_calls(hub):
    hub.token()
    hub.switch(throttle=2)
    try:
        first, second, third = (hub("GET", "/device-types") for _ in range(3))
    finally:
        hub.switch(throttle=None)
    assert (first.status_code, second.status_code, third.status_code) == (429, 429, 200)
    assert first.text.startswith(
        '<amt:fault xmlns:amt="http://wso2.org/apimanager/throttling"><amt:code>900800<'
    )


def test_the_token_endpoint_takes_post_only(hub):
    answer = hub.send("GET", "/token")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_head_has_no_body(hub):
    answer = hub("HEAD", "/device-types")
    assert answer.status_code == 200
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 0


def test_a_self_signed_certificate_that_can_be_trusted():
    with sandbox.start({"wso2": module}, tls=True, devices=1) as running:
        connect = running["wso2"].connect
        assert connect["base_url"].startswith("https://127.0.0.1:")
        url = f"{connect['base_url']}/api-application-registration/register"
        body = {"applicationName": "tls", "tags": ["device_management"]}
        login = connect["username"], connect["password"]
        with pytest.raises(requests.exceptions.SSLError):
            requests.post(url, json=body, auth=login, timeout=10)
        answer = requests.post(url, json=body, auth=login, timeout=10, verify=connect["ca_file"])
        assert answer.status_code == 201
        running.raise_errors()


def test_unknown_switches_are_named(hub):
    with pytest.raises(sandbox.SandboxError, match="unknown switch speed"):
        sandbox.start({"wso2": module}, switches={"wso2": {"speed": 1}})
    with pytest.raises(sandbox.SandboxError, match="start is one of full, fleet, fresh"):
        sandbox.start({"wso2": module}, switches={"wso2": {"start": "empty"}})
    with pytest.raises(sandbox.SandboxError, match="server_tz"):
        sandbox.start({"wso2": module}, switches={"wso2": {"server_tz": "Mars/Olympus"}})
