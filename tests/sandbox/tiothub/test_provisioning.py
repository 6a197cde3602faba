"""Provisioning requests and their responses, device groups, connectivity groups, LoRaWAN destinations."""

import pytest

IMEI = "351901000088011"


def request(hub, *items, rn="request1", operation=1, **headers):
    body = {"cnd": "com.telekom.iot.orchestrator.nodeProvisioningRequest", "rn": rn}
    body |= {"operation": operation, "requestList": list(items)}
    path = "/device-provisioning/request"
    return hub.dmo("POST", path, {"dtiot:noPRt": body}, ty=28, headers={"fullName": "true", **headers})


def item(name="sensor001", imei=IMEI, **more):
    info = {"rn": "device-info", "mgd": 1007, "lbl": ["d2c:1.0"], "man": "m", "mod": "T1", "ptl": ["LWM2M"]}
    return {
        "nodeID": f"urn:gsma:imei:{imei}",
        "nodeResourceName": name,
        "ICCID": "8949020000157526001",
        "profile": "SCS-LwM2M",
        "nodeCredentials": ["psk-id:id1", "psk:c2VjcmV0LWtleQ=="],
        "ndvi": info,
        "lbl": ["d2c:1.0"],
        **more,
    }


def response(hub, ri):
    return hub.dmo("GET", f"/device-provisioning/response/responseToRequest-{ri}?rcn=4")


def done(hub, answer):
    hub.clock.advance(1_500)
    return response(hub, answer.json()["dtiot:noPRt"]["resourceID"]).json()["flexContainer"]


@pytest.fixture
def fresh(start):
    hub = start()
    hub.running.reset()
    return hub


def test_a_device_is_provisioned_after_a_while(fresh):
    hub = fresh
    made = request(hub, item())
    assert made.status == 201
    body = made.json()["dtiot:noPRt"]
    assert body["resourceID"] == body["ri"]
    assert body["resourceName"] == body["rn"] == "request1"
    assert body["requestList"] == [item()]
    assert (body["ty"], body["cr"], body["st"]) == (28, "CTest", 0)
    assert response(hub, body["ri"]).status == 404
    hub.clock.advance(1_500)
    answered = response(hub, body["ri"]).json()["flexContainer"]
    assert answered["cnd"] == "com.telekom.iot.orchestrator.provisioningRequestResponse"
    assert (answered["reqRD"], answered["resSs"], answered["inEMs"]) == (body["ri"], 1, [])
    assert answered["geEMe"] == "Total to be provisioned: 1; Successfully processed: 1; Errors: 0"

    node = hub.dmo("GET", "/sensor001?rcn=4").json()["m2m:nod"]
    assert node["lbl"] == ["d2c:1.0", "profile:SCS-LwM2M", "ICCID:8949020000157526001"]
    assert node["m2m:dvi"][0]["mod"] == "T1"
    assert node["m2m:crds"][0]["crse"] == "c2VjcmV0LWtleQ=="
    assert "c2VjcmV0LWtleQ==" in hub.running.issued()
    line = hub.dmo("GET", "/device-communication/sensor001?rcn=4").json()["m2m:cnt"]["m2m:cnt"]
    assert [one["rn"] for one in line] == ["received-msg", "sent-received-msg", "outgoing-msg", "sent-msg"]
    assert hub.dmo("GET", "?rcn=4&ty=14").json()["m2m:cb"]["m2m:nod"][-1]["rn"] == "sensor001"
    history = hub.dmo("GET", "/device-provisioning/request?rcn=4").json()["m2m:cnt"]["dtiot:noPRt"]
    assert [one["rn"] for one in history] == ["request1"]
    answers = hub.dmo("GET", "/device-provisioning/response?rcn=4").json()["m2m:cnt"]["flexContainer"]
    assert [one["reqRD"] for one in answers] == [body["ri"]]


