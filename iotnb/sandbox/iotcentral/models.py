"""Device models (DTDL v2) that the sandbox knows: the phone, thermostats, and the kinds of its fleet."""

from typing import Any

from iotnb.sandbox.fleet import Kind, Series

_CONTEXT = ["dtmi:iotcentral:context;2", "dtmi:dtdl:context;2"]
PHONE = "dtmi:azureiot:PhoneAsADevice;2"
PHONE_1 = "dtmi:azureiot:PhoneAsADevice;1"
THERMOSTAT = "dtmi:com:example:Thermostat;1"
CONTROLLER = "dtmi:com:example:TemperatureController;1"
FLEET: dict[Kind, str] = {
    "gateway": "dtmi:iotnb:plant:Gateway;1",
    "sensor": "dtmi:iotnb:plant:ClimateSensor;1",
    "machine": "dtmi:iotnb:plant:Pump;1",
}
_NAMES: dict[Kind, str] = {"gateway": "Industrial gateway", "sensor": "Climate sensor", "machine": "Pump"}
EVENTS: dict[Kind, tuple[str, ...]] = {
    "gateway": ("location_update", "connected", "battery_replaced", "firmware_updated"),
    "sensor": ("door_opened", "connected", "battery_replaced", "firmware_updated"),
    "machine": ("tool_changed", "connected", "battery_replaced", "firmware_updated"),
}

Json = dict[str, Any]


def _words(name: str) -> str:
    spaced = "".join(f" {char.lower()}" if char.isupper() else char for char in name).replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


def telemetry(name: str, schema: Any, *more: str, **members: Any) -> Json:
    """A telemetry of a model."""
    kind: Any = ["Telemetry", *more] if more else "Telemetry"
    return {"@type": kind, "name": name, "displayName": _words(name), "schema": schema, **members}


def prop(name: str, schema: Any, *more: str, **members: Any) -> Json:
    """A property of a model."""
    kind: Any = ["Property", *more] if more else "Property"
    return {"@type": kind, "name": name, "displayName": {"en": _words(name)}, "schema": schema, **members}


def command(name: str, request: Json | None = None, response: Json | None = None) -> Json:
    """A command of a model; payloads are {name, schema}."""
    out: Json = {"@type": "Command", "commandType": "synchronous", "name": name, "displayName": _words(name)}
    if request is not None:
        out["request"] = {"@type": "CommandPayload", **request}
    if response is not None:
        out["response"] = {"@type": "CommandPayload", **response}
    return out


def component(name: str, schema: Json | str) -> Json:
    """A component of a model, with its interface inside."""
    return {"@type": "Component", "name": name, "displayName": {"en": _words(name)}, "schema": schema}


def interface(identifier: str, display: str, contents: list[Json], **members: Any) -> Json:
    """An interface."""
    head = {"@context": _CONTEXT, "@id": identifier, "@type": "Interface", "displayName": display}
    return {**head, "contents": contents, **members}


def fields(**schemas: Any) -> Json:
    """An object schema."""
    return {"@type": "Object", "fields": [{"name": n, "schema": s} for n, s in schemas.items()]}


def _device_information() -> Json:
    texts = ("manufacturer", "model", "swVersion", "osName", "processorArchitecture", "processorManufacturer")
    contents = [prop(name, "string") for name in texts]
    contents += [prop(name, "double") for name in ("totalStorage", "totalMemory")]
    identifier = "dtmi:azure:DeviceManagement:DeviceInformation;1"
    return interface(identifier, "Device Information", contents)


def _phone_sensors() -> Json:
    enum = "dtmi:azureiot:PhoneSensors:SensorsEnum;1"
    names = {
        "Acceleration": "accelerometer",
        "Pressure": "barometer",
        "Rotation": "gyroscope",
        "MagneticInduction": "magnetometer",
        "Location": "geolocation",
        "Battery": "battery",
    }
    values = [{"name": n, "displayName": {"en": _words(n)}, "enumValue": v} for n, v in names.items()]
    contents = [
        telemetry("battery", "integer", comment="Level percentage"),
        telemetry("accelerometer", "vector", "AccelerationVector"),
        telemetry("gyroscope", "vector"),
        telemetry("magnetometer", "vector"),
        telemetry("barometer", "double", "Pressure", unit="kilopascal"),
        telemetry("geolocation", "geopoint", "Location"),
        command("enableSensors", {"name": "sensor", "schema": fields(sensor=enum, enable="boolean")}),
        command("changeInterval", {"name": "payload", "schema": fields(sensor=enum, interval="integer")}),
    ]
    schema = {"@id": enum, "@type": "Enum", "valueSchema": "string", "enumValues": values}
    return interface("dtmi:azureiot:PhoneSensors;1", "Sensors", contents, schemas=[schema])


