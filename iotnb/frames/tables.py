"""Tables from rows and from pages of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pandas as pd

from iotnb.collector import collector_paused
from iotnb.frames.cells import SCHEMAS, TEXT, as_json, typed
from iotnb.frames.flatten import flat, free_name


def empty(table: str) -> pd.DataFrame:
    """The table without rows: its columns, in order, with their dtypes."""
    return pd.DataFrame({column: typed(table, column, []) for column in SCHEMAS[table]})


@dataclass(slots=True)
class Cells:
    """The rows of one page of documents: the values of each core column, and what is kept of the documents.

    `documents` are the documents themselves where all their leaves become columns, `texts` their JSON.
    """

    columns: dict[str, list[Any]]
    documents: list[dict[str, Any]]
    texts: list[str] | None = None


def cells(
    table: str,
    page: Sequence[dict[str, Any]],
    row: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    *,
    keep: bool = False,
    documents: bool = False,
) -> Cells:
    """A page of documents as rows of a table; `keep` them for `expand`, or as text in column `document`."""
    with collector_paused():
        rows = [row(document) for document in page]
        columns = {column: [each.get(column) for each in rows] for column in SCHEMAS[table]}
        texts = [as_json(dict(document)) for document in page] if documents else None
    return Cells(columns, list(page) if keep else [], texts)


def joined(table: str, pages: Sequence[Cells], *, expand: bool = False) -> pd.DataFrame:
    """The table of all pages, in their order; its columns are those of `table()`, then `document`."""
    names = SCHEMAS[table]
    with collector_paused():
        columns = {name: list(chain.from_iterable(page.columns[name] for page in pages)) for name in names}
        frame = _core(table, columns)
    if expand:
        frame = _expanded(frame, [document for page in pages for document in page.documents])
    if any(page.texts is not None for page in pages):
        frame = frame.drop(columns="document", errors="ignore")
        frame["document"] = pd.array([text for page in pages for text in page.texts or ()], dtype=TEXT)
    return frame


def table(
    name: str, rows: Iterable[Mapping[str, Any]], *, documents: Sequence[Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """Table `name` from one mapping per row; missing keys are missing values.

    Times may be datetimes with a zone or ISO 8601 texts with one; durations timedeltas or seconds; lists in
    text columns are joined with ", ", mappings become JSON text. With `documents`, as many as rows, every
    leaf of the platform's document follows as a column under its dotted path; where a path is also the name
    of a core column it is left out if it says the same, else it becomes ``document.<path>``.
    """
    listed = list(rows)
    frame = _core(name, {column: [row.get(column) for row in listed] for column in SCHEMAS[name]})
    return frame if documents is None else _expanded(frame, documents)


def _core(table: str, columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    core = {column: typed(table, column, values) for column, values in columns.items()}
    return pd.DataFrame(core, index=pd.RangeIndex(count), copy=False)


def _expanded(frame: pd.DataFrame, documents: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The frame with a column for each leaf of its documents."""
    if len(documents) != len(frame):
        raise ValueError(f"{len(frame)} rows but {len(documents)} documents")
    leaves = flat(documents)
    for path in [path for path in leaves.columns if path in frame.columns]:
        if _same(frame[path], leaves[path]):
            leaves = leaves.drop(columns=path)
        else:
            leaves = leaves.rename(columns={path: free_name(f"document.{path}", set(leaves.columns))})
    return pd.concat([frame, leaves], axis=1)


def _same(core: pd.Series, leaf: pd.Series) -> bool:
    if len(core) == 0:
        return True
    left, right = core.astype("object"), leaf.astype("object")
    return bool(((left == right) | (left.isna() & right.isna())).all())
