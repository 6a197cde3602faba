"""How event records become measurements: newest first, in slices, none missed and none twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from iotnb import frames, times
from iotnb.errors import BadAnswer
from iotnb.frames import Columns
from iotnb.loading import Load
from iotnb.platforms.wso2 import rows
from iotnb.platforms.wso2.api import Api
from iotnb.session import Answer
from iotnb.times import Window

Row = dict[str, Any]
Record = dict[str, Any]

LIMIT: Final = 100  # records that one answer is asked for; what the server does beyond is not established
LOOK_BACK: Final = 10  # slices that are searched for the last value of a series
AHEAD: Final = timedelta(days=1)  # clocks of devices may be wrong
MILLISECOND: Final = timedelta(milliseconds=1)


class Definitions:
    """The event definitions of device types, each read once for one load."""

    def __init__(self, api: Api, load: Load) -> None:
        self._api, self._load = api, load
        self._known: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def of(self, type: str) -> dict[str, str]:
        """Attribute -> type of the records of a device type; empty where none is defined."""
        with self._lock:
            if type not in self._known:
                found = self._api.events.definition(type, stop=self._load.stop)
                self._load.count(pages=1)
                self._known[type] = rows.attributes(found)
            return self._known[type]


class Records:
    """Reads the records of devices; `series` narrows to some attributes.

    The server sends the newest first and counts all. Slices are asked for by moving the end of the window to
    the earliest time seen, never by a deep offset; what came is compared with the count.
    """

    def __init__(self, api: Api, definitions: Definitions, *, series: Sequence[str] | None = None) -> None:
        self._api, self._definitions = api, definitions
        self._series = None if series is None else set(series)

    def read(self, source: str, window: Window, load: Load) -> Iterator[Columns]:
        """The values of one device in the window, slice by slice; a gap where records are missing."""
        types = self._definitions.of(rows.parts(source)[0])
        for records in self.records(source, window, load):
            found = [
                row
                for record in records
                for row in rows.values(record, source, types)
                if row["time"] is not None
                and window.start <= row["time"] < window.end
                and (self._series is None or row["series"] in self._series)
            ]
            if found:
                load.count(rows=len(found))
                yield frames.columns(found)

    def records(self, source: str, window: Window, load: Load) -> Iterator[list[Record]]:
        """All records of a device in a window, each once; read again when they are fewer than counted."""
        seen: set[str] = set()
        count = 0
        for _ in range(2):
            first = True
            for records, counted in self._slices(source, window, load):
                count = counted if first else count
                first = False
                fresh = [each for each in records if rows.record_key(each) not in seen]
                seen.update(map(rows.record_key, fresh))
                if fresh:
                    yield fresh
            if len(seen) >= count:
                return
        load.gap(
            source,
            window.start,
            window.end,
            reason=f"the server counts {count:,} records and gave {len(seen):,}, in two readings",
        )

    def newest(self, source: str, load: Load, *, until: datetime | None = None) -> Iterator[list[Record]]:
        """Slices of a device's records, the newest first, without end; the caller stops."""
        window = Window(times.EPOCH + MILLISECOND, (until or times.now()) + AHEAD)
        for records, _ in self._slices(source, window, load):
            yield records

    def oldest(self, source: str, load: Load) -> list[Record]:
        """The oldest records of a device, up to a slice of them."""
        window = Window(times.EPOCH + MILLISECOND, times.now() + AHEAD)
        records, count = self._slice(source, window.start, window.end, 0, load)
        if count > len(records):
            records, _ = self._slice(source, window.start, window.end, max(0, count - LIMIT), load)
        return records

    def last(self, source: str, load: Load) -> list[Record]:
        """The newest record, in the platform's own call for it."""
        kind, identifier = rows.parts(source)
        answer = self._api.events.last(kind, identifier, stop=load.stop)
        return decode(answer, load)[0]

    def _slices(self, source: str, window: Window, load: Load) -> Iterator[tuple[list[Record], int]]:
        """Slices newest first, each with what the server counts up to its end."""
        end, offset = window.end, 0
        while True:
            records, count = self._slice(source, window.start, end, offset, load)
            yield records, count
            if not records or offset + len(records) >= count:
                return
            stamps = [at for each in records if isinstance(at := each.get("timestamp"), int)]
            # one millisecond more: whether the end itself belongs to a window is not established
            earliest = times.from_ms(min(stamps)) + MILLISECOND if stamps else end
            if earliest < end:
                end, offset = earliest, 0
            else:  # one moment holds more than a slice
                offset += len(records)

    def _slice(
        self, source: str, start: datetime, end: datetime, offset: int, load: Load
    ) -> tuple[list[Record], int]:
        kind, identifier = rows.parts(source)
        answer = self._api.events.page(
            kind, identifier, start=start, end=end, offset=offset, limit=LIMIT, stop=load.stop
        )
        return decode(answer, load)


