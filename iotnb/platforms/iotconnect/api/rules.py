"""Rules, what they have fired, and the events that one can subscribe to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from iotnb.platforms.iotconnect.address import segment
from iotnb.platforms.iotconnect.api.chapter import Chapter, Document, Documents, Page, Tally


class Rules(Chapter):
    """`/Rule`: conditions on telemetry."""

    module = "rule"

    def list(self, **filters: Any) -> Documents:
        """All rules; `filters`: name, status, templateName, entityName, ruleType, isEdge ..."""
        return self._list("/Rule", params=filters)

    def get(self, guid: str) -> Document:
        """One rule with its devices and who is told."""
        return self._one(f"/Rule/{segment(guid)}")

    def history(self, guid: str) -> Documents:
        """Who changed a rule and when; not when it fired."""
        return self._few(f"/Rule/{segment(guid)}/history")

    def counters(self) -> Document:
        """How many rules there are of each kind."""
        return self._one("/Rule/counters")

    def conditions(self) -> Documents:
        """The comparisons that a condition may use."""
        return self._few("/Rule/conditions")

    def verify(self, template: str, expression: str) -> Any:
        """Whether an expression is one: isValid, attributes, tags."""
        body = {"deviceTemplateGuid": template, "expression": expression}
        found = self._data("POST", "/Rule/verify", json=body, reading=True)
        return found[0] if isinstance(found, list) and found else found


class Notifications(Chapter):
    """`/device-template/device/notification`: rules that have fired. On AWS there is no such list."""

    module = "template"

    def pages(
        self,
        start: date | str,
        end: date | str,
        *,
        unique_id: str | None = None,
        stop: threading.Event | None = None,
        tally: Tally | None = None,
    ) -> Iterator[Page]:
        """Pages of what fired on the days from `start` to `end` (UTC), of one device or of all."""
        params = {"startDate": str(start), "endDate": str(end), "uniqueId": unique_id}
        path = "/device-template/device/notification"
        return self._pages(path, params=params, stop=stop, tally=tally)

    def list(self, start: date | str, end: date | str, *, unique_id: str | None = None) -> Documents:
        """All of them: ruleName, severityLevel, condition, notificationText, createdDate, telemetry."""
        return [each for page in self.pages(start, end, unique_id=unique_id) for each in page.items]


class Events(Chapter):
    """`/Event`: what one can be told of, and by which way. What happened is not listed here."""

    module = "event"

    def topics(self) -> Documents:
        """The topics that events belong to."""
        return self._few("/event-topics")

    def list(self, topic: str | None = None) -> Documents:
        """The events that one can subscribe to, of one topic or of all."""
        return self._few("/Event", params={"eventTopicGuid": topic})

    def get(self, id: str) -> Document:
        """One of them."""
        return self._one(f"/Event/{segment(id)}")

    def delivery_methods(self) -> Documents:
        """The ways to be told: e-mail, web hook ..."""
        return self._few("/deliverymethod")

    def severities(self) -> Documents:
        """The levels of severity that a rule may have."""
        return self._few("/severity-level/lookup")

    def subscriptions(self, **filters: Any) -> Documents:
        """Who is told of what."""
        return self._list("/Event/subscription", params=filters)

    def test(self, webhook: Mapping[str, Any]) -> Any:
        """Has the platform call a web hook."""
        return self._data("POST", "/Event/webhook/test", json=dict(webhook))
