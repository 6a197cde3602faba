"""Templates as flat series, and values cast to their types; pure."""

import json

import pytest

from iotnb.platforms.iotconnect.model import Attribute, cast, leaves, model

LATITUDE = {"guid": "A2", "localName": "latitude", "dataTypeName": "DECIMAL", "unit": "deg", "sequence": 1}
GPS = {"guid": "A1", "localName": "gps", "dataTypeName": "OBJECT", "unit": None, "sequence": 2}
SPEED = {"guid": "A3", "localName": "speed", "dataTypeName": "INTEGER", "unit": "", "sequence": 1}


def names(documents):
    return [each.name for each in model(documents).attributes]


def test_children_are_found_nested_or_as_rows_that_name_their_parent():
    nested = [{**GPS, "attributes": [{**LATITUDE, "parentTemplateAttributeGuid": "A1"}]}, SPEED]
    rows = [SPEED, {**LATITUDE, "parentTemplateAttributeGuid": "a1"}, GPS]
    both = [*rows, nested[0]]
    assert names(nested) == names(rows) == names(both) == ["speed", "gps.latitude"]
    latitude = model(rows).find("gps.latitude")
    assert (latitude.unit, latitude.kind, latitude.guid) == ("deg", "number", "A2")
    assert model(rows).find("speed").unit is None
    assert model(rows).find("gps") is None


def test_a_child_without_a_named_parent_stands_below_the_one_it_is_nested_in():
    child = {"guid": "B2", "localName": "gps.longitude", "dataTypeName": "DECIMAL", "sequence": 1}
    assert names([{**GPS, "attributes": [child, LATITUDE]}]) == ["gps.longitude", "gps.latitude"]


def test_objects_in_objects_are_dotted_all_the_way():
    inner = {"guid": "C", "localName": "x", "dataTypeName": "NUMBER"}
    middle = {"guid": "B", "localName": "acceleration", "dataTypeName": "OBJECT", "attributes": [inner]}
    assert names(
        [{"guid": "A", "localName": "sensor", "dataTypeName": "OBJECT", "attributes": [middle]}]
    ) == ["sensor.acceleration.x"]


def test_a_parent_that_is_its_own_child_does_not_hang():
    assert names(
        [{"guid": "A", "localName": "a", "dataTypeName": "NUMBER", "parentTemplateAttributeGuid": "A"}]
    ) in (
        ["a"],
        [],
    )


def test_devices_with_a_tag_have_the_attributes_of_that_tag():
    gateway = {"guid": "G", "localName": "load", "dataTypeName": "NUMBER", "tag": "gw", "sequence": 1}
    sensor = {"guid": "S", "localName": "t", "dataTypeName": "NUMBER", "tag": "sensor", "sequence": 2}
    common = {"guid": "M", "localName": "rssi", "dataTypeName": "NUMBER", "sequence": 3}
    there = model([gateway, sensor, common])
    assert [each.name for each in there.of("gw")] == ["load", "rssi"]
    assert [each.name for each in there.of("sensor")] == ["t", "rssi"]
    assert len(there.of(None)) == 3


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("DECIMAL", 21.5, (21.5, None, True)),
        ("DECIMAL", "21.5", (21.5, None, True)),
        ("NUMBER", "-1e3", (-1000.0, None, True)),
        ("NUMBER", "1,5", (None, "1,5", False)),  # no locale is guessed
        ("NUMBER", "1_000", (None, "1_000", False)),
        ("NUMBER", "NaN", (None, "NaN", False)),
        ("NUMBER", "", (None, "", False)),
        ("NUMBER", True, (None, "true", False)),
        ("INTEGER", "7", (7.0, None, True)),
        ("INTEGER", 7.0, (7.0, None, True)),
        ("INTEGER", "7.5", (None, "7.5", False)),
        ("LONG", 2**53 - 1, (float(2**53 - 1), None, True)),
        ("BOOLEAN", True, (1.0, "true", True)),
        ("BOOLEAN", "False", (0.0, "false", True)),
        ("BIT", "1", (1.0, "true", True)),
        ("BIT", 0, (0.0, "false", True)),
        ("BOOLEAN", "yes", (None, "yes", False)),
        ("STRING", "00123", (None, "00123", True)),
        ("STRING", 5, (None, "5", True)),
        ("DATETIME", "2026-01-01", (None, "2026-01-01", True)),
        ("LATLONG", [48.1, 11.5], (None, "[48.1,11.5]", True)),
    ],
)
def test_values_are_cast_by_the_type_of_their_attribute(kind, value, made):
    assert cast(Attribute("a", "G", kind), value) == made


@pytest.mark.parametrize(
    ("value", "made"), [(3, (3.0, None)), ("3", (None, "3")), (False, (0.0, "false")), ([1], (None, "[1]"))]
)
def test_what_is_in_no_template_keeps_the_type_that_it_has(value, made):
    assert cast(None, value) == (*made, True)


def test_messages_are_flat_whether_nested_or_dotted():
    nested = {"gps": {"latitude": 48.1, "fix": {"age": 2}}, "speed": 3, "none": None}
    assert dict(leaves(nested)) == {"gps.latitude": 48.1, "gps.fix.age": 2, "speed": 3}
    assert dict(leaves({"gps.latitude": 48.1})) == {"gps.latitude": 48.1}
    assert json.dumps(nested)  # and is not changed
