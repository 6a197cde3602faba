"""A server process that answers from bytes rendered beforehand: the client is what is measured.

Started by the benchmarks; `--values` says how many measurement values it holds (two a document). It prints
its port once it is ready. `GET /set?latency=..&skip=..&gzip=..&data=..` changes: the seconds before each
answer, the seconds per row that a deep page skips, whether bodies are compressed, and how times are spread
(uniform, bursty). `GET /sent` gives and clears the count of bytes sent.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30
PAGE = 2000
SOURCE = "251982"
TYPES = (
    ("c8y_EnvironmentMeasurement", "c8y_Environment", (("temperature", "C"), ("humidity", "%RH"))),
    ("c8y_VibrationMeasurement", "c8y_Vibration", (("rms", "mm/s"), ("peak", "mm/s"))),
    ("c8y_SignalStrength", "c8y_SignalStrength", (("rssi", "dBm"), ("ber", "%"))),
    ("c8y_CPUMeasurement", "c8y_CPUMeasurement", (("load", "%"), ("memory", "MB"))),
)


class Measurements:
    """All documents in one text, and where each begins: a page is a slice of it."""

    def __init__(self, host: str, moments: list[int]) -> None:
        chance = random.Random(1)
        self.moments = moments
        self.starts = [0]
        pieces = []
        for number, moment in enumerate(moments):
            name, fragment, series = TYPES[number % len(TYPES)]
            document = {
                "id": str(20200301 + number),
                "self": f"{host}/measurement/measurements/{20200301 + number}",
                "source": {"id": SOURCE, "self": f"{host}/inventory/managedObjects/{SOURCE}"},
                "time": wire(moment),
                "type": name,
                fragment: {
                    each: {"value": round(chance.uniform(0, 100), 3), "unit": unit} for each, unit in series
                },
            }
            piece = json.dumps(document, separators=(",", ":")).encode() + b","
            pieces.append(piece)
            self.starts.append(self.starts[-1] + len(piece))
        self.text = b"".join(pieces)

    def page(self, host: str, query: dict[str, str]) -> tuple[bytes, int]:
        """The body of a page, and how many rows a server that scans from the start had to skip."""
        first = bisect_left(self.moments, moment_of(query.get("dateFrom", wire(0))))
        last = bisect_left(self.moments, moment_of(query.get("dateTo", "2099-01-01T00:00:00.000Z")))
        size, number = int(query.get("pageSize", 5)), int(query.get("currentPage", 1))
        skipped = (number - 1) * size
        low, high = min(first + skipped, last), min(first + skipped + size, last)
        documents = self.text[self.starts[low] : max(self.starts[high] - 1, self.starts[low])]
        following = urlencode({**query, "currentPage": number + 1})
        link = f'"next":"{host}/measurement/measurements?{following}",' if high > low else ""
        statistics = f'"statistics":{{"currentPage":{number},"pageSize":{size}}}'
        return b'{%b"measurements":[%b],%b}' % (link.encode(), documents, statistics.encode()), skipped


def wire(moment: int) -> str:
    """Milliseconds after the start as the platform writes a time."""
    return (START + timedelta(milliseconds=moment)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: str) -> int:
    """The same backwards."""
    moment = datetime.fromisoformat(text)
    return round((moment - START) / timedelta(milliseconds=1))


def spread(count: int, how: str) -> list[int]:
    """Ascending times: evenly, or nine tenths of them in four bursts that take a hundredth of the span."""
    whole = DAYS * 86_400_000
    if how == "uniform":
        return [number * whole // count for number in range(count)]
    chance = random.Random(2)
    centres = [chance.randrange(whole) for _ in range(4)]
    burst = [int(chance.gauss(chance.choice(centres), whole / 1600)) for _ in range(count * 9 // 10)]
    rest = [chance.randrange(whole) for _ in range(count - len(burst))]
    return sorted(min(max(moment, 0), whole - 1) for moment in burst + rest)


def devices(host: str, count: int) -> list[bytes]:
    """Managed objects as the inventory gives them."""
    rendered = []
    for number in range(1, count + 1):
        base = f"{host}/inventory/managedObjects/{number}"
        relations = ("childDevices", "childAssets", "childAdditions", "deviceParents", "assetParents")
        document: dict[str, Any] = {
            "id": str(number),
            "name": f"sensor {number:06d}",
            "type": "c8y_Linux",
            "owner": f"device_{number:012d}",
            "creationTime": wire(number * 1000),
            "lastUpdated": wire(number * 2000),
            "self": base,
            "c8y_IsDevice": {},
            "com_cumulocity_model_Agent": {},
            "c8y_SupportedOperations": ["c8y_Restart", "c8y_Configuration", "c8y_Software", "c8y_Firmware"],
            "c8y_Hardware": {"revision": "000e", "model": "RaspPi BCM2708", "serialNumber": f"{number:016d}"},
            "c8y_Mobile": {
                "imei": f"8611450{number:08d}",
                "cellId": "4904-A496",
                "iccid": f"894902{number:014d}",
            },
            "c8y_Firmware": {"name": "raspberrypi-bootloader", "version": "1.20130207-1"},
            "c8y_Availability": {"lastMessage": wire(number * 3000), "status": "AVAILABLE"},
            "c8y_Position": {"alt": 73.9, "lng": 6.151782, "lat": 51.211971},
            **{name: {"self": f"{base}/{name}", "references": []} for name in relations},
        }
        rendered.append(json.dumps(document, separators=(",", ":")).encode())
    return rendered


def series(points: int) -> bytes:
    """A series answer of so many times with three series each, not aggregated."""
    chance = random.Random(3)
    values = {}
    for number in range(points):
        numbers = [round(chance.uniform(0, 100), 3) for _ in range(3)]
        values[wire(number * 60_000)] = [{"min": value, "max": value} for value in numbers]
    described = [
        {"unit": unit, "name": name, "type": "c8y_Environment"}
        for name, unit in (("temperature", "C"), ("humidity", "%RH"), ("pressure", "hPa"))
    ]
    return json.dumps(
        {"values": values, "series": described, "truncated": False}, separators=(",", ":")
    ).encode()


class Server:
    """What is asked for, found among what was rendered."""

    def __init__(self, *, values: int, devices: int) -> None:
        self.values, self.device_count = values, devices
        self.latency, self.skip, self.gzip, self.data = 0.0, 0.0, False, "uniform"
        self.sent = 0
        self.collections: dict[str, Measurements] = {}
        self.inventory: list[bytes] = []
        self.series = series(5000)

    def prepare(self, host: str) -> None:
        self.host = host
        for how in ("uniform", "bursty"):
            if self.values:
                self.collections[how] = Measurements(host, spread(self.values // 2, how))
        self.inventory = devices(host, self.device_count)

    async def answer(self, target: str) -> bytes:
        parts = urlsplit(target)
        query = {name: found[0] for name, found in parse_qs(parts.query, keep_blank_values=True).items()}
        if parts.path == "/set":
            self.latency = float(query.get("latency", 0))
            self.skip = float(query.get("skip", 0))
            self.gzip = query.get("gzip") == "1"
            self.data = query.get("data", "uniform")
            return b"{}"
        if parts.path == "/sent":
            sent, self.sent = self.sent, 0
            return str(sent).encode()
        body, skipped = self.find(parts.path, query)
        wait = self.latency + skipped * self.skip
        if wait:
            await asyncio.sleep(wait)
        return body

    def find(self, path: str, query: dict[str, str]) -> tuple[bytes, int]:
        if path == "/measurement/measurements":
            return self.collections[self.data].page(self.host, query)
        if path == "/measurement/measurements/series":
            return self.series, 0
        if path == "/inventory/managedObjects":
            return self.managed_objects(query), 0
        if path == "/tenant/loginOptions":
            return b'{"loginOptions":[{"type":"BASIC"}]}', 0
        if path == "/tenant/currentTenant":
            return b'{"name":"t1","domainName":"localhost"}', 0
        if path == "/user/currentUser":
            return b'{"id":"bench","userName":"bench","effectiveRoles":[]}', 0
        return b'{"retentionRules":[],"statistics":{"currentPage":1,"pageSize":2000}}', 0

    def managed_objects(self, query: dict[str, str]) -> bytes:
        asked = query.get("query", query.get("q", ""))
        size, number = int(query.get("pageSize", 5)), int(query.get("currentPage", 1))
        first = (number - 1) * size
        if "_id gt '" in asked:
            first = int(asked.split("_id gt '")[1].split("'")[0])
        if "ids" in query:
            found = [b'{"id":"%b"}' % each.encode() for each in query["ids"].split(",")]
            found = found if number == 1 else []
        else:
            found = self.inventory[first : first + size]
        following = urlencode({**query, "currentPage": number + 1})
        link = (
            f'"next":"{self.host}/inventory/managedObjects?{following}",'
            if found and "ids" not in query
            else ""
        )
        statistics = f'"statistics":{{"currentPage":{number},"pageSize":{size}}}'
        return b'{%b"managedObjects":[%b],%b}' % (link.encode(), b",".join(found), statistics.encode())

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                target = head.split(" ", 2)[1]
                body = await self.answer(target)
                compressed = (
                    self.gzip and "gzip" in head.lower().split("accept-encoding:")[-1].split("\r\n")[0]
                )
                if compressed:
                    body = gzip.compress(body, 6)
                lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}"]
                if compressed:
                    lines.append("Content-Encoding: gzip")
                self.sent += len(body)
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--devices", type=int, default=0)
    options = parser.parse_args()
    server = Server(values=options.values, devices=options.devices)
    listening = await asyncio.start_server(server.connection, "127.0.0.1", 0, limit=1 << 20)
    port = listening.sockets[0].getsockname()[1]
    server.prepare(f"http://127.0.0.1:{port}")
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, input_closed)


def input_closed() -> None:
    """Returns when the parent has gone, or says so by closing our standard input."""
    import sys

    sys.stdin.read()


if __name__ == "__main__":
    asyncio.run(main())
