"""What a message holds, decoded or kept with the reason why not."""

import base64
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb.platforms.tiothub.content import decode, leaves

PACKED = base64.b64encode(b'{"t": 20.5}').decode()


@pytest.mark.parametrize(
    ("con", "cnf", "value"),
    [
        ("Hello", "text/plain:0", "Hello"),
        ("Hello", None, "Hello"),
        ({"t": 1}, "application/json:0", {"t": 1}),
        ('{"t": 1}', "application/json:0", {"t": 1}),
        ('{"t": 1}', "application/json", {"t": 1}),
        ('{"t": 1}', "text/plain:0", {"t": 1}),
        ('"{\\"t\\": 1}"', "application/json:0", {"t": 1}),
        (PACKED, "application/json:1", {"t": 20.5}),
        (PACKED.rstrip("="), "application/json:1", {"t": 20.5}),
        (base64.b64encode(b"Hello").decode(), "text/plain:1", "Hello"),
        ("20.5", "application/json:0", 20.5),
        ("20.5", "text/plain:0", "20.5"),
        ("{not json", "text/plain:0", "{not json"),
        (7, None, 7),
    ],
)
def test_what_can_be_decoded(con: object, cnf: str | None, value: object) -> None:
    found = decode(con, cnf)
    assert found.value == value
    assert found.reason == ""


@pytest.mark.parametrize(
    ("con", "cnf", "reason"),
    [
        ('{"t": ', "application/json:0", "no JSON"),
        ('{"t": NaN}', "application/json:0", "NaN is no JSON"),
        ("Hello!", "text/plain:1", "not base64"),
        (base64.b64encode(b"\xff\xfe\x00").decode(), "application/octet-stream:1", "3 bytes"),
        ("[" * 100_000, "application/json:0", "no JSON"),
    ],
)
def test_what_cannot_be_decoded_is_kept_with_the_reason(con: str, cnf: str, reason: str) -> None:
    found = decode(con, cnf)
    assert found.value == con
    assert reason in found.reason


def test_leaves_are_numbers_or_texts() -> None:
    document = {
        "reported": {"t": 20.5, "n": 3, "on": True, "name": "x", "list": [1, 2], "none": None},
        "iccid": 89490200001575268860,
    }
    assert list(leaves(document)) == [
        ("reported.t", 20.5, None),
        ("reported.n", 3.0, None),
        ("reported.on", None, "true"),
        ("reported.name", None, "x"),
        ("reported.list", None, "[1,2]"),
        ("iccid", None, "89490200001575268860"),
    ]
    assert list(leaves("Hello")) == [("", None, "Hello")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(con=JSON | st.text(), cnf=st.none() | st.text() | st.sampled_from(["application/json:1", "x:3", ":"]))
def test_nothing_that_a_device_sends_breaks_it(con: object, cnf: str | None) -> None:
    found = decode(con, cnf)
    for path, number, text in leaves(found.value):
        assert isinstance(path, str)
        assert (number is None) != (text is None)
        assert number is None or not math.isnan(number)
