"""Discovery, basic token, log-in, access token, refresh: what goes right and what goes wrong."""

import base64
import binascii
import json
import re

import pytest
import requests

DAY = 86_400_000
MODULES = (
    "auth",
    "user",
    "device",
    "firmware",
    "event",
    "telemetry",
    "file",
    "master",
    "entity",
    "role",
    "template",
)


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


# discovery


@pytest.mark.parametrize(
    ("query", "prefix"),
    [
        ({"version": "2.1", "pf": "aws"}, "v2.1"),
        ({"version": "2", "pf": "az"}, "v2"),
        ({"pf": "aws"}, "v2.1"),
        ({"pf": "az"}, "v2"),
        ({"VERSION": "2.1"}, "v2.1"),
    ],
)
def test_discovery_names_every_module(site, query, prefix):
    answer = site.discover(**query).json()
    assert answer["status"] == 200
    found = answer["data"]
    assert {f"{module}BaseUrl" for module in MODULES} <= set(found)
    assert all(name.endswith("BaseUrl") for name in found)
    assert found["deviceBaseUrl"] == f"{site.base}/api/{prefix}"
    assert found["eventBaseUrl"] == f"{site.base}/api/{'v1.1' if prefix == 'v2' else prefix}"


def test_without_a_version_the_addresses_end_before_api(site):
    found = site.discover().json()["data"]
    assert set(found.values()) == {site.base}
    site.switches["discovery_hosts"] = False
    site.switches["edition"] = "v1.1"
    found = site.discover().json()["data"]
    assert found["deviceBaseUrl"] == f"{site.base}/api/v1.1"
    assert found["authBaseUrl"] == f"{site.base}/api/v2"


def test_an_unknown_key_is_a_200_without_data(site):
    answer = site.discover("no-such-key", pf="az")
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    assert answer.json()["message"]
    site.switches["discovery_null"] = True
    assert site.discover(pf="az").json()["data"] is None


def test_discovery_fails_now_and_then(site):
    site.switches["discovery_failures"] = 2
    answers = [site.discover(pf="az") for _ in range(4)]
    assert [one.status_code for one in answers] == [502, 502, 200, 200]
    assert answers[0].headers["content-type"] == "text/html"
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answers[0].json()


def test_discovery_is_one_path(site):
    base = f"{site.base}/api/uisdk/solutionkey/{site.key}"
    assert site.http.get(f"{site.base}//api/uisdk/solutionkey/{site.key}/env/prod?pf=az").status_code == 200
    assert site.http.get(base).status_code == 404
    assert site.http.get(f"{base}/environment/poc").status_code == 404
    assert site.http.post(f"{base}/env/poc").status_code == 405


# log-in


def test_the_three_steps(site):
    answer = site.http.get(f"{site.base}/api/v2/Auth/basic-token")
    found = answer.json()
    assert set(found) == {"data", "status", "message"}
    assert (found["status"], found["message"]) == (200, "Basic token has been generated successfully")
    base64.b64decode(found["data"], validate=True)
    login = site.log_in(Authorization=f"Basic {found['data']}").json()
    assert set(login) == {"token_type", "access_token", "expires_in", "refresh_token", "status"}
    assert (login["token_type"], login["expires_in"], login["status"]) == ("bearer", 86400, 200)
    assert re.fullmatch("[a-z]{50}", login["refresh_token"])
    headers = {"accept": "text/plain", "Authorization": f"Bearer {login['access_token']}"}
    devices = site.http.get(f"{site.base}/api/v1.1/Device", headers=headers)
    assert devices.headers["content-type"] == "application/json"
    assert len(devices.json()["data"]) == 10


