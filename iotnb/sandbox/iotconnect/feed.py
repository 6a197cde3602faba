"""Messages of the devices: lanes of samples at common times, and pages of them, newest or oldest first.

A lane is one kind of message of one device. Of the fleet's devices every group of series is a lane; the odd
trackers have one with everything that real messages have and tables do not expect.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from iotnb.sandbox.fleet import DAY, HOUR, MINUTE, Series
from iotnb.sandbox.fleet.noise import smooth, stream, units
from iotnb.sandbox.iotconnect.registry import Device
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import digits, invalid, opened, sealed
from iotnb.sandbox.wire import iso

Times = npt.NDArray[np.int64]
Columns = dict[str, list[Any]]
MOST = 10_000
"""Messages on one page."""
_TRACKER_OFFSET = 17_250  # milliseconds into the minute
_REACHES = (2 * HOUR, 2 * DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Messages that hold the same attributes."""

    names: tuple[str, ...]
    """Dotted names of the attributes; those of one object stand together."""
    times: Callable[[int, int], Times]
    """Ascending times in [start, end), not beyond the clock."""
    columns: Callable[[Times], Columns]
    """Dotted name to the values at some times."""


class Latest(NamedTuple):
    """The newest value of an attribute."""

    name: str
    at: int
    value: Any


def lanes(platform: Platform, device: Device) -> list[Lane]:
    """The lanes of a device; none for devices that never send."""
    if device.fleet is not None:
        groups = platform.fleet.groups(device.fleet)
        return [_fleet_lane(platform, device.fleet, group, series) for group, series in groups.items()]
    if device.odd in (0, 1):
        return [_tracker_lane(platform, device.odd)]
    return []


def _fleet_lane(platform: Platform, i: int, group: str, series: tuple[Series, ...]) -> Lane:
    fleet = platform.fleet

    def columns(times: Times) -> Columns:
        return {one.key: fleet.value(i, one, times).tolist() for one in series}

    names = tuple(one.key for one in series)
    return Lane(names=names, times=partial(fleet.times, i, group), columns=columns)


def _tracker_lane(platform: Platform, number: int) -> Lane:
    names = ("gps.latitude", "gps.longitude", "speed", "satellites", "moving", "state", "uptime")
    return Lane(
        names=names,
        times=partial(_tracker_times, platform, number),
        columns=partial(_tracker_columns, platform.fleet.seed, number),
    )


