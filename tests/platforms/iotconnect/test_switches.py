"""The platform's habits, switched on one by one: nothing that comes is another."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from iotnb import errors, times
from iotnb.session import Settings


@pytest.fixture
def switch(served) -> Iterator[Callable[..., None]]:
    """Sets switches of the running sandbox; they end with the test."""
    switches = served.world("iotconnect").switches
    before = dict(switches)

    def switch(**changes: Any) -> None:
        switches.update(changes)

    yield switch
    switches.clear()
    switches.update(before)


def window(served):
    end = served.clock.now() // 1000 * 1000 - 3_600_000
    return {"since": times.from_ms(end - 3 * 86_400_000), "until": times.from_ms(end)}


def test_numbers_that_come_as_text_are_typed_by_the_template(client, served, switch):
    span = window(served)
    typed = client.measurements("sensor-0001-01", **span)
    switch(text_values=True)
    message = client.api.telemetry.recent("sensor-0001-01", 10)[0]["attr"]
    assert all(isinstance(value, str) for group in message.values() for value in group.values())
    pd.testing.assert_frame_equal(client.measurements("sensor-0001-01", **span), typed)
    assert typed["value"].notna().all()


def test_a_history_that_is_cut_without_a_token_comes_whole(enter, served, switch):
    client = enter(edition="aws")
    span = window(served) | {"since": times.from_ms(served.clock.now() - 8 * 86_400_000)}
    device = next(device.key for device in served.fleet if device.kind == "machine")
    whole = client.measurements(device, **span)
    switch(telemetry_cut=True)
    pd.testing.assert_frame_equal(client.measurements(device, **span), whole)
    assert whole.groupby("series", observed=True).size().max() > 10_000


def test_last_values_that_come_several_times_and_go_back_are_the_newest(client, served, switch):
    ids = [device.key for device in served.fleet]
    calm = client.latest(ids)
    switch(flicker=True)
    guid = client.api.devices.get("sensor-0001-01")["guid"]
    several = [row["attributeName"] for row in client.api.telemetry.latest(guid)]
    assert len(several) > len(set(several)), "nothing came twice"
    for _ in range(3):
        found = client.latest(ids)
        assert not found.duplicated(["device", "series"]).any()
        assert len(found) == len(calm)


def test_lists_that_nobody_counts_come_whole(client, switch):
    counted = set(client.devices()["device"])
    rules, users = client.api.rules.list(), client.api.users.list()
    switch(count_unknown=True)
    frame = client.devices()
    assert set(frame["device"]) == counted
    assert any("counted, not reported" in note for note in frame.attrs["iotnb"]["notes"])
    assert (client.api.rules.list(), client.api.users.list()) == (rules, users)


def test_a_strict_server_is_served(enter, switch):
    switch(strict=True)
    client = enter()
    assert len(client.series(["gw-0001"]))
    assert len(client.measurements("gw-0001", since="2h"))


def test_discovery_that_fails_at_first(enter, switch):
    switch(discovery_failures=3)
    assert enter().logged_in


def test_discovery_that_knows_no_key(enter, switch):
    switch(discovery_null=True)
    with pytest.raises(errors.Unauthorized, match="check solution_key"):
        enter()


def test_a_session_whose_refresh_is_dead_logs_in_again_where_it_can(enter, served, switch):
    client = enter()
    made = client.api.tokens.refresh()
    given = {"username": None, "password": None}
    other = enter(token=made["access_token"], refresh_token=made["refresh_token"], **given)
    switch(refresh_dead=True)
    tokens = served.world("iotconnect").tokens
    tokens.revoke(made["access_token"].reveal())
    assert len(client.devices())  # the password is known
    with pytest.raises(errors.Unauthorized, match="Log in again"):
        other.devices()


def test_a_proxys_page_in_place_of_a_401_is_the_same(enter, served, switch):
    client = enter()
    given = {"username": None, "password": None}
    lone = enter(token=client.session.auth.token.value, **given)
    switch(html_401=True)
    served.world("iotconnect").tokens.revoke(client.session.auth.token.value.reveal())
    assert len(client.devices())
    with pytest.raises(errors.Unauthorized, match="log in again"):
        lone.devices()


def test_an_error_of_the_moment_is_told_and_not_repeated_blindly(enter, served, switch):
    client = enter(settings=Settings(retries=0))
    client.devices()
    switch(fail_next=1)
    with pytest.raises(errors.ServerError, match="500"):
        client.api.devices.counters()
    assert client.api.devices.counters()["total"]
