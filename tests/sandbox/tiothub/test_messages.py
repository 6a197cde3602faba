"""Messages: the fleet's in every payload form, complete, in order; users' messages; commands."""

import base64
import json
import uuid

import numpy as np
import pytest


def store(hub, device, name="received-msg", query="?rcn=4"):
    return hub.dmo("GET", f"/device-communication/{device}/{name}{query}")


def messages(hub, device, name="received-msg", query="?rcn=4"):
    body = store(hub, device, name, query).json()
    return body.get("m2m:cnt", body.get("container")).get("m2m:cin", [])


def decoded(message):
    """What a client makes of a message; ValueError if it cannot be decoded."""
    content, info = message["con"], message.get("cnf", "text/plain:0")
    if isinstance(content, dict):
        return content
    if info.endswith(":1"):
        content = base64.b64decode(content, validate=True).decode()
    return json.loads(content) if info.startswith("application/json") else content


def reported(found, name):
    out = []
    for message in found:
        try:
            content = decoded(message)
        except ValueError:
            continue
        if isinstance(content, dict) and name in content.get("reported", {}):
            out.append((message["ct"], content["reported"][name]))
    return out


def stamp(ms):
    text = str(np.datetime64(int(ms), "ms")).replace("-", "").replace(":", "").replace(".", ",")
    return text + "000"


@pytest.mark.parametrize("index", range(6))
def test_messages_say_what_the_fleet_measured(hub, index):
    fleet = hub.running.fleet
    found = messages(hub, fleet[index].key)
    for group, series in fleet.groups(index).items():
        times = fleet.times(index, group, fleet.start, hub.clock.now() + 1)
        for one in series:
            values = fleet.value(index, one, times)
            wanted = [(stamp(at), value) for at, value in zip(times, values.tolist(), strict=True)]
            assert reported(found, one.name) == wanted, one.key


def test_messages_are_in_order_with_their_own_ids_and_names(hub):
    found = messages(hub, hub.running.fleet[1].key)
    assert [one["ct"] for one in found] == sorted(one["ct"] for one in found)
    assert len({one["ri"] for one in found}) == len({one["rn"] for one in found}) == len(found)
    assert all(uuid.UUID(one["rn"]) for one in found)


def test_payloads_come_in_every_form_and_some_cannot_be_decoded(hub):
    forms, broken = set(), 0
    some = [hub.running.fleet[i] for i in range(8)]
    for device in some:
        for message in messages(hub, device.key):
            kind = type(message["con"]).__name__
            forms.add((kind, message.get("cnf")))
            try:
                decoded(message)
            except ValueError:
                broken += 1
    assert forms == {
        ("dict", "application/json:0"),
        ("str", "application/json:0"),
        ("str", "application/json:1"),
        ("str", "text/plain:0"),
        ("str", "text/plain:1"),
    }
    assert broken
    hub.switch(broken_messages=False)
    for device in some:
        for message in messages(hub, device.key):
            decoded(message)
    hub.switch(broken_messages=None)


def test_newest_oldest_and_one_by_name_and_id(hub):
    name = hub.running.fleet[1].key
    found = messages(hub, name)
    path = f"/device-communication/{name}/received-msg"
    assert hub.dmo("GET", f"{path}/la").json() == {"m2m:cin": found[-1]}
    assert hub.dmo("GET", f"{path}/ol").json() == {"m2m:cin": found[0]}
    for one in found[:3] + found[-3:]:
        assert hub.dmo("GET", f"{path}/{one['rn']}").json() == {"m2m:cin": one}
        assert hub.dmo("GET", hub.by_id(one["ri"])).json() == {"m2m:cin": one}
    assert hub.dmo("GET", f"{path}/{uuid.uuid4()}").status == 404
    assert hub.dmo("GET", hub.by_id(found[0]["ri"][:-1] + "9")).status == 404


def test_a_silent_device_has_an_empty_store(hub):
    fleet = hub.running.fleet
    silent = next(i for i in range(len(fleet)) if fleet.links.never(i))
    assert messages(hub, fleet[silent].key) == []
    answer = hub.dmo("GET", f"/device-communication/{fleet[silent].key}/received-msg/la")
    assert (answer.status, answer.headers["x-m2m-rsc"]) == (404, "4004")
    assert "no instance for <latest>" in answer.json()["m2m:dbg"]


def test_pages_of_messages_join_without_seam(hub):
    name = hub.running.fleet[2].key
    whole = messages(hub, name)
    joined, at = [], 0
    while page := messages(hub, name, query=f"?rcn=4&limit=1000&offset={at}"):
        joined += page
        at += len(page)
    assert joined == whole


