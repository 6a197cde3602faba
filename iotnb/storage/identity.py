"""What an archive is of: its description, which every later load must match."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from iotnb import times
from iotnb.errors import ArchiveError
from iotnb.times import Interval

NAME: Final = "archive.json"
FORMAT: Final = 1
QUESTION: Final = ("platform", "host", "user", "series", "aggregate", "function")
LATE: Final = "1h"
DEVICES: Final = ((1_000, 16), (100, 4))  # with more devices than so many, so many buckets


@dataclass(frozen=True)
class Identity:
    """Whose data an archive holds, and how it is laid out.

    `series` None means all; `aggregate` and `function` are there when the server reduced the values. `late`
    is how long data may be on their way: what is younger when it is read is read again the next time. Files
    are put into `buckets` of devices and into parts of the calendar as long as `partition`.
    """

    platform: str
    host: str
    user: str
    series: Sequence[str] | None = None
    aggregate: str | None = None
    function: str | None = None
    late: str = LATE
    partition: str = "1d"
    buckets: int = 1
    format: int = FORMAT

    @property
    def step(self) -> Interval | None:
        """The interval that the server reduced to."""
        return None if self.aggregate is None else times.interval(self.aggregate)

    @property
    def part(self) -> Interval:
        """How much of the calendar goes into one folder."""
        return times.interval(self.partition, name="partition")

    def check(self, other: Identity, folder: Path) -> None:
        """Raises ArchiveError when another load than this archive's would go into it."""
        for name in QUESTION:
            here, there = _plain(getattr(self, name)), _plain(getattr(other, name))
            if here != there:
                raise ArchiveError(
                    f"the archive {folder} has {_said(name, here)}, and this load {_said(name, there)}: "
                    "name another directory for it"
                )

    def write(self, folder: Path) -> None:
        """Describes the archive in its folder; from then on it is one."""
        listed = {**asdict(self), "series": _plain(self.series)}
        temporary = folder / f"{NAME}.tmp"
        temporary.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
        temporary.replace(folder / NAME)


@dataclass(frozen=True)
class Target:
    """Where a load keeps what comes: the folder of an archive, and how to lay out a new one.

    With `read=False` the load returns no rows: they are in the archive.
    """

    folder: Path
    late: str = LATE
    partition: str = "1d"
    read: bool = True


def described(folder: Path) -> Identity | None:
    """What the archive in a folder is of; None when there is none. Raises ArchiveError."""
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        found = Identity(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ArchiveError(f"{folder / NAME} is not the description of an archive: {error}") from None
    if found.format != FORMAT:
        raise ArchiveError(
            f"the archive {folder} has format {found.format}, and this version of iotnb writes {FORMAT}"
        )
    return found


def buckets(devices: int) -> int:
    """Into how many buckets so many devices go."""
    return next((count for least, count in DEVICES if devices > least), 1)


def _plain(value: Any) -> Any:
    return sorted(set(value)) if isinstance(value, list | tuple) else value


def _said(name: str, value: Any) -> str:
    if value is None:
        return "all series" if name == "series" else f"no {name}"
    return f"{name} {', '.join(value) if isinstance(value, list) else value}"
