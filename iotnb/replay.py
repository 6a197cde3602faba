"""A request of a document, sent by the login of a client: to its own server, with its own credentials."""

from __future__ import annotations

import json
import re
import uuid
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pandas as pd

from iotnb import curl, endpoints, frames, transport
from iotnb.client import Client
from iotnb.errors import ConfigError
from iotnb.secret import scrub
from iotnb.session import Answer, Session

EXAMPLES = re.compile(r"(?i)(?:^|\.)example\.(?:com|org|net)$|\.(?:example|invalid|test|localhost)$")
"""Host names that are nobody's."""
MADE_UP = re.compile(
    r"(?i)^(?:my|your|the|some)[-_]?(?:tenant|app|host|server|domain|sub|company|instance|name)|"
    r"^(?:example|sample|demo|tenant|host|server|test|management)\b"
)
"""How a document calls a tenant that is nobody's: mytenant.cumulocity.com."""

INSECURE = (
    "-k (--insecure) is refused: with it anybody on the way can read and change what is sent. Take it out. "
    "A server whose certificate is not publicly trusted: iotnb.connect(..., ca_file='its-authority.pem')."
)
LOGIN = (
    "this line is the login: it asks for a token. iotnb.connect() has done that for this client, and renews "
    "it; nothing was sent."
)
_known: weakref.WeakKeyDictionary[Client, list[endpoints.Endpoint]] = weakref.WeakKeyDictionary()


@dataclass
class Plan:
    """A request as it will be sent: by which session, where to, and the line of `client.api` that does it."""

    session: Session
    method: str
    path: str
    headers: dict[str, str | None]
    body: bytes | None
    line: str
    notes: list[str] = field(default_factory=list)


def plan(request: curl.Request, client: Client, values: Mapping[str, Any], *, name: str = "client") -> Plan:
    """How a request of `iotnb.curl.parse()` will be sent, and the line of `client.api` that sends the same.

    `values` fills placeholders by their names. Raises ConfigError for -k, for a host that is neither the
    client's nor made up by a document, for a request for a token, and for placeholders without a value.
    """
    if request.insecure:
        raise ConfigError(INSECURE)
    if _asks_for_token(request):
        raise ConfigError(LOGIN)
    notes = list(request.notes) + _host_note(request, client)
    path, query = _target(request, values)
    known = _known.setdefault(client, []) or _known[client]
    if not known:
        known += endpoints.endpoints(client)
    body = _body(request, values)
    found = endpoints.find(known, request.method, path, query=query, body=_decoded(body), name=name)
    if found is not None:
        path = found.path
        if holders(json.dumps(_decoded(body), ensure_ascii=False)) and isinstance(body, bytes):
            body = _completed(body, found.body)
            again = endpoints.find(known, request.method, path, query=query, body=_decoded(body), name=name)
            found = again or found
    session = found.session if found is not None else _session(client, path)
    if found is None:
        path = _below(session, path)
    headers = _headers(request, found, values)
    lacking = holders(f"{path} {query} {(body or b'').decode('utf-8', 'replace')}")
    if lacking:
        raise ConfigError(_unfilled(lacking))
    full = path + ("?" + "&".join(f"{quote(key)}={quote(value)}" for key, value in query) if query else "")
    if found is None:
        notes.append("no method of client.api sends this")
        line = _by_session(name, request.method, full, headers, body)
    else:
        notes += found.differences
        line = found.line
    return Plan(session, request.method, full, headers, body, scrub(line), notes)


def send(plan: Plan) -> Answer:
    """Sends a plan; raises what a session raises."""
    options: dict[str, Any] = {"data": plan.body} if plan.body is not None else {}
    return plan.session.request(plan.method, plan.path, headers=plan.headers, **options)


def result(answer: Answer, *, frame: bool = False) -> Any:
    """The decoded JSON of an answer, or its text; as a DataFrame a row for each document in it."""
    if not answer.body:
        return None
    if "json" not in str(answer.headers.get("Content-Type", "")) and answer.body[:1] not in b"{[":
        return answer.text
    found = answer.json()
    return table(found) if frame else found


def table(found: Any) -> pd.DataFrame:
    """JSON as a table: a list of objects, or the largest such list in an object, or the object as a row."""
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list) and value]
        documents = [value for value in lists if all(isinstance(each, dict) for each in value)]
        found = max(documents, key=len, default=[found])
    rows = found if isinstance(found, list) else [found]
    return frames.flat(each if isinstance(each, dict) else {"value": each} for each in rows)


# -- the parts of a plan


def _asks_for_token(request: curl.Request) -> bool:
    fields = dict(parse_qsl(request.data or "", keep_blank_values=True))
    return "grant_type" in fields or request.url.rstrip("/").endswith(
        ("/openid-connect/token", "/oauth/token")
    )


