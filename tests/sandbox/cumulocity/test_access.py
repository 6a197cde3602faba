"""Logging in and out, roles, second factors, and users who see only a part."""

import base64
import json
from typing import Any

import pytest
import requests
from callers import DEVICE, Api, World

from iotnb.sandbox.cumulocity.directory import TOTP_SECRET, totp

ME = "/tenant/currentTenant"
OBJECTS = "/inventory/managedObjects"


def credentials(world: World, name: str) -> tuple[str, str]:
    held = world.info["users"][name]
    return held["username"], held["password"]


def log_in(
    world: World, name: str, status: int = 200, place: str = "/tenant/oauth/token", **form: str
) -> requests.Response:
    user, password = credentials(world, name)
    fields = {"grant_type": "PASSWORD", "username": user, "password": password, **form}
    return world.anybody()("POST", f"{place}?tenant_id=test", status, data=fields)


def bearer(world: World, token: str) -> Api:
    caller = world.anybody()
    caller.http.headers["Authorization"] = f"Bearer {token}"
    return caller


def test_basic_with_and_without_the_tenant(world: World) -> None:
    user, password = credentials(world, "admin")
    for name in (f"test/{user}", user):
        assert world.login(name, password).get(ME)["name"] == "test"
    for name in ("management/admin", "nobody", "test/nobody"):
        refused = world.login(name, password).get(ME, 401)
        assert refused["error"] == "security/Unauthorized"
        assert refused["message"] == "Invalid credentials! : Bad credentials"
    world.login("test/admin", "wrong").get(ME, 401)
    world.anybody().get(ME, 401)
    bare = world.login(user, password)
    assert bare("GET", ME, 403, headers={"Host": "test.example.com"}).json()["error"] == "security/Forbidden"
    assert (
        world.login(f"test/{user}", password)("GET", ME, headers={"Host": "test.example.com"}).json()["name"]
        == "test"
    )


@pytest.mark.parametrize(
    "value",
    ["Basic ???", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Bearer x.y.z", "Bearer ", "Digest x"],
)
def test_broken_authorization_headers_are_a_401(world: World, value: str) -> None:
    world.anybody()("GET", ME, 401, headers={"Authorization": value})


def test_login_options_need_no_login(world: World) -> None:
    anybody = world.anybody()
    options = {o["type"]: o for o in anybody.get("/tenant/loginOptions")["loginOptions"]}
    assert options.keys() == {"OAUTH2_INTERNAL", "BASIC"}
    assert options["OAUTH2_INTERNAL"]["initRequest"] == f"{world.base}/tenant/oauth?tenant_id=test"
    assert options["OAUTH2_INTERNAL"]["sessionConfiguration"]["absoluteTimeoutMillis"] == 7_200_000
    both = anybody.get("/tenant/loginOptions", 400, tenantId="test", management="true")
    assert both["error"] == "LoginOptions/Bad Request"
    world.switch(oai_secure=False)
    assert [o["type"] for o in anybody.get("/tenant/loginOptions")["loginOptions"]] == ["BASIC"]


def test_a_token_carries_the_claims_and_dies_on_logout(world: World) -> None:
    token = log_in(world, "admin").json()["access_token"]
    payload = token.split(".")[1]
    assert not set("-_") & set(payload)
    claims = json.loads(base64.b64decode(payload + "=="))
    assert claims.keys() >= {"jti", "aud", "sub", "ten", "exp", "xsrfToken"}
    assert (claims["sub"], claims["ten"]) == ("admin", "test")
    caller = bearer(world, token)
    caller.get(ME)
    assert caller("POST", "/user/logout").content == b""
    caller.get(ME, 401)


def test_tokens_expire_with_the_clock(still: World) -> None:
    caller = bearer(still, log_in(still, "admin").json()["access_token"])
    still.sandbox.clock.advance(7_199_000)
    caller.get(ME)
    still.sandbox.clock.advance(2_000)
    caller.get(ME, 401)


def test_cookies_need_the_xsrf_header(world: World) -> None:
    answer = log_in(world, "admin", place="/tenant/oauth")
    assert answer.content == b""
    cookies = {c.name: c.value for c in answer.cookies}
    assert cookies.keys() == {"authorization", "XSRF-TOKEN"}
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    caller = world.anybody()
    caller.http.headers["Cookie"] = (
        f"authorization={cookies['authorization']}; XSRF-TOKEN={cookies['XSRF-TOKEN']}"
    )
    caller.get(ME, 401)
    caller.http.headers["X-XSRF-TOKEN"] = "other"
    caller.get(ME, 401)
    caller.http.headers["X-XSRF-TOKEN"] = str(cookies["XSRF-TOKEN"])
    assert caller.get(ME)["name"] == "test"
    caller("POST", "/user/logout")
    caller.get(ME, 401)


def test_a_wrong_password_and_other_grants(world: World) -> None:
    assert (
        log_in(world, "admin", 401, password="no").json()["message"]
        == "Invalid credentials! : Bad credentials"
    )
    log_in(world, "admin", 401, grant_type="AUTHORIZATION_CODE", code="x")


@pytest.mark.parametrize("field", ["tfa_code", "tfa_token"])
def test_totp_is_asked_for_and_taken(still: World, field: str) -> None:
    for form in ({}, {"tfa_code": "undefined"}):
        assert log_in(still, "totp", 401, **form).json()["message"] == "TFA TOTP code required"
    assert "TOTP" in log_in(still, "totp", 401, **{field: "000000"}).json()["message"]
    code = totp(TOTP_SECRET, still.sandbox.clock.now() / 1000)
    assert bearer(still, log_in(still, "totp", **{field: code}).json()["access_token"]).get(ME)
    user, password = credentials(still, "totp")
    still.login(f"test/{user}", password).get(ME, 401)


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "132550"), (1111111109, "219913"), (1700000000, "290271")]
)
def test_totp_vectors(seconds: int, code: str) -> None:
    assert totp("5XLQP7HIKZBDH6ZZ", seconds) == code


