"""The error shape of the connection management side, and its backends' limit on requests."""

import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from iotnb.sandbox.tiothub.wire import Call, Refused


def problem_body(call: Call, status: int, detail: str) -> dict[str, Any]:
    """One problem, as it stands alone or in a list of errors."""
    return {
        "type": HTTPStatus(status).phrase,
        "status": status,
        "title": "Error",
        "detail": detail,
        "instance": f"{call.origin}{call.path}",
        "externalErrors": [],
        "@type": "problem",
        "traceId": str(uuid.uuid4()),
    }


def problem(call: Call, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> Refused:
    """An error answer."""
    return Refused(status, problem_body(call, status, detail), headers=headers)


def correlation() -> dict[str, str]:
    """The id that an answer about products ends with."""
    return {"correlationId": str(uuid.uuid4())}


class Meter:
    """Requests to one backend: a second's worth at once, then as many as come free."""

    def __init__(self) -> None:
        self._credit, self._at = 0.0, 0.0

    def wait(self, rate: float) -> float:
        """Seconds until the next request is allowed; 0 takes one now. Real time, whatever the clock says."""
        at = time.monotonic()
        self._credit = min(rate, self._credit + (at - self._at) * rate) if self._at else rate
        self._at = at
        if self._credit < 1.0:
            return (1.0 - self._credit) / rate
        self._credit -= 1.0
        return 0.0
