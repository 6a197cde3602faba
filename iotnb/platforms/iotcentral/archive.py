"""What is in an application, and what of it can still be saved: for the announced end of the service."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from iotnb import frames, times
from iotnb.errors import ConfigError, Forbidden, Incomplete, IotnbError
from iotnb.loading import Load, each

if TYPE_CHECKING:
    from iotnb.platforms.iotcentral.client import IotCentral

ANNOUNCED = "2029-09-20"
"""The day on which the service ends, by the vendor's notice of 2026-09-29."""

HIDDEN = "*****"
_KEYS = {"primarykey", "secondarykey", "token", "connectionstring", "clientsecret", "endorsementkey", "value"}


class Archive:
    """The inventory of an application as tables, and the files that keep it.

    `tables()` reads everything: devices, templates, groups, jobs, exports, destinations, dashboards, roles,
    users, organizations, API tokens, enrollment groups, properties. What the login may not read is in
    `refused` with the reason. `save(folder)` writes them, and the telemetry that is still kept. Keys and
    tokens are blanked.
    """

    def __init__(self, client: IotCentral) -> None:
        self.client = client
        self.refused: dict[str, str] = {}
        self._documents: dict[str, list[dict[str, Any]]] | None = None

    def documents(self) -> dict[str, list[dict[str, Any]]]:
        """The application's documents by kind, in the platform's words, secrets blanked."""
        if self._documents is None:
            self._documents = {}
            for name, read in self._chapters().items():
                try:
                    self._documents[name] = [blanked(each) for each in read()]
                except Forbidden as error:
                    self.refused[name] = str(error).splitlines()[0]
        return self._documents

    def tables(self) -> dict[str, pd.DataFrame]:
        """The same as tables: one row a document, one column a leaf; devices with their readiness."""
        found = {name: frames.flat(listed) for name, listed in self.documents().items()}
        found["devices"] = self.readiness()
        return found

    def summary(self) -> pd.DataFrame:
        """How many of each kind there are: columns kind, documents, note."""
        rows: list[tuple[str, int | None, str]]
        rows = [(name, len(listed), "") for name, listed in self.documents().items()]
        rows += [(name, None, reason) for name, reason in self.refused.items()]
        frame = pd.DataFrame(rows, columns=["kind", "documents", "note"])
        frame["documents"] = frame["documents"].astype("Int64")
        return frame

    def readiness(self) -> pd.DataFrame:
        """Which devices the vendor's migration tool can move.

        Columns: device, name, template, ready, reason. The tool sends the command DeviceMove of the component
        `dtmi:azureiot:DeviceMigration;1`, and passes over devices without a template.
        """
        models = self.client.fleet.models()
        rows = []
        for document in self.documents().get("devices", ()):
            template = document.get("template")
            model = models.get(str(template))
            reason = "no template: the tool passes over it" if not template else ""
            if template and (model is None or not model.migrates):
                reason = "its template lacks the component DeviceMigration"
            if not reason and not document.get("provisioned"):
                reason = "never provisioned"
            rows.append((document.get("id"), document.get("displayName"), template, not reason, reason))
        return pd.DataFrame(rows, columns=["device", "name", "template", "ready", "reason"])

    def save(self, folder: str | Path, *, since: str = "7d") -> pd.DataFrame:
        """Writes everything into a new or empty folder: columns file, rows, bytes, note.

        One JSON file a kind, `readiness.csv`, `measurements.parquet` and `operations.parquet`, and
        `archive.json`, which says when, from where, and what is missing. Loads with gaps are kept and noted.
        Raises ConfigError if the folder holds something.
        """
        place = Path(folder).expanduser()
        if place.exists() and any(place.iterdir()):
            raise ConfigError(f"the folder {place} is not empty: name a new one")
        place.mkdir(parents=True, exist_ok=True)
        written: list[tuple[str, int, int, str]] = []

        def note(name: str, rows: int, words: str = "") -> None:
            written.append((name, rows, (place / name).stat().st_size, words))

        for name, listed in self.documents().items():
            file = f"{name}.json"
            (place / file).write_text(json.dumps(listed, indent=1, ensure_ascii=False), encoding="utf-8")
            note(file, len(listed))
        ready = self.readiness()
        ready.to_csv(place / "readiness.csv", index=False)
        note("readiness.csv", len(ready))
        for verb, span in (("measurements", since), ("operations", "3650d")):
            frame, words = self._loaded(verb, span)
            frame.attrs = {}
            frame.to_parquet(place / f"{verb}.parquet")
            note(f"{verb}.parquet", len(frame), words)
        self._about(place, written)
        return pd.DataFrame(written, columns=["file", "rows", "bytes", "note"])

    def _loaded(self, verb: str, since: str) -> tuple[pd.DataFrame, str]:
        try:
            return getattr(self.client, verb)(since=since), ""
        except Incomplete as error:
            return error.partial, str(error).splitlines()[0]

    def _about(self, place: Path, written: list[tuple[str, int, int, str]]) -> None:
        about = {
            "application": self.client.host,
            "user": self.client.user,
            "written": times.to_wire(times.now()),
            "service ends": ANNOUNCED,
            "refused": self.refused,
            "files": [dict(zip(("file", "rows", "bytes", "note"), each, strict=True)) for each in written],
            "not in the API": "rules, telemetry older than 7 days, jobs' reasons, times of commands",
        }
        (place / "archive.json").write_text(json.dumps(about, indent=1), encoding="utf-8")

    def _chapters(self) -> dict[str, Callable[[], list[dict[str, Any]]]]:
        api = self.client.api
        return {
            "devices": lambda: _unique(api.devices.list()),
            "templates": lambda: _unique(api.templates.list()),
            "groups": lambda: _unique(api.groups.list()),
            "jobs": self._jobs,
            "scheduled_jobs": api.scheduled_jobs.list,
            "destinations": api.destinations.list,
            "exports": api.exports.list,
            "dashboards": api.dashboards.list,
            "manifests": api.manifests.list,
            "enrollment_groups": api.enrollment_groups.list,
            "organizations": api.organizations.list,
            "roles": api.roles.list,
            "users": api.users.list,
            "api_tokens": api.api_tokens.list,
            "file_uploads": lambda: [found] if (found := api.file_uploads.find()) else [],
            "properties": self._properties,
            "relationships": self._relationships,
        }

    def _jobs(self) -> list[dict[str, Any]]:
        jobs = self.client.api.jobs
        return [{**job, "devices": jobs.devices(str(job["id"]))} for job in jobs.list()]

    def _each_device(self, read: Callable[[str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        load = Load(workers=self.client.session.settings.workers)
        ids = [str(document["id"]) for document in self.documents().get("devices", ())]
        found = each(ids, read, load)
        if load.gaps:
            raise IotnbError(f"{load.gaps[0]['item']}: {load.gaps[0]['reason']}")
        return found

    def _properties(self) -> list[dict[str, Any]]:
        get = self.client.api.properties.get
        return self._each_device(lambda device: [{"device": device, "properties": get(device)}])

    def _relationships(self) -> list[dict[str, Any]]:
        found = self._each_device(self.client.api.devices.relationships)
        return _unique(found)


def blanked(document: Any) -> Any:
    """The document without keys, tokens and connection strings."""
    if isinstance(document, Mapping):
        hides = document.get("secret") is True or document.get("type") == "header"
        return {
            name: HIDDEN
            if isinstance(value, str) and name.lower() in _KEYS and (name.lower() != "value" or hides)
            else blanked(value)
            for name, value in document.items()
        }
    return [blanked(each) for each in document] if isinstance(document, list) else document


def _unique(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each document once: pages may overlap, and a relationship is listed at both its ends."""
    return list({str(each.get("id") or each.get("@id")): each for each in documents}.values())
