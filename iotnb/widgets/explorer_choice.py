"""What the measurement explorer is asked for: the tree of series, the choice in it, and an estimate."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from iotnb import curves, frames, times
from iotnb.client import identifiers
from iotnb.errors import ConfigError, Incomplete, IotnbError
from iotnb.widgets import explorer_sheets as sheets
from iotnb.widgets.explorer_tree import Pair, SeriesTree
from iotnb.widgets.explorer_view import ExplorerView
from iotnb.widgets.panel import sentence

if TYPE_CHECKING:
    from iotnb.client import Client

AT_ONCE: Final = 12  # devices whose series are asked for without being opened
SAMPLED: Final = 3  # devices that are asked for a sample, for an estimate
SPANS: Final = ("15m", "4h", "3d")  # lengths of samples: the first that tells the step of all series
ENOUGH: Final = 1000  # rows of a sample after which a longer one is not asked for
PAUSE: Final = 0.3  # seconds without a change before an estimate is made


class SeriesChooser(ExplorerView):
    """The explorer's tree: devices and series of a client, which are chosen, and how much they hold."""

    def __init__(self, client: Client, devices: Any, *, zone: str) -> None:
        super().__init__(client, zone=zone)
        self._tree = SeriesTree(_listed(devices))
        self._samples: dict[tuple[str, ...], pd.DataFrame] = {}
        self._timer: threading.Timer | None = None
        self._unfolded = False

    def offer(self, *, everything: bool) -> None:
        """Fills the tree, in the background: with all devices of the client, or those that were given."""
        self._tell_tree()
        if everything:
            self.aside(self._load_devices)
        else:
            self._need(list(self._tree.names)[:AT_ONCE])

    @property
    def selection(self) -> pd.DataFrame:
        """The chosen series: device, series, unit, first, last."""
        return self._tree.known()

    def select(self, series: pd.DataFrame | Iterable[Pair]) -> None:
        """Chooses exactly these series: pairs of device and series, or a frame with these columns."""
        if isinstance(series, pd.DataFrame):
            series = zip(series["device"].astype(str), series["series"].astype(str), strict=True)
        pairs = [(str(device), str(name)) for device, name in series]
        self._tree.extend(pd.DataFrame({"device": [device for device, _ in pairs]}, dtype="str"))
        self._tree.choose(pairs)
        self._need(list(dict.fromkeys(device for device, _ in pairs))[:AT_ONCE])
        self._chosen()

    def _pairs(self) -> list[Pair]:
        return list(self._tree.chosen)

    def _load_devices(self) -> None:
        self.say("busy", "Loading", "Asking for the devices ...")
        job = self.client.job("devices")
        devices = job.result()
        if self.closed.is_set():
            return
        self._tree.extend(devices)
        self.greet()
        self._tell_tree()
        self._need(list(self._tree.names)[:1])

    def _need(self, devices: list[str]) -> None:
        """Asks for the series of devices that are not known yet, in the background."""
        unknown = self._tree.unknown(devices)
        if unknown:
            self.aside(self._learn, unknown)

    def _learn(self, devices: list[str]) -> None:
        series = self._came("series", devices)
        latest = frames.empty("latest")
        if "latest" in self.client.supports:
            latest = self._came("latest", devices)
        if self.closed.is_set():
            return
        self._tree.learn(devices, series, latest)
        if not self._unfolded and len(self._tree.names) <= AT_ONCE:
            self._unfolded = True
            for device in list(self._tree.names)[:3]:
                self._tree.open(device, True)
        self._chosen()

    def _came(self, verb: str, devices: list[str]) -> pd.DataFrame:
        """What a verb gives for the devices; what is missing is said, and the rest used."""
        job = self.client.job(verb, devices)
        try:
            return job.result()
        except Incomplete as error:
            self.say("warn", "Incomplete", sentence(error))
            return job.partial if job.partial is not None else frames.empty(verb)

    def _chosen(self) -> None:
        self._tell_tree()
        self._later()

    def _tell_tree(self) -> None:
        if self.closed.is_set() or self.leaf is None:
            return
        rows, left = self._tree.rows()
        chosen = len(self._tree.chosen)
        note = f"{left:,} more devices: search for them." if left else ""
        if not rows:
            note = "Nothing matches the search." if self._tree.text else "There are no devices."
        self.leaf.send(
            {
                "kind": "tree",
                "rows": rows,
                "count": f"{chosen:,} series chosen",
                "selected": chosen,
                "note": note,
            }
        )

    # -- how much it will be

    def _later(self) -> None:
        """Makes an estimate once nothing has changed for a moment."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(PAUSE, self.handler(self._estimate))
        self._timer.daemon = True
        self._timer.start()

    def _estimate(self) -> None:
        mine, known = self._timer, self._tree.known()
        if known.empty or self.closed.is_set():
            self.guess("")
            return
        try:
            span = times.window(*self.window)
        except ConfigError as error:
            self.guess(sentence(error), problem=True)
            return
        samples = []
        for device in list(dict.fromkeys(known["device"]))[:SAMPLED]:
            here = known[known["device"] == device]
            key = (device, *here["series"])
            if key not in self._samples and mine is self._timer:
                self._samples[key] = self._sample(here)
            samples.append(self._samples.get(key, frames.empty("measurements")))
        if mine is self._timer and not self.closed.is_set():
            self.guess(sheets.size(known, samples, span, self.reduction().get("aggregate")))

    def _sample(self, known: pd.DataFrame) -> pd.DataFrame:
        """Some values of one device, from just before its last one."""
        last = known["last"].max()
        end = times.now() if pd.isna(last) else last.to_pydatetime(warn=False)
        sample = frames.empty("measurements")
        for span in SPANS:
            window = times.window(span, end)
            asked = {"since": times.to_wire(window.start), "until": times.to_wire(end + pd.Timedelta("1s"))}
            device, series = str(known["device"].iloc[0]), list(known["series"])
            try:
                sample = self.client.job("measurements", device, series=series, **asked).result()
            except IotnbError:  # an estimate that cannot be made is none; the load itself will say why
                return sample
            stepping = [curve for curve in curves.split(sample) if curve.step > 0]
            if len(stepping) == len(series) or len(sample) > ENOUGH:
                return sample
        return sample

    def _tell(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        if not self.closed.is_set() and self.leaf is not None:
            self.leaf.send(content, buffers)


def _listed(devices: Any) -> pd.DataFrame:
    if isinstance(devices, pd.DataFrame):
        identifiers(devices)  # says what is wrong with a frame that has no devices
        return devices
    ids = [] if devices is None else identifiers(devices)
    return pd.DataFrame({"device": pd.Series(ids, dtype="str")})
