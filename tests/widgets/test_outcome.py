"""What a failed login means in words."""

import pytest

from iotnb import errors
from iotnb.auth import Field
from iotnb.secret import Secret
from iotnb.widgets import outcome

WHO = [Field(name="username", label="User"), Field(name="password", label="Password", secret=True)]
KEYS = [
    Field(name="solution_key", label="Solution key", secret=True),
    *WHO,
    Field(name="client_id", label="Client ID"),
    Field(name="client_secret", label="Client secret", secret=True),
]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("dns", "no server of the name"),
        ("refused", "refuses connections"),
        ("tls", "CA file"),
        ("timeout", "not answer in time"),
        ("proxy", "HTTPS_PROXY"),
        ("dropped", "closed the connection"),
        ("other", "cannot be reached"),
    ],
)
def test_what_cannot_be_reached_is_told_apart(kind: str, words: str) -> None:
    error = errors.ConnectionFailed("no answer", host="t1.example", kind=kind)
    found = outcome.of(error, fields=WHO)
    assert (found.state, found.keep) == ("unreachable", True)
    assert words in found.text
    assert "t1.example" in found.text
    assert "local sandbox" in found.text


def test_401_and_403_are_told_apart() -> None:
    wrong = outcome.of(errors.Unauthorized(401, "POST", "/token", "bad"), fields=WHO)
    barred = outcome.of(errors.Forbidden(403, "GET", "/user", "no"), fields=WHO)
    assert (wrong.state, barred.state) == ("refused", "forbidden")
    assert "user or password was not accepted" in wrong.text
    assert not wrong.keep
    assert not barred.keep


@pytest.mark.parametrize(
    ("hint", "names", "words"),
    [
        ("User or password is wrong. Check tenant.", ("username", "password"), "user or password"),
        ("The solution key is not known here: check solution_key.", ("solution_key",), "solution key"),
        ("Client id or secret is wrong, or of another URL.", ("client_id", "client_secret"), "client ID or"),
        ("The client secret has expired: make a new one.", ("client_secret",), "client secret was"),
        ("Log in again.", tuple(field.name for field in KEYS), "solution key or user or password"),
    ],
)
def test_the_advice_says_which_credentials_were_wrong(hint: str, names: tuple[str, ...], words: str) -> None:
    error = errors.Unauthorized(401, "POST", "/token", "no", hint=hint)
    found = outcome.of(error, fields=KEYS)
    assert found.fields == names
    assert words in found.text.splitlines()[0]


def test_the_second_factor_keeps_the_password() -> None:
    found = outcome.of(errors.SecondFactorRequired(401, "POST", "/token", "TFA"), fields=WHO)
    assert (found.state, found.keep, found.detailed) == ("second_factor", True, False)


def test_a_rate_limit_says_how_long() -> None:
    found = outcome.of(errors.RateLimited(429, "GET", "/x", "slow", retry_after=12.0), fields=WHO)
    assert (found.state, found.pause) == ("rate_limited", 12.0)


def test_words_of_a_server_are_scrubbed() -> None:
    error = errors.ServerError(500, "GET", "/x", "echo of hidden-value-77", request_id="r-1")
    found = outcome.of(error, fields=WHO, secrets=[Secret("hidden-value-77")])
    assert found.state == "error"
    assert "hidden-value-77" not in found.text
    assert "r-1" in found.text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "5 s"), (58, "60 s"), (121, "2 min"), (5399, "90 min"), (7200, "2 h"), (14 * 86400, "14 days")],
)
def test_remaining_time_in_words(seconds: float, words: str) -> None:
    assert outcome.span(seconds) == words
