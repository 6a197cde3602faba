"""What a failed login means: the panel's state, the words, and whether the secrets may do next time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iotnb import errors
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
    """A state of the login panel in words; `keep` says that the same secrets may do at the next try."""

    state: str
    word: str
    text: str
    tone: Tone = "bad"
    keep: bool = False
    detailed: bool = True
    pause: float = 0.0


def of(error: Exception, *, who: str, secrets: Sequence[Secret] = ()) -> Outcome:
    """The outcome of a login that ended with `error`; `who` names the fields that say who logs in."""
    words = sentence(error, secrets)
    if isinstance(error, errors.SecondFactorRequired):
        text = "Enter the code of your second factor."
        return Outcome(
            state="second_factor", tone="warn", word="Second factor", text=text, keep=True, detailed=False
        )
    if isinstance(error, errors.Unauthorized):
        return Outcome(
            state="refused", word="Wrong credentials", text=f"401: {who} was not accepted.\n{words}"
        )
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
