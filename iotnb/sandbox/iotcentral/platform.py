"""One running IoT Central: its state with the directory, the applications and the outbox on it."""

import asyncio

from iotnb.sandbox.iotcentral.application import Applications
from iotnb.sandbox.iotcentral.directory import Directory
from iotnb.sandbox.iotcentral.outbox import Outbox
from iotnb.sandbox.iotcentral.state import State
from iotnb.sandbox.world import Service, World

_TICK = 0.05  # seconds between two looks at what is due


class Platform(State):
    """Everything a handler needs; one per sandbox and platform."""

    def __init__(self, world: World, service: Service) -> None:
        super().__init__(world, service)
        self._ticker: asyncio.Task[None] | None = None
        self.outbox = Outbox()
        self.directory = Directory(self)
        self.apps = Applications(self, self.directory)

    def run(self) -> None:
        """Start the background task on the server's loop, once."""
        if self._ticker is None or self._ticker.done():
            self.outbox.attach(asyncio.get_running_loop())
            self._ticker = asyncio.ensure_future(self._tick_on())

    async def _tick_on(self) -> None:
        try:
            while True:
                await asyncio.sleep(_TICK)
                self.tick()
        finally:
            self.outbox.close()
