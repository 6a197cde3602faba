"""Secrets do not show: not the type, and not in any text that passes the scrubber."""

import base64
import copy
import html
import json
import pickle
import re
import time
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import msgspec
import pandas as pd
import pytest
from IPython.core.ultratb import VerboseTB

import iotnb
from iotnb import errors
from iotnb.auth import BasicAuth, BearerAuth, Token, TokenAuth
from iotnb.secret import MASK, Sealed, Secret, scrub, scrub_headers
from iotnb.session import Session, Settings

WORD = 's3ntinel-ü"\\&/ 7'
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        "{}".format,
        "{:>40}".format,
        "{!r}".format,
        "{!s:.3}".format,
        lambda secret: f"{secret}",
        lambda secret: f"{secret=}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # people write it
        lambda secret: str([secret]) + str({"a": secret}) + str((secret,)),
        lambda secret: repr(Token(secret, refresh=secret, claims={"xsrf": WORD})),
        lambda secret: repr(BasicAuth("me", secret)) + repr(vars(BasicAuth("me", secret))),
        lambda secret: repr(vars(BearerAuth(Secret("s3ntinel")))),
        lambda secret: str(BasicAuth("me", secret).headers()),
        lambda secret: secret._repr_html_(),
        lambda secret: str(pd.Series([secret])) + pd.DataFrame({"a": [secret]}).to_html(),
        lambda secret: str(copy.copy(secret)) + str(copy.deepcopy([secret])),
        lambda secret: repr(errors.IotnbError(secret)),
        lambda secret: json.dumps({"a": secret}, default=str),
    ],
)
def test_a_secret_shows_as_the_mask(show):
    shown = show(Secret(WORD))
    assert "s3ntinel" not in shown
    assert MASK in shown or "..." in shown or "***" in shown


@pytest.mark.parametrize(
    "do",
    [
        pickle.dumps,
        lambda secret: pickle.dumps({"a": secret}, protocol=0),
        lambda secret: pickle.dumps(Token(secret)),
        json.dumps,
        msgspec.json.encode,
        hash,
        len,
        iter,
        bytes,
        vars,
        lambda secret: secret + "x",
        lambda secret: "x" + secret,
        lambda secret: "".join([str(secret), secret]),
        lambda secret: secret[0],
        lambda secret: secret.__getstate__(),
    ],
)
def test_a_secret_goes_nowhere_by_accident(do):
    with pytest.raises(TypeError) as caught:
        do(Secret(WORD))
    assert "s3ntinel" not in str(caught.value)


def test_the_mask_tells_neither_length_nor_emptiness():
    assert {str(Secret(text)) for text in ("", "a", "a" * 100)} == {MASK}


def test_secrets_compare_and_know_whether_they_are_empty():
    assert Secret(WORD) == Secret(Secret(WORD))
    assert Secret(WORD) != Secret(WORD + "x")
    assert Secret(WORD) != WORD
    assert Secret("\udcff") == Secret("\udcff")  # an environment variable that is no UTF-8
    assert Secret("x")
    assert not Secret("")


def test_only_those_who_send_reveal():
    root = Path(iotnb.__file__).parent
    auth = {"auth.py", "credentials.py", "certificates.py"}
    using = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "reveal()" in path.read_text("utf-8") and path.name not in auth
    }
    # a key's passphrase goes to the TLS library, a kept secret to the keyring
    allowed = {"secret.py", "transport.py", "profiles.py"}
    # IoT Central's sign-in, what its tokens say of themselves, and the key that a device signs with
    allowed |= {f"platforms/iotcentral/{name}.py" for name in ("entra", "tokens", "device")}
    # the token dances of WSO2 and IoTConnect, and WSO2's calls whose body is a new password
    allowed |= {f"platforms/wso2/{name}.py" for name in ("oauth", "api/access", "api/people")}
    allowed |= {"platforms/iotconnect/entry.py"}
    # what a lent login goes by: the ticket that workers carry
    allowed |= {"cluster/broker.py", "cluster/lending.py"}
    assert using <= allowed


