"""One simulated fleet for all platforms: a seed and a clock decide every value (times in ms, UTC)."""

from iotnb.sandbox.fleet.catalog import DAY, HOUR, MINUTE, Device, Kind, Series
from iotnb.sandbox.fleet.clock import Clock
from iotnb.sandbox.fleet.fleet import Fleet
from iotnb.sandbox.fleet.history import Alarm, Event, Operation, OperationKind, Outcome

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "Alarm",
    "Clock",
    "Device",
    "Event",
    "Fleet",
    "Kind",
    "Operation",
    "OperationKind",
    "Outcome",
    "Series",
]
