"""G9: series answers in memory to the long frame, against the loop that one writes without thinking."""

from __future__ import annotations

import json
import time
from typing import Any

import common
import pandas as pd
from load import SOURCE
from server import series


def naive(bodies: list[bytes]) -> pd.DataFrame:
    """A row at a time."""
    rows: list[dict[str, Any]] = []
    for body in bodies:
        answer = json.loads(body)
        for moment, entries in answer["values"].items():
            for place, entry in enumerate(entries):
                if entry:
                    described = answer["series"][place]
                    name = f"{described['type']}.{described['name']}"
                    rows.append({"time": moment, "device": SOURCE, "series": name, "value": entry["max"],
                                 "unit": described.get("unit")})  # fmt: skip
    frame = pd.DataFrame(rows)
    frame["time"] = pd.to_datetime(frame["time"])
    return frame


def decoded(bodies: list[bytes]) -> pd.DataFrame:
    """What iotnb does."""
    from iotnb import frames
    from iotnb.platforms.cumulocity.decode import decode_series

    return frames.measurements([decode_series(body, SOURCE).columns.slim() for body in bodies])


def main() -> None:
    options = common.options(__doc__, answers=50)
    common.notebook()
    bodies = [series(5000)] * options.answers
    assert len(naive(bodies)) == len(decoded(bodies)) == 15_000 * options.answers
    table = common.Table(f"series: {options.answers} answers of 5,000 times with three series")
    took = common.rounds(
        options.rounds, clock=time.process_time, iotnb=lambda: decoded(bodies), naive=lambda: naive(bodies)
    )
    table.add("G9", "series answers to the frame against a naive loop", took["naive"] / took["iotnb"], must=4,
              more=True, note=f"{took['iotnb'] / options.answers * 1000:.1f} ms an answer")  # fmt: skip
    table.show()


if __name__ == "__main__":
    main()
