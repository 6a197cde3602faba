"""The connections that the connection side knows: the vendor's printed examples, the fleet's SIMs, spares.

Which SIM belongs to which device follows from `devices`; here it gets a backend, a status and a tariff.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from iotnb.sandbox.tiothub.devices import Projection, luhn
from iotnb.sandbox.tiothub.state import State

CELLULAR, SATELLITE = "CELLULAR", "SATELLITE"
TERRESTRIAL = ("TMSP", "JASPER", "1NCE", "TMUS", "IOTA", "AIRLINQ", "STC", "TURKCELL")
SATELLITES = ("INTELSAT", "GALAXY1")
ASYNCHRONOUS = ("TMSP", "IOTA")
METERED = ("TMSP", *SATELLITES)
_OFFERS = ("1GB Shared Fixed Pool Roaming", "NB-IoT 500 MB", "IoT Flat S")
_CELLULAR_PLACES = (0, 1, 2, 4, 6, 7, 8, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One connection; `number` is the ICCID or the terminal's serial number."""

    backend: str
    number: str
    status: str = "ACTIVE"
    inner_status: str = "ACTIVE"
    """The status of the SIM card or terminal, which may differ from the bundle's."""
    imei: str = ""
    imsi: str = ""
    msisdn: str = ""
    offer: str = _OFFERS[0]
    device: int | None = None
    printed: bool = False
    """True for the examples of the vendor's documents: their dates and counters stand still."""

    @property
    def id(self) -> str:
        """The bundle's id."""
        return f"{self.backend}-{self.number}"

    @property
    def satellite(self) -> bool:
        """True for a terminal, False for a SIM."""
        return self.backend in SATELLITES


PRINTED = (
    Connection(
        backend="JASPER",
        number="8997112212741433747",
        status="INACTIVE",
        imei="3587891011831701",
        imsi="424024010729961",
        msisdn="971562501627",
        printed=True,
    ),
    Connection(
        backend="JASPER",
        number="8997112212741433749",
        imei="3587891011831719",
        imsi="424024010729963",
        msisdn="971562501629",
        printed=True,
    ),
    Connection(
        backend="TMSP",
        number="89490200001575268860",
        status="INACTIVE",
        inner_status="INACTIVE",
        imei="3519010000880113",
        imsi="901405101575268",
        msisdn="882285101575268",
        offer=_OFFERS[1],
        printed=True,
    ),
    Connection(backend="INTELSAT", number="27597", offer="FlexEnterprise Global", printed=True),
)


def backend_of(i: int) -> str:
    """The backend of a fleet device's SIM: eight devices in a row show all eight."""
    place = _CELLULAR_PLACES.index(i % 10)
    return TERRESTRIAL[(place + i // 10) % len(TERRESTRIAL)]


def of_device(devices: Projection, i: int) -> Connection:
    """The SIM of a fleet device."""
    fleet = devices.platform.fleet
    device, backend = fleet[i], backend_of(i)
    never = fleet.links.never(i)
    imei = "" if never else devices.sim_imei(i)
    if imei and backend == "JASPER":
        imei = imei[:14] + "01"  # with the software version in place of the check digit
    inactive = i % 20 == 2  # and yet it talks
    return Connection(
        backend=backend,
        number=device.iccid,
        status="INACTIVE" if inactive or never else "ACTIVE",
        inner_status="INACTIVE" if never else "ACTIVE",
        imei=imei,
        imsi=device.imsi,
        msisdn=device.msisdn,
        offer=_OFFERS[i % len(_OFFERS)],
        device=i,
    )


def spares(platform: State) -> Iterator[Connection]:
    """SIMs in no device, and satellite terminals."""
    for n in range(3 + len(platform.fleet) // 20):
        digits = "8949021100" + f"{n * 7_919 + 1_000_003:0{9 if n % 2 else 8}d}"
        iccid = next(digits + str(check) for check in range(10) if luhn(digits + str(check)))
        yield Connection(
            backend=TERRESTRIAL[n % len(TERRESTRIAL)],
            number=iccid,
            status="INACTIVE",
            inner_status="INACTIVE",
            imsi=f"00101{n * 7_919:010d}",
            msisdn=f"49000{n * 7_919:010d}",
            offer=_OFFERS[1],
        )
    for n in range(2):
        yield Connection(backend="GALAXY1", number=f"{41020 + 7 * n}", offer="Galaxy Messaging 10")


def every(devices: Projection) -> Iterator[Connection]:
    """All connections in the order of lists."""
    yield from PRINTED
    for i in range(len(devices.platform.fleet)):
        if devices.sim_known(i):
            yield of_device(devices, i)
    yield from spares(devices.platform)
