"""How a new device gets credentials: request, connection, acceptance, hand-over."""

import csv
import io
import secrets
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from iotnb.sandbox.cumulocity.inventory import announce
from iotnb.sandbox.cumulocity.state import TENANT, Platform
from iotnb.sandbox.cumulocity.wire import Answer, Call, Refused, done, format_time, invalid, missing, sliced

WAITING, PENDING, ACCEPTED = "WAITING_FOR_CONNECTION", "PENDING_ACCEPTANCE", "ACCEPTED"
_KIND = "newdevice"
_FIELDS = ("groupId", "type", "customProperties", "enrollmentToken")


def rendered(call: Call, kept: dict[str, Any]) -> dict[str, Any]:
    """A request as the platform writes it."""
    shown = {name: value for name, value in kept.items() if name not in ("securityToken", "deviceToken")}
    return {**shown, "self": call.url("devicecontrol", "newDeviceRequests", kept["id"])}


def _kept(platform: Platform, text: str) -> dict[str, Any]:
    found: dict[str, Any] | None = platform.store.setting(_KIND, text)
    if found is None:
        raise Refused(404, "devicecontrol/Not Found", f"Could not find newDeviceRequest by ID {text}")
    return found


def _need(platform: Platform, call: Call, verb: str) -> None:
    platform.access.need(call.user, f"ROLE_DEVICE_CONTROL_{verb}")


def list_requests(platform: Platform, call: Call) -> Answer:
    """GET /devicecontrol/newDeviceRequests."""
    _need(platform, call, "READ")
    items = [rendered(call, kept) for kept in platform.store.settings(_KIND).values()]
    return sliced(call, "newDeviceRequests", "newdevicerequestcollection", items)


def create_request(platform: Platform, call: Call) -> Answer:
    """POST /devicecontrol/newDeviceRequests."""
    _need(platform, call, "ADMIN")
    body = call.document()
    name = body.get("id")
    if not name:
        raise missing("id")
    if not isinstance(name, str):
        raise invalid("Field id must be text")
    if platform.store.setting(_KIND, name) is not None:
        raise Refused(
            422, "devicecontrol/Non Unique Result", f"New device request with ID {name} exists already"
        )
    kept = {
        "id": name,
        "status": WAITING,
        "tenantId": TENANT,
        "owner": call.user.name,
        "creationTime": format_time(platform.now()),
    }
    kept |= {field: body[field] for field in _FIELDS if body.get(field) is not None}
    platform.store.set(_KIND, name, kept)
    document = rendered(call, kept)
    return call.made("newdevicerequest", document, document["self"])


def get_request(platform: Platform, call: Call, text: str) -> Answer:
    """GET /devicecontrol/newDeviceRequests/{id}."""
    _need(platform, call, "READ")
    return Answer(body=rendered(call, _kept(platform, text)), kind="newdevicerequest")


def _accept(platform: Platform, kept: dict[str, Any], token: object) -> None:
    """Move a request to ACCEPTED; 422 while the device has not connected or when the tokens differ."""
    if kept["status"] == WAITING:
        raise Refused(
            422,
            "devicecontrol/Invalid Data",
            f"Device {kept['id']} has not connected yet: it cannot be accepted",
        )
    if kept.get("deviceToken") != (token or None):
        raise Refused(
            422, "devicecontrol/Invalid Data", "The security token does not match that of the device"
        )
    kept["status"] = ACCEPTED
    platform.store.set(_KIND, kept["id"], kept)


def update_request(platform: Platform, call: Call, text: str) -> Answer:
    """PUT /devicecontrol/newDeviceRequests/{id} with the status ACCEPTED."""
    _need(platform, call, "ADMIN")
    kept, body = _kept(platform, text), call.document()
    if body.get("status") is None:
        raise missing("status")
    if body["status"] == ACCEPTED:
        _accept(platform, kept, body.get("securityToken"))
    elif body["status"] != kept["status"]:
        raise invalid(f"The status can only be changed to {ACCEPTED}, not to {body['status']!r}")
    return call.changed("newdevicerequest", rendered(call, kept))


def delete_request(platform: Platform, call: Call, text: str) -> Answer:
    """DELETE /devicecontrol/newDeviceRequests/{id}."""
    platform.access.need(call.user, "ROLE_USER_MANAGEMENT_ADMIN", "ROLE_DEVICE_CONTROL_ADMIN")
    platform.store.unset(_KIND, _kept(platform, text)["id"])
    return done()


def accept_all(platform: Platform, call: Call) -> Answer:
    """POST .../acceptAll: accept every device that has connected."""
    _need(platform, call, "ADMIN")
    outcome: list[dict[str, Any]] = []
    for kept in platform.store.settings(_KIND).values():
        if kept["status"] != PENDING:
            continue
        try:
            _accept(platform, kept, None)
            outcome.append({"id": kept["id"], "successful": True})
        except Refused as refused:
            outcome.append({"id": kept["id"], "successful": False, "error": refused.message})
    return Answer(body=outcome)


def limit(platform: Platform, call: Call) -> Answer:
    """GET .../limit: this tenant has none."""
    _need(platform, call, "READ")
    objects = platform.objects
    made = sum("c8y_IsDevice" in document for document in objects.made.values())
    count = len(platform.fleet) + made - len(objects.hidden)
    return Answer(body={"isReached": False, "deviceCount": count})


