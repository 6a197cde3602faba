"""Bad days of a login: tokens that end, refresh tokens that expire, applications that vanish, throttling."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from badserver import BadServer, reply

from iotnb import errors, sandbox
from iotnb.platforms.wso2 import WSO2
from iotnb.session import Settings

Enter = Callable[..., WSO2]
API = "/api/device-mgt/v1.0"


def grants(client: WSO2) -> list[str]:
    """The grants of all token requests, in order."""
    bodies = [each.request_body for each in client.exchanges if each.url.endswith("/token")]
    return [body.partition("&")[0].removeprefix("grant_type=") for body in bodies]


def application(client: WSO2) -> Any:
    """The application of a login."""
    held = client._credentials
    assert held is not None
    assert held.application is not None
    return held.application


def revoked(client: WSO2) -> None:
    """Somebody else ends the access token."""
    client.api.tokens.revoke(client.session.auth.token.value)  # type: ignore[attr-defined]


def test_an_older_token_after_a_renewal_is_renewed_silently(enter: Enter, service: sandbox.Service) -> None:
    client, other = enter(application_name="shared"), enter(application_name="shared")
    assert application(client).client_id == application(other).client_id
    old = client.session.auth.token.value  # type: ignore[attr-defined]
    client.api.tokens.refresh(client.session.auth.token.refresh)  # type: ignore[attr-defined]
    assert len(client.devices()) > 12  # 900901 on the way
    assert client.session.auth.token.value != old  # type: ignore[attr-defined]
    assert client.session.auth.renewals == 1  # type: ignore[attr-defined]


def test_a_401_in_the_middle_of_eight_threads_costs_one_renewal(
    enter: Enter, service: sandbox.Service
) -> None:
    client = enter(application_name="eight")
    service_path = f"{API}/devices/firealarm/123422/info"
    before = len(grants(client))
    revoked(client)
    barrier = threading.Barrier(8)

    def ask(_: int) -> int:
        barrier.wait()
        return client.session.get(service_path).status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [200] * 8
    assert len(grants(client)) - before <= 2  # the refresh token went with it: refresh, then password
    assert client.session.auth.renewals == 1  # type: ignore[attr-defined]


def test_an_expired_refresh_token_falls_back_on_the_password(enter: Enter, switches: dict[str, Any]) -> None:
    switches["refresh_life"] = 0.0
    client = enter(application_name="brief")
    client.session.auth._renew_at = 0.0  # type: ignore[attr-defined]  # it is old
    assert len(client.devices()) > 12
    assert grants(client)[-2:] == ["refresh_token", "password"]


def test_an_expired_refresh_token_without_a_password_is_named(enter: Enter, switches: dict[str, Any]) -> None:
    opener = enter()
    keys = opener.api.applications.register("briefer", tags=["device_agent", "device_management"])
    answer = opener.api.tokens.password("explore", keys=keys)
    client = enter(
        username=None, password=None, refresh_token=answer["refresh_token"],
        client_id=keys["client_id"], client_secret=keys["client_secret"],
    )  # fmt: skip
    opener.api.tokens.revoke(client.session.auth.token.value, keys=keys)  # type: ignore[attr-defined]
    opener.api.tokens.revoke(client.session.auth.token.refresh, keys=keys)  # type: ignore[attr-defined]
    with pytest.raises(errors.Unauthorized, match=r"refresh token has expired.*log in again"):
        client.devices()


def test_an_application_that_vanished_is_registered_again(enter: Enter, switches: dict[str, Any]) -> None:
    client = enter(application_name="vanishing")
    before = application(client).client_id
    switches["forget_clients"] = 1
    assert len(client.devices()) > 12
    assert application(client).client_id != before
    assert sum(each.url.endswith("/register") for each in client.exchanges) == 2
    assert client.session.auth.renewals == 1  # type: ignore[attr-defined]


def test_an_application_of_ones_own_that_vanished_is_named(enter: Enter, switches: dict[str, Any]) -> None:
    keys = enter().api.applications.register("given-away", tags=["device_agent", "device_management"])
    client = enter(client_id=keys["client_id"], client_secret=keys["client_secret"])
    switches["forget_clients"] = 2
    with pytest.raises(errors.Unauthorized, match="was removed on the server since this login began"):
        client.devices()


def test_scopes_that_a_renewal_takes_are_reported(enter: Enter, switches: dict[str, Any]) -> None:
    client = enter(scopes="perm:ios:ring perm:devices:view", application_name="ios")
    switches["refresh_drops_ios"] = True
    client.session.auth._renew_at = 0.0  # type: ignore[attr-defined]
    assert len(client.devices()) > 12
    frame = client.scopes.set_index("scope")
    assert frame.loc["perm:ios:ring", "lost"]
    assert not frame.loc["perm:ios:ring", "granted"]
    assert client.facts()["lost scopes"] == "perm:ios:ring"


def test_a_token_that_lives_on_is_not_taken_for_a_fresh_hour(enter: Enter, switches: dict[str, Any]) -> None:
    first, second = enter(application_name="twice"), enter(application_name="twice")
    assert first.expires is not None
    assert second.expires is not None
    assert abs((first.expires - second.expires).total_seconds()) < 2


@pytest.mark.parametrize("status", [429, 503, 403])
def test_throttling_is_waited_for_whatever_its_status(bad: BadServer, status: int) -> None:
    body = (
        b'<amt:fault xmlns:amt="http://wso2.org/apimanager/throttling"><amt:code>900800</amt:code>'
        b"<amt:message>Message throttled out</amt:message></amt:fault>"
    )
    limited = reply(body, status, kind="application/xml", Retry_After="0")
    bad.on(f"{API}/device-types", _missing(), reply({"count": 0, "deviceTypes": []}))
    bad.on(f"{API}/devices/android/operations", limited, limited, reply({"activityId": "ACTIVITY_1"}, 201))
    with WSO2.login({"base_url": bad.base_url, "token": "given"}, settings=Settings(backoff=0.01)) as client:
        assert client.api.devices.send("android", ["1"], code="ring") == {"activityId": "ACTIVITY_1"}
    assert bad.count(f"{API}/devices/android/operations") == 3


def test_throttling_without_end_is_named(bad: BadServer) -> None:
    body = b'{"fault":{"code":900802,"message":"Message throttled out","description":"x"}}'
    bad.on(f"{API}/device-types", _missing(), reply({"count": 0, "deviceTypes": []}))
    bad.on(f"{API}/groups/count", reply(body, 503, Retry_After="900"))
    client = WSO2.login({"base_url": bad.base_url, "token": "given"})
    with client, pytest.raises(errors.RateLimited, match="900802 Message throttled out") as caught:
        client.api.groups.count()
    assert "rate=" in str(caught.value)


def test_the_sandbox_throttles_and_the_load_goes_on(client: WSO2, switches: dict[str, Any]) -> None:
    switches["throttle"] = 3
    assert client.devices().attrs["iotnb"]["complete"]


@pytest.mark.parametrize(
    "faults", [{"drop_every": 4}, {"cut_every": 5}, {"fail_every": 3}, {"revoke_every": 3}]
)
def test_a_bad_line_loses_nothing(enter: Enter, running: sandbox.Sandbox, faults: dict[str, int]) -> None:
    client = enter(application_name=next(iter(faults)).replace("_", "-"))
    expected = client.measurements("firealarm/123422", since="2h")
    running.faults.set("wso2", **faults)
    found = client.measurements("firealarm/123422", since=expected.attrs["iotnb"]["window"][0])
    assert found.attrs["iotnb"]["complete"]
    assert len(found) >= len(expected) > 0


def test_a_key_manager_that_is_away_is_told(enter: Enter, switches: dict[str, Any]) -> None:
    switches["token_fault"] = True
    with pytest.raises(errors.ServerError, match="did not reach the server behind it"):
        enter(settings=Settings(retries=0))


def test_a_renewal_that_fails_is_told_to_all_threads_at_once(enter: Enter, switches: dict[str, Any]) -> None:
    client = enter(settings=Settings(retries=0), application_name="failing")
    client.session.auth._renew_at = 0.0  # type: ignore[attr-defined]
    switches["token_fault"] = True
    began = time.monotonic()

    def ask(_: int) -> str:
        try:
            client.session.get(f"{API}/device-types")
        except errors.ServerError as error:
            return type(error).__name__
        return ""

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"ServerError"}
    assert time.monotonic() - began < 5


def _missing() -> Any:
    return reply({"fault": {"code": 900902, "message": "Missing Credentials", "description": "x"}}, 401)
