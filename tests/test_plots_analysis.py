"""The usual day, what changed, and marked anomalies: what is drawn, in both styles."""

from datetime import UTC, datetime, timedelta

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from iotnb import analysis, frames, plots
from iotnb.errors import ConfigError

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def closed():
    mpl.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def measured(device="a", *, days=4, unit="C", at=None, offset=0.0):
    """Warm from 6 to 18 o'clock, UTC, every ten minutes."""
    count = days * 144
    times = [START + timedelta(minutes=10 * n) for n in range(count)]
    values = [offset + (30.0 if 6 <= time.hour < 18 else 10.0) for time in times]
    noise = np.random.default_rng(1).standard_normal(count) / 10
    values = list(np.array(values) + noise)
    if at is not None:
        values[at] = 500.0
    rows = [
        {"time": time, "device": device, "series": "t", "unit": unit, "value": value}
        for time, value in zip(times, values, strict=True)
    ]
    return frames.table("measurements", rows)


def test_the_usual_day_follows_the_clock_of_the_zone():
    ax = plots.daily(measured())
    hours, usual = ax.get_lines()[0].get_data()
    assert usual[hours < 6].max() < 15
    assert usual[(hours > 6) & (hours < 18)].min() > 25
    ax = plots.daily(measured(), tz="Asia/Tokyo")  # nine hours later
    hours, usual = ax.get_lines()[0].get_data()
    assert usual[(hours > 15)].min() > 25
    assert "Asia/Tokyo" in ax.get_xlabel()


def test_each_unit_has_its_axes_and_each_device_its_line_and_name():
    m = pd.concat([measured(), measured("b", offset=3), measured("c", unit="F")], ignore_index=True)
    ax = plots.daily(m, names={"a": "Pump 1"}, ax=Figure())
    first, second = ax.figure.axes
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["Pump 1", "b"]
    assert len(second.get_lines()) == 1
    assert "[F]" in second.get_ylabel()


def test_an_incomplete_frame_says_so_also_as_a_usual_day():
    m = measured()
    m.attrs["iotnb"] = {
        "complete": False,
        "gaps": [{"start": "2026-05-01T00:00:00Z", "end": "2026-05-02T00:00:00Z"}],
    }
    assert "INCOMPLETE" in plots.daily(m).get_title(loc="right")


def test_nothing_to_draw_is_said():
    assert "no data" in plots.daily(frames.empty("measurements")).texts[0].get_text()
    nothing = analysis.around(measured(), frames.empty("operations"))
    assert "nothing happened" in plots.changes(nothing).texts[0].get_text()
    with pytest.raises(ConfigError, match="no time zone"):
        plots.daily(measured(), tz="Mars/Base")
    with pytest.raises(ConfigError, match="score"):
        plots.changes(measured())


def test_what_changed_most_stands_at_the_top():
    m = pd.concat([measured(), measured("b")], ignore_index=True)
    events = frames.table(
        "events",
        [
            {"time": START + timedelta(hours=hour), "event": str(hour), "device": "a", "type": kind}
            for kind, hour in (("Sunrise", 6), ("Noon", 12), ("Sunrise", 30), ("Noon", 36))
        ],
    )
    ax = plots.changes(analysis.around(m, events))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Noon:  t", "Sunrise:  t"]
    dots = [line.get_xdata() for line in ax.get_lines() if line.get_marker() == "o"]
    assert sorted(map(len, dots)) == [2, 2]


def test_anomalies_are_marked_with_their_number():
    m = measured(at=200)
    found = analysis.anomalies(m)
    ax = plots.mark(plots.lines(m), found)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"anomaly spike ({len(found)})" in words