def test_the_short_form_is_the_same(fresh):
    short = {"ni": f"urn:gsma:imei:{IMEI}", "noRNe": "short1", "profe": "SCS-UDP"}
    body = {"dtiot:noPRt": {"rn": "r", "opern": 1, "reqLt": [short]}}
    made = fresh.dmo("POST", "/device-provisioning/request", body, ty=28)
    assert "resourceID" not in made.json()["dtiot:noPRt"]
    fresh.clock.advance(1_500)
    assert response(fresh, made.json()["dtiot:noPRt"]["ri"]).json()["flexContainer"]["resSs"] == 1
    assert fresh.dmo("GET", "/short1").status == 200


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (item(imei="35190100008801x"), "is not valid for profile"),
        (item(imei="123"), "is not valid for profile"),
        (item(profile="SCS-Nothing"), "is unknown"),
        (item(name="gw-0001"), "already exists"),
        (item(name="has blank"), "name may hold"),
        (item(ICCID="12"), "ICCID 12 is not valid"),
        (item(name=None), "nodeResourceName is missing"),
        (item(profile="SCS-HTTP"), "is not valid for profile"),
    ],
)
def test_what_cannot_be_provisioned_is_told_in_the_response(fresh, bad, why):
    found = done(fresh, request(fresh, bad, item(name="good", nodeID="urn:gsma:imei:490154203237518")))
    assert found["resSs"] == 2
    assert len(found["inEMs"]) == 1
    assert why in found["inEMs"][0]
    assert found["geEMe"] == "Total to be provisioned: 2; Successfully processed: 1; Errors: 1"
    assert fresh.dmo("GET", "/good").status == 200


def test_a_network_identity_is_used_once(fresh):
    taken = fresh.running.fleet[0].imei
    found = done(fresh, request(fresh, item(imei=taken)))
    assert "already in use" in found["inEMs"][0]


def test_removal(fresh):
    name = fresh.running.fleet[2].key
    found = done(fresh, request(fresh, {"nodeResourceName": name}, {"nodeResourceName": "none"}, operation=2))
    assert found["geEMe"] == "Total to be removed: 2; Successfully processed: 1; Errors: 1"
    assert fresh.dmo("GET", f"/{name}").status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"operation": 3, "requestList": [item()]},
        {"operation": 1, "requestList": []},
        {"operation": 1, "requestList": "x"},
        {"operation": 1, "requestList": ["x"]},
        {},
    ],
)
def test_bad_requests(hub, body):
    answer = hub.dmo("POST", "/device-provisioning/request", {"dtiot:noPRt": body}, ty=28)
    assert answer.status == 400


def test_requests_belong_below_provisioning(hub):
    body = {"dtiot:noPRt": {"operation": 1, "requestList": [item()]}}
    assert hub.dmo("POST", "/device-group", body, ty=28).status == 403


def test_a_provisioned_device_takes_its_commands_when_it_talks(fresh):
    done(fresh, request(fresh, item(name="mine")))
    base = "/device-communication/mine"
    fresh.dmo("POST", f"{base}/outgoing-msg", {"m2m:cin": {"con": "blink"}}, ty=4)
    fresh.clock.advance(60_000)
    queued = fresh.dmo("GET", f"{base}/outgoing-msg?rcn=4").json()["m2m:cnt"]
    assert [one["con"] for one in queued["m2m:cin"]] == ["blink"]
    fresh.dmo("POST", f"{base}/received-msg", {"m2m:cin": {"con": "awake"}}, ty=4)
    assert "m2m:cin" not in fresh.dmo("GET", f"{base}/outgoing-msg?rcn=4").json()["m2m:cnt"]
    assert fresh.dmo("GET", f"{base}/sent-msg/la").json()["m2m:cin"]["con"] == "blink"


def test_what_was_made_survives_a_restart(start, tmp_path):
    first = start(data=tmp_path / "hub.sqlite")
    waiting = request(first, item(name="kept")).json()["dtiot:noPRt"]["ri"]
    first.dmo(
        "POST",
        f"/device-communication/{first.running.fleet[1].key}/received-msg",
        {"m2m:cin": {"con": "k"}},
        ty=4,
    )
    clock = first.clock
    first.running.close()
    second = start(data=tmp_path / "hub.sqlite", clock=clock)
    second.clock.advance(2_000)
    assert response(second, waiting).json()["flexContainer"]["resSs"] == 1
    assert second.dmo("GET", "/kept").status == 200
    path = f"/device-communication/{second.running.fleet[1].key}/received-msg/la"
    assert second.dmo("GET", path).json()["m2m:cin"]["con"] == "k"


