"""HTML for representations in a notebook: script-free, nothing from outside, colours of the theme."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

INK = "color:var(--jp-content-font-color1,inherit)"
DIM = "color:color-mix(in srgb,var(--jp-content-font-color1,currentColor) 72%,transparent)"
HAIR = "1px solid var(--jp-border-color2,#bbb)"
FONT = "font:13px/1.5 var(--jp-ui-font-family,sans-serif)"
MONO = "var(--jp-code-font-family,monospace)"
GOOD, ODD, BAD = (f"var(--jp-{name}-color1,{colour})" for name, colour in (
    ("success", "#388e3c"), ("warn", "#f57c00"), ("error", "#d32f2f"),
))  # fmt: skip

_CELL = "text-align:left;vertical-align:top;padding:2px 18px 2px 0;border:0;overflow-wrap:anywhere"
_NAME = f"{_CELL};font-weight:400;white-space:nowrap;{DIM}"


def card(title: str, *parts: str, state: str = "", tone: str = "") -> str:
    """A framed piece with a title; `parts` are HTML, `state` is a word beside the title in colour `tone`."""
    chip = (
        f'<span style="margin-left:10px;font-size:12px;font-weight:600;{INK}">'
        f'<span style="display:inline-block;width:9px;height:9px;border-radius:2px;margin-right:6px;'
        f'background:{tone or GOOD}"></span>{html.escape(state)}</span>'
        if state
        else ""
    )
    return (
        f'<div style="{FONT};{INK};max-width:820px;box-sizing:border-box;border:{HAIR};border-radius:8px;'
        f'padding:10px 16px 12px;margin:2px 0"><div style="margin:0 0 6px">'
        f'<strong style="font-size:14px">{html.escape(title)}</strong>{chip}</div>{"".join(parts)}</div>'
    )


def facts(rows: Mapping[str, str]) -> str:
    """Names and values as a table without lines; empty values are left out."""
    lines = "".join(
        f'<tr style="background:none"><th scope="row" style="{_NAME}">'
        f'{html.escape(name)}</th><td style="{_CELL};{INK}">{html.escape(str(value))}</td></tr>'
        for name, value in rows.items()
        if value
    )
    return f'<table style="border-collapse:collapse;margin:0;{FONT};{INK}">{lines}</table>' if lines else ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A small table with a heading row."""
    top = "".join(
        f'<th scope="col" style="{_CELL};font-weight:600">{html.escape(name)}</th>' for name in head
    )
    body = "".join(
        '<tr style="background:none">'
        + "".join(
            f'<td style="{_CELL}">{html.escape("" if cell is None else str(cell))}</td>' for cell in row
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<table style="border-collapse:collapse;margin:0;{FONT};{INK}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def fold(summary: str, body: str) -> str:
    """A part that is opened with a click, without a script."""
    return (
        f'<details style="margin:6px 0 0"><summary style="cursor:pointer;{DIM}">'
        f"{html.escape(summary)}</summary>"
        f'<div style="padding:4px 0 0 16px;overflow:auto;max-height:22em">{body}</div></details>'
    )


def line(text: str, *, tone: str = "") -> str:
    """A sentence of its own; with a `tone`, set off by a bar of that colour."""
    bar = f"border-left:3px solid {tone};padding:1px 0 1px 10px;" if tone else ""
    return f'<div style="margin:6px 0 0;{bar}{INK}">{html.escape(text)}</div>'