# -- by shape

KEYS = [
    "access_token",
    "accessToken",
    "refresh_token",
    "refreshtoken",
    "refreshToken",
    "id_token",
    "client_secret",
    "clientSecret",
    "password",
    "newPassword",
    "passphrase",
    "tfa_code",
    "tfa_token",
    "solution-key",
    "primaryKey",
    "secondaryKey",
    "SharedAccessKey",
    "crse",
    "securityToken",
    "token",
    "X-XSRF-TOKEN",
    "rawSecret",
    "secretQrUrl",
    "Authorization",
    "Cookie",
]


WRITTEN = {
    "json": lambda key, value: json.dumps({"a": 1, key: value, "z": 2}),
    "indented": lambda key, value: json.dumps({key: value}, indent=2),
    "repr": lambda key, value: repr({key: value, "z": 2}),
    "json in json": lambda key, value: json.dumps(json.dumps({"a": 1, key: value, "z": 2})),
    "three deep": lambda key, value: json.dumps({"b": json.dumps({"b": json.dumps({key: value})})}),
    "cut": lambda key, value: json.dumps({key: value + "-and-more"})[:-8],
}
VALUES = ["p4ss", 'a p4ss"quote', "it's p4ss", "back\\slash p4ss", "<p4ss & p4ss>"]


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("key", KEYS)
def test_fields_with_telling_names_are_blanked(key, form):
    for value in VALUES:
        shown = scrub(WRITTEN[form](key, value))
        assert "p4ss" not in shown
        assert key in shown


def test_what_is_beside_a_blanked_field_stays():
    document = {"id": "17", "password": 'a"b\\c', "roles": ["password", "refresh_token"], "tfa_code": 123456}
    shown = json.loads(scrub(json.dumps(document)))
    assert shown == {"id": "17", "password": MASK, "roles": ["password", "refresh_token"], "tfa_code": MASK}


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Authorization: Basic bWU6c2VjcmV0\r\nAccept: a/b", "bWU6c2VjcmV0"),
        ("authorization: Bearer abcdefgh", "abcdefgh"),
        ('Cookie: authorization=abc; XSRF-TOKEN="def"; c=ghi', "ghi"),
        ("curl -H 'Cookie: a=\"b\"; c=ghi' https://host", "ghi"),
        ("Set-Cookie: authorization=abc; Path=/; HttpOnly", "abc"),
        ("X-XSRF-TOKEN: abcdef", "abcdef"),
        ("solution-key: QUJDRA==", "QUJDRA"),
        ("grant_type=PASSWORD&username=me&password=p%264ss&tfa_code=123456", "p%264ss"),
        ("grant_type=PASSWORD&username=me&password=p%264ss&tfa_code=123456", "123456"),
        ("POST /token?client_secret=abcdef&x=1", "abcdef"),
        ("https://host/callback?code=abcdef&state=1", "abcdef"),
        ("code=abcdef&grant_type=authorization_code", "abcdef"),
        ("SharedAccessSignature sr=app&sig=abc%3D&skn=key&se=1700000000000", "abc%3D"),
        ("?sv=2024&sig=abcdef%3D&se=1", "abcdef"),
        ("HostName=h.azure-devices.net;DeviceId=d;SharedAccessKey=QUJDRA==", "QUJDRA"),
        ("Endpoint=sb://h/;SharedAccessKeyName=send;SharedAccessKey=QUJDRA==;EntityPath=e", "QUJDRA"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=QUJDRA==", "QUJDRA"),
        ("it said Bearer a1b2c3d4e5 there", "a1b2c3d4e5"),
        ("it said Basic bWU6c2VjcmV0 there", "bWU6c2VjcmV0"),
        ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        (f"got {JWT}.", "c2lnbmF0dXJl"),
        ("https://me:p4ss@proxy.example:3128/", "p4ss"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\n\nMIIabc\n-----END RSA PRIVATE KEY-----",
            "MIIabc",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIabc", "MIIabc"),
    ],
)
def test_telling_shapes_are_blanked(text, gone):
    shown = scrub(text)
    assert gone not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "text",
    [
        '{"error": {"code": "NotFound", "message": "no such device"}, "code": 200}',
        "GET /query?type=token_bucket&statusCode=404 gave status code=404",
        "Basic authentication is not allowed, Bearer authentication neither; use Basic mode",
        'WWW-Authenticate: Bearer realm="tenant", error="invalid_token"',
        '{"grant_types": ["password", "refresh_token", "code"], "token_type": "Bearer", "expires_in": 3600}',
        '{"c8y_SecretaryLight": {"keys": 7, "author": "me", "signal": "-70"}, "passed": true}',
        "HostName=h;SharedAccessKeyName=iothubowner;DeviceId=d",
        '{"password": "<your_password>"} Authorization: <your_token>',
        "https://host:8443/a:b@c and me@example.org",
        "the passenger kept the key; tokens: 5, max_tokens=5",
        "-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----",
        '{"nextLink": "https://host/devices?pageSize=5&currentPage=2"}',
        "eyJust some words. And more.",
    ],
)
def test_innocent_text_stays(text):
    assert scrub(text) == text


