"""What there is at the start besides the fleet: the devices, records and operations of printed examples."""

from typing import Any

import numpy as np

from iotnb.sandbox.fleet import DAY, HOUR, MINUTE
from iotnb.sandbox.fleet.noise import pick, smooth, stream, units
from iotnb.sandbox.wso2.accounts import OWNERS
from iotnb.sandbox.wso2.inventory import ACTIVE, REMOVED, Enrolment
from iotnb.sandbox.wso2.kinds import ANDROID, FIREALARM, LAMP, WINDOWS
from iotnb.sandbox.wso2.log import COMPLETED, ERROR, IN_PROGRESS
from iotnb.sandbox.wso2.state import Platform

Json = dict[str, Any]
_LAMPS, _PHONES, _DESKS = 8, 16, 4
_RECORD_STEP, _LAMP_STEP = 15 * MINUTE, 30 * MINUTE
_LONGEST = 30 * DAY  # however long the fleet's history is
_CODES = (
    ("DEVICE_RING", "COMMAND", None),
    ("DEVICE_LOCATION", "COMMAND", None),
    ("DEVICE_INFO", "COMMAND", None),
    ("NOTIFICATION", "PROFILE", '{"messageText":"Maintenance at noon","messageTitle":"Plant"}'),
    ("DEVICE_LOCK", "PROFILE", '{"hardLockEnabled":false}'),
)
_MODELS = (("Google", "Nexus 5"), ("Samsung", "S8"), ("Sony", "Xperia Z5"), ("LG", "G6"))


def seed(platform: Platform) -> None:
    """Fill an empty store: examples get the first ids, the fleet the next."""
    if platform.store.setting("seeded", "devices"):
        return
    platform.store.set("seeded", "devices", True)
    if platform.start == "full":
        _Examples(platform).make()
    platform.inventory.place_fleet()
    if platform.start == "full":
        _groups(platform)
        _policies(platform)


