"""G1, G2, G3, G5: measurement values over HTTP into the long table, against what else one could write."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import common
import orjson
import pandas as pd
import requests
from server import DAYS, PAGE, SOURCE, START, spread, wire

WINDOW = {"since": START.isoformat(), "until": (START + pd.Timedelta(days=DAYS)).isoformat()}
COLLECTION = "/measurement/measurements"


def page_urls(url: str, documents: int, how: str) -> list[str]:
    """The pages of a reader who knows beforehand where each one begins."""
    moments = spread(documents, how)
    return [
        f"{url}{COLLECTION}?source={SOURCE}&dateFrom={wire(moments[first])}&revert=false&pageSize={PAGE}"
        for first in range(0, documents, PAGE)
    ]


def fetch(urls: list[str], workers: int) -> list[bytes]:
    """Fetching alone: plain requests with a pool, bodies in memory."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=workers))

    def get(url: str) -> bytes:
        with session.get(url, stream=True) as response:
            return bytes(response.raw.read(decode_content=True))

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(get, urls))


def notebook_loop(url: str) -> pd.DataFrame:
    """What a notebook user writes: follow `next`, json_normalize, melt."""
    found: list[dict[str, Any]] = []
    link: str | None = f"{url}{COLLECTION}?source={SOURCE}&dateFrom={wire(0)}&revert=false&pageSize={PAGE}"
    while link:
        page = requests.get(link).json()
        if not page["measurements"]:
            break
        found.extend(page["measurements"])
        link = page.get("next")
    frame = pd.json_normalize(found)
    values = [column for column in frame.columns if column.endswith(".value")]
    long = frame.melt(id_vars=["time", "source.id", "type"], value_vars=values, var_name="series").dropna()
    long["time"] = pd.to_datetime(long["time"])
    return long


def load(client: Any) -> pd.DataFrame:
    """What a user of iotnb writes."""
    frame: pd.DataFrame = client.measurements([SOURCE], **WINDOW)
    return frame


@contextmanager
def collector_paused() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def decode(bodies: list[bytes]) -> pd.DataFrame:
    """Pages in memory to the long frame, as a load does it."""
    from iotnb import frames
    from iotnb.platforms.cumulocity.decode import Decoder

    decoder = Decoder()
    return frames.measurements([decoder.decode(body).columns.slim() for body in bodies])


def parse(bodies: list[bytes]) -> None:
    """orjson.loads alone."""
    with collector_paused():
        for body in bodies:
            orjson.loads(body)


def main() -> None:
    options = common.options(__doc__, values=1_000_000)
    common.notebook()
    documents = options.values // 2
    table = common.Table(f"load: {options.values:,} values, {documents // PAGE} pages")
    with common.server(values=options.values) as server:
        urls = page_urls(server.url, documents, "uniform")
        client = common.connect(server.url)
        assert len(load(client)) == options.values
        assert len(notebook_loop(server.url)) == options.values

        took = common.rounds(
            options.rounds,
            iotnb=lambda: load(client),
            loop=lambda: notebook_loop(server.url),
            orjson=lambda: [orjson.loads(body) for body in fetch(urls, 1)],
            fetch=lambda: fetch(urls, 8),
        )
        table.add(
            "G1",
            "against the notebook loop, 0 ms",
            took["loop"] / took["iotnb"],
            must=7,
            more=True,
            note=f"{took['iotnb']:.2f} s; fetch {took['fetch']:.2f} s, with orjson {took['orjson']:.2f} s",
        )

        bodies = fetch(urls, 4)
        took = common.rounds(
            options.rounds,
            clock=time.process_time,
            iotnb=lambda: decode(bodies),
            orjson=lambda: parse(bodies),
        )
        table.add(
            "G2",
            "pages in memory to the frame, against orjson.loads alone",
            took["iotnb"] / took["orjson"],
            must=1.5,
            more=False,
            note=f"{took['iotnb'] / len(bodies) * 1000:.2f} ms a page",
        )

        for latency in (0.05, 0.1):
            server.set(latency=latency)
            took = common.rounds(options.rounds, iotnb=lambda: load(client), fetch=lambda: fetch(urls, 8))
            table.add(
                "G3" if latency == 0.05 else "",
                f"against fetching alone with the same 8, {latency * 1000:.0f} ms a request",
                took["iotnb"] / took["fetch"],
                must=1.15,
                more=False,
                note=f"{took['iotnb']:.2f} s; fetch alone {took['fetch']:.2f} s",
            )

        for name, skip, must in (("50 ms", 0.0, 7), ("50 ms and O(n) deep paging", 1e-6, 30)):
            server.set(latency=0.05, skip=skip)
            took = common.rounds(
                1, warm=False, iotnb=lambda: load(client), loop=lambda: notebook_loop(server.url)
            )
            table.add(
                "G5",
                f"against the notebook loop, {name}",
                took["loop"] / took["iotnb"],
                must=must,
                more=True,
                note=f"{took['iotnb']:.2f} s; loop {took['loop']:.1f} s",
            )
        client.close()
    table.show()


if __name__ == "__main__":
    main()