def test_an_sms_code_is_printed_in_the_log_and_works_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="iotnb.sandbox"):
        assert "TFA" in log_in(world, "sms", 401).json()["message"]
    code = caplog.messages[-1].rpartition(" ")[2]
    log_in(world, "sms", tfa_code=code)
    log_in(world, "sms", 401, tfa_code=code)


def test_setting_up_totp(world: World, admin: Api) -> None:
    admin.post("/user/test/users", {"userName": "setup", "password": "secret-123"})
    own = world.login("test/setup", "secret-123")
    own("GET", "/user/currentUser/totpSecret/activity", 404)
    own("POST", "/user/currentUser/totpSecret/verify", 404, json={"code": "1"})
    secret = own.post("/user/currentUser/totpSecret", {}, 200)
    assert secret["rawSecret"] in secret["secretQrUrl"]
    assert own.get("/user/currentUser/totpSecret/activity") == {"isActive": False}
    own("POST", "/user/currentUser/totpSecret/activity", 204, json={"isActive": True})
    own("POST", "/user/currentUser/totpSecret/verify", 403, json={"code": "000000"})
    code = totp(secret["rawSecret"], world.sandbox.clock.now() / 1000)
    own("POST", "/user/currentUser/totpSecret/verify", 204, json={"code": code})
    form = {"grant_type": "PASSWORD", "username": "setup", "password": "secret-123"}
    world.anybody()("POST", "/tenant/oauth/token", 401, data=form)
    world.anybody()("POST", "/tenant/oauth/token", 200, data={**form, "tfa_code": code})
    own("POST", "/user/currentUser/totpSecret/activity", 409, json={"isActive": False})
    admin.delete("/user/test/users/setup/totpSecret/revoke")
    assert own.get("/user/currentUser/totpSecret/activity") == {"isActive": False}
    own("POST", "/user/currentUser/totpSecret/verify", 404, json={"code": code})
    world.anybody()("POST", "/tenant/oauth/token", 200, data=form)
    admin.delete("/user/test/users/setup")


def test_the_reader_reads_and_changes_nothing(world: World) -> None:
    reader = world.user("reader")
    for place in (
        OBJECTS,
        "/measurement/measurements",
        "/event/events",
        "/alarm/alarms",
        "/devicecontrol/operations",
        "/audit/auditRecords",
    ):
        reader.get(place)
    source = {"source": {"id": DEVICE}, "type": "t", "time": "2026-01-01T00:00:00Z"}
    for place, body in (
        (OBJECTS, {"name": "x"}),
        ("/measurement/measurements", {**source, "a": {"b": {"value": 1}}}),
        ("/event/events", {**source, "text": "x"}),
        ("/alarm/alarms", {**source, "text": "x", "severity": "MINOR"}),
        ("/devicecontrol/operations", {"deviceId": DEVICE, "c8y_Restart": {}}),
        ("/tenant/options", {"category": "a", "key": "b", "value": "c"}),
        ("/devicecontrol/newDeviceRequests", {"id": "x"}),
    ):
        refused = reader.post(place, body, 403)
        assert (refused["error"], refused["message"]) == ("security/Forbidden", "Access is denied.")
    reader("DELETE", f"{OBJECTS}/{DEVICE}", 403)
    reader("PUT", f"{OBJECTS}/{DEVICE}", 403, json={"a": 1})


