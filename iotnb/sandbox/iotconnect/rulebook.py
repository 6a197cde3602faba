"""The rules: what the fleet's alarms are fired by, and those that users made."""

import msgspec

from iotnb.sandbox.fleet import Alarm
from iotnb.sandbox.iotconnect.company import ROOT
from iotnb.sandbox.iotconnect.ids import fixed
from iotnb.sandbox.iotconnect.kept import Kept
from iotnb.sandbox.iotconnect.models import MADE, OF_KIND

SEVERITIES = ("Critical", "Major", "Minor", "Warning", "Information")


def severity_guid(name: str) -> str:
    """The GUID of a severity."""
    return fixed("severity", name)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A condition on the telemetry of a template, and how severe it is when it holds."""

    guid: str
    name: str
    template: str
    condition: str
    severity: str
    entity: str = ROOT.guid
    active: bool = True
    created: int = MADE
    updated: int = MADE
    snooze: int = 0


def _rule(name: str, kind: str, template: str, condition: str, severity: str) -> Rule:
    guid = fixed("rule", name, kind)
    return Rule(guid=guid, name=name, template=template, condition=condition, severity=severity)


def _seeded() -> tuple[Rule, ...]:
    gateway, sensor, pump = (OF_KIND[kind].guid for kind in ("gateway", "sensor", "machine"))
    hot = "environment.temperature > 32"
    found = [
        _rule("temperature_high", "sensor", sensor, hot, "Major"),
        _rule("temperature_high", "machine", pump, hot, "Major"),
        _rule("vibration_high", "machine", pump, "vibration.rms > 7.1", "Major"),
        _rule("battery_low", "sensor", sensor, "battery.level < 20", "Minor"),
    ]
    silent = "no message for 15 minutes"
    for kind, template in (("gateway", gateway), ("sensor", sensor), ("machine", pump)):
        found.append(_rule("offline", kind, template, silent, "Critical" if kind == "gateway" else "Major"))
    return tuple(found)


SEEDED = _seeded()


_KEPT = Kept("rule", Rule, lambda _: SEEDED)
rules, keep, drop = _KEPT.all, _KEPT.keep, _KEPT.drop


def fired_by(alarm: Alarm, kind: str) -> Rule:
    """The rule that an alarm of a device of some kind comes from."""
    return next(one for one in SEEDED if one.guid == fixed("rule", alarm.type, kind))
