"""The tree of the explorer: devices, their components where there are many series, and the series."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

LARGEST: Final = 400  # rows that are shown at once; a search finds the others
GROUPED: Final = 8  # a device with more series than this shows them by component

Pair = tuple[str, str]


@dataclass(slots=True)
class Entry:
    """One series of one device: unit, first and last time, and its last value in words."""

    device: str
    series: str
    unit: str
    first: Any
    last: Any
    value: str


class SeriesTree:
    """Which devices and series there are, which are open and which are chosen.

    `devices` has the columns device and, where it is known, name. The series of a device come later, by
    `learn`; a device that is chosen before that is chosen with all its series then.
    """

    def __init__(self, devices: pd.DataFrame) -> None:
        self._lock = threading.RLock()
        self._words: list[str] = []
        self._searched: dict[str, str] = {}
        self.chosen: dict[Pair, None] = {}  # in the order of choosing
        self._open: set[str] = set()
        self._wanted: set[str] = set()
        self._series: dict[str, list[Entry]] = {}
        self.names: dict[str, str] = {}
        self.extend(devices)

    def extend(self, devices: pd.DataFrame) -> None:
        """Takes devices that are not in the tree yet."""
        ids = devices["device"].astype(str)
        names = devices["name"] if "name" in devices.columns else ids
        with self._lock:
            for device, name in zip(ids, names, strict=True):
                if device not in self.names:
                    self.names[device] = name if isinstance(name, str) and name else device
                    self._searched[device] = f"{self.names[device]} {device}".lower()

    def unknown(self, devices: Iterable[str]) -> list[str]:
        """Those of the devices whose series are not known yet."""
        return [device for device in devices if device not in self._series]

    def learn(self, devices: Iterable[str], series: pd.DataFrame, latest: pd.DataFrame) -> None:
        """Takes what `client.series()` and `client.latest()` say of devices."""
        values = {
            (str(row.device), str(row.series)): _shown(row.value, row.text)
            for row in latest.itertuples(index=False)
        }
        found: dict[str, list[Entry]] = {str(device): [] for device in devices}
        for row in series.itertuples(index=False):
            device, name = str(row.device), str(row.series)
            unit = row.unit if isinstance(row.unit, str) else ""
            value = values.get((device, name), "")
            found.setdefault(device, []).append(Entry(device, name, unit, row.first, row.last, value))
        with self._lock:
            self._series |= found
            for device in self._wanted & found.keys():
                self.chosen |= dict.fromkeys((device, each.series) for each in found[device])
            self._wanted -= found.keys()

    # -- what the page asks

    def open(self, key: str, on: bool) -> list[str]:
        """Opens or closes a device or component; returns the devices whose series are needed for it."""
        device = key.split("\x1f")[0]
        with self._lock:
            (self._open.add if on else self._open.discard)(key)
        return self.unknown([device]) if on else []

    def check(self, key: str, on: bool) -> list[str]:
        """Chooses a series, or all that the search leaves of a component or device.

        Returns the devices that must be learned first.
        """
        device, component, series = (*key.split("\x1f"), "", "")[:3]
        with self._lock:
            if device not in self._series:
                (self._wanted.add if on else self._wanted.discard)(device)
                return [device] if on else []
            for each in self._matching(device) or ():
                if series in ("", each.series) and (series or not component or _part(each) == component):
                    if on:
                        self.chosen[device, each.series] = None
                    else:
                        self.chosen.pop((device, each.series), None)
        return []

    def choose(self, pairs: Iterable[Pair]) -> None:
        """Chooses exactly these pairs of device and series."""
        with self._lock:
            self.chosen = dict.fromkeys(pairs)
            self._wanted.clear()

    def known(self) -> pd.DataFrame:
        """The chosen series: device, series, unit, first, last (UTC, missing where nobody knows)."""
        with self._lock:
            entries = {
                (each.device, each.series): each for entries in self._series.values() for each in entries
            }
            rows = [entries.get(pair) or Entry(*pair, "", pd.NaT, pd.NaT, "") for pair in self.chosen]
        return pd.DataFrame(
            {
                "device": pd.Series([row.device for row in rows], dtype="str"),
                "series": pd.Series([row.series for row in rows], dtype="str"),
                "unit": pd.Series([row.unit for row in rows], dtype="str"),
                "first": pd.to_datetime([row.first for row in rows], utc=True),
                "last": pd.to_datetime([row.last for row in rows], utc=True),
            }
        )

    def rows(self) -> tuple[list[dict[str, Any]], int]:
        """The rows that are to be seen, at most 400 of them, and how many devices are left out."""
        shown: list[dict[str, Any]] = []
        with self._lock:
            found = [device for device in self.names if self._fits(device)] if self.text else list(self.names)
            left = len(found)
            for device in found:
                if len(shown) >= LARGEST:
                    break
                shown += self._device(device, self.names[device], self._matching(device))
                left -= 1
        shown = shown[:LARGEST]
        _count(shown)
        return shown, left

    @property
    def text(self) -> str:
        """The search: words that a device, or a device and its series, must all hold."""
        return " ".join(self._words)

    @text.setter
    def text(self, text: str) -> None:
        self._words = text.lower().split()

    def _found(self, text: str) -> bool:
        return all(word in text for word in self._words)

    def _fits(self, device: str) -> bool:
        return self._found(self._searched[device]) or bool(self._matching(device))

    def _matching(self, device: str) -> list[Entry] | None:
        """The series of a device that the search leaves; all when the device itself is found by it."""
        inner, here = self._series.get(device), self._searched.get(device, "")
        if not inner or self._found(here):
            return inner
        return [each for each in inner if self._found(f"{here} {each.series} {each.unit}".lower())]

    def _device(self, device: str, name: str, inner: list[Entry] | None) -> list[dict[str, Any]]:
        searched = bool(self._words)
        opened = device in self._open or (searched and bool(inner) and len(self.names) > 1)
        more = "" if inner is None or opened else str(len(inner)) if inner else "no series"
        if inner is None and device in self._wanted:
            more = "loading ..."
        rows = [
            {
                "key": device, "level": 1, "name": name, "part": "", "more": more,
                "title": f"{name} ({device})" + (f", {len(inner)} series" if inner else ""),
                "open": str(opened).lower(), "checked": self._ticked(self._series.get(device), device),
            }
        ]  # fmt: skip
        if not opened:
            return rows
        parts: dict[str, list[Entry]] = {}
        for each in inner or ():
            parts.setdefault(_part(each), []).append(each)
        for part, entries in parts.items():
            if len(inner or ()) <= GROUPED or len(entries) == 1:
                rows += [self._leaf(each, part, 2) for each in entries]
                continue
            key = f"{device}\x1f{part}"
            unfolded = key in self._open or searched
            rows.append(
                {
                    "key": key, "level": 2, "name": part, "part": "", "title": part,
                    "more": "" if unfolded else f"{len(entries)} series",
                    "checked": self._ticked(entries, ""), "open": str(unfolded).lower(),
                }
            )  # fmt: skip
            if unfolded:
                rows += [self._leaf(each, part, 3) for each in entries]
        return rows

    def _leaf(self, each: Entry, part: str, level: int) -> dict[str, Any]:
        name = each.series.removeprefix(f"{part}.")
        value = f"{each.value} {each.unit}".strip() if each.value else each.unit
        seen = "" if pd.isna(each.last) else f", last value {each.last:%Y-%m-%d %H:%M} UTC"
        return {
            "key": f"{each.device}\x1f{part}\x1f{each.series}", "level": level, "name": name, "more": value,
            "part": part if level == 2 and part != name else "",
            "title": f"{each.series}{f' in {each.unit}' if each.unit else ''}{seen}", "open": None,
            "checked": str((each.device, each.series) in self.chosen).lower(),
        }  # fmt: skip

    def _ticked(self, entries: list[Entry] | None, device: str) -> str:
        if not entries:
            return "true" if device in self._wanted else "false"
        chosen = [(each.device, each.series) in self.chosen for each in entries]
        return "true" if all(chosen) else "mixed" if any(chosen) else "false"


def _count(rows: list[dict[str, Any]]) -> None:
    """Tells each row its place among its sisters, as a screen reader says it."""
    families: list[list[dict[str, Any]]] = []
    path: list[list[dict[str, Any]]] = []
    for row in rows:
        level = int(row["level"])
        del path[level:]
        if len(path) < level:
            path.append([])
            families.append(path[-1])
        path[level - 1].append(row)
    for family in families:
        for at, row in enumerate(family, 1):
            row["at"], row["of"] = at, len(family)


def _part(each: Entry) -> str:
    """The component or fragment of a series: what stands before the last dot."""
    return each.series.rpartition(".")[0] or each.series


def _shown(value: Any, text: Any) -> str:
    if isinstance(text, str) and text:
        return text
    return "" if pd.isna(value) else f"{value:.6g}"
