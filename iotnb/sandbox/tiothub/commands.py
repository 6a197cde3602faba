"""Downlink: a queued command is sent when its device wakes up, and the device answers.

A fleet device wakes up by itself as soon as it is on line. A device that a user provisioned wakes up when a
message is posted to its received-msg.
"""

import re
from functools import partial
from typing import Any

from iotnb.sandbox.fleet import OperationKind, Outcome
from iotnb.sandbox.store import Match
from iotnb.sandbox.tiothub import talk
from iotnb.sandbox.tiothub.platform import Platform
from iotnb.sandbox.tiothub.tree import QUEUED, STORES, Resource

_FLEET_BOXES = 1 << 33
_RESTART = re.compile(r"\s*EXEC\s+/3/0/4\s*")
_FIRMWARE = re.compile(r"\s*PUT\s+/5/")


def sibling(platform: Platform, store: Resource, name: str) -> Resource | None:
    """Another message store of the same device, or None."""
    line = platform.tree.parent(store)
    return platform.tree.child(line, name) if line is not None else None


def queued(platform: Platform, container: Resource, message: dict[str, Any]) -> None:
    """A message was posted to a container: if that is a fleet device's queue, the device will take it."""
    box = container.box
    if box is None or box >= _FLEET_BOXES or box % 8 != QUEUED:
        return
    number = int(message["ri"][9:], 16)
    stored = platform.store.get("cin", number)
    if stored is None:
        return
    index = box // 8
    kind = _kind(message["con"])
    outcome = platform.fleet.outcome(index, stored.created, kind, salt=number)
    if outcome.started is not None:
        platform.later(outcome.started, partial(_take, platform, container.ri, number, index, outcome))


def _kind(content: Any) -> OperationKind:
    text = content if isinstance(content, str) else ""
    if _RESTART.fullmatch(text):
        return "restart"
    return "firmware" if _FIRMWARE.match(text) else "command"


def resume(platform: Platform) -> None:
    """Go on with the commands that a data file still holds as queued."""
    for one in platform.store.select("cin"):
        if one.source < _FLEET_BOXES and one.source % 8 == QUEUED:
            body = one.json()
            container = platform.tree.by_ri(str(body["pi"]))
            if container is not None:
                queued(platform, container, body)


def _take(platform: Platform, queue_ri: str, number: int, index: int, outcome: Outcome, at: int) -> None:
    """The device is awake: the command moves to sent-msg; its answer comes later."""
    container = platform.tree.by_ri(queue_ri)
    if container is None:
        return
    moved = _move(platform, container, number, at)
    if moved is not None and outcome.finished is not None:
        failure = outcome.failure if outcome.failed else ""
        answer = partial(_answer, platform, queue_ri, index, moved["con"], failure)
        platform.later(outcome.finished, answer)


def _move(platform: Platform, container: Resource, number: int, at: int) -> dict[str, Any] | None:
    stored = platform.store.get("cin", number)
    sent = sibling(platform, container, "sent-msg")
    if stored is None or sent is None:
        return None
    body = stored.json()
    platform.messages.remove(container, body["ri"])
    info, creator = str(body.get("cnf", "")), str(body["cr"])
    moved = platform.messages.add(sent, body["con"], creator=creator, info=info, at=at)
    platform.notifier.created(sent, "m2m:cin", moved)
    return moved


def _answer(platform: Platform, queue_ri: str, index: int, command: Any, failure: str, at: int) -> None:
    container = platform.tree.by_ri(queue_ri)
    received = sibling(platform, container, "received-msg") if container is not None else None
    if received is None:
        return
    content, info = talk.reply(platform.devices, index, command, at, failure)
    message = platform.messages.add(received, content, creator="CNI-IPE", info=info, at=at)
    platform.notifier.created(received, "m2m:cin", message)


def uplink(platform: Platform, container: Resource) -> None:
    """A user's device has sent something: it is awake, and what is queued for it goes out."""
    if container.box is None or container.box < _FLEET_BOXES or container.rn != "received-msg":
        return
    queue = sibling(platform, container, STORES[QUEUED])
    if queue is None or queue.box is None:
        return
    for one in platform.store.select("cin", Match(sources=(queue.box,))):
        _move(platform, queue, one.id, platform.now())
