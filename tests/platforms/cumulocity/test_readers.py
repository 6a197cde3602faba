"""Intervals and windows of aggregated reads."""

from datetime import UTC, datetime

import pytest

from iotnb.errors import ConfigError
from iotnb.platforms.cumulocity import readers
from iotnb.times import Window

END = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "wire"),
    [("1m", "1m"), ("15min", "15m"), ("1h", "1h"), ("2M", "2M"), (" 1d ", "1d"), ("1q", "1q")],
)
def test_intervals(given: str, wire: str) -> None:
    assert readers.interval(given) == wire


@pytest.mark.parametrize("given", ["", "1", "h", "0h", "01h", "1000s", "1 hour", "-1h", "1.5h", "1H"])
def test_nonsense_says_what_to_write(given: str) -> None:
    with pytest.raises(ConfigError, match="such as '15m'"):
        readers.interval(given)


@pytest.mark.parametrize(
    ("aggregate", "start"),
    [
        ("1m", datetime(2026, 3, 4, 9, 3, tzinfo=UTC)),
        ("15m", datetime(2026, 3, 4, 9, 0, tzinfo=UTC)),
        ("1d", datetime(2026, 3, 4, tzinfo=UTC)),
        ("1w", datetime(2026, 3, 2, tzinfo=UTC)),
        ("1M", datetime(2026, 3, 1, tzinfo=UTC)),
        ("1q", datetime(2026, 1, 1, tzinfo=UTC)),
        ("1y", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_window_begins_with_a_whole_interval(aggregate: str, start: datetime) -> None:
    window = Window(datetime(2026, 3, 4, 9, 3, 22, 5, tzinfo=UTC), END)
    assert readers.aligned(window, aggregate) == Window(start, END)
