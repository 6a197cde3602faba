"""What each scope opens, and what missing ones block; the tutorial's counts."""

import pytest

from iotnb.errors import ConfigError
from iotnb.platforms.wso2 import scopes

EVENTS = "perm:device-types:events:view"


def test_the_tutorials_list_has_the_known_counts() -> None:
    assert len(scopes.TUTORIAL) == 228
    assert len(set(scopes.TUTORIAL)) == 154
    assert scopes.TUTORIAL[0] == "perm:sign-csr"
    assert scopes.TUTORIAL[-1] == "perm:device:publish-event"
    assert set(scopes.TUTORIAL) <= set(scopes.KNOWN)


def test_scopes_that_the_tutorial_never_asks_for_are_known() -> None:
    beyond = set(scopes.KNOWN) - set(scopes.TUTORIAL)
    assert beyond == {
        "perm:android:applications",
        "perm:android:file-transfer",
        "perm:authorization:verify",
        "perm:devices:change-status",
        "perm:policies:effective-policy",
        "perm:remote-session-service:connect",
    }


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/device-mgt/v1.0/devices", "perm:devices:view"),
        ("GET", "/api/device-mgt/v1.0/devices/1.0.0/", "perm:devices:view"),
        ("GET", "/api/device-mgt/v1.0/devices/firealarm/1%2F2/info", "perm:devices:details"),
        ("GET", "/api/device-mgt/v1.0/devices/firealarm/12/operations", "perm:devices:operations"),
        ("POST", "/api/device-mgt/v1.0/devices/firealarm/operations", "perm:devices:operations"),
        ("GET", "/api/device-mgt/v1.0/events/firealarm", EVENTS),
        ("POST", "/api/device-mgt/v1.0/events/firealarm", "perm:device-types:events"),
        ("GET", "/api/device-mgt/v1.0/events/last-known/firealarm/12", EVENTS),
        ("GET", "/api/device-mgt/v1.0/users/count", "perm:users:count"),
        ("GET", "/api/device-mgt/v1.0/users/someone", "perm:users:details"),
        ("GET", "/api/device-mgt/v1.0/activities/ACTIVITY_1/android/12", "perm:get-activity"),
        ("POST", "/api/device-mgt/android/v1.0/admin/devices/ring", "perm:android:ring"),
        ("POST", "/api/certificate-mgt/v1.0/admin/certificates", "perm:admin:certificates:add"),
        ("GET", "/api/device-mgt/v1.0/nothing", ""),
    ],
)
def test_a_call_names_its_scope(method: str, path: str, scope: str) -> None:
    assert scopes.needed(method, path) == scope


def test_every_verb_has_its_scope() -> None:
    verbs = {verb for each in scopes.KNOWN.values() for verb in each.verbs}
    assert verbs == {"devices", "series", "latest", "measurements", "operations", "alarms"}
    parts = {name for name, each in scopes.KNOWN.items() if "events()" in each.parts}  # either will do
    assert parts == {"perm:get-activity", "perm:geo-service:alerts-manage"}
    assert all(name in scopes.EXPLORE for name, each in scopes.KNOWN.items() if each.verbs or each.parts)


def test_a_report_says_what_is_blocked() -> None:
    rows = {row["scope"]: row for row in scopes.report(["perm:devices:view", EVENTS], ["perm:devices:view"])}
    assert rows["perm:devices:view"]["granted"]
    assert rows["perm:devices:view"]["blocks"] == ""
    assert rows[EVENTS]["asked"]
    assert not rows[EVENTS]["granted"]
    assert "measurements()" in rows[EVENTS]["blocks"]
    assert "GET /events/last-known/{type}/{id}" in rows[EVENTS]["blocks"]
    assert not rows["perm:notifications:view"]["asked"]  # a verb needs it all the same
    assert rows["perm:notifications:view"]["blocks"].startswith("alarms()")


def test_where_nothing_is_known_nothing_is_blocked() -> None:
    rows = scopes.report([EVENTS], None)
    assert {row["granted"] for row in rows} == {None}
    assert {row["blocks"] for row in rows} == {""}
    assert scopes.missing("measurements", None) == []
    assert scopes.missing("measurements", []) == [EVENTS]


def test_what_a_renewal_took_is_in_the_report() -> None:
    rows = {row["scope"]: row for row in scopes.report(["perm:ios:ring"], [], lost=["perm:ios:ring"])}
    assert rows["perm:ios:ring"]["lost"]


def test_words_stand_for_sets_and_the_prefix_may_be_left_out() -> None:
    assert scopes.asked("devices:view, perm:get-activity") == ("perm:devices:view", "perm:get-activity")
    assert scopes.asked("explore devices:view") == scopes.EXPLORE
    assert set(scopes.asked("tutorial")) == set(scopes.TUTORIAL)
    assert set(scopes.asked("all")) == set(scopes.KNOWN)
    assert scopes.asked(["openid"]) == ("openid",)


def test_what_is_no_scope_is_refused() -> None:
    with pytest.raises(ConfigError, match="no scope"):
        scopes.asked(['perm:"x"'])
