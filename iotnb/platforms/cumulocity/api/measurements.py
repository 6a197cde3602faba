"""Measurements: documents with the values of several series at one time, and the series view of them."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from iotnb import times
from iotnb.errors import BadAnswer, ConfigError
from iotnb.platforms.cumulocity.api.chapter import (
    DATES,
    PAGE_SIZE,
    Document,
    Documents,
    Reading,
    bounded,
    known,
    media,
    segment,
    some,
    url,
    wire,
)

BATCH = 1000  # measurements in one POST
SERIES = frozenset(
    {
        "source",
        "dateFrom",
        "dateTo",
        "series",
        "revert",
        "aggregationType",
        "aggregationInterval",
        "aggregationFunction",
    }
)


class Measurements(Reading):
    """`/measurement/measurements`.

    Filters: `source`, `type`, `valueFragmentType`, `valueFragmentSeries`, `dateFrom`, `dateTo` (a window
    [from, to)), `revert`. `revert` is always sent, false (oldest first) unless given.
    """

    path, key, one, many = "/measurement/measurements", "measurements", "measurement", "measurementcollection"
    filters = DATES | {"source", "type", "valueFragmentType", "valueFragmentSeries", "revert"}

    def create_many(self, documents: Sequence[Mapping[str, Any]]) -> Documents:
        """Stores measurements in calls of 1,000 and gives them back as stored.

        If a call fails, those before it are stored: the error says which document its call began with.
        """
        stored: Documents = []
        for start in range(0, len(documents), BATCH):
            body = {self.key: [dict(each) for each in documents[start : start + BATCH]]}
            try:
                page = self._send("POST", self.path, body, content=media(self.many), accept=media(self.many))
            except Exception as error:
                error.add_note(f"{start} of {len(documents)} measurements were stored before this call")
                raise
            stored.extend(page.get(self.key, []))
        return stored

    def delete(self, id: str) -> None:
        """Deletes one measurement; tenants with time-series storage discourage it."""
        self._delete(f"{self.path}/{segment(id)}")

    def delete_many(self, **filters: Any) -> None:
        """Deletes by `source`, `dateFrom`, `dateTo` (full hours), `type`, `fragmentType`; in the background.

        The platform asks for at least one of source, dateFrom and dateTo.
        """
        where = f"DELETE {self.path}"
        params = known(some(filters, where=where), DATES | {"source", "type", "fragmentType"}, where=where)
        if not {"source", "dateFrom", "dateTo"} & params.keys():
            raise ConfigError(f"{where} needs source, dateFrom or dateTo beside {', '.join(params)}")
        self._delete(self.path, **params)

    def count(self, **filters: Any) -> int:
        """How many measurement documents match; exact for users who see the whole inventory."""
        page = self.page(**{**filters, "pageSize": 1, "withTotalPages": True})
        total = page.get("statistics", {}).get("totalPages")
        if not isinstance(total, int):
            raise BadAnswer(
                f"GET {self.path}: the server gives no total (it does so for users who see a part of the "
                "inventory): count the documents of list() instead"
            )
        return total

    def csv(self, *, stop: threading.Event | None = None, **filters: Any) -> Iterator[dict[str, str]]:
        """The same collection in the platform's CSV format, one dict per value.

        Keys are the columns of the header: `time,source,device_name,fragment.series,value,unit`. The format
        has no `next`: pages are read by number until one holds nothing but its header, which misses values
        for users who see only a part of the inventory; they take `list`.
        """
        params = {**self._params({"pageSize": PAGE_SIZE, **filters})}
        number = int(params.pop("currentPage", None) or 1)
        while True:
            pairs = [(name, wire(value)) for name, value in {**params, "currentPage": number}.items()]
            answer = self._session.get(url(self.path, pairs), headers={"Accept": "text/csv"}, stop=stop)
            lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
            if not lines:
                return
            yield from lines
            number += 1

    def series(self, source: str, **filters: Any) -> Document:
        """The values of a device as `{"values": {time: [..]}, "series": [..], "truncated": bool}`.

        `dateFrom` and `dateTo` are needed; `series` is one `fragment.series` or a list; `aggregationType`
        (DAILY, HOURLY, MINUTELY) or `aggregationInterval` (such as `"15m"`) with `aggregationFunction` reduce
        on the server. One answer as it is: cut at 5,000 times, then `truncated` is true; `series_pages`
        goes on.
        """
        return self._series({"revert": False, **filters, "source": source}, None)

    def series_pages(
        self, source: str, *, stop: threading.Event | None = None, **filters: Any
    ) -> Iterator[Document]:
        """The same past the cut: each answer begins at the last time of the one before.

        The time at the joint is in both answers. Raises BadAnswer if the server cuts without moving on.
        """
        params = {**filters, "source": source, "revert": False}
        start = times.parse(filters.get("dateFrom"), name="dateFrom")
        while True:
            page = self._series({**params, "dateFrom": start}, stop)
            yield page
            if not page.get("truncated"):
                return
            last = max((times.from_wire(moment) for moment in page["values"]), default=start)
            if last <= start:
                raise BadAnswer(
                    f"GET {self.path}/series: the answer is cut and does not get past "
                    f"{times.to_wire(start)}: read the measurements themselves (aggregate=None)"
                )
            start = last

    def _series(self, filters: Mapping[str, Any], stop: threading.Event | None) -> Document:
        path = f"{self.path}/series"
        params = known(filters, SERIES, where=f"GET {path}")
        lacking = [name for name in ("source", "dateFrom", "dateTo") if params.get(name) is None]
        if lacking:
            raise ConfigError(f"GET {path} needs {', '.join(lacking)}")
        pairs: list[tuple[str, str | None]] = []
        for name, value in params.items():
            repeated = name in {"series", "aggregationFunction"} and not isinstance(value, str | None)
            pairs += [(name, wire(each)) for each in (value if repeated else [value])]
        answer = self._session.get(url(path, pairs), headers={"Accept": "application/json"}, stop=stop)
        found = answer.json()
        if not isinstance(found, dict) or not isinstance(found.get("values"), dict):
            raise BadAnswer(f"GET {path}: expected an object with `values`")
        return found

    def _params(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        return bounded(super()._params(filters), revert=False)
