"""The history of operations, put together: jobs, newest commands, and what this client has sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from iotnb import times
from iotnb.loading import Load
from iotnb.platforms.iotcentral import rows
from iotnb.platforms.iotcentral.api import Api
from iotnb.platforms.iotcentral.fleet import Fleet
from iotnb.platforms.iotcentral.journal import Entry, Journal
from iotnb.platforms.iotcentral.model import Capability
from iotnb.times import Window

Document = dict[str, Any]
Pages = Iterator[list[Document]]

NOTE = (
    "the platform keeps no times of commands and remembers the newest call of each only: what this client "
    "sent itself has its times, other calls have none"
)


class History:
    """The operations of one load: jobs are read once, whatever devices are asked for."""

    def __init__(
        self, api: Api, fleet: Fleet, journal: Journal, load: Load, window: Window, workers: int
    ) -> None:
        self._api, self._fleet, self._journal = api, fleet, journal
        self._load, self._window, self._workers = load, window, workers
        self._lock = threading.Lock()
        self._jobs: list[Document] | None = None
        self._states: dict[str, dict[str, str]] = {}

    def of(self, device: Document) -> Pages:
        """The operations of one device."""
        yield [each for each in self.jobs() if each["result"].get("id") == device["id"]]
        yield from self._device(device)

    def of_all(self, devices: Sequence[Document]) -> Pages:
        """The operations of all devices, and those of jobs for devices that are no more."""
        yield self.jobs()
        with ThreadPoolExecutor(self._workers) as pool:
            for pages in pool.map(lambda each: list(self._device(each)), devices):
                yield from pages

    def jobs(self) -> list[Document]:
        """One document a device of each job in the window."""
        with self._lock:
            if self._jobs is None:
                self._jobs = list(self._read_jobs())
            return self._jobs

    def _read_jobs(self) -> Iterator[Document]:
        for job in self._api.jobs.list(stop=self._load.stop):
            if "start" not in job:  # the list may say less than the job itself
                job = {**job, **self._api.jobs.get(str(job["id"]))}
            start = job.get("start")
            if isinstance(start, str) and not self._inside(times.from_wire(start)):
                continue
            for result in self._api.jobs.devices(str(job["id"]), stop=self._load.stop):
                yield {"origin": "job", "job": job, "result": result}
            self._load.count(pages=1)

    def _device(self, device: Document) -> Pages:
        """What was sent to one device, by this client and by others."""
        name, template = str(device["id"]), str(device.get("template") or "")
        mine = [entry for entry in self._journal if entry.device == name]
        known = {str(entry.result.get("id")) for entry in mine if entry.result.get("id")}
        sent = [self._entry(entry, number) for number, entry in enumerate(mine) if self._inside(entry.sent)]
        model = self._fleet.model(template) if template else None
        newest = [
            each
            for command in (model.commands if model else ())
            for each in self._newest(name, command, {entry.name for entry in mine}, known)
        ]
        if newest:
            self._load.note(NOTE)
        yield sent + newest

    def _newest(
        self, device: str, command: Capability, called: set[str], known: set[str]
    ) -> Iterator[Document]:
        found = self._api.commands.history(
            device, command.own, component=command.component, module=command.module, stop=self._load.stop
        )
        for result in found:
            identified = result.get("id")
            if identified and str(identified) in known:
                continue  # the journal has it, with its time
            if not identified and command.own in called:
                continue
            if result:
                yield {"origin": "command", "device": device, "path": command.name, "result": result}

    def _entry(self, entry: Entry, number: int) -> Document:
        path = ".".join(part for part in (entry.component, entry.name) if part)
        path = f"{entry.module}/{path}" if entry.module else path
        document: Document = {
            "origin": "journal",
            "id": entry.result.get("id") or f"{entry.device}/{entry.kind}-{number + 1}",
            "kind": entry.kind,
            "device": entry.device,
            "path": path if entry.name else f"{path}.{entry.kind}" if path else entry.kind,
            "payload": entry.payload,
            "sent": entry.sent,
            "finished": entry.finished,
            "code": entry.result.get("responseCode") if entry.kind == "command" else entry.status,
            "failure": entry.failure,
        }
        if entry.kind == "property" and not entry.failure:
            document["state"] = self._acknowledged(entry)
        return document

    def _acknowledged(self, entry: Entry) -> str:
        """What became of a property write, by the acknowledgements that the device has sent."""
        key = entry.device
        if key not in self._states:
            found = rows.properties(key, self._api.properties.get(key))
            self._states[key] = {each["property"]: each["state"] for each in found}
        before = f"{entry.module}." if entry.module else ""
        before += f"{entry.component}." if entry.component else ""
        states = {
            state
            for name, state in self._states[key].items()
            for wanted in _names(entry.payload, before)
            if name == wanted
        }
        if "refused" in states:
            return "FAILED"
        return "SUCCESSFUL" if states and states <= {"accepted"} else "PENDING"

    def _inside(self, moment: Any) -> bool:
        return bool(self._window.start <= moment < self._window.end)


def _names(payload: Any, before: str) -> set[str]:
    """The properties that a write is about: `settings.voltage` for `{"settings": {"voltage": 25}}`."""
    found = set()
    for name, value in payload.items():
        found.add(before + name)
        if isinstance(value, dict):
            found.update(f"{before}{name}.{inner}" for inner in value)
    return found
