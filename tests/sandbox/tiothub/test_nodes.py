"""The tree of the device management side: nodes, applications, labels, device info, paging, discovery."""

import re
from collections import Counter

import pytest

BASIC = re.compile(r"\d{8}T\d{6},\d{6}")


def nodes(hub, query="?rcn=4&ty=14"):
    return hub.dmo("GET", query).json()["m2m:cb"].get("m2m:nod", [])


def labels(node):
    return dict(label.split(":", 1) for label in node["lbl"])


def test_list_holds_every_device_without_children(hub):
    found = nodes(hub, "?rcn=4&limit=1000&offset=0&ty=14")
    assert [one["rn"] for one in found] == [device.key for device in hub.running.fleet]
    assert not any(key.startswith("m2m:") for one in found for key in one)
    assert {labels(one)["profile"] for one in found} == {
        "SCS-LwM2M",
        "SCS-UDP",
        "SCS-NEUL",
        "SCS-HTTP",
        "LORIOT-LoRaWAN",
    }
    for one in found:
        assert one["pi"] == "eos"
        assert BASIC.fullmatch(one["ct"])
        assert re.fullmatch(r"[0-9a-f]{24}", one["ri"])


def test_the_first_digits_of_an_id_are_the_second_of_creation(hub):
    node = nodes(hub)[3]
    assert int(node["ri"][:8], 16) == hub.running.fleet[3].created // 1000


def test_identifiers_are_the_fleets_as_text(hub):
    by_name = {one["rn"]: one for one in nodes(hub)}
    lengths = set()
    for device in hub.running.fleet:
        node = by_name[device.key]
        if "ICCID" in labels(node):
            assert labels(node)["ICCID"] == device.iccid
            assert node["ni"] == f"urn:gsma:imei:{device.imei}"
            lengths.add(len(device.iccid))
    assert lengths == {19, 20}


def test_one_device_has_its_info_and_credentials(hub):
    device = hub.running.fleet[0]
    node = hub.dmo("GET", f"/{device.key}?rcn=4").json()["m2m:nod"]
    info = node["m2m:dvi"][0]
    assert info["mod"] == device.model
    assert info["fwv"] in (device.firmware_before, device.firmware_after)
    assert info["loc"] == f"geo:{device.latitude},{device.longitude}"
    assert (info["ty"], info["mgd"], info["rn"]) == (13, 1007, "device-info")
    secret = node["m2m:crds"][0]["crse"]
    assert secret in hub.running.issued()
    assert hub.dmo("GET", f"/{device.key}/device-info").json()["m2m:dvi"]["ri"] == info["ri"]


def test_the_same_resource_by_id_and_limits_are_ignored_there(hub):
    name = hub.running.fleet[2].key
    one = hub.dmo("GET", f"/{name}?rcn=4").json()
    ri = one["m2m:nod"]["ri"]
    again = hub.dmo("GET", hub.by_id(ri) + "?rcn=4&limit=1000000000&offset=0")
    assert again.json() == one
    info = one["m2m:nod"]["m2m:dvi"][0]["ri"]
    assert hub.dmo("GET", hub.by_id(info)).json()["m2m:dvi"]["rn"] == "device-info"


def test_device_label_comes_as_text_and_as_list(hub):
    kinds = set()
    for name in [device.key for device in hub.running.fleet][:10]:
        info = hub.dmo("GET", f"/{name}/device-info").json()["m2m:dvi"]
        kinds.add(type(info["dlb"]))
    assert kinds == {str, list}


def test_lorawan_labels(hub):
    found = [labels(one) for one in nodes(hub)]
    lorawan = next(one for one in found if one["profile"] == "LORIOT-LoRaWAN")
    assert lorawan["d2c-devicetype"] == "loriot-device"
    account, application = lorawan["d2c-loriot-destination"].split("/")
    assert lorawan["loriot-appkey"] in hub.running.issued()
    path = f"/d2c-protocol-adapter-loriot/{account}?rcn=4"
    held = hub.dmo("GET", path).json()["dtiot:lorAt"]["dtiot:lorAn"]
    assert [one["hexId"] for one in held] == [application]


