"""What the wire code of the platforms shares: paths, kept documents, times, multipart, token alphabets."""

import base64
import json
from typing import NamedTuple

import pytest

from iotnb.sandbox.fleet import Clock
from iotnb.sandbox.routing import Router
from iotnb.sandbox.shelf import Shelf
from iotnb.sandbox.store import Store
from iotnb.sandbox.tokens import Tokens
from iotnb.sandbox.wire import iso, multipart, parse_time


class Route(NamedTuple):
    method: str
    path: str


ROUTES = [
    Route("GET", "/things"),
    Route("POST", "/things"),
    Route("GET", "/things/{id}"),
    Route("GET", "/things/{id}/parts/{part}"),
    Route("GET", "/things/special"),
    Route("DELETE", "/things/{id}/Parts"),
]


def test_names_win_over_variables_and_values_come_in_order():
    router = Router(ROUTES)
    found = router.find(("things",))
    assert found is not None
    assert set(found.routes) == {"GET", "POST"}
    special, other = router.find(("things", "special")), router.find(("things", "x y"))
    assert special is not None
    assert special.values == ()
    assert other is not None
    assert other.values == ("x y",)
    deep = router.find(("things", "special", "parts", "7"))
    assert deep is not None
    assert deep.values == ("special", "7")
    for path in ((), ("thing",), ("things", "a", "b"), ("Things",)):
        assert router.find(path) is None


def test_names_without_case():
    router = Router(ROUTES, fold=True)
    found = router.find(("THINGS", "Ab", "parts"))
    assert found is not None
    assert found.values == ("Ab",)
    assert set(found.routes) == {"DELETE"}


def test_two_routes_for_one_request_are_a_mistake():
    with pytest.raises(ValueError, match="two routes for GET"):
        Router([Route("GET", "/a/{x}"), Route("GET", "/a/{y}")])


def test_a_shelf_is_what_the_store_holds(tmp_path):
    path = tmp_path / "kept.sqlite"
    store = Store(path, namespace="one")
    shelf = Shelf(store, "rule")
    shelf.put("a", {"n": 1})
    shelf.put("b", None)
    assert "b" in shelf
    assert shelf.get("c") is None
    assert shelf.drop("c") is False
    store.close()
    again = Shelf(Store(path, namespace="one"), "rule")
    assert again.items() == [("a", {"n": 1}), ("b", None)]
    assert again.drop("a") is True
    assert list(again) == ["b"]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-06-24T17:23:59.590Z", 1782321839590),
        ("2026-06-24 17:23:59", 1782321839000),
        ("2026-06-24T19:23:59.5901234567+02:00", 1782321839590),
        ("2026-06-24", 1782259200000),
        ("soon", None),
        ("", None),
    ],
)
def test_times(text, ms):
    assert parse_time(text) == ms
    if ms is not None:
        assert parse_time(iso(ms)) == ms
        assert iso(ms, 7).removesuffix("0000Z") == iso(ms).removesuffix("Z")


def test_the_parts_of_a_multipart_body():
    body = (
        b'--x\r\nContent-Disposition: form-data; name="ref"\r\n\r\n7\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + bytes(range(256)) + b"\r\n--x--\r\n"
    )
    field, file = multipart("multipart/form-data; boundary=x", body)
    assert (field.name, field.filename, field.data) == ("ref", "", b"7")
    assert (file.name, file.filename, file.media) == ("file", "a.bin", "application/octet-stream")
    assert file.data == bytes(range(256))
    assert multipart("application/json", b"{}") == []


def test_a_token_for_clients_that_must_decode_url_safe():
    tokens = Tokens(Clock())
    for n in range(9):
        claims = {"n": "x" * n, "role": "Pr\u00fcfer?"}
        plain, other = (tokens.issue(claims, seconds=60, plain=way).split(".")[1] for way in (True, False))
        assert not {"-", "_"} & set(plain)
        assert {"-", "_"} & set(other)
        for payload in (plain, other):
            found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            assert found["role"] == "Pr\u00fcfer?"