def test_the_token_tells_account_role_entity_and_expiry(site, helpers):
    person = site.person()
    found = claims(person.token)
    user = found["user"]
    assert found["exp"] == helpers.NOW // 1000 + 86400
    assert found["iss"] == found["aud"]
    guids = ("id", "companyId", "roleId", "entityGuid", "solutionGuid")
    assert all(re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", user[name]) for name in guids)
    assert re.fullmatch("[0-9A-F]{32}", user["cpId"])
    assert (user["roleName"], user["userId"], user["ps"]) == ("Admin", helpers.ADMIN, False)
    assert user["solutionKey"] == site.key
    assert {"reviewStatus", "isCpidOptional"} <= set(user)
    assert user["entityGuid"] in {one["guid"] for one in person.data("/Entity")}
    own = person.one(f"/User/{user['id']}")
    assert (own["userGuid"], own["companyCpid"]) == (user["id"], user["cpId"])


def test_one_role_makes_a_token_that_only_the_url_safe_alphabet_decodes(site, helpers):
    for _ in range(6):
        payload = site.person(helpers.INSPECTOR).token.split(".")[1]
        assert "_" in payload or "-" in payload
        with pytest.raises((ValueError, binascii.Error)):
            json.loads(base64.b64decode(payload + "=" * (-len(payload) % 4), validate=True))
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert found["user"]["roleName"] == "Pr\u00fcfer?"
        plain = site.person().token.split(".")[1]
        assert "_" not in plain
        assert "-" not in plain


def test_who_may_log_in(site, helpers):
    password = site.info["users"][helpers.ADMIN]["password"]
    good = {"username": helpers.ADMIN, "password": password}
    assert site.log_in({"USERNAME": helpers.ADMIN.upper(), "Password": password, "solutionKey": "x"}).ok
    for headers in (
        {"Authorization": "made up"},
        {"Authorization": "basic " + site.basic()},
        {"solution_key": None, "Solution_Key": site.key},
    ):
        assert site.log_in(good, **headers).status_code == 200, headers
    wrong = (
        ({**good, "password": "no"}, {}),
        ({**good, "username": "nobody@example.com"}, {}),
        (good, {"solution_key": None}),
        (good, {"solution_key": "another"}),
        (good, {"Authorization": None}),
        (good, {"Authorization": "Basic "}),
    )
    for body, headers in wrong:
        answer = site.log_in(body, **headers)
        assert answer.status_code == 401, (body, headers)
        found = answer.json()
        assert set(found) == {"status", "message", "error", "data", "ie"}
        assert isinstance(found["error"], dict)
        assert found["data"] is found["ie"] is None


@pytest.mark.parametrize(
    "body", [{"username": "x", "password": ""}, {"username ": "x", "password": "y"}, [], "x"]
)
def test_a_log_in_that_does_not_fit(site, body):
    answer = site.log_in(body)
    assert answer.status_code == 412
    assert isinstance(answer.json()["error"], list)


def test_a_basic_token_is_checked_by_a_strict_server(site):
    site.switches["strict"] = True
    token = site.basic()
    assert site.log_in(Authorization="Basic made up").status_code == 401
    assert site.log_in(Authorization=f"Basic {token}").status_code == 200
    assert site.log_in(Authorization=token).status_code == 200
    site.clock.advance(3_600_000)
    assert site.log_in(Authorization=f"Basic {token}").status_code == 401


def test_telephones(site, helpers):
    body = {"username": helpers.ADMIN, "password": site.info["users"][helpers.ADMIN]["password"]}
    answer = site.log_in(body, path="/Auth/m-login")
    assert answer.status_code == 412
    assert {one["param"] for one in answer.json()["error"]} >= {"deviceToken", "uuid"}
    body |= dict.fromkeys(("deviceType", "osName", "osVersion", "deviceToken", "uuid"), "x")
    assert "access_token" in site.log_in(body, path="/Auth/m-login").json()


# expiry and refresh


def renew(site, token, *, name="refreshtoken", edition="v2", headers=None):
    url = f"{site.base}/api/{edition}/Auth/refresh-token"
    return site.http.post(url, json={name: token}, headers=headers, timeout=10)


def test_a_token_ends_with_the_clock(site):
    person = site.person()
    site.clock.advance(DAY - 1)
    assert person("GET", "/Auth/verify-token").json()["data"] == []
    site.clock.advance(1)
    for path in ("/Auth/verify-token", "/Device"):
        answer = person("GET", path)
        assert answer.status_code == 401
        assert answer.json()["data"] is None


def test_token_life_is_a_switch_and_a_fault(site):
    site.switches["token_life"] = 120
    assert site.person().answer["expires_in"] == 120
    site.running.faults.set("iotconnect", token_seconds=3)
    person = site.person()
    assert person.answer["expires_in"] == 3
    site.clock.advance(3000)
    assert person("GET", "/Device").status_code == 401


@pytest.mark.parametrize("name", ["refreshtoken", "RefreshToken"])
def test_refresh_gives_a_new_pair_and_kills_the_old_one(site, name):
    person = site.person()
    site.clock.advance(DAY + 1)
    answer = renew(site, person.answer["refresh_token"], name=name)
    found = answer.json()
    assert set(found) == set(person.answer)
    assert found["refresh_token"] != person.answer["refresh_token"]
    assert not {"reviewStatus", "isCpidOptional"} & set(claims(found["access_token"])["user"])
    headers = {"Authorization": f"Bearer {found['access_token']}"}
    assert site.http.get(f"{site.base}/api/v2.1/Device", headers=headers).status_code == 200
    again = renew(site, person.answer["refresh_token"])
    assert again.status_code == 409
    assert again.json()["error"][0]["param"] == "refreshtoken"
    assert renew(site, found["refresh_token"], edition="v2.1", headers=headers).status_code == 200


def test_refresh_of_nothing(site):
    assert renew(site, "x" * 50).status_code == 409
    assert renew(site, "").status_code == 412
    person = site.person()
    site.switches["refresh_dead"] = True
    assert renew(site, person.answer["refresh_token"]).status_code == 409


def test_what_is_no_token(site):
    person = site.person()
    url = f"{site.base}/api/v2/Device"
    head, payload, tail = person.token.split(".")
    forged = base64.urlsafe_b64encode(
        json.dumps({**claims(person.token), "exp": 4102444800}).encode()
    ).decode()
    for text in (
        None,
        "",
        "Bearer",
        "Bearer x",
        f"Basic {person.token}",
        f"Bearer {head}.{forged}.{tail}",
        f"Bearer {head}.{payload}.",
    ):
        answer = site.http.get(url, headers={} if text is None else {"Authorization": text})
        assert answer.status_code == 401, text
    assert site.http.get(url, headers={"Authorization": f"bearer  {person.token}"}).status_code == 200


def test_tokens_can_be_ended_and_401_may_be_a_page(site):
    person = site.person()
    site.world.tokens.expire_all()
    assert person("GET", "/Device").status_code == 401
    site.switches["html_401"] = True
    answer = person("GET", "/Device")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html")
    assert answer.text.startswith("<html>")


def test_no_secret_is_in_the_log_or_missing_among_the_issued(site):
    person = site.person()
    issued = site.running.issued()
    assert {person.token, person.answer["refresh_token"], site.key} <= set(issued)
    for user in site.info["users"].values():
        assert user["password"] in issued
    site.discover(pf="az")
    text = "\n".join(f"{line.path}?{line.query}" for line in site.running.requests("iotconnect"))
    assert "/api/uisdk/solutionkey/***/env/poc" in text
    assert not [secret for secret in issued if secret in text]
