"""The door to device management: oneM2M requests of one application, and their refusals."""

from __future__ import annotations

import contextlib
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from iotnb import errors
from iotnb.errors import BadAnswer, ConfigError
from iotnb.platforms.tiothub import names
from iotnb.platforms.tiothub.names import Resource
from iotnb.session import Answer, Session

RELEASE = "3"  # of oneM2M, in the strict edition
FAILED = range(400, 600)
QUEUE = 20  # requests that go one by one after a token was refused in spite of its renewal
AE, CNT, CIN, CB, DVI, NODE, SUB, FCNT = 2, 3, 4, 5, 13, 14, 23, 28
"""Resource types (`ty`)."""

_STATUS = {
    4000: 400, 4102: 400, 6023: 400, 6024: 400, 4001: 501, 5001: 501, 4004: 404, 5103: 404, 4005: 405,
    4008: 504, 4015: 415, 4103: 403, 4107: 403, 4108: 403, 4117: 403, 5105: 403, 5203: 403, 4105: 409,
    5106: 409, 5207: 406, 5000: 500, 5204: 500,
}  # fmt: skip
_HINTS = {
    403: "The application may lack the right, or is not registered yet: "
    "client.api.applications.register('a-name') does that once.",
    501: "A strict oneM2M server asks for a release: connect with edition='standard'.",
}


def segment(value: object) -> str:
    """One path segment, percent-encoded; raises ConfigError for what cannot be one (empty, `.`, `..`)."""
    text = value if isinstance(value, str) else ""
    if text in {"", ".", ".."}:
        raise ConfigError(f"{value!r} cannot be a name: give it as text, such as 'sensor001'")
    return quote(text, safe=":")


def joined(*parts: str) -> str:
    """A path below the tenant from names; a name may hold slashes, as in `device-communication/x`."""
    return "".join(f"/{segment(each)}" for part in parts for each in part.strip("/").split("/"))


