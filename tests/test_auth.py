"""Credentials: which login the given fields allow, and tokens that renew themselves."""

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb import errors
from iotnb.auth import (
    Auth,
    BasicAuth,
    BearerAuth,
    EndedAuth,
    Field,
    Method,
    Token,
    TokenAuth,
    choose_method,
    jwt_claims,
    jwt_expiry,
)
from iotnb.secret import Secret

FIELDS = (
    Field(name="base_url", label="Address", env=("ACME_URL",)),
    Field(name="username", label="User"),
    Field(name="password", label="Password", secret=True),
    Field(name="token", label="Token", secret=True, env=("ACME_TOKEN",)),
    Field(name="method", label="Method", default="auto", choices=("auto", "token", "basic")),
)
METHODS = (
    Method(name="token", label="a given token", needs=("base_url", "token")),
    Method(name="basic", label="user and password", needs=("base_url", "username", "password")),
)


def choose(**values):
    return choose_method("acme", FIELDS, METHODS, values)


def jwt(**claims):
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".c2ln"


# -- which login


def test_what_is_given_decides():
    assert choose(base_url="x", token=Secret("t")).name == "token"
    assert choose(base_url="x", username="u", password=Secret("p")).name == "basic"
    assert choose(base_url="x", username="u", password="p", token="t").name == "token"
    assert choose(base_url="x", username="u", password="p", token="t", method="basic").name == "basic"
    assert choose(base_url="x", username="u", password="p", token="", method="auto").name == "basic"


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({}, ("base_url", "username", "password")),
        ({"base_url": "x", "username": "u"}, ("password",)),
        ({"username": "u", "password": "p"}, ("base_url",)),
        ({"token": "t"}, ("base_url",)),
        ({"base_url": "x", "username": "u", "password": Secret("")}, ("password",)),
        ({"base_url": "x", "username": "u", "password": "p", "method": "token"}, ("token",)),
    ],
)
def test_what_is_missing_is_named_with_the_ways_to_give_it(values, missing):
    with pytest.raises(errors.MissingFields) as caught:
        choose(**values)
    if values:
        assert caught.value.fields == missing
    for name in caught.value.fields:
        assert f"{name}=... in connect()" in str(caught.value)
        assert f"IOTNB_ACME_{name.upper()}" in str(caught.value)
    if "token" in caught.value.fields:
        assert "ACME_TOKEN" in str(caught.value)


def test_an_unknown_method_is_answered_with_those_there_are():
    with pytest.raises(errors.ConfigError, match="'magic': use one of auto, token, basic"):
        choose(base_url="x", method="magic")


def test_a_field_knows_its_variables():
    assert FIELDS[0].variables("acme") == ("IOTNB_ACME_BASE_URL", "ACME_URL")


# -- Basic and bearer


def test_basic_is_user_and_password_in_utf_8():
    auth = BasicAuth("jörg", Secret("pä:ss"), tenant="t7")
    coded = auth.headers()["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(coded).decode() == "t7/jörg:pä:ss"
    assert auth.describe() == {"method": "Basic", "user": "t7/jörg"}
    assert not auth.refused(auth.headers())
    assert BasicAuth("t8/me", Secret("x"), tenant="t7").username == "t8/me"


def test_a_colon_in_a_user_is_refused():
    with pytest.raises(errors.ConfigError, match="colon"):
        BasicAuth("a:b", Secret("x"))


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "bearer {}", '"{}"', " {}\n", '"Bearer {}" '])
def test_a_token_may_be_pasted_as_it_was_copied(form):
    token = jwt(sub="me", exp=1_900_000_000)
    auth = BearerAuth(Secret(form.format(token)))
    assert auth.headers() == {"Authorization": f"Bearer {token}"}
    assert auth.expires == datetime(2030, 3, 17, 17, 46, 40, tzinfo=UTC)
    assert auth.describe() == {
        "method": "given token",
        "user": "me",
        "expires": "2030-03-17 17:46:40 UTC",
    }
    assert not auth.refused(auth.headers())


def test_an_opaque_token_is_as_good():
    auth = BearerAuth(Secret("opaque-1234"))
    assert auth.expires is None
    assert auth.describe() == {"method": "given token"}


def test_after_a_logout_nothing_is_sent():
    with pytest.raises(errors.LoggedOut, match="me was logged out: connect again"):
        EndedAuth("me").headers()
    assert Auth().headers() == {}


# -- JWTs


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.booleans(), max_size=5))
def test_the_claims_of_a_jwt_are_read(claims):
    assert jwt_claims(Secret(jwt(**claims))) == claims


def test_both_alphabets_and_padding_are_taken():
    claims = {"sub": "ÿþ?>~~ä"}
    body = base64.b64encode(json.dumps(claims, ensure_ascii=False).encode()).decode()
    assert set("+/") & set(body)
    assert jwt_claims(Secret(f"x.{body}.y")) == claims
    assert jwt_claims(Secret(f"x.{body.rstrip('=')}")) == claims


