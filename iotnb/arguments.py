"""What a person asked of a verb, read: devices, names, words of a small vocabulary."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from iotnb.errors import ConfigError

Devices = pd.DataFrame | pd.Series | Iterable[str] | str | None
Moment = str | datetime | None
Since = str | datetime | timedelta | None

MOST_SHOWN = 20  # devices that the provenance names


def identifiers(devices: pd.DataFrame | pd.Series | Iterable[Any] | str) -> list[str]:
    """Device identifiers as text, each once, in the given order.

    Takes a DataFrame with a `device` column (a picker's selection), a Series, an iterable, or one identifier.
    """
    if isinstance(devices, pd.DataFrame) and "device" not in devices.columns:
        raise ConfigError("devices= is a DataFrame without a column 'device': pass one of client.devices()")
    # a single row of a table of devices is a Series with the columns' names
    if isinstance(devices, pd.DataFrame) or (isinstance(devices, pd.Series) and "device" in devices.index):
        devices = devices["device"]
    listed: list[Any] = [devices] if pd.api.types.is_scalar(devices) else list(devices)
    for each in listed:
        if each is None or isinstance(each, float | bool) or pd.isna(each) or not str(each).strip():
            raise ConfigError(f"devices= holds {each!r}: a device identifier is text, such as '2480300'")
    return list(dict.fromkeys(str(each).strip() for each in listed))


def devices(given: Devices) -> list[str] | None:
    """The identifiers, or None for all devices."""
    return None if given is None else identifiers(given)


def names(series: str | Sequence[str] | None) -> list[str] | None:
    """The names of series, or None for all; raises ConfigError for an empty list."""
    if series is None:
        return None
    listed = [series] if isinstance(series, str) else [str(each) for each in series]
    if not listed:
        raise ConfigError("series= is empty: name at least one, or leave it out for all")
    return listed


def word(name: str, given: str | None, known: Sequence[str]) -> str | None:
    """An argument that is one of a few words, or None; raises ConfigError."""
    if given is not None and given not in known:
        raise ConfigError(f"{name}={given!r} is not one of {', '.join(known)}")
    return given


def no_series(name: str, known: Iterable[str], *, where: str) -> ConfigError:
    """The error for a series that is not there; it names those near it, or those that are."""
    there = sorted(known)
    near = difflib.get_close_matches(name, there, n=3, cutoff=0.4)
    hint = f"Near it: {', '.join(near)}." if near else f"They have {', '.join(there[:MOST_SHOWN]) or 'none'}."
    return ConfigError(f"none of {where} has a series {name!r}. {hint}")


def shown(ids: list[str] | None) -> list[str] | str | None:
    """What the provenance says of the devices: small, however many there are."""
    return f"{len(ids)} devices" if ids is not None and len(ids) > MOST_SHOWN else ids
