"""What one device holds: properties, commands, last values; of the device, a component or a module."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from iotnb.errors import ConfigError, RequestError
from iotnb.platforms.iotcentral.api.chapter import Chapter, Document, Link, document, segment
from iotnb.platforms.iotcentral.journal import Journal
from iotnb.session import Answer


def place(device: str, component: str = "", module: str = "") -> str:
    """The path of a device, a component of it, a module, or a component of a module."""
    path = f"/devices/{segment(device, what='a device')}"
    path += f"/modules/{segment(module)}" if module else ""
    return path + (f"/components/{segment(component)}" if component else "")


class Telemetry(Chapter):
    """Last values: `{"value": 32, "timestamp": "..."}`, one name a call."""

    def get(
        self,
        device: str,
        name: str,
        *,
        component: str = "",
        module: str = "",
        stop: threading.Event | None = None,
    ) -> Document:
        """The last value, or an empty object when there has never been one."""
        answer = self.answer(device, name, component=component, module=module, stop=stop)
        return {} if answer.status == 404 else document(answer)

    def answer(
        self,
        device: str,
        name: str,
        *,
        component: str = "",
        module: str = "",
        stop: threading.Event | None = None,
    ) -> Answer:
        """The same as the answer that it came in, which may be a 404."""
        path = f"{place(device, component, module)}/telemetry/{segment(name)}"
        return self._request("GET", path, expect={404}, stop=stop)


class Properties(Chapter):
    """Reported values, desired values and their acknowledgement; writes go into the client's journal."""

    def __init__(self, link: Link, journal: Journal) -> None:
        super().__init__(link)
        self._journal = journal

    def get(
        self,
        device: str,
        *,
        component: str = "",
        module: str = "",
        stop: threading.Event | None = None,
    ) -> Document:
        """The properties that were ever set, with `$metadata`; components stand nested below the device."""
        return self._json("GET", f"{place(device, component, module)}/properties", stop=stop)

    def update(
        self, device: str, values: Mapping[str, Any], *, component: str = "", module: str = ""
    ) -> Document:
        """Asks for new values (202): accepted by the platform, not yet by the device."""
        return self._write("PATCH", device, values, component, module)

    def replace(
        self, device: str, values: Mapping[str, Any], *, component: str = "", module: str = ""
    ) -> Document:
        """The same for all values at once: what is not given is taken away."""
        return self._write("PUT", device, values, component, module)

    def _write(
        self, method: str, device: str, values: Mapping[str, Any], component: str, module: str
    ) -> Document:
        path = f"{place(device, component, module)}/properties"
        with self._journal.write("property", device, "", component, module, dict(values)) as entry:
            answer = self._request(method, path, json=dict(values))
            entry.status = answer.status
            return document(answer)


class Commands(Chapter):
    """Commands; the platform remembers the newest call of each only, the client's journal all of its own."""

    def __init__(self, link: Link, journal: Journal) -> None:
        super().__init__(link)
        self._journal = journal

    def call(
        self,
        device: str,
        name: str,
        request: Any = None,
        *,
        component: str = "",
        module: str = "",
        connection_timeout: int | None = None,
        response_timeout: int | None = None,
    ) -> Document:
        """Calls a command and waits for the device's answer: `{"id", "request", "response", "responseCode"}`.

        The payload travels as `{"request": ...}`: without this wrapper the device gets nothing.
        `connection_timeout` is 0 to 30 s (how long to wait for the device), `response_timeout` 5 to 30 s.
        Raises RequestError 404 or 408 when the device did not answer.
        """
        body = wrapped(request, connection_timeout, response_timeout)
        path = f"{place(device, component, module)}/commands/{segment(name, what='a command')}"
        wait = (connection_timeout or 0) + (response_timeout or 30)
        connect, read = self._link.session.settings.timeout
        with self._journal.write("command", device, name, component, module, request) as entry:
            try:
                answer = self._request(
                    "POST", path, json=body, timeout=(connect, max(read, wait + 10.0)), retry=False
                )
            except RequestError as error:
                entry.status = error.status
                raise
            entry.status, entry.result = answer.status, document(answer)
            return dict(entry.result)

    def history(
        self,
        device: str,
        name: str,
        *,
        component: str = "",
        module: str = "",
        stop: threading.Event | None = None,
    ) -> list[Document]:
        """The newest call of a command, if there was one; it bears no time."""
        path = f"{place(device, component, module)}/commands/{segment(name, what='a command')}"
        answer = self._request("GET", path, expect={404}, stop=stop)
        return [] if answer.status == 404 else list(document(answer).get("value") or [])


def wrapped(request: Any, connection_timeout: int | None, response_timeout: int | None) -> Document:
    """The body of a command call; raises ConfigError for timeouts that the platform does not take."""
    for name, value, low, high in (
        ("connection_timeout", connection_timeout, 0, 30),
        ("response_timeout", response_timeout, 5, 30),
    ):
        if value is not None and not low <= value <= high:
            raise ConfigError(f"{name}={value} must be between {low} and {high} seconds")
    body: Document = {} if request is None else {"request": request}
    if connection_timeout is not None:
        body["connectionTimeout"] = connection_timeout
    if response_timeout is not None:
        body["responseTimeout"] = response_timeout
    return body