PIECES = ["a b=c; ", '"password": "', "\\", '"', "eyJ", "-----BEGIN PRIVATE KEY-----", "a", "password", "@"]
PIECES += [
    "eyJabcdefghijk.",
    "://a:",
    "token=",
    '\\"token\\":\\"',
    "Cookie: ",
    "'password':'",
    "\t: ",
    "x://:",
]
PIECES += [" Basic ", "<", '"token" ', "Bearer ", "&code=", "SharedAccessSignature "]


@pytest.mark.parametrize("piece", PIECES)
def test_long_texts_end(piece):
    text = piece * (250_000 // len(piece))
    began = time.process_time()
    scrub(text, [Secret("sentinel")])
    assert time.process_time() - began < 30  # a pattern that tries each pair of places takes many minutes


def test_a_megabyte_of_measurements_stays_as_it_is():
    row = {
        "id": "17",
        "time": "2026-01-01T00:00:00.000Z",
        "source": {"id": "9"},
        "c8y_T": {"T": {"value": 1.5}},
    }
    text = json.dumps({"measurements": [row] * 9_000})
    assert scrub(text, [Secret("sentinel")]) == text


# -- by value


@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda text: quote(text, safe=""),
        quote,
        quote_plus,
        html.escape,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    ],
    ids=["plain", "quoted", "path", "plus", "html", "json", "utf-8 json", "base64", "bare base64", "urlsafe"],
)
def test_live_secrets_are_blanked_in_every_form(write):
    form = write(WORD).strip('"')
    shown = scrub(f"it came back: {form} in this text", [Secret(WORD)])
    assert shown == f"it came back: {MASK} in this text"


def test_user_and_password_are_blanked_as_they_are_sent():
    auth = BasicAuth("me", Secret("pass word"), tenant="t1")
    coded = base64.b64encode(b"t1/me:pass word").decode()
    assert scrub(f"x {coded} x pass%20word", auth.secrets()) == f"x {MASK} x {MASK}"


def test_very_short_secrets_do_not_blank_every_word():
    assert scrub("a cat sat", [Secret("a"), Secret("")]) == "a cat sat"
    assert scrub('{"password": "a"}', [Secret("a")]) == f'{{"password": "{MASK}"}}'


def test_headers_keep_their_names_and_schemes():
    shown = scrub_headers(
        {
            "Authorization": f"Bearer {JWT}",
            "cookie": "a=b",
            "SOLUTION-KEY": "abc",
            "Location": "https://host/x?token=abc",
            "X-Echo": WORD,
            "Accept": "application/json",
        },
        [Secret(WORD)],
    )
    assert shown == {
        "Authorization": f"Bearer {MASK}",
        "cookie": MASK,
        "SOLUTION-KEY": MASK,
        "Location": f"https://host/x?token={MASK}",
        "X-Echo": MASK,
        "Accept": "application/json",
    }


