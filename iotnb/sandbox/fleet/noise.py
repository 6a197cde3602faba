"""Reproducible randomness: a number is a hash of a key and a position, never the state of a generator.

The scalar and the array functions give the same numbers, so a value does not depend on how it was asked for.
"""

from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]

_MASK = 2**64 - 1
_STEP = 0x9E3779B97F4A7C15  # the increment and the multipliers of SplitMix64
_MUL1 = 0xBF58476D1CE4E5B9
_MUL2 = 0x94D049BB133111EB


def mix(x: int) -> int:
    """Scramble 64 bits: neighbouring inputs give unrelated outputs."""
    x &= _MASK
    x = ((x ^ (x >> 30)) * _MUL1) & _MASK
    x = ((x ^ (x >> 27)) * _MUL2) & _MASK
    return x ^ (x >> 31)


@lru_cache(maxsize=65_536)
def stream(seed: int, label: str, *parts: int) -> int:
    """The key of one named stream of numbers, for example ("outage", device)."""
    h = mix(seed + crc32(label.encode()) * _STEP)
    for part in parts:
        h = mix(h ^ ((part + 1) * _STEP))
    return h


def unit(key: int, n: int = 0) -> float:
    """Number n of a stream, uniform in [0, 1)."""
    return (mix(key + n * _STEP) >> 11) * 2.0**-53


def pick(key: int, choices: int, n: int = 0) -> int:
    """Number n of a stream as an integer in [0, choices)."""
    return mix(key + n * _STEP) % choices


def units(key: int, n: Times) -> Values:
    """Numbers n of a stream, uniform in [0, 1): the array form of unit()."""
    x = n.astype(np.uint64)
    x *= np.uint64(_STEP)
    x += np.uint64(key)
    x ^= x >> np.uint64(30)
    x *= np.uint64(_MUL1)
    x ^= x >> np.uint64(27)
    x *= np.uint64(_MUL2)
    x ^= x >> np.uint64(31)
    x >>= np.uint64(11)
    out = x.astype(np.float64)
    out *= 2.0**-53
    return out


def smooth(key: int, times: Times, period: int) -> Values:
    """A slow random curve in [-1, 1] with one knot a period: weather, radio conditions."""
    if not times.size:
        return np.empty(0)
    knot = times // period
    first = int(knot.min())
    table = 2.0 * units(key, np.arange(first, int(knot.max()) + 2, dtype=np.int64)) - 1.0
    knot_at = knot - first
    share = (times - knot * period) / period
    share *= share * (3.0 - 2.0 * share)
    left = table[knot_at]
    right = table[knot_at + 1]
    return np.asarray(left + (right - left) * share)
