"""Connection management: lists, details, find, usage, status changes with monitors, properties, limits."""

import re
import time

import pytest

PATCH, QUERY = "application/json-patch+json", "application/json-patch-query+json"
TMSP = "TMSP-89490200001575268860"
JASPER = "JASPER-8997112212741433747"


def entities(hub, query=""):
    return hub.cmo("GET", f"/product{query}").json()["entities"]


def everything(hub):
    out, number = [], 1
    while page := entities(hub, f"?pageSize=100&pageNumber={number}"):
        out += page
        number += 1
    return out


def part(product, kind):
    found = (one["product"] for one in product["productRelationship"])
    return next((one for one in found if one["@type"] == kind), None)


def characteristics(product):
    return {one["name"].lower(): one["value"] for one in product["productCharacteristic"]}


def sim(product):
    card = part(product, "simCard")
    return characteristics(card) if card else {}


def node_labels(hub):
    found = hub.dmo("GET", "?rcn=4&ty=14").json()["m2m:cb"]["m2m:nod"]
    return {one["rn"]: (one, dict(label.split(":", 1) for label in one["lbl"])) for one in found}


def test_pages_without_a_total(hub):
    first = hub.cmo("GET", "/product?pageSize=5&pageNumber=1&fields=id,connectivityType,status").json()
    assert first.keys() == {"entities", "statistics", "links"}
    assert first["statistics"].keys() == {"currentPage", "pageSize"}
    assert first["entities"][0] == {"id": JASPER, "status": "INACTIVE", "connectivityType": "CELLULAR"}
    assert [link["type"] for link in first["links"]] == ["self"]
    assert "/v5" not in first["links"][0]["url"]
    assert hub.cmo("GET", first["links"][0]["url"]).json()["entities"] == first["entities"]
    small = [one["id"] for n in range(1, 9) for one in entities(hub, f"?pageSize=4&pageNumber={n}&fields=id")]
    assert small == [one["id"] for one in everything(hub)][:32]
    assert len(entities(hub)) == 10
    assert entities(hub, "?pageNumber=999") == []
    last = hub.cmo("GET", "/product?pageSize=100").json()
    assert last["statistics"]["pageSize"] == 1  # not to be relied on


@pytest.mark.parametrize("query", ["?pageSize=0", "?pageSize=x", "?pageNumber=-1", "?pageNumber=0"])
def test_bad_pages(hub, query):
    answer = hub.cmo("GET", f"/product{query}")
    assert answer.status == 400
    assert answer.json()["@type"] == "problem"


def test_page_size_has_a_maximum_and_a_next_link_on_demand(start):
    hub = start(devices=200, days=1)
    assert len(entities(hub, "?pageSize=5000")) == 100
    hub.switch(next_link=True)
    links = hub.cmo("GET", "/product?pageSize=100&fields=id").json()["links"]
    following = next(link["url"] for link in links if link["type"] == "next")
    assert hub.cmo("GET", following).json()["entities"] == entities(
        hub, "?pageSize=100&pageNumber=2&fields=id"
    )
    hub.switch(next_link=None, repeat_page=True)
    assert entities(hub, "?pageSize=10&pageNumber=2") == entities(hub, "?pageSize=10&pageNumber=1")


def test_ten_backends_with_their_own_spellings(hub):
    found = everything(hub)
    assert {one["id"].split("-")[0] for one in found} == {
        *("TMSP", "IOTA", "TMUS", "JASPER", "INTELSAT", "AIRLINQ", "1NCE", "STC", "TURKCELL", "GALAXY1")
    }
    names = {one["name"] for product in found for one in product["productCharacteristic"]}
    assert {"SYSTEM", "system"} <= names
    cards = [part(one, "simCard") for one in found]
    spellings = {one["name"] for card in cards if card for one in card["productCharacteristic"]}
    assert {"ICCID", "iccid", "IMSI", "imsi"} <= spellings


def test_sims_are_the_fleets_and_identifiers_are_text(hub):
    by_iccid = {sim(one).get("iccid"): one for one in everything(hub)}
    known = 0
    for device in hub.running.fleet:
        product = by_iccid.get(device.iccid)
        if product is not None:
            known += 1
            assert product["id"].endswith(f"-{device.iccid}")
            assert sim(product)["imsi"] == device.imsi
            assert sim(product)["msisdn"] == device.msisdn
    assert known > 12
    assert {len(iccid) for iccid in by_iccid if iccid} == {19, 20}


