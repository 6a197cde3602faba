"""How measurements are read: documents page by page, or reduced by the server as series."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from iotnb import times
from iotnb.errors import Unsupported
from iotnb.loading import Page
from iotnb.platforms.cumulocity import rows
from iotnb.platforms.cumulocity.api import Api, media
from iotnb.platforms.cumulocity.api.chapter import PAGE_SIZE, url
from iotnb.platforms.cumulocity.decode import Decoder, decode_series
from iotnb.session import Answer
from iotnb.times import Interval

FUNCTIONS = {"mean": "avg", "min": "min", "max": "max", "sum": "sum", "count": "count", "std": "stdDevSamp"}
LEGACY = {"1m": "MINUTELY", "1h": "HOURLY", "1d": "DAILY"}  # what editions before the end of 2025 reduce to


class Measurements:
    """Reads measurement documents, oldest first, 2,000 a page; the server filters by series where it can."""

    page_size = PAGE_SIZE

    def __init__(self, api: Api, *, series: Sequence[str] | None) -> None:
        self._api = api
        self._decoder = Decoder(page_size=PAGE_SIZE, series=series)
        self._filter: list[tuple[str, str]] = []
        fragments = {rows.split(name)[0] for name in series or ()}
        if len(fragments) == 1:
            self._filter.append(("valueFragmentType", fragments.pop()))
            if series is not None and len(set(series)) == 1:
                self._filter.append(("valueFragmentSeries", rows.split(series[0])[1]))

    def fetch(self, source: str, start: datetime, end: datetime, stop: threading.Event) -> Answer:
        """The first page of a device's measurements in [start, end)."""
        return self.follow(
            url(
                self._api.measurements.path,
                [
                    ("source", source),
                    *self._filter,
                    ("dateFrom", times.to_wire(start)),
                    ("dateTo", times.to_wire(end)),
                    ("revert", "false"),
                    ("pageSize", str(self.page_size)),
                ],
            ),
            stop,
        )

    def follow(self, link: str, stop: threading.Event) -> Answer:
        """The page behind a link."""
        accept = media(self._api.measurements.many)
        return self._api.session.get(link, headers={"Accept": accept}, stop=stop)

    def decode(self, answer: Answer, source: str) -> Page:  # noqa: ARG002  # each document names its source
        """The values of a page."""
        return self._decoder.decode(answer.body)


class Aggregates:
    """Reads series that the server has reduced: one value per interval, cut at 5,000 intervals an answer.

    Raises Unsupported when the tenant's edition does not know the interval or the function.
    """

    # Larger than any answer, so that no window is divided among workers: the intervals at the joint would be
    # computed from a part of their values. A cut answer is continued at its last interval, computed anew.
    page_size = 10**9

    def __init__(self, api: Api, *, series: Sequence[str] | None, aggregate: Interval, function: str) -> None:
        self._api, self._series, self._statistic = api, series, FUNCTIONS[function]
        self._interval = str(aggregate)
        self._asked = f"aggregate='{aggregate}' with function={function!r}"

    def fetch(self, source: str, start: datetime, end: datetime, stop: threading.Event) -> Answer:
        """The intervals of a device's series from `start` on."""
        pairs = [
            ("source", source),
            ("dateFrom", times.to_wire(start)),
            ("dateTo", times.to_wire(end)),
            ("revert", "false"),
            ("aggregationType", LEGACY.get(self._interval)),
            ("aggregationInterval", self._interval),
            *(("aggregationFunction", name) for name in self._functions()),
            *(("series", name) for name in self._series or ()),
        ]
        return self.follow(url(f"{self._api.measurements.path}/series", pairs), stop)

    def follow(self, link: str, stop: threading.Event) -> Answer:
        """The answer behind a link (the platform gives none here)."""
        return self._api.session.get(link, headers={"Accept": "application/json"}, stop=stop)

    def decode(self, answer: Answer, source: str) -> Page:
        """The values of an answer."""
        page = decode_series(answer.body, source, statistic=self._statistic)
        if page.count:
            self._prove(answer)
        return page

    def _functions(self) -> list[str]:
        """What to ask for; an edition that ignores it answers min and max, hence a witness beside."""
        if self._interval in LEGACY and self._statistic in {"min", "max"}:
            return [self._statistic]
        return [self._statistic, *(["count"] if self._statistic in {"min", "max"} else [])]

    def _prove(self, answer: Answer) -> None:
        witness = self._functions()[-1]
        entries = [entry for row in answer.json()["values"].values() for entry in row if entry]
        if entries and not any(witness in entry for entry in entries):
            raise Unsupported(
                f"this tenant does not know {self._asked}: it reduces to min and max per 1m, 1h and 1d only. "
                "Use function='min' or 'max' with one of these, or leave aggregate out and reduce in pandas."
            )


def functions_known(api: Api, sources: Sequence[str]) -> bool:
    """Whether the tenant reduces with the function asked for; others ignore it and answer min and max.

    Tried on the newest measurement of the first device that has one; without any it does not matter.
    """
    for source in sources[:20]:
        newest = api.measurements.page(source=source, revert=True, pageSize=1)["measurements"]
        if not newest or not any(True for _ in rows.values(newest[0])):
            continue
        start = times.from_wire(newest[0]["time"])
        answer = api.measurements.series(
            source,
            dateFrom=start,
            dateTo=start + timedelta(seconds=1),
            aggregationInterval="1m",
            aggregationFunction=["count"],
        )
        entries = [entry for row in answer["values"].values() for entry in row if entry]
        if entries:
            return any("count" in entry for entry in entries)
    return True


def by_server(aggregate: Interval, function: str) -> bool:
    """Whether every tenant can reduce like this."""
    return str(aggregate) in LEGACY and function in {"min", "max"}
