"""Every costume of an error, taken apart, with the likely cause."""

import json
from typing import Any

import pytest

from iotnb import errors
from iotnb.platforms.wso2 import refusals
from iotnb.secret import Secret

SECURITY = (
    b'<ams:fault xmlns:ams="http://wso2.org/apimanager/security"><ams:code>%d</ams:code><ams:message>%s'
    b"</ams:message><ams:description>Access failure for API: /x</ams:description></ams:fault>"
)
INACTIVE = SECURITY % (900904, b"Access Token Inactive")
THROTTLED = (
    b'<amt:fault xmlns:amt="http://wso2.org/apimanager/throttling"><amt:code>900800</amt:code>'
    b"<amt:message>Message throttled out</amt:message></amt:fault>"
)
SCOPE = b'{"error_description":"Invalid Scope!","error":"invalid_scope"}'
RUNTIME = (
    b'<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code><am:type>Status report</am:type>'
    b"<am:message>Not Found</am:message><am:description>The requested resource (/x) is not available."
    b"</am:description></am:fault>"
)
DEVICES = "/api/device-mgt/v1.0/devices"


@pytest.mark.parametrize(
    ("body", "code", "words", "gateway"),
    [
        (b'{"code":400,"message":"wrong","errorItems":[]}', 400, "wrong", False),
        (b'{"message":"wrong","errorItems":[{"code":0,"message":"the type"}]}', 0, "wrong; the type", False),
        (b'"Device type already available, firealarm"', 0, "Device type already available, firealarm", False),
        (b"APIs(Tags) are not allowed to this user.", 0, "APIs(Tags) are not allowed to this user.", False),
        (b"", 0, "", False),
        (b"false", 0, "false", False),
        (
            SCOPE,
            0,
            "invalid_scope: Invalid Scope!",
            False,
        ),
        (b'{"responseCode":"404","responseMessage":"No device"}', 0, "No device", False),
        (
            INACTIVE,
            900904,
            "Access Token Inactive: Access failure for API: /x",
            True,
        ),
        (
            b'{"fault":{"code":900901,"message":"Invalid Credentials","description":"why"}}',
            900901,
            "Invalid Credentials: why",
            True,
        ),
        (RUNTIME, 404, "Not Found: The requested resource (/x) is not available.", True),
        (
            b'{"fault":{"code":101503,"type":"Status report","message":"Error","description":"gone"}}',
            101503,
            "Error: gone",
            True,
        ),
        (
            THROTTLED,
            900800,
            "Message throttled out",
            True,
        ),
        (b"<html><title>502 Bad Gateway</title></html>", 0, "an HTML page: 502 Bad Gateway", False),
        (b"[1, 2]", 0, "[1, 2]", False),
    ],
)
def test_each_costume_is_taken_apart(body: bytes, code: int, words: str, gateway: bool) -> None:
    found = refusals.read(body)
    assert (found.code, found.words, found.gateway) == (code, words, gateway)


def error(
    status: int, body: bytes | dict[str, Any], method: str = "GET", path: str = DEVICES, **more: Any
) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refusals.error(status, method, path, {}, raw, **more)


@pytest.mark.parametrize(
    ("status", "body", "cls", "cause"),
    [
        (
            401,
            SECURITY % (900901, b"Invalid Credentials"),
            errors.Unauthorized,
            "a newer one has taken its place",
        ),
        (401, SECURITY % (900903, b"Token Expired"), errors.Unauthorized, "has expired: log in again"),
        (403, SECURITY % (900908, b"Forbidden"), errors.Forbidden, "not subscribed to this API"),
        (401, b"", errors.Forbidden, "belongs to another user"),
        (401, {"message": "Only admin role can", "errorItems": []}, errors.Forbidden, "role admin only"),
        (404, RUNTIME, errors.NotFound, "port 8243"),
        (500, b'"Error on retrieving stats on table X"', errors.ServerError, "analytics profile"),
        (
            500,
            {"message": "Error occurred while fetching the operations for the device", "errorItems": []},
            errors.ServerError,
            "no such device, or another owner",
        ),
        (
            400,
            {"code": 400, "message": "Request parameter owner should be non empty."},
            errors.Invalid,
            "by owner",
        ),
        (429, SECURITY % (900800, b"throttled"), errors.RateLimited, "rate="),
        (503, b"", errors.ServerError, "overloaded"),
    ],
)
def test_the_likely_cause_is_told(status: int, body: Any, cls: type[Exception], cause: str) -> None:
    found = error(status, body)
    assert type(found) is cls
    assert cause in str(found)
    assert str(found).startswith(f"{status} GET {DEVICES}")


def test_a_missing_scope_is_named_with_what_it_blocks() -> None:
    path = "/api/device-mgt/v1.0/events/firealarm/1"
    found = error(403, SECURITY % (900910, b"no scope"), path=path, granted=["perm:devices:view"])
    assert isinstance(found, errors.Forbidden)
    assert "no telemetry: perm:device-types:events:view was not granted" in str(found)
    assert "measurements()" in str(found)
    granted = error(403, SECURITY % (900910, b"no scope"), granted=["perm:devices:view"])
    assert "perm:devices:view was granted, yet the gateway refuses it" in str(granted)
    unknown = error(403, SECURITY % (900910, b"no scope"), path="/api/other")
    assert "lacks the scope of this call" in str(unknown)


def test_a_secret_in_an_error_is_blanked() -> None:
    found = error(400, {"message": "no user sesame-7788 here"}, secrets=[Secret("sesame-7788")])
    assert "sesame" not in str(found)
    assert "sesame" not in repr(vars(found))
