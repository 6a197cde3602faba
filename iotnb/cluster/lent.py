"""The worker's side of a lent login: sessions that ask the lender for each turn and each token."""

from __future__ import annotations

import io
import pickle
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iotnb import errors
from iotnb.auth import Auth, BearerAuth
from iotnb.client import Client
from iotnb.pacing import Pace
from iotnb.secret import Sealed, Secret
from iotnb.session import Session, Settings

LOCK = type(threading.Lock())
EMPTY = Secret("")  # what stands on a worker where the lender has a secret
KEPT = 20  # earlier credentials that are still kept out of texts


class _Packer(pickle.Pickler):
    """Packs a login without what must not travel: sessions and credentials become numbers."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.sessions: list[Session] = []

    def persistent_id(self, thing: Any) -> tuple[str, int] | None:
        """What stands in the pickle for a session, its credentials or a secret."""
        if isinstance(thing, Session):
            if thing not in self.sessions:
                self.sessions.append(thing)
            return "session", self.sessions.index(thing)
        if isinstance(thing, Auth):
            return "auth", next((n for n, each in enumerate(self.sessions) if each.auth is thing), -1)
        return ("secret", 0) if isinstance(thing, Secret) else None

    def reducer_override(self, thing: Any) -> Any:
        """A lock is made anew where it arrives."""
        return (threading.Lock, ()) if isinstance(thing, LOCK) else NotImplemented


@dataclass(frozen=True)
class Door:
    """What a worker needs to make one session again: addresses and settings, no credentials."""

    kind: type[Session]
    base_url: str
    settings: Settings
    headers: Mapping[str, str]
    authority: str  # PEM of the CA file, or empty


@dataclass(frozen=True)
class Parcel:
    """A login packed for the workers."""

    client: Callable[[Any], Client]  # the class: each platform makes its client from a login
    login: bytes
    doors: tuple[Door, ...]


def pack(client: Client, *, workers: int) -> tuple[Parcel, list[Session]]:
    """A client's login without its secrets, and the sessions that the numbers in it stand for.

    `workers` is how many requests a worker may have under way at once. Raises ConfigError for a login that
    cannot be lent.
    """
    file = io.BytesIO()
    packer = _Packer(file)
    packer.dump(client.lendable)
    doors = tuple(_door(session, workers) for session in packer.sessions)
    return Parcel(type(client), file.getvalue(), doors), packer.sessions


def _door(session: Session, workers: int) -> Door:
    settings = session.settings
    if settings.cert is not None:
        raise errors.ConfigError(
            "this login presents a client certificate in each connection: its key stays on this machine, so "
            "it cannot be lent to a cluster. Log in with a token."
        )
    authority = Path(settings.verify).read_text() if isinstance(settings.verify, str) else ""
    shared = replace(
        settings, rate=None, workers=workers, passphrase=None, verify=settings.verify is not False
    )
    return Door(type(session), session.base_url, shared, session.extra_headers, authority)


class Borrowed:
    """A login that was lent to this process; `client` is like the lender's."""

    def __init__(self, parcel: Parcel, *, url: str, authority: str, ticket: Secret) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="iotnb-lent-")
        self._lender = Session(
            url,
            auth=BearerAuth(ticket),
            settings=Settings(verify=self._trusted(authority), workers=64, timeout=(5.0, 120.0), exchanges=0),
        )
        self._parcel = parcel
        self._sessions: dict[int, Session] = {}
        self.client = parcel.client(self._unpacked(parcel.login))

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()
        self._lender.close()
        self._folder.cleanup()

    def _trusted(self, pem: str) -> str:
        path = Path(self._folder.name) / f"{len(list(Path(self._folder.name).iterdir()))}.pem"
        path.write_text(pem)
        return str(path)

    def _unpacked(self, login: bytes) -> Any:
        outer = self

        class Unpacker(pickle.Unpickler):
            def persistent_load(self, reference: tuple[str, int]) -> Any:
                kind, number = reference
                if kind == "secret":
                    return EMPTY
                if kind == "auth" and number < 0:
                    return Auth()  # of no session: it served the login itself
                session = outer.session(number)
                return session if kind == "session" else session.auth

        return Unpacker(io.BytesIO(login)).load()  # made by `pack` and brought by the cluster

    def session(self, number: int) -> Session:
        """The session with a number: the same one each time."""
        if number not in self._sessions:
            door = self._parcel.doors[number]
            settings = door.settings
            if door.authority:
                settings = replace(settings, verify=self._trusted(door.authority))
            self._sessions[number] = door.kind(
                door.base_url,
                auth=LentAuth(self._lender, number),
                settings=settings,
                headers=door.headers,
                pace=LentPace(self._lender, number, workers=settings.workers),
            )
        return self._sessions[number]


class LentAuth(Auth):
    """Credentials that the lender holds and renews; asked for with each request, sent when they changed."""

    def __init__(self, lender: Session, number: int) -> None:
        self._lender, self._session = lender, number
        self._present: tuple[int, Sealed] = (0, Sealed())
        self._seen: list[Secret] = []
        self._lock = threading.Lock()

    def headers(self) -> Sealed:
        """The headers that carry the present credentials."""
        number, headers = self._present
        told = ask(self._lender, ask="credentials", session=self._session, seen=number)
        if "headers" not in told:
            return headers
        fresh = Sealed(told["headers"])
        with self._lock:
            if told["number"] > self._present[0]:
                self._present = (told["number"], fresh)
                words = [word for value in fresh.values() for word in str(value).split()[-1:]]
                self._seen = [*self._seen, *map(Secret, words)][-KEPT:]
        return fresh

    def refused(self, used: Mapping[str, str]) -> bool:
        """Tells the lender of a 401; True when another try is worthwhile."""
        number, headers = self._present
        if dict(used) != dict(headers):
            return True  # it carried older ones
        return bool(ask(self._lender, ask="refused", session=self._session, seen=number)["again"])

    def describe(self) -> dict[str, str]:
        """That it is lent."""
        return {"method": "lent"}

    def secrets(self) -> list[Secret]:
        """What was sent lately."""
        return list(self._seen)


class LentPace(Pace):
    """The lender's pace: one rate and one waiting after a 429 for all workers."""

    def __init__(self, lender: Session, number: int, *, workers: int) -> None:
        super().__init__(rate=None, workers=workers)
        self._lender, self._session = lender, number

    def limit(self, path: str, rate: float | None) -> None:
        """Nothing: what a path is limited to, the lender knows."""

    def reserve(self, path: str, step: int = 0) -> tuple[float, bool]:
        """Takes one turn at the lender."""
        told = ask(self._lender, ask="turn", session=self._session, path=path, step=step)
        return float(told["seconds"]), bool(told["more"])

    def hold(self, seconds: float) -> None:
        """Lets nobody's turn come for so many seconds, on any worker."""
        ask(self._lender, ask="hold", session=self._session, seconds=seconds)


def ask(lender: Session, **question: Any) -> Sealed:
    """One question to the lender; raises what the lender says, or ConnectionFailed when it has gone."""
    try:
        answer = lender.post("/", json=question, retry=True, expect={409})
    except errors.ConnectionFailed as error:
        raise errors.ConnectionFailed(
            "the process that lent its login to this worker does not answer\n"
            "Keep the notebook and its client open until the partitions are computed; ask again if it ended.",
            host=error.host,
            kind=error.kind,
            method=error.method,
            path=error.path,
        ) from None
    if answer.status == 409:
        raise pickle.loads(answer.body)  # noqa: S301  # an error of ours, from the process that lent the login
    return Sealed(answer.json())