# groups


def test_device_groups(fresh):
    group = {
        "cnd": "com.telekom.iot.orchestrator.deviceGroup",
        "rn": "g1",
        "lbl": ["d2c:1.0", "description:"],
    }
    made = fresh.dmo(
        "POST", "/device-group", {"dtiot:devGr": {**group, "nds": ["gw-0001"], "aes": []}}, ty=28
    )
    assert made.status == 201
    assert fresh.dmo("GET", "/device-group/g1?rcn=4").json()["dtiot:devGr"]["nds"] == ["gw-0001"]
    listed = fresh.dmo("GET", "/device-group?rcn=4").json()["m2m:ae"]["dtiot:devGr"]
    assert {"g1", "fleet-dashboard"} <= {one["rn"] for one in listed}
    changed = fresh.dmo("PUT", "/device-group/g1", {"dtiot:devGr": {"nds": []}}).json()["dtiot:devGr"]
    assert (changed["nds"], changed["st"]) == ([], 1)
    assert fresh.dmo("POST", "/device-group", {"dtiot:devGr": {"rn": "g1"}}, ty=28).status == 409
    for bad in ("x", [1], {"a": 1}):
        assert fresh.dmo("POST", "/device-group", {"dtiot:devGr": {"nds": bad}}, ty=28).status == 400
    assert fresh.dmo("DELETE", "/device-group/g1").status == 200


def test_connectivity_groups_are_carried_out(fresh):
    rules = {"prPID": "P1", "faPID": "F1", "priTd1": "x"}
    good = [{"coPID": "INTELSAT-27597", "coPTe": "SATELLITE", "netID": "n1"}]
    body = {"dtiot:conGp": {"rn": "c1", "conPs": good, "liCRr": "r", "priRe": rules}}
    made = fresh.dmo("POST", "/connectivityGroups", body, ty=28)
    assert made.json()["dtiot:conGp"]["updTe"] == 0
    fresh.clock.advance(2_000)
    found = fresh.dmo("GET", "/connectivityGroups?rcn=4&ty=28").json()["m2m:cnt"]["dtiot:conGp"]
    assert [(one["rn"], one["updTe"], one["errMe"]) for one in found] == [("c1", 2, "")]
    wrong = {"dtiot:conGp": {"conPs": [{"coPID": "JASPER-0"}]}}
    assert fresh.dmo("PUT", "/connectivityGroups/c1", wrong).json()["dtiot:conGp"]["updTe"] == 0
    fresh.clock.advance(2_000)
    assert "JASPER-0" in fresh.dmo("GET", "/connectivityGroups/c1").json()["dtiot:conGp"]["errMe"]
    assert fresh.dmo("POST", "/connectivityGroups", {"dtiot:conGp": {"conPs": 5}}, ty=28).status == 400
    assert fresh.dmo("DELETE", "/connectivityGroups/c1").status == 200


def test_lorawan_destinations_keep_their_own_names(fresh):
    adapter = "/d2c-protocol-adapter-loriot"
    made = fresh.dmo("POST", adapter, {"dtiot:lorAt": {"rn": "acc", "userApi": True}}, ty=28)
    assert made.json()["dtiot:lorAt"]["useAi"] is True
    body = {"dtiot:lorAn": {"rn": "BE01", "name": "n", "propagate": False, "hexId": "be01"}}
    answer = fresh.dmo("POST", f"{adapter}/acc", body, ty=28).json()["dtiot:lorAn"]
    assert (answer["nm"], answer["prope"], answer["hexId"]) == ("n", False, "BE01")
    changed = fresh.dmo("PUT", f"{adapter}/acc/BE01", {"dtiot:lorAn": {"prope": True}})
    assert changed.json()["dtiot:lorAn"]["prope"] is True
