"""Logging in: discovery, tokens, refresh; and sessions that die, which is told and never an empty table."""

import base64
import json
import threading
from datetime import UTC, datetime

import pytest
from badserver import raw, reply

from iotnb import auth as core
from iotnb import errors
from iotnb.loading import Load, each
from iotnb.platforms.iotconnect import IoTConnect
from iotnb.platforms.iotconnect.entry import account
from iotnb.secret import Secret
from iotnb.session import Settings

VECTOR = (
    "eyJleHAiOjQxMDI0NDQ4MDAsImlzcyI6InNhbmRib3giLCJhdWQiOiJzYW5kYm94IiwidXNlciI6"
    "eyJyb2xlTmFtZSI6IlByw7xmZXI_In19"
)
QUICK = Settings(timeout=(5, 20), backoff=0.01, retries=4)
KEY = "U29sdXRpb24/S2V5+1=="
FIELDS = {"solution_key": KEY, "username": "jo@example.com", "password": "pass-1", "environment": "poc"}


def asked(served, path):
    return [each for each in served.requests("iotconnect") if each.path.lower().endswith(path)]


def revoke(served, client):
    """Ends the access token in use on the server; the refresh token goes on."""
    served.world("iotconnect").tokens.revoke(client.session.auth.headers()["Authorization"].split()[1])


def token(**claims):
    payload = {"exp": 4102444800, "user": {"userId": "jo@example.com", "solutionKey": KEY, **claims}}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, payload)
    ]
    return ".".join([*parts, "sig"])


@pytest.fixture
def scripted(bad):
    """A server that answers discovery and login as the documents say, for a test to change some of it."""
    place = "/api/uisdk/solutionkey/U29sdXRpb24%2FS2V5%2B1%3D%3D/env/poc"
    urls = {f"{name}BaseUrl": f"{bad.base_url}/api/v2.1" for name in ("auth", "device", "user", "telemetry")}
    bad.on(place, reply({"status": 200, "message": "", "data": urls}))
    bad.place = place
    bad.urls = urls
    bad.on("/api/v2.1/Auth/basic-token", reply({"data": "YmFzaWM=", "status": 200, "message": "ok"}))
    bad.on("/api/v2.1/Auth/login", answer("one"))
    return bad


def answer(name, life=86400, **claims):
    return reply(
        {
            "token_type": "bearer",
            "access_token": token(name=name, **claims),
            "expires_in": life,
            "refresh_token": f"refresh-{name}",
            "status": 200,
        }
    )


def log_in(bad, *, settings=QUICK, clock=None, **changes):
    values = {"discovery_url": bad.base_url, **FIELDS, **changes}
    options = {"clock": clock} if clock else {}
    return IoTConnect.login({n: v for n, v in values.items() if v is not None}, settings=settings, **options)


# -- discovery


def test_discovery_is_asked_for_the_edition(scripted):
    for edition, query in (
        ("aws", {"version": "2.1", "pf": "aws"}),
        ("az", {"version": "2", "pf": "az"}),
        ("v1.1", {}),
    ):
        with log_in(scripted, edition=edition):
            found = [each for each in scripted.seen if each.path == scripted.place][-1]
            assert found.query == query
            assert "authorization" not in found.headers


def test_without_an_edition_the_first_that_knows_the_key_is_taken(scripted):
    nothing = reply({"status": 200, "message": "not found", "data": None})
    scripted.on(scripted.place, nothing, reply({"status": 200, "message": "", "data": scripted.urls}))
    with log_in(scripted) as client:
        assert [each.query.get("pf") for each in scripted.seen if each.path == scripted.place] == [
            "aws",
            "az",
        ]
        assert client.edition == "aws"  # which is what the addresses say


@pytest.mark.parametrize("status", [200, 404, 409])
def test_a_key_that_nobody_knows_is_unauthorized(scripted, status):
    scripted.on(scripted.place, reply({"status": status, "message": "Invalid key", "data": None}, status))
    with pytest.raises(errors.Unauthorized, match=r"Invalid key\n.*'poc' of the edition aws, az") as caught:
        log_in(scripted)
    assert KEY not in str(caught.value)