# registration


def test_registration_as_in_the_tutorial(hub):
    assert hub.dmo("GET", "/TestApp", origin="CAppTest").status == 404
    assert hub.dmo("GET", "/TestApp", origin="CAppTest").json() == {"m2m:dbg": "Resource not found"}
    made = hub.dmo("POST", "", {"m2m:ae": {"api": "NTest", "rn": "TestApp"}}, ty=2, origin="CAppTest")
    assert made.status == 201
    body = made.json()["m2m:ae"]
    assert body.keys() == {"api", "rn", "ty", "ri", "aei", "pi", "ct", "lt"}
    assert (body["aei"], body["pi"], body["ty"], body["ct"]) == ("CAppTest", "eos", 2, body["lt"])
    assert made.headers["x-m2m-rvi"] == "3"
    assert made.headers["x-m2m-ri"] == "123"
    assert hub.dmo("GET", "/TestApp").json()["m2m:ae"] == body

    same_name = hub.dmo("POST", "", {"m2m:ae": {"api": "NTest", "rn": "TestApp"}}, ty=2, origin="COther")
    assert (same_name.status, same_name.json()) == (409, {"m2m:dbg": "Resource already exists"})
    same_origin = hub.dmo("POST", "", {"m2m:ae": {"api": "NTest", "rn": "New"}}, ty=2, origin="CAppTest")
    assert (same_origin.status, same_origin.headers["x-m2m-rsc"]) == (403, "4117")

    group = hub.dmo("GET", "/device-group/TestApp?rcn=4").json()["dtiot:devGr"]
    assert group["aes"] == ["TestApp"]
    assert hub.dmo("DELETE", "/TestApp", origin="CAppTest").status == 200
    assert hub.dmo("GET", "/TestApp").status == 404
    assert hub.dmo("GET", "/device-group/TestApp").status == 404
    again = hub.dmo("POST", "", {"m2m:ae": {"api": "NTest", "rn": "TestApp"}}, ty=2, origin="CAppTest")
    assert again.status == 201


def test_long_names_are_understood(hub):
    body = {"m2m:ae": {"App-ID": "NLong", "resourceName": "LongApp", "pointOfAccess": None}}
    made = hub.dmo("POST", "", body, ty=2, origin="CLong").json()["m2m:ae"]
    assert (made["api"], made["rn"], made["poa"]) == ("NLong", "LongApp", None)


@pytest.mark.parametrize(
    ("body", "ty", "origin", "status"),
    [
        ({"m2m:ae": {"api": "NX", "rn": "x"}}, 2, "", 400),
        ({"m2m:ae": {"api": "NX", "rn": "x"}}, 2, "NoC", 400),
        ({"m2m:ae": {"api": "X", "rn": "x"}}, 2, "CX", 400),
        ({"m2m:ae": {"api": 5, "rn": "x"}}, 2, "CX", 400),
        ({"m2m:ae": {"rn": "x"}}, 2, "CX", 400),
        ({"m2m:ae": {"api": "NX", "rn": "a/b"}}, 2, "CX", 400),
        ({"m2m:ae": {"api": "NX", "rn": 7}}, 2, "CX", 400),
        ({"m2m:ae": {"api": "NX", "rn": "x"}}, None, "CX", 400),
        ({"m2m:ae": {"api": "NX", "rn": "x"}}, 3, "CX", 400),
        ({"m2m:ae": [], "other": 1}, 2, "CX", 400),
        ({"m2m:ae": []}, 2, "CX", 400),
        ([], 2, "CX", 400),
        ('{"m2m:ae": {//Enter\n"api": "NX"}}', 2, "CX", 400),
        ("", 2, "CX", 400),
    ],
)
def test_bad_registrations(hub, body, ty, origin, status):
    answer = hub.dmo("POST", "", body, ty=ty, origin=origin)
    assert answer.status == status
    assert answer.json()["m2m:dbg"]
    assert answer.headers["x-m2m-rsc"] == "4000"


