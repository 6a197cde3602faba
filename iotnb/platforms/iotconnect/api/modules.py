"""The modules of the platform and the way to each: its own address, or that of the module it belongs to."""

from __future__ import annotations

from collections.abc import Mapping

from iotnb.errors import ConfigError
from iotnb.platforms.iotconnect.address import MODULES
from iotnb.session import Session


class Modules:
    """The sessions of one login by module; `edition` is aws, az or v1.1, `role` that of the user."""

    def __init__(self, sessions: Mapping[str, Session], *, edition: str) -> None:
        self._sessions = dict(sessions)
        self.edition = edition
        self.role = ""

    def __getitem__(self, module: str) -> Session:
        """The session that answers for a module; raises ConfigError where no address is known."""
        if module not in MODULES:
            raise ConfigError(f"there is no module {module!r}: use one of {', '.join(MODULES)}")
        for name in (module, *MODULES[module]):
            if name in self._sessions:
                return self._sessions[name]
        name = (MODULES[module] or (module,))[-1]
        raise ConfigError(
            f"no address of the module {module!r} is known: log in with solution_key=..., or with "
            f"{name}_url=... as well"
        )

    def addresses(self) -> dict[str, str]:
        """Module -> its base URL, where it has one of its own."""
        return {name: session.base_url for name, session in self._sessions.items()}

    def all(self) -> list[Session]:
        """Every session once; that of devices first."""
        first = self["device"]
        rest = {id(each): each for each in self._sessions.values() if each is not first}
        return [first, *rest.values()]
