"""When a device is silent: outages, lost samples, devices that died or never came on line."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from iotnb.sandbox.fleet.catalog import BLOCK, DAY, HOUR, MINUTE, Catalog
from iotnb.sandbox.fleet.noise import pick, stream, unit, units

Span = tuple[int, int]
Chunks = Callable[[int, int], tuple[Span, ...]]
_CHUNK = 32  # days that are worked out, and remembered, together
LONGEST = 11 * HOUR
"""No outage is longer: whoever looks this far back has seen every outage that reaches a moment."""


def merge(spans: list[Span]) -> list[Span]:
    """The same times as sorted spans that do not touch."""
    out: list[Span] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            if end > out[-1][1]:
                out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out


class Connectivity:
    """Silence of the devices of a catalog; spans are [start, end) in milliseconds."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seed = catalog.seed
        self._outages = lru_cache(maxsize=16_384)(self._outage_chunk)
        self._gaps = lru_cache(maxsize=16_384)(self._gap_chunk)

    def never(self, i: int) -> bool:
        """True for a device that is registered and has never connected."""
        block, place = divmod(i, BLOCK)
        return block % 3 == 1 and place == BLOCK - 1

    def dead_since(self, i: int) -> int | None:
        """The moment from which a device (or the gateway in front of it) is silent for good, or None."""
        own = self._own_death(i)
        gateway = self._catalog.gateway(i)
        above = None if gateway is None else self._own_death(gateway)
        return min((t for t in (own, above) if t is not None), default=None)

    def _own_death(self, i: int) -> int | None:
        block, place = divmod(i, BLOCK)
        if place == 0:
            dies = block % 7 == 5
        else:
            dies = place == 1 + pick(stream(self._seed, "dies"), BLOCK - 1, block)
        if not dies:
            return None
        share = 0.7 + 0.28 * unit(stream(self._seed, "death"), i)
        return self._catalog.start + int(share * self._catalog.span)

    def outages(self, i: int, start: int, end: int) -> list[Span]:
        """The device's own outages that begin in [start, end)."""
        found = self._collect(self._outages, i, start, end)
        return [span for span in found if start <= span[0] < end]

    def gaps(self, i: int, start: int, end: int) -> list[Span]:
        """Sorted spans inside [start, end) from which no sample arrived, the gateway's outages included."""
        reach = start - LONGEST
        found = self._collect(self._gaps, i, reach, end)
        gateway = self._catalog.gateway(i)
        if gateway is not None:
            found = found + self._collect(self._outages, gateway, reach, end)
        return [(max(a, start), min(b, end)) for a, b in merge(found) if a < end and b > start]

    def silent(self, i: int, at: int) -> Span | None:
        """The outage (the device's own or its gateway's) in which a moment lies, or None."""
        found = self._collect(self._outages, i, at - LONGEST, at + 2 * DAY)
        gateway = self._catalog.gateway(i)
        if gateway is not None:
            found = found + self._collect(self._outages, gateway, at - LONGEST, at + 2 * DAY)
        return next((span for span in merge(found) if span[0] <= at < span[1]), None)

    def _collect(self, chunks: Chunks, i: int, start: int, end: int) -> list[Span]:
        first, last = start // (_CHUNK * DAY), (end - 1) // (_CHUNK * DAY)
        found: list[Span] = []
        for chunk in range(first, last + 1):
            found += chunks(i, chunk)
        return found

    def _outage_chunk(self, i: int, chunk: int) -> tuple[Span, ...]:
        days = np.arange(chunk * _CHUNK, (chunk + 1) * _CHUNK, dtype=np.int64)
        flaky = unit(stream(self._seed, "flaky"), i) < 0.1
        days = days[units(stream(self._seed, "outage", i), days) < (0.5 if flaky else 0.07)]
        starts = days * DAY + (units(stream(self._seed, "outage start", i), days) * DAY).astype(np.int64)
        share = units(stream(self._seed, "outage length", i), days)
        ends = starts + 10 * MINUTE + (share**2 * (LONGEST - HOUR)).astype(np.int64)
        return tuple(zip(starts.tolist(), ends.tolist(), strict=True))

    def _gap_chunk(self, i: int, chunk: int) -> tuple[Span, ...]:
        """Outages and the short losses of a radio link: up to three a day, half a minute to six minutes."""
        slots = np.arange(chunk * _CHUNK * 3, (chunk + 1) * _CHUNK * 3, dtype=np.int64)
        slots = slots[units(stream(self._seed, "loss", i), slots) < 0.4]
        at = units(stream(self._seed, "loss start", i), slots)
        starts = (slots // 3) * DAY + (at * DAY).astype(np.int64)
        length = units(stream(self._seed, "loss length", i), slots)
        ends = starts + MINUTE // 2 + (length**2 * 6 * MINUTE).astype(np.int64)
        losses = zip(starts.tolist(), ends.tolist(), strict=True)
        return (*self._outages(i, chunk), *losses)
