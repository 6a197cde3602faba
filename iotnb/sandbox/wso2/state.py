"""The whole state of one running WSO2 sandbox, put together from its parts."""

from iotnb.sandbox.shelf import Shelf
from iotnb.sandbox.world import Service, World
from iotnb.sandbox.wso2.accounts import Accounts
from iotnb.sandbox.wso2.base import Base
from iotnb.sandbox.wso2.clients import Clients
from iotnb.sandbox.wso2.inventory import Enrolment, Inventory, Query
from iotnb.sandbox.wso2.kinds import ANDROID, Types
from iotnb.sandbox.wso2.log import ERROR, Log, Operation
from iotnb.sandbox.wso2.notices import Notices
from iotnb.sandbox.wso2.records import Records


class Platform(Base):
    """Everything a handler needs; one per sandbox and platform."""

    def __init__(self, world: World, service: Service) -> None:
        super().__init__(world, service)
        self.accounts = Accounts(self)
        self.clients = Clients(self)
        self.types = Types(self)
        self.inventory = Inventory(self)
        self.records = Records(self)
        self.log = Log(self, self.inventory)
        self.notices = Notices(self)
        self._shelves()

    def _shelves(self) -> None:
        self.groups = Shelf(self.store, "group")
        self.policies = Shelf(self.store, "policy")
        self.effective = Shelf(self.store, "effectivepolicy")
        self.certificates = Shelf(self.store, "certificate")
        self.configuration = Shelf(self.store, "configuration")
        self.rules = Shelf(self.store, "georule")

    def reload(self) -> None:
        """Start anew on an emptied store and perhaps another fleet; applications and tokens stay."""
        self.forget_plans()
        self.start = self.switches.start
        for part in (self.accounts, self.types, self.inventory, self.records, self.log, self.notices):
            part.load()
        self.clients.save()
        self._shelves()

    # what happens by itself

    def watch(self, operation: Operation, one: Enrolment) -> None:
        """Raise the notification of a simulated Android device that will fail, at that moment."""
        simulated = bool(self.inventory.more(one.device).get("simulated"))
        if one.type != ANDROID or not simulated or not self.switches.simulate:
            return
        out = self.log.outcome(operation, one)
        if out.failed and out.finished is not None:
            self.later(out.finished, lambda _: self._tell(operation.id, one))

    def _tell(self, operation: int, one: Enrolment) -> None:
        now = next((m for m in self.log.mappings(operation) if m.enrolment == one.id), None)
        known = {(each["operationId"], each["deviceIdentifier"]) for each in self.notices.all()}
        if now is not None and now.status == ERROR and (operation, one.identifier) not in known:
            self.notices.add(one, code=now.operation.code, operation=operation)

    def resume(self) -> None:
        """Go on with what a data file holds as open."""
        for number in self.inventory.select(Query(type=ANDROID)):
            one = self.inventory.enrolment(number)
            for mapping in self.log.history(one):
                self.watch(mapping.operation, one)
