"""The fleet as nodes of the device management side: profiles, identities, labels, device info, credentials.

Every tenth of the fleet holds the same cases, so that a small fleet shows them all: nodes without a SIM,
nodes whose SIM is unknown or lacks its label, SIMs that sit in another device than the node says.
"""

import base64
import hashlib
import re
from typing import Any

from iotnb.sandbox.fleet import Device
from iotnb.sandbox.tiothub.state import State

LWM2M, UDP, NEUL, HTTP, LORAWAN = "SCS-LwM2M", "SCS-UDP", "SCS-NEUL", "SCS-HTTP", "LORIOT-LoRaWAN"
PROFILES = (LWM2M, UDP, NEUL, HTTP, LORAWAN)
NAME = re.compile(r"[0-9A-Za-z_:-]+")
ACCOUNT, APPLICATION = "loriot-account", "BE7A0001"
_BY_PLACE = (LWM2M, UDP, LWM2M, LORAWAN, LWM2M, HTTP, UDP, NEUL, LWM2M, UDP)
_PROTOCOL = {LWM2M: "LWM2M", UDP: "UDP", NEUL: "NEUL", HTTP: "HTTP", LORAWAN: "LoRaWAN"}
_CELLULAR = (LWM2M, UDP, NEUL)
_MISMATCH, _UNKNOWN_SIM, _UNLABELLED = 6, 7, 8
_NETWORK_ID = {
    LWM2M: re.compile(r"urn:gsma:imei:(\d{15})"),
    UDP: re.compile(r"urn:gsma:imei:(\d{15})"),
    NEUL: re.compile(r"urn:gsma:imei:(\d{15})"),
    LORAWAN: re.compile(r"urn:dev:deveui:([0-9A-Fa-f]{16})"),
    HTTP: re.compile(r"urn:x-dtiot:id:external:http:([0-9A-Za-z_:-]+)"),
}


def luhn(digits: str) -> bool:
    """True if the last digit is the check digit of the others."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        digit = int(char) * (2 if place % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def network_id_fits(profile: str, network_id: str) -> bool:
    """Whether a network identity has the form that its profile asks for; check digits do not count."""
    return _NETWORK_ID[profile].fullmatch(network_id) is not None


def profile_of(i: int) -> str:
    """The profile of a fleet device."""
    return _BY_PLACE[i % 10]


class Projection:
    """What the device management side says about fleet device i; times are milliseconds."""

    def __init__(self, platform: State) -> None:
        self.platform = platform

    def _device(self, i: int) -> Device:
        return self.platform.fleet[i]

    def name(self, i: int) -> str:
        """The node's name."""
        return self._device(i).key

    def index(self, name: str) -> int | None:
        """The fleet device with this name, or None (serial numbers are no names)."""
        found = self.platform.fleet.index_of(name)
        return found if found is not None and self.name(found) == name else None

    def cellular(self, i: int) -> bool:
        """True if the device has a SIM."""
        return profile_of(i) in _CELLULAR

    def sim_known(self, i: int) -> bool:
        """True if the connection side knows the device's SIM."""
        return self.cellular(i) and not (i % 10 == _UNKNOWN_SIM and i // 10 % 2 == 0)

    def labelled(self, i: int) -> bool:
        """True if the node has a label with its ICCID."""
        return self.cellular(i) and not (i % 10 == _UNLABELLED and i // 10 % 2 == 0)

    def sim_imei(self, i: int) -> str:
        """The IMEI (15 digits) in which the network sees the SIM: for some another device than the node's."""
        imei = self._device(i).imei
        if i % 10 != _MISMATCH:
            return imei
        body = f"{(int(imei[:14]) + 500_017) % 10**14:014d}"
        return next(body + str(n) for n in range(10) if luhn(body + str(n)))

    def network_id(self, i: int) -> str:
        """The node's `ni`."""
        profile, device = profile_of(i), self._device(i)
        if profile == LORAWAN:
            return f"urn:dev:deveui:{device.serial}"
        if profile == HTTP:
            return f"urn:x-dtiot:id:external:http:{device.key}"
        return f"urn:gsma:imei:{device.imei}"

    def labels(self, i: int) -> list[str]:
        """The node's labels; a colon stands only between key and value."""
        device, profile = self._device(i), profile_of(i)
        out = ["d2c:1.0", f"profile:{profile}"]
        if self.labelled(i):
            out.append(f"ICCID:{device.iccid}")
        if profile == LORAWAN:
            out += [
                "d2c-devicetype:loriot-device",
                f"d2c-loriot-destination:{ACCOUNT}/{APPLICATION}",
                f"loriot-deveui:{device.serial}",
                "loriot-appeui:70B3D57ED0000001",
                f"loriot-appkey:{self._secret(i, 'appkey').hex().upper()}",
                f"loriot-title:{device.name}",
            ]
        return [*out, f"site:{device.site}", f"kind:{device.kind}"]

    def node(self, i: int) -> dict[str, Any]:
        """The attributes of the node itself."""
        return {"ni": self.network_id(i), "lbl": self.labels(i)}

    def _secret(self, i: int, what: str) -> bytes:
        """A key of a device: reproducible, and known as a secret of the run once it was shown."""
        text = f"{self.platform.fleet.seed} {i} {what}"
        key = hashlib.sha256(text.encode()).digest()[:16]
        shown = key.hex().upper() if what == "appkey" else base64.b64encode(key).decode()
        self.platform.world.issue(shown, f"tiothub: {what} of {self.name(i)}")
        return key

    def info(self, i: int) -> dict[str, Any]:
        """The attributes of device-info."""
        device = self._device(i)
        place = f"geo:{device.latitude},{device.longitude}"
        label: str | list[str] = [device.serial, device.site] if i % 5 == 4 else device.serial
        return {
            "mgd": 1007,
            "lbl": ["d2c:1.0"],
            "man": "Nordwerk",
            "mod": device.model,
            "smod": "",
            "dty": device.kind,
            "dvnm": device.name,
            "dlb": device.serial if self.platform.switches.strict else label,
            "dc": f"{device.kind} at {device.site}",
            "fwv": self.platform.fleet.firmware(i, self.platform.now()),
            "swv": "",
            "osv": "",
            "hwv": "A2",
            "ptl": [_PROTOCOL[profile_of(i)]],
            "cnty": "",
            "loc": None if i % 10 == _UNLABELLED else place,
        }

    def has_credentials(self, i: int) -> bool:
        """True for devices that authenticate with a key of their own."""
        return profile_of(i) == LWM2M

    def credentials(self, i: int) -> dict[str, Any]:
        """The attributes of credentials."""
        secret = base64.b64encode(self._secret(i, "psk")).decode()
        return {"mgd": 1029, "dc": "", "crid": self._device(i).imei, "crse": secret}

    def read_object_3(self, i: int, at: int) -> dict[str, Any]:
        """What a LwM2M device answers to `GET /3`: the resources of its object Device."""
        device = self._device(i)
        resources = {
            "0": "Nordwerk",
            "1": device.model,
            "2": device.serial,
            "3": self.platform.fleet.firmware(i, at),
            "17": device.kind,
        }
        return {"3": {"0": resources}}
