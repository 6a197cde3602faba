"""Commands and their fate: sending gives no id, so the history is read before and after."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from iotnb import pacing, times
from iotnb.errors import ConfigError
from iotnb.platforms.iotconnect import rows
from iotnb.platforms.iotconnect.api import Api, Document
from iotnb.platforms.iotconnect.inventory import Known

KEPT = 10_000
SLOWEST = 5.0  # seconds between two looks at the history, after a while


@dataclass
class Sent:
    """A command that this client sent; `client.follow` looks what became of it.

    `sent` (UTC) is when it was sent, by this machine's clock. `operation` is the platform's id of it in the
    history, "" until it has shown up there, `ambiguous` says that several rows could be it. `status` is
    PENDING, EXECUTING, SUCCESSFUL or FAILED, `words` what the device answered, `latency` the time until then.
    """

    device: str
    guid: str
    name: str
    text: str
    sent: datetime
    acknowledged: bool
    before: frozenset[str] = field(default=frozenset(), repr=False)
    operation: str = ""
    ambiguous: bool = False
    status: str = "PENDING"
    platform_status: str = ""
    words: str = ""
    finished: datetime | None = None

    @property
    def done(self) -> bool:
        """Whether the device has carried it out, or has failed to."""
        return self.status in {"SUCCESSFUL", "FAILED"}

    @property
    def latency(self) -> timedelta | None:
        """From sending to the end, as far as the two clocks agree; None until then."""
        if self.finished is None:
            return None
        return max(self.finished - self.sent, timedelta(0))


class Journal:
    """Sends commands for one client, and remembers them; the last 10,000, oldest first."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._sent: list[Sent] = []
        self._lock = threading.Lock()

    def of(self, guid: str) -> list[Sent]:
        """What was sent to one device."""
        with self._lock:
            return [each for each in self._sent if each.guid.upper() == guid.upper()]

    def all(self) -> list[Sent]:
        """Everything that was sent."""
        with self._lock:
            return list(self._sent)

    def send(self, device: str, known: Known, name: str, parameter: str | None) -> Sent:
        """Sends a command of the device's template, by its wire name, label or guid."""
        found = command(self._api.commands.list(known.template), name)
        if found.get("requiredParam") and not parameter:
            raise ConfigError(f"the command {name!r} needs parameter=...")
        wire = str(found.get("command") or found.get("name"))
        before = frozenset(_id(each) for each in self._api.commands.history(known.guid))
        made = Sent(
            device=device,
            guid=known.guid,
            name=wire,
            text=f"{wire} {parameter}" if parameter else wire,
            sent=times.now(),
            acknowledged=bool(found.get("requiredAck")),
            before=before,
        )
        with self._lock:  # before it is sent: the request may fail and the command go out all the same
            self._sent = [*self._sent, made][-KEPT:]
        self._api.commands.send(known.guid, str(found["guid"]), parameter)
        return made

    def look(self, guid: str, *, stop: threading.Event | None = None) -> list[Document]:
        """The history of a device, its rows joined with what was sent from here (`sent`)."""
        history = self._api.commands.history(guid, stop=stop)
        matched = self._match(self.of(guid), history)
        return [
            {**each, "sent": times.to_wire(matched[_id(each)].sent)} if _id(each) in matched else each
            for each in history
        ]

    def follow(self, sent: Sent, *, timeout: float, every: float) -> Sent:
        """Reads the history until the command has ended, or `timeout` seconds have passed."""
        deadline = time.monotonic() + timeout
        pause = every
        while True:
            self.look(sent.guid)
            left = deadline - time.monotonic()
            if sent.done or left <= 0:
                return sent
            pacing.wait(min(pause, left), None)
            pause = min(max(SLOWEST, every), pause * 1.5)

    def _match(self, journal: Sequence[Sent], history: Sequence[Document]) -> dict[str, Sent]:
        """Row's id -> what was sent; a row that could be of several is nobody's."""
        taken = {each.operation: each for each in journal if each.operation}
        by_id = {_id(each): each for each in history}
        for place, each in enumerate(journal):
            if not each.operation:
                new = [
                    _id(row)
                    for row in history
                    if _id(row) not in each.before and _id(row) not in taken and _same(row, each.text)
                ]
                later = next((other for other in journal[place + 1 :] if other.text == each.text), None)
                seen = [one for one in new if later is not None and one in later.before]
                chosen = seen if len(seen) == 1 else new
                each.ambiguous = len(chosen) > 1
                if len(chosen) == 1:
                    each.operation = chosen[0]
                    taken[chosen[0]] = each
            if each.operation in by_id:
                _update(each, by_id[each.operation])
        return taken


def command(documents: Sequence[Document], name: str) -> Document:
    """The command of that wire name, label or guid; raises ConfigError that lists what there is."""
    wanted = name.strip().casefold()
    for member in ("command", "name", "guid"):
        for each in documents:
            if str(each.get(member) or "").casefold() == wanted:
                return each
    there = ", ".join(sorted(str(each.get("command")) for each in documents)) or "none"
    raise ConfigError(f"the device's template has no command {name!r}. It has {there}.")


def named(document: Mapping[str, Any], commands: Sequence[str]) -> str | None:
    """Which of the commands a row of the history is of: the longest that its text is or begins with."""
    whole = str(rows.get(document, "cmdText") or "")
    fits = [each for each in commands if whole == each or whole.startswith(f"{each} ")]
    return max(fits, key=len, default=None)


def _same(document: Mapping[str, Any], text: str) -> bool:
    """Whether a row's text is that of a command; how the platform joins a parameter is not documented."""
    whole = str(rows.get(document, "cmdText") or "").strip()
    return whole == text or whole.replace(" ", "") == text.replace(" ", "")


def _id(document: Mapping[str, Any]) -> str:
    return str(rows.get(document, "commandHistoryGuid")).upper()


def _update(sent: Sent, document: Mapping[str, Any]) -> None:
    row = rows.operation(document)
    sent.status = row["status"] or sent.status
    sent.platform_status = row["platform_status"] or ""
    sent.words = rows.text(rows.get(document, "statusText")) or ""
    sent.finished = row["finished"]
