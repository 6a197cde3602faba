"""The API gateway as a session: it tells a token that ended from a service that says no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from iotnb import errors
from iotnb.platforms.wso2 import refusals
from iotnb.session import Answer, Session


class Gateway(Session):
    """Requests through the API gateway; `granted` tells the scopes of the token, None while unknown.

    Only a 401 of the gateway means a token that ended: one of a service behind it means "not yours", and
    a new token would not help. Throttling is a 429 whichever status it came with.
    """

    def __init__(self, base_url: str, **options: Any) -> None:
        super().__init__(base_url, **options)
        self.granted: Callable[[], Sequence[str] | None] = lambda: None

    def judged(self, answer: Answer, *, auth: bool) -> Answer:
        """The answer, throttling as 429; raises Forbidden for a 401 that a service gave."""
        if answer.status not in {401, 403, 503}:
            return answer
        refusal = refusals.read(answer.body)
        if refusal.code in refusals.THROTTLED:
            return replace(answer, status=429)
        if answer.status == 401 and auth and not refusal.gateway:
            refused = self.refusal(answer)
            raise refused
        return answer

    def refusal(self, answer: Answer) -> errors.RequestError:
        """The error with its likely cause, in whichever costume it came."""
        return refusals.error(
            answer.status,
            answer.method,
            urlsplit(answer.url).path,
            answer.headers,
            answer.body,
            secrets=self.auth.secrets(),
            granted=self.granted(),
        )
