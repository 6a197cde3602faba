"""The life of a device: it registers, keeps its inventory entry, obeys operations and sends data.

Subclass `Device` to prototype an integration:

    class Raspberry(Device):
        device_type = "c8y_Linux"

        def on_c8y_Restart(self, operation):
            return LATER                      # finished by `resume` after the restart

        def tick(self):                       # every `interval` seconds
            self.measure({"c8y_SignalStrength.rssi": (-53, "dBm")}, type="SignalStrength")

    Raspberry("0000000017b769d5", base_url=..., bootstrap=..., credentials="raspberry.json").run()
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from iotnb import times
from iotnb.auth import BasicAuth
from iotnb.errors import ConfigError, Conflict, ConnectionFailed, RateLimited, ServerError
from iotnb.exchange import Exchange
from iotnb.platforms.cumulocity import address, auth, credentials
from iotnb.platforms.cumulocity.api import Api
from iotnb.platforms.cumulocity.credentials import Credentials
from iotnb.platforms.cumulocity.realtime import OPERATIONS, Notifications
from iotnb.secret import Secret
from iotnb.session import Session, Settings

log = logging.getLogger("iotnb")

Document = dict[str, Any]
Value = float | int | tuple[float | int, str]

LATER = object()
"""What a handler returns for an operation that is finished only after a restart."""

PREFIX = "on_"
OFFLINE = (ConnectionFailed, ServerError, RateLimited)  # what a device lives through


class Device:
    """One device (an agent, perhaps with child devices), from its first start to its last.

    Startup phase: `request_credentials`, `look_up`, `create`, `register`, `update`, `discover`, `resume`,
    `subscribe`, `pending`; `startup` does them in order. Cycle phase: `execute`, `update`, `measure`,
    `event`, `alarm`; `cycle` executes operations as they come and calls `tick`. Each step can be repeated.

    An operation with fragment `c8y_Restart` goes to the method `on_c8y_Restart(operation)`. What it
    returns (a dict) is added to the operation, which becomes SUCCESSFUL; if it raises, FAILED with that
    reason.

    `serial` is what the device registers with, `external_id` what it is found by (the serial unless given).
    It logs in with credentials of its own, asked for with the tenant's `bootstrap` user (`tenant`,
    `username`, `password`) and kept in the file `credentials` (mode 0600); without a file they live as
    long as the object. `login` gives the fields of another login instead, for example `certificate` and
    `private_key`.
    """

    device_type: ClassVar[str] = "iotnb_Device"
    external_type: ClassVar[str] = "c8y_Serial"
    interval: float = 10.0  # seconds between two calls of tick()
    availability: int | None = None  # minutes of silence until the platform calls it offline

    def __init__(
        self,
        serial: str,
        *,
        base_url: str,
        name: str = "",
        external_id: str = "",
        bootstrap: Mapping[str, str | Secret] | None = None,
        credentials: str | Path | None = None,
        login: Mapping[str, str | Secret] | None = None,
        settings: Settings | None = None,
    ) -> None:
        if not serial.strip():
            raise ConfigError("a device needs a serial: text that is unique in its tenant")
        self.serial, self.name = serial, name or f"{self.device_type} {serial}"
        self.external_id = external_id or serial
        self.settings = settings or Settings()
        self.base_url = address.base_url(base_url, verify=self.settings.verify)
        self.id = ""
        self.children: dict[str, str] = {}
        self.failures: deque[Exception] = deque(maxlen=100)
        self._bootstrap, self._login = bootstrap, login
        self._file = Path(credentials).expanduser() if credentials is not None else None
        self._kept: Credentials | None = None
        self._api: Api | None = None
        self._live: Notifications | None = None
        self._done: deque[str] = deque(maxlen=10_000)
        self._results: dict[str, Document | None] = {}
        self._exchanges: deque[Exchange] = deque(maxlen=self.settings.exchanges)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # -- what a subclass says about itself --------------------------------------------------------------

    def inventory(self) -> Document:
        """Further fragments of the object that `create` makes (`c8y_Hardware`, `c8y_Mobile` ...)."""
        return {}

    def changes(self) -> Document:
        """Fragments that may differ after a restart (software, configuration), sent at each startup."""
        return {}

    def discover_children(self) -> Sequence[Document]:
        """The child devices found now: managed objects, each with its external identifier as `externalId`."""
        return ()

    def resumed(self, operation: Document) -> Document | None:
        """Finishes an operation that was EXECUTING when the device went down; raise to have it FAILED."""
        if "c8y_Restart" not in operation:
            raise RuntimeError("interrupted by a restart of the device")
        return None

    def tick(self) -> None:
        """Called every `interval` seconds in the cycle phase; measure here."""

    def supported(self) -> list[str]:
        """The operations with an `on_<fragment>` method."""
        return sorted(name.removeprefix(PREFIX) for name in dir(self) if name.startswith(PREFIX))

    # -- startup phase ----------------------------------------------------------------------------------

    def startup(self, *, patience: float = 300.0) -> Self:
        """Steps 0 to 6; the device may have been here before."""
        self.request_credentials(patience=patience)
        if self.look_up() is None:
            self.create()
            self.register()
        else:
            self.update(self.changes())
        self.discover()
        self.resume()
        self.subscribe()
        for operation in self.pending():
            self.execute(operation)
        return self

    def request_credentials(self, *, patience: float = 300.0, poll: float = 1.0) -> None:
        """Step 0: the credentials from the file, or asked for every `poll` seconds until a person accepts.

        Raises ConfigError when nobody has accepted the device after `patience` seconds.
        """
        if self._api is not None:
            return
        if self._login is not None:
            values = {"base_url": self.base_url, **self._login}
            self._use(auth.login(values, settings=self.settings).session)
            return
        self._kept = self._kept or (credentials.load(self._file) if self._file is not None else None)
        if self._kept is None:
            if self._file is not None:
                credentials.prepare(self._file)
            self._kept = self._ask(patience, poll)
            if self._file is not None:
                credentials.store(self._file, self._kept)
        basic = BasicAuth(self._kept.username, self._kept.password, tenant=self._kept.tenant)
        self._use(Session(self.base_url, auth=basic, settings=self.settings))

    def look_up(self) -> str | None:
        """Step 1: the id of the object that has the external identifier, or None if the device is new."""
        found = self.api.identity.find(self.external_type, self.external_id)
        self.id = str(found["managedObject"]["id"]) if found else ""
        return self.id or None

    def create(self) -> str:
        """Step 2: makes the device's object in the inventory; gives its id.

        An object that this device user made before it could register it (power lost between two steps) is
        used.
        """
        if not self.id:
            orphan = self._orphan()
            self.id = str((orphan or self.api.inventory.create(self._description()))["id"])
        return self.id

    def register(self) -> None:
        """Step 3: binds the external identifier to the object; Conflict if another object has it."""
        mapping = {"type": self.external_type, "externalId": self.external_id}
        try:
            self.api.identity.create(self._mine(), mapping)
        except Conflict:
            found = self.api.identity.find(self.external_type, self.external_id)
            if found is None or str(found["managedObject"]["id"]) != self.id:
                raise

    def update(self, fragments: Mapping[str, Any]) -> Document:
        """Steps 4 and 8: replaces fragments of the device's object; nothing to replace is a sign of life.

        The name is left out: it belongs to the people who use the device.
        """
        changes = {name: value for name, value in fragments.items() if name != "name"}
        return self.api.inventory.update(self._mine(), changes)

    def discover(self) -> dict[str, str]:
        """Step 5: makes or updates the child devices and links them; external identifier -> id."""
        linked = {str(each["id"]) for each in self.api.inventory.children(self._mine())}
        for each in self.discover_children():
            child = {key: value for key, value in each.items() if key != "externalId"}
            self.children[str(each["externalId"])] = self._child(str(each["externalId"]), child, linked)
        return self.children

    def resume(self) -> list[Document]:
        """Step 6: finishes the operations that were EXECUTING when the device went down."""
        left = list(self.api.operations.list(agentId=self._mine(), status="EXECUTING"))
        outcomes = [(str(each["id"]), _outcome(each, self.resumed)) for each in left]
        return [self.api.operations.update(number, result) for number, result in outcomes if result]

    def subscribe(self) -> Notifications:
        """Step 6: listens to new operations from now on."""
        if self._live is None or not self._live.running:
            self._live = Notifications(self.api, [f"/{self._mine()}"], endpoint=OPERATIONS).start()
        return self._live

    def pending(self) -> list[Document]:
        """Step 6: the operations that were queued before `subscribe`, oldest first."""
        return list(self.api.operations.list(agentId=self._mine(), status="PENDING"))

    # -- cycle phase ------------------------------------------------------------------------------------

    def cycle(self, seconds: float | None = None) -> None:
        """Executes operations as they come and calls `tick`, for some seconds or until `stop`.

        Errors of the network and the server are kept in `failures`: the device goes on.
        """
        stop, live = self._stop, self.subscribe()
        handshakes, todo = live.handshakes, deque[Document]()
        end = None if seconds is None else time.monotonic() + seconds
        due = time.monotonic()
        while not stop.is_set() and (end is None or time.monotonic() < end):
            if time.monotonic() >= due:
                due = time.monotonic() + self.interval
                self._survive(self.tick)
            while todo and self._survive(partial(self.execute, todo[0])):
                todo.popleft()
            wait = min(due, end or due) - time.monotonic()
            notice = live.get(timeout=min(max(wait, 0.01), 0.5))
            if notice is not None:
                todo.append(dict(notice.data))
            if live.handshakes != handshakes and self._survive(lambda: todo.extend(self.pending())):
                handshakes = live.handshakes  # what came while nobody listened

    def execute(self, operation: Mapping[str, Any]) -> Document:
        """Step 7: takes an operation from PENDING over EXECUTING to its end, once; gives it as it is then."""
        number = str(operation["id"])
        if number in self._done:
            return self.api.operations.get(number)
        if (
            number not in self._results
        ):  # a result that could not be reported is reported again, not made again
            handler = next(
                (getattr(self, PREFIX + name) for name in self.supported() if name in operation),
                self._unknown,
            )
            started = self.api.operations.update(number, {"status": "EXECUTING"})
            self._results[number] = _outcome({**operation, **started}, handler)
        result = self._results[number]
        ended = dict(operation) if result is None else self.api.operations.update(number, result)
        self._done.append(number)
        del self._results[number]
        return ended

    def measure(
        self,
        values: Mapping[str, Value],
        *,
        type: str = "",
        time: datetime | str | None = None,
        source: str = "",
    ) -> Document:
        """Step 9: sends values as `{"c8y_SignalStrength.rssi": (-53, "dBm")}`, of one moment."""
        body: Document = {}
        for name, value in values.items():
            fragment, _, series = name.partition(".")
            if not series:
                raise ConfigError(f"{name!r} is no series: write it as fragment.series")
            amount, unit = value if isinstance(value, tuple) else (value, "")
            body.setdefault(fragment, {})[series] = {"value": amount, **({"unit": unit} if unit else {})}
        return self.api.measurements.create(self._report(body, type or next(iter(body), ""), time, source))

    def event(
        self,
        text: str,
        *,
        type: str,
        time: datetime | str | None = None,
        source: str = "",
        **fragments: Any,
    ) -> Document:
        """Step 10: sends an event, with fragments such as `c8y_Position`."""
        return self.api.events.create(self._report({"text": text, **fragments}, type, time, source))

    def alarm(
        self,
        text: str,
        *,
        type: str,
        severity: str = "MAJOR",
        time: datetime | str | None = None,
        source: str = "",
        **fragments: Any,
    ) -> Document:
        """Step 11: raises an alarm; the platform counts one that is active already instead of adding it."""
        body = {"text": text, "severity": severity, "status": "ACTIVE", **fragments}
        return self.api.alarms.create(self._report(body, type, time, source))

    def clear(self, type: str, *, source: str = "") -> int:
        """Clears the active alarms of a type, because what they were about is over; gives their number."""
        device = source or self._mine()
        active = list(self.api.alarms.list(source=device, type=type, resolved=False))
        for each in active:
            self.api.alarms.update(str(each["id"]), {"status": "CLEARED"})
        return len(active)

    # -- running ----------------------------------------------------------------------------------------

    @property
    def api(self) -> Api:
        """The platform's API as this device; raises ConfigError before `request_credentials`."""
        if self._api is None:
            raise ConfigError(
                "the device has no credentials yet: call startup() or request_credentials() first"
            )
        return self._api

    @property
    def exchanges(self) -> list[Exchange]:
        """The last requests and answers of this device, secrets blanked."""
        return list(self._exchanges)

    def run(self, seconds: float | None = None) -> None:
        """Startup and cycle, in this thread."""
        self.startup()
        self.cycle(seconds)

    def start(self) -> Self:
        """Startup here, then the cycle on a thread of its own."""
        self._stop.clear()
        self.startup()
        self._thread = threading.Thread(
            target=self._background, daemon=True, name=f"iotnb-device-{self.serial}"
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Switches the device off; credentials and object stay, `start` switches it on again."""
        self._stop.set()
        if self._live is not None:
            self._live.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)
        self._live = self._thread = None
        if self._api is not None:
            self._api.session.close()
        self._api = None
        self._stop = threading.Event()  # a new one: the cycle that this call ends keeps the old one

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.serial!r}, id={self.id!r}, base_url={self.base_url!r})"

    # -- helpers ----------------------------------------------------------------------------------------

    def _use(self, session: Session) -> None:
        session.exchanges = self._exchanges
        self._api = Api(session)

    def _mine(self) -> str:
        if not self.id and self.look_up() is None:
            raise ConfigError(
                f"device {self.serial!r} has no object in the inventory yet: call create() first"
            )
        return self.id

    def _ask(self, patience: float, poll: float) -> Credentials:
        if self._bootstrap is None:
            raise ConfigError(
                f"device {self.serial!r} has no credentials: give bootstrap={{tenant, username, password}} "
                "so that it can ask for them, or the file credentials=... of an earlier run"
            )
        user = BasicAuth(
            str(self._bootstrap["username"]),
            Secret(self._bootstrap["password"]),
            tenant=str(self._bootstrap.get("tenant", "")),
        )
        session = Session(self.base_url, auth=user, settings=self.settings)
        session.exchanges = self._exchanges
        try:
            return credentials.ask(Api(session), self.serial, patience=patience, poll=poll, stop=self._stop)
        finally:
            session.close()

    def _description(self) -> Document:
        document: Document = {
            "name": self.name,
            "type": self.device_type,
            "c8y_IsDevice": {},
            "com_cumulocity_model_Agent": {},
            "c8y_SupportedOperations": self.supported(),
            "c8y_Hardware": {"serialNumber": self.serial},
        }
        if self.availability is not None:
            document["c8y_RequiredAvailability"] = {"responseInterval": self.availability}
        return document | self.inventory() | self.changes()

    def _orphan(self) -> Document | None:
        """An agent's object of this device user that no external identifier leads to."""
        if self._kept is None:
            return None
        mine = self.api.inventory.list(owner=self._kept.username, fragmentType="com_cumulocity_model_Agent")
        return next((each for each in mine if not self.api.identity.list(str(each["id"]))), None)

    def _child(self, external_id: str, document: Document, linked: set[str]) -> str:
        found = self.api.identity.find(self.external_type, external_id)
        if found is None:
            made = self.api.inventory.create({"c8y_IsDevice": {}, **document})
            number = str(made["id"])
            self.api.identity.create(number, {"type": self.external_type, "externalId": external_id})
        else:
            number = str(found["managedObject"]["id"])
            changes = {key: value for key, value in document.items() if key not in {"name", "type"}}
            if changes:
                self.api.inventory.update(number, changes)
        if number not in linked:
            self.api.inventory.add_child(self.id, number)
        return number

    def _unknown(self, operation: Document) -> None:  # noqa: ARG002  # it stands in for a handler
        raise RuntimeError(f"this device supports {', '.join(self.supported()) or 'no operations'}")

    def _report(
        self, body: Mapping[str, Any], kind: str, moment: datetime | str | None, source: str
    ) -> Document:
        when = times.now() if moment is None else times.parse(moment)
        return {"source": {"id": source or self._mine()}, "type": kind, "time": times.to_wire(when), **body}

    def _survive(self, work: Callable[[], object]) -> bool:
        """Whether the work was done; a server that cannot be reached is no reason to die."""
        try:
            work()
        except OFFLINE as error:
            self.failures.append(error)
            log.warning("device %s: %s", self.serial, error)
            return False
        return True

    def _background(self) -> None:
        """The cycle on its own thread, where nobody would see what ended it."""
        try:
            self.cycle()
        except Exception as error:
            if not self._stop.is_set():
                self.failures.append(error)
                log.exception("device %s stopped", self.serial)


def _outcome(operation: Document, handler: Callable[[Document], Any]) -> Document | None:
    """Has the handler carry the operation out; what to report, None for what is finished later."""
    try:
        result = handler(operation)
    except Exception as error:  # whatever goes wrong is the operation's failure
        log.debug("operation %s failed", operation["id"], exc_info=True)
        return {"status": "FAILED", "failureReason": str(error) or type(error).__name__}
    if result is LATER:
        return None
    more = dict(result) if isinstance(result, Mapping) else {}
    return {**more, "status": "SUCCESSFUL"}
