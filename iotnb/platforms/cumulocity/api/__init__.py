"""Cumulocity's REST API, one attribute per chapter of its reference; JSON in and out, keys unchanged."""

from __future__ import annotations

from iotnb.errors import ConfigError
from iotnb.platforms.cumulocity.api.alarms import Alarms
from iotnb.platforms.cumulocity.api.audit import Audit
from iotnb.platforms.cumulocity.api.chapter import Chapter, Document, document, media, segment
from iotnb.platforms.cumulocity.api.events import Events
from iotnb.platforms.cumulocity.api.identity import Identity
from iotnb.platforms.cumulocity.api.inventory import Inventory, quoted
from iotnb.platforms.cumulocity.api.measurements import Measurements
from iotnb.platforms.cumulocity.api.operations import BulkOperations, Operations
from iotnb.platforms.cumulocity.api.realtime import Realtime
from iotnb.platforms.cumulocity.api.registration import Registration
from iotnb.platforms.cumulocity.api.tenant import Retentions, Tenant
from iotnb.platforms.cumulocity.api.users import Users
from iotnb.session import Session

__all__ = ["Api", "media", "quoted", "segment"]

ROOTS = {
    "platform": "platformapi",
    "inventory": "inventoryapi",
    "identity": "identityapi",
    "measurement": "measurementapi",
    "event": "eventapi",
    "alarm": "alarmapi",
    "devicecontrol": "devicecontrolapi",
    "audit": "auditapi",
    "user": "userapi",
    "tenant": "tenantapi",
    "retention": "retentionapi",
    "application": "applicationapi",
}


class Api(Chapter):
    """The chapters of the API on one session.

    Attributes: `session`, `inventory`, `identity`, `measurements`, `events`, `alarms`, `operations`,
    `bulk_operations`,
    `audit`, `registration`, `users`, `tenant`, `retentions`, `realtime`.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.session = session
        self.inventory = Inventory(session)
        self.identity = Identity(session)
        self.measurements = Measurements(session)
        self.events = Events(session)
        self.alarms = Alarms(session)
        self.operations = Operations(session)
        self.bulk_operations = BulkOperations(session)
        self.audit = Audit(session)
        self.registration = Registration(session)
        self.users = Users(session)
        self.tenant = Tenant(session)
        self.retentions = Retentions(session)
        self.realtime = Realtime(session)

    def root(self, name: str = "platform") -> Document:
        """The entry document of a part of the API, with its URI templates (`/platform`, `/inventory` ...)."""
        if name not in ROOTS:
            raise ConfigError(f"the API has no root document {name!r}: use one of {', '.join(ROOTS)}")
        return document(self._get(f"/{name}", accept=media(ROOTS[name])))