def test_discovery_that_fails_now_and_then_is_asked_again(scripted):
    page = reply(b"<html><title>502 Bad Gateway</title></html>", 502, kind="text/html")
    scripted.on(scripted.place, *[page] * 6, reply({"status": 200, "data": scripted.urls}))
    with log_in(scripted) as client:
        assert client.logged_in
    assert scripted.count(scripted.place) == 7


def test_who_wants_no_tries_gets_none(scripted):
    scripted.on(scripted.place, reply(b"<html></html>", 502, kind="text/html"))
    with pytest.raises(errors.ServerError):
        log_in(scripted, settings=Settings(retries=0))
    assert scripted.count(scripted.place) == 1


def test_addresses_of_the_first_generation_are_completed(scripted):
    hosts = dict.fromkeys(scripted.urls, scripted.base_url)
    scripted.on(scripted.place, reply({"status": 200, "data": hosts}))
    scripted.on("/api/v2/Auth/basic-token", reply({"data": "YmFzaWM=", "status": 200}))
    scripted.on("/api/v2/Auth/login", answer("one"))
    scripted.on("/api/v1.1/Device", reply(b"", 204))
    with log_in(scripted, edition="v1.1") as client:
        assert client.edition == "v1.1"
        assert client.api.devices.list() == []
        with pytest.raises(errors.Unsupported, match="last value only"):
            client.measurements([])


def test_addresses_in_clear_are_refused_before_anything_is_sent_there(scripted):
    scripted.on(
        scripted.place,
        reply({"status": 200, "data": {**scripted.urls, "authBaseUrl": "http://example.org/api/v2.1"}}),
    )
    with pytest.raises(errors.ConfigError, match=r"authBaseUrl of discovery.*in clear"):
        log_in(scripted)
    assert {each.path for each in scripted.seen} == {scripted.place}


def test_given_addresses_make_discovery_needless(scripted):
    base = f"{scripted.base_url}/api/v2.1"
    with log_in(scripted, auth_url=base, device_url=base) as client:
        assert client.edition == "aws"
        with pytest.raises(errors.ConfigError, match="telemetry_url="):
            client.api.telemetry.latest("G")
    assert scripted.count(scripted.place) == 0


# -- login


def test_the_login_sends_what_the_document_says(scripted):
    with log_in(scripted):
        sent = next(each for each in scripted.seen if each.path.endswith("/Auth/login"))
    assert sent.headers["authorization"] == "Basic YmFzaWM="
    assert sent.headers["solution-key"] == KEY
    assert sent.headers["content-type"] == "application/json"
    assert json.loads(sent.body) == {"username": "jo@example.com", "password": "pass-1"}
    basic = next(each for each in scripted.seen if each.path.endswith("/Auth/basic-token"))
    assert "authorization" not in basic.headers


def test_who_one_is_stands_in_the_token(enter, served):
    client = enter()
    assert client.user == served["iotconnect"].connect["username"]
    assert set(client.account) == {"user", "role", "entity", "company", "cpid", "solution"}
    assert len(client.account["cpid"]) == 32
    assert client.account["role"] == "Admin"
    facts = client.facts()
    assert facts["role"] == "Admin"
    assert facts["entity"] == client.account["entity"]
    assert facts["edition"] == "az, poc"
    assert "UTC" in facts["expires"]
    life = (client.expires - datetime.now(UTC)).total_seconds()
    assert 86000 < life <= 86400


def test_a_payload_that_only_url_safe_decoding_reads():
    claims = core.jwt_claims(Secret(f"e30.{VECTOR}.x"))
    assert account(claims) == {"role": "Prüfer?"}
    assert core.jwt_expiry(claims) == datetime(2100, 1, 1, tzinfo=UTC)


