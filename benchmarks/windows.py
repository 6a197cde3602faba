"""G4: a load at 50 ms a request against the ideal of pages x latency / workers, however times are spread."""

from __future__ import annotations

import common
from load import fetch, load, page_urls
from server import PAGE

LATENCY = 0.05
WORKERS = 8


def main() -> None:
    options = common.options(__doc__, values=1_000_000)
    pages = options.values // 2 // PAGE
    ideal = pages * LATENCY / WORKERS
    documents = options.values // 2
    table = common.Table(f"windows: {pages} pages, {LATENCY * 1000:.0f} ms a request, {WORKERS} workers")
    with common.server(values=options.values) as server:
        client = common.connect(server.url)
        for data in ("uniform", "bursty"):
            for skip in (0.0, 1e-6):
                server.set(latency=LATENCY, skip=skip, data=data)
                urls = page_urls(server.url, documents, data)
                both = common.rounds(
                    options.rounds, iotnb=lambda: load(client), fetch=lambda urls=urls: fetch(urls, WORKERS)
                )
                took = both["iotnb"]
                requests = client.last_job.progress.pages
                paging = "O(n) paging" if skip else "plain paging"
                table.add(
                    "G4",
                    f"against the ideal, {data}, {paging}",
                    took / ideal,
                    must=1.3,
                    more=False,
                    note=f"{requests} pages read; fetch with known page starts {both['fetch'] / ideal:.2f}",
                )
        client.close()
    table.show()


if __name__ == "__main__":
    main()
