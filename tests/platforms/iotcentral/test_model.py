"""What a device template says, in every spelling of DTDL that the service and the repository use."""

import pytest

from iotnb.platforms.iotcentral import model

SENSORS = {
    "@id": "dtmi:azureiot:PhoneSensors;1",
    "@type": "Interface",
    "contents": [
        {
            "@type": "Telemetry",
            "name": "battery",
            "schema": "integer",
            "displayName": {"en": "Battery Level"},
        },
        {"@type": ["Telemetry", "AccelerationVector"], "name": "accelerometer", "schema": "vector"},
        {"@type": ["Telemetry", "Pressure"], "name": "barometer", "schema": "double", "unit": "kilopascal"},
        {"@type": ["Telemetry", "Location"], "name": "geolocation", "schema": "geopoint"},
        {
            "@type": "Command",
            "name": "changeInterval",
            "request": {"name": "p", "schema": {"@type": "Object", "fields": []}},
        },
    ],
}


def template(*contents: object, **more: object) -> dict[str, object]:
    root = {"@id": "dtmi:x:Root;1", "@type": "Interface", "contents": list(contents), **more}
    return {
        "@id": "dtmi:x:T;1",
        "@type": ["ModelDefinition", "DeviceModel"],
        "displayName": "T",
        "capabilityModel": root,
    }


def test_components_stand_before_the_name():
    found = model.read(template({"@type": "Component", "name": "sensors", "schema": SENSORS}))
    assert [each.name for each in found.telemetry] == [
        "sensors.battery",
        "sensors.accelerometer",
        "sensors.barometer",
        "sensors.geolocation",
    ]
    assert found.telemetry[2].unit == "kilopascal"
    assert found.telemetry[0].title == "Battery Level"
    assert [each.name for each in found.commands] == ["sensors.changeInterval"]
    assert found.commands[0].request == "object"


def test_vectors_and_places_become_one_series_a_leaf():
    found = model.read(template({"@type": "Component", "name": "sensors", "schema": SENSORS}))
    leaves = {name: kind for each in found.telemetry for name, kind in each.leaves}
    assert leaves == {
        "sensors.battery": "number",
        "sensors.barometer": "number",
        **{f"sensors.accelerometer.{leaf}": "number" for leaf in "xyz"},
        **{f"sensors.geolocation.{leaf}": "number" for leaf in ("lat", "lon", "alt")},
    }


def test_a_component_may_refer_to_an_interface_that_stands_elsewhere():
    component = {"@type": "Component", "name": "sensors", "schema": "dtmi:azureiot:PhoneSensors;1"}
    found = model.read(template(component, schemas=[SENSORS]))
    assert len(found.telemetry) == 4
    assert "dtmi:azureiot:PhoneSensors;1" in found.interfaces


def test_what_an_interface_extends_belongs_to_it():
    base = {"@id": "dtmi:x:Base;1", "contents": [{"@type": "Telemetry", "name": "t", "schema": "boolean"}]}
    found = model.read(template(extends=[base]))
    assert [(each.name, each.leaves) for each in found.telemetry] == [("t", [("t", "bool")])]


def test_an_interface_that_extends_itself_ends():
    assert model.read(template(extends=["dtmi:x:Root;1"])).telemetry == ()


def test_modules_stand_before_the_component_and_have_no_column():
    target = {
        "@type": "Interface",
        "contents": [{"@type": "Component", "name": "sensors", "schema": SENSORS}],
    }
    relation = {"@type": ["Relationship", "SemanticType/EdgeModule"], "name": "camera", "target": [target]}
    found = model.read(template(relation))
    assert found.telemetry[0].name == "camera/sensors.battery"
    assert found.telemetry[0].column == ""
    assert not found.gateway


def test_any_other_relationship_makes_a_gateway():
    assert model.read(template({"@type": ["Relationship", "GatewayDevice"], "name": "r"})).gateway


def test_events_properties_units_and_labels():
    state = {
        "@type": "Enum",
        "valueSchema": "integer",
        "enumValues": [
            {"name": "on", "enumValue": 1, "displayName": {"en": "Switched on"}},
            {"name": "off", "enumValue": 0},
        ],
    }
    found = model.read(
        template(
            {"@type": ["Telemetry", "State"], "name": "state", "schema": state},
            {
                "@type": ["Telemetry", "Event", "EventValue"],
                "name": "alert",
                "schema": "string",
                "severity": "warning",
            },
            {"@type": ["Cloud", "Property"], "name": "owner", "schema": "string"},
            {"@type": ["Property", "Initialized"], "name": "target", "schema": "double", "writable": True},
            {
                "@type": "Telemetry",
                "name": "t",
                "schema": "double",
                "unit": "degreeCelsius",
                "displayUnit": "C",
            },
            {
                "@type": "Telemetry",
                "name": "o",
                "schema": {
                    "@type": "Object",
                    "fields": [{"name": "a", "schema": "double"}, {"name": "p", "schema": "vector"}],
                },
            },
        )
    )
    by_name = {each.name: each for each in (*found.telemetry, *found.properties)}
    assert by_name["state"].labels == {1: "Switched on", 0: "off"}
    assert by_name["state"].leaves == [("state", "number")]
    assert by_name["alert"].event
    assert by_name["target"].writable
    assert not by_name["owner"].writable
    assert by_name["t"].unit == "C"
    assert [name for name, _ in by_name["o"].leaves] == ["o.a", "o.p.x", "o.p.y", "o.p.z"]


def test_what_the_migration_tool_needs_is_seen():
    migration = {
        "@id": "dtmi:azureiot:DeviceMigration;1",
        "contents": [{"@type": "Command", "name": "DeviceMove"}],
    }
    assert model.read(template({"@type": "Component", "name": "m", "schema": migration})).migrates
    assert not model.read(template()).migrates


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"capabilityModel": "dtmi:unknown;1"},
        {"capabilityModel": {"contents": None}},
        {"capabilityModel": {"contents": ["text", {"@type": 5, "name": 7}, {"name": "x"}]}},
        {
            "capabilityModel": {
                "contents": [{"@type": "Telemetry", "name": "t", "schema": {"@id": "dtmi:gone;1"}}]
            }
        },
    ],
)
def test_what_it_does_not_understand_is_left_out(document):
    assert len(model.read(document).telemetry) <= 1
