"""What a person does in the web interface, as functions that `client.exchanges` shows as API calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from iotnb.errors import ConfigError, Conflict
from iotnb.platforms.cumulocity.api import Api
from iotnb.platforms.cumulocity.api.inventory import KINDS

Document = dict[str, Any]


class Portal:
    """Device management without the mouse, for an administrator. Every call can be repeated."""

    def __init__(self, api: Api, *, tenant: str = "") -> None:
        self._api, self._tenant = api, tenant

    # -- registering a device --------------------------------------------------------------------------------

    def register(self, id: str, **more: Any) -> Document:
        """Announces a device by the id that it will send; `type`, `groupId` ... as the platform has them."""
        found = self._api.registration.find(id)
        return found if found is not None else self._api.registration.create({"id": id, **more})

    def accept(self, id: str, *, timeout: float = 60.0, security_token: str = "") -> Document:
        """Accepts a device as soon as it has asked for its credentials; waits `timeout` seconds for that."""

        def ready() -> Document | None:
            request = self._api.registration.find(id)
            if request is None:
                raise ConfigError(
                    f"no device {id!r} is waiting: register it first, with portal.register({id!r})"
                )
            return request if request.get("status") != "WAITING_FOR_CONNECTION" else None

        request = _wait(ready, timeout)
        if request is None:
            raise ConfigError(
                f"the device {id!r} has not asked for its credentials in {timeout:g} s: start it, or look "
                "whether it sends another id"
            )
        if request.get("status") == "ACCEPTED":
            return request
        return self._api.registration.accept(id, security_token=security_token)

    def owner(self, device: str) -> str:
        """The user that owns a device."""
        return str(self._api.inventory.get(device).get("owner", ""))

    def external_ids(self, device: str) -> list[Document]:
        """The external identifiers of a device as `type` and `externalId`."""
        return [
            {"type": each["type"], "externalId": each["externalId"]}
            for each in self._api.identity.list(device)
        ]

    def replace_device(self, old: str, new: str) -> Document:
        """Puts a new physical device in the place of an old one, whose data and object stay.

        The old object gets the new one's owner and external identifiers, its children the same owner; then
        the new object is deleted, its user kept. Returns `owner`, `externalIds`, `children` and `device`.
        Both devices should be switched off meanwhile.
        """
        if old == new:
            raise ConfigError(f"device {old!r} cannot replace itself")
        owner = self.owner(new)
        moved = self.external_ids(new)
        self._api.inventory.update(old, {"owner": owner})
        for external_id in moved:
            self._move(external_id, new, old)
        children = sorted(
            {str(child["id"]) for kind in KINDS for child in self._api.inventory.children(old, kind=kind)}
        )
        for child in children:
            self._api.inventory.update(child, {"owner": owner})
        self._api.inventory.delete(new)
        return {"device": old, "owner": owner, "externalIds": self.external_ids(old), "children": children}

    def _move(self, external_id: Mapping[str, str], source: str, target: str) -> None:
        kind, value = external_id["type"], external_id["externalId"]
        self._api.identity.delete(kind, value)
        try:
            self._api.identity.create(target, external_id)
        except Exception:
            self._api.identity.create(source, external_id)  # nobody may be left without it
            raise

    # -- certificates ----------------------------------------------------------------------------------------

    def upload_certificate(
        self, pem: str | Path, *, name: str = "", auto_registration: bool = True
    ) -> Document:
        """Makes the tenant trust the authority whose certificate this is: PEM text, or a path of a PEM file.

        With `auto_registration` a device with a certificate of that authority is registered when it first
        comes. A certificate that the tenant has already is given back.
        """
        text = pem if isinstance(pem, str) and "-----BEGIN" in pem else Path(pem).read_text()
        if "PRIVATE KEY" in text:
            raise ConfigError("this file holds a private key: upload the certificate alone")
        tenant = self._tenant or str(self._api.tenant.current()["name"])
        body = {
            "name": name or "iotnb",
            "status": "ENABLED",
            "autoRegistrationEnabled": auto_registration,
            "certInPemFormat": text.strip(),
        }
        try:
            return self._api.tenant.create_trusted_certificate(tenant, body)
        except Conflict:
            wanted = "".join(text.split())
            for each in self._api.tenant.trusted_certificates(tenant):
                if "".join(str(each.get("certInPemFormat", "")).split()) == wanted:
                    return each
            raise

    # -- operations ------------------------------------------------------------------------------------------

    def send_operation(
        self,
        device: str,
        fragment: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        description: str = "",
    ) -> Document:
        """Sends an operation, such as `send_operation("2480300", "c8y_Restart")`; it begins as PENDING."""
        body: Document = {"deviceId": device, "description": description or fragment}
        return self._api.operations.create({**body, fragment: dict(parameters or {})})

    def wait_for(self, operation: str, *, timeout: float = 60.0) -> Document:
        """The operation once it is SUCCESSFUL or FAILED; as it stands after `timeout` seconds otherwise."""

        def finished() -> Document | None:
            found = self._api.operations.get(operation)
            return found if found.get("status") in {"SUCCESSFUL", "FAILED"} else None

        return _wait(finished, timeout) or self._api.operations.get(operation)


def _wait(look: Callable[[], Document | None], timeout: float) -> Document | None:
    """What `look` gives, asked at growing intervals until it gives something or the time is over."""
    deadline, pause = time.monotonic() + timeout, 0.1
    while True:
        found = look()
        left = deadline - time.monotonic()
        if found is not None or left <= 0:
            return found
        time.sleep(min(pause, left))
        pause = min(2.0, pause * 1.5)
