"""Every way in, every way of being refused, and what the scope report says of it, over real HTTP."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from badserver import BadServer, reply

from iotnb import sandbox
from iotnb.errors import ConfigError, ConnectionFailed, Forbidden, LoggedOut, MissingFields, Unauthorized
from iotnb.platforms.wso2 import WSO2, address, auth, scopes
from iotnb.secret import Secret
from iotnb.session import Settings

Enter = Callable[..., WSO2]
EVENTS = "perm:device-types:events:view"
DROPPED = {
    "perm:admin", "perm:admin:device-type", "perm:admin:topics:view", "perm:device-types:events", EVENTS,
    "perm:devicetype:deployment", "perm:geo-service:alerts-manage", "perm:geo-service:analytics-view",
    "perm:sign-csr",
    *(f"perm:dashboard:{each}" for each in (
        "by-groups", "count-overview", "details", "device-counts", "feature-non-compliant", "filtered-count",
        "non-compliant", "non-compliant-count", "vulnerabilities",
    )),
}  # fmt: skip


def asked_of(client: WSO2) -> list[tuple[str, str]]:
    return [(each.method, each.url.partition("?")[0].rpartition("/")[2]) for each in client.exchanges]


def test_user_and_password_are_enough(enter: Enter, service: sandbox.Service) -> None:
    client = enter()
    assert asked_of(client) == [("GET", "device-types"), ("POST", "register"), ("POST", "token")]
    assert "Authorization" not in client.exchanges[0].request_headers
    assert '"tags":["device_agent","device_management"]' in client.exchanges[1].request_body.replace(
        "\n", ""
    ).replace(" ", "")
    assert client.user == service.connect["username"]
    assert client.method == "password"
    assert client.expires is not None
    assert client.facts()["scopes"] == "19 of 19 granted"
    assert len(client.devices()) > 12


def test_an_application_that_is_there_is_used(enter: Enter, client: WSO2) -> None:
    keys = client.api.applications.register("of-my-own", tags=["device_management"])
    again = client.api.applications.register("of-my-own", tags=["device_management"])
    assert again["client_id"] == keys["client_id"]
    assert again["client_secret"] == keys["client_secret"]
    other = enter(client_id=keys["client_id"], client_secret=keys["client_secret"])
    assert ("POST", "register") not in asked_of(other)
    assert len(other.devices()) > 12


def test_a_refresh_token_alone_logs_in(enter: Enter, client: WSO2) -> None:
    keys = client.api.applications.register("refreshed", tags=["device_agent", "device_management"])
    answer = client.api.tokens.password("explore", keys=keys)
    assert isinstance(answer["access_token"], Secret)
    assert answer["token_type"] == "Bearer"
    other = enter(
        username=None, password=None, refresh_token=answer["refresh_token"],
        client_id=keys["client_id"], client_secret=keys["client_secret"],
    )  # fmt: skip
    assert other.method == "refresh"
    form = parse_qs(other.exchanges[-1].request_body)
    assert set(form) == {"grant_type", "refresh_token"}  # a scope would be refused
    assert len(other.devices()) > 12


def test_the_application_alone(enter: Enter, client: WSO2) -> None:
    keys = client.api.applications.register("alone", tags=["device_agent", "device_management"])
    other = enter(
        username=None, password=None, client_id=keys["client_id"], client_secret=keys["client_secret"]
    )
    assert other.method == "client"
    assert "grant_type=client_credentials" in other.exchanges[-1].request_body
    assert other.user == keys["client_id"]


def test_a_given_token(enter: Enter, client: WSO2) -> None:
    token = client.session.auth.token.value  # type: ignore[attr-defined]
    other = enter(username=None, password=None, token=token)
    assert other.method == "token"
    assert len(other.devices()) > 12
    assert other.scopes["granted"].isna().all()
    assert (other.scopes["blocks"] == "").all()
    with pytest.raises(Unauthorized, match="900901"):
        enter(username=None, password=None, token="168v5699-5678-rt61-1534-4a169v5u88e0")


def test_a_tenants_user_name_goes_as_it_is(enter: Enter, service: sandbox.Service) -> None:
    with pytest.raises(Unauthorized, match=r"user@tenant\.domain"):
        enter(username="nobody@plant.example")


# -- scopes


def test_the_tutorials_token_is_told_from_what_was_asked(enter: Enter) -> None:
    client = enter(scopes="tutorial", tags="device_management", application_name="appName")
    frame = client.scopes.set_index("scope")
    asked = frame[frame["asked"]]
    assert len(asked) == 154
    assert int(asked["granted"].sum()) == 136
    assert set(asked.index[~asked["granted"]]) == DROPPED
    assert "measurements()" in frame.loc[EVENTS, "blocks"]
    assert (frame.loc[frame["granted"], "blocks"] == "").all()
    assert client.facts()["scopes"] == "136 of 154 granted"
    device = client.devices(type="firealarm")["device"].iloc[0]
    for verb in ("series", "latest", "measurements"):
        with pytest.raises(Forbidden, match=f"no telemetry: {EVENTS} was not granted") as caught:
            getattr(client, verb)(device)
        assert "900910" in str(caught.value)


def test_the_same_scopes_are_granted_with_both_tags(enter: Enter) -> None:
    client = enter(scopes="tutorial", application_name="bothTags")
    frame = client.scopes.set_index("scope")
    assert frame.loc[EVENTS, "granted"]
    assert len(client.latest("firealarm/123422")) == 3


def test_an_ordinary_user_gets_what_his_role_allows(enter: Enter) -> None:
    client = enter(username="user111", password="user111", scopes="explore perm:users:add")
    frame = client.scopes.set_index("scope")
    assert frame.loc["perm:devices:view", "granted"]
    assert not frame.loc["perm:users:add", "granted"]
    assert set(client.devices()["owner"]) == {"user111"}


# -- refused


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"password": "not-the-right-one"}, Unauthorized, "User name or password is wrong"),
        (
            {"client_id": "x" * 28, "client_secret": "y" * 28},
            Unauthorized,
            "Client id or client secret is wrong",
        ),
        ({"client_id": "x" * 28}, ConfigError, "client_id= is given without client_secret="),
        ({"tags": "no_such_tag"}, Exception, "Each tag must be a device type"),
        ({"scopes": 'a"b'}, ConfigError, "no scope"),
        ({"server_tz": "Nowhere"}, ConfigError, "server_tz"),
        ({"method": "magic"}, ConfigError, "no login method 'magic'"),
        ({"base_url": "http://gateway.example.com:8280"}, ConfigError, "base_url.*https"),
    ],
)
def test_what_is_refused_says_why(
    enter: Enter, fields: dict[str, str], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match) as caught:
        enter(**fields)
    assert "not-the-right-one" not in str(caught.value)


def test_empty_tags_are_refused_by_the_server_and_explained(client: WSO2) -> None:
    with pytest.raises(Exception, match=r"406 .*Tags should not be empty") as caught:
        client.api.applications.register("tagless", tags=[])
    assert "tags=" in str(caught.value)


def test_swapped_keys_are_named(client: WSO2) -> None:
    keys = client.api.applications.register("swapped", tags=["device_management"])
    swapped = {"client_id": keys["client_secret"].reveal(), "client_secret": Secret(keys["client_id"])}
    with pytest.raises(Unauthorized, match="they are swapped: client_id:client_secret it is"):
        client.api.tokens.password("explore", keys=swapped)


def test_the_documented_renewal_is_refused_and_the_right_one_works(client: WSO2) -> None:
    keys = client.api.applications.register("renewing", tags=["device_management"])
    answer = client.api.tokens.password("devices:view", keys=keys)
    with pytest.raises(Exception, match=r"400 .*invalid_scope") as caught:
        client.api.tokens.refresh(answer["refresh_token"], keys=keys, scope="PRODUCTION")
    assert "leave scope out" in str(caught.value)
    again = client.api.tokens.refresh(answer["refresh_token"], keys=keys)
    assert again["scope"] == answer["scope"] == "perm:devices:view"
    assert again["access_token"] != answer["access_token"]


@pytest.mark.parametrize("name", ["base_url", "username", "password"])
def test_a_missing_field_is_named_with_the_ways_to_give_it(enter: Enter, name: str) -> None:
    with pytest.raises(MissingFields, match=f"IOTNB_WSO2_{name.upper()}"):
        enter(**{name: None})


def test_nobody_answers(enter: Enter) -> None:
    with pytest.raises(ConnectionFailed):
        enter(base_url="http://127.0.0.1:9", settings=Settings(timeout=(1, 1), retries=0))


@pytest.mark.parametrize(
    "answer",
    [
        reply({"hello": "world"}),
        reply({"message": "log in"}, 401),
        reply(b"<html><title>Login</title></html>", kind="text/html"),
        reply({"message": "nothing"}, 404),
    ],
)
def test_no_secret_goes_to_another_server(bad: BadServer, answer: Any) -> None:
    bad.otherwise(answer)
    with pytest.raises(ConfigError, match="does not answer as the API gateway"):
        WSO2.login({"base_url": bad.base_url, "username": "a", "password": "sesame-77"})
    assert len(bad.seen) == 1
    assert "authorization" not in bad.seen[0].headers


# -- addresses


def test_the_servers_own_port_has_other_paths() -> None:
    found = address.places("https://iots.example.com:9443/devicemgt")
    assert found.tokens == "https://iots.example.com:9443"
    assert found.gateway == "https://iots.example.com:8243"
    assert (found.token_path, found.revoke_path) == ("/oauth2/token", "/oauth2/revoke")
    plain = address.places("iots.example.com:8243/api/device-mgt/v1.0")
    assert plain.tokens == plain.gateway == "https://iots.example.com:8243"
    assert plain.token_path == "/token"
    apart = address.places("https://a.example.com", "https://b.example.com:8243")
    assert (apart.tokens, apart.gateway) == ("https://a.example.com", "https://b.example.com:8243")


def test_registration_and_apis_may_be_at_two_addresses(enter: Enter, service: sandbox.Service) -> None:
    moved = service.base_url.replace("127.0.0.1", "localhost")
    client = enter(base_url=moved, gateway_url=service.base_url)
    assert client.host == service.base_url.partition("://")[2]
    assert next(each.url for each in client.exchanges if "register" in each.url).startswith(moved)
    assert len(client.devices()) > 12
    client.logout()


# -- ending, and what shows


def test_a_logout_revokes_access_and_refresh_token(enter: Enter, client: WSO2) -> None:
    keys = client.api.applications.register("ending", tags=["device_agent", "device_management"])
    ending = enter(client_id=keys["client_id"], client_secret=keys["client_secret"])
    held = ending.session.auth.token  # type: ignore[attr-defined]
    ending.logout()
    assert [name for _, name in asked_of(ending)][-2:] == ["revoke", "revoke"]
    with pytest.raises(Unauthorized, match="900901"):
        enter(username=None, password=None, token=held.value)
    with pytest.raises(Unauthorized, match="log in again with user and password"):
        client.api.tokens.refresh(held.refresh, keys=keys)
    with pytest.raises(LoggedOut):
        ending.devices()


def test_no_secret_is_shown_anywhere(enter: Enter, service: sandbox.Service) -> None:
    client = enter()
    client.devices()
    held = client.session.auth.token  # type: ignore[attr-defined]
    application = client._credentials.application  # type: ignore[union-attr]
    secrets = [service.connect["password"], held.value.reveal(), held.refresh.reveal()]
    secrets.append(application.client_secret.reveal())  # type: ignore[union-attr]
    shown = [repr(client), client._repr_html_(), str(client.facts()), str(vars(client.api.tokens))]
    shown += [text for each in client.exchanges for text in (each.http(), each.curl(), each._repr_html_())]
    shown += [repr(vars(client._credentials)), repr(client.session.auth)]
    assert len(shown) > 10
    for secret in secrets:
        assert len(secret) > 5
        assert not [text for text in shown if secret in text]


def test_all_fields_have_a_help_or_speak_for_themselves() -> None:
    assert [
        each.name for each in auth.FIELDS if not each.help and each.label not in {"Password", "Client secret"}
    ] == []
    assert set(scopes.asked(auth.SCOPES)) == set(scopes.EXPLORE)


def test_the_clock_decides_when_a_token_is_old(enter: Enter) -> None:
    moment = [time.time()]
    client = enter(clock=lambda: moment[0])
    first = client.session.auth.token.value  # type: ignore[attr-defined]
    moment[0] += 3000
    assert client.session.auth.token.value == first  # type: ignore[attr-defined]
    moment[0] += 580  # within the last minute of its hour
    assert client.session.auth.token.value != first  # type: ignore[attr-defined]
    assert "grant_type=refresh_token" in client.exchanges[-1].request_body


def test_a_service_that_says_no_costs_no_renewal(scripted: SimpleNamespace) -> None:
    path = "/api/device-mgt/v1.0/devices/android/1"
    scripted.bad.on(path, reply({"message": "not authorized", "errorItems": []}, 401))
    with pytest.raises(Forbidden, match="belongs to another user") as caught:
        scripted.client.api.devices.get("android", "1")
    assert caught.value.status == 401
    assert scripted.bad.count(path) == 1
