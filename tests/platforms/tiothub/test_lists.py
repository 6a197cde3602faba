"""Lists are whole, whichever way a server pages them; over real HTTP."""

from collections.abc import Callable

import pytest

from iotnb.errors import Incomplete
from iotnb.platforms.tiothub import TIoTHub
from iotnb.platforms.tiothub.api import Walk, lists

Special = Callable[..., TIoTHub]

CONTAINER = "/device-communication/{}/received-msg"


def whole(client: TIoTHub, *, size: int | None) -> tuple[list[str], Walk]:
    """The messages of the first device, read by pages of a size."""
    device = str(next(client.api.nodes.list())["rn"])
    report = Walk()
    dmo = client.api.nodes._dmo
    pages = lists.walk(dmo, CONTAINER.format(device), "m2m:cin", report=report, page_size=size)
    return [str(each["ri"]) for page in pages for each in page], report


@pytest.mark.parametrize(
    ("dialect", "switches", "size"),
    [
        ("dmo", {}, 100),
        ("dmo", {"limit_cap": 7}, 100),
        ("dmo", {"plain": True}, 100),
        ("dmo", {"vocabulary": "long"}, 100),
        ("dmo", {"vocabulary": "mixed", "edition": "2026"}, 50),
        ("skip", {"paging": "skip"}, 100),
        ("one-based", {"paging": "one-based"}, None),
        ("one-based", {"paging": "one-based"}, 100),
    ],
)
def test_every_message_comes_once(
    special: Special, dialect: str, switches: dict[str, object], size: int | None
) -> None:
    client = special({"dialect": dialect}, retention=300, **switches)
    found, report = whole(client, size=size)
    assert len(found) == len(set(found))
    assert len(found) >= 290  # the device goes on sending, the oldest are dropped
    told = dialect != "one-based" or size is not None
    assert report.state == (lists.COMPLETE if told else lists.UNKNOWN), report


def test_what_a_server_withholds_is_not_called_complete(special: Special) -> None:
    client = special(retention=300)
    device = str(next(client.api.nodes.list())["rn"])
    switched = special(retention=300, empty_first_page=True)
    report = Walk()
    pages = lists.walk(
        switched.api.nodes._dmo, CONTAINER.format(device), "m2m:cin", report=report, page_size=100
    )
    assert sum(len(page) for page in pages) == 200
    assert report.state != lists.COMPLETE
    with pytest.raises(Incomplete, match="of 300 came"):
        switched.measurements(device, since="2020-01-01")


def test_a_repeated_page_is_passed_over(special: Special) -> None:
    client = special(retention=300)
    device = str(next(client.api.nodes.list())["rn"])
    switched = special(retention=300, repeat_page=True)
    report = Walk()
    dmo = switched.api.nodes._dmo
    pages = lists.walk(dmo, CONTAINER.format(device), "m2m:cin", report=report, page_size=100)
    assert sum(len(page) for page in pages) == 300
    assert report.state == lists.UNKNOWN  # nothing says that the repeated page hid no other
    products = [each["id"] for page in switched.api.products.pages(size=3) for each in page]
    assert set(products) == {each["id"] for each in client.api.products.list()}


def test_a_thousand_nodes_are_more_than_a_page(special: Special) -> None:
    client = special(devices=1100)
    nodes = list(client.api.nodes.list())
    assert len(nodes) >= 1100
    assert len({each["ri"] for each in nodes}) == len(nodes)


def test_what_does_not_come_is_called_truncated() -> None:
    report = Walk(total=10, seen=7)
    report.end(lists.COMPLETE)
    assert (report.state, report.reason) == (lists.TRUNCATED, "7 of 10 came")
    report = Walk(total=7, seen=7)
    report.end(lists.UNKNOWN, "nobody knows")
    assert (report.state, report.reason) == (lists.COMPLETE, "")