def query(params: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """A query string; times in the basic format, and the plus of `atrl=a+b` as it stands."""
    pairs = params.items() if isinstance(params, Mapping) else params
    made = []
    for name, value in pairs:
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is None:
                continue
            text = names.basic(each) if isinstance(each, datetime) else str(each)
            made.append(f"{quote(name, safe='')}={quote(text, safe=':*,+' if name == 'atrl' else ':*,')}")
    return "&".join(made)


class Dmo:
    """Requests to one tenant's DMO, or to any oneM2M server, in the name of one application.

    `origin` goes with every request as `X-M2M-Origin`, each with a request id of its own. `standard` adds
    what a strict server asks for; `dialect` says how it pages lists.
    """

    def __init__(
        self,
        session: Session,
        *,
        tenant: str,
        origin: str,
        application_type: str = "Niotnb",
        standard: bool = False,
        dialect: str = "dmo",
    ) -> None:
        self.session, self.tenant, self.origin = session, tenant, origin
        self.application_type, self.standard, self.dialect = application_type, standard, dialect
        self._alone, self._queue = threading.Lock(), 0

    def path(self, below: str) -> str:
        """The path of a resource below the tenant, or by its id when it begins with `/~/`."""
        return below if below.startswith("/~/") else f"/{segment(self.tenant)}{below}"

    def by_id(self, ri: str) -> str:
        """The path of a resource by its id (`ri`)."""
        return f"/~/{segment(self.tenant)}/{segment(ri)}"

    def request(
        self,
        method: str,
        below: str,
        *,
        params: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        body: Any = None,
        ty: int | None = None,
        full_names: bool = False,
        retry: bool | None = None,
        stop: threading.Event | None = None,
    ) -> Answer:
        """One request; a result code (`X-M2M-RSC`) counts where there is one, else the HTTP status.

        `ty` is the type of the resource that a POST creates, `full_names` asks for long names. Raises the
        errors of `iotnb.errors`.
        """
        headers: dict[str, str | None] = {
            "Accept": "application/json",
            "X-M2M-Origin": self.origin,
            "X-M2M-RI": str(uuid.uuid4()),
            "Content-Type": "application/json" if ty is None else f"application/json;ty={ty}",
        }
        if self.standard:
            headers["X-M2M-RVI"] = RELEASE
        if full_names:
            headers["fullName"] = "true"
        text = query(params)
        path = self.path(below) + (f"?{text}" if text else "")
        options: dict[str, Any] = {"json": body, "headers": headers, "expect": FAILED, "retry": retry}
        with self._alone if self._queue else contextlib.nullcontext():
            answer = self.session.request(method, path, stop=stop, **options)
        if answer.status == 401 and self.session.auth.expires is not None:
            # among many threads a new token can be revoked before its turn comes: they queue for a while
            self._queue = QUEUE
            with self._alone:
                answer = self.session.request(method, path, stop=stop, **options)
                if answer.status == 401:  # those on their way when the queue began are through by now
                    answer = self.session.request(method, path, stop=stop, **options)
        self._queue = max(0, self._queue - 1)
        refusal = self._refusal(answer)
        if refusal is not None:
            raise refusal
        return answer

    def _refusal(self, answer: Answer) -> errors.RequestError | None:
        code = result_code(answer)
        status = answer.status
        if status < 400 and code is not None and code >= 4000:
            status = _STATUS.get(code, 400)
        if status < 400:
            return None
        hint = _HINTS.get(status, "")
        if code is not None:
            hint = f"oneM2M result code {code}. {hint}".rstrip()
        return errors.from_response(
            status,
            answer.method,
            urlsplit(answer.url).path,
            answer.headers,
            answer.body,
            secrets=answer.secrets,
            hint=hint,
        )

    def retrieve(self, below: str, *, stop: threading.Event | None = None, **params: Any) -> Resource:
        """The resource at a path, with short names; `rcn` is 4 (with children) unless given."""
        return read(self.request("GET", below, params={"rcn": 4, **params}, stop=stop))

    def find(self, below: str, *, stop: threading.Event | None = None, **params: Any) -> Resource | None:
        """The same, or None where there is nothing."""
        try:
            return self.retrieve(below, stop=stop, **params)
        except errors.NotFound:
            return None

    def create(
        self,
        below: str,
        kind: str,
        body: Mapping[str, Any],
        *,
        ty: int,
        full_names: bool = False,
        retry: bool | None = None,
    ) -> Resource:
        """Creates a resource below a path and gives it as stored."""
        return read(
            self.request("POST", below, body={kind: dict(body)}, ty=ty, full_names=full_names, retry=retry)
        )

    def update(self, below: str, kind: str, body: Mapping[str, Any], **params: Any) -> Resource:
        """Changes the attributes that are given; a list replaces the whole list."""
        return read(self.request("PUT", below, params={"rcn": 1, **params}, body={kind: dict(body)}))

    def delete(self, below: str) -> None:
        """Deletes a resource and everything below it."""
        self.request("DELETE", below)


def result_code(answer: Answer) -> int | None:
    """The oneM2M result code of an answer, or None without one."""
    text = str(answer.headers.get("X-M2M-RSC", "")).strip()
    return int(text) if re.fullmatch(r"\d{4}", text) else None


def read(answer: Answer) -> Resource:
    """The resource in an answer; empty for an empty body. Raises BadAnswer for what is none."""
    if not answer.body:
        return Resource()
    document = answer.json()
    if not isinstance(document, dict):
        raise BadAnswer(
            f"{answer.method} {urlsplit(answer.url).path}: expected a resource, got {type(document).__name__}"
        )
    return names.resource(document)


class Chapter:
    """A part of device management; its methods take and give resources with short names."""

    def __init__(self, dmo: Dmo) -> None:
        self._dmo = dmo


Get = Callable[[Mapping[str, Any]], Answer]
