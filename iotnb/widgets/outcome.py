"""What a failed login means: the panel's state, the words, and whether the secrets may do next time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iotnb import errors
from iotnb.auth import Field
from iotnb.secret import Secret
from iotnb.widgets.panel import Tone, sentence

UNREACHABLE: Mapping[str, str] = {
    "dns": "There is no server of the name {host}: check the address.",
    "refused": "{host} refuses connections: check the address and the port, or start the server.",
    "tls": "{host} does not prove who it is (TLS): give its CA file under More options.",
    "timeout": "{host} does not answer in time: check the address and the network, or try again later.",
    "proxy": "The proxy does not let the request to {host} through: check HTTPS_PROXY and NO_PROXY.",
    "dropped": "{host} closed the connection: try again.",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A state of the login panel in words.

    `keep` says that the same secrets may do at the next try, `fields` which ones were not accepted.
    """

    state: str
    word: str
    text: str
    tone: Tone = "bad"
    keep: bool = False
    detailed: bool = True
    pause: float = 0.0
    fields: tuple[str, ...] = ()


def blamed(error: errors.RequestError, fields: Sequence[Field]) -> list[Field]:
    """Those of the fields that the advice of a refusal names first, by label or name; else all of them."""
    first = re.split(r"[.:;]\s|$", error.hint, maxsplit=1)[0].lower()

    def is_named(field: Field) -> bool:
        label = field.label.lower()
        words = {
            label,
            field.name,
            field.name.replace("_", " "),
            *(label.split()[-1:] if field.secret else ()),
        }
        return any(re.search(rf"\b{re.escape(word)}\b", first) for word in words)

    named = [field for field in fields if is_named(field)]
    return named or list(fields)


def of(error: Exception, *, fields: Sequence[Field], secrets: Sequence[Secret] = ()) -> Outcome:
    """The outcome of a login that ended with `error`; `fields` are those that say who logs in."""
    words = sentence(error, secrets)
    if isinstance(error, errors.SecondFactorRequired):
        text = "Enter the code of your second factor."
        return Outcome(
            state="second_factor", tone="warn", word="Second factor", text=text, keep=True, detailed=False
        )
    if isinstance(error, errors.Unauthorized):
        wrong = blamed(error, fields)
        who = " or ".join(_lower(field.label) for field in wrong)
        status = f"{error.status}: " if error.status >= 400 else ""
        text = f"{status}{who if status else who[:1].upper() + who[1:]} was not accepted.\n{words}"
        names = tuple(field.name for field in wrong)
        return Outcome(state="refused", word="Wrong credentials", text=text, fields=names)
    if isinstance(error, errors.Forbidden):
        text = f"403: the login is known, but not allowed to do this.\n{words}"
        return Outcome(state="forbidden", word="No permission", text=text)
    if isinstance(error, errors.RateLimited):
        return Outcome(
            state="rate_limited",
            tone="warn",
            word="Rate limited",
            text="The server asks for a pause; then press Log in again.",
            keep=True,
            pause=error.retry_after or 0.0,
        )
    if isinstance(error, errors.ConnectionFailed):
        advice = UNREACHABLE.get(error.kind, "{host} cannot be reached.").format(host=error.host)
        text = f"{advice} Or try the local sandbox."
        return Outcome(state="unreachable", word="Cannot reach", text=text, keep=True)
    return Outcome(state="error", word="Error", text=words)


def _lower(label: str) -> str:
    """A label inside a sentence; an abbreviation at its beginning stays as it is."""
    return label if label[:2].isupper() else label[:1].lower() + label[1:]


def unattended(platform: str) -> str:
    """What to do where no page shows the panel: what errors without a browser end with."""
    prefix = f"IOTNB_{platform}_".upper()
    return (
        f"No browser page shows this panel. In a script use iotnb.connect({platform!r}, ...) with the "
        f"credentials in the environment ({prefix}USERNAME, {prefix}PASSWORD, ...)."
    )


def span(seconds: float) -> str:
    """A remaining time in words, in steps that do not change more often than every five seconds."""
    if seconds >= 5400:
        hours = seconds / 3600
        return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min"
    return f"{max(5, round(seconds / 5) * 5):.0f} s"
