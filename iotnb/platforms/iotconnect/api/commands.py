"""Commands: what can be sent to devices, and what became of it. Sending gives no id: see `client.command`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from iotnb.platforms.iotconnect.address import segment
from iotnb.platforms.iotconnect.api.chapter import Chapter, Document, Documents, Page


class Commands(Chapter):
    """`/template-command`: `command` is what a device is sent, `name` the label of it."""

    module = "templateCommand"

    def list(self, template: str, *, stop: threading.Event | None = None) -> Documents:
        """The commands of a template: guid, name, command, requiredParam, requiredAck, isOTACommand ..."""
        return self._list(f"/template-command/{segment(template)}", stop=stop)

    def send(self, device_guid: str, command_guid: str, parameter: str | None = None) -> None:
        """Sends a command to one device. The answer says nothing of it, not even an id."""
        body = {"commandGuid": command_guid, "parameterValue": parameter}
        self._change("POST", f"/template-command/device/{segment(device_guid)}/send", body)

    def send_to(
        self,
        command_guid: str,
        *,
        devices: Sequence[str] = (),
        entity: str = "",
        recursive: bool = False,
        parameter: str | None = None,
    ) -> None:
        """Sends a command to devices by their guids, or to an entity, and with `recursive` to those below."""
        to: dict[str, Any] = {"applyTo": 2, "devices": list(devices)}
        if entity:
            to = {"applyTo": 1, "entityGuid": entity, "isRecursive": recursive}
        body = {"commandGuid": command_guid, "parameterValue": parameter, **to}
        self._change("POST", "/template-command/send", body)

    def pages(self, device_guid: str, *, stop: threading.Event | None = None) -> Iterator[Page]:
        """Pages of the history of a device's commands."""
        return self._pages("/template-command/history", params={"deviceGuid": device_guid}, stop=stop)

    def history(self, device_guid: str, *, stop: threading.Event | None = None) -> Documents:
        """All commands that a device was sent: commandHistoryGuid, cmdText, status, statusDate ..."""
        return self._list("/template-command/history", params={"deviceGuid": device_guid}, stop=stop)

    def acknowledge(self, device_guid: str, history_guid: str, status: int, text: str = "") -> None:
        """Says in a device's place how a command went: 0 queued, 1 in transit, 2 failed, 3 executed."""
        body = {"ackId": history_guid, "status": status, "statusText": text}
        self._change("PUT", f"/template-command/{segment(device_guid)}/status", body)

    def resend(self, history_guid: str) -> None:
        """Sends a command that failed once more; Conflict while its device is not connected."""
        self._change("PUT", f"/template-command/history/{segment(history_guid)}/re-send")

    def batch(self, guid: str) -> Documents:
        """What became of a command that went to several devices."""
        return self._few(f"/template-command/batch/{segment(guid)}")

    def schedules(self) -> Documents:
        """The commands that are sent again and again."""
        return self._list("/template-command/CommandSchedule")


class Methods(Chapter):
    """`/Device/{guid}/direct-method`: commands that are answered at once (Azure)."""

    def call(
        self,
        device_guid: str,
        method: Mapping[str, Any],
        payload: Any = None,
        *,
        timeout: int = 30,
    ) -> Document:
        """Calls a method and gives its answer; `method` has methodName and guid, `timeout` is in seconds."""
        body = {
            "templateDirectMethodGuid": method["guid"],
            "methodName": method["methodName"],
            "responseTimeoutInSeconds": timeout,
            "payload": payload if payload is not None else {},
        }
        return (self._change("POST", f"/Device/{segment(device_guid)}/direct-method", body) or [{}])[0]

    def history(self, device_guid: str, *, stop: threading.Event | None = None) -> Documents:
        """The methods that were called: methodName, requestJson, responseJson, status, createdDate."""
        return self._list(f"/Device/{segment(device_guid)}/direct-method", stop=stop)
