"""Five forms of time, all UTC."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb import times
from iotnb.errors import ConfigError
from iotnb.platforms.wso2 import moments

KOLKATA = "Asia/Kolkata"


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        (1521709049753, "UTC", "2018-03-22T08:57:29.753Z"),
        (1521709049753, KOLKATA, "2018-03-22T08:57:29.753Z"),
        (1521709049, "UTC", "2018-03-22T08:57:29.000Z"),
        ("2016-08-03 14:01:02.0", "UTC", "2016-08-03T14:01:02.000Z"),
        ("2016-08-03 14:01:02.2", "UTC", "2016-08-03T14:01:02.200Z"),
        ("2016-08-03 14:00:54.603", KOLKATA, "2016-08-03T08:30:54.603Z"),
        ("2016-08-03 14:00:54.123456789", "UTC", "2016-08-03T14:00:54.123Z"),
        ("2016-08-03 14:00:54", "UTC", "2016-08-03T14:00:54.000Z"),
        ("Thu Oct 06 11:18:47 IST 2016", KOLKATA, "2016-10-06T05:48:47.000Z"),
        ("Thu Oct 06 11:18:47 IST 2016", "Asia/Jerusalem", "2016-10-06T08:18:47.000Z"),
        ("Thu Oct 06 11:18:47 UTC 2016", KOLKATA, "2016-10-06T11:18:47.000Z"),
        ("Tue, 6 Mar 2018 06:42:12 +0000", KOLKATA, "2018-03-06T06:42:12.000Z"),
        ("Mon, 05 Jan 2014 15:10:00 +0530", "UTC", "2014-01-05T09:40:00.000Z"),
        ("Mon, 05 Jan 2014 15:10:00 -0230", "UTC", "2014-01-05T17:40:00.000Z"),
        ("Fri, 12 Aug 2016 11:38:00 GMT", KOLKATA, "2016-08-12T11:38:00.000Z"),
        ("2016-08-12T11:38:00Z", KOLKATA, "2016-08-12T11:38:00.000Z"),
    ],
)
def test_each_form_becomes_utc(value: Any, zone: str, expected: str) -> None:
    found = moments.moment(value, zone)
    assert found is not None
    assert times.to_wire(found) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        None,
        0,
        -5,
        True,
        float("nan"),
        "yesterday",
        "2016-13-03 14:01:02.0",
        "Thu Xyz 06 11:18:47 IST 2016",
    ],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert moments.moment(value) is None


def test_a_zone_that_there_is_not_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"server_tz='Mars/Olympus'.*'Asia/Kolkata'"):
        moments.zone("Mars/Olympus")


@pytest.mark.parametrize(
    ("text", "zone", "fits"),
    [
        ("Thu Oct 06 11:18:47 IST 2016", KOLKATA, True),
        ("Thu Oct 06 11:18:47 IST 2016", "UTC", False),
        ("Thu Oct 06 11:18:47 UTC 2016", KOLKATA, False),
        ("Thu Oct 06 11:18:47 UTC 2016", "UTC", True),
        ("Thu Jul 06 11:18:47 CEST 2016", "Europe/Berlin", True),
        ("Thu Jul 06 11:18:47 CET 2016", "Europe/Berlin", False),
        ("2016-08-03 14:01:02.0", KOLKATA, True),
        (None, "UTC", True),
    ],
)
def test_letters_of_a_zone_are_compared_with_the_setting(text: Any, zone: str, fits: bool) -> None:
    assert moments.fits(text, zone) is fits


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),
    st.sampled_from(["UTC", KOLKATA, "America/St_Johns"]),
)
def test_local_times_are_read_back(naive: datetime, zone: str) -> None:
    written = naive.isoformat(sep=" ", timespec="milliseconds")
    found = moments.moment(written, zone)
    assert found is not None
    local = found.astimezone(moments.zone(zone)).replace(tzinfo=None)
    # an hour that the clocks leave out in spring does not exist; all others come back
    assert abs(local - naive) in (naive - naive, timedelta(hours=1)) or abs(local - naive) < timedelta(
        milliseconds=1
    )


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2090, 1, 1)).map(
        lambda at: at.replace(tzinfo=UTC, microsecond=0)
    )
)
def test_what_is_sent_as_since_is_read_back(at: datetime) -> None:
    assert moments.moment(moments.mail(at)) == at