def test_missing_origin_and_wrong_tenant(hub):
    assert hub.dmo("GET", "", origin="").status == 400
    wrong = hub.connect["dmo_url"].removesuffix("eos") + "other"
    assert hub.dmo("GET", wrong).status == 404
    assert hub.dmo("GET", hub.by_id("0" * 24)).status == 404
    assert hub.dmo("GET", hub.by_id("..%2f..%2fetc")).status == 404


def test_patch_is_not_allowed_and_says_so_as_html(hub):
    answer = hub.dmo("PATCH", "/x", {})
    assert answer.status == 405
    assert answer.headers["content-type"] == "text/html"


# changes


def test_labels_are_replaced_whole(start):
    hub = start()
    name = hub.running.fleet[1].key
    before = hub.dmo("GET", f"/{name}").json()["m2m:nod"]["lbl"]
    answer = hub.dmo("PUT", f"/{name}?rcn=1", {"m2m:nod": {"lbl": [*before, "room:7"]}})
    assert answer.status == 200
    assert answer.json()["m2m:nod"]["lbl"] == [*before, "room:7"]
    hub.dmo("PUT", f"/{name}?rcn=1", {"m2m:nod": {"lbl": ["only:this"]}})
    listed = next(one for one in nodes(hub) if one["rn"] == name)
    assert listed["lbl"] == ["only:this"]
    assert [one["rn"] for one in nodes(hub)].count(name) == 1
    assert hub.dmo("PUT", f"/{name}", {"m2m:nod": {"lbl": "text"}}).status == 400
    assert hub.dmo("PUT", f"/{name}", {"m2m:ae": {"lbl": []}}).status == 400
    assert hub.dmo("PUT", "", {"m2m:cb": {"lbl": []}}).status == 405
    changed = hub.dmo("PUT", f"/{name}?rcn=9", {"m2m:nod": {"lbl": ["a:b"]}}).json()
    assert changed["m2m:nod"].keys() == {"lt"}


def test_device_info_by_put_and_by_delete_and_post(start):
    hub = start()
    name = hub.running.fleet[0].key
    assert hub.dmo("PUT", f"/{name}/device-info", {"m2m:dvi": {"hwv": "B7"}}).json()["m2m:dvi"]["hwv"] == "B7"
    assert hub.dmo("DELETE", f"/{name}/device-info", {}).status == 200
    assert "m2m:dvi" not in hub.dmo("GET", f"/{name}?rcn=4").json()["m2m:nod"]
    info = {"rn": "device-info", "mgd": 1007, "loc": None, "man": "me", "dlb": ["a", "b"]}
    made = hub.dmo("POST", f"/{name}", {"m2m:dvi": info}, ty=13)
    assert made.status == 201
    assert made.json()["m2m:dvi"]["loc"] is None
    assert hub.dmo("POST", f"/{name}", {"m2m:dvi": info}, ty=13).status == 409
    assert hub.dmo("POST", "", {"m2m:dvi": info}, ty=13).status == 403


def test_deleting_a_device_deletes_all_its_data(start):
    hub = start()
    name = hub.running.fleet[4].key
    node = hub.dmo("GET", f"/{name}").json()["m2m:nod"]
    assert hub.dmo("DELETE", hub.by_id(node["ri"]), "").status == 200
    for path in (f"/{name}", f"/{name}/device-info", f"/device-communication/{name}"):
        assert hub.dmo("GET", path).status == 404, path
    assert name not in [one["rn"] for one in nodes(hub)]
    assert hub.dmo("DELETE", f"/{name}").status == 404
    hub.running.reset()
    assert name in [one["rn"] for one in nodes(hub)]


def test_the_platforms_own_resources_stay(hub):
    assert hub.dmo("DELETE", "/device-communication").status == 403
    assert hub.dmo("DELETE", "").status == 405


# result content, filters


