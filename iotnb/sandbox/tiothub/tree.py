"""The resource tree: what users made is held in memory and in the store, the fleet's part is worked out.

A resource id has 24 hexadecimal digits of which the first eight are the second of creation. The ninth says
who made it: `f` the fleet (then one digit for the part and six for the device), `e` the platform, `0` a user;
`1` is a user's message (see `messages`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from iotnb.sandbox.tiothub.devices import ACCOUNT, APPLICATION, Projection
from iotnb.sandbox.tiothub.names import TYPE_OF
from iotnb.sandbox.tiothub.state import TENANT, State
from iotnb.sandbox.tiothub.wire import basic_time

ROOT = TENANT
NODE, INFO, CREDENTIALS, LINE, RECEIVED, DELIVERED, QUEUED, SENT = range(8)
STORES = {RECEIVED: "received-msg", DELIVERED: "sent-received-msg", QUEUED: "outgoing-msg", SENT: "sent-msg"}
COMMUNICATION, GROUPS, CONNECTIVITY = "device-communication", "device-group", "connectivityGroups"
PROVISIONING = "device-provisioning"
ADAPTER = "d2c-protocol-adapter-loriot"
_KEYS = {NODE: "m2m:nod", INFO: "m2m:dvi", CREDENTIALS: "m2m:crds"}
_FLEET = re.compile(r"([0-9a-f]{8})f([0-7])([0-9a-f]{6})00000000")
_USER_BOXES = 1 << 40
_DAY = 86_400_000
_FOREVER = 5 * 365 * _DAY


class Resource:
    """One resource but a message: its place in the tree, its times (ms) and its attributes (short names)."""

    __slots__ = ("attributes", "box", "changed", "created", "creator", "key", "pi", "ri", "rn", "tag", "ty")

    def __init__(
        self,
        key: str,
        *,
        ri: str,
        pi: str,
        rn: str,
        created: int,
        attributes: dict[str, Any],
        creator: str = "",
        box: int | None = None,
        changed: int | None = None,
        tag: int = 0,
    ) -> None:
        self.key, self.ri, self.pi, self.rn = key, ri, pi, rn
        self.ty = TYPE_OF.get(key, 28)
        self.created = created
        self.changed = created if changed is None else changed
        self.attributes = attributes
        self.creator = creator
        self.box = box
        """The number under which a container's messages are kept; None for everything else."""
        self.tag = tag

    def document(self, *, strict: bool, newer: bool) -> dict[str, Any]:
        """All attributes as they are answered."""
        out: dict[str, Any] = {**self.attributes, "rn": self.rn, "ty": self.ty, "ri": self.ri}
        out["pi"] = f"id-{ROOT}" if strict and self.pi == ROOT else self.pi
        out |= {"ct": basic_time(self.created), "lt": basic_time(self.changed)}
        if self.ty in (3, 28):
            out["st"] = self.tag
        if self.creator and (self.ty != 2 or newer):
            out["cr"] = self.creator
        if strict:
            out["et"] = basic_time(self.created + _FOREVER)
        return out

    def stored(self) -> dict[str, Any]:
        """What the store keeps."""
        names = ("key", "ri", "pi", "rn", "created", "changed", "attributes", "creator", "box", "tag")
        return {name: getattr(self, name) for name in names}


class Lazy:
    """A part of a fleet device that is made only if it is looked at."""

    __slots__ = ("_tree", "code", "index")

    def __init__(self, tree: "Tree", code: int, index: int) -> None:
        self._tree, self.code, self.index = tree, code, index

    @property
    def ty(self) -> int:
        """The resource type."""
        return {NODE: 14, INFO: 13, CREDENTIALS: 13}.get(self.code, 3)

    def get(self) -> Resource:
        """The resource."""
        return self._tree.fleet_resource(self.code, self.index)


