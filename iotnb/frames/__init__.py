"""Tables: the only place where decoded rows become DataFrames.

Every table has fixed core columns in a fixed order with fixed dtypes, also when it has no rows. Times are
``datetime64[us, UTC]``; identifiers are text, so leading zeros survive; words from a small vocabulary are
categoricals. In `measurements` the column ``text`` is a categorical too: it is nearly always missing, and
so it costs one byte a row.
"""

from __future__ import annotations

from iotnb.frames.cells import SCHEMAS, VOCABULARIES, Coded, Names
from iotnb.frames.flatten import flat
from iotnb.frames.measured import Columns, chunk, columns, measurements
from iotnb.frames.origin import Provenance, provenance
from iotnb.frames.shapes import coverage, resample, wide
from iotnb.frames.tables import Cells, cells, empty, joined, table

__all__ = [
    "SCHEMAS",
    "VOCABULARIES",
    "Cells",
    "Coded",
    "Columns",
    "Names",
    "Provenance",
    "cells",
    "chunk",
    "columns",
    "coverage",
    "empty",
    "flat",
    "joined",
    "measurements",
    "provenance",
    "resample",
    "table",
    "wide",
]