@given(st.text())
def test_what_is_no_jwt_has_no_claims(text):
    assert isinstance(jwt_claims(Secret(text)), dict)


@pytest.mark.parametrize("exp", [None, "soon", 1e30, float("inf"), 1_700_000_000_000, [], True])
def test_an_odd_expiry_is_unknown(exp):
    assert jwt_expiry({"exp": exp}) is None or exp is True


# -- tokens that renew themselves


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


class Source:
    """Hands out token-1, token-2, ... that live so many seconds by a clock."""

    def __init__(self, clock, life=3600.0, delay=0.0):
        self.clock, self.life, self.delay, self.count = clock, life, delay, 0

    def __call__(self):
        time.sleep(self.delay)
        self.count += 1
        expires = None if self.life is None else datetime.fromtimestamp(self.clock() + self.life, UTC)
        return Token(Secret(f"token-{self.count}"), expires, Secret(f"refresh-{self.count}"))


@pytest.fixture
def clock():
    return Clock()


def sent(auth):
    return auth.headers()["Authorization"].removeprefix("Bearer ")


def test_a_token_is_fetched_when_first_needed_and_kept(clock):
    source = Source(clock)
    auth = TokenAuth(source, clock=clock)
    assert (source.count, auth.expires) == (0, None)
    assert [sent(auth), sent(auth)] == ["token-1", "token-1"]
    assert auth.expires == datetime.fromtimestamp(clock() + 3600, UTC)


def test_a_token_is_renewed_before_it_expires(clock):
    auth = TokenAuth(Source(clock, life=3600), early=60, clock=clock)
    sent(auth)
    clock.now += 3539
    assert sent(auth) == "token-1"
    clock.now += 2
    assert sent(auth) == "token-2"
    assert auth.renewals == 1


def test_a_short_life_is_used_to_its_half(clock):
    auth = TokenAuth(Source(clock, life=20), early=60, clock=clock)
    sent(auth)
    clock.now += 9
    assert sent(auth) == "token-1"
    clock.now += 2
    assert sent(auth) == "token-2"


def test_a_clock_that_is_wrong_does_not_cost_a_login_for_each_request(clock):
    source = Source(clock, life=-600)  # as seen from a clock that is ahead of the server's
    auth = TokenAuth(source, clock=clock)
    assert [sent(auth) for _ in range(5)] == ["token-1"] * 5
    assert auth.refused(auth.headers())  # the server decides
    assert sent(auth) == "token-2"


def test_a_token_of_unknown_life_is_kept_until_it_is_refused(clock):
    auth = TokenAuth(Source(clock, life=None), clock=clock)
    used = auth.headers()
    clock.now += 1e9
    assert sent(auth) == "token-1"
    assert auth.refused(used)
    assert sent(auth) == "token-2"


def test_many_threads_cause_one_renewal(clock):
    source = Source(clock, delay=0.05)
    auth = TokenAuth(source, clock=clock)
    gate = threading.Barrier(8)

    def work(_):
        gate.wait()
        used = auth.headers()
        gate.wait()
        assert auth.refused(used)
        return sent(auth)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(8))) == {"token-2"}
    assert source.count == 2


def test_a_refusal_of_an_old_token_renews_nothing(clock):
    source = Source(clock)
    auth = TokenAuth(source, clock=clock)
    used = auth.headers()
    auth.refused(used)
    assert auth.refused(used)
    assert source.count == 2


def test_a_renewal_that_brings_the_same_token_is_no_help(clock):
    auth = TokenAuth(lambda: Token(Secret("the only one")), clock=clock)
    assert not auth.refused(auth.headers())


def test_a_failed_renewal_is_raised_and_may_succeed_later(clock):
    source = Source(clock)

    def fetch():
        if clock.now < 1_000_100:
            raise errors.ServerError(503, "POST", "/token", "busy")
        return source()

    auth = TokenAuth(fetch, clock=clock)
    with pytest.raises(errors.ServerError, match="busy"):
        auth.headers()
    clock.now += 200
    assert sent(auth) == "token-1"


def test_all_that_was_issued_is_known_to_the_scrubber(clock):
    auth = TokenAuth(Source(clock), held=[Secret("password")], clock=clock)
    for _ in range(3):
        auth.refused(auth.headers())
    known = {secret.reveal() for secret in auth.secrets()}
    assert known == {"password"} | {f"{kind}-{n}" for kind in ("token", "refresh") for n in range(1, 5)}
    for _ in range(50):
        auth.refused(auth.headers())
    assert len(auth.secrets()) < 30


def test_a_token_tells_who_and_until_when_and_nothing_else(clock):
    auth = TokenAuth(Source(clock), method="OAI-Secure", user="me", clock=clock)
    sent(auth)
    assert auth.describe() == {"method": "OAI-Secure", "user": "me", "expires": "1970-01-12 14:46:40 UTC"}
    assert repr(auth) == "TokenAuth(method=OAI-Secure, user=me, expires=1970-01-12 14:46:40 UTC)"
