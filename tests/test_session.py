"""The one door to the network, against a real server that misbehaves."""

import email.utils
import json
import logging
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from badserver import BadServer, chunked, dripping, head, raw, redirect, reply, silent, slow, zipped

from iotnb import errors, times
from iotnb.auth import BasicAuth, BearerAuth, Token, TokenAuth
from iotnb.secret import Secret
from iotnb.session import Session, Settings

FINE = {"fine": True}
DEAD = 9  # the discard port of this machine, where nobody listens


def at_once(work, *, threads=8):
    """The results of `work()` on so many threads that start together."""
    gate = threading.Barrier(threads)

    def run(_):
        gate.wait()
        return work()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def tokens(*, life=3600.0, delay=0.0):
    """A TokenAuth that hands out token-1, token-2, ... and counts."""

    def fetch():
        fetch.count += 1
        time.sleep(delay)
        return Token(Secret(f"token-{fetch.count}"), expires=datetime.now(UTC) + timedelta(seconds=life))

    fetch.count = 0
    return TokenAuth(fetch), fetch


# -- asking and answering


def test_parameters_headers_and_json_arrive_as_meant(session, bad):
    bad.on("/inventory", reply({"id": "1"}, 201))
    answer = session.post(
        "/inventory",
        params={"q": "a b&c", "none": None, "flag": True, "ids": ["1", "2"]},
        json={"name": "Größe"},
        headers={"Accept": "application/vnd.x+json", "User-Agent": None},
    )
    seen = bad.seen[0]
    assert (answer.status, answer.json(), answer.method) == (201, {"id": "1"}, "POST")
    assert seen.query == {"q": "a b&c", "flag": "true", "ids": "2"}
    assert json.loads(seen.body) == {"name": "Größe"}
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "application/vnd.x+json"
    assert "iotnb" not in seen.headers.get("user-agent", "")


def test_a_path_may_hold_a_url(session, bad):
    bad.on("/identity/externalIds/c8y_Serial/http://a/b", reply(FINE))
    assert session.get("/identity/externalIds/c8y_Serial/http://a/b").json() == FINE


def test_a_form_is_sent_as_one(session, bad):
    bad.on("/token", reply(FINE))
    session.post("/token", data={"grant_type": "PASSWORD", "password": "a&b=ü"})
    assert bad.seen[0].form == {"grant_type": "PASSWORD", "password": "a&b=ü"}
    assert bad.seen[0].headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, errors.Invalid),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (418, errors.Invalid),
        (422, errors.Invalid),
        (500, errors.ServerError),
        (501, errors.ServerError),
    ],
)
def test_each_status_has_its_error(session, bad, status, cls):
    document = {"error": "inventory/bad", "message": "no such thing as 7"}
    bad.on("/x", reply(document, status, X_Request_Id="r-42"))
    with pytest.raises(cls) as caught:
        session.get("/x", params={"secretive": "value"})
    error = caught.value
    assert type(error) is cls
    assert str(error).startswith(f"{status} GET /x: inventory/bad: no such thing as 7")
    assert "secretive" not in str(error)
    assert (error.status, error.method, error.path, error.request_id) == (status, "GET", "/x", "r-42")
    assert error.body == document
    assert bad.count("/x") == 1


def test_an_expected_status_is_an_answer(session, bad):
    assert session.get("/nothing", expect={404}).status == 404


def test_html_error_pages_are_shown_by_their_title(session, bad):
    page = b"<!doctype html><html><head><title>502 Bad\n Gateway &amp; more</title></head><body>x</body>"
    bad.on("/x", reply(page, 502, kind="text/html"))
    with pytest.raises(errors.ServerError, match=r"502 GET /x: an HTML page: 502 Bad Gateway & more\n"):
        session.get("/x", retry=False)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>Log in</html>", "text/html"), (b"", "text/plain"), (b'{"cut": [1, 2', "application/json")],
)
def test_a_200_that_is_no_json_says_what_it_is(session, bad, body, kind):
    bad.on("/x", reply(body, kind=kind))
    with pytest.raises(errors.BadAnswer, match=f"200 GET /x: expected JSON, got {kind} .*base URL"):
        session.get("/x").json()


def test_gzip_is_asked_for_and_unpacked(session, bad):
    bad.on("/x", reply(zipped(b'{"fine": true}'), Content_Encoding="gzip"))
    assert session.get("/x").json() == FINE
    assert "gzip" in bad.seen[0].headers["accept-encoding"]


