"""T IoT Hub's two APIs, one attribute per chapter: oneM2M device management, and connection management."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from iotnb import auth
from iotnb.errors import Unsupported
from iotnb.platforms.tiothub.api.applications import Applications
from iotnb.platforms.tiothub.api.dmo import Dmo
from iotnb.platforms.tiothub.api.groups import ConnectivityGroups, DeviceGroups
from iotnb.platforms.tiothub.api.lists import DIALECTS, Walk
from iotnb.platforms.tiothub.api.messages import STORES, Commands, Messages
from iotnb.platforms.tiothub.api.nodes import Nodes
from iotnb.platforms.tiothub.api.products import Products
from iotnb.platforms.tiothub.api.provisioning import Provisioning, device
from iotnb.platforms.tiothub.api.subscriptions import Subscriptions
from iotnb.platforms.tiothub.api.tree import Tree
from iotnb.secret import Secret
from iotnb.session import Session

__all__ = ["DIALECTS", "STORES", "Api", "Dmo", "Walk", "device"]

SHOWN = ("access_token", "id_token", "refresh_token")


class Source(Protocol):
    """Where tokens come from."""

    auth: auth.TokenAuth
    session: Session

    def ask(self, *, scope: str | None = None) -> Mapping[str, Any]:
        """The answer of the token endpoint."""


class Tokens:
    """The token endpoint: client credentials in, a bearer token of 300 s out."""

    def __init__(self, source: Source | None) -> None:
        self._source = source

    def fetch(self, *, scope: str | None = None) -> dict[str, Any]:
        """Asks for a new token, beside the one in use: the whole answer, its tokens as Secrets."""
        answer = self._known().ask(scope=scope)
        return {name: Secret(value) if name in SHOWN else value for name, value in answer.items()}

    def claims(self) -> dict[str, Any]:
        """What the token in use says: `tenants`, `realm_access`, `exp` ... (not verified)."""
        return dict(self._known().auth.token.claims)

    def _known(self) -> Source:
        if self._source is None:
            raise Unsupported("this login has no token: it was made with method='open'")
        return self._source


class Api:
    """The chapters.

    Device management, resources with short oneM2M names: `applications`, `nodes`, `messages`, `commands`,
    `provisioning`, `groups`, `connectivity_groups`, `subscriptions`, `tree` (any resource). Connection
    management, JSON as it comes: `products`. And `tokens`. `dialect` is how lists are paged.
    """

    def __init__(self, dmo: Dmo, cmo: Session | None, source: Source | None = None) -> None:
        self._dmo, self._cmo, self._source = dmo, cmo, source
        self.dialect = dmo.dialect
        self.tokens = Tokens(source)
        self.applications = Applications(dmo)
        self.nodes = Nodes(dmo)
        self.messages = Messages(dmo)
        self.commands = Commands(dmo)
        self.provisioning = Provisioning(dmo)
        self.groups = DeviceGroups(dmo)
        self.connectivity_groups = ConnectivityGroups(dmo)
        self.subscriptions = Subscriptions(dmo)
        self.tree = Tree(dmo)
        self.products = Products(cmo)

    def sessions(self) -> tuple[Session, ...]:
        """The sessions of this login, one a host: device management first."""
        rest = [self._cmo, self._source.session if self._source else None]
        return (self._dmo.session, *(each for each in rest if each is not None))