class Tree:
    """Finds, lists, adds, changes and removes resources."""

    def __init__(self, platform: State, devices: Projection) -> None:
        self.platform = platform
        self.devices = devices
        self.load()

    def load(self) -> None:
        """The platform's own resources, then what the store holds."""
        self.held: dict[str, Resource] = {}
        self._kids: dict[str, dict[str, str]] = {}
        self._touched: dict[tuple[int, int], str | None] = {}
        self._number = 0
        self.root = Resource(
            "m2m:cb", ri=ROOT, pi="", rn=ROOT, created=self.platform.fleet.start - 700 * _DAY, attributes={}
        )
        self._plant()
        store = self.platform.store
        self._gone = set(store.settings("gone"))
        for ri in self._gone:
            self._forget(ri)
        found = (Resource(**entry) for entry in store.settings("resource").values())
        for resource in sorted(found, key=lambda one: (one.created, one.ri)):
            self._hold(resource)

    # the platform's own resources

    def _plant(self) -> None:
        ae, cnt = "m2m:ae", "m2m:cnt"
        root = self.root
        provisioning = self._own(ae, root, PROVISIONING, {"api": "Nprovisioning", "aei": "CProvisioning"})
        self._own(cnt, provisioning, "request", {})
        self._own(cnt, provisioning, "response", {})
        groups = self._own(ae, root, GROUPS, {"api": "Ngroups", "aei": "CDevice-Group"})
        self._own(ae, root, "NI-IPE", {"api": "Nipe", "aei": "CNI-IPE"})
        adapter = self._own(ae, root, ADAPTER, {"api": "Nloriot", "aei": "CLoriot"})
        self._own(cnt, root, COMMUNICATION, {})
        self._own(cnt, root, CONNECTIVITY, {})
        app = {"api": "Ndashboard", "aei": "CFleetDashboard", "poa": None}
        dashboard = self._own(ae, root, "fleet-dashboard", {**app, "lbl": ["type:d2c", "d2c:1.0"]})
        fleet = self.platform.fleet
        gateways = [fleet[i].key for i in range(0, min(len(fleet), 1000), 10)]
        self._own(
            "dtiot:devGr",
            groups,
            "fleet-dashboard",
            {
                "cnd": "com.telekom.iot.orchestrator.deviceGroup",
                "tsn": "dtiot:devGr",
                "lbl": ["d2c:1.0", "description:gateways"],
                "nds": gateways,
                "aes": [dashboard.rn],
            },
        )
        account = self._own("dtiot:lorAt", adapter, ACCOUNT, {"cnd": "loriotAccount", "useAi": True})
        application = {"cnd": "loriotApplication", "nm": "sensors", "hexId": APPLICATION, "prope": True}
        self._own("dtiot:lorAn", account, APPLICATION, {**application, "outputDisable": False})

    def _own(self, key: str, parent: Resource, rn: str, attributes: dict[str, Any]) -> Resource:
        self._number += 1
        at = self.root.created + self._number * 1000
        ri = f"{at // 1000:08x}e{self._number:015x}"
        box = _USER_BOXES - self._number if key == "m2m:cnt" else None
        resource = Resource(
            key,
            ri=ri,
            pi=parent.ri,
            rn=rn,
            created=at,
            attributes=attributes,
            creator=str(attributes.get("aei", "CAdmin")),
            box=box,
        )
        return self._hold(resource)

    def _hold(self, resource: Resource) -> Resource:
        self.held[resource.ri] = resource
        self._kids.setdefault(resource.pi, {})[resource.rn] = resource.ri
        place = self._place(resource.ri)
        if place is not None:
            self._touched[place] = resource.ri
        return resource

    def _forget(self, ri: str) -> None:
        held = self.held.pop(ri, None)
        if held is not None:
            self._kids.get(held.pi, {}).pop(held.rn, None)
        self._kids.pop(ri, None)
        place = self._place(ri)
        if place is not None:
            self._touched[place] = None

    # the fleet's resources

    @staticmethod
    def _place(ri: str) -> tuple[int, int] | None:
        found = _FLEET.fullmatch(ri)
        return (int(found[2]), int(found[3], 16)) if found else None

    def _fleet_ri(self, code: int, index: int) -> str:
        return f"{self.platform.fleet[index].created // 1000:08x}f{code:x}{index:06x}00000000"

    def fleet_resource(self, code: int, index: int) -> Resource:
        """A part of a fleet device, as it is or as a user changed it."""
        ri = self._fleet_ri(code, index)
        held = self.held.get(ri)
        if held is not None:
            return held
        devices = self.devices
        if code == NODE:
            parent, rn, attributes = ROOT, devices.name(index), devices.node(index)
        elif code == INFO:
            parent, rn, attributes = self._fleet_ri(NODE, index), "device-info", devices.info(index)
        elif code == CREDENTIALS:
            parent, rn, attributes = self._fleet_ri(NODE, index), "credentials", devices.credentials(index)
        elif code == LINE:
            parent, rn, attributes = self.communication.ri, devices.name(index), {}
        else:
            parent, rn, attributes = self._fleet_ri(LINE, index), STORES[code], {}
        box = index * 8 + code if code >= LINE else None
        created = self.platform.fleet[index].created
        creator = "CProvisioning"
        key = _KEYS.get(code, "m2m:cnt")
        return Resource(
            key, ri=ri, pi=parent, rn=rn, created=created, attributes=attributes, creator=creator, box=box
        )

    @property
    def communication(self) -> Resource:
        """The container device-communication."""
        return self.held[self._kids[ROOT][COMMUNICATION]]

    def _alive(self, code: int, index: int) -> bool:
        if not 0 <= index < len(self.platform.fleet):
            return False
        if code == CREDENTIALS and not self.devices.has_credentials(index):
            return False
        return self._touched.get((code, index), "") is not None

    def _fleet_child(self, parent: Resource, name: str) -> Resource | None:
        place = self._place(parent.ri)
        codes: Mapping[str, int]
        if parent.ri == ROOT or (parent.rn == COMMUNICATION and parent.pi == ROOT):
            index = self.devices.index(name)
            code = NODE if parent.ri == ROOT else LINE
        elif place is not None and place[0] in (NODE, LINE):
            codes = {"device-info": INFO, "credentials": CREDENTIALS}
            codes = codes if place[0] == NODE else {text: code for code, text in STORES.items()}
            index, code = (place[1] if name in codes else None), codes.get(name, NODE)
        else:
            return None
        return self.fleet_resource(code, index) if index is not None and self._alive(code, index) else None

    # finding and listing

    def child(self, parent: Resource, name: str) -> Resource | None:
        """A direct child by name, or None."""
        ri = self._kids.get(parent.ri, {}).get(name)
        return self.held[ri] if ri is not None else self._fleet_child(parent, name)

    def by_ri(self, ri: str) -> Resource | None:
        """A resource by its id, or None."""
        if ri in (ROOT, f"id-{ROOT}"):
            return self.root
        held = self.held.get(ri)
        place = self._place(ri)
        if held is not None or place is None or not self._alive(*place):
            return held
        return self.fleet_resource(*place) if self._fleet_ri(*place) == ri else None

    def find(self, names: tuple[str, ...]) -> Resource | None:
        """The resource at a path below the tenant, or None."""
        at: Resource | None = self.root
        for name in names:
            at = self.child(at, name) if at is not None else None
        return at

    def parent(self, resource: Resource) -> Resource | None:
        """The resource above, or None for the tenant."""
        return self.by_ri(resource.pi) if resource.pi else None

    def path(self, resource: Resource) -> str:
        """The structured id: `eos/sensor001/device-info`."""
        above = self.parent(resource)
        return resource.rn if above is None else f"{self.path(above)}/{resource.rn}"

    def children(self, parent: Resource) -> Iterator[Resource | Lazy]:
        """Direct children but messages: the platform's and users' resources, the fleet's, users' nodes."""
        kids = [self.held[ri] for ri in self._kids.get(parent.ri, {}).values()]
        fleet = self._fleet_children(parent)
        place_of = {self._place(one.ri) for one in kids}
        yield from (one for one in kids if one.ty != 14 and self._place(one.ri) is None)
        yield from (one for one in fleet if place_of.isdisjoint({(one.code, one.index)}))
        yield from (one for one in kids if one.ty == 14 or self._place(one.ri) is not None)

    def _fleet_children(self, parent: Resource) -> Iterator[Lazy]:
        place = self._place(parent.ri)
        plan: list[tuple[int, int]] | Iterator[tuple[int, int]] = []
        if parent.ri == ROOT:
            plan = ((NODE, i) for i in range(len(self.platform.fleet)))
        elif parent.rn == COMMUNICATION and parent.pi == ROOT:
            plan = ((LINE, i) for i in range(len(self.platform.fleet)))
        elif place is not None and place[0] == NODE:
            plan = [(INFO, place[1]), (CREDENTIALS, place[1])]
        elif place is not None and place[0] == LINE:
            plan = [(code, place[1]) for code in STORES]
        return (Lazy(self, code, i) for code, i in plan if self._alive(code, i))

    # changing

    def new_ri(self, at: int) -> str:
        """An id for a user's resource."""
        number = self.platform.store.next_ids("resource")[0]
        return f"{at // 1000:08x}0{number:015x}"

    def new_box(self) -> int:
        """A number for the messages of a user's container."""
        return self.platform.store.next_ids("box", start=_USER_BOXES)[0]

    def add(
        self,
        key: str,
        parent: Resource,
        rn: str,
        attributes: dict[str, Any],
        *,
        creator: str,
        ri: str | None = None,
    ) -> Resource:
        """A new resource; the caller has checked that the name is free."""
        now = self.platform.now()
        resource = Resource(
            key,
            ri=ri or self.new_ri(now),
            pi=parent.ri,
            rn=rn,
            created=now,
            attributes=attributes,
            creator=creator,
            box=self.new_box() if key == "m2m:cnt" else None,
        )
        self._gone.discard(resource.ri)
        self.platform.store.unset("gone", resource.ri)
        self._hold(resource)
        self._save(resource)
        return resource

    def change(self, resource: Resource, attributes: dict[str, Any]) -> Resource:
        """The resource with new attributes; those that are None are removed."""
        resource.attributes = {
            name: value for name, value in {**resource.attributes, **attributes}.items() if value is not None
        }
        resource.changed = self.platform.now()
        resource.tag += 1
        self._hold(resource)
        self._save(resource)
        return resource

    def _save(self, resource: Resource) -> None:
        self.platform.store.set("resource", resource.ri, resource.stored())

    def remove(self, resource: Resource) -> list[Resource]:
        """Remove a resource with everything below but messages; gives what went, children first."""
        went: list[Resource] = []
        for one in list(self.children(resource)):
            went += self.remove(one.get() if isinstance(one, Lazy) else one)
        self.platform.store.unset("resource", resource.ri)
        if resource.ri[8:9] in ("e", "f"):
            self._gone.add(resource.ri)
            self.platform.store.set("gone", resource.ri, value=True)
        self._forget(resource.ri)
        return [*went, resource]