def test_connections_are_kept_and_used_again(session, bad):
    bad.on("/x", reply(FINE))
    for _ in range(30):
        session.get("/x")
    for _ in range(30):
        session.get("/x", stop=threading.Event())
    assert (bad.connections, bad.count("/x")) == (1, 60)


def test_a_connection_that_was_closed_while_idle_does_not_fail_a_post(session, bad):
    bad.on("/x", raw(head(200, {"Content-Length": 2}) + b"{}"))
    for _ in range(3):
        session.post("/x", json={})
        time.sleep(0.05)
    assert bad.count("/x") == 3


# -- repeating


def test_503_is_tried_again_until_it_is_fine(session, bad):
    bad.on("/x", reply(b"busy", 503, kind="text/plain"), reply({}, 502), reply({}, 504), reply(FINE))
    assert session.get("/x").json() == FINE
    assert (session.counters.requests, session.counters.retries) == (4, 3)


def test_a_503_that_stays_ends_after_the_retries(session, bad):
    bad.on("/x", reply({"message": "in maintenance"}, 503))
    with pytest.raises(errors.ServerError, match="in maintenance") as caught:
        session.get("/x")
    assert caught.value.retryable
    assert bad.count("/x") == 4


def test_retry_after_of_a_503_is_obeyed(session, bad):
    bad.on("/x", reply({}, 503, Retry_After=0.3), reply(FINE))
    began = time.monotonic()
    session.get("/x")
    assert time.monotonic() - began >= 0.3


def test_a_500_is_not_tried_again(session, bad):
    bad.on("/x", reply({}, 500))
    with pytest.raises(errors.ServerError):
        session.get("/x")
    assert bad.count("/x") == 1


@pytest.mark.parametrize(
    ("form", "least"),
    [
        (lambda: "1", 1.0),
        (lambda: email.utils.format_datetime(times.now() + timedelta(seconds=2), usegmt=True), 0.9),
        (lambda: None, 0.0),
    ],
    ids=["seconds", "date", "none"],
)
def test_a_storm_of_429_over_8_threads_ends_well(bad, quick, form, least):
    began = time.monotonic()
    asked = form()
    storm = reply({}, 429, Retry_After=asked) if asked else reply({}, 429)
    bad.on("/x", *[storm] * 8, reply(FINE))
    with_bad = Session(bad.base_url, settings=quick)
    results = at_once(lambda: with_bad.get("/x").json())
    took = time.monotonic() - began
    assert results == [FINE] * 8
    assert took >= least
    assert bad.count("/x") == 16  # nobody came back before the time, so nobody was refused twice


def test_a_429_holds_all_threads_back(session, bad):
    bad.on("/limited", reply({}, 429, Retry_After=0.5), reply(FINE))
    bad.on("/free", reply(FINE))
    first = threading.Thread(target=session.get, args=("/limited",))
    first.start()
    while first.is_alive() and not session.counters.retries:
        time.sleep(0.01)
    session.get("/free")
    first.join()
    limited = next(seen.at for seen in bad.seen if seen.path == "/limited")
    free = next(seen.at for seen in bad.seen if seen.path == "/free")
    assert free - limited >= 0.45


def test_a_429_that_asks_for_more_than_the_patience_is_raised_at_once(bad):
    session = Session(bad.base_url, settings=Settings(patience=5))
    bad.on("/x", reply({"message": "come back later"}, 429, Retry_After=3600))
    with pytest.raises(errors.RateLimited, match="rate=") as caught:
        session.get("/x")
    assert (bad.count("/x"), session.counters.waited) == (1, 0)
    assert caught.value.retry_after == 3600


def test_a_429_that_never_ends_is_raised_when_the_patience_is_over(bad):
    session = Session(bad.base_url, settings=Settings(patience=0.5, backoff=0.05))
    bad.on("/x", reply({}, 429))
    began = time.monotonic()
    with pytest.raises(errors.RateLimited):
        session.get("/x")
    assert session.counters.waited <= 0.5
    assert time.monotonic() - began < 30


def test_a_post_is_not_repeated_when_the_server_may_have_done_it(session, bad):
    bad.on("/hello", reply(FINE))
    session.get("/hello")
    for number, step in enumerate([reply({}, 503), raw(b"", reset=True), raw(b"HTTP/1.1 20")]):
        bad.on(f"/create{number}", step)
        with pytest.raises(errors.IotnbError) as caught:
            session.post(f"/create{number}", json={"name": "once"})
        assert bad.count(f"/create{number}") == 1
    assert "look before you send it again" in str(caught.value)


