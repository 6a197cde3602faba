"""Device templates: what kinds of devices an application knows."""

from typing import Any

from iotnb.sandbox.iotcentral.call import Call, check_match, listing, page_of
from iotnb.sandbox.iotcentral.conditions import ConditionError, chosen, odata
from iotnb.sandbox.iotcentral.dtdl import DTMI, read, types_of
from iotnb.sandbox.iotcentral.events import template_changed
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused, bad_request, invalid, not_found, template_etag

Json = dict[str, Any]
_MEMBERS = frozenset({"@id", "@type", "displayName", "description", "capabilityModel", "@context"})


def shown(name: str, held: Json) -> Json:
    """A template as the API shows it."""
    out = {"@id": name, "etag": template_etag(name, held["rev"])}
    return out | {member: held[member] for member in held if member not in ("@id", "rev")}


def ordered(rows: list[Json], orderby: str) -> list[Json]:
    """Rows in the order of `displayName [asc|desc]`; 400 for another order."""
    if not orderby:
        return rows
    member, _, way = orderby.strip().partition(" ")
    if member != "displayName" or way.strip().lower() not in ("", "asc", "desc"):
        raise bad_request("orderby is displayName, displayName asc or displayName desc.")
    return sorted(rows, key=lambda row: str(row.get(member, "")), reverse=way.strip().lower() == "desc")


def filtered(rows: list[Json], text: str, names: dict[str, str]) -> list[Json]:
    """The rows that an OData filter chooses; `names` are its fields by their words; 400 for a bad one."""
    if not text:
        return rows
    try:
        condition = odata(text, names)
        return [row for row in rows if chosen(condition, row.get)]
    except ConditionError as error:
        raise bad_request(f"The filter is not valid: {error}") from None


def list_templates(_platform: Platform, call: Call) -> Answer:
    """GET /deviceTemplates: the published ones."""
    page = page_of(call, filters=True)
    rows = [shown(name, held) for name, held in call.application.templates.items()]
    names = {"id": "@id", "@id": "@id", "displayName": "displayName"}
    return listing(call, ordered(filtered(rows, page.filter, names), page.orderby), page)


def get_template(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /deviceTemplates/{dtmi}."""
    return Answer(body=shown(name, _held(call, name)))


def _held(call: Call, name: str) -> Json:
    held: Json | None = call.application.templates.get(name)
    if held is None:
        raise not_found(f"The device template {name} does not exist.")
    return held


def put_template(_platform: Platform, call: Call, name: str) -> Answer:
    """PUT /deviceTemplates/{dtmi}: create or replace."""
    if not DTMI.fullmatch(name):
        raise invalid(f"{name} is not a digital twin model identifier.")
    old = call.application.templates.get(name)
    document = _checked(call, name, {})
    for member in ("@type", "capabilityModel"):
        if member not in document:
            raise invalid(f"{member} is needed.")
    document["rev"] = old["rev"] + 1 if old else 0
    call.application.templates.put(name, document)
    template_changed(call.application, name, "updated" if old else "created")
    return Answer(body=shown(name, document))


def patch_template(_platform: Platform, call: Call, name: str) -> Answer:
    """PATCH /deviceTemplates/{dtmi}."""
    held = _held(call, name)
    check_match(call, template_etag(name, held["rev"]))
    document = {**_checked(call, name, held), "rev": held["rev"] + 1}
    call.application.templates.put(name, document)
    template_changed(call.application, name, "updated")
    return Answer(body=shown(name, document))


def _checked(call: Call, name: str, held: Json) -> Json:
    members = Members(call, _MEMBERS)
    if members.body.get("@id", name) != name:
        raise invalid("@id must be the one in the path.")
    document = {**held, **{m: v for m, v in members.body.items() if m in _MEMBERS}, "@id": name}
    kinds = types_of(document)
    if "@type" in document and not {"ModelDefinition", "DeviceModel"} <= kinds:
        raise invalid('@type must hold "ModelDefinition" and "DeviceModel".')
    document.setdefault("displayName", name)
    members.text("displayName")
    if "capabilityModel" in document:
        try:
            read(document["capabilityModel"])
        except ValueError as error:
            raise invalid(f"The capability model is not valid: {error}.") from None
    return document


def delete_template(_platform: Platform, call: Call, name: str) -> Answer:
    """DELETE /deviceTemplates/{dtmi}: not while devices use it."""
    _held(call, name)
    if any(device.template == name for device in call.application.registry):
        raise Refused(409, "Conflict", f"Devices use the template {name}.")
    call.application.templates.drop(name)
    call.application.models.pop(name, None)
    template_changed(call.application, name, "deleted")
    return Answer(204)


ROUTES = [
    Route("GET", "/deviceTemplates", list_templates),
    Route("GET", "/deviceTemplates/{dtmi}", get_template),
    Route("PUT", "/deviceTemplates/{dtmi}", put_template, "build"),
    Route("PATCH", "/deviceTemplates/{dtmi}", patch_template, "build"),
    Route("DELETE", "/deviceTemplates/{dtmi}", delete_template, "build"),
]
