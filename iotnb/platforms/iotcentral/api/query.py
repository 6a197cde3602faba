"""The query language over the telemetry of the last days (preview)."""

from __future__ import annotations

import threading

from iotnb.errors import ConfigError
from iotnb.platforms.iotcentral.api.chapter import PREVIEW, Chapter, Documents, document
from iotnb.platforms.iotcentral.queries import LONGEST
from iotnb.session import Answer

PATH = "/api/query"
RATE = 0.95  # a second, just below the one that all users of an application have together


class Query(Chapter):
    """`POST /api/query`; at most 10,000 rows come, and nothing says so when there were more."""

    version = PREVIEW

    def run(self, query: str, *, stop: threading.Event | None = None) -> Documents:
        """The rows of one query; less than one query a second is sent."""
        return list(document(self.answer(query, stop=stop)).get("results") or [])

    def answer(self, query: str, *, stop: threading.Event | None = None) -> Answer:
        """The same as the answer that the rows came in."""
        if len(query) > LONGEST:
            raise ConfigError(
                f"the query has {len(query)} characters, the platform takes {LONGEST}: ask for fewer columns"
            )
        # a query changes nothing: it may be sent again after a dropped connection
        return self._request("POST", "/query", json={"query": query}, stop=stop, retry=True)