def test_a_post_that_times_out_is_not_repeated(bad):
    session = Session(bad.base_url, settings=Settings(timeout=(1, 0.2), backoff=0.01))
    bad.on("/hello", reply(FINE))
    session.get("/hello")
    bad.on("/create", silent(0.5))
    with pytest.raises(errors.ConnectionFailed) as caught:
        session.post("/create", json={})
    assert caught.value.kind == "timeout"
    assert bad.count("/create") == 1


def test_a_post_is_repeated_after_429(session, bad):
    bad.on("/create", reply({}, 429), reply({}, 429, Retry_After=0), reply({"id": "7"}, 201))
    assert session.post("/create", json={"name": "once"}).json() == {"id": "7"}
    assert [json.loads(seen.body) for seen in bad.seen] == [{"name": "once"}] * 3


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("step", [reply({}, 503), raw(b""), raw(b"HTTP/1.1 200 OK\r\nContent-", reset=True)])
def test_what_may_be_repeated_is(session, bad, method, step):
    bad.on("/hello", reply(FINE))
    session.get("/hello")
    bad.on("/x", step, step, reply(FINE))
    assert session.request(method, "/x").status == 200
    assert bad.count("/x", method) == 3


def test_retry_can_be_switched_off_and_on(session, bad):
    bad.on("/x", reply({}, 503))
    with pytest.raises(errors.ServerError):
        session.get("/x", retry=False)
    assert bad.count("/x") == 1
    bad.on("/y", reply({}, 503), reply(FINE))
    assert session.post("/y", json={}, retry=True).json() == FINE


# -- broken bodies: whole or loud, and with the connection thrown away

WHOLE = b'{"list": [1, 2, 3, 4, 5, 6, 7, 8, 9]}'
BROKEN = {
    "reset": raw(head(200, {"Content-Length": len(WHOLE)}) + WHOLE[:20], reset=True),
    "short": raw(head(200, {"Content-Length": len(WHOLE)}) + WHOLE[:20]),
    "chunk without end": chunked(WHOLE[:20], end=b""),
    "chunk of nonsense": chunked(WHOLE[:20], end=b"zz\r\nmore"),
    "cut chunk": chunked(WHOLE[:20], end=b"40\r\nmore"),
    "bad gzip": reply(b"this is no gzip text", Content_Encoding="gzip"),
    "cut gzip": raw(head(200, {"Content-Length": 999, "Content-Encoding": "gzip"}) + zipped(WHOLE)[:20]),
}


