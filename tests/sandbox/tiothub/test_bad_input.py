"""Whatever is sent, the answer is one of the platform's own; nothing breaks inside the sandbox."""

import itertools
import random

import pytest

NASTY = [
    None,
    True,
    -1,
    10**30,
    1.5e300,
    "",
    "\u0000",
    "a/b",
    "☃" * 300,
    [],
    [[]],
    [None],
    {},
    {"a": {}},
    [{"a": 1}],
]
NAMES = {
    2: ("m2m:ae", ["api", "rn", "poa", "poah", "lbl", "rr", "aei"]),
    3: ("m2m:cnt", ["rn", "lbl", "mni"]),
    4: ("m2m:cin", ["con", "cnf", "rn", "lbl"]),
    9: ("m2m:grp", ["rn", "mid"]),
    13: ("m2m:dvi", ["rn", "mgd", "dlb", "lbl"]),
    14: ("m2m:nod", ["rn", "ni", "lbl"]),
    23: ("m2m:sub", ["rn", "nu", "enc", "nct", "pn", "su"]),
}
FLEX = {
    "/device-group": ("dtiot:devGr", ["rn", "nds", "aes", "lbl"]),
    "/connectivityGroups": ("dtiot:conGp", ["rn", "conPs", "priRe"]),
    "/device-provisioning/request": ("dtiot:noPRt", ["rn", "operation", "requestList"]),
    "/d2c-protocol-adapter-loriot": ("dtiot:lorAt", ["rn", "userApi", "hexId"]),
}
ITEM = [
    "nodeID",
    "nodeResourceName",
    "ICCID",
    "profile",
    "nodeCredentials",
    "ndvi",
    "lbl",
    "nodeDeviceGroups",
]
BYTES = [
    b"",
    b"\xff\xfe",
    b"[",
    b"nul",
    b'{"a":1,"b":2}',
    b'{"m2m:cin":{"con":"\\ud800"}}',
    b"\x00" * 10,
    b"9" * 5000,
]


@pytest.fixture(params=[False, True], ids=["lax", "strict"])
def tried(request, start):
    hub = start(switches={"strict": request.param, "provisioning_seconds": 0.0})
    yield hub
    hub.clock.advance(10_000)
    assert hub.dmo("GET", "?rcn=4", headers={"X-M2M-RVI": "3"}).status == 200
    assert (
        hub.dmo("GET", "?rcn=4&ty=14&lbl=x:y&cra=20200101T000000", headers={"X-M2M-RVI": "3"}).status == 200
    )
    assert hub.running.errors == []


def fine(answer, what):
    assert answer.status < 500 or answer.json().get("m2m:dbg"), (what, answer.body)


def test_nasty_resources(tried):
    rng = random.Random(1)
    places = [
        "",
        f"/{tried.running.fleet[0].key}",
        f"/device-communication/{tried.running.fleet[0].key}/received-msg",
    ]
    headers = {"X-M2M-RVI": "3"}
    for ty, (key, names) in NAMES.items():
        for name, value in itertools.product(names, NASTY):
            body = (
                {"api": "NX", "con": "c", "nu": ["http://127.0.0.1:9/"], "rr": True}
                if rng.random() < 0.7
                else {}
            )
            sent = {key: {**body, name: value}}
            answer = tried.dmo(
                "POST", rng.choice(places), sent, ty=ty, origin=f"C{rng.random()}", headers=headers
            )
            fine(answer, sent)
    for path, (key, names) in FLEX.items():
        for name, value in itertools.product(names, NASTY):
            body = {"operation": 1, "requestList": [{}]} if key == "dtiot:noPRt" else {}
            fine(tried.dmo("POST", path, {key: {**body, name: value}}, ty=28, headers=headers), name)
    good = {"nodeID": "urn:gsma:imei:351901000088011", "profile": "SCS-LwM2M"}
    for name, value in itertools.product(ITEM, NASTY):
        item = {**good, "nodeResourceName": f"n{rng.random()}".replace(".", ""), name: value}
        body = {"dtiot:noPRt": {"operation": rng.choice([1, 2]), "requestList": [item]}}
        fine(tried.dmo("POST", "/device-provisioning/request", body, ty=28, headers=headers), item)


def test_nasty_updates(tried):
    name = tried.running.fleet[0].key
    headers = {"X-M2M-RVI": "3"}
    tried.dmo("POST", "/device-group", {"dtiot:devGr": {"rn": "g"}}, ty=28, headers=headers)
    plan = {
        f"/{name}": ("m2m:nod", ["lbl", "ni"]),
        f"/{name}/device-info": ("m2m:dvi", ["dlb", "lbl", "mgd"]),
        "/device-group/g": ("dtiot:devGr", ["nds", "aes", "lbl"]),
    }
    for path, (key, names) in plan.items():
        for attribute, value in itertools.product(names, NASTY):
            fine(tried.dmo("PUT", path, {key: {attribute: value}}, headers=headers), attribute)


@pytest.mark.parametrize(
    "query", ["rcn", "ty", "lvl", "lim", "ofst", "limit", "offset", "cra", "atrl", "lbl", "fu", "drt", "ni"]
)
def test_nasty_queries(tried, query):
    for value in ("", "x", "-1", "1e9", "9" * 30, "%00", "%ff", "+", "*", "[", "20200101T996199"):
        for path in ("", f"/device-communication/{tried.running.fleet[0].key}/sent-msg"):
            answer = tried.dmo("GET", f"{path}?rcn=4&{query}={value}", headers={"X-M2M-RVI": "3"})
            fine(answer, (query, value))


def test_nasty_bytes(tried):
    for body in BYTES:
        for method, path, ty in (("POST", "", 2), ("POST", "/x", 4), ("PUT", "/gw-0001", None)):
            fine(tried.dmo(method, path, body, ty=ty, headers={"X-M2M-RVI": "3"}), body)
        for method, path in (
            ("POST", "/product/find"),
            ("PATCH", "/product/TMSP-89490200001575268860-simCard"),
        ):
            kind = "application/json-patch+json"
            assert tried.cmo(method, path, body, content_type=kind).status == 400


def test_nasty_patches(tried):
    url = "/product/JASPER-8997112212741433747-simCard"
    for kind, value in itertools.product(("json-patch", "json-patch-query"), NASTY):
        for step in (
            {"op": value},
            {"op": "replace", "path": value},
            {"op": "add", "path": "customProperty", "value": value},
        ):
            answer = tried.cmo("PATCH", url, [step], content_type=f"application/{kind}+json")
            assert answer.status == 400, step
    for value in NASTY:
        answer = tried.cmo("POST", "/product/find", {"iccidList": value, "terminalSNList": value})
        assert answer.status == 400, value


def test_nasty_paths(tried):
    for path in ("/%2e%2e/x", "/%00", "/" + "x" * 3000, "/%ff%fe", "//", "/gw-0001/%20", "/~", "/la"):
        assert tried.dmo("GET", path, headers={"X-M2M-RVI": "3"}).status in (200, 404), path
        assert tried.cmo("GET", f"/product{path}").status in (200, 404), path