def _tracker_times(platform: Platform, number: int, start: int, end: int) -> Times:
    """Once a minute, with a gap of a day; the second tracker fell silent three days ago."""
    fleet = platform.fleet
    start, end = max(start, fleet.start), min(end, platform.now() + 1)
    if number == 1:
        end = min(end, fleet.start + int((fleet.days - 3) * DAY))
    gap = fleet.start + int(fleet.days * 0.4 * DAY)
    first, last = (-(-(at - _TRACKER_OFFSET) // MINUTE) for at in (start, max(start, end)))
    times = np.arange(first, last, dtype=np.int64) * MINUTE + _TRACKER_OFFSET
    return times[(times < gap) | (times >= gap + DAY)]


def _tracker_columns(seed: int, number: int, times: Times) -> Columns:
    """A drive around; now and then a speed that is no number, and an attribute that no template knows."""
    key = stream(seed, "tracker", number)
    speed = np.round(np.clip(60.0 * smooth(key, times, 3 * HOUR), 0.0, None), 1)
    shown: list[Any] = speed.tolist()
    for place in np.flatnonzero(units(key + 1, times) < 0.02).tolist():
        shown[place] = "n/a"
    moving = (speed > 0).tolist()
    return {
        "gps.latitude": np.round(51.4 + 0.2 * smooth(key + 2, times, 6 * HOUR), 6).tolist(),
        "gps.longitude": np.round(7.0 + 0.3 * smooth(key + 3, times, 6 * HOUR), 6).tolist(),
        "speed": shown,
        "satellites": (4 + (units(key + 4, times) * 9).astype(np.int64)).tolist(),
        "moving": moving,
        "state": ["driving" if one else "parked" for one in moving],
        "uptime": ((times - times % DAY) // DAY % 97 * 86_400 + times % DAY // 1000).tolist(),
    }


def newest(lane: Lane, start: int, now: int) -> int | None:
    """The time of a lane's newest message, or None."""
    for reach in (*_REACHES, now - start + 1):
        times = lane.times(now + 1 - reach, now + 1)
        if times.size:
            return int(times[-1])
    return None


def newest_of(platform: Platform, device: Device, now: int) -> int | None:
    """The time of a device's newest message, or None."""
    found = [newest(lane, platform.fleet.start, now) for lane in lanes(platform, device)]
    return max((at for at in found if at is not None), default=None)


def latest(platform: Platform, device: Device) -> list[Latest]:
    """The newest value of each attribute that a device ever sent."""
    now, found = platform.now(), []
    for lane in lanes(platform, device):
        at = newest(lane, platform.fleet.start, now)
        if at is not None:
            columns = lane.columns(np.array([at], dtype=np.int64))
            found += [Latest(name, at, columns[name][0]) for name in lane.names]
    return found


# pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages of a device: times in [start, end], both included."""

    start: int
    end: int
    size: int = MOST
    oldest_first: bool = False
    attributes: frozenset[str] | None = None
    """Names in small letters: of attributes or of whole objects; None: all."""
    token: str = ""


class Feed(NamedTuple):
    """One page of messages as JSON texts, and the token of the next one."""

    items: list[str]
    token: str | None


def read(platform: Platform, device: Device, wanted: Wanted) -> Feed:
    """A page of a device's messages; 412 for a token that is none."""
    chosen = [
        part for part in (_narrowed(one, wanted) for one in lanes(platform, device)) if part is not None
    ]
    at, skip = _position(wanted)
    start, end = (
        (max(at, wanted.start), wanted.end) if wanted.oldest_first else (wanted.start, min(at, wanted.end))
    )
    found = [lane.times(start, end + 1) for lane in chosen]
    times = np.concatenate([np.empty(0, dtype=np.int64), *found])
    lane_of = np.repeat(np.arange(len(found)), [one.size for one in found])
    order = np.argsort(times if wanted.oldest_first else -times, kind="stable")
    order = order[skip : skip + wanted.size + 1]
    part, more = order[: wanted.size], order.size > wanted.size
    items = [""] * part.size
    for number, lane in enumerate(chosen):
        places = np.flatnonzero(lane_of[part] == number)
        texts = _texts(lane, device.unique, times[part[places]], as_text=platform.switches.text_values)
        for place, text in zip(places.tolist(), texts, strict=True):
            items[place] = text
    if not more:
        return Feed(items, None)
    last = int(times[part[-1]])
    beside = int(np.count_nonzero(times[part] == last)) + (skip if last == at else 0)
    return Feed(items, sealed(f"{last}.{beside}"))


def _position(wanted: Wanted) -> tuple[int, int]:
    """The time at which a page begins, and how many messages of that time are done."""
    if not wanted.token:
        return (wanted.start if wanted.oldest_first else wanted.end), 0
    text, _, rest = opened(wanted.token).partition(".")
    at, skip = digits(text), digits(rest)
    if at is None or skip is None or not wanted.start <= at <= wanted.end:
        raise invalid(("continuationToken", "the token is not valid"))
    return at, skip


def _narrowed(lane: Lane, wanted: Wanted) -> Lane | None:
    """The lane with the attributes asked for only, or None if it has none of them."""
    if wanted.attributes is None:
        return lane
    names = tuple(
        name
        for name in lane.names
        if name.lower() in wanted.attributes or name.partition(".")[0].lower() in wanted.attributes
    )
    return Lane(names=names, times=lane.times, columns=lane.columns) if names else None


def _texts(lane: Lane, unique: str, times: Times, *, as_text: bool) -> list[str]:
    """The messages of a lane at some times as JSON."""
    if not times.size:
        return []
    ascending = np.argsort(times, kind="stable")
    columns = lane.columns(times[ascending])
    pieces = _pieces(lane.names, columns, as_text=as_text)
    head = '{"uniqueId":' + msgspec.json.encode(unique).decode() + ',"dTime":"'
    stamps = np.datetime_as_string(times[ascending].astype("M8[ms]"), unit="ms").tolist()
    made = [f'{head}{at}Z","attr":{{{attr}}}}}' for at, attr in zip(stamps, pieces, strict=True)]
    out = [""] * len(made)
    for place, text in zip(ascending.tolist(), made, strict=True):
        out[place] = text
    return out


def _pieces(names: Sequence[str], columns: Mapping[str, list[Any]], *, as_text: bool) -> list[str]:
    """The members of `attr`, the children of an object inside of it."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition(".")[0], []).append(name)
    parts: list[list[str]] = []
    for group, members in groups.items():
        inner = []
        for name in members:
            label = '"' + (name.partition(".")[2] or name) + '":'
            inner.append([label + _json(value, as_text=as_text) for value in columns[name]])
        joined = inner[0] if len(inner) == 1 else [",".join(row) for row in zip(*inner, strict=True)]
        nested = "." in members[0]
        parts.append([f'"{group}":{{{text}}}' for text in joined] if nested else joined)
    return parts[0] if len(parts) == 1 else [",".join(row) for row in zip(*parts, strict=True)]


def _json(value: Any, *, as_text: bool) -> str:
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    text = plain(value)
    return f'"{text}"' if as_text else text


def plain(value: Any) -> str:
    """A value as text: `21.5`, `true`, `parked`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def stamp_of(one: Latest) -> str:
    """The time of a latest value as it is printed."""
    return iso(one.at)
