"""What happened: the history of commands, changes of connections, rejected messages, rules that fired."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from iotnb import errors
from iotnb.errors import Unsupported
from iotnb.loading import Load
from iotnb.platforms.iotconnect import rows
from iotnb.platforms.iotconnect.api import Api, Document, Tally
from iotnb.platforms.iotconnect.following import Journal, named
from iotnb.platforms.iotconnect.inventory import Known
from iotnb.times import Window

DAYS = 400  # that are asked for rejected messages, one request each: more would take for ever

ABSENT = (errors.NotFound, errors.Invalid)
"""What an edition answers that does not have a list."""


class History:
    """The documents of one load of operations, events or alarms."""

    def __init__(self, api: Api, journal: Journal, load: Load, window: Window) -> None:
        self._api, self._journal, self._load, self._window = api, journal, load, window
        self._commands: dict[str, list[str]] = {}
        self._rejected: list[Document] | None = None
        self._lock = threading.Lock()

    # -- commands -------------------------------------------------------------------------------------------

    def operations(self, device: str, known: Known) -> Iterator[list[Document]]:
        """The commands of one device whose time lies in the window, with the name of each."""
        names = self._names(known.template)
        found = self._journal.look(known.guid, stop=self._load.stop)
        self._load.count(pages=1, rows=len(found))
        listed = [{**each, "device": device, "command": named(each, names)} for each in found]
        yield self._inside(listed, rows.operation)

    def _names(self, template: str) -> list[str]:
        """The commands of a template, read once a load."""
        with self._lock:
            if template not in self._commands:
                listed = self._api.commands.list(template, stop=self._load.stop) if template else []
                self._commands[template] = [
                    str(each.get("command")) for each in listed if each.get("command")
                ]
            return self._commands[template]

    # -- events ---------------------------------------------------------------------------------------------

    def events(self, device: str, kind: str | None) -> Iterator[list[Document]]:
        """Changes of a device's connection, and its messages that were rejected."""
        tally = Tally()
        for page in self._api.devices.lifecycle(device, stop=self._load.stop, tally=tally):
            self._load.count(rows=len(page.items), size=len(page.answer.body))
            listed = [{**each, "device": device} for each in page.items]
            yield self._of(self._inside(listed, rows.event), kind)
            moments = [at for each in listed if (at := rows.event(each)["time"])]
            if moments == sorted(moments, reverse=True) and moments and moments[-1] < self._window.start:
                break  # newest first: what follows is older still
        self._load.count(pages=tally.pages)
        own = [each for each in self._rejections() if rows.get(each, "uniqueId") == device]
        yield self._of(self._inside(own, rows.event), kind)

    def _of(self, documents: list[Document], kind: str | None) -> list[Document]:
        return [each for each in documents if kind is None or rows.event(each)["type"] == kind]

    def _rejections(self) -> list[Document]:
        """The rejected messages of all devices, read once a load: a day is one request at least."""
        with self._lock:
            if self._rejected is None:
                self._rejected = self._rejected_on(_days(self._window))
            return self._rejected

    def _rejected_on(self, days: list[date]) -> list[Document]:
        if len(days) > DAYS:
            reason = f"rejected messages are told day by day: only the last {DAYS} days were asked for"
            self._load.gap("", self._window.start, self._window.end - timedelta(days=DAYS), reason=reason)
            days = days[-DAYS:]
        try:
            found = [each for day in days for each in self._api.devices.rejected(day, stop=self._load.stop)]
        except errors.Forbidden as error:
            self._load.note(f"rejected messages are left out: {str(error).splitlines()[0]}")
            return []
        except errors.NotFound:
            self._load.note("rejected messages are left out: this edition does not list them")
            return []
        self._load.count(pages=len(days))
        return found

    # -- alarms ---------------------------------------------------------------------------------------------

    def alarms(self, device: str | None, kind: str | None) -> Iterator[list[Document]]:
        """Rules that fired for one device or for all; raises Unsupported where there is no such list."""
        last = (self._window.end + timedelta(days=1)).date()  # whether the last day counts is not documented
        tally = Tally()
        pages = self._api.notifications.pages(
            self._window.start.date(), last, unique_id=device, stop=self._load.stop, tally=tally
        )
        try:
            for page in pages:
                self._load.count(rows=len(page.items), size=len(page.answer.body))
                inside = self._inside(page.items, rows.alarm)
                yield [
                    each
                    for each in inside
                    if (kind is None or rows.get(each, "ruleName") == kind)
                    and (device is None or rows.get(each, "uniqueId") == device)
                ]
        except ABSENT as error:
            if error.status not in {404, 405}:
                raise
            raise Unsupported(
                f"this edition lists no fired alarms ({error.status}); client.api.rules.list() has the rules"
            ) from None
        self._load.count(pages=tally.pages)

    def _inside(self, documents: list[Document], row: Any) -> list[Document]:
        """Those whose time lies in the window; one without a time that can be read is kept."""
        kept = []
        for each in documents:
            at = row(each)["time"]
            if at is None or self._window.start <= at < self._window.end:
                kept.append(each)
        return kept


def _days(window: Window) -> list[date]:
    first, last = window.start.date(), (window.end - timedelta(microseconds=1)).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