@pytest.mark.parametrize("stoppable", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_body_is_never_taken_for_a_whole_one(session, bad, name, stoppable):
    stop = threading.Event() if stoppable else None
    bad.on("/hello", reply(FINE))
    session.get("/hello")
    bad.on("/x", BROKEN[name])
    with pytest.raises(errors.ConnectionFailed, match="dropped the connection") as caught:
        session.get("/x", stop=stop)
    assert caught.value.kind == "dropped"
    assert bad.count("/x") == 4
    bad.on("/x", BROKEN[name], reply(WHOLE))
    assert session.get("/x", stop=stop).body == WHOLE


@pytest.mark.parametrize("stoppable", [False, True])
def test_a_gzip_body_that_is_cut_or_changed_where_the_length_fits_is_noticed(session, bad, stoppable):
    stop = threading.Event() if stoppable else None
    lines = "\n".join(f"{n};{n * n}" for n in range(5000)).encode()
    whole = zipped(lines)
    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for broken in (whole[:-2000], whole[:-1], changed):
        bad.on("/x", reply(broken, kind="text/csv", Content_Encoding="gzip"))
        with pytest.raises(errors.ConnectionFailed):
            session.get("/x", stop=stop, retry=False)
    bad.on("/x", reply(whole, kind="text/csv", Content_Encoding="gzip"))
    assert session.get("/x", stop=stop).body == lines
    bad.on("/x", reply(zipped(b"one ") + zipped(b"two"), Content_Encoding="gzip"))
    assert session.get("/x", stop=stop).body == b"one two"
    assert session.request("HEAD", "/x", stop=stop).body == b""


def test_a_503_that_asks_for_more_than_the_patience_is_raised_at_once(bad):
    session = Session(bad.base_url, settings=Settings(patience=5))
    bad.on("/x", reply({"message": "in maintenance"}, 503, Retry_After=3600))
    with pytest.raises(errors.ServerError) as caught:
        session.get("/x")
    assert (bad.count("/x"), session.counters.waited) == (1, 0)
    assert caught.value.retry_after == 3600


def test_many_threads_share_as_many_connections_as_places(bad):
    session = Session(bad.base_url, settings=Settings(workers=4))
    bad.on("/x", slow(reply(FINE), 0.005))
    at_once(lambda: [session.get("/x") for _ in range(10)])
    assert bad.count("/x") == 80
    assert bad.connections <= 4


@pytest.mark.parametrize("stoppable", [False, True])
def test_good_bodies_come_whole(session, bad, stoppable):
    stop = threading.Event() if stoppable else None
    big = json.dumps(["x" * 100] * 40_000).encode()
    bad.on("/plain", reply(big))
    bad.on("/zipped", reply(zipped(big), Content_Encoding="gzip"))
    bad.on("/chunked", chunked(*(big[start : start + 60_000] for start in range(0, len(big), 60_000))))
    bad.on("/empty", reply(b"", 204))
    for path in ("/plain", "/zipped", "/chunked"):
        assert session.get(path, stop=stop).body == big
    assert session.get("/empty", stop=stop).body == b""


def test_an_answer_that_does_not_come_times_out(bad):
    session = Session(bad.base_url, settings=Settings(timeout=(1, 0.2), retries=1, backoff=0.01))
    bad.on("/x", silent(0.5))
    with pytest.raises(errors.ConnectionFailed, match="did not answer in time") as caught:
        session.get("/x")
    assert caught.value.kind == "timeout"


def test_a_body_that_stops_coming_times_out(bad):
    session = Session(bad.base_url, settings=Settings(timeout=(1, 0.2), retries=0))
    bad.on("/x", dripping(b" " * 60, delay=1.0))
    began = time.monotonic()
    with pytest.raises(errors.ConnectionFailed) as caught:
        session.get("/x", stop=threading.Event())
    assert caught.value.kind == "timeout"
    assert time.monotonic() - began < 10


def test_a_timeout_can_be_given_for_one_call(session, bad):
    bad.on("/x", silent(1.0))
    with pytest.raises(errors.ConnectionFailed):
        session.get("/x", timeout=(1.0, 0.1), retry=False)


# -- redirects and links


def test_redirects_on_the_same_host_are_followed(session, bad):
    bad.on("/old", redirect("/newer"))
    bad.on("/newer", redirect(f"{bad.base_url}/new?x=1", 308))
    bad.on("/new", reply(FINE))
    assert session.get("/old").json() == FINE


def test_a_redirected_post_is_repeated_only_where_the_server_says_so(session, bad):
    bad.on("/keep", redirect("/new", 307))
    bad.on("/new", reply(FINE))
    assert session.post("/keep", json={"a": 1}).json() == FINE
    assert (bad.seen[-1].method, json.loads(bad.seen[-1].body)) == ("POST", {"a": 1})
    bad.on("/lose", redirect("/new", 302))
    with pytest.raises(errors.BadAnswer, match="base URL"):
        session.post("/lose", json={"a": 1})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_foreign_host_sends_nothing_there(bad, other, quick, status):
    session = Session(bad.base_url, auth=BasicAuth("me", Secret("sentinel-77")), settings=quick)
    bad.on("/x", redirect(f"{other.base_url}/steal", status))
    other.on("/steal", reply(FINE))
    with pytest.raises(errors.ForeignHost, match=str(other.port)):
        session.get("/x")
    assert other.connections == 0


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:{port}/steal",
        "http://localhost:{port}/steal",
        "http://127.0.0.1:{own}@127.0.0.1:{port}/steal",
        "http://me:secret@127.0.0.1:{own}/steal",
        "http://127.0.0.1:{port}\\@127.0.0.1:{own}/steal",
        "file:///etc/passwd",
        "//127.0.0.1:{port}/steal",
    ],
)
def test_a_link_to_a_foreign_host_is_not_followed(bad, other, quick, link):
    session = Session(bad.base_url, auth=BearerAuth(Secret("sentinel-77")), settings=quick)
    url = link.format(port=other.port, own=bad.port)
    with pytest.raises((errors.ForeignHost, errors.NotFound)) as caught:
        session.get(url)
    assert other.connections == 0
    assert bad.count("/steal") == 0
    assert "secret" not in str(caught.value)


def test_a_redirect_may_go_from_http_to_https_of_the_same_host_only():
    session = Session("http://localhost:1234")
    assert session.url("https://localhost/x") == "https://localhost/x"
    with pytest.raises(errors.ForeignHost):
        Session("https://localhost").url("http://localhost/x")


def test_loops_of_redirects_end(session, bad):
    bad.on("/a", redirect("/b"))
    bad.on("/b", redirect("/a"))
    with pytest.raises(errors.BadAnswer, match="redirected 5 times"):
        session.get("/a")


