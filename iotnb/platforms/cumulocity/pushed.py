"""What happens in a tenant, told by itself: real-time notifications as rows of the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from iotnb import frames
from iotnb.errors import IotnbError
from iotnb.live.push import News, Wanted
from iotnb.platforms.cumulocity import rows
from iotnb.platforms.cumulocity.api import Api
from iotnb.platforms.cumulocity.realtime import Notice, Notifications

MOST_CHANNELS: Final = 50  # of single devices; for more, all are listened to and the others left out
HOLD: Final = 10.0  # seconds: a thread that waits for a server which is gone ends no later
ROWS: Final = {"alarms": rows.alarm, "operations": rows.operation, "events": rows.event}


class LongPolling:
    """Measurements, alarms, operations and events by Bayeux long polling (see `iotnb.live.Push`)."""

    way = "long polling"
    doubtful = False

    def __init__(self, api: Api, wanted: Wanted) -> None:
        self._wanted = wanted
        self.verbs = frozenset(wanted.verbs)
        few = wanted.devices is not None and len(wanted.devices) <= MOST_CHANNELS
        names = wanted.devices if few and wanted.devices is not None else ["*"]
        self._notifications = Notifications(
            api, [f"/{verb}/{name}" for verb in wanted.verbs for name in names], hold=HOLD
        )

    def start(self) -> None:
        """Shakes hands and subscribes."""
        self._notifications.start()

    def take(self, timeout: float) -> list[News]:
        """All notifications that wait, as one frame a verb."""
        found: dict[str, list[dict[str, Any]]] = {}
        notice = self._notifications.get(timeout)
        while notice is not None:
            verb = notice.channel.split("/")[1]
            if notice.action != "DELETE":
                found.setdefault(verb, []).extend(self._rows(verb, notice))
            notice = self._notifications.get(0.0) if self._notifications.waiting else None
        return [(verb, frames.table(verb, listed)) for verb, listed in found.items() if listed]

    @property
    def losses(self) -> int:
        """How often the conversation was interrupted."""
        return self._notifications.interruptions

    @property
    def heard(self) -> float:
        """When the server answered last."""
        return self._notifications.heard

    @property
    def trouble(self) -> str:
        """What interrupts the conversation now."""
        error = self._notifications.interrupted
        return "" if error is None else str(error).splitlines()[0]

    def stop(self) -> None:
        """Ends the conversation."""
        self._notifications.stop()

    def _rows(self, verb: str, notice: Notice) -> Iterator[dict[str, Any]]:
        document = notice.data
        if verb == "measurements":
            yield from (row for row in _measured(document) if self._asked(row))
        elif verb in ROWS:
            row = ROWS[verb](document)
            if self._wanted.of_device(row["device"]):
                yield row

    def _asked(self, row: Mapping[str, Any]) -> bool:
        series = self._wanted.series
        return self._wanted.of_device(row["device"]) and (series is None or row["series"] in series)


def _measured(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of the measurements table from one measurement."""
    source = document.get("source")
    device = rows.text(source.get("id")) if isinstance(source, Mapping) else None
    if device is None:
        raise IotnbError("a notification of a measurement names no source")
    for name, value, unit in rows.values(document):
        yield {
            "time": rows.text(document.get("time")), "device": device, "series": name,
            "value": float(value), "text": None, "unit": unit,
        }  # fmt: skip
