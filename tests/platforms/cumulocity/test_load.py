"""Platforms by name."""

import pytest

from iotnb import platforms
from iotnb.client import Client
from iotnb.errors import ConfigError


def test_a_platform_is_loaded_by_its_name() -> None:
    found = platforms.load(" Cumulocity ")
    assert issubclass(found, Client)
    assert found.platform == "cumulocity"


@pytest.mark.parametrize("name", ["cumulocty", "c8y", "", "../etc"])
def test_an_unknown_name_lists_the_names(name: str) -> None:
    with pytest.raises(ConfigError, match="cumulocity") as caught:
        platforms.load(name)
    assert ("Did you mean" in str(caught.value)) == (name == "cumulocty")
