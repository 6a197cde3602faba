"""The workbench: what a login, a choice of devices, a logout and another login do to its tabs."""

from collections.abc import Callable
from typing import Any

import pytest

import iotnb
from iotnb.errors import ConfigError
from iotnb.widgets.workbench import CODE, DEVICES, LIVE, LOGIN, MEASUREMENTS, OPERATIONS

Wait = Callable[..., None]


@pytest.fixture
def desk(running: Any, wait: Wait) -> Any:
    """A workbench whose login is that of the sandbox, its devices loaded."""
    made = iotnb.Workbench("cumulocity", sandbox=True)
    enter(made, wait)
    yield made
    made.close()


def enter(desk: Any, wait: Wait) -> None:
    desk.login.submit()
    wait(lambda: desk.picker is not None and desk.picker.state == "ready")


def shows(desk: Any, tab: int) -> Any:
    return desk.tabs.children[tab].children[0]


def test_before_the_login_the_tabs_say_what_to_do_first(page: Any) -> None:
    desk = iotnb.Workbench("tiothub", sandbox=True)
    assert desk.client is None
    assert desk.selection.empty
    assert "device" in desk.selection.columns
    assert "Log in first" in shows(desk, OPERATIONS).value
    desk.tabs.selected_index = MEASUREMENTS
    assert desk.explorer is None
    assert desk.code() == "import iotnb\n\nclient = iotnb.connect('tiothub', sandbox=True)"
    assert desk.face() == "Logged out, 0 devices chosen"
    desk.close()


def test_a_choice_of_devices_is_what_the_other_tabs_show(desk: Any, wait: Wait) -> None:
    assert desk.tabs.selected_index == DEVICES
    ids = list(desk.picker.devices["device"][:2])
    desk.picker.select(ids)
    wait(lambda: desk.tabs.titles[DEVICES] == "Devices (2)")
    assert list(desk.selection["device"]) == ids
    desk.tabs.selected_index = OPERATIONS
    wait(lambda: desk.timeline is not None)
    desk.timeline.wait(20)
    assert set(desk.timeline.operations["device"]) <= set(ids)
    first = desk.timeline
    desk.tabs.selected_index = DEVICES
    desk.tabs.selected_index = OPERATIONS
    assert desk.timeline is first, "the same choice needs no new load"
    desk.tabs.selected_index = DEVICES
    desk.picker.clear()
    desk.tabs.selected_index = OPERATIONS
    wait(lambda: desk.timeline is not first and desk.timeline is not None)
    desk.timeline.wait(20)
    assert first.closed.is_set()
    assert len(set(desk.timeline.operations["device"])) > 2


def test_the_live_view_ends_with_its_tab(desk: Any, wait: Wait) -> None:
    desk.tabs.selected_index = LIVE
    wait(lambda: desk.live is not None)
    watching = desk.live
    desk.tabs.selected_index = CODE
    wait(watching.closed.is_set)
    assert desk.live is None


def test_the_code_does_what_the_tabs_did(desk: Any, wait: Wait) -> None:
    desk.picker.select(desk.picker.devices["device"][:1])
    desk.tabs.selected_index = OPERATIONS
    wait(lambda: desk.timeline is not None)
    desk.timeline.wait(20)
    desk.tabs.selected_index = CODE
    wait(lambda: "client.operations" in getattr(shows(desk, CODE), "value", ""))
    found: dict[str, Any] = {}
    lines = [line for line in desk.code().splitlines() if "plots." not in line]
    exec("\n".join(lines), found)  # the code that the page shows
    assert list(found["selection"]["device"]) == desk.picker.ids
    assert list(found["ops"]["operation"]) == list(desk.timeline.operations["operation"])


def test_after_a_logout_nothing_of_the_login_is_left(desk: Any, wait: Wait) -> None:
    picker = desk.picker
    desk.login.leave()
    wait(lambda: desk.picker is None and desk.tabs.selected_index == LOGIN)
    assert desk.client is None
    assert desk.selection.empty
    assert picker.closed.is_set()
    assert "Log in first" in shows(desk, DEVICES).value


def test_the_choice_survives_another_login_on_the_same_platform_only(desk: Any, wait: Wait) -> None:
    desk.picker.select(desk.picker.devices["device"][:2])
    kept = desk.picker.ids
    before, expired = desk.picker, desk.client
    desk.login._expire(expired, "It was ended by the test.")
    assert desk.picker is before, "what was loaded stays on the screen"
    desk.login.submit()
    wait(lambda: desk.picker is not before and desk.picker is not None and desk.picker.state == "ready")
    assert desk.client is not expired
    assert desk.picker.ids == kept


def test_bad_arguments(page: Any) -> None:
    with pytest.raises(ConfigError, match="there is no platform"):
        iotnb.Workbench("nobody")
    with pytest.raises(ConfigError, match="is a secret"):
        iotnb.Workbench("cumulocity", password="in a cell")
