"""Errors say what happened, in the server's own words, and what to do."""

import email.utils
import json
import pickle
from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb import errors
from iotnb.secret import MASK, Secret

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


def made(status, document, headers=None, **options):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return errors.from_response(status, "GET", "/x", headers or {}, body, **options)


def test_every_error_is_in_the_tree_and_in_its_drawing():
    drawn = errors.__doc__ or ""
    for name, thing in vars(errors).items():
        if isinstance(thing, type) and issubclass(thing, Exception) and not issubclass(thing, Warning):
            assert issubclass(thing, errors.IotnbError), name
            assert f" {name} " in drawn or drawn.startswith(name) or f"\n{name}\n" in drawn, name
    assert issubclass(errors.ConfigError, ValueError)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"error": "inventory/notFound", "message": "no object 7", "info": "url"},
            "inventory/notFound: no object 7",
        ),
        ({"error": {"code": "NotFound", "message": "no device 7"}}, "NotFound: no device 7"),
        ({"error": "invalid_grant", "error_description": "wrong secret"}, "invalid_grant: wrong secret"),
        ({"status": 404, "error": "Not Found", "path": "/x"}, "Not Found"),
        ({"code": 900901, "message": "x", "description": "Invalid Credentials"}, "x: Invalid Credentials"),
        ({"error": "same", "message": "same"}, "same"),
        ({"problems": [{"field": "a"}]}, '{"problems": [{"field": "a"}]}'),
        (["one", "two"], '["one", "two"]'),
        (b"plain words\n  on two lines", "plain words on two lines"),
        (b"<html><title>Sorry</title></html>", "an HTML page: Sorry"),
        (b"<html><body><h1>503</h1> <p>busy &lt;now&gt;</p></body></html>", "an HTML page: 503 busy <now>"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_the_words_are_the_servers_own(document, words):
    error = made(404, document)
    assert error.words == words
    assert str(error) == (f"404 GET /x: {words}" if words else "404 GET /x")


def test_long_words_are_cut_after_they_were_blanked():
    secret = Secret("sentinel-" * 5)
    error = made(400, {"message": "x" * (errors.WORDS - 20) + secret.reveal()}, secrets=[secret])
    assert "sentinel" not in str(error)
    assert len(made(400, {"message": "y" * 5000}).words) == errors.WORDS + len("...")


def test_secrets_are_in_no_part_of_an_error():
    secret = Secret("sentinel-77")
    error = errors.from_response(
        400,
        "GET",
        "/apps/sentinel-77/x",
        {},
        json.dumps(
            {"message": "you sent sentinel-77", "token": "abcdef", "deep": [{"a": "sentinel-77"}]}
        ).encode(),
        secrets=[secret],
    )
    assert error.path == f"/apps/{MASK}/x"
    assert error.body == {"message": f"you sent {MASK}", "token": MASK, "deep": [{"a": MASK}]}
    assert "sentinel" not in repr(vars(error)) + str(error)


@pytest.mark.parametrize("status", [401, 403, 405, 429, 502, 503, 504])
def test_errors_that_we_know_say_what_to_do(status):
    first, _, advice = str(made(status, {"message": "words"})).partition("\n")
    assert first == f"{status} GET /x: words"
    assert len(advice) > 30
    assert str(made(status, {"message": "words"}, hint="Do this.")).endswith("\nDo this.")


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (400, False),
        (401, False),
        (404, False),
        (429, True),
        (500, False),
        (502, True),
        (503, True),
        (504, True),
    ],
)
def test_it_is_known_what_may_succeed_later(status, retryable):
    assert made(status, {}).retryable is retryable


def test_a_request_can_be_found_by_its_id():
    assert made(500, {}, {"X-Request-Id": "r1"}).request_id == "r1"
    assert made(500, {}, {"x-ms-request-id": "r2"}).request_id == "r2"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        (" 5 ", 5),
        ("0", 0),
        ("1.5", 1.5),
        (email.utils.formatdate(NOW + 30, usegmt=True), 30),
        (email.utils.formatdate(NOW - 30, usegmt=True), 0),
        ("Thu, 01 Jan 2026 13:00:10 +0100", 10),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("Thu, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_both_forms_of_retry_after_are_read(text, seconds):
    assert errors.retry_after({"Retry-After": text}, now=NOW) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_ends_in_a_surprise(text):
    found = errors.retry_after({"Retry-After": text}, now=NOW)
    assert found is None or found >= 0


@given(st.binary(max_size=200), st.sampled_from(["text/html", "application/json", ""]), st.integers(400, 599))
def test_no_answer_ends_in_a_surprise(body, kind, status):
    error = errors.from_response(status, "PUT", "/x", {"Content-Type": kind}, body)
    assert str(error).startswith(f"{status} PUT /x")
    assert error.retry_after is None


@pytest.mark.parametrize(
    "error",
    [
        made(409, {"error": "dup", "message": "it is there"}, {"X-Request-Id": "r"}),
        errors.SecondFactorRequired(401, "POST", "/token", "TFA", hint="give a code"),
        errors.LoggedOut(401, "", "", "me was logged out"),
        errors.ConnectionFailed("no", host="h", kind="dns", method="GET", path="/x"),
        errors.MissingFields("give a password", ["password"]),
        errors.ForeignHost("no"),
    ],
)
def test_errors_come_back_whole_from_other_processes(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_incomplete_brings_its_rows_along():
    gaps = [{"item": "7", "start": "", "end": "", "reason": "503"}]
    error = errors.Incomplete("short", partial=pd.DataFrame({"value": [1.0]}), gaps=gaps)
    back = pickle.loads(pickle.dumps(error))
    assert back.partial.equals(error.partial)
    assert back.gaps == gaps


def test_an_error_without_a_request_shows_its_words_only():
    assert (
        str(errors.LoggedOut(401, "", "", "me was logged out: connect again"))
        == "me was logged out: connect again"
    )