def _phone(identifier: str = PHONE, display: str = "IoT Plug and Play mobile") -> Json:
    light = fields(duration="integer", delay="integer", pulses="integer")
    contents = [
        component("sensors", _phone_sensors()),
        component("device_info", _device_information()),
        command("lightOn", {"name": "parameters", "schema": light}),
        prop("writeableProp", "string", writable=True),
        prop("readOnlyProp", "string"),
    ]
    return interface(identifier, display, contents)


def _thermostat() -> Json:
    report = fields(
        maxTemp="double", minTemp="double", avgTemp="double", startTime="dateTime", endTime="dateTime"
    )
    celsius = {"unit": "degreeCelsius"}
    contents = [
        telemetry("temperature", "double", "Temperature", **celsius),
        prop("targetTemperature", "double", "Temperature", writable=True, **celsius),
        prop("maxTempSinceLastReboot", "double", "Temperature", **celsius),
        command(
            "getMaxMinReport",
            {"name": "since", "schema": "dateTime"},
            {"name": "tempReport", "schema": report},
        ),
    ]
    return interface(THERMOSTAT, "Thermostat", contents)


def _controller() -> Json:
    contents = [
        telemetry("workingSet", "double", "DataSize", unit="kibibyte"),
        prop("serialNumber", "string"),
        command("reboot", {"name": "delay", "schema": "integer"}),
        component("thermostat1", _thermostat()),
        component("thermostat2", _thermostat()),
        component("deviceInformation", _device_information()),
    ]
    return interface(CONTROLLER, "Temperature Controller", contents)


def _settings(identifier: str) -> Json:
    levels = [{"name": _words(n), "enumValue": n} for n in ("debug", "info", "warning")]
    enum = {"@type": "Enum", "valueSchema": "string", "enumValues": levels}
    contents = [
        prop("reportInterval", "integer", "TimeSpan", writable=True, unit="second"),
        prop("logLevel", enum, "Initialized", writable=True, initialValue="info"),
    ]
    return interface(identifier, "Settings", contents)


def _collector(identifier: str) -> Json:
    contents = [
        telemetry("queueLength", "long"),
        prop("version", "string"),
        prop("maxQueue", "integer", writable=True),
        command("flush"),
        component(
            "storage", interface(f"{identifier[:-2]}:storage;1", "Storage", [prop("usedMB", "double")])
        ),
    ]
    return interface(identifier, "Collector", contents)


def _fleet_model(kind: Kind, groups: dict[str, tuple[Series, ...]], *, events: bool) -> Json:
    """The model of one kind of the fleet: a component for each group of series, settings, events."""
    base = FLEET[kind][:-2]
    contents = []
    for group, series in groups.items():
        items = [
            telemetry(
                one.name, "double", displayUnit=one.unit, decimalPlaces=2, minValue=one.low, maxValue=one.high
            )
            for one in series
        ]
        contents.append(component(group, interface(f"{base}:{group};1", _words(group), items)))
    contents.append(component("settings", _settings(f"{base}:settings;1")))
    contents.append(component("device_info", _device_information()))
    if kind == "gateway":
        target = _collector(f"{base}:collector;1")
        module = {"@type": ["Relationship", "EdgeModule"], "name": "collector", "maxMultiplicity": 1}
        contents.append({**module, "displayName": "Collector", "target": [target]})
    contents += [prop(name, "string") for name in ("serialNumber", "imei", "iccid", "imsi", "msisdn", "mac")]
    contents.append(prop("site", "string", "Cloud"))
    contents.append({**prop("installed", "dateTime"), "@type": ["Cloud", "Property"]})
    contents += [
        command("restart"),
        command(
            "updateFirmware",
            {"name": "image", "schema": fields(name="string", version="string", url="string")},
        ),
        command("runText", {"name": "text", "schema": "string"}, {"name": "output", "schema": "string"}),
    ]
    if events:
        severity = {"severity": "information"}
        contents += [telemetry(name, "string", "Event", "EventValue", **severity) for name in EVENTS[kind]]
    return interface(FLEET[kind], _NAMES[kind], contents)


def fleet_model(kind: Kind, series: tuple[Series, ...], *, events: bool) -> Json:
    """The model of gateways, sensors or machines, from what they measure."""
    groups: dict[str, tuple[Series, ...]] = {}
    for one in series:
        groups[one.group] = (*groups.get(one.group, ()), one)
    return _fleet_model(kind, groups, events=events)


def repository(identifier: str) -> Json | None:
    """A published model by its dtmi, whole, or None."""
    if identifier == PHONE_1:
        return _phone(PHONE_1, "Smartphone")
    makers = {PHONE: _phone, THERMOSTAT: _thermostat, CONTROLLER: _controller}
    return makers[identifier]() if identifier in makers else None


def template_of(model: Json) -> Json:
    """A device template around a model."""
    name = model.get("displayName")
    display = name.get("en", model["@id"]) if isinstance(name, dict) else name or model["@id"]
    kind = ["ModelDefinition", "DeviceModel"]
    return {"@id": model["@id"], "@type": kind, "displayName": display, "capabilityModel": model}