def credentials(platform: Platform, call: Call) -> Answer:
    """POST /devicecontrol/deviceCredentials: 404 until the request is accepted, then the credentials once."""
    platform.access.need(call.user, "ROLE_DEVICE_BOOTSTRAP")
    body = call.document()
    name = body.get("id")
    if not isinstance(name, str) or not name:
        raise missing("id")
    waiting = Refused(404, "devicecontrol/Not Found", f"There is no newDeviceRequest for device id {name}")
    kept = platform.store.setting(_KIND, name)
    if kept is None:
        raise waiting
    if kept["status"] != ACCEPTED:
        platform.store.set(
            _KIND, name, {**kept, "status": PENDING, "deviceToken": body.get("securityToken") or None}
        )
        raise waiting
    platform.store.unset(_KIND, name)
    password = platform.world.issue(secrets.token_urlsafe(12), f"cumulocity: password of device_{name}")
    _hand_over(platform, f"device_{name}", password, kept)
    answer = {
        "id": name,
        "self": call.url("devicecontrol", "deviceCredentials", name),
        "tenantId": TENANT,
        "username": f"device_{name}",
        "password": password,
    }
    return Answer(status=platform.switches.credentials_status, body=answer, kind="devicecredentials")


def _hand_over(platform: Platform, user: str, password: str, kept: dict[str, Any]) -> None:
    """Make the device's user; its first object joins the group of the request."""
    platform.directory.device_user(user, password=password)
    if kept.get("groupId"):
        platform.store.set("joins", user, kept["groupId"])


def bulk(platform: Platform, call: Call) -> Answer:
    """POST /devicecontrol/bulkNewDeviceRequests: a CSV file with one device a line."""
    _need(platform, call, "ADMIN")
    lines = _csv_rows(call)
    failed: list[dict[str, Any]] = []
    created: list[dict[str, Any]] = []
    for number, row in enumerate(lines, 2):
        try:
            created.append(_bulk_row(platform, call, row))
        except Refused as refused:
            line = ",".join(value for value in row.values() if value)
            failed.append(
                {
                    "bulkNewDeviceStatus": "FAILED",
                    "failureReason": refused.message,
                    "line": f"{number}: {line}",
                }
            )
    answer = {
        "numberOfAll": len(lines),
        "numberOfCreated": len(created),
        "numberOfFailed": len(failed),
        "numberOfSuccessful": len(created),
        "credentialUpdatedList": created,
        "failedCreationList": failed,
    }
    return Answer(status=201, body=answer, kind="bulknewdevicerequest")


def file_part(call: Call) -> tuple[bytes, str, str, dict[str, bytes]]:
    """(content, file name, media type, other fields) of a multipart body, or of the bare body."""
    if "multipart/" not in call.content_type:
        return call.body, "", call.headers.get("content-type", "application/octet-stream"), {}
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + call.body)
    fields: dict[str, bytes] = {}
    found: tuple[bytes, str, str] = (b"", "", "application/octet-stream")
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition") or "")
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        if name == "file" or (not name and part.get_filename()):
            found = (data, part.get_filename() or "", part.get_content_type())
        else:
            fields[name] = data
    return *found, fields


def _csv_rows(call: Call) -> list[dict[str, str]]:
    text = file_part(call)[0].decode("utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    separator = next((mark for mark in ("\t", ";") if mark in first), ",")
    return [
        {name.strip().upper(): (value or "").strip() for name, value in row.items() if isinstance(name, str)}
        for row in csv.DictReader(io.StringIO(text), delimiter=separator)
    ]


def _bulk_row(platform: Platform, call: Call, row: dict[str, str]) -> dict[str, Any]:
    """Make the user of one line, and its managed object when the line names one."""
    name, password = row.get("ID", ""), row.get("CREDENTIALS", "")
    if not name:
        raise missing("ID")
    if row.get("AUTH_TYPE", "BASIC").upper() != "CERTIFICATES" and not 6 <= len(password) <= 32:
        raise invalid("CREDENTIALS must have 6 to 32 characters")
    platform.directory.device_user(f"device_{name}", password=password)
    if row.get("NAME") or row.get("TYPE"):
        body: dict[str, Any] = {
            "name": row.get("NAME") or name,
            "type": row.get("TYPE", ""),
            "c8y_IsDevice": {},
        }
        if row.get("ICCID"):
            body["c8y_Mobile"] = {"iccid": row["ICCID"]}
        found = platform.objects.create(body, f"device_{name}")
        if platform.identities.find(row.get("IDTYPE") or "c8y_Serial", name) is None:
            platform.identities.add(row.get("IDTYPE") or "c8y_Serial", name, found)
        announce(platform, call, found, "CREATE")
    return {"bulkNewDeviceStatus": "CREATED", "deviceId": name}


ROUTES = (
    ("GET", "/devicecontrol/newDeviceRequests", list_requests),
    ("POST", "/devicecontrol/newDeviceRequests", create_request),
    ("POST", "/devicecontrol/newDeviceRequests/acceptAll", accept_all),
    ("GET", "/devicecontrol/newDeviceRequests/limit", limit),
    ("GET", "/devicecontrol/newDeviceRequests/{id}", get_request),
    ("PUT", "/devicecontrol/newDeviceRequests/{id}", update_request),
    ("DELETE", "/devicecontrol/newDeviceRequests/{id}", delete_request),
    ("POST", "/devicecontrol/deviceCredentials", credentials),
    ("POST", "/devicecontrol/bulkNewDeviceRequests", bulk),
)
