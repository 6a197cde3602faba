"""One POST to a webhook, which must be on this machine: a sandbox calls nobody else."""

import http.client
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

ELSEWHERE = "the sandbox delivers to addresses on this machine only"
"""Why nothing was sent to an address that is not `on_this_machine`."""

_SECONDS = 3.0  # that a webhook has to answer
_MOST_ANSWER = 65_536


@dataclass(frozen=True, slots=True)
class Reply:
    """What a webhook answered: no status if it did not; `headers` in small letters."""

    status: int | None
    reason: str
    headers: dict[str, str] = field(default_factory=dict)


def on_this_machine(url: str) -> bool:
    """True for http(s) addresses on loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def post(
    url: str, headers: Mapping[str, str], body: bytes, *, context: ssl.SSLContext | None = None
) -> Reply:
    """One attempt: the answer, or the reason why there is none or why it is no success."""
    if not on_this_machine(url):
        return Reply(None, ELSEWHERE)
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=_SECONDS, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=_SECONDS)
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        answer.read(_MOST_ANSWER)
        reason = "" if 200 <= answer.status < 300 else f"answered {answer.status}"
        return Reply(answer.status, reason, {name.lower(): value for name, value in answer.getheaders()})
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Reply(None, f"{type(error).__name__}: {error}")
    finally:
        connection.close()