def test_the_second_user_of_the_sandbox_has_such_a_role(enter, served):
    people = served.info()["iotconnect"]["users"]
    email, about = next((each, about) for each, about in people.items() if about["role"] == "Prüfer?")
    client = enter(username=email, password=about["password"])
    assert client.account["role"] == "Prüfer?"
    assert len(client.devices())
    with pytest.raises(errors.Forbidden, match=r"The role 'Prüfer\?' is not allowed the section 'User'"):
        client.api.users.list()


@pytest.mark.parametrize("wrong", ["username", "password"])
def test_a_wrong_login_says_what_to_check(enter, wrong):
    with pytest.raises(errors.Unauthorized, match="check username, password and solution_key") as caught:
        enter(**{wrong: "wrong-77"})
    assert "wrong-77" not in str(caught.value)


def test_a_login_is_repeated_when_it_gets_lost(scripted):
    scripted.on("/api/v2.1/Auth/login", raw(b"", reset=True), answer("one"))
    with log_in(scripted) as client:
        assert client.logged_in


def test_without_expires_in_the_token_itself_says_when_it_ends(scripted):
    scripted.on("/api/v2.1/Auth/login", reply({"access_token": token(), "status": 200}))
    with log_in(scripted) as client:
        assert client.expires == datetime(2100, 1, 1, tzinfo=UTC)


def test_an_answer_without_a_token_is_told(scripted):
    scripted.on("/api/v2.1/Auth/login", reply({"status": 200}))
    with pytest.raises(errors.BadAnswer, match="holds no access_token"):
        log_in(scripted)


def test_no_exchange_shows_a_secret(enter, served):
    client = enter()
    client.api.tokens.refresh()
    assert len(client.devices())
    shown = "".join(each.http() + each.curl() for each in client.exchanges)
    assert "/Auth/login" in shown
    assert "/Auth/refresh-token" in shown
    assert "/solutionkey/********/" in shown
    assert [each.url.partition("/solutionkey/")[1] for each in client.exchanges].count("/solutionkey/") == 1
    assert not [what for secret, what in served.issued().items() if len(secret) > 5 and secret in shown]


# -- given tokens


def test_a_given_token_will_do(enter):
    first = enter()
    given = Secret(first.session.auth.headers()["Authorization"].split()[1])
    client = enter(token=given, username=None, password=None)
    assert client.method == "token"
    assert client.user == first.user
    assert list(client.devices()["device"]) == list(first.devices()["device"])
    with pytest.raises(errors.ConfigError, match="no password"):
        client.api.tokens.log_in("x")


def test_a_given_token_that_has_ended_is_told_at_once(enter):
    with pytest.raises(errors.Unauthorized, match="log in again"):
        enter(token=Secret(token()), username=None, password=None)


def test_a_given_token_with_a_refresh_token_renews_itself(enter):
    first = enter()
    made = first.api.tokens.refresh()
    client = enter(
        token=made["access_token"], refresh_token=made["refresh_token"], username=None, password=None
    )
    assert client.api.tokens.refresh()["refresh_token"] != made["refresh_token"]
    assert len(client.devices())


def test_a_token_without_a_place_lacks_the_key():
    with pytest.raises(errors.MissingFields, match="device_url") as caught:
        IoTConnect.login({"token": token()})
    assert caught.value.fields == ("solution_key",)


# -- renewal, and sessions that die


def test_a_token_is_renewed_ahead_of_its_end_by_refresh_not_by_login(scripted):
    now = [1_000_000.0]
    scripted.on("/api/v2.1/Auth/refresh-token", answer("two"))
    scripted.on("/api/v2.1/Device", reply(b"", 204))
    with log_in(scripted, clock=lambda: now[0]) as client:
        now[0] += 86400 - 601
        client.api.devices.list()
        assert scripted.count("/api/v2.1/Auth/refresh-token") == 0
        now[0] += 2
        client.api.devices.list()
        sent = next(each for each in scripted.seen if each.path.endswith("/refresh-token"))
        assert json.loads(sent.body) == {"refreshtoken": "refresh-one"}
        assert "authorization" not in sent.headers
        assert scripted.count("/api/v2.1/Auth/login") == 1
        now[0] += 86400
        client.api.devices.list()
        last = [each for each in scripted.seen if each.path.endswith("/refresh-token")][-1]
        assert json.loads(last.body) == {"refreshtoken": "refresh-two"}  # each works once


