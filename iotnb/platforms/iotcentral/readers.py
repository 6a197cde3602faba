"""How measurements are read: generated queries, window by window, every row once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iotnb import frames, times
from iotnb.errors import BadAnswer
from iotnb.frames import Columns
from iotnb.loading import Page
from iotnb.platforms.iotcentral import rows
from iotnb.platforms.iotcentral.api import Api
from iotnb.platforms.iotcentral.model import Capability
from iotnb.platforms.iotcentral.queries import DEVICE, FUNCTIONS, ROWS, TIME, Part
from iotnb.session import Answer
from iotnb.times import EPOCH, Interval


@dataclass(frozen=True)
class Reply(Answer):
    """An answer that remembers from when it was asked for: queries overlap at their start."""

    since: datetime = EPOCH


class Queries:
    """Reads parts (columns of one template) instead of devices.

    `parts` are named by their labels, which are what gaps are reported for. An answer with 10,000 rows is
    taken for cut: the reading goes on at its last moment.
    """

    page_size = ROWS

    def __init__(
        self,
        api: Api,
        parts: Sequence[Part],
        capabilities: Mapping[tuple[str, str], Capability],
        *,
        devices: set[str] | None,
        series: Sequence[str] | None,
        oldest: datetime,
    ) -> None:
        self._api, self._devices, self._oldest = api, devices, oldest
        self._capabilities = capabilities
        self._series = series
        self.parts: dict[str, Part] = {}
        for part in parts:
            self.parts[_free(part.label, self.parts)] = part
        if any(part.function for part in parts):
            self.page_size = 10**9  # no window of intervals is divided among workers: see `fetch`

    def fetch(self, source: str, start: datetime, end: datetime, stop: threading.Event) -> Reply:
        """The first rows of a part in [start, end)."""
        part = self.parts[source]
        begin = max(start, self._oldest)
        answer = self._api.query.answer(part.query(begin, max(end, begin)), stop=stop)
        return Reply(**vars(answer), since=start)

    def follow(self, link: str, stop: threading.Event) -> Answer:  # noqa: ARG002  # of the protocol
        """Queries have no links."""
        raise BadAnswer(f"a query has no next link: {link}")

    def decode(self, answer: Answer, source: str) -> Page:
        """The rows of an answer as columns, one document a row; empty cells are no values."""
        part = self.parts[source]
        found = answer.json()
        results = found.get("results") if isinstance(found, dict) else None
        if not isinstance(results, list):
            raise BadAnswer("the answer to a query holds no list 'results'")
        full = len(results) >= ROWS
        moments = _moments(results, "$ts" if part.function else TIME)
        if full and (moments[1:] < moments[:-1]).any():
            raise BadAnswer("the answer is cut at 10,000 rows and not in the order that was asked for")
        if isinstance(answer, Reply):  # the span of the query begins earlier than was asked for
            since = np.datetime64(answer.since.replace(tzinfo=None), "us")
            keep = np.flatnonzero(moments >= since).tolist()
            results, moments = [results[i] for i in keep], moments[keep]
        columns, ids = self._columns(part, results, moments)
        columns.ids = ids
        return Page(columns=columns, times=moments, full=full, next=None)

    def _columns(
        self, part: Part, results: Sequence[Mapping[str, Any]], moments: NDArray[np.datetime64]
    ) -> tuple[Columns, list[str]]:
        asked = [
            (f"c{i}", name, self._capabilities[part.template, name]) for i, name in enumerate(part.columns)
        ]
        made: list[dict[str, Any]] = []
        ids: list[str] = []
        place: list[int] = []
        for number, row in enumerate(results):
            device = part.devices[0] if part.function else str(_first(row, DEVICE, "$id"))
            held = 0
            for bit, (alias, name, capability) in enumerate(asked):
                value = rows.cell(row, alias, name)
                if value is None or (part.function == "COUNT" and value == 0):
                    continue  # an interval without a value counts none of them
                held |= 1 << bit
                if self._devices is not None and device not in self._devices:
                    continue
                for series, amount, words in rows.leaves(capability, value):
                    if self._series is None or wanted(series, self._series):
                        made.append(
                            {
                                "device": device,
                                "series": series,
                                "value": amount,
                                "text": words,
                                "unit": capability.unit,
                            }
                        )
                        place.append(number)
            # components that were sent apart are rows of their own, at the same moment
            ids.append(f"{device} {moments[number]} {held}")
        document = np.array(place, dtype=np.int32)
        columns = frames.columns(made)
        columns.time = moments[document]
        columns.document = document
        return columns, ids


def wanted(name: str, asked: Sequence[str]) -> bool:
    """Whether a series was asked for: by its name, or that of the vector or component that it is part of."""
    return any(name == each or name.startswith((f"{each}.", f"{each}/")) for each in asked)


def concerned(capability: Capability, asked: Sequence[str]) -> bool:
    """Whether any series of a telemetry was asked for."""
    return wanted(capability.name, asked) or any(each.startswith(f"{capability.name}.") for each in asked)


def reducible(chosen: Sequence[Capability], step: Interval, function: str) -> bool:
    """Whether the platform reduces all of these: single numbers, in intervals that tile the day."""
    return (
        function in FUNCTIONS
        and step.span is not None
        and timedelta(days=1) % step.span == timedelta(0)
        and all(each.kind in {"integer", "long", "double", "float"} for each in chosen)
    )


def _moments(results: Sequence[Any], key: str) -> NDArray[np.datetime64]:
    texts = []
    for row in results:
        moment = _first(row, key, "$ts") if isinstance(row, Mapping) else None
        if not isinstance(moment, str):
            raise BadAnswer(f"a row of a query has no {key!r}")
        texts.append(moment)
    try:
        return times.column(texts).astype("datetime64[us]")
    except ValueError as error:
        raise BadAnswer(f"a row of a query: {error}") from None


def _first(row: Mapping[str, Any], *names: str) -> Any:
    return next((row[name] for name in names if name in row), None)


def _free(label: str, taken: Mapping[str, Any]) -> str:
    name, number = label, 1
    while name in taken:
        number += 1
        name = f"{label} #{number}"
    return name
