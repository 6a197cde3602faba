"""The webhook receiver, over real HTTP."""

import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import pandas as pd
import pytest

from iotnb.errors import ConfigError, IotnbError
from iotnb.inbox import LARGEST, Inbox


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as made:
        yield made


def post(url: str, body: object, **headers: str) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_deliveries_become_a_table(inbox: Inbox) -> None:
    for number in range(3):
        telemetry = {"deviceId": "007", "telemetry": {"accelerometer": {"x": number / 2}}}
        assert post(inbox.url, telemetry) == 200
    inbox.wait(3)
    frame = inbox.frame()
    assert frame["telemetry.accelerometer.x"].tolist() == [0.0, 0.5, 1.0]
    assert frame["deviceId"].tolist() == ["007"] * 3
    assert str(frame["time"].dtype) == "datetime64[us, UTC]"
    assert (pd.Timestamp.now(tz="UTC") - frame["time"]).max() < pd.Timedelta("1min")
    assert frame["number"].tolist() == [1, 2, 3]


def test_nothing_is_an_empty_table_with_its_columns(inbox: Inbox) -> None:
    frame = inbox.frame()
    assert list(frame.columns) == ["number", "time", "path"]
    assert frame.empty
    assert len(inbox) == 0


def test_lists_texts_and_other_methods_are_taken(inbox: Inbox) -> None:
    post(inbox.url, [{"a": 1}, {"a": 2}])
    post(inbox.url, b"no json \xff")
    post(inbox.url, b"")
    post(inbox.url + "/below?x=1", {"number": 9})
    connection = http.client.HTTPConnection(urlsplit(inbox.url).netloc)
    connection.request(
        "PUT",
        urlsplit(inbox.url).path,
        body=iter([b'{"a":', b"3}"]),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert connection.getresponse().read() == b""
    connection.request("POST", urlsplit(inbox.url).path, body=b'{"a": 4}')  # the connection is still good
    assert connection.getresponse().status == 200
    connection.close()
    frame = inbox.frame()
    assert frame["a"].dropna().tolist() == [1, 2, 3, 4]
    assert frame["body"].dropna().tolist() == ["no json \ufffd"]
    assert frame["path"].tolist()[4] == "/below?x=1"
    assert frame["body.number"].dropna().tolist() == [9]
    assert inbox.received == 6


def test_only_its_own_path_is_taken(inbox: Inbox) -> None:
    root = "http://" + urlsplit(inbox.url).netloc
    assert post(root + "/", {}) == 404
    assert post(inbox.url + "x", {}) == 404
    assert inbox.received == 0


def test_it_listens_on_loopback_only(inbox: Inbox) -> None:
    assert urlsplit(inbox.url).hostname == "127.0.0.1"


def test_what_it_keeps_is_bounded() -> None:
    with Inbox(keep=5, limit=1000) as inbox:
        for number in range(20):
            post(inbox.url, {"n": number})
        assert [each.body["n"] for each in inbox.deliveries] == [15, 16, 17, 18, 19]
        assert (inbox.received, inbox.dropped) == (20, 15)
        post(inbox.url, {"n": "x" * 900})
        assert len(inbox) <= 5
        assert sum(each.size for each in inbox.deliveries) <= 1000
        post(inbox.url, {"n": "x" * 5000})  # one alone is kept, however large
        assert len(inbox) == 1


def test_what_is_too_large_or_broken_is_refused(inbox: Inbox) -> None:
    connection = http.client.HTTPConnection(urlsplit(inbox.url).netloc)
    connection.putrequest("POST", urlsplit(inbox.url).path)
    connection.putheader("Content-Length", str(LARGEST + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    for header, body in (("Content-Length: many", b""), ("Transfer-Encoding: chunked", b"zz\r\n")):
        with socket.create_connection(("127.0.0.1", urlsplit(inbox.url).port or 0)) as raw:
            raw.sendall(
                f"POST {urlsplit(inbox.url).path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode() + body
            )
            assert b" 400 " in raw.recv(1000).splitlines()[0]
    assert inbox.received == 0
    assert post(inbox.url, {}) == 200


def test_a_sender_that_hangs_up_disturbs_nobody(inbox: Inbox) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(inbox.url).port or 0)) as raw:
        raw.sendall(f"POST {urlsplit(inbox.url).path} HTTP/1.1\r\nContent-Length: 10\r\n\r\n12".encode())
    assert post(inbox.url, {"a": 1}) == 200


def test_credentials_in_headers_are_blanked(inbox: Inbox) -> None:
    post(inbox.url, {}, Authorization="Bearer abcdef0123456789", X_Kind="telemetry")
    headers = inbox.deliveries[0].headers
    assert "abcdef0123456789" not in repr(inbox.deliveries)
    assert headers["Authorization"].startswith("Bearer")


def test_waiting_ends_with_words() -> None:
    with Inbox() as inbox, pytest.raises(IotnbError, match="0 of 2 deliveries"):
        inbox.wait(2, timeout=0.2)


def test_deliveries_come_live(inbox: Inbox) -> None:
    seen: list[int] = []
    inbox.on_delivery(lambda each: seen.append(each.number))
    sender = threading.Thread(target=lambda: [post(inbox.url, {"n": n}) for n in range(4)])
    live = inbox.live(timeout=2)
    sender.start()
    got = [next(live).body["n"] for _ in range(4)]
    sender.join()
    assert got == [0, 1, 2, 3]
    assert seen == [1, 2, 3, 4]
    began = time.monotonic()
    assert list(inbox.live(timeout=0.2)) == []
    assert time.monotonic() - began < 2


def test_live_ends_when_it_is_closed() -> None:
    inbox = Inbox()
    threading.Timer(0.2, inbox.close).start()
    assert list(inbox.live()) == []


def test_a_status_of_ones_own(inbox: Inbox) -> None:
    inbox.status = 503
    assert post(inbox.url, {}) == 503
    inbox.status = lambda delivery: 200 if delivery.number > 2 else 500
    assert [post(inbox.url, {}), post(inbox.url, {})] == [500, 200]


def test_closing_frees_the_port_and_keeps_what_came() -> None:
    inbox = Inbox()
    post(inbox.url, {"a": 1})
    inbox.close()
    inbox.close()
    assert inbox.frame()["a"].tolist() == [1]
    assert "closed" in repr(inbox)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(inbox.url, timeout=1)
    with Inbox(port=urlsplit(inbox.url).port or 0) as again, pytest.raises(ConfigError, match="port"):
        Inbox(port=urlsplit(again.url).port or 0)


@pytest.mark.parametrize("options", [{"port": -1}, {"port": 70000}, {"keep": 0}, {"limit": 0}])
def test_nonsense_is_told(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Inbox(**options)


def test_forgetting(inbox: Inbox) -> None:
    post(inbox.url, {})
    inbox.clear()
    assert len(inbox) == 0
    post(inbox.url, {})
    assert inbox.deliveries[0].number == 2