def test_orphans_and_mismatches_on_both_sides(hub):
    nodes = node_labels(hub)
    products = {sim(one).get("iccid"): one for one in everything(hub) if sim(one)}
    labelled = {labels["ICCID"]: node for node, labels in nodes.values() if "ICCID" in labels}
    assert [iccid for iccid in labelled if iccid not in products], "nodes whose SIM is unknown"
    assert [iccid for iccid in products if iccid not in labelled], "SIMs without a node"
    joined = {iccid: labelled[iccid] for iccid in labelled if iccid in products}
    imeis = {
        iccid: (node["ni"].rpartition(":")[2], sim(products[iccid])["imei"]) for iccid, node in joined.items()
    }
    assert [1 for own, seen in imeis.values() if seen and own[:14] != seen[:14]], "another device"
    assert [1 for own, seen in imeis.values() if len(seen) == 16 and own[:14] == seen[:14]], "IMEISV"
    assert [1 for own, seen in imeis.values() if seen == ""], "never connected"
    statuses = {(one["status"], part(one, "simCard")["status"]) for one in products.values()}
    assert ("INACTIVE", "ACTIVE") in statuses


def test_detail_of_a_bundle_and_its_parts(hub):
    bundle = hub.cmo("GET", f"/product/{JASPER}").json()
    assert bundle["isBundle"] is True
    assert bundle["href"].endswith(f"/v5/eos/product/{JASPER}")
    card = hub.cmo("GET", f"/product/{JASPER}-simCard").json()
    assert card.pop("correlationId")
    assert card == part(bundle, "simCard")
    assert hub.cmo("GET", bundle["href"]).status == 200
    answer = hub.cmo("GET", "/product/NOBODY-1")
    assert answer.status == 404
    body = answer.json()
    assert body.keys() == {
        *("type", "status", "title", "detail", "instance", "externalErrors", "@type", "traceId")
    }
    assert (body["type"], body["status"], body["title"]) == ("Not Found", 404, "Error")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("DELETE", f"/product/{JASPER}", 405),
        ("POST", "/product", 405),
        ("GET", "/product/find", 405),
        ("POST", "/monitor/1", 405),
        ("GET", "/monitor/1", 404),
    ],
)
def test_what_is_not_offered(hub, method, path, status):
    answer = hub.cmo(method, path, {} if method == "POST" else None)
    assert answer.status == status
    assert answer.json()["@type"] == "problem"


def test_another_tenant_is_not_found(hub):
    url = hub.connect["cmo_url"].removesuffix("eos") + "other/product"
    assert hub.cmo("GET", url).status == 404


def test_find_with_partial_success(hub):
    body = {"iccidList": ["8997112212741433747", "8907160000000000533"], "terminalSNList": ["27597", "1"]}
    answer = hub.cmo("POST", "/product/find", body)
    assert answer.status == 200
    found = answer.json()
    assert [one["id"] for one in found["entities"]] == [JASPER, "INTELSAT-27597"]
    assert [one["detail"] for one in found["errors"]] == [
        "Product with iccid 8907160000000000533 not found",
        "Product with terminalSN 1 not found",
    ]
    assert found["errors"][0]["instance"].endswith("/product/find")
    hub.switch(find_fails_every=2)
    partial = hub.cmo("POST", "/product/find", {"iccidList": ["8997112212741433747", "8997112212741433749"]})
    assert [one["status"] for one in partial.json()["errors"]] == [502]
    hub.switch(find_fails_every=None)


@pytest.mark.parametrize(
    "body", [{}, [], "{", {"iccidList": "x"}, {"iccidList": [8997112212741433747]}, {"iccidList": []}, "null"]
)
def test_bad_finds(hub, body):
    assert hub.cmo("POST", "/product/find", body).status == 400


def test_usage_is_a_running_counter_of_some_backends(start):
    hub = start(devices=25, days=40)
    found = everything(hub)
    metered = {one["id"].split("-")[0] for one in found if part(one, "usageVolume")}
    assert metered == {"TMSP", "INTELSAT", "GALAXY1"}
    product = next(one for one in found if one["id"].startswith("TMSP-89490200") and one["id"] != TMSP)
    counter = part(product, "usageVolume")["bucketCounter"][0]
    assert counter["counterType"] == "USED"
    assert counter["value"]["units"] == "KB"
    assert counter["valueName"] == f"{counter['value']['amount']} KB"
    assert counter["consumptionPeriod"]["startDateTime"].endswith("-01T00:00:00.000Z")
    hub.clock.advance(3_600_000)
    later = hub.cmo("GET", f"/product/{product['id']}-usageVolume-data").json()
    assert later["bucketCounter"][0]["value"]["amount"] >= counter["value"]["amount"]


# changes


def change(hub, product, value, op="replace", path="/status", content_type=PATCH):
    body = [{"op": op, "path": path, "value": value}]
    return hub.cmo("PATCH", f"/product/{product}", body, content_type=content_type)


