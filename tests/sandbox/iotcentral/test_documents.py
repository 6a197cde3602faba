"""The tutorial's requests, replayed one after another by the service's own host names."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

DOCUMENTS = Path(__file__).parents[2] / "documents" / "iotcentral"
FILES = sorted(DOCUMENTS.glob("[0-9]*.json"))
KINDS = {
    "<guid>": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{7})?Z",
    "<base64>": r"[A-Za-z0-9+/]+=*",
    "<sas>": r"SharedAccessSignature sr=[0-9a-f-]+&sig=[^&]+&skn=[a-z-]+&se=\d{13}",
    "<text>": r".+",
}


def filled(found: Any, values: dict[str, str]) -> Any:
    """A document with `{names}` replaced."""
    if isinstance(found, dict):
        return {key: filled(value, values) for key, value in found.items()}
    if isinstance(found, list):
        return [filled(one, values) for one in found]
    if isinstance(found, str):
        return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], found)
    return found


def agrees(wanted: Any, found: Any, place: str = "answer") -> None:
    """The answer has the members of the document and no others; `<kinds>` stand for values."""
    if wanted == "<any>":
        return
    if isinstance(wanted, dict):
        assert isinstance(found, dict), place
        assert set(found) == set(wanted), place
        for key in wanted:
            agrees(wanted[key], found[key], f"{place}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(found, list), place
        assert len(found) == len(wanted), place
        for n, one in enumerate(wanted):
            agrees(one, found[n], f"{place}[{n}]")
    elif isinstance(wanted, str) and wanted in KINDS:
        assert re.fullmatch(KINDS[wanted], found), (place, found)
    else:
        assert found == wanted, place


class Tutorial:
    """One run over a sandbox of its own."""

    def __init__(self, rig: Any, sign: Any) -> None:
        self.rig, self.sign = rig, sign
        self.values: dict[str, str] = {
            "subscription": rig.info["connect"]["subscription"],
            "name": "tutorial-app-417",
            "subdomain": "tutorial-app-417",
            "webHookURL": "http://127.0.0.1:9/hook",
        }

    def authorization(self, kind: str) -> str:
        if kind in ("management", "application"):
            return f"Bearer {self.rig.info['management_bearer' if kind == 'management' else 'bearer']}"
        if kind == "provisioning":
            resource = f"{self.values['idScope']}/registrations/phone-001"
            return str(self.sign(resource, self.values["deviceKey"], skn="registration"))
        if kind == "hub":
            return str(self.sign(f"{self.values['hub']}/devices/phone-001", self.values["deviceKey"]))
        return self.values[f"{kind}Token"]

    def play(self, document: dict[str, Any]) -> Any:
        """Send the request of a document until the answer is the one that it waits for."""
        request = document["request"]
        url = urlsplit(filled(request["url"], self.values))
        headers = {"Host": url.netloc, "Authorization": self.authorization(request["credential"])}
        headers |= request.get("headers", {})
        body = request.get("body")
        text = None if body is None else json.dumps(filled(body, self.values), indent=1).replace("\n", "\r\n")
        caller = self.rig.caller(version="", prefix="")
        wanted = document.get("repeat_until", {})
        for _ in range(200):
            answer = caller(request["method"], f"{url.path}?{url.query}", text, headers=headers)
            found = json.loads(answer.body) if answer.body else None
            assert answer.status in document["answer"]["status"], (answer.status, answer.body)
            if all(found[key] == value for key, value in wanted.items()):
                break
            time.sleep(0.02)
        agrees(filled(document["answer"]["body"], self.values), found)
        for name, path in document.get("keep", {}).items():
            value = found
            for part in path.split("."):
                value = value[part]
            self.values[name] = value
        return answer


@pytest.fixture(scope="module")
def tutorial(request: pytest.FixtureRequest) -> Iterator[Tutorial]:
    from iotnb import sandbox
    from iotnb.sandbox import iotcentral

    helpers = request.getfixturevalue("helpers")
    quick = {"iotcentral": {"assign_seconds": 0.05, "export_seconds": 0.1}}
    with sandbox.start({"iotcentral": iotcentral}, devices=5, days=2, switches=quick) as running:
        rig = helpers.Rig(running)
        yield Tutorial(rig, helpers.sas)
        rig.close()
        running.raise_errors()


def test_there_is_a_document_for_each_request() -> None:
    assert len(FILES) == 17
    printed = [one for one in FILES if "-phone-" not in one.name]
    assert len(printed) == 14


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_documented_exchange(tutorial: Tutorial, path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert set(document) <= {"step", "title", "request", "answer", "keep", "repeat_until", "deviations"}
    answer = tutorial.play(document)
    if path.stem.endswith("call-command"):
        assert "request" in answer.headers["x-sandbox-warning"]


def test_the_application_is_gone_in_the_end(tutorial: Tutorial) -> None:
    caller = tutorial.rig.caller(tutorial.values["operatorToken"])
    answer = caller("GET", "/devices", headers={"Host": "tutorial-app-417.azureiotcentral.com"})
    assert (answer.status, answer.code) == (404, "NotFound")


def test_back_to_back_without_a_phone(tutorial: Tutorial, helpers: Any) -> None:
    """A tool that only replays the 14 requests: the phone connects by itself."""
    switches = tutorial.rig.world.switches
    switches |= {"auto_phone": True, "export_seconds": 0.1}
    again = Tutorial(tutorial.rig, helpers.sas)
    for path in FILES:
        document = json.loads(path.read_text(encoding="utf-8"))
        if "-phone-" in path.name:
            continue
        if path.stem.endswith("run-query"):
            document["answer"]["body"] = "<any>"
        again.play(document)
    assert unquote(again.values["deviceTemplateId"]) == "dtmi:azureiot:PhoneAsADevice;2"
