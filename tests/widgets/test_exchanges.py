"""The exchange view: HTTP and curl of what was asked, as script-free HTML without secrets."""

import html
import re
import shlex
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import iotnb
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
    text = re.sub(r"<[^>]*>", "", markup)
    assert "POST /inventory" in text
    assert "200 OK (12 ms, 7 B)" in text
    assert "1 request to https://t1.example, 7 B received, 12 ms waited" in text
    assert "curl https://t1.example" in html.unescape(text).replace("'", "")
    assert "--data-raw" in text


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


def test_what_failed_is_counted() -> None:
    markup = exchanges.to_html([exchange(), exchange(status=404)])
    assert "2 requests to https://t1.example, 1 not answered with success" in markup


def test_the_curl_of_a_view_is_the_one_of_the_exchange() -> None:
    line = exchange("/it's?x=a b").curl()
    assert shlex.split(exchanges.multiline(line).replace("\\\n", "")) == shlex.split(line)
    assert len(exchanges.multiline(line).splitlines()) >= 3


def test_the_line_of_the_api_stands_beside_http_and_curl(running: Any) -> None:
    with iotnb.connect("cumulocity", **running["cumulocity"].connect) as owner:
        with ExchangeView(owner) as view:
            owner.api.inventory.page(pageSize=3)
        markup = view._repr_mimebundle_()["text/html"]
    assert "client.api.inventory.page(pageSize=3" in html.unescape(markup)
    assert len(view) == 1


def test_no_answer_is_said() -> None:
    made = Exchange.begin("GET", "https://t1.example/x", {}, None, datetime(2026, 1, 1, tzinfo=UTC), [])
    made.error = "timed out"
    assert "no answer (timed out)" in exchanges.to_html([made])
