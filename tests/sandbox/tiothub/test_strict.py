"""The strict edition answers as a standard oneM2M server does."""

import pytest

STRICT = {"X-M2M-RVI": "3"}


@pytest.fixture(scope="module")
def cse(start):
    hub = start(switches={"strict": True})
    assert register(hub, "TestApp", "CAppTest").status == 201
    assert register(hub, "OtherApp", "COther").status == 201
    return hub


def register(hub, rn, origin, headers=None, **more):
    body = {"m2m:ae": {"api": "NTest", "rn": rn, "rr": True, "srv": ["3"], **more}}
    return hub.dmo("POST", "", body, ty=2, origin=origin, headers=STRICT if headers is None else headers)


def ask(hub, method, path="", body=None, *, ty=None, origin="CAppTest", **headers):
    return hub.dmo(method, path, body, ty=ty, origin=origin, headers={**STRICT, **headers})


def outcome(answer):
    return answer.status, answer.headers["x-m2m-rsc"], answer.json()["m2m:dbg"] if answer.body else ""


def test_registration(cse):
    answer = ask(cse, "GET", "/TestApp")
    body = answer.json()["m2m:ae"]
    assert body["ri"] == body["aei"] == "CAppTest"
    assert body["pi"] == "id-eos"
    assert int(body["et"][:4]) - int(body["ct"][:4]) in (4, 5)
    assert answer.headers["x-m2m-rsc"] == "2000"
    assert "-" not in answer.headers["x-m2m-ot"]


@pytest.mark.parametrize(
    ("headers", "status", "rsc"),
    [
        ({}, 501, "4001"),
        ({"X-M2M-RVI": "1"}, 501, "4001"),
        ({"X-M2M-RVI": "3", "X-M2M-RI": ""}, 400, "4000"),
    ],
)
def test_headers(cse, headers, status, rsc):
    answer = register(cse, "X", "CX", headers=headers)
    assert outcome(answer)[:2] == (status, rsc)


@pytest.mark.parametrize(
    ("origin", "body", "ty", "wanted"),
    [
        ("CX", {"api": "NX"}, 2, (400, "4000", "cannot find mandatory attribute in request: rr")),
        (
            "CAppTest",
            {"api": "NX", "rr": True},
            2,
            (403, "4117", "Originator has already registered: CAppTest"),
        ),
        (
            "CX",
            {"api": "NX", "rr": True, "rn": "TestApp"},
            2,
            (409, "4105", "Resource with structured id: eos/TestApp already exists"),
        ),
        ("X", {"api": "NX", "rr": True}, 2, (403, "4107", "security association required")),
        ("CX", {"api": "X", "rr": True}, 2, (400, "4000", 'wrong format for ID in attribute "api"')),
        ("CX", {"api": "NX", "rr": True}, None, (400, "4000", "Not a NOTIFY request or response")),
        ("CX", {"api": "NX", "rr": True}, 3, (403, "4103", "has no CREATE privileges")),
        (
            "CX",
            {"api": "NX", "rr": True, "zzz": 1},
            2,
            (400, "4000", "unknown attribute: zzz in resource: m2m:ae"),
        ),
    ],
)
def test_registrations_that_are_refused(cse, origin, body, ty, wanted):
    answer = ask(cse, "POST", "", {"m2m:ae": body}, ty=ty, origin=origin)
    status, rsc, text = outcome(answer)
    assert (status, rsc) == wanted[:2]
    assert wanted[2] in text


@pytest.mark.parametrize("origin", ["", "C"])
def test_the_server_invents_an_origin(cse, origin):
    body = {"m2m:ae": {"api": "NX", "rr": True}}
    made = ask(cse, "POST", "", body, ty=2, origin=origin)
    assert made.status == 201
    assert len(made.json()["m2m:ae"]["aei"]) > 5


def test_malformed_json(cse):
    answer = ask(cse, "POST", "", '{"m2m:ae": {', ty=2, origin="CX")
    assert outcome(answer)[:2] == (400, "4000")
    assert "Malformed request/content?" in outcome(answer)[2]


def test_missing_resources_and_tenants(cse):
    wrong = cse.connect["dmo_url"].removesuffix("eos") + "other"
    assert outcome(ask(cse, "GET", "/TestApp/nothing")) == (
        404,
        "4004",
        "No resource with this ID: eos/TestApp/nothing",
    )
    assert outcome(ask(cse, "GET", wrong))[:2] == (404, "4004")


def test_applications_do_not_see_each_other(cse):
    answer = ask(cse, "GET", "/TestApp", origin="COther")
    assert outcome(answer) == (
        403,
        "4103",
        "originator: COther has no RETRIEVE privileges for resource: CAppTest",
    )
    seen = ask(cse, "GET", "?rcn=4&ty=2", origin="COther").json()["m2m:cb"]["m2m:ae"]
    assert "TestApp" not in [one["rn"] for one in seen]
    assert ask(cse, "DELETE", "/TestApp", origin="COther").status == 403


