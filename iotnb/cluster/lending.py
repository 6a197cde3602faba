"""Lends a client's login to the workers of a Dask cluster, and takes it back."""

from __future__ import annotations

import ipaddress
import uuid
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from distributed.diagnostics.plugin import WorkerPlugin

from iotnb.client import Client
from iotnb.cluster import lent
from iotnb.cluster.broker import Broker
from iotnb.errors import ConfigError, LoggedOut
from iotnb.secret import MASK, Secret

if TYPE_CHECKING:
    from distributed import Client as Cluster
    from distributed import Worker

_LOANS: weakref.WeakKeyDictionary[Client, dict[str, Loan]] = weakref.WeakKeyDictionary()


class Lent(WorkerPlugin):
    """What the cluster brings to each worker, now or later: a login without its secrets, and a ticket.

    It stands in no task: neither graph nor dashboard knows more than its name.
    """

    def __init__(self, name: str, parcel: lent.Parcel, *, url: str, authority: str, ticket: str) -> None:
        self.name = name
        self._parcel, self._url, self._authority = parcel, url, authority
        self._ticket = ticket
        self._borrowed: lent.Borrowed | None = None

    def setup(self, worker: Worker) -> None:  # noqa: ARG002  # of the hook
        """Called on each worker: connects it to the lender."""
        self._borrowed = lent.Borrowed(
            self._parcel, url=self._url, authority=self._authority, ticket=Secret(self._ticket)
        )

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002  # the same
        """Called when the worker ends or the login is taken back."""
        borrowed, self._borrowed = self._borrowed, None
        if borrowed is not None:
            borrowed.close()

    @property
    def client(self) -> Client:
        """The borrowed login of this worker."""
        if self._borrowed is None:
            raise LoggedOut(
                401, "", "", "the login was taken back from this cluster: ask for the frame again"
            )
        return self._borrowed.client

    def __repr__(self) -> str:
        return f"Lent({self.name}, ticket={MASK})"


@dataclass
class Loan:
    """One login lent to one cluster."""

    name: str
    broker: Broker
    cluster: Any = field(repr=False)

    def end(self) -> None:
        """Takes it back from the workers, as far as the cluster still answers."""
        self.broker.close()
        if self.cluster.status == "running":
            self.cluster.unregister_worker_plugin(self.name)


def lend(client: Client, cluster: Cluster) -> str:
    """Lends a login to all workers of a cluster, present and future; the loan's name.

    Asked again for the same client and cluster it gives the same loan. Raises ConfigError where the
    credentials would cross a network in clear.
    """
    if not client.logged_in:
        raise LoggedOut(401, "", "", f"{client.user or 'this client'} was logged out: connect again")
    loans = _LOANS.setdefault(client, {})
    loan = loans.get(cluster.id)
    if loan is not None and loan.cluster.status == "running":
        return loan.name
    host = _own_address(cluster)
    workers = max(1, len(cluster.scheduler_info(n_workers=-1)["workers"]))
    at_once = max(1, -(-client.session.settings.workers // workers))
    parcel, sessions = lent.pack(client, workers=at_once)
    broker = Broker(sessions, host=host)
    plugin = Lent(
        f"iotnb-{uuid.uuid4().hex[:12]}",
        parcel,
        url=broker.url,
        authority=broker.authority,
        ticket=broker.ticket.reveal(),
    )
    loans[cluster.id] = Loan(plugin.name, broker, cluster)
    cluster.register_plugin(plugin)
    weakref.finalize(client, broker.close)
    return plugin.name


def end(client: Client) -> None:
    """Takes a login back from every cluster that it was lent to; frames not yet computed then fail.

    `client.logout()` has the same effect on the credentials: they are asked for with each request.
    """
    for loan in _LOANS.pop(client, {}).values():
        loan.end()


def loans(client: Client) -> list[Loan]:
    """To which clusters a login is lent at present."""
    return list(_LOANS.get(client, {}).values())


def _own_address(cluster: Cluster) -> str:
    """The address of this machine that workers can reach: the one that the scheduler is talked to from."""
    if cluster.scheduler is None or cluster.scheduler.address is None or cluster.scheduler_comm is None:
        raise ConfigError("the Dask client has lost its scheduler: connect it again")
    scheme, _, _ = cluster.scheduler.address.partition("://")
    if scheme == "inproc":
        return "127.0.0.1"
    own = urlsplit(f"//{cluster.scheduler_comm.comm.local_address.split('://', 1)[-1]}").hostname or ""
    check(scheme, own)
    return own


def check(scheme: str, address: str) -> None:
    """Raises ConfigError where what the scheduler passes on to workers would cross a network in clear."""
    if scheme != "tls" and not ipaddress.ip_address(address).is_loopback:
        raise ConfigError(
            f"the cluster is spoken to from {address} without encryption ({scheme}://): the login would "
            "cross the network in clear. Set the cluster up with TLS (distributed.security.Security)."
        )
