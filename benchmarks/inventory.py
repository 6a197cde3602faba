"""G8: an inventory of 100,000 devices as a table, against a requests loop and json_normalize."""

from __future__ import annotations

from typing import Any

import common
import pandas as pd
import requests


def notebook_loop(url: str) -> pd.DataFrame:
    """What a notebook user writes."""
    found: list[dict[str, Any]] = []
    number = 1
    while True:
        page = requests.get(f"{url}/inventory/managedObjects?pageSize=2000&currentPage={number}").json()
        if not page["managedObjects"]:
            return pd.json_normalize(found)
        found.extend(page["managedObjects"])
        number += 1


def main() -> None:
    options = common.options(__doc__, devices=100_000)
    common.notebook()
    table = common.Table(f"inventory: {options.devices:,} devices")
    with common.server(devices=options.devices) as server:
        client = common.connect(server.url)
        assert len(client.devices()) == len(notebook_loop(server.url)) == options.devices
        took = common.rounds(
            min(options.rounds, 3), iotnb=client.devices, loop=lambda: notebook_loop(server.url)
        )
        table.add(
            "G8",
            "client.devices() against json_normalize",
            took["loop"] / took["iotnb"],
            must=4,
            more=True,
            note=f"{took['iotnb']:.2f} s; loop {took['loop']:.2f} s",
        )
        client.close()
    table.show()


if __name__ == "__main__":
    main()
