"""A device's side over HTTPS: its key, its registration, its telemetry; and a phone like the tutorial's.

phone = Phone("phone-001", id_scope=..., key=..., dps_url=client.dps_url)
phone.register()
with phone:                 # sends its sensors every second
    ...
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import math
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from iotnb import times
from iotnb.auth import Auth
from iotnb.errors import BadAnswer, ConfigError, IotnbError, RateLimited, ServerError, Unauthorized
from iotnb.platforms.iotcentral import address
from iotnb.platforms.iotcentral.api.chapter import document, segment
from iotnb.secret import Sealed, Secret
from iotnb.session import Session, Settings

log = logging.getLogger("iotnb")

PHONE = "dtmi:azureiot:PhoneAsADevice;2"
"""The model that the tutorial's smartphone app announces."""

REGISTRATION = "2019-03-31"  # the version of the provisioning API
HUB = "2021-04-12"  # and of the hub's
LIFE = 3600  # seconds for which a device's signature holds
EARLY = 300
LARGEST = 256 * 1024  # bytes of a message
BATCH = "application/vnd.microsoft.iothub.json"


def derive_key(group_key: Secret | str, device: str) -> Secret:
    """The key of a device, from the key of the enrollment group that it belongs to."""
    return Secret(_signature(Secret(group_key), device))


def signed(resource: str, key: Secret, expires: int, *, policy: str = "") -> str:
    """A device's signature over a resource such as `hub/devices/phone-001`; `expires` in epoch seconds."""
    coded = quote(resource, safe="")
    signature = quote(_signature(key, f"{coded}\n{expires}"), safe="")
    tail = f"&skn={policy}" if policy else ""
    return f"SharedAccessSignature sr={coded}&sig={signature}&se={expires}{tail}"


