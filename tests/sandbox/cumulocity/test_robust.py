"""Requests nobody means: whatever is sent, the answer is never a defect of the sandbox."""

import json
import random
from typing import Any

import pytest
from callers import World

import iotnb.sandbox.cumulocity as chapters
from iotnb.sandbox.cumulocity import (
    alarms,
    audit,
    bulk,
    children,
    events,
    identity,
    inventory,
    measurements,
    operations,
    registration,
    series,
    tenant,
)

ROUTES = [
    route
    for chapter in (
        alarms,
        audit,
        bulk,
        children,
        events,
        identity,
        inventory,
        measurements,
        operations,
        registration,
        series,
        tenant,
    )
    for route in chapter.ROUTES
]
IDS = ("100001", "10001", "2480300", "999", "x", "test", "%2F", "c8y_Serial", "9" * 30, "0")
NAMES = (
    "id",
    "source",
    "type",
    "time",
    "status",
    "deviceId",
    "references",
    "managedObject",
    "managedObjects",
    "externalIds",
)
NAMES += (
    "measurements",
    "creationRamp",
    "operationPrototype",
    "groupId",
    "startDate",
    "maximumAge",
    "value",
    "c8y_X",
    "owner",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    "100001",
    [],
    {},
    [1],
    {"id": "100001"},
    {"id": []},
    "2026-01-01T00:00:00Z",
    "9" * 40,
)
PARAMETERS = (
    "source",
    "pageSize",
    "currentPage",
    "dateFrom",
    "dateTo",
    "query",
    "q",
    "text",
    "ids",
    "withTotalPages",
    "status",
)
PARAMETERS += (
    "valueFragmentSeries",
    "series",
    "aggregationInterval",
    "aggregationFunction",
    "deviceId",
    "agentId",
    "childDeviceId",
)
TEXTS = (
    "100001",
    "x",
    "",
    "5",
    "-3",
    "true",
    "2026-01-01",
    "nope",
    "has(c8y_IsDevice)",
    "1h",
    "avg",
    "9" * 30,
    "(",
    "'",
    "1,2",
    "ü",
)
BASE = {
    "source": {"id": "100001"},
    "type": "t",
    "time": "2026-01-01T00:00:00Z",
    "text": "x",
    "severity": "MAJOR",
    "deviceId": "100001",
}


@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_meets_a_defect(still: World, seed: int) -> None:
    assert chapters.MUTUAL_TLS
    dice, admin = random.Random(seed), still.user("admin")
    for _ in range(400):
        method, template, _handler = dice.choice(ROUTES)
        path = "/".join(dice.choice(IDS) if part.startswith("{") else part for part in template.split("/"))
        body = {dice.choice(NAMES): dice.choice(VALUES) for _ in range(dice.randint(0, 5))}
        body = {**BASE, **body} if dice.random() < 0.5 else body
        asked = {dice.choice(PARAMETERS): dice.choice(TEXTS) for _ in range(dice.randint(0, 3))}
        data = json.dumps(body) if method in ("POST", "PUT") else None
        headers = {"Content-Type": "application/json"}
        answer = admin.http.request(
            method, admin.base + path, params=asked, data=data, headers=headers, timeout=30
        )
        assert answer.status_code < 500, f"{method} {path} {asked} {body}: {answer.text[:300]}"
        if answer.status_code >= 400:
            assert answer.json().keys() >= {"error", "info"}
