"""G1 with 10,000,000 values: ten times the rows take ten times the time, in little memory."""

from __future__ import annotations

import resource
from typing import Any

import common
from load import WINDOW

DEVICES = 10


def load(client: Any, devices: int) -> int:
    """Loads so many devices; the server sends the same pages for each."""
    frame = client.measurements([str(number) for number in range(1, devices + 1)], **WINDOW)
    return len(frame)


def peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    options = common.options(__doc__, values=1_000_000)
    values = options.values * DEVICES
    table = common.Table(f"large: {values:,} values of {DEVICES} devices")
    with common.server(values=options.values) as server:
        client = common.connect(server.url)
        assert load(client, 1) == options.values
        before = peak()
        assert load(client, DEVICES) == values
        memory = peak() - before
        took = common.rounds(
            1, warm=False, small=lambda: load(client, 1), large=lambda: load(client, DEVICES)
        )
        client.close()
    table.add(
        "G1",
        f"{values:,} values, against {DEVICES} times the time of {options.values:,}",
        took["large"] / took["small"] / DEVICES,
        must=1.2,
        more=False,
        note=f"{took['large']:.1f} s, {values / took['large'] / 1e6:.2f} M values a second",
    )
    table.add(
        "",
        "bytes a value at the peak, above a load of a tenth",
        memory * 1e6 / values,
        must=100,
        more=False,
        unit="bytes",
    )
    table.show()


if __name__ == "__main__":
    main()
