"""Templates: what devices of a kind measure (attributes), can be set to (settings) and told (commands)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from iotnb.platforms.iotconnect.address import segment
from iotnb.platforms.iotconnect.api.chapter import Chapter, Document, Documents

ATTRIBUTES = 1000  # on a page: the list of AWS takes no order, so that it had better come whole


class Templates(Chapter):
    """`/device-template`: the list says `code` and `name`, a single one `templateCode`, `templateName`."""

    module = "template"

    def list(self, *, stop: threading.Event | None = None, **filters: Any) -> Documents:
        """All templates; `filters` such as DeviceTemplateName, MessageVersion, CommandCount."""
        return self._list("/device-template", params=filters, stop=stop)

    def get(self, guid: str, *, stop: threading.Event | None = None) -> Document:
        """One template with its attributes, settings and commands."""
        return self._one(f"/device-template/{segment(guid)}", stop=stop)

    def by_code(self, code: str) -> Document:
        """One template by its code, up to ten letters and digits."""
        return self._one(f"/device-template/template-code/{segment(code)}")

    def lookup(self) -> Documents:
        """Guid, name, code, authType, tag and messageVersion of all templates in one answer."""
        return self._few("/device-template/lookup")

    def data_types(self) -> Documents:
        """The types that attributes and settings can have."""
        return self._few("/device-template/datatype")

    def create(self, document: Mapping[str, Any]) -> Documents:
        """Creates a template: code, name, authType, isEdgeSupport, messageVersion ..."""
        return self._change("POST", "/device-template", dict(document))

    def quick(self, document: Mapping[str, Any]) -> Document:
        """Creates a template from its whole JSON, sent as a file; gives `deviceTemplateGuid`."""
        mark = uuid.uuid4().hex
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="template.json"\r\n'
            "Content-Type: application/json\r\n\r\n"
        )
        body = head.encode() + msgspec.json.encode(dict(document)) + f"\r\n--{mark}--\r\n".encode()
        answer = self._request(
            "POST",
            "/device-template/quick",
            data=body,
            headers={"Content-Type": f"multipart/form-data; boundary={mark}"},
        )
        return dict((answer.json().get("data") or [{}])[0])

    def delete(self, guid: str) -> None:
        """Deletes a template; Conflict while devices use it."""
        self._change("DELETE", f"/device-template/{segment(guid)}")


class Attributes(Chapter):
    """`/template-attribute`: what devices of a template send; those of an OBJECT are its children."""

    module = "templateAttribute"

    def list(
        self, template: str, *, tag: str | None = None, stop: threading.Event | None = None
    ) -> Documents:
        """All attributes of a template; children stand in `attributes`, or name their parent."""
        path = f"/template-attribute/{segment(template)}"
        return self._list(path, params={"tag": tag}, page_size=ATTRIBUTES, stop=stop)


class Settings(Chapter):
    """`/template-setting`: what devices of a template can be set to."""

    module = "templateSetting"

    def list(self, template: str, *, stop: threading.Event | None = None) -> Documents:
        """All settings of a template: name, localName, dataTypeName, defaultValue, isReadOnly."""
        return self._list(f"/template-setting/{segment(template)}", stop=stop)