class _Examples:
    """The example devices and what happened to them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._start = max(platform.fleet.start, platform.now() - _LONGEST)
        self._span = max(DAY, platform.now() - self._start)

    def _at(self, share: float) -> int:
        """A moment of the history, from 0 to 1."""
        return self._start + int(share * self._span)

    def make(self) -> None:
        """Devices, records and operations."""
        self._lamps()
        self._alarms()
        phones = self._phones()
        for n in range(_DESKS):
            self._enroll(WINDOWS, f"00000{n + 1:04d}77", f"Desk {n + 1}", 0.02 + n / 50, n)
        self._operations(phones)

    def _enroll(
        self, kind: str, identifier: str, name: str, share: float, n: int, *, owner: str = "", **more: Any
    ) -> Enrolment:
        return self._platform.inventory.enroll(
            type=kind,
            identifier=identifier,
            name=name,
            description=more.pop("description", ""),
            owner=owner or OWNERS[n % len(OWNERS)],
            ownership="COPE" if n % 5 == 4 else "BYOD",
            status=more.pop("status", ACTIVE),
            at=self._at(share),
            **more,
        )

    def _lamps(self) -> None:
        for n in range(_LAMPS):
            one = self._enroll(
                LAMP,
                f"0101010001{n + 1:04d}",
                f"{n + 1:04d}",
                0.01 * n,
                0,
                owner="admin",
                description="register a new device.",
                properties={"street": f"Canal Road {2 * n + 1}"},
            )
            self._platform.records.add_many(one, self._lamp_records(n))

    def _lamp_records(self, n: int) -> list[tuple[int, Json]]:
        """A lamp is on from 18 to 6 o'clock, and dimmed in the middle of the night."""
        times = np.arange(self._start + 7_000 * n, self._platform.now(), _LAMP_STEP, dtype=np.int64)
        hours = times // HOUR % 24
        level = np.where((hours >= 18) | (hours < 6), np.where((hours >= 23) | (hours < 4), 40, 100), 0)
        noise = units(stream(self._platform.fleet.seed, "wso2 lamp", n), times)
        power = np.round(level * 0.7 + 1.5 * noise, 2)
        return [
            (at, {"power": watts, "level": percent, "on": percent > 0, "hours": at // HOUR % 10_000})
            for at, watts, percent in zip(times.tolist(), power.tolist(), level.tolist(), strict=True)
        ]

    def _alarms(self) -> None:
        seed = self._platform.fleet.seed
        for n, (identifier, name) in enumerate(
            (("123422", "myhomealarmx1"), ("0012345", "workshop alarm"), ("000077", "gate alarm"))
        ):
            place = {"buildingId": "wso2", "floorId": str(n + 2)}
            one = self._enroll(FIREALARM, identifier, name, 0.0, 0, owner="admin", properties=place)
            times = np.arange(self._start, self._platform.now(), _RECORD_STEP, dtype=np.int64) // 1000 * 1000
            warm = np.round(24 + 6 * smooth(stream(seed, "wso2 alarm", n), times, DAY // 2), 1).tolist()
            damp = np.round(40 + 20 * units(stream(seed, "wso2 damp", n), times), 1).tolist()
            rows = [
                (at, {"temperature": t, "status": "alarm" if t > 29 else "working", "humidity": h})
                for at, t, h in zip(times.tolist(), warm, damp, strict=True)
            ]
            if n < 2:  # the third one never published
                self._platform.records.add_many(one, rows)

    def _phones(self) -> list[Enrolment]:
        found = []
        for n in range(_PHONES):
            vendor, model = _MODELS[n % len(_MODELS)]
            key = stream(self._platform.fleet.seed, "wso2 phone", n)
            told = self._at(0.6 + 0.02 * n) // 1000 * 1000
            one = self._enroll(
                ANDROID,
                f"{pick(key, 16**8):08x}{n:02x}f39035",
                f"{vendor} {model} {n + 1}",
                0.05 + n / 40,
                n,
                simulated=True,
                told=told,
                properties={"vendor": vendor, "model": model, "osVersion": f"{6 + n % 3}.0"},
                info=self._phone_info(n, vendor, model, key),
                location={
                    "latitude": round(6.9 + n / 100, 4),
                    "longitude": round(79.86 - n / 100, 4),
                    "city": "Colombo",
                },
                applications=_APPLICATIONS[: 1 + n % len(_APPLICATIONS)],
            )
            found.append(one)
        self._platform.inventory.change(found[3].id, status="UNREACHABLE")
        self._platform.inventory.change(found[7].id, status="INACTIVE")
        self._platform.inventory.change(found[11].id, status="BLOCKED")
        self._platform.inventory.change(found[-1].id, status=REMOVED)
        moved = found[5]  # somebody else takes this one over: it has two rows
        found[5] = self._enroll(ANDROID, moved.identifier, moved.name, 0.8, 5, owner="user111")
        return [self._platform.inventory.enrolment(one.id) for one in found]

    @staticmethod
    def _phone_info(n: int, vendor: str, model: str, key: int) -> Json:
        return {
            "IMEI": f"3520990017614{n:02d}",
            "deviceModel": model,
            "vendor": vendor,
            "osVersion": f"{6 + n % 3}.0",
            "osBuildDate": "1450000000000",
            "batteryLevel": float(pick(key, 101, 1)),
            "internalTotalMemory": 25.0 + n,
            "internalAvailableMemory": round(pick(key, 2000, 2) / 100, 2),
            "operator": "Dialog",
            "connectionType": "WIFI" if n % 2 else "MOBILE",
            "mobileSignalStrength": -float(50 + pick(key, 60, 3)),
            "ssid": "plant" if n % 2 else None,
            "cpuUsage": float(pick(key, 100, 4)),
            "totalRAMMemory": 2.0,
            "availableRAMMemory": round(pick(key, 200, 5) / 100, 2),
            "pluggedIn": n % 3 == 0,
            "deviceDetailsMap": {"encryptionEnabled": "false", "passcodeEnabled": "true"},
        }

    def _operations(self, phones: list[Enrolment]) -> None:
        """Operations in every status; three of those that failed raise a notification."""
        log, notices = self._platform.log, self._platform.notices
        usable = [one for one in phones if one.status == ACTIVE]
        for n in range(48):
            code, kind, payload = _CODES[n % len(_CODES)]
            share = 0.3 + 0.65 * n / 48
            targets = usable[:3] if n == 0 else [usable[n // 4 % len(usable)]]
            control = "NO_REPEAT" if code == "DEVICE_INFO" else "REPEAT"
            operation = log.add(code, kind, payload, targets, control=control, at=self._at(share) + 17 * n)
            for mapping in log.mappings(operation.id):
                done = operation.created + 700 + 311 * n
                if n % 12 == 9:
                    log.set(mapping, "PENDING", at=operation.created)  # nobody ever fetched it
                elif n % 12 == 10:
                    log.set(mapping, IN_PROGRESS, at=done)
                elif n % 12 == 5 and n < 36:
                    log.set(mapping, ERROR, "Device is busy", at=done)
                    notices.add(
                        self._platform.inventory.enrolment(mapping.enrolment),
                        code=code,
                        operation=operation.id,
                    )
                elif n % 12 == 7:
                    log.set(mapping, "REPEATED", at=done)
                else:
                    log.set(mapping, COMPLETED, "OK", at=done)


_APPLICATIONS: list[Json] = [
    {
        "id": number,
        "platform": "android",
        "category": "general",
        "name": name,
        "version": version,
        "type": "WEB",
        "applicationIdentifier": package,
        "memoryUsage": 0,
        "isActive": False,
    }
    for number, (name, version, package) in enumerate(
        (
            ("IoT Agent", "2.0.0", "org.wso2.iot.agent"),
            ("Mail", "6.1", "com.example.mail"),
            ("Camera", "4.2", "com.example.camera"),
        ),
        1,
    )
]


def _groups(platform: Platform) -> None:
    """Two groups: the street lamps, and a pilot with phones and some of the fleet."""
    rows = list(platform.inventory.ids())
    listed = [platform.inventory.enrolment(n) for n in rows[:60]]
    lamps = [one.device for one in listed if one.type == LAMP]
    pilot = [one.device for one in listed if one.type == ANDROID and one.owner == "admin"][:4]
    pilot += [one.device for one in listed if one.fleet is not None][:5]
    for name, text, members in (("lamps", "Street lamps", lamps), ("pilot", "Devices of the pilot", pilot)):
        number = platform.store.next_ids("group")[0]
        held = {"id": number, "description": text, "name": name, "owner": "admin"}
        platform.groups.put(str(number), {**held, "roles": ["admin"], "devices": members})


def _policies(platform: Platform) -> None:
    """One policy for each operating system."""
    for kind in (ANDROID, WINDOWS):
        number = platform.store.next_ids("policy")[0]
        feature = {
            "id": number,
            "featureCode": "PASSCODE_POLICY",
            "deviceType": kind,
            "content": '{"minLength":6}',
        }
        profile = {"profileId": number, "profileName": f"{kind}-passcode", "deviceType": kind}
        platform.policies.put(
            str(number),
            {
                "id": number,
                "priorityId": number - 1,
                "profile": {**profile, "profileFeaturesList": [feature]},
                "policyName": f"{kind}-passcode",
                "description": f"Passcodes on {kind} devices",
                "compliance": "enforce",
                "roles": ["admin"],
                "users": [],
                "active": True,
                "updated": False,
                "ownershipType": "BYOD",
                "profileId": number,
            },
        )
