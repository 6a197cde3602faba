"""What a person does in the web interface; each call may be repeated."""

import pytest

from iotnb.errors import ConfigError
from iotnb.platforms.cumulocity import Cumulocity


def test_registering_twice_is_registering_once(client: Cumulocity, fresh: str) -> None:
    first = client.portal.register(fresh)
    assert client.portal.register(fresh)["id"] == first["id"] == fresh
    assert client.exchanges[-1].url.endswith(f"/devicecontrol/newDeviceRequests/{fresh}")


def test_accepting_a_device_that_never_asked(client: Cumulocity, fresh: str) -> None:
    client.portal.register(fresh)
    with pytest.raises(ConfigError, match="has not asked"):
        client.portal.accept(fresh, timeout=0.3)


def test_accepting_an_unknown_device(client: Cumulocity, fresh: str) -> None:
    with pytest.raises(ConfigError, match=r"portal\.register"):
        client.portal.accept(fresh, timeout=0.3)


def test_a_device_cannot_replace_itself(client: Cumulocity, device: str) -> None:
    with pytest.raises(ConfigError, match="itself"):
        client.portal.replace_device(device, device)


def test_an_operation_that_nobody_carries_out_is_shown_as_it_stands(client: Cumulocity, device: str) -> None:
    sent = client.portal.send_operation(device, "c8y_Restart", description="please")
    assert sent["description"] == "please"
    assert client.portal.wait_for(sent["id"], timeout=0.3)["status"] == "PENDING"