# -- credentials


@pytest.fixture
def guarded(bad):
    """A server that takes only the tokens in `valid`."""
    valid = {"token-1"}

    def step(seen, sock):
        known = seen.headers.get("authorization", "").removeprefix("Bearer ") in valid
        return (reply(FINE) if known else reply({"message": "expired"}, 401))(seen, sock)

    bad.on("/x", step)
    return valid


def test_a_401_in_the_middle_of_8_threads_renews_once(bad, guarded, quick):
    auth, fetch = tokens(delay=0.1)
    session = Session(bad.base_url, auth=auth, settings=quick)
    session.get("/x")
    guarded.clear()
    guarded.add("token-2")
    assert at_once(lambda: session.get("/x").json()) == [FINE] * 8
    assert fetch.count == 2
    assert auth.renewals == 1


def test_a_401_for_good_is_unauthorized_after_few_renewals(bad, guarded, quick):
    auth, fetch = tokens()
    guarded.clear()
    session = Session(bad.base_url, auth=auth, settings=quick)
    with pytest.raises(errors.Unauthorized, match="expired"):
        session.get("/x")
    assert fetch.count == 3
    assert bad.count("/x") == 3


def test_a_401_without_anything_to_renew_is_raised_at_once(bad, quick):
    bad.on("/x", reply({"message": "wrong password"}, 401))
    session = Session(bad.base_url, auth=BasicAuth("me", Secret("nope-nope")), settings=quick)
    with pytest.raises(errors.Unauthorized, match="wrong password"):
        session.get("/x")
    assert bad.count("/x") == 1


def test_8_threads_ask_for_a_token_once_even_if_it_is_refused(bad, quick):
    def fetch():
        fetch.count += 1
        time.sleep(0.2)
        raise errors.Unauthorized(401, "POST", "/token", "wrong password")

    fetch.count = 0
    session = Session(bad.base_url, auth=TokenAuth(fetch), settings=quick)

    def ask():
        with pytest.raises(errors.Unauthorized, match="wrong password"):
            session.get("/x")

    at_once(ask)
    assert fetch.count == 1  # each further try of a wrong password brings the account nearer to its lock
    with pytest.raises(errors.Unauthorized):
        session.get("/x")
    assert fetch.count == 2  # but a later call may try again
    assert bad.count("/x") == 0


def test_a_token_is_renewed_ahead_of_its_expiry(bad, quick):
    auth, fetch = tokens(life=0.6)
    session = Session(bad.base_url, auth=auth, settings=quick)
    bad.on("/x", reply(FINE))
    session.get("/x")
    session.get("/x")
    assert fetch.count == 1
    time.sleep(0.4)
    session.get("/x")
    assert fetch.count == 2
    assert [seen.headers["authorization"] for seen in bad.seen][1:] == ["Bearer token-1", "Bearer token-2"]


def test_auth_false_sends_no_credentials(bad, quick):
    session = Session(bad.base_url, auth=BasicAuth("me", Secret("pass-word")), settings=quick)
    bad.on("/x", reply(FINE))
    session.get("/x", auth=False)
    session.get("/x")
    assert "authorization" not in bad.seen[0].headers
    assert bad.seen[1].headers["authorization"] == "Basic bWU6cGFzcy13b3Jk"


def test_cookies_are_neither_kept_nor_sent(session, bad):
    bad.on("/x", reply(FINE, Set_Cookie="authorization=eyJhbGciOi.eyJzdWIi.c2ln; Path=/"))
    session.get("/x")
    session.get("/x")
    assert "cookie" not in bad.seen[1].headers
    assert not session._http.cookies