def _signature(key: Secret, text: str) -> str:
    try:
        raw = base64.b64decode(key.reveal().strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise ConfigError("key= is no device key: it is base64, such as the primary key of the credentials")
    return base64.b64encode(hmac.new(raw, text.encode(), hashlib.sha256).digest()).decode()


class DeviceAuth(Auth):
    """A device's signature, made anew before it expires."""

    def __init__(self, resource: str, key: Secret, *, policy: str = "") -> None:
        self._resource, self._key, self._policy = resource, key, policy
        self._value = Secret("")
        self._end = 0

    def headers(self) -> Sealed:
        """One Authorization header."""
        if time.time() > self._end - EARLY:
            self._end = int(time.time()) + LIFE
            self._value = Secret(signed(self._resource, self._key, self._end, policy=self._policy))
            self.expires = datetime.fromtimestamp(self._end, UTC)
        return Sealed(Authorization=self._value.reveal())

    def describe(self) -> dict[str, str]:
        """Method and device."""
        return {"method": "device key", "user": self._resource.rpartition("/")[2]}

    def secrets(self) -> list[Secret]:
        """The key and the present signature."""
        return [self._key, *([self._value] if self._value else [])]


class Phone:
    """A device that registers and sends telemetry over HTTPS, with the sensors of the tutorial's smartphone.

    `key` is the device's own (`derive_key` makes it from a group's). As a context manager it registers if
    need be and sends every `interval` seconds while `screen_on`, from a thread. Commands and properties need
    MQTT: over HTTPS a device only talks. `failures` holds what went wrong while sending.
    """

    def __init__(
        self,
        device: str,
        *,
        id_scope: str,
        key: Secret | str,
        dps_url: str = address.PROVISIONING,
        model: str = PHONE,
        interval: float = 1.0,
        settings: Settings | None = None,
    ) -> None:
        if not device.strip() or not id_scope.strip():
            raise ConfigError("a device needs its id and the id_scope, both from its credentials")
        self.settings = settings or Settings()
        self.device, self.id_scope, self.model, self.interval = device, id_scope, model, interval
        self.dps_url = address.checked(dps_url, name="dps_url", verify=self.settings.verify)
        self.hub = ""
        self.screen_on = True
        self.sent = 0
        self.failures: deque[Exception] = deque(maxlen=100)
        self.exchanges: deque[Any] = deque(maxlen=self.settings.exchanges)
        self._key = Secret(key)
        _signature(self._key, "")  # a key that is none is told now
        self._session: Session | None = None
        self._random = random.Random(device)  # noqa: S311  # sensor noise
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def register(self, *, timeout: float = 60.0, every: float = 1.0) -> str:
        """Registers with the provisioning service and gives the hub it was assigned to.

        Raises Unauthorized for a wrong key, IotnbError when it was refused or not assigned in time.
        """
        resource = f"{self.id_scope}/registrations/{self.device}"
        session = Session(
            self.dps_url,
            auth=DeviceAuth(resource, self._key, policy="registration"),
            settings=self.settings,
        )
        session.exchanges = self.exchanges
        try:
            state = self._assigned(session, timeout, every)
        except Unauthorized as error:
            raise Unauthorized(
                error.status, error.method, error.path, error.words, hint=_REFUSED, body=error.body
            ) from None
        finally:
            session.close()
        self.hub = str(state["assignedHub"])
        return self.hub

    def _assigned(self, session: Session, timeout: float, every: float) -> Mapping[str, Any]:
        path = f"/{segment(self.id_scope)}/registrations/{segment(self.device)}"
        version = {"api-version": REGISTRATION}
        body = {"registrationId": self.device, "payload": {"modelId": self.model}}
        found = document(session.put(f"{path}/register", params=version, json=body))
        operation = str(found.get("operationId") or "")
        deadline = time.monotonic() + timeout
        while True:
            state = found.get("registrationState") or {}
            status = found.get("status")
            if status == "assigned" and state.get("assignedHub"):
                return dict(state)
            if status in {"failed", "disabled"}:
                words = state.get("errorMessage") or status
                raise IotnbError(f"the registration of {self.device} was refused: {words}")
            if time.monotonic() > deadline:
                raise IotnbError(f"{self.device} is still {status!r} after {timeout:.0f} s")
            time.sleep(every)
            try:
                found = document(session.get(f"{path}/operations/{segment(operation)}", params=version))
            except (RateLimited, ServerError):
                log.debug("the provisioning service asks for patience")

    def send(
        self,
        telemetry: Mapping[str, Any],
        *,
        component: str = "",
        at: datetime | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Sends one message: the telemetry of the device, or of one component, measured `at` (now).

        Raises ConfigError for a message of more than 256 KB, Unauthorized when the device is blocked.
        """
        headers = {
            "iothub-contenttype": "application/json",
            "iothub-contentencoding": "utf-8",
            "IoTHub-MessageId": str(uuid.uuid4()),
            **{f"iothub-app-{name}": value for name, value in (properties or {}).items()},
        }
        if component:
            headers["iothub-app-$.sub"] = component
        if at is not None:
            headers["iothub-app-iothub-creation-time-utc"] = times.to_wire(times.parse(at, name="at"))
        session = self._hub()
        body = dict(telemetry)
        if len(str(body)) > LARGEST:
            raise ConfigError(f"a message may have {LARGEST} bytes: send the telemetry in parts")
        path = f"/devices/{segment(self.device)}/messages/events"
        session.post(path, params={"api-version": HUB}, json=body, headers=headers)
        self.sent += 1

    def sample(self, at: datetime | None = None) -> dict[str, Any]:
        """What the sensors of the phone say: names and units as in its model."""
        seconds = (at or times.now()).timestamp()
        noise = self._random.gauss

        def vector(x: float, y: float, z: float, spread: float) -> dict[str, float]:
            return {
                name: round(value + noise(0, spread), 4) for name, value in zip("xyz", (x, y, z), strict=True)
            }

        swing = math.sin(seconds / 5)
        return {
            "accelerometer": vector(0.3 * swing, 0.1, 9.81, 0.02),
            "gyroscope": vector(0.05 * swing, 0.02, 0.0, 0.005),
            "magnetometer": vector(21.0, -4.0 + swing, -42.0, 0.3),
            "barometer": round(101.3 + 0.2 * math.sin(seconds / 600) + noise(0, 0.01), 3),
            "geolocation": {"lat": 50.7374, "lon": 7.0982, "alt": 60.0},
            "battery": max(1, 100 - int(seconds / 60) % 100),
        }

    def start(self) -> Self:
        """Registers unless that was done, and sends its sensors from now on."""
        if not self.hub:
            self.register()
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, daemon=True, name=f"iotnb-phone-{self.device}")
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stops sending."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None
        if self._session is not None:
            self._session.close()
            self._session = None

    def _run(self) -> None:
        while not self._stop.is_set():
            if self.screen_on:
                try:
                    self.send(self.sample(), component="sensors")
                except IotnbError as error:  # a phone without a net goes on trying
                    self.failures.append(error)
            self._stop.wait(self.interval)

    def _hub(self) -> Session:
        if not self.hub:
            raise ConfigError(f"{self.device} has no hub yet: register() first")
        if self._session is None:
            self._session = Session(
                _hub_url(self.hub, self.dps_url),
                auth=DeviceAuth(f"{self.hub}/devices/{self.device}", self._key),
                settings=replace(self.settings, rate=None),
            )
            self._session.exchanges = self.exchanges
        return self._session

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Phone({self.device!r}, hub={self.hub!r}, {self.sent} messages sent)"


_REFUSED = (
    "The provisioning service does not accept the key: use the primary key of this device's own credentials, "
    "or derive_key() with the key of its enrollment group; a blocked device is refused too."
)


def _hub_url(hub: str, dps_url: str) -> str:
    """Where a hub answers: at its own name, or in a sandbox beside the provisioning service."""
    if not hub or urlsplit(f"//{hub}").path:
        raise BadAnswer(f"the assigned hub {hub!r} is no host name")
    return dps_url if address.local(dps_url) else f"https://{hub}"
