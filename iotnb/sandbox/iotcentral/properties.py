"""Properties of devices, components and modules: read, update (PATCH), replace (PUT)."""

from typing import Any

from iotnb.sandbox.iotcentral import events
from iotnb.sandbox.iotcentral.call import Call
from iotnb.sandbox.iotcentral.devices import find
from iotnb.sandbox.iotcentral.dtdl import Part, fits
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.telemetry import model_of, part_of
from iotnb.sandbox.iotcentral.twin import Twin, is_cloud
from iotnb.sandbox.iotcentral.wire import Answer, invalid

Json = dict[str, Any]


def get(_platform: Platform, call: Call, name: str, module: str = "", component: str = "") -> Answer:
    """GET .../properties."""
    device = find(call, name)
    twin = Twin(call.application, device)
    if component:
        part_of(call, device, module, component)
        return Answer(body=twin.part(module, component))
    model_of(call, device, module)
    return Answer(body=twin.whole(module))


def change(_platform: Platform, call: Call, name: str, module: str = "", component: str = "") -> Answer:
    """PATCH and PUT .../properties: 202, accepted and not yet applied."""
    device = find(call, name, "operate")
    body = call.document()
    replace = call.method == "PUT"
    wanted: list[tuple[Part, Json]] = []
    if component:
        wanted.append((part_of(call, device, module, component), _values(body)))
    else:
        model = model_of(call, device, module)
        wanted.append((model.root, _values({n: v for n, v in body.items() if n not in model.components})))
        for inner in model.components:
            if inner in body:
                if not isinstance(body[inner], dict):
                    raise invalid(f"{inner} is a component: its value must be an object.")
                wanted.append((model.components[inner], _values(body[inner])))
            elif replace:
                wanted.append((model.components[inner], {}))
    for part, values in wanted:
        _check(call, part, values)
    out: Json = {}
    twin = Twin(call.application, device)
    for part, values in wanted:
        place = part.name if part is not model_of(call, device, module).root else ""
        found = _write(call, twin, part, module, place, values, replace=replace)
        if place and not component:
            out |= {place: found} if found else {}
        else:
            out |= found
    return Answer(202, out)


def _values(body: Json) -> Json:
    """The members without `$metadata` and its like, which a read document may hold."""
    return {name: value for name, value in body.items() if not name.startswith("$")}


def _check(call: Call, part: Part, values: Json) -> None:
    for name, value in values.items():
        item = part.properties.get(name)
        if item is None:
            if call.preview and call.flag("unmodeled"):
                continue
            raise invalid(f"There is no property {name}.")
        if not item.get("writable") and not is_cloud(item):
            raise invalid(f"The property {name} is read-only.")
        if value is not None and not fits(part.schema(item), value):
            raise invalid(f"The value of {name} does not fit its schema.")


def _write(
    call: Call, twin: Twin, part: Part, module: str, place: str, values: Json, *, replace: bool
) -> Json:
    cloud = frozenset(name for name in values if is_cloud(part.properties.get(name, {})))
    gone = twin.written(module, place) - set(values) if replace else set()
    if values or gone:
        twin.write(module, place, {**values, **dict.fromkeys(gone)}, cloud=cloud)
    wanted = {name: value for name, value in values.items() if name not in cloud}
    for kind, some in (
        ("devicePropertyDesiredChange", wanted),
        ("cloudPropertyChange", {n: values[n] for n in cloud}),
    ):
        if some:
            events.properties(call.application, twin.device, kind, place, some)
    out: Json = {name: values[name] for name in cloud}
    if wanted:
        out["$metadata"] = {name: {"desiredValue": value} for name, value in wanted.items()}
    return out


def _of_component(platform: Platform, call: Call, name: str, component: str) -> Answer:
    return (get if call.method in ("GET", "HEAD") else change)(platform, call, name, "", component)


_MODULE = "/devices/{id}/modules/{m}"
ROUTES = [
    Route("GET", "/devices/{id}/properties", get),
    Route("GET", "/devices/{id}/components/{c}/properties", _of_component),
    Route("GET", f"{_MODULE}/properties", get),
    Route("GET", f"{_MODULE}/components/{{c}}/properties", get),
]
for _method in ("PUT", "PATCH"):
    ROUTES += [
        Route(_method, "/devices/{id}/properties", change, "operate"),
        Route(_method, "/devices/{id}/components/{c}/properties", _of_component, "operate"),
        Route(_method, f"{_MODULE}/properties", change, "operate"),
        Route(_method, f"{_MODULE}/components/{{c}}/properties", change, "operate"),
    ]
