"""Every exchange that the vendor's tutorial prints, replayed in its order against one running sandbox.

A document is a step: who asks (`as`), request, answer. `...` in an answer stands for any value, `{name}` for
something kept from an earlier answer (`keep`), `{base}` for the address. What an answer holds beyond the
document is allowed. `deviations` say where the text is not followed and why.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from callers import Api, World

FOLDER = Path(__file__).parents[2] / "documents" / "cumulocity"
DOCUMENTS = sorted(FOLDER.glob("*.json"))


def filled(value: Any, kept: dict[str, str]) -> Any:
    """The value with every `{name}` replaced."""
    if isinstance(value, str):
        for name, text in kept.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, dict):
        return {key: filled(part, kept) for key, part in value.items()}
    return [filled(part, kept) for part in value] if isinstance(value, list) else value


def difference(expected: Any, found: Any, place: str = "body") -> str:
    """Where an answer differs from its document; empty when it does not."""
    if expected == "...":
        return "" if found is not None else f"{place} is missing"
    if isinstance(expected, dict) and isinstance(found, dict):
        parts = (difference(part, found.get(key), f"{place}.{key}") for key, part in expected.items())
        return next(filter(None, parts), "")
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return next(filter(None, (difference(e, f, f"{place}[{n}]") for n, (e, f) in pairs)), "")
    return "" if expected == found else f"{place}: expected {expected!r}, found {found!r}"


def kept_from(body: Any, path: str) -> str:
    """One value out of an answer, by a dotted path."""
    for part in path.split("."):
        body = body[int(part)] if isinstance(body, list) else body[part]
    return str(body)


def replay(exchange: dict[str, Any], callers: Callable[[str], Api], who: str, kept: dict[str, str]) -> str:
    """Send one request and compare the answer; gives what differs."""
    request, expected = filled(exchange["request"], kept), filled(exchange["answer"], kept)
    headers = {"Accept": None, **request.get("headers", {})}
    data = request.get("text")
    body = json.dumps(request["body"]) if "body" in request else data
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    caller = callers(exchange.get("as", who))
    answer = caller.http.request(
        request["method"], caller.base + request["path"], data=body, headers=headers, timeout=30
    )
    if answer.status_code != expected["status"]:
        return f"status {answer.status_code} instead of {expected['status']}: {answer.text[:200]}"
    found = answer.json() if answer.content else ""
    kept |= {name: kept_from(found, path) for name, path in exchange.get("keep", {}).items()}
    for name, value in expected.get("headers", {}).items():
        if value not in ("...", answer.headers.get(name)):
            return f"header {name}: expected {value!r}, found {answer.headers.get(name)!r}"
    return difference(expected["body"], found) if "body" in expected else ""


def test_the_tutorial_replayed(still: World) -> None:
    kept = {"base": still.base}

    def caller(who: str) -> Api:
        if who == "device":
            return still.login(f"test/{kept['user']}", kept["password"])
        return still.user(who)

    assert len(DOCUMENTS) == 14
    for path in DOCUMENTS:
        step = json.loads(path.read_text(encoding="utf-8"))
        for exchange in step["exchanges"]:
            wrong = replay(exchange, caller, step["as"], kept)
            assert not wrong, f"{path.name}, {exchange['name']}: {wrong}"


def test_a_difference_is_found() -> None:
    assert difference({"a": [1, {"b": "..."}]}, {"a": [1, {"b": 0}], "c": 1}) == ""
    assert difference({"a": [1]}, {"a": [1, 2]})
    assert difference({"a": {"b": 1}}, {"a": {}}) == "body.a.b: expected 1, found None"
