"""What a query of devices() means."""

import pytest

from iotnb.errors import ConfigError
from iotnb.platforms.wso2.query import parse


def test_filters_of_the_list() -> None:
    assert parse("status=ACTIVE & user=admin").filters == {"status": "ACTIVE", "user": "admin"}
    assert parse("?name=Pump").filters == {"name": "Pump"}


def test_a_group() -> None:
    assert parse("group=3").group == "3"


def test_conditions_of_the_search() -> None:
    found = parse("deviceModel%S8 & batteryLevel<20 | city = Colombo")
    assert found.conditions == [
        {"key": "deviceModel", "value": "S8", "operator": "%", "state": "AND"},
        {"key": "batteryLevel", "value": "20", "operator": "<", "state": "AND"},
        {"key": "city", "value": "Colombo", "operator": "=", "state": "OR"},
    ]
    assert not found.filters


def test_one_key_beyond_the_filters_makes_it_a_search() -> None:
    assert [each["key"] for each in parse("status=ACTIVE&floorId=2").conditions] == ["status", "floorId"]


def test_nothing_asks_for_all() -> None:
    assert parse(None) == parse("  ") == parse("")


@pytest.mark.parametrize("text", ["pumps", "status=", "=3", "a=1&&b=2", "a=1|"])
def test_what_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no condition"):
        parse(text)