def test_a_window_by_time(hub):
    name = hub.running.fleet[2].key
    whole = messages(hub, name)
    low, high = whole[10]["ct"], whole[20]["ct"]
    assert messages(hub, name, query=f"?rcn=4&cra={low}&crb={high}") == whole[11:20]
    assert messages(hub, name, query="?rcn=4&ty=4&cnf=text/plain:*") == [
        one for one in whole if one["cnf"].startswith("text/plain")
    ]
    assert messages(hub, name, query="?rcn=4&ty=23") == []


def test_the_number_of_messages_is_told_when_asked(hub):
    name = hub.running.fleet[2].key
    count = len(messages(hub, name))
    state = store(hub, name, query="?rcn=1").json()["m2m:cnt"]
    assert (state["cni"], state["mni"]) == (count, 10_000)
    assert state["cbs"] > count
    assert "cni" not in store(hub, name).json()["m2m:cnt"]


def test_a_container_keeps_its_ten_thousand_newest_messages(start):
    hub = start(days=20)
    machine = next(
        d
        for d in hub.running.fleet
        if d.kind == "machine" and hub.running.fleet.online(d.index, hub.clock.now())
    )
    found = messages(hub, machine.key)
    assert 9_000 < len(found) <= 10_000
    fleet = hub.running.fleet
    times = fleet.times(machine.index, "vibration", fleet.start, hub.clock.now() + 1)
    last = [at for at, _ in reported(found, "rms")]
    assert last == [stamp(at) for at in times[-len(last) :]]
    hub.switch(retention=50)
    assert messages(hub, machine.key) == found[-50:]


def test_test_message(hub):
    name = hub.running.fleet[9].key
    path = f"/device-communication/{name}/received-msg"
    rn = str(uuid.uuid4())
    made = hub.dmo("POST", path, {"m2m:cin": {"rn": rn, "con": "hello", "cnf": "text/plain:0"}}, ty=4)
    assert made.status == 201
    body = made.json()["m2m:cin"]
    assert (body["rn"], body["con"], body["cnf"], body["ty"], body["cr"]) == (
        rn,
        "hello",
        "text/plain:0",
        4,
        "CTest",
    )
    assert hub.dmo("GET", f"{path}/{rn}").json()["m2m:cin"] == body
    assert hub.dmo("GET", hub.by_id(body["ri"])).json()["m2m:cin"] == body
    assert hub.dmo("GET", f"{path}/la").json()["m2m:cin"] == body
    assert messages(hub, name)[-1] == body
    assert hub.dmo("POST", path, {"m2m:cin": {"rn": rn, "con": "x"}}, ty=4).status == 409
    assert hub.dmo("PUT", f"{path}/{rn}", {"m2m:cin": {"con": "y"}}).status == 405
    assert hub.dmo("DELETE", f"{path}/{rn}").status == 200
    assert hub.dmo("GET", f"{path}/{rn}").status == 404


@pytest.mark.parametrize("content", [{"a": {"b": [1, 2.5, None]}}, "", "ü€ \u0000", [1, 2], 5, True, None])
def test_any_content_comes_back(hub, content):
    path = f"/device-communication/{hub.running.fleet[9].key}/received-msg"
    body = {"contentInstance": {"content": content, "contentInfo": "application/json:0"}}
    made = hub.dmo("POST", path, body, ty=4).json()["m2m:cin"]
    assert hub.dmo("GET", f"{path}/{made['rn']}").json()["m2m:cin"]["con"] == content


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("received-msg", {"m2m:cin": {"cnf": "text/plain:0"}}),
        ("received-msg", {"m2m:cin": {"con": "x", "cnf": 5}}),
        ("received-msg", {"m2m:cnt": {"con": "x"}}),
        ("received-msg", {"m2m:cin": {"con": "x", "rn": "a/b"}}),
    ],
)
def test_bad_messages(hub, path, body):
    name = hub.running.fleet[9].key
    assert hub.dmo("POST", f"/device-communication/{name}/{path}", body, ty=4).status == 400


def test_a_message_belongs_into_a_container(hub):
    name = hub.running.fleet[9].key
    assert hub.dmo("POST", f"/{name}", {"m2m:cin": {"con": "x"}}, ty=4).status == 403
    answer = hub.dmo("POST", f"/device-communication/{name}/nothing", {"m2m:cin": {"con": "x"}}, ty=4)
    assert answer.status == 404


def test_fleet_messages_can_be_deleted_one_by_one(start):
    hub = start()
    name = hub.running.fleet[2].key
    before = messages(hub, name)
    for one in (before[5], before[-1]):
        path = f"/device-communication/{name}/received-msg/{one['rn']}"
        assert hub.dmo("DELETE", path).status == 200
        assert hub.dmo("GET", path).status == 404
    assert messages(hub, name) == before[:5] + before[6:-1]