def test_current_user_in_both_forms(world: World, admin: Api) -> None:
    plain = admin.get("/user/currentUser")
    assert plain["userName"] == "admin"
    assert "ROLE_ALARM_ADMIN" in [r["id"] for r in plain["effectiveRoles"]]
    kind = "application/vnd.com.nsn.cumulocity.user+json;"
    full = admin("GET", "/user/currentUser", headers={"Accept": kind})
    assert full.headers["Content-Type"].startswith("application/vnd.com.nsn.cumulocity.user+json")
    assert full.json()["groups"]["references"][0]["group"]["name"] == "admins"
    assert "password" not in full.json()
    assert "totp" not in full.json()


# users with inventory roles only


def restricted_walk(world: World, place: str, key: str, **params: Any) -> tuple[list[Any], int]:
    """Every item that the restricted user gets by following next, and how many pages were empty."""
    user = world.user("restricted")
    page, found, empty, seen = user.get(place, **params), [], 0, set()
    while True:
        found += page[key]
        empty += not page[key]
        follow = page.get("next")
        if follow is None or follow in seen:
            return found, empty
        seen.add(follow)
        page = user.get(follow)


def test_a_restricted_user_sees_the_group_and_nothing_else(world: World, admin: Api) -> None:
    inside = {
        o["id"] for o in admin.get(OBJECTS, query="isinhierarchyof(10001)", pageSize=100)["managedObjects"]
    }
    user = world.user("restricted")
    outside = next(str(n) for n in range(100_000, 100_025) if str(n) not in inside)
    some = next(iter(inside - {"10001"}))
    user.get(f"{OBJECTS}/{some}")
    user.get(f"{OBJECTS}/{outside}", 403)
    user.get("/measurement/measurements", 403, source=outside)
    user.get("/measurement/measurements", source=some)
    found, _ = restricted_walk(world, OBJECTS, "managedObjects", pageSize=100)
    assert {o["id"] for o in found} == inside
    for place, key in (
        ("/event/events", "events"),
        ("/alarm/alarms", "alarms"),
        ("/devicecontrol/operations", "operations"),
    ):
        items, _ = restricted_walk(world, place, key, pageSize=100)
        assert {o.get("deviceId") or o["source"]["id"] for o in items} <= inside
    measured = user.get("/measurement/measurements", pageSize=100)["measurements"]
    assert {m["source"]["id"] for m in measured} <= inside
    user.get("/audit/auditRecords", 403)
    user.get("/user/test/users", 403)


def test_restricted_paging_counts_documents_and_may_be_empty_in_between(world: World, admin: Api) -> None:
    world.switch(scan_budget=4)
    expected = {
        o["id"] for o in admin.get(OBJECTS, query="isinhierarchyof(10001)", pageSize=100)["managedObjects"]
    }
    first = world.user("restricted").get(OBJECTS, pageSize=5, withTotalPages="true")
    assert first["statistics"] == {"currentPage": 1, "pageSize": 5, "totalPages": None}
    assert "currentPage=5" in first["next"]
    found, empty = restricted_walk(world, OBJECTS, "managedObjects", pageSize=5)
    assert {o["id"] for o in found} == expected
    assert len(found) == len(expected)
    assert empty > 1


def test_restricted_alarm_counts_stop_at_100(world: World) -> None:
    answer = world.user("restricted")("GET", "/alarm/alarms/count", headers={"Accept": "text/plain"})
    assert 0 <= int(answer.text) <= 100


def test_a_user_without_any_role_is_refused_except_for_alarms(world: World, admin: Api) -> None:
    admin.post("/user/test/users", {"userName": "empty", "password": "secret-123"})
    user = world.login("test/empty", "secret-123")
    user.get(OBJECTS, 403)
    user.get("/measurement/measurements", 403)
    assert user.get("/alarm/alarms")["alarms"] == []
    user.get("/user/currentUser")
    admin.delete("/user/test/users/empty")