def test_netrc_is_ignored(session, bad, home, monkeypatch):
    file = home / "netrc"
    file.write_text("machine 127.0.0.1 login somebody password hidden\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    bad.on("/x", reply(FINE))
    session.get("/x")
    assert "authorization" not in bad.seen[0].headers


@pytest.mark.parametrize("token", ["two words", "abc…def", "line\nbreak", "", "  "])
def test_what_cannot_be_a_token_is_refused_without_showing_it(token):
    with pytest.raises(errors.ConfigError) as caught:
        BearerAuth(Secret(token))
    assert not token.strip() or token not in str(caught.value)


def test_a_header_that_cannot_be_sent_is_an_error_of_ours(session):
    with pytest.raises(errors.ConfigError, match="cannot be sent") as caught:
        session.get("/x", headers={"X-Name": "two\nlines"})
    assert "two" not in str(caught.value)


# -- stopping


def test_stop_ends_a_wait_at_once(bad):
    session = Session(bad.base_url, settings=Settings(backoff=60))
    bad.on("/x", reply({}, 503, Retry_After=60))
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(errors.Stopped):
        session.get("/x", stop=stop)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("size", [1, 1000])
def test_stop_ends_a_slow_body(session, bad, size):
    bad.on("/x", dripping(b'"' + b"x" * 600 * size + b'"', delay=0.1, size=size))
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    with pytest.raises(errors.Stopped):
        session.get("/x", stop=stop)
    assert time.monotonic() - began < 10  # the body takes 60


def test_stop_ends_the_wait_of_the_pacing(bad):
    session = Session(bad.base_url, settings=Settings(rate=0.01))
    bad.on("/x", reply(FINE))
    session.get("/x")
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(errors.Stopped):
        session.get("/x", stop=stop)
    assert time.monotonic() - began < 10
    assert bad.count("/x") == 1


def test_nothing_is_sent_once_it_is_stopped(session, bad):
    stop = threading.Event()
    stop.set()
    with pytest.raises(errors.Stopped):
        session.get("/x", stop=stop)
    assert not bad.seen


# -- pacing


def test_the_rate_is_kept_over_all_threads(bad):
    session = Session(bad.base_url, settings=Settings(rate=20))
    bad.on("/x", reply(FINE))
    began = time.monotonic()
    at_once(lambda: [session.get("/x") for _ in range(2)])
    arrived = sorted(seen.at - began for seen in bad.seen)
    assert len(arrived) == 16
    assert all(at >= place * 0.05 for place, at in enumerate(arrived))


def test_a_path_may_have_a_slower_pace_of_its_own(bad):
    session = Session(bad.base_url)
    bad.on("/slow", reply(FINE))
    bad.on("/x", reply(FINE))
    session.limit("/slow", 20)
    at_once(lambda: session.get("/slow", params={"a": 1}), threads=6)
    arrived = sorted(seen.at for seen in bad.seen)
    assert all(at - arrived[0] >= place * 0.05 - 0.02 for place, at in enumerate(arrived))
    began = time.monotonic()
    for _ in range(10):
        session.get("/x")
    assert time.monotonic() - began < 0.45  # others are not held back
    session.limit("/slow", None)
    began = time.monotonic()
    for _ in range(10):
        session.get("/slow")
    assert time.monotonic() - began < 0.45


def test_no_more_requests_at_once_than_workers(bad):
    session = Session(bad.base_url, settings=Settings(workers=3))
    bad.on("/x", slow(reply(FINE), 0.2))
    at_once(lambda: session.get("/x"), threads=9)
    assert bad.peak == 3


def test_a_long_poll_takes_no_place(bad):
    session = Session(bad.base_url, settings=Settings(workers=1))
    answer = threading.Event()
    bad.on("/poll", lambda seen, sock: answer.wait(20) and reply(FINE)(seen, sock))
    bad.on("/x", reply(FINE))
    poll = threading.Thread(target=session.post, args=("/poll",), kwargs={"json": {}, "paced": False})
    poll.start()
    while not bad.count("/poll"):
        time.sleep(0.01)
    assert session.get("/x").json() == FINE
    assert poll.is_alive(), "the poll was still open"
    answer.set()
    poll.join()


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"rate": -1},
        {"rate": float("nan")},
        {"workers": 0},
        {"retries": -1},
        {"timeout": (0, 5)},
        {"timeout": (5, -1)},
        {"timeout": (5, float("nan"))},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong):
    with pytest.raises(errors.ConfigError, match=next(iter(wrong))):
        Settings(**wrong)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tenant.example",
        "localhost:8080",
        "ftp://host",
        "https://",
        "https://host:99999",
        "https://host/#/apps",
        "https://host/?x=1",
        "https://a b",
    ],
)
def test_a_base_url_that_is_none_is_refused(url):
    with pytest.raises(errors.ConfigError, match="write it as https://host"):
        Session(url)


def test_a_base_url_with_a_password_is_refused_without_showing_it():
    with pytest.raises(errors.ConfigError) as caught:
        Session("https://me:sentinel@host")
    assert "sentinel" not in str(caught.value)


# -- what failed


def failure(session, path="/x", **options):
    with pytest.raises(errors.ConnectionFailed) as caught:
        session.get(path, **options)
    return caught.value


def test_a_name_that_does_not_exist_is_dns():
    error = failure(Session("https://no-such-tenant.invalid"))
    assert (error.kind, error.host) == ("dns", "no-such-tenant.invalid")
    assert "no-such-tenant.invalid cannot be resolved" in str(error)
    assert "base URL" in str(error)