def test_sealed_fields_work_as_a_dict_and_show_names_only():
    fields = Sealed(password=WORD, username="me")
    assert dict(fields) == {"password": WORD, "username": "me"}
    assert repr(fields) == str(fields) == f"{{'password': {MASK}, 'username': {MASK}}}"


# -- tracebacks, with the values of arguments and variables


def verbose(error):
    """A traceback as `%xmode Verbose` prints it."""
    return VerboseTB(theme_name="nocolor").text(type(error), error, error.__traceback__)


SENTINEL = "s3ntinel-0042-abcdef"


def _login(session):
    session.post("/token", data=Sealed(grant_type="PASSWORD", password=SENTINEL), auth=False)


def _interrupted(session):
    def step(call):
        raise KeyboardInterrupt

    session._http.get_adapter("http://x").get_connection_with_tls_context = lambda *_, **__: step(None)
    session.get("/fine")


def _unfit(session):
    session.get("/fine", headers=Sealed(Authorization=f"{SENTINEL}\nx"))


@pytest.mark.parametrize(
    "path",
    [
        lambda session: session.get("/echo"),
        lambda session: session.get("/html").json(),
        lambda session: session.get("/cut"),
        lambda session: session.get("/unauthorized"),
        lambda session: session.get("/moved"),
        lambda session: session.get("/away"),
        lambda session: session.post("/moved", json={"a": 1}),
        _login,
        _interrupted,
        _unfit,
    ],
    ids=[
        "echo",
        "html",
        "cut",
        "401",
        "moved",
        "foreign",
        "moved post",
        "login",
        "interrupt",
        "unfit",
    ],
)
def test_verbose_tracebacks_show_no_secret(bad, path):
    from badserver import head, raw, redirect, reply

    def renew():
        raise errors.Unauthorized(401, "POST", "/token", "the refresh token is dead")

    first = Token(Secret(SENTINEL), refresh=Secret("refresh-" + SENTINEL))
    session = Session(
        bad.base_url, auth=TokenAuth(renew, first=first), settings=Settings(retries=0, timeout=(1, 1))
    )
    echo = {"error": "bad", "message": f"you sent {SENTINEL}", "password": SENTINEL}
    bad.on("/echo", reply(echo, 400))
    bad.on("/away", redirect(f"https://elsewhere.invalid/x?token={SENTINEL}"))
    bad.on("/html", reply(f"<html>{'x' * 90}{SENTINEL}</html>".encode(), kind="text/html"))
    bad.on("/cut", raw(head(200, {"Content-Length": 999}) + SENTINEL.encode()))
    bad.on("/unauthorized", reply(echo, 401))
    bad.on("/moved", redirect(f"/there?token={SENTINEL}", 302))
    bad.on("/there", reply(echo, 500))
    bad.on("/token", reply({"message": f"wrong password {SENTINEL}"}, 401))
    with pytest.raises((errors.IotnbError, KeyboardInterrupt)) as caught:
        path(session)
    error = caught.value
    # what the test itself wrote is above the package's own frames
    own = error.__traceback__
    while own is not None and "/iotnb/" not in own.tb_frame.f_code.co_filename:
        own = own.tb_next
    text = VerboseTB(theme_name="nocolor").text(type(error), error, own)
    text += "".join(traceback.format_exception(error)) + str(error) + repr(getattr(error, "body", ""))
    assert len(text) > 300
    assert not re.search(f"s3ntinel|{JWT}|{base64.b64encode(SENTINEL.encode()).decode()[:12]}", text), text
    shown = "".join(each.http() + each.curl() + each._repr_html_() for each in session.exchanges)
    if path is not _login:  # there the password was no live secret yet, only a field of that name
        assert "s3ntinel" not in shown