def test_fixed_attributes(cse):
    answer = ask(cse, "PUT", "/TestApp", {"m2m:ae": {"api": "NY"}})
    assert outcome(answer) == (400, "4000", "found non-provision attribute: api")
    info = f"/{cse.running.fleet[0].key}/device-info"
    answer = ask(cse, "PUT", info, {"m2m:dvi": {"dlb": ["a"]}})
    assert outcome(answer)[:2] == (400, "4000")
    assert "type mismatch" in outcome(answer)[2]


def test_platform_types_are_unknown(cse):
    body = {"dtiot:noPRt": {"operation": 1, "requestList": []}}
    answer = ask(cse, "POST", "/device-provisioning/request", body, ty=28)
    assert outcome(answer) == (400, "4000", "unknown resource type: dtiot:noPRt")


def test_deletion_answers_an_empty_body(cse):
    register(cse, "Short", "CShort")
    answer = ask(cse, "DELETE", "/Short", origin="CShort")
    assert (answer.status, answer.headers["x-m2m-rsc"], answer.body) == (200, "2002", b"")


def test_xml_is_answered_with_nothing(cse):
    answer = ask(cse, "GET", "/TestApp", Accept="application/xml")
    assert (answer.status, answer.body) == (200, b"")


def test_the_base_and_the_ways_to_address(cse):
    base = ask(cse, "GET").json()["m2m:cb"]
    assert (base["ri"], base["rn"], base["csi"], base["ty"], base["pi"]) == (
        "id-eos",
        "eos",
        "/id-eos",
        5,
        "",
    )
    assert base["srv"] == ["2a", "3", "4", "5"]
    root = cse.connect["dmo_url"].removesuffix("eos")
    for path in ("CAppTest", "~/id-eos/eos/TestApp", "~/id-eos/CAppTest", "eos/TestApp", "-/TestApp"):
        assert ask(cse, "GET", root + path).json()["m2m:ae"]["rn"] == "TestApp", path


@pytest.mark.parametrize(
    "query", ["?rcn=4&limit=5", "?rcn=4&offset=1", "?rcn=4&nonsense=1", "?rcn=4&lim=3&ofst=0"]
)
def test_unknown_arguments_and_offset_zero(cse, query):
    assert outcome(ask(cse, "GET", query))[:2] == (400, "4000")


@pytest.fixture(scope="module")
def seven(cse):
    ask(cse, "POST", "/TestApp", {"m2m:cnt": {"rn": "seven"}}, ty=3)
    for n in range(7):
        assert ask(cse, "POST", "/TestApp/seven", {"m2m:cin": {"con": f"m{n}"}}, ty=4).status == 201
    return cse


@pytest.mark.parametrize(
    ("offset", "wanted"),
    [
        (None, "0"),
        (1, "0"),
        (2, "01"),
        (3, "012"),
        (4, "123"),
        (9, "6"),
        (10, "0123456"),
        (12, "0123456"),
        (1000, "0123456"),
    ],
)
def test_one_based_pages(seven, offset, wanted):
    query = "?rcn=4&lim=3" + (f"&ofst={offset}" if offset is not None else "")
    found = ask(seven, "GET", f"/TestApp/seven{query}").json()["m2m:cnt"].get("m2m:cin", [])
    assert "".join(one["con"][1] for one in found) == wanted


def test_a_filtered_page_can_be_empty_though_there_is_more(seven):
    assert "m2m:nod" not in ask(seven, "GET", "?rcn=4&ty=14&lim=2").json()["m2m:cb"]
    assert len(ask(seven, "GET", "?rcn=4&ty=14").json()["m2m:cb"]["m2m:nod"]) == 25


def test_container_state(seven):
    body = ask(seven, "GET", "/TestApp/seven?rcn=4").json()["m2m:cnt"]
    assert (body["cni"], body["st"]) == (7, 7)
    assert {"cbs", "mni"} <= body.keys()
    assert ask(seven, "GET", "/TestApp/seven/la").json()["m2m:cin"]["con"] == "m6"
    assert ask(seven, "PUT", "/TestApp/seven/la", {"m2m:cin": {"con": "x"}}).status == 405


def subscription(hub, hook):
    body = {"m2m:sub": {"rn": "s", "nu": [hook.url], "nct": 1, "enc": {"net": [3]}}}
    return ask(hub, "POST", "/TestApp/seven", body, ty=23)


def test_subscriptions_are_verified(seven, hook):
    hook.confirms = False
    assert outcome(subscription(seven, hook))[:2] == (500, "5204")
    assert ask(seven, "GET", "/TestApp/seven/s").status == 404
    assert hook.got[0]["m2m:sgn"]["vrq"] is True
    assert hook.got[0]["m2m:sgn"]["cr"] == "CAppTest"
    hook.confirms = True
    hook.answers = [500]
    assert subscription(seven, hook).status == 500
    assert subscription(seven, hook).status == 201
    ask(seven, "POST", "/TestApp/seven", {"m2m:cin": {"con": "m7"}}, ty=4)
    seven.until(lambda: hook.contents() == ["m7"])
    assert ask(seven, "DELETE", "/TestApp/seven/s").status == 200
