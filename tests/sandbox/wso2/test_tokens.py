"""Registering an application, the grants, narrowing of scopes, expiry, refresh, revocation."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

REGISTER = "/api-application-registration/register"


@pytest.fixture
def hub(hub: Any) -> Iterator[Any]:
    """Every test leaves the switches as they were."""
    yield hub
    names = (
        "renew_refresh_token",
        "reuse_token",
        "scope_profile",
        "refresh_drops_ios",
        "token_fault",
        "strict",
    )
    hub.switch(**dict.fromkeys(names))


def body(name: str, tags: object, **more: object) -> dict[str, object]:
    return {"applicationName": name, "tags": tags, **more}


def test_registering_gives_two_keys_and_the_same_ones_again(hub: Any) -> None:
    first = hub.send("POST", REGISTER, json=body("twice", ["android"]), auth=("admin", "admin"))
    assert first.status_code == 201
    assert list(first.json()) == ["client_secret", "client_id"]
    assert all(re.fullmatch(r"[A-Za-z0-9_]{27}a", key) for key in first.json().values())
    more = body("twice", ["device_agent"], isMappingAnExistingOAuthApp=False, validityPeriod="86400")
    again = hub.send("POST", REGISTER, json=more, auth=("admin@carbon.super", "admin"))
    assert again.status_code == 201
    assert again.json() == first.json()
    other = hub.send("POST", REGISTER, json=body("other", ["android"]), auth=("admin", "admin"))
    assert other.json() != first.json()


@pytest.mark.parametrize(
    ("sent", "auth", "status", "text"),
    [
        (body("x", []), ("admin", "admin"), 406, "Tags should not be empty"),
        ({"applicationName": "x"}, ("admin", "admin"), 406, "Tags should not be empty"),
        (body("x", ["nonsense"]), ("admin", "admin"), 406, "APIs(Tags) are not allowed to this user."),
        (body("", ["android"]), ("admin", "admin"), 500, "false"),
        (body("x", ["android"], validityPeriod="soon"), ("admin", "admin"), 500, "false"),
        (body("x", ["android"]), ("admin", "wrong"), 401, ""),
        (body("x", ["android"]), None, 401, ""),
    ],
)
def test_registering_fails_with_plain_texts(
    hub: Any, sent: object, auth: tuple[str, str] | None, status: int, text: str
) -> None:
    answer = hub.send("POST", REGISTER, json=sent, auth=auth)
    assert (answer.status_code, answer.text) == (status, text)


def test_registering_for_a_tenant(hub: Any) -> None:
    good = hub.send(
        "POST", f"{REGISTER}/tenants?tenantDomain=carbon.super&applicationName=t", auth=("admin", "admin")
    )
    assert good.status_code == 201
    for query, auth in (
        ("tenantDomain=other&applicationName=t", "admin"),
        ("tenantDomain=carbon.super&applicationName=t", "user111"),
    ):
        bad = hub.send("POST", f"{REGISTER}/tenants?{query}", auth=(auth, auth))
        assert (bad.status_code, bad.text) == (406, "")


def test_an_application_cannot_be_removed(hub: Any) -> None:
    answer = hub.send("DELETE", "/api-application-registration/unregister", auth=("admin", "admin"))
    assert answer.status_code == 404
    assert "<am:code>404</am:code>" in answer.text


def test_password_grant(hub: Any) -> None:
    client = hub.register()
    found = hub.login(client, scope="perm:devices:view perm:get-activity perm:devices:view perm:unheard:of")
    assert list(found) == ["access_token", "refresh_token", "scope", "token_type", "expires_in"]
    assert found["scope"] == "perm:devices:view perm:get-activity"
    assert (found["token_type"], found["expires_in"]) == ("Bearer", 3600)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found["access_token"])


def test_the_second_password_grant_gives_the_living_token_with_the_rest_of_its_life(hub: Any) -> None:
    client = hub.register(name="living")
    first = hub.login(client)
    hub.clock.advance(600_000)
    again = hub.login(client)
    assert again["access_token"] == first["access_token"]
    assert again["expires_in"] == 3000
    narrower = hub.login(client, scope="perm:devices:view")
    assert narrower["access_token"] != first["access_token"]
    hub.switch(reuse_token=False)
    assert hub.login(client)["access_token"] != first["access_token"]


def test_an_ordinary_user_is_granted_less(hub: Any) -> None:
    found = hub.login(hub.register("user111"), "user111")["scope"].split()
    assert "perm:devices:view" in found
    assert "perm:device-types:events:view" in found
    assert "perm:android:enroll" in found
    assert not {
        "perm:users:details",
        "perm:device:enroll",
        "perm:device-types:events",
        "perm:android:ring",
    } & {*found}


def test_nothing_granted_is_the_default_scope(hub: Any) -> None:
    found = hub.login(hub.register(), scope="perm:unheard:of")
    assert found["scope"] == "default"
    answer = hub.send(
        "GET", "/api/device-mgt/v1.0/devices", headers={"Authorization": f"Bearer {found['access_token']}"}
    )
    assert answer.status_code == 403
    assert "<ams:code>900910</ams:code>" in answer.text


def test_a_client_with_the_tutorials_tag_cannot_read_telemetry(hub: Any) -> None:
    asked = "perm:devices:view perm:device-types:events:view perm:device-types:events"
    client = hub.register(name="tutorial", tags=["device_management"])
    assert hub.login(client, scope=asked)["scope"] == "perm:devices:view"
    hub.switch(scope_profile="full")
    assert len(hub.login(client, scope=asked)["scope"].split()) == 3
    hub.switch(scope_profile="tutorial")
    more = hub.register(name="tutorial", tags=["device_management", "device_agent"])
    assert more == client
    assert len(hub.login(more, scope=asked)["scope"].split()) == 3


def test_client_credentials_have_no_refresh_token(hub: Any) -> None:
    answer = hub.ask(hub.register(), grant_type="client_credentials", scope="perm:devices:view")
    assert answer.status_code == 200
    assert list(answer.json()) == ["access_token", "scope", "token_type", "expires_in"]


def test_a_form_with_raw_blanks_and_an_empty_field_is_taken(hub: Any) -> None:
    raw = "grant_type=password&username=admin@carbon.super&password=admin&=&scope="
    raw += "perm:devices:view perm:get-activity perm:devices:view"
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    answer = hub.send("POST", "/token", data=raw, headers=headers, auth=hub.register())
    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "perm:devices:view perm:get-activity"
    hub.switch(strict=True)
    assert hub.send("POST", "/token", data=raw, headers=headers, auth=hub.register()).status_code == 400


def test_keys_in_the_body_unless_strict(hub: Any) -> None:
    name, secret = hub.register()
    fields = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
    assert hub.send("POST", "/token", data=fields).status_code == 200
    hub.switch(strict=True)
    assert hub.send("POST", "/token", data=fields).json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"grant_type": "password", "username": "admin", "password": "no"}, 400, "invalid_grant"),
        ({"grant_type": "password", "username": "nobody", "password": "no"}, 400, "invalid_grant"),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
        ({}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "3trtg45-64t5"}, 400, "invalid_grant"),
    ],
)
def test_what_the_token_endpoint_refuses(hub: Any, fields: dict[str, str], status: int, error: str) -> None:
    answer = hub.ask(hub.register(), **fields)
    assert answer.status_code == status
    assert list(answer.json()) == ["error_description", "error"]
    assert answer.json()["error"] == error


def test_swapped_keys_are_no_client(hub: Any) -> None:
    name, secret = hub.register()
    answer = hub.ask((secret, name), grant_type="password", username="admin", password="admin")
    assert answer.status_code == 401
    assert answer.text == '{"error_description":"Client Authentication failed.","error":"invalid_client"}'


def test_refresh_keeps_scopes_and_refresh_token_and_ends_the_older_access_token(hub: Any) -> None:
    client = hub.register(name="renewing")
    first = hub.login(client, scope="perm:devices:view perm:get-activity")
    answer = hub.ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])
    second = answer.json()
    assert second["scope"] == first["scope"]
    assert second["refresh_token"] == first["refresh_token"]
    assert second["expires_in"] == 3600
    devices = "/api/device-mgt/v1.0/devices?limit=1"
    old = hub.send("GET", devices, headers={"Authorization": f"Bearer {first['access_token']}"})
    assert old.status_code == 401
    assert "<ams:code>900901</ams:code>" in old.text
    new = hub.send("GET", devices, headers={"Authorization": f"Bearer {second['access_token']}"})
    assert new.status_code == 200


def test_refresh_with_the_documented_scope_fails_and_with_a_part_narrows(hub: Any) -> None:
    client = hub.register(name="documented")
    first = hub.login(client, scope="perm:devices:view perm:get-activity")
    word = first["refresh_token"]
    bad = hub.ask(client, grant_type="refresh_token", refresh_token=word, scope="PRODUCTION")
    assert bad.status_code == 400
    assert bad.text == '{"error_description":"Invalid Scope!","error":"invalid_scope"}'
    part = hub.ask(client, grant_type="refresh_token", refresh_token=word, scope="perm:get-activity")
    assert part.json()["scope"] == "perm:get-activity"


def test_a_replaced_refresh_token_is_not_found(hub: Any) -> None:
    hub.switch(renew_refresh_token=True)
    client = hub.register(name="rotating")
    first = hub.login(client)
    second = hub.ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    gone = hub.ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert gone.status_code == 400
    assert gone.json() == {
        "error_description": "Persisted access token data not found",
        "error": "invalid_grant",
    }


def test_a_refresh_token_of_another_client_is_not_found(hub: Any) -> None:
    first = hub.login(hub.register(name="one"))
    other = hub.ask(
        hub.register(name="two"), grant_type="refresh_token", refresh_token=first["refresh_token"]
    )
    assert other.json()["error"] == "invalid_grant"


def test_refresh_may_lose_the_ios_scopes(hub: Any) -> None:
    hub.switch(refresh_drops_ios=True)
    client = hub.register(name="losing")
    first = hub.login(client, scope="perm:ios:wifi perm:devices:view perm:ios:lock")
    assert len(first["scope"].split()) == 3
    second = hub.ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert second["scope"] == "perm:devices:view"


def test_time_ends_tokens(start: Any) -> None:
    hub = start(devices=1)
    client = hub.register()
    first = hub.login(client, scope="perm:devices:view")
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    hub.clock.advance(3_599_000)
    assert hub.send("GET", "/api/device-mgt/v1.0/devices", headers=headers).status_code == 200
    hub.clock.advance(2_000)
    late = hub.send("GET", "/api/device-mgt/v1.0/devices", headers=headers)
    assert late.status_code == 401
    assert "<ams:code>900903</ams:code>" in late.text
    second = hub.ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second.status_code == 200
    hub.clock.advance(15_552_000_000)
    ended = hub.ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert ended.status_code == 400
    assert ended.json() == {"error_description": "Refresh token is expired.", "error": "invalid_grant"}


def test_revoked_tokens_are_worth_nothing(hub: Any) -> None:
    client = hub.register(name="leaving")
    first = hub.login(client, scope="perm:devices:view")
    assert hub.send("POST", "/revoke", data={"token": first["access_token"]}).status_code == 401
    other = hub.register(name="stranger")
    assert hub.send("POST", "/revoke", data={"token": first["access_token"]}, auth=other).status_code == 200
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    assert hub.send("GET", "/api/device-mgt/v1.0/devices", headers=headers).status_code == 200
    assert (
        hub.send("POST", "/oauth2/revoke", data={"token": first["access_token"]}, auth=client).status_code
        == 200
    )
    assert "900901" in hub.send("GET", "/api/device-mgt/v1.0/devices", headers=headers).text
    gone = hub.ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert gone.json()["error"] == "invalid_grant"
    assert hub.send("POST", "/revoke", data={"token": "unknown"}, auth=client).status_code == 200


def test_a_forgotten_application_and_its_tokens_are_gone(start: Any) -> None:
    hub = start(devices=2)
    client = hub.register()
    first = hub.login(client, scope="perm:devices:view")
    hub.switch(forget_clients=1)
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    assert "900901" in hub.send("GET", "/api/device-mgt/v1.0/devices", headers=headers).text
    gone = hub.ask(client, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (gone.status_code, gone.json()["error"]) == (401, "invalid_client")
    again = hub.register()
    assert hub.login(again, scope="perm:devices:view")["expires_in"] == 3600


def test_a_key_manager_that_cannot_be_reached_answers_in_xml(hub: Any) -> None:
    client = hub.register()
    hub.switch(token_fault=True)
    answer = hub.ask(client, grant_type="client_credentials")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/xml"
    assert answer.text.startswith('<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>')
    assert "<am:message>Runtime Error</am:message>" in answer.text


def test_the_login_that_is_handed_out_works_and_its_password_is_a_secret(hub: Any) -> None:
    connect = hub.service.connect
    assert set(connect) == {"base_url", "username", "password"}
    login = connect["username"], connect["password"]
    answer = hub.send("POST", REGISTER, json=body("mine", ["device_management"]), auth=login)
    assert answer.status_code == 201
    issued = hub.running.issued()
    assert connect["password"] in issued
    assert answer.json()["client_secret"] in issued
    assert not {"admin", "user111"} & {*issued}
    assert hub.service.info()["users"]["admin"] == {"username": "admin", "password": "admin"}