def test_a_closed_port_is_refused_and_a_first_request_is_not_repeated():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        session = Session(f"http://127.0.0.1:{port}", settings=Settings(backoff=5))
        error = failure(session)
        assert error.kind == "refused"
        assert (session.counters.retries, session.counters.waited) == (0, 0)
    assert f"127.0.0.1:{port} refused the connection" in str(error)


def test_a_server_that_restarts_is_waited_for(bad, quick):
    session = Session(bad.base_url, settings=quick)
    bad.on("/x", reply(FINE))
    session.get("/x")
    session.close()
    with BadServer() as gone:
        address = gone.base_url
        gone.on("/x", raw(head(200, {"Content-Length": 2, "Connection": "close"}) + b"{}"))
        session = Session(address, settings=Settings(backoff=0.01, retries=2))
        session.get("/x")
    error = failure(session)
    assert error.kind == "refused"
    assert session.counters.retries == 2


def test_a_proxy_that_is_not_there_is_named(monkeypatch, quick):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTP_PROXY", f"http://user:sentinel@127.0.0.1:{holder.getsockname()[1]}")
        session = Session("http://tenant.invalid", settings=quick)
        error = failure(session)
    assert error.kind == "proxy"
    assert "HTTP_PROXY" in str(error)
    assert "sentinel" not in str(error) + repr(vars(session)) + session.exchanges[-1].http()


def test_proxies_are_taken_from_the_environment_once(bad, other, monkeypatch, quick):
    monkeypatch.setenv("http_proxy", bad.base_url)
    session = Session("http://tenant.invalid", settings=quick)
    monkeypatch.setenv("http_proxy", other.base_url)
    bad.on("", reply(FINE))
    bad.on("/x", reply(FINE))
    assert session.get("/x").json() == FINE
    assert bad.connections == 1
    assert other.connections == 0


