"""What a cell asked and got, as HTTP and as curl: script-free HTML and text, secrets blanked."""

from __future__ import annotations

import html
import shlex
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from iotnb import endpoints
from iotnb.client import Client
from iotnb.exchange import Exchange
from iotnb.markup import BAD, DIM, FONT, GOOD, HAIR, INK, MONO, ODD
from iotnb.secret import scrub

OPTIONS = {"-X", "-H", "--head", "--compressed", "--data-raw", "--data-binary"}
LIMIT = 50  # exchanges shown at once

CODE = (
    "white-space:pre-wrap;overflow-wrap:anywhere;max-height:36em;overflow:auto;margin:4px 0 10px;"
    f"padding:8px 10px;border-radius:4px;font:12px/1.5 {MONO};"
    "background:var(--jp-layout-color2,#eee);color:var(--jp-content-font-color1,inherit)"
)
LABEL = f"font-size:12px;font-weight:600;margin:8px 0 0;{DIM}"


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
        self._known: list[endpoints.Endpoint] | None = None

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
        return {"text/html": to_html(self.exchanges, line=self._line), "text/plain": repr(self)}

    def _line(self, exchange: Exchange) -> str:
        """The line of `client.api` that sends the same request; empty when none is known."""
        if self._known is None:
            self._known = endpoints.endpoints(self._client) if isinstance(self._client, Client) else []
        address = urlsplit(exchange.url)
        try:
            body = msgspec.json.decode(exchange.request_body.encode()) if exchange.request_body else None
        except msgspec.DecodeError:
            body = None
        query = parse_qsl(address.query, keep_blank_values=True)
        found = endpoints.find(self._known, exchange.method, address.path, query=query, body=body)
        return found.line if found is not None else ""


def to_html(exchanges: Iterable[Exchange], *, line: Callable[[Exchange], str] | None = None) -> str:
    """Exchanges as HTML: no script, no outside file, colours of the notebook's theme.

    One line each, with what was sent and answered, as HTTP and as curl, behind it; `line` gives the line of
    Python that sends the same.
    """
    listed = list(exchanges)
    if not listed:
        return f'<div style="{FONT};{INK}">Nothing was sent.</div>'
    shown = listed[-LIMIT:]
    left = len(listed) - len(shown)
    head = f'<div style="{LABEL};{INK}">{left:,} earlier exchanges are left out.</div>' if left else ""
    began = min(each.started for each in shown)
    ends = [(each.started - began).total_seconds() + each.elapsed for each in shown]
    several = len({_host(each) for each in shown}) > 1
    rows = "".join(_entry(each, began, max(*ends, 1e-6), line, several) for each in shown)
    total = f'<div style="{LABEL};padding:0 0 6px">{html.escape(totals(listed))}</div>'
    return f'<div style="{FONT};{INK};max-width:1100px">{total}{head}{rows}</div>'


def totals(exchanges: Sequence[Exchange]) -> str:
    """All of them in one line: how many, how many failed, bytes and seconds."""
    failed = sum(_outcome(each)[1] != GOOD for each in exchanges)
    hosts = list(dict.fromkeys(map(_host, exchanges)))
    to = f" to {hosts[0]}" if len(hosts) == 1 else f" to {len(hosts)} hosts"
    parts = [f"{len(exchanges):,} request{'' if len(exchanges) == 1 else 's'}{to}"]
    parts += [f"{failed:,} not answered with success"] if failed else []
    parts += [_size(sum(each.size for each in exchanges)) + " received"]
    return ", ".join([*parts, f"{sum(each.elapsed for each in exchanges) * 1000:,.0f} ms waited"])


def summary(exchange: Exchange) -> str:
    """One exchange in one line: method, address, outcome, milliseconds, size."""
    size = f", {_size(exchange.size)}" if exchange.size else ""
    took = f"{exchange.elapsed * 1000:.0f} ms"
    return scrub(f"{exchange.method} {exchange.url} -> {_outcome(exchange)[0]} ({took}{size})")


def multiline(curl: str) -> str:
    """A curl line with a line for each option, as documents print it."""
    return " ".join(
        f"\\\n  {shlex.quote(word)}" if word in OPTIONS else shlex.quote(word) for word in shlex.split(curl)
    )


def _outcome(exchange: Exchange) -> tuple[str, str]:
    """The outcome in words, and its colour."""
    if not exchange.status:
        return f"no answer ({exchange.error})", BAD
    colour = GOOD if exchange.status < 300 else ODD if exchange.status < 400 else BAD
    return f"{exchange.status} {exchange.reason}".strip(), colour


def _entry(
    exchange: Exchange,
    began: datetime,
    span: float,
    line: Callable[[Exchange], str] | None,
    several: bool,
) -> str:
    python = line(exchange) if line is not None else ""
    parts = [("HTTP", exchange.http()), ("curl", multiline(exchange.curl())), ("Python", python)]
    body = "".join(
        f'<div style="{LABEL}">{name}</div><pre tabindex="0" style="{CODE}">{html.escape(scrub(text))}</pre>'
        for name, text in parts
        if text
    )
    return (
        f'<details style="border-top:{HAIR};padding:0 2px">'
        f'<summary style="cursor:pointer;padding:5px 0;overflow-wrap:anywhere">{_title(exchange, several)}'
        f"{_bar((exchange.started - began).total_seconds(), exchange.elapsed, span)}</summary>"
        f'<div style="padding:0 0 4px 18px">{body}</div></details>'
    )


def _host(exchange: Exchange) -> str:
    address = urlsplit(scrub(exchange.url))
    return f"{address.scheme}://{address.netloc}"


def _title(exchange: Exchange, several: bool) -> str:
    """Method, address, outcome, time, size; the host only where there are several."""
    address = urlsplit(scrub(exchange.url))
    path = scrub(unquote(address.path + (f"?{address.query}" if address.query else "")))
    words, colour = _outcome(exchange)
    size = f", {_size(exchange.size)}" if exchange.size else ""
    square = (
        '<span style="display:inline-block;width:9px;height:9px;border-radius:2px;'
        f'background:{colour};margin:0 6px 0 6px"></span>'
    )
    host = _host(exchange) if several else ""
    told = ((exchange.method + " ", INK, 600), (host, DIM, 400), (path, INK, 400))
    named = "".join(
        f'<code style="font:{weight} 12px {MONO};background:none;padding:0;{ink}">{html.escape(text)}</code>'
        for text, ink, weight in told
    )
    return (
        f'{named} <span style="white-space:nowrap">{square}'
        f'<span style="font-weight:600">{html.escape(scrub(words))}</span> '
        f'<span style="font-size:12px;{DIM}">({exchange.elapsed * 1000:.0f} ms{size})</span></span>'
    )


def _bar(start: float, elapsed: float, span: float) -> str:
    """When the request ran, among the others: a bar on a line from the first to the last."""
    left = min(100 * start / span, 98.5)
    wide = min(max(100 * elapsed / span, 1.5), 100 - left)
    return (
        '<span style="display:block;height:3px;margin:3px 0 0 18px;border-radius:2px;'
        'background:color-mix(in srgb,var(--jp-content-font-color1,currentColor) 10%,transparent)">'
        f'<span style="display:block;height:3px;border-radius:2px;margin-left:{left:.1f}%;'
        f'width:{wide:.1f}%;background:var(--jp-brand-color1,#1976d2)"></span></span>'
    )


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"
