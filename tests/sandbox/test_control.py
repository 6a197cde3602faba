from typing import Any

import pytest

from iotnb import sandbox


def test_state(call: Any) -> None:
    state = call("GET", "/.sandbox/").json()
    assert (state["platform"], state["seed"], state["devices"], state["faults"]) == ("tiny", 1, 12, {})
    assert call("GET", "/.sandbox").json()["platform"] == "tiny"
    assert call("GET", "/.sandbox/nothing").status == 404


def test_faults_are_set_shown_and_cleared(call: Any) -> None:
    assert call("POST", "/.sandbox/faults", body={"fail_every": 2, "html": True}).json()["faults"] == {
        "fail_every": 2,
        "html": True,
    }
    assert [call("GET", "/hello").status for _ in range(4)] == [200, 503, 200, 503]
    assert call("GET", "/.sandbox/").json()["counts"] == {"requests": 4, "503": 2}
    assert call("DELETE", "/.sandbox/faults").json()["faults"] == {}
    assert call("POST", "/.sandbox/faults", body="latency=0.01,truncate=7").json()["faults"]["truncate"] == 7


def test_faults_never_hit_the_control_endpoint(call: Any) -> None:
    call("POST", "/.sandbox/faults", body={"fail_every": 1, "latency": 30, "drop_every": 1, "rate_limit": 1})
    assert [call("GET", "/.sandbox/").status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("faults", {"slow": 1}, "no fault 'slow'"),
        ("faults", "latency=x", "latency"),
        ("faults", "{", "not JSON"),
        ("seed", "[1]", "JSON object"),
        ("seed", {"seed": "one"}, "seed is a whole number"),
        ("seed", {"devices": -4}, "a fleet needs"),
        ("seed", {"days": "all"}, "days is a number"),
        ("clock", {}, "write set, advance or freeze"),
        ("clock", {"set": "tomorrow"}, "milliseconds, ISO text or null"),
        ("clock", {"advance": "1h"}, "milliseconds"),
        ("tokens", {"action": "eat"}, "expire"),
    ],
)
def test_wrong_input_is_a_400_that_says_what_to_write(call: Any, path: str, body: Any, words: str) -> None:
    answer = call("POST", f"/.sandbox/{path}", body=body)
    assert answer.status == 400
    assert words in answer.json()["error"]


def test_reset_forgets_what_was_created(running: sandbox.Sandbox, tiny: Any, call: Any) -> None:
    running.world("tiny").store.set("kind", "name", 1)
    call("GET", "/hello")
    assert call("POST", "/.sandbox/reset").json()["requests"] == 0
    assert running.world("tiny").store.setting("kind", "name") is None
    assert tiny.resets == 1
    running.reset()
    assert tiny.resets == 2


def test_seed_replaces_the_fleet(running: sandbox.Sandbox, call: Any) -> None:
    before = running.fleet[0].serial
    state = call("POST", "/.sandbox/seed", body={"seed": 9, "devices": 40}).json()
    assert (state["seed"], state["devices"], state["days"]) == (9, 40, 2)
    assert call("GET", "/hello").json()["seed"] == 9
    assert running.fleet[0].serial != before
    running.seed(1, devices=12)
    assert running.fleet[0].serial == before


def test_clock_is_set_advanced_frozen_and_freed(running: sandbox.Sandbox, call: Any) -> None:
    state = call("POST", "/.sandbox/clock", body={"set": "2026-03-01T12:00:00Z", "freeze": True}).json()
    assert state["frozen"]
    assert 0 <= state["clock"] - 1_772_366_400_000 < 1000
    assert call("POST", "/.sandbox/clock", body={"set": 5000}).json()["clock"] == 5000
    assert call("POST", "/.sandbox/clock", body={"advance": 250}).json()["clock"] == 5250
    assert running.clock.now() == 5250
    assert not call("POST", "/.sandbox/clock", body={"set": None}).json()["frozen"]


def test_tokens_expire_on_demand(call: Any) -> None:
    bearer = {"Authorization": f"Bearer {call('GET', '/login').json()['token']}"}
    assert call("GET", "/me", headers=bearer).status == 200
    call("POST", "/.sandbox/tokens", body={"action": "expire"})
    assert call("GET", "/me", headers=bearer).status == 401


def test_switches_reach_the_platform(running: sandbox.Sandbox, call: Any) -> None:
    state = call("POST", "/.sandbox/switches", body={"edition": "2024", "strict": True}).json()
    assert state["switches"] == running.world("tiny").switches == {"edition": "2024", "strict": True}
    assert call("POST", "/.sandbox/switches", body={"strict": None}).json()["switches"] == {"edition": "2024"}


def test_the_request_log(call: Any) -> None:
    call("GET", "/hello?password=hidden")
    call("GET", "/rows?n=2")
    lines = call("GET", "/.sandbox/requests").json()["requests"]
    assert [(line["path"], line["query"], line["status"]) for line in lines] == [
        ("/hello", "password=***", 200),
        ("/rows", "n=2", 200),
    ]
    assert call("DELETE", "/.sandbox/requests").status == 204
    assert call("GET", "/.sandbox/requests").json() == {"requests": []}


def test_the_fleet_summary(running: sandbox.Sandbox, call: Any) -> None:
    summary = call("GET", "/.sandbox/fleet?devices=true").json()
    assert sum(summary["kinds"].values()) == summary["devices"] == 12
    assert [device["key"] for device in summary["list"]] == [device.key for device in running.fleet]
    assert "list" not in call("GET", "/.sandbox/fleet").json()


def test_issued_secrets_need_the_control_token(running: sandbox.Sandbox, call: Any) -> None:
    assert call("GET", "/.sandbox/issued").status == 401
    assert call("GET", "/.sandbox/issued", headers={"Authorization": "Bearer wrong"}).status == 401
    token = running.info()["tiny"]["control"]["token"]
    found = call("GET", "/.sandbox/issued", headers={"Authorization": f"Bearer {token}"}).json()["issued"]
    assert {item["secret"]: item["what"] for item in found} == running.issued()
    assert "tiny-password-8472" in running.issued()


def test_pages_of_other_origins_are_kept_out(running: sandbox.Sandbox, call: Any) -> None:
    answer = call("POST", "/.sandbox/reset", headers={"Origin": "https://evil.example.com"})
    assert answer.status == 403
    own = running["tiny"].base_url
    assert call("POST", "/.sandbox/reset", headers={"Origin": own}).status == 200
