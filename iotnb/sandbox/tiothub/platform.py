"""One running T IoT Hub: its state with the accesses, resources, messages, notifications and SIMs on it."""

from iotnb.sandbox.tiothub.clients import Directory
from iotnb.sandbox.tiothub.devices import Projection
from iotnb.sandbox.tiothub.messages import Messages
from iotnb.sandbox.tiothub.notify import Notifier
from iotnb.sandbox.tiothub.outbox import Outbox
from iotnb.sandbox.tiothub.problems import Meter
from iotnb.sandbox.tiothub.products import Products
from iotnb.sandbox.tiothub.state import State
from iotnb.sandbox.tiothub.tree import Resource, Tree
from iotnb.sandbox.world import Service, World


class Platform(State):
    """Everything a handler needs; one per sandbox and platform."""

    def __init__(self, world: World, service: Service) -> None:
        super().__init__(world, service)
        self.directory = Directory(self)
        self.devices = Projection(self)
        self.tree = Tree(self, self.devices)
        self.messages = Messages(self, self.devices, self.tree)
        self.outbox = Outbox()
        self.notifier = Notifier(self, self.tree, self.messages, self.outbox)
        self.products = Products(self, self.devices)
        self.meter = Meter()

    def remove(self, resource: Resource) -> list[Resource]:
        """Remove a resource with everything below, messages too; gives what went, children first."""
        went = self.tree.remove(resource)
        for one in went:
            if one.box is not None:
                self.messages.clear(one.box)
        return went
