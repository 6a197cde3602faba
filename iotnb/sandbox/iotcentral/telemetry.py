"""Components, modules and the last value of a telemetry."""

from typing import Any

from iotnb.sandbox.iotcentral.call import Call, listing
from iotnb.sandbox.iotcentral.devices import find
from iotnb.sandbox.iotcentral.dtdl import Model, Part
from iotnb.sandbox.iotcentral.lanes import lanes
from iotnb.sandbox.iotcentral.platform import Platform
from iotnb.sandbox.iotcentral.registry import Device
from iotnb.sandbox.iotcentral.routes import Route
from iotnb.sandbox.iotcentral.wire import Answer, not_found
from iotnb.sandbox.wire import iso

Json = dict[str, Any]


def model_of(call: Call, device: Device, module: str = "") -> Model:
    """The model of a device or of one of its modules; 404 for an unknown module."""
    model = call.application.model(device.template)
    if module:
        inner = None if model is None else model.modules.get(module)
        if inner is None:
            raise not_found(f"The device {device.id} has no module {module}.")
        return inner
    return model or Model(Part("", ""))


def part_of(call: Call, device: Device, module: str, component: str) -> Part:
    """The root or a component of a device or module; 404 for an unknown one."""
    part = model_of(call, device, module).part(component)
    if part is None:
        raise not_found(f"The device {device.id} has no component {component}.")
    return part


def _components(model: Model) -> list[Json]:
    rows = []
    for part in model.components.values():
        row: Json = {"@id": part.id, "@type": ["Component"], "name": part.name}
        display = part.display.get("en") if isinstance(part.display, dict) else part.display
        rows.append({**row, "displayName": display} if display else row)
    return rows


def list_components(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /devices/{id}/components."""
    return listing(call, _components(model_of(call, find(call, name))))


def list_modules(_platform: Platform, call: Call, name: str) -> Answer:
    """GET /devices/{id}/modules."""
    modules = model_of(call, find(call, name)).modules
    kinds = ["Relationship", "SemanticType/EdgeModule"]
    return listing(call, [{"@id": one.root.id, "@type": kinds, "name": n} for n, one in modules.items()])


def list_module_components(_platform: Platform, call: Call, name: str, module: str) -> Answer:
    """GET /devices/{id}/modules/{m}/components."""
    return listing(call, _components(model_of(call, find(call, name), module)))


def _last(call: Call, name: str, module: str, component: str, telemetry: str) -> Answer:
    device = find(call, name)
    part = part_of(call, device, module, component)
    if telemetry not in part.telemetry:
        raise not_found(f"The device {name} has no telemetry {telemetry}.")
    app = call.application
    found = None
    for lane in lanes(app, device) if not module else ():
        if lane.component == component and telemetry in lane.names:
            one = lane.newest(telemetry, app.platform.now() + 1)
            if one is not None and (found is None or one[0] > found[0]):
                found = one
    return Answer(body={} if found is None else {"value": found[1], "timestamp": iso(found[0])})


def root_value(_platform: Platform, call: Call, name: str, telemetry: str) -> Answer:
    """GET /devices/{id}/telemetry/{name}: `{}` if it was never sent."""
    return _last(call, name, "", "", telemetry)


def component_value(_platform: Platform, call: Call, name: str, component: str, telemetry: str) -> Answer:
    """GET /devices/{id}/components/{c}/telemetry/{name}."""
    return _last(call, name, "", component, telemetry)


def module_value(_platform: Platform, call: Call, name: str, module: str, telemetry: str) -> Answer:
    """GET /devices/{id}/modules/{m}/telemetry/{name}."""
    return _last(call, name, module, "", telemetry)


def module_component_value(
    _platform: Platform, call: Call, name: str, module: str, component: str, telemetry: str
) -> Answer:
    """GET /devices/{id}/modules/{m}/components/{c}/telemetry/{name}."""
    return _last(call, name, module, component, telemetry)


_MODULE = "/devices/{id}/modules/{m}"
ROUTES = [
    Route("GET", "/devices/{id}/components", list_components),
    Route("GET", "/devices/{id}/modules", list_modules),
    Route("GET", f"{_MODULE}/components", list_module_components),
    Route("GET", "/devices/{id}/telemetry/{t}", root_value),
    Route("GET", "/devices/{id}/components/{c}/telemetry/{t}", component_value),
    Route("GET", f"{_MODULE}/telemetry/{{t}}", module_value),
    Route("GET", f"{_MODULE}/components/{{c}}/telemetry/{{t}}", module_component_value),
]
