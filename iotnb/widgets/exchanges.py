"""What a cell asked and got, as HTTP and as curl: script-free HTML and text, secrets blanked."""

from __future__ import annotations

import html
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from iotnb.secret import scrub

if TYPE_CHECKING:
    from iotnb.client import Client
    from iotnb.exchange import Exchange

LIMIT = 50  # exchanges shown at once

INK = "color:var(--jp-content-font-color1,inherit)"
CODE = (
    "white-space:pre-wrap;overflow-wrap:anywhere;max-height:22em;overflow:auto;margin:4px 0 10px;"
    "padding:8px 10px;border-radius:4px;font:12px/1.5 var(--jp-code-font-family,monospace);"
    "background:var(--jp-layout-color2,#eee);color:var(--jp-content-font-color1,inherit)"
)
LABEL = "font-size:12px;margin:6px 0 0;opacity:.8"


class ExchangeView:
    """The exchanges of a client, newest last; shows itself in a notebook, one collapsible line each.

    As a context manager it holds those of its block only::

        with ExchangeView(client) as view:
            client.devices()
        view
    """

    def __init__(self, client: Client, *, last: int | None = None) -> None:
        self._client = client
        self._last = last
        self._seen: set[int] = set()
        self._held: list[Exchange] = []
        self._taken: list[Exchange] | None = None

    @property
    def exchanges(self) -> list[Exchange]:
        """The exchanges that are shown."""
        found = self._taken if self._taken is not None else self._fresh()
        return found if self._last is None else found[-self._last :]

    def __enter__(self) -> Self:
        self._held = list(self._client.exchanges)  # kept alive: their identities must not be used again
        self._seen = {id(each) for each in self._held}
        self._taken = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._taken = self._fresh()
        self._held = []

    def _fresh(self) -> list[Exchange]:
        return [each for each in self._client.exchanges if id(each) not in self._seen]

    def __len__(self) -> int:
        return len(self.exchanges)

    def __repr__(self) -> str:
        lines = [summary(each) for each in self.exchanges]
        return "\n".join(lines) or "no exchange"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": to_html(self.exchanges), "text/plain": repr(self)}


def to_html(exchanges: Iterable[Exchange]) -> str:
    """Exchanges as HTML: no script, no outside file, colours of the notebook's theme."""
    listed = list(exchanges)
    if not listed:
        return f'<div style="{INK}">Nothing was sent.</div>'
    left = len(listed) - LIMIT
    head = f'<div style="{LABEL};{INK}">{left:,} earlier exchanges are left out.</div>' if left > 0 else ""
    return head + "".join(_entry(each) for each in listed[-LIMIT:])


def summary(exchange: Exchange) -> str:
    """One exchange in one line: method, address, outcome, milliseconds, size."""
    outcome = (
        f"{exchange.status} {exchange.reason}".strip() if exchange.status else f"no answer ({exchange.error})"
    )
    size = f", {_size(exchange.size)}" if exchange.size else ""
    return scrub(f"{exchange.method} {exchange.url} -> {outcome} ({exchange.elapsed * 1000:.0f} ms{size})")


def _entry(exchange: Exchange) -> str:
    parts = [("HTTP", exchange.http()), ("curl", exchange.curl())]
    body = "".join(
        f'<div style="{LABEL}">{name}</div><pre tabindex="0" style="{CODE}">{html.escape(scrub(text))}</pre>'
        for name, text in parts
    )
    title = html.escape(summary(exchange))
    return (
        f'<details style="{INK};margin:2px 0"><summary style="cursor:pointer;overflow-wrap:anywhere">'
        f"<code>{title}</code></summary>{body}</details>"
    )


def _size(count: int) -> str:
    return (
        f"{count} B"
        if count < 1000
        else f"{count / 1000:.1f} kB"
        if count < 1_000_000
        else f"{count / 1e6:.1f} MB"
    )
