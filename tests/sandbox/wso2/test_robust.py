"""What nobody should send, to every endpoint; and how clients in the field read the answers."""

import http.client
import json
import re
from base64 import b64encode
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ENDPOINTS = json.loads((Path(__file__).parents[2] / "documents" / "wso2" / "endpoints.json").read_text())
WRONG = {
    "name": 5,
    "type": [],
    "deviceIdentifier": {},
    "enrolmentInfo": 3,
    "properties": [3],
    "id": 1.5,
    "deviceIdentifiers": [None, {}, True],
    "operation": {"code": "x", "type": 4},
    "deviceIDs": {},
    "conditions": [{"key": 1, "operator": "=", "value": {}}],
    "roles": "x",
    "users": {},
    "permissions": 4,
    "eventAttributes": {"attributes": [3]},
    "transport": 4,
    "deviceGroupIds": [None],
    "profile": [],
    "deviceTypeMetaDefinition": 5,
    "configuration": [4],
    "pem": 4,
    "roleName": [],
    "username": {},
    "parseData": 5,
}
DEEPER = {
    "name": "n",
    "type": "firealarm",
    "deviceIdentifier": "123422",
    "policyName": "p",
    "username": "u",
    "profile": {"profileFeaturesList": [4], "deviceType": {}},
    "roleName": "r",
    "users": [4],
    "roles": [{}],
    "operation": {"code": "x", "type": "CONFIG", "payLoad": [1, {"a": None}]},
    "deviceIdentifiers": ["123422"],
    "conditions": [{"key": "deviceModel", "operator": "<", "value": None, "state": 5}],
    "deviceIDs": ["x"],
    "eventAttributes": {"attributes": [{"name": {}, "type": "INT"}]},
    "transport": "HTTP",
    "parseData": "[]",
    "deviceTypeMetaDefinition": {"features": [1], "properties": 3},
    "properties": {"a": 1},
}
LISTS = {
    "name": "odd",
    "type": "odd",
    "deviceTypeMetaDefinition": {"features": {"a": 1}},
    "deviceIdentifier": 5,
    "parseData": {"geoFenceGeoJSON": {"coordinates": 4}},
    "queryName": 4,
    "policyName": "p",
    "profile": {"profileFeaturesList": 5},
    "permissions": [{}, []],
    "users": [[]],
    "id": "1",
    "status": "COMPLETED",
    "operationResponse": {"a": 1},
    "eventAttributes": {"attributes": [{"name": "a", "type": []}]},
    "transport": [],
    "operation": {"code": "x", "type": {}},
}
ENTRY = {"id": [], "priority": 1, "name": {}, "serial": {}, "pem": [], "status": "ERROR", "type": {}}
PLAIN = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b"7",
    b"[null]",
    b"[{}]",
    b"[[]]",
    b'["x", 1]',
    b"{b",
    b"\xff\xfe",
]
BODIES = [
    *PLAIN,
    *(json.dumps(one).encode() for one in (WRONG, DEEPER, LISTS, [ENTRY], [{**ENTRY, "id": 1}])),
]
NAMES = {
    "type": "firealarm",
    "deviceType": "firealarm",
    "devicetype": "firealarm",
    "id": "123422",
    "deviceId": "123422",
    "deviceid": "123422",
    "groupId": "1",
    "alertType": "Within",
    "username": "user111",
    "roleName": "admin",
    "operationCode": "ring",
    "serial": "1",
    "prefix": "a",
    "device-type": "firealarm",
    "device-id": "123422",
}
QUERIES = [
    "",
    "?limit=x&from=x&to=1",
    "?owner=%00&limit=2&offset=1&from=1&to=9223372036854775807&ids=ACTIVITY_",
]
QUERIES += [
    "?limit=99999999999999999999&offset=99999999999999999999&from=-5&to=99999999999999999999999&status=%ff"
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_nothing_breaks_a_handler(start, method):
    hub = start(devices=4, days=2, switches={"geo_publishing": True})
    token = hub.token()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    broken = []
    for endpoint in ENDPOINTS:
        if endpoint["method"] != method:
            continue
        path = re.sub(r"\{([^}]+)\}", lambda match: NAMES[match[1]], endpoint["path"])
        if endpoint["path"].endswith(("/activities/{id}", "/{devicetype}/{deviceid}")):
            path = path.replace("/activities/123422", "/activities/ACTIVITY_1")
        sent = product(BODIES, [""]) if method in ("POST", "PUT") else product([None], QUERIES)
        for body, query in sent:
            answer = hub.send(method, path + query, data=body, headers=headers)
            if "sandbox/Internal Error" in answer.text:
                broken.append((path, query, body))
    assert broken == []


def test_nothing_breaks_the_open_endpoints(hub):
    for body in (
        *BODIES,
        b"grant_type=password",
        b"grant_type=%ff&a",
        b"=&&=&grant_type=refresh_token&scope=%00",
    ):
        for path in ("/token", "/revoke", "/api-application-registration/register"):
            for auth in (None, ("admin", "admin"), hub.register()):
                answer = hub.send("POST", path, data=body, auth=auth)
                assert "sandbox/Internal Error" not in answer.text, (path, body)
    odd = hub.send("POST", "/token", headers={"Authorization": "Basic ====="})
    assert odd.status_code in (400, 401)
    hub.running.raise_errors()


def test_a_client_that_writes_raw_requests_and_reads_with_patterns(fresh):
    """Load generators take the first digit behind a name, and send forms with blanks as they are."""
    address = urlsplit(fresh.base)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)

    def send(method, path, body="", **headers):
        connection.request(method, path, body.encode(), headers)
        return connection.getresponse().read().decode()

    basic = "Basic YWRtaW46YWRtaW4="
    kind = "application/json;charset=UTF-8"
    register = '{"applicationName":"app_1","isAllowedToAllDomains":false,'
    register += '"tags":["device_management","device_agent"],'
    register += '"isMappingAnExistingOAuthApp":false,"validityPeriod":"3600"}'
    answer = send(
        "POST",
        "/api-application-registration/register",
        register,
        **{"Authorization": basic, "Content-Type": kind},
    )
    name = re.search(r'"client_id":"([^"]+)"', answer)[1]
    secret = re.search(r'"client_secret":"([^"]+)"', answer)[1]
    form = "grant_type=password&username=admin@carbon.super&password=admin&=&"
    form += (
        "scope=perm:groups:add perm:groups:groups perm:groups:groups-view perm:groups:update perm:groups:add"
    )
    keys = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    keys.request(
        "POST",
        "/token",
        form.encode(),
        {
            "Authorization": "Basic " + b64(f"{name}:{secret}"),
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    token = re.search(r'"access_token":"([^"]+)"', keys.getresponse().read().decode())[1]
    keys.close()
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    place = "/api/device-mgt/v1.0/groups"
    assert re.search(r'"count":(\d)', send("GET", f"{place}/", **bearer))[1] == "0"
    assert (
        send("POST", f"{place}/1.0.0/", '{"id":2,"name":"g","description":"d","owner":"x"}', **bearer) == ""
    )
    assert re.search(r'"id":(\d)', send("GET", f"{place}?offset=0&limit=10", **bearer))[1] == "1"
    assert send("PUT", f"{place}/id/1", '{"id":"1","name":"g2"}', **bearer) == ""
    assert '"name":"g2"' in send("GET", "//api/device-mgt/v1.0/groups/id/1/", **bearer)
    connection.close()


def b64(text):
    return b64encode(text.encode()).decode()
