"""Exchanges: the last requests and answers, to be read and to be repeated with curl, secrets blanked."""

import json
import pickle
import shlex
import shutil
import subprocess

import pytest
from badserver import raw, reply

from iotnb import errors
from iotnb.auth import BasicAuth, BearerAuth
from iotnb.exchange import KEPT
from iotnb.secret import MASK, Sealed, Secret
from iotnb.session import Session, Settings

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"


@pytest.fixture
def talk(bad):
    made = Session(
        bad.base_url,
        auth=BearerAuth(Secret("sentinel-0042")),
        settings=Settings(retries=0, timeout=(2, 2), exchanges=5),
    )
    yield made
    made.close()


def test_the_last_ones_are_kept(talk, bad):
    bad.on("/x", reply({}))
    for n in range(8):
        talk.get("/x", params={"n": n})
    assert [each.url[-3:] for each in talk.exchanges] == ["n=3", "n=4", "n=5", "n=6", "n=7"]


def test_an_exchange_reads_as_http(talk, bad):
    bad.on("/x", reply({"id": "7"}, 201, X_Thing="yes"))
    talk.post("/x", params={"a": "b c"}, json={"name": "pump"})
    exchange = talk.exchanges[-1]
    text = exchange.http()
    assert text.startswith(f"POST {bad.base_url}/x?a=b+c\n")
    assert f"Authorization: Bearer {MASK}\n" in text
    assert '\n\n{\n  "name": "pump"\n}\n\nHTTP/1.1 201 Created\n' in text
    assert "X-Thing: yes\n" in text
    assert text.endswith('\n\n{\n  "id": "7"\n}')
    assert (exchange.status, exchange.size, exchange.error) == (201, 11, "")
    assert exchange.elapsed > 0
    assert exchange.started.tzinfo is not None


def test_secrets_are_blanked_wherever_they_stand(talk, bad):
    bad.on(
        "/x",
        reply(
            {
                "access_token": "fresh-9876",
                "echo": "sentinel-0042",
                "jwt": JWT,
                "error": {"code": "NotFound"},
            },
            Set_Cookie="authorization=crumbs; Path=/",
        ),
    )
    talk.post(
        "/x",
        params={"token": "in-the-url"},
        data=Sealed(grant_type="PASSWORD", password="typed-5566", tfa_code="123456"),
        headers={"X-Echo": "sentinel-0042"},
    )
    exchange = talk.exchanges[-1]
    shown = exchange.http() + exchange.curl() + exchange._repr_html_() + repr(exchange) + repr(vars(exchange))
    for secret in ("fresh-9876", "sentinel-0042", JWT, "crumbs", "in-the-url", "typed-5566", "123456"):
        assert secret not in shown
    assert "NotFound" in shown
    assert b"sentinel" not in pickle.dumps(exchange)


@pytest.mark.parametrize("place", [KEPT - 6, KEPT - 30, KEPT + 5, 100])
def test_a_secret_at_the_cut_of_a_long_body_is_blanked_whole(talk, bad, place):
    body = b"x" * place + b' sentinel-0042 {"access_token": "fresh-9876"} ' + b"y" * 20_000
    bad.on("/x", reply(body, kind="text/plain"))
    talk.get("/x")
    exchange = talk.exchanges[-1]
    assert b"sentinel" not in pickle.dumps(exchange)
    assert "sentin" not in exchange.http()
    assert "fresh" not in exchange.http()
    assert exchange.http().endswith(f"... ({len(body):,} bytes in all)")
    assert len(exchange.body) < KEPT + 100


def test_a_failed_request_says_why(talk, bad):
    bad.on("/x", raw(b""))
    with pytest.raises(errors.ConnectionFailed):
        talk.get("/x")
    exchange = talk.exchanges[-1]
    assert exchange.status == 0
    assert exchange.error
    assert exchange.http().endswith(f"(no answer: {exchange.error})")
    assert "no answer" in exchange._repr_html_()


def test_html_is_escaped(talk, bad):
    evil = "</pre><script>alert(1)</script><img src=x onerror=y>"
    bad.on("/x", reply(evil.encode(), kind="text/html"))
    talk.get("/x", params={"q": evil}, headers={"X-Evil": evil})
    shown = talk.exchanges[-1]._repr_html_()
    assert "<script>" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in shown


def test_numbers_in_json_are_shown_as_they_came(talk, bad):
    bad.on("/x", reply(b'{"big": 12345678901234567890.10, "e": 1e400}'))
    talk.get("/x")
    assert '"big": 12345678901234567890.10' in talk.exchanges[-1].body
    assert "1e400" in talk.exchanges[-1].body


CURL = shutil.which("curl")


def repeat(exchange, secret):
    """Runs the curl line with the credentials put in where the mask stands."""
    line = exchange.curl().replace(MASK, secret)
    if CURL:
        subprocess.run(["sh", "-c", f"{line} --silent --max-time 5"], check=True, capture_output=True)
    return shlex.split(line)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("GET", {"params": {"q": 'a\'b "c" $HOME `id` & ü'}}),
        ("POST", {"json": {"text": "it's \"5\" o'clock\n$HOME \\ ü"}}),
        ("POST", {"data": {"a": "b c&d", "e": "'"}}),
        ("PUT", {"json": {"a": 1}, "headers": {"Content-Type": "application/vnd.x+json"}}),
        ("DELETE", {}),
        ("POST", {}),
        ("HEAD", {}),
        ("GET", {"headers": {"X-Quote": "it's"}}),
    ],
)
def test_the_curl_line_sends_the_same_request(talk, bad, method, options):
    bad.on("/x", reply({}))
    talk.request(method, "/x", **options)
    words = repeat(talk.exchanges[-1], "sentinel-0042")
    assert words[0] == "curl"
    assert "Authorization: Bearer sentinel-0042" in words
    assert talk.exchanges[-1].url in words
    if not CURL:
        return
    first, second = bad.seen
    assert (second.method, second.path, second.query) == (first.method, first.path, first.query)
    for name in ("authorization", "accept", "content-type", "x-quote"):
        assert second.headers.get(name) == first.headers.get(name)
    if first.headers.get("content-type", "").endswith("json"):
        assert json.loads(second.body) == json.loads(first.body)
    else:
        assert second.body == first.body


def test_a_long_request_body_is_taken_from_a_file(talk, bad):
    bad.on("/x", reply({}))
    talk.post("/x", json={"measurements": ["x" * 100] * 200})
    words = shlex.split(talk.exchanges[-1].curl())
    assert words[-2:] == ["--data-binary", "@body"]


def test_basic_credentials_are_blanked_too(bad):
    session = Session(bad.base_url, auth=BasicAuth("me", Secret("pass-word-1")))
    bad.on("/x", reply({}))
    session.get("/x")
    assert f"'Authorization: Basic {MASK}'" in session.exchanges[-1].curl()
