"""The managed objects: the fleet, what users laid over it, and what users made; the three child relations."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from iotnb.sandbox.cumulocity.fleetdocs import (
    ANYWHERE,
    EVERYWHERE,
    FIRST_DEVICE,
    FIRST_GROUP,
    TYPES,
    FleetDocs,
    FleetObject,
    device_id,
)
from iotnb.sandbox.cumulocity.query import Compare, Has, Node, Query
from iotnb.sandbox.cumulocity.state import FIRST_IDS, Platform
from iotnb.sandbox.cumulocity.wire import Refused, encode, format_time
from iotnb.sandbox.store import Document

CHILDREN = ("childDevices", "childAssets", "childAdditions")
PARENTS = {
    "childDevices": "deviceParents",
    "childAssets": "assetParents",
    "childAdditions": "additionParents",
}
READ_ONLY = frozenset({"id", "self", "creationTime", "lastUpdated", *CHILDREN, *PARENTS.values()})
Link = tuple[int, str, int]  # parent, relation, child


def not_found(number: object = None) -> Refused:
    """404 in the platform's words."""
    detail = f" : No managedObject for id '{number}'!" if number is not None else ""
    return Refused(404, "inventory/Not Found", "Finding device data from database failed" + detail)


class Objects:
    """Every managed object by id; documents here have no links and no references."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.docs = FleetDocs(platform.fleet)
        self.last_group = FIRST_GROUP + len(self.docs.sites) - 1
        self.last_device = FIRST_DEVICE + len(platform.fleet) - 1
        self.load()

    def load(self) -> None:
        """Read what the store holds, at the start and after a reset."""
        store = self.platform.store
        self.made: dict[int, dict[str, Any]] = {d.id: d.json() for d in store.select("object", order="id")}
        self.made_ids: list[int] = sorted(self.made)
        self.overlay: dict[int, dict[str, Any]] = {int(k): v for k, v in store.settings("overlay").items()}
        self.hidden: set[int] = {int(name) for name in store.settings("hidden")}
        self.seen: dict[int, int] = {int(k): v for k, v in store.settings("seen").items()}
        self._below: dict[tuple[int, str], dict[int, None]] = {}
        self._above: dict[tuple[int, str], dict[int, None]] = {}
        for name in store.settings("link"):
            self._keep(_link(name))
        self._cut = {_link(name) for name in store.settings("unlink")}
        self._members: dict[int, tuple[int, frozenset[int]]] = {}
        self._descendants: dict[int, tuple[int, frozenset[int]]] = {}

    # one object

    def index(self, number: int) -> int | None:
        """The fleet's index of an object, or None."""
        return number - FIRST_DEVICE if FIRST_DEVICE <= number <= self.last_device else None

    def is_fleet(self, number: int) -> bool:
        """Whether the object is simulated: a device or a site's group."""
        return FIRST_DEVICE <= number <= self.last_device or FIRST_GROUP <= number <= self.last_group

    def exists(self, number: int) -> bool:
        """Whether there is such an object."""
        return number in self.made or (self.is_fleet(number) and number not in self.hidden)

    def view(self, number: int) -> Mapping[str, Any] | None:
        """The document for reading only; a fleet device's fragments are made when asked for."""
        made = self.made.get(number)
        if made is not None:
            return made if "c8y_RequiredAvailability" not in made else self._monitored(number, made)
        if number in self.hidden or not self.is_fleet(number):
            return None
        index = self.index(number)
        if index is not None:
            document: Mapping[str, Any] = FleetObject(self.docs, index, self.platform.now())
        else:
            document = self.docs.group(number)
        over = self.overlay.get(number)
        return document if over is None else _overlaid(document, over)

    def document(self, number: int) -> dict[str, Any]:
        """The whole document as a new dict; 404 when there is none."""
        found = self.view(number)
        if found is None:
            raise not_found(number)
        if isinstance(found, FleetObject):
            return found.whole()
        return {key: value for key, value in found.items() if value is not None}

    def owner(self, number: int) -> str:
        """Who owns the object; empty when there is none."""
        found = self.view(number)
        return str(found.get("owner") or "") if found is not None else ""

    def name(self, number: int) -> str | None:
        """The object's name, if it exists and has one."""
        found = self.view(number)
        return found.get("name") if found is not None else None

    def _monitored(self, number: int, made: dict[str, Any]) -> dict[str, Any]:
        """A document with the computed fragments of availability, once there was traffic."""
        if number not in self.seen:
            return made
        state = self.availability(number, made)
        if state is None:
            return made
        lasts = {"status": state["dataStatus"], "lastMessage": state["lastMessage"]}
        return {**made, "c8y_Availability": lasts, "c8y_Connection": {"status": state["connectionStatus"]}}

    def availability(self, number: int, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer of /availability, or None for an object that is not monitored."""
        required = document.get("c8y_RequiredAvailability")
        minutes = required.get("responseInterval") if isinstance(required, dict) else None
        index = self.index(number)
        now = self.platform.now()
        last = self.seen.get(number)
        if index is not None:
            heard = self.docs.last_seen(index, now)
            last = max((at for at in (heard, last) if at is not None), default=None)
        if not isinstance(minutes, int | float) or last is None:
            return None
        if minutes <= 0:
            data, connection = "MAINTENANCE", "MAINTENANCE"
        else:
            data = "AVAILABLE" if now - last <= minutes * 60_000 else "UNAVAILABLE"
            online = self.platform.hub.is_connected(number)
            if index is not None:
                online = online or self.platform.fleet.online(index, now)
            connection = "CONNECTED" if online else "DISCONNECTED"
        return {
            "deviceId": str(number),
            "lastMessage": format_time(last),
            "interval": int(minutes),
            "dataStatus": data,
            "connectionStatus": connection,
        }

    def heard(self, number: int) -> None:
        """A message of the device arrived: it is alive."""
        if number in self.made:
            self.seen[number] = self.platform.now()
            self.platform.store.set("seen", str(number), self.seen[number])

    # changes

    def create(self, body: Mapping[str, Any], owner: str) -> int:
        """A new object; fields that only the platform sets are ignored."""
        first = max(self.last_device + 1, FIRST_IDS["object"])
        number = self.platform.store.next_ids("object", start=first)[0]
        made = format_time(self.platform.now())
        document: dict[str, Any] = {
            "id": str(number),
            "owner": owner,
            "creationTime": made,
            "lastUpdated": made,
        }
        document |= {key: value for key, value in body.items() if key not in READ_ONLY and value is not None}
        self._write(number, document)
        return number

    def _write(self, number: int, document: dict[str, Any]) -> None:
        if number not in self.made:
            self.made_ids.insert(bisect_left(self.made_ids, number), number)
        self.made[number] = document
        self.platform.store.put("object", [Document(id=number, body=encode(document))])

    def update(self, number: int, body: Mapping[str, Any]) -> None:
        """Replace the fragments sent; null removes one; `lastUpdated` becomes now."""
        if not self.exists(number):
            raise not_found(number)
        changes = {key: value for key, value in body.items() if key not in READ_ONLY}
        changes["lastUpdated"] = format_time(self.platform.now())
        made = self.made.get(number)
        if made is not None:
            merged = {k: v for k, v in {**made, **changes}.items() if v is not None}
            self._write(number, merged)
        else:
            self.overlay[number] = {**self.overlay.get(number, {}), **changes}
            self.platform.store.set("overlay", str(number), self.overlay[number])

    def remove(self, number: int) -> None:
        """Delete one object and its links; the caller deals with everything that belongs to it."""
        for link in self.links_of(number):
            self.unlink(*link)
        if number in self.made:
            del self.made[number]
            self.made_ids.remove(number)
            self.platform.store.drop("object", [number])
        else:
            self.hidden.add(number)
            self.platform.store.set("hidden", str(number), 1)
        self.seen.pop(number, None)
        self.platform.store.unset("seen", str(number))

    # relations

    def children(self, number: int, relation: str) -> list[int]:
        """The children of one relation that still exist, in the order in which they were added."""
        found = self._fleet_children(number, relation)
        own = [c for c in found if c not in self.hidden and (number, relation, c) not in self._cut]
        return own + list(self._below.get((number, relation), ()))

    def _fleet_children(self, number: int, relation: str) -> Iterable[int]:
        index = self.index(number)
        if relation == "childDevices" and index is not None:
            return [device_id(i) for i in self.platform.fleet.children(index)]
        if relation == "childAssets" and FIRST_GROUP <= number <= self.last_group:
            return self.docs.members(number)
        return ()

    def parents(self, number: int, relation: str) -> list[int]:
        """The direct parents of one relation."""
        found: list[int] = []
        index = self.index(number)
        if index is not None:
            above: int | None = None
            gateway = self.docs.parent(index)
            if relation == "childDevices" and gateway is not None:
                above = device_id(gateway)
            elif relation == "childAssets" and gateway is None:
                above = self.docs.site_of(index)
            if above is not None and above not in self.hidden and (above, relation, number) not in self._cut:
                found.append(above)
        return found + list(self._above.get((number, relation), ()))

    def link(self, parent: int, relation: str, child: int) -> None:
        """Make one object the child of another; doing it twice is harmless."""
        link = (parent, relation, child)
        if child in self.children(parent, relation):
            return
        if link in self._cut:
            self._cut.discard(link)
            self.platform.store.unset("unlink", _name(link))
            return
        self._keep(link)
        self.platform.store.set("link", _name(link), 1)

    def _keep(self, link: Link) -> None:
        parent, relation, child = link
        self._below.setdefault((parent, relation), {})[child] = None
        self._above.setdefault((child, relation), {})[parent] = None

    def unlink(self, parent: int, relation: str, child: int) -> None:
        """End a relation; both objects stay."""
        link = (parent, relation, child)
        if child in self._below.get((parent, relation), ()):
            del self._below[parent, relation][child]
            del self._above[child, relation][parent]
            self.platform.store.unset("link", _name(link))
        else:
            self._cut.add(link)
            self.platform.store.set("unlink", _name(link), 1)

    def links_of(self, number: int) -> list[Link]:
        """Every relation in which an object stands."""
        found: list[Link] = []
        for relation in CHILDREN:
            found += [(number, relation, child) for child in self.children(number, relation)]
            found += [(parent, relation, number) for parent in self.parents(number, relation)]
        return found

    def members(self, group: int) -> frozenset[int]:
        """The direct members of a group: what `bygroupid` asks for."""
        version = self.platform.store.version
        held = self._members.get(group)
        if held is None or held[0] != version:
            held = (version, frozenset(self.children(group, "childAssets")))
            self._members[group] = held
        return held[1]

    def descendants(self, root: int) -> frozenset[int]:
        """The object and everything below it in any relation."""
        version = self.platform.store.version
        held = self._descendants.get(root)
        if held is None or held[0] != version:
            held = (version, frozenset(self.below(root, CHILDREN)))
            self._descendants[root] = held
        return held[1]

    def below(self, root: int, relations: Sequence[str]) -> list[int]:
        """The object and everything below it in some relations; rings do no harm."""
        found = {root: None}
        queue = [root]
        while queue:
            number = queue.pop()
            for relation in relations:
                for child in self.children(number, relation):
                    if child not in found:
                        found[child] = None
                        queue.append(child)
        return list(found)

    def above(self, number: int, relations: Sequence[str]) -> list[int]:
        """Everything above an object in some relations, nearest first."""
        found: dict[int, None] = {}
        queue = [number]
        while queue:
            one = queue.pop(0)
            for relation in relations:
                for parent in self.parents(one, relation):
                    if parent not in found and parent != number:
                        found[parent] = None
                        queue.append(parent)
        return list(found)

    # search

    def text_matches(self, document: Mapping[str, Any], text: str) -> bool:
        """Full text: any token, or the exact phrase in double quotes; without regard to case."""
        number = int(document["id"])
        fields = [str(document.get(key) or "") for key in ("id", "type", "name", "owner")]
        fields += [value for _, value in self.platform.identities.of(number)]
        return text_found(fields, text)

    def known(self, node: Node) -> bool | None:
        """What holds for every fleet device that nobody changed; see query.Node.verdict."""
        if isinstance(node, Has):
            if any(name in EVERYWHERE for name in node.names):
                return True
            return None if any(name.split(".")[0] in ANYWHERE for name in node.names) else False
        if not isinstance(node, Compare) or node.is_id or node.path[0] == "text":
            return None
        if node.path[0] not in ANYWHERE:
            return node.operator == "eq" and node.value is None
        exact = node.operator == "eq" and isinstance(node.value, str) and "*" not in node.value
        if exact and node.path == ("type",) and node.value not in TYPES:
            return False
        if exact and node.path == ("owner",) and not str(node.value).startswith("device_"):
            return False
        return None

    def runs(self, query: Query) -> Iterator[range]:
        """The ids that match, in order, as runs; a run of the fleet is not looked at one by one."""
        low = 0 if query.low is None else query.low
        high = (1 << 63) - 1 if query.high is None else query.high
        parts = [
            self._groups(query, low, high),
            self._devices(query, low, high),
            self._created(query, low, high),
        ]
        for part in reversed(parts) if query.descending else parts:
            yield from part

    def _groups(self, query: Query, low: int, high: int) -> Iterator[range]:
        yield from self._each(query, range(max(low, FIRST_GROUP), min(high, self.last_group + 1)))

    def _created(self, query: Query, low: int, high: int) -> Iterator[range]:
        first, last = bisect_left(self.made_ids, low), bisect_left(self.made_ids, high)
        yield from self._each(query, self.made_ids[first:last])

    def _devices(self, query: Query, low: int, high: int) -> Iterator[range]:
        span = range(max(low, FIRST_DEVICE), min(high, self.last_device + 1))
        verdict = query.verdict(self.known)
        changed = sorted(n for n in self.overlay.keys() | self.hidden if n in span)
        if verdict is None:
            yield from self._each(query, span)
        elif not verdict:
            yield from self._each(query, changed)
        else:
            yield from self._around(query, span, changed)

    def _around(self, query: Query, span: range, changed: list[int]) -> Iterator[range]:
        """The runs of devices between those that users changed, and those of these that match."""
        pieces: list[range] = []
        start = span.start
        for number in changed:
            pieces += [range(start, number), range(number, number + 1)]
            start = number + 1
        pieces.append(range(start, span.stop))
        special = set(changed)
        for piece in reversed(pieces) if query.descending else pieces:
            if len(piece) == 1 and piece.start in special:
                yield from self._each(query, piece)
            elif piece:
                yield piece[::-1] if query.descending else piece

    def _each(self, query: Query, numbers: Sequence[int]) -> Iterator[range]:
        for number in reversed(numbers) if query.descending else numbers:
            document = self.view(number)
            if document is not None and query.matches(document, self):
                yield range(number, number + 1)

    def is_root(self, number: int) -> bool:
        """Whether an object has no parent as device or asset."""
        return not self.parents(number, "childDevices") and not self.parents(number, "childAssets")


def text_found(fields: Iterable[str], text: str) -> bool:
    """Whether a full text search finds one of the fields."""
    wanted = text.strip().lower()
    lowered = [field.lower() for field in fields]
    if len(wanted) > 1 and wanted[0] == wanted[-1] == '"':
        return any(wanted[1:-1] in field for field in lowered)
    tokens = {token for field in lowered for token in _tokens(field)}
    stars = [token for token in _tokens(wanted) if "*" in token]
    if any(_starts(token, star) for star in stars for token in tokens):
        return True
    return not tokens.isdisjoint(_tokens(wanted))


def _tokens(text: str) -> list[str]:
    for mark in "/-.'\"":  # the document names three of them; clients put quotes around several words
        text = text.replace(mark, " ")
    return text.split()


def _starts(token: str, pattern: str) -> bool:
    """Whether a token fits a pattern with `*`."""
    first, *rest = pattern.split("*")
    if not token.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        at = token.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return not rest or (len(token) - at >= len(rest[-1]) and token.endswith(rest[-1]))


def _overlaid(document: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = {key: value for key, value in document.items() if key not in over}
    merged |= {key: value for key, value in over.items() if value is not None}
    return merged


def _link(name: str) -> Link:
    parent, relation, child = name.split(":")
    return int(parent), relation, int(child)


def _name(link: Link) -> str:
    return ":".join(map(str, link))
