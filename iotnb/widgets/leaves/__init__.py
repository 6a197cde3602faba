"""The leaves: the few widgets of our own with JavaScript, plain ES modules without a build chain."""

from iotnb.widgets.leaves.leaves import FormGuard, GridLeaf, KeyGuard, SecretField, StatusLine, collect

__all__ = ["FormGuard", "GridLeaf", "KeyGuard", "SecretField", "StatusLine", "collect"]
