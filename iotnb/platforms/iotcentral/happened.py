"""Events: telemetry that a template calls an event, read by queries like all telemetry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import numpy as np

from iotnb.errors import BadAnswer
from iotnb.loading import Load
from iotnb.platforms.iotcentral.readers import Queries
from iotnb.times import EPOCH, Window, from_ms

Document = dict[str, Any]
Pages = Iterator[list[Document]]


class Happened:
    """The events of one load: the queries answer for many devices at once, and are sent once."""

    def __init__(self, make: Callable[[], Queries], load: Load, window: Window) -> None:
        self._make, self._load, self._window = make, load, window
        self._lock = threading.Lock()
        self._found: list[Document] | None = None

    def of(self, device: str | None) -> Pages:
        """The events of one device, or of all."""
        with self._lock:
            if self._found is None:
                reader = self._make()
                self._found = [each for part in reader.parts for each in self._read(reader, part)]
        yield [each for each in self._found if device is None or each["device"] == device]

    def _read(self, reader: Queries, part: str) -> Iterator[Document]:
        """The events of one part, oldest first; a full answer is continued at its last moment."""
        seen: set[str] = set()
        at, end = self._window.start, self._window.end
        while True:
            answer = reader.fetch(part, at, end, self._load.stop)
            page = reader.decode(answer, part)
            columns = page.columns
            self._load.count(pages=1, rows=len(columns), size=len(answer.body))
            for row in range(len(columns)):
                document = _document(columns, row)
                if self._window.start <= document["time"] < end and document["id"] not in seen:
                    seen.add(document["id"])
                    yield document
            if not page.full:
                return
            last = page.last
            if last is None or last <= at:
                raise BadAnswer("one moment holds more events than an answer")
            at = last


def _document(columns: Any, row: int) -> Document:
    device = columns.device.names[columns.device.codes[row]]
    kind = columns.series.names[columns.series.codes[row]]
    time = _moment(columns.time[row])
    words = columns.text[row] if columns.text is not None else None
    value = columns.value[row]
    if words is None and not np.isnan(value):
        words = f"{value:g}"
    return {
        "id": f"{device}/{kind}/{time.isoformat()}",
        "device": device,
        "type": kind,
        "time": time,
        "text": words,
    }


def _moment(time: np.datetime64) -> datetime:
    microseconds = int(time.astype("datetime64[us]").astype(np.int64))
    return from_ms(microseconds // 1000) + (EPOCH.replace(microsecond=microseconds % 1000) - EPOCH)
