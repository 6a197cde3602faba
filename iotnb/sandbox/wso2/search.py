"""`POST /devices/search-devices`: conditions over device details, location and properties."""

import contextlib
from collections.abc import Callable
from typing import Any

from iotnb.sandbox.wso2.details import DOUBLES, detail, document, location, properties
from iotnb.sandbox.wso2.inventory import REMOVED, Enrolment, Query
from iotnb.sandbox.wso2.routes import MGT, routes
from iotnb.sandbox.wso2.state import Platform
from iotnb.sandbox.wso2.wire import Answer, Call, Refused

Json = dict[str, Any]
_TEXTS = ("deviceModel", "vendor", "osVersion", "osBuildDate", "connectionType", "ssid", "pluggedIn")
_DETAILS = frozenset((*DOUBLES, *_TEXTS))
_PLACE = frozenset(("latitude", "longitude", "street1", "street2", "city", "state", "zip", "country"))
_SWAPPED = {"state": "zip", "zip": "state"}  # the server's map of columns has the two the wrong way round
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "<>": lambda a, b: a != b,
    "!=": lambda a, b: a != b,
    "!>": lambda a, b: a <= b,
    "!<": lambda a, b: a >= b,
}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(value: Any, operator: str, wanted: Any) -> bool:
    """One comparison: as numbers where both are, else as texts without regard to case."""
    if value is None:
        return False
    if operator == "%":
        return _text(wanted).lower() in _text(value).lower()
    pair: tuple[Any, Any] = _text(value).lower(), _text(wanted).lower()
    if not isinstance(value, bool):
        with contextlib.suppress(TypeError, ValueError):
            pair = float(value), float(wanted)
    return _OPERATORS[operator](*pair)


class _Sight:
    """A device as conditions see it; each part is worked out when it is first asked for."""

    def __init__(self, platform: Platform, one: Enrolment) -> None:
        self._platform, self._one = platform, one
        self._parts: dict[str, Json] = {}

    def _part(self, name: str, read: Callable[[Platform, Enrolment], Json | None]) -> Json:
        if name not in self._parts:
            self._parts[name] = read(self._platform, self._one) or {}
        return self._parts[name]

    def value(self, key: str) -> Any:
        """The value under a key, None where there is none."""
        if key in _DETAILS:
            return detail(self._platform, self._one, key)
        if key in _PLACE:
            return self._part("location", location).get(_SWAPPED.get(key, key))
        listed = self._part("properties", lambda p, one: {e["name"]: e["value"] for e in properties(p, one)})
        return listed.get(key)


def _conditions(call: Call) -> list[Json]:
    listed = call.document().get("conditions")
    if not isinstance(listed, list) or not listed:
        raise Refused(400)
    for one in listed:
        known = isinstance(one, dict) and one.get("operator") in (*_OPERATORS, "%")
        if not known or not isinstance(one.get("key"), str) or "value" not in one:
            raise Refused(400)
    return listed


def search_devices(platform: Platform, call: Call) -> Answer:
    """All devices for which every AND condition holds, or any OR one; `count` is their number."""
    conditions = _conditions(call)
    either = [one for one in conditions if str(one.get("state", "AND")).upper() == "OR"]
    every = [one for one in conditions if one not in either]

    def matches(one: Enrolment) -> bool:
        sight = _Sight(platform, one)

        def test(condition: Json) -> bool:
            return _holds(sight.value(condition["key"]), condition["operator"], condition["value"])

        return (bool(every) and all(map(test, every))) or any(map(test, either))

    owner = "" if call.caller.admin else call.caller.user
    rows = (platform.inventory.enrolment(n) for n in platform.inventory.select(Query(owner=owner)))
    found = [document(platform, one, whole=True) for one in rows if one.status != REMOVED and matches(one)]
    return Answer(body={"devices": found, "count": len(found)})


ROUTES = routes(f"{MGT}/devices", ("POST", "/search-devices", search_devices, "devices:search"))
