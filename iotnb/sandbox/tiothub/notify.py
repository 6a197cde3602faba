"""Notifications: what happens to resources is POSTed to those who subscribed, also what the fleet reports."""

import asyncio
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from iotnb.sandbox.tiothub.messages import Messages
from iotnb.sandbox.tiothub.outbox import Delivery, Outbox
from iotnb.sandbox.tiothub.state import State
from iotnb.sandbox.tiothub.tree import ROOT, Resource, Tree
from iotnb.sandbox.tiothub.wire import debug
from iotnb.sandbox.webhook import on_this_machine
from iotnb.sandbox.wire import encode

UPDATED, DELETED, CHILD_CREATED, CHILD_DELETED = 1, 2, 3, 4
ROUTE = "d2c-route"
_MOST_AT_ONCE = 50  # messages of one container that are reported after a jump of the clock
_PENDING_LATEST, _PENDING_ALL = 1, 2
_MOST_PENDING = 1_000


class Notifier:
    """Finds the subscriptions that an event concerns and sends what they ask for."""

    def __init__(self, platform: State, tree: Tree, messages: Messages, outbox: Outbox) -> None:
        self.platform = platform
        self.tree, self.messages, self.outbox = tree, messages, outbox
        self.forget()

    def forget(self) -> None:
        """Start anew: nothing is pending, and the fleet's reports begin now."""
        self._pending: dict[str, list[tuple[str, bytes]]] = {}
        self._reported = self.platform.now()

    def subscriptions(self, about: Resource) -> Iterator[Resource]:
        """The subscriptions below a resource."""
        for one in list(self.tree.children(about)):
            if isinstance(one, Resource) and one.ty == 23:
                yield one

    # events

    def happened(self, about: Resource, net: int, key: str, body: dict[str, Any], **more: Any) -> None:
        """Tell the subscriptions of a resource; `modified` holds the attributes that an update changed."""
        for subscription in self.subscriptions(about):
            if subscription.ri == body.get("ri"):
                continue  # nobody is told about itself
            self._tell(subscription, net, key, body, more.get("modified"))

    def created(self, parent: Resource, key: str, body: dict[str, Any]) -> None:
        """A child was created."""
        self.happened(parent, CHILD_CREATED, key, body)

    def ended(self, subscription: Resource) -> None:
        """Tell the address in `su` that a subscription was deleted."""
        address = subscription.attributes.get("su")
        if isinstance(address, str) and address:
            sign = {"m2m:sgn": {"sud": True, "sur": _id(subscription)}}
            self._post(subscription, address, encode(sign), None)

    def _tell(
        self,
        subscription: Resource,
        net: int,
        key: str,
        body: dict[str, Any],
        modified: dict[str, Any] | None,
    ) -> None:
        criteria = subscription.attributes.get("enc") or {}
        if net not in (criteria.get("net") or [UPDATED]):
            return
        content = subscription.attributes.get("nct", 1)
        rep: Any = {key: body}
        if content == 2 and modified is not None:
            rep = {key: modified}
        elif content == 3:
            rep = {"m2m:uri": body["ri"]}
        sign = {"m2m:sgn": {"nev": {"net": net, "rep": rep}, "sur": _id(subscription)}}
        message = body if key == "m2m:cin" else None
        for address in self._addresses(subscription):
            self._post(subscription, address, encode(sign), message)

    def _addresses(self, subscription: Resource) -> list[str]:
        """The URLs of `nu`; an entry may also name an application, whose `poa` then counts."""
        out: list[str] = []
        for one in listed(subscription.attributes.get("nu")):
            if "://" in one:
                out.append(one)
                continue
            found = self.application(one.removeprefix(f"{ROOT}/"))
            out += listed(found.attributes.get("poa")) if found is not None else [one]
        return out

    def application(self, name: str) -> Resource | None:
        """An application by name, id or `aei`."""
        tree = self.tree
        found = tree.child(tree.root, name) or tree.by_ri(name)
        if found is not None:
            return found if found.ty == 2 else None
        every = (one for one in tree.held.values() if one.ty == 2)
        return next((one for one in every if one.attributes.get("aei") == name), None)

    # delivering

    def _headers(self, subscription: Resource) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "X-M2M-Origin": f"/id-{ROOT}",
            "X-M2M-RI": str(uuid.uuid4()),
            "X-M2M-RVI": self.platform.switches.release,
        }
        application = self.application(subscription.creator)
        for line in listed(application.attributes.get("poah")) if application is not None else []:
            name, colon, value = line.partition(":")
            if colon and name.strip().isascii() and "\n" not in value and "\r" not in value:
                headers[name.strip()] = value.strip()
        return headers

    def _post(
        self, subscription: Resource, address: str, body: bytes, message: dict[str, Any] | None
    ) -> None:
        for held in self._pending.pop(subscription.ri, []):
            self._send(subscription, *held, None)
        self._send(subscription, address, body, message)

    def _send(
        self, subscription: Resource, address: str, body: bytes, message: dict[str, Any] | None
    ) -> None:
        switches = self.platform.switches
        done = partial(self._delivered, subscription, message)
        self.outbox.post(
            Delivery(
                url=address,
                headers=self._headers(subscription),
                body=body,
                attempts=max(1, switches.webhook_attempts),
                pause=switches.webhook_pause,
                done=done,
            )
        )

    def _delivered(self, subscription: Resource, message: dict[str, Any] | None, delivery: Delivery) -> None:
        """A copy of what a routed application took; what failed waits if the subscription says so."""
        if delivery.ok:
            labels = listed(subscription.attributes.get("lbl"))
            if message is not None and any(label.startswith(f"{ROUTE}:") for label in labels):
                self._keep_copy(subscription, message)
            return
        policy = subscription.attributes.get("pn")
        if policy not in (_PENDING_LATEST, _PENDING_ALL) or not on_this_machine(delivery.url):
            return
        waiting = self._pending.setdefault(subscription.ri, [])
        if policy == _PENDING_LATEST:
            waiting.clear()
        waiting.append((delivery.url, delivery.body))
        del waiting[:-_MOST_PENDING]

    def _keep_copy(self, subscription: Resource, message: dict[str, Any]) -> None:
        tree = self.tree
        received = tree.parent(subscription)
        line = tree.parent(received) if received is not None else None
        delivered = tree.child(line, "sent-received-msg") if line is not None else None
        if delivered is not None and delivered.box is not None:
            info, creator = str(message.get("cnf", "")), str(message.get("cr", ""))
            copy = self.messages.add(delivered, message["con"], creator=creator, info=info)
            self.created(delivered, "m2m:cin", copy)

    def try_pending(self) -> None:
        """Send again what waits."""
        for ri, waiting in list(self._pending.items()):
            del self._pending[ri]
            subscription = self.tree.by_ri(ri)
            for held in waiting if subscription is not None else []:
                if subscription is not None:
                    self._send(subscription, *held, None)

    # the fleet

    def report(self) -> None:
        """Send what the fleet's devices reported since the last time."""
        now, since = self.platform.now(), self._reported
        self._reported = now
        if now <= since:
            return
        tree = self.tree
        watched = {one.pi for one in tree.held.values() if one.ty == 23}
        for ri in watched:
            container = tree.by_ri(ri)
            if container is None or container.box is None:
                continue
            found = self.messages.select(container, since + 1, now + 1)
            for text in found.render(max(0, len(found) - _MOST_AT_ONCE), len(found)):
                body = msgspec.json.decode(text, type=dict[str, Any])
                if body["ri"][8] == "a":  # users' messages were sent when they came
                    self.created(container, "m2m:cin", body)

    # verification

    async def verify(self, subscription: Resource, origin: str) -> None:
        """Ask every address whether it wants notifications; 500/5204 if one does not confirm."""
        loop = asyncio.get_running_loop()
        for address in self._addresses(subscription):
            answered: asyncio.Future[Delivery] = loop.create_future()
            sign = {"m2m:sgn": {"vrq": True, "sur": _id(subscription), "cr": origin}}
            headers = self._headers(subscription)
            self.outbox.post(
                Delivery(
                    url=address,
                    headers=headers,
                    body=encode(sign),
                    attempts=1,
                    pause=0.0,
                    done=partial(_resolve, answered),
                )
            )
            found = await answered
            confirmed = found.answer.get("x-m2m-rsc") == "2000"
            if not found.ok or not confirmed or found.answer.get("x-m2m-ri") != headers["X-M2M-RI"]:
                raise debug(5204, f"subscription verification initiation failed: {address}")


def _resolve(answered: "asyncio.Future[Delivery]", delivery: Delivery) -> None:
    if not answered.done():
        answered.set_result(delivery)


def _id(resource: Resource) -> str:
    return f"/id-{ROOT}/{resource.ri}"


def listed(value: Any) -> list[str]:
    """One text or a list of them as a list; None is an empty one."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
