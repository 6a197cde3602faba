import gzip
import http.client
import json
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb import sandbox
from iotnb.sandbox import SandboxError
from iotnb.sandbox.faults import FaultSettings, PlatformFaults, checked, parse


def statuses(call: Any, number: int, path: str = "/hello") -> list[int]:
    return [call("GET", path).status for _ in range(number)]


def test_latency_and_jitter(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", latency=0.15, jitter=0.05)
    began = time.perf_counter()
    call("GET", "/hello")
    assert time.perf_counter() - began >= 0.15


def test_latency_does_not_queue_up(running: sandbox.Sandbox, caller: Any) -> None:
    running.faults.set(latency=1.5)
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: caller(running["tiny"].base_url)("GET", "/hello"), range(8)))
    assert 1.5 <= time.perf_counter() - began < 10  # one after the other they take 12


def test_gzip_when_accepted_and_worth_it(running: sandbox.Sandbox, call: Any) -> None:
    plain = call("GET", "/rows")
    assert plain.headers["content-encoding"] is None
    packed = call("GET", "/rows", headers={"Accept-Encoding": "deflate, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(packed.body) < len(plain.body) / 5
    assert gzip.decompress(packed.body) == plain.body
    small = call("GET", "/hello", headers={"Accept-Encoding": "gzip"})
    assert small.headers["content-encoding"] is None
    running.faults.set(gzip=False)
    assert call("GET", "/rows", headers={"Accept-Encoding": "gzip"}).body == plain.body


def test_gzip_of_a_stream_and_of_a_large_body(call: Any) -> None:
    accept = {"Accept-Encoding": "gzip"}
    stream = call("GET", "/stream", headers=accept)
    assert gzip.decompress(stream.body) == call("GET", "/stream").body
    large = call("GET", "/rows?n=8000", headers=accept)
    assert len(json.loads(gzip.decompress(large.body))) == 8000


def test_fail_every_counts_requests(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", fail_every=3)
    assert statuses(call, 7) == [200, 200, 503, 200, 200, 503, 200]
    running.faults.clear("tiny")
    assert statuses(call, 4) == [200] * 4


def test_fail_every_is_exact_under_concurrency(running: sandbox.Sandbox, caller: Any) -> None:
    running.faults.set("tiny", fail_every=7)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: statuses(caller(running["tiny"].base_url), 10), range(7)))
    assert sum(row.count(503) for row in found) == 10
    assert running.faults["tiny"].counts == {"requests": 70, "503": 10}


def test_fail_page_fails_once_per_query(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", fail_page=2)
    pages = [f"/hello?device=a&currentPage={n}" for n in (1, 2, 2, 3)]
    assert [call("GET", path).status for path in pages] == [200, 503, 200, 200]
    assert statuses(call, 2, "/hello?device=b&currentPage=2") == [503, 200]


def test_rate_limit_with_seconds(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", rate_limit=5)
    found = [call("GET", "/hello") for _ in range(60)]
    refused = [answer for answer in found if answer.status == 429]
    assert all(answer.status == 200 for answer in found[:5])
    assert len(refused) >= 20
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].json()["error"] == "Too Many Requests"
    time.sleep(0.5)
    assert call("GET", "/hello").status == 200


def test_retry_after_as_date_and_not_at_all(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", rate_limit=0.05, retry_after="date")
    call("GET", "/hello")
    at = parsedate_to_datetime(call("GET", "/hello").headers["retry-after"])
    assert 10 < (at - datetime.now(UTC)).total_seconds() < 22
    running.faults.set("tiny", retry_after=None)
    call("GET", "/hello")
    refused = call("GET", "/hello")
    assert (refused.status, refused.headers["retry-after"]) == (429, None)


def test_html_error_pages(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", fail_every=1, html=True)
    answer = call("GET", "/hello")
    assert (answer.status, answer.headers["content-type"]) == (503, "text/html")
    assert answer.body.startswith(b"<html>")


def test_a_dropped_connection_is_reset_in_mid_body(running: sandbox.Sandbox, caller: Any) -> None:
    running.faults.set("tiny", drop_every=2)
    assert caller(running["tiny"].base_url)("GET", "/rows").status == 200
    second = caller(running["tiny"].base_url)
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        second("GET", "/rows")
    assert caller(running["tiny"].base_url)("GET", "/rows").status == 200
    assert running.faults["tiny"].counts["drop"] == 1
    assert running.errors == []


def test_a_cut_body_ends_before_its_announced_length(running: sandbox.Sandbox, call: Any) -> None:
    whole = len(call("GET", "/rows").body)
    running.faults.set("tiny", cut_every=1)
    with pytest.raises(http.client.IncompleteRead) as caught:
        call("GET", "/rows")
    assert len(caught.value.partial) == whole // 2
    assert running.errors == []


def test_a_cut_stream_and_a_dropped_gzip_body_break_too(running: sandbox.Sandbox, caller: Any) -> None:
    running.faults.set("tiny", cut_every=1)
    with pytest.raises(http.client.IncompleteRead):
        caller(running["tiny"].base_url)("GET", "/stream")
    running.faults.set("tiny", cut_every=None, drop_every=1)
    with pytest.raises((OSError, http.client.HTTPException)):
        caller(running["tiny"].base_url)("GET", "/rows?n=5000", headers={"Accept-Encoding": "gzip"})


def test_a_garbled_body_is_whole_http_and_broken_json(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", garble_every=1)
    answer = call("GET", "/rows")
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    packed = call("GET", "/rows", headers={"Accept-Encoding": "gzip"})
    with pytest.raises(json.JSONDecodeError):
        json.loads(zlib.decompress(packed.body, 31))


def test_slow_bodies_and_bandwidth(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", slow_body=0.3)
    began = time.perf_counter()
    assert len(call("GET", "/rows").json()) == 50
    assert time.perf_counter() - began >= 0.3
    running.faults.set("tiny", slow_body=0, bandwidth=10_000)
    began = time.perf_counter()
    size = len(call("GET", "/rows").body)
    assert time.perf_counter() - began >= size / 10_000


def test_a_path_pattern_limits_the_faults(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", fail_every=1, path="^/rows")
    assert (call("GET", "/hello").status, call("GET", "/rows").status) == (200, 503)


def test_tokens_are_revoked_in_the_middle(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", revoke_every=3)
    token = call("GET", "/login").json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert [call("GET", "/me", headers=bearer).status for _ in range(4)] == [200, 200, 401, 401]
    fresh = {"Authorization": f"Bearer {call('GET', '/login').json()['token']}"}
    assert call("GET", "/me", headers=fresh).json() == {"sub": "tiny"}


def test_tokens_live_as_long_as_the_fault_says(running: sandbox.Sandbox, call: Any) -> None:
    running.faults.set("tiny", token_seconds=0.4)
    bearer = {"Authorization": f"Bearer {call('GET', '/login').json()['token']}"}
    assert call("GET", "/me", headers=bearer).status == 200
    running.clock.advance(400)
    assert call("GET", "/me", headers=bearer).status == 401


def test_settings_that_only_platforms_read(running: sandbox.Sandbox) -> None:
    running.faults.set("tiny", truncate=100, cost_per_skipped_row=0.001)
    settings = running.world("tiny").faults.settings
    assert (settings.truncate, settings.cost_per_skipped_row) == (100, 0.001)
    running.faults.set("tiny", truncate=None)
    assert running.world("tiny").faults.settings.truncate == 5000


def test_faults_given_at_start(tiny: Any, caller: Any) -> None:
    with sandbox.start({"tiny": tiny}, faults="fail_every=2, html=yes") as running:
        assert statuses(caller(running["tiny"].base_url), 2) == [200, 503]
    with sandbox.start({"tiny": tiny}, faults={"fail_every": 1}) as running:
        assert statuses(caller(running["tiny"].base_url), 1) == [503]


def test_text_form() -> None:
    assert parse("latency=0.1,fail_every=7") == {"latency": 0.1, "fail_every": 7}
    assert parse("gzip=off, retry_after=none, path=^/inventory/") == {
        "gzip": False,
        "retry_after": None,
        "path": "^/inventory/",
    }
    assert parse("") == parse(" , ") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("latency=fast", "latency='fast' cannot be: write a number"),
        ("latency=-1", "not negative"),
        ("latency=nan", "not negative"),
        ("fail_every=0", "whole number from 1"),
        ("fail_every=1.5", "write a number"),
        ("rate_limit=0", "above 0"),
        ("gzip=maybe", "true or false"),
        ("retry_after=soon", "seconds, date or none"),
        ("path=(", "regular expression"),
        ("latency 1", "name=value pairs"),
    ],
)
def test_bad_settings_say_what_to_write(text: str, words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        parse(text)


def test_bad_settings_change_nothing(running: sandbox.Sandbox) -> None:
    with pytest.raises(SandboxError):
        running.faults.set("tiny", fail_every=2, latencyy=1)
    assert running.faults["tiny"].describe() == {}
    with pytest.raises(SandboxError, match="only tiny"):
        running.faults.set("azure", latency=1)


def test_every_setting_takes_its_own_default() -> None:
    defaults = {name: getattr(FaultSettings(), name) for name in FaultSettings.__dataclass_fields__}
    assert checked(defaults) == defaults


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 60))
def test_counters_are_exact_whatever_the_mixture(fail: int, drop: int, number: int) -> None:
    faults = PlatformFaults()
    faults.set(fail_every=fail, drop_every=drop)
    plans = [faults.plan("GET", "/x", "", bearer=False) for _ in range(number)]
    failed = [n for n, plan in enumerate(plans, 1) if plan.status == 503]
    assert failed == [n for n in range(1, number + 1) if n % fail == 0]
    assert sum(plan.action == "drop" for plan in plans) == (number - len(failed)) // drop