def _host_note(request: curl.Request, client: Client) -> list[str]:
    """Refuses a foreign host; says which host stands in for one that a document made up."""
    given = urlsplit(re.sub(curl.HOLDER, "holder", request.url))
    own = {session.host for session in client.sessions}
    if not given.netloc or given.netloc in own:
        return []
    shown = {urlsplit(field.placeholder).hostname or "" for field in client.FIELDS}
    host = (given.hostname or "").lower()
    made_up = (
        "holder" in given.netloc
        or any(each and (host == each or host.endswith(f".{each}")) for each in shown)
        # the vendor's domain is that of its example without the tenant's name
        or (
            bool(MADE_UP.search(host))
            and any(host.endswith("." + each.partition(".")[2]) for each in shown if "." in each)
        )
        or bool(EXAMPLES.search(host))
        or transport.loopback(host)
    )
    if not made_up:
        raise ConfigError(
            f"{given.netloc} is another server than this client's ({client.host}), whose credentials go "
            "nowhere else. Log in there with iotnb.connect(), or write <host> in its place to ask this "
            "client's server."
        )
    where = curl.HOLDER.search(request.url)
    written = where.group() if "holder" in given.netloc and where else given.netloc
    return [f"{written} was read as {client.host}"]


def _target(request: curl.Request, values: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """Path and query with placeholders filled in; values that become a part of the path are encoded."""
    masked = re.sub(curl.HOLDER, lambda found: quote(found.group(), safe=""), request.url)
    parts = urlsplit(masked)
    path = "/".join(
        quote(_filled(unquote(each), values), safe="<>{}$:,;=@!()*'+") for each in parts.path.split("/")
    )
    pairs = [(key, _filled(value, values)) for key, value in parse_qsl(parts.query, keep_blank_values=True)]
    return path or "/", pairs


def _filled(text: str, values: Mapping[str, Any]) -> str:
    """The text with placeholders replaced by values of their names, where there are such."""

    def value(found: re.Match[str]) -> str:
        name = re.sub(r"\W+", "_", found.group().strip("<>{}[]$ ")).strip("_")
        for each in (name, name.lower(), name.lower().removeprefix("your_")):
            if isinstance(values.get(each), str | int):
                return str(values[each])
        return found.group()

    return curl.HOLDER.sub(value, text)


def holders(text: str) -> list[str]:
    """The placeholders in a text, each once."""
    return list(dict.fromkeys(curl.HOLDER.findall(unquote(text))))


def _unfilled(lacking: Sequence[str]) -> str:
    name = re.sub(r"\W+", "_", lacking[0].strip("<>{}[]$ ")).strip("_") or "value"
    named = ", ".join(lacking)
    return (
        f"{named} has no value yet: write it into the line, set a variable ({name} = ...), or give it on the "
        f"first line of the cell: %%curl {name}=..."
    )


def _body(request: curl.Request, values: Mapping[str, Any]) -> bytes | None:
    if request.forms:
        return _multipart(request, values)
    if request.reads:
        return Path(request.reads[0]).read_bytes()
    return None if request.data is None else _filled(request.data, values).encode()


def _multipart(request: curl.Request, values: Mapping[str, Any]) -> bytes:
    """The parts of a form; the boundary is told to the server in the header."""
    boundary = uuid.uuid4().hex
    pieces = []
    for part in request.forms:
        name = part.name.replace('"', "%22")
        head = f'Content-Disposition: form-data; name="{name}"'
        content = _filled(part.value, values).encode()
        if part.file:
            path = Path(part.value)
            content = path.read_bytes()
            head += f'; filename="{path.name}"\r\nContent-Type: {part.type or "application/octet-stream"}'
        pieces.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    request.headers = {
        name: value for name, value in request.headers.items() if name.lower() != "content-type"
    } | {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def _decoded(body: bytes | None) -> Any:
    if body is None:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _completed(body: bytes, template: Any) -> bytes:
    """A JSON body whose placeholders are replaced by what the login itself would send there."""

    def fill(given: Any, known: Any) -> Any:
        if isinstance(given, dict) and isinstance(known, dict):
            return {key: fill(value, known.get(key)) for key, value in given.items()}
        if isinstance(given, str) and holders(given) and isinstance(known, str):
            return known
        return given

    return json.dumps(fill(json.loads(body), template), ensure_ascii=False).encode()


def _headers(
    request: curl.Request, found: endpoints.Match | None, values: Mapping[str, Any]
) -> dict[str, str | None]:
    """The line's headers; one with a placeholder gives way to what the login sends under that name."""
    own = {name.lower(): value for name, value in (found.headers if found else {}).items()}
    made: dict[str, str | None] = {}
    for name, value in request.headers.items():
        text = _filled(value, values)
        if not holders(text):
            made[name] = text
        elif isinstance(own.get(name.lower()), str):
            made[name] = own[name.lower()]
        else:
            raise ConfigError(_unfilled(holders(text)))
    return made


def _session(client: Client, path: str) -> Session:
    """The session whose base the path begins with; the client's first one else."""
    sessions = client.sessions
    fitting = [each for each in sessions if path.startswith(urlsplit(each.base_url).path.rstrip("/") + "/")]
    return max(fitting, key=lambda each: len(each.base_url), default=client.session)


def _below(session: Session, path: str) -> str:
    base = urlsplit(session.base_url).path.rstrip("/")
    return path.removeprefix(base) if base else path


def _by_session(
    name: str, method: str, path: str, headers: Mapping[str, str | None], body: bytes | None
) -> str:
    told = [repr(method), repr(path)]
    decoded = _decoded(body)
    if isinstance(decoded, dict | list):
        told.append(f"json={decoded!r}")
    elif body is not None:
        told.append(f"data={body!r}")
    if headers:
        told.append(f"headers={dict(headers)!r}")
    return f"{name}.session.request({', '.join(told)})"
