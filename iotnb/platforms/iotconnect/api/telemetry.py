"""Telemetry: latest values, the last messages, and the history in windows of at most seven days."""

from __future__ import annotations

import itertools
import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from iotnb.errors import BadAnswer, ConfigError
from iotnb.platforms.iotconnect.address import segment
from iotnb.platforms.iotconnect.api.chapter import Chapter, Document, Documents, envelope
from iotnb.session import Answer

LONGEST = timedelta(days=7)  # of a window; a longer one is answered with 412
LARGEST = 10_000  # messages in an answer
SECOND = timedelta(seconds=1)  # times in a path know no less
READERS = ("mqtt", "stomp")


@dataclass
class Feed:
    """All messages of a window of at most seven days, oldest first, and the answers that they came in."""

    items: Documents = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


class Telemetry(Chapter):
    """`/Telemetry`: a message has a time (`dTime`) and values by attribute (`attr`), nested or dotted."""

    module = "telemetry"

    def latest(self, device_guid: str, *, stop: threading.Event | None = None) -> Documents:
        """The last value of each attribute, all as text; a device without data has none.

        An attribute may come more than once and out of date: the newest `deviceUpdatedDate` counts. What is
        not in the template is missing.
        """
        return self._few(f"/Telemetry/device/{segment(device_guid)}", stop=stop)

    def page(
        self,
        unique_id: str,
        start: datetime,
        end: datetime,
        *,
        attribute: str = "",
        token: str | None = None,
        stop: threading.Event | None = None,
    ) -> Document:
        """One answer of the history: `feed`, newest first, `count`, and `continuationToken` for more.

        The window is at most seven days, in whole seconds. `attribute` narrows to one: its dotted name, or
        its guid where the template's message version is 1.0.
        """
        return _feed(self._history(unique_id, start, end, attribute, token, stop))

    def window(
        self,
        unique_id: str,
        start: datetime,
        end: datetime,
        *,
        attribute: str = "",
        stop: threading.Event | None = None,
    ) -> Feed:
        """Every message of a window of at most seven days: tokens are followed, a cut answer read in halves.

        Raises BadAnswer when one second holds more than an answer does.
        """
        start, end = floor(start), ceiling(end)
        found = Feed()
        token, reported = None, 0
        tokens: set[str] = set()
        while True:
            answer = self._history(unique_id, start, end, attribute, token, stop)
            document = _feed(answer)
            found.answers.append(answer)
            found.items += document["feed"]
            count = document.get("count")
            reported = max(reported, count if isinstance(count, int) else 0)
            token = document.get("continuationToken") or None
            if token is None:
                break
            if token in tokens:
                raise BadAnswer(f"the history of {unique_id} gives a continuation token for the second time")
            tokens.add(token)
        if reported > len(found.items) or (not tokens and len(found.items) == LARGEST):
            return self._halves(unique_id, start, end, attribute, stop, found)
        found.items.sort(key=moment)
        return found

    def _halves(
        self,
        unique_id: str,
        start: datetime,
        end: datetime,
        attribute: str,
        stop: threading.Event | None,
        cut: Feed,
    ) -> Feed:
        """The same window in two parts, since the answer was cut; they share the second between them."""
        if end - start <= SECOND:
            raise BadAnswer(
                f"{unique_id} has more messages in the second of {stamp(start)} than the {LARGEST:,} that "
                "the server gives, and it gives no token for the others"
            )
        middle = floor(start + (end - start) / 2)
        middle = middle if middle > start else start + SECOND
        first = self.window(unique_id, start, middle, attribute=attribute, stop=stop)
        second = self.window(unique_id, middle, end, attribute=attribute, stop=stop)
        answers = [*cut.answers, *first.answers, *second.answers]
        return Feed(joined(first.items, second.items, middle), answers)

    def windows(
        self,
        unique_id: str,
        start: datetime,
        end: datetime,
        *,
        attribute: str = "",
        stop: threading.Event | None = None,
    ) -> Iterator[Feed]:
        """The messages of a span of any length, seven days at a time, oldest first, each once."""
        before: Documents = []
        for first, last in split(start, end):
            found = self.window(unique_id, first, last, attribute=attribute, stop=stop)
            items = found.items
            found.items = joined(before, items, first)[len(before) :] if before else items
            before = items
            yield found

    def history(self, unique_id: str, start: datetime, end: datetime, *, attribute: str = "") -> Documents:
        """All messages in [start, end], oldest first, however long that is."""
        feeds = self.windows(unique_id, start, end, attribute=attribute)
        return [each for found in feeds for each in found.items if start <= moment(each) <= end]

    def recent(
        self,
        unique_id: str,
        count: int = 10,
        *,
        attributes: Sequence[str] = (),
        child: str = "",
        sort: str = "",
    ) -> Documents:
        """The last 10 to 500 messages; also values that are not in the template."""
        body: dict[str, Any] = {"filterAttrs": list(attributes)} if attributes else {}
        body |= {"childUniqueId": child} if child else {}
        body |= {"sortOrder": sort} if sort else {}
        path = f"/Telemetry/device/{segment(unique_id)}/recent/{count}"
        return list(_feed(self._request("POST", path, json=body, reading=True))["feed"])

    def attribute_history(
        self, unique_id: str, start: datetime, end: datetime, *, attribute: str = "", **options: Any
    ) -> Document:
        """One answer of the history asked for by POST; `options`: pageSize, continuationToken, sortOrder."""
        part = f"/{segment(attribute)}" if attribute else ""
        path = f"/Telemetry/device/{segment(unique_id)}/attribute-history{part}"
        body = {"fromDate": stamp(start), "toDate": stamp(end), **options}
        return _feed(self._request("POST", path, json=body, reading=True))

    def devices_history(
        self, unique_ids: Sequence[str], start: datetime, end: datetime, **options: Any
    ) -> Document:
        """One answer for several devices; AWS answers it with 500, so loop over `window` instead there."""
        body = {"uniqueIds": list(unique_ids), "fromDate": stamp(start), "toDate": stamp(end), **options}
        return _feed(self._request("POST", "/Telemetry/history", json=body, reading=True))

    def of_templates(self, attributes: Mapping[str, Sequence[str]]) -> Documents:
        """The last values of all devices of templates; `attributes` are guids by the template's guid."""
        body = {
            "template": [
                {"templateguid": guid, "attributes": list(wanted)} for guid, wanted in attributes.items()
            ]
        }
        answer = self._request("POST", "/Telemetry/template", json=body, reading=True)
        found = envelope(answer).get("data")
        return found if isinstance(found, list) else []

    def reader(self, unique_id: str, protocol: str = "mqtt") -> Document:
        """How a live feed of a device is entered, its password in clear: mask it before you show it."""
        if protocol not in READERS:
            raise ConfigError(f"protocol={protocol!r} is not one of {', '.join(READERS)}")
        return self._one(f"/Telemetry/{segment(unique_id)}/{protocol}-reader")

    def _history(
        self,
        unique_id: str,
        start: datetime,
        end: datetime,
        attribute: str,
        token: str | None,
        stop: threading.Event | None,
    ) -> Answer:
        part = f"/attribute/{segment(attribute, what='an attribute')}" if attribute else ""
        span = f"from/{segment(stamp(start))}/to/{segment(stamp(end))}"
        path = f"/Telemetry/attribute-history{part}/device/{segment(unique_id)}/{span}"
        return self._request("GET", path, params={"continuationToken": token}, stop=stop)


