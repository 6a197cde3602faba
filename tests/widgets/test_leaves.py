"""The leaves without a browser: what they send, and what of a secret is to be found in them."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from iotnb.secret import Secret
from iotnb.widgets import SecretField, leaves
from iotnb.widgets.leaves import ChoiceLeaf, FormGuard, GridLeaf, KeyGuard, StatusLine, collect


def test_a_collected_secret_is_nowhere_in_the_widget(page: Any) -> None:
    field = SecretField(label="Password")
    page.type(field, "sentinel-93-äß")
    found = collect({"password": field})
    assert found["password"].reveal() == "sentinel-93-äß"
    assert "sentinel" not in page.text() + repr(field.get_state()) + repr(vars(field))
    assert not field.filled


def test_several_secrets_come_in_one_round(page: Any) -> None:
    fields = {name: SecretField(label=name) for name in ("password", "code", "empty")}
    page.type(fields["password"], "one")
    page.type(fields["code"], "two")
    page.open(fields["empty"])
    began = time.monotonic()
    found = collect(fields, seconds=60)
    assert {name: value.reveal() for name, value in found.items()} == {"password": "one", "code": "two"}
    assert time.monotonic() - began < 10
    rounds = {
        message["round"]
        for field in fields.values()
        for message in page.messages(field)
        if message.get("do") == "collect"
    }
    assert len(rounds) == 1


def test_nothing_typed_and_no_page_are_known_at_once() -> None:
    began = time.monotonic()
    assert collect({"password": SecretField(label="Password")}, seconds=60) == {}
    assert time.monotonic() - began < 10


def test_a_page_that_is_gone_ends_the_round_in_time(page: Any) -> None:
    field = SecretField(label="Password")
    page.type(field, "lost", answers=False)
    began = time.monotonic()
    assert collect({"password": field}, seconds=0.3) == {}
    assert 0.25 < time.monotonic() - began < 10
    assert not field.filled


def test_only_the_view_with_a_value_counts(page: Any) -> None:
    field = SecretField(label="Password")
    page.open(field, view="first")
    page.type(field, "second view")
    assert collect({"password": field})["password"].reveal() == "second view"


def test_an_answer_to_another_round_is_not_taken(page: Any) -> None:
    field = SecretField(label="Password")
    page.type(field, "x", answers=False)
    page.say(field, {"kind": "value", "view": "v1", "round": 10**9, "value": "stale"})
    page.say(field, {"kind": "filled", "view": "v1", "filled": True})
    assert collect({"password": field}, seconds=0.2) == {}


def test_enter_hands_the_value_over_as_a_secret(page: Any) -> None:
    got: list[Secret] = []
    field = SecretField(label="Password", on_submit=got.append)
    page.say(field, {"kind": "submit", "view": "v1", "value": "at enter"})
    assert [value.reveal() for value in got] == ["at enter"]
    assert "at enter" not in repr(field.get_state()) + page.text()


def test_a_view_that_closes_is_forgotten(page: Any) -> None:
    field = SecretField(label="Password")
    page.open(field)
    assert field.seen
    page.say(field, {"kind": "view", "view": "v1", "open": False})
    assert not field.seen


FILES = [path for path in Path(leaves.__file__).parent.glob("*.*") if path.suffix in {".js", ".css"}]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_leaves_load_nothing_from_outside_and_write_no_html(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|@import", text)


@pytest.mark.parametrize("leaf", [ChoiceLeaf, FormGuard, GridLeaf, KeyGuard, SecretField, StatusLine])
def test_a_leaf_is_one_module(leaf: type[Any]) -> None:
    assert leaf._esm.count("export default") == 1


def test_the_leaves_of_a_login_and_a_picker_are_small() -> None:
    shown = (ChoiceLeaf, FormGuard, GridLeaf, KeyGuard, SecretField, StatusLine)
    sizes = {leaf.__name__: len(leaf._esm) + len(getattr(leaf, "_css", None) or "") for leaf in shown}
    assert max(sizes.values()) < 25_000, sizes
