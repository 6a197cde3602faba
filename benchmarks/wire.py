"""G13: bytes on the wire of a load against the same without compression."""

from __future__ import annotations

import common
from load import load


def main() -> None:
    options = common.options(__doc__, values=200_000)
    table = common.Table(f"wire: {options.values:,} values from a server that compresses when asked to")
    sent = {}
    with common.server(values=options.values) as server:
        client = common.connect(server.url)
        for compressed in (0, 1):
            server.set(gzip=compressed)
            server.sent()
            load(client)
            sent[compressed] = server.sent()
        client.close()
    table.add(
        "G13",
        "bytes on the wire against identity",
        sent[1] / sent[0],
        must=0.1,
        more=False,
        note=f"1/{sent[0] / sent[1]:.1f}: {sent[1] / 1e6:.1f} of {sent[0] / 1e6:.1f} MB",
    )
    table.show()


if __name__ == "__main__":
    main()
