"""Applications: the ARM resource, what lives in it, and who is its user."""

import threading
from collections import deque
from typing import Any

from iotnb.sandbox.fleet import Fleet, Operation
from iotnb.sandbox.fleet.catalog import SERIES
from iotnb.sandbox.iotcentral.directory import PERSON, Directory
from iotnb.sandbox.iotcentral.dtdl import Model, read
from iotnb.sandbox.iotcentral.estate import Estate
from iotnb.sandbox.iotcentral.keys import group_key
from iotnb.sandbox.iotcentral.models import (
    CONTROLLER,
    FLEET,
    THERMOSTAT,
    fleet_model,
    repository,
    template_of,
)
from iotnb.sandbox.iotcentral.registry import Device, Registry
from iotnb.sandbox.iotcentral.roles import ADMINISTRATOR, BUILDER, OPERATOR, ORG_VIEWER, token_text
from iotnb.sandbox.iotcentral.state import DAY, DEFAULT_APP, GROUP, State
from iotnb.sandbox.shelf import Shelf

Json = dict[str, Any]
YEAR = 365 * DAY
READY_TOKENS = {
    # API tokens that the default application has from the start
    "sandbox-administrator": (ADMINISTRATOR, None),
    "sandbox-builder": (BUILDER, None),
    "sandbox-operator": (OPERATOR, None),
    "sandbox-viewer": (ORG_VIEWER, "plant-north"),
}
ENROLLMENT = "SAS-IoT-Devices"


class Application(Estate):
    """One application's data plane: shelves of documents and the registry of devices."""

    def __init__(self, platform: State, directory: Directory, document: Json) -> None:
        super().__init__(platform, document)
        self.directory = directory
        self.registry = Registry(self)
        self.models: dict[str, tuple[int, Model]] = {}
        self.operations: tuple[Fleet, int, list[Operation]] | None = None
        """The fleet's operations as jobs list them, and when they were listed."""
        self.pending: deque[tuple[Device | None, Json]] = deque(maxlen=1_000)
        """What happened since the exports last looked."""
        if not document.get("seeded"):
            self._seed()

    @property
    def hub(self) -> str:
        """The host name of the application's device hub."""
        return f"iotc-{self.id}.azure-devices.net"

    def _seed(self) -> None:
        """What an application has from the start."""
        creator: Json = self.document["creator"]
        self.users.put(creator["id"], creator)
        secret = self.platform.secret
        attestation = {
            "type": "symmetricKey",
            "symmetricKey": {
                "primaryKey": group_key(secret, self.id, ENROLLMENT, "primary"),
                "secondaryKey": group_key(secret, self.id, ENROLLMENT, "secondary"),
            },
        }
        group = {"displayName": ENROLLMENT, "enabled": True, "type": "iot", "attestation": attestation}
        self.enrollment.put(ENROLLMENT, {**group, "rev": 0})
        if self.has_fleet:
            self._seed_fleet()

    def _seed_fleet(self) -> None:
        platform = self.platform
        explorer = self.directory.explorer
        principal = {"type": "servicePrincipal", "tenantId": platform.switches.tenant}
        roles = [{"role": ADMINISTRATOR}]
        self.users.put(
            "explorer", {"id": "explorer", **principal, "objectId": explorer.object_id, "roles": roles}
        )
        for name, display, parent in (
            ("plant", "Plant", None),
            ("plant-north", "Plant North", "plant"),
            ("plant-south", "Plant South", "plant"),
        ):
            more = {"parent": parent} if parent else {}
            self.organizations.put(name, {"id": name, "displayName": display, **more})
        for kind, series in SERIES.items():
            model = fleet_model(kind, series, events=platform.switches.events)
            self.templates.put(FLEET[kind], {**template_of(model), "rev": 0})
            name = {"gateway": "gateways", "sensor": "sensors", "machine": "pumps"}[kind]
            rule = f'SELECT * FROM devices WHERE $template = "{FLEET[kind]}"'  # noqa: S608  no database
            self.groups.put(name, {"displayName": f"All {name}", "filter": rule, "rev": 0})
        tile = {"type": "deviceCount", "group": "gateways"}
        place = {"x": 0, "y": 0, "width": 2, "height": 2}
        tiles = [{"displayName": "Gateways", "configuration": tile, **place}]
        self.dashboards.put("overview", {"body": {"displayName": "Overview", "tiles": tiles}, "rev": 0})
        for identifier in (THERMOSTAT, CONTROLLER):
            self.templates.put(identifier, {**template_of(repository(identifier) or {}), "rev": 0})
        for name, (role, organization) in READY_TOKENS.items():
            held = {"role": role, **({"organization": organization} if organization else {})}
            self.new_token(name, [held], platform.started + YEAR)

    def new_token(self, name: str, roles: list[Json], expiry: int) -> str:
        """Make or replace an API token and give its text."""
        old = self.tokens.get(name)
        serial = old["serial"] + 1 if old else 0
        self.tokens.put(name, {"roles": roles, "se": expiry, "serial": serial})
        return self.token(name)

    def token(self, name: str) -> str:
        """The text of an API token."""
        held = self.tokens.get(name)
        text = token_text(self.platform, self.id, name, held["se"], held["serial"])
        return self.platform.world.issue(text, f"iotcentral: API token {name}")

    def roles_of(self, claims: Json) -> tuple[tuple[str, str | None], ...] | None:
        """The roles of the user behind a bearer token, or None for a stranger."""
        object_id, email = claims.get("oid"), claims.get("upn")
        for user in self.users.values():
            if (object_id and user.get("objectId") == object_id) or (email and user.get("email") == email):
                return tuple((one["role"], one.get("organization")) for one in user["roles"])
        return None

    def below(self, organizations: set[str]) -> frozenset[str]:
        """Organizations with everything below them."""
        found = set(organizations)
        while True:
            more = {n for n, d in self.organizations.items() if d.get("parent") in found} - found
            if not more:
                return frozenset(found)
            found |= more

    def template_name(self, identifier: str) -> str:
        """The display name of a template."""
        held = self.templates.get(identifier)
        return str(held.get("displayName", identifier)) if held else identifier

    def model(self, template: str | None) -> Model | None:
        """The model of a template, read once for each of its versions."""
        held = self.templates.get(template) if template else None
        if held is None or template is None:
            return None
        known = self.models.get(template)
        if known is None or known[0] != held["rev"]:
            known = self.models[template] = (held["rev"], read(held["capabilityModel"]))
        return known[1]

    def erase(self) -> None:
        """Remove everything of a deleted application."""
        self.clear()
        self.registry.erase()


