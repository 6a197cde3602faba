"""Connections as products: bundles with SIM card, data connectivity and usage, or with terminal and usage."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from iotnb.sandbox.tiothub import sims
from iotnb.sandbox.tiothub.devices import Projection
from iotnb.sandbox.tiothub.sims import Connection
from iotnb.sandbox.tiothub.state import CMO, TENANT, State
from iotnb.sandbox.wire import iso

_PARTS = ("simCard", "dataConnectivity", "usageVolume-data", "terminal")
_LOWER_CASE = ("TMSP", "1NCE", "AIRLINQ")  # backends that write system, iccid, imsi ...
_KB_PER_MESSAGE = 0.412
_PRINTED_DATES = ("2020-05-20T14:24:49.697Z", "2020-04-02T07:17:45.375Z", "2023-06-13T03:36:35.783Z")
_PRINTED_USAGE = (1401626.776576, "2023-05-18T16:08:35.000Z", "2023-06-09T08:36:31.696Z")
_DAY = 86_400_000
Found = tuple[Connection, str]


class Products:
    """Finds products and renders them; `base` is the URL in front of the API's name."""

    def __init__(self, platform: State, devices: Projection) -> None:
        self.platform = platform
        self.devices = devices
        self.load()

    def load(self) -> None:
        """Forget what was worked out for another fleet."""
        self._by_id: dict[str, Connection] = {}
        self._by_number: dict[str, Connection] = {}

    def all(self) -> list[Connection]:
        """Every connection in the order of lists."""
        self._learn()
        return list(self._by_id.values())

    def _learn(self) -> None:
        if not self._by_id:
            self._by_id = {one.id: one for one in sims.every(self.devices)}
            self._by_number = {one.number: one for one in self._by_id.values()}

    def find(self, product_id: str) -> Found | None:
        """The connection of a product id, and which part of it is meant (empty: the bundle)."""
        self._learn()
        if product_id in self._by_id:
            return self._by_id[product_id], ""
        for part in _PARTS:
            connection = self._by_id.get(product_id.removesuffix(f"-{part}"))
            if connection is not None and product_id.endswith(part) and part in self.parts(connection):
                return connection, part
        return None

    def by_number(self, number: str, *, satellite: bool) -> Connection | None:
        """The connection with an ICCID or a terminal's serial number."""
        self._learn()
        found = self._by_number.get(number)
        return found if found is not None and found.satellite == satellite else None

    @staticmethod
    def parts(connection: Connection) -> tuple[str, ...]:
        """The sub-products of a bundle, in the order in which they are printed."""
        if connection.satellite:
            return ("terminal", "usageVolume-data")
        parts = ["simCard"]
        if connection.backend != "JASPER":
            parts.append("dataConnectivity")
        if connection.backend in sims.METERED:
            parts.append("usageVolume-data")
        return tuple(parts)

    # what users changed

    def state(self, connection: Connection) -> dict[str, Any]:
        """status (of both), updated, custom: what changed since the start."""
        found: dict[str, Any] | None = self.platform.store.setting("connection", connection.id)
        return found or {}

    def set_state(self, connection: Connection, **changes: Any) -> None:
        """Change something."""
        self.platform.store.set("connection", connection.id, {**self.state(connection), **changes})

    # documents

    def href(self, base: str, product_id: str) -> str:
        """The address of a product."""
        return f"{base}/{CMO}/v5/{TENANT}/product/{product_id}"

    def document(self, found: Found, base: str) -> dict[str, Any]:
        """A bundle or a part of one."""
        connection, part = found
        return self.part(connection, part, base) if part else self.bundle(connection, base)

    def bundle(self, connection: Connection, base: str) -> dict[str, Any]:
        """The product of a connection with its parts."""
        lower = connection.backend in _LOWER_CASE or connection.satellite
        characteristics = [{"name": "system" if lower else "SYSTEM", "value": connection.backend}]
        if connection.satellite:
            characteristics.append({"name": "account_index", "value": "1"})
        parts = [self.part(connection, part, base) for part in self.parts(connection)]
        out: dict[str, Any] = {
            "id": connection.id,
            "href": self.href(base, connection.id),
            "isBundle": True,
            "startDate": self._start(connection),
            "status": self.state(connection).get("status", connection.status),
            "connectivityType": sims.SATELLITE if connection.satellite else sims.CELLULAR,
            "relatedParty": [self._party(connection)],
            "productOffering": {"name": connection.offer},
            "productCharacteristic": characteristics,
            "productRelationship": [{"type": "BUNDLED", "product": part} for part in parts],
            "@baseType": "product",
            "@type": "IoTConnection",
        }
        if connection.satellite:
            out |= {"isCustomerVisible": True, "name": "", "billingAccount": {"id": ""}}
            del out["href"]
        return out

    @staticmethod
    def _party(connection: Connection) -> dict[str, str]:
        if connection.backend == "INTELSAT":
            return {"id": "340", "name": "intelsat_test", "role": "customer"}
        if connection.backend == "JASPER":
            return {"id": "100125307", "name": "JASPER_1", "role": "customer"}
        return {"id": "200400", "name": f"{connection.backend.lower()}_eos", "role": "customer"}

    def _start(self, connection: Connection) -> str:
        if connection.printed:
            return "2023-05-18T00:00:00.000Z" if connection.satellite else "2020-04-01T20:00:00.000Z"
        return iso(self._added(connection) // _DAY * _DAY)

    def _added(self, connection: Connection) -> int:
        if connection.device is None:
            return self.platform.fleet.start - 200 * _DAY
        return self.platform.fleet[connection.device].created

    def part(self, connection: Connection, part: str, base: str) -> dict[str, Any]:
        """One sub-product."""
        product_id = f"{connection.id}-{part}"
        out: dict[str, Any] = {"id": product_id, "href": self.href(base, product_id), "isBundle": False}
        if connection.satellite:
            del out["href"]  # as printed
        if part == "usageVolume-data":
            return {**out, **self._usage(connection)}
        state = self.state(connection)
        out["status"] = state.get("status", connection.inner_status)
        if part == "dataConnectivity":
            pairs = {"apn": "iot.example", "ipAddress": ""}
        elif part == "terminal":
            pairs = self._terminal(connection)
            out["isCustomerVisible"] = True
        else:
            pairs = self._sim_card(connection, state)
        out["productCharacteristic"] = [{"name": name, "value": value} for name, value in pairs.items()]
        out["customProperty"] = state.get("custom", {}).get(part, [])
        return {**out, "@baseType": "product", "@type": part}

    def _sim_card(self, connection: Connection, state: dict[str, Any]) -> dict[str, str]:
        added = self._added(connection)
        first = iso(added + _DAY)
        dates = _PRINTED_DATES if connection.printed else (first, iso(added), first)
        activated, since = dates[0] if connection.inner_status == "ACTIVE" else "", dates[1]
        pairs = {
            "dateActivated": state.get("activated", activated),
            "dateAdded": since,
            "dateUpdated": state.get("updated", dates[2]),
            "euiccid": "",
            "globalSimType": "",
            "ICCID": connection.number,
            "imei": connection.imei,
            "IMSI": connection.imsi,
            "MSISDN": connection.msisdn,
            "simNotes": "",
        }
        if connection.backend in _LOWER_CASE:
            return {name.lower() if name.isupper() else name: value for name, value in pairs.items()}
        return pairs

    def _terminal(self, connection: Connection) -> dict[str, str]:
        known = connection.printed
        sync = "2023-05-18T15:56:51.000Z" if known else iso(self.platform.now() // _DAY * _DAY)
        return {
            "serialNumber": connection.number,
            "name": f"LW01-Media_Mobil-{connection.number}" if known else f"Buoy {connection.number}",
            "latitude": "53.11050000" if known else "54.18230000",
            "longitude": "8.88130000" if known else "7.88420000",
            "model": f"TIV-iQDesktop-{connection.number}-GS" if known else "GX-200",
            "state": "synced",
            "mobilityType": "Fixed" if known else "Mobile",
            "imoNumber": "0",
            "mmsi": "",
            "antennaCode": "",
            "lastUpdated": sync,
            "lastSync": sync,
        }

    # usage

    def _usage(self, connection: Connection) -> dict[str, Any]:
        amount, start, end = _PRINTED_USAGE if connection.printed else self._counted(connection)
        counter = {
            "valueName": f"{amount} KB",
            "value": {"amount": amount, "units": "KB"},
            "consumptionPeriod": {"startDateTime": start, "endDateTime": end},
            "counterType": "USED",
        }
        return {
            "isShared": False,
            "usageType": "DATA",
            "@baseType": "product",
            "@type": "usageVolume",
            "bucketCounter": [counter],
        }

    def _counted(self, connection: Connection) -> tuple[float, str, str]:
        """A running counter since the first of the month; it follows from what the device sent."""
        now = self.platform.now()
        today = datetime.fromtimestamp(now // 1000, UTC)
        month = datetime(today.year, today.month, 1, tzinfo=UTC)
        start = int(month.timestamp()) * 1000
        messages = sum(self._sent(connection.device, start, now)) if connection.device is not None else 0
        return round(messages * _KB_PER_MESSAGE, 6), iso(start), iso(now)

    def _sent(self, device: int, start: int, end: int) -> Iterator[int]:
        fleet = self.platform.fleet
        return (fleet.count(device, group, start, end) for group in fleet.groups(device))
