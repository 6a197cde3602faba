"""Arithmetic on spans of time: what of a window is missing, what touches, what is cut where."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]
"""[start, end) in microseconds since 1970, UTC."""


def union(spans: Iterable[Span]) -> list[Span]:
    """The same stretch of time in as few spans as can be, ascending; empty ones are left out."""
    made: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return made


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left of spans when others are taken away."""
    left = union(spans)
    for low, high in union(taken):
        left = [
            part
            for start, end in left
            for part in ((start, min(end, low)), (max(start, high), end))
            if part[0] < part[1]
        ]
    return left


def common(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What lies in both."""
    listed = union(others)
    found = ((max(a, low), min(b, high)) for a, b in union(spans) for low, high in listed)
    return union(found)