def test_no_proxy_is_obeyed(bad, other, monkeypatch, quick):
    monkeypatch.setenv("HTTP_PROXY", other.base_url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    bad.on("/x", reply(FINE))
    assert Session(bad.base_url, settings=quick).get("/x").json() == FINE
    assert other.connections == 0


# -- TLS


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def secure(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with BadServer(context) as server:
        server.on("/x", reply(FINE))
        yield server


def test_an_own_authority_is_trusted_with_its_file(secure, ca_file):
    session = Session(secure.base_url, settings=Settings(verify=ca_file))
    assert session.get("/x").json() == FINE


def test_an_unknown_authority_is_refused_with_advice(secure):
    error = failure(Session(secure.base_url))
    assert error.kind == "tls"
    assert "certificate" in str(error)
    assert "ca_file=" in str(error)
    assert not secure.seen


def test_an_exported_bundle_does_not_override_an_explicit_authority(secure, ca_file, tmp_path, monkeypatch):
    wrong = tmp_path / "wrong.pem"
    trustme.CA().cert_pem.write_to_path(str(wrong))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(wrong))
    assert Session(secure.base_url, settings=Settings(verify=ca_file)).get("/x").json() == FINE
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    assert failure(Session(secure.base_url, settings=Settings(verify=str(wrong)))).kind == "tls"


def test_an_exported_bundle_counts_where_nothing_else_was_said(secure, ca_file, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    assert Session(secure.base_url).get("/x").json() == FINE


def test_authorities_that_do_not_exist_are_named(secure, tmp_path, monkeypatch):
    with pytest.raises(errors.ConfigError, match=r"absent\.pem.*does not exist"):
        Session(secure.base_url, settings=Settings(verify=str(tmp_path / "absent.pem")))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(errors.ConfigError, match=r"REQUESTS_CA_BUNDLE names .*gone\.pem"):
        Session(secure.base_url)


def test_a_file_that_is_no_authority_is_an_error_of_the_configuration(secure, tmp_path):
    wrong = tmp_path / "notes.txt"
    wrong.write_text("hello")
    with pytest.raises(errors.ConfigError, match=r"notes\.txt"):
        Session(secure.base_url, settings=Settings(verify=str(wrong)))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verify_false_does_not_check(secure):
    assert Session(secure.base_url, settings=Settings(verify=False)).get("/x").json() == FINE


def test_a_wrong_name_on_the_certificate_is_tls(authority, ca_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    with BadServer(context) as server:
        error = failure(Session(server.base_url, settings=Settings(verify=ca_file)))
    assert error.kind == "tls"
    assert "127.0.0.1" in str(error)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(b"", "dropped"), (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "tls")],
)
def test_https_to_a_server_without_tls_is_told(answer, kind):
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        threading.Thread(target=answer_in_clear, args=(plain, answer), daemon=True).start()
        error = failure(Session(f"https://127.0.0.1:{port}", settings=Settings(retries=0)))
    assert error.kind == kind
    assert ("does not speak https" in str(error)) == (kind == "tls")


def answer_in_clear(listener, answer):
    sock, _ = listener.accept()
    with sock:
        sock.recv(10_000)
        sock.sendall(answer)


def test_a_tls_connection_that_is_dropped_in_mid_body_is_tried_again(secure, ca_file):
    settings = Settings(verify=ca_file, backoff=0.01, retries=3)
    session = Session(secure.base_url, settings=settings)
    session.get("/x")
    secure.on("/y", BROKEN["short"], BROKEN["chunk without end"], reply(WHOLE))
    assert session.get("/y").body == WHOLE
    assert secure.count("/y") == 3


@pytest.fixture
def mutual(authority):
    """A server that asks for a client certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with BadServer(context) as server:
        server.on("/x", reply(FINE))
        yield server


@pytest.fixture(scope="module")
def certificate(authority, tmp_path_factory):
    """Paths of a client certificate, its key, and the same key under a passphrase."""
    from cryptography.hazmat.primitives import serialization

    folder = tmp_path_factory.mktemp("client")
    issued = authority.issue_cert("device@example.org")
    chain, plain, locked = folder / "client.pem", folder / "key.pem", folder / "locked.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    plain.write_bytes(issued.private_key_pem.bytes())
    key = serialization.load_pem_private_key(plain.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )
    return str(chain), str(plain), str(locked)


def test_a_client_certificate_opens_the_door(mutual, ca_file, certificate):
    chain, plain, locked = certificate
    settings = Settings(verify=ca_file, cert=(chain, plain))
    assert Session(mutual.base_url, settings=settings).get("/x").json() == FINE
    settings = Settings(verify=ca_file, cert=(chain, locked), passphrase=Secret("open sesame"))
    assert Session(mutual.base_url, settings=settings).get("/x").json() == FINE


def test_a_client_certificate_does_not_loosen_the_check_of_the_server(mutual, certificate):
    assert failure(Session(mutual.base_url, settings=Settings(cert=certificate[:2]))).kind == "tls"


def test_without_a_client_certificate_the_handshake_fails(mutual, ca_file):
    error = failure(Session(mutual.base_url, settings=Settings(verify=ca_file, retries=0)))
    assert error.kind in {"tls", "dropped"}
    assert not mutual.seen


@pytest.mark.parametrize("passphrase", [None, Secret("wrong one")])
def test_a_key_that_does_not_open_is_an_error_of_the_configuration(mutual, ca_file, certificate, passphrase):
    chain, _, locked = certificate
    with pytest.raises(errors.ConfigError, match="passphrase must fit") as caught:
        Session(mutual.base_url, settings=Settings(cert=(chain, locked), passphrase=passphrase))
    assert "wrong one" not in str(caught.value)


# -- records


def test_the_log_tells_what_happened_without_secrets(bad, quick, caplog):
    session = Session(bad.base_url, auth=BearerAuth(Secret("sentinel-7788")), settings=quick)
    bad.on("/x", reply({}, 503), reply({"echo": "sentinel-7788"}))
    with caplog.at_level(logging.DEBUG):
        session.get("/x", params={"token": "sentinel-7788"})
    ours = [record.getMessage() for record in caplog.records if record.name == "iotnb"]
    assert any("503 GET" in line for line in ours)
    assert any("waiting" in line for line in ours)
    assert not any("sentinel" in line for line in ours)


def test_counters_count(session, bad):
    bad.on("/x", reply({}, 429, Retry_After=0), reply(FINE))
    session.get("/x")
    assert (session.counters.requests, session.counters.retries, session.counters.limited) == (2, 1, 1)
    assert session.counters.bytes == len('{}{"fine": true}')
    assert session.counters.waited >= 0


def test_no_text_of_a_session_shows_a_secret(bad, quick):
    auth = BasicAuth("me", Secret("sentinel-77"))
    session = Session(bad.base_url, auth=auth, settings=quick)
    bad.on("/x", reply({"access_token": "sentinel-77"}))
    answer = session.get("/x")
    for each in (session, auth, answer, session.exchanges, vars(session), vars(auth), auth.headers()):
        assert "sentinel" not in repr(each)
        assert "bWU6c2VudGluZWwtNzc" not in repr(each)
