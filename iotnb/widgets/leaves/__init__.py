"""The leaves: the few widgets of our own with JavaScript, plain ES modules without a build chain."""

from iotnb.widgets.leaves.leaves import (
    ChoiceLeaf,
    DeskGuard,
    ExplorerLeaf,
    FormGuard,
    GridLeaf,
    KeyGuard,
    LiveLeaf,
    PlotLeaf,
    SecretField,
    StatusLine,
    TimelineLeaf,
    collect,
)

__all__ = [
    "ChoiceLeaf",
    "DeskGuard",
    "ExplorerLeaf",
    "FormGuard",
    "GridLeaf",
    "KeyGuard",
    "LiveLeaf",
    "PlotLeaf",
    "SecretField",
    "StatusLine",
    "TimelineLeaf",
    "collect",
]
