"""Whatever is sent to whatever path, the answer is an answer, and nothing breaks behind it."""

import itertools
import random

import pytest

from iotnb.sandbox import iotconnect

ROUTES = [route for chapter in iotconnect._CHAPTERS for route in chapter.ROUTES]
TEXTS = [
    "",
    "0",
    "-1",
    "\u00b2",
    "9" * 30,
    "x",
    "%00",
    "a/b c",
    "\u00e4\U0001f600",
    "null",
    "00000000-0000-4000-8000-000000000000",
    "2026-06-16",
    "9999-12-31",
    "0001-01-01",
    "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5LjA=",
    "LTUuLTU=",
]
VALUES = [*TEXTS, None, True, 0, -1, 3.5, 1e300, [], [None], [{}], {}, {"guid": []}, [["x"]]]
MEMBERS = (
    *("uniqueId", "uniqueIds", "deviceTemplateGuid", "templateGuid", "displayName"),
    *("entityGuid", "parentEntityGuid", "name", "code", "authType", "isEdgeSupport"),
    *("commandGuid", "parameterValue", "applyTo", "devices", "deviceGuids", "target"),
    *("firmwareUpgradeGuid", "firmwareGuid", "firmwareName", "hardware", "software"),
    *("scheduledOn", "fromDate", "toDate", "pageSize", "continuationToken", "sortOrder"),
    *("attributes", "attributeName", "filterAttrs", "template", "properties", "localName"),
    *("desiredValue", "templateSettingGuid", "ackId", "status", "statusText", "isActive"),
    *("severityLevelGuid", "conditionText", "expression", "dataTypeGuid", "command"),
    *("requiredParam", "requiredAck", "username", "password", "refreshtoken", "methodName"),
    *("templateDirectMethodGuid", "responseTimeoutInSeconds", "payload"),
)
QUERY = (
    *("pageNumber", "pageSize", "sortBy", "UniqueId", "Status", "Acquired", "Property"),
    *("Value", "deviceGuid", "entityGuid", "startDate", "endDate", "date", "type", "count"),
    *("searchText", "isConnected", "continuationToken"),
)


def known(site, admin):
    """Values that some handlers accept, so that they go further."""
    device = admin.devices()["sensor-0001-01"]
    rows = [device["guid"], device["uniqueId"], device["deviceTemplateGuid"]]
    rows += [admin.data("/Entity")[0]["guid"], admin.data("/Firmware")[0]["Upgrades"][0]["guid"]]
    rows += [admin.data(f"/template-command/{device['deviceTemplateGuid']}")[0]["guid"]]
    return [*rows, "2026-06-15", "2026-06-17 10:00:00"]


@pytest.mark.parametrize("edition", ["v1.1", "az", "aws"])
def test_nothing_breaks(site, admin, edition):
    from urllib.parse import quote

    chance = random.Random(edition)
    good = known(site, admin)
    seen = set()
    for route, turn in itertools.product(ROUTES, range(2)):
        if route.path.startswith("/Auth") and turn:
            continue
        path = "".join(
            "/" + (quote(chance.choice(good + TEXTS), safe="") or "x" if part.startswith("{") else part)
            for part in route.path.strip("/").split("/")
        )
        body = {name: chance.choice(VALUES + good) for name in MEMBERS if chance.random() < 0.8}
        query = {name: chance.choice(TEXTS + good) for name in QUERY if chance.random() < 0.2}
        answer = admin(route.method, path, None if route.method == "GET" else body, edition=edition, **query)
        seen.add(answer.status_code)
        if answer.status_code == 500:
            assert answer.json()["status"] == 500
            assert "pageNumber" in query or "pageSize" in query or "Telemetry/history" in path, path
        assert answer.status_code in (200, 204, 401, 404, 405, 409, 412, 500), answer.text
    site.running.raise_errors()
    assert {200, 204, 404, 409, 412} <= seen
