"""Both ways in, what comes out of a token, and every way of being refused, over real HTTP."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from iotnb import sandbox, times
from iotnb.errors import ConfigError, ConnectionFailed, LoggedOut, MissingFields, Unauthorized
from iotnb.platforms.tiothub import TIoTHub, auth
from iotnb.secret import Secret
from iotnb.session import Settings

Enter = Callable[..., TIoTHub]


def test_the_forms_way_in(enter: Enter, service: sandbox.Service) -> None:
    client = enter(client_authentication="form")
    assert client.tenant == "eos"
    assert client.tenants == ("eos",)
    assert client.rights == {"DMO": "rw", "CMO": "rw"}
    assert client.user == service.connect["client_id"]
    sent = next(each for each in client.exchanges if "token" in each.url)
    assert "grant_type=client_credentials" in sent.request_body
    assert f"client_id={client.user}" in sent.request_body
    assert "Authorization" not in sent.request_headers


def test_the_headers_way_in(enter: Enter) -> None:
    client = enter(client_authentication="basic", scope=None)
    sent = next(each for each in client.exchanges if "token" in each.url)
    assert sent.request_body == "grant_type=client_credentials"
    assert sent.request_headers["Authorization"].startswith("Basic ")
    assert client.tenant == "eos"


def test_the_newer_gateway_tells_neither_tenant_nor_rights(special: Callable[..., TIoTHub]) -> None:
    client = special(edition="2026")
    assert client.tenants == ()
    assert client.rights == {}
    assert client.tenant == "eos"  # from the URL
    assert len(client.devices()) > 0


def test_the_tenant_comes_from_the_token(enter: Enter, service: sandbox.Service) -> None:
    above = {name: service.connect[name].removesuffix("/eos") for name in ("dmo_url", "cmo_url")}
    assert enter(tenant=None, **above).tenant == "eos"
    assert enter(tenant="eos", **above).tenant == "eos"


def test_without_any_word_of_the_tenant_it_is_asked_for(special: Callable[..., TIoTHub]) -> None:
    client = special(edition="2026")
    values = dict(client.running["tiothub"].connect)  # type: ignore[attr-defined]
    for name in ("dmo_url", "cmo_url"):
        values[name] = values[name].removesuffix("/eos")
    del values["tenant"]
    with pytest.raises(MissingFields, match="IOTNB_TIOTHUB_TENANT") as caught:
        TIoTHub.login(values)
    assert caught.value.fields == ("tenant",)


def test_a_wrong_secret_is_explained_and_not_shown(enter: Enter) -> None:
    with pytest.raises(Unauthorized, match="Client id or secret is wrong") as caught:
        enter(client_secret="not-the-right-one", client_authentication="auto")
    assert "not-the-right-one" not in str(caught.value)
    assert "Invalid client" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"token_url": "TOKEN/nothing"}, "no token address|token_url"),
        ({"dmo_url": "DMO/device-management-orchestrator/v3/nobody", "tenant": None}, "no tenant 'nobody'"),
        ({"dmo_url": "DMO/nowhere/device-management-orchestrator/v9", "tenant": "x"}, "no tenant|tenant"),
        ({"origin": "AppTest"}, "begins with C"),
        ({"application_type": "Test"}, "begins with N"),
        ({"client_authentication": "digest"}, "auto, form, basic"),
        ({"dialect": "guess"}, "one-based"),
        ({"edition": "gold"}, "standard"),
        ({"tenant": "other"}, "'eos'"),
    ],
)
def test_what_cannot_be_right_says_what_to_do(
    enter: Enter, service: sandbox.Service, fields: dict[str, Any], match: str
) -> None:
    made = {
        name: value.replace("TOKEN", service.base_url).replace("DMO", service.base_url + "/api-gw")
        if value
        else value
        for name, value in fields.items()
    }
    if "dmo_url" in made:
        made["cmo_url"] = None
    with pytest.raises(ConfigError, match=match):
        enter(**made)


@pytest.mark.parametrize("name", ["token_url", "dmo_url", "client_id", "client_secret"])
def test_a_missing_field_is_named_with_the_ways_to_give_it(enter: Enter, name: str) -> None:
    with pytest.raises(MissingFields, match=f"IOTNB_TIOTHUB_{name.upper()}"):
        enter(**{name: None})


def test_nobody_answers(enter: Enter) -> None:
    with pytest.raises(ConnectionFailed):
        enter(token_url="http://127.0.0.1:9/auth", settings=Settings(timeout=(1, 1), retries=0))


def test_no_secret_is_shown_anywhere(enter: Enter, service: sandbox.Service) -> None:
    client = enter()
    client.devices()
    secret = service.connect["client_secret"]
    bearer = client.session.auth.token.value.reveal()  # type: ignore[attr-defined]
    shown = [repr(client), client._repr_html_(), str(client.facts()), str(vars(client.api))]
    shown += [text for each in client.exchanges for text in (each.http(), each.curl(), each._repr_html_())]
    assert not [text for text in shown if secret in text or bearer in text]
    assert all(isinstance(client.api.tokens.fetch()[name], Secret) for name in ("access_token", "id_token"))


def test_a_token_of_300_seconds_is_renewed_ahead(enter: Enter) -> None:
    late = 0.0
    client = enter(clock=lambda: time.time() + late)
    held = client.session.auth
    first = held.token.value  # type: ignore[attr-defined]
    late = 280.0
    assert held.token.value == first  # type: ignore[attr-defined]
    late = 291.0
    assert held.token.value != first  # type: ignore[attr-defined]
    assert held.renewals == 1  # type: ignore[attr-defined]


def test_a_long_load_outlives_many_tokens(special: Callable[..., TIoTHub]) -> None:
    client = special(token_ttl=0.2, devices=12, days=2)
    for _ in range(4):
        assert len(client.devices()) > 0
        time.sleep(0.11)
    frame = client.measurements(since="2d")
    assert frame.attrs["iotnb"]["complete"]
    assert client.session.auth.renewals >= 3  # type: ignore[attr-defined]


def test_a_token_that_is_revoked_in_the_middle_of_a_load(enter: Enter, running: sandbox.Sandbox) -> None:
    client = enter()
    until = times.now()
    expected = len(client.measurements(since="1d", until=until))
    running.faults.set("tiothub", revoke_every=7, path="device-management")
    assert len(client.measurements(since="1d", until=until)) == expected


def test_a_renewal_that_fails_surfaces(enter: Enter, running: sandbox.Sandbox) -> None:
    late = 0.0
    client = enter(clock=lambda: time.time() + late, settings=Settings(timeout=(2, 5), retries=0))
    running.faults.set("tiothub", fail_every=1, path="openid-connect/token")
    late = 1000.0
    with pytest.raises(Exception, match=r"503|token"):
        client.devices()


def test_after_a_logout_nothing_is_sent(enter: Enter) -> None:
    client = enter()
    client.logout()
    count = client.session.counters.requests
    assert not client.logged_in
    for call in (client.devices, client.api.tokens.fetch, lambda: client.api.products.page()):
        with pytest.raises(LoggedOut):
            call()
    assert client.session.counters.requests == count


def test_credentials_go_to_their_own_host_only(enter: Enter, bad: Any, service: sandbox.Service) -> None:
    """Three hosts: the bearer goes to DMO and CMO, id and secret to the token address alone."""
    client = enter(dmo_url=f"{service.base_url}/api-gw/device-management-orchestrator/v3/eos")
    for each in client.exchanges:
        if "openid-connect/token" in each.url:
            assert "Bearer" not in str(each.request_headers)
        else:
            assert "client_secret" not in each.request_body
    sessions = client.api.sessions()
    assert len({id(session) for session in sessions}) == 3
    for session in sessions:
        with pytest.raises(Exception, match="nothing was sent there"):
            session.get(f"{bad.base_url}/x")
    assert sessions[0].auth is sessions[1].auth


def test_rights_are_the_strongest_that_the_token_tells() -> None:
    roles = ["ro%device-management-orchestrator", "rw%device-management-orchestrator"]
    assert auth.rights(
        {"realm_access": {"roles": [*roles, "ro%connection-management-orchestrator", "x"]}}
    ) == {
        "DMO": "rw",
        "CMO": "ro",
    }
    assert auth.rights({"realm_access": None}) == {}


def test_a_client_that_may_only_read_is_told_so(enter: Enter, service: sandbox.Service) -> None:
    reader = service.info()["accesses"]["reader"]
    client = enter(**reader)
    assert set(client.rights.values()) == {"ro"}
    assert len(client.devices()) > 0
    with pytest.raises(Exception, match="403"):
        client.api.commands.send(str(client.devices()["device"].iloc[0]), "GET /3")
