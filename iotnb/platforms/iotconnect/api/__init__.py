"""The REST API of IoTConnect, one class a chapter: its own words, JSON in and out."""

from __future__ import annotations

from iotnb.platforms.iotconnect.api.chapter import Chapter, Document, Documents, Page, Tally
from iotnb.platforms.iotconnect.api.commands import Commands, Methods
from iotnb.platforms.iotconnect.api.devices import Devices
from iotnb.platforms.iotconnect.api.firmware import Firmware, Ota, Upgrades
from iotnb.platforms.iotconnect.api.modules import Modules
from iotnb.platforms.iotconnect.api.organization import Entities, Roles, Users
from iotnb.platforms.iotconnect.api.rules import Events, Notifications, Rules
from iotnb.platforms.iotconnect.api.telemetry import Feed, Telemetry
from iotnb.platforms.iotconnect.api.templates import Attributes, Settings, Templates
from iotnb.platforms.iotconnect.api.tokens import Tokens
from iotnb.platforms.iotconnect.entry import Credentials
from iotnb.session import Session

__all__ = ["Api", "Chapter", "Document", "Documents", "Feed", "Modules", "Page", "Tally"]


class Api:
    """The chapters of the API.

    Attributes: `tokens` (the login), `devices`, `templates`, `attributes`, `settings`, `commands`, `methods`
    (direct ones), `telemetry`, `entities`, `users`, `roles`, `rules`, `notifications`, `events`, `firmware`,
    `upgrades`, `ota`.
    """

    def __init__(self, modules: Modules, credentials: Credentials | None = None) -> None:
        self._modules = modules
        self.tokens = Tokens(modules, credentials)
        self.devices = Devices(modules)
        self.templates = Templates(modules)
        self.attributes = Attributes(modules)
        self.settings = Settings(modules)
        self.commands = Commands(modules)
        self.methods = Methods(modules)
        self.telemetry = Telemetry(modules)
        self.entities = Entities(modules)
        self.users = Users(modules)
        self.roles = Roles(modules)
        self.rules = Rules(modules)
        self.notifications = Notifications(modules)
        self.events = Events(modules)
        self.firmware = Firmware(modules)
        self.upgrades = Upgrades(modules)
        self.ota = Ota(modules)

    def addresses(self) -> dict[str, str]:
        """Module -> its base URL, as discovered or given."""
        return self._modules.addresses()

    def session(self, module: str) -> Session:
        """The way to one module (`auth`, `device`, `user` ...), for a request that no method makes."""
        return self._modules[module]
