"""Registration: how a new device gets its own credentials."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from iotnb.platforms.cumulocity.api.chapter import (
    JSON,
    Collection,
    Document,
    Documents,
    document,
    media,
)

CREDENTIALS = media("devicecredentials")
DEVICE = "/devicecontrol/deviceCredentials"


class Registration(Collection):
    """`/devicecontrol/newDeviceRequests` for a person, `/devicecontrol/deviceCredentials` for a device.

    A request goes WAITING_FOR_CONNECTION, then (when the device has asked) PENDING_ACCEPTANCE, then ACCEPTED.
    """

    path, key, one, many = (
        "/devicecontrol/newDeviceRequests",
        "newDeviceRequests",
        "newdevicerequest",
        "newdevicerequestcollection",
    )
    filters = frozenset()

    def accept(self, id: str, *, security_token: str = "") -> Document:
        """Accepts a device; Invalid while it has not asked for its credentials yet."""
        return self.update(id, {"status": "ACCEPTED"} | _token(security_token))

    def accept_all(self) -> Documents:
        """Accepts every device that waits: one `{"id", "successful"}` each, as the web client does."""
        headers = {"Accept": JSON, "Content-Type": JSON}
        answer = self._session.post(f"{self.path}/acceptAll", json={}, headers=headers)
        found: Documents = answer.json()
        return found

    def limit(self) -> Document:
        """Whether the tenant's limit of devices is reached (as the vendor's web client asks)."""
        return document(self._get(f"{self.path}/limit"))

    def credentials(self, id: str, *, security_token: str = "") -> Document:
        """What the device asks with its bootstrap user: `tenantId`, `username`, `password`.

        NotFound until a person has accepted the device; the platform says 200 or 201.
        """
        body = {"id": id} | _token(security_token)
        return self._send(
            "POST", "/devicecontrol/deviceCredentials", body, content=CREDENTIALS, accept=CREDENTIALS
        )

    def find_credentials(self, id: str, *, security_token: str = "") -> Document | None:
        """The same, or None while nobody has accepted the device."""
        headers = {"Accept": CREDENTIALS, "Content-Type": CREDENTIALS}
        body = {"id": id} | _token(security_token)
        answer = self._session.post(
            "/devicecontrol/deviceCredentials", json=body, headers=headers, expect={404}
        )
        return None if answer.status == 404 else document(answer)

    def bulk(self, table: str) -> Document:
        """Registers many devices from a CSV text with a header line (ID, CREDENTIALS, TYPE, NAME, PATH ...).

        Returns `numberOfAll`, `numberOfCreated`, `numberOfFailed`, `numberOfSuccessful` and the failures.
        """
        boundary = uuid4().hex
        head = 'Content-Disposition: form-data; name="file"; filename="devices.csv"\r\n'
        head += "Content-Type: text/csv\r\n"
        body = f"--{boundary}\r\n{head}\r\n{table}\r\n--{boundary}--\r\n".encode()
        headers = {
            "Accept": media("bulknewdevicerequest"),
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        return document(
            self._session.post("/devicecontrol/bulkNewDeviceRequests", data=body, headers=headers)
        )


def _token(text: str) -> dict[str, Any]:
    return {"securityToken": text} if text else {}
