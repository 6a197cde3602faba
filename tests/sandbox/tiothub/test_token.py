"""The token endpoint: both styles of client authentication, claims, life, keys, errors; and the form."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

FORM = "application/x-www-form-urlencoded"


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims(token: str) -> dict[str, Any]:
    return json.loads(decode(token.split(".")[1]))


def test_form_style_with_scope_gives_the_documented_answer(hub):
    answer = hub.ask_token(scope="openid email profile")
    assert answer.status == 200
    body = answer.json()
    assert {k: body[k] for k in body if "token" not in k or k == "token_type"} == {
        "expires_in": 300,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 1681129780,
        "scope": "openid email profile",
    }
    assert "refresh_token" not in body
    found = claims(body["access_token"])
    assert found["exp"] - found["iat"] == 300
    assert found["tenants"] == ["eos"]
    assert found["realm_access"]["roles"] == [
        "ro%connection-management-orchestrator",
        "rw%connection-management-orchestrator",
        "ro%device-management-orchestrator",
        "rw%device-management-orchestrator",
    ]
    assert found["azp"] == found["clientId"] == "5722e237-c93a-4bff-a3bd-8c3f4a385ab3"
    identity = claims(body["id_token"])
    digest = hashlib.sha256(body["access_token"].encode()).digest()[:16]
    assert identity["at_hash"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert identity["aud"] == found["clientId"]
    assert "scope" not in identity
    assert "realm_access" not in identity


def test_a_smaller_scope_answers_the_default_scopes_and_unknown_ones_are_ignored(hub):
    assert hub.ask_token(scope="openid").json()["scope"] == "openid email profile"
    assert hub.ask_token(scope="nonsense").json()["scope"] == "profile email"
    assert "id_token" not in hub.ask_token().json()


def test_basic_style_without_scope(hub):
    access = hub.info["accesses"]["newer"]
    pair = base64.b64encode(f"{access['client_id']}:{access['client_secret']}".encode()).decode()
    headers = {"Content-Type": FORM, "Authorization": f"Basic {pair}"}
    headers["Accept"] = "application/x-www-form-urlencoded, application/json"
    answer = hub.send("POST", hub.connect["token_url"], headers, "grant_type=client_credentials")
    assert answer.status == 200
    assert answer.json()["expires_in"] == 300


def test_signature_verifies_with_the_published_key(hub):
    realm = hub.connect["token_url"].partition("/protocol/")[0]
    found = hub.send("GET", f"{realm}/.well-known/openid-configuration").json()
    assert found["token_endpoint"] == hub.connect["token_url"]
    assert found["issuer"] == realm
    keys = hub.send("GET", found["jwks_uri"]).json()["keys"]
    token = hub.token()
    head, payload, signature = token.split(".")
    header = json.loads(decode(head))
    assert header["alg"] == "RS256"
    key = next(key for key in keys if key["kid"] == header["kid"])
    number = {name: int.from_bytes(decode(key[name]), "big") for name in ("n", "e")}
    public = rsa.RSAPublicNumbers(number["e"], number["n"]).public_key()
    public.verify(decode(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert claims(token)["iss"] == realm


@pytest.mark.parametrize(
    ("body", "kind", "status", "error"),
    [
        ("client_id=x&client_secret=y", FORM, 400, "invalid_request"),
        ("grant_type=password&client_id=x", FORM, 400, "unsupported_grant_type"),
        ('{"grant_type":"client_credentials"}', "application/json", 400, "invalid_request"),
        ("grant_type=client_credentials&client_id=x&client_secret=y", FORM, 401, "unauthorized_client"),
        ("grant_type=client_credentials", FORM, 401, "unauthorized_client"),
        ("\xff\xfe=%%%", FORM, 400, "invalid_request"),
    ],
)
def test_token_errors(hub, body, kind, status, error):
    answer = hub.send("POST", hub.connect["token_url"], {"Content-Type": kind}, body.encode("latin-1"))
    assert (answer.status, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]


@pytest.mark.parametrize("value", ["Basic !!!", "Basic " + base64.b64encode(b"a:b").decode(), "Basic "])
def test_wrong_basic_credentials(hub, value):
    headers = {"Content-Type": FORM, "Authorization": value}
    answer = hub.send("POST", hub.connect["token_url"], headers, "grant_type=client_credentials")
    assert answer.status == 401


def test_get_of_the_token_endpoint_is_not_allowed(hub):
    assert hub.send("GET", hub.connect["token_url"]).status == 405


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer nonsense", "Bearer a.b.c", "Basic YTpi"])
@pytest.mark.parametrize("side", ["dmo_url", "cmo_url"])
def test_no_or_bad_bearer_is_401(hub, value, side):
    path = "" if side == "dmo_url" else "/product"
    headers = {"X-M2M-Origin": "CTest", **({"Authorization": value} if value else {})}
    answer = hub.send("GET", hub.connect[side] + path, headers)
    assert answer.status == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_an_id_token_opens_nothing(hub):
    identity = hub.ask_token(scope="openid").json()["id_token"]
    headers = {"X-M2M-Origin": "CTest", "Authorization": f"Bearer {identity}"}
    assert hub.send("GET", hub.connect["dmo_url"], headers).status == 401


def test_a_token_lives_300_seconds(start):
    hub = start()
    headers = {"X-M2M-Origin": "CTest", "Authorization": f"Bearer {hub.token()}"}
    hub.clock.advance(299_000)
    assert hub.send("GET", hub.connect["dmo_url"], headers).status == 200
    hub.clock.advance(1_001)
    assert hub.send("GET", hub.connect["dmo_url"], headers).status == 401
    hub.switch(token_ttl=5)
    assert hub.ask_token().json()["expires_in"] == 5


def test_newer_tokens_carry_neither_tenants_nor_roles(start):
    hub = start(switches={"edition": "2026"})
    assert hub.connect["client_authentication"] == "basic"
    assert hub.connect["client_id"].startswith("t-iot-hub--")
    body = hub.ask_token("newer", scope="openid").json()
    assert body["scope"] == "client-origin profile email"
    assert body["not-before-policy"] == 0
    assert "id_token" not in body
    found = claims(body["access_token"])
    assert {"originZone", "originStargate"} <= found.keys()
    assert not {"tenants", "realm_access"} & found.keys()
    answer = hub.dmo("GET", access="newer")
    assert answer.status == 200
    assert answer.headers["x-m2m-rvi"] == "4"
    assert answer.headers["x-m2m-rsc"] == "2000"
    assert answer.headers["x-m2m-ot"].endswith("Z")
    assert answer.headers["x-service-responder"] == "device-management-orchestrator"


def test_any_prefix_and_realm_are_served(hub):
    form = {"grant_type": "client_credentials", **hub.info["accesses"]["tutorial"]}
    url = f"{hub.service.base_url}/a/b/auth/realms/default/protocol/openid-connect/token"
    token = hub.send("POST", url, {"Content-Type": FORM}, urlencode(form)).json()["access_token"]
    headers = {"X-M2M-Origin": "CTest", "Authorization": f"Bearer {token}"}
    for path in (
        "/bond/t-iot-hub/device-management-orchestrator/v3/eos",
        "/device-management-orchestrator/v3/eos",
        "/x/connection-management-orchestrator/v5/eos/product",
        "/x/connection-management-orchestrator/eos/product",
    ):
        assert hub.send("GET", hub.service.base_url + path, headers).status == 200, path
    assert hub.send("GET", hub.service.base_url + "/elsewhere", headers).status == 404


# the form of the portal


def test_the_form_makes_an_access_that_works(hub):
    url = hub.info["application_access_url"]
    wanted = {"name": "my app", "email": "me@example.com"}
    made = hub.send("POST", url, {}, wanted)
    assert made.status == 201
    body = made.json()
    assert body["token_url"] == hub.connect["token_url"]
    form = {"grant_type": "client_credentials"}
    form |= {"client_id": body["client_id"], "client_secret": body["client_secret"]}
    answer = hub.send("POST", hub.connect["token_url"], {"Content-Type": FORM}, urlencode(form))
    assert answer.status == 200
    listed = hub.send("GET", url)
    assert body["client_id"] in listed.body.decode()
    assert body["client_secret"] not in listed.body.decode()
    assert body["client_secret"] in hub.running.issued()


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "email": "a@b"},
        {"name": "x", "email": "nobody"},
        {"name": "x", "email": "a@b", "permissions": ["root"]},
        {"name": "x", "email": "a@b", "permissions": []},
        [],
        "{",
    ],
)
def test_the_form_says_what_is_wrong(hub, body):
    answer = hub.send("POST", hub.info["application_access_url"], {}, body)
    assert answer.status == 400
    assert answer.json()["error"]


def test_the_form_is_not_for_foreign_pages(hub):
    headers = {"Origin": "https://evil.example"}
    answer = hub.send("POST", hub.info["application_access_url"], headers, {"name": "x", "email": "a@b"})
    assert answer.status == 403


# roles


def test_read_only_access_reads_and_does_not_write(hub):
    assert hub.dmo("GET", access="reader").status == 200
    assert hub.cmo("GET", "/product", access="reader").status == 200
    assert hub.cmo("POST", "/product/find", {"iccidList": ["1"]}, access="reader").status == 200
    made = hub.dmo("POST", "", {"m2m:ae": {"api": "N1", "rn": "reader"}}, ty=2, access="reader")
    assert made.status == 403
    assert "m2m:dbg" in made.json()
    patched = hub.cmo(
        "PATCH",
        "/product/JASPER-8997112212741433747-simCard",
        [{"op": "replace", "path": "/status", "value": "ACTIVE"}],
        access="reader",
        content_type="application/json-patch+json",
    )
    assert patched.status == 403
    assert patched.json()["@type"] == "problem"
