"""Messages of the fleet, as lanes: the samples of one group of series of one device, in one payload form.

A device's messages carry what it measured as `{"reported": {...}}` in one of three forms: a JSON object, JSON
text, or JSON text in base64. A message's id holds its time, its store, its device and its lane.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from iotnb.sandbox.fleet import Series
from iotnb.sandbox.tiothub.state import State
from iotnb.sandbox.tiothub.wire import basic_time

Times = npt.NDArray[np.int64]
OBJECT, TEXT, BASE64 = range(3)
_CREATOR = "CNI-IPE"
_OBJECT_SIZE = 16
_PLAIN = str.maketrans({"-": None, ":": None, ".": ","})
_ID_ENDS = [f"{ms:03x}000" for ms in range(1000)]
_NAME_ENDS = [f"{end[:2]}-{end[2:]}00000000" for end in _ID_ENDS]
_CNF = {OBJECT: "application/json:0", TEXT: "application/json:0", BASE64: "application/json:1"}


def message_ri(at: int, code: int, index: int, lane: int) -> str:
    """The id of a fleet message."""
    return f"{at // 1000:08x}a{code:x}{index:06x}{lane:02x}{at % 1000:03x}000"


def message_rn(ri: str) -> str:
    """The name of a fleet message: its id in the form of a UUID."""
    return f"{ri[:8]}-{ri[8:12]}-{ri[12:16]}-{ri[16:20]}-{ri[20:]}00000000"


def ri_of_name(rn: str) -> str:
    """The id for such a name."""
    return rn.replace("-", "")[:24]


def time_of(ri: str) -> int:
    """The time (ms) in a fleet message's id."""
    return int(ri[:8], 16) * 1000 + int(ri[18:21], 16)


def stamps(times: Times) -> list[str]:
    """Times as DMO prints them."""
    if not times.size:
        return []
    texts = np.datetime_as_string(times.astype("M8[ms]"), unit="ms").tolist()
    return ("000\n".join(texts) + "000").translate(_PLAIN).split("\n")


class Lane(Protocol):
    """Messages in order of time."""

    times: Times

    def render(self, positions: Times) -> list[str]:
        """Some of the messages as JSON texts."""


class Message(NamedTuple):
    """One message that is not a sample."""

    at: int
    text: str


class Listed:
    """Messages that are few, or that are stored: each one is ready."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._texts = [one.text for one in messages]
        self.times: Times = np.array([one.at for one in messages], dtype=np.int64)

    def render(self, positions: Times) -> list[str]:
        """Some of the messages as JSON texts."""
        return [self._texts[n] for n in positions.tolist()]


class Samples:
    """The samples of one group of one fleet device in one of its message stores."""

    def __init__(
        self,
        platform: State,
        *,
        code: int,
        index: int,
        number: int,
        series: tuple[Series, ...],
        times: Times,
        parent: str,
    ) -> None:
        self._platform = platform
        self._code, self._index, self._number = code, index, number
        self._series = series
        self._parent = parent
        self.times = times
        self.form = (index + number) % 3

    def render(self, positions: Times) -> list[str]:
        """Some of the messages as JSON texts."""
        times = self.times[positions]
        tail = f"a{self._code:x}{self._index:06x}{self._number:02x}"
        dashed = f"-{tail[:4]}-{tail[4:8]}-{tail[8:]}"
        info = f',"cnf":"{_CNF[self.form]}","ty":4,"cs":'
        creator = f',"st":0,"cr":"{_CREATOR}","ri":"'
        parent = f'","pi":"{self._parent}","ct":"'
        seconds, rest = np.divmod(times, 1000)
        starts = map("{:08x}".format, seconds.tolist())
        parts = zip(starts, rest.tolist(), stamps(times), self._contents(times), strict=True)
        return [
            f'{{"rn":"{start}{dashed}{_NAME_ENDS[ms]}","con":{con}{info}{size}{creator}{start}{tail}'
            f'{_ID_ENDS[ms]}{parent}{stamp}","lt":"{stamp}"}}'
            for start, ms, stamp, (con, size) in parts
        ]

    def _contents(self, times: Times) -> list[tuple[str, int]]:
        """`con` as it stands in the JSON of the message, and its `cs`."""
        fleet = self._platform.fleet
        columns = []
        for place, one in enumerate(self._series):
            start = f'{"," if place else ""}"{one.name}":'
            columns.append([start + repr(value) for value in fleet.value(self._index, one, times).tolist()])
        bodies = columns[0] if len(columns) == 1 else map("".join, zip(*columns, strict=True))
        texts = [f'{{"reported":{{{body}}}}}' for body in bodies]
        if self.form == OBJECT:
            return [(text, _OBJECT_SIZE) for text in texts]
        if self.form == TEXT:
            return [('"' + text.replace('"', '\\"') + '"', len(text)) for text in texts]
        coded = [base64.b64encode(text.encode()).decode() for text in texts]
        return [(f'"{text}"', len(text)) for text in coded]


def message(
    *,
    at: int,
    ri: str,
    parent: str,
    content: Any,
    info: str = "",
    creator: str = _CREATOR,
    rn: str = "",
    labels: Any = None,
) -> str:
    """One message as JSON text; without `info` it has no `cnf`."""
    size = len(content.encode()) if isinstance(content, str) else _OBJECT_SIZE
    stamp = basic_time(at)
    body: dict[str, Any] = {"rn": rn or message_rn(ri), "con": content}
    if info:
        body["cnf"] = info
    if labels:
        body["lbl"] = labels
    body |= {"ty": 4, "cs": size, "st": 0, "cr": creator, "ri": ri, "pi": parent, "ct": stamp, "lt": stamp}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)
