"""Users and roles."""

from iotnb.sandbox.iotconnect.company import (
    COMPANY,
    COMPANY_NAME,
    CP_ID,
    ROLES,
    SOLUTION,
    TIMEZONE,
    USERS,
    Role,
    User,
    user_of,
)
from iotnb.sandbox.iotconnect.ids import is_guid
from iotnb.sandbox.iotconnect.models import MADE
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.tree import entity, known_entity
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    not_found,
    ok,
    paged,
    single,
    stamp,
    whole,
)

_SORTS = ("firstName", "lastName", "userId", "roleName", "entityName", "createdDate")


# users


def _user(platform: Platform, user: User) -> Json:
    place = entity(platform, user.entity)
    return {
        "guid": user.guid,
        "userId": user.email,
        "companyGuid": COMPANY,
        "firstName": user.first,
        "lastName": user.last,
        "name": user.name,
        "contactNo": "1-5550100",
        "timezoneGuid": TIMEZONE,
        "imageName": None,
        "imageUrl": None,
        "isActive": True,
        "isVerified": True,
        "isLocked": False,
        "userInfo": [],
        "roleGuid": user.role.guid,
        "roleName": user.role.name,
        "entityGuid": user.entity,
        "entityName": None if place is None else place.name,
        "createdBy": USERS[0].guid,
        "createdDate": stamp(MADE),
        "updatedBy": USERS[0].guid,
        "updatedDate": stamp(MADE),
    }


def _listed(platform: Platform, call: Call, users: list[User]) -> Answer:
    rows = [_user(platform, one) for one in users]
    for asked, member in (
        ("firstname", "firstName"),
        ("lastname", "lastName"),
        ("email", "userId"),
        ("contactno", "contactNo"),
        ("role", "roleName"),
        ("entity", "entityName"),
    ):
        text = call.one(asked).lower()
        rows = [one for one in rows if text in str(one[member]).lower()]
    if call.one("status").lower() == "inactive":
        rows = []
    return paged(call, rows, _SORTS)


def list_users(platform: Platform, call: Call) -> Answer:
    """GET /User."""
    return _listed(platform, call, list(USERS))


def of_entity(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /entity/{guid}/user."""
    known_entity(platform, guid)
    return _listed(platform, call, [one for one in USERS if one.entity.lower() == guid.lower()])


def of_role(platform: Platform, call: Call, guid: str) -> Answer:
    """GET /role/{guid}/user."""
    role = _role(guid)
    return _listed(platform, call, [one for one in USERS if one.role is role])


def get_user(platform: Platform, _call: Call, guid: str) -> Answer:
    """GET /User/{guid}: `userGuid` here; 404."""
    user = user_of(guid) if is_guid(guid) else None
    if user is None:
        raise not_found("userGuid", f"There is no user {guid}.")
    found = _user(platform, user)
    found["userGuid"] = found.pop("guid")
    place = entity(platform, user.entity)
    more = {
        "companyName": COMPANY_NAME,
        "companyCpid": CP_ID,
        "companyLogo": None,
        "companyLogoUrl": None,
        "parentEntityGuid": None if place is None else place.parent,
        "timezoneOffset": "00:00",
        "isCompanyAdmin": user is USERS[0],
    }
    return single(found | more)


def availability(_platform: Platform, _call: Call, email: str) -> Answer:
    """GET /User/{email}/availability: the user with a name; 409."""
    user = next((one for one in USERS if one.email == email.lower()), None)
    if user is None:
        raise conflict("email", f"There is no user {email}.")
    found = {
        "guid": user.guid,
        "userId": user.email,
        "companyGuid": COMPANY,
        "firstName": user.first,
        "lastName": user.last,
        "timezoneGuid": TIMEZONE,
        "imageName": None,
        "isActive": True,
        "isDeleted": False,
        "isPasswordCreated": 1,
        "createdDate": stamp(MADE),
        "updatedDate": stamp(MADE),
    }
    return single(found)


def identity(platform: Platform, call: Call) -> Answer:
    """GET /User/identity: who asks; `data` is an object."""
    user = user_of(call.user.guid) or USERS[0]
    place = entity(platform, user.entity)
    found = {
        "userGuid": user.guid,
        "userId": user.email,
        "firstName": user.first,
        "lastName": user.last,
        "roleGuid": user.role.guid,
        "roleName": user.role.name,
        "companyGuid": COMPANY,
        "companyName": COMPANY_NAME,
        "cpId": CP_ID,
        "entityGuid": user.entity,
        "parentEntityGuid": None if place is None else place.parent,
        "solutionGuid": SOLUTION,
        "timezoneGuid": TIMEZONE,
        "isCompanyAdmin": user is USERS[0],
        "pageSize": call.default_page,
        "permissions": {"users": user.role.reads_users, "changes": user.role.writes},
    }
    return ok(found)


def user_lookup(_platform: Platform, call: Call) -> Answer:
    """GET /User/lookup."""
    rows = [{"guid": one.guid, "name": one.name, "userid": one.email} for one in USERS]
    return whole(call, rows)


def user_count(_platform: Platform, call: Call) -> Answer:
    """GET /User/count."""
    return single({"userCount": 0 if call.one("status").lower() == "inactive" else len(USERS)})


# roles


def _role(guid: str) -> Role:
    found = next((one for one in ROLES if one.guid.lower() == guid.lower()), None)
    if found is None:
        raise conflict("roleGuid", f"There is no role {guid}.")
    return found


def role_lookup(_platform: Platform, call: Call) -> Answer:
    """GET /Role/lookup."""
    rows = [
        {"guid": one.guid, "name": one.name, "description": one.description, "isActive": True, "row_num": n}
        for n, one in enumerate(ROLES, start=1)
    ]
    return whole(call, rows)


def get_role(_platform: Platform, _call: Call, guid: str) -> Answer:
    """GET /Role/{guid}."""
    found = _role(guid)
    solutions = [{"guid": SOLUTION}]
    return single(
        {"guid": found.guid, "name": found.name, "description": found.description, "solutions": solutions}
    )


def role_users(_platform: Platform, call: Call) -> Answer:
    """GET /Role/role-user: roles with how many users have them."""
    rows = [
        {
            "guid": one.guid,
            "name": one.name,
            "description": one.description,
            "isactive": True,
            "userCount": sum(user.role is one for user in USERS),
            "createdDate": stamp(MADE),
            "updatedDate": stamp(MADE),
        }
        for one in ROLES
        if call.one("name").lower() in one.name.lower()
    ]
    return paged(call, rows, ("name", "userCount", "createdDate"))


ROUTES = [
    Route("GET", "/User", list_users, "user"),
    Route("GET", "/User/identity", identity, "entity"),
    Route("GET", "/User/lookup", user_lookup, "user"),
    Route("GET", "/User/count", user_count, "user"),
    Route("GET", "/User/{guid}", get_user, "user"),
    Route("GET", "/User/{email}/availability", availability, "user"),
    Route("GET", "/entity/{guid}/user", of_entity, "user"),
    Route("GET", "/role/{guid}/user", of_role, "user"),
    Route("GET", "/Role/lookup", role_lookup, "user"),
    Route("GET", "/Role/role-user", role_users, "user"),
    Route("GET", "/Role/{guid}", get_role, "user"),
]
