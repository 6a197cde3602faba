"""The rows of a devices table below their parents: which lines a tree shows, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from iotnb.widgets.source import Mask, Positions, Source


@dataclass(frozen=True)
class Lines:
    """The lines of a tree from top to bottom; `children` counts those that it could show below each.

    `positions` are rows of the frame, `depths` 0 for a root, `opened` says which have their children shown.
    """

    positions: Positions
    depths: npt.NDArray[np.intp]
    children: npt.NDArray[np.intp]
    opened: Mask


class Tree:
    """Who is below whom, by the column `parent`.

    A row is a root when its parent is not in the table, and also when its ancestors go in a circle: no row
    is ever lost.
    """

    def __init__(self, source: Source) -> None:
        self.parents = _parents(source)

    def __bool__(self) -> bool:
        return bool((self.parents >= 0).any())

    def with_ancestors(self, chosen: Mask) -> Mask:
        """These rows and all that they stand below."""
        kept = chosen.copy()
        new = np.flatnonzero(kept)
        while len(new):
            above = np.unique(self.parents[new])
            above = above[above >= 0]
            new = above[~kept[above]]
            kept[new] = True
        return kept

    def above(self, chosen: Mask) -> Mask:
        """The rows that stand above one of these."""
        kept = self.with_ancestors(chosen)
        found = np.zeros(len(kept), dtype=bool)
        parents = self.parents[kept]
        found[parents[parents >= 0]] = True
        return found

    def lines(self, ranked: Positions, opened: Mask) -> Lines:
        """The lines for the rows in `ranked`, which also orders siblings; `opened` is one flag a row.

        Rows in `ranked` whose parent is not in it must be roots: see `with_ancestors`.
        """
        parents = self.parents[ranked]
        grouped = np.argsort(parents, kind="stable")  # siblings side by side, in the order of `ranked`
        below, keys = ranked[grouped], parents[grouped]
        counts = np.bincount(parents[parents >= 0], minlength=len(self.parents)).astype(np.intp)
        unfold = opened & (counts > 0)
        starts = np.searchsorted(keys, np.flatnonzero(unfold))
        first = dict(zip(np.flatnonzero(unfold).tolist(), starts.tolist(), strict=True))
        positions: list[Positions] = []
        depths: list[npt.NDArray[np.intp]] = []
        waiting: list[tuple[Positions, int, bool]] = [(below[: np.searchsorted(keys, 0)], 0, True)]
        while waiting:
            nodes, depth, whole = waiting.pop()
            at = np.flatnonzero(unfold[nodes]) if whole else nodes[:0]
            if not len(at):
                positions.append(nodes)
                depths.append(np.full(len(nodes), depth, dtype=np.intp))
                continue
            pieces: list[tuple[Positions, int, bool]] = []
            begin = 0
            for stop in at.tolist():
                node = int(nodes[stop])
                pieces.append((nodes[begin : stop + 1], depth, False))
                pieces.append((below[first[node] : first[node] + counts[node]], depth + 1, True))
                begin = stop + 1
            waiting += reversed([*pieces, (nodes[begin:], depth, False)])
        shown = np.concatenate(positions) if positions else ranked[:0]
        return Lines(shown, np.concatenate(depths), counts[shown], unfold[shown])


def _parents(source: Source) -> npt.NDArray[np.intp]:
    """The position of each row's parent; -1 for roots and where ancestors go in a circle."""
    count = len(source)
    if "parent" not in source.frame.columns or not count:
        return np.full(count, -1, dtype=np.intp)
    found = pc.index_in(source.strings("parent"), value_set=source.ids)
    parents: npt.NDArray[np.intp] = pc.fill_null(found, pa.scalar(-1, pa.int32())).to_numpy().astype(np.intp)
    parents[parents == np.arange(count)] = -1
    rooted = parents < 0
    while True:  # level by level from the roots
        new = ~rooted & rooted[parents] & (parents >= 0)
        if not new.any():
            break
        rooted |= new
    parents[~rooted] = -1
    return parents