def test_result_contents(hub):
    whole = hub.dmo("GET", "?rcn=4&ty=14").json()["m2m:cb"]
    assert hub.dmo("GET", "?rcn=8&ty=14").json()["m2m:cb"] == {"m2m:nod": whole["m2m:nod"]}
    assert "m2m:nod" not in hub.dmo("GET", "?rcn=1").json()["m2m:cb"]
    assert hub.dmo("GET", "").json()["m2m:cb"]["ty"] == 5
    assert hub.dmo("GET", "?rcn=0").body == b""
    references = hub.dmo("GET", "?rcn=5&ty=14").json()["m2m:cb"]["ch"]
    assert references[0] == {"nm": whole["m2m:nod"][0]["rn"], "typ": 14, "val": whole["m2m:nod"][0]["ri"]}
    assert hub.dmo("GET", "?rcn=6&ty=14").json()["m2m:rrl"]["rrf"] == references
    for bad in ("?rcn=7", "?rcn=x", "?rcn=4&ty=abc", "?rcn=4&limit=-1", "?rcn=4&offset=x"):
        assert hub.dmo("GET", bad).status == 400, bad


def test_applications_and_flex_containers_of_the_tenant(hub):
    names = {one["rn"] for one in hub.dmo("GET", "?rcn=4&ty=2").json()["m2m:cb"]["m2m:ae"]}
    assert {"device-provisioning", "device-group", "NI-IPE", "d2c-protocol-adapter-loriot"} <= names
    assert hub.dmo("GET", "?rcn=4&ty=28").status == 200


def test_filters_by_label_attribute_and_type(hub):
    found = nodes(hub, "?rcn=4&ty=14&lbl=profile:SCS-NEUL")
    assert found
    assert {labels(one)["profile"] for one in found} == {"SCS-NEUL"}
    imei = hub.running.fleet[0].imei
    assert [one["rn"] for one in nodes(hub, f"?rcn=4&ty=14&ni=urn:gsma:imei:*{imei[-6:]}")] == [
        hub.running.fleet[0].key
    ]
    both = hub.dmo("GET", "?rcn=8&ty=14&ty=2").json()["m2m:cb"]
    assert both.keys() == {"m2m:nod", "m2m:ae"}


def test_filters_by_time_are_exclusive_and_iso_times_are_ignored(hub):
    every = nodes(hub)
    at = sorted(one["ct"] for one in every)[5]
    after = nodes(hub, f"?rcn=4&ty=14&cra={at}")
    before = nodes(hub, f"?rcn=4&ty=14&crb={at}")
    assert all(one["ct"] > at for one in after)
    assert len(after) + len(before) == len(every) - sum(one["ct"] == at for one in every)
    assert nodes(hub, "?rcn=4&ty=14&cra=20991231T000000") == []
    assert nodes(hub, "?rcn=4&ty=14&cra=2099-12-31T00:00:00Z") == every


def test_nested_inventory_in_one_request(hub):
    found = hub.dmo("GET", "?rcn=8&ty=14&ty=13&lvl=2").json()["m2m:cb"]["m2m:nod"]
    assert all(one["m2m:dvi"][0]["mod"] for one in found)


def test_partial_retrieve_needs_a_literal_plus(hub):
    name = hub.running.fleet[0].key
    assert hub.dmo("GET", f"/{name}?atrl=ni+rn").json()["m2m:nod"].keys() == {"ni", "rn"}
    assert hub.dmo("GET", f"/{name}?atrl=ni%2Brn").status == 400


def test_discovery(hub):
    found = hub.dmo("GET", "?fu=1&ty=14").json()["m2m:uril"]
    assert found == [f"eos/{device.key}" for device in hub.running.fleet]
    ids = hub.dmo("GET", "?fu=1&ty=14&drt=2").json()["m2m:uril"]
    assert ids[0] == "/id-eos/" + hub.dmo("GET", f"/{hub.running.fleet[0].key}").json()["m2m:nod"]["ri"]
    below = hub.dmo("GET", f"/device-communication/{hub.running.fleet[0].key}?fu=1&ty=3").json()["m2m:uril"]
    assert len(below) == 4
    added = hub.dmo("GET", "?fu=1&ty=14&arp=device-info").json()["m2m:uril"]
    assert added[0] == f"eos/{hub.running.fleet[0].key}/device-info"


