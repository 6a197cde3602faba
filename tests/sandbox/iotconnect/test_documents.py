"""The tutorial's requests, the samples of the documents, and the members that published answers have."""

import json
from pathlib import Path
from typing import Any

import pytest
from documented import differs, filled, pointed

FOLDER = Path(__file__).parents[2] / "documents" / "iotconnect"
DAY = 86_400_000


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def play(site: Any, step: dict[str, Any], values: dict[str, str]) -> None:
    """Send the request of a step; its answer is the documented one."""
    request = filled(step["request"], values)
    path = request["path"]
    text = request.get("text")
    body = text.encode() if text is not None else json.dumps(request["body"]) if "body" in request else None
    answer = site.http.request(
        request["method"],
        path if path.startswith("http") else site.base + path,
        data=body,
        headers=request.get("headers"),
        timeout=10,
    )
    assert answer.status_code == step["answer"]["status"], answer.text
    found = answer.json() if answer.content else None
    assert differs(filled(step["answer"]["body"], values), found) == ""
    values |= {name: str(pointed(found, place)) for name, place in step.get("keep", {}).items()}


def test_the_tutorial(site):
    values = dict(site.service.connect)
    document = load("tutorial.json")
    for step in document["steps"]:
        play(site, step, values)
    assert len(document["steps"]) == 20
    assert {step["step"].partition(":")[0] for step in document["steps"]} >= {"Step 1", "Step 2", "Step 3"}


def test_the_samples(site, helpers):
    values = {"access_token": site.member().token, "day": helpers.iso(helpers.NOW - DAY)[:10]}
    for step in load("samples.json")["steps"]:
        play(site, step, values)


@pytest.fixture
def values(admin, helpers):
    """What the paths of the endpoints name."""
    rows = admin.devices()
    return {
        "sensor_id": "sensor-0001-01",
        "gateway": rows["gw-0001"]["guid"],
        "template": rows["gw-0001"]["deviceTemplateGuid"],
        "rule": admin.data("/Rule")[0]["guid"],
        "entity": admin.data("/Entity")[0]["guid"],
        "user": admin.data("/User")[0]["guid"],
        "role": admin.data("/Role/lookup")[0]["guid"],
        "email": helpers.ADMIN,
    }


@pytest.mark.parametrize("endpoint", sorted(load("members.json")["endpoints"]))
def test_answers_have_the_published_members(admin, values, endpoint):
    known = load("members.json")["endpoints"][endpoint]
    method, _, path = filled(endpoint, values).partition(" ")
    answer = admin(method, path, pageSize=100).json()["data"]
    rows = answer if isinstance(answer, list) else [answer]
    assert rows
    expected = set(known["members"]) - set(known.get("left_out", ())) | set(known.get("added", ()))
    for row in rows:
        assert set(row) == expected
    assert not set(known.get("left_out", ())) - set(known["members"])
