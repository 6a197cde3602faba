"""The company of the sandbox: solution, tree of entities, roles and users."""

from dataclasses import dataclass

from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.iotconnect.wire import Json

COMPANY = fixed("company")
SOLUTION = fixed("solution")
CP_ID = fixed("cpid").replace("-", "")
COMPANY_NAME = "Avnet - SANDBOX"
REPORTING_TO = f"{COMPANY_NAME} - IOTCP00042"
TIMEZONE = fixed("timezone", "UTC")
_REGIONS: dict[str, tuple[str, ...]] = {
    "Germany": ("Essen", "Duesseldorf", "Depot"),
    "Benelux": ("Utrecht", "Ghent"),
    "South": ("Lyon", "Torino", "Depot"),
    "Centre and North": ("Brno", "Aarhus"),
}
_FOUNDED = 1_672_567_200_000  # 1 January 2023, 10 h


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One node of the organisation tree."""

    guid: str
    name: str
    parent: str | None
    label: str
    description: str = ""
    created: int = _FOUNDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What users may do."""

    guid: str
    name: str
    description: str
    reads_users: bool
    writes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who logs in."""

    guid: str
    email: str
    first: str
    last: str
    role: Role
    entity: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


ROOT = Entity(guid=fixed("entity", "root"), name=COMPANY_NAME, parent=None, label="Region")
ADMIN = Role(
    guid=fixed("role", "admin"),
    name="Admin",
    description="Everything",
    reads_users=True,
    writes=True,
)
INSPECTOR = Role(
    guid=fixed("role", "inspector"),
    name="Pr\u00fcfer?",
    description="Reads devices and telemetry, sees no users",
    reads_users=False,
    writes=False,
)
ROLES = (ADMIN, INSPECTOR)


def entity_guid(region: str, site: str = "") -> str:
    """The GUID of a region or of a site in it."""
    return fixed("entity", region, site)


def _tree() -> list[Entity]:
    found = [ROOT]
    for region, sites in _REGIONS.items():
        top = entity_guid(region)
        found.append(Entity(guid=top, name=region, parent=ROOT.guid, label="Site"))
        for site in sites:
            guid = entity_guid(region, site)
            found.append(Entity(guid=guid, name=site, parent=top, label="Area"))
    return found


SEEDED = tuple(_tree())
SITES = {site: entity_guid(region, site) for region, sites in _REGIONS.items() for site in sites}
"""Site of the fleet to entity (the last of two that have the same name)."""
USERS = (
    User(
        guid=fixed("user", "jo"),
        email="jo@example.com",
        first="Jo",
        last="Ferreira",
        role=ADMIN,
        entity=ROOT.guid,
    ),
    User(
        guid=fixed("user", "kim"),
        email="kim@example.com",
        first="Kim",
        last="Osei",
        role=INSPECTOR,
        entity=entity_guid("Germany"),
    ),
)


def user_of(guid: str) -> User | None:
    """The user with a GUID, or None."""
    return next((one for one in USERS if one.guid.lower() == guid.lower()), None)


def claims(user: User, key: str, *, refreshed: bool) -> Json:
    """The members of an access token without its times; two are missing after a refresh."""
    held: Json = {
        "id": user.guid,
        "companyId": COMPANY,
        "roleId": user.role.guid,
        "roleName": user.role.name,
        "cpId": CP_ID,
        "entityGuid": user.entity,
        "solutionGuid": SOLUTION,
        "solutionKey": key,
        "userId": user.email,
        "ps": False,
    }
    if not refreshed:
        held |= {"reviewStatus": None, "isCpidOptional": False}
    return {"iss": "sandbox.iotconnect.io", "aud": "sandbox.iotconnect.io", "user": held}
