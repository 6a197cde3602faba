"""Real-time notifications: Bayeux long polling at /notification/operations and /notification/realtime."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from iotnb.sandbox.cumulocity.people import User
from iotnb.sandbox.cumulocity.simulate import REPORTS, report, watched_devices
from iotnb.sandbox.cumulocity.state import Platform
from iotnb.sandbox.cumulocity.wire import JSON, Answer, Call, Refused, encode

Message = dict[str, Any]
_KEPT_MS = 10_000  # undelivered data live this long after the last answer
_IDLE_MS = 2 * 3_600_000
_MOST_HELD = 10  # connections of one user at one endpoint
_REPORT_MS, _REPORT_MS_EACH = 300, 5  # how often the fleet reports, and more for each device that is watched
_STEP = 0.1  # seconds between two looks at what simulated devices do
_APIS = {
    "operations": "DEVICE_CONTROL",
    "alarms": "ALARM",
    "events": "EVENT",
    "measurements": "MEASUREMENT",
    "managedobjects": "INVENTORY",
}
_TYPES = ["long-polling", "smartrest-long-polling", "websocket"]


@dataclass(eq=False, slots=True)
class Client:
    """One Bayeux conversation."""

    id: str
    user: User
    endpoint: str  # operations or realtime
    heard: int
    channels: dict[str, None] = field(default_factory=dict)
    waiting: deque[Message] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    connect: int = 0  # number of the latest connect; an older one gives way
    held: bool = False
    advice: Message = field(default_factory=dict)

    def deadline(self) -> int:
        """When the conversation ends if no message comes."""
        interval = self.advice.get("interval")
        if isinstance(interval, int | float) and interval > 0 and not self.held:
            return self.heard + int(interval)
        return self.heard + _IDLE_MS

    def deliver(self, message: Message) -> None:
        """Queue data for the next answer."""
        self.waiting.append(message)
        self.wake.set()


class Hub:
    """All conversations of a platform, and the way from a change to those who subscribed to it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.clients: dict[str, Client] = {}
        self._number = 0
        self._reported = platform.now()

    def forget(self) -> None:
        """End every conversation, as after a restart of the server."""
        for client in self.clients.values():
            client.connect += 1
            client.wake.set()
        self.clients.clear()

    # from a change to the clients

    def is_watched(self, kind: str, source: int) -> bool:
        """Whether anybody subscribed to a kind of data of an object."""
        names = {f"/{kind}/*", f"/{kind}/{source}"}
        return any(not names.isdisjoint(client.channels) for client in self.clients.values())

    def publish(self, kind: str, source: int, action: str, data: Any) -> None:
        """Send a change to the subscribers of its channel, or of the channel for all objects."""
        channel = f"/{kind}/{source}"
        names = {f"/{kind}/*", channel}
        for client in self.clients.values():
            subscribed = client.endpoint == "realtime" and not names.isdisjoint(client.channels)
            if subscribed and self._may(client.user, kind, str(source)):
                self._send(client, channel, {"realtimeAction": action, "data": data})

    def operation(self, device: int, document: Any) -> None:
        """Send a new operation to the device and to the agents above it."""
        above = {device, *self.platform.objects.above(device, ("childDevices",))}
        for client in self.clients.values():
            if client.endpoint == "operations":
                for number in above:
                    if f"/{number}" in client.channels:
                        self._send(client, f"/{number}", document)

    def _send(self, client: Client, channel: str, data: Any) -> None:
        self._number += 1
        client.deliver({"id": str(self._number), "channel": channel, "data": data})

    def is_connected(self, device: int) -> bool:
        """Whether a device holds a connection for its operations."""
        channel = f"/{device}"
        clients = (c for c in self.clients.values() if channel in c.channels)
        return any(c.held or self.platform.now() - c.heard <= _KEPT_MS for c in clients)

    def watchers(self) -> Iterable[Client]:
        """The clients of /notification/realtime."""
        return [client for client in self.clients.values() if client.endpoint == "realtime"]

    # messages

    async def answer(self, call: Call, endpoint: str) -> Answer:
        """Answer a request's messages; a connect is held until there is something to say."""
        self._expire()
        replies: list[Message] = []
        connects: list[Message] = []
        for message in _messages(call):
            if message.get("channel") == "/meta/connect":
                connects.append(message)
            else:
                replies.append(self._reply(call, endpoint, message))
        for message in connects:
            replies += await self._connect(message)
        wordless = call.strict and not call.accept
        return Answer(body=None if wordless else encode(replies), content_type=JSON)

    def _reply(self, call: Call, endpoint: str, message: Message) -> Message:
        channel = str(message.get("channel", ""))
        if channel == "/meta/handshake":
            return self._handshake(call, endpoint, message)
        client = self._client(message)
        if client is None:
            return _unknown(message)
        client.heard = self.platform.now()
        if channel == "/meta/subscribe":
            return self._subscribe(client, message)
        if channel == "/meta/unsubscribe":
            for name in _names(message):
                client.channels.pop(name, None)
            return _reply(message, subscription=message.get("subscription"))
        if channel == "/meta/disconnect":
            self.clients.pop(client.id, None)
            client.connect += 1
            client.wake.set()
            return _reply(message)
        return _reply(message, successful=False, error=f"403:{channel}:Publish denied")

    def _client(self, message: Message) -> Client | None:
        return self.clients.get(str(message.get("clientId", "")))

    def _handshake(self, call: Call, endpoint: str, message: Message) -> Message:
        if call.strict and not message.get("supportedConnectionTypes"):
            error = "402:supportedConnectionTypes:Missing required parameter"
            return _reply(message, successful=False, error=error)
        roles = {"ROLE_DEVICE", "ROLE_DEVICE_CONTROL_READ"}
        if endpoint == "realtime":
            roles |= {f"ROLE_{api}_READ" for api in _APIS.values()}
        if not call.user.has(*roles) and not call.user.assignments:
            return _reply(message, successful=False, error="403::Handshake denied")
        client = Client(secrets.token_hex(13), call.user, endpoint, self.platform.now())
        client.advice = message["advice"] if isinstance(message.get("advice"), dict) else {}
        self.clients[client.id] = client
        found = _reply(message, clientId=client.id, version="1.0", minimumVersion="1.0")
        return {**found, "supportedConnectionTypes": _TYPES}

    def _may(self, user: User, kind: str, source: str) -> bool:
        access, api = self.platform.access, _APIS.get(kind)
        if api is None or access.everywhere(user, api, "READ"):
            return True
        return source == "*" or (source.isdigit() and access.may(user, api, "READ", int(source)))

    def _subscribe(self, client: Client, message: Message) -> Message:
        names = _names(message)
        for name in names:
            kind, _, source = name.strip("/").rpartition("/")
            if not self._may(client.user, kind or "operations", source):
                subscription = message.get("subscription")
                error = f"403:{name}:Subscription denied"
                return _reply(message, successful=False, error=error, subscription=subscription)
        self._report(at_once=True)  # what came before is not the new subscription's
        client.channels.update(dict.fromkeys(names))
        return _reply(message, clientId=client.id, subscription=message.get("subscription"))

    async def _connect(self, message: Message) -> list[Message]:
        client = self._client(message)
        if client is not None and self.platform.switches.lose_clients:
            self.clients.pop(client.id, None)
            client = None
        if client is None:
            return [_unknown(message)]
        now = self.platform.now()
        if now - client.heard > _KEPT_MS:
            client.waiting.clear()
        client.heard = now
        advice = message.get("advice")
        lasting = advice if isinstance(advice, dict) and advice.get("timeout") != 0 else {}
        client.advice = {**client.advice, **lasting}  # timeout 0 is meant for this one connect
        client.connect += 1
        client.wake.set()  # an earlier connect of the same client ends
        mine = client.connect
        await self._hold(client, mine, self._seconds(advice))
        client.heard = self.platform.now()
        found = list(client.waiting) if client.connect == mine else []
        if found:
            client.waiting.clear()
        return [*found, _reply(message, advice=client.advice or None)]

    def _seconds(self, advice: Any) -> float:
        timeout = advice.get("timeout") if isinstance(advice, dict) else None
        return (
            float(timeout) / 1000 if isinstance(timeout, int | float) else self.platform.switches.hold_seconds
        )

    async def _hold(self, client: Client, mine: int, seconds: float) -> None:
        """Wait for data; meanwhile the simulated devices go on."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        client.held = True
        self._give_way(client)
        try:
            while not client.waiting and client.connect == mine:
                left = end - loop.time()
                if left <= 0:
                    break
                client.wake.clear()
                try:
                    await asyncio.wait_for(client.wake.wait(), min(left, _STEP))
                except TimeoutError:
                    with self.platform.lock:
                        self.platform.tick()
                        self._report()
        finally:
            if client.connect == mine:
                client.held = False

    def _report(self, *, at_once: bool = False) -> None:
        """Send what the fleet measured since the last time; rarely when many devices are watched."""
        now = self.platform.now()
        watched = sum(watched_devices(self.platform, name)[1] for name in REPORTS)
        if watched and (at_once or now - self._reported >= _REPORT_MS + _REPORT_MS_EACH * watched):
            report(self.platform, max(self._reported, now - _KEPT_MS * 60), now)
            self._reported = now
        elif not watched:
            self._reported = now

    def _give_way(self, client: Client) -> None:
        """Of more than ten held connections of one user the oldest ends."""
        same = [
            c
            for c in self.clients.values()
            if c.held and c.user.name == client.user.name and c.endpoint == client.endpoint
        ]
        if len(same) > _MOST_HELD:
            oldest = min(same, key=lambda c: c.heard)
            oldest.connect += 1
            oldest.wake.set()

    def _expire(self) -> None:
        now = self.platform.now()
        for client in [c for c in self.clients.values() if not c.held and c.deadline() < now]:
            del self.clients[client.id]


def _messages(call: Call) -> list[Message]:
    """The messages of a body: an array, or one bare object; malformed JSON is a 400 here."""
    try:
        body = msgspec.json.decode(call.body)
    except msgspec.DecodeError as error:
        raise Refused(
            400, "notification/Bad Request", f"Cannot parse the request body as JSON: {error}"
        ) from None
    found = body if isinstance(body, list) else [body]
    if not found or not all(isinstance(one, dict) for one in found):
        raise Refused(400, "notification/Bad Request", "Bayeux messages are JSON objects")
    return found


def _names(message: Message) -> list[str]:
    """The channels of a subscription, which may be text or a list."""
    found = message.get("subscription", [])
    return [str(name) for name in (found if isinstance(found, list) else [found])]


def _reply(message: Message, *, successful: bool = True, **more: Any) -> Message:
    """The answer to a message; its id is echoed when it had one."""
    head = {"id": message["id"]} if "id" in message else {}
    kept = {name: value for name, value in more.items() if value is not None}
    return {**head, "channel": message.get("channel"), **kept, "successful": successful}


def _unknown(message: Message) -> Message:
    return _reply(
        message,
        successful=False,
        error="402::Unknown client",
        advice={"reconnect": "handshake", "interval": 0},
    )


async def operations(platform: Platform, call: Call, *_: str) -> Answer:
    """POST /notification/operations: new operations of devices, the bare documents."""
    return await platform.hub.answer(call, "operations")


async def realtime(platform: Platform, call: Call, *_: str) -> Answer:
    """POST /notification/realtime: every change, by channel."""
    return await platform.hub.answer(call, "realtime")


ROUTES = (
    ("POST", "/notification/operations", operations),
    ("POST", "/notification/operations/{message}", operations),
    ("POST", "/notification/realtime", realtime),
    ("POST", "/notification/realtime/{message}", realtime),
    ("POST", "/cep/realtime", realtime),
    ("POST", "/cep/realtime/{message}", realtime),
)
