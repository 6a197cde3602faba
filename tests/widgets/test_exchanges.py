"""The exchange view: HTTP and curl of what was asked, as script-free HTML without secrets."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from iotnb.exchange import Exchange
from iotnb.secret import Secret
from iotnb.widgets import ExchangeView, exchanges


def exchange(path: str = "/inventory", *, body: bytes = b'{"a":1}', status: int = 200) -> Exchange:
    made = Exchange.begin(
        "POST",
        f"https://t1.example{path}?access_token=hidden-token-1",
        {"Authorization": "Bearer abcdefgh1234567890", "Accept": "application/json"},
        b'{"password":"hidden-password-2","name":"</script><img src=x onerror=alert(1)>"}',
        datetime(2026, 1, 1, tzinfo=UTC),
        [Secret("hidden-value-3")],
    )
    made.elapsed = 0.0123
    made.answered(status, "OK", {"Content-Type": "application/json"}, body, [Secret("hidden-value-3")])
    return made


def client(*held: Exchange) -> Any:
    return SimpleNamespace(exchanges=list(held))


def test_http_and_curl_stand_behind_one_line_each() -> None:
    markup = exchanges.to_html([exchange()])
    assert markup.count("<details") == 1
    assert "POST https://t1.example/inventory" in markup
    assert "200 OK (12 ms, 7 B)" in markup
    assert "curl" in markup
    assert "--data-raw" in markup


def test_no_secret_and_no_script() -> None:
    made = exchange(body=b'{"token":"hidden-value-3","more":"hidden-value-3"}')
    shown = exchanges.to_html([made]) + repr(ExchangeView(client(made)))
    assert "hidden" not in shown
    assert "abcdefgh1234567890" not in shown
    assert "<script" not in shown
    assert "<img" not in shown


def test_a_block_shows_its_own_exchanges_only() -> None:
    owner = client(exchange("/before"))
    with ExchangeView(owner) as view:
        owner.exchanges.append(exchange("/during"))
    owner.exchanges.append(exchange("/after"))
    assert len(view) == 1
    assert "/during" in repr(view)


def test_the_last_few_can_be_asked_for() -> None:
    view = ExchangeView(client(*(exchange(f"/{number}") for number in range(5))), last=2)
    assert [line.split("?")[0] for line in repr(view).splitlines()] == [
        "POST https://t1.example/3",
        "POST https://t1.example/4",
    ]


def test_long_lists_are_cut_and_say_so() -> None:
    markup = exchanges.to_html([exchange()] * 60)
    assert markup.count("<details") == exchanges.LIMIT
    assert "10 earlier exchanges are left out" in markup


def test_nothing_sent_is_said() -> None:
    assert "Nothing was sent" in exchanges.to_html([])
    assert repr(ExchangeView(client())) == "no exchange"


def test_no_answer_is_said() -> None:
    made = Exchange.begin("GET", "https://t1.example/x", {}, None, datetime(2026, 1, 1, tzinfo=UTC), [])
    made.error = "timed out"
    assert "no answer (timed out)" in exchanges.to_html([made])
