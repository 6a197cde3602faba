"""The messages of every container: the fleet's are worked out, the users' stored; merged by time."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from iotnb.sandbox.fleet import HOUR
from iotnb.sandbox.store import Document, Match
from iotnb.sandbox.tiothub import talk
from iotnb.sandbox.tiothub.devices import Projection
from iotnb.sandbox.tiothub.lanes import (
    Lane,
    Listed,
    Message,
    Samples,
    Times,
    message,
    ri_of_name,
    time_of,
)
from iotnb.sandbox.tiothub.state import State
from iotnb.sandbox.tiothub.tree import DELIVERED, QUEUED, RECEIVED, SENT, Resource, Tree

_FLEET_BOXES = 1 << 33
_SLACK = 400  # fewer messages than a container may hold: it is emptied an hour at a time
_FLEET_MESSAGE = re.compile(r"[0-9a-f]{8}a[0-7][0-9a-f]{8}[0-9a-f]{6}")
_USER_MESSAGE = re.compile(r"[0-9a-f]{8}1([0-9a-f]{15})")
_FOREVER = 1 << 62
_NEAR = (2 * HOUR, 48 * HOUR)


class Selection:
    """Messages of one container in order of time; `render` gives a slice of them as JSON texts."""

    def __init__(self, lanes: Iterable[Lane], most: int) -> None:
        self._lanes = [lane for lane in lanes if lane.times.size]
        sizes = [lane.times.size for lane in self._lanes]
        times = np.concatenate([lane.times for lane in self._lanes]) if sizes else np.empty(0, np.int64)
        order = np.argsort(times, kind="stable")[-most:]
        self.times: Times = times[order]
        self._lane = np.repeat(np.arange(len(sizes)), sizes)[order]
        starts = np.cumsum([0, *sizes])[:-1] if sizes else np.empty(0, np.int64)
        self._position = order - starts[self._lane] if sizes else order

    def __len__(self) -> int:
        return int(self.times.size)

    def render(self, first: int, last: int) -> list[str]:
        """The messages first to last - 1."""
        lane, position = self._lane[first:last], self._position[first:last]
        out: list[str] = [""] * len(lane)
        for number in np.unique(lane).tolist():
            where = np.flatnonzero(lane == number)
            for place, text in zip(where.tolist(), self._lanes[number].render(position[where]), strict=True):
                out[place] = text
        return out


class Messages:
    """Reads, adds and removes messages."""

    def __init__(self, platform: State, devices: Projection, tree: Tree) -> None:
        self.platform = platform
        self.devices, self.tree = devices, tree
        self._cutoff = lru_cache(maxsize=4096)(self._find_cutoff)
        self.load()

    def load(self) -> None:
        """Read which fleet messages users removed."""
        self._cutoff.cache_clear()
        self._erased: dict[int, set[str]] = {}
        for ri, box in self.platform.store.settings("erased").items():
            self._erased.setdefault(int(box), set()).add(ri)
        self._cleared: dict[int, int] = {
            int(box): at for box, at in self.platform.store.settings("cleared").items()
        }

    # reading

    def select(self, container: Resource, start: int = 0, end: int = _FOREVER) -> Selection:
        """The messages of a container in [start, end)."""
        box = container.box
        if box is None:
            return Selection((), 1)
        lanes = [self._stored(box, start, end)]
        if box < _FLEET_BOXES:
            lanes += self._fleet(box, container.ri, start, end)
        return Selection(lanes, self.platform.switches.retention)

    def latest(self, container: Resource) -> str | None:
        """The newest message as JSON text, or None."""
        now = self.platform.now()
        for reach in _NEAR:
            found = self.select(container, now - reach)
            if len(found):
                return found.render(len(found) - 1, len(found))[0]
        found = self.select(container)
        return found.render(len(found) - 1, len(found))[0] if len(found) else None

    def oldest(self, container: Resource) -> str | None:
        """The oldest message as JSON text, or None."""
        found = self.select(container)
        return found.render(0, 1)[0] if len(found) else None

    def by_name(self, container: Resource, rn: str) -> str | None:
        """A message of a container by its name, or None."""
        if container.box is None:
            return None
        for one in self.platform.store.select("cin", Match(sources=(container.box,), types=(rn,))):
            return one.body.decode()
        ri = ri_of_name(rn)
        found = self._fleet_message(container, ri) if _FLEET_MESSAGE.fullmatch(ri) else None
        return found if found is not None and f'"rn":"{rn}"' in found else None

    def by_ri(self, ri: str) -> tuple[Resource, str] | None:
        """A message by its id, with its container, or None."""
        stored = _USER_MESSAGE.fullmatch(ri)
        if stored is not None:
            one = self.platform.store.get("cin", int(stored[1], 16))
            parent = one.json()["pi"] if one is not None else ""
            container = self.tree.by_ri(str(parent))
            return (container, one.body.decode()) if one is not None and container is not None else None
        if not _FLEET_MESSAGE.fullmatch(ri):
            return None
        container = self._fleet_container(ri)
        found = self._fleet_message(container, ri) if container is not None else None
        return (container, found) if container is not None and found is not None else None

    def _fleet_container(self, ri: str) -> Resource | None:
        code, index = int(ri[9], 16), int(ri[10:16], 16)
        if code not in (RECEIVED, DELIVERED, QUEUED, SENT) or index >= len(self.platform.fleet):
            return None
        return self.tree.by_ri(self.tree.fleet_resource(code, index).ri)

    def _fleet_message(self, container: Resource, ri: str) -> str | None:
        at = time_of(ri)
        found = self.select(container, at, at + 1)
        return next((text for text in found.render(0, len(found)) if f'"ri":"{ri}"' in text), None)

    @staticmethod
    def decode(text: str) -> dict[str, Any]:
        """A message's JSON text as a document."""
        return msgspec.json.decode(text, type=dict[str, Any])

    # the fleet's

    def _fleet(self, box: int, parent: str, start: int, end: int) -> list[Lane]:
        index, code = divmod(box, 8)
        fleet = self.platform.fleet
        start = max(start, self._cleared.get(box, 0))
        if code in (QUEUED, SENT):
            return [Listed(self._left(box, talk.history(self.devices, index, code, parent, start, end)))]
        start = max(start, self._cutoff(index, fleet.clock.now() // HOUR, self.platform.switches.retention))
        if code != RECEIVED and index % 10:  # only the gateways have an application of their own
            return []
        lanes: list[Lane] = []
        for number, (group, series) in enumerate(fleet.groups(index).items()):
            times = self._left_times(box, number, fleet.times(index, group, start, end))
            lanes.append(
                Samples(
                    self.platform,
                    code=code,
                    index=index,
                    number=number,
                    series=series,
                    times=times,
                    parent=parent,
                )
            )
        lanes.append(Listed(self._left(box, talk.events(self.platform, index, code, parent, start, end))))
        if code == RECEIVED:
            replies = talk.history(self.devices, index, code, parent, start, end)
            lanes.append(Listed(self._left(box, replies)))
        return lanes

    def _left(self, box: int, found: list[Message]) -> list[Message]:
        erased = self._erased.get(box)
        if not erased:
            return found
        return [one for one in found if msgspec.json.decode(one.text)["ri"] not in erased]

    def _left_times(self, box: int, number: int, times: Times) -> Times:
        erased = self._erased.get(box)
        if not erased:
            return times
        gone = [time_of(ri) for ri in erased if int(ri[16:18], 16) == number]
        return times[~np.isin(times, gone)] if gone else times

    def _find_cutoff(self, index: int, hour: int, retention: int) -> int:
        """The full hour before which a device's oldest messages were dropped."""
        fleet, end, most = self.platform.fleet, hour * HOUR, retention - _SLACK
        if most <= 0:
            return 0
        low, high = fleet.start // HOUR, hour
        while low < high:
            middle = (low + high) // 2
            counts = (fleet.count(index, group, middle * HOUR, end) for group in fleet.groups(index))
            if sum(counts) > most:
                low = middle + 1
            else:
                high = middle
        return low * HOUR

    # the users'

    def _stored(self, box: int, start: int, end: int) -> Lane:
        found = self.platform.store.select("cin", Match(sources=(box,), time=(start, end)))
        return Listed([Message(one.time, one.body.decode()) for one in found])

    def has_name(self, container: Resource, rn: str) -> bool:
        """True if a message of the container has this name."""
        return self.by_name(container, rn) is not None

    def add(
        self,
        container: Resource,
        content: Any,
        *,
        creator: str,
        info: str = "",
        rn: str = "",
        labels: Any = None,
        at: int | None = None,
    ) -> dict[str, Any]:
        """A new message; gives it as a document. The oldest stored one goes if there are too many."""
        box = container.box
        if box is None:
            raise ValueError(f"{container.rn} is no container")
        store, now = self.platform.store, self.platform.now() if at is None else at
        number = store.next_ids("cin")[0]
        ri = f"{now // 1000:08x}1{number:015x}"
        text = message(
            at=now,
            ri=ri,
            parent=container.ri,
            content=content,
            info=info,
            creator=creator,
            rn=rn,
            labels=labels,
        )
        document: dict[str, Any] = msgspec.json.decode(text)
        row = Document(
            number, source=box, time=now, created=now, updated=now, type=document["rn"], body=text.encode()
        )
        store.put("cin", [row])
        match = Match(sources=(box,))
        over = store.count("cin", match) - self.platform.switches.retention
        if over > 0:
            store.drop("cin", [one.id for one in store.select("cin", match, limit=over)])
        return document

    def remove(self, container: Resource, ri: str) -> None:
        """Remove one message."""
        stored = _USER_MESSAGE.fullmatch(ri)
        if stored is not None:
            self.platform.store.drop("cin", [int(stored[1], 16)])
        elif container.box is not None:
            self._erased.setdefault(container.box, set()).add(ri)
            self.platform.store.set("erased", ri, container.box)

    def clear(self, box: int) -> None:
        """Remove every message of a container that goes."""
        self.platform.store.delete("cin", Match(sources=(box,)))
        if box < _FLEET_BOXES:
            self._cleared[box] = self.platform.now() + 1
            self.platform.store.set("cleared", str(box), self._cleared[box])