def test_group_fan_out(hub):
    names = [hub.running.fleet[i].key for i in (0, 1)]
    members = [*(f"eos/{name}" for name in names), "eos/nothing"]
    made = hub.dmo("POST", "", {"m2m:grp": {"rn": "pair", "mid": members, "mnm": 5}}, ty=9)
    assert made.status == 201
    replies = hub.dmo("GET", "/pair/fopt").json()["m2m:agr"]["m2m:rsp"]
    assert [one["rsc"] for one in replies] == [2000, 2000, 4004]
    assert replies[0]["pc"]["m2m:nod"]["rn"] == names[0]


# paging


def pages(hub, step, first="limit", second="offset"):
    out, at = [], 0
    while True:
        page = nodes(hub, f"?rcn=4&ty=14&{first}={step}&{second}={at}")
        out.append([one["rn"] for one in page])
        if len(page) < step:
            return out
        at += len(page)


@pytest.fixture(scope="module")
def large(start):
    return start(devices=1203, days=1)


def test_more_than_a_thousand_devices_come_in_two_pages(large):
    found = pages(large, 1000)
    assert [len(page) for page in found] == [1000, 203]
    assert len({name for page in found for name in page}) == 1203


def test_a_silent_cap_looks_like_a_last_page(large):
    large.switch(limit_cap=1000)
    assert len(nodes(large, "?rcn=4&ty=14&limit=1000000000&offset=0")) == 1000
    assert len(nodes(large, "?rcn=4&ty=14&limit=1000000000&offset=1000")) == 203
    large.switch(limit_cap=None)
    assert len(nodes(large, "?rcn=4&ty=14&limit=1000000000&offset=0")) == 1203


def test_every_case_of_sims_is_there(large):
    found = [labels(one) for one in nodes(large)]
    count = Counter((one["profile"], "ICCID" in one) for one in found)
    assert count["SCS-HTTP", False]
    assert count["LORIOT-LoRaWAN", False]
    assert count["SCS-LwM2M", False]
    assert count["SCS-LwM2M", True]


def test_lim_and_ofst_are_synonyms(hub):
    assert nodes(hub, "?rcn=4&ty=14&lim=4&ofst=3") == nodes(hub, "?rcn=4&ty=14&limit=4&offset=3")
    hub.switch(plain=True)
    assert len(nodes(hub, "?rcn=4&ty=14&lim=4&ofst=3")) == 25
    assert len(nodes(hub, "?rcn=4&ty=14&cra=20991231T000000")) == 25
    hub.switch(plain=None)


def test_skip_dialect_tells_where_to_go_on(hub):
    hub.switch(paging="skip")
    answer = hub.dmo("GET", "?rcn=4&ty=14&lim=20&ofst=0")
    assert (answer.headers["x-m2m-cts"], answer.headers["x-m2m-cto"]) == ("1", "20")
    answer = hub.dmo("GET", "?rcn=4&ty=14&lim=20&ofst=20")
    assert answer.headers["x-m2m-cts"] is None
    assert len(answer.json()["m2m:cb"]["m2m:nod"]) == 5
    hub.switch(paging=None)


def test_repeated_and_empty_pages_on_demand(hub):
    hub.switch(repeat_page=True)
    assert nodes(hub, "?rcn=4&ty=14&limit=5&offset=5") == nodes(hub, "?rcn=4&ty=14&limit=5&offset=0")
    hub.switch(repeat_page=None, empty_first_page=True)
    assert nodes(hub, "?rcn=4&ty=14&limit=5&offset=0") == []
    assert len(nodes(hub, "?rcn=4&ty=14&limit=5&offset=5")) == 5
    hub.switch(empty_first_page=None)