def test_a_refresh_token_that_is_refused_leads_to_a_login_where_the_password_is_known(scripted):
    scripted.on(
        "/api/v2.1/Auth/refresh-token", reply({"status": 409, "message": "invalid", "error": []}, 409)
    )
    scripted.on("/api/v2.1/Device", reply(b"", 401), reply(b"", 204))
    scripted.on("/api/v2.1/Auth/login", answer("one"), answer("two"))
    with log_in(scripted) as client:
        assert client.api.devices.list() == []
    assert scripted.count("/api/v2.1/Auth/login") == 2


@pytest.mark.parametrize("status", [401, 409, 412])
def test_a_dead_session_is_an_error_that_says_so_and_never_an_empty_table(enter, served, status, scripted):
    base = f"{scripted.base_url}/api/v2.1"
    scripted.on("/api/v2.1/Auth/verify-token", reply({"data": [], "status": 200}))
    scripted.on(
        "/api/v2.1/Auth/refresh-token", reply({"status": status, "message": "dead", "error": []}, status)
    )
    scripted.otherwise(reply({"status": 401, "message": "expired", "error": None, "data": None}, 401))
    urls = {f"{name}_url": base for name in ("auth", "device", "user", "telemetry")}
    client = IoTConnect.login({"token": token(), "refresh_token": "spent-once", **urls}, settings=QUICK)
    with client:
        with pytest.raises(errors.Unauthorized, match="the session has ended"):
            client.api.devices.get("d-1")
        for verb in sorted(client.supports):
            with pytest.raises(errors.Unauthorized, match=r"the session has ended[^\n]*\nLog in again"):
                getattr(client, verb)(**({} if verb == "devices" else {"devices": ["d-1"]}))
        assert scripted.count("/api/v2.1/Auth/refresh-token") == 1


def test_a_dead_session_on_the_sandbox(enter, served):
    first = enter()
    made = first.api.tokens.refresh()
    client = enter(
        token=made["access_token"], refresh_token=made["refresh_token"], username=None, password=None
    )
    first.api.tokens.refresh()  # uses the refresh token up
    served.faults.set("iotconnect", revoke_every=1)
    with pytest.raises(errors.Unauthorized, match="Log in again"):
        client.devices()


def test_eight_threads_that_meet_a_401_renew_once(enter, served):
    client = enter(settings=Settings(workers=8, backoff=0.01))
    count = len(client.api.devices.lookup())
    ready = threading.Barrier(8)
    before = len(asked(served, "/auth/refresh-token"))
    revoke(served, client)

    def ask(_: int) -> list[int]:
        ready.wait(5)
        return [len(client.api.devices.lookup())]

    refused = len([line for line in asked(served, "/device/lookup") if line.status == 401])
    assert each(list(range(8)), ask, Load(workers=8)) == [count] * 8
    assert len([line for line in asked(served, "/device/lookup") if line.status == 401]) > refused
    assert len(asked(served, "/auth/refresh-token")) == before + 1


def test_a_token_that_is_revoked_in_the_middle_of_a_load_is_renewed_without_a_login(enter, served):
    client = enter(settings=Settings(workers=8, backoff=0.01))
    ids = list(client.devices()["device"])
    whole = client.latest(ids)
    logins, renewals = len(asked(served, "/auth/login")), len(asked(served, "/auth/refresh-token"))
    served.faults.set("iotconnect", revoke_every=9)
    again = client.latest(ids)
    served.faults.clear()
    assert set(again["device"]) == set(whole["device"])
    assert len(asked(served, "/auth/login")) == logins
    assert len(asked(served, "/auth/refresh-token")) > renewals


def test_after_a_logout_nothing_can_be_renewed(enter):
    client = enter()
    tokens = client.api.tokens
    client.logout()
    with pytest.raises(errors.LoggedOut):
        client.devices()
    with pytest.raises(errors.ConfigError, match="no password"):
        tokens.log_in("x")
