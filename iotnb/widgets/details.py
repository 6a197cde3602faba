"""What the details of one device show: its row in full, and the platform's own document."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import pandas as pd

from iotnb.secret import scrub

DOCUMENT = "document"  # the column that the verbs add with documents=True
LONGEST = 200_000  # characters of a document that are shown


def row(frame: pd.DataFrame, at: int, label: Callable[[str], str] = str) -> list[list[str]]:
    """A row as pairs of heading and text, in the table's order; times are UTC, to the second."""
    line = frame.iloc[at]
    return [[label(str(name)), text(line[name])] for name in frame.columns if name != DOCUMENT]


def document(frame: pd.DataFrame, at: int) -> str:
    """The document of the row at a position, indented and scrubbed; empty where the table has none."""
    if DOCUMENT not in frame.columns:
        return ""
    return pretty(text(frame[DOCUMENT].iloc[at]))


def of(frame: pd.DataFrame, device: str) -> str:
    """The document of a device in a table of the verb devices(documents=True); empty when it is not there."""
    found = frame.loc[(frame["device"] == device).to_numpy()]
    return document(found, 0) if len(found) else ""


def pretty(document: str) -> str:
    """JSON text with a line for each member, secrets blanked; other text as it is."""
    with contextlib.suppress(msgspec.DecodeError):
        document = msgspec.json.format(document, indent=2)
    shown = scrub(document)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}\n... cut after {LONGEST:,} characters"


def text(value: Any) -> str:
    """A cell as text: nothing is empty, times are UTC to the second."""
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(each) for each in value)
    if not pd.api.types.is_scalar(value):
        return str(value)
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        zoned = value.tz_convert("UTC") if value.tzinfo else value
        return f"{zoned:%Y-%m-%d %H:%M:%S}"
    return str(value)