def split(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """A span in windows of at most seven days, on whole seconds, neighbours sharing the edge."""
    start, end = floor(start), ceiling(end)
    count = max(1, math.ceil((end - start) / LONGEST))
    edges = [*(start + number * LONGEST for number in range(count)), end]
    return list(itertools.pairwise(edges))


def joined(first: Documents, second: Documents, edge: datetime) -> Documents:
    """Two neighbours as one; equal messages in the second that both hold are kept once."""
    held = {_key(each) for each in first if moment(each) >= edge}
    if not held:
        return [*first, *second]
    return [*first, *(each for each in second if moment(each) > edge + SECOND or _key(each) not in held)]


def moment(item: Mapping[str, Any]) -> datetime:
    """When a message was sent, UTC; a time without a zone is UTC."""
    text = item.get("dTime")
    if isinstance(text, str):
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    raise BadAnswer(f"a message has no time that can be read: {text!r}")


def stamp(at: datetime) -> str:
    """A time as the platform takes it: `2026-06-24 17:23:59`, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def floor(at: datetime) -> datetime:
    """The whole second at or before a time."""
    return at.replace(microsecond=0)


def ceiling(at: datetime) -> datetime:
    """The whole second at or after a time."""
    return floor(at) + SECOND if at.microsecond else at


def _key(item: Mapping[str, Any]) -> str:
    return f"{item.get('dTime')} {json.dumps(item.get('attr'), sort_keys=True)}"


def _feed(answer: Answer) -> Document:
    """The object in `data`, with a list `feed` also where the answer is empty."""
    data = envelope(answer).get("data")
    if data is None or data == []:
        return {"feed": [], "count": 0}
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    feed = data.get("feed") if isinstance(data, dict) else None
    if feed is None and isinstance(data, dict):
        feed = []
    if not isinstance(feed, list) or not all(isinstance(each, dict) for each in feed):
        path = urlsplit(answer.url).path
        raise BadAnswer(f"{answer.method} {path}: the answer holds no list `feed`")
    return {**data, "feed": feed}
