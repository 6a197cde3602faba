"""Relationships between gateways and the devices behind them."""

from typing import Any

from iotnb.sandbox.iotcentral.call import Call, listing
from iotnb.sandbox.iotcentral.devices import find
from iotnb.sandbox.iotcentral.members import Members
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, Refused, invalid, not_found

Json = dict[str, Any]


def _own(call: Call, device: Device) -> list[Json]:
    """The fleet's relationships of a device: a gateway and the sensors behind it."""
    app = call.application
    if device.fleet is None:
        return []
    fleet = app.platform.fleet
    pairs = [(device.fleet, child) for child in fleet.children(device.fleet)]
    parent = fleet[device.fleet].parent
    if parent is not None:
        pairs.append((parent, device.fleet))
    rows = []
    for source, target in pairs:
        ends = fleet[source].key, fleet[target].key
        name = f"{ends[0]}-has-{ends[1]}"
        alive = all(app.registry.get(end) is not None for end in ends)
        if alive and name not in app.relationships:
            rows.append({"id": name, "source": ends[0], "target": ends[1]})
    return rows


def _relationships(call: Call, device: Device) -> list[Json]:
    stored = [
        {"id": name, **one}
        for name, one in call.application.relationships.items()
        if device.id in (one.get("source"), one.get("target"))
    ]
    return _own(call, device) + stored


def list_relationships(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /devices/{id}/relationships: in both directions."""
    device = find(call, name)
    return listing(call, _relationships(call, device))


def get_relationship(_platform: Platform, call: Call, name: str, relationship: str) -> Answer:
    """GET /devices/{id}/relationships/{id}."""
    return Answer(body=_relationship(call, find(call, name), relationship))


def _relationship(call: Call, device: Device, name: str) -> Json:
    found = next((one for one in _relationships(call, device) if one["id"] == name), None)
    if found is None:
        raise not_found(f"The relationship {name} does not exist.")
    return found


def put_relationship(_platform: Platform, call: Call, name: str, relationship: str) -> Answer:
    """PUT and PATCH /devices/{id}/relationships/{id}."""
    device = find(call, name, "operate")
    body = Members(call, {"source", "target"}, name=relationship).body
    old = _relationship(call, device, relationship) if call.method == "PATCH" else {"source": device.id}
    ends = {end: body.get(end, old.get(end)) for end in ("source", "target")}
    for end, other in ends.items():
        if not isinstance(other, str) or call.application.registry.get(other) is None:
            raise invalid(f"{end} must be a device.")
    if device.id not in ends.values() or ends["source"] == ends["target"]:
        raise invalid("A relationship is between the device and another one.")
    call.application.relationships.put(relationship, ends)
    return Answer(body={"id": relationship, **ends})


def delete_relationship(_platform: Platform, call: Call, name: str, relationship: str) -> Answer:
    """DELETE /devices/{id}/relationships/{id}."""
    device = find(call, name, "operate")
    found = _relationship(call, device, relationship)
    if not call.application.relationships.drop(relationship):
        raise Refused(409, "Conflict", f"The relationship {found['id']} belongs to the gateway itself.")
    return Answer(204)


ROUTES = [
    Route("GET", "/devices/{id}/relationships", list_relationships),
    Route("GET", "/devices/{id}/relationships/{r}", get_relationship),
    Route("PUT", "/devices/{id}/relationships/{r}", put_relationship, "operate"),
    Route("PATCH", "/devices/{id}/relationships/{r}", put_relationship, "operate"),
    Route("DELETE", "/devices/{id}/relationships/{r}", delete_relationship, "operate"),
]