def test_own_containers(hub):
    hub.dmo("POST", "", {"m2m:ae": {"api": "NBox", "rn": "BoxApp"}}, ty=2, origin="CBox")
    assert hub.dmo("POST", "/BoxApp", {"m2m:cnt": {"rn": "data", "mni": 5}}, ty=3).status == 201
    assert hub.dmo("GET", "/BoxApp/data/la").status == 404
    for n in range(3):
        hub.dmo("POST", "/BoxApp/data", {"m2m:cin": {"con": n}}, ty=4)
    body = hub.dmo("GET", "/BoxApp/data?rcn=4").json()["m2m:cnt"]
    assert [one["con"] for one in body["m2m:cin"]] == [0, 1, 2]
    references = hub.dmo("GET", "/BoxApp/data?rcn=5").json()["m2m:cnt"]["ch"]
    assert [one["typ"] for one in references] == [4, 4, 4]
    assert hub.dmo("GET", "/BoxApp?fu=1&ty=4").json()["m2m:uril"] == [
        f"eos/BoxApp/data/{one['nm']}" for one in references
    ]
    assert hub.dmo("DELETE", "/BoxApp").status == 200
    assert hub.dmo("GET", hub.by_id(references[0]["val"])).status == 404


# commands


def lwm2m(hub):
    fleet, now = hub.running.fleet, hub.clock.now()
    return next(i for i in (0, 2, 4, 10, 12, 14, 20) if fleet.online(i, now))


def test_a_command_is_queued_then_sent_then_answered(start):
    hub = start()
    name = hub.running.fleet[lwm2m(hub)].key
    path = f"/device-communication/{name}/outgoing-msg"
    made = hub.dmo("POST", path, {"m2m:cin": {"con": "GET /3\n"}}, ty=4)
    assert made.status == 201
    ri = made.json()["m2m:cin"]["ri"]
    assert ri in [one["ri"] for one in messages(hub, name, "outgoing-msg")]
    for _ in range(30):
        hub.clock.advance(1000)
        if ri not in [one["ri"] for one in messages(hub, name, "outgoing-msg")]:
            break
    sent = messages(hub, name, "sent-msg")[-1]
    assert (sent["con"], sent["cr"]) == ("GET /3\n", "CTest")
    assert sent["ri"] != ri
    for _ in range(30):
        hub.clock.advance(1000)
        answers = [one for one in messages(hub, name) if one["ct"] > sent["ct"] and one["ri"][8] == "1"]
        if answers:
            break
    content = answers[0]["con"]
    assert isinstance(content, str) or content["3"]["0"]["0"] == "Nordwerk"


def test_history_of_commands(start):
    hub = start(days=25, devices=40)
    fleet, now = hub.running.fleet, hub.clock.now()
    seen = {"outgoing-msg": 0, "sent-msg": 0}
    for device in fleet:
        operations = fleet.operations(device.index, fleet.start, now + 1)
        pending = [one for one in operations if one.status(now) == "PENDING"]
        for name, number in (("outgoing-msg", len(pending)), ("sent-msg", len(operations) - len(pending))):
            found = messages(hub, device.key, name)
            assert len(found) == number
            seen[name] += number
            if found:
                assert hub.dmo("GET", hub.by_id(found[0]["ri"])).json()["m2m:cin"] == found[0]
    assert all(seen.values())


def test_newer_editions_answer_commands_in_long_names(start):
    hub = start(switches={"edition": "2026"})
    name = hub.running.fleet[0].key
    path = f"/device-communication/{name}/outgoing-msg"
    made = hub.dmo("POST", path, {"m2m:cin": {"con": "GET /3\n"}}, ty=4, access="newer")
    body = made.json()["contentInstance"]
    assert body["content"] == "GET /3\n"
    assert body["resourceType"] == 4
    assert {"resourceID", "resourceName", "parentID", "creationTime", "lastModifiedTime"} <= body.keys()
    listed = hub.dmo("GET", f"{path}?rcn=4", access="newer").json()["container"]
    assert [one["content"] for one in listed["contentInstance"]][-1] == "GET /3\n"
    short = hub.dmo("GET", f"/device-communication/{name}/received-msg/la", access="newer").json()
    assert "m2m:cin" in short
    hub.switch(vocabulary="long")
    long = hub.dmo("GET", f"/{name}?rcn=4", access="newer").json()["node"]
    assert long["deviceInfo"][0]["fwVersion"]
    assert long["nodeID"].startswith("urn:")


def test_gateways_have_delivered_messages(hub):
    gateway = hub.running.fleet[0].key
    delivered = messages(hub, gateway, "sent-received-msg")
    assert reported(delivered, "load") == reported(messages(hub, gateway), "load")
    assert messages(hub, hub.running.fleet[1].key, "sent-received-msg") == []
