"""WSO2 IoT Server's API, one attribute per chapter of its device management."""

from __future__ import annotations

from iotnb.platforms.wso2.api.access import Applications, Tokens
from iotnb.platforms.wso2.api.activities import Activities
from iotnb.platforms.wso2.api.agent import Agent
from iotnb.platforms.wso2.api.alerts import Geo, Notifications
from iotnb.platforms.wso2.api.android import Android
from iotnb.platforms.wso2.api.devices import Devices
from iotnb.platforms.wso2.api.groups import Groups
from iotnb.platforms.wso2.api.people import Roles, Users
from iotnb.platforms.wso2.api.policies import Certificates, Configuration, Policies
from iotnb.platforms.wso2.api.types import Events, Types
from iotnb.platforms.wso2.oauth import Credentials, Door
from iotnb.session import Session

__all__ = ["Api"]


class Api:
    """The chapters; methods take and give the platform's JSON, keys unchanged.

    `applications` and `tokens` (the tutorial), `devices`, `activities`, `android`, `types`, `events`
    (telemetry), `groups`, `users`, `roles`, `policies`, `configuration`, `certificates`, `notifications`,
    `geo`, and `agent` (the side of the device).
    """

    def __init__(self, session: Session, door: Door, credentials: Credentials | None) -> None:
        self.applications = Applications(door, credentials)
        self.tokens = Tokens(door, credentials)
        self.devices = Devices(session)
        self.activities = Activities(session)
        self.android = Android(session)
        self.types = Types(session)
        self.events = Events(session)
        self.groups = Groups(session)
        self.users = Users(session)
        self.roles = Roles(session)
        self.policies = Policies(session)
        self.configuration = Configuration(session)
        self.certificates = Certificates(session)
        self.notifications = Notifications(session)
        self.geo = Geo(session)
        self.agent = Agent(session)
