"""Exchanges: what was asked and answered, to be shown as HTTP and as a curl line, secrets blanked."""

from __future__ import annotations

import html
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from iotnb.secret import Secret, scrub, scrub_headers

KEPT = 8_192  # bytes of a body that an exchange shows; a longer one is cut and says so
SPARE = 2_048  # bytes kept behind the cut
_ENDING = " in all)"


@dataclass(kw_only=True)
class Exchange:
    """One request and its answer; secrets are blanked before they are kept.

    `status` is 0 when no answer came; `error` then says why. Times are UTC, `elapsed` is in seconds.
    """

    method: str
    url: str
    request_headers: dict[str, str]
    request_body: str
    started: datetime
    status: int = 0
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    elapsed: float = 0.0
    size: int = 0
    error: str = ""
    _body: str | bytes = field(default="", repr=False)
    _secrets: Sequence[Secret] = field(default=(), repr=False, compare=False)

    @classmethod
    def begin(
        cls,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        started: datetime,
        secrets: Sequence[Secret],
    ) -> Exchange:
        """A request about to be sent."""
        return cls(
            method=method,
            url=scrub(url, secrets),
            request_headers=scrub_headers(headers, secrets),
            request_body=_shorten((body or b"")[: KEPT + SPARE], secrets, len(body or b"")),
            started=started,
        )

    def answered(
        self, status: int, reason: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret]
    ) -> None:
        """Takes the answer. A long body is data, not credentials: it is blanked when it is first shown."""
        self.reason, self.size = reason, len(body)
        self.headers = scrub_headers(headers, secrets)
        if len(body) <= KEPT:
            self._body = _shorten(body, secrets, len(body))
        else:
            self._body, self._secrets = body[: KEPT + SPARE], secrets
        self.status = status

    @property
    def body(self) -> str:
        """The answer's body as text, secrets blanked; cut after 8,192 bytes."""
        if isinstance(self._body, bytes):
            self._body, self._secrets = _shorten(self._body, self._secrets, self.size), ()
        return self._body

    def http(self) -> str:
        """The exchange as HTTP would write it."""
        lines = [
            f"{self.method} {self.url}",
            *(f"{name}: {value}" for name, value in self.request_headers.items()),
        ]
        if self.request_body:
            lines += ["", self.request_body]
        if self.status:
            lines += ["", f"HTTP/1.1 {self.status} {self.reason}".rstrip()]
            lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.error:
            lines += ["", f"(no answer: {self.error})"]
        if self.body:
            lines += ["", self.body]
        return "\n".join(lines)

    def curl(self) -> str:
        """The request as a curl line; put your own credentials where the mask stands."""
        usual = "POST" if self.request_body else "GET"
        verb = ["--head"] if self.method == "HEAD" else ["-X", self.method] if self.method != usual else []
        parts = ["curl", *verb, shlex.quote(self.url)]
        skipped = {"user-agent", "accept-encoding", "connection", "content-length"}
        for name, value in self.request_headers.items():
            if name.lower() not in skipped:
                parts += ["-H", shlex.quote(f"{name}: {value}")]
        if "gzip" in self.request_headers.get("Accept-Encoding", ""):
            parts.append("--compressed")
        if self.request_body.endswith(_ENDING):
            parts += ["--data-binary", "@body"]  # too long to be kept: put it into a file of that name
        elif self.request_body:
            parts += ["--data-raw", shlex.quote(self.request_body)]
        return " ".join(parts)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_body": self.body, "_secrets": ()}

    def _repr_html_(self) -> str:
        outcome = f"{self.status} {self.reason}".strip() if self.status else f"no answer: {self.error}"
        title = html.escape(f"{self.method} {self.url} → {outcome} ({self.elapsed * 1000:.0f} ms)")
        style = (
            "white-space:pre-wrap;overflow-wrap:anywhere;max-height:24em;overflow:auto;"
            "margin:.3em 0 .8em;padding:.6em;"
            "background:var(--jp-layout-color2,#f3f3f3);color:var(--jp-content-font-color1,inherit)"
        )
        return (
            f"<details><summary><code>{title}</code></summary>"
            f'<pre style="{style}">{html.escape(self.http())}</pre>'
            f'<pre style="{style}">{html.escape(self.curl())}</pre></details>'
        )


def _shorten(body: bytes, secrets: Sequence[Secret], size: int) -> str:
    """A body as readable text: JSON indented, secrets blanked, cut when long."""
    if size <= KEPT:
        return scrub(_pretty(body), secrets)
    # blanked with some more behind the cut: the first half of a secret alone would not be recognized
    return f"{scrub(body.decode('utf-8', 'replace'), secrets)[:KEPT]}\n... ({size:,} bytes{_ENDING}"


def _pretty(body: bytes) -> str:
    if body[:1] in (b"{", b"["):
        try:
            msgspec.json.decode(body)  # format() alone does not refuse what is no JSON
            return msgspec.json.format(body, indent=2).decode()
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    return body.decode("utf-8", "replace")
