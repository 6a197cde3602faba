"""Every printed request is sent, and the answer is what the documents print, but for what is named there.

A file holds steps: request, answer, `differs` (pointers to values that differ from run to run; their type
must agree), `more` (pointers to objects or lists that hold more than is printed), `keep` (a value that later
steps use as {name}), `wait` (milliseconds), and in words the deviations of the document itself.
"""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

FOLDER = Path(__file__).parents[2] / "documents" / "tiothub" / "exchanges"
FILES = sorted(FOLDER.glob("*.json"))


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        return {key: filled(one, names) for key, one in value.items()}
    return [filled(one, names) for one in value] if isinstance(value, list) else value


def compare(wanted: Any, found: Any, rules: dict[str, Any], at: str = "") -> None:
    more = at in rules.get("more", ())
    if at in rules.get("differs", ()):
        assert type(found) is type(wanted), at
    elif isinstance(wanted, dict):
        assert isinstance(found, dict), at
        assert found.keys() >= wanted.keys() if more else found.keys() == wanted.keys(), (at, found.keys())
        for key, value in wanted.items():
            compare(value, found[key], rules, f"{at}/{key}")
    elif isinstance(wanted, list):
        assert len(found) >= len(wanted) if more else len(found) == len(wanted), at
        for n, (value, other) in enumerate(zip(wanted, found, strict=False)):
            compare(value, other, rules, f"{at}/{n}")
    else:
        assert found == wanted, at


def pointed(body: Any, pointer: str) -> Any:
    for part in pointer.strip("/").split("/"):
        body = body[part]
    return body


def claims(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def send(hub, request):
    url = {
        "form": hub.info["application_access_url"],
        "token": hub.connect["token_url"],
        "dmo": hub.connect["dmo_url"],
        "cmo": hub.connect["cmo_url"],
    }[request["to"]] + request.get("path", "")
    headers = dict(request.get("headers", {}))
    if request["to"] in ("dmo", "cmo"):
        headers["Authorization"] = f"Bearer {hub.token()}"
    if "form" in request:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return hub.send(request["method"], url, headers, urlencode(request["form"]))
    return hub.send(request["method"], url, headers, request.get("json"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_sandbox_answers_as_printed(start, path):
    document = json.loads(path.read_text(encoding="utf-8"))
    hub = start(switches=document["switches"])
    access = hub.info["accesses"]["tutorial"]
    names = {"client_id": access["client_id"], "client_secret": access["client_secret"]}
    for step in document["steps"]:
        hub.clock.advance(step.get("wait", 0))
        answer = send(hub, filled(step["request"], names))
        assert answer.status == step["answer"]["status"], (step["step"], answer.body)
        if "json" in step["answer"]:
            compare(filled(step["answer"]["json"], names), answer.json(), step)
        for name, rules in step.get("claims", {}).items():
            compare(rules["json"], claims(answer.json()[name]), rules)
        for name, pointer in step.get("keep", {}).items():
            names[name] = pointed(answer.json(), pointer)


def test_there_are_documents():
    assert {path.stem for path in FILES} == {"get-started", "devices", "commands", "connections"}