def test_a_synchronous_backend_answers_at_once(start):
    hub = start()
    before = sim(hub.cmo("GET", f"/product/{JASPER}").json())["dateupdated"]
    answer = change(hub, f"{JASPER}-simCard", "ACTIVE")
    assert answer.status == 200
    body = answer.json()
    assert (body["status"], body["@type"]) == ("ACTIVE", "simCard")
    assert characteristics(body)["dateupdated"] > before
    assert hub.cmo("GET", f"/product/{JASPER}").json()["status"] == "ACTIVE"


def test_an_asynchronous_backend_answers_with_a_monitor(start):
    hub = start()
    answer = change(hub, f"{TMSP}-simCard", "ACTIVE")
    assert answer.status == 202
    link = answer.headers["location"]
    assert re.search(r"/v5/eos/monitor/89490200001575268860-\d{13}$", link)
    body = hub.cmo("GET", link).json()
    assert (body["state"], body["response"]) == ("InProgress", {"header": [], "statusCode": 202})
    assert body["sourceHref"].endswith(f"/product/{TMSP}-simCard")
    assert hub.cmo("GET", f"/product/{TMSP}").json()["status"] == "INACTIVE"
    hub.clock.advance(3_000)
    assert hub.cmo("GET", link).json()["state"] == "Completed"
    assert hub.cmo("GET", f"/product/{TMSP}-simCard").json()["status"] == "ACTIVE"


def test_monitors_that_fail_or_never_end(start):
    hub = start(switches={"monitor_fails": True})
    link = change(hub, f"{TMSP}-simCard", "ACTIVE").headers["location"]
    hub.clock.advance(3_000)
    assert hub.cmo("GET", link).json()["state"] == "Failed"
    assert hub.cmo("GET", f"/product/{TMSP}").json()["status"] == "INACTIVE"
    hub.switch(monitor_fails=None, monitor_never_ends=True)
    link = change(hub, f"{TMSP}-simCard", "ACTIVE").headers["location"]
    hub.clock.advance(3_600_000)
    assert hub.cmo("GET", link).json()["state"] == "InProgress"


@pytest.mark.parametrize(
    ("product", "options", "status"),
    [
        ("NOBODY-1-simCard", {}, 404),
        (JASPER, {}, 400),
        ("INTELSAT-27597-terminal", {}, 400),
        (f"{JASPER}-simCard", {"content_type": "application/json"}, 415),
        (f"{JASPER}-simCard", {"op": "remove"}, 400),
        (f"{JASPER}-simCard", {"path": "/iccid"}, 400),
        (f"{JASPER}-simCard", {"value": "WONDERFUL"}, 400),
        (f"{JASPER}-simCard", {"value": 5}, 400),
    ],
)
def test_bad_changes(hub, product, options, status):
    options = {"value": "ACTIVE", **options}
    answer = change(hub, product, **options)
    assert answer.status == status
    assert answer.json()["detail"]


@pytest.mark.parametrize("body", ["", "{", {}, [], [5]])
def test_bad_patch_bodies(hub, body):
    assert hub.cmo("PATCH", f"/product/{JASPER}-simCard", body, content_type=PATCH).status == 400


def test_custom_properties(start):
    hub = start()
    url = f"{JASPER}-simCard"

    def put(op, **value):
        return change(hub, url, value, op=op, path="customProperty", content_type=QUERY)

    answer = put("add", name="MyFavoriteColour", value="Blue")
    assert answer.status == 200
    body = answer.json()
    assert body.pop("correlationId")
    assert body == {
        "customProperty": [{"name": "MyFavoriteColour", "value": "Blue"}],
        "@baseType": "product",
        "@type": "simCard",
    }
    put("add", name="Second", value="2")
    put("replace", name="MyFavoriteColour", value="Red")
    found = hub.cmo("GET", f"/product/{url}").json()["customProperty"]
    assert found == [{"name": "MyFavoriteColour", "value": "Red"}, {"name": "Second", "value": "2"}]
    assert put("remove", name="Second").json()["customProperty"] == found[:1]
    assert put("add", name="x", value=5).status == 400
    assert put("add", value="x").status == 400


# limits


def test_one_backend_allows_ten_requests_a_second(start):
    hub = start()
    slow = next(one["id"] for one in everything(hub) if one["id"].startswith("1NCE-"))
    answers = [hub.cmo("GET", f"/product/{slow}") for _ in range(14)]
    statuses = [one.status for one in answers]
    assert statuses.count(200) >= 10
    assert 429 in statuses
    refused = answers[statuses.index(429)]
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["status"] == 429
    assert hub.cmo("GET", f"/product/{JASPER}").status == 200
    found = hub.cmo("POST", "/product/find", {"iccidList": [slow.removeprefix("1NCE-")] * 3}).json()
    assert {one["status"] for one in found["errors"]} == {429}
    time.sleep(0.25)
    assert hub.cmo("GET", f"/product/{slow}").status == 200