def decode(answer: Answer, load: Load) -> tuple[list[Record], int]:
    """The records of an answer, newest first, and how many the server counts; an empty answer holds none."""
    load.count(pages=1, size=len(answer.body))
    if not answer.body.strip():
        return [], 0
    document = answer.json()
    found = document.get("records") if isinstance(document, dict) else None
    count = document.get("count") if isinstance(document, dict) else None
    if found is None and not count:
        return [], 0
    if not isinstance(found, list) or not isinstance(count, int):
        raise BadAnswer(f"{answer.method} {answer.url.partition('?')[0]}: no list 'records' with its count")
    found.sort(key=lambda each: each.get("timestamp") or 0, reverse=True)
    return found, count


def lasting(found: Sequence[Row]) -> dict[str, Row]:
    """The newest row of each series."""
    made: dict[str, Row] = {}
    for row in found:
        before = made.get(row["series"])
        if before is None or (row["time"] or times.EPOCH) >= (before["time"] or times.EPOCH):
            made[row["series"]] = row
    return made


def look_back(
    reader: Records,
    source: str,
    types: Mapping[str, str],
    load: Load,
    *,
    wanted: Sequence[str] | None = None,
) -> dict[str, Row]:
    """The last value of each series of a device: of the newest record, else of older ones."""
    names = set(types if wanted is None else wanted) & set(types) if types else set(wanted or ())
    record = reader.last(source, load)
    found = lasting([row for each in record for row in rows.values(each, source, types)])
    if not record or (names and names <= set(found)):
        return _only(found, wanted)
    at = max((row["time"] for row in found.values() if row["time"] is not None), default=None)
    for place, records in enumerate(reader.newest(source, load, until=at)):
        made = [row for each in records for row in rows.values(each, source, types)]
        found = lasting([*made, *found.values()])
        if names <= set(found) or load.stop.is_set():
            break
        if place + 1 == LOOK_BACK:
            load.note(
                f"the newest {LOOK_BACK * LIMIT:,} records of {source} hold no value of "
                f"{', '.join(sorted(names - set(found))[:8])}"
            )
            break
    return _only(found, wanted)


def described(
    source: str, types: Mapping[str, str], last: Mapping[str, Row], first: Sequence[Row]
) -> list[Row]:
    """Rows of the series table: the attributes of the definition, and what records hold besides."""
    began: dict[str, datetime] = {}
    for row in first:
        if row["time"] is not None:
            began[row["series"]] = min(row["time"], began.get(row["series"], row["time"]))
    made = []
    for name in [*types, *(each for each in last if each not in types)]:
        newest = last.get(name)
        kind = rows.KINDS.get(types.get(name, ""), "text")
        if name not in types and newest is not None:
            kind = "number" if newest["value"] is not None else kind
            kind = "bool" if newest["text"] in ("true", "false") else kind
        made.append(
            {
                "device": source,
                "series": name,
                "unit": None,
                "kind": kind,
                "first": began.get(name),
                "last": newest["time"] if newest else None,
            }
        )
    return made


def _only(found: Mapping[str, Row], wanted: Sequence[str] | None) -> dict[str, Row]:
    return {name: row for name, row in found.items() if wanted is None or name in wanted}