class Applications:
    """The applications of the subscription, by subdomain; the default one holds the fleet."""

    def __init__(self, platform: State, directory: Directory) -> None:
        self.platform = platform
        self.directory = directory
        self._lock = threading.RLock()
        self.load()

    def load(self) -> None:
        """Read the store, at the start and after a reset; makes the default application if it is new."""
        platform = self.platform
        self.resource_groups = Shelf(platform.store, "resource-groups")
        self._documents = Shelf(platform.store, "apps")
        self._apps: dict[str, Application] = {}
        if platform.store.setting("server", "seeded"):
            for name, document in self._documents.items():
                self._apps[name] = Application(platform, self.directory, document)
            return
        platform.store.set("server", "seeded", True)
        if not platform.switches.strict:
            self.resource_groups.put(GROUP.lower(), {"name": GROUP, "location": "eastus"})
        person = {"id": "person", "type": "email", "email": PERSON, "roles": [{"role": ADMINISTRATOR}]}
        self.create(
            GROUP,
            DEFAULT_APP,
            DEFAULT_APP,
            {"displayName": "Plant explorer", "location": "westeurope"},
            person,
            True,
        )

    def create(
        self, group: str, name: str, subdomain: str, members: Json, creator: Json, fleet: bool = False
    ) -> Application:
        """A new application."""
        platform = self.platform
        number = len(self._documents) + platform.store.next_ids("application")[0]
        identifier = platform.guid("application", name.lower(), number)
        document = {
            "group": group,
            "name": name,
            "subdomain": subdomain,
            "applicationId": identifier,
            "idScope": "0ne00" + platform.guid("scope", identifier).replace("-", "").upper()[:6],
            "principalId": platform.guid("principal", identifier),
            "created": platform.now(),
            "creator": creator,
            "fleet": fleet,
            "sku": {"name": "ST2"},
            "template": "iotc-pnp-preview@1.0.0",
            "tags": {},
            **members,
        }
        app = Application(platform, self.directory, document)
        document["seeded"] = True
        key = subdomain.lower()
        self._documents.put(key, document)
        self._apps[key] = app
        return app

    def __iter__(self) -> Any:
        return iter(tuple(self._apps.values()))

    def get(self, subdomain: str) -> Application | None:
        """The application of a subdomain; without one the default application."""
        return self._apps.get(subdomain.lower() or DEFAULT_APP)

    def find(self, group: str, name: str) -> Application | None:
        """The application of an ARM resource."""
        wanted = (group.lower(), name.lower())
        return next(
            (a for a in self if (a.document["group"].lower(), a.document["name"].lower()) == wanted), None
        )

    def keep(self, app: Application) -> None:
        """Write a changed document."""
        self._documents.put(app.subdomain.lower(), app.document)

    def delete(self, app: Application) -> None:
        """Remove an application with its data."""
        key = app.subdomain.lower()
        self._documents.drop(key)
        self._apps.pop(key, None)
        app.erase()

    def by_scope(self, scope: str) -> Application | None:
        """The application of an ID scope."""
        return next((app for app in self if app.id_scope == scope), None)
