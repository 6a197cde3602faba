"""What the platform's refusals of a login mean, and what to do about them."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from iotnb import errors, times
from iotnb.errors import RequestError

E = TypeVar("E", bound=RequestError)

UNTRUSTED = (
    "an administrator uploads the authority's certificate (client.portal.upload_certificate), and if another "
    "authority stands between, give certificate_chain=..."
)
CERTIFICATE = {
    400: "The certificate or the chain cannot be read: both must be PEM files.",
    401: f"The tenant does not trust this certificate: {UNTRUSTED}",
    404: "The tenant has no login by certificate: use user and password.",
    422: "The tenant knows no device for this certificate: switch on auto registration for its authority, "
    "or register the device first.",
}
"""Hints for a refused certificate, by status."""


def refused(
    error: RequestError,
    *,
    method: str = "oai",
    code: bool = False,
    strategy: str = "",
    expires: datetime | None = None,
) -> RequestError:
    """The same 401 with what to do about it; SecondFactorRequired if its words speak of a second factor.

    `code` says that one was sent, `strategy` what the login options call for, `expires` the end of a given
    token.
    """
    words = error.words.upper()
    if "TFA" in words or "TOTP" in words:
        second = again(error, errors.SecondFactorRequired, hint=_second_factor(words, method, code=code))
        second.strategy = next((word for word in ("TOTP", "SMS") if word in words), strategy)
        return second
    if method == "token":
        late = expires is not None and expires < times.now()
        when = f" It expired at {times.to_wire(expires)}." if late and expires else ""
        hint = f"The token is not accepted.{when} Get a new one, or use user and password."
    elif method == "basic":
        hint = (
            "User or password is wrong, or the tenant does not allow Basic. If the address is not the "
            "tenant's own domain, and for device users, give tenant=... too."
        )
    else:
        hint = (
            "User or password is wrong. If they work in the browser, check tenant and address; users of "
            "devices need method='basic'."
        )
    return again(error, errors.Unauthorized, hint=hint)


def _second_factor(words: str, method: str, *, code: bool) -> str:
    if "SETUP" in words:
        return (
            "The tenant asks for a second factor that this user has not set up: log in once in the browser."
        )
    if method == "basic":
        return "This user has a second factor, which Basic cannot carry: use method='oai' and tfa_code=..."
    if code:
        return "The code was not accepted: a code lives for 30 seconds, so give a fresh tfa_code=..."
    return "This user has a second factor: give its code as tfa_code=... (IOTNB_CUMULOCITY_TFA_CODE)."


def again(error: RequestError, cls: type[E], *, hint: str) -> E:
    """The same answer as an error of class `cls`, with another hint."""
    return cls(
        error.status,
        error.method,
        error.path,
        error.words,
        hint=hint or error.hint,
        request_id=error.request_id,
        retry_after=error.retry_after,
        body=error.body,
    )
