"""What the platforms have in common: the world's parts, what is due when, switches, the ASGI basics."""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from iotnb.sandbox.errors import SandboxError
from iotnb.sandbox.fleet import Fleet
from iotnb.sandbox.world import Receive, Send, Service, World


@dataclass(order=True)
class Due:
    """Something that happens at a moment of the sandbox's clock."""

    at: int
    order: int
    act: Callable[[int], None] = field(compare=False)


class BasePlatform:
    """The part of a platform's state that is the same on all of them."""

    def __init__(self, world: World, service: Service) -> None:
        self.world = world
        self.service = service
        self.clock = world.clock
        self.store = world.store
        self.tokens = world.tokens
        self._due: list[Due] = []
        self._order = 0

    @property
    def fleet(self) -> Fleet:
        """The simulated fleet, which is another one after the sandbox was seeded anew."""
        return self.world.fleet

    def now(self) -> int:
        """The sandbox's present, in milliseconds."""
        return self.clock.now()

    def later(self, at: int, act: Callable[[int], None]) -> None:
        """Have something done at a moment; `act` receives that moment."""
        self._order += 1
        heapq.heappush(self._due, Due(at, self._order, act))

    def tick(self) -> None:
        """Do what has become due; called before every request and by the background task."""
        now = self.now()
        while self._due and self._due[0].at <= now:
            due = heapq.heappop(self._due)
            due.act(due.at)

    def forget_plans(self) -> None:
        """Drop everything that was still to happen."""
        self._due.clear()


def check_names(changes: Iterable[str], *, known: Iterable[str]) -> None:
    """SandboxError for a switch that a platform does not have."""
    there = set(known)
    unknown = set(changes) - there
    if unknown:
        raise SandboxError(
            f"unknown switch {', '.join(sorted(unknown))}; there are {', '.join(sorted(there))}"
        )


async def lifespan(receive: Receive, send: Send) -> None:
    """Agree to the server's start and end."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def whole_body(receive: Receive) -> bytes:
    """The body of a request, whatever the method: what is left unread would spoil the next request."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
