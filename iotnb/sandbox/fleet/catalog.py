"""Which devices there are: every device is a pure function of (seed, index, start, days).

Ten devices form a block at one site: a gateway, four to six climate sensors behind it, and machines of
their own. Blocks repeat, so a fleet of any size costs no memory.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from iotnb.sandbox.fleet.noise import pick, stream, unit

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BLOCK = 10

Kind = Literal["gateway", "sensor", "machine"]


@dataclass(frozen=True, slots=True)
class Series:
    """One measured quantity; outside [low, high] its value is abnormal and may raise an alarm."""

    group: str
    name: str
    unit: str
    interval: int
    """Milliseconds between two samples; the series of one group share their times."""
    kind: Literal["number", "text", "bool"]
    low: float
    high: float

    @property
    def key(self) -> str:
        """Group and name with a dot: `environment.temperature`."""
        return f"{self.group}.{self.name}"


@dataclass(frozen=True, slots=True)
class Device:
    """One simulated device; identifiers are text, times are milliseconds."""

    index: int
    key: str
    serial: str
    name: str
    kind: Kind
    model: str
    parent: int | None
    created: int
    imei: str
    iccid: str
    imsi: str
    msisdn: str
    mac: str
    latitude: float
    longitude: float
    site: str
    firmware_before: str
    firmware_after: str
    rollout: int


_ENVIRONMENT = (
    Series("environment", "temperature", "C", MINUTE, "number", 2.0, 32.0),
    Series("environment", "humidity", "%RH", MINUTE, "number", 20.0, 90.0),
)
_VIBRATION = (
    Series("vibration", "rms", "mm/s", MINUTE, "number", 0.0, 7.1),
    Series("vibration", "peak", "mm/s", MINUTE, "number", 0.0, 28.0),
)
_SIGNAL = (
    Series("signal", "rssi", "dBm", 15 * MINUTE, "number", -110.0, -50.0),
    Series("signal", "ber", "%", 15 * MINUTE, "number", 0.0, 8.0),
)
_BATTERY = (Series("battery", "level", "%", HOUR, "number", 20.0, 100.0),)
_CPU = (Series("cpu", "load", "%", 5 * MINUTE, "number", 0.0, 95.0),)
_MEMORY = (Series("memory", "used", "MB", 5 * MINUTE, "number", 0.0, 960.0),)

SERIES: dict[Kind, tuple[Series, ...]] = {
    "gateway": _CPU + _MEMORY + _SIGNAL,
    "sensor": _ENVIRONMENT + _BATTERY + _SIGNAL,
    "machine": _VIBRATION + _ENVIRONMENT + _SIGNAL,
}
"""What each kind of device measures."""

_SITES = (
    ("Essen", 51.4556, 7.0116),
    ("Duesseldorf", 51.2277, 6.7735),
    ("Utrecht", 52.0907, 5.1214),
    ("Ghent", 51.0543, 3.7174),
    ("Lyon", 45.7640, 4.8357),
    ("Torino", 45.0703, 7.6869),
    ("Brno", 49.1951, 16.6068),
    ("Aarhus", 56.1629, 10.2039),
)
_MODEL: dict[Kind, str] = {"gateway": "IG-500", "sensor": "CS-20", "machine": "PX-7"}
_WORD: dict[Kind, str] = {"gateway": "Gateway", "sensor": "Climate sensor", "machine": "Pump"}
_PREFIX: dict[Kind, str] = {"gateway": "gw", "sensor": "sensor", "machine": "machine"}
_FIRMWARE: dict[Kind, tuple[str, str]] = {
    "gateway": ("2.3.1", "2.4.0"),
    "sensor": ("1.0.7", "1.1.0"),
    "machine": ("5.2.0", "5.3.2"),
}
_KEY = re.compile(r"(gw|sensor|machine)-(\d{4,})(?:-(\d\d))?")
_SPREAD = 0x9E3779B1  # odd, so that multiplying by it is reversible modulo 2**32
_UNSPREAD = pow(_SPREAD, -1, 2**32)


def _luhn(digits: str) -> str:
    """The digits with their check digit (IMEI and ICCID end in one)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        digit = int(char) * (2 if place % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return digits + str(-total % 10)


class Catalog:
    """The devices of a fleet whose history begins at `start` (ms) and was `days` long when it was made."""

    def __init__(self, seed: int, devices: int, start: int, days: float) -> None:
        self.seed = seed
        self.size = devices
        self.start = start
        self.span = int(days * DAY)
        self._serials = stream(seed, "serial") % 2**32
        self.device = lru_cache(maxsize=8192)(self._device)
        self.sensors_in = lru_cache(maxsize=8192)(self._sensors_in)

    def _sensors_in(self, block: int) -> int:
        return 4 + pick(stream(self.seed, "block"), 3, block)

    def kind(self, i: int) -> Kind:
        """gateway, sensor or machine."""
        block, place = divmod(i, BLOCK)
        if place == 0:
            return "gateway"
        return "sensor" if place <= self.sensors_in(block) else "machine"

    def children(self, i: int) -> range:
        """The indexes of the sensors behind a gateway; empty for other devices."""
        if i % BLOCK:
            return range(0)
        return range(i + 1, min(i + 1 + self.sensors_in(i // BLOCK), self.size))

    def gateway(self, i: int) -> int | None:
        """The index of the gateway of a sensor, else None."""
        return i - i % BLOCK if self.kind(i) == "sensor" else None

    def index_of(self, text: str) -> int | None:
        """The index of the device with this key or serial number, or None."""
        found = self._from_key(text)
        if found is None and len(text) == 16 and text.startswith("00000000"):
            try:
                found = (int(text, 16) - self._serials) * _UNSPREAD % 2**32
            except ValueError:
                return None
        if found is None or not 0 <= found < self.size:
            return None
        device = self.device(found)
        return found if text in (device.key, device.serial) else None

    def _from_key(self, text: str) -> int | None:
        match = _KEY.fullmatch(text)
        if match is None:
            return None
        block, number = int(match[2]) - 1, int(match[3] or 0)
        if block < 0:
            return None
        return block * BLOCK + number + (self.sensors_in(block) if match[1] == "machine" else 0)

    def _created(self, i: int, kind: Kind) -> int:
        """Most devices are older than the history; the last sensor of every second gateway is new."""
        block, place = divmod(i, BLOCK)
        share = unit(stream(self.seed, "created"), i)
        if kind == "sensor" and block % 2 == 0 and place == self.sensors_in(block):
            return self.start + int((0.15 + 0.5 * share) * self.span)
        age = 30 + 300 * unit(stream(self.seed, "age"), block) - (10 * share if place else 0.0)
        return self.start - int(age * DAY)

    def _number(self, label: str, i: int, width: int) -> str:
        """A run of digits that differs from device to device (7654321 and 10 share no factor)."""
        offset = stream(self.seed, label)
        return f"{(i * 7_654_321 + offset) % 10**width:0{width}d}"

    def _device(self, i: int) -> Device:
        """Device number i; IndexError beyond the fleet."""
        if not 0 <= i < self.size:
            raise IndexError(f"the fleet has {self.size} devices, there is no number {i}")
        kind = self.kind(i)
        block, place = divmod(i, BLOCK)
        site, latitude, longitude = _SITES[pick(stream(self.seed, "site"), len(_SITES), block)]
        number = place - (self.sensors_in(block) if kind == "machine" else 0)
        label = f"{block + 1:04d}" + (f"-{number:02d}" if place else "")
        spread = (i * _SPREAD + self._serials) % 2**32
        wave = 0.04 * pick(stream(self.seed, "wave"), 5, block) + 0.01 * unit(stream(self.seed, "rollout"), i)
        before, after = _FIRMWARE[kind]
        place_key = stream(self.seed, "place")
        return Device(
            index=i,
            key=f"{_PREFIX[kind]}-{label}",
            serial=f"{spread:016x}",
            name=f"{_WORD[kind]} {site} {label}",
            kind=kind,
            model=_MODEL[kind],
            parent=self.gateway(i),
            created=self._created(i, kind),
            imei=_luhn("00101234" + self._number("imei", i, 6)),
            iccid=_luhn("89490200" + self._number("iccid", i, 11 if i % 3 == 0 else 10)),
            imsi="00101" + self._number("imsi", i, 10),
            msisdn="49000" + self._number("msisdn", i, 10),
            mac="02:00:" + ":".join(f"{spread:08x}"[at : at + 2] for at in (0, 2, 4, 6)),
            latitude=round(latitude + 0.02 * (unit(place_key, 2 * i) - 0.5), 6),
            longitude=round(longitude + 0.02 * (unit(place_key, 2 * i + 1) - 0.5), 6),
            site=site,
            firmware_before=before,
            firmware_after=after,
            rollout=self.start + int((0.55 + wave) * self.span),
        )
